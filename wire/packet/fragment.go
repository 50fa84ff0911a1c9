// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"net/netip"
)

// Bounds of a Reassembler.
const (
	MaxFragments     = 1024        // datagrams waiting
	MaxFragmentBytes = 8 << 20     // bytes waiting, all datagrams
	MaxDatagram      = 65535       // IP payload, RFC 791 and RFC 8200
	maxPieces        = 128         // fragments of one datagram
	FragmentTimeout  = int64(30e9) // ns; RFC 8200 §4.5 says 60 s, receivers use 30
)

// FragmentStats counts what a Reassembler did.
type FragmentStats struct {
	Fragments uint64 // fragments taken
	Joined    uint64 // datagrams completed
	Overlaps  uint64 // datagrams dropped or mended because fragments overlap
	TimedOut  uint64
	Evicted   uint64 // given up to stay within the bounds
	Invalid   uint64 // beyond 65535 bytes, cut by the snap length, or too many pieces
}

// Reassembler joins IP fragments. It belongs to one goroutine.
//
// Overlaps: in IPv4 the bytes that came first win; in IPv6 the datagram is
// dropped (RFC 5722). Both are counted.
type Reassembler struct {
	waiting map[fragKey]*datagram
	order   []fragKey // oldest first, may hold keys that are gone
	bytes   int
	spare   [][]byte // room of pieces that were joined
	stats   FragmentStats
}

// Bounds of what is kept as room for pieces to come.
const (
	maxSpare      = 16
	maxSpareBytes = 2 << 10 // each
)

type fragKey struct {
	src, dst netip.Addr
	id       uint32
	proto    uint8 // 0 for IPv6, where source, destination and ID identify (RFC 8200 §4.5)
}

type datagram struct {
	first  int64
	pieces []piece // sorted by offset, not overlapping
	size   int     // total payload size, -1 until the last fragment came
	have   int
	head   []byte // frame up to and without the fragment's payload, from the fragment with offset 0
	ip     int    // offsets in head
	nhPos  int
	proto  uint8
	bad    bool
}

type piece struct {
	off  int
	data []byte
}

// NewReassembler makes an empty Reassembler.
func NewReassembler() *Reassembler {
	return &Reassembler{waiting: make(map[fragKey]*datagram)}
}

// Stats returns the counts so far.
func (r *Reassembler) Stats() FragmentStats { return r.stats }

// Waiting returns how many datagrams are incomplete and how many bytes they hold.
func (r *Reassembler) Waiting() (datagrams, bytes int) { return len(r.waiting), r.bytes }

// Add takes a packet with Fragment set, decoded from frame. When the datagram
// is complete it returns a frame with the same link-layer header that holds
// it whole, for Decode with the same link type; otherwise nil.
func (r *Reassembler) Add(p *Packet, frame []byte) []byte {
	r.stats.Fragments++
	r.expire(p.Time)
	if p.Missing > 0 || p.FragOffset+len(p.FragData) > MaxDatagram || (p.FragMore && len(p.FragData)%8 != 0) || len(p.FragData) == 0 {
		r.stats.Invalid++
		return nil
	}
	k := fragKey{src: p.Src, dst: p.Dst, id: p.FragID}
	if p.IPVersion == 4 {
		k.proto = p.Proto
	}
	d := r.waiting[k]
	if d == nil {
		d = &datagram{first: p.Time, size: -1}
		r.waiting[k] = d
		r.order = append(r.order, k)
		if len(r.order) > 4*MaxFragments {
			r.compact()
		}
	}
	if d.bad {
		return nil
	}
	if !r.insert(d, p) {
		r.giveUp(d)
		return nil
	}
	if p.FragOffset == 0 && d.head == nil {
		d.head = append([]byte(nil), frame[:p.fragHdr]...)
		d.ip, d.nhPos, d.proto = p.ipStart, p.nhPos, p.Proto
		r.bytes += len(d.head)
	}
	if !p.FragMore {
		if end := p.FragOffset + len(p.FragData); d.size >= 0 && d.size != end {
			r.stats.Overlaps++
			r.giveUp(d)
			return nil
		} else {
			d.size = end
		}
	}
	if d.size >= 0 && d.have == d.size && d.head != nil {
		out := d.join(p.IPVersion)
		r.drop(k, d)
		if out == nil {
			r.stats.Invalid++
			return nil
		}
		r.stats.Joined++
		return out
	}
	r.bound()
	return nil
}

// insert adds the fragment's bytes that are new. It reports whether the
// datagram is still good.
func (r *Reassembler) insert(d *datagram, p *Packet) bool {
	if len(d.pieces) >= maxPieces {
		r.stats.Invalid++
		return false
	}
	off, data := p.FragOffset, p.FragData
	if d.size >= 0 && off+len(data) > d.size {
		r.stats.Overlaps++
		return false
	}
	i := len(d.pieces)
	for i > 0 && d.pieces[i-1].off > off {
		i--
	}
	if i < len(d.pieces) && d.pieces[i].off == off && len(d.pieces[i].data) == len(data) || i > 0 && d.pieces[i-1].off == off && len(d.pieces[i-1].data) == len(data) {
		return true // an exact duplicate is harmless (RFC 5722 §4 allows ignoring it)
	}
	overlap := false
	if i > 0 {
		if end := d.pieces[i-1].off + len(d.pieces[i-1].data); end > off {
			overlap = true
			cut := min(end-off, len(data))
			off, data = off+cut, data[cut:]
		}
	}
	// What lies beyond pieces further on fills holes between them too, but a
	// fragment that spans a whole earlier one is no honest stack's: only the
	// bytes before the next piece are kept.
	if i < len(d.pieces) && off+len(data) > d.pieces[i].off {
		overlap = true
		data = data[:max(0, d.pieces[i].off-off)]
	}
	if overlap {
		r.stats.Overlaps++
		if p.IPVersion == 6 {
			return false
		}
	}
	if len(data) == 0 {
		return true
	}
	d.pieces = append(d.pieces, piece{})
	copy(d.pieces[i+1:], d.pieces[i:])
	d.pieces[i] = piece{off: off, data: append(r.room(), data...)}
	d.have += len(data)
	r.bytes += len(data)
	return true
}

func (r *Reassembler) room() []byte {
	n := len(r.spare)
	if n == 0 {
		return nil
	}
	b := r.spare[n-1]
	r.spare = r.spare[:n-1]
	return b
}

// join writes the whole datagram behind the first fragment's headers.
func (d *datagram) join(version uint8) []byte {
	out := make([]byte, 0, len(d.head)+d.size)
	out = append(out, d.head...)
	for _, p := range d.pieces {
		out = append(out, p.data...)
	}
	if version == 4 {
		total := len(out) - d.ip
		if total > 65535 {
			return nil
		}
		binary.BigEndian.PutUint16(out[d.ip+2:], uint16(total))
		binary.BigEndian.PutUint16(out[d.ip+6:], 0)
		return out
	}
	n := len(out) - d.ip - 40
	if n > 65535 {
		return nil
	}
	binary.BigEndian.PutUint16(out[d.ip+4:], uint16(n))
	out[d.nhPos] = d.proto
	return out
}

// giveUp keeps a datagram's key, so that its other fragments are not taken for
// a new one, and frees its bytes.
func (r *Reassembler) giveUp(d *datagram) {
	r.free(d)
	d.bad = true
}

func (r *Reassembler) free(d *datagram) {
	for _, p := range d.pieces {
		r.bytes -= len(p.data)
		if len(r.spare) < maxSpare && cap(p.data) <= maxSpareBytes {
			r.spare = append(r.spare, p.data[:0])
		}
	}
	r.bytes -= len(d.head)
	d.pieces, d.head, d.have = nil, nil, 0
}

func (r *Reassembler) drop(k fragKey, d *datagram) {
	r.free(d)
	delete(r.waiting, k)
}

// oldest returns the oldest datagram still waiting.
func (r *Reassembler) oldest() (fragKey, *datagram) {
	for len(r.order) > 0 {
		if d := r.waiting[r.order[0]]; d != nil {
			return r.order[0], d
		}
		r.order = r.order[1:]
	}
	return fragKey{}, nil
}

// compact forgets the keys in order whose datagrams are gone.
func (r *Reassembler) compact() {
	kept := r.order[:0]
	seen := make(map[fragKey]bool, len(r.waiting))
	for _, k := range r.order {
		if r.waiting[k] != nil && !seen[k] {
			seen[k] = true
			kept = append(kept, k)
		}
	}
	r.order = kept
}

func (r *Reassembler) expire(now int64) {
	for {
		k, d := r.oldest()
		if d == nil || now-d.first < FragmentTimeout {
			return
		}
		if !d.bad {
			r.stats.TimedOut++
		}
		r.drop(k, d)
		r.order = r.order[1:]
	}
}

func (r *Reassembler) bound() {
	for len(r.waiting) > MaxFragments || r.bytes > MaxFragmentBytes {
		k, d := r.oldest()
		if d == nil {
			return
		}
		r.stats.Evicted++
		r.drop(k, d)
		r.order = r.order[1:]
	}
}
