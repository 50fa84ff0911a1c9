// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/inventory/catalogue"
)

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
