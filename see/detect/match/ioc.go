// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// stateless is the part of Matcher that a matcher without state has.
type stateless struct{}

func (stateless) Advance(int64, func(Hit))      {}
func (stateless) Save(int, io.Writer) error     { return nil }
func (stateless) Load(_ int, r io.Reader) error { return nil }
func (stateless) Drop(int)                      {}
func (stateless) Own(uint32)                    {}

// trigger fires on each event.
type trigger struct {
	stateless
	hits uint64
}

// Feed implements Matcher.
func (m *trigger) Feed(s *scene.Scene, _ int, hit func(Hit)) {
	m.hits++
	hit(Hit{Time: s.Event.Time})
}

// Stats implements Matcher.
func (m *trigger) Stats() Stats { return Stats{Hits: m.hits} }

// ioc fires when a value is in an indicator list. Its hit names the value in
// "indicator", where it stood in "field" and the list in "list".
type ioc struct {
	stateless
	of    []*expr.Texts
	list  string
	lists Lists
	hits  uint64
	errs  uint64
}

func newIOC(r *rule.IOC, d *Deps) (Matcher, error) {
	classes, err := classesOf(r.On)
	if err != nil {
		return nil, err
	}
	if d.Lists == nil || !d.Lists.Has(r.List) {
		return nil, fmt.Errorf("there is no indicator list %q", r.List)
	}
	if len(r.Of) == 0 {
		return nil, errors.New("of says nothing to look up")
	}
	m := &ioc{list: r.List, lists: d.Lists}
	for _, text := range r.Of {
		t, err := d.Env.Texts(classes, text)
		if err != nil {
			return nil, fmt.Errorf("of: %w", err)
		}
		m.of = append(m.of, t)
	}
	return m, nil
}

// Feed implements Matcher. One event is one hit, also when several of its values are listed.
func (m *ioc) Feed(s *scene.Scene, _ int, hit func(Hit)) {
	var found, fields []string
	for _, of := range m.of {
		values, err := of.Eval(s)
		if err != nil {
			m.errs++
			continue
		}
		for _, v := range values {
			if v != "" && m.lists.Contains(m.list, v) && len(found) < shown {
				found, fields = append(found, v), append(fields, of.String())
			}
		}
	}
	if len(found) == 0 {
		return
	}
	m.hits++
	hit(Hit{Time: s.Event.Time, Values: map[string]string{"indicator": strings.Join(found, ", "), "field": strings.Join(fields, ", "), "list": m.list}})
}

// Stats implements Matcher.
func (m *ioc) Stats() Stats { return Stats{Hits: m.hits, Errors: m.errs} }
