// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/prove/identity"
)

// MaxBindings bounds a Set.
const MaxBindings = 10_000

// Set is all bindings. It does not change.
type Set struct {
	list   []*Bound
	device map[string]*Bound
	plain  []*Bound
}

// Empty is a Set that binds nobody.
func Empty() *Set { return &Set{device: map[string]*Bound{}} }

// New makes a Set of a list, or says what is wrong with it; the fields of the problems
// are paths such as "bindings[2].operations[0]".
func New(list []control.Binding) (*Set, []control.Problem) {
	s := Empty()
	var problems []control.Problem
	if len(list) > MaxBindings {
		return nil, []control.Problem{{Field: "bindings", What: fmt.Sprintf("%d bindings, at most %d are possible", len(list), MaxBindings)}}
	}
	for i, b := range list {
		c := &checker{at: fmt.Sprintf("bindings[%d]", i)}
		bound := c.bound(b)
		if _, twice := s.device[b.Device]; twice && b.Device != "" {
			c.add("device", "write its AE titles and operations into one binding", "the device %q is bound twice", b.Device)
		}
		problems = append(problems, c.problems...)
		s.list = append(s.list, bound)
		s.device[b.Device] = bound
		if b.Plain {
			problems = append(problems, s.mistakable(bound, c.at)...)
			s.plain = append(s.plain, bound)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return s, nil
}

// mistakable finds plain devices that could be taken for another: with the same AE title from the same address.
func (s *Set) mistakable(b *Bound, at string) []control.Problem {
	for _, other := range s.plain {
		for _, ae := range b.CallingAE {
			if !other.IsCalled(ae) {
				continue
			}
			for _, p := range b.prefixes {
				if slices.ContainsFunc(other.prefixes, p.Overlaps) {
					return []control.Problem{{Field: at + ".addresses", Hint: "give each plain device addresses or AE titles of its own",
						What: fmt.Sprintf("%s cannot be told from %s: both may come in clear from %s as %q", b.Device, other.Device, p, ae)}}
				}
			}
		}
	}
	return nil
}

// All returns all bindings in their order.
func (s *Set) All() []*Bound { return s.list }

// List returns them as they were given.
func (s *Set) List() []control.Binding {
	out := make([]control.Binding, len(s.list))
	for i, b := range s.list {
		out[i] = b.Binding
	}
	return out
}

// Device returns the binding of a device that has proved who it is.
func (s *Set) Device(id string) (*Bound, bool) {
	b, ok := s.device[id]
	return b, ok && id != ""
}

// Plain returns the devices that may come in clear from an address: at most one has any given AE title.
func (s *Set) Plain(a netip.Addr) []*Bound {
	var out []*Bound
	for _, b := range s.plain {
		if b.MayComeFrom(a) {
			out = append(out, b)
		}
	}
	return out
}

// PlainDevices returns all devices that may come in clear.
func (s *Set) PlainDevices() []*Bound { return s.plain }

// checker collects what is wrong with one binding.
type checker struct {
	at       string
	problems []control.Problem
}

func (c *checker) add(field, hint, format string, args ...any) {
	c.problems = append(c.problems, control.Problem{Field: c.at + "." + field, What: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *checker) bound(b control.Binding) *Bound {
	out := &Bound{Binding: b}
	// Deep, so that nobody changes what is in force.
	for _, l := range []*[]string{&out.CallingAE, &out.CalledAE, &out.Addresses, &out.SOPClasses, &out.Operations, &out.Destinations} {
		*l = slices.Clone(*l)
	}
	if b.Device == "" || !token(b.Device) {
		c.add("device", "the device ID, as asepsis devices list shows it", "%.40q is no device ID", b.Device)
	}
	for _, f := range []struct {
		name string
		list []string
	}{{"calling_ae", b.CallingAE}, {"called_ae", b.CalledAE}, {"destinations", b.Destinations}} {
		for i, ae := range f.list {
			if !ValidAE(ae) {
				c.add(fmt.Sprintf("%s[%d]", f.name, i), "1 to 16 characters of ASCII, without backslash and control characters", "%.40q is no AE title", ae)
			}
		}
	}
	c.operations(&b)
	for i, a := range b.Addresses {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			var one netip.Addr
			if one, err = netip.ParseAddr(a); err == nil {
				p = netip.PrefixFrom(one, one.BitLen())
			}
		}
		if err != nil {
			c.add(fmt.Sprintf("addresses[%d]", i), "10.20.3.17 or 10.20.3.0/24", "%.50q is neither an address nor a prefix", a)
			continue
		}
		out.prefixes = append(out.prefixes, p.Masked())
	}
	if !token(b.Theatre) {
		c.add("theatre", "the theatre's ID, as or-3, not what people call it", "%.40q is no ID of a theatre", b.Theatre)
	}
	if b.Plain && len(b.Addresses) == 0 {
		c.add("addresses", "the address of the device: in clear it is all there is to know it by", "a device that comes in clear needs addresses")
	}
	var bad int
	if out.classes, bad = parseClasses(b.SOPClasses); bad >= 0 {
		c.add(fmt.Sprintf("sop_classes[%d]", bad), "a UID, \"private\", or one of: "+strings.Join(Groups(), ", "), "%.70q is neither a UID nor a group", b.SOPClasses[bad])
	}
	switch identity.Cut(b.OnRevocation) {
	case "", identity.CutNow, identity.CutAfter, identity.CutByAlarm:
	default:
		c.add("on_revocation", "cut, finish or alarm", "%.20q is no choice", b.OnRevocation)
	}
	return out
}

func (c *checker) operations(b *control.Binding) {
	dimse := false
	for i, o := range b.Operations {
		if !slices.Contains(Operations(), o) {
			c.add(fmt.Sprintf("operations[%d]", i), "one of: "+strings.Join(Operations(), ", "), "%.20q is no operation", o)
		}
		dimse = dimse || o != QIDO && o != WADO && o != STOW
	}
	switch {
	case len(b.Operations) == 0:
		c.add("operations", "echo and store let a modality send; or remove the binding", "nothing is allowed")
	case dimse && len(b.CallingAE) == 0:
		c.add("calling_ae", "its AE title, as it calls itself", "is empty, and so no association of it would be taken")
	}
	if b.Plain && !dimse {
		c.add("plain", "DICOMweb is always TLS", "means nothing for a device that speaks DICOMweb only")
	}
	if slices.Contains(b.Operations, Move) && len(b.Destinations) == 0 {
		c.add("destinations", "the AE titles to which it may have images sent", "is empty, and so it could move nothing")
	}
}

// token reports whether s can be an ID in a statement of the ledger.
func token(s string) bool {
	return len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// ValidAE reports whether s can be an AE title (PS3.5 table 6.2-1), without the spaces around it.
func ValidAE(s string) bool {
	if s == "" || len(s) > 16 || strings.TrimSpace(s) != s {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' })
}
