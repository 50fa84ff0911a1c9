// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Invalid says why a statement is refused. It never holds a value of the
// statement: that could be a patient's.
type Invalid struct {
	Path string // "predicate.detail.height_mm", "" for the whole
	Why  string // "is no number"

	cause error
}

func (e *Invalid) Error() string {
	if e.Path == "" {
		return "statement: " + e.Why
	}
	return "statement: " + e.Path + " " + e.Why
}

func (e *Invalid) Unwrap() error { return e.cause }

func invalid(path, format string, args ...any) *Invalid {
	return &Invalid{Path: path, Why: fmt.Sprintf(format, args...)}
}

// Bounds of times: what is outside is a broken clock or no RFC 3339.
var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
)

// Validate reports the first thing that is wrong with a statement, as an
// *Invalid, or nil.
func (s *Statement) Validate() error {
	if s.Type != StatementType {
		return invalid("_type", "is not %q", StatementType)
	}
	kind := s.Kind()
	if kind == "" {
		return invalid("predicateType", "is none of the known ones")
	}
	if err := s.subjects(kind); err != nil {
		return err
	}
	return s.Predicate.validate(kind)
}

func (s *Statement) subjects(kind Kind) error {
	switch n := len(s.Subject); {
	case n == 0:
		return invalid("subject", "is empty: a statement is about an artefact")
	case n > MaxSubjects:
		return invalid("subject", "has %d entries, more than %d", n, MaxSubjects)
	}
	names := make(map[string]bool, len(s.Subject))
	for i := range s.Subject {
		sub, at := &s.Subject[i], "subject["+strconv.Itoa(i)+"]"
		if err := checkToken(at+".name", sub.Name, MaxName); err != nil {
			return err
		}
		if len(sub.Digest) > maxDigests {
			return invalid(at+".digest", "has %d entries, more than %d", len(sub.Digest), maxDigests)
		}
		if _, ok := sub.Digest["sha256"]; !ok {
			return invalid(at+".digest", "has no sha256")
		}
		for alg, h := range sub.Digest {
			if err := checkToken(at+".digest's names", alg, 32); err != nil {
				return err
			}
			if n, known := digestSizes[alg]; known && !isHex(h, n) || !known && (len(h) > 256 || len(h)%2 != 0 || !isHex(h, len(h)) || h == "") {
				return invalid(at+".digest."+alg, "is no digest in lower-case hexadecimal")
			}
		}
		names[sub.Name] = true
	}
	if kind == Altered && (len(s.Subject) != 2 || !names["before"] || !names["after"]) {
		return invalid("subject", `of an alteration is two, named "before" and "after"`)
	}
	return nil
}

const maxDigests = 4

// digestSizes are the lengths in hexadecimal of the algorithms that in-toto names.
var digestSizes = map[string]int{"sha256": 64, "sha384": 96, "sha512": 128}

func (p *Predicate) validate(kind Kind) error {
	const at = "predicate."
	for _, f := range []struct {
		name, value string
		required    bool
		max         int
	}{
		{"id", p.ID, true, MaxName}, {"site", p.Site, false, MaxName}, {"theatre", p.Theatre, false, MaxName}, {"device", p.Device, false, MaxName},
		{"actor.device", p.Actor.Device, false, MaxName},
	} {
		if f.value == "" && !f.required {
			continue
		}
		if err := checkToken(at+f.name, f.value, f.max); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name, value string
		max         int
	}{{"actor.software", p.Actor.Software, MaxName}, {"actor.user", p.Actor.User, MaxName}, {"reason", p.Reason, maxReason}} {
		if err := checkText(at+f.name, f.value, f.max); err != nil {
			return err
		}
	}
	switch a := p.Actor; {
	case a == Actor{}:
		return invalid(at+"actor", "is empty: somebody claims this")
	case a.Certificate != "" && !isHex(a.Certificate, 64):
		return invalid(at+"actor.certificate", "is no SHA-256 in lower-case hexadecimal")
	case p.Time.Before(earliest) || p.Time.After(latest):
		return invalid(at+"time", "is missing or not within 1970 to 9999")
	case !p.Recorded.IsZero() && (p.Recorded.Before(earliest) || p.Recorded.After(latest)):
		return invalid(at+"recorded", "is not within 1970 to 9999")
	case p.Reason == "" && kind == Override:
		return invalid(at+"reason", "is required of an override")
	case p.Reason == "" && kind == Certificate && p.Detail["action"] == "revoked":
		return invalid(at+"reason", "is required of a revocation")
	case len(p.Commitments) > MaxMembers:
		return invalid(at+"commitments", "has %d entries, more than %d", len(p.Commitments), MaxMembers)
	}
	if c := p.Case; c != nil {
		switch {
		case !c.Case.Valid():
			return invalid(at+"case.case", "is no commitment")
		case c.Previous != "" && !isHex(c.Previous, 64):
			return invalid(at+"case.previous", "is no SHA-256 in lower-case hexadecimal")
		case c.Sequence > maxExact:
			return invalid(at+"case.sequence", "is beyond 2^53-1")
		case c.Sequence <= 1 && c.Previous != "", c.Sequence > 1 && c.Previous == "":
			return invalid(at+"case.previous", "does not fit the sequence")
		}
	}
	for name, c := range p.Commitments {
		if err := checkToken(at+"commitments's names", name, 64); err != nil {
			return err
		}
		if !c.Valid() {
			return invalid(at+"commitments."+name, "is no commitment")
		}
	}
	if err := bounded(at+"detail", p.Detail, MaxDepth); err != nil {
		return err
	}
	return shapeOf(kind, p.Detail).check(at+"detail", p.Detail)
}

const maxReason = 1000

// checkToken holds a name to letters, digits and punctuation without spaces: it can be
// written anywhere, and a patient's name seldom fits.
func checkToken(path, s string, limit int) error {
	switch {
	case s == "":
		return invalid(path, "is missing")
	case len(s) > limit:
		return invalid(path, "has %d bytes, more than %d", len(s), limit)
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return invalid(path, "may only hold letters, digits and punctuation of ASCII, no spaces")
		}
	}
	return nil
}

// checkText holds text to what can be shown on one line.
func checkText(path, s string, limit int) error {
	if len(s) > limit {
		return invalid(path, "has %d bytes, more than %d", len(s), limit)
	}
	if !utf8.ValidString(s) {
		return invalid(path, "is not UTF-8")
	}
	if strings.IndexFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
	}) >= 0 {
		return invalid(path, "has control characters")
	}
	return nil
}

// bounded holds any value to the limits of the package.
func bounded(path string, v any, depth int) error {
	if depth < 0 {
		return invalid(path, "is nested more than %d deep", MaxDepth)
	}
	switch x := v.(type) {
	case nil:
		return invalid(path, "is null: leave it out instead")
	case string:
		return checkText(path, x, MaxString)
	case map[string]any:
		if len(x) > MaxMembers {
			return invalid(path, "has %d members, more than %d", len(x), MaxMembers)
		}
		for name, e := range x {
			if err := checkToken(path+"'s names", name, 64); err != nil {
				return err
			}
			if err := bounded(path+"."+name, e, depth-1); err != nil {
				return err
			}
		}
	case []any:
		if len(x) > MaxMembers {
			return invalid(path, "has %d entries, more than %d", len(x), MaxMembers)
		}
		for i, e := range x {
			if err := bounded(path+"["+strconv.Itoa(i)+"]", e, depth-1); err != nil {
				return err
			}
		}
	case bool:
	case json.Number:
		if len(x) > 32 {
			return invalid(path, "is written in more than 32 digits")
		}
		if _, err := appendValue(nil, x, 0); err != nil {
			return invalid(path, "is out of range")
		}
	default:
		if _, err := appendValue(nil, v, 0); err != nil {
			return invalid(path, "is of type %T: %s", v, err.Error())
		}
	}
	return nil
}
