// SPDX-License-Identifier: Apache-2.0

package charset

import (
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// graphic is a set of graphic characters that ISO 2022 can select. Numbers are those
// of the ISO registry.
type graphic uint8

const (
	ascii     graphic = iota // IR 6, of 94 characters in G0
	none                     // nothing in G1
	romaji                   // IR 14, JIS X 0201: read as ASCII, see the note below
	kanji                    // IR 87, JIS X 0208, pairs in G0
	kanjiMore                // IR 159, JIS X 0212, pairs in G0
	latin1                   // IR 100, from here on of G1
	latin2                   // IR 101
	latin3                   // IR 109
	latin4                   // IR 110
	greek                    // IR 126
	arabic                   // IR 127
	hebrew                   // IR 138
	cyrillic                 // IR 144
	latin5                   // IR 148
	thai                     // IR 166, TIS 620
	latin9                   // IR 203
	katakana                 // IR 13, JIS X 0201
	hangul                   // IR 149, KS X 1001, pairs
	hanzi                    // IR 58, GB 2312, pairs
)

// JIS X 0201 has a yen sign at 5C and an overline at 7E. In DICOM 5C is the delimiter of
// values whatever the set (PS3.3 §C.12.1.1.2, note), and readers show a backslash and a tilde.

// ascii reports that bytes below 80 are ASCII.
func (g graphic) ascii() bool { return g != kanji && g != kanjiMore }

// pairs reports that a character takes two bytes.
func (g graphic) pairs() bool { return g == kanji || g == kanjiMore || g == hangul || g == hanzi }

// term is what a declaration stands for at the beginning of text.
type term struct {
	scheme scheme
	g0, g1 graphic
}

// dicomTerms are the defined terms of PS3.3 tables C.12-2 to C.12-5, squeezed.
var dicomTerms = func() map[string]term {
	m := map[string]term{
		"GB18030": {scheme: gb18030}, "ISO2022GB18030": {scheme: gb18030}, "GBK": {scheme: gbk}, "ISO2022GBK": {scheme: gbk},
		"ISOIR192": {scheme: utf8Text}, "ISO2022IR192": {scheme: utf8Text}, "UTF8": {scheme: utf8Text},
	}
	for ir, t := range map[string]term{
		"6": {}, "13": {g0: romaji, g1: katakana}, "58": {g1: hanzi}, "87": {}, "100": {g1: latin1}, "101": {g1: latin2}, "109": {g1: latin3},
		"110": {g1: latin4}, "126": {g1: greek}, "127": {g1: arabic}, "138": {g1: hebrew}, "144": {g1: cyrillic}, "148": {g1: latin5}, "149": {g1: hangul},
		"159": {}, "166": {g1: thai}, "203": {g1: latin9},
	} {
		m["ISOIR"+ir], m["ISO2022IR"+ir] = t, t
	}
	return m
}()

// hl7Terms are those of HL7 table 0211 and what senders write instead, squeezed.
var hl7Terms = map[string]term{
	"ASCII": {}, "USASCII": {}, "ISOIR6": {}, "ISOIR14": {g0: romaji, g1: katakana}, "ISOIR87": {}, "ISOIR159": {},
	"8859/1": {g1: latin1}, "8859/2": {g1: latin2}, "8859/3": {g1: latin3}, "8859/4": {g1: latin4}, "8859/5": {g1: cyrillic}, "8859/6": {g1: arabic},
	"8859/7": {g1: greek}, "8859/8": {g1: hebrew}, "8859/9": {g1: latin5}, "8859/15": {g1: latin9},
	"ISO88591": {g1: latin1}, "ISO8859/1": {g1: latin1}, "ISOIR100": {g1: latin1}, "LATIN1": {g1: latin1}, "ISO885915": {g1: latin9},
	"KSX1001": {g1: hangul}, "GB180302000": {scheme: gb18030}, "GB18030": {scheme: gb18030}, "BIG5": {scheme: big5}, "WINDOWS1252": {scheme: windows1252},
	"UNICODE": {scheme: utf8Text}, "UNICODEUTF8": {scheme: utf8Text}, "UTF8": {scheme: utf8Text},
}

// high maps a byte of 80 and above in a set of single bytes.
func (g graphic) high(b byte) rune {
	if b < 0xA0 {
		return utf8.RuneError
	}
	switch g {
	case latin1:
		return rune(b)
	case latin2:
		return charmap.ISO8859_2.DecodeByte(b)
	case latin3:
		return charmap.ISO8859_3.DecodeByte(b)
	case latin4:
		return charmap.ISO8859_4.DecodeByte(b)
	case greek:
		return charmap.ISO8859_7.DecodeByte(b)
	case arabic:
		return charmap.ISO8859_6.DecodeByte(b)
	case hebrew:
		return charmap.ISO8859_8.DecodeByte(b)
	case cyrillic:
		return charmap.ISO8859_5.DecodeByte(b)
	case latin5:
		return charmap.ISO8859_9.DecodeByte(b)
	case latin9:
		return charmap.ISO8859_15.DecodeByte(b)
	case thai:
		if b > 0xA0 && b <= 0xDA || b >= 0xDF && b <= 0xFB {
			return rune(b) - 0xA0 + 0x0E00
		}
	case katakana:
		if b >= 0xA1 && b <= 0xDF {
			return rune(b) - 0xA1 + 0xFF61
		}
	}
	return utf8.RuneError
}

// appendWindows appends text of Windows-1252.
func appendWindows(dst, text []byte) (_ []byte, exact bool) {
	exact = true
	for _, b := range text {
		if isControl(b) {
			dst = appendControl(dst, b)
			continue
		}
		r := charmap.Windows1252.DecodeByte(b)
		if r >= 0x80 && r < 0xA0 {
			r = utf8.RuneError // not assigned
		}
		exact = exact && r != utf8.RuneError
		dst = utf8.AppendRune(dst, r)
	}
	return dst, exact
}
