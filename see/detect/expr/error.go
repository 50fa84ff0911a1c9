// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
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

// issues makes errors of what CEL's parser and checker found.
func (e *Env) issues(iss *cel.Issues, parsed *cel.Ast, roots map[string]*field) error {
	var out []error
	for _, one := range iss.Errors() {
		if len(out) >= maxErrors {
			break
		}
		err := &Error{Line: one.Location.Line(), Column: one.Location.Column() + 1, Message: one.Message}
		e.reword(err, one.ExprID, parsed, roots)
		out = append(out, err)
	}
	if len(out) == 1 {
		return out[0]
	}
	return errors.Join(out...)
}

var (
	undefinedField = regexp.MustCompile(`^undefined field '(.*)'$`)
	undeclaredName = regexp.MustCompile(`^undeclared reference to '(.*?)' \(in container`)
	noOverload     = regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`)
)

// reword says in the words of the rule's author what the checker says in its own.
func (e *Env) reword(err *Error, id int64, parsed *cel.Ast, roots map[string]*field) {
	if m := undefinedField.FindStringSubmatch(err.Message); m != nil {
		err.Column++ // of the name, behind the dot
		err.Message = fmt.Sprintf("there is no field %q", m[1])
		if of := operandOf(parsed, id, roots); of != nil {
			err.Message, err.Help = fmt.Sprintf("%s has no field %q", of.name, m[1]), nearHint(m[1], of.names())
		}
		return
	}
	if m := undeclaredName.FindStringSubmatch(err.Message); m != nil {
		e.undeclared(err, m[1], roots)
		return
	}
	if m := noOverload.FindStringSubmatch(err.Message); m != nil {
		name := strings.Trim(m[1], "_@")
		args := m[2]
		if target, rest, ok := strings.Cut(args, ".("); ok {
			args = target + ", " + rest
		}
		kinds := strings.Split(strings.Trim(args, "()"), ", ")
		for i, k := range kinds {
			kinds[i] = plainType(strings.Trim(k, "()"))
		}
		err.Message = fmt.Sprintf("%s does not go with %s", name, strings.Join(kinds, " and "))
		return
	}
	err.Message = strings.TrimPrefix(err.Message, "Syntax error: ")
}

func (e *Env) undeclared(err *Error, name string, roots map[string]*field) {
	if c := ClassOf(name); c != 0 && roots[name] == nil {
		err.Message = fmt.Sprintf("%q is not in the events that the rule selects", name)
		err.Help = "it belongs to the class " + c.Name()
		return
	}
	known := make([]string, 0, len(roots))
	for n := range roots {
		known = append(known, n)
	}
	for _, f := range Functions() {
		for part := range strings.SplitSeq(f.Call, ", ") {
			if n, _, ok := strings.Cut(part, "("); ok {
				known = append(known, n)
			}
		}
	}
	slices.Sort(known)
	err.Message, err.Help = fmt.Sprintf("%q is not known", name), nearHint(name, known)
}

// plainType is a type of the checker as a person calls it.
func plainType(t string) string {
	switch t {
	case "string":
		return "text"
	case "int":
		return "a whole number"
	case "double":
		return "a number"
	case "bool":
		return "true or false"
	case "list(string)":
		return "a list of texts"
	case "list(int)":
		return "a list of whole numbers"
	}
	return strings.ReplaceAll(t, typePrefix, "")
}

// operandOf finds the object whose field an expression selects.
func operandOf(parsed *cel.Ast, id int64, roots map[string]*field) *object {
	var found *object
	ast.PostOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if x.ID() == id && x.Kind() == ast.SelectKind {
			if f := resolve(x.AsSelect().Operand(), roots); f != nil {
				found = f.of
			}
		}
	}))
	return found
}

// resolve follows names from a variable.
func resolve(x ast.Expr, roots map[string]*field) *field {
	switch x.Kind() {
	case ast.IdentKind:
		return roots[x.AsIdent()]
	case ast.SelectKind:
		if f := resolve(x.AsSelect().Operand(), roots); f != nil && f.of != nil {
			return f.of.field(x.AsSelect().FieldName())
		}
	case ast.CallKind:
		if args := x.AsCall().Args(); len(args) == 2 && !x.AsCall().IsMemberFunction() {
			return resolve(args[0], roots)
		}
	}
	return nil
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
