// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"math/bits"
	"unicode"
	"unicode/utf8"

	"github.com/asepsis/asepsis/platform/store"
)

// A text is a sequence of words: runs of letters and digits, in lower case.
// Everything else parts them. The filter holds each word, and, for words of at
// most shortWord bytes such as the parts of an address, also each two and each
// four in a row: "10", "1", "2" and "3" are everywhere, 10.1.2.3 is not.
const shortWord = 4

// fold appends the lower-case form of s, with every run of white space as one
// space.
func fold(dst []byte, s string) []byte {
	space := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return foldRunes(dst, s[i:], space)
		}
		switch {
		case c == ' ' || c-'\t' <= '\r'-'\t':
			if space {
				continue
			}
			space, c = true, ' '
		default:
			space = false
			if c-'A' <= 'Z'-'A' {
				c += 'a' - 'A'
			}
		}
		dst = append(dst, c)
	}
	return dst
}

func foldRunes(dst []byte, s string, space bool) []byte {
	for _, r := range s {
		if unicode.IsSpace(r) {
			if !space {
				dst = append(dst, ' ')
			}
			space = true
			continue
		}
		space = false
		dst = utf8.AppendRune(dst, unicode.ToLower(r))
	}
	return dst
}

func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r-'a' <= 'z'-'a' && r >= 'a' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z'
	}
	return unicode.In(r, unicode.L, unicode.N, unicode.M)
}

// wordHashes calls yield with the hashes that the filter holds of a folded text.
func wordHashes(b []byte, yield func(uint64)) {
	var run [3]uint64 // the short words just before, newest first
	short := 0        // how many of them
	for i := 0; i < len(b); {
		start, c := i, b[i]
		for i < len(b) {
			if c = b[i]; c < utf8.RuneSelf {
				if c-'a' > 'z'-'a' && c-'0' > 9 {
					break
				}
				i++
				continue
			}
			r, n := utf8.DecodeRune(b[i:])
			if !isWord(r) {
				break
			}
			i += n
		}
		if i == start {
			if c < utf8.RuneSelf {
				i++
			} else {
				_, n := utf8.DecodeRune(b[i:])
				i += n
			}
			continue
		}
		h := hash(tagWord, b[start:i])
		yield(h)
		if i-start > shortWord {
			short = 0
			continue
		}
		if short >= 1 {
			yield(join(run[0], h))
		}
		if short >= 3 {
			yield(join(join(run[2], run[1]), join(run[0], h)))
		}
		run[2], run[1], run[0] = run[1], run[0], h
		short++
	}
}

func join(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9E3779B97F4A7C15, bits.RotateLeft64(b, 31)^0xD6E8FEB86659FD93)
	return hi ^ lo
}

// Tags part the values of fields from words in the filter.
const (
	tagWord = iota + 1
	tagText
	tagClass
	tagActivity
	tagSeverity
	tagStatus
	tagProtocol
	tagSensor
	tagTheatre
	tagDevice
	tagAddr
	tagSevere
)

// hash is the same in every process and for ever: filters are kept. It need not
// resist somebody who looks for collisions; those cost a reader time only.
func hash[T string | []byte](tag uint64, b T) uint64 {
	h := tag*0xA0761D6478BD642F ^ uint64(len(b))
	i := 0
	for ; i+8 <= len(b); i += 8 {
		h = join(h, le64(b, i, 8))
	}
	if i < len(b) {
		h = join(h, le64(b, i, len(b)-i))
	}
	return join(h, tag)
}

func le64[T string | []byte](b T, at, n int) uint64 {
	v := uint64(0)
	if n == 8 {
		return uint64(b[at]) | uint64(b[at+1])<<8 | uint64(b[at+2])<<16 | uint64(b[at+3])<<24 |
			uint64(b[at+4])<<32 | uint64(b[at+5])<<40 | uint64(b[at+6])<<48 | uint64(b[at+7])<<56
	}
	for i := range n {
		v |= uint64(b[at+i]) << (8 * i)
	}
	return v
}

func hashNumber(tag, v uint64) uint64 { return join(join(tag*0xA0761D6478BD642F, v), tag) }

// fieldTag says under which tag the values of a field are in the filter.
func fieldTag(f store.Field) uint64 {
	switch f {
	case store.FieldClass:
		return tagClass
	case store.FieldActivity:
		return tagActivity
	case store.FieldSeverity:
		return tagSeverity
	case store.FieldStatus:
		return tagStatus
	case store.FieldProtocol:
		return tagProtocol
	case store.FieldSensor:
		return tagSensor
	case store.FieldTheatre:
		return tagTheatre
	case store.FieldDevice, store.FieldSrcDevice, store.FieldDstDevice:
		return tagDevice
	case store.FieldIP, store.FieldSrcIP, store.FieldDstIP:
		return tagAddr
	}
	return 0
}
