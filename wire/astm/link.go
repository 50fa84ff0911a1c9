// SPDX-License-Identifier: Apache-2.0

// Package astm reads what clinical laboratory instruments and information
// systems say to each other: the link layer of ASTM E1381 (CLSI LIS01-A2) and
// the records of ASTM E1394 (CLSI LIS02-A2, "LIS2-A2").
//
// # Link layer
//
// Link finds, in one direction of a connection, the control characters ENQ,
// ACK, NAK and EOT and the frames STX number text ETB|ETX checksum CR LF
// (LIS01-A2 §6.3). It verifies checksums and puts the frames of a message
// together: a frame that ends with ETB is continued by the next; a frame with
// the number of the one before it was sent again and replaces it.
//
// # Records
//
// A message is a sequence of records ended by CR, from H to L, whose delimiters
// the header record declares (LIS02-A2 §5.4). Message gives views, as package
// hl7 does. Records sent over TCP without the link layer are read as well.
//
// # Limits
//
// MaxFrame bytes of text a frame (LIS01-A2 allows 63 993), MaxMessage bytes a
// message; beyond, a frame or message is counted and its text is not kept.
// MaxRecords records a message, MaxFields fields a record.
//
// # What is not done
//
// No timers, so contention and time-outs are not seen. The low-level half of
// E1381 (RS-232) does not occur on a network.
package astm

// Control characters of the link layer.
const (
	STX = 0x02
	ETX = 0x03
	EOT = 0x04
	ENQ = 0x05
	ACK = 0x06
	NAK = 0x15
	ETB = 0x17
)

// The limits.
const (
	MaxFrame   = 64 << 10
	MaxMessage = 256 << 10
	MaxRecords = 4096
	MaxFields  = 128
)

// Kind says what a Link found.
type Kind uint8

// The kinds of Item. A Message follows the last frame of a message.
const (
	Control Kind = iota // ENQ, ACK, NAK, EOT: see Item.Byte
	Frame
	MessageEnd
)

// Item is one thing found on the link.
type Item struct {
	Kind       Kind
	Byte       byte   // the control character
	Number     byte   // frame number, '0' to '7'
	Final      bool   // the frame ended with ETX
	ChecksumOK bool   // of the frame
	Again      bool   // the frame was sent again
	Text       []byte // of the frame or message; valid during the call
	Truncated  bool   // the text is longer than the bound, or a frame of the message was bad
	Frames     int    // of the message
}

// Link reads one direction. The zero Link is ready.
type Link struct {
	Junk uint64 // bytes outside of frames that are no control characters

	state  linkState
	number byte
	end    byte
	sum    byte
	check  byte
	okSum  bool

	frame   []byte
	long    bool
	message []byte // complete frames so far
	keep    int    // length of message before the last frame, to replace it
	last    byte   // number of the last frame, 0 when none
	frames  int
	bad     bool
}

type linkState uint8

const (
	idle linkState = iota
	number
	body
	sum1
	sum2
)

// Write reads the next bytes and calls f for what is found. The result does
// not depend on how the stream is cut.
func (l *Link) Write(p []byte, f func(Item)) {
	for _, c := range p {
		switch l.state {
		case idle:
			switch c {
			case ENQ, EOT:
				l.flush(f)
				f(Item{Kind: Control, Byte: c})
			case ACK, NAK:
				f(Item{Kind: Control, Byte: c})
			case STX:
				l.state, l.sum, l.long, l.frame = number, 0, false, l.frame[:0]
			case '\r', '\n':
			default:
				l.Junk++
			}
		case number:
			l.number = c
			l.sum = c
			l.state = body
			if c < '0' || c > '7' {
				l.state = idle
				l.Junk += 2
			}
		case body:
			switch c {
			case ETX, ETB:
				l.sum += c
				l.end = c
				l.state = sum1
			case STX: // the frame was abandoned and sent again
				l.bad = true
				l.state, l.sum, l.long, l.frame = number, 0, false, l.frame[:0]
			case ENQ, EOT:
				l.bad = true
				l.state = idle
				l.flush(f)
				f(Item{Kind: Control, Byte: c})
			default:
				l.sum += c
				if len(l.frame) < MaxFrame {
					l.frame = append(l.frame, c)
				} else {
					l.long = true
				}
			}
		case sum1:
			d, ok := unhex(c)
			l.check, l.okSum = d<<4, ok
			l.state = sum2
		case sum2:
			d, ok := unhex(c)
			l.okSum = l.okSum && ok && l.check|d == l.sum
			l.state = idle
			l.endFrame(f)
		}
	}
}

func (l *Link) endFrame(f func(Item)) {
	again := l.frames > 0 && l.number == l.last
	f(Item{Kind: Frame, Number: l.number, Final: l.end == ETX, ChecksumOK: l.okSum, Again: again, Text: l.frame, Truncated: l.long})
	if !l.okSum {
		return // the receiver refuses it; it is sent again
	}
	if again {
		l.message = l.message[:l.keep]
		l.frames--
	}
	l.keep = len(l.message)
	l.last = l.number
	l.frames++
	l.bad = l.bad || l.long
	if room := MaxMessage - len(l.message); room > 0 {
		if len(l.frame) > room {
			l.bad = true
		}
		l.message = append(l.message, l.frame[:min(len(l.frame), room)]...)
	} else {
		l.bad = true
	}
}

// flush gives the message that the frames since ENQ made up. LIS01-A2 ends a
// message's transfer with EOT.
func (l *Link) flush(f func(Item)) {
	if l.frames > 0 {
		f(Item{Kind: MessageEnd, Text: l.message, Truncated: l.bad, Frames: l.frames})
	}
	if cap(l.message) > 32<<10 {
		l.message = nil
	}
	if cap(l.frame) > 4<<10 {
		l.frame = nil
	}
	l.message, l.frame = l.message[:0], l.frame[:0]
	l.frames, l.keep, l.last, l.bad = 0, 0, 0, false
}

// Close gives what was not ended: the stream ended, or bytes are missing.
func (l *Link) Close(f func(Item)) {
	if l.state != idle {
		l.bad = true
	}
	l.state = idle
	l.flush(f)
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// AppendFrame appends a frame to dst.
func AppendFrame(dst []byte, num byte, text []byte, final bool) []byte {
	const hex = "0123456789ABCDEF"
	end := byte(ETB)
	if final {
		end = ETX
	}
	n := '0' + num%8
	sum := n + end
	dst = append(dst, STX, n)
	for _, c := range text {
		sum += c
	}
	dst = append(dst, text...)
	return append(dst, end, hex[sum>>4], hex[sum&15], '\r', '\n')
}
