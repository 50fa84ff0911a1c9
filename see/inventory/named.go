// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

// named is a device that messages of a node name: a pump in an HL7 PRT
// segment, a FHIR Device. Its facts are kept apart from the node's own, since
// a gateway speaks for many.
type named struct {
	key         string   // what its ID is made of
	ids         []string // all identifiers told so far, "kind:value"
	facts       []fact
	first, last int64
}

// maxNamedIDs bounds the identifiers of one named device.
const maxNamedIDs = 8

// identifiers returns what tells named devices of one sender apart, best
// first. A device without identifier is known by its model only.
func identifiers(d *event.HL7Device) []string {
	var out []string
	if d.EUI64 != "" {
		out = append(out, "eui64:"+strings.ToLower(d.EUI64))
	}
	if d.Serial != "" && !placeholder(d.Serial) {
		out = append(out, "serial:"+strings.ToLower(d.Serial))
	}
	if d.UDI != "" && udiSerial(d.UDI) != "" {
		out = append(out, "udi:"+d.UDI)
	}
	if d.DeviceID != "" {
		out = append(out, "device:"+d.DeviceID)
	}
	if len(out) == 0 && d.UDI != "" {
		out = append(out, "product:"+d.UDI)
	}
	if len(out) == 0 && d.Vendor+d.Model != "" {
		out = append(out, "model:"+strings.ToLower(d.Vendor+"|"+d.Model))
	}
	return out
}

// same reports that the identifiers are of this device: one is equal, and none
// of the same kind is another.
func (d *named) same(ids []string) bool {
	equal := false
	for _, x := range ids {
		kind, _, _ := strings.Cut(x, ":")
		for _, y := range d.ids {
			if x == y {
				equal = true
			} else if strings.HasPrefix(y, kind+":") && kind != "device" {
				return false
			}
		}
	}
	return equal
}

// udiSerial returns the serial number in a UDI (GS1 application identifier
// 21). A UDI without one names a product, not a thing.
func udiSerial(udi string) string {
	_, s, ok := strings.Cut(udi, "(21)")
	if !ok {
		return ""
	}
	s, _, _ = strings.Cut(s, "(")
	return strings.TrimSpace(s)
}

// names files a device that a message of one end names.
func (i *Inventory) names(e *event.Event, from event.Endpoint, hops uint8, d *event.HL7Device, proto string) {
	ids := identifiers(d)
	if len(ids) == 0 {
		return
	}
	n := i.subject(device.Subject{MAC: from.MAC, IP: from.IP, Hops: hops}, e.Time)
	if n == nil {
		return
	}
	var v *named
	for k := range n.named {
		if n.named[k].same(ids) {
			v = &n.named[k]
			break
		}
	}
	if v == nil {
		if len(n.named) >= i.cfg.MaxNamed {
			i.stats.NamedOverflow++
			return
		}
		n.named = append(n.named, named{key: ids[0], first: e.Time})
		v = &n.named[len(n.named)-1]
		if !n.med {
			n.med = true
			i.promote(n)
		}
		i.changed(n)
	}
	for _, x := range ids {
		if len(v.ids) < maxNamedIDs && !slices.Contains(v.ids, x) {
			v.ids = append(v.ids, x)
		}
	}
	v.first, v.last = min(v.first, e.Time), max(v.last, e.Time)
	src := proto
	if d.Source != "" {
		src += "." + strings.ToLower(d.Source)
	}
	for _, x := range []struct {
		attr  device.Attribute
		value string
	}{
		{device.AttrUDI, d.UDI}, {device.AttrEUI64, d.EUI64}, {device.AttrDeviceID, d.DeviceID}, {device.AttrVendor, d.Vendor},
		{device.AttrModel, d.Model}, {device.AttrSerial, d.Serial}, {attrDeviceType, d.Type},
	} {
		if x.value == "" {
			continue
		}
		known := false
		for k := range v.facts {
			if f := &v.facts[k]; f.attr == x.attr && f.value == x.value {
				f.count++
				f.last = max(f.last, e.Time)
				known = true
				break
			}
		}
		if !known && len(v.facts) < maxNamedFacts {
			v.facts = append(v.facts, fact{attr: x.attr, value: x.value, source: src, first: e.Time, last: e.Time, count: 1, conf: device.Structured})
			i.changed(n)
		}
	}
}

// maxNamedFacts bounds what is kept of one named device.
const maxNamedFacts = 24

// attrDeviceType is a device type as a message states it (PRT-22, an MDC
// code). It is an attribute of the rules only.
const attrDeviceType device.Attribute = "device_type"
