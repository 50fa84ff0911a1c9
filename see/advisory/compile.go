// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/see/advisory/naming"
	"github.com/asepsis/asepsis/see/advisory/version"
)

// Entry is a product of an advisory, understood.
type Entry struct {
	Advisory   *Advisory
	Place      int // in Advisory.Products
	Makers     []naming.Maker
	Name       naming.Product
	Versions   version.Set
	Conditions []string
	Model      string // in words
	Why        string // what is not understood; such an entry matches nothing
}

// Understood reports whether devices are compared with the entry.
func (e *Entry) Understood() bool { return e.Why == "" }

// Base is an index made ready for matching. It never changes and may be used
// concurrently.
type Base struct {
	Index   *Index
	Entries []Entry
	byMaker map[string]map[string][]*Entry // by a word of the name
	byID    map[string]*Advisory
	of      map[string][]*Entry // entries of an advisory
}

// NewBase makes an index ready, with advisories that were imported besides; of two with
// one ID the newer counts.
func NewBase(x *Index, imported ...Advisory) *Base {
	b := &Base{Index: x, byMaker: map[string]map[string][]*Entry{}, byID: map[string]*Advisory{}, of: map[string][]*Entry{}}
	for i := range x.Advisories {
		b.byID[x.Advisories[i].ID] = &x.Advisories[i]
	}
	for i := range imported {
		a := &imported[i]
		if have, dup := b.byID[a.ID]; dup && have.Updated > a.Updated {
			continue
		}
		b.byID[a.ID] = a
	}
	total := 0
	for _, a := range b.byID {
		total += len(a.Products)
	}
	b.Entries = make([]Entry, 0, total) // never grows: pointers into it stay
	for _, a := range b.List() {
		for p := range a.Products {
			b.Entries = append(b.Entries, Understand(a, p))
			e := &b.Entries[len(b.Entries)-1]
			b.of[a.ID] = append(b.of[a.ID], e)
			if !e.Understood() {
				continue
			}
			keys := e.Name.Keys()
			for _, m := range e.Makers {
				b.file(m.Key, keys, e)
				for _, s := range naming.Successors(m) {
					b.file(s, keys, e)
				}
			}
			b.file("", keys, e) // for what names no maker
		}
	}
	return b
}

func (b *Base) file(maker string, keys []string, e *Entry) {
	words := b.byMaker[maker]
	if words == nil {
		words = map[string][]*Entry{}
		b.byMaker[maker] = words
	}
	for _, k := range keys {
		words[k] = append(words[k], e)
	}
}

// List returns all advisories, the newest first.
func (b *Base) List() []*Advisory {
	out := make([]*Advisory, 0, len(b.byID))
	for _, a := range b.byID {
		out = append(out, a)
	}
	slices.SortFunc(out, newestFirst)
	return out
}

// Advisory returns one by its ID.
func (b *Base) Advisory(id string) (*Advisory, bool) {
	a, ok := b.byID[id]
	return a, ok
}

// EntriesOf returns the entries of an advisory.
func (b *Base) EntriesOf(id string) []*Entry { return b.of[id] }

// NotUnderstood returns the entries that no device is compared with.
func (b *Base) NotUnderstood() []*Entry {
	var out []*Entry
	for i := range b.Entries {
		if !b.Entries[i].Understood() {
			out = append(out, &b.Entries[i])
		}
	}
	return out
}

var (
	// modelNumber is a number that names a model: whole, or a code with four digits or more.
	modelNumber = regexp.MustCompile(`^(?i)(?:[a-z]{1,4}-\d{3,}[a-z]?|\d{4,}[a-z]{0,4}\d?|[a-z]?\d{4,}[a-z]*\d?|[a-z]{2}\d{1,2}|\d{3}[a-z]?)$`)
	operators   = regexp.MustCompile(`[<>*]|(?i)\b(prior|earlier|below|later|older|newer)\b`)
	saysVersion = regexp.MustCompile(`(?i)\b(versions?|revisions?|releases?)\b`)
	edition     = regexp.MustCompile(`(?i)^(\d(?:st|nd|rd|th)) edition$`)
)

// Understand takes a product entry apart.
func Understand(a *Advisory, place int) Entry {
	p := a.Products[place]
	e := Entry{Advisory: a, Place: place, Makers: naming.Makers(p.Vendor)}
	name := p.Name
	if name == "" {
		name = p.Text
	}
	if strings.EqualFold(strings.TrimSpace(name), "version") { // the tree has no name here, the title has
		name = a.Title
		if m, ok := naming.FindMaker(p.Vendor); ok {
			name = strings.TrimSpace(strings.TrimPrefix(name, m.Name))
		}
		if at := strings.Index(name, " Vulnerabilit"); at > 0 {
			name = name[:at]
		}
	}
	e.Name, e.Model = naming.ParseProduct(name), name
	e.Conditions = slices.Clone(e.Name.Conditions)
	for _, m := range p.Models {
		e.Name.Names = append(e.Name.Names, naming.Pattern{Words: naming.Words(m), Code: true})
	}
	if p.With != "" {
		e.Conditions = append(e.Conditions, "with "+p.With)
	}
	switch {
	case len(e.Makers) == 0:
		e.Why = "it names no manufacturer"
		return e
	case !e.named():
		e.Why = "its product has no name that could be compared"
		return e
	}
	if e.generic() && !strings.EqualFold(strings.TrimSpace(name), strings.TrimSpace(p.Vendor)) {
		e.Why = "it names all products of a kind, and none of them"
		return e
	}
	e.readVersions(p)
	e.Name = e.Name.Without(e.Makers...)
	return e
}

// generic reports that nothing is left of the name without the maker's: "GE Imaging and
// Ultrasound Products".
func (e *Entry) generic() bool {
	for _, n := range e.Name.Names {
		if n.Range != nil || n.Code {
			return false
		}
		for _, w := range n.Words {
			for _, m := range e.Makers {
				if !slices.Contains(strings.Fields(m.Key), w) {
					return false
				}
			}
		}
	}
	return true
}

func (e *Entry) named() bool {
	for _, n := range e.Name.Names {
		if len(n.Words) > 0 || n.Range != nil {
			return true
		}
	}
	return false
}

// readVersions reads the version branch; where it holds models, they become the name.
func (e *Entry) readVersions(p Product) {
	if strings.TrimSpace(p.Version) == "" {
		// No version branch: what the full name says, else all versions.
		if x, err := fromText(p); err == nil {
			e.Versions = x.Set
		} else {
			e.Versions = version.Set{All: true}
		}
		return
	}
	x, err := version.ParseExpression(p.Version)
	if err == nil && !e.variants(p, x.Set) {
		e.Versions = x.Set
		e.conditions(x.Conditions)
		e.doubt(p)
		return
	}
	if m := edition.FindStringSubmatch(p.Version); m != nil {
		e.Versions = version.Set{All: true}
		e.Conditions = append(e.Conditions, m[1]+" edition")
		return
	}
	if operators.MatchString(strings.NewReplacer("(", " ", ")", " ").Replace(p.Version)) && !strings.Contains(strings.ToLower(p.Version), "software") {
		e.Why = "its versions are not understood: " + why(err)
		return
	}
	// What is left are names of models, or something that must be there.
	if err != nil && len(x.Conditions) > 0 && leftover(p.Version, x.Conditions) == "" {
		e.Versions = version.Set{All: true}
		e.conditions(x.Conditions)
		return
	}
	e.Versions = version.Set{All: true}
	text := p.Version
	if at := strings.Index(strings.ToLower(text), " with software"); at > 0 {
		e.Conditions = append(e.Conditions, strings.TrimSpace(text[at:]))
		text = text[:at]
	}
	text = regexp.MustCompile(`(?i)\b(udi/model/ndc number|product id/reorder number|models?)\b`).ReplaceAllString(text, " ")
	var names []naming.Pattern
	for _, one := range strings.FieldsFunc(strings.ReplaceAll(strings.ReplaceAll(text, " and ", "|"), " / ", "|"), func(r rune) bool { return r == '|' || r == ',' }) {
		q := naming.ParseProduct(one)
		for _, n := range q.Names {
			if len(n.Words) == 0 {
				continue
			}
			distinct := n
			if code := strings.TrimSpace(one); modelNumber.MatchString(code) && len(code) >= 4 {
				distinct.Code = true
			}
			names = append(names, distinct)
			// "620" is a model of "GE Carestation": both words together.
			for _, base := range e.Name.Names {
				both := naming.Words(strings.Join(base.Words, " ") + " " + strings.Join(n.Words, " "))
				names = append(names, naming.Pattern{Words: both, Range: base.Range})
				if !distinct.Code && len(names) > 0 && len(n.Words) == 1 {
					names = slices.DeleteFunc(names, func(o naming.Pattern) bool { return !o.Code && slices.Equal(o.Words, n.Words) })
				}
			}
		}
	}
	if len(names) == 0 || len(names) > 60 {
		e.Why = "its versions are not understood: " + why(err)
		return
	}
	e.Name.Names = names
	e.Model = strings.TrimSpace(e.Model + " " + p.Version)
}

func leftover(text string, conditions []string) string {
	low := strings.ToLower(strings.NewReplacer("(", " ", ")", " ").Replace(text))
	low = strings.Join(strings.Fields(low), " ")
	for _, c := range conditions {
		low = strings.ReplaceAll(low, c, " ")
	}
	return strings.TrimSpace(low)
}

func why(err error) string {
	if err == nil {
		return "it is neither a version nor a model"
	}
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), version.ErrNoVersion.Error()), ": ")
}

// variants reports that a list of "versions" names models: whole numbers of three
// digits or more, order numbers.
func (e *Entry) variants(p Product, s version.Set) bool {
	if s.All || s.Date != "" || operators.MatchString(p.Version) {
		return false
	}
	for _, i := range s.In {
		if !i.Exact() || i.Family {
			return false
		}
		for _, w := range strings.Fields(i.From) {
			w = strings.TrimPrefix(w, "#")
			if !modelNumber.MatchString(w) {
				return false
			}
			// "BT06" and "HD23" are releases; "3120" in "Model 3120" is none.
			if len(w) <= 4 && w[0] >= 'A' && !strings.HasPrefix(strings.ToUpper(w), "VS") && len(strings.Fields(i.From)) == 1 {
				return false
			}
		}
	}
	text := strings.ToLower(p.Text)
	if saysVersion.MatchString(text) && !strings.Contains(text, "model") {
		for _, i := range s.In {
			if len(strings.TrimLeft(i.From, "0123456789")) == 0 && len(i.From) < 4 {
				return false
			}
		}
	}
	return len(s.In) > 0
}

// conditions keeps what must hold besides; the number of a model in it becomes part of
// the name.
func (e *Entry) conditions(l []string) {
	for _, c := range l {
		if code, ok := strings.CutPrefix(c, "model "); ok && !strings.Contains(strings.TrimSpace(code), " ") {
			e.Name.Names = append(e.Name.Names, naming.Pattern{Words: naming.Words(code), Code: true})
		}
		e.Conditions = append(e.Conditions, c)
	}
}

// doubt compares the branch with the full name, which says the same in other words. Where
// they disagree, what only one of them says is uncertain.
func (e *Entry) doubt(p Product) {
	if e.Versions.All || e.Versions.Date != "" {
		return
	}
	x, err := fromText(p)
	if err != nil || x.Set.All || x.Set.Date != "" || len(x.Set.In) == 0 {
		return
	}
	a, b := e.Versions.Versions(), x.Set.Versions()
	norm := func(l []string) []string {
		var out []string
		for _, s := range l {
			out = append(out, strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "").Replace(version.New(s).String())))
		}
		for i := range out {
			out[i] = strings.TrimPrefix(strings.TrimPrefix(out[i], "v"), "r")
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	if slices.Equal(norm(a), norm(b)) {
		return
	}
	for _, i := range x.Set.In {
		if !slices.Contains(e.Versions.In, i) {
			e.Versions.Maybe = append(e.Versions.Maybe, i)
		}
	}
}

// fromText reads versions from the full name: what follows the product's name.
func fromText(p Product) (version.Expression, error) {
	text := p.Text
	if at := strings.LastIndexByte(text, ':'); at >= 0 && at+1 < len(text) {
		text = text[at+1:]
	} else if rest, ok := strings.CutPrefix(text, p.Name); ok && p.Name != "" {
		text = rest
	} else {
		return version.Expression{}, errors.New("the full name is not a name and a version")
	}
	return version.ParseExpression(text)
}
