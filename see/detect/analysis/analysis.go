// SPDX-License-Identifier: Apache-2.0

// Package analysis holds the detectors that a rule cannot say: what needs statistics
// over many events, or the state of a conversation.
//
// Each is a match.Matcher like those of rules, keeps its state by key within the same
// bounds, saves and loads it by partition, and has settings with defaults. A rule of
// kind "go" names one and gives it words, severity and samples. A hit has what a
// rule's templates may want in its Values; "kind" tells the findings of one
// detector apart.
//
// They judge by what the sensor reports, mostly summaries of connections. What is encrypted,
// or passes where no sensor listens, they do not see.
package analysis

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// Detector is one analysis.
type Detector struct {
	About    string    // what it finds, one sentence
	On       []rule.On // events that it wants; Feed's step is the index
	Settings []Setting
	Values   []string // what its hits have in Values
	New      func(settings map[string]any, d match.Deps) (match.Matcher, error)
}

// Setting is one setting of a detector.
type Setting struct {
	Name    string
	Default any // float64, time.Duration or []string; the type is the setting's
	Min     float64
	Max     float64 // of a number; of a duration in seconds; 0 for a list
	About   string
}

// All returns the detectors by the names that rules know them under.
func All() map[string]Detector {
	all := map[string]Detector{
		"scan": scanDetector(), "beacon": beaconDetector(), "dnstunnel": tunnelDetector(), "exfil": exfilDetector(), "longlived": longLivedDetector(),
		"arp": arpDetector(), "dhcp": dhcpDetector(), "ra": raDetector(), "stream": streamDetector(), "hl7state": hl7Detector(), "dicomstate": dicomDetector(),
		"ransom": ransomDetector(), "clockskew": clockDetector(), "portmove": moveDetector(), "psexec": psexecDetector(), "bruteforce": bruteDetector(),
	}
	for name, d := range all {
		if slices.Contains(d.Values, "kind") {
			all[name] = withKinds(d)
		}
	}
	return all
}

// withKinds gives a detector that tells kinds of findings apart the setting to report some only.
func withKinds(d Detector) Detector {
	kinds := texts("kinds", nil, "Only these kinds of findings; all where it is empty.")
	d.Settings = append(slices.Clip(d.Settings), kinds)
	build := d.New
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := settings{known: []Setting{kinds}, given: given}
		only := s.texts("kinds")
		if s.err != nil {
			return nil, s.err
		}
		rest := maps.Clone(given)
		delete(rest, "kinds")
		m, err := build(rest, deps)
		if err != nil {
			return nil, err
		}
		m.(interface{ only(kinds []string) }).only(only)
		return m, nil
	}
	return d
}

// settings reads the settings that a rule gives against those that a detector has.
type settings struct {
	known []Setting
	given map[string]any
	err   error
}

func read(known []Setting, given map[string]any) *settings {
	s := &settings{known: known, given: given}
	for _, name := range slices.Sorted(keysOf(given)) {
		if !slices.ContainsFunc(known, func(k Setting) bool { return k.Name == name }) {
			var names []string
			for _, k := range known {
				names = append(names, k.Name)
			}
			s.fail("setting %q is not known; known are %s", name, strings.Join(names, ", "))
		}
	}
	return s
}

func keysOf(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (s *settings) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

func (s *settings) find(name string) (Setting, any) {
	for _, k := range s.known {
		if k.Name == name {
			if v, ok := s.given[name]; ok && v != nil {
				return k, v
			}
			return k, k.Default
		}
	}
	panic("BUG: setting " + name + " is not declared")
}

func (s *settings) number(name string) float64 {
	k, v := s.find(name)
	var x float64
	switch v := v.(type) {
	case float64:
		x = v
	case int:
		x = float64(v)
	case int64:
		x = float64(v)
	case uint64:
		x = float64(v)
	default:
		s.fail("setting %s: %v is not a number", name, v)
		return 0
	}
	if !(x >= k.Min && x <= k.Max) {
		s.fail("setting %s: %v is not between %v and %v", name, x, k.Min, k.Max)
	}
	return x
}

func (s *settings) duration(name string) int64 {
	k, v := s.find(name)
	d, ok := v.(time.Duration)
	if t, isText := v.(string); isText {
		var err error
		if d, err = time.ParseDuration(t); err != nil {
			s.fail("setting %s: %q is no duration like 30s or 10m", name, t)
			return 0
		}
	} else if !ok {
		s.fail("setting %s: %v is no duration like 30s or 10m", name, v)
		return 0
	}
	if d.Seconds() < k.Min || d.Seconds() > k.Max {
		s.fail("setting %s: %v is not between %vs and %vs", name, d, k.Min, k.Max)
	}
	return int64(d)
}

func (s *settings) texts(name string) []string {
	_, v := s.find(name)
	switch v := v.(type) {
	case []string:
		return v
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, x := range v {
			t, ok := x.(string)
			if !ok {
				s.fail("setting %s: %v is not a text", name, x)
			}
			out = append(out, t)
		}
		return out
	}
	s.fail("setting %s: %v is not a list of texts", name, v)
	return nil
}

func number(name string, def, lo, hi float64, about string) Setting {
	return Setting{Name: name, Default: def, Min: lo, Max: hi, About: about}
}

func duration(name string, def, lo, hi time.Duration, about string) Setting {
	return Setting{Name: name, Default: def, Min: lo.Seconds(), Max: hi.Seconds(), About: about}
}

func texts(name string, def []string, about string) Setting {
	if def == nil {
		def = []string{}
	}
	return Setting{Name: name, Default: def, About: about}
}

// core is what detectors share: state by key and what Matcher asks of it.
type core[T any] struct {
	t    *keyed.Table[T]
	deps match.Deps
	buf  []byte
	hits uint64
	kind []string // that are reported, all when empty
}

func (c *core[T]) only(kinds []string) { c.kind = kinds }

// wants reports whether one of the kinds is reported. What is not need not be kept.
func (c *core[T]) wants(kinds ...string) bool {
	return len(c.kind) == 0 || slices.ContainsFunc(kinds, func(k string) bool { return slices.Contains(c.kind, k) })
}

func newCore[T any](d match.Deps, c keyed.Config[T]) core[T] {
	c.Keys, c.Bytes = d.Limits.Keys, d.Limits.Bytes
	return core[T]{t: keyed.New(c), deps: d}
}

func (c *core[T]) Save(partition int, w io.Writer) error { return c.t.Save(partition, w) }
func (c *core[T]) Load(partition int, r io.Reader) error { return c.t.Load(partition, r) }
func (c *core[T]) Drop(partition int)                    { c.t.Drop(partition) }
func (c *core[T]) Own(mask uint32)                       { c.t.Own(mask) }

// Advance lets the table count its floods; detectors that wait for something have their own.
func (c *core[T]) Advance(now int64, _ func(match.Hit)) {
	c.t.Due(now, func(*keyed.Entry[T], int64) {})
}

func (c *core[T]) Stats() match.Stats {
	s := c.t.Stats()
	return match.Stats{Keys: s.Keys, Bytes: s.Bytes, Evicted: s.Evicted, Flood: s.Flood, Hits: c.hits}
}

func (c *core[T]) say(hit func(match.Hit), h match.Hit) {
	if len(c.kind) > 0 && !slices.Contains(c.kind, h.Values["kind"]) {
		return
	}
	c.hits++
	hit(h)
}

// ready reports whether what was learned since a time counts.
func (c *core[T]) ready(since, t, learn int64) bool {
	return t-since >= learn || c.deps.Trained != nil && c.deps.Trained(t)
}

// appendParty appends who one end is: the device, or the address where none is known.
func appendParty(dst []byte, p *scene.Party) []byte {
	switch {
	case p.ID != "":
		return append(dst, p.ID...)
	case p.IP.IsValid():
		return p.IP.AppendTo(dst)
	case !p.MAC.IsZero():
		return append(dst, p.MAC.String()...)
	}
	return dst
}

// pair is the key of two ends and a port; 0 for none.
func (c *core[T]) pair(kind string, s *scene.Scene, port uint16) []byte {
	b := append(c.buf[:0], kind...)
	b = append(b, '\x1f')
	b = appendParty(b, &s.Src)
	b = append(b, '\x1f')
	b = appendParty(b, &s.Dst)
	if port != 0 {
		b = append(b, '\x1f')
		b = strconv.AppendUint(b, uint64(port), 10)
	}
	c.buf = b
	return b
}

// source is the key of the initiator alone, with something else of it.
func (c *core[T]) source(kind string, s *scene.Scene, more string) []byte {
	b := append(c.buf[:0], kind...)
	b = append(b, '\x1f')
	b = appendParty(b, &s.Src)
	if more != "" {
		b = append(b, '\x1f')
		b = append(b, more...)
	}
	c.buf = b
	return b
}

// again says when something is said: at first, when it has doubled, and after a time.
type again struct {
	said uint64
	at   int64
}

// due reports whether n is to be said now, whether it adds to what was said, and how much is new.
func (a *again) due(n uint64, t, every int64) (say, more bool, news uint64) {
	more = a.said > 0 && t-a.at < every
	switch {
	case !more:
		news = n
	case n >= 2*a.said:
		news = n - a.said
	default:
		return false, more, 0
	}
	a.said, a.at = n, t
	return true, more, max(news, 1)
}

func (a *again) encode(w *keyed.Writer) {
	w.Uint(a.said)
	w.Int(a.at)
}

func (a *again) decode(r *keyed.Reader) { a.said, a.at = r.Uint(), r.Time() }

// party is how a hit names one end.
func party(p *scene.Party) string { return string(appendParty(nil, p)) }

// amount writes bytes as people say them.
func amount(n float64) string {
	for _, u := range []struct {
		unit string
		size float64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if n >= u.size {
			return strconv.FormatFloat(n/u.size, 'f', 1, 64) + " " + u.unit
		}
	}
	return strconv.FormatFloat(n, 'f', 0, 64) + " B"
}

func span(d int64) string { return match.Span(time.Duration(d)) }
