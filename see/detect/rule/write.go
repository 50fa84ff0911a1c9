// SPDX-License-Identifier: Apache-2.0

package rule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Encode writes a rule as YAML that Parse reads, for rules that were imported.
// Samples are not written: an imported rule has none.
func Encode(r *Rule) []byte {
	w := &writer{}
	w.text(0, "id", r.ID)
	w.line(0, "version: "+strconv.Itoa(r.Version))
	w.text(0, "origin", r.Origin)
	w.text(0, "title", r.Title)
	w.text(0, "analyst", r.Analyst)
	w.text(0, "room", r.Room)
	w.line(0, "severity:")
	w.line(1, "base: "+r.Severity.Base.String())
	w.line(0, "confidence: "+strconv.Itoa(int(r.Confidence)))
	w.list(0, "attack", r.Attack)
	w.list(0, "references", r.References)
	w.list(0, "playbook", r.Playbook)
	w.list(0, "false_positives", r.FalsePositives)
	if r.Disabled {
		w.line(0, "disabled: true")
	}
	w.line(0, "match:")
	w.match(&r.Match)
	if len(r.Values) > 0 {
		w.line(0, "values:")
		for _, v := range r.Values {
			w.line(1, "- name: "+v.Name)
			w.text(2, "expr", v.Expr)
			if v.Decided {
				w.line(2, "decided: true")
			}
			if v.Entity {
				w.line(2, "entity: true")
			}
		}
	}
	if len(r.Group.By)+len(r.Group.Devices) > 0 {
		w.line(0, "group:")
		w.list(1, "by", r.Group.By)
		w.list(1, "devices", r.Group.Devices)
	}
	return []byte(w.b.String())
}

type writer struct{ b strings.Builder }

func (w *writer) line(depth int, s string) {
	w.b.WriteString(strings.Repeat("  ", depth) + s + "\n")
}

// text writes a text in double quotes, in which YAML reads what JSON writes.
func (w *writer) text(depth int, name, s string) {
	if s != "" {
		w.line(depth, name+": "+quoted(s))
	}
}

func (w *writer) list(depth int, name string, list []string) {
	if len(list) == 0 {
		return
	}
	w.line(depth, name+":")
	for _, s := range list {
		w.line(depth+1, "- "+quoted(s))
	}
}

// quoted escapes what YAML's double-quoted style demands (YAML 1.2.2 §5.7).
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (w *writer) on(depth int, o On) {
	w.list(depth, "class", o.Class)
	w.list(depth, "protocol", o.Protocol)
	w.list(depth, "activity", o.Activity)
	w.text(depth, "when", o.When)
}

func (w *writer) span(depth int, name string, d time.Duration) {
	if d != 0 {
		w.line(depth, name+": "+d.String())
	}
}

func (w *writer) match(m *Match) {
	w.line(1, m.Kind()+":")
	switch {
	case m.Trigger != nil:
		w.on(2, m.Trigger.On)
	case m.Count != nil:
		w.on(2, m.Count.On)
		w.list(2, "by", m.Count.By)
		w.span(2, "window", m.Count.Window)
		w.line(2, "over: "+strconv.Itoa(m.Count.Over))
	case m.Unique != nil:
		w.on(2, m.Unique.On)
		w.list(2, "by", m.Unique.By)
		w.text(2, "of", m.Unique.Of)
		w.span(2, "window", m.Unique.Window)
		w.line(2, "over: "+strconv.Itoa(m.Unique.Over))
	case m.Sequence != nil:
		w.list(2, "by", m.Sequence.By)
		w.span(2, "window", m.Sequence.Window)
		w.line(2, "steps:")
		for _, s := range m.Sequence.Steps {
			w.line(3, "-")
			w.on(4, s.On)
			w.list(4, "by", s.By)
			if s.Times != 0 {
				w.line(4, "times: "+strconv.Itoa(s.Times))
			}
		}
	default:
		panic("BUG: a rule with the matcher " + m.Kind() + " was imported")
	}
}
