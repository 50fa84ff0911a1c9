// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Error is one thing that is wrong with a configuration.
type Error struct {
	File    string
	Line    int    // 1 is the first; 0 when the field is not in the file
	Column  int    // in characters, 1 is the first
	Field   string // path of the field, "sensor.inputs[2].file"; "" when it is about the file
	Message string
	Hint    string // what to do; "" when there is nothing to say
	Source  string // the text of the line
}

// Error gives the place and what is wrong, with the line of the file and the
// hint below it:
//
//	asepsis.yaml:3:5: sensor.worker: no such field
//	    3 |     worker: 4
//	      |     ^
//	hint: did you mean "workers"?
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Message)
	if e.Line > 0 && e.Source != "" {
		n := strconv.Itoa(e.Line)
		fmt.Fprintf(&b, "\n%5s | %s\n%5s | %s^", n, e.Source, "", strings.Repeat(" ", max(e.Column-1, 0)))
	}
	if e.Hint != "" {
		b.WriteString("\nhint: " + e.Hint)
	}
	return b.String()
}

// Errors is everything that is wrong with a configuration, in the order of the
// file. It has at least one element.
type Errors []*Error

// Error gives all errors, one after the other.
func (e Errors) Error() string {
	text := make([]string, len(e))
	for i, one := range e {
		text[i] = one.Error()
	}
	return strings.Join(text, "\n")
}

// Unwrap lets errors.As find an *Error.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, one := range e {
		out[i] = one
	}
	return out
}

// FieldError is what a Validate method returns; see Invalid.
type FieldError struct {
	Field   string
	Message string
	Hint    string
}

// Error gives the field and what is wrong.
func (e *FieldError) Error() string {
	s := e.Field + ": " + e.Message
	if e.Hint != "" {
		s += "\nhint: " + e.Hint
	}
	return s
}

// Invalid makes the error of a Validate method. The field is a path from the
// struct that is validated, in the names of the file: "workers",
// "inputs[2].file". The hint may be empty.
func Invalid(field, hint, format string, args ...any) error {
	return &FieldError{Field: field, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// position is a place in the file.
type position struct{ line, column int }

// fail records an error at a field. What is not in the file is reported at the
// nearest thing above it that is.
func (d *decoder) fail(path, hint, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	p, ok := d.at[path]
	for up := path; !ok && up != ""; {
		up = up[:max(strings.LastIndexAny(up, ".["), 0)]
		p, ok = d.at[up]
	}
	d.failAt(p, path, hint, msg)
}

func (d *decoder) failAt(p position, path, hint, msg string) {
	if len(d.errs) >= maxErrors {
		return
	}
	e := &Error{File: d.file, Line: p.line, Column: p.column, Field: path, Message: msg, Hint: hint}
	if p.line > 0 && p.line <= len(d.lines) {
		e.Source = printable(d.lines[p.line-1])
	}
	d.errs = append(d.errs, e)
}

// maxErrors bounds what is reported about one file.
const maxErrors = 50

func (d *decoder) sorted() Errors {
	slices.SortStableFunc(d.errs, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return d.errs
}

// printable makes a line of the file fit for a terminal. Tabs become one
// space each, so that the mark below stands in the right place.
func printable(s string) string {
	const most = 160
	s = strings.ToValidUTF8(strings.TrimRight(s, "\r\n"), "\ufffd")
	s = strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if !strconv.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return s
}

// nearest returns the name that was probably meant, "" when none is close.
func nearest(name string, known []string) string {
	best, score := "", 1+len(name)/3
	for _, k := range known {
		if n := distance(strings.ToLower(name), k); n <= score && (best == "" || n < score) {
			best, score = k, n
		}
	}
	if best == "" {
		for _, k := range known {
			if len(name) >= 3 && (strings.HasPrefix(k, name) || strings.HasPrefix(name, k)) {
				return k
			}
		}
	}
	return best
}

// distance is the edit distance with transpositions of neighbours.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}
