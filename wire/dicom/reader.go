// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"errors"
	"io"
)

// ReadBuffer is how many bytes a Reader holds.
const ReadBuffer = 32 << 10

// Reader reads the tokens of a data set from a stream: Tokenizer, and Inflater where the
// syntax is deflated, for who would rather pull than push. It holds
// ReadBuffer bytes. Its limits are those of the Tokenizer and of inflation (MaxInflated, MaxInflateRatio).
type Reader struct {
	tok      Tokenizer
	src      io.Reader
	inf      *Inflater
	buf      []byte
	raw      []byte // deflated: read, not yet inflated
	in       []byte // not yet tokenized
	read     uint64 // bytes taken from src
	inflated uint64
	eof      bool
	err      error
}

// NewReader returns a Reader of a data set in syntax s.
func NewReader(src io.Reader, s Syntax, l Limits) *Reader {
	r := &Reader{src: src, buf: make([]byte, ReadBuffer)}
	r.tok.Reset(s, l)
	if s.Deflated {
		r.inf = new(Inflater)
		r.inf.Reset()
	}
	return r
}

// Tokenizer returns the state of reading: offset, flags, parent. Only Next may move it.
func (r *Reader) Tokenizer() *Tokenizer { return &r.tok }

// Next returns the next token. Data of a Value is valid until the next call. io.EOF means that the
// data set ended where it may; every other end is an *Error or an error of the stream.
func (r *Reader) Next() (Token, error) {
	for r.err == nil {
		t, n, err := r.tok.Next(r.in)
		r.in = r.in[n:]
		if err != nil {
			r.err = err
			break
		}
		if t.Kind != None {
			return t, nil
		}
		if err := r.fill(); err != nil {
			r.err = err
			if errors.Is(err, io.EOF) {
				r.err = r.end()
			}
		}
	}
	return Token{}, r.err
}

func (r *Reader) end() error {
	if err := r.tok.End(); err != nil {
		return err
	}
	return io.EOF
}

// fill gets bytes to tokenize. It returns io.EOF when none are left.
func (r *Reader) fill() error {
	if r.inf == nil {
		n, err := r.pull()
		r.in = r.buf[:n]
		return err
	}
	for {
		if len(r.raw) == 0 && !r.eof {
			n, err := r.pull()
			r.raw = r.buf[:n]
			if errors.Is(err, io.EOF) {
				r.eof = true
			} else if err != nil {
				return err
			}
		}
		out, n, err := r.inf.Inflate(r.raw)
		r.raw = r.raw[n:]
		r.inflated += uint64(len(out))
		switch {
		case err != nil:
			return err
		case r.inflated > MaxInflated || r.inflated > inflateRatioFrom && r.inflated/MaxInflateRatio > r.read:
			return &Error{Offset: r.tok.off, Section: "PS3.5 §A.5", What: "the data set inflates beyond bounds", Err: ErrLimit}
		case len(out) > 0:
			r.in = out
			return nil
		case len(r.raw) == 0 && r.eof && !r.inf.Done():
			return &Error{Offset: r.tok.off, Section: "RFC 1951 §3.2.3", What: "the deflated bytes end before the last block", Err: ErrTruncated}
		case len(r.raw) == 0 && r.eof, r.inf.Done():
			return io.EOF
		}
	}
}

// pull reads at least one byte, or gives an error.
func (r *Reader) pull() (int, error) {
	for range 100 { // io.Reader discourages, but allows, (0, nil)
		n, err := r.src.Read(r.buf)
		if n > 0 {
			r.read += uint64(n)
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// Value collects the value of the Element or Fragment token that Next has just returned,
// at most limit bytes of it; the rest is passed over.
func (r *Reader) Value(limit int) ([]byte, error) {
	var v []byte
	for {
		t, err := r.Next()
		if err != nil {
			return v, err
		}
		if t.Kind != Value {
			return v, &Error{Offset: t.Offset, Tag: t.Tag, Section: "PS3.5 §7.1.1", What: "no value follows", Err: ErrStructure}
		}
		v = append(v, t.Data[:min(len(t.Data), limit-len(v))]...)
		if t.Last {
			return v, nil
		}
	}
}
