// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// Devices returns every device, in the order of the taxonomy, then by name and
// ID. The slice and all in it belong to the caller.
func (i *Inventory) Devices() []device.Device {
	i.mu.Lock()
	defer i.mu.Unlock()
	v := i.current()
	i.sweep(v)
	out := make([]device.Device, 0, len(v.comps))
	for k := range v.comps {
		if !v.comps[k].external {
			out = append(out, i.assemble(v, k))
		}
	}
	rank := map[device.Class]int{}
	for k, c := range device.Classes() {
		rank[c] = k
	}
	sharedNames(out)
	slices.SortStableFunc(out, func(a, b device.Device) int {
		return cmp.Or(cmp.Compare(rank[a.Class], rank[b.Class]), cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// judged1 returns the judgement of a component, from the cache when none of
// its evidence changed.
func (i *Inventory) judged1(v *view, c *component) *judgement {
	k := c.signature(v)
	if j := i.judged[k]; j != nil {
		return j
	}
	j := i.judge(v, c)
	if i.judged == nil {
		i.judged = map[uint64]*judgement{}
	}
	i.judged[k] = j
	return j
}

// sweep empties the cache of judgements when most of it is out of date.
func (i *Inventory) sweep(v *view) {
	if len(i.judged) > 2*len(v.comps)+1024 {
		i.judged = nil
	}
}

// signature tells two states of a component apart: versions of nodes are
// never used twice.
func (c *component) signature(v *view) uint64 {
	h := uint64(14695981039346656037)
	mix := func(x uint64) {
		for range 8 {
			h = (h ^ x&0xff) * 1099511628211
			x >>= 8
		}
	}
	for _, n := range c.nodes {
		mix(n.version)
	}
	for _, d := range c.named {
		mix(hashString(d.key))
		mix(uint64(len(d.facts)))
	}
	for _, e := range c.elements {
		mix(hashString(v.elems[e].key))
	}
	if c.many {
		mix(1)
	}
	mix(hashString(c.router))
	p := c.peers
	for _, x := range []int{p.hl7To, p.hl7From, p.dicomTo, p.dicomFrom, p.fhirFrom, p.mediaTo} {
		mix(uint64(min(x, 8)))
	}
	return h
}

func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for k := 0; k < len(s); k++ {
		h = (h ^ uint64(s[k])) * 1099511628211
	}
	return h
}

// assemble makes the Device of a component.
func (i *Inventory) assemble(v *view, k int) device.Device {
	c := &v.comps[k]
	j := i.judged1(v, c)
	d := device.Device{ID: c.id, Aliases: slices.Clone(c.aliases), Class: j.class, ClassWhy: j.why, Confidence: j.conf, Name: j.name, Facts: make(map[device.Attribute]device.Fact, len(j.facts))}
	for a, f := range j.facts {
		f.Sources = slices.Clone(f.Sources)
		d.Facts[a] = f
	}
	d.Vendor, d.Model, d.Serial = j.facts[device.AttrVendor].Value, j.facts[device.AttrModel].Value, j.facts[device.AttrSerial].Value
	d.Firmware, d.OS, d.UDI = j.facts[device.AttrFirmware].Value, j.facts[device.AttrOS].Value, j.facts[device.AttrUDI].Value
	if c.via >= 0 {
		if s := v.elems[c.via].nodes; len(s) > 0 {
			d.Via = v.idOf(s[0])
		}
		if d.Via == c.id {
			d.Via = ""
		}
	}
	i.attachments(v, c, &d)
	i.listEvidence(v, c, j, &d)
	d.Conflicts = append(slices.Clone(j.conflicts), c.conflicts...)
	d.Conflicts = dedupConflicts(d.Conflicts)
	for _, x := range c.joined {
		d.Joined = append(d.Joined, device.Join{Why: x.why, Confidence: x.conf})
	}
	if c.edited != nil {
		c.edited.write(&d)
	}
	return d
}

func dedupConflicts(in []device.Conflict) []device.Conflict {
	var out []device.Conflict
	for _, c := range in {
		if !slices.ContainsFunc(out, func(o device.Conflict) bool {
			return o.Attribute == c.Attribute && o.Why == c.Why && slices.Equal(o.Values, c.Values)
		}) {
			out = append(out, c)
		}
	}
	return out
}

// attachments fills interfaces, zone, times and whether the MACs are random.
func (i *Inventory) attachments(v *view, c *component, d *device.Device) {
	byMAC := map[device.MAC]*device.Interface{}
	var order []device.MAC
	get := func(m device.MAC) *device.Interface {
		x := byMAC[m]
		if x == nil {
			x = &device.Interface{MAC: m}
			byMAC[m] = x
			order = append(order, m)
		}
		return x
	}
	macs, local := 0, 0
	for _, e := range c.elements {
		el := &v.elems[e]
		if !el.mac.IsZero() {
			get(el.mac)
			macs++
			if el.mac.IsLocal() {
				local++
			}
		}
		for _, n := range el.nodes {
			x := get(el.mac)
			if n.ip.IsValid() && !slices.Contains(x.IPs, n.ip) {
				x.IPs = append(x.IPs, n.ip)
			}
			for _, w := range n.vlans {
				if w != 0 && !slices.Contains(x.VLANs, w) {
					x.VLANs = append(x.VLANs, w)
				}
			}
		}
	}
	slices.SortFunc(order, func(a, b device.MAC) int { return slices.Compare(a[:], b[:]) })
	for _, m := range order {
		x := byMAC[m]
		slices.SortFunc(x.IPs, func(a, b netip.Addr) int { return a.Compare(b) })
		slices.Sort(x.VLANs)
		d.Interfaces = append(d.Interfaces, *x)
		for _, ip := range x.IPs {
			if z := i.zone(ip); d.Zone == "" {
				d.Zone = z
			}
		}
	}
	d.Randomised = macs > 0 && local == macs
	span := func(first, last int64) {
		if d.First == 0 || first != 0 && first < d.First {
			d.First = first
		}
		d.Last = max(d.Last, last)
	}
	for _, n := range c.nodes {
		span(n.first, n.last)
	}
	for _, x := range c.named {
		span(x.first, x.last)
	}
}

// listEvidence fills the evidence, best first, and the lists made of it.
func (i *Inventory) listEvidence(v *view, c *component, j *judgement, d *device.Device) {
	n := len(j.derived)
	for _, e := range c.elements {
		for _, x := range v.elems[e].nodes {
			n += len(x.facts)
		}
	}
	d.Evidence = slices.Grow(d.Evidence, n) // nil stays nil
	for _, e := range c.elements {
		el := &v.elems[e]
		put := func(sub device.Subject, f *fact) {
			d.Evidence = append(d.Evidence, device.Evidence{Subject: sub, Attribute: f.attr, Value: f.value, Source: f.source, Confidence: f.conf, First: f.first, Last: f.last, Count: f.count})
			var list *[]string
			switch f.attr {
			case device.AttrAETitle:
				list = &d.AETitles
			case device.AttrService:
				list = &d.Services
			case device.AttrUses:
				list = &d.Uses
			default:
				return
			}
			if !slices.Contains(*list, f.value) {
				*list = append(*list, f.value)
			}
		}
		for _, n := range el.nodes {
			for k := range n.facts {
				if f := &n.facts[k]; !ofOthers(f, el.many) {
					put(device.Subject{MAC: n.mac, IP: n.ip, VLAN: n.vlans[0], Hops: n.hops}, f)
				}
			}
		}
		if el.named != nil {
			var sub device.Subject
			if s := el.sender; s >= 0 && len(v.elems[s].nodes) > 0 {
				sub = device.Subject{MAC: v.elems[s].nodes[0].mac, IP: v.elems[s].nodes[0].ip}
			} else if len(el.nodes) > 0 {
				sub = device.Subject{MAC: el.nodes[0].mac, IP: el.nodes[0].ip}
			}
			for k := range el.named.facts {
				f := &el.named.facts[k]
				if !slices.ContainsFunc(d.Evidence, func(x device.Evidence) bool {
					return x.Attribute == f.attr && x.Value == f.value && family(x.Source) == family(f.source)
				}) {
					put(sub, f)
				}
			}
		}
	}
	for _, x := range j.derived {
		x.First, x.Last = d.First, d.Last
		d.Evidence = append(d.Evidence, x)
	}
	sortEvidence(d.Evidence)
	certificates(d)
	if len(d.Evidence) > i.cfg.MaxEvidence {
		d.Evidence = slices.Clip(d.Evidence[:i.cfg.MaxEvidence])
	}
	slices.Sort(d.AETitles)
	slices.Sort(d.Services)
	slices.Sort(d.Uses)
}

// sortEvidence puts evidence in the order in which it is shown, best first. Its
// places are sorted, which are smaller than it is.
func sortEvidence(list []device.Evidence) {
	order := make([]int32, len(list))
	for k := range order {
		order[k] = int32(k)
	}
	slices.SortFunc(order, func(i, j int32) int {
		a, b := &list[i], &list[j]
		switch {
		case a.Confidence != b.Confidence:
			return int(b.Confidence) - int(a.Confidence)
		case a.Attribute != b.Attribute:
			return strings.Compare(string(a.Attribute), string(b.Attribute))
		case a.Value != b.Value:
			return strings.Compare(a.Value, b.Value)
		case a.Source != b.Source:
			return strings.Compare(a.Source, b.Source)
		}
		return cmp.Or(a.Subject.IP.Compare(b.Subject.IP), slices.Compare(a.Subject.MAC[:], b.Subject.MAC[:]))
	})
	for k := range order { // each cycle of the permutation once
		i := int32(k)
		for first := list[i]; order[i] != i; {
			from := order[i]
			order[i] = i
			if from == int32(k) {
				list[i] = first
				break
			}
			list[i] = list[from]
			i = from
		}
	}
}

// write puts what people set on a device. It always wins.
func (e *edited) write(d *device.Device) {
	set := func(kind EditKind, attr device.Attribute, value string, to *string) {
		if value == "" {
			return
		}
		if to != nil {
			*to = value
		}
		if attr != "" {
			d.Facts[attr] = device.Fact{Value: value, Confidence: device.Person, Sources: []string{"person:" + e.who[kind]}, ByPerson: true}
			d.Conflicts = slices.DeleteFunc(d.Conflicts, func(c device.Conflict) bool { return c.Attribute == attr })
		}
	}
	set(EditName, "", e.name, &d.Name)
	set(EditVendor, device.AttrVendor, e.vendor, &d.Vendor)
	set(EditModel, device.AttrModel, e.model, &d.Model)
	set(EditTheatre, "", e.theatre, &d.Theatre)
	if e.class != "" {
		set(EditClass, device.AttrClass, string(e.class), nil)
		d.Class, d.Confidence = e.class, device.Person
		d.ClassWhy = "Set by " + e.who[EditClass] + "."
	}
	if e.criticality != "" {
		d.Criticality = e.criticality
	}
	for _, n := range e.notes {
		d.Notes = append(d.Notes, device.Note{Text: n.Value, Who: n.Who, At: n.At})
	}
}

// sharedNames shows AE titles and HL7 applications that several devices use:
// they are not joined for it.
func sharedNames(ds []device.Device) {
	type key struct {
		attr  device.Attribute
		value string
	}
	users := map[key][]int{}
	for k := range ds {
		seen := map[key]bool{}
		for n := range ds[k].Evidence {
			e := &ds[k].Evidence[n]
			if e.Attribute != device.AttrAETitle && e.Attribute != device.AttrHL7App || e.Confidence < device.Claimed {
				continue
			}
			if e.Attribute == device.AttrAETitle && anyoneAE[strings.ToUpper(e.Value)] {
				continue
			}
			x := key{e.Attribute, e.Value}
			if !seen[x] {
				seen[x] = true
				users[x] = append(users[x], k)
			}
		}
	}
	for x, us := range users {
		if len(us) < 2 {
			continue
		}
		var ids []string
		for _, k := range us {
			ids = append(ids, ds[k].ID)
		}
		slices.Sort(ids)
		word := "AE title"
		if x.attr == device.AttrHL7App {
			word = "HL7 application"
		}
		if len(ids) > 8 {
			ids = ids[:8]
		}
		for _, k := range us {
			ds[k].Conflicts = append(ds[k].Conflicts, device.Conflict{Attribute: x.attr, Values: []string{x.value}, Why: "several devices use this " + word + ": " + strings.Join(ids, ", ")})
		}
	}
	for k := range ds {
		slices.SortFunc(ds[k].Conflicts, func(a, b device.Conflict) int {
			return cmp.Or(cmp.Compare(a.Attribute, b.Attribute), cmp.Compare(a.Why, b.Why), slices.Compare(a.Values, b.Values))
		})
	}
}
