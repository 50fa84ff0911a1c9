// SPDX-License-Identifier: Apache-2.0

// Package oui names the organisation that an IEEE 802 address block is
// assigned to.
//
// The table is made from the public registry of the IEEE Registration
// Authority (MA-L 24 bits, MA-M 28 bits, MA-S and the older IAB 36 bits) by
// scripts/gen-oui and embedded compressed. It is decoded once, at the first
// look-up, into about 1.5 MB.
//
// What a look-up says is who bought the block, which is the maker of the
// network interface and often not of the device around it. Locally
// administered and group addresses belong to nobody and are never found.
// Company identifiers (CID) are not in the table: no address is made of one.
package oui

import (
	"bytes"
	"compress/flate"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/asepsis/asepsis/core/device"
)

//go:embed oui.bin
var packed []byte

// maxUnpacked bounds what the embedded table may grow to.
const maxUnpacked = 8 << 20

// magic opens the packed form; the digit is its version.
const magic = "asepsis-oui 1\n"

// Entry is one assigned block.
type Entry struct {
	Prefix uint64 // the first Bits bits of the address, right-aligned
	Bits   int    // 24, 28 or 36
	Name   string // as the registry writes it, white space collapsed; "Private" when not disclosed
}

// block holds the assignments of one length, sorted by prefix.
type block struct {
	bits   int
	prefix []uint64
	name   []uint32
}

type table struct {
	source string
	names  []string
	blocks []block // longest prefix first
}

var load = sync.OnceValue(func() *table {
	t, err := unpack(packed)
	if err != nil {
		panic("BUG: embedded OUI table: " + err.Error())
	}
	return t
})

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
		if k := sort.Search(len(b.prefix), func(k int) bool { return b.prefix[k] >= p }); k < len(b.prefix) && b.prefix[k] == p {
			return Entry{Prefix: p, Bits: b.bits, Name: t.names[b.name[k]]}, true
		}
	}
	return Entry{}, false
}

// Source says what the table was made from and when that was published.
func Source() string { return load().source }

// Len returns the number of blocks in the table.
func Len() int {
	n := 0
	for _, b := range load().blocks {
		n += len(b.prefix)
	}
	return n
}

// unpack reads the form that gen.go writes: the magic, then deflated: source,
// the sorted names front-coded (shared length, rest), and for 36, 28 and 24
// bits the prefixes as differences, each with its name's index. All numbers
// are unsigned varints.
func unpack(b []byte) (*table, error) {
	if !bytes.HasPrefix(b, []byte(magic)) {
		return nil, errors.New("not a packed table")
	}
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b[len(magic):])), maxUnpacked))
	if err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	r := &reader{b: raw}
	t := &table{source: r.str(r.num())}
	n := r.num()
	if n > len(raw) {
		return nil, errors.New("more names than bytes")
	}
	t.names = make([]string, 0, n)
	last := ""
	for range n {
		shared := r.num()
		if shared > len(last) {
			return nil, errors.New("front coding reaches past the name before")
		}
		last = last[:shared] + r.str(r.num())
		t.names = append(t.names, last)
	}
	for _, bits := range []int{36, 28, 24} {
		n := r.num()
		if n > len(raw) {
			return nil, errors.New("more blocks than bytes")
		}
		bl := block{bits: bits, prefix: make([]uint64, 0, n), name: make([]uint32, 0, n)}
		p := uint64(0)
		for range n {
			p += uint64(r.num())
			i := r.num()
			if i >= len(t.names) {
				return nil, errors.New("name index past the names")
			}
			bl.prefix, bl.name = append(bl.prefix, p), append(bl.name, uint32(i))
		}
		t.blocks = append(t.blocks, bl)
	}
	if r.bad || len(r.b) != 0 {
		return nil, errors.New("cut short or too long")
	}
	return t, nil
}

// reader reads varints and strings; the first failure sticks.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) num() int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > 1<<40 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

func (r *reader) str(n int) string {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
