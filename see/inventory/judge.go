// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/inventory/catalogue"
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

// nothing reports a value that says that there is none.
func nothing(s string) bool {
	switch s {
	case "", "unknown", "n/a", "none", "not specified", "default string", "not available", "-":
		return true
	}
	return false
}

// judgeVendor chooses the manufacturer among what is stated, the address
// block, the DICOM implementation and names of products.
func (i *Inventory) judgeVendor(d *dossier, c *component, j *judgement, skip func(*clue) bool) string {
	var t tally
	say := func(text, source string, conf device.Confidence, last int64) {
		if v, ok := catalogue.FindVendor(text); ok {
			stated := text
			if v.Brand != "" && !strings.EqualFold(text, v.Brand) && source != "oui" {
				stated = v.Brand
			}
			t.add(v.Name, v.Name, stated, source, conf, last)
		}
	}
	for k := range d.clues[device.AttrVendor] {
		x := &d.clues[device.AttrVendor][k]
		if skip(x) {
			continue
		}
		if v, ok := catalogue.FindVendor(x.value); ok {
			stated := x.value
			if v.Brand != "" {
				stated = v.Brand
			}
			t.add(v.Name, v.Name, stated, x.source, x.conf, x.last)
		} else if !nothing(x.lower) {
			t.add(x.lower, x.value, x.value, x.source, x.conf, x.last)
		}
	}
	for _, a := range []device.Attribute{device.AttrModel, device.AttrUDI, device.AttrDeviceID} {
		for k := range d.clues[a] {
			x := &d.clues[a][k]
			if skip(x) || x.conf < 6 {
				continue
			}
			conf := x.conf - 5
			if p, ok := catalogue.FindProduct(x.value, ""); ok {
				stated := p.Brand
				if stated == "" {
					stated = p.Vendor
				}
				t.add(p.Vendor, p.Vendor, stated, x.source, conf, x.last)
			} else if a != device.AttrDeviceID {
				say(x.value, x.source, conf, x.last)
			}
		}
	}
	for k := range d.clues[device.AttrDICOMImpl] {
		x := &d.clues[device.AttrDICOMImpl][k]
		uid, version, _ := strings.Cut(x.value, "|")
		if impl, ok := catalogue.FindImplementation(uid, version); ok && impl.Vendor != "" {
			t.add(impl.Vendor, impl.Vendor, impl.Vendor, x.source, min(x.conf, device.Claimed)-5, x.last)
		}
	}
	for _, m := range d.macs {
		name, ok := blockOwner(m)
		if !ok {
			continue
		}
		conf, why := device.Hint, name
		v, known := catalogue.FindVendor(name)
		if known && (v.Kind == catalogue.Component || v.Kind == catalogue.Virtual) {
			conf = device.Guess // the maker of a part, or a virtual machine
		}
		if known {
			t.add(v.Name, v.Name, why, "oui", conf, 0)
		} else {
			t.add(strings.ToLower(name), tidyCompany(name), why, "oui", conf, 0)
		}
		j.derived = append(j.derived, device.Evidence{Subject: device.Subject{MAC: m}, Attribute: device.AttrVendor, Value: name, Source: "oui", Confidence: conf, Count: 1})
	}
	cs := t.best()
	if len(cs) == 0 {
		return ""
	}
	j.facts[device.AttrVendor] = cs[0].fact()
	if x, ok := conflict(device.AttrVendor, cs, "the evidence names several manufacturers with equal strength"); ok {
		j.conflicts = append(j.conflicts, x)
	}
	d.clues[device.AttrVendor] = nil
	d.add(device.AttrVendor, cs[0].value, cs[0].sources[0], cs[0].score(), 0, 1)
	if kind := catalogue.KindOf(cs[0].value); kind != "" {
		d.add(attrVendorKind, string(kind), cs[0].sources[0], cs[0].score(), 0, 1)
	}
	return cs[0].value
}

// tidyCompany leaves out the legal form of a company's name.
func tidyCompany(s string) string {
	for {
		cut := strings.TrimRight(strings.TrimSpace(s), ".,")
		for _, suffix := range []string{" Inc", " Ltd", " LLC", " GmbH", " AG", " Co", " Corp", " Corporation", " Limited", " B.V", " BV", " S.p.A", " SpA", " S.A", " AB", " A/S", " Oy", " KG", " &"} {
			if len(cut) > len(suffix) && strings.EqualFold(cut[len(cut)-len(suffix):], suffix) {
				cut = cut[:len(cut)-len(suffix)]
			}
		}
		if cut == s || cut == "" {
			return s
		}
		s = cut
	}
}

// productWeight is how much a product's name in an attribute votes for the
// product's class.
var productWeight = map[device.Attribute]int{
	device.AttrModel: 85, device.AttrUDI: 80, device.AttrDeviceID: 75, device.AttrUserAgent: 70, device.AttrDHCPVendor: 65, device.AttrOS: 60,
	device.AttrBanner: 55, device.AttrFirmware: 50, device.AttrHL7App: 45, device.AttrTLSSubject: 40, device.AttrHostname: 40, device.AttrAETitle: 35,
}

// judgeModel chooses the model and lets known products vote for their class.
func (i *Inventory) judgeModel(d *dossier, j *judgement, maker string, skip func(*clue) bool) {
	var t tally
	known := map[string]catalogue.Product{}
	for _, a := range []device.Attribute{device.AttrModel, device.AttrUDI, device.AttrDeviceID} {
		for k := range d.clues[a] {
			x := &d.clues[a][k]
			if skip(x) {
				continue
			}
			if p, ok := catalogue.FindProduct(x.value, maker); ok {
				value := p.Model
				if a == device.AttrModel {
					value = catalogue.StripVendor(x.value)
				}
				conf := x.conf
				if a != device.AttrModel {
					conf = max(conf, 5) - 5
				}
				t.add(strings.ToLower(value), value, x.value, x.source, conf, x.last)
				known[value] = p
			} else if a == device.AttrModel {
				value := catalogue.StripVendor(x.value)
				t.add(strings.ToLower(value), value, x.value, x.source, x.conf, x.last)
			}
		}
	}
	if cs := t.best(); len(cs) > 0 {
		// One name that holds the other is the same model, told in more detail.
		pick := cs[0]
		for _, c := range cs[1:] {
			if c.score()+10 >= pick.score() && len(c.value) > len(pick.value) && within(pick.value, c.value) {
				pick = c
			}
		}
		j.facts[device.AttrModel] = pick.fact()
		var rivals []*candidate
		for _, c := range cs {
			if c == pick || !within(c.value, pick.value) {
				rivals = append(rivals, c)
			}
		}
		if x, ok := conflict(device.AttrModel, rivals, "the evidence names several models with equal strength"); ok {
			j.conflicts = append(j.conflicts, x)
		}
	}
	for a, weight := range productWeight {
		for k := range d.clues[a] {
			x := &d.clues[a][k]
			// An AE title that a tool tried is not its own banner.
			if skip(x) || x.source == "dicom.default-aes" {
				continue
			}
			p, ok := catalogue.FindProduct(x.value, maker)
			if !ok {
				continue
			}
			d.votes = append(d.votes, vote{class: p.Class, weight: min(weight, int(x.conf)+15), group: "product", source: x.source,
				why: fmt.Sprintf("states the product %s in its %s", p.Model, attrWord(a))})
		}
	}
}

// within reports that every word of one name is in another.
func within(short, long string) bool {
	words := catalogue.Words(long)
	for _, w := range catalogue.Words(short) {
		if !slices.Contains(words, w) {
			return false
		}
	}
	return true
}

func attrWord(a device.Attribute) string {
	switch a {
	case device.AttrUDI:
		return "UDI"
	case device.AttrDeviceID:
		return "device identifier"
	case device.AttrUserAgent:
		return "user agent"
	case device.AttrDHCPVendor:
		return "DHCP vendor class"
	case device.AttrOS:
		return "operating system"
	case device.AttrHL7App:
		return "HL7 application"
	case device.AttrTLSSubject:
		return "certificate"
	case device.AttrHostname:
		return "host name"
	case device.AttrAETitle:
		return "AE title"
	}
	return string(a)
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
