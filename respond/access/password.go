// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/asepsis/asepsis/respond/problem"
)

// Rules for passwords, NIST SP 800-63B §5.1.1.2: long, not common, no rules
// about which characters. Lengths count Unicode characters after NFC.
const (
	MinPassword = 12
	MaxPassword = 256
)

// argon is a set of argon2id parameters (RFC 9106). OWASP asks for at least
// 19 MiB with t=2, p=1.
type argon struct {
	memory uint32 // KiB
	time   uint32
	lanes  uint8
}

const (
	saltLen = 16
	keyLen  = 32
	// The most that a stored hash may ask for: what is in the store decides how
	// much memory a login takes.
	maxMemory = 1 << 20 // KiB
	maxTime   = 64
)

var errBusyHashing = errors.New("too many log-ins at once")

// hasher computes password hashes, a bounded number at once: each takes its 64
// MiB, and a flood of log-ins must not take the machine's memory.
type hasher struct {
	params argon
	slots  chan struct{} // one for each computation
	queue  chan struct{} // one for each caller that waits or computes
	dummy  func() string // a hash that no password has, for users that do not exist
}

func newHasher(params argon, concurrency int) *hasher {
	h := &hasher{params: params, slots: make(chan struct{}, concurrency), queue: make(chan struct{}, 16*concurrency)}
	h.dummy = sync.OnceValue(func() string {
		return encode(params, random(saltLen), random(keyLen))
	})
	return h
}

// acquire waits for a slot. It gives up at once when the queue is full.
func (h *hasher) acquire(ctx context.Context) (release func(), err error) {
	select {
	case h.queue <- struct{}{}:
	default:
		return nil, errBusyHashing
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; <-h.queue }, nil
	case <-ctx.Done():
		<-h.queue
		return nil, ctx.Err()
	}
}

// hash returns the PHC string of a password:
// $argon2id$v=19$m=65536,t=2,p=1$salt$hash.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	release, err := h.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	salt := random(saltLen)
	return encode(h.params, salt, h.params.key(password, salt, keyLen)), nil
}

// verify compares a password with a stored hash. The empty stored hash takes as
// long as any other and matches nothing. stale says that the hash was made with
// other parameters than today's.
func (h *hasher) verify(ctx context.Context, password, stored string) (ok, stale bool, err error) {
	real := stored != ""
	if !real {
		stored = h.dummy()
	}
	p, salt, key, err := parsePHC(stored)
	if err != nil {
		return false, false, err
	}
	release, err := h.acquire(ctx)
	if err != nil {
		return false, false, err
	}
	defer release()
	ok = subtle.ConstantTimeCompare(p.key(password, salt, uint32(len(key))), key) == 1 && real
	return ok, p != h.params || len(salt) != saltLen || len(key) != keyLen, nil
}

func (p argon) key(password string, salt []byte, n uint32) []byte {
	return argon2.IDKey([]byte(norm.NFC.String(password)), salt, p.time, p.memory, p.lanes, n)
}

func encode(p argon, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.lanes, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// parsePHC reads a hash as encode writes it; nothing else, nothing more costly
// than maxMemory and maxTime.
func parsePHC(s string) (p argon, salt, key []byte, err error) {
	bad := func(why string) (argon, []byte, []byte, error) {
		return argon{}, nil, nil, fmt.Errorf("stored password hash: %s", why)
	}
	part := strings.Split(s, "$")
	if len(s) > 512 || len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return bad("not argon2id of this version")
	}
	if n, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.lanes); err != nil || n != 3 || part[3] != fmt.Sprintf("m=%d,t=%d,p=%d", p.memory, p.time, p.lanes) {
		return bad("parameters")
	}
	if p.memory < 8 || p.memory > maxMemory || p.time < 1 || p.time > maxTime || p.lanes < 1 || p.lanes > 16 {
		return bad("parameters out of range")
	}
	b64 := base64.RawStdEncoding.Strict()
	if salt, err = b64.DecodeString(part[4]); err != nil || len(salt) < 8 || len(salt) > 64 {
		return bad("salt")
	}
	if key, err = b64.DecodeString(part[5]); err != nil || len(key) < 16 || len(key) > 64 {
		return bad("key")
	}
	return p, salt, key, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}

//go:embed common.txt
var commonList string

// common returns the embedded list of passwords that everybody tries first, in
// the form of plain.
var common = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(commonList) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			out[plain(line)] = true
		}
	}
	return out
})

// plain brings a password to what it would be without decoration: lower case,
// letters for the digits and signs that stand for them, nothing but letters and
// digits, no digits at its end.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch r {
		case '0':
			return 'o'
		case '@', '4':
			return 'a'
		case '3':
			return 'e'
		case '$', '5':
			return 's'
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimRightFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }))
	return s
}

// rows are what fingers find by themselves.
var rows = []string{"abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "q1w2e3r4t5y6u7i8o9p0"}

// checkPassword holds a new password against the rules. The words are what an
// attacker who knows the account would try: its names, the product's.
func checkPassword(field, password string, words ...string) []problem.Field {
	fail := func(message, hint string) []problem.Field {
		return []problem.Field{{Field: field, Message: message, Hint: hint}}
	}
	const hint = "several words that do not belong together are easy to keep in mind"
	if len(password) > 4*MaxPassword || !utf8.ValidString(password) {
		return fail(fmt.Sprintf("must be text of at most %d characters", MaxPassword), "")
	}
	s := norm.NFC.String(password)
	switch n := utf8.RuneCountInString(s); {
	case n < MinPassword:
		return fail(fmt.Sprintf("must have at least %d characters", MinPassword), hint)
	case n > MaxPassword:
		return fail(fmt.Sprintf("must have at most %d characters", MaxPassword), "")
	}
	low := strings.ToLower(s)
	distinct := map[rune]bool{}
	for _, r := range low {
		distinct[r] = true
	}
	p := plain(s)
	if len(distinct) < 5 || repeats(low) || len(p) >= 4 && repeats(p) {
		return fail("repeats a few characters", hint)
	}
	for _, row := range rows {
		if strings.Contains(row+row, low) || strings.Contains(reversed(row+row), low) {
			return fail("is a row of keys or letters", hint)
		}
	}
	if common()[p] {
		return fail("is one of the passwords that are tried first", hint)
	}
	for _, w := range append(words, "asepsis", "password", "passwort", "hospital", "operating theatre") {
		if w = plain(w); len(w) >= 4 && len(strings.ReplaceAll(p, w, "")) < 4 {
			return fail("is little more than a name that is known here", hint)
		}
	}
	return nil
}

// repeats reports whether s is a short piece over and over.
func repeats(s string) bool {
	for n := 1; n <= len(s)/2 && n <= 6; n++ {
		if strings.HasPrefix(strings.Repeat(s[:n], len(s)/n+1), s) {
			return true
		}
	}
	return false
}

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// hashError is the answer when a password cannot be looked at now.
func hashError(err error) error {
	if errors.Is(err, errBusyHashing) {
		return problem.Unavailable("Too many people log in at this moment.", "try again in a few seconds", 3*time.Second, err)
	}
	return err
}
