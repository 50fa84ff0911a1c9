// SPDX-License-Identifier: Apache-2.0

// Package oui names the organisation that an IEEE 802 address block is
// assigned to.
//
// The table is made from the public registry of the IEEE Registration
// Authority (MA-L 24 bits, MA-M 28 bits, MA-S and the older IAB 36 bits) by
// scripts/gen-oui and embedded in the form in which it is searched: nothing is
// decoded, a look-up touches the few pages of the program that it needs, and
// allocates nothing.
//
// What a look-up says is who bought the block, which is the maker of the
// network interface and often not of the device around it. Locally
// administered and group addresses belong to nobody and are never found.
// Company identifiers (CID) are not in the table: no address is made of one.
package oui

import (
	_ "embed"
	"errors"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/core/device"
)

//go:embed oui.bin
var embedded string

// magic opens the table; the digit is its version.
const magic = "asepsis-oui 2\n"

// Entry is one assigned block.
type Entry struct {
	Prefix uint64 // the first Bits bits of the address, right-aligned
	Bits   int    // 24, 28 or 36
	Name   string // as the registry writes it, white space collapsed; "Private" when not disclosed
}

// table is the form that gen.go writes. Numbers are big-endian. After the magic
// come the numbers of blocks of 36, 28 and 24 bits, 32 bits each; then these blocks,
// sorted by prefix, each its prefix in as many bytes as that takes and in three bytes
// where its name is; then the texts, each behind its length as an unsigned varint: first what the
// table was made from, then the names.
type table struct {
	blocks [3]blocks // longest prefix first
	texts  string
}

// blocks holds the assignments of one length.
type blocks struct {
	bits, n int
	data    string // begins with the blocks and is at least 8 bytes longer
}

const nameBits = 24 // of a name's position

// size returns the bytes that a block takes, 8 at most.
func (b *blocks) size() int { return (b.bits+7)/8 + nameBits/8 }

// at returns the k-th block, prefix and name's position in one number.
func (b *blocks) at(k int) uint64 {
	n := b.size()
	return eight(b.data[k*n:]) >> (64 - 8*n)
}

// find returns where a prefix's name is.
func (b *blocks) find(prefix uint64) (name int, ok bool) {
	data, size := b.data, b.size()
	shift := 64 - 8*size
	want := prefix << nameBits
	i, j := 0, b.n
	for i < j {
		k := int(uint(i+j) / 2)
		if eight(data[k*size:])>>shift < want {
			i = k + 1
		} else {
			j = k
		}
	}
	if i == b.n {
		return 0, false
	}
	v := b.at(i)
	return int(v & (1<<nameBits - 1)), v>>nameBits == prefix
}

// eight returns the first eight bytes as a number.
func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0])<<56 | uint64(s[1])<<48 | uint64(s[2])<<40 | uint64(s[3])<<32 | uint64(s[4])<<24 | uint64(s[5])<<16 | uint64(s[6])<<8 | uint64(s[7])
}

func number(s string) (v uint64) {
	for i := range len(s) {
		v = v<<8 | uint64(s[i])
	}
	return v
}

// text returns the text at a position, "" where there is none.
func (t *table) text(at int) string {
	n := 0
	for shift := 0; ; shift += 7 {
		if at >= len(t.texts) || shift > 14 {
			return ""
		}
		c := t.texts[at]
		at++
		n |= int(c&0x7f) << shift
		if c < 0x80 {
			break
		}
	}
	if n > len(t.texts)-at {
		return ""
	}
	return t.texts[at : at+n]
}

var load = sync.OnceValue(func() *table {
	t, err := open(embedded)
	if err != nil {
		panic("BUG: embedded OUI table: " + err.Error())
	}
	return t
})

// open finds the parts of a table.
func open(s string) (*table, error) {
	s, ok := strings.CutPrefix(s, magic)
	if !ok {
		return nil, errors.New("not a table")
	}
	t := &table{}
	if len(s) < 4*len(t.blocks) {
		return nil, errors.New("cut short")
	}
	rest := s[4*len(t.blocks):]
	for i, bits := range []int{36, 28, 24} {
		b := &t.blocks[i]
		b.bits, b.n = bits, int(number(s[4*i:][:4]))
		size := uint64(b.n) * uint64(b.size())
		if size+8 > uint64(len(rest)) {
			return nil, errors.New("cut short")
		}
		b.data, rest = rest, rest[size:]
	}
	if t.texts = rest; t.text(0) == "" {
		return nil, errors.New("cut short")
	}
	return t, nil
}

// Lookup returns the organisation that the address's block is assigned to, the
// longest block first. It reports false for unassigned and undisclosed blocks
// and for local and group addresses.
func Lookup(m device.MAC) (string, bool) {
	if m.IsLocal() || m.IsGroup() || m.IsZero() {
		return "", false
	}
	e, ok := Find(m)
	if !ok || e.Name == "Private" {
		return "", false
	}
	return e.Name, true
}

// Find returns the longest block that holds the address's bits, whatever the
// meaning of the address.
func Find(m device.MAC) (Entry, bool) {
	v := uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
	t := load()
	for i := range t.blocks {
		b := &t.blocks[i]
		p := v >> (48 - b.bits)
		if at, ok := b.find(p); ok {
			return Entry{Prefix: p, Bits: b.bits, Name: t.text(at)}, true
		}
	}
	return Entry{}, false
}

// Source says what the table was made from and when that was published.
func Source() string { return load().text(0) }

// Len returns the number of blocks in the table.
func Len() int {
	n := 0
	for i := range load().blocks {
		n += load().blocks[i].n
	}
	return n
}
