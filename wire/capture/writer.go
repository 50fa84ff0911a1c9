// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Writer writes frames as pcap or pcapng, little-endian, with nanoseconds. It is
// used by one goroutine at a time. Output is buffered: call Flush at the end.
type Writer struct {
	w       *bufio.Writer
	ng      bool
	link    LinkType         // pcap: the file's only one
	ids     map[ngKey]uint32 // pcapng: blocks written
	nextID  uint32
	scratch [40]byte
}

type ngKey struct {
	iface int
	link  LinkType
}

// NewWriter writes a nanosecond pcap, whose frames all have one link type. Errors
// of w appear at WriteFrame or Flush.
func NewWriter(w io.Writer, link LinkType) *Writer {
	wr := &Writer{w: bufio.NewWriterSize(w, windowFirst), link: link}
	var h [pcapHeaderLen]byte
	le := binary.LittleEndian
	le.PutUint32(h[0:], 0xa1b23c4d)
	le.PutUint16(h[4:], 2)
	le.PutUint16(h[6:], 4)
	le.PutUint32(h[16:], DefaultMaxFrame)
	le.PutUint32(h[20:], uint32(link))
	_, _ = wr.w.Write(h[:]) // bufio keeps the first error for Flush
	return wr
}

// NewNGWriter writes a pcapng of one section. The given interfaces are described
// first, in their order; a frame with [Frame.Interface] i belongs to the i-th when
// its link type is the same. Any other pair of interface and link type is
// described when its first frame comes.
func NewNGWriter(w io.Writer, ifaces ...InterfaceInfo) *Writer {
	wr := &Writer{w: bufio.NewWriterSize(w, windowFirst), ng: true, ids: make(map[ngKey]uint32)}
	le := binary.LittleEndian
	b := le.AppendUint32(nil, byteOrderMagic)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint64(b, math.MaxUint64) // length of the section: not known
	wr.writeBlock(blockSHB, b)
	for i, info := range ifaces {
		wr.describe(ngKey{i, info.Link}, info)
	}
	return wr
}

func (wr *Writer) writeBlock(kind uint32, body []byte) {
	le := binary.LittleEndian
	total := uint32(blockFrame + len(body))
	le.PutUint32(wr.scratch[0:], kind)
	le.PutUint32(wr.scratch[4:], total)
	_, _ = wr.w.Write(wr.scratch[:8])
	_, _ = wr.w.Write(body)
	le.PutUint32(wr.scratch[0:], total)
	_, _ = wr.w.Write(wr.scratch[:4])
}

func (wr *Writer) describe(key ngKey, info InterfaceInfo) uint32 {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, uint16(key.link))
	b = le.AppendUint16(b, 0)
	b = le.AppendUint32(b, info.SnapLen)
	option := func(code uint16, v ...byte) {
		b = le.AppendUint16(b, code)
		b = le.AppendUint16(b, uint16(len(v)))
		b = append(b, v...)
		b = append(b, make([]byte, -len(v)&3)...)
	}
	if info.Name != "" {
		option(optIfName, []byte(text([]byte(info.Name)))...)
	}
	if info.Description != "" {
		option(optIfDescription, []byte(text([]byte(info.Description)))...)
	}
	option(optIfTSResol, 9)
	if info.FCSLen > 0 && info.FCSLen <= 255 {
		option(optIfFCSLen, byte(info.FCSLen))
	}
	option(optEnd)
	wr.writeBlock(blockIDB, b)
	id := wr.nextID
	wr.nextID++
	wr.ids[key] = id
	return id
}

// WriteFrame appends a frame. Times are limited to what the format holds: from
// 1970 on, and until 2106 in a pcap. It does not allocate, except for a new
// interface of a pcapng, and does not keep f.Data.
func (wr *Writer) WriteFrame(f Frame) error {
	if uint64(len(f.Data)) > math.MaxInt32-64 {
		return fmt.Errorf("write capture: frame of %d bytes", len(f.Data))
	}
	if wr.ng {
		return wr.writeNG(f)
	}
	if f.Link != wr.link {
		return fmt.Errorf("write capture: a frame of link type %v in a pcap of %v", f.Link, wr.link)
	}
	t := uint64(max(f.Time, 0))
	sec, nsec := t/1e9, t%1e9
	if sec > math.MaxUint32 {
		sec, nsec = math.MaxUint32, 999999999
	}
	le := binary.LittleEndian
	le.PutUint32(wr.scratch[0:], uint32(sec))
	le.PutUint32(wr.scratch[4:], uint32(nsec))
	le.PutUint32(wr.scratch[8:], uint32(len(f.Data)))
	le.PutUint32(wr.scratch[12:], origLen(f))
	_, _ = wr.w.Write(wr.scratch[:recordLen])
	_, err := wr.w.Write(f.Data)
	return err
}

// writeNG writes an Enhanced Packet Block.
func (wr *Writer) writeNG(f Frame) error {
	key := ngKey{f.Interface, f.Link}
	id, ok := wr.ids[key]
	if !ok {
		if wr.nextID >= maxInterfaces {
			return fmt.Errorf("write capture: more than %d interfaces", maxInterfaces)
		}
		id = wr.describe(key, InterfaceInfo{Link: f.Link})
	}
	pad := -len(f.Data) & 3
	total := uint32(32 + len(f.Data) + pad)
	t := uint64(max(f.Time, 0))
	le := binary.LittleEndian
	h := wr.scratch[:28]
	le.PutUint32(h[0:], blockEPB)
	le.PutUint32(h[4:], total)
	le.PutUint32(h[8:], id)
	le.PutUint32(h[12:], uint32(t>>32))
	le.PutUint32(h[16:], uint32(t))
	le.PutUint32(h[20:], uint32(len(f.Data)))
	le.PutUint32(h[24:], origLen(f))
	_, _ = wr.w.Write(h)
	_, _ = wr.w.Write(f.Data)
	tail := wr.scratch[28:36]
	clear(tail)
	le.PutUint32(tail[pad:], total)
	_, err := wr.w.Write(tail[:pad+4])
	return err
}

func origLen(f Frame) uint32 {
	return uint32(min(max(f.OrigLen, len(f.Data)), math.MaxInt32))
}

// Flush writes what is buffered and returns the first error that any write had.
func (wr *Writer) Flush() error { return wr.w.Flush() }
