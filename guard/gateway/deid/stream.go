// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"errors"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/codestream"
)

const ruleStream = "beyond the table: what a compressed stream says beside its image"

// stream passes pixel data and blanks what it says beside the image.
type stream struct {
	x         *run
	c         *codestream.Cleaner // nil where all passes as it is
	fragments int
	size      uint64 // of the fragments behind the table, with their headers
	last      uint32 // offset in the table
}

// stream returns what passes pixel data. A syntax in which nothing can be but samples has nothing to blank.
func (x *run) stream() *stream {
	s := &stream{x: x}
	if f := codestream.FamilyOf(x.altered.TransferSyntax); x.p.cfg.StreamMetadata != "keep" && f != codestream.Bare {
		s.c = codestream.New(f, x.image.frames)
	}
	return s
}

// fragment passes the value of one fragment.
func (s *stream) fragment(t *dicom.Token) error {
	s.fragments++
	switch {
	case t.Length == 0:
		return nil
	case s.c == nil:
		return s.x.pass(nil)
	case s.fragments == 1:
		return unclean(s.table(t))
	}
	s.size += 8 + uint64(t.Length)
	return s.value()
}

// value passes a value that is a part of a stream, or all of it.
func (s *stream) value() error {
	if s.c == nil {
		return s.x.pass(nil)
	}
	s.c.Fragment()
	return unclean(s.x.pass(func(_ uint64, piece []byte) error { return s.c.Clean(piece) }))
}

var errNoTable = &codestream.Error{What: "its first fragment is no table of offsets", Err: codestream.ErrBroken}

// table passes the first fragment, which must be a basic offset table (PS3.5 §A.4). It stays true, because streams stay as long as they are. Of a device that leaves
// it out it is a frame, or a part of one.
func (s *stream) table(t *dicom.Token) error {
	if t.Length%4 != 0 {
		return errNoTable
	}
	var entry uint32
	return s.x.pass(func(off uint64, piece []byte) error {
		for i, b := range piece {
			at := off + uint64(i)
			if entry = entry>>8 | uint32(b)<<24; at%4 != 3 {
				continue
			}
			if at == 3 && entry != 0 || at > 3 && entry <= s.last {
				return errNoTable
			}
			s.last = entry
		}
		return nil
	})
}

// end notes what was blanked, or refuses a stream that did not come to its end.
func (s *stream) end(t *dicom.Token) error {
	if s.c == nil {
		return nil
	}
	if err := s.c.End(); err != nil {
		return unclean(err)
	}
	if s.last > 0 && uint64(s.last) >= s.size {
		return unclean(errNoTable)
	}
	if s.c.Blanked() {
		s.x.note(t.Tag, "blanked", ruleStream)
	}
	return nil
}

// unclean makes a refusal of a stream that cannot be cleaned.
func unclean(err error) error {
	var e *codestream.Error
	switch {
	case !errors.As(err, &e):
		return err
	case errors.Is(err, codestream.ErrUserData):
		return &Refusal{Code: "user-data", Why: "its compressed pixel data holds " + e.What + ", which cannot be removed without coding it anew",
			hint: "let the device's encoder write none, or set stream_metadata: keep where it is known to identify nobody"}
	}
	return &Refusal{Code: "stream", Why: "its compressed pixel data cannot be searched for what identifies: " + e.What,
		hint: "let the device send uncompressed or RLE images to this destination, or set stream_metadata: keep where the device is known to write nothing into streams"}
}
