// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"compress/flate"
	"errors"
	"io"
)

// ErrEncapsulated: a data set cannot be written in another transfer syntax without decoding its pixel data.
var ErrEncapsulated = errors.New("encapsulated pixel data")

// Transcode reads a data set in syntax from and writes it to dst in syntax to, in one pass. Between the same
// syntaxes every byte stays. Otherwise values keep their bytes, except that words are swapped
// between byte orders, and sequences and items, whose length changes, get an undefined one; group
// lengths (gggg,0000), which would be wrong, are left out. Pixel data is not decoded: encapsulated data
// sets are ErrEncapsulated unless both syntaxes are encapsulated alike. An element whose VR contradicts the dictionary in a
// way that implicit VR cannot say is ErrVR.
func Transcode(dst io.Writer, src io.Reader, from, to Syntax, l Limits) error {
	if from.Encapsulated != to.Encapsulated {
		return &Error{Tag: TagPixelData, Section: "PS3.5 §A.4", What: "pixel data is not decoded or encoded here", Err: ErrEncapsulated}
	}
	t := &transcoder{r: NewReader(src, from, l), dst: dst, same: from.Explicit == to.Explicit && from.BigEndian == to.BigEndian, swap: from.BigEndian != to.BigEndian, explicit: to.Explicit}
	t.enc.Reset(to)
	if !to.Deflated {
		return t.run()
	}
	odd := &parity{w: dst}
	z, _ := flate.NewWriter(odd, flate.DefaultCompression) // fails only for a level that does not exist
	t.dst = z
	if err := t.run(); err != nil {
		return err
	}
	if err := z.Close(); err != nil || odd.n&1 == 0 {
		return err
	}
	_, err := odd.Write([]byte{0}) // PS3.5 §A.5
	return err
}

type transcoder struct {
	r        *Reader
	dst      io.Writer
	enc      Encoder
	buf      []byte
	same     bool // nothing changes but, perhaps, deflation
	swap     bool
	explicit bool
	skip     bool    // the value under way is a group length
	word     int     // bytes of a word of the value under way, 1 when nothing is swapped
	un       int     // open sequences of VR UN: their content is implicit VR little endian on both sides
	uns      []uint8 // the depths at which they began
	part     []byte  // of a word that was cut
}

func (t *transcoder) run() error {
	for {
		tok, err := t.r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := t.token(&tok); err != nil {
			return err
		}
		if len(t.buf) >= writeBuffer {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	if err := t.enc.End(); err != nil {
		return err
	}
	return t.flush()
}

func (t *transcoder) flush() error {
	_, err := t.dst.Write(t.buf)
	t.buf = t.buf[:0]
	return err
}

func (t *transcoder) token(tok *Token) (err error) {
	if !t.same {
		if err := t.sayable(tok); err != nil {
			return err
		}
		switch tok.Kind {
		case Element:
			t.skip = tok.Tag.Element() == 0
			t.word, t.part = 1, t.part[:0]
			if t.swap && t.un == 0 {
				t.word = tok.VR.WordSize()
			}
			if t.explicit && !tok.VR.Long() && tok.Length > 0xFFFF {
				tok.VR = UN // PS3.5 §6.2.2 note 1
			}
		case Fragment:
			t.skip, t.word = false, 1
		case SequenceStart:
			tok.Length = UndefinedLength
			if tok.VR == UN {
				t.un++
				t.uns = append(t.uns, tok.Depth)
			}
		case ItemStart:
			tok.Length = UndefinedLength
		case SequenceEnd:
			if n := len(t.uns); n > 0 && t.uns[n-1] == tok.Depth {
				t.un, t.uns = t.un-1, t.uns[:n-1]
			}
		}
		if t.skip && (tok.Kind == Element || tok.Kind == Value) {
			return nil
		}
		if tok.Kind == Value && t.word > 1 {
			return t.words(tok)
		}
	}
	t.buf, err = t.enc.Append(t.buf, tok)
	return err
}

// sayable refuses what implicit VR cannot say: there the dictionary alone decides what an element is, and a reader would take
// bytes for items, or fragments for a sequence. UN is no such case: its bytes are implicit VR already (PS3.5 §6.2.2 note 2).
func (t *transcoder) sayable(tok *Token) error {
	if t.explicit || t.un > 0 {
		return nil
	}
	is := VROf(tok.Tag)
	if tok.Kind == Element && is == SQ && tok.VR != UN || tok.Kind == FragmentsStart && tok.Tag != TagPixelData && is != OB && is != OW {
		return &Error{Offset: tok.Offset, Tag: tok.Tag, Section: "PS3.5 §A.1", What: "implicit VR would make something else of an element of VR " + tok.VR.String(), Err: ErrVR}
	}
	return nil
}

// words swaps the bytes of the words of a piece of a value.
func (t *transcoder) words(tok *Token) (err error) {
	data := append(t.part, tok.Data...)
	n := len(data) / t.word * t.word
	if tok.Last {
		n = len(data) // a value that is no whole number of words keeps its last bytes
	}
	whole := data[:n]
	for i := 0; i+t.word <= n; i += t.word {
		for a, b := i, i+t.word-1; a < b; a, b = a+1, b-1 {
			whole[a], whole[b] = whole[b], whole[a]
		}
	}
	piece := *tok
	piece.Data = whole
	t.buf, err = t.enc.Append(t.buf, &piece)
	t.part = append(t.part[:0], data[n:]...)
	return err
}

// WordSize returns how many bytes of a value are one number, of which byte order is the order (PS3.5 §7.3); 1 where there is none.
func (v VR) WordSize() int {
	switch v {
	case US, SS, OW, AT:
		return 2
	case UL, SL, FL, OL, OF:
		return 4
	case FD, OD, SV, UV, OV:
		return 8
	}
	return 1
}
