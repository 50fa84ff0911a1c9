// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"regexp"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/see/detect/rule"
)

var spanForm = regexp.MustCompile(`^([0-9]{1,6})([smhd])$`)

// span reads a timespan: 30s, 10m, 2h, 7d.
func span(s string) (time.Duration, bool) {
	m := spanForm.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[m[2]]
	return time.Duration(n) * unit, err == nil
}

// correlation makes a count, a unique or a sequence of the rules that it names.
func (im *importer) correlation(d, c *node) (*rule.Rule, error) {
	r, err := im.about(d)
	if err != nil {
		return nil, err
	}
	for _, p := range c.pairs {
		switch p.name {
		case "type", "rules", "group-by", "timespan", "condition":
		default:
			return nil, im.fail(p.value, "correlation: the field %q is not supported", p.name)
		}
	}
	var of []*base
	for _, name := range c.texts("rules") {
		b := im.bases[name]
		if b == nil {
			return nil, im.fail(c.get("rules"), "correlation: there is no rule %q in this file, or it could not be imported", name)
		}
		of = append(of, b)
	}
	if len(of) == 0 {
		return nil, im.fail(c, "correlation: it names no rules")
	}
	window, ok := span(c.text("timespan"))
	if !ok {
		return nil, im.fail(c.get("timespan"), "correlation: want a timespan such as 10m")
	}
	kind := c.text("type")
	switch kind {
	case "event_count", "value_count":
		err = im.counted(r, c, kind, of, window)
	case "temporal_ordered":
		err = im.ordered(r, c, of, window)
	default:
		return nil, im.fail(c.get("type"), "correlation: the type %q is not supported", kind)
	}
	if err != nil {
		return nil, err
	}
	for _, b := range of {
		b.used = b.used || b.doc.text("generate") != "true"
	}
	return r, nil
}

// by makes the key of the fields that a correlation groups by.
func (im *importer) by(c *node, b *base) ([]string, error) {
	var out []string
	for _, name := range c.texts("group-by") {
		t, ok := b.source.field(name)
		switch {
		case !ok || t.kind == many:
			return nil, im.fail(c.get("group-by"), "correlation: the field %q is not supported", name)
		case t.kind == number:
			out = append(out, "string("+t.expr+")")
		default:
			out = append(out, t.expr)
		}
	}
	return out, nil
}

func (im *importer) counted(r *rule.Rule, c *node, kind string, of []*base, window time.Duration) error {
	if len(of) != 1 {
		return im.fail(c.get("rules"), "correlation: %s over several rules is not supported", kind)
	}
	by, err := im.by(c, of[0])
	if err != nil {
		return err
	}
	over, err := im.threshold(c)
	if err != nil {
		return err
	}
	r.Title = "{src}: " + r.Title[len("{src}: "):] + " ({count} times)"
	if kind == "event_count" {
		r.Match.Count = &rule.Count{On: of[0].on, By: by, Window: window, Over: over}
		return nil
	}
	r.Title = r.Title[:len(r.Title)-len(" times)")] + ")"
	name := c.get("condition").text("field")
	t, ok := of[0].source.field(name)
	if !ok || t.kind == many {
		return im.fail(c.get("condition"), "correlation: the field %q is not supported", name)
	}
	r.Match.Unique = &rule.Unique{On: of[0].on, By: by, Of: t.expr, Window: window, Over: over}
	return nil
}

// threshold reads gte or gt; other conditions would fire on what is missing.
func (im *importer) threshold(c *node) (int, error) {
	cond := c.get("condition")
	if cond == nil {
		return 0, im.fail(c, "correlation: there is no condition")
	}
	over, given := 0, 0
	for _, p := range cond.pairs {
		if p.name == "field" {
			continue
		}
		n, err := strconv.Atoi(p.value.value)
		if err != nil || n < 1 || n > 1_000_000 {
			return 0, im.fail(p.value, "correlation: %q is not a number from 1 to 1000000", p.value.value)
		}
		switch p.name {
		case "gte":
			over = n
		case "gt":
			over = n + 1
		default:
			return 0, im.fail(p.value, "correlation: the condition %q is not supported", p.name)
		}
		given++
	}
	if given != 1 {
		return 0, im.fail(cond, "correlation: want one of gte and gt")
	}
	return over, nil
}

func (im *importer) ordered(r *rule.Rule, c *node, of []*base, window time.Duration) error {
	if cond := c.get("condition"); cond != nil {
		return im.fail(cond, "correlation: a condition of temporal_ordered is not supported")
	}
	q := &rule.Sequence{Window: window}
	for i, b := range of {
		by, err := im.by(c, b)
		if err != nil {
			return err
		}
		s := rule.Step{On: b.on}
		if i == 0 {
			q.By = by
		} else {
			s.By = by
		}
		q.Steps = append(q.Steps, s)
	}
	r.Match.Sequence = q
	return nil
}
