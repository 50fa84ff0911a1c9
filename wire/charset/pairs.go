// SPDX-License-Identifier: Apache-2.0

package charset

import (
	"sync"
	"unicode/utf8"
)

// pairCodes are the characters of each set of pairs and their two bytes, as they stand in G0 or G1: what the reader makes of every place
// that the set's standard fills, turned around. A table is made when it is first needed.
var pairCodes = map[graphic]func() map[rune][2]byte{
	kanji: sync.OnceValue(kanji.turned), kanjiMore: sync.OnceValue(kanjiMore.turned), hangul: sync.OnceValue(hangul.turned), hanzi: sync.OnceValue(hanzi.turned),
}

func (g graphic) turned() map[rune][2]byte {
	m := make(map[rune][2]byte, 8192)
	var r pairReader
	for row := byte(1); row <= 94; row++ {
		for cell := byte(1); cell <= 94; cell++ {
			if !g.has(row, cell) {
				continue
			}
			code := [2]byte{row + 0x20, cell + 0x20}
			if g.right() {
				code[0], code[1] = code[0]|0x80, code[1]|0x80
			}
			c, n := r.pair(g, code[:])
			if _, again := m[c]; n == 2 && c != utf8.RuneError && !again {
				m[c] = code
			}
		}
	}
	return m
}

// pairOf returns the two bytes of a character in a set of pairs.
func (g graphic) pairOf(r rune) (code [2]byte, ok bool) {
	m := pairCodes[g]()
	if code, ok = m[r]; ok {
		return code, true
	}
	if other, same := twins[r]; same {
		code, ok = m[other]
	}
	return code, ok
}

// twins are characters of which the standards' own tables have one and the Encoding Standard, whose tables are used
// here, the other.
var twins = map[rune]rune{'〜': '～', '～': '〜', '‖': '∥', '∥': '‖', '−': '－', '－': '−', '¢': '￠', '£': '￡', '¬': '￢', '—': '―', '―': '—', '・': '·', '·': '・', '¦': '￤', '￠': '¢', '￡': '£', '￢': '¬'}

// has reports a place of a set of pairs, by row and cell from 1, that its standard fills. The tables used have
// extensions of vendors in others.
func (g graphic) has(row, cell byte) bool {
	switch g {
	case kanji: // JIS X 0208: rows 1 to 8 and 16 to 84
		return row <= 8 && !(row == 2 && !jisSymbol(cell)) || row >= 16 && row <= 84
	case kanjiMore: // JIS X 0212: rows 2, 6, 7, 9 to 11 and 16 to 77
		return row == 2 || row == 6 || row == 7 || row >= 9 && row <= 11 || row >= 16 && row <= 77
	case hanzi: // GB 2312: rows 1 to 9 and 16 to 87
		switch row {
		case 2:
			return cell >= 17 && cell <= 66 || cell >= 69 && cell <= 78 || cell >= 81 && cell <= 92
		case 6:
			return cell <= 24 || cell >= 33 && cell <= 56
		case 8:
			return cell <= 26 || cell >= 37 && cell <= 73
		case 55:
			return cell <= 89
		}
		return row <= 7 || row == 9 && cell >= 4 && cell <= 79 || row >= 16 && row <= 87
	case hangul: // KS X 1001: rows 1 to 12, 16 to 40 and 42 to 93; the euro sign and the registered sign came in 1998
		return row <= 12 && !(row == 2 && cell >= 70) || row >= 16 && row <= 40 || row >= 42 && row <= 93
	}
	return false
}

// jisSymbol reports a filled cell of row 2 of JIS X 0208.
func jisSymbol(c byte) bool {
	return c <= 14 || c >= 26 && c <= 33 || c >= 42 && c <= 48 || c >= 60 && c <= 74 || c >= 82 && c <= 89 || c == 94
}
