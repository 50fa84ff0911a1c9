// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzReencode holds reading and writing against each other: what was read is written bit for bit, apart from
// reserved bytes that are not zero, and what Transcode writes can be read again.
func FuzzReencode(f *testing.F) {
	f.Add(join(le(TagModality, CS, []byte("CT")), raw(TagReferencedSOPSequence, SQ, UndefinedLength), head(TagItem), []byte{0xFF, 0xFF, 0xFF, 0xFF}, le(0x00081150, UI, []byte("1.2\x00")),
		head(TagItemDelimitation), make([]byte, 4), head(TagSequenceDelimitation), make([]byte, 4), le(TagPixelData, OW, []byte{1, 2})), byte(1))
	f.Add(join(raw(TagPixelData, OB, UndefinedLength), head(TagItem), make([]byte, 4), head(TagItem), []byte{2, 0, 0, 0, 1, 2}, head(TagSequenceDelimitation), make([]byte, 4)), byte(1))
	f.Add(join(raw(0x00091001, UN, UndefinedLength), head(TagItem), []byte{8, 0, 0, 0}, head(TagPatientID), make([]byte, 4), head(TagSequenceDelimitation), make([]byte, 4)), byte(1))
	f.Add(join(head(TagPatientID), []byte{2, 0, 0, 0, 'A', ' '}), byte(0))
	f.Add([]byte{0, 8, 0, 0x60, 'C', 'S', 0, 2, 'C', 'T'}, byte(3))
	f.Add([]byte{0x4b, 4, 0}, byte(5))
	f.Fuzz(func(t *testing.T, data []byte, bits byte) {
		s := Syntax{Explicit: bits&1 != 0, BigEndian: bits&2 != 0, Deflated: bits&4 != 0}
		out, read, err := reencode(bytes.NewReader(data), s)
		if err == nil && !s.Deflated && !reserved(data, s) && !bytes.Equal(out, data) {
			t.Errorf("differs at byte %d:\n% x\n% x", diffAt(out, data), out, data)
		}
		if uint64(len(out)) > read+64 { // delimiters of the token under way
			t.Errorf("%d bytes written of %d", len(out), read)
		}
		if err != nil {
			return
		}
		for _, to := range []Syntax{{}, {Explicit: true}, {Explicit: true, BigEndian: true}} {
			var there bytes.Buffer
			if err := Transcode(&there, bytes.NewReader(data), s, to, DefaultLimits()); err != nil {
				var typed *Error
				if !errors.As(err, &typed) {
					t.Errorf("untyped error %v", err)
				}
				continue
			}
			if _, _, err := reencode(bytes.NewReader(there.Bytes()), to); err != nil && (to.Explicit || !unknownSequence(data, s)) {
				t.Errorf("what was transcoded cannot be read: %v", err)
			}
		}
	})
}

// reserved reports whether a long explicit header has reserved bytes that are not zero, which a token does not keep.
func reserved(data []byte, s Syntax) bool {
	return has(data, s, func(tok *Token) bool {
		if !tok.VR.Long() || tok.VR == 0 || tok.Kind == Value || uint64(len(data)) < tok.Offset+8 {
			return false
		}
		h := data[tok.Offset:]
		return VR(h[4])<<8|VR(h[5]) == tok.VR && (h[6] != 0 || h[7] != 0)
	})
}

// unknownSequence reports a UN that implicit VR makes a sequence again, whose bytes nobody has looked at.
func unknownSequence(data []byte, s Syntax) bool {
	return has(data, s, func(tok *Token) bool { return tok.Kind == Element && tok.VR == UN && VROf(tok.Tag) == SQ })
}

// has reports whether f is true of a token, or the data set cannot be read.
func has(data []byte, s Syntax, f func(*Token) bool) bool {
	r := NewReader(bytes.NewReader(data), s, DefaultLimits())
	for {
		tok, err := r.Next()
		if errors.Is(err, io.EOF) {
			return false
		}
		if err != nil || f(&tok) {
			return true
		}
	}
}
