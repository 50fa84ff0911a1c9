// SPDX-License-Identifier: Apache-2.0

package deid

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

//go:embed table/words.txt
var wordsText string

var builtin = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for line := range strings.Lines(wordsText) {
		if !strings.HasPrefix(line, "#") {
			for _, w := range words(line) {
				m[strings.ToLower(w)] = true
			}
		}
	}
	return m
})

// vocabulary returns the words that may stay: the built-in ones and a profile's own.
func vocabulary(own []string) map[string]bool {
	if len(own) == 0 {
		return builtin()
	}
	m := make(map[string]bool, len(builtin())+len(own))
	for w := range builtin() {
		m[w] = true
	}
	for _, w := range own {
		for _, w := range words(w) {
			m[strings.ToLower(w)] = true
		}
	}
	return m
}

// words cuts a text into its words and numbers: runs of letters, marks and digits. A point or comma between digits
// belongs to the number.
func words(s string) []string {
	var out []string
	start := -1
	for i, r := range s {
		in := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
		if !in && start >= 0 && (r == '.' || r == ',') && i > 0 && i+1 < len(s) {
			in = isDigit(s[i-1]) && isDigit(s[i+1])
		}
		switch {
		case in && start < 0:
			start = i
		case !in && start >= 0:
			out = append(out, s[start:i])
			start = -1
		}
	}
	if start >= 0 {
		out = append(out, s[start:])
	}
	return out
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// units may follow a number.
var units = map[string]bool{"mm": true, "cm": true, "m": true, "ms": true, "s": true, "sec": true, "min": true, "h": true, "ml": true, "l": true, "cc": true, "mg": true, "g": true,
	"kg": true, "kv": true, "kvp": true, "ma": true, "mas": true, "mgy": true, "msv": true, "hz": true, "khz": true, "mhz": true, "t": true, "tesla": true, "deg": true, "fps": true, "hu": true,
	"kev": true, "bpm": true, "x": true, "d": true, "w": true}

// number reports a token that begins with digits: how many of them stand before a point, and what follows.
func number(w string) (whole int, rest string, ok bool) {
	for whole < len(w) && isDigit(w[whole]) {
		whole++
	}
	if whole == 0 {
		return 0, "", false
	}
	rest = w[whole:]
	if len(rest) > 1 && (rest[0] == '.' || rest[0] == ',') {
		rest = strings.TrimLeft(rest[1:], "0123456789")
	}
	return whole, rest, true
}

// without keeps the opposite of "with" from being read as it.
var without = strings.NewReplacer("w/o", "without", "W/O", "WITHOUT", "W/o", "Without", "w/", "with ", "W/", "WITH ")

// cleanText keeps the words of a vocabulary that are not among names, numbers with a unit, and single numbers of
// at most three digits. Two numbers side by side might be a date or an identifier: both go.
func cleanText(text string, vocab, names map[string]bool) string {
	list := words(without.Replace(text))
	bare := make([]bool, len(list))
	for i, w := range list {
		_, rest, ok := number(w)
		bare[i] = ok && rest == ""
	}
	var b strings.Builder
	for i, w := range list {
		low := strings.ToLower(w)
		safe := vocab[low]
		if whole, rest, ok := number(w); ok && !safe {
			alone := (i == 0 || !bare[i-1]) && (i+1 == len(list) || !bare[i+1])
			safe = rest == "" && whole <= 3 && len(w) <= 6 && alone || whole <= 4 && len(w) <= 12 && units[strings.ToLower(rest)]
		}
		if !safe || names[low] {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return b.String()
}

// nameWords adds the words of a name or an identifier that are long enough to mean somebody.
func nameWords(names map[string]bool, value string) {
	for _, w := range words(value) {
		if utf8.RuneCountInString(w) >= 2 && len(names) < maxNames {
			names[strings.ToLower(w)] = true
		}
	}
}

const maxNames = 256
