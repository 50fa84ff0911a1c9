// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	pcapHeaderLen = 24
	recordLen     = 16 // the part of a record header that all forms share
)

// pcapForm is what the magic number tells.
type pcapForm struct {
	big      bool
	nano     bool
	modified bool // 0xa1b2cd34: a longer record header
}

func pcapMagic(b []byte) (pcapForm, bool) {
	for _, big := range []bool{false, true} {
		m := binary.LittleEndian.Uint32(b)
		if big {
			m = binary.BigEndian.Uint32(b)
		}
		switch m {
		case 0xa1b2c3d4:
			return pcapForm{big: big}, true
		case 0xa1b23c4d:
			return pcapForm{big: big, nano: true}, true
		case 0xa1b2cd34:
			return pcapForm{big: big, modified: true}, true
		}
	}
	return pcapForm{}, false
}

// pcapSource reads pcap files, also several laid end to end.
type pcapSource struct {
	core
	form    pcapForm
	swapped lengthOrder
	hlen    int  // length of a record header, 0 while not determined
	usual   bool // little-endian, and the length and the order of lengths that nearly all files have
	snap    uint32
	link    LinkType
	lastSec uint32 // of the last frame delivered, 0 when there was none
}

// lengthOrder is how a record holds its two lengths. The order changed within
// version 2.3 of the format; the greater one is the length on the wire.
type lengthOrder uint8

const (
	capturedFirst lengthOrder = iota
	originalFirst
	originalGreater
)

// record is a decoded record header.
type record struct {
	sec, sub  uint32
	cap, orig uint32
}

// readHeader reads the file header at the window's start.
func (s *pcapSource) readHeader() error {
	if !s.w.need(pcapHeaderLen) {
		return s.short(s.w.offset(), fmt.Sprintf("file header of %d bytes, %d are there", pcapHeaderLen, s.w.have()))
	}
	h := s.w.at(0, pcapHeaderLen)
	s.form, _ = pcapMagic(h)
	major, minor := s.u16(h[4:]), s.u16(h[6:])
	switch {
	case major == 2 && minor < 3, major == 543:
		s.swapped = originalFirst
	case major == 2 && minor == 3:
		s.swapped = originalGreater
	case major == 2:
		s.swapped = capturedFirst
	default:
		return s.corrupt("pcap version %d.%d, known are 2.x", major, minor)
	}
	if len(s.ifaces) >= maxInterfaces {
		return s.corrupt("more than %d file headers", maxInterfaces)
	}
	s.snap = s.u32(h[16:])
	// The upper bits: four for the length of the frame check sequence in
	// 16-bit units, one to say that they count, and reserved ones.
	network := s.u32(h[20:])
	if network&0x03ff0000 != 0 {
		return s.corrupt("link type 0x%x is out of range", network)
	}
	s.link = LinkType(network)
	info := InterfaceInfo{Link: s.link, SnapLen: s.snap}
	if network&0x04000000 != 0 {
		info.FCSLen = int(network>>28) * 2
	}
	s.ifaces = append(s.ifaces, info)
	s.format = "pcap"
	s.hlen, s.usual = 0, false
	s.lastSec = 0
	s.w.start += pcapHeaderLen
	return nil
}

// Next implements Source.
func (s *pcapSource) Next(f *Frame) error {
	if s.usual && s.done == nil && s.usually(f) {
		return nil
	}
	if s.done != nil {
		return s.done
	}
	s.w.start += s.held
	s.held = 0
	for {
		if s.hlen == 0 {
			s.pickRecordForm()
		}
		if !s.w.need(s.hlen) {
			return s.short(s.w.offset(), "record header")
		}
		r := s.record(0)
		if uint64(r.cap) > uint64(s.opts.MaxFrame) || r.orig < r.cap || r.sub >= 1e9 || r.cap == 0 {
			again, err := s.oddRecord(r)
			if err != nil {
				return err
			}
			if again {
				continue
			}
		}
		n := int(r.cap)
		if !s.w.need(s.hlen + n) {
			return s.short(s.w.offset(), fmt.Sprintf("record of %d bytes, %d are there", s.hlen+n, s.w.have()))
		}
		unit := uint64(1000)
		if s.form.nano {
			unit = 1
		}
		f.Time = int64(uint64(r.sec)*1e9 + uint64(r.sub)*unit)
		f.Data = s.w.at(s.hlen, n)
		f.OrigLen = int(min(max(r.orig, r.cap), math.MaxInt32))
		f.Link = s.link
		f.Interface = len(s.ifaces) - 1
		s.lastSec = r.sec
		s.held = s.hlen + n
		s.count(f)
		return nil
	}
}

// usually is Next for a sane record of the usual form that is in the window
// whole. It reports false, and has changed nothing, for others.
func (s *pcapSource) usually(f *Frame) bool {
	i := s.w.start + s.held
	b := s.w.buf[:s.w.end]
	if len(b)-i < recordLen {
		return false
	}
	h := b[i : i+recordLen : i+recordLen]
	sec, sub := binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
	n, orig := binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:])
	next := i + recordLen + int(n)
	if n == 0 || uint64(n) > uint64(s.opts.MaxFrame) || orig < n || orig > math.MaxInt32 || sub >= 1e9 || next > len(b) {
		return false
	}
	s.w.ahead(next, recordLen+int(n))
	unit := uint64(1000)
	if s.form.nano {
		unit = 1
	}
	f.Time = int64(uint64(sec)*1e9 + uint64(sub)*unit)
	f.Data = b[i+recordLen : next : next]
	f.OrigLen = int(orig)
	f.Link = s.link
	f.Interface = len(s.ifaces) - 1
	s.lastSec = sec
	s.w.start = i
	s.held = recordLen + int(n)
	s.count(f)
	return true
}

// oddRecord judges a record header that is not like most. It returns true when
// the window now starts elsewhere, and false when the record is to be taken as
// it is: some writers leave the original length 0, some frames are empty.
func (s *pcapSource) oddRecord(r record) (again bool, err error) {
	if r.cap == 0 && r.orig == 0 {
		// A file header read as a record has both lengths 0 (the time zone and
		// the accuracy, which are always 0).
		if _, ok := pcapMagic(s.w.at(0, 4)); ok {
			return true, s.readHeader()
		}
	}
	var why string
	switch {
	case uint64(r.cap) > uint64(s.opts.MaxFrame):
		why = fmt.Sprintf("record header: captured length %d is over the limit of %d", r.cap, s.opts.MaxFrame)
	case r == record{}:
		why = "record header: all zero"
	case r.sub >= 1e9:
		why = fmt.Sprintf("record header: %d is no fraction of a second", r.sub)
	case r.orig < r.cap && s.snap != 0 && r.cap > s.snap:
		why = fmt.Sprintf("record header: captured length %d is over the original length and the snap length", r.cap)
	default:
		return false, nil
	}
	if s.opts.NoResync || !s.resync() {
		return false, s.corrupt("%s", why)
	}
	return true, nil
}

// record decodes the record header at position pos of the window.
func (s *pcapSource) record(pos int) record {
	h := s.w.at(pos, recordLen)
	var r record
	if s.form.big {
		r = record{binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:]), binary.BigEndian.Uint32(h[12:])}
	} else {
		r = record{binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:])}
	}
	if s.swapped == originalFirst || s.swapped == originalGreater && r.cap > r.orig {
		r.cap, r.orig = r.orig, r.cap
	}
	return r
}

func (s *pcapSource) u16(b []byte) uint16 {
	if s.form.big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (s *pcapSource) u32(b []byte) uint32 {
	if s.form.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}
