// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Entropy is the Shannon entropy of the bytes of a text, in bits for each.
func Entropy(s string) float64 {
	if s == "" {
		return 0
	}
	var count [256]int
	for i := range len(s) {
		count[s[i]]++
	}
	h, n := 0.0, float64(len(s))
	for _, c := range count {
		if c > 0 {
			p := float64(c) / n
			h -= p * math.Log2(p)
		}
	}
	return max(h, 0)
}

func labels(name string) int {
	name = strings.TrimSuffix(name, ".")
	if name == "" {
		return 0
	}
	return strings.Count(name, ".") + 1
}

// secondLevels are labels under which registries of countries let others register.
var secondLevels = [...]string{"ac", "co", "com", "edu", "gob", "gov", "go", "gv", "ltd", "me", "mil", "ne", "net", "nhs", "nom", "or", "org", "plc", "sch"}

// ParentDomain is the name under which a host name was registered, about: its
// last two labels, or three where the second last is one such as "co" under a
// country. It is a rule of thumb, not the public suffix list.
func ParentDomain(name string) string {
	name = strings.TrimSuffix(name, ".")
	last := strings.LastIndexByte(name, '.')
	if last < 0 {
		return name
	}
	second := strings.LastIndexByte(name[:last], '.')
	if second < 0 {
		return name
	}
	if len(name)-last == 3 && slices.Contains(secondLevels[:], mapASCII(name[second+1:last], 'A', 'Z')) {
		if third := strings.LastIndexByte(name[:second], '.'); third >= 0 {
			return name[third+1:]
		}
		return name
	}
	return name[second+1:]
}

// mapASCII changes the case of the letters from lo to hi. A text without one is returned as it is.
func mapASCII(s string, lo, hi byte) string {
	for i := range len(s) {
		if c := s[i]; c >= lo && c <= hi {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if b[j] >= lo && b[j] <= hi {
					b[j] ^= 0x20
				}
			}
			return string(b)
		}
	}
	return s
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// The tests of a text that is taken in lower case, without making that. A part with a
// capital letter is never found, as in what they stand for.
var foldedTests = map[string]func(s, part string) bool{
	"contains":   containsFolded,
	"startsWith": func(s, part string) bool { return len(s) >= len(part) && equalFolded(s[:len(part)], part) },
	"endsWith":   func(s, part string) bool { return len(s) >= len(part) && equalFolded(s[len(s)-len(part):], part) },
}

func equalFolded(s, low string) bool {
	if len(s) != len(low) {
		return false
	}
	for i := range len(s) {
		if lowerByte(s[i]) != low[i] {
			return false
		}
	}
	return true
}

func containsFolded(s, low string) bool {
	if low == "" {
		return true
	}
	for i := 0; i+len(low) <= len(s); i++ {
		if lowerByte(s[i]) == low[0] && equalFolded(s[i:i+len(low)], low) {
			return true
		}
	}
	return false
}

func sortTexts(s []string) { slices.Sort(s) }

func appendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

func quote(s string) string { return strconv.Quote(s) }
