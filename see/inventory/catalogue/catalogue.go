// SPDX-License-Identifier: Apache-2.0

// Package catalogue knows the names of things: manufacturers under their many
// spellings, products and what they are for, and the software behind DICOM
// implementation identifiers (PS3.7 Annex D.3.3.2).
//
// The knowledge is in the YAML files beside the code; each file says how it is
// read. tables.go is made from them by the package's tests, so that a program that
// starts has nothing to decode. A look-up is linear in the words of the text, which is cut at MaxText bytes. Nothing is decided here:
// what a name is worth as evidence is the inventory's business.
package catalogue

import (
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/core/device"
)

// MaxText is how much of a text is looked at.
const MaxText = 256

// maxWords bounds the words of a text.
const maxWords = 32

// Kind is what a manufacturer mainly makes.
type Kind string

// The kinds.
const (
	Medical    Kind = "medical"
	ImagingIT  Kind = "imaging-it"
	XR         Kind = "xr"
	IT         Kind = "it"
	Network    Kind = "network"
	Printer    Kind = "printer"
	Camera     Kind = "camera"
	Phone      Kind = "phone"
	Building   Kind = "building"
	Automation Kind = "automation"
	Virtual    Kind = "virtual"
	Component  Kind = "component" // parts that others build in
)

// Vendor is a manufacturer as found in a text.
type Vendor struct {
	Name  string // canonical
	Brand string // the name it went by, when the text used that: "Hospira" of ICU Medical
	Kind  Kind
	words int // length of the match, to prefer the longest
	at    int // where it begins
}

// Product is a product as found in a text.
type Product struct {
	Vendor, Brand string
	Model         string
	Class         device.Class
	NeedsVendor   bool // an everyday word: counts only with the maker known
	words         int
}

// Implementation is whose software a DICOM implementation identifier is.
type Implementation struct {
	Vendor  string // the maker of the device or system
	Toolkit string // a library or program that anyone may use
}

type pattern struct {
	words        []string
	whole, begin bool
	vendor       Vendor
	product      Product
}

type index struct {
	vendors  map[string][]pattern // by first word
	products map[string][]pattern
	kinds    map[string]Kind
	roots    []implementation
	versions []implementation
}

// tables is what the YAML files say.
type tables struct {
	vendors         []vendorEntry
	products        []productEntry
	implementations []implementation
}

type vendorEntry struct {
	name   string
	kind   Kind
	match  []string
	brands []brandEntry // by name
}

type brandEntry struct {
	name  string
	match []string
}

type productEntry struct {
	vendor, brand string
	class         device.Class
	models        []string
}

// implementation has either a root or a version.
type implementation struct{ root, version, vendor, toolkit string }

var load = sync.OnceValue(func() *index {
	x, err := build(builtin())
	if err != nil {
		panic("BUG: catalogue: " + err.Error())
	}
	return x
})

func build(t tables) (*index, error) {
	x := &index{vendors: map[string][]pattern{}, products: map[string][]pattern{}, kinds: map[string]Kind{}}
	taken := map[string]string{}
	for _, v := range t.vendors {
		if _, dup := x.kinds[v.name]; dup || v.name == "" {
			return nil, fmt.Errorf("vendors: %q is there twice or empty", v.name)
		}
		x.kinds[v.name] = v.kind
		add := func(brand, m string) error {
			p := pattern{vendor: Vendor{Name: v.name, Brand: brand, Kind: v.kind}}
			p.whole, p.begin = strings.HasPrefix(m, "="), strings.HasPrefix(m, "^")
			p.words = Words(strings.TrimLeft(m, "=^"))
			if len(p.words) == 0 {
				return fmt.Errorf("vendors: %s: %q has no words", v.name, m)
			}
			key := strings.Join(p.words, " ")
			if other, dup := taken[key]; dup && other != v.name {
				return fmt.Errorf("vendors: %q is claimed by %s and %s", m, other, v.name)
			}
			taken[key] = v.name
			p.vendor.words = len(p.words)
			x.vendors[p.words[0]] = append(x.vendors[p.words[0]], p)
			return nil
		}
		for _, m := range v.match {
			if err := add("", m); err != nil {
				return nil, err
			}
		}
		for _, b := range v.brands {
			for _, m := range b.match {
				if err := add(b.name, m); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, p := range t.products {
		if _, ok := x.kinds[p.vendor]; !ok {
			return nil, fmt.Errorf("products: vendor %q is not in vendors.yaml", p.vendor)
		}
		if !p.class.Valid() {
			return nil, fmt.Errorf("products: class %q of %s is not in the taxonomy", p.class, p.vendor)
		}
		for _, m := range p.models {
			name := strings.TrimRight(m, "!")
			q := pattern{words: Words(name), whole: strings.HasSuffix(m, "!!")}
			if len(q.words) == 0 {
				return nil, fmt.Errorf("products: %s: %q has no words", p.vendor, m)
			}
			q.product = Product{Vendor: p.vendor, Brand: p.brand, Model: name, Class: p.class, NeedsVendor: strings.HasSuffix(m, "!"), words: len(q.words)}
			x.products[q.words[0]] = append(x.products[q.words[0]], q)
		}
	}
	for _, i := range t.implementations {
		if i.vendor != "" {
			if _, ok := x.kinds[i.vendor]; !ok {
				return nil, fmt.Errorf("implementations: vendor %q is not in vendors.yaml", i.vendor)
			}
		}
		if i.root != "" {
			x.roots = append(x.roots, i)
		} else {
			i.version = strings.ToUpper(i.version)
			x.versions = append(x.versions, i)
		}
	}
	sort.SliceStable(x.roots, func(a, b int) bool { return len(x.roots[a].root) > len(x.roots[b].root) })
	return x, nil
}

// Words splits a text into its lower-case words: runs of letters and digits,
// accents removed.
func Words(s string) []string {
	if len(s) > MaxText {
		s = s[:MaxText]
	}
	var out []string
	var w []byte
	flush := func() {
		if len(w) > 0 {
			out = append(out, string(w))
			w = w[:0]
		}
	}
	for _, r := range s {
		switch {
		case r >= 'A' && r <= 'Z':
			w = append(w, byte(r-'A'+'a'))
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			w = append(w, byte(r))
		case r < 0x80:
			flush()
		default:
			w = append(w, fold(r)...)
		}
		if len(out) == maxWords {
			return out
		}
	}
	flush()
	return out
}

// fold returns the plain letters of an accented one; other letters stay.
func fold(r rune) string {
	switch r {
	case 'ä', 'Ä', 'á', 'Á', 'à', 'À', 'â', 'Â', 'ã', 'å', 'Å':
		return "a"
	case 'ö', 'Ö', 'ó', 'Ó', 'ò', 'ô', 'õ', 'ø', 'Ø':
		return "o"
	case 'ü', 'Ü', 'ú', 'Ú', 'ù', 'û':
		return "u"
	case 'é', 'É', 'è', 'È', 'ê', 'ë':
		return "e"
	case 'í', 'Í', 'ì', 'î', 'ï':
		return "i"
	case 'ß':
		return "ss"
	case 'ç', 'Ç':
		return "c"
	case 'ñ', 'Ñ':
		return "n"
	case 'æ', 'Æ':
		return "ae"
	case '\u00ae', '\u2122', '\u00a9':
		return ""
	}
	return string(r)
}

func (p *pattern) matches(words []string, at int) bool {
	if at+len(p.words) > len(words) || (p.begin && at != 0) || (p.whole && (at != 0 || len(words) != len(p.words))) {
		return false
	}
	for i, w := range p.words {
		if words[at+i] != w {
			return false
		}
	}
	return true
}

// FindVendor finds a manufacturer's name in a text: the longest name, the
// first of equals.
func FindVendor(text string) (Vendor, bool) { return findVendor(Words(text)) }

func findVendor(words []string) (Vendor, bool) {
	x := load()
	var best Vendor
	for at, w := range words {
		for i := range x.vendors[w] {
			if p := &x.vendors[w][i]; p.matches(words, at) && len(p.words) > best.words {
				best = p.vendor
				best.at = at
			}
		}
	}
	return best, best.words > 0
}

// KindOf returns the kind of a manufacturer by its canonical name.
func KindOf(vendor string) Kind { return load().kinds[vendor] }

// FindProduct finds a product in a text: the longest name, the first of
// equals. maker is the manufacturer's canonical name when known from
// elsewhere; everyday names need it or the maker's name in the text, and a
// product of another maker than the known one is not taken.
func FindProduct(text, maker string) (Product, bool) {
	words := Words(text)
	if maker == "" {
		if v, ok := findVendor(words); ok && v.Kind != Component {
			maker = v.Name
		}
	}
	x := load()
	var best Product
	for at, w := range words {
		for i := range x.products[w] {
			p := &x.products[w][i]
			if !p.matches(words, at) || len(p.words) <= best.words {
				continue
			}
			if p.product.NeedsVendor && p.product.Vendor != maker {
				continue
			}
			best = p.product
		}
	}
	return best, best.words > 0
}

// StripVendor returns the text without a manufacturer's name at its
// beginning: "Hospira Plum A+" gives "Plum A+". The name alone stays.
func StripVendor(text string) string {
	v, ok := findVendor(Words(text))
	if !ok || v.at != 0 {
		return text
	}
	// Skip as many words as the name has, in the text as it stands.
	n, in := 0, false
	for i, r := range text {
		word := r >= 0x80 || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if word && !in {
			if n == v.words {
				return strings.TrimSpace(text[i:])
			}
			n++
		}
		in = word
	}
	return text
}

// FindImplementation names the software behind an implementation class UID and
// version name. The version name decides over the UID, since programs built on
// a toolkit often keep its UID.
func FindImplementation(uid, version string) (Implementation, bool) {
	x := load()
	v := strings.ToUpper(version)
	for _, i := range x.versions {
		if strings.HasPrefix(v, i.version) {
			return Implementation{Vendor: i.vendor, Toolkit: i.toolkit}, true
		}
	}
	for _, i := range x.roots {
		if uid == i.root || strings.HasPrefix(uid, i.root) && uid[len(i.root)] == '.' {
			return Implementation{Vendor: i.vendor, Toolkit: i.toolkit}, true
		}
	}
	return Implementation{}, false
}
