// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/inventory/catalogue"
	"github.com/asepsis/asepsis/see/inventory/oui"
)

// Attributes that are derived here for the rules. They are not evidence.
const (
	attrOUIVendor    device.Attribute = "oui_vendor"
	attrOUIKind      device.Attribute = "oui_kind"
	attrOUIName      device.Attribute = "oui_name"
	attrVendorKind   device.Attribute = "vendor_kind"
	attrSoleModality device.Attribute = "sole_modality"
	attrStorageRole  device.Attribute = "storage_role"
	attrBehaviour    device.Attribute = "behaviour"
)

// clue is one value that rules can look at.
type clue struct {
	value, lower, source string
	conf                 device.Confidence
	last                 int64
	count                uint64
}

// attrNameOnly is a name from a full name, when no host name says the same.
const attrNameOnly device.Attribute = "name_of_fqdn"

// named reports whether a host name with this first label is known.
func (d *dossier) named(h string) bool {
	return slices.ContainsFunc(d.clues[device.AttrHostname], func(x clue) bool { return shortHost(x.value) == h })
}

// shown returns the value in the length that fits a sentence.
func (c *clue) shown() string {
	v := c.value
	if _, rest, ok := strings.Cut(v, ":"); ok && (strings.HasPrefix(v, "scu:") || strings.HasPrefix(v, "scp:") || strings.HasPrefix(v, "sends:")) {
		v = rest
	}
	if len(v) > 48 {
		v = strings.ToValidUTF8(v[:45], "") + "..."
	}
	return v
}

// dossier is everything known about one component, by attribute.
type dossier struct {
	clues map[device.Attribute][]clue
	attrs attrSet // of the clues, at least
	heard heard
	votes []vote
	macs  []device.MAC
}

// usualClues is how many values of an attribute room is made for at once.
const usualClues = 4

func (d *dossier) add(attr device.Attribute, value, source string, conf device.Confidence, last int64, count uint64) {
	l := d.clues[attr]
	if len(l) == 0 {
		d.attrs |= setOf(attr)
		l = make([]clue, 0, usualClues)
	}
	d.clues[attr] = append(l, clue{value: value, lower: strings.ToLower(value), source: source, conf: conf, last: last, count: count})
}

func (d *dossier) behaves(what, source string) {
	d.add(attrBehaviour, what, source, device.Claimed, 0, 1)
}

func (d *dossier) has(attr device.Attribute, value string) bool {
	for k := range d.clues[attr] {
		if d.clues[attr][k].value == value {
			return true
		}
	}
	return false
}

// reports are modalities of objects about images, which every device makes.
var reports = map[string]bool{"SR": true, "PR": true, "KO": true, "OT": true, "DOC": true, "SEG": true, "REG": true, "RWV": true, "FID": true, "AU": true}

// dossier gathers the facts of a component and derives the rest.
func (i *Inventory) dossier(v *view, c *component) *dossier {
	if i.heard == nil {
		i.heard = heard{}
	}
	d := &dossier{clues: make(map[device.Attribute][]clue, 32), heard: i.heard}
	for _, e := range c.elements {
		v.elems[e].each(func(f *fact) { d.add(f.attr, f.value, f.source, f.conf, f.last, f.count) })
		if m := v.elems[e].mac; !m.IsZero() {
			d.macs = append(d.macs, m)
		}
	}
	// A full name is a host name too, for those rules that look at names.
	for _, x := range d.clues[device.AttrFQDN] {
		if h := shortHost(x.value); h != "" && !strings.Contains(h, "*") && !d.named(h) {
			d.add(attrNameOnly, h, x.source, x.conf, x.last, x.count)
		}
	}
	// Deterministic whatever the order of observation.
	for _, l := range d.clues {
		slices.SortFunc(l, func(a, b clue) int {
			if a.conf != b.conf {
				return int(b.conf) - int(a.conf)
			}
			if c := strings.Compare(a.value, b.value); c != 0 {
				return c
			}
			return strings.Compare(a.source, b.source)
		})
	}
	if c.router != "" {
		d.add(device.AttrRouter, "true", "inventory", device.Claimed, 0, 1)
	}
	random := len(d.macs) > 0
	for _, m := range d.macs {
		if !m.IsLocal() {
			random = false
		}
		if name, ok := blockOwner(m); ok {
			d.add(attrOUIName, name, "oui", device.Hint, 0, 1)
			if x, ok := catalogue.FindVendor(name); ok {
				d.add(attrOUIVendor, x.Name, "oui", device.Hint, 0, 1)
				d.add(attrOUIKind, string(x.Kind), "oui", device.Hint, 0, 1)
			}
		}
	}
	if random && c.router == "" {
		d.behaves("randomised", "mac")
	}
	i.derive(d, c)
	return d
}

// blockOwner names who a MAC's block is assigned to. 00:00:00 is Xerox's, but
// what has it today is software that left the address empty.
func blockOwner(m device.MAC) (string, bool) {
	if m.OUI() == 0 {
		return "", false
	}
	return oui.Lookup(m)
}

// derive finds out how the device behaves.
func (i *Inventory) derive(d *dossier, c *component) {
	has := func(role string, parts ...string) string {
		for k := range d.clues[device.AttrDICOMRole] {
			x := &d.clues[device.AttrDICOMRole][k]
			// That a requestor proposes to be SCP (for C-GET) is no service.
			if !strings.HasPrefix(x.lower, role) || x.conf < device.Hint || role == "scp:" && x.conf < device.Claimed {
				continue
			}
			for _, p := range parts {
				if strings.Contains(x.lower, p) {
					return x.source
				}
			}
		}
		return ""
	}
	// "Storage" alone would also find storage commitment.
	storage := []string{"image storage", "video", "report storage", "sr storage", "waveform storage", "raw data storage", "encapsulated", "surface", "segmentation storage", " - storage", "object storage", "state storage", "plan storage"}
	used := d.strongest("scu:", storage) >= device.Claimed
	for _, x := range d.clues[device.AttrDICOMRole] {
		if strings.HasPrefix(x.lower, "scu:") && (x.conf >= device.Claimed || !used) && slices.ContainsFunc(storage, func(s string) bool { return strings.Contains(x.lower, s) }) {
			d.add(attrStorageRole, x.value, x.source, x.conf, x.last, x.count)
		}
	}
	find := []string{"query/retrieve", "root q/r", "study root", "patient root"}
	in, out := has("scp:", storage...), has("scu:", storage...)
	answers, queries := has("scp:", find...), has("scu:", find...)
	for _, b := range []struct{ what, source string }{
		{"receives-images", in}, {"stores-images", out}, {"answers-queries", answers}, {"queries-images", queries},
		{"asks-worklist", has("scu:", "worklist")}, {"answers-worklist", has("scp:", "worklist")},
		{"reports-steps", has("scu:", "performed procedure step")},
	} {
		if b.source != "" {
			d.behaves(b.what, b.source)
		}
	}
	if in != "" && answers != "" {
		d.behaves("archive", in)
	}
	p := c.peers
	sends, receives := p.hl7To > 0, p.hl7From > 0
	for k := range d.clues[device.AttrHL7Role] {
		x := &d.clues[device.AttrHL7Role][k]
		sends = sends || strings.HasPrefix(x.lower, "sends:") && !strings.HasPrefix(x.lower, "sends:ack")
		receives = receives || strings.HasPrefix(x.lower, "receives:") && !strings.HasPrefix(x.lower, "receives:ack")
	}
	if receives {
		d.behaves("hl7-receives", "hl7")
	}
	if sends && receives {
		d.behaves("hl7-relay", "hl7")
		if p.hl7To+p.hl7From >= 4 {
			d.behaves("hl7-hub", "conversations")
		}
	}
	if p.mediaTo > 0 || d.offers("webrtc/") || d.offers("rtsp/") {
		d.behaves("media", "conversations")
	}
	if c.many || len(c.named) > 0 {
		d.behaves("names-devices", "hl7")
	}
	if c.many {
		d.behaves("gateway", "hl7")
	}
	if scans(c) {
		d.behaves("scans", "conversations")
	}
	sole, source := "", ""
	for k := range d.clues[device.AttrModality] {
		x := &d.clues[device.AttrModality][k]
		m := strings.ToUpper(x.value)
		switch {
		case strings.Contains(x.source, "forwarded"):
			sole = "several"
			if !d.has(attrBehaviour, "forwards-images") {
				d.behaves("forwards-images", x.source)
			}
		case reports[m]:
		case sole == "" || sole == m:
			sole, source = m, x.source
		default:
			sole = "several"
		}
	}
	if sole != "" && sole != "several" {
		d.add(attrSoleModality, sole, source, device.Claimed, 0, 1)
	}
}

// strongest returns the best confidence of a role with one of the parts.
func (d *dossier) strongest(role string, parts []string) device.Confidence {
	var best device.Confidence
	for _, x := range d.clues[device.AttrDICOMRole] {
		if strings.HasPrefix(x.lower, role) && x.conf > best && slices.ContainsFunc(parts, func(s string) bool { return strings.Contains(x.lower, s) }) {
			best = x.conf
		}
	}
	return best
}

func (d *dossier) offers(prefix string) bool {
	for k := range d.clues[device.AttrService] {
		if strings.HasPrefix(d.clues[device.AttrService][k].lower, prefix) {
			return true
		}
	}
	return false
}

// scanPeers is how many different unanswered addresses and ports make a
// scanner, of the 256 that the bitmap can tell apart.
const scanPeers = 48

func scans(c *component) bool {
	for _, n := range c.nodes {
		k := 0
		for _, w := range n.failedPeers {
			k += bits.OnesCount64(w)
		}
		if k >= scanPeers {
			return true
		}
	}
	return false
}
