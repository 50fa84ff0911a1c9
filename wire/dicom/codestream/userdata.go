// SPDX-License-Identifier: Apache-2.0

package codestream

import (
	"bytes"
	"encoding/binary"
)

// elementary looks for user data in a stream with start codes: an elementary or a program stream.
type elementary struct {
	family Family
	zeros  int // in a row
	header int // bytes of a unit's header that are still to come
	user   userData
	other  bool // within a packet of something else than video
}

func (e *elementary) walk(p []byte) error {
	for i := 0; i < len(p); i++ {
		if e.zeros == 0 && e.header == 0 && e.user == nil {
			n := bytes.IndexByte(p[i:], 0)
			if n < 0 {
				return nil
			}
			i += n
		}
		b := p[i]
		switch {
		case e.zeros >= 2 && b == 1:
			e.zeros, e.user, e.header = 0, nil, e.family.unitHeader()
			continue
		case e.zeros >= 2 && b == 3 && e.family != MPEG2 && e.user != nil: // emulation prevention (ISO/IEC 14496-10 §7.4.1)
			e.zeros = 0
			continue
		case b == 0:
			e.zeros++
		default:
			e.zeros = 0
		}
		switch {
		case e.header > 0:
			if e.header == e.family.unitHeader() {
				e.begin(b)
			}
			e.header--
		case e.user != nil:
			if err := e.user.push(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin begins a unit by the first byte behind its start code. Those from B9 on are of what video is wrapped in (ISO/IEC 13818-1 table 2-22): of packets that are not
// video, nothing is a start code but that of the next packet.
func (e *elementary) begin(b byte) {
	if b >= 0xB9 {
		e.other = b < 0xBA || b > 0xBB && b < 0xE0 || b > 0xEF && b != 0xFD
	}
	if e.user = e.family.userData(b); e.other {
		e.user = nil
	}
}

// unitHeader is how many bytes stand between a start code and a unit's content.
func (f Family) unitHeader() int {
	if f == HEVC {
		return 2
	}
	return 1
}

// userData is given the bytes of a unit that may hold user data, without those that prevent start codes.
type userData interface{ push(b byte) error }

// userData returns what reads a unit by the first byte of its header; nil where it holds none.
func (f Family) userData(b byte) userData {
	switch {
	case f == MPEG2 && b == 0xB2: // ISO/IEC 13818-2 §6.2.2.2.2
		return new(plainData)
	case f == AVC && b&0x9F == 6, f == HEVC && b&0x80 == 0 && (b>>1 == 39 || b>>1 == 40): // ISO/IEC 14496-10 table 7-1, 23008-2 table 7-1
		return new(messages)
	}
	return nil
}

func found(what string) error { return &Error{What: what, Err: ErrUserData} }

// plainData is the user data of MPEG-2 video. That which says how wide the picture is meant says nothing else (ETSI TS 101 154 annex B).
type plainData struct{ at int }

const activeFormat = "DTG1"

func (d *plainData) push(b byte) error {
	if d.at >= len(activeFormat)+2 && b != 0 || d.at < len(activeFormat) && b != activeFormat[d.at] { // zeros are of the next start code
		return found("user data in MPEG-2 video")
	}
	d.at++
	return nil
}

// messages are the SEI messages of a unit of AVC or HEVC (ISO/IEC 14496-10 §7.3.2.3).
type messages struct {
	sized      bool
	kind, left int
	payload    bool
	id         [16]byte
	got        int
	read       int // messages that were read whole
}

// maxMessage bounds what the type and the length of a message may add up to.
const maxMessage = 1 << 20

const (
	registered   = 4 // user data registered by ITU-T T.35: captions, and what makers of cameras write
	unregistered = 5
)

// encoders are the identifiers under which x264 and x265 write with what parameters they were run.
var encoders = map[[16]byte]bool{
	{0xDC, 0x45, 0xE9, 0xBD, 0xE6, 0xD9, 0x48, 0xB7, 0x96, 0x2C, 0xD8, 0x20, 0xD9, 0x23, 0xEE, 0xEF}: true,
	{0x2C, 0xA2, 0xDE, 0x09, 0xB5, 0x17, 0x47, 0xDB, 0xBB, 0x55, 0xA4, 0xFE, 0x7F, 0xC2, 0xFC, 0x4E}: true,
}

func (m *messages) push(b byte) error {
	bad := false
	switch {
	case !m.sized:
		if m.kind += int(b); b != 0xFF {
			m.sized = true
		}
	case !m.payload:
		if m.left += int(b); b == 0xFF {
			break
		}
		m.payload, m.got = true, 0
		bad = m.left > 0 && (m.kind == registered || m.kind == unregistered && m.left < len(m.id))
		m.done()
	default:
		if m.kind == unregistered && m.got < len(m.id) {
			m.id[m.got] = b
			m.got++
			bad = m.got == len(m.id) && !encoders[m.id]
		}
		m.left--
		m.done()
	}
	switch {
	case bad:
		return found("user data (SEI) in video")
	case m.kind > maxMessage || m.left > maxMessage:
		return broken("a message of video that is longer than any")
	}
	return nil
}

func (m *messages) done() {
	if m.left == 0 {
		m.payload, m.sized, m.kind = false, false, 0
		m.read++
	}
}

// samples looks for user data in the media data of MP4, in which units have a length in front of them. Where samples lie is told by tables that may stand
// behind them, so every place is looked at that can be one: a length of four bytes, a header of SEI, and messages that end where the length says.
type samples struct {
	family     Family
	tail       []byte // bytes that were not decided on
	seen, read int64  // bytes, and of what looked like units
}

// maxUnit is the longest unit that is looked for; parameters and positions are far shorter.
const maxUnit = 8 << 10

func (s *samples) walk(p []byte) error {
	const piece = 16 << 10
	for len(p) > 0 {
		n := min(len(p), piece)
		s.seen += int64(n)
		s.tail = append(s.tail, p[:n]...)
		left, err := s.look(s.tail)
		if err != nil {
			return err
		}
		s.tail = append(s.tail[:0], left...)
		p = p[n:]
	}
	return nil
}

// look looks for units in b and returns the bytes in which more would have to be seen.
func (s *samples) look(b []byte) ([]byte, error) {
	for {
		i := bytes.Index(b, []byte{0, 0})
		if i < 0 {
			return b[max(0, len(b)-1):], nil
		}
		if b = b[i:]; len(b) < 5 {
			return b, nil
		}
		n := int(binary.BigEndian.Uint32(b))
		if u := s.family.userData(b[4]); u != nil && n > s.family.unitHeader()+2 && n <= maxUnit {
			if len(b) < 4+n {
				return b, nil
			}
			if s.read += int64(n); s.read > 4*s.seen+1<<20 { // made to be read over and over
				return nil, broken("media data of MP4 that looks like units in units")
			}
			if err := unit(u, b[4+s.family.unitHeader():4+n]); err != nil {
				return nil, err
			}
		}
		b = b[1:]
	}
}

// unit reads what may be a unit, and returns an error where it is one that holds user data.
func unit(u userData, b []byte) error {
	m, _ := u.(*messages)
	var said error
	zeros := 0
	for _, c := range b[:len(b)-1] {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if zeros++; c != 0 {
			zeros = 0
		}
		if err := m.push(c); err != nil && said == nil {
			said = err
		}
	}
	if m.sized || m.kind != 0 || m.read == 0 || b[len(b)-1] != 0x80 { // the bytes looked like a unit by chance
		return nil
	}
	return said
}
