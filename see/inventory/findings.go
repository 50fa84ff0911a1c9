// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
)

// OwnTitle is the first of a device's AE titles that is not one that test tools use when nobody
// set any: those name nobody.
func OwnTitle(titles []string) string {
	for _, t := range titles {
		if !anyoneAE[strings.ToUpper(t)] {
			return t
		}
	}
	return ""
}

// Title is what people call a device: its name, or the best there is instead
// of one (AE title, model, address, MAC, ID).
func Title(d *device.Device) string {
	switch {
	case d.Name != "":
		return d.Name
	case OwnTitle(d.AETitles) != "":
		return OwnTitle(d.AETitles)
	case d.Model != "":
		return d.Model
	}
	for _, n := range d.Interfaces {
		if len(n.IPs) > 0 {
			return n.IPs[0].String()
		}
	}
	for _, n := range d.Interfaces {
		if !n.MAC.IsZero() {
			return n.MAC.String()
		}
	}
	return d.ID
}

// Findings says what the evidence about devices cannot be reconciled with. A
// conflict that several devices share is one finding. The worst come first.
func Findings(devs []device.Device) []finding.Finding {
	out := []finding.Finding{}
	if !slices.ContainsFunc(devs, func(d device.Device) bool { return len(d.Conflicts) > 0 }) {
		return out
	}
	names := make([]string, 0, 2*len(devs)) // device IDs stand in the reasons: people know names
	for i := range devs {
		names = append(names, devs[i].ID, Title(&devs[i]))
	}
	named := strings.NewReplacer(names...)
	at := map[string]int{}
	for i := range devs {
		d := &devs[i]
		for _, c := range d.Conflicts {
			key := string(c.Attribute) + "\x00" + c.Why + "\x00" + strings.Join(c.Values, "\x00")
			if k, ok := at[key]; ok && strings.Contains(c.Why, d.ID) {
				f := &out[k]
				f.Devices = append(f.Devices, d.ID)
				f.First, f.Last = min(f.First, d.First), max(f.Last, d.Last)
				continue
			}
			at[key] = len(out)
			f := finding.Finding{
				Rule: "inventory.conflict." + string(c.Attribute), Severity: finding.Low, Devices: []string{d.ID}, Count: 1,
				Title: conflictTitle(d, c, named), Room: conflictRoom(d, c.Attribute), First: d.First, Last: d.Last,
				Attack: []string{}, Evidence: slices.Clone(c.Values),
			}
			switch c.Attribute {
			case device.AttrIP, device.AttrMAC, device.AttrAETitle:
				f.Severity = finding.Medium
			}
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b finding.Finding) int { return int(b.Severity) - int(a.Severity) })
	return out
}

// conflictTitle says what is in conflict, with the values where the reason does
// not have them already.
func conflictTitle(d *device.Device, c device.Conflict, named *strings.Replacer) string {
	t := Title(d) + ": " + named.Replace(c.Why)
	var more []string
	for _, v := range c.Values {
		if !strings.Contains(c.Why, v) {
			more = append(more, v)
		}
	}
	if len(more) > 0 {
		t += " (" + strings.Join(more, ", ") + ")"
	}
	return t
}

// conflictRoom says to the people in the room what a conflict means for them.
func conflictRoom(d *device.Device, a device.Attribute) string {
	switch a {
	case device.AttrIP, device.AttrMAC:
		return "Two devices use the network address of " + Title(d) + ". Its connection may fail; if it does, call the network engineer."
	case device.AttrAETitle:
		return "Another device uses the imaging name of " + Title(d) + ". Check that images come from the right device; call the clinical engineer."
	}
	return "What " + Title(d) + " says about itself does not agree. It can be used; the clinical engineer will look at it."
}
