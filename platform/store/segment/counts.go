// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/asepsis/asepsis/platform/store"
)

// Counts is how many events of a segment have each device and address: what Top
// adds up without looking at a row. Of every value there are three numbers: events
// that have it as source, as destination, and on either end, once.
type Counts struct {
	Devices []string
	Addrs   []netip.Addr
	device  [][3]uint64 // by place in Devices
	addr    [][3]uint64
}

// Counted reports whether Counts knows a field.
func Counted(f store.Field) bool {
	switch f {
	case store.FieldDevice, store.FieldSrcDevice, store.FieldDstDevice, store.FieldIP, store.FieldSrcIP, store.FieldDstIP:
		return true
	}
	return false
}

// Of returns the counts of a field by place in its dictionary. A field of both
// ends counts "" only where neither has one.
func (c *Counts) Of(f store.Field) []uint64 {
	table, which := c.device, 2
	switch f {
	case store.FieldIP, store.FieldSrcIP, store.FieldDstIP:
		table = c.addr
	}
	switch f {
	case store.FieldSrcDevice, store.FieldSrcIP:
		which = 0
	case store.FieldDstDevice, store.FieldDstIP:
		which = 1
	}
	out := make([]uint64, len(table))
	for i := range table {
		out[i] = table[i][which]
	}
	return out
}

func countEnds(src, dst []uint16, size, none int) [][3]uint64 {
	out := make([][3]uint64, size)
	for row, s := range src {
		d := dst[row]
		out[s][0]++
		out[d][1]++
		if s == d {
			out[s][2]++
			continue
		}
		if int(s) != none {
			out[s][2]++
		}
		if int(d) != none {
			out[d][2]++
		}
	}
	return out
}

const countsVersion = 1

// appendCounts appends what Counts reads.
func (c *Columns) appendCounts(b []byte) []byte {
	b = append(b, countsVersion)
	b = binary.AppendUvarint(b, uint64(len(c.Devices)))
	for i, n := range countEnds(c.SrcDev, c.DstDev, len(c.Devices), slices.Index(c.Devices, "")) {
		b = binary.AppendUvarint(b, uint64(len(c.Devices[i])))
		b = append(b, c.Devices[i]...)
		for _, v := range n {
			b = binary.AppendUvarint(b, v)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(c.Addrs)))
	none := slices.IndexFunc(c.Addrs, func(a netip.Addr) bool { return !a.IsValid() })
	for i, n := range countEnds(c.Src, c.Dst, len(c.Addrs), none) {
		raw, _ := c.Addrs[i].MarshalBinary() // never fails
		raw = raw[:min(len(raw), 255)]
		b = append(append(b, byte(len(raw))), raw...)
		for _, v := range n {
			b = binary.AppendUvarint(b, v)
		}
	}
	return b
}

// DecodeCounts reads the counts of a segment.
func (c *Codec) DecodeCounts(b []byte) (*Counts, error) {
	buf := c.raw.Get().(*[]byte)
	defer c.raw.Put(buf)
	raw, err := c.dec.DecodeAll(b, (*buf)[:0])
	if err != nil {
		return nil, fmt.Errorf("%w: counts: %w", ErrDamaged, err)
	}
	*buf = raw
	return parseCounts(raw)
}

func parseCounts(raw []byte) (*Counts, error) {
	r := &cursor{b: raw}
	if v := r.byte(); v != countsVersion {
		return nil, fmt.Errorf("%w: counts of version %d", ErrDamaged, v)
	}
	c := &Counts{}
	three := func() (n [3]uint64) {
		for i := range n {
			n[i] = min(r.uvarint(), MaxRows)
		}
		return n
	}
	c.Devices = make([]string, r.size(2*MaxRows))
	c.device = make([][3]uint64, len(c.Devices))
	for i := range c.Devices {
		c.Devices[i] = string(r.bytes(r.uvarint()))
		c.device[i] = three()
	}
	c.Addrs = make([]netip.Addr, r.size(2*MaxRows))
	c.addr = make([][3]uint64, len(c.Addrs))
	for i := range c.Addrs {
		if err := c.Addrs[i].UnmarshalBinary(r.bytes(uint64(r.byte()))); err != nil {
			return nil, fmt.Errorf("%w: address: %w", ErrDamaged, err)
		}
		c.addr[i] = three()
	}
	if r.bad || len(r.b) > 0 {
		return nil, fmt.Errorf("%w: counts end too early or late", ErrDamaged)
	}
	return c, nil
}
