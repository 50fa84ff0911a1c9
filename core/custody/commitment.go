// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// SaltSize is the length of a salt in bytes.
const SaltSize = 32

// Commitment is "hs256:" and the hexadecimal HMAC-SHA-256 of a value under a
// salt of 32 random bytes. Equal values under different salts differ.
//
// Whoever has the salt and the value can show that the commitment is to that
// value. Without the salt nobody can, also not by trying all values.
type Commitment string

const commitmentPrefix = "hs256:"

// FieldSalt derives the salt of one field from a holder's secret, so that
// opening one field gives nothing away about another of the same holder:
// HMAC-SHA-256(secret, "asepsis/custody/salt/v1\x00" || field).
func FieldSalt(secret []byte, field string) []byte {
	m := hmac.New(sha256.New, secret)
	_, _ = m.Write([]byte("asepsis/custody/salt/v1\x00" + field))
	return m.Sum(nil)
}

// Commit makes the commitment to a value: HMAC-SHA-256(salt, value).
func Commit(salt []byte, value string) Commitment {
	m := hmac.New(sha256.New, salt)
	_, _ = m.Write([]byte(value))
	return Commitment(commitmentPrefix + hex.EncodeToString(m.Sum(nil)))
}

// Opens reports whether c is the commitment to value under salt.
func (c Commitment) Opens(salt []byte, value string) bool {
	return subtle.ConstantTimeCompare([]byte(Commit(salt, value)), []byte(c)) == 1
}

// Valid reports whether c has the form of a commitment.
func (c Commitment) Valid() bool {
	h, ok := strings.CutPrefix(string(c), commitmentPrefix)
	return ok && isHex(h, 2*sha256.Size)
}

func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
