// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// tunnel finds data in DNS names: many different names below one domain within a
// window that are long, and look like data (entropy) or ask for records that carry
// data (TXT, NULL).
type tunnel struct {
	core[naming]
	names   int
	window  int64
	length  float64
	entropy float64
	exclude []string
}

type naming struct {
	names   match.Distinct
	began   int64 // of the sums below, at most a window ago
	queries uint64
	chars   uint64
	bits    float64 // entropy times characters
	data    uint64  // queries for TXT, NULL and the like
	again   again
}

func tunnelDetector() Detector {
	d := Detector{
		About:  "Data is sent out in DNS names.",
		On:     []rule.On{{Class: []string{"dns_activity"}, Protocol: []string{"dns"}}},
		Values: []string{"domain", "count", "queries", "length", "entropy", "bytes", "window"},
		Settings: []Setting{
			number("names", 60, 10, 10_000, "Different names below one domain within the window."),
			duration("window", 10*time.Minute, time.Minute, 24*time.Hour, "The window."),
			number("length", 20, 4, 200, "Mean characters of a name below the domain."),
			number("entropy", 3.2, 1, 6, "Mean bits a character, as a random choice of 10 letters has; not needed where half of the queries are for TXT or NULL."),
			texts("exclude", []string{"in-addr.arpa", "ip6.arpa", "local"}, "Domains that are not judged, with all below them."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &tunnel{names: int(s.number("names")), window: s.duration("window"), length: s.number("length"), entropy: s.number("entropy"), exclude: s.texts("exclude")}
		m.core = newCore(deps, keyed.Config[naming]{Kind: "dnstunnel1", Fixed: 160,
			Encode: func(w *keyed.Writer, v *naming) {
				v.names.Encode(w)
				w.Int(v.began)
				w.Uint(v.queries)
				w.Uint(v.chars)
				w.Float(v.bits)
				w.Uint(v.data)
				v.again.encode(w)
			},
			Decode: func(r *keyed.Reader, v *naming) {
				v.names.Decode(r, &m.deps.Secret)
				v.began, v.queries, v.chars, v.bits, v.data = r.Time(), r.Uint(), r.Uint(), r.Float(), r.Uint()
				v.again.decode(r)
			},
			Extra: func(v *naming) int { return v.names.Size() },
			Reset: func(v *naming) { v.names.Reset(); *v = naming{names: v.names} },
		})
		return m, s.err
	}
	return d
}

// second are labels below which, under a country, domains are sold.
var second = [...]string{"co", "com", "org", "net", "ac", "gov", "edu", "or", "ne", "go"}

// parentDomain cuts a name into what somebody registered and what is below it: two labels,
// three below "co.uk" and the like.
func parentDomain(name string) (below, domain string) {
	name = strings.TrimSuffix(name, ".")
	labels := 2
	last := strings.LastIndexByte(name, '.')
	if last < 0 {
		return "", name
	}
	if prev := strings.LastIndexByte(name[:last], '.'); len(name)-last-1 == 2 {
		for _, s := range second {
			if strings.EqualFold(name[prev+1:last], s) {
				labels = 3
			}
		}
	}
	at := len(name)
	for range labels {
		if at = strings.LastIndexByte(name[:at], '.'); at < 0 {
			return "", name
		}
	}
	return name[:at], name[at+1:]
}

// entropyOf is the entropy of the characters of a text, in bits a character.
func entropyOf(s string) float64 {
	var n [256]uint16
	for i := range len(s) {
		n[s[i]]++
	}
	e := 0.0
	for _, c := range n {
		if c > 0 {
			p := float64(c) / float64(len(s))
			e -= p * math.Log2(p)
		}
	}
	return e
}

// Feed implements match.Matcher.
func (m *tunnel) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	d, ok := s.Event.Detail.(*event.DNS)
	if !ok || d.Query == "" || s.Event.Activity == 2 { // a response without its query repeats one that was seen
		return
	}
	below, domain := parentDomain(d.Query)
	if below == "" {
		return
	}
	for _, x := range m.exclude {
		if len(d.Query) >= len(x) && strings.EqualFold(d.Query[len(d.Query)-len(x):], x) {
			return
		}
	}
	e, _ := m.t.At(m.source("dns", s, strings.ToLower(domain)))
	if e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	if t-v.began > m.window { // the sums are of the present window and the last
		v.queries, v.chars, v.bits, v.data, v.began = v.queries/2, v.chars/2, v.bits/2, v.data/2, t
		if v.names.Count(t, m.window) == 0 {
			v.queries, v.chars, v.bits, v.data = 0, 0, 0, 0
		}
	}
	v.queries++
	v.chars += uint64(len(below))
	v.bits += entropyOf(below) * float64(len(below))
	switch d.Type {
	case "TXT", "NULL", "KEY", "PRIVATE", "CNAME", "MX", "SRV":
		v.data++
	}
	n := v.names.Add(&m.deps.Secret, []byte(below), t, m.window)
	if n == 0 {
		return
	}
	m.t.Resize(e, v.names.Size())
	length := float64(v.chars) / float64(v.queries)
	bits := v.bits / float64(max(v.chars, 1))
	if n < m.names || length < m.length || bits < m.entropy && 2*v.data < v.queries {
		return
	}
	say, more, news := v.again.due(v.queries, t, int64(time.Hour))
	if !say {
		return
	}
	m.say(hit, match.Hit{Time: t, Key: e.Key, More: more, Count: news, Expected: "a few names below one domain, which words or numbers make",
		Values: map[string]string{"domain": domain, "count": strconv.Itoa(n), "queries": strconv.FormatUint(v.queries, 10), "length": strconv.Itoa(int(length)),
			"entropy": strconv.FormatFloat(bits, 'f', 1, 64), "bytes": amount(float64(v.chars)), "window": span(m.window)}})
}
