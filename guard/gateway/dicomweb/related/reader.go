// SPDX-License-Identifier: Apache-2.0

package related

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// BufferSize is what a Reader holds of a body.
const BufferSize = 64 << 10

// maxPadding bounds the white space behind a delimiter.
const maxPadding = 64

// What can be wrong with a body. After ErrFraming and errors of the stream no further
// part can be read; after the others the next one can.
var (
	// ErrFraming: delimiters or header fields stand where or as they may not.
	ErrFraming = errors.New("bad multipart framing")
	// ErrParts: there are more parts than may be.
	ErrParts = errors.New("too many parts")
	// ErrTooLarge: a part has more bytes than it may have.
	ErrTooLarge = errors.New("a part is too large")
	// ErrLength: a part has not the length that it says.
	ErrLength = errors.New("a part's Content-Length is wrong")
	// ErrClosed: the Reader was closed.
	ErrClosed = errors.New("the multipart body was closed")
	// ErrEncoding: a part is encoded in a way that is not taken.
	ErrEncoding = errors.New("a part has a transfer or content encoding")
)

// Limits bounds a body. A zero field is that of DefaultLimits.
type Limits struct {
	Parts    int
	Header   int   // bytes of a part's header, its field separators included
	Part     int64 // bytes of a part
	Preamble int   // bytes before the first delimiter
}

// DefaultLimits are generous for real senders.
func DefaultLimits() Limits {
	return Limits{Parts: 10_000, Header: 4 << 10, Part: 4 << 30, Preamble: 4 << 10}
}

// Part is one part. Reading it reads the body; it ends when Next is called.
type Part struct {
	ContentType string // "" when absent
	Location    string // Content-Location
	Length      int64  // as declared, -1 when it is not
	Number      int    // from 1

	r    *Reader
	read int64
	end  error
}

// Reader reads the parts of a body one after the other. It belongs to one goroutine.
type Reader struct {
	src   io.Reader
	l     Limits
	delim []byte // CRLF "--" boundary
	buf   []byte
	r, w  int
	// known bytes from r on hold no beginning of a delimiter; found says that one is complete behind them.
	known int
	found bool
	err   error // of src
	ended bool
	fatal error
	part  *Part
	count int
}

// buffers are used again: requests are many, and each holds one.
var buffers = sync.Pool{New: func() any { b := make([]byte, BufferSize); return &b }}

// Close gives the Reader's buffer back. The Reader and its parts must not be used any more. It does not
// close the source.
func (r *Reader) Close() {
	if r.buf == nil {
		return
	}
	buf := r.buf
	r.buf, r.r, r.w, r.known, r.found, r.fatal = nil, 0, 0, 0, false, ErrClosed
	buffers.Put(&buf)
}

// NewReader reads a body with the given boundary parameter. Close gives its memory back sooner; it is not needed.
func NewReader(src io.Reader, boundary string, l Limits) (*Reader, error) {
	if !validBoundary(boundary) {
		return nil, fmt.Errorf("%w: the boundary is missing or not as RFC 2046 §5.1.1 allows", ErrFraming)
	}
	d := DefaultLimits()
	if l.Parts <= 0 {
		l.Parts = d.Parts
	}
	if l.Header <= 0 {
		l.Header = d.Header
	}
	if l.Part <= 0 {
		l.Part = d.Part
	}
	if l.Preamble <= 0 {
		l.Preamble = d.Preamble
	}
	l.Header = min(l.Header, BufferSize/2)
	r := &Reader{src: src, l: l, delim: []byte("\r\n--" + boundary), buf: *buffers.Get().(*[]byte)}
	// A body may begin with the delimiter, without the CRLF that belongs to it.
	r.w = copy(r.buf, "\r\n")
	return r, nil
}

// Next goes to the next part; what is left of the current one is read over. io.EOF
// means that the body was closed as it should be.
func (r *Reader) Next() (*Part, error) {
	if r.fatal != nil {
		return nil, r.fatal
	}
	if r.ended {
		return nil, io.EOF
	}
	if err := r.passOver(); err != nil {
		return nil, r.fail(err)
	}
	last, err := r.delimiter()
	if err != nil {
		return nil, r.fail(err)
	}
	if last {
		r.ended = true
		return nil, io.EOF
	}
	if r.count++; r.count > r.l.Parts {
		return nil, r.fail(fmt.Errorf("%w: at most %d", ErrParts, r.l.Parts))
	}
	p := &Part{Length: -1, Number: r.count, r: r}
	if err := r.header(p); err != nil {
		return nil, r.fail(err)
	}
	r.part = p
	return p, nil
}

func (r *Reader) fail(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	r.fatal = err
	return err
}

// passOver reads to the next delimiter.
func (r *Reader) passOver() error {
	passed := 0
	for {
		if err := r.seek(); err != nil {
			return err
		}
		r.r += r.known
		passed += r.known
		r.known = 0
		if r.found {
			return nil
		}
		if r.part == nil && passed > r.l.Preamble+2 {
			return fmt.Errorf("%w: no delimiter in the first %d bytes", ErrFraming, r.l.Preamble)
		}
	}
}

// seek looks at the buffered bytes until some of them are known to be content or a delimiter
// is found, and reads more where that needs it.
func (r *Reader) seek() error {
	for r.known == 0 && !r.found {
		b := r.buf[r.r:r.w]
		if i := bytes.Index(b, r.delim[1:]); i >= 0 {
			// Some readers take a line feed alone for the end of a line: what is content to us would be
			// a delimiter to them.
			if i == 0 || b[i-1] != '\r' {
				return fmt.Errorf("%w: the boundary after a line feed alone", ErrFraming)
			}
			r.known, r.found = i-1, true
			return nil
		}
		if n := len(b) - (len(r.delim) - 1); n > 0 {
			// The last bytes may begin a delimiter.
			r.known = n
			return nil
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
	return nil
}

// fill reads at least one more byte.
func (r *Reader) fill() error {
	if r.err != nil {
		return r.err
	}
	if r.w == len(r.buf) || r.r > len(r.buf)/2 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.w:])
		r.w += n
		r.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	r.err = io.ErrNoProgress
	return r.err
}

// need makes sure that n bytes are buffered. Precondition: n <= BufferSize/2.
func (r *Reader) need(n int) error {
	for r.w-r.r < n {
		if err := r.fill(); err != nil {
			return err
		}
	}
	return nil
}

// delimiter reads the delimiter that was found to its end: "--" for the last, then padding
// and CRLF, for which the end of the body is enough behind the last.
func (r *Reader) delimiter() (last bool, err error) {
	r.r += len(r.delim)
	r.found = false
	if err := r.need(2); err != nil {
		return false, err
	}
	if last = string(r.buf[r.r:r.r+2]) == "--"; last {
		r.r += 2
	}
	for range maxPadding {
		err := r.need(2)
		if err != nil && !(last && errors.Is(err, io.EOF)) {
			return false, err
		}
		switch b := r.buf[r.r:r.w]; {
		case len(b) == 0:
			return true, nil
		case b[0] == ' ' || b[0] == '\t':
			r.r++
		case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
			r.r += 2
			return last, nil
		default:
			return false, fmt.Errorf("%w: a line begins with the boundary and goes on", ErrFraming)
		}
	}
	return false, fmt.Errorf("%w: the delimiter is padded too long", ErrFraming)
}

// header reads the header of a part.
func (r *Reader) header(p *Part) error {
	seen := map[string]bool{}
	for left := r.l.Header; ; {
		line, err := r.line(left)
		if err != nil {
			return err
		}
		left -= len(line) + 2
		if len(line) == 0 {
			return r.bodiless()
		}
		name, value, ok := strings.Cut(string(line), ":")
		value = strings.Trim(value, " \t")
		if !ok || !isToken(name, "") || !printable(value) {
			return fmt.Errorf("%w: a header field of part %d", ErrFraming, p.Number)
		}
		name = strings.ToLower(name)
		if seen[name] {
			return fmt.Errorf("%w: a header field of part %d stands twice", ErrFraming, p.Number)
		}
		seen[name] = true
		switch name {
		case "content-type":
			p.ContentType = value
		case "content-location":
			p.Location = value
		case "content-length":
			n, err := strconv.ParseUint(value, 10, 62)
			if err != nil {
				return fmt.Errorf("%w: the Content-Length of part %d", ErrFraming, p.Number)
			}
			p.Length = int64(n)
		case "content-transfer-encoding", "content-encoding":
			switch strings.ToLower(value) {
			case "binary", "8bit", "7bit", "identity", "":
			default:
				p.end = ErrEncoding
			}
		}
	}
}

// bodiless finds the part that has no body, not even an empty one: the CRLF after its header
// is that of the next delimiter (RFC 2046 §5.1.1, body-part).
func (r *Reader) bodiless() error {
	r.r -= 2
	if err := r.need(len(r.delim)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if r.found = bytes.HasPrefix(r.buf[r.r:r.w], r.delim); !r.found {
		r.r += 2
	}
	return nil
}

// line reads a line of a header, without its CRLF. The result is valid until the next read.
func (r *Reader) line(limit int) ([]byte, error) {
	for from := 0; ; {
		b := r.buf[r.r:r.w]
		if i := bytes.Index(b[from:], []byte("\r\n")); i >= 0 && from+i+2 <= limit {
			r.r += from + i + 2
			return b[:from+i], nil
		}
		if len(b) >= limit {
			return nil, fmt.Errorf("%w: the header of a part is longer than %d bytes", ErrFraming, r.l.Header)
		}
		from = max(0, len(b)-1)
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// printable reports text without control characters, which would end the field elsewhere.
func printable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7F {
			return false
		}
	}
	return true
}

// Read implements io.Reader. io.EOF means that the part is complete.
func (p *Part) Read(dst []byte) (int, error) {
	if p.end != nil {
		return 0, p.end
	}
	r := p.r
	if r.part != p {
		return 0, fmt.Errorf("%w: the part has ended", ErrFraming)
	}
	if r.fatal != nil {
		return 0, r.fatal
	}
	if len(dst) == 0 {
		return 0, nil
	}
	if err := r.seek(); err != nil {
		return 0, r.fail(err)
	}
	if r.known == 0 {
		p.end = io.EOF
		if p.Length >= 0 && p.Length != p.read {
			p.end = ErrLength
		}
		return 0, p.end
	}
	n := copy(dst, r.buf[r.r:r.r+r.known])
	r.r += n
	r.known -= n
	if p.read += int64(n); p.read > r.l.Part {
		p.end = fmt.Errorf("%w: at most %d bytes", ErrTooLarge, r.l.Part)
		return n - int(p.read-r.l.Part), p.end
	}
	return n, nil
}
