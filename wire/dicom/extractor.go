// SPDX-License-Identifier: Apache-2.0

package dicom

import "math"

// MaxKeep is the most bytes of one value that an Extractor hands out.
const MaxKeep = 4096

// Bounds of inflation (PS3.5 §A.5). Blank images deflate about 1000:1, so the
// ratio counts only beyond a size at which a whole image has gone by.
const (
	MaxInflated      = 1 << 30
	MaxInflateRatio  = 200
	inflateRatioFrom = 16 << 20
)

// Visitor receives what an Extractor reads. Parent is the tag of the innermost
// sequence around the token, 0 at the top.
type Visitor interface {
	// Header is called for each Element, Fragment, SequenceStart, ItemStart and
	// FragmentsStart. For Element and Fragment it returns how many leading bytes
	// of the value it wants to see, at most MaxKeep; 0 for none.
	Header(t *Token, parent Tag) (keep int)
	// Value is called for each value that was asked for, once its leading bytes
	// are there: min(keep, t.Length) of them, none for an empty value. value is
	// valid during the call.
	Value(t *Token, parent Tag, value []byte)
}

// Extractor reads a data set that arrives in pieces and calls a Visitor. What the
// visitor sees does not depend on how the bytes were cut. It keeps at most
// MaxKeep bytes and, for deflated transfer syntaxes, one Inflater.
type Extractor struct {
	tok      Tokenizer
	inf      *Inflater
	visitor  Visitor
	deflated bool
	stopped  bool
	want     int // bytes of the current value that the visitor still waits for; -1 when none
	current  Token
	parent   Tag
	in, out  uint64 // bytes before and after inflation
	err      error
	kept     []byte
}

// Reset makes the extractor ready for the first byte of a data set.
func (x *Extractor) Reset(s Syntax, l Limits, v Visitor) {
	x.tok.Reset(s, l)
	x.visitor, x.deflated, x.stopped, x.want, x.err = v, s.Deflated, false, -1, nil
	x.in, x.out = 0, 0
	x.kept = x.kept[:0]
	if s.Deflated {
		if x.inf == nil {
			x.inf = new(Inflater)
		}
		x.inf.Reset()
	}
}

// Stop makes the extractor ignore the rest of the data set.
func (x *Extractor) Stop() { x.stopped = true }

// Flags returns what was seen so far that PS3.5 forbids.
func (x *Extractor) Flags() Flags { return x.tok.Flags() }

// Tokenizer returns the state of reading.
func (x *Extractor) Tokenizer() *Tokenizer { return &x.tok }

// Err returns the error that ended reading, nil when there is none.
func (x *Extractor) Err() error { return x.err }

// Skippable returns how many of the following bytes of the data set, as
// transferred, need not be given to Feed.
func (x *Extractor) Skippable() uint64 {
	switch {
	case x.stopped || x.err != nil:
		return math.MaxUint64
	case x.deflated || x.want >= 0:
		return 0
	}
	return x.tok.Skippable()
}

// Skip passes over n bytes. Precondition: n <= Skippable().
func (x *Extractor) Skip(n uint64) {
	if x.stopped || x.err != nil {
		return
	}
	x.tok.Skip(n)
}

// Feed reads the next bytes of the data set, as transferred. It always consumes
// all of them. After an error the rest is ignored.
func (x *Extractor) Feed(data []byte) error {
	if x.stopped || x.err != nil {
		return x.err
	}
	if !x.deflated {
		return x.feed(data)
	}
	x.in += uint64(len(data))
	for {
		out, n, err := x.inf.Inflate(data)
		data = data[n:]
		x.out += uint64(len(out))
		if len(out) > 0 {
			if ferr := x.feed(out); ferr != nil || x.stopped {
				return ferr
			}
		}
		if err == nil && (x.out > MaxInflated || x.out > inflateRatioFrom && x.out/MaxInflateRatio > x.in) {
			err = &Error{Offset: x.tok.off, Section: "PS3.5 §A.5", What: "the data set inflates beyond bounds", Err: ErrLimit}
		}
		if err != nil {
			x.err = err
			return err
		}
		if len(data) == 0 && len(out) == 0 {
			return nil
		}
	}
}

// End tells that the data set ends here and reports whether it may.
func (x *Extractor) End() error {
	switch {
	case x.stopped || x.err != nil:
		return x.err
	case x.deflated && !x.inf.Done():
		x.err = &Error{Offset: x.tok.off, Section: "RFC 1951 §3.2.3", What: "the deflated bytes end before the last block", Err: ErrTruncated}
	default:
		x.err = x.tok.End()
	}
	return x.err
}

func (x *Extractor) feed(data []byte) error {
	for !x.stopped {
		tok, n, err := x.tok.Next(data)
		if err != nil {
			x.err = err
			return err
		}
		data = data[n:]
		switch tok.Kind {
		case None:
			return nil
		case Element, Fragment:
			x.current, x.parent = tok, x.tok.Parent()
			x.kept, x.want = x.kept[:0], -1
			if keep := x.visitor.Header(&x.current, x.parent); keep > 0 {
				x.want = int(min(uint32(min(keep, MaxKeep)), tok.Length))
			}
		case Value:
			if x.want >= 0 {
				x.keep(tok.Data)
			}
		case SequenceStart, FragmentsStart, ItemStart:
			x.current, x.parent = tok, x.tok.Parent()
			x.visitor.Header(&x.current, x.parent)
		}
	}
	return nil
}

// keep collects the leading bytes of a value and hands them over when they are
// all there.
func (x *Extractor) keep(data []byte) {
	value := data[:min(len(data), x.want-len(x.kept))]
	if len(x.kept) > 0 || len(value) < x.want {
		x.kept = append(x.kept, value...)
		value = x.kept
	}
	if len(value) < x.want {
		return
	}
	x.want = -1
	x.visitor.Value(&x.current, x.parent, value)
}
