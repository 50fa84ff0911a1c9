// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

// Bounds of a query string.
const (
	maxQueryBytes = 16 << 10
	maxTerms      = 32  // is= and not= of one request
	maxValues     = 100 // values of one field, as store.Term has it
	maxText       = 1024
	maxSteps      = 2000
)

// params reads a query string: it knows which names there are, and collects all
// that is wrong before one problem says it. Values are never repeated in it.
type params struct {
	values url.Values
	known  map[string]bool
	order  []string
	fields []problem.Field
	now    time.Time
}

func (s *Server) params(r *http.Request) *params {
	p := &params{known: map[string]bool{}, now: s.now()}
	if len(r.URL.RawQuery) > maxQueryBytes {
		p.fail("", "", "The query is longer than %d bytes", maxQueryBytes)
		return p
	}
	v, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		p.fail("", "percent-encode it", "The query is not well formed")
	}
	for name, l := range v {
		for _, one := range l {
			if !utf8.ValidString(one) || strings.ContainsRune(one, 0) {
				p.fail(shown(name), "", "is not UTF-8 text")
			}
		}
	}
	p.values = v
	return p
}

func (p *params) fail(field, hint, format string, args ...any) {
	if len(p.fields) < problem.MaxErrors {
		p.fields = append(p.fields, problem.Field{Field: field, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
}

// know registers a name. Every name must be known before end is called.
func (p *params) know(name string) {
	if !p.known[name] {
		p.known[name] = true
		p.order = append(p.order, name)
	}
}

// one returns a parameter that can be there once.
func (p *params) one(name string) string {
	p.know(name)
	l := p.values[name]
	if len(l) > 1 {
		p.fail(name, "", "is there %d times, can be there once", len(l))
	}
	if len(l) == 0 {
		return ""
	}
	return l[0]
}

// many returns a parameter that can be repeated.
func (p *params) many(name string, most int) []string {
	p.know(name)
	l := p.values[name]
	if len(l) > most {
		p.fail(name, "", "is there %d times, can be there %d times", len(l), most)
		return nil
	}
	return l
}

// text returns free text of bounded length.
func (p *params) text(name string, most int) string {
	s := p.one(name)
	if len(s) > most {
		p.fail(name, "", "is longer than %d bytes", most)
		return ""
	}
	return s
}

// number returns a whole number in a range, or the default when it is missing.
func (p *params) number(name string, low, high, fallback int) int {
	s := p.one(name)
	if s == "" {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		p.fail(name, "", "must be a whole number from %d to %d", low, high)
		return fallback
	}
	return n
}

// choice returns one of the values, "" when it is missing.
func (p *params) choice(name string, among ...string) string {
	s := p.one(name)
	if s == "" || slices.Contains(among, s) {
		return s
	}
	p.fail(name, didYouMean(s, among), "must be one of %s", list(among))
	return ""
}

// severity returns the severity of that name, 0 when it is missing.
func (p *params) severity(name string) finding.Severity {
	if s := p.choice(name, severityNames()[1:]...); s != "" {
		v, _ := finding.ParseSeverity(s)
		return v
	}
	return 0
}

// time returns a time in ns, 0 when it is missing: RFC 3339, "now", or a time ago:
// "-90s", "-15m", "-1h", "-7d", "-2w".
func (p *params) time(name string) int64 {
	s := p.one(name)
	if s == "" {
		return 0
	}
	if t, ok := parseTime(s, p.now); ok {
		return t
	}
	p.fail(name, "a plus sign in a query is written %2B", `must be a time such as 2026-03-16T08:30:00Z, "now", or a time ago such as -1h or -7d`)
	return 0
}

func parseTime(s string, now time.Time) (int64, bool) {
	if s == "now" {
		return now.UnixNano(), true
	}
	if rest, ok := strings.CutPrefix(s, "-"); ok && len(rest) >= 2 {
		unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[rest[len(rest)-1]]
		n, err := strconv.ParseUint(rest[:len(rest)-1], 10, 32)
		if unit == 0 || err != nil || rest[0] == '+' || time.Duration(n) > 100*366*24*time.Hour/unit {
			return 0, false
		}
		return now.Add(-time.Duration(n) * unit).UnixNano(), true
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		return 0, false
	}
	return t.UnixNano(), true
}

// span reads from and to. Where one is missing, to is now and from is the
// fallback before to.
func (p *params) span(fallback time.Duration) (from, to int64) {
	from, to = p.time("from"), p.time("to")
	if to == 0 {
		to = p.now.UnixNano()
	}
	if from == 0 {
		from = to - int64(fallback)
	}
	if from >= to {
		p.fail("from", "", "must be before the end of the range")
	}
	return max(from, 0), to
}

// end returns the problem, if there is one, with every parameter that is not known.
func (p *params) end() *problem.Problem {
	var unknown []string
	for name := range p.values {
		if !p.known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		hint := didYouMean(name, p.order)
		if hint == "" && len(p.order) > 0 {
			hint = "there are " + list(p.order)
		} else if hint == "" {
			hint = "there are no parameters here"
		}
		p.fail(shown(name), hint, "is no parameter of this address")
	}
	if len(p.fields) == 0 {
		return nil
	}
	detail := "One parameter is not right."
	if len(p.fields) > 1 {
		detail = fmt.Sprintf("%d parameters are not right.", len(p.fields))
	}
	if len(p.fields) == 1 && p.fields[0].Field == "" {
		return problem.BadRequest(p.fields[0].Message+".", p.fields[0].Hint)
	}
	return problem.BadRequest(detail, "", p.fields...)
}

// events reads what every request about events takes, except cursor and order.
func (p *params) events() store.Query {
	q := store.Query{From: p.time("from"), To: p.time("to"), Text: p.text("q", maxText), MinSeverity: p.severity("min_severity")}
	if q.From != 0 && q.To != 0 && q.From >= q.To {
		p.fail("from", "", "must be before the end of the range")
	}
	for _, name := range []string{"is", "not"} {
		for i, pair := range p.many(name, maxTerms*maxValues) {
			p.term(&q, name, i, pair)
		}
	}
	if len(q.Terms) > maxTerms {
		p.fail("is", "", "and not name more than %d fields", maxTerms)
	}
	return q
}

// term adds field:value to the terms of a query: values of one field are
// alternatives.
func (p *params) term(q *store.Query, name string, i int, pair string) {
	at := fmt.Sprintf("%s[%d]", name, i)
	f, value, ok := strings.Cut(pair, ":")
	if !ok {
		p.fail(at, "for example "+name+"=protocol:dicom", "must be a field, a colon and a value")
		return
	}
	field := store.Field(f)
	if !slices.Contains(store.Fields(), field) {
		p.fail(at, didYouMean(f, fieldNames()), "names no field; there are %s", list(fieldNames()))
		return
	}
	value, hint := canonical(field, value)
	if hint != "" {
		p.fail(at, "", "%s %s", f, hint)
		return
	}
	for j := range q.Terms {
		t := &q.Terms[j]
		if t.Field == field && t.Not == (name == "not") {
			if len(t.Values) >= maxValues {
				p.fail(at, "", "is one value more than %d for %s", maxValues, f)
				return
			}
			if !slices.Contains(t.Values, value) {
				t.Values = append(t.Values, value)
			}
			return
		}
	}
	q.Terms = append(q.Terms, store.Term{Field: field, Values: []string{value}, Not: name == "not"})
}

// canonical brings a value into the form in which the store has it, or says what
// it must be. Nothing ("") is a value: events that have none.
func canonical(f store.Field, v string) (value, must string) {
	if len(v) > 256 {
		return "", "is longer than 256 bytes"
	}
	switch f {
	case store.FieldClass:
		c, ok := classOf(v)
		if !ok {
			return "", "must be the number or the name of a class, such as 4003 or dns_activity"
		}
		return strconv.Itoa(int(c)), ""
	case store.FieldActivity:
		class, activity, ok := strings.Cut(v, "/")
		c, known := classOf(class)
		n, err := strconv.ParseUint(activity, 10, 8)
		if !ok || !known || err != nil {
			return "", "must be the number or name of a class and the number of an activity, such as 76104002/2"
		}
		return strconv.Itoa(int(c)) + "/" + strconv.FormatUint(n, 10), ""
	case store.FieldSeverity:
		if !slices.Contains(severityNames(), v) {
			return "", "must be one of " + list(severityNames())
		}
	case store.FieldStatus:
		if !slices.Contains(statusNames(), v) {
			return "", "must be one of " + list(statusNames())
		}
	case store.FieldIP, store.FieldSrcIP, store.FieldDstIP:
		if v == "" {
			return "", ""
		}
		a, err := netip.ParseAddr(v)
		if err != nil {
			return "", "must be an IP address"
		}
		return a.Unmap().WithZone("").String(), ""
	}
	return v, ""
}

func classOf(s string) (event.Class, bool) {
	for _, c := range event.Classes() {
		if s == c.Name() || s == strconv.Itoa(int(c)) {
			return c, true
		}
	}
	return 0, false
}

func fieldNames() []string {
	var out []string
	for _, f := range store.Fields() {
		out = append(out, string(f))
	}
	return out
}

func severityNames() []string {
	return []string{"unknown", "info", "low", "medium", "high", "critical"}
}
func statusNames() []string { return []string{"unknown", "success", "failure"} }

func list(names []string) string { return strings.Join(names, ", ") }

// shown makes a name that a client made up fit to be repeated.
func shown(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, name)
	if r := []rune(name); len(r) > 40 {
		name = string(r[:40]) + "..."
	}
	return name
}

// didYouMean is a hint at the name that was probably meant, "" when none is
// close.
func didYouMean(name string, known []string) string {
	best, score := "", 2+len(name)/3
	for _, k := range known {
		d := distance(strings.ToLower(name), k)
		if len(name) >= 3 && (strings.HasPrefix(k, name) || strings.HasPrefix(name, k)) {
			d = min(d, 1)
		}
		if d < score {
			best, score = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// distance is the edit distance (Levenshtein) of short names.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
