// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
)

// Columns is what events are searched and counted by, column by column. Code
// columns hold places in the dictionary of the same name. It is not changed
// once it is made.
type Columns struct {
	N        int
	Seq      []uint64
	Time     []int64
	Class    []uint16
	Activity []uint8
	Severity []uint8
	Status   []uint8
	Protocol []uint16
	Sensor   []uint16
	Theatre  []uint16
	SrcDev   []uint16
	DstDev   []uint16
	Src, Dst []uint16
	End      []uint32 // where the event ends in the data
	Links    []Link   // by Row

	Classes   []uint32
	Protocols []string
	Sensors   []string
	Theatres  []string
	Devices   []string // of both ends
	Addrs     []netip.Addr
}

// Link is the record.Link of a row.
type Link struct {
	Row int
	record.Link
}

// Record returns row i with its event cut out of the segment's data.
func (c *Columns) Record(i int, data []byte) (record.Record, error) {
	from := uint32(0)
	if i > 0 {
		from = c.End[i-1]
	}
	if int(c.End[i]) > len(data) || from > c.End[i] {
		return record.Record{}, fmt.Errorf("%w: event %d ends at %d of %d bytes", ErrDamaged, c.Seq[i], c.End[i], len(data))
	}
	r := record.Record{
		Seq: c.Seq[i], Time: c.Time[i], Class: event.Class(c.Classes[c.Class[i]]), Activity: c.Activity[i],
		Severity: finding.Severity(c.Severity[i]), Status: event.Status(c.Status[i]),
		Protocol: c.Protocols[c.Protocol[i]], Sensor: c.Sensors[c.Sensor[i]], Theatre: c.Theatres[c.Theatre[i]],
		Src: c.Addrs[c.Src[i]], Dst: c.Addrs[c.Dst[i]], SrcDevice: c.Devices[c.SrcDev[i]], DstDevice: c.Devices[c.DstDev[i]],
		// The capacity ends with the event: who appends to it does not write over the next.
		Data: data[from:c.End[i]:c.End[i]],
	}
	for k := range c.Links {
		if c.Links[k].Row == i {
			l := c.Links[k].Link
			r.Link = &l
			break
		}
	}
	return r, nil
}

// coder makes the codes of one dictionary. Most columns hold few values in long
// runs, so the last one is tried first.
type coder[T comparable] struct {
	dict []T
	at   map[T]uint16
	last uint16
}

func (d *coder[T]) code(v T) uint16 {
	if len(d.dict) > 0 && d.dict[d.last] == v {
		return d.last
	}
	if d.at == nil {
		d.at = make(map[T]uint16, 16)
	}
	c, ok := d.at[v]
	if !ok {
		c = uint16(len(d.dict)) // at most two of each row: 2*MaxRows
		d.dict = append(d.dict, v)
		d.at[v] = c
	}
	d.last = c
	return c
}

func newColumns(n int) *Columns {
	codes, bytes := make([]uint16, 8*n), make([]uint8, 3*n)
	cut16 := func() []uint16 { c := codes[:n:n]; codes = codes[n:]; return c }
	cut8 := func() []uint8 { c := bytes[:n:n]; bytes = bytes[n:]; return c }
	return &Columns{
		N: n, Seq: make([]uint64, n), Time: make([]int64, n), End: make([]uint32, n),
		Class: cut16(), Protocol: cut16(), Sensor: cut16(), Theatre: cut16(), SrcDev: cut16(), DstDev: cut16(), Src: cut16(), Dst: cut16(),
		Activity: cut8(), Severity: cut8(), Status: cut8(),
	}
}

// NewColumns makes the columns of at most MaxRows records.
func NewColumns(recs []record.Record) *Columns {
	c := newColumns(len(recs))
	var class coder[uint32]
	var protocol, sensor, theatre, device coder[string]
	var addr coder[netip.Addr]
	end := uint32(0)
	for i := range recs {
		r := &recs[i]
		c.Seq[i], c.Time[i] = r.Seq, r.Time
		c.Class[i] = class.code(uint32(r.Class))
		c.Activity[i], c.Severity[i], c.Status[i] = r.Activity, uint8(r.Severity), uint8(r.Status)
		c.Protocol[i], c.Sensor[i], c.Theatre[i] = protocol.code(r.Protocol), sensor.code(r.Sensor), theatre.code(r.Theatre)
		c.SrcDev[i], c.DstDev[i] = device.code(r.SrcDevice), device.code(r.DstDevice)
		c.Src[i], c.Dst[i] = addr.code(r.Src), addr.code(r.Dst)
		end += uint32(len(r.Data))
		c.End[i] = end
		if r.Link != nil {
			c.Links = append(c.Links, Link{Row: i, Link: *r.Link})
		}
	}
	c.Classes, c.Protocols, c.Sensors, c.Theatres, c.Devices, c.Addrs = class.dict, protocol.dict, sensor.dict, theatre.dict, device.dict, addr.dict
	return c
}

// The layout: version, rows, the dictionaries, the columns. Numbers are
// varints; a code column takes no byte where its dictionary has one entry, one
// byte a row up to 256, else two.
const layoutVersion = 1

func (c *Columns) appendTo(b []byte) []byte {
	b = append(b, layoutVersion)
	b = binary.AppendUvarint(b, uint64(c.N))
	b = binary.AppendUvarint(b, uint64(len(c.Classes)))
	for _, v := range c.Classes {
		b = binary.AppendUvarint(b, uint64(v))
	}
	for _, d := range [][]string{c.Protocols, c.Sensors, c.Theatres, c.Devices} {
		b = binary.AppendUvarint(b, uint64(len(d)))
		for _, s := range d {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(c.Addrs)))
	for _, a := range c.Addrs {
		raw, _ := a.MarshalBinary() // never fails
		b = append(b, byte(min(len(raw), 255)))
		b = append(b, raw[:min(len(raw), 255)]...)
	}
	seq, end := uint64(0), uint32(0)
	for _, v := range c.Seq {
		b = binary.AppendUvarint(b, v-seq)
		seq = v
	}
	at := int64(0)
	for _, v := range c.Time {
		b = binary.AppendVarint(b, v-at)
		at = v
	}
	for _, v := range c.End {
		b = binary.AppendUvarint(b, uint64(v-end))
		end = v
	}
	b = append(b, c.Activity...)
	b = append(b, c.Severity...)
	b = append(b, c.Status...)
	for _, p := range c.codes() {
		switch {
		case p.size <= 1:
		case p.size <= 256:
			for _, v := range *p.column {
				b = append(b, byte(v))
			}
		default:
			for _, v := range *p.column {
				b = binary.LittleEndian.AppendUint16(b, v)
			}
		}
	}
	b = binary.AppendUvarint(b, uint64(len(c.Links)))
	row := 0
	for i := range c.Links {
		l := &c.Links[i]
		b = binary.AppendUvarint(b, uint64(l.Row-row))
		row = l.Row
		b = append(b, byte(min(len(l.Transport), 255)))
		b = append(b, l.Transport[:min(len(l.Transport), 255)]...)
		for _, v := range [...]uint64{uint64(l.Port), l.Flows, l.Failed, l.BytesOut, l.BytesIn} {
			b = binary.AppendUvarint(b, v)
		}
	}
	return b
}

type codeColumn struct {
	column *[]uint16
	size   int
}

func (c *Columns) codes() [8]codeColumn {
	return [8]codeColumn{
		{&c.Class, len(c.Classes)}, {&c.Protocol, len(c.Protocols)}, {&c.Sensor, len(c.Sensors)}, {&c.Theatre, len(c.Theatres)},
		{&c.SrcDev, len(c.Devices)}, {&c.DstDev, len(c.Devices)}, {&c.Src, len(c.Addrs)}, {&c.Dst, len(c.Addrs)},
	}
}

// cursor reads a layout and remembers that it ended early.
type cursor struct {
	b   []byte
	bad bool
}

func (r *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *cursor) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *cursor) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *cursor) byte() byte {
	if v := r.bytes(1); v != nil {
		return v[0]
	}
	return 0
}

// size reads the number of entries of a dictionary or list, each of which takes
// at least a byte, so that none is allocated for what is not there.
func (r *cursor) size(most int) int {
	n := r.uvarint()
	if n > uint64(most) || n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

func parseColumns(raw []byte) (*Columns, error) {
	r := &cursor{b: raw}
	if v := r.byte(); v != layoutVersion {
		return nil, fmt.Errorf("%w: columns of version %d", ErrDamaged, v)
	}
	n := r.size(MaxRows)
	if n == 0 {
		return nil, fmt.Errorf("%w: columns of no event", ErrDamaged)
	}
	c := newColumns(n)
	c.Classes = make([]uint32, r.size(MaxRows))
	for i := range c.Classes {
		c.Classes[i] = uint32(r.uvarint())
	}
	for _, d := range []*[]string{&c.Protocols, &c.Sensors, &c.Theatres, &c.Devices} {
		*d = make([]string, r.size(2*MaxRows))
		for i := range *d {
			(*d)[i] = string(r.bytes(r.uvarint()))
		}
	}
	c.Addrs = make([]netip.Addr, r.size(2*MaxRows))
	for i := range c.Addrs {
		if err := c.Addrs[i].UnmarshalBinary(r.bytes(uint64(r.byte()))); err != nil {
			return nil, fmt.Errorf("%w: address: %w", ErrDamaged, err)
		}
	}
	seq, end, at := uint64(0), uint64(0), int64(0)
	for i := range c.Seq {
		seq += r.uvarint()
		c.Seq[i] = seq
	}
	for i := range c.Time {
		at += r.varint()
		c.Time[i] = at
	}
	for i := range c.End {
		end += r.uvarint()
		c.End[i] = uint32(min(end, maxDecoded+1))
	}
	copy(c.Activity, r.bytes(uint64(n)))
	copy(c.Severity, r.bytes(uint64(n)))
	copy(c.Status, r.bytes(uint64(n)))
	for _, p := range c.codes() {
		if p.size == 0 {
			return nil, fmt.Errorf("%w: empty dictionary", ErrDamaged)
		}
		switch {
		case p.size == 1:
		case p.size <= 256:
			for i, v := range r.bytes(uint64(n)) {
				(*p.column)[i] = uint16(v)
			}
		default:
			b := r.bytes(2 * uint64(n))
			for i := 0; i+1 < len(b); i += 2 {
				(*p.column)[i/2] = binary.LittleEndian.Uint16(b[i:])
			}
		}
		for _, v := range *p.column {
			if int(v) >= p.size {
				return nil, fmt.Errorf("%w: code %d of a dictionary of %d", ErrDamaged, v, p.size)
			}
		}
	}
	c.Links = make([]Link, r.size(MaxRows))
	row := uint64(0)
	for i := range c.Links {
		l := &c.Links[i]
		row += r.uvarint()
		if row >= uint64(n) {
			return nil, fmt.Errorf("%w: link of row %d", ErrDamaged, row)
		}
		l.Row = int(row)
		switch t := r.bytes(uint64(r.byte())); string(t) { // the usual ones without a copy
		case "tcp":
			l.Transport = "tcp"
		case "udp":
			l.Transport = "udp"
		default:
			l.Transport = string(t)
		}
		l.Port, l.Flows, l.Failed, l.BytesOut, l.BytesIn = uint16(r.uvarint()), r.uvarint(), r.uvarint(), r.uvarint(), r.uvarint()
	}
	if r.bad || len(r.b) > 0 {
		return nil, fmt.Errorf("%w: columns end too early or late", ErrDamaged)
	}
	return c, nil
}
