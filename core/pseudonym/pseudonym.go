// SPDX-License-Identifier: Apache-2.0

// Package pseudonym replaces identifiers of patients by keyed pseudonyms, so
// that no event, log, alert or ledger entry carries them in clear.
//
// A pseudonym is HMAC-SHA-256 under a key of the site (RFC 2104), truncated to
// 128 bits. The same patient under the same key and kind gives the same
// pseudonym, so records can be joined; without the key it tells nothing, and
// destroying the key makes all of them meaningless. The kind is part of the
// input: a patient ID and an accession number that happen to be equal differ.
package pseudonym

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// KeySize is the length of a site key in bytes.
const KeySize = 32

// Kind says what sort of identifier is replaced.
type Kind string

// The kinds of identifier that protocols carry.
const (
	PatientID   Kind = "patient-id"
	PatientName Kind = "patient-name"
	Accession   Kind = "accession"
	Visit       Kind = "visit"
	Order       Kind = "order"
	Person      Kind = "person" // staff, next of kin
	Instance    Kind = "instance-uid"
	Study       Kind = "study-uid"
	Other       Kind = "other"
)

// Key is a site's secret. Use New; the zero Key panics rather than produce
// pseudonyms that anyone could compute.
type Key struct{ secret []byte }

// New makes a key of exactly KeySize bytes. The slice is copied.
func New(secret []byte) (Key, error) {
	if len(secret) != KeySize {
		return Key{}, errors.New("site key: want 32 bytes")
	}
	return Key{secret: append([]byte(nil), secret...)}, nil
}

// Of returns the pseudonym of an identifier, "p:" and 32 hexadecimal digits.
// White space around the value is not significant. An empty value gives an
// empty pseudonym.
func (k Key) Of(kind Kind, value string) string {
	value = strings.TrimSpace(value)
	if value == "" {
		return ""
	}
	if len(k.secret) != KeySize {
		panic("BUG: pseudonym.Key used without New")
	}
	m := hmac.New(sha256.New, k.secret)
	m.Write([]byte(kind))
	m.Write([]byte{0})
	m.Write([]byte(value))
	var sum [sha256.Size]byte
	m.Sum(sum[:0])
	return "p:" + hex.EncodeToString(sum[:16])
}

// String never shows the secret.
func (k Key) String() string { return "site key (hidden)" }

// GoString never shows the secret.
func (k Key) GoString() string { return k.String() }
