// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// judgement is what is concluded about a device from its evidence: the part of
// a Device that does not change when the same evidence is seen again.
type judgement struct {
	class     device.Class
	why       string
	conf      device.Confidence
	name      string
	facts     map[device.Attribute]device.Fact
	conflicts []device.Conflict
	derived   []device.Evidence // made here: OUI, products, forwarding
}

// candidate is one value for an attribute with all that speaks for it.
type candidate struct {
	value   string // canonical
	stated  string // as the best source wrote it
	conf    device.Confidence
	last    int64
	sources []string
	origins map[string]bool // families of sources that agree: "dhcp", "dicom"
}

// family is the protocol of a source: "dhcp" of "dhcp.option12".
func family(source string) string {
	s, _, _ := strings.Cut(source, ".")
	return s
}

// tally collects candidates of one attribute.
type tally struct {
	byKey map[string]*candidate
	order []*candidate
}

func (t *tally) add(key, value, stated, source string, conf device.Confidence, last int64) {
	if key == "" {
		return
	}
	if t.byKey == nil {
		t.byKey = map[string]*candidate{}
	}
	c := t.byKey[key]
	if c == nil {
		c = &candidate{value: value, stated: stated, origins: map[string]bool{}}
		t.byKey[key] = c
		t.order = append(t.order, c)
	}
	if conf > c.conf {
		c.conf, c.stated, c.value = conf, stated, value
		c.sources = slices.Insert(c.sources, 0, source)
	} else {
		c.sources = append(c.sources, source)
	}
	c.last = max(c.last, last)
	c.origins[family(source)] = true
}

// score is the best source's confidence, a little more for each independent
// source that agrees, never as much as a person's.
func (c *candidate) score() device.Confidence {
	return device.Confidence(min(95, int(c.conf)+3*(len(c.origins)-1)))
}

// best returns the candidates, best first. Of equals the later seen, then the
// smaller, so that the order of observation does not matter.
func (t *tally) best() []*candidate {
	for _, c := range t.order {
		c.sources = uniq(c.sources)
	}
	slices.SortFunc(t.order, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(b.score(), a.score()), cmp.Compare(b.last, a.last), cmp.Compare(a.value, b.value))
	})
	return t.order
}

func uniq(s []string) []string {
	seen := map[string]bool{}
	out := s[:0]
	for _, x := range s {
		if !seen[x] {
			seen[x] = true
			out = append(out, x)
		}
	}
	return out
}

func (c *candidate) fact() device.Fact {
	f := device.Fact{Value: c.value, Confidence: c.score(), Sources: c.sources}
	if c.stated != c.value {
		f.Stated = c.stated
	}
	return f
}

// conflict reports two values that are equally well supported by statements.
func conflict(attr device.Attribute, cs []*candidate, why string) (device.Conflict, bool) {
	if len(cs) < 2 || cs[1].conf < device.Claimed || cs[0].score() > cs[1].score()+5 {
		return device.Conflict{}, false
	}
	x := device.Conflict{Attribute: attr, Why: why}
	for _, c := range cs {
		if c.conf >= device.Claimed && c.score()+5 >= cs[0].score() && len(x.Values) < 8 {
			x.Values = append(x.Values, c.value)
		}
	}
	return x, true
}

// judge concludes what a component is.
func (i *Inventory) judge(v *view, c *component) *judgement {
	d := i.dossier(v, c)
	j := &judgement{facts: map[device.Attribute]device.Fact{}}
	relays := d.has(attrBehaviour, "archive") || d.has(attrBehaviour, "receives-images") && d.has(attrBehaviour, "stores-images")

	// Of objects in storage only what all of them agree on is about the sender.
	ofObjects := func(x *clue) bool { return strings.HasPrefix(x.source, "dicom.store") }
	makers := map[string]bool{}
	for _, a := range []device.Attribute{device.AttrSerial, device.AttrModel} {
		n := map[string]bool{}
		for k := range d.clues[a] {
			if x := &d.clues[a][k]; ofObjects(x) {
				n[x.lower] = true
			}
		}
		if len(n) > 1 {
			makers["several"] = true
		}
	}
	skip := func(x *clue) bool {
		return ofObjects(x) && (relays || makers["several"] || d.has(attrBehaviour, "forwards-images"))
	}

	maker := i.judgeVendor(d, c, j, skip)
	i.judgeModel(d, j, maker, skip)
	for _, a := range []device.Attribute{device.AttrSerial, device.AttrFirmware, device.AttrOS, device.AttrUDI, device.AttrEUI64, device.AttrLocation} {
		var t tally
		for k := range d.clues[a] {
			if x := &d.clues[a][k]; !skip(x) && !nothing(x.lower) && !(a == device.AttrSerial && placeholder(x.lower)) {
				t.add(x.lower, x.value, x.value, x.source, x.conf, x.last)
			}
		}
		cs := t.best()
		if len(cs) == 0 {
			continue
		}
		j.facts[a] = cs[0].fact()
		if a == device.AttrSerial || a == device.AttrUDI && len(d.macs) > 0 || a == device.AttrEUI64 {
			if x, ok := conflict(a, cs, "the evidence names several, and one device has one"); ok {
				j.conflicts = append(j.conflicts, x)
			}
		}
	}
	i.judgeName(d, j, skip)
	i.judgeAddress(d, j)
	if c.router != "" {
		j.derived = append(j.derived, device.Evidence{Attribute: device.AttrRouter, Value: "true", Source: "inventory.forwarding", Confidence: device.Claimed, Count: 1})
		j.facts[device.AttrRouter] = device.Fact{Value: "true", Confidence: device.Claimed, Sources: []string{c.router}}
	}
	i.judgeClass(d, c, j)
	return j
}

// judgeName chooses what to call the device when no person named it: its host
// name, else its AE title, else its HL7 application.
func (i *Inventory) judgeName(d *dossier, j *judgement, skip func(*clue) bool) {
	var t tally
	for k := range d.clues[device.AttrHostname] {
		x := &d.clues[device.AttrHostname][k]
		h := shortHost(x.value)
		shown, _, _ := strings.Cut(x.value, ".")
		if strings.EqualFold(shown, h) && h != "" && !skip(x) && !strings.Contains(h, "*") {
			t.add(h, shown, x.value, x.source, x.conf, x.last)
		}
	}
	for k := range d.clues[device.AttrFQDN] {
		x := &d.clues[device.AttrFQDN][k]
		if h := shortHost(x.value); h != "" && !strings.ContainsAny(x.value, " *") {
			shown, _, _ := strings.Cut(x.value, ".")
			t.add(h, shown, x.value, x.source, max(x.conf, 10)-10, x.last)
		}
	}
	cs := t.best()
	if len(cs) > 0 {
		f := cs[0].fact()
		f.Stated = ""
		j.facts[device.AttrHostname] = f
		j.name = f.Value
		strong := 0
		for _, c := range cs {
			if c.conf >= device.Claimed {
				strong++
			}
		}
		if strong >= 3 {
			x := device.Conflict{Attribute: device.AttrHostname, Why: "it calls itself by several names: renamed often, several systems behind it, or not one device"}
			for _, c := range cs {
				if c.conf >= device.Claimed && len(x.Values) < 8 {
					x.Values = append(x.Values, c.value)
				}
			}
			j.conflicts = append(j.conflicts, x)
		}
		return
	}
	for _, a := range []device.Attribute{device.AttrAETitle, device.AttrHL7App} {
		for k := range d.clues[a] {
			if x := &d.clues[a][k]; j.name == "" && x.conf >= device.Claimed && !anyoneAE[strings.ToUpper(x.value)] {
				j.name = x.value
			}
		}
	}
}

// judgeAddress looks for several systems behind one address.
func (i *Inventory) judgeAddress(d *dossier, j *judgement) {
	systems := map[string]bool{}
	for _, a := range []device.Attribute{device.AttrUserAgent, device.AttrOS} {
		for k := range d.clues[a] {
			x := &d.clues[a][k]
			for _, os := range []string{"windows", "mac os", "macos", "iphone", "ipad", "android", "linux"} {
				if strings.Contains(x.lower, os) {
					if os == "macos" {
						os = "mac os"
					}
					// Android says that it is Linux, and an iPhone that it is like Mac OS.
					if os == "linux" && strings.Contains(x.lower, "android") || os == "mac os" && strings.Contains(x.lower, "like mac os") {
						continue
					}
					systems[os] = true
				}
			}
		}
	}
	if len(systems) >= 3 {
		x := device.Conflict{Attribute: device.AttrOS, Why: "several operating systems speak from here: a proxy, a NAT, or virtual machines"}
		for s := range systems {
			x.Values = append(x.Values, s)
		}
		slices.Sort(x.Values)
		j.conflicts = append(j.conflicts, x)
	}
}
