// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/inventory/catalogue"
)

// Bounds of joining by identifier. What more devices share is no identifier.
const (
	maxSharers = 4  // network interfaces of one device
	maxPorts   = 64 // ports of one switch, by LLDP or CDP chassis ID
)

// anyoneAE are AE titles that tools use when nobody set one. They identify
// nobody.
var anyoneAE = map[string]bool{
	"ANY-SCP": true, "ANYSCP": true, "ANY-SCU": true, "ECHOSCU": true, "STORESCU": true, "STORESCP": true, "FINDSCU": true, "MOVESCU": true,
	"GETSCU": true, "DCMSEND": true, "DCMRECV": true, "DCMQRSCP": true, "ACME_STORE": true, "TERMSCU": true, "ORTHANC": true, "PYNETDICOM": true, "DCM4CHE": true,
	"DCM4CHEE": true, "CONQUESTSRV1": true, "SCU": true, "SCP": true, "DICOM": true, "AETITLE": true, "AE_TITLE": true, "NMAP": true,
}

// anyoneHost are host names that systems have when nobody named them.
var anyoneHost = map[string]bool{
	"localhost": true, "unknown": true, "android": true, "iphone": true, "ipad": true, "raspberrypi": true, "debian": true, "ubuntu": true,
	"linux": true, "windows": true, "desktop": true, "laptop": true, "printer": true, "device": true, "host": true, "server": true, "router": true,
	"switch": true, "gateway": true, "espressif": true, "openwrt": true, "(none)": true, "none": true, "null": true, "pc": true, "workstation": true,
}

// placeholder reports a serial number or identifier that nobody filled in.
func placeholder(s string) bool {
	s = strings.ToLower(strings.TrimSpace(s))
	if len(s) < 3 {
		return true
	}
	same := true
	for k := 1; k < len(s); k++ {
		if s[k] != s[0] {
			same = false
		}
	}
	if same {
		return true
	}
	switch s {
	case "123456", "1234567", "12345678", "123456789", "1234567890", "0123456789", "unknown", "none", "n/a", "default string", "to be filled by o.e.m.", "system serial number", "not specified", "00-00-00-00-00-00":
		return true
	}
	return false
}

// joinIdentifiers joins elements that have the same identifier of a kind that
// only one thing has, and records why. Weaker agreement joins only in pairs of
// properties; AE titles and host names alone never join.
func (i *Inventory) joinIdentifiers(v *view) {
	byKey := map[string][]int{}
	var keys []string
	add := func(k string, e int) {
		l := byKey[k]
		if l == nil {
			keys = append(keys, k)
		}
		if len(l) > 0 && l[len(l)-1] == e {
			return
		}
		byKey[k] = append(l, e)
	}
	type weak struct{ hosts, aes, subjects, prints []string }
	for e := range v.elems {
		el := &v.elems[e]
		var w weak
		var serials []string
		maker := ""
		el.each(func(f *fact) {
			// What a DICOM object says is about the device that made it,
			// which need not be the one that sends it.
			if strings.HasPrefix(f.source, "dicom.store") {
				return
			}
			val := strings.ToLower(f.value)
			switch f.attr {
			case device.AttrMAC:
				// Another MAC of the same device: a bridge's, a chassis'.
				if m, err := device.ParseMAC(val); err == nil && !m.IsGroup() && f.conf >= device.Claimed && m != el.mac {
					if o, ok := v.byMAC[m]; ok {
						add("mac:"+val, o)
					}
					add("mac:"+val, e)
				}
			case device.AttrEUI64:
				if !placeholder(val) {
					add("eui64:"+val, e)
				}
			case device.AttrRegistration:
				if f.conf >= device.Structured && !placeholder(val) {
					add("registration:"+val, e)
				}
			case device.AttrDeviceID:
				if kind := idKind(val, f.source); f.conf >= device.Claimed && kind != "" {
					add(kind+":"+val, e)
				}
			case device.AttrUDI:
				if s := udiSerial(val); s != "" && !placeholder(s) {
					add("udi:"+val, e)
				}
			case device.AttrSerial:
				if f.conf >= device.Claimed && !placeholder(val) {
					serials = append(serials, val)
				}
			case device.AttrVendor:
				if f.conf >= device.Claimed && maker == "" {
					if c, ok := catalogue.FindVendor(f.value); ok {
						maker = c.Name
					} else {
						maker = val
					}
				}
			case device.AttrHostname:
				if h := shortHost(val); f.conf >= device.Hint && !anyoneHost[h] && len(h) >= 3 {
					w.hosts = append(w.hosts, h)
				}
			case device.AttrAETitle:
				if f.conf >= device.Claimed && !anyoneAE[strings.ToUpper(f.value)] {
					w.aes = append(w.aes, f.value)
				}
			case device.AttrTLSSubject:
				if f.conf >= device.Claimed {
					w.subjects = append(w.subjects, val)
				}
			case device.AttrDHCPPrint:
				w.prints = append(w.prints, val)
			}
		})
		for _, s := range serials {
			add("serial:"+maker+"|"+s, e)
		}
		for _, h := range w.hosts {
			for _, a := range w.aes {
				add("host+ae:"+h+"|"+a, e)
			}
			for _, s := range w.subjects {
				add("host+cert:"+h+"|"+s, e)
			}
			if el.mac.IsLocal() {
				for _, p := range w.prints {
					add("private:"+h+"|"+p, e)
				}
			}
		}
	}
	slices.Sort(keys)
	for _, strong := range []bool{true, false} {
		for _, k := range keys {
			kind, val, _ := strings.Cut(k, ":")
			weak := kind == "host+ae" || kind == "host+cert" || kind == "private"
			if weak == strong {
				continue
			}
			es := byKey[k]
			if len(es) < 2 {
				continue
			}
			limit := maxSharers
			if kind == "chassis" || kind == "mac" || kind == "private" {
				limit = maxPorts
			}
			if distinct(v, es) > limit {
				for _, e := range es {
					v.conflicts[e] = append(v.conflicts[e], device.Conflict{Attribute: attrOfKind(kind), Values: []string{val}, Why: fmt.Sprintf("%d devices have this %s: it identifies none of them", len(es), wordOfKind(kind))})
				}
				continue
			}
			for _, e := range es[1:] {
				i.join(v, es[0], e, kind, val)
			}
		}
	}
}

// idKind says how far a device identifier goes: "device_id" for one thing with
// few interfaces, "chassis" for one with many, "" when it identifies nothing:
// names that people choose (MQTT clients, CDP device IDs that are host names).
func idKind(val, source string) string {
	scheme, id, _ := strings.Cut(val, ":")
	switch family(source) {
	case "mqtt":
		return ""
	case "lldp", "cdp":
		// A chassis ID that is a MAC, a serial number or the like has digits;
		// a CDP device ID that is more than a host name has a serial number in
		// parentheses.
		if scheme != "lldp" && scheme != "cdp" {
			id = val
		}
		if anyoneHost[id] || len(id) < 8 || !strings.ContainsAny(id, "0123456789") || family(source) == "cdp" && !strings.Contains(id, "(") {
			return ""
		}
		return "chassis"
	}
	if placeholder(val) || placeholder(id) && id != "" || len(val) < 8 {
		return ""
	}
	return "device_id"
}

func distinct(v *view, es []int) int {
	seen := map[int]bool{}
	for _, e := range es {
		seen[v.root(e)] = true
	}
	return len(seen)
}

// join joins two elements by an identifier, unless something forbids it.
func (i *Inventory) join(v *view, a, b int, kind, val string) {
	ra, rb := v.root(a), v.root(b)
	if ra == rb {
		return
	}
	if v.splitOf(ra) != v.splitOf(rb) {
		return
	}
	// A router's own MAC does not become the host behind it.
	switch kind {
	case "host+ae", "host+cert":
		if v.contradictUnique(ra, rb) {
			v.conflicts[a] = append(v.conflicts[a], device.Conflict{Attribute: device.AttrHostname, Values: []string{val}, Why: "another device has the same names but another serial number"})
			return
		}
		v.union(ra, rb, "the same "+wordOfKind(kind)+" ("+strings.ReplaceAll(val, "|", ", ")+")", device.Structured)
	case "private":
		// Randomised MACs of one device are used one after the other.
		if v.contradictUnique(ra, rb) || v.overlap(ra, rb) {
			return
		}
		h, _, _ := strings.Cut(val, "|")
		v.union(ra, rb, "private MACs used one after the other under the same host name ("+h+") by the same DHCP client software", device.Claimed)
	default:
		v.union(ra, rb, "the same "+wordOfKind(kind)+" ("+strings.TrimPrefix(val, "|")+")", device.Verified)
	}
}

func wordOfKind(kind string) string {
	switch kind {
	case "eui64":
		return "EUI-64"
	case "registration":
		return "registration"
	case "device_id":
		return "device identifier"
	case "chassis":
		return "chassis ID"
	case "mac":
		return "MAC told by itself"
	case "udi":
		return "UDI with serial number"
	case "serial":
		return "serial number"
	case "host+ae":
		return "host name and AE title"
	case "host+cert":
		return "host name and certificate subject"
	}
	return kind
}

func attrOfKind(kind string) device.Attribute {
	switch kind {
	case "eui64":
		return device.AttrEUI64
	case "mac":
		return device.AttrMAC
	case "registration":
		return device.AttrRegistration
	case "udi":
		return device.AttrUDI
	case "serial":
		return device.AttrSerial
	case "host+ae", "host+cert", "private":
		return device.AttrHostname
	}
	return device.AttrDeviceID
}

// members returns the elements of a set by its representative.
func (v *view) members(root int) []int {
	return append([]int{root}, v.elems[root].set...)
}

func (v *view) splitOf(root int) int {
	for _, e := range v.members(root) {
		if v.elems[e].split != 0 {
			return v.elems[e].split
		}
	}
	return 0
}

// contradictUnique reports different serial numbers, EUI-64 or UDI.
func (v *view) contradictUnique(a, b int) bool {
	for _, attr := range []device.Attribute{device.AttrSerial, device.AttrEUI64, device.AttrUDI} {
		x, y := map[string]bool{}, map[string]bool{}
		for _, e := range v.members(a) {
			for s := range v.values(e, attr) {
				x[s] = true
			}
		}
		for _, e := range v.members(b) {
			for s := range v.values(e, attr) {
				y[s] = true
			}
		}
		common := false
		for s := range x {
			common = common || y[s]
		}
		if len(x) > 0 && len(y) > 0 && !common {
			return true
		}
	}
	return false
}

// overlap reports that two sets were active at the same time.
func (v *view) overlap(a, b int) bool {
	span := func(root int) (first, last int64) {
		for _, e := range v.members(root) {
			for _, n := range v.elems[e].nodes {
				if first == 0 || n.first < first {
					first = n.first
				}
				last = max(last, n.last)
			}
		}
		return
	}
	af, al := span(a)
	bf, bl := span(b)
	return af <= bl && bf <= al
}

// shortHost returns the first label of a host name.
func shortHost(h string) string {
	h = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(h), "."))
	if _, err := netip.ParseAddr(h); err == nil {
		return h
	}
	h, _, _ = strings.Cut(h, ".")
	return h
}
