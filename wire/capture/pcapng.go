// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"
	"math"
)

// Block types, pcapng §11.1.
const (
	blockSHB uint32 = 0x0a0d0d0a // the same in both byte orders
	blockIDB uint32 = 1
	blockPB  uint32 = 2
	blockSPB uint32 = 3
	blockISB uint32 = 5
	blockEPB uint32 = 6
)

const (
	byteOrderMagic = 0x1a2b3c4d
	blockFrame     = 12 // type and the two copies of the length
	// blockSlack is what a block that is held whole may have beside a frame.
	blockSlack = 1 << 20
	// maxInterfaces bounds the interfaces of a source.
	maxInterfaces = 65536
)

// ngSource reads pcapng.
type ngSource struct {
	core
	big      bool
	first    int       // index of the section's first interface
	clocks   []ngClock // by index within the source
	lastTime int64     // for blocks without a time
}

// readSection reads a Section Header Block at the window's start.
func (s *ngSource) readSection() error {
	w := &s.w
	if !w.need(28) {
		return s.short(w.offset(), "section header")
	}
	switch binary.LittleEndian.Uint32(w.at(8, 4)) {
	case byteOrderMagic:
		s.big = false
	case 0x4d3c2b1a:
		s.big = true
	default:
		return s.corrupt("section header: unknown byte-order magic %x", w.at(8, 4))
	}
	total := s.u32(w.at(4, 4))
	if total < 28 || total%4 != 0 {
		return s.corrupt("section header: block length %d", total)
	}
	if major := s.u16(w.at(12, 2)); major != 1 {
		return s.corrupt("pcapng version %d.%d, known is 1.x", major, s.u16(w.at(14, 2)))
	}
	s.first = len(s.ifaces)
	s.format = "pcapng"
	return s.pass(total)
}

// Next implements Source.
func (s *ngSource) Next(f *Frame) error {
	if s.done != nil {
		return s.done
	}
	w := &s.w
	w.start += s.held
	s.held = 0
	for {
		if !w.need(8) {
			return s.short(w.offset(), "block header")
		}
		h := w.at(0, 8)
		kind, total := s.u32(h), s.u32(h[4:])
		if kind == blockSHB {
			if err := s.readSection(); err != nil {
				return err
			}
			continue
		}
		if total < blockFrame || total%4 != 0 {
			return s.corrupt("block of type 0x%x: length %d", kind, total)
		}
		switch kind {
		case blockEPB, blockSPB, blockPB, blockIDB, blockISB:
		default:
			if err := s.pass(total); err != nil {
				return err
			}
			continue
		}
		// A frame longer than the limit is damage, but when its block is
		// framed well the rest is readable.
		if uint64(total) > uint64(s.opts.MaxFrame)+blockSlack {
			if s.opts.NoResync {
				return s.corrupt("block of type 0x%x: length %d is over the limit of %d", kind, total, s.opts.MaxFrame+blockSlack)
			}
			if err := s.pass(total); err != nil {
				return err
			}
			s.stats.Damaged++
			continue
		}
		n := int(total)
		if !w.need(n) {
			return s.shortBlock(w.offset(), kind, total)
		}
		w.ahead(w.start+n, n)
		if back := s.u32(w.at(n-4, 4)); back != total {
			return s.corrupt("block of type 0x%x: length %d at the front, %d at the end", kind, total, back)
		}
		body := w.at(8, n-blockFrame)
		var why string
		got := false
		switch kind {
		case blockEPB:
			got, why = s.enhancedPacket(body, f)
		case blockSPB:
			got, why = s.simplePacket(body, f)
		case blockPB:
			got, why = s.oldPacket(body, f)
		case blockISB:
			why = s.statistics(body)
		case blockIDB:
			if len(s.ifaces) >= maxInterfaces {
				return s.corrupt("more than %d interfaces", maxInterfaces)
			}
			why = s.describeInterface(body)
		}
		if got {
			s.held = n
			s.count(f)
			return nil
		}
		if why != "" {
			if s.opts.NoResync {
				return s.corrupt("%s", why)
			}
			s.stats.Damaged++
		}
		w.start += n
	}
}

// pass skips the block at the window's start, whose length was checked to be
// at least blockFrame, and compares the two copies of its length.
func (s *ngSource) pass(total uint32) error {
	off := s.w.offset()
	kind := s.u32(s.w.at(0, 4))
	if !s.w.skip(int64(total)-4) || !s.w.need(4) {
		return s.shortBlock(off, kind, total)
	}
	if back := s.u32(s.w.at(0, 4)); back != total {
		err := s.corrupt("block of type 0x%x: length %d at the front, %d at the end", kind, total, back)
		err.(*CorruptError).Offset = off //nolint:errorlint // just made, not wrapped
		return err
	}
	s.w.start += 4
	return nil
}

func (s *ngSource) shortBlock(off int64, kind, total uint32) error {
	there := s.w.offset() + int64(s.w.have()) - off
	return s.short(off, blockShort{kind, total, there}.String())
}

// enhancedPacket reads an Enhanced Packet Block, pcapng §4.3.
func (s *ngSource) enhancedPacket(b []byte, f *Frame) (bool, string) {
	if len(b) < 20 {
		return false, "enhanced packet block: too short"
	}
	return s.packet(f, s.u32(b), s.u32(b[4:]), s.u32(b[8:]), s.u32(b[12:]), s.u32(b[16:]), b[20:])
}

// oldPacket reads the obsolete Packet Block, pcapng appendix A.
func (s *ngSource) oldPacket(b []byte, f *Frame) (bool, string) {
	if len(b) < 20 {
		return false, "packet block: too short"
	}
	return s.packet(f, uint32(s.u16(b)), s.u32(b[4:]), s.u32(b[8:]), s.u32(b[12:]), s.u32(b[16:]), b[20:])
}

func (s *ngSource) packet(f *Frame, iface, tsHigh, tsLow, captured, original uint32, data []byte) (bool, string) {
	i := uint64(s.first) + uint64(iface)
	if i >= uint64(len(s.ifaces)) {
		return false, "packet of an interface that was not described"
	}
	if uint64(captured) > uint64(len(data)) || uint64(captured) > uint64(s.opts.MaxFrame) {
		return false, "packet longer than its block or than the limit"
	}
	f.Time = s.clocks[i].nanos(uint64(tsHigh)<<32 | uint64(tsLow))
	f.Data = data[:captured:captured]
	f.OrigLen = int(min(max(original, captured), math.MaxInt32))
	f.Link = s.ifaces[i].Link
	f.Interface = int(i)
	s.lastTime = f.Time
	return true, ""
}

// simplePacket reads a Simple Packet Block, pcapng §4.4: of the section's first
// interface, as long as the snap length and the original length allow.
func (s *ngSource) simplePacket(b []byte, f *Frame) (bool, string) {
	if len(b) < 4 {
		return false, "simple packet block: too short"
	}
	if s.first >= len(s.ifaces) {
		return false, "packet of an interface that was not described"
	}
	i := s.first
	original := s.u32(b)
	captured := original
	if snap := s.ifaces[i].SnapLen; snap != 0 && snap < captured {
		captured = snap
	}
	b = b[4:]
	// Where the snap length is unlimited or wrong, the block's own length
	// tells, up to three bytes of padding.
	if uint64(captured) > uint64(len(b)) {
		captured = uint32(len(b))
	}
	if uint64(captured) > uint64(s.opts.MaxFrame) {
		return false, "packet longer than the limit"
	}
	f.Time = s.lastTime
	f.Data = b[:captured:captured]
	f.OrigLen = int(min(original, math.MaxInt32))
	f.Link = s.ifaces[i].Link
	f.Interface = i
	return true, ""
}

func (s *ngSource) u16(b []byte) uint16 {
	if s.big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (s *ngSource) u32(b []byte) uint32 {
	if s.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func (s *ngSource) u64(b []byte) uint64 {
	if s.big {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}
