// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"strings"
	"unicode/utf8"
)

// CharacterSet is how the text of a data set is read, from the value of Specific
// Character Set (0008,0005) (PS3.3 §C.12.1.1.2). The zero value is the default
// repertoire, ISO IR 6.
//
// Decoded: ISO_IR 6, 13, 100, 144, 148, 192, 203, each also in its ISO 2022 form.
// For every other set, and for all multi-byte ones, ASCII is read and each other
// byte becomes U+FFFD: what is shown then is right as far as it goes.
type CharacterSet uint8

// The character sets that are told apart.
const (
	CharsetDefault  CharacterSet = iota // ISO_IR 6: ASCII
	CharsetLatin1                       // ISO_IR 100
	CharsetUTF8                         // ISO_IR 192
	CharsetCyrillic                     // ISO_IR 144
	CharsetLatin5                       // ISO_IR 148
	CharsetLatin9                       // ISO_IR 203
	CharsetKatakana                     // ISO_IR 13
	CharsetOther
)

// ParseCharacterSet reads a value of (0008,0005). With code extensions (several
// values) the first value that is not empty decides.
func ParseCharacterSet(value []byte) CharacterSet {
	for _, term := range strings.Split(string(value[:min(len(value), 256)]), "\\") {
		switch strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(strings.Trim(term, " \x00"), "ISO 2022"), "ISO_IR"), " IR") {
		case "":
			continue
		case "6":
			return CharsetDefault
		case "100":
			return CharsetLatin1
		case "192":
			return CharsetUTF8
		case "144":
			return CharsetCyrillic
		case "148":
			return CharsetLatin5
		case "203":
			return CharsetLatin9
		case "13":
			return CharsetKatakana
		}
		return CharsetOther
	}
	return CharsetDefault
}

// Decode returns the text of a value as UTF-8, without padding. Escape sequences
// of ISO 2022 are left out; control characters become spaces.
func (c CharacterSet) Decode(value []byte) string {
	for len(value) > 0 && (value[len(value)-1] == ' ' || value[len(value)-1] == 0) {
		value = value[:len(value)-1]
	}
	plain := true
	for _, b := range value {
		if b < 0x20 || b > 0x7E {
			plain = false
			break
		}
	}
	if plain {
		return string(value)
	}
	var sb strings.Builder
	for i := 0; i < len(value); {
		b := value[i]
		switch {
		case b == 0x1B: // ISO 2022: intermediate bytes 2/0-2/15, one final byte
			i++
			for i < len(value) && value[i] >= 0x20 && value[i] <= 0x2F {
				i++
			}
			i++
			continue
		case b < 0x20 || b == 0x7F:
			sb.WriteByte(' ')
		case b < 0x80:
			sb.WriteByte(b)
		case c == CharsetUTF8:
			r, n := utf8.DecodeRune(value[i:])
			sb.WriteRune(r)
			i += n
			continue
		default:
			sb.WriteRune(c.high(b))
		}
		i++
	}
	return sb.String()
}

// high maps a byte of 0x80 and above of a single-byte set.
func (c CharacterSet) high(b byte) rune {
	if b < 0xA0 {
		return utf8.RuneError
	}
	switch c {
	case CharsetLatin1:
		return rune(b)
	case CharsetCyrillic: // ISO 8859-5
		switch b {
		case 0xA0, 0xAD:
			return rune(b)
		case 0xF0:
			return '№'
		case 0xFD:
			return '§'
		}
		return rune(b) - 0xA0 + 0x400
	case CharsetLatin5: // ISO 8859-9
		switch b {
		case 0xD0:
			return 'Ğ'
		case 0xDD:
			return 'İ'
		case 0xDE:
			return 'Ş'
		case 0xF0:
			return 'ğ'
		case 0xFD:
			return 'ı'
		case 0xFE:
			return 'ş'
		}
		return rune(b)
	case CharsetLatin9: // ISO 8859-15
		switch b {
		case 0xA4:
			return '€'
		case 0xA6:
			return 'Š'
		case 0xA8:
			return 'š'
		case 0xB4:
			return 'Ž'
		case 0xB8:
			return 'ž'
		case 0xBC:
			return 'Œ'
		case 0xBD:
			return 'œ'
		case 0xBE:
			return 'Ÿ'
		}
		return rune(b)
	case CharsetKatakana: // JIS X 0201
		if b >= 0xA1 && b <= 0xDF {
			return rune(b) - 0xA1 + 0xFF61
		}
	}
	return utf8.RuneError
}

// TrimString returns a value of the default repertoire as printable ASCII,
// without the padding that PS3.5 §6.2 allows (trailing spaces and NULs, leading
// spaces). Other bytes become '?'.
func TrimString(value []byte) string {
	i, j := 0, len(value)
	for i < j && (value[i] == ' ' || value[i] == 0) {
		i++
	}
	for i < j && (value[j-1] == ' ' || value[j-1] == 0) {
		j--
	}
	value = value[i:j]
	for k, b := range value {
		if b < 0x20 || b > 0x7E {
			clean := make([]byte, len(value))
			copy(clean, value[:k])
			for ; k < len(value); k++ {
				if clean[k] = value[k]; clean[k] < 0x20 || clean[k] > 0x7E {
					clean[k] = '?'
				}
			}
			return string(clean)
		}
	}
	return string(value)
}
