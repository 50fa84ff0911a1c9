// SPDX-License-Identifier: Apache-2.0

package ul

// Limits bounds a Scanner.
type Limits struct {
	Associate uint32 // bytes of an association PDU, MaxAssociate when 0
	PData     uint32 // bytes of a P-DATA-TF PDU, DefaultPData when 0
}

// DefaultPData is the largest P-DATA-TF PDU that a Scanner follows. Peers that
// negotiate no maximum (PS3.8 §D.1: 0) send whole instances in one PDU. The
// scanner buffers none of it; the limit only tells damage from data.
const DefaultPData = 1 << 30

// EventKind is what a Scanner found.
type EventKind uint8

// The kinds of event.
const (
	// Need: every byte was consumed, and more are needed.
	Need EventKind = iota
	// PDU is a whole association PDU, A-RELEASE or A-ABORT; Event.Body is what
	// follows the header.
	PDU
	// PDataStart is the header of a P-DATA-TF PDU; Event.Length is its length.
	PDataStart
	// PDVStart is the header of a presentation data value. PDVData follows.
	PDVStart
	// PDVData is the next piece of it. The last one has End set; it comes also
	// when the value is empty.
	PDVData
)

// Event is one step through a direction of a connection.
type Event struct {
	Kind   EventKind
	Type   Type
	End    bool   // PDVData: it completes the fragment
	Length uint32 // of the PDU
	PDV    PDV    // PDVStart and PDVData
	Body   []byte // PDU: valid until the next call; PDVData: aliases the input
}

// Scanner splits one direction of a connection into PDUs and PDVs. The zero value
// is ready. It keeps at most Limits.Associate bytes, and those only while an
// association PDU arrives.
type Scanner struct {
	Limits Limits
	// Buffers, when set, are used for association PDUs that arrive in pieces.
	Buffers *Buffers

	off     uint64
	state   scanState
	hdrLen  uint8
	hdr     [6]byte
	typ     Type
	length  uint32 // of the PDU
	pduLeft uint32 // of the PDU, header excluded
	pdvLeft uint32 // of the PDV's fragment
	pdv     PDV
	buf     []byte
	done    []byte // the buffer of the PDU that the last call returned
	err     *Error
}

// Buffers are buffers that scanners of one goroutine use one after another. The
// zero value is ready. At most maxBuffers are kept, of at most maxBuffer bytes.
type Buffers struct{ free [][]byte }

const (
	maxBuffers = 16
	maxBuffer  = 64 << 10
)

func (b *Buffers) take() []byte {
	if b == nil || len(b.free) == 0 {
		return nil
	}
	n := len(b.free) - 1
	buf := b.free[n]
	b.free = b.free[:n]
	return buf[:0]
}

func (b *Buffers) give(buf []byte) {
	if b != nil && cap(buf) > 0 && cap(buf) <= maxBuffer && len(b.free) < maxBuffers {
		clear(buf) // it may have carried a credential
		b.free = append(b.free, buf)
	}
}

type scanState uint8

const (
	scanHeader scanState = iota
	scanBody             // collects a small PDU
	scanPDVHeader
	scanPDVData
	scanFailed
)

// Held returns the bytes kept of an association PDU that is not complete.
func (s *Scanner) Held() int { return len(s.buf) }

// Offset returns how many bytes were consumed or skipped.
func (s *Scanner) Offset() uint64 { return s.off }

// Boundary reports whether the next byte begins a PDU.
func (s *Scanner) Boundary() bool { return s.state == scanHeader && s.hdrLen == 0 }

// Skippable returns how many of the following bytes belong to the current PDV, so
// that the caller may Skip them instead of presenting them.
func (s *Scanner) Skippable() uint32 {
	if s.state != scanPDVData {
		return 0
	}
	return s.pdvLeft
}

// Skip passes over n bytes of the current PDV. Precondition: n <= Skippable().
// When the PDV ends there, Next still returns its last PDVData, empty.
func (s *Scanner) Skip(n uint32) {
	if n > s.Skippable() {
		panic("BUG: Scanner.Skip beyond the PDV")
	}
	s.off += uint64(n)
	s.pdvLeft -= n
	s.pduLeft -= n
}

// Current returns the PDV whose bytes are being read.
func (s *Scanner) Current() (PDV, bool) { return s.pdv, s.state == scanPDVData }

// PDULeft returns how many bytes remain of the P-DATA-TF PDU that is being read,
// 0 outside of one: that far away is the next PDU header.
func (s *Scanner) PDULeft() uint32 {
	if s.state != scanPDVHeader && s.state != scanPDVData {
		return 0
	}
	return s.pduLeft - min(s.pduLeft, uint32(s.hdrLen))
}

// Resume makes the scanner expect a PDU header n bytes further on, after bytes
// were lost. What was collected of a PDU is dropped.
func (s *Scanner) Resume(n uint64) {
	s.off += n
	s.state, s.hdrLen, s.err = scanHeader, 0, nil
	s.pduLeft, s.pdvLeft = 0, 0
	s.Buffers.give(s.buf)
	s.buf = nil
}

// Next reads one step from data and returns it with the number of bytes
// consumed. With Kind Need all of data was consumed. After an error, Next returns
// it until Resume.
func (s *Scanner) Next(data []byte) (Event, int, error) {
	if s.done != nil {
		s.Buffers.give(s.done)
		s.done = nil
	}
	switch s.state {
	case scanHeader:
		return s.header(data)
	case scanBody:
		return s.body(data)
	case scanPDVHeader:
		return s.pdvHeader(data)
	case scanPDVData:
		n := int(min(uint64(len(data)), uint64(s.pdvLeft)))
		if n == 0 && s.pdvLeft > 0 {
			return Event{}, 0, nil
		}
		s.Skip(uint32(n))
		ev := Event{Kind: PDVData, Type: TypePData, Length: s.length, PDV: s.pdv, Body: data[:n:n]}
		if s.pdvLeft == 0 {
			ev.End = true
			s.state = scanPDVHeader
			if s.pduLeft == 0 {
				s.state = scanHeader
			}
		}
		return ev, n, nil
	}
	return Event{}, 0, s.err
}

func (s *Scanner) fill(data []byte) (n int, whole bool) {
	n = copy(s.hdr[s.hdrLen:], data)
	s.hdrLen += uint8(n)
	s.off += uint64(n)
	if s.hdrLen < HeaderSize {
		return n, false
	}
	s.hdrLen = 0
	return n, true
}

func (s *Scanner) header(data []byte) (Event, int, error) {
	n, whole := s.fill(data)
	if !whole {
		return Event{}, n, nil
	}
	h := s.hdr[:]
	s.typ, s.length = Type(h[0]), be32(h[2:])
	associate := s.Limits.Associate
	if associate == 0 {
		associate = MaxAssociate
	}
	pdata := s.Limits.PData
	if pdata == 0 {
		pdata = DefaultPData
	}
	switch s.typ {
	case TypeAssociateRQ, TypeAssociateAC:
		if s.length < fixedSize {
			return Event{}, n, s.fail(ErrLength, "PS3.8 §9.3.2", "shorter than its fixed fields")
		}
		if s.length > associate {
			return Event{}, n, s.fail(ErrLimit, "PS3.8 §9.3.2", "association PDU too long")
		}
	case TypeAssociateRJ, TypeReleaseRQ, TypeReleaseRP, TypeAbort:
		if s.length != 4 {
			return Event{}, n, s.fail(ErrLength, "PS3.8 §9.3.4, §9.3.6 to §9.3.8", "length is not 4")
		}
	case TypePData:
		if s.length < PDVHeaderSize {
			return Event{}, n, s.fail(ErrLength, "PS3.8 §9.3.5", "no room for a presentation data value")
		}
		if s.length > pdata {
			return Event{}, n, s.fail(ErrLimit, "PS3.8 §9.3.5", "P-DATA-TF PDU too long")
		}
		s.pduLeft = s.length
		s.state = scanPDVHeader
		return Event{Kind: PDataStart, Type: s.typ, Length: s.length}, n, nil
	default:
		switch {
		case h[0] == 0x16 && h[1] == 3 && h[2] <= 4:
			return Event{}, n, s.fail(ErrTLS, "RFC 8446 §5.1", "a TLS handshake record on a connection taken for plain DICOM")
		case h[0] == 0x15 && h[1] == 3 && h[2] <= 4:
			return Event{}, n, s.fail(ErrTLS, "RFC 8446 §6", "a TLS alert on a connection taken for plain DICOM")
		case isHTTP(h):
			return Event{}, n, s.fail(ErrHTTP, "RFC 9112 §2", "an HTTP message on a connection taken for DICOM")
		}
		return Event{}, n, s.fail(ErrType, "PS3.8 §9.3.1", "no such PDU type")
	}
	s.state = scanBody
	s.buf = s.buf[:0]
	return s.continueBody(data, n)
}

// continueBody lets a PDU that lies whole in data pass without a copy.
func (s *Scanner) continueBody(data []byte, n int) (Event, int, error) {
	ev, m, err := s.body(data[n:])
	return ev, n + m, err
}

func (s *Scanner) body(data []byte) (Event, int, error) {
	n := min(len(data), int(s.length)-len(s.buf))
	body := data[:n:n]
	s.off += uint64(n)
	if len(s.buf) > 0 || n < int(s.length) {
		if s.buf == nil {
			s.buf = s.Buffers.take()
		}
		s.buf = append(s.buf, body...)
		body = s.buf
	}
	if len(body) < int(s.length) {
		return Event{}, n, nil
	}
	s.state = scanHeader
	s.buf, s.done = nil, s.buf
	return Event{Kind: PDU, Type: s.typ, Length: s.length, Body: body}, n, nil
}

func (s *Scanner) pdvHeader(data []byte) (Event, int, error) {
	if s.hdrLen == 0 && s.pduLeft < PDVHeaderSize {
		return Event{}, 0, s.fail(ErrLength, "PS3.8 §9.3.5", "bytes after the last presentation data value")
	}
	n, whole := s.fill(data)
	if !whole {
		return Event{}, n, nil
	}
	s.pduLeft -= PDVHeaderSize
	l := be32(s.hdr[:])
	if l < 2 || l-2 > s.pduLeft {
		return Event{}, n, s.fail(ErrLength, "PS3.8 §9.3.5.1", "a presentation data value longer than its PDU, or shorter than its header")
	}
	control := s.hdr[5]
	s.pdv = PDV{Context: s.hdr[4], Command: control&1 != 0, Last: control&2 != 0, Length: l - 2}
	s.pdvLeft = l - 2
	s.state = scanPDVData
	return Event{Kind: PDVStart, Type: TypePData, Length: s.length, PDV: s.pdv}, n, nil
}

func (s *Scanner) fail(sentinel error, section, what string) error {
	s.state = scanFailed
	s.err = &Error{PDU: s.typ, Offset: s.off, Section: section, What: what, Err: sentinel}
	return s.err
}

func isHTTP(h []byte) bool {
	switch string(h[:4]) {
	case "GET ", "POST", "PUT ", "HEAD", "HTTP", "OPTI", "DELE", "PRI ":
		return true
	}
	return false
}

func be16(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
