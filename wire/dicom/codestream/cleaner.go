// SPDX-License-Identifier: Apache-2.0

package codestream

import (
	"bytes"
	"errors"
	"fmt"
)

// Family is how the streams of a transfer syntax are followed.
type Family uint8

// The families.
const (
	// Unknown: no syntax with fragments, all of which are refused.
	Unknown Family = iota
	// Bare: nothing but coded samples (RLE, deflated frames, frames as they are). There is nothing to look for.
	Bare
	JPEG     // JPEG and JPEG-LS
	JPEG2000 // JPEG 2000 and HTJ2K
	JPEGXL
	MPEG2
	AVC
	HEVC
)

// FamilyOf returns the family of a transfer syntax.
func FamilyOf(transferSyntax string) Family {
	const root = "1.2.840.10008.1.2."
	if len(transferSyntax) < len(root) || transferSyntax[:len(root)] != root {
		return Unknown
	}
	switch s := transferSyntax[len(root):]; s {
	case "5", "1.98", "8.1":
		return Bare
	case "4.50", "4.51", "4.52", "4.53", "4.54", "4.55", "4.56", "4.57", "4.58", "4.59", "4.60", "4.61", "4.62", "4.63", "4.64", "4.65", "4.66", "4.70", "4.80", "4.81":
		return JPEG
	case "4.90", "4.91", "4.92", "4.93", "4.201", "4.202", "4.203":
		return JPEG2000
	case "4.110", "4.111", "4.112":
		return JPEGXL
	case "4.100", "4.101", "4.100.1", "4.101.1":
		return MPEG2
	case "4.102", "4.103", "4.104", "4.105", "4.106", "4.102.1", "4.103.1", "4.104.1", "4.105.1", "4.106.1":
		return AVC
	case "4.107", "4.108":
		return HEVC
	}
	return Unknown
}

// What is wrong with a stream. An *Error wraps one of these.
var (
	// ErrForeign: the stream is none of its family.
	ErrForeign = errors.New("another kind of stream")
	// ErrBroken: the stream contradicts itself or its standard, so that it cannot be followed.
	ErrBroken = errors.New("a broken stream")
	// ErrCut: the stream ends where it may not.
	ErrCut = errors.New("a stream that is cut")
	// ErrUserData: the stream holds what cannot be blanked.
	ErrUserData = errors.New("user data in the stream")
)

// Error is why a stream cannot be cleaned. It holds no byte of it.
type Error struct {
	What string
	Err  error // one of the sentinels
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%v: %s", e.Err, e.What) }

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

func broken(what string) error  { return &Error{What: what, Err: ErrBroken} }
func cut(what string) error     { return &Error{What: what, Err: ErrCut} }
func foreign(what string) error { return &Error{What: what, Err: ErrForeign} }

// Cleaner follows the frames of one encapsulated pixel data, fragment by fragment. It must not be copied.
type Cleaner struct {
	report
	walk  walker // nil where the family is not known
	begun bool   // a fragment, of which no byte was seen
	seen  bool   // a byte
	err   error
}

// report is what a walker has found so far.
type report struct {
	declared int64 // frames, by the header of the instance
	frames   int64 // begun
	blanked  bool  // a byte that was not zero became zero
	lost     bool  // what was blanked behind the end of a frame was no padding
	doubt    bool  // the frame has ended in a way that allows for nothing but padding behind it
}

// walker follows the frames of a family. walk is given the bytes in order, at least one, and may blank some of them; fragment is called before the first of each
// fragment that has any; end after the last.
type walker interface {
	fragment() error
	walk(p []byte) error
	end() error
}

// New returns a Cleaner. frames is how many the instance says it has (0028,0008); less than 1 is 1.
func New(f Family, frames int64) *Cleaner {
	c := &Cleaner{report: report{declared: max(1, frames)}}
	c.walk = f.walker(&c.report)
	return c
}

func (f Family) walker(r *report) walker {
	switch f {
	case JPEG:
		return &jpeg{report: r}
	case JPEG2000:
		return &jp2{report: r}
	case JPEGXL:
		return &jxl{report: r}
	case MPEG2, AVC, HEVC:
		return &video{report: r, family: f}
	case Bare:
		return bare{}
	}
	return nil
}

// Fragment tells that what is given to Clean from here on is of the next fragment. The basic offset table is none.
func (c *Cleaner) Fragment() { c.begun = true }

// Clean blanks what must go of the next bytes, in place. After an error every further call blanks all and gives the same error.
func (c *Cleaner) Clean(p []byte) error {
	if c.err == nil && len(p) > 0 {
		c.err = c.clean(p)
	}
	if c.err != nil {
		clear(p)
	}
	return c.err
}

func (c *Cleaner) clean(p []byte) error {
	if c.walk == nil {
		return foreign("its transfer syntax knows no fragments")
	}
	if c.begun {
		c.begun = false
		if err := c.walk.fragment(); err != nil {
			return err
		}
	}
	c.seen = true
	return c.walk.walk(p)
}

// End tells that there are no more fragments, and says whether all of it was followed to an end.
func (c *Cleaner) End() error {
	if c.err == nil && c.seen {
		c.err = c.walk.end()
	}
	return c.err
}

// Blanked reports that something was there to blank.
func (c *Cleaner) Blanked() bool { return c.blanked }

// blank blanks bytes that must go.
func (r *report) blank(p []byte) {
	if !r.blanked {
		r.blanked = len(bytes.Trim(p, "\x00")) > 0
	}
	clear(p)
}

// behind blanks bytes behind the end of a frame, but for padding of zeros and ones.
func (r *report) behind(p []byte) error {
	for i, b := range p {
		switch {
		case b == 0 || b == 0xFF:
		case r.doubt:
			return broken("its coded data is not as long as it says")
		default:
			p[i], r.blanked, r.lost = 0, true, true
		}
	}
	return nil
}

// complete says whether the frames that were found may be all that there are. Where something that was no padding stood behind a frame,
// or a frame was cut, it could have been others.
func (r *report) complete(whole bool) error {
	if (!whole || r.lost) && r.frames < r.declared {
		return broken("it has fewer frames than its header counts")
	}
	return nil
}

// bare passes everything.
type bare struct{}

func (bare) fragment() error     { return nil }
func (bare) walk(_ []byte) error { return nil }
func (bare) end() error          { return nil }
