// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/store"
)

// Token is an API token as it is listed.
type Token struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Owner       string       `json:"owner"`
	Permissions []Permission `json:"permissions"`
	Created     time.Time    `json:"created"`
	Expires     time.Time    `json:"expires"`
	LastUsed    *time.Time   `json:"last_used,omitempty"`
}

// NewToken is the answer to making one: the only time its secret is seen.
type NewToken struct {
	Token
	Secret string `json:"secret"`
}

type tokenDoc struct {
	Name        string       `json:"name"`
	Owner       string       `json:"owner"`
	UID         string       `json:"uid"` // of the owner
	Permissions []Permission `json:"permissions"`
	Created     time.Time    `json:"created"`
	Expires     time.Time    `json:"expires"`
	LastUsed    *time.Time   `json:"last_used,omitempty"`
	Hash        string       `json:"hash"` // of the whole token
}

// A token is "asp_", 16 characters of ID, "_", 52 of secret (256 bits) and 7 of
// CRC-32 over all before them. The prefix lets scanners of source code find
// tokens that were checked in; the checksum lets them, and us, tell a token from
// text without asking anybody.
const (
	tokenPrefix   = "asp_"
	tokenIDLen    = 16
	tokenSecret   = 52
	tokenSum      = 7
	tokenLen      = len(tokenPrefix) + tokenIDLen + 1 + tokenSecret + tokenSum
	tokenAlphabet = "abcdefghijklmnopqrstuvwxyz234567"
)

// base32 of RFC 4648 §6 in lower case: no characters that mean something in a
// shell, an address or a header.
func b32(b []byte) string {
	return base32.NewEncoding(tokenAlphabet).WithPadding(base32.NoPadding).EncodeToString(b)
}

func makeToken() (id, text string) {
	id = b32(random(10))
	text = tokenPrefix + id + "_" + b32(random(32))
	return id, text + checksum(text)
}

func checksum(s string) string {
	return b32(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(s))))
}

// parseToken returns the ID of a token that is well formed.
func parseToken(s string) (id string, ok bool) {
	if len(s) != tokenLen || !strings.HasPrefix(s, tokenPrefix) {
		return "", false
	}
	body := s[len(tokenPrefix):]
	id, secret := body[:tokenIDLen], body[tokenIDLen+1:]
	if body[tokenIDLen] != '_' || strings.Trim(id, tokenAlphabet) != "" || strings.Trim(secret, tokenAlphabet) != "" {
		return "", false
	}
	if checksum(s[:tokenLen-tokenSum]) != s[tokenLen-tokenSum:] {
		return "", false
	}
	return id, true
}

func (t *tokenDoc) view(id string) Token {
	return Token{ID: id, Name: t.Name, Owner: t.Owner, Permissions: t.Permissions, Created: t.Created, Expires: t.Expires, LastUsed: t.LastUsed}
}

// bearer returns a token that can be used now, and its owner.
func (a *Access) bearer(ctx context.Context, text string) (id string, t *tokenDoc, u *userDoc, err error) {
	id, ok := parseToken(text)
	if !ok {
		return "", nil, nil, refuse(ErrMalformed, "This is no API token: it is cut off or mistyped.", `a token has the form "asp_..." and is shown once, when it is made`)
	}
	t, u, err = a.liveToken(ctx, id, digest("token "+text))
	return id, t, u, err
}

// liveToken looks a token up. hash is of the token that was sent, or "" where
// it was compared before.
func (a *Access) liveToken(ctx context.Context, id, hash string) (*tokenDoc, *userDoc, error) {
	gone := func() error {
		return refuse(ErrRevoked, "This API token was removed, or never existed.", "make a new one in the settings")
	}
	t, err := load[tokenDoc](ctx, a, kindToken, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, gone()
	} else if err != nil {
		return nil, nil, unreadable(err)
	}
	if hash != "" && subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hash)) != 1 {
		return nil, nil, gone()
	}
	if !a.now().Before(t.Expires) {
		return nil, nil, refuse(ErrExpired, "This API token expired on "+t.Expires.UTC().Format("2 January 2006 at 15:04 UTC")+".", "make a new one in the settings")
	}
	u, err := a.enabled(ctx, t.Owner, t.UID)
	if err != nil {
		return nil, nil, err
	}
	return t, u, nil
}

// tokens lists the tokens of an owner, or all with "", expired ones included.
func (a *Access) tokens(ctx context.Context, owner string) ([]Token, error) {
	out := []Token{}
	err := each(ctx, a, kindToken, func(id string, _ uint64, t *tokenDoc) {
		if owner != "" && t.Owner != owner {
			return
		}
		v := t.view(id)
		var stored time.Time
		if v.LastUsed != nil {
			stored = *v.LastUsed
		}
		if used := a.seen.of(key{kindToken, id}, stored); !used.IsZero() {
			v.LastUsed = &used
		}
		out = append(out, v)
	})
	slices.SortStableFunc(out, func(x, y Token) int { return y.Created.Compare(x.Created) })
	return out, err
}

// common returns what is in both lists, in the order of Permissions.
func both(x, y []Permission) []Permission {
	return slices.DeleteFunc(Permissions(), func(p Permission) bool { return !slices.Contains(x, p) || !slices.Contains(y, p) })
}
