// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

type nodeKind uint8

const (
	scalar nodeKind = iota
	null
	list
	mapping
)

// node is a value of the file with its line.
type node struct {
	line   int
	kind   nodeKind
	value  string
	number bool // a whole number, not in quotes
	items  []*node
	pairs  []pair
}

type pair struct {
	name  string
	value *node
}

func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for _, p := range n.pairs {
		if p.name == name {
			return p.value
		}
	}
	return nil
}

func (n *node) text(name string) string {
	if v := n.get(name); v != nil && v.kind == scalar {
		return v.value
	}
	return ""
}

// texts reads one text or a list of them.
func (n *node) texts(name string) []string {
	v := n.get(name)
	switch {
	case v == nil:
		return nil
	case v.kind == scalar:
		return []string{v.value}
	}
	var out []string
	for _, x := range v.items {
		if x.kind == scalar {
			out = append(out, x.value)
		}
	}
	return out
}

const (
	maxDepth     = 16
	maxDocuments = 200
)

func documents(name string, data []byte) ([]*node, error) {
	if len(data) > MaxFile {
		return nil, &Error{name, 1, fmt.Sprintf("longer than %d bytes", MaxFile)}
	}
	if depth := brackets(data); depth > maxDepth {
		return nil, &Error{name, 1, fmt.Sprintf("nested more than %d deep", maxDepth)}
	}
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) && syntax.Token != nil {
			return nil, &Error{name, syntax.Token.Position.Line, "YAML: " + syntax.Message}
		}
		return nil, &Error{name, 1, "YAML: " + err.Error()}
	}
	var out []*node
	for _, d := range f.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType {
			continue
		}
		if len(out) >= maxDocuments {
			return nil, &Error{name, 1, fmt.Sprintf("more than %d documents", maxDocuments)}
		}
		n, err := convert(d.Body, 0)
		if err != nil {
			return nil, &Error{name, lineOf(d.Body), err.Error()}
		}
		if n.kind != mapping {
			return nil, &Error{name, n.line, "a rule is a mapping"}
		}
		out = append(out, n)
	}
	if len(out) == 0 {
		return nil, &Error{name, 1, "there is no rule"}
	}
	return out, nil
}

// brackets returns how deep brackets nest, so that the parser is not given what
// would exhaust its stack.
func brackets(data []byte) (most int) {
	n := 0
	for _, c := range data {
		switch c {
		case '[', '{':
			n++
			most = max(most, n)
		case ']', '}', '\n':
			if c == '\n' {
				continue
			}
			n = max(n-1, 0)
		}
	}
	return most
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

func convert(n ast.Node, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	out := &node{line: lineOf(n)}
	switch n := n.(type) {
	case *ast.MappingNode:
		out.kind = mapping
		for _, v := range n.Values {
			if err := out.add(v, depth); err != nil {
				return nil, err
			}
		}
	case *ast.MappingValueNode:
		out.kind = mapping
		return out, out.add(n, depth)
	case *ast.SequenceNode:
		out.kind = list
		for _, v := range n.Values {
			x, err := convert(v, depth+1)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, x)
		}
	case *ast.NullNode:
		out.kind = null
	case *ast.StringNode:
		out.value = n.Value
	case *ast.LiteralNode:
		out.value = n.Value.Value
	case *ast.IntegerNode:
		out.value, out.number = n.GetToken().Value, true
	case *ast.FloatNode, *ast.BoolNode:
		out.value = n.GetToken().Value
	default:
		return nil, fmt.Errorf("line %d: anchors, aliases and tags are not supported", out.line)
	}
	return out, nil
}

func (n *node) add(v *ast.MappingValueNode, depth int) error {
	if v.Key.IsMergeKey() {
		return fmt.Errorf("line %d: merge keys are not supported", lineOf(v))
	}
	name := strings.Trim(v.Key.String(), `"'`)
	if n.get(name) != nil {
		return fmt.Errorf("line %d: %q is given twice", lineOf(v.Key), name)
	}
	x, err := convert(v.Value, depth+1)
	if err != nil {
		return err
	}
	if len(n.pairs) == 0 {
		n.line = lineOf(v.Key)
	}
	if x.kind == null || x.line == 0 {
		x.line = lineOf(v.Key)
	}
	n.pairs = append(n.pairs, pair{name, x})
	return nil
}
