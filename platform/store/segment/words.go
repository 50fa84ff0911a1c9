// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/asepsis/asepsis/platform/store"
)

// A text is a sequence of words: runs of letters and digits, in lower case.
// Everything else parts them. The filter holds each word, and, for words of at
// most shortWord bytes such as the parts of an address, also each two and each
// four in a row: "10", "1", "2" and "3" are everywhere, 10.1.2.3 is not.
const shortWord = 4

// prefixLen is how many bytes of each word that is as long the filter holds under
// tagPrefix, so that the beginning of a word can be looked for, too.
const prefixLen = 4

// fold appends the lower-case form of s, with every run of white space as one
// space.
func fold(dst []byte, s string) []byte {
	space := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c > ' ' && c < utf8.RuneSelf {
			space = false
			dst = append(dst, lower[c])
			continue
		}
		if c >= utf8.RuneSelf {
			return foldRunes(dst, s[i:], space)
		}
		if c == ' ' || c-'\t' <= '\r'-'\t' {
			if space {
				continue
			}
			space, c = true, ' '
		} else {
			space = false
		}
		dst = append(dst, c)
	}
	return dst
}

// lower is the lower-case form of ASCII.
var lower = func() (to [utf8.RuneSelf]byte) {
	for c := range to {
		to[c] = byte(c)
		if c >= 'A' && c <= 'Z' {
			to[c] += 'a' - 'A'
		}
	}
	return to
}()

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

// wordByte says which bytes of a folded text are ASCII letters and digits.
var wordByte = func() (is [256]bool) {
	for c := range is {
		is[c] = c < utf8.RuneSelf && isWord(rune(c))
	}
	return is
}()

// wordHashes appends the hashes that the filter holds of a folded text, those of the
// beginnings of words when prefixes is set. Some come more than once.
func wordHashes(dst []uint64, b []byte, prefixes bool) []uint64 {
	var run [3]uint64 // the short words just before, newest first
	short := 0        // how many of them
	for i := 0; i < len(b); {
		start, c := i, b[i]
		for i < len(b) {
			if c = b[i]; c < utf8.RuneSelf {
				if !wordByte[c] {
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
		dst = append(dst, h)
		if prefixes && i-start >= prefixLen {
			dst = append(dst, prefixHash(b[start:]))
		}
		if i-start > shortWord {
			short = 0
			continue
		}
		if short >= 1 {
			dst = append(dst, join(run[0], h))
		}
		if short >= 3 {
			dst = append(dst, join(join(run[2], run[1]), join(run[0], h)))
		}
		run[2], run[1], run[0] = run[1], run[0], h
		short++
	}
	return dst
}

// prefixHash is the hash of the beginning of a word.
func prefixHash(word []byte) uint64 { return hash(tagPrefix, word[:prefixLen]) }

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
	tagPrefix
)

// hash is the same in every process and for ever: filters are kept. It need not
// resist somebody who looks for collisions; those cost a reader time only.
func hash(tag uint64, b []byte) uint64 {
	h := tag*0xA0761D6478BD642F ^ uint64(len(b))
	for ; len(b) >= 8; b = b[8:] {
		h = join(h, binary.LittleEndian.Uint64(b))
	}
	switch n := len(b); {
	case n >= 4: // the two halves overlap in what they have in common
		h = join(h, uint64(binary.LittleEndian.Uint32(b))|uint64(binary.LittleEndian.Uint32(b[n-4:]))<<(8*(n-4)))
	case n > 0:
		h = join(h, uint64(b[0])|uint64(b[n/2])<<(8*(n/2))|uint64(b[n-1])<<(8*(n-1)))
	}
	return join(h, tag)
}

func hashString(tag uint64, s string) uint64 {
	return hash(tag, unsafe.Slice(unsafe.StringData(s), len(s)))
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
