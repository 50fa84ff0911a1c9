// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// NetBox says how devices are put into NetBox: the fields of its CSV import
// forms and REST serializers since version 4.2, where MAC addresses are objects
// of their own. The site must exist.
type NetBox struct {
	Site   string // slug or name of the site, as NetBox has it
	Role   func(device.Class) string
	Prefix func(netip.Addr) int // prefix length of an address; 32 and 128 when nil or zero
}

// role names the device role in NetBox: the class, unless a mapping is given.
func (n NetBox) role(c device.Class) string {
	if n.Role != nil {
		if r := n.Role(c); r != "" {
			return r
		}
	}
	return string(c)
}

// netboxNames returns names that are unique in a site, as NetBox demands: the
// device's name, with its ID where the name is missing or taken.
func netboxNames(ds []device.Device) []string {
	count := map[string]int{}
	for k := range ds {
		count[strings.ToLower(cutTo(ds[k].Name, 64))]++
	}
	out := make([]string, len(ds))
	for k := range ds {
		switch n := ds[k].Name; {
		case n == "":
			out[k] = ds[k].ID
		case count[strings.ToLower(cutTo(n, 64))] > 1:
			out[k] = cutTo(n, 64-len(ds[k].ID)-3) + " (" + ds[k].ID + ")"
		default:
			out[k] = cutTo(n, 64)
		}
	}
	return out
}

// cutTo shortens to NetBox's limits, which count characters.
func cutTo(s string, n int) string {
	r := []rune(s)
	if len(r) > n {
		r = r[:max(n, 0)]
	}
	return string(r)
}

// slug makes NetBox's form of a name: lower-case letters, digits, hyphens.
func slug(s string) string {
	var b strings.Builder
	dash := false
	for _, w := range []byte(strings.ToLower(s)) {
		if w >= 'a' && w <= 'z' || w >= '0' && w <= '9' {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteByte(w)
		} else {
			dash = true
		}
	}
	if b.Len() == 0 {
		return "unknown"
	}
	return cutTo(b.String(), 100)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// typeOf returns manufacturer and model as NetBox needs them: never empty.
func typeOf(d *device.Device) (maker, model string) {
	return cutTo(orUnknown(d.Vendor), 100), cutTo(orUnknown(d.Model), 100)
}

// WriteDevicesCSV writes NetBox's device import. The manufacturers, device
// types and roles that it names must exist: WriteREST has the objects.
func (n NetBox) WriteDevicesCSV(w io.Writer, ds []device.Device) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"name", "role", "manufacturer", "device_type", "serial", "site", "status", "comments"}); err != nil {
		return err
	}
	names := netboxNames(ds)
	for k := range ds {
		maker, model := typeOf(&ds[k])
		if err := out.Write([]string{names[k], n.role(ds[k].Class), maker, model, cutTo(ds[k].Serial, 50), n.Site, "active", comment(&ds[k])}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func comment(d *device.Device) string {
	s := "Asepsis " + d.ID + ": " + string(d.Class) + ", confidence " + strconv.Itoa(int(d.Confidence)) + " %. " + d.ClassWhy
	return strings.TrimSpace(s)
}

// port is one interface as NetBox gets it.
type port struct {
	device, name, mac string
	ips               []string
}

func (n NetBox) ports(ds []device.Device) []port {
	names := netboxNames(ds)
	// NetBox allows an address once. The present holder, seen last, has it.
	holder := map[netip.Addr]int{}
	for k := range ds {
		for _, x := range ds[k].Interfaces {
			for _, ip := range x.IPs {
				if h, ok := holder[ip]; !ok || ds[k].Last > ds[h].Last {
					holder[ip] = k
				}
			}
		}
	}
	var out []port
	for k := range ds {
		for j, x := range ds[k].Interfaces {
			p := port{device: names[k], name: "if" + strconv.Itoa(j)}
			if !x.MAC.IsZero() {
				p.mac = strings.ToUpper(x.MAC.String())
			}
			for _, ip := range x.IPs {
				if holder[ip] != k || ip.IsLinkLocalUnicast() || ip.IsLoopback() {
					continue
				}
				bits := 0
				if n.Prefix != nil {
					bits = n.Prefix(ip)
				}
				if bits <= 0 || bits > ip.BitLen() {
					bits = ip.BitLen()
				}
				p.ips = append(p.ips, ip.String()+"/"+strconv.Itoa(bits))
			}
			out = append(out, p)
		}
	}
	return out
}

// WriteInterfacesCSV writes NetBox's interface import.
func (n NetBox) WriteInterfacesCSV(w io.Writer, ds []device.Device) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"device", "name", "type", "enabled"}); err != nil {
		return err
	}
	for _, p := range n.ports(ds) {
		if err := out.Write([]string{p.device, p.name, "other", "true"}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// WriteMACsCSV writes NetBox's MAC address import.
func (n NetBox) WriteMACsCSV(w io.Writer, ds []device.Device) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"mac_address", "device", "interface", "is_primary"}); err != nil {
		return err
	}
	for _, p := range n.ports(ds) {
		if p.mac == "" {
			continue
		}
		if err := out.Write([]string{p.mac, p.device, p.name, "true"}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// WriteAddressesCSV writes NetBox's IP address import.
func (n NetBox) WriteAddressesCSV(w io.Writer, ds []device.Device) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"address", "status", "device", "interface"}); err != nil {
		return err
	}
	for _, p := range n.ports(ds) {
		for _, ip := range p.ips {
			if err := out.Write([]string{ip, "active", p.device, p.name}); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// Request is one bulk create of NetBox's REST API: POST Path with Body.
type Request struct {
	Path string `json:"path"`
	Body []any  `json:"body"`
	// Interfaces says, for each object of Body, to which interface it is
	// assigned: by its place in the Body of the interfaces' request, which is
	// also its place in NetBox's answer to that. NetBox takes the assignment
	// by number only, so the sender copies the answered id to the object's
	// assigned_object_id.
	Interfaces []int `json:"interfaces,omitempty"`
}

// WriteREST writes the requests that create everything in an empty NetBox, in
// the order in which to send them, as a JSON array. Objects refer to each other
// by name and slug, which NetBox resolves; only MAC and IP addresses need the
// numbers of interfaces, see Request.
func (n NetBox) WriteREST(w io.Writer, ds []device.Device) error {
	type obj = map[string]any
	makers, types, roles := Request{Path: "/api/dcim/manufacturers/"}, Request{Path: "/api/dcim/device-types/"}, Request{Path: "/api/dcim/device-roles/"}
	devices, ports, addresses := Request{Path: "/api/dcim/devices/"}, Request{Path: "/api/dcim/interfaces/"}, Request{Path: "/api/ipam/ip-addresses/"}
	macs := Request{Path: "/api/dcim/mac-addresses/"}
	seen := map[string]bool{}
	once := func(kind, key string) bool {
		k := kind + "\x00" + key
		if seen[k] {
			return false
		}
		seen[k] = true
		return true
	}
	names := netboxNames(ds)
	for k := range ds {
		d := &ds[k]
		maker, model := typeOf(d)
		role := n.role(d.Class)
		if once("maker", slug(maker)) {
			makers.Body = append(makers.Body, obj{"name": maker, "slug": slug(maker)})
		}
		typeSlug := slug(maker + " " + model)
		if once("type", typeSlug) {
			types.Body = append(types.Body, obj{"manufacturer": obj{"slug": slug(maker)}, "model": model, "slug": typeSlug, "u_height": 0})
		}
		if once("role", slug(role)) {
			roles.Body = append(roles.Body, obj{"name": role, "slug": slug(role), "color": "9e9e9e"})
		}
		devices.Body = append(devices.Body, obj{"name": names[k], "role": obj{"slug": slug(role)}, "device_type": obj{"slug": typeSlug},
			"site": obj{"slug": slug(n.Site)}, "status": "active", "serial": cutTo(d.Serial, 50), "comments": comment(d)})
	}
	for k, p := range n.ports(ds) {
		ports.Body = append(ports.Body, obj{"device": obj{"name": p.device}, "name": p.name, "type": "other"})
		if p.mac != "" {
			macs.Body = append(macs.Body, obj{"mac_address": p.mac, "assigned_object_type": "dcim.interface"})
			macs.Interfaces = append(macs.Interfaces, k)
		}
		for _, ip := range p.ips {
			addresses.Body = append(addresses.Body, obj{"address": ip, "status": "active", "assigned_object_type": "dcim.interface"})
			addresses.Interfaces = append(addresses.Interfaces, k)
		}
	}
	var out []Request
	for _, r := range []Request{makers, types, roles, devices, ports, macs, addresses} {
		if len(r.Body) > 0 {
			out = append(out, r)
		}
	}
	if out == nil {
		out = []Request{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("netbox: %w", err)
	}
	return nil
}
