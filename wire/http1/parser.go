// SPDX-License-Identifier: Apache-2.0

package http1

import "bytes"

// Event is what Parser.Next found.
type Event uint8

const (
	// None: all bytes were consumed, nothing is complete.
	None Event = iota
	// GotHead: Head returns a complete head. Its body, if any, follows.
	GotHead
	// GotMessage: the message is complete. Head, Body and Length tell of it.
	GotMessage
	// GotTunnel: what follows is another protocol (101, or 2xx to CONNECT).
	// Nothing of it was consumed.
	GotTunnel
)

type state uint8

const (
	atStart state = iota
	inHead
	headDone
	inFixed
	inChunkSize
	inChunk
	afterChunk
	inTrailer
	untilClose
	messageDone
	inTunnel
	lost // looking for a start line after a gap
)

// Parser reads one direction. Set Response and, where it applies, Protocol and
// RequestMethod before the first call.
type Parser struct {
	// Response says that this direction carries responses.
	Response bool
	// Protocol is the word in front of the version: "HTTP" when empty, "RTSP", "SIP".
	Protocol string
	// RequestMethod returns the method that the response whose head was just
	// read answers, "" when unknown. It is asked once for every response that
	// is not 1xx.
	RequestMethod func() string
	// Either accepts requests and responses in this direction (RTSP, SIP);
	// Response then says what the current message is.
	Either bool
	// Interleaved accepts RTSP's binary frames between messages (RFC 2326
	// §10.12): they are skipped and counted.
	Interleaved bool
	Frames      int // interleaved frames skipped
	FrameBytes  int64
	// Bodies, when set, lend the room in which bodies are kept. Who has done
	// with a Body gives it back; one that is not given back is the caller's.
	Bodies *Bodies

	state     state
	head      Head
	line      []byte // a line that has begun
	long      bool   // line was cut at MaxLine
	kept      int    // bytes of fields kept
	text      []byte // values of the head's fields
	ends      []int  // of each of them in text
	kind      bodyKind
	left      int64
	body      []byte
	length    int64
	discarded int
	holed     bool // the body has a hole: keep no more of it
	frame     [4]byte
	nframe    int
}

func (p *Parser) protocol() string {
	if p.Protocol == "" {
		return "HTTP"
	}
	return p.Protocol
}

// Head returns the head of the current message. It is replaced, not
// overwritten, by the next one.
func (p *Parser) Head() *Head {
	p.settle()
	h := p.head
	return &h
}

// Current is Head for who looks at it before the next call of Next only. Its
// fields may be kept.
func (p *Parser) Current() *Head {
	p.settle()
	return &p.head
}

// Body returns the first KeepBody bytes of the body of the message that is
// complete or being read. The slice is never written again after GotMessage.
func (p *Parser) Body() []byte { return p.body }

// Held returns the bytes kept of the message being read.
func (p *Parser) Held() int { return len(p.line) + p.kept + len(p.body) }

// Length returns how many bytes of body there have been, transfer coding not
// counted.
func (p *Parser) Length() int64 { return p.length }

// Idle reports that no message has begun.
func (p *Parser) Idle() bool {
	return p.state == atStart && len(p.line) == 0 && p.nframe == 0 || p.state == messageDone || p.state == lost
}

// Until reports that the current body ends only with the connection.
func (p *Parser) Until() bool { return p.state == untilClose }

// Lost tells that n bytes after all given so far will never come. It reports
// whether the message being read survives: a hole within a body does no harm.
// Otherwise reading goes on at the next line that looks like a start line.
func (p *Parser) Lost(n int64) bool {
	switch p.state {
	case inFixed, inChunk:
		if p.left >= n {
			p.left -= n
			p.length += n
			p.holed = true
			return true
		}
	case untilClose:
		p.length += n
		p.holed = true
		return true
	}
	p.reset()
	p.state = lost
	return false
}

// Reset makes the parser ready for another stream of the same kind.
func (p *Parser) Reset() {
	p.reset()
	p.Frames, p.FrameBytes = 0, 0
	if cap(p.line) > idleRoom {
		p.line = nil
	}
}

func (p *Parser) reset() {
	p.state = atStart
	p.head = Head{}
	p.line, p.long, p.kept = p.line[:0], false, 0
	p.text, p.ends = p.text[:0], p.ends[:0]
	p.body, p.length, p.left = nil, 0, 0
	p.discarded, p.nframe, p.holed = 0, 0, false
}

// Next reads from data until something is complete. It returns how many bytes
// were consumed; n exceeds len(data) when the rest of a body is of no interest.
// Call it again with what remains, if need be nothing, until it returns None.
func (p *Parser) Next(data []byte) (n int64, ev Event, err error) {
	given := len(data)
	used := func() int64 { return int64(given - len(data)) }
	for {
		switch p.state {
		case messageDone:
			p.reset()
		case headDone:
			if ev := p.beginBody(); ev != None {
				return used(), ev, nil
			}
		case inTunnel:
			return used(), GotTunnel, nil
		case inFixed, inChunk:
			if p.left == 0 {
				if p.state == inFixed {
					p.state = messageDone
					return used(), GotMessage, nil
				}
				p.state = afterChunk
				continue
			}
			if len(data) == 0 {
				return used(), None, nil
			}
			k := int(min(p.left, int64(len(data))))
			p.keep(data[:k])
			data = data[k:]
			p.left -= int64(k)
			if p.left > 0 && (len(p.body) == KeepBody || p.holed) {
				over := p.left
				p.length += over
				p.left = 0
				if p.state == inFixed {
					p.state = messageDone
					return int64(given) + over, GotMessage, nil
				}
				return int64(given) + over, None, nil
			}
		case untilClose:
			p.keep(data)
			return int64(given), None, nil
		default:
			if p.Interleaved && (p.nframe > 0 || len(data) > 0 && p.state == atStart && len(p.line) == 0 && data[0] == '$') {
				k := copy(p.frame[p.nframe:], data)
				p.nframe += k
				data = data[k:]
				if p.nframe < 4 {
					return used(), None, nil
				}
				size := int64(p.frame[2])<<8 | int64(p.frame[3])
				p.nframe = 0
				p.Frames++
				p.FrameBytes += size
				k = int(min(size, int64(len(data))))
				data = data[k:]
				if over := size - int64(k); over > 0 {
					return int64(given) + over, None, nil
				}
				continue
			}
			line, k, ok := p.readLine(data)
			data = data[k:]
			if !ok {
				if p.state == atStart && p.hopeless() {
					return used(), None, ErrNotHTTP
				}
				if p.head.Size > 16*MaxHead || p.discarded > 1<<20 || p.long && (p.state == inChunkSize || p.state == afterChunk) {
					return used(), None, ErrTooLarge
				}
				return used(), None, nil
			}
			ev, err := p.takeLine(line)
			p.line, p.long = p.line[:0], false
			if ev != None || err != nil {
				return used(), ev, err
			}
		}
	}
}

// Close tells that the direction ended. It returns GotMessage when a body that
// lasts until close is thereby complete.
func (p *Parser) Close() Event {
	if p.state == untilClose || p.state == inFixed && p.left == 0 {
		p.state = messageDone
		return GotMessage
	}
	return None
}

// hopeless reports that the beginning of a start line can become none.
func (p *Parser) hopeless() bool {
	if len(p.line) >= MaxLine {
		return true
	}
	if string(p.line) == "\r" { // half of an empty line
		return false
	}
	if p.Response || p.Either {
		proto := p.protocol()
		n := min(len(p.line), len(proto))
		response := string(p.line[:n]) == proto[:n]
		if response || !p.Either {
			return !response
		}
	}
	for i, c := range p.line {
		if c == ' ' {
			return i == 0
		}
		if i >= 24 || (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '\r' {
			return true
		}
	}
	return false
}

// readLine returns a whole line without its end. The line is valid until the
// next call.
func (p *Parser) readLine(data []byte) (line []byte, n int, ok bool) {
	i := bytes.IndexByte(data, '\n')
	counted := p.state != inChunkSize && p.state != afterChunk
	if i < 0 {
		if counted {
			p.head.Size += len(data)
		}
		k := min(len(data), MaxLine-len(p.line))
		p.line = append(p.line, data[:k]...)
		p.long = p.long || k < len(data)
		return nil, len(data), false
	}
	if counted {
		p.head.Size += i + 1
	}
	line = data[:i]
	if len(p.line) > 0 || p.long {
		k := min(i, MaxLine-len(p.line))
		p.long = p.long || k < i
		p.line = append(p.line, data[:k]...)
		line = p.line
	} else if i > MaxLine {
		line, p.long = line[:MaxLine], true
	}
	if p.long {
		p.head.Anomalies |= TruncatedHead
	} else if m := len(line); m > 0 && line[m-1] == '\r' {
		line = line[:m-1]
	} else {
		p.head.Anomalies |= BareLF
	}
	return line, i + 1, true
}

func (p *Parser) start(line []byte) (Head, bool) {
	if !p.Either {
		return startLine(line, p.protocol(), p.Response)
	}
	h, ok := startLine(line, p.protocol(), true)
	p.Response = ok
	if !ok {
		h, ok = startLine(line, p.protocol(), false)
	}
	return h, ok
}

func (p *Parser) takeLine(line []byte) (Event, error) {
	switch p.state {
	case atStart:
		if len(line) == 0 { // RFC 9112 §2.2: an empty line before a request
			if p.Either { // keep-alives of SIP (RFC 5626 §3.5.1)
				p.head = Head{}
			}
			if p.head.Size > 64 {
				return None, ErrNotHTTP
			}
			return None, nil
		}
		h, ok := p.start(line)
		if !ok {
			return None, ErrNotHTTP
		}
		h.Size, h.Anomalies = p.head.Size, p.head.Anomalies
		p.head = h
		p.state = inHead
	case lost:
		p.discarded += len(line) + 1
		size := len(line) + 2
		if h, ok := p.start(line); ok {
			h.Size = size
			p.head = h
			p.state = inHead
			return None, nil
		}
		p.head = Head{}
		if p.discarded > 1<<20 {
			return None, ErrTooLarge
		}
	case inHead:
		if len(line) == 0 {
			p.state = headDone
			p.settle()
			return GotHead, nil
		}
		if p.head.Size > 16*MaxHead {
			return None, ErrTooLarge
		}
		if bytes.IndexByte(line, 0) >= 0 {
			p.head.Anomalies |= NulByte
		}
		if bytes.IndexByte(line, '\r') >= 0 {
			p.head.Anomalies |= BareCR
		}
		p.field(line)
	case inChunkSize:
		return None, p.chunkSize(line)
	case afterChunk:
		if len(line) != 0 {
			p.head.Anomalies |= BadChunk
		}
		p.state = inChunkSize
	case inTrailer:
		if len(line) == 0 {
			p.state = messageDone
			return GotMessage, nil
		}
		if p.head.Size > 16*MaxHead {
			return None, ErrTooLarge
		}
	}
	return None, nil
}

func (p *Parser) beginBody() Event {
	request := ""
	if p.Response && p.head.Status/100 != 1 && p.RequestMethod != nil {
		request = p.RequestMethod()
	}
	p.kind, p.left = p.framing(request)
	switch p.kind {
	case bodyNone:
		p.state = messageDone
		return GotMessage
	case bodyFixed:
		p.state = inFixed
	case bodyChunked:
		p.state = inChunkSize
	case bodyUntilClose:
		p.state = untilClose
	case bodyTunnel:
		p.state = inTunnel
	}
	return None
}

// chunkSize reads "1a3;name=value" (RFC 9112 §7.1).
func (p *Parser) chunkSize(line []byte) error {
	size, _, _ := bytes.Cut(line, []byte{';'})
	trimmed := bytes.TrimSpace(size)
	if len(trimmed) != len(size) && len(bytes.TrimRight(size, " \t")) != len(trimmed) {
		p.head.Anomalies |= BadChunk
	}
	var n int64
	for _, c := range trimmed {
		var d int64
		switch {
		case c >= '0' && c <= '9':
			d = int64(c - '0')
		case c >= 'a' && c <= 'f':
			d = int64(c-'a') + 10
		case c >= 'A' && c <= 'F':
			d = int64(c-'A') + 10
		default:
			d = -1
		}
		if d < 0 || n > 1<<48 {
			p.head.Anomalies |= BadChunk
			return ErrNotHTTP
		}
		n = n<<4 | d
	}
	if len(trimmed) == 0 {
		p.head.Anomalies |= BadChunk
		return ErrNotHTTP
	}
	if n == 0 {
		p.state = inTrailer
		return nil
	}
	p.state, p.left = inChunk, n
	return nil
}

func (p *Parser) keep(b []byte) {
	p.length += int64(len(b))
	if k := min(len(b), KeepBody-len(p.body)); k > 0 && !p.holed {
		if p.body == nil {
			p.body = p.Bodies.take()
		}
		p.body = append(p.body, b[:k]...)
	}
}
