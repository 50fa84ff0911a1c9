// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/advisory/csaf"
	"github.com/asepsis/asepsis/see/advisory/naming"
)

// Status is what a person decided about an advisory.
type Status string

// The statuses. Accepted is affected, with a risk that somebody took for a time.
const (
	IsAffected    Status = "affected"
	IsNotAffected Status = "not-affected"
	IsFixed       Status = "fixed"
	IsAccepted    Status = "accepted"
	InQuestion    Status = "under-investigation"
)

// Statuses returns all statuses.
func Statuses() []Status {
	return []Status{IsAffected, IsNotAffected, IsFixed, IsAccepted, InQuestion}
}

// Justifications returns why something can be not affected, as OpenVEX and CSAF name it.
func Justifications() []string { return csaf.Labels() }

// Decision is a person's word on an advisory: for one device, for all of a model, or for
// the site. The narrower one counts, and of two equal ones the later.
type Decision struct {
	ID            string   `json:"id"`
	Advisory      string   `json:"advisory"`
	Device        string   `json:"device,omitempty"`
	Vendor        string   `json:"vendor,omitempty"` // with Model
	Model         string   `json:"model,omitempty"`
	CVEs          []string `json:"cves,omitempty"` // none: all of the advisory
	Status        Status   `json:"status"`
	Justification string   `json:"justification,omitempty"`
	Reason        string   `json:"reason"`
	Who           string   `json:"who"`
	At            int64    `json:"at"`              // ns since the Unix epoch, UTC
	Until         int64    `json:"until,omitempty"` // 0: for good
	Revision      uint64   `json:"-"`
}

// Bounds of a decision.
const (
	MaxReason    = 1000                     // characters
	MaxAccepted  = 2 * 366 * 24 * time.Hour // how long a risk can be accepted
	MaxDecisions = 20_000
)

// FieldError says which field of a decision cannot be.
type FieldError struct{ Field, What, Help string }

// Error implements error.
func (e *FieldError) Error() string { return e.Field + " " + e.What }

// Hint says what to do.
func (e *FieldError) Hint() string { return e.Help }

// Validate reports all that is wrong, as FieldErrors that are joined.
func (d *Decision) Validate(now time.Time) error {
	var out []error
	fail := func(field, help, format string, args ...any) {
		out = append(out, &FieldError{field, fmt.Sprintf(format, args...), help})
	}
	if !slices.Contains(Statuses(), d.Status) {
		fail("status", "", "must be one of affected, not-affected, fixed, accepted, under-investigation")
	}
	switch {
	case d.Status == IsNotAffected && d.Justification == "":
		fail("justification", "one of "+strings.Join(Justifications(), ", "), "is needed with not-affected")
	case d.Justification != "" && d.Status != IsNotAffected:
		fail("justification", "leave it out", "belongs to not-affected alone")
	case d.Justification != "" && !slices.Contains(Justifications(), d.Justification):
		fail("justification", "", "must be one of %s", strings.Join(Justifications(), ", "))
	}
	if n := utf8.RuneCountInString(strings.TrimSpace(d.Reason)); n < 3 || n > MaxReason {
		fail("reason", "for the one who reads it in a year", "must be 3 to %d characters", MaxReason)
	}
	if (d.Vendor == "") != (d.Model == "") {
		fail("model", "or name a device, or neither for the site", "and vendor belong together")
	}
	if d.Device != "" && d.Model != "" {
		fail("device", "", "and model are two scopes: one of them")
	}
	if len(d.Device) > 256 || len(d.Vendor) > 200 || len(d.Model) > 200 {
		fail("device", "", "or vendor or model is too long")
	}
	if len(d.CVEs) > 1000 {
		fail("cves", "", "has more than 1000 values")
	}
	switch {
	case d.Until != 0 && d.Until <= now.UnixNano():
		fail("until", "", "must be in the future")
	case d.Status == IsAccepted && d.Until == 0:
		fail("until", "a risk is accepted for a time, and looked at again", "is needed with accepted")
	case d.Status == IsAccepted && d.Until > now.Add(MaxAccepted).UnixNano():
		fail("until", "", "must be within two years")
	}
	return errors.Join(out...)
}

// Expired reports whether the decision counts no more.
func (d *Decision) Expired(now time.Time) bool { return d.Until != 0 && d.Until <= now.UnixNano() }

// covers reports whether a decision is about a device, and how narrowly.
func (d *Decision) covers(dev *device.Device) (rank int, ok bool) {
	switch {
	case d.Device != "":
		return 3, d.Device == dev.ID || slices.Contains(dev.Aliases, d.Device)
	case d.Model != "":
		a, aok := naming.FindMaker(d.Vendor)
		b, bok := naming.FindMaker(dev.Vendor)
		return 2, aok && bok && a.Key == b.Key && slices.Equal(naming.Words(d.Model), naming.Words(dev.Model))
	}
	return 1, true
}

// Decide returns the decision that counts for a match, if there is one, and the verdict
// that follows. One that names CVEs decides for the whole only where these are all that is
// left.
func Decide(x Match, dev *device.Device, l []Decision, now time.Time) (Verdict, *Decision) {
	var mine []*Decision
	for i := range l {
		d := &l[i]
		if d.Advisory != x.Advisory || d.Expired(now) {
			continue
		}
		if _, ok := d.covers(dev); ok {
			mine = append(mine, d)
		}
	}
	if len(mine) == 0 {
		return x.Verdict, nil
	}
	slices.SortStableFunc(mine, func(a, b *Decision) int {
		ra, _ := a.covers(dev)
		rb, _ := b.covers(dev)
		return cmp.Or(cmp.Compare(rb, ra), cmp.Compare(b.At, a.At))
	})
	if len(x.CVEs) == 0 {
		return mine[0].verdict(x.Verdict), mine[0]
	}
	worst, by := Verdict(0), (*Decision)(nil)
	for _, cve := range x.CVEs {
		v, who := x.Verdict, (*Decision)(nil)
		for _, d := range mine {
			if len(d.CVEs) == 0 || slices.Contains(d.CVEs, cve) {
				v, who = d.verdict(x.Verdict), d
				break
			}
		}
		if v > worst || v == worst && by == nil {
			worst, by = v, who
		}
	}
	return worst, by
}

// DecisionFor returns the decision that counts for one CVE of a match.
func DecisionFor(cve string, x Match, dev *device.Device, l []Decision, now time.Time) *Decision {
	one := x
	one.CVEs = []string{cve}
	_, d := Decide(one, dev, l, now)
	return d
}

func (d *Decision) verdict(found Verdict) Verdict {
	switch d.Status {
	case IsAffected, IsAccepted:
		return Affected
	case IsNotAffected, IsFixed:
		return NotAffected
	case InQuestion:
		return Unknown
	}
	return found
}
