// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/wire/dicom"
)

// keys makes the replacements of one domain.
type keys struct {
	key    pseudonym.Key
	domain string
	days   uint64 // the largest shift
}

const defaultShift = 1825

func newKeys(key pseudonym.Key, domain string, days int) keys {
	k := keys{key: key, domain: domain, days: uint64(days)}
	if days == 0 {
		k.days = defaultShift
	}
	k.sum("check", "that the key is one")
	return k
}

// sum returns 128 bits that stand for a value of a kind in this domain.
func (k *keys) sum(kind, value string) [16]byte {
	var out [16]byte
	// A NUL parts what could otherwise be shifted between domain and kind; pseudonym.Key parts kind and value likewise.
	text := k.key.Of(pseudonym.Kind("deid\x00"+k.domain+"\x00"+kind), "="+value)
	if _, err := hex.Decode(out[:], []byte(strings.TrimPrefix(text, "p:"))); err != nil {
		panic("BUG: a pseudonym is not hexadecimal")
	}
	return out
}

// uid returns the UID that stands for another: a UUID of version 8 (RFC 9562 §5.8) below 2.25 (PS3.5 §B.2). UIDs
// that the standard itself gave out stay: they name well-known frames of reference and palettes.
func (k *keys) uid(of string) string {
	if of == "" || wellKnown(of) {
		return of
	}
	u := k.sum("uid", of)
	u[6] = u[6]&0x0F | 0x80
	u[8] = u[8]&0x3F | 0x80
	return "2.25." + new(big.Int).SetBytes(u[:]).String()
}

func wellKnown(uid string) bool {
	if _, ok := dicom.LookupUID(uid); ok {
		return true
	}
	// PS3.6 table A-2: well-known frames of reference, 1.2.840.10008.1.4.n.m.
	rest, ok := strings.CutPrefix(uid, "1.2.840.10008.1.4.")
	return ok && len(rest) <= 4 && dicom.ValidUID(uid)
}

var plain32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// text returns n letters and digits that stand for a value.
func (k *keys) text(kind, value string, n int) string {
	u := k.sum(kind, value)
	return plain32.EncodeToString(u[:])[:n]
}

// shift returns by how many days the dates of a patient move into the past: 1 or more.
func (k *keys) shift(patient string) int {
	u := k.sum("dates", patient)
	return int(binary.BigEndian.Uint64(u[:8])%k.days) + 1
}
