// SPDX-License-Identifier: Apache-2.0

// Package mllp finds HL7 messages in a byte stream: framed by the Minimal Lower
// Layer Protocol (HL7 v2.x Appendix C §C.4.3; HL7 Transport Specification:
// MLLP, Release 1 and 2: 0x0B, content, 0x1C, 0x0D), or sent bare over TCP.
//
// # Tolerance
//
// Peers leave out the final carriage return, put line feeds or nothing between
// frames, never end a frame, or send no framing at all. A frame is given as
// soon as its 0x1C arrived. A 0x0B within a frame begins a new one only when a
// header (MSH, FHS, BHS) follows: word processors leave vertical tabs in text.
// MLLP Release 2's single-byte commit acknowledgements (0x06, 0x15 between
// 0x0B and 0x1C) come out as frames of one byte.
//
// # Limits
//
// A Scanner keeps at most Max bytes of a frame (DefaultMax when zero) and
// counts the rest. A frame that lies wholly in the bytes given is not copied.
// The frames found do not depend on how the stream is cut.
package mllp

import "bytes"

// The block characters.
const (
	StartBlock = 0x0b
	EndBlock   = 0x1c
	CR         = 0x0d
)

// DefaultMax is how much of a frame a Scanner keeps.
const DefaultMax = 1 << 20

// End says how a frame ended.
type End uint8

// The ways in which a frame ends.
const (
	Ended   End = iota // with an end block
	Unended            // another frame began
	Broken             // bytes are missing, see Scanner.Gap
	Closed             // the stream ended, or the owner called Flush
)

// Frame is the content of one frame, without the block characters.
type Frame struct {
	Head []byte // the first bytes, at most Max; valid during the call
	Size int64  // all of the content
	End  End
	Bare bool // not framed: the message began with its header
}

// Complete reports whether the whole content is in Head.
func (f Frame) Complete() bool { return f.End == Ended && int64(len(f.Head)) == f.Size }

// Stats counts what a Scanner met.
type Stats struct {
	Frames    uint64
	MissingCR uint64 // end blocks without the carriage return
	Unended   uint64
	Junk      uint64 // bytes outside of frames, line ends not counted
}

// Scanner reads one direction of a connection. The zero Scanner is ready.
type Scanner struct {
	Max   int
	Stats Stats

	state state
	buf   []byte
	size  int64
	seen  int // bytes matched of a header within or before a frame
	head  [4]byte
}

type state uint8

const (
	between  state = iota
	afterEnd       // the end block came; a carriage return is due
	framed
	bare
)

// Held returns the bytes kept of a frame that has not ended.
func (s *Scanner) Held() int { return len(s.buf) }

// InFrame reports whether a frame has begun and not ended.
func (s *Scanner) InFrame() bool { return s.state == framed || s.state == bare }

// headerPrefix reports whether b may become the start of a message, batch or
// file header; three bytes are one.
func headerPrefix(b []byte) bool {
	n := min(len(b), 3)
	return string(b[:n]) == "MSH"[:n] || string(b[:n]) == "FHS"[:n] || string(b[:n]) == "BHS"[:n]
}

// Write reads the next bytes of the stream and calls f for each frame that
// ends in them.
func (s *Scanner) Write(p []byte, f func(Frame)) {
	for len(p) > 0 {
		switch s.state {
		case afterEnd:
			s.state = between
			if p[0] == CR {
				p = p[1:]
			} else {
				s.Stats.MissingCR++
			}
		case between:
			p = s.begin(p)
		case framed:
			p = s.inFrame(p, f)
		case bare:
			p = s.inBare(p, f)
		}
	}
}

// begin looks for the start of a frame and returns what follows it. Bytes that
// might be a bare header are held in head: at most three.
func (s *Scanner) begin(p []byte) []byte {
	for i, c := range p {
		if c == StartBlock {
			s.Stats.Junk += uint64(s.seen)
			s.seen = 0
			s.state = framed
			return p[i+1:]
		}
		s.head[s.seen] = c
		s.seen++
		for s.seen > 0 && !headerPrefix(s.head[:s.seen]) {
			if d := s.head[0]; d != CR && d != '\n' {
				s.Stats.Junk++
			}
			copy(s.head[:], s.head[1:s.seen])
			s.seen--
		}
		if s.seen == 3 {
			s.state, s.seen = bare, 0
			s.keep(s.head[:3])
			return p[i+1:]
		}
	}
	return nil
}

// inFrame reads content up to the end block or to the start of another frame.
func (s *Scanner) inFrame(p []byte, f func(Frame)) []byte {
	end := bytes.IndexByte(p, EndBlock)
	part := p
	if end >= 0 {
		part = p[:end]
	}
	if i := s.restart(part); i >= 0 {
		// The last 4 bytes before i, some perhaps in buf already, are the start
		// block and the header of the next frame.
		h := s.head
		s.keep(part[:i])
		s.trim(4)
		s.Stats.Unended++
		s.emit(f, s.buf, Unended)
		s.state = framed
		s.keep(h[1:4])
		return p[i:]
	}
	if end < 0 {
		s.keep(part)
		return nil
	}
	if s.size == 0 {
		limit := s.limit()
		s.size = int64(len(part))
		s.emit(f, part[:min(len(part), limit)], Ended)
	} else {
		s.keep(part)
		s.emit(f, s.buf, Ended)
	}
	s.state = afterEnd
	return p[end+1:]
}

// restart looks for a start block followed by a header and returns the offset
// after the header, -1 when there is none. Progress is kept over calls.
func (s *Scanner) restart(p []byte) int {
	for i := 0; i < len(p); i++ {
		if s.seen == 0 {
			j := bytes.IndexByte(p[i:], StartBlock)
			if j < 0 {
				return -1
			}
			i += j
			s.head[0], s.seen = StartBlock, 1
			continue
		}
		s.head[s.seen] = p[i]
		s.seen++
		if !headerPrefix(s.head[1:s.seen]) {
			s.seen = 0
			if p[i] == StartBlock {
				s.head[0], s.seen = StartBlock, 1
			}
			continue
		}
		if s.seen == 4 {
			s.seen = 0
			return i + 1
		}
	}
	return -1
}

// inBare reads a bare message up to the next header at the start of a line, or
// to a block character.
func (s *Scanner) inBare(p []byte, f func(Frame)) []byte {
	for i := 0; i < len(p); i++ {
		if s.seen == 0 {
			j := bytes.IndexAny(p[i:], "\r\n\x0b\x1c")
			if j < 0 {
				break
			}
			i += j
		}
		switch c := p[i]; {
		case c == StartBlock, c == EndBlock:
			s.keep(p[:i])
			s.emit(f, s.buf, Ended)
			s.state = between
			if c == EndBlock {
				s.state = afterEnd
				i++
			}
			return p[i:]
		case c == CR || c == '\n':
			s.head[0], s.seen = c, 1
		default:
			s.head[s.seen] = c
			s.seen++
			if !headerPrefix(s.head[1:s.seen]) {
				s.seen = 0
				continue
			}
			// FHS, BHS, MSH may follow each other in one batch: only a new
			// MSH after an MSH is another message. A batch that is sent bare
			// comes out message by message.
			if s.seen == 4 {
				h := s.head
				s.keep(p[:i+1])
				s.trim(3)
				s.emit(f, s.buf, Ended)
				s.state = bare
				s.keep(h[1:4])
				return p[i+1:]
			}
		}
	}
	s.keep(p)
	return nil
}

func (s *Scanner) limit() int {
	if s.Max > 0 {
		return s.Max
	}
	return DefaultMax
}

func (s *Scanner) keep(p []byte) {
	s.size += int64(len(p))
	if room := s.limit() - len(s.buf); room > 0 {
		s.buf = append(s.buf, p[:min(len(p), room)]...)
	}
}

// trim takes the last n bytes off what was kept and counted.
func (s *Scanner) trim(n int64) {
	s.size -= n
	if int64(len(s.buf)) > s.size {
		s.buf = s.buf[:s.size]
	}
}

func (s *Scanner) emit(f func(Frame), head []byte, end End) {
	s.Stats.Frames++
	f(Frame{Head: head, Size: s.size, End: end, Bare: s.state == bare})
	if cap(s.buf) > 64<<10 {
		s.buf = nil // one large message does not cost memory for the rest of the connection
	}
	s.buf = s.buf[:0]
	s.size, s.seen = 0, 0
}

// Flush gives the frame that has begun, as it is. A bare message has no end of
// its own: the peer's answer or the end of the stream is its end.
func (s *Scanner) Flush(f func(Frame), why End) {
	if s.InFrame() && s.size > 0 {
		s.emit(f, s.buf, why)
	}
	s.Stats.Junk += uint64(s.seen)
	s.seen, s.size, s.buf = 0, 0, s.buf[:0]
	s.state = between
}

// Gap tells that bytes are missing here. What was read of the frame is given,
// and the scanner waits for the next one.
func (s *Scanner) Gap(f func(Frame)) { s.Flush(f, Broken) }

// Append appends content as a frame to dst.
func Append(dst, content []byte) []byte {
	dst = append(dst, StartBlock)
	dst = append(dst, content...)
	return append(dst, EndBlock, CR)
}

// Bare reports whether an unframed message has begun and not ended.
func (s *Scanner) Bare() bool { return s.state == bare }
