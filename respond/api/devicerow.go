// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/inventory"
)

// classNames are the classes as people say them.
var classNames = map[device.Class]string{
	device.ClassUnknown: "Unknown", device.ClassCT: "CT", device.ClassMR: "MR", device.ClassUltrasound: "Ultrasound", device.ClassXRay: "X-ray",
	device.ClassCArm: "C-arm", device.ClassAngiography: "Angiography", device.ClassNuclear: "Nuclear medicine", device.ClassEndoscopy: "Endoscopy",
	device.ClassModality: "Imaging device", device.ClassPACS: "Image archive", device.ClassImageProcessor: "Image processor",
	device.ClassXRHeadset: "XR headset", device.ClassXRProcessor: "XR processor", device.ClassSurgicalRobot: "Surgical robot",
	device.ClassSurgicalTable: "Surgical table", device.ClassNavigation: "Surgical navigation", device.ClassInfusionPump: "Infusion pump",
	device.ClassPatientMonitor: "Patient monitor", device.ClassVentilator: "Ventilator", device.ClassAnaesthesia: "Anaesthesia machine",
	device.ClassLabAnalyser: "Laboratory analyser", device.ClassInterfaceEngine: "Interface engine", device.ClassEHR: "Patient record system",
	device.ClassRTLS: "Location system", device.ClassWorkstation: "Workstation", device.ClassServer: "Server", device.ClassPrinter: "Printer",
	device.ClassCamera: "Camera", device.ClassPhone: "Telephone", device.ClassMobile: "Mobile device", device.ClassNetwork: "Network equipment",
	device.ClassBuilding: "Building system", device.ClassScanner: "Security scanner",
}

func className(c device.Class) string {
	if n, ok := classNames[c]; ok {
		return n
	}
	return classNames[device.ClassUnknown]
}

// rowOf is a device as lists show it at a moment. set are the attributes that the
// edits name.
func rowOf(d *device.Device, set []string, now time.Time) DeviceRow {
	row := DeviceRow{
		ID: d.ID, Name: inventory.Title(d), Class: string(d.Class), ClassName: className(d.Class), Confidence: int(d.Confidence), Medical: d.Class.Medical(),
		Vendor: d.Vendor, Model: d.Model, Firmware: d.Firmware, Serial: d.Serial, OS: d.OS,
		MACs: []string{}, IPs: []string{}, VLANs: []uint16{}, AETitles: orEmpty(d.AETitles),
		Site: d.Site, Theatre: d.Theatre, Zone: d.Zone, Criticality: string(d.Criticality), Speaks: speaks(d), Conflicts: len(d.Conflicts), Certificate: string(validity(d, now)),
		First: stamp(d.First), Last: stamp(d.Last), ByPerson: slices.Clone(orEmpty(set)),
	}
	if row.Class == "" {
		row.Class = string(device.ClassUnknown)
	}
	var ips []netip.Addr
	for _, n := range d.Interfaces {
		if !n.MAC.IsZero() {
			row.MACs = append(row.MACs, n.MAC.String())
		}
		ips = append(ips, n.IPs...)
		row.VLANs = append(row.VLANs, n.VLANs...)
	}
	slices.SortFunc(ips, compareAddr)
	for _, a := range slices.Compact(ips) {
		row.IPs = append(row.IPs, a.String())
	}
	slices.Sort(row.VLANs)
	row.VLANs = slices.Compact(row.VLANs)
	for a, f := range d.Facts {
		if f.ByPerson && !slices.Contains(row.ByPerson, string(a)) {
			row.ByPerson = append(row.ByPerson, string(a))
		}
	}
	if d.Criticality != "" && !slices.Contains(row.ByPerson, "criticality") {
		row.ByPerson = append(row.ByPerson, "criticality")
	}
	slices.Sort(row.ByPerson)
	return row
}

// compareAddr sorts IPv4 before IPv6 and what is routed before what is local to
// the link: the address that people use comes first.
func compareAddr(a, b netip.Addr) int {
	rank := func(x netip.Addr) int {
		n := 0
		if x.IsLinkLocalUnicast() {
			n += 2
		}
		if x.Is6() && !x.Is4In6() {
			n++
		}
		return n
	}
	if n := rank(a) - rank(b); n != 0 {
		return n
	}
	return a.Compare(b)
}

// speaks lists the protocols that a device offers or uses.
func speaks(d *device.Device) []string {
	out := []string{}
	for _, s := range d.Services {
		name, _, _ := strings.Cut(s, "/")
		out = append(out, name)
	}
	out = append(out, d.Uses...)
	slices.Sort(out)
	return slices.Compact(out)
}

// validity is how the certificate stands that expires first.
func validity(d *device.Device, now time.Time) device.Validity {
	if len(d.Certs) == 0 {
		return device.ValidityUnknown
	}
	v, _ := d.Certs[0].Validity(now)
	return v
}

// nextValidity returns when a row of the devices changes because a certificate
// expires, the zero time for never.
func nextValidity(devices []device.Device, now time.Time) (next time.Time) {
	for i := range devices {
		if len(devices[i].Certs) == 0 {
			continue
		}
		if _, t := devices[i].Certs[0].Validity(now); !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}

// fullDevice is a device with all that is known of it at a moment.
func fullDevice(d *device.Device, w *world, now time.Time) Device {
	row := rowOf(d, w.byPerson[d.ID], now)
	out := Device{
		DeviceRow: row, Aliases: orEmpty(d.Aliases), ClassWhy: d.ClassWhy, UDI: d.UDI, Via: d.Via, RandomisedMAC: d.Randomised,
		Interfaces: []Interface{}, Services: orEmpty(d.Services), Uses: orEmpty(d.Uses), Facts: map[string]DeviceFact{},
		ConflictList: []Conflict{}, Joined: []Join{}, Notes: []Note{}, Certificates: []DeviceCertificate{}, Evidence: []Evidence{}, FindingList: []Finding{},
	}
	for _, n := range d.Interfaces {
		i := Interface{IPs: []string{}, VLANs: orEmpty(n.VLANs)}
		if !n.MAC.IsZero() {
			i.MAC = n.MAC.String()
		}
		for _, a := range n.IPs {
			i.IPs = append(i.IPs, a.String())
		}
		out.Interfaces = append(out.Interfaces, i)
	}
	for a, f := range d.Facts {
		out.Facts[string(a)] = DeviceFact{Value: f.Value, Stated: f.Stated, Confidence: int(f.Confidence), Sources: orEmpty(f.Sources), ByPerson: f.ByPerson}
	}
	for _, c := range d.Conflicts {
		out.ConflictList = append(out.ConflictList, Conflict{Attribute: string(c.Attribute), Values: orEmpty(c.Values), Why: c.Why})
	}
	for _, j := range d.Joined {
		out.Joined = append(out.Joined, Join{Why: j.Why, Confidence: int(j.Confidence)})
	}
	for i := range d.Certs {
		c := &d.Certs[i]
		v, _ := c.Validity(now)
		out.Certificates = append(out.Certificates, DeviceCertificate{Service: c.Service, Validity: string(v), NotBefore: c.NotBefore.UTC().Format(time.RFC3339),
			NotAfter: c.NotAfter.UTC().Format(time.RFC3339), Issuer: c.Issuer, SelfSigned: c.SelfSigned, KeyType: c.KeyType, KeyBits: c.KeyBits, SHA256: c.SHA256,
			Source: c.Source, Confidence: int(c.Confidence), First: stamp(c.First), Last: stamp(c.Last)})
	}
	for _, n := range d.Notes {
		out.Notes = append(out.Notes, Note{Text: n.Text, Who: n.Who, At: stamp(n.At)})
	}
	for _, e := range d.Evidence {
		out.Evidence = append(out.Evidence, Evidence{Attribute: string(e.Attribute), Value: e.Value, Source: e.Source, Confidence: int(e.Confidence),
			First: stamp(e.First), Last: stamp(e.Last), Count: e.Count})
	}
	for _, f := range w.findings {
		if slices.ContainsFunc(f.Devices, func(n NamedDevice) bool { return n.ID == d.ID || slices.Contains(d.Aliases, n.ID) }) {
			out.FindingList = append(out.FindingList, f)
			out.Worst = max(out.Worst, f.Severity)
		}
	}
	out.Findings = len(out.FindingList)
	return out
}
