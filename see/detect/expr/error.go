// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"fmt"
	"slices"
	"strings"
)

// Error is one thing that is wrong with an expression.
type Error struct {
	Line    int // 1 is the first
	Column  int // in characters, 1 is the first
	Message string
	Help    string // what to do; "" when there is nothing to say
}

// Error gives the place and what is wrong, with the hint behind it.
func (e *Error) Error() string {
	s := fmt.Sprintf("column %d: %s", e.Column, e.Message)
	if e.Line > 1 {
		s = fmt.Sprintf("line %d, %s", e.Line, s)
	}
	if e.Help != "" {
		s += " (" + e.Help + ")"
	}
	return s
}

// Hint says what to do.
func (e *Error) Hint() string { return e.Help }

// most errors of one expression that are told.
const maxErrors = 5

// undeclared is the error of a name that is not known.
func (c *compiler) undeclared(e *syntax) error {
	name := e.name
	if class := ClassOf(name); class != 0 {
		return c.place(e, "it belongs to the class "+class.Name(), "%q is not in the events that the rule selects", name)
	}
	known := functionNames()
	for n := range c.roots {
		known = append(known, n)
	}
	for _, l := range c.loops {
		known = append(known, l.name)
	}
	slices.Sort(known)
	return c.place(e, nearHint(name, known), "%q is not known", name)
}

// nearHint names what was probably meant, else all that there is.
func nearHint(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(known) == 0 || len(known) > 60 {
		return ""
	}
	return "there are " + strings.Join(known, ", ")
}

// nearest returns the known name that a wrong one is closest to, "" when none is close.
func nearest(name string, known []string) string {
	best, score := "", 2+len(name)/4
	for _, k := range known {
		if n := distance(strings.ToLower(name), k); n < score {
			best, score = k, n
		}
	}
	if best != "" || len(name) < 3 {
		return best
	}
	for _, k := range known { // "command" for dimse_command
		if strings.HasSuffix(k, "_"+name) || strings.HasPrefix(k, name+"_") {
			return k
		}
	}
	return ""
}

// distance is the edit distance.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// Nearest is a hint at what was probably meant, else at all that there is.
func Nearest(name string, known []string) string { return nearHint(name, known) }
