// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"math/bits"
	"net/netip"
	"unsafe"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
)

// The filter is a blocked Bloom filter: a hash chooses one block of 64 bytes,
// one cache line, and sets filterProbes bits in it.
const (
	filterBlock  = 64
	filterBits   = 12 // for each distinct value
	filterProbes = 7
)

// Filter is the filter of a segment: its blocks, and one more byte, filterPrefixes,
// when it has the beginnings of words, too. Older ones have not.
type Filter []byte

const filterPrefixes = 1

// Has reports whether the value with that hash may be in the segment. A filter
// that is not there may have everything.
func (f Filter) Has(h uint64) bool {
	blocks := uint64(len(f) / filterBlock)
	if blocks == 0 {
		return true
	}
	at, probes := place(h, blocks)
	block := f[at : at+filterBlock : at+filterBlock]
	for range filterProbes {
		if block[probes>>3&63]&(1<<(probes&7)) == 0 {
			return false
		}
		probes >>= 9
	}
	return true
}

// HasPrefixes reports whether the filter knows the beginnings of words.
func (f Filter) HasPrefixes() bool {
	return len(f)%filterBlock == 1 && f[len(f)-1] == filterPrefixes
}

func place(h, blocks uint64) (at, probes uint64) {
	hi, _ := bits.Mul64(h, blocks)
	return hi * filterBlock, join(h, 0xE7037ED1A0B428DB)
}

// wordSet collects the distinct hashes of a segment.
type wordSet struct {
	values hashSet
	seen   hashSet // whole texts: the same ones come again and again
	folded []byte
	hashes []uint64
}

func (w *wordSet) reset() {
	w.values.reset()
	w.seen.reset()
}

func (w *wordSet) texts(data []byte) {
	_ = record.RawTexts(data, w.raw)
}

// raw adds one text or address of an event.
func (w *wordSet) raw(v []byte, isAddress bool) bool {
	if !isAddress {
		w.bytes(v)
	} else if w.seen.add(hash(tagAddr, v)) {
		w.text(record.FormatAddress(v))
	}
	return true
}

func (w *wordSet) text(s string) { w.bytes(unsafe.Slice(unsafe.StringData(s), len(s))) }

func (w *wordSet) bytes(v []byte) {
	if !w.seen.add(hash(tagText, v)) {
		return
	}
	w.folded = fold(w.folded[:0], unsafe.String(unsafe.SliceData(v), len(v)))
	w.hashes = wordHashes(w.hashes[:0], w.folded, true)
	for _, h := range w.hashes {
		w.values.add(h)
	}
}

func (w *wordSet) add(h uint64) { w.values.add(h) }

func (w *wordSet) filter() []byte {
	blocks := uint64(w.values.n*filterBits/(8*filterBlock) + 1)
	f := make([]byte, blocks*filterBlock+1)
	f[len(f)-1] = filterPrefixes
	for _, h := range w.values.slots {
		if h == 0 {
			continue
		}
		at, probes := place(h, blocks)
		for range filterProbes {
			f[at+probes>>3&63] |= 1 << (probes & 7)
			probes >>= 9
		}
	}
	return f
}

// index adds what fields are searched by, and the columns' texts.
func (c *Columns) index(w *wordSet) {
	for tag, dict := range map[uint64][]string{tagProtocol: c.Protocols, tagSensor: c.Sensors, tagTheatre: c.Theatres, tagDevice: c.Devices} {
		for _, s := range dict {
			w.add(hashString(tag, s))
			w.text(s)
		}
	}
	for _, a := range c.Addrs {
		w.add(hashAddr(a))
		if a.IsValid() {
			w.text(a.String())
		}
	}
	var small [3][256]bool
	for i := range c.N {
		small[0][c.Severity[i]], small[1][c.Status[i]] = true, true
		w.add(hashNumber(tagActivity, uint64(c.Classes[c.Class[i]])<<8|uint64(c.Activity[i])))
	}
	for v := range 256 {
		if small[0][v] {
			w.add(hashNumber(tagSeverity, uint64(v)))
		}
		if small[1][v] {
			w.add(hashNumber(tagStatus, uint64(v)))
		}
	}
	for _, v := range c.Classes {
		w.add(hashNumber(tagClass, uint64(v)))
	}
	c.indexSevere(w)
}

// indexSevere adds, for the few events above info, each value together with the
// severity: "anything of this device that is medium or worse" is what people ask
// for, and it is in few segments.
func (c *Columns) indexSevere(w *wordSet) {
	for i, s := range c.Severity {
		if s <= uint8(finding.Info) {
			continue
		}
		class := uint64(c.Classes[c.Class[i]])
		for _, h := range [...]uint64{
			hashNumber(tagClass, class), hashNumber(tagActivity, class<<8|uint64(c.Activity[i])), hashNumber(tagSeverity, uint64(s)), hashNumber(tagStatus, uint64(c.Status[i])),
			hashString(tagProtocol, c.Protocols[c.Protocol[i]]), hashString(tagSensor, c.Sensors[c.Sensor[i]]), hashString(tagTheatre, c.Theatres[c.Theatre[i]]),
			hashString(tagDevice, c.Devices[c.SrcDev[i]]), hashString(tagDevice, c.Devices[c.DstDev[i]]), hashAddr(c.Addrs[c.Src[i]]), hashAddr(c.Addrs[c.Dst[i]]),
		} {
			w.add(severe(h, s))
		}
	}
}

// mostSevere stands for every severity beyond those that there are.
const mostSevere uint8 = 7

func severe(h uint64, severity uint8) uint64 {
	return join(h, hashNumber(tagSevere, uint64(min(severity, mostSevere))))
}

// hashAddr is the hash of an address; an IPv4 address in IPv6 form is the
// IPv4 address.
func hashAddr(a netip.Addr) uint64 {
	b, _ := a.Unmap().MarshalBinary() // never fails
	return hash(tagAddr, b)
}

// hashSet is a set of hashes other than 0, open addressed.
type hashSet struct {
	slots []uint64
	n     int
}

func (s *hashSet) reset() {
	clear(s.slots)
	s.n = 0
}

// add reports whether it was not in the set.
func (s *hashSet) add(h uint64) bool {
	if h == 0 {
		h = 1
	}
	if 2*s.n >= len(s.slots) {
		s.grow()
	}
	mask := uint64(len(s.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case h:
			return false
		case 0:
			s.slots[i] = h
			s.n++
			return true
		}
	}
}

func (s *hashSet) grow() {
	old := s.slots
	s.slots, s.n = make([]uint64, max(1024, 2*len(old))), 0
	for _, h := range old {
		if h != 0 {
			s.add(h)
		}
	}
}
