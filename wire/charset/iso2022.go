// SPDX-License-Identifier: Apache-2.0

package charset

import (
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/transform"
)

const esc = 0x1B

// appendISO2022 follows the sets of G0 and G1 through text.
func (s Set) appendISO2022(dst, text []byte, kind Kind) (_ []byte, exact bool) {
	var r reader
	g0, g1 := s.g0, s.g1
	exact = true
	for i := 0; i < len(text); {
		b := text[i]
		switch {
		case b == esc:
			n, set, high := designation(text[i:])
			if n == 0 {
				exact = false
				i++
				continue
			}
			i += n
			switch {
			case set == unknownSet:
				exact = false
			case high:
				g1 = set
			default:
				g0 = set
			}
			continue
		case isControl(b):
			if b == '\r' || b == '\n' || b == '\f' || b == '\t' {
				g0, g1 = s.g0, s.g1
			}
			dst = appendControl(dst, b)
			i++
			continue
		case b == ' ': // stands outside sets of 94 characters
			dst = append(dst, ' ')
			i++
			continue
		}
		g := g0
		if b >= 0x80 {
			g = g1
		}
		switch {
		case b < 0x80 && !g.pairs():
			if b == '\\' || kind == Name && (b == '^' || b == '=') {
				g0, g1 = s.g0, s.g1
			}
			dst = append(dst, b)
			i++
		case g == ascii && s.implied != ascii:
			exact = false
			c, n := r.either(s.implied, text[i:])
			dst = utf8.AppendRune(dst, c)
			i += n
		case g == ascii:
			exact = false
			dst = utf8.AppendRune(dst, s.fallback.rune(b))
			i++
		default:
			c, n := r.either(g, text[i:])
			exact = exact && c != utf8.RuneError
			dst = utf8.AppendRune(dst, c)
			i += n
		}
	}
	return dst, exact
}

const unknownSet graphic = 0xFF

// designation reads an escape sequence (ISO 2022 §13): intermediate bytes and a final
// one. n is its length, 0 when it is not whole. high says that the set is for G1.
func designation(b []byte) (n int, set graphic, high bool) {
	i := 1
	for i < len(b) && i < 4 && b[i] >= 0x20 && b[i] <= 0x2F {
		i++
	}
	if i >= len(b) || b[i] < 0x30 || b[i] > 0x7E {
		return 0, 0, false
	}
	n = i + 1
	switch string(b[1:n]) { // PS3.3 tables C.12-3 and C.12-4
	case "(B":
		return n, ascii, false
	case "(J":
		return n, romaji, false
	case "$B", "$@": // the latter is JIS C 6226 of 1978
		return n, kanji, false
	case "$(D":
		return n, kanjiMore, false
	case "-A":
		return n, latin1, true
	case "-B":
		return n, latin2, true
	case "-C":
		return n, latin3, true
	case "-D":
		return n, latin4, true
	case "-F":
		return n, greek, true
	case "-G":
		return n, arabic, true
	case "-H":
		return n, hebrew, true
	case "-L":
		return n, cyrillic, true
	case "-M":
		return n, latin5, true
	case "-T":
		return n, thai, true
	case "-b":
		return n, latin9, true
	case ")I":
		return n, katakana, true
	case "$)C":
		return n, hangul, true
	case "$)A":
		return n, hanzi, true
	}
	return n, unknownSet, false
}

// reader reads characters of sets that are not ASCII. What pairs take is made when it
// is first needed.
type reader struct{ pairs *pairReader }

// either reads one character.
func (r *reader) either(g graphic, b []byte) (_ rune, n int) {
	if !g.pairs() {
		return g.high(b[0]), 1
	}
	if r.pairs == nil {
		r.pairs = new(pairReader)
	}
	return r.pairs.pair(g, b)
}

// pairReader has the decoders of pairs. They keep nothing from one pair to the next.
type pairReader struct {
	japanese, korean, chinese transform.Transformer
	in                        [3]byte
	out                       [2 * utf8.UTFMax]byte
}

// pair reads one character of two bytes. n is 1 when the second one is missing or not
// of the set: it then stands for itself.
func (r *pairReader) pair(g graphic, b []byte) (_ rune, n int) {
	bit := b[0] & 0x80
	of := func(x byte) bool { return x&0x80 == bit && x&0x7F > 0x20 && x&0x7F < 0x7F }
	if len(b) < 2 || !of(b[0]) || !of(b[1]) {
		return utf8.RuneError, 1
	}
	code := append(r.in[:0], b[0]|0x80, b[1]|0x80)
	if g == kanjiMore { // EUC-JP has the second set behind 8F
		code = append(r.in[:0], 0x8F, b[0]|0x80, b[1]|0x80)
	}
	k, used, err := r.of(g).Transform(r.out[:], code, true)
	if err != nil || used != len(code) {
		return utf8.RuneError, 2
	}
	c, size := utf8.DecodeRune(r.out[:k])
	if size != k {
		return utf8.RuneError, 2
	}
	return c, 2
}

func (r *pairReader) of(g graphic) transform.Transformer {
	switch g {
	case kanji, kanjiMore:
		if r.japanese == nil {
			r.japanese = japanese.EUCJP.NewDecoder().Transformer
		}
		return r.japanese
	case hangul:
		if r.korean == nil {
			r.korean = korean.EUCKR.NewDecoder().Transformer
		}
		return r.korean
	}
	if r.chinese == nil {
		r.chinese = simplifiedchinese.GBK.NewDecoder().Transformer
	}
	return r.chinese
}

// appendPairs appends text of a scheme in which bytes above 7F begin characters of
// several.
func (s scheme) appendPairs(dst, text []byte) (_ []byte, exact bool) {
	var t transform.Transformer
	switch s {
	case gb18030:
		t = simplifiedchinese.GB18030.NewDecoder().Transformer
	case gbk:
		t = simplifiedchinese.GBK.NewDecoder().Transformer
	default:
		t = traditionalchinese.Big5.NewDecoder().Transformer
	}
	exact = true
	for len(text) > 0 {
		var out [256]byte
		n, used, err := t.Transform(out[:], text, true)
		if used == 0 && err != nil {
			exact, dst, text = false, utf8.AppendRune(dst, utf8.RuneError), text[1:]
			continue
		}
		for b := out[:n]; len(b) > 0; {
			r, size := utf8.DecodeRune(b)
			switch {
			case r < 0x80 && isControl(byte(r)):
				dst = appendControl(dst, byte(r))
			case r >= 0x80 && r < 0xA0:
				exact, dst = false, utf8.AppendRune(dst, utf8.RuneError)
			default:
				exact = exact && r != utf8.RuneError
				dst = utf8.AppendRune(dst, r)
			}
			b = b[size:]
		}
		text = text[used:]
	}
	return dst, exact
}
