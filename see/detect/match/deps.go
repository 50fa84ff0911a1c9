// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// Lists answers whether a value is in an indicator list.
type Lists interface {
	Has(list string) bool
	Contains(list, value string) bool
}

// Learner knows what must not be learned from.
type Learner interface {
	// Open reports whether an alert that matters is open on a device: what
	// is new on it meanwhile may be the attack itself.
	Open(device string) bool
}

// Deps are what matchers need.
type Deps struct {
	Env     *expr.Env
	Lists   Lists   // may be nil: no list is known
	Learner Learner // may be nil: everything is learned
	Limits  Limits
	// Trained, when set, makes baselines count as ready at times for which it says so.
	Trained func(t int64) bool
	// Secret keys the hashes of sketches, so that nobody outside can choose values that
	// are counted as one. It is the same in all instances of a site.
	Secret [16]byte
}

// Bounds of what a rule can ask for.
const (
	MaxWindow = 31 * 24 * time.Hour
	maxBy     = 8
)

// New makes the matcher of a rule. The matcher of a "go" rule is made by
// the analysis that it names, not here.
func New(r *rule.Rule, d Deps) (Matcher, error) {
	m, err := build(r, &d)
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	return m, nil
}

func build(r *rule.Rule, d *Deps) (Matcher, error) {
	switch m := &r.Match; {
	case m.Trigger != nil:
		return &trigger{}, nil
	case m.IOC != nil:
		return newIOC(m.IOC, d)
	case m.Count != nil:
		b, err := newBase(r, d, []rule.On{m.Count.On}, [][]string{m.Count.By})
		if err != nil {
			return nil, err
		}
		return newCount(b, m.Count, d)
	case m.Unique != nil:
		b, err := newBase(r, d, []rule.On{m.Unique.On}, [][]string{m.Unique.By})
		if err != nil {
			return nil, err
		}
		return newUnique(b, m.Unique, d)
	case m.Sequence != nil:
		return buildSequence(r, d)
	case m.Absence != nil:
		on, by := []rule.On{m.Absence.On}, [][]string{m.Absence.By}
		if m.Absence.Until != nil {
			on, by = append(on, *m.Absence.Until), append(by, m.Absence.By)
		}
		b, err := newBase(r, d, on, by)
		if err != nil {
			return nil, err
		}
		return newAbsence(b, m.Absence, d)
	case m.Rate != nil:
		b, err := newBase(r, d, []rule.On{m.Rate.On}, [][]string{m.Rate.By})
		if err != nil {
			return nil, err
		}
		return newRate(b, m.Rate, d)
	case m.Baseline != nil:
		b, err := newBase(r, d, []rule.On{m.Baseline.On}, [][]string{m.Baseline.By})
		if err != nil {
			return nil, err
		}
		return newBaseline(b, m.Baseline, d)
	case m.Go != nil:
		return nil, errors.New("a go rule's matcher is made by the analysis that it names")
	}
	return nil, errors.New("it has no matcher")
}

// classesOf returns the classes that an On names.
func classesOf(on rule.On) ([]event.Class, error) {
	var out []event.Class
	for _, name := range on.Class {
		i := slices.IndexFunc(event.Classes(), func(c event.Class) bool { return c.Name() == name })
		if i < 0 {
			return nil, fmt.Errorf("class %q is not known", name)
		}
		out = append(out, event.Classes()[i])
	}
	return out, nil
}

// signature names what saved state depends on, in short.
func signature(kind string, parts ...string) string {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
		_, _ = h.Write([]byte{0})
	}
	return fmt.Sprintf("%s/%016x", kind, h.Sum64())
}

func windowed(window time.Duration, over int) error {
	switch {
	case window <= 0 || window > MaxWindow:
		return fmt.Errorf("window %v is not between 1ns and %v", window, MaxWindow)
	case over < 1 || over > 1_000_000:
		return fmt.Errorf("over %d is not between 1 and 1,000,000", over)
	}
	return nil
}

// Span writes a duration as people say it: "90 s" is "1.5 min".
func Span(d time.Duration) string {
	unit := func(n float64, word string) string {
		s := strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0")
		return s + " " + word
	}
	switch {
	case d < time.Second:
		return unit(float64(d)/1e6, "ms")
	case d < time.Minute:
		return unit(d.Seconds(), "s")
	case d < time.Hour:
		return unit(d.Minutes(), "min")
	case d < 48*time.Hour:
		return unit(d.Hours(), "h")
	}
	return unit(d.Hours()/24, "days")
}
