// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"fmt"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/advisory/naming"
	"github.com/asepsis/asepsis/see/advisory/version"
	"github.com/asepsis/asepsis/see/inventory/catalogue"
)

// known is one fact about what is compared, and why it is believed.
type known struct {
	value, stated string
	confidence    int
	source        string
}

func (k known) missing() bool { return strings.TrimSpace(k.value) == "" }

// says gives the fact in words: "PCU 8015, as hl7.prt10 says (75)".
func (k known) says() string {
	s := tidy(k.value, 120)
	if k.stated != "" && !strings.EqualFold(k.stated, k.value) {
		s = fmt.Sprintf("%s (stated as %q)", s, tidy(k.stated, 120))
	}
	if k.source != "" {
		return fmt.Sprintf("%s, as %s says (%d)", s, k.source, k.confidence)
	}
	return fmt.Sprintf("%s (%d)", s, k.confidence)
}

// subject is what is compared with advisories: a device, or a component in it.
type subject struct {
	vendor, model, version, os known
	part                       string // the component and where it is from, "" for the device itself
	fixed                      bool   // model is a component's name: compared as a whole
}

// prepared is a subject taken apart.
type prepared struct {
	subject
	maker   naming.Maker
	name    naming.Device
	release version.Version
}

func (s subject) prepare() prepared {
	p := prepared{subject: s, release: version.New(s.version.value)}
	p.maker, _ = naming.FindMaker(s.vendor.value)
	beside := []string{s.vendor.value, s.vendor.stated}
	if v, ok := catalogue.FindVendor(s.model.stated); ok {
		beside = append(beside, v.Brand, v.Name)
	}
	p.name = naming.NewDevice(s.model.value, beside...)
	// A product that only this maker has is as good as the maker's name.
	if x, ok := catalogue.FindProduct(s.model.value, s.vendor.value); ok && !s.model.missing() {
		if m, found := naming.FindMaker(x.Vendor); found && (p.maker.Key == "" || m.Key == p.maker.Key) && s.vendor.confidence < s.model.confidence-5 {
			p.maker = m
			p.vendor.confidence = s.model.confidence - 5
			if p.vendor.missing() {
				p.vendor.value, p.vendor.source = x.Vendor, "the catalogue of products"
			}
		}
	}
	return p
}

// factOf returns a fact of a device. Where the inventory gives no reasons, the value
// counts as something that was said.
func factOf(d *device.Device, a device.Attribute, value string) known {
	f, ok := d.Facts[a]
	if !ok || f.Value == "" {
		if value == "" {
			return known{}
		}
		return known{value: value, confidence: int(device.Claimed)}
	}
	k := known{value: f.Value, stated: f.Stated, confidence: min(int(f.Confidence), 100)}
	switch {
	case f.ByPerson:
		k.source = "a person"
	case len(f.Sources) > 0:
		k.source = f.Sources[0]
	}
	return k
}

func subjectOf(d *device.Device) subject {
	return subject{
		vendor: factOf(d, device.AttrVendor, d.Vendor), model: factOf(d, device.AttrModel, d.Model),
		version: factOf(d, device.AttrFirmware, d.Firmware), os: factOf(d, device.AttrOS, d.OS),
	}
}

// key is the same for subjects that get the same verdicts.
func (s subject) key() string {
	var b strings.Builder
	for _, k := range []known{s.vendor, s.model, s.version, s.os} {
		fmt.Fprintf(&b, "%s\x00%s\x00%d\x00%s\x01", k.value, k.stated, k.confidence, k.source)
	}
	b.WriteString(s.part)
	return b.String()
}
