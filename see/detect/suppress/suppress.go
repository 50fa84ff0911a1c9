// SPDX-License-Identifier: Apache-2.0

// Package suppress says which findings people do not want to see, for how long
// and why: suppressions, and maintenance windows of rooms and devices.
//
// Both hide and never drop: what was hidden is kept with the ID of what hid it, is
// counted, and is listed on demand. Both have an owner and a reason. A suppression
// has an end; one that is over hides nothing and stays listed as expired.
//
// A life-critical finding during a case is never hidden or lowered by a
// maintenance window, see Set.Check.
package suppress

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// Kinds of the documents that hold suppressions and windows.
const (
	Kind       = "suppression"
	WindowKind = "maintenance"
)

// Bounds.
const (
	MaxFor     = 365 * 24 * time.Hour
	MaxReason  = 1000 // characters
	MaxValues  = 100
	MaxExpr    = 4096 // bytes
	MaxEntries = 1000 // suppressions, and windows, of a site
)

// Suppression hides findings that match all of its fields; a field that is empty
// matches everything, and at least one is not.
type Suppression struct {
	ID         string            `json:"id"`
	Rules      []string          `json:"rules"` // IDs, or "dicom.*" for a family
	Devices    []string          `json:"devices"`
	Theatres   []string          `json:"theatres"`
	Entities   map[string]string `json:"entities"` // each must have this value
	Expression string            `json:"expression"`
	Owner      string            `json:"owner"` // who answers for it, a user name
	Reason     string            `json:"reason"`
	Expires    int64             `json:"expires"` // ns since the Unix epoch
	Created    int64             `json:"created"`
	CreatedBy  string            `json:"created_by"`
}

// Invalid says which field cannot be used and why.
type Invalid struct{ Field, Message, Hint string }

func (e *Invalid) Error() string { return e.Field + " " + e.Message }

// Check reports the first field that cannot be used. env may be nil: then the
// expression is not compiled.
func (s *Suppression) Check(now int64, env *expr.Env) error {
	empty := len(s.Rules) == 0 && len(s.Devices) == 0 && len(s.Theatres) == 0 && len(s.Entities) == 0 && s.Expression == ""
	switch {
	case empty:
		return &Invalid{"rules", "is empty, and so is everything else: it would hide all findings", "name a rule, devices, theatres, entities or an expression"}
	case len(s.Rules) > MaxValues || len(s.Devices) > MaxValues || len(s.Theatres) > MaxValues || len(s.Entities) > MaxValues:
		return &Invalid{"rules", fmt.Sprintf("or another list has more than %d values", MaxValues), ""}
	case len(s.Expression) > MaxExpr:
		return &Invalid{"expression", fmt.Sprintf("is longer than %d bytes", MaxExpr), ""}
	case strings.TrimSpace(s.Owner) == "":
		return &Invalid{"owner", "is needed: who answers for it", ""}
	case strings.TrimSpace(s.Reason) == "":
		return &Invalid{"reason", "is needed: why these findings need nobody", ""}
	case utf8.RuneCountInString(s.Reason) > MaxReason:
		return &Invalid{"reason", fmt.Sprintf("is longer than %d characters", MaxReason), ""}
	case s.Expires == 0:
		return &Invalid{"expires", "is needed: nothing is hidden for ever", "at most 365 days from now"}
	case s.Expires <= now:
		return &Invalid{"expires", "is over already", ""}
	case s.Expires > now+int64(MaxFor):
		return &Invalid{"expires", "is more than 365 days from now", "renew it when it ends, if it is still right"}
	}
	if s.Expression != "" && env != nil {
		if _, err := env.Bool(event.Classes(), s.Expression); err != nil {
			return &Invalid{"expression", "cannot be used: " + err.Error(), ""}
		}
	}
	return nil
}

// Active reports whether it hides anything at a time.
func (s *Suppression) Active(at int64) bool { return at < s.Expires }

// Case is a finding that may be hidden.
type Case struct {
	Rule     string
	Devices  []string
	Theatre  string
	Entities map[string]string
	Severity finding.Severity
	// Safety says that it is a rule about the loss of something that a patient depends
	// on. InCase says that a case is in progress.
	Safety bool
	State  theatre.State
	Time   int64
	Scene  *scene.Scene // nil when the clock made it: an expression does not match then
}

// matches reports whether it names the case. cond is its compiled expression.
func (s *Suppression) matches(c *Case, cond *expr.Bool) bool {
	if len(s.Rules) > 0 && !slices.ContainsFunc(s.Rules, func(r string) bool { return MatchRule(r, c.Rule) }) {
		return false
	}
	if len(s.Devices) > 0 && !slices.ContainsFunc(s.Devices, func(d string) bool { return slices.Contains(c.Devices, d) }) {
		return false
	}
	if len(s.Theatres) > 0 && !slices.Contains(s.Theatres, c.Theatre) {
		return false
	}
	for k, v := range s.Entities {
		if c.Entities[k] != v {
			return false
		}
	}
	if s.Expression == "" {
		return true
	}
	if cond == nil || c.Scene == nil {
		return false
	}
	ok, err := cond.Eval(c.Scene)
	return ok && err == nil
}

// MatchRule reports whether a rule's ID is the pattern, or in the family that
// "family.*" names.
func MatchRule(pattern, id string) bool {
	if family, ok := strings.CutSuffix(pattern, ".*"); ok {
		return strings.HasPrefix(id, family+".")
	}
	return pattern == id
}

// Verdict says what is to become of a finding.
type Verdict struct {
	Hidden      string // ID of what hides it
	Maintenance string // ID of the window that it falls into, when that does not hide it
	Why         string
}

// Set is all suppressions and windows, ready to be asked. It is immutable.
type Set struct {
	sups    []compiled
	windows []Window
}

type compiled struct {
	Suppression
	cond *expr.Bool
}

// NewSet compiles. What cannot be compiled any more (a rule's values changed)
// hides nothing and is returned in broken, by ID.
func NewSet(env *expr.Env, sups []Suppression, windows []Window) (set *Set, broken map[string]error) {
	set = &Set{windows: slices.Clone(windows)}
	for _, s := range sups {
		c := compiled{Suppression: s}
		if s.Expression != "" {
			var err error
			if c.cond, err = env.Bool(event.Classes(), s.Expression); err != nil {
				if broken == nil {
					broken = map[string]error{}
				}
				broken[s.ID] = err
				continue
			}
		}
		set.sups = append(set.sups, c)
	}
	slices.SortFunc(set.sups, func(a, b compiled) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(set.windows, func(a, b Window) int { return cmp.Compare(a.ID, b.ID) })
	return set, broken
}

// Check says what hides a finding, if anything. A nil Set hides nothing.
func (s *Set) Check(c *Case) Verdict {
	if s == nil {
		return Verdict{}
	}
	for i := range s.sups {
		if p := &s.sups[i]; p.Active(c.Time) && p.matches(c, p.cond) {
			return Verdict{Hidden: p.ID, Why: "suppressed by " + p.Owner + ": " + p.Reason}
		}
	}
	if c.Safety && c.State == theatre.InCase {
		return Verdict{} // maintenance next door must not hide a failing device of a case
	}
	for i := range s.windows {
		w := &s.windows[i]
		if !w.names(c) || !w.Covers(c.Time) {
			continue
		}
		v := Verdict{Maintenance: w.ID, Why: "within the maintenance window " + w.Name}
		if w.Effect == Hide {
			v.Hidden = w.ID
		}
		return v
	}
	return Verdict{}
}
