// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"errors"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/rle"
)

const (
	rleLossless = "1.2.840.10008.1.2.5"

	// Where the frames of encapsulated pixel data lie (PS3.3 §C.7.6.3.1.8), which is no longer so when they are written anew.
	tagFrameOffsets dicom.Tag = 0x7FE00001
	tagFrameLengths dicom.Tag = 0x7FE00002

	// maxFrame is the largest frame that is written anew, packed and unpacked. Two of this size are held.
	maxFrame = 64 << 20
)

var errSegments = errors.New("its RLE segments are not those of its pixels (PS3.5 §G.2)")

// recodes reports pixel data that is unpacked and packed again.
func (x *run) recodes() bool {
	return x.altered.TransferSyntax == rleLossless && (len(x.settle().black) > 0 || x.image.hidden)
}

// recode does pixel data in RLE (PS3.5 annex G), frame by frame: unpacks it row by row, blackens, and packs it again. All
// that is not blackened stays as it was, sample by sample. The offset table becomes empty.
func (x *run) recode(t *dicom.Token) error {
	g, why := x.image.layout(dicom.OB)
	switch {
	case why != "":
		return untrue(why)
	case g.halved:
		return untrue("its header says that colours are halved, which RLE does not know")
	case g.frame > maxFrame:
		return &Refusal{Code: "pixels", Why: "its frames are larger than 64 MiB, and are not unpacked here", hint: "let the device send uncompressed images to this destination"}
	case g.samples*g.bytes > rle.MaxSegments:
		return untrue("its pixels have more bytes than RLE has segments")
	}
	mask, err := x.plan(t, g, x.settle())
	if err != nil {
		return err
	}
	if err := x.token(*t); err != nil {
		return err
	}
	frames := int64(-1) // the first fragment is the offset table
	var packed rle.Writer
	for {
		next, err := x.r.Next()
		switch {
		case err != nil:
			return err
		case next.Kind == dicom.FragmentsEnd && frames != max(1, x.image.frames):
			return untrue("its frames are not those that its header counts, one fragment each") // PS3.5 §A.4.2
		case next.Kind == dicom.FragmentsEnd:
			return x.token(next)
		case next.Kind != dicom.Fragment:
			continue
		case next.Length > maxFrame:
			return untrue("a frame is longer packed than any image of its size")
		}
		frame, err := x.r.Value(maxFrame)
		if err != nil {
			return err
		}
		if frames++; frames == 0 {
			frame = nil
		} else if frame, err = g.recode(&packed, frame, mask); err != nil {
			return untrue(err.Error())
		}
		if err := x.fragment(frame); err != nil {
			return err
		}
	}
}

// fragment writes one fragment, beside the buffer.
func (x *run) fragment(b []byte) error {
	if err := x.token(dicom.Token{Kind: dicom.Fragment, Length: uint32(len(b))}); err != nil || len(b) == 0 { //nolint:gosec // about maxFrame
		return err
	}
	if err := x.flush(); err != nil {
		return err
	}
	_, err := x.dst.Write(b)
	x.enc.Pass(uint64(len(b)))
	return err
}

// recode blackens one frame. What it returns is valid until the next call with the same Writer.
func (g *geometry) recode(w *rle.Writer, frame, mask []byte) ([]byte, error) {
	segments, err := rle.Split(frame)
	if err != nil {
		return nil, err
	}
	if len(segments) != g.samples*g.bytes {
		return nil, errSegments
	}
	w.Begin()
	row := make([]byte, g.columns)
	for i, s := range segments {
		w.Segment()
		at := g.bytes - 1 - i%g.bytes // in a sample: segments hold the most significant byte first
		black := g.black[i/g.bytes*g.bytes+at]
		rows := rle.NewRows(s)
		for y := range g.rows {
			if err := rows.Next(row); err != nil {
				return nil, err
			}
			if mask != nil {
				for c := range row {
					row[c] &= mask[at]
				}
			}
			for _, r := range g.rects {
				if y >= r.y0 && y < r.y1 {
					for c := r.x0; c < r.x1; c++ {
						row[c] = black
					}
				}
			}
			w.Row(row)
		}
	}
	return w.Bytes(), nil
}
