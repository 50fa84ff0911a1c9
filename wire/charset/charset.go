// SPDX-License-Identifier: Apache-2.0

// Package charset reads text of medical protocols, whatever character set it is
// declared to be in, as UTF-8, and writes text in the character sets of DICOM (Encoder).
//
// # What is read
//
// DICOM, from the value of Specific Character Set (0008,0005) (PS3.3 §C.12.1.1.2, PS3.5
// §6.1): ISO_IR 6, 13, 58, 87, 100, 101, 109, 110, 126, 127, 138, 144, 148, 149, 159, 166, 192,
// 203, GB18030 and GBK, with the code extensions of ISO 2022. HL7 version 2, from MSH-18
// (table 0211): ASCII, 8859/1 to 8859/9 and 8859/15, ISO IR6, ISO IR14, ISO IR87, ISO IR159,
// KS X 1001, GB 18030-2000, BIG-5, UNICODE UTF-8, and the same code extensions.
//
// # Contract
//
//   - The result is valid UTF-8, at most three times as long as the text. The time is
//     linear in the text. Nothing is rejected: what cannot be read becomes U+FFFD, one
//     for each byte or broken pair, and exact is false.
//   - An escape sequence of ISO 2022 selects its character set whether or not that was
//     declared, as devices forget to. Sequences that are not known are left out.
//     UTF-8, GB18030, GBK and BIG-5 know none (PS3.3 §C.12.1.1.2): there an ESC is a
//     control character like others.
//   - Sets go back to those at the beginning where PS3.5 §6.1.2.5.3 says so: at a line's or
//     page's end and a tab, at the backslash between values, and, in Name, at ^ and =.
//   - A byte above 7F for which no set was selected is of the first set for it that the
//     declaration has among its extensions, which is not exact.
//   - Control characters become spaces, but CR, LF, FF and TAB stay. Padding stays.
//   - A set that is not known is read as ISO_IR 6; Known says so.
//   - Text of ISO_IR 6 with bytes above 7F breaks its declaration. When all of it is
//     valid UTF-8 it is read as that, which is not exact; else see Fallback.
//
// A Set is a small comparable value, safe to use from any goroutine. Reading text that
// is printable ASCII allocates what the result needs and nothing else.
//
// # Not done
//
// Writing text for HL7, ISO 2022 shifts (SO, SI, SS2, SS3, of which neither
// standard has any), EUC-TW (CNS 11643) and UTF-16. Pairs of JIS X 0208, KS X 1001 and GB 2312
// are read as the Encoding Standard of the WHATWG does, in which a handful of punctuation marks
// differ from other tables (U+FF5E for U+301C).
package charset

import (
	"bytes"
	"unicode/utf8"
)

// Set is what text is declared to be in. The zero value is ISO_IR 6, ASCII.
type Set struct {
	scheme   scheme
	g0, g1   graphic // at the beginning of text
	implied  graphic // of G1, declared as an extension: for bytes that no escape sequence introduced
	unknown  bool
	utf8     bool // text that is valid UTF-8 is UTF-8, whatever single-byte set is declared
	fallback Fallback
}

// scheme is how bytes become characters.
type scheme uint8

const (
	iso2022 scheme = iota // two sets of graphic characters, changed by escape sequences
	utf8Text
	gb18030
	gbk
	big5
	windows1252
)

// Fallback is how bytes above 7F are read for which there is no set.
type Fallback uint8

// The fallbacks.
const (
	// Replace makes U+FFFD of each: what is shown is right as far as it goes.
	Replace Fallback = iota
	// Latin1 reads ISO 8859-1: mostly right where a site's devices are of the
	// western world and declare nothing.
	Latin1
)

// WithFallback returns the set with another fallback.
func (s Set) WithFallback(f Fallback) Set {
	s.fallback = f
	return s
}

// Known reports that the declaration was understood in full.
func (s Set) Known() bool { return !s.unknown }

// maxDeclared bounds how much of a declaration is read, and maxTerms its terms.
const (
	maxDeclared = 256
	maxTerms    = 16
)

// DICOM reads the value of Specific Character Set (0008,0005). The first of several
// values is the set at the beginning; empty, it is ISO_IR 6.
func DICOM(value []byte) Set {
	var s Set
	rest := value[:min(len(value), maxDeclared)]
	for n := 0; n < maxTerms && len(rest) > 0; n++ {
		term, more, _ := bytes.Cut(rest, []byte{'\\'})
		rest = more
		var buf [maxDeclared]byte
		name := squeeze(buf[:0], term)
		if len(name) == 0 {
			continue
		}
		t, ok := dicomTerms[string(name)]
		if !ok {
			s.unknown = true
			continue
		}
		s.declare(n, t)
	}
	return s
}

// declare adds the n-th value of a declaration.
func (s *Set) declare(n int, t term) {
	switch {
	case n == 0:
		s.scheme, s.g0, s.g1 = t.scheme, t.g0, t.g1
	case s.g1 == ascii && s.implied == ascii:
		s.implied = t.g1
	}
}

// squeeze appends a defined term in capitals without the separators that devices get
// wrong ("ISO-IR 100", "ISO 2022 IR100").
func squeeze(dst, term []byte) []byte {
	for _, b := range term {
		switch {
		case b >= 'a' && b <= 'z':
			dst = append(dst, b-'a'+'A')
		case b > ' ' && b != '_' && b != '-' && b < 0x7F:
			dst = append(dst, b)
		}
	}
	return dst
}

// HL7 reads the repetitions of MSH-18. The first is the set at the beginning; what
// others declare is read by its escape sequences. Nothing declared is ASCII.
//
// Its fallback is Latin1. Many senders name a set and send UTF-8: text that is valid
// UTF-8 is read as that where a set of single bytes is declared, and is not exact.
func HL7(repetitions ...[]byte) Set {
	s := Set{fallback: Latin1, utf8: true}
	for n, term := range repetitions[:min(len(repetitions), maxTerms)] {
		var buf [maxDeclared]byte
		name := squeeze(buf[:0], term[:min(len(term), maxDeclared)])
		if len(name) == 0 {
			continue
		}
		t, ok := hl7Terms[string(name)]
		if !ok {
			s.unknown = true
			continue
		}
		s.declare(n, t)
	}
	return s
}

// Decode returns a value without the padding at its end (PS3.5 §6.2).
func (s Set) Decode(value []byte) string {
	n := len(value)
	for n > 0 && (value[n-1] == ' ' || value[n-1] == 0) {
		n--
	}
	if isPlain(value[:n]) && s.g0.ascii() {
		return string(value[:n])
	}
	b, _ := s.Append(make([]byte, 0, n+n/2), value[:n], Text)
	return string(b)
}

// Kind says which delimiters a value has.
type Kind uint8

// The kinds of values.
const (
	Text Kind = iota // lines, and values parted by a backslash
	Name             // also PN: components parted by ^, groups by =
)

// Append appends text as UTF-8. exact is false when some of it had to be guessed or
// replaced.
func (s Set) Append(dst, text []byte, kind Kind) (_ []byte, exact bool) {
	if isPlain(text) && s.g0.ascii() {
		return append(dst, text...), true
	}
	switch s.scheme {
	case utf8Text:
		return appendUTF8(dst, text, s.fallback)
	case gb18030, gbk, big5:
		return s.scheme.appendPairs(dst, text)
	case windows1252:
		return appendWindows(dst, text)
	}
	if (s.g1 == ascii && s.implied == ascii || s.utf8 && !s.g1.pairs() && !s.implied.pairs()) && isUTF8(text) {
		dst, _ = appendUTF8(dst, text, s.fallback)
		return dst, false
	}
	return s.appendISO2022(dst, text, kind)
}

// isPlain reports printable ASCII.
func isPlain(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7E {
			return false
		}
	}
	return true
}

// isUTF8 reports text that is UTF-8 and nothing else: it has bytes above 7F and no
// escape sequences.
func isUTF8(b []byte) bool {
	high := false
	for _, c := range b {
		if c == esc {
			return false
		}
		high = high || c >= 0x80
	}
	return high && utf8.Valid(b)
}

// appendControl appends what a byte below 20, or 7F, is shown as.
func appendControl(dst []byte, b byte) []byte {
	switch b {
	case '\r', '\n', '\f', '\t':
		return append(dst, b)
	}
	return append(dst, ' ')
}

func isControl(b byte) bool { return b < 0x20 || b == 0x7F }

func appendUTF8(dst, text []byte, f Fallback) (_ []byte, exact bool) {
	exact = true
	for i := 0; i < len(text); {
		b := text[i]
		if isControl(b) {
			dst = appendControl(dst, b)
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n <= 1 {
			exact = false
			r, n = f.rune(b), 1
		} else if r >= 0x80 && r < 0xA0 {
			r = ' ' // C1 controls
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst, exact
}

func (f Fallback) rune(b byte) rune {
	if f == Latin1 && b >= 0xA0 {
		return rune(b)
	}
	return utf8.RuneError
}
