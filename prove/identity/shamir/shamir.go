// SPDX-License-Identifier: Apache-2.0

// Package shamir splits a secret into shares of which any k give it back and
// fewer say nothing about it (Shamir 1979), over GF(2^8) with the polynomial of
// AES (x^8+x^4+x^3+x+1).
//
// A share is text that a person can write down:
//
//	asepsis-share-1-<set>-<k>of<n>-<i>-<data>-<check>
//
// set is the same for all shares of one split, data is base32 in lower case, and
// check is the start of a SHA-256 over all of it, so that a typing error is
// found before anything is combined. Whether the combined secret is the right
// one only its user can tell: with k wrong shares of one set a wrong secret
// comes out.
//
// Arithmetic takes the same time for all values.
package shamir

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of a split.
const (
	MaxShares = 32
	MaxSecret = 64 // bytes
)

const prefix = "asepsis-share-1-"

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Split makes n shares of which any k give the secret back.
func Split(secret []byte, k, n int) ([]string, error) {
	switch {
	case len(secret) == 0 || len(secret) > MaxSecret:
		return nil, fmt.Errorf("split: %d bytes, want 1 to %d", len(secret), MaxSecret)
	case k < 2:
		return nil, fmt.Errorf("split: a threshold of %d is no split, want at least 2", k)
	case n < k || n > MaxShares:
		return nil, fmt.Errorf("split: %d shares, want %d to %d", n, k, MaxShares)
	}
	var set [4]byte
	_, _ = rand.Read(set[:]) // never fails, see crypto/rand
	points := make([][]byte, n)
	for i := range points {
		points[i] = make([]byte, len(secret))
	}
	coefficients := make([]byte, k)
	for b, s := range secret {
		_, _ = rand.Read(coefficients)
		coefficients[0] = s
		for i := range points {
			y := byte(0)
			for c := k - 1; c >= 0; c-- { // Horner
				y = mul(y, byte(i+1)) ^ coefficients[c]
			}
			points[i][b] = y
		}
	}
	clear(coefficients)
	out := make([]string, n)
	for i, p := range points {
		body := fmt.Sprintf("%s%s-%dof%d-%d-%s", prefix, hex.EncodeToString(set[:]), k, n, i+1, letters.EncodeToString(p))
		out[i] = body + "-" + check(body)
	}
	return out, nil
}

func check(body string) string {
	sum := sha256.Sum256([]byte(body))
	return letters.EncodeToString(sum[:5])
}

type share struct {
	set     string
	k, n, i int
	data    []byte
}

func parse(s string) (share, error) {
	s = strings.ToLower(strings.Join(strings.Fields(s), ""))
	rest, ok := strings.CutPrefix(s, prefix)
	parts := strings.Split(rest, "-")
	if !ok || len(parts) != 5 {
		return share{}, fmt.Errorf("not a share: one begins with %s", prefix)
	}
	if cut := strings.LastIndexByte(s, '-'); check(s[:cut]) != s[cut+1:] {
		return share{}, errors.New("the check at its end does not fit: a typing error")
	}
	k, n, _ := strings.Cut(parts[1], "of")
	sh := share{set: parts[0]}
	sh.k, _ = strconv.Atoi(k) // 0 where it is no number, which is refused below
	sh.n, _ = strconv.Atoi(n)
	sh.i, _ = strconv.Atoi(parts[2])
	var err error
	sh.data, err = letters.DecodeString(parts[3])
	if err != nil || sh.k < 2 || sh.n < sh.k || sh.n > MaxShares || sh.i < 1 || sh.i > sh.n || len(sh.data) == 0 || len(sh.data) > MaxSecret {
		return share{}, errors.New("not a share: its numbers cannot be")
	}
	return sh, nil
}

// Combine gives the secret back. The same share twice counts once; shares of
// another split, and too few, are errors.
func Combine(shares []string) ([]byte, error) {
	if len(shares) > 4*MaxShares {
		return nil, fmt.Errorf("combine: %d shares, at most %d", len(shares), MaxShares)
	}
	var have []share
	seen := map[int]bool{}
	for n, text := range shares {
		s, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("combine: share %d: %w", n+1, err)
		}
		if len(have) > 0 {
			if f := have[0]; s.set != f.set || s.k != f.k || s.n != f.n || len(s.data) != len(f.data) {
				return nil, fmt.Errorf("combine: share %d is of another split (%s, the first is of %s)", n+1, s.set, f.set)
			}
		}
		if !seen[s.i] {
			seen[s.i] = true
			have = append(have, s)
		}
	}
	if len(have) == 0 {
		return nil, errors.New("combine: no shares")
	}
	k := have[0].k
	if len(have) < k {
		return nil, fmt.Errorf("combine: %d different shares, want %d", len(have), k)
	}
	have = have[:k]
	secret := make([]byte, len(have[0].data))
	for i, s := range have {
		// Lagrange's basis at 0: the product of x_j / (x_j - x_i); minus is plus here.
		l := byte(1)
		for j, o := range have {
			if j != i {
				l = mul(l, mul(byte(o.i), inverse(byte(o.i)^byte(s.i))))
			}
		}
		for b := range secret {
			secret[b] ^= mul(l, s.data[b])
		}
	}
	return secret, nil
}

// mul multiplies in GF(2^8) without branches or tables.
func mul(a, b byte) byte {
	var p byte
	for range 8 {
		p ^= -(b & 1) & a
		a = a<<1 ^ -(a>>7)&0x1b
		b >>= 1
	}
	return p
}

// inverse is a^254; 0 for 0.
func inverse(a byte) byte {
	r := byte(1)
	for e := 254; e > 0; e >>= 1 {
		if e&1 == 1 { // the exponent is public
			r = mul(r, a)
		}
		a = mul(a, a)
	}
	return r
}
