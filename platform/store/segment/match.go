// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
)

// MaxValues is how many values a term may have.
const MaxValues = 100

// Matcher decides which events a query asks for. It is not changed after
// Compile and may be used from many goroutines.
type Matcher struct {
	From, To    int64 // To is exclusive; the whole range where the query has no bound
	minSeverity finding.Severity
	terms       []term
	text        Text
}

type term struct {
	field  store.Field
	not    bool
	none   bool // "" is among the values
	words  []string
	nums   []uint64 // class, class<<8|activity, severity, status
	addrs  []netip.Addr
	hashes []uint64 // of all values, for the filter
}

// Compile checks and prepares a query. The error wraps store.ErrInvalid.
func Compile(q store.Query) (*Matcher, error) {
	m := &Matcher{From: q.From, To: q.To, minSeverity: q.MinSeverity}
	if q.From == 0 {
		m.From = minTime
	}
	if q.To == 0 {
		m.To = maxTime
	}
	if q.MinSeverity > finding.Critical {
		return nil, fmt.Errorf("%w: severity %d", store.ErrInvalid, q.MinSeverity)
	}
	for _, t := range q.Terms {
		c, err := compileTerm(t)
		if err != nil {
			return nil, err
		}
		m.terms = append(m.terms, c)
	}
	text, err := ParseText(q.Text)
	if err != nil {
		return nil, err
	}
	m.text = text
	return m, nil
}

const (
	minTime = -1 << 63
	maxTime = 1<<63 - 1
)

func compileTerm(t store.Term) (term, error) {
	c := term{field: t.Field, not: t.Not}
	tag := fieldTag(t.Field)
	if tag == 0 {
		return c, fmt.Errorf("%w: there is no field %q", store.ErrInvalid, t.Field)
	}
	if len(t.Values) == 0 || len(t.Values) > MaxValues {
		return c, fmt.Errorf("%w: %d values of %s: want 1 to %d", store.ErrInvalid, len(t.Values), t.Field, MaxValues)
	}
	for _, v := range t.Values {
		c.none = c.none || v == ""
		switch tag {
		case tagClass, tagActivity, tagSeverity, tagStatus:
			n, err := ParseNumber(t.Field, v)
			if err != nil {
				return c, err
			}
			c.nums = append(c.nums, n)
			c.hashes = append(c.hashes, hashNumber(tag, n))
		case tagAddr:
			a := netip.Addr{}
			if v != "" {
				var err error
				if a, err = netip.ParseAddr(v); err != nil {
					return c, fmt.Errorf("%w: %s %q is no IP address", store.ErrInvalid, t.Field, v)
				}
			}
			c.addrs = append(c.addrs, a.Unmap())
			c.hashes = append(c.hashes, hashAddr(a))
		default:
			c.words = append(c.words, v)
			c.hashes = append(c.hashes, hashString(tag, v))
		}
	}
	return c, nil
}

// ParseNumber reads a value of a field that is kept as a number; "" is 0.
func ParseNumber(f store.Field, v string) (uint64, error) {
	bad := func(want string) (uint64, error) {
		return 0, fmt.Errorf("%w: %s %q: want %s", store.ErrInvalid, f, v, want)
	}
	if v == "" {
		return 0, nil
	}
	switch f {
	case store.FieldClass:
		n, err := strconv.ParseUint(v, 10, 32)
		if err != nil {
			return bad("a class_uid")
		}
		return n, nil
	case store.FieldActivity:
		class, activity, _ := strings.Cut(v, "/")
		n, err := strconv.ParseUint(class, 10, 32)
		a, err2 := strconv.ParseUint(activity, 10, 8)
		if err != nil || err2 != nil {
			return bad("class_uid/activity_id")
		}
		return n<<8 | a, nil
	case store.FieldSeverity:
		for s := finding.Unknown; s <= finding.Critical; s++ {
			if s.String() == v {
				return uint64(s), nil
			}
		}
		return bad("unknown, info, low, medium, high or critical")
	case store.FieldStatus:
		for s := event.StatusUnknown; s <= event.StatusFailure; s++ {
			if StatusName(s) == v {
				return uint64(s), nil
			}
		}
		return bad("success, failure or unknown")
	}
	return bad("another field")
}

// FormatNumber writes what ParseNumber reads.
func FormatNumber(f store.Field, n uint64) string {
	switch f {
	case store.FieldActivity:
		return strconv.FormatUint(n>>8, 10) + "/" + strconv.FormatUint(n&0xff, 10)
	case store.FieldSeverity:
		return finding.Severity(n).String()
	case store.FieldStatus:
		return StatusName(event.Status(n))
	}
	return strconv.FormatUint(n, 10)
}

// StatusName is the value of FieldStatus.
func StatusName(s event.Status) string {
	switch s {
	case event.StatusSuccess:
		return "success"
	case event.StatusFailure:
		return "failure"
	}
	return "unknown"
}

// NeedsData reports whether the encoded events must be read to decide.
func (m *Matcher) NeedsData() bool { return !m.text.Empty() }

// NeedsFilter reports whether a filter can rule a segment out.
func (m *Matcher) NeedsFilter() bool {
	return m.text.filterable() || slices.ContainsFunc(m.terms, func(t term) bool { return !t.not })
}

// MinSeverity returns the least severity that matches, 0 for any.
func (m *Matcher) MinSeverity() finding.Severity { return m.minSeverity }

// NeedsSums reports whether MaySum can rule anything out.
func (m *Matcher) NeedsSums() bool {
	return m.minSeverity > 0 || slices.ContainsFunc(m.terms, func(t term) bool { return InSums(t.field) })
}

// Everything reports whether only the time range restricts.
func (m *Matcher) Everything() bool {
	return len(m.terms) == 0 && m.minSeverity == 0 && m.text.Empty()
}

// MayHead reports whether an event of the segment may match, as far as its head
// tells.
func (m *Matcher) MayHead(h Head) bool {
	return h.MaxTime >= m.From && h.MinTime < m.To && h.HasSeverity(m.minSeverity)
}

// MayFilter reports the same as far as the filter tells.
func (m *Matcher) MayFilter(f Filter) bool {
	for i := range m.terms {
		t := &m.terms[i]
		if t.not {
			continue
		}
		if !slices.ContainsFunc(t.hashes, func(h uint64) bool { return m.may(f, h) }) {
			return false
		}
	}
	return m.text.may(f)
}

// may reports whether a value, with the severity that is asked for, is in the
// filter.
func (m *Matcher) may(f Filter, h uint64) bool {
	if !f.Has(h) {
		return false
	}
	if m.minSeverity <= finding.Info {
		return true
	}
	for s := uint8(m.minSeverity); s <= mostSevere; s++ {
		if f.Has(severe(h, s)) {
			return true
		}
	}
	return false
}

// Rows prepares the matcher for the rows of one segment.
func (m *Matcher) Rows(c *Columns) *RowMatcher {
	r := &RowMatcher{m: m, c: c}
	for i := range m.terms {
		r.terms = append(r.terms, m.terms[i].rows(c))
	}
	return r
}

// RowMatcher is a Matcher for the rows of one segment.
type RowMatcher struct {
	m      *Matcher
	c      *Columns
	terms  []rowTerm
	folded []byte
	out    []bool // rows whose texts cannot match; nil where that is not known
}

// rowTerm holds for a row when ok says so of its code in a, or, where there is
// one, of its code in b; both is set for "none", which must hold of both ends.
type rowTerm struct {
	a, b   []uint16
	small  []uint8
	ok     []bool // by code
	okNone int    // code that stands for none and was asked for, -1
	not    bool
	pair   func(row int) bool
}

func (t *term) rows(c *Columns) rowTerm {
	r := rowTerm{not: t.not, okNone: -1}
	strs := func(dict []string) {
		r.ok = make([]bool, len(dict))
		for i, s := range dict {
			r.ok[i] = s != "" && slices.Contains(t.words, s)
			if s == "" && t.none {
				r.okNone = i
			}
		}
	}
	switch t.field {
	case store.FieldClass:
		r.a, r.ok = c.Class, make([]bool, len(c.Classes))
		for i, v := range c.Classes {
			r.ok[i] = slices.Contains(t.nums, uint64(v))
		}
	case store.FieldActivity:
		r.pair = func(row int) bool {
			return slices.Contains(t.nums, uint64(c.Classes[c.Class[row]])<<8|uint64(c.Activity[row]))
		}
	case store.FieldSeverity, store.FieldStatus:
		r.small, r.ok = c.Severity, make([]bool, 256)
		if t.field == store.FieldStatus {
			r.small = c.Status
		}
		for _, v := range t.nums {
			r.ok[v&0xff] = true
		}
	case store.FieldProtocol:
		r.a = c.Protocol
		strs(c.Protocols)
	case store.FieldSensor:
		r.a = c.Sensor
		strs(c.Sensors)
	case store.FieldTheatre:
		r.a = c.Theatre
		strs(c.Theatres)
	case store.FieldDevice, store.FieldSrcDevice, store.FieldDstDevice:
		r.a, r.b = ends(t.field, c.SrcDev, c.DstDev)
		strs(c.Devices)
	case store.FieldIP, store.FieldSrcIP, store.FieldDstIP:
		r.a, r.b = ends(t.field, c.Src, c.Dst)
		r.ok = make([]bool, len(c.Addrs))
		for i, a := range c.Addrs {
			r.ok[i] = a.IsValid() && slices.Contains(t.addrs, a.Unmap())
			if !a.IsValid() && t.none {
				r.okNone = i
			}
		}
	}
	return r
}

// ends returns the columns of a field that has two ends.
func ends(f store.Field, src, dst []uint16) (a, b []uint16) {
	switch f {
	case store.FieldSrcDevice, store.FieldSrcIP:
		return src, nil
	case store.FieldDstDevice, store.FieldDstIP:
		return dst, nil
	}
	return src, dst
}

func (t *rowTerm) holds(row int) bool {
	switch {
	case t.pair != nil:
		return t.pair(row) != t.not
	case t.small != nil:
		return t.ok[t.small[row]] != t.not
	case t.b == nil:
		a := t.a[row]
		return (t.ok[a] || int(a) == t.okNone) != t.not
	}
	a, b := t.a[row], t.b[row]
	return (t.ok[a] || t.ok[b] || int(a) == t.okNone && int(b) == t.okNone) != t.not
}

// Columns reports whether a row matches as far as its columns tell.
func (r *RowMatcher) Columns(row int) bool {
	if at := r.c.Time[row]; at < r.m.From || at >= r.m.To {
		return false
	}
	if r.c.Severity[row] < uint8(r.m.minSeverity) {
		return false
	}
	for i := range r.terms {
		if !r.terms[i].holds(row) {
			return false
		}
	}
	return true
}

// Data is given the events of the segment before Text is asked about them, and
// rules out most of those whose texts cannot match.
func (r *RowMatcher) Data(data []byte) { r.out = r.m.text.ruleOut(r.c, data) }

// Out reports whether Data ruled a row out: Text need not be asked.
func (r *RowMatcher) Out(row int) bool { return r.out != nil && r.out[row] }

// Text reports whether the texts of a row match, which is rec.
func (r *RowMatcher) Text(row int, rec *record.Record) bool {
	if r.out != nil && r.out[row] {
		return false
	}
	return r.m.text.match(rec, &r.folded)
}

// InSums reports whether sums are kept by a field.
func InSums(f store.Field) bool {
	switch f {
	case store.FieldClass, store.FieldActivity, store.FieldSeverity, store.FieldStatus, store.FieldProtocol, store.FieldTheatre, store.FieldSensor:
		return true
	}
	return false
}

// FromSums reports whether sums can answer: whether all terms are of fields by
// which they are kept.
func (m *Matcher) FromSums() bool {
	return m.text.Empty() && !slices.ContainsFunc(m.terms, func(t term) bool { return !InSums(t.field) })
}

// OnlySeverity reports whether all that is asked, beside the time, is the severity.
func (m *Matcher) OnlySeverity() bool {
	return m.text.Empty() && !slices.ContainsFunc(m.terms, func(t term) bool { return t.field != store.FieldSeverity })
}

// MaySum reports whether events with these values match, as far as FromSums goes:
// text and terms of other fields are not asked.
func (m *Matcher) MaySum(class uint32, activity, severity, status uint8, protocol, theatre, sensor string) bool {
	if severity < uint8(m.minSeverity) {
		return false
	}
	for i := range m.terms {
		t := &m.terms[i]
		is := false
		switch t.field {
		case store.FieldClass:
			is = slices.Contains(t.nums, uint64(class))
		case store.FieldActivity:
			is = slices.Contains(t.nums, uint64(class)<<8|uint64(activity))
		case store.FieldSeverity:
			is = slices.Contains(t.nums, uint64(severity))
		case store.FieldStatus:
			is = slices.Contains(t.nums, uint64(status))
		case store.FieldProtocol:
			is = slices.Contains(t.words, protocol)
		case store.FieldTheatre:
			is = slices.Contains(t.words, theatre)
		case store.FieldSensor:
			is = slices.Contains(t.words, sensor)
		default:
			continue
		}
		if is == t.not {
			return false
		}
	}
	return true
}

// Codes returns the code columns of a field that has a dictionary; b is nil where
// there is one only.
func (c *Columns) Codes(f store.Field) (a, b []uint16) {
	switch f {
	case store.FieldClass:
		return c.Class, nil
	case store.FieldProtocol:
		return c.Protocol, nil
	case store.FieldSensor:
		return c.Sensor, nil
	case store.FieldTheatre:
		return c.Theatre, nil
	case store.FieldDevice, store.FieldSrcDevice, store.FieldDstDevice:
		return ends(f, c.SrcDev, c.DstDev)
	}
	return ends(f, c.Src, c.Dst)
}

// None returns the code of a field of both ends that stands for none, -1 when
// there is none.
func (c *Columns) None(f store.Field) int {
	if f == store.FieldDevice {
		return slices.Index(c.Devices, "")
	}
	return slices.IndexFunc(c.Addrs, func(a netip.Addr) bool { return !a.IsValid() })
}
