// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"reflect"
	"strings"
	"time"
	"unicode"
)

type timeType = time.Time

// fieldsOf returns the fields of a struct by their names in JSON.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	out := make(map[string]reflect.Type, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		if tag == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		if f.Anonymous && name == "" {
			ft := f.Type
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			if ft.Kind() == reflect.Struct {
				for n, inner := range fieldsOf(ft) {
					if _, outer := out[n]; !outer {
						out[n] = inner
					}
				}
				continue
			}
		}
		if name == "" {
			name = f.Name
		}
		out[name] = f.Type
	}
	return out
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// shown makes a name that a client made up fit to be repeated: short, and
// without what a terminal or a page could act on.
func shown(name string) string {
	const most = 40
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, name)
	if r := []rune(name); len(r) > most {
		name = string(r[:most]) + "..."
	}
	return name
}

// nearest returns the field that was probably meant, "" when none is close.
func nearest(name string, fields map[string]reflect.Type) string {
	best, score := "", 2+len(name)/3
	lower := strings.ToLower(name)
	for known := range fields {
		n := distance(lower, strings.ToLower(known))
		if len(lower) >= 3 && (strings.HasPrefix(known, lower) || strings.HasPrefix(lower, known)) {
			n = min(n, 1)
		}
		if n < score || n == score && best != "" && known < best {
			best, score = known, n
		}
	}
	return best
}

// distance is the edit distance with transpositions of neighbours
// (optimal string alignment).
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	rows := [3][longest + 1]int{}
	before, above, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
