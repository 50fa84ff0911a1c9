// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/advisory/naming"
	"github.com/asepsis/asepsis/see/advisory/version"
)

// Part is a component that is known to be in a device, from its SBOM.
type Part struct {
	Name, Version, Supplier string
	SBOM                    string // what it is called
}

// Bounds of one device.
const (
	maxParts   = 20_000
	maxMatches = 500
	maxMemo    = 50_000
)

// Matcher judges devices against a base. Equal devices are judged once. It is not safe for
// concurrent use.
type Matcher struct {
	base *Base
	memo map[string][]Match
	seen map[*Entry]bool
}

// NewMatcher makes a matcher.
func NewMatcher(b *Base) *Matcher {
	return &Matcher{base: b, memo: map[string][]Match{}, seen: map[*Entry]bool{}}
}

// Device returns the verdicts for a device and the parts that are known to be in it: one
// for each advisory that names it, the worst first.
func (m *Matcher) Device(d *device.Device, parts ...Part) []Match {
	out := slices.Clone(m.subject(subjectOf(d)))
	for i := range parts[:min(len(parts), maxParts)] {
		p := &parts[i]
		s := subject{fixed: true, part: strings.TrimSpace(p.Name + " " + p.Version), model: known{value: p.Name, confidence: 90, source: "the SBOM " + p.SBOM}}
		if p.Version != "" {
			s.version = known{value: p.Version, confidence: 90, source: "the SBOM " + p.SBOM}
		}
		if p.Supplier != "" {
			s.vendor = known{value: p.Supplier, confidence: 90, source: "the SBOM " + p.SBOM}
		}
		for _, x := range m.subject(s) {
			if at := slices.IndexFunc(out, func(o Match) bool { return o.Advisory == x.Advisory }); at < 0 {
				out = append(out, x)
			} else if x.Verdict > out[at].Verdict {
				out[at] = x
			}
		}
	}
	sortMatches(out)
	return out[:min(len(out), maxMatches)]
}

func sortMatches(l []Match) {
	slices.SortFunc(l, func(a, b Match) int {
		return cmp.Or(cmp.Compare(b.Verdict, a.Verdict), cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(b.Advisory, a.Advisory))
	})
}

func (m *Matcher) subject(s subject) []Match {
	if s.model.missing() {
		return nil // nothing can be compared
	}
	key := s.key()
	if l, ok := m.memo[key]; ok {
		return l
	}
	if len(m.memo) >= maxMemo {
		clear(m.memo)
	}
	l := m.judge(s.prepare())
	m.memo[key] = l
	return l
}

// opinion is what one entry says of a subject.
type opinion struct {
	entry      *Entry
	fit        naming.Fit
	verdict    Verdict
	confidence int
	evidence   []string
	missing    []string
}

func (m *Matcher) judge(p prepared) []Match {
	by := map[string][]opinion{}
	for _, e := range m.candidates(p) {
		if o, ok := p.judge(e); ok {
			by[e.Advisory.ID] = append(by[e.Advisory.ID], o)
		}
	}
	var out []Match
	for _, l := range by {
		if x, ok := conclude(l); ok {
			x.Part = p.part
			out = append(out, x)
		}
	}
	sortMatches(out)
	return out
}

// candidates are the entries of the subject's maker, of all makers when it is not known,
// that have a word of its name.
func (m *Matcher) candidates(p prepared) []*Entry {
	words := m.base.byMaker[p.maker.Key]
	if words == nil {
		return nil
	}
	clear(m.seen)
	var out []*Entry
	for _, w := range p.name.Words() {
		for _, e := range words[w] {
			if !m.seen[e] {
				m.seen[e] = true
				out = append(out, e)
			}
		}
	}
	return out
}

// judge compares a subject with one entry. ok is false when they have nothing to do with
// each other.
func (p *prepared) judge(e *Entry) (o opinion, ok bool) {
	maker, exact := e.makerOf(p.maker)
	o = opinion{entry: e, fit: e.Name.Match(p.name)}
	if o.fit == naming.None || p.fixed && o.fit != naming.Same {
		return o, false
	}
	if p.maker.Key == "" && o.fit != naming.Same {
		return o, false // a name alone, and not even the whole of it
	}
	if e.Status() == NotAffected {
		// What is fixed, or was never affected, says nothing of other versions.
		if in, _ := e.Versions.Contains(p.release); in != version.In {
			return o, false
		}
	}
	o.evidence = append(o.evidence, "model "+p.model.says())
	o.confidence = p.model.confidence
	switch {
	case p.maker.Key == "":
		o.missing = append(o.missing, "the manufacturer: the advisory is about "+maker.Name)
		o.confidence = min(o.confidence, 40)
	default:
		text := "manufacturer " + p.vendor.says()
		switch said := e.Advisory.Products[e.Place].Vendor; {
		case !exact:
			text += "; the advisory says " + said + ", whose products it took over or sells"
		case !strings.EqualFold(said, p.vendor.value) && !strings.EqualFold(said, p.vendor.stated):
			text += "; the advisory says " + said + ", which is the same by alias"
		}
		o.evidence = append(o.evidence, text)
		o.confidence = min(o.confidence, p.vendor.confidence)
		if !exact {
			o.confidence -= 15
		}
	}
	switch o.fit {
	case naming.Maybe:
		o.evidence = append(o.evidence, "the advisory is about "+e.product()+": the names are close, and not the same")
		o.missing = append(o.missing, "the exact model, as on its label")
		o.confidence /= 2
	case naming.Family:
		o.evidence = append(o.evidence, "it is of the family that the advisory names: "+e.Model)
		o.confidence = o.confidence * 95 / 100
	case naming.Same, naming.None:
	}
	o.verdict = p.decide(e, &o)
	o.confidence = max(o.confidence, 1)
	return o, true
}

// decide says what follows from versions and conditions.
func (p *prepared) decide(e *Entry, o *opinion) Verdict {
	answer, why := e.Versions.Contains(p.release)
	switch {
	case e.Versions.All:
		o.evidence = append(o.evidence, "the advisory is about all versions")
	case e.Versions.Date != "":
		o.missing = append(o.missing, "when it was made or its software released: the advisory is about what was "+e.Versions.Date)
	case p.version.missing():
		o.missing = append(o.missing, "the software version: affected are "+e.Versions.String())
	case answer == version.In:
		o.evidence = append(o.evidence, fmt.Sprintf("version %s is one of: %s", p.version.says(), e.Versions))
		o.confidence = min(o.confidence, p.version.confidence)
	case answer == version.Out:
		o.evidence = append(o.evidence, fmt.Sprintf("version %s is none of: %s", p.version.says(), e.Versions))
		o.confidence = min(o.confidence, p.version.confidence)
	default:
		o.evidence = append(o.evidence, fmt.Sprintf("version %s, affected are: %s", p.version.says(), e.Versions))
		o.missing = append(o.missing, "the manufacturer's word: "+why)
	}
	if o.fit == naming.Maybe || p.maker.Key == "" {
		return Unknown
	}
	if answer == version.Out {
		return NotAffected
	}
	for _, c := range e.Conditions {
		switch met, say := p.holds(c); {
		case say == "":
			o.missing = append(o.missing, "whether it is so: "+tidy(c, 200))
		case !met:
			o.evidence = append(o.evidence, say)
			o.missing = nil
			return NotAffected
		default:
			o.evidence = append(o.evidence, say)
		}
	}
	if answer != version.In || len(o.missing) > 0 {
		return Unknown
	}
	return e.stated(o)
}

// stated is what the advisory says of a product that fits.
func (e *Entry) stated(o *opinion) Verdict {
	switch e.Status() {
	case Affected:
		return Affected
	case NotAffected:
		o.evidence = append(o.evidence, "the advisory says that this product is not affected")
		return NotAffected
	}
	o.missing = append(o.missing, "the manufacturer's word: the advisory says that it is being looked into")
	return Unknown
}

// Status is what the advisory says of the product.
func (e *Entry) Status() Verdict {
	out := NotAffected
	for i := range e.Advisory.Vulnerabilities {
		v := &e.Advisory.Vulnerabilities[i]
		if slices.Contains(v.Affected, e.Place) {
			return Affected
		}
		if slices.Contains(v.Asked, e.Place) || !slices.Contains(v.Fine, e.Place) && !slices.Contains(v.Fixed, e.Place) {
			out = Unknown
		}
	}
	if len(e.Advisory.Vulnerabilities) == 0 {
		return Unknown
	}
	return out
}

var windowsOf = regexp.MustCompile(`(?i)\bwindows\s+(xp|2000|7|8\.1|8|10|11|vista)\b`)

// holds answers a condition from what is known, with the reason; "" where it cannot.
func (p *prepared) holds(c string) (met bool, why string) {
	if code, ok := strings.CutPrefix(c, "model "); ok {
		words := naming.Words(code)
		d := naming.NewDevice(p.model.value)
		if (naming.Product{Names: []naming.Pattern{{Words: words, Code: true}}}).Match(d) == naming.Same {
			return true, "it is the model " + strings.ToUpper(code)
		}
		return false, ""
	}
	if m := windowsOf.FindString(c); m != "" && !p.os.missing() && strings.Contains(strings.ToLower(p.os.value), "windows") {
		have := windowsOf.FindString(p.os.value)
		switch {
		case strings.EqualFold(have, m):
			return true, "operating system " + p.os.says()
		case have != "" && !strings.Contains(strings.ToLower(c), "such as"):
			return false, "operating system " + p.os.says() + ", and the advisory is about " + m
		}
	}
	return false, ""
}

// makerOf is the one of the entry's makers that a subject's is, and whether it is that
// one itself.
func (e *Entry) makerOf(m naming.Maker) (naming.Maker, bool) {
	for _, x := range e.Makers {
		if x.Key == m.Key {
			return x, true
		}
	}
	return e.Makers[0], false
}

// product is the entry in words.
func (e *Entry) product() string {
	p := e.Advisory.Products[e.Place]
	s := strings.TrimSpace(e.Makers[0].Name + " " + cmp.Or(p.Name, p.Text))
	if v := e.Versions.String(); v != "" {
		s += ", " + v
	}
	return s
}

// conclude makes one verdict of what the entries of one advisory say. Entries of which
// only the name is close do not count beside those that fit.
func conclude(l []opinion) (Match, bool) {
	fits := slices.ContainsFunc(l, func(o opinion) bool { return o.fit >= naming.Family })
	var best *opinion
	for i := range l {
		o := &l[i]
		if fits && o.fit < naming.Family {
			continue
		}
		if best == nil || o.verdict > best.verdict || o.verdict == best.verdict && o.confidence > best.confidence {
			best = o
		}
	}
	if best == nil {
		return Match{}, false
	}
	a := best.entry.Advisory
	x := Match{Advisory: a.ID, Product: best.entry.product(), Verdict: best.verdict, Confidence: best.confidence, Evidence: best.evidence, Missing: best.missing, CVEs: []string{}}
	for _, o := range l {
		if o.verdict == best.verdict && (!fits || o.fit >= naming.Family) {
			x.Products = append(x.Products, o.entry.Place)
		}
	}
	slices.Sort(x.Products)
	for i := range a.Vulnerabilities {
		v := &a.Vulnerabilities[i]
		for _, place := range x.Products {
			if slices.Contains(v.Affected, place) || slices.Contains(v.Asked, place) || best.verdict == NotAffected {
				x.CVEs = append(x.CVEs, v.CVE)
				break
			}
		}
	}
	return x, true
}
