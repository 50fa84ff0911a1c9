// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/asepsis/asepsis/wire/charset"
)

// Writer writes a data set element by element, holding at most one buffer. It demands what
// PS3.5 demands of a sender and what readers rely on: ascending tags (§7.1), even lengths, which it
// pads (§6.2), lengths that fit, text without the control characters that §6.1.3 excludes.
// The first error stays: every later call does nothing, and Close returns it.
type Writer struct {
	dst     io.Writer
	deflate *flate.Writer
	odd     *parity
	enc     Encoder
	buf     []byte
	last    [MaxDepth + 1]Tag // of the item at each depth
	sets    [MaxDepth + 1]*charset.Encoder
	err     error
}

const writeBuffer = 16 << 10

// NewWriter returns a Writer of a data set in syntax s to dst. Sequences and items are
// written with undefined length, so that nothing has to be held back.
func NewWriter(dst io.Writer, s Syntax) *Writer {
	w := &Writer{dst: dst}
	w.enc.Reset(s)
	if s.Deflated {
		w.odd = &parity{w: dst}
		w.deflate, _ = flate.NewWriter(w.odd, flate.DefaultCompression) // fails only for a level that does not exist
		w.dst = w.deflate
	}
	return w
}

// parity counts what goes through.
type parity struct {
	w io.Writer
	n uint64
}

func (p *parity) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.n += uint64(n)
	return n, err
}

// Close completes the data set. It does not close what is written to.
func (w *Writer) Close() error {
	if w.err == nil {
		w.err = w.enc.End()
	}
	w.flush()
	if w.deflate != nil && w.err == nil {
		if w.err = w.deflate.Close(); w.err == nil && w.odd.n&1 != 0 { // PS3.5 §A.5
			_, w.err = w.odd.Write([]byte{0})
		}
	}
	if w.err != nil {
		return w.err
	}
	w.err = errWritten
	return nil
}

var errWritten = errors.New("the data set was closed")

// Err returns the first error.
func (w *Writer) Err() error { return w.err }

func (w *Writer) flush() {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.dst.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

func (w *Writer) token(t Token) {
	if w.err != nil {
		return
	}
	w.buf, w.err = w.enc.Append(w.buf, &t)
	if len(w.buf) >= writeBuffer {
		w.flush()
	}
}

// header begins an element, a sequence or fragments.
func (w *Writer) header(t Token) {
	if w.err != nil {
		return
	}
	depth := w.enc.Depth()
	if t.Tag <= w.last[depth] {
		w.err = &Error{Offset: w.enc.Offset(), Tag: t.Tag, Section: "PS3.5 §7.1", What: "tags must ascend", Err: ErrStructure}
		return
	}
	w.last[depth] = t.Tag
	w.token(t)
}

// Bytes writes an element with a value that is encoded already, in the byte order of the data set.
func (w *Writer) Bytes(tag Tag, vr VR, value []byte) {
	pad := len(value) & 1
	if uint64(len(value))+uint64(pad) >= UndefinedLength {
		w.fail(tag, "PS3.5 §7.1.1", "a value too long")
		return
	}
	w.header(Token{Kind: Element, Tag: tag, VR: vr, Length: uint32(len(value) + pad)})
	if len(value) > 0 {
		w.token(Token{Kind: Value, Data: value})
	}
	if pad != 0 {
		w.token(Token{Kind: Value, Data: []byte{byte(vr.padding())}})
	}
}

// Text writes an element of a text VR with one or more values. After CharacterSet they are UTF-8, written in what it
// declared. Without it they are written as they are: the bytes must be of the data set's Specific Character Set, which the
// caller writes first; UTF-8 is that of "ISO_IR 192".
// No values at all are an empty element, as in the keys of a query.
func (w *Writer) Text(tag Tag, vr VR, values ...string) {
	if !vr.Text() && vr != UI {
		w.fail(tag, "PS3.5 §6.2", fmt.Sprintf("text for %v", vr))
		return
	}
	for _, v := range values {
		if what := badText(vr, v); what != "" {
			w.fail(tag, "PS3.5 §6.1.3, §6.2", what)
			return
		}
	}
	if b, ok := w.encoded(tag, vr, strings.Join(values, `\`)); ok {
		w.Bytes(tag, vr, b)
	}
}

// badText says what a value may not be; "" when it may be written.
func badText(vr VR, v string) string {
	block := vr == LT || vr == ST || vr == UT
	for i := range len(v) {
		switch c := v[i]; {
		case c == '\\' && !block && vr != UR:
			return "a backslash in a value: it would separate two"
		case c == 0x1B && vr.Free():
		case c < 0x20 && !(block && (c == '\t' || c == '\n' || c == '\f' || c == '\r')), c == 0x7F:
			return "a control character"
		}
	}
	switch {
	case vr == UI && v != "" && !ValidUID(v):
		return "no UID"
	case maxText[vr] > 0 && utf8.RuneCountInString(v) > maxText[vr]:
		return fmt.Sprintf("longer than the %d characters of %v", maxText[vr], vr)
	}
	return ""
}

// maxText is the most characters of one value (PS3.5 table 6.2-1). Dates and times have more here, because a
// query may ask for a range of them (PS3.4 §C.2.2.2.5). A person's name has three groups of 64.
var maxText = map[VR]int{AE: 16, AS: 4, CS: 16, DA: 18, DS: 16, DT: 54, IS: 12, LO: 64, LT: 10240, PN: 3*64 + 2, SH: 16, ST: 1024, TM: 28}

// Uint16 writes an element of numbers of 16 bits: US, SS, or OW.
func (w *Writer) Uint16(tag Tag, vr VR, values ...uint16) {
	order := byteOrder(w.big())
	var b []byte
	for _, v := range values {
		b = order.AppendUint16(b, v)
	}
	w.Bytes(tag, vr, b)
}

// Uint32 writes an element of numbers of 32 bits: UL, SL, OL.
func (w *Writer) Uint32(tag Tag, vr VR, values ...uint32) {
	order := byteOrder(w.big())
	var b []byte
	for _, v := range values {
		b = order.AppendUint32(b, v)
	}
	w.Bytes(tag, vr, b)
}

// Float64 writes an element of FD.
func (w *Writer) Float64(tag Tag, values ...float64) {
	order := byteOrder(w.big())
	var b []byte
	for _, v := range values {
		b = order.AppendUint64(b, math.Float64bits(v))
	}
	w.Bytes(tag, FD, b)
}

// Tags writes an element of AT.
func (w *Writer) Tags(tag Tag, values ...Tag) {
	order := byteOrder(w.big())
	var b []byte
	for _, v := range values {
		b = order.AppendUint16(order.AppendUint16(b, v.Group()), v.Element())
	}
	w.Bytes(tag, AT, b)
}

func (w *Writer) big() bool {
	_, big, _, _ := w.enc.form()
	return big
}

// Stream writes an element whose value of length bytes is read from src.
func (w *Writer) Stream(tag Tag, vr VR, length uint32, src io.Reader) {
	if length&1 != 0 {
		w.fail(tag, "PS3.5 §7.1.1", "a value of odd length")
		return
	}
	w.header(Token{Kind: Element, Tag: tag, VR: vr, Length: length})
	w.copy(length, src)
}

// copy passes n bytes of a value through.
func (w *Writer) copy(n uint32, src io.Reader) {
	w.flush()
	if w.err != nil {
		return
	}
	m, err := io.CopyN(w.dst, src, int64(n))
	w.enc.Pass(uint64(m))
	w.err = err
}

// Sequence writes a sequence; each item is what one function writes.
func (w *Writer) Sequence(tag Tag, items ...func()) {
	w.header(Token{Kind: SequenceStart, Tag: tag, VR: SQ, Length: UndefinedLength})
	for _, item := range items {
		if w.err != nil {
			return
		}
		depth := w.enc.Depth()
		w.last[depth], w.sets[depth] = 0, w.sets[depth-1]
		w.token(Token{Kind: ItemStart, Length: UndefinedLength})
		item()
		w.token(Token{Kind: ItemEnd})
	}
	w.token(Token{Kind: SequenceEnd})
}

// Fragments writes encapsulated pixel data (PS3.5 §A.4) with an empty basic offset table before the fragments.
func (w *Writer) Fragments(tag Tag, fragments ...[]byte) {
	w.header(Token{Kind: FragmentsStart, Tag: tag, VR: OB, Length: UndefinedLength})
	w.token(Token{Kind: Fragment})
	for _, f := range fragments {
		pad := len(f) & 1
		w.token(Token{Kind: Fragment, Length: uint32(len(f) + pad)})
		if len(f) > 0 {
			w.token(Token{Kind: Value, Data: f})
		}
		if pad != 0 {
			w.token(Token{Kind: Value, Data: []byte{0}})
		}
	}
	w.token(Token{Kind: FragmentsEnd})
}

func (w *Writer) fail(tag Tag, section, what string) {
	if w.err == nil {
		w.err = &Error{Offset: w.enc.Offset(), Tag: tag, Section: section, What: what, Err: ErrStructure}
	}
}
