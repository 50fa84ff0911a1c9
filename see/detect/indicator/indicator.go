// SPDX-License-Identifier: Apache-2.0

// Package indicator holds indicator lists: names, networks, fingerprints and hashes
// that rules look for.
//
// A list is one YAML file in rules/lists, named as the file is. Text is compared
// without regard to the case of the letters A to Z, except under a hash. Lists are
// immutable once loaded and may be used by many goroutines; a look-up is a few table
// look-ups whatever the length of the list, and allocates only for text with capitals.
//
// A list of kind sha256 holds hashes, so that what it lists (default passwords of
// devices) is not written out in the product. That hides it from a reader, not from
// somebody who tries likely values.
package indicator

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/platform/config"
)

// Kind says how entries are compared.
type Kind string

// The kinds of lists.
const (
	Exact  Kind = "exact"  // the whole text
	Suffix Kind = "suffix" // a host name or a name under it: "example.com" also for "a.example.com"
	CIDR   Kind = "cidr"   // an address, or a network that it is in
	Path   Kind = "path"   // the last element of a path, after the last / or \
	SHA256 Kind = "sha256" // the hash of the text, in hexadecimal
)

// MaxEntries bounds one list.
const MaxEntries = 200_000

// List is one indicator list, ready to be asked.
type List struct {
	Name        string
	Description string
	Source      string
	Licence     string
	Kind        Kind
	Updated     string // "2026-11-22"
	File        string

	n     int
	texts map[string]struct{}
	nets  map[netip.Prefix]struct{}
	bits4 []int
	bits6 []int
	sums  map[[sha256.Size]byte]struct{}
}

// Len is the number of entries.
func (l *List) Len() int { return l.n }

// Lists are the lists of a site.
type Lists struct {
	byName map[string]*List
	names  []string
}

// Has reports whether there is a list of that name.
func (l *Lists) Has(name string) bool { return l.Get(name) != nil }

// Get returns a list, nil when there is none of that name.
func (l *Lists) Get(name string) *List {
	if l == nil {
		return nil
	}
	return l.byName[name]
}

// Names returns the names of all lists in their order.
func (l *Lists) Names() []string {
	if l == nil {
		return nil
	}
	return slices.Clone(l.names)
}

// Contains reports whether a value is in a list; never in one that there is not.
func (l *Lists) Contains(name, value string) bool {
	x := l.Get(name)
	return x != nil && x.Contains(value)
}

// Contains reports whether a value is in the list. The empty value is in none.
func (l *List) Contains(v string) bool {
	if v == "" {
		return false
	}
	switch l.Kind {
	case Suffix:
		for v = strings.TrimSuffix(lower(v), "."); ; {
			if _, ok := l.texts[v]; ok {
				return true
			}
			_, rest, more := strings.Cut(v, ".")
			if !more {
				return false
			}
			v = rest
		}
	case CIDR:
		a, err := netip.ParseAddr(v)
		return err == nil && l.ContainsAddr(a)
	case Path:
		v = v[strings.LastIndexAny(v, `/\`)+1:]
	case SHA256:
		_, ok := l.sums[sha256.Sum256([]byte(v))]
		return ok
	}
	_, ok := l.texts[lower(v)]
	return ok
}

// ContainsAddr is Contains for an address; only a list of networks has one.
func (l *List) ContainsAddr(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	bits := l.bits6
	if a.Is4() {
		bits = l.bits4
	}
	for _, b := range bits {
		if p, err := a.Prefix(b); err == nil {
			if _, ok := l.nets[p]; ok {
				return true
			}
		}
	}
	return false
}

func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if b[j] >= 'A' && b[j] <= 'Z' {
					b[j] |= 0x20
				}
			}
			return string(b)
		}
	}
	return s
}

// file is a list as it is written.
type file struct {
	Name        string   `yaml:"name"`
	Description string   `yaml:"description"`
	Source      string   `yaml:"source"`
	Licence     string   `yaml:"licence"`
	Updated     string   `yaml:"updated"`
	Kind        Kind     `yaml:"kind"`
	Entries     []string `yaml:"entries"`
}

// Validate implements config.Validator.
func (f file) Validate() error {
	var errs []error
	for _, t := range []struct{ name, value string }{{"name", f.Name}, {"description", f.Description}, {"source", f.Source}, {"licence", f.Licence}} {
		if strings.TrimSpace(t.value) == "" {
			errs = append(errs, config.Invalid(t.name, "", "is missing"))
		}
	}
	if !slices.Contains([]Kind{Exact, Suffix, CIDR, Path, SHA256}, f.Kind) {
		errs = append(errs, config.Invalid("kind", "write exact, suffix, cidr, path or sha256", "%q is not a kind of list", f.Kind))
	}
	if len(f.Entries) == 0 || len(f.Entries) > MaxEntries {
		errs = append(errs, config.Invalid("entries", "", "there are %d, want 1 to %d", len(f.Entries), MaxEntries))
	}
	return errors.Join(errs...)
}

// Load reads all lists of a folder. A folder that is not there has none. The error
// names everything that is wrong.
func Load(fsys fs.FS, dir string) (*Lists, error) {
	out := &Lists{byName: map[string]*List{}}
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return out, nil
		}
		return nil, fmt.Errorf("read the indicator lists: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if e.IsDir() || path.Ext(e.Name()) != ".yaml" {
			continue
		}
		name := path.Join(dir, e.Name())
		data, err := fs.ReadFile(fsys, name)
		if err == nil {
			var l *List
			if l, err = Parse(name, data); err == nil {
				if want := strings.TrimSuffix(e.Name(), ".yaml"); l.Name != want {
					err = fmt.Errorf("%s: the list is called %q, the file %q", name, l.Name, want)
				} else {
					out.byName[l.Name] = l
					out.names = append(out.names, l.Name)
				}
			}
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	slices.Sort(out.names)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return out, nil
}

// Parse reads one list. The name stands for the file in errors.
func Parse(name string, data []byte) (*List, error) {
	var l *List
	_, err := config.DecodeChecked(name, data, file{Kind: Exact}, func(f *file) error {
		l = &List{Name: f.Name, Description: f.Description, Source: f.Source, Licence: f.Licence, Kind: f.Kind, Updated: f.Updated, File: name, n: len(f.Entries),
			texts: map[string]struct{}{}, nets: map[netip.Prefix]struct{}{}, sums: map[[sha256.Size]byte]struct{}{}}
		var errs []error
		for i, e := range f.Entries {
			if err := l.add(e); err != nil && len(errs) < 20 {
				errs = append(errs, config.Invalid(fmt.Sprintf("entries[%d]", i), "", "%v", err))
			}
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(l.bits4)
	slices.Sort(l.bits6)
	return l, nil
}

func (l *List) add(e string) error {
	if strings.TrimSpace(e) != e || e == "" {
		return fmt.Errorf("%q is empty or has space around it", e)
	}
	switch l.Kind {
	case CIDR:
		p, err := netip.ParsePrefix(e)
		if err != nil {
			a, aerr := netip.ParseAddr(e)
			if aerr != nil {
				return fmt.Errorf("%q is no address and no network", e)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p != p.Masked() {
			return fmt.Errorf("%q has bits beyond its length: write %s", e, p.Masked())
		}
		l.nets[p] = struct{}{}
		bits := &l.bits6
		if p.Addr().Is4() {
			bits = &l.bits4
		}
		if !slices.Contains(*bits, p.Bits()) {
			*bits = append(*bits, p.Bits())
		}
	case SHA256:
		b, err := hex.DecodeString(e)
		if err != nil || len(b) != sha256.Size {
			return fmt.Errorf("%q is not a SHA-256 in hexadecimal", e)
		}
		l.sums[[sha256.Size]byte(b)] = struct{}{}
	case Suffix:
		l.texts[strings.Trim(lower(e), ".")] = struct{}{}
	default:
		l.texts[lower(e)] = struct{}{}
	}
	return nil
}
