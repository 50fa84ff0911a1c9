// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"strings"
)

// template is a text with {names} in it; "{{" is a brace.
type template struct {
	parts []part
}

type part struct {
	text string
	name string // instead of text
}

// parseTemplate reads a template.
func parseTemplate(s string) (*template, error) {
	t := &template{}
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			t.parts = append(t.parts, part{text: text.String()})
			text.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{"), strings.HasPrefix(s[i:], "}}"):
			text.WriteByte(s[i])
			i++
		case s[i] == '{':
			n := strings.IndexByte(s[i:], '}')
			if n < 2 {
				return nil, fmt.Errorf("column %d: a name in braces does not end, or is empty", i+1)
			}
			flush()
			t.parts = append(t.parts, part{name: s[i+1 : i+n]})
			i += n
		default:
			text.WriteByte(s[i])
		}
	}
	flush()
	return t, nil
}

// fillAll fills several.
func fillAll(list []*template, value func(name string) string) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = t.fill(value)
	}
	return out
}

// fill gives the text. What value does not know reads as "unknown".
func (t *template) fill(value func(name string) string) string {
	var b strings.Builder
	for _, p := range t.parts {
		if p.name == "" {
			b.WriteString(p.text)
			continue
		}
		v := value(p.name)
		if v == "" {
			v = "unknown"
		}
		b.WriteString(v)
	}
	return b.String()
}
