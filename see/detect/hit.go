// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/detect/suppress"
	"github.com/asepsis/asepsis/see/inventory"
)

const keySep = "\x1f"

// hit makes an occurrence of what a matcher says.
func (e *Engine) hit(c *compiled, h *match.Hit) {
	s := e.scene
	group := e.groupOf(c, h, s)
	p := match.PartitionOf(c.rule.ID + keySep + group)
	if h.Key != "" {
		p = match.PartitionOf(h.Key)
	}
	if e.own&(1<<p) == 0 {
		return
	}
	if h.Learning {
		c.cost.Learning++
		e.Stats.Learning++
		return
	}
	if h.Time == 0 {
		h.Time = e.clock
	}
	c.cost.Hits++
	e.Stats.Hits++
	c.last = max(c.last, h.Time)
	gathered := !c.admit(p, group, h.Time)
	if gathered {
		e.Stats.Gathered++
		group = gatheredGroup
	}
	o := &alert.Occurrence{Rule: c.rule, Group: group, Time: h.Time, Count: max(h.Count, 1), Partition: p, Seq: e.at, More: h.More,
		Devices: e.devicesOf(c, h, s), Theatre: h.Theatre, Case: theatre.Idle}
	if s != nil {
		o.Case = s.Case
		if o.Theatre == "" {
			o.Theatre = s.Theatre
		}
	}
	world := e.world(s)
	if world != nil && o.Theatre == "" {
		for _, id := range o.Devices {
			if d := world.Device(id); d != nil && d.Theatre != "" {
				o.Theatre = d.Theatre
				break
			}
		}
	}
	if world != nil && (s == nil || o.Theatre != s.Theatre) {
		if t, ok := world.Theatre(o.Theatre); ok && t.State.Valid() {
			o.Case = t.State
		}
	}
	values := e.valuesOf(c, h, s)
	o.Entities = map[string]string{}
	for i := range c.values {
		if v := &c.values[i]; v.Entity && values[v.Name] != "" {
			o.Entities[v.Name] = values[v.Name]
		}
	}
	verdict := e.set.Check(&suppress.Case{Rule: c.rule.ID, Devices: o.Devices, Theatre: o.Theatre, Entities: o.Entities,
		Safety: c.safety, State: o.Case, Time: o.Time, Scene: s})
	o.Severity, o.Why = severityOf(c.rule, o, world, verdict)
	if o.Hidden = verdict.Hidden; o.Hidden != "" {
		e.Stats.Hidden++
	}
	name := func(n string) string { return e.word(n, o, h, s, world, values) }
	o.Title, o.Room = c.title.fill(name), c.room.fill(name)
	if !o.More {
		o.Description = c.text.fill(name)
		o.Playbook, o.Benign = fillAll(c.steps, name), fillAll(c.benign, name)
	}
	if gathered {
		o.Title = "More than " + strconv.Itoa(MaxNew) + " new findings of one rule within an hour, gathered here. The latest: " + o.Title
	}
	o.Evidence = h.Evidence
	if s != nil {
		o.Evidence = append(slices.Clip(o.Evidence), evidenceOf(c, h, s, values))
	}
	e.emit(o)
}

// emit numbers an occurrence and hands it on.
func (e *Engine) emit(o *alert.Occurrence) {
	key := alert.Key(o.Rule.ID, o.Group)
	o.N = e.tail[key]
	e.tail[key] = o.N + 1
	e.deps.Emit(o)
}

// gatheredGroup is the group of occurrences of a rule that began too many.
const gatheredGroup = "(many)"

// admit reports whether a rule may have an alert for this group: it has one, or has
// not begun too many within the hour.
func (c *compiled) admit(p int, group string, at int64) bool {
	m := c.recent[p]
	if m == nil {
		m = map[string]int64{}
		c.recent[p] = m
	}
	if since, had := m[group]; had && at-since < int64(time.Hour) {
		return true
	}
	if len(m) >= MaxNew {
		maps.DeleteFunc(m, func(_ string, since int64) bool { return at-since >= int64(time.Hour) })
		if len(m) >= MaxNew {
			return false
		}
	}
	m[group] = at
	return true
}

// groupOf is which alert an occurrence belongs to.
func (e *Engine) groupOf(c *compiled, h *match.Hit, s *scene.Scene) string {
	if len(c.group) == 0 {
		if h.Key != "" {
			return h.Key
		}
		if s != nil {
			return endName(&s.Src) + keySep + endName(&s.Dst)
		}
		return strings.Join(h.Devices, keySep)
	}
	p := match.PartitionOf(h.Key)
	if s == nil { // the clock: as the key's events had it
		if g, ok := c.groups[p][h.Key]; ok {
			return g
		}
		return h.Key
	}
	var b strings.Builder
	for i, x := range c.group {
		if i > 0 {
			b.WriteString(keySep)
		}
		l, err := x.Eval(s)
		if err != nil {
			c.erred(err)
		}
		b.WriteString(strings.Join(l, ","))
	}
	g := b.String()
	if h.Key != "" && g != h.Key {
		if c.groups[p] == nil {
			c.groups[p] = map[string]string{}
		}
		if len(c.groups[p]) < maxGroups {
			c.groups[p][h.Key] = g
		}
	}
	return g
}

// maxGroups bounds how many groups are remembered by key.
const maxGroups = 2000

// endName is what an end is grouped by: the device, else the address.
func endName(p *scene.Party) string {
	switch {
	case p.ID != "":
		return p.ID
	case p.IP.IsValid():
		return p.IP.String()
	case !p.MAC.IsZero():
		return p.MAC.String()
	}
	return ""
}

// devicesOf is whom an occurrence is about, the one to act on first.
func (e *Engine) devicesOf(c *compiled, h *match.Hit, s *scene.Scene) []string {
	if len(h.Devices) > 0 || s == nil {
		return h.Devices
	}
	ends := c.rule.Group.Devices
	if len(ends) == 0 {
		ends = []string{"src", "dst"}
	}
	var out []string
	for _, end := range ends {
		id := s.Src.ID
		if end == "dst" {
			id = s.Dst.ID
		}
		if id != "" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

func (e *Engine) world(s *scene.Scene) *scene.World {
	if s != nil {
		return s.World
	}
	return e.World
}

// valuesOf evaluates the rule's values over the event, beside what the matcher says.
func (e *Engine) valuesOf(c *compiled, h *match.Hit, s *scene.Scene) map[string]string {
	out := make(map[string]string, len(c.values)+len(h.Values))
	if s != nil {
		for i := range c.values {
			v := &c.values[i]
			l, err := v.expr.Eval(s)
			if err != nil {
				c.erred(err)
				continue
			}
			if len(l) > 8 {
				l = append(slices.Clone(l[:8]), "… "+strconv.Itoa(len(l)-8)+" more")
			}
			out[v.Name] = strings.Join(l, ", ")
		}
	}
	maps.Copy(out, h.Values)
	return out
}

// evidenceOf is the event that fired, with the fields that were looked at.
func evidenceOf(c *compiled, h *match.Hit, s *scene.Scene, values map[string]string) finding.Evidence {
	ev := finding.Evidence{Time: s.Event.Time, Seq: s.Seq, UID: s.Event.UID, Sentence: sentence(s.Event), Expected: h.Expected}
	for i := range c.values {
		if v := &c.values[i]; values[v.Name] != "" {
			ev.Fields = append(ev.Fields, finding.Field{Name: v.Name, Value: values[v.Name], Decided: v.Decided})
		}
	}
	if c.step < len(c.ons) {
		if b := c.ons[c.step].when; b != nil {
			for _, f := range b.Fields(s) {
				if len(ev.Fields) >= 32 {
					break
				}
				f.Decided = true
				ev.Fields = append(ev.Fields, f)
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(h.Values)) {
		if len(ev.Fields) < 32 && !slices.ContainsFunc(ev.Fields, func(f finding.Field) bool { return f.Name == n }) {
			ev.Fields = append(ev.Fields, finding.Field{Name: n, Value: h.Values[n], Decided: true})
		}
	}
	return ev
}

// sentence says what an event is, in words.
func sentence(e *event.Event) string {
	if t := e.Sentence(); t != "" {
		return t
	}
	return e.Class().ActivityCaption(e.Activity) + " (" + e.Class().Caption() + ")"
}

// word gives the value of a name in a template.
func (e *Engine) word(n string, o *alert.Occurrence, h *match.Hit, s *scene.Scene, w *scene.World, values map[string]string) string {
	if v := values[n]; v != "" {
		return v
	}
	switch n {
	case "src", "dst":
		if s != nil {
			if n == "dst" {
				return title(&s.Dst)
			}
			return title(&s.Src)
		}
		at := 0
		if n == "dst" {
			at = 1
		}
		if at < len(o.Devices) {
			return deviceTitle(w, o.Devices[at])
		}
	case "device":
		if len(o.Devices) > 0 {
			return deviceTitle(w, o.Devices[0])
		}
		if s != nil {
			return title(&s.Src)
		}
	case "peer":
		if len(o.Devices) > 1 {
			return deviceTitle(w, o.Devices[1])
		}
		if s != nil {
			return title(&s.Dst)
		}
	case "port":
		if s != nil && s.Dst.Port != 0 {
			return strconv.Itoa(int(s.Dst.Port))
		}
	case "expected":
		return h.Expected
	case "theatre":
		if o.Theatre == "" {
			return "no theatre"
		}
		return theatreName(w, o.Theatre)
	case "protocol":
		if s != nil {
			return s.Event.Protocol
		}
	case "time":
		return time.Unix(0, o.Time).UTC().Format("2006-01-02 15:04:05 UTC")
	case "count":
		return strconv.FormatUint(o.Count, 10)
	case "key":
		return strings.ReplaceAll(h.Key, keySep, ", ")
	}
	return ""
}

// title is what people call an end of a conversation.
func title(p *scene.Party) string {
	switch {
	case p.Device != nil:
		return inventory.Title(p.Device)
	case p.IP.IsValid():
		return p.IP.String()
	case !p.MAC.IsZero():
		return p.MAC.String()
	}
	return "an unknown device"
}

func deviceTitle(w *scene.World, id string) string {
	if w != nil {
		if d := w.Device(id); d != nil {
			return inventory.Title(d)
		}
	}
	return id
}

func theatreName(w *scene.World, id string) string {
	if w != nil {
		if t, ok := w.Theatre(id); ok && t.Name != "" {
			return t.Name
		}
	}
	return id
}
