// SPDX-License-Identifier: Apache-2.0

package charset

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// Encoder writes text in what a Specific Character Set (0008,0005) declares (PS3.3 §C.12.1.1.2, PS3.5 §6.1). It does not
// change and may be used by any number of goroutines at once.
//
// With code extensions it writes the escape sequences of PS3.3 tables C.12-3 and C.12-4, and goes back to
// the set of the first value where PS3.5 §6.1.2.5.3 demands it: before the end of a line, a page and the value, before a tab, a backslash, and
// in Name before ^ and =. What it writes, Set reads as the same text.
type Encoder struct {
	scheme   scheme
	declared string
	g0, g1   graphic   // at the beginning
	sets     []graphic // that escape sequences may select, in the order of the declaration
}

// CharError is a character that no declared set has.
type CharError struct {
	Char     rune
	Declared string
}

// Error implements error. A single character names nobody.
func (e *CharError) Error() string {
	if e.Declared == "" {
		return fmt.Sprintf("the character %U is not in ISO_IR 6, the default character set", e.Char)
	}
	return fmt.Sprintf("the character %U is not in the character sets %s", e.Char, e.Declared)
}

// NewEncoder returns the encoder of a value of (0008,0005). Only the standard's own terms are taken: what is
// written must be declared as readers know it.
func NewEncoder(declaration []byte) (*Encoder, error) {
	e := &Encoder{declared: strings.TrimRight(string(declaration), " \x00"), g1: none}
	terms := strings.Split(e.declared, `\`)
	if len(terms) > maxTerms {
		return nil, fmt.Errorf("character sets: %d values, more than %d", len(terms), maxTerms)
	}
	for n, name := range terms {
		name = strings.Trim(name, " ")
		if name == "" && n == 0 {
			continue
		}
		s, extension, ok := writable(name)
		switch {
		case !ok:
			return nil, fmt.Errorf("character sets: %.20q is no defined term of PS3.3 tables C.12-2 to C.12-5", name)
		case s.scheme != iso2022 && len(terms) > 1:
			return nil, fmt.Errorf("character sets: %s allows no other beside it (PS3.3 C.12.1.1.2)", name)
		case len(terms) > 1 && !extension:
			return nil, fmt.Errorf("character sets: %s has no code extensions, write %q (PS3.3 C.12.1.1.2)", name, strings.Replace(name, "ISO_IR", "ISO 2022 IR", 1))
		case n == 0 && s.pairs:
			return nil, fmt.Errorf("character sets: %s cannot be the first value (PS3.3 C.12.1.1.2)", name)
		}
		if n == 0 {
			e.scheme, e.g0, e.g1 = s.scheme, s.g0, s.g1
		}
		if extension {
			e.sets = append(e.sets, s.selects()...)
		}
	}
	return e, nil
}

// writableTerm is a defined term as it is written.
type writableTerm struct {
	scheme scheme
	g0, g1 graphic
	pairs  bool // may not be the first value
}

// selects lists what escape sequences select of it.
func (t writableTerm) selects() []graphic {
	switch {
	case t.g1 == none:
		return []graphic{t.g0}
	case t.g0 != ascii:
		return []graphic{t.g0, t.g1}
	}
	return []graphic{t.g1}
}

// writable looks a defined term up. extension reports a term of code extensions.
func writable(name string) (t writableTerm, extension, ok bool) {
	switch name {
	case "ISO_IR 192":
		return writableTerm{scheme: utf8Text, g1: none}, false, true
	case "GB18030":
		return writableTerm{scheme: gb18030, g1: none}, false, true
	case "GBK":
		return writableTerm{scheme: gbk, g1: none}, false, true
	case "ISO 2022 IR 87":
		return writableTerm{g0: kanji, g1: none, pairs: true}, true, true
	case "ISO 2022 IR 159":
		return writableTerm{g0: kanjiMore, g1: none, pairs: true}, true, true
	case "ISO 2022 IR 149":
		return writableTerm{g1: hangul, pairs: true}, true, true
	case "ISO 2022 IR 58":
		return writableTerm{g1: hanzi, pairs: true}, true, true
	}
	number, extension := strings.CutPrefix(name, "ISO 2022 IR ")
	if !extension {
		var plain bool
		if number, plain = strings.CutPrefix(name, "ISO_IR "); !plain {
			return t, false, false
		}
	}
	s, ok := dicomTerms["ISOIR"+number]
	if !ok || number == "58" || number == "87" || number == "149" || number == "159" || number == "192" {
		return t, false, false
	}
	t = writableTerm{g0: s.g0, g1: s.g1}
	if t.g1 == ascii { // terms leave it out where G1 is not used
		t.g1 = none
	}
	return t, extension, true
}

// Append appends text, which must be UTF-8, as bytes of the declared character sets. The error is a *CharError, or says that text is not
// UTF-8; dst is returned as it was then.
func (e *Encoder) Append(dst []byte, text string, kind Kind) ([]byte, error) {
	if isPlain([]byte(text)) {
		return append(dst, text...), nil
	}
	if !utf8.ValidString(text) {
		return dst, errors.New("the text is not UTF-8")
	}
	start := len(dst)
	w := writer{e: e, g0: e.g0, g1: e.g1, kind: kind, dst: dst}
	for _, r := range text {
		if !w.char(r) {
			return dst[:start], &CharError{Char: r, Declared: e.declared}
		}
	}
	w.home()
	return w.dst, nil
}

// Encode is Append for a new slice.
func (e *Encoder) Encode(text string, kind Kind) ([]byte, error) { return e.Append(nil, text, kind) }

// writer writes one text.
type writer struct {
	e      *Encoder
	g0, g1 graphic
	kind   Kind
	dst    []byte
}

// char writes a character and reports whether it could be.
func (w *writer) char(r rune) bool {
	switch {
	case r == '\r' || r == '\n' || r == '\f' || r == '\t':
		w.home()
		w.dst = append(w.dst, byte(r))
		return true
	case r < 0x20 || r >= 0x7F && r < 0xA0:
		return false
	case r < 0x80:
		return w.ascii(byte(r))
	}
	switch w.e.scheme {
	case utf8Text:
		w.dst = utf8.AppendRune(w.dst, r)
		return true
	case gb18030, gbk:
		return w.chinese(r)
	}
	return w.extended(r)
}

// ascii writes a character of ISO_IR 6.
func (w *writer) ascii(b byte) bool {
	switch {
	case b == '\\' || w.kind == Name && (b == '^' || b == '='):
		w.home()
	case !w.g0.ascii():
		w.designate(w.e.g0)
	}
	w.dst = append(w.dst, b)
	return true
}

// home goes back to the sets of the first value. A G1 that the first value does not have is simply left: the next use designates it anew.
func (w *writer) home() {
	if w.g0 != w.e.g0 {
		w.designate(w.e.g0)
	}
	if w.g1 != w.e.g1 {
		if w.e.g1 != none {
			w.designate(w.e.g1)
		}
		w.g1 = w.e.g1
	}
}

// designate writes the escape sequence of a set.
func (w *writer) designate(g graphic) {
	w.dst = append(append(w.dst, esc), escapes[g]...)
	if g.right() {
		w.g1 = g
	} else {
		w.g0 = g
	}
}

// right reports a set that is designated as G1.
func (g graphic) right() bool { return g >= latin1 }

// escapes are the sequences of PS3.3 tables C.12-3 and C.12-4, without ESC.
var escapes = map[graphic]string{ascii: "(B", romaji: "(J", kanji: "$B", kanjiMore: "$(D", latin1: "-A", latin2: "-B", latin3: "-C", latin4: "-D", greek: "-F", arabic: "-G", hebrew: "-H",
	cyrillic: "-L", latin5: "-M", thai: "-T", latin9: "-b", katakana: ")I", hangul: "$)C", hanzi: "$)A"}

// extended writes a character above 7F by the first set that has it: the ones that are selected, then those declared.
func (w *writer) extended(r rune) bool {
	if w.g1 != none && w.set(w.g1, r) || !w.g0.ascii() && w.set(w.g0, r) {
		return true
	}
	if w.e.g1 != none && w.e.g1 != w.g1 && len(w.e.sets) > 0 && w.try(w.e.g1, r) {
		return true
	}
	for _, g := range w.e.sets {
		if g != w.g0 && g != w.g1 && g != ascii && g != romaji && w.try(g, r) {
			return true
		}
	}
	return false
}

// try selects a set where it has a character, and writes it.
func (w *writer) try(g graphic, r rune) bool {
	before, g0, g1 := len(w.dst), w.g0, w.g1
	w.designate(g)
	if w.set(g, r) {
		return true
	}
	w.dst, w.g0, w.g1 = w.dst[:before], g0, g1
	return false
}

// set writes a character of a set that is selected.
func (w *writer) set(g graphic, r rune) bool {
	if g.pairs() {
		code, ok := g.pairOf(r)
		if ok {
			w.dst = append(w.dst, code[0], code[1])
		}
		return ok
	}
	b, ok := g.byteOf(r)
	if ok {
		w.dst = append(w.dst, b)
	}
	return ok
}

// byteOf is the opposite of high.
func (g graphic) byteOf(r rune) (byte, bool) {
	for b := 0xA0; b < 0x100; b++ {
		if g.high(byte(b)) == r && r != utf8.RuneError {
			return byte(b), true
		}
	}
	return 0, false
}

// chinese writes a character of GB18030 or GBK.
func (w *writer) chinese(r rune) bool {
	e := simplifiedchinese.GB18030.NewEncoder().Transformer
	if w.e.scheme == gbk {
		e = simplifiedchinese.GBK.NewEncoder().Transformer
	}
	var out [8]byte
	n, ok := encodeRune(e, out[:], r)
	if !ok || w.e.scheme == gbk && n != 2 {
		return false
	}
	w.dst = append(w.dst, out[:n]...)
	return true
}

// encodeRune encodes one character.
func encodeRune(t transform.Transformer, out []byte, r rune) (n int, ok bool) {
	var in [utf8.UTFMax]byte
	k := utf8.EncodeRune(in[:], r)
	n, used, err := t.Transform(out, in[:k], true)
	return n, err == nil && used == k && n > 0 && !bytes.Equal(out[:n], []byte{0x1A})
}
