// SPDX-License-Identifier: Apache-2.0

// Package credentials knows the credentials that devices are delivered with,
// and tells whether one that went over the network in clear is among them.
//
// The list holds SHA-256 hashes, not values, and no credential is kept or
// returned: analysers ask, get the name of the entry, and forget. Hashing costs under
// a microsecond and happens once a login.
//
// The list is of published facts: NVD (public domain) and manufacturers' manuals;
// each line of known.tsv names its source. What is not done: credentials of
// protocols that never show them (challenge-response, hashes, TLS).
package credentials

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed known.tsv
var list string

// MaxLength is the most bytes of a user name or password that are looked at.
const MaxLength = 128

// Entry is one published credential.
type Entry struct {
	Name     string // "ge-optima-ct"
	Vendor   string // "any" where many devices have it
	Product  string
	Source   string   // "CVE-2010-5306"
	Services []string // "telnet", "ftp", "http"
}

var known = sync.OnceValue(func() map[[sha256.Size]byte][]Entry {
	m, err := parse(list)
	if err != nil {
		panic("BUG: credentials: " + err.Error())
	}
	return m
})

func parse(text string) (map[[sha256.Size]byte][]Entry, error) {
	m := map[[sha256.Size]byte][]Entry{}
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 6 {
			return nil, fmt.Errorf("line %d has %d fields, not 6", i+1, len(f))
		}
		var h [sha256.Size]byte
		if n, err := hex.Decode(h[:], []byte(f[0])); err != nil || n != len(h) {
			return nil, fmt.Errorf("line %d: %q is no SHA-256", i+1, f[0])
		}
		m[h] = append(m[h], Entry{Name: f[2], Vendor: f[3], Product: f[4], Source: f[5], Services: strings.Split(f[1], ",")})
	}
	return m, nil
}

// Known returns the name of the entry that a credential is, "" when it is none
// of the list. A credential that devices of several kinds are
// delivered with gives the most specific entry.
func Known(service string, user, password []byte) string {
	if len(user) > MaxLength || len(password) > MaxLength {
		return ""
	}
	var buf [2*MaxLength + 1]byte
	b := append(buf[:0], user...)
	b = append(b, 0)
	b = append(b, password...)
	h := sha256.Sum256(b)
	clear(b)
	for _, e := range known()[h] {
		if slices.Contains(e.Services, service) {
			return e.Name
		}
	}
	return ""
}

// Entries returns the list, each name once, in its order.
func Entries() []Entry {
	var out []Entry
	for _, line := range strings.Split(list, "\n") {
		if f := strings.Split(line, "\t"); len(f) == 6 && !slices.ContainsFunc(out, func(e Entry) bool { return e.Name == f[2] }) {
			out = append(out, Entry{Name: f[2], Vendor: f[3], Product: f[4], Source: f[5], Services: strings.Split(f[1], ",")})
		}
	}
	return out
}
