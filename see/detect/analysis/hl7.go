// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// hl7State follows what each sender of HL7 v2 messages does over time.
//
//   - "replay": a message control ID that was acknowledged comes again. Senders repeat
//     what was not acknowledged, or refused, and may; not what was accepted;
//   - "ack-mismatch": acknowledgements that name another message, several times;
//   - "nak-storm": many refusals in short time;
//   - "role": an application sends a kind of message that it never sent, when it is learned;
//   - "moved": an application sends from another device than it was learned at;
//   - "unsolicited-order": an order from what is neither the hospital's system nor an
//     interface engine and never ordered before, or from what carries orders out, under
//     whichever name;
//   - "device-elsewhere": results name a device that stands in another theatre than the
//     patient.
type hl7State struct {
	core[sender]
	learn      int64
	naks, acks int
	window     int64
	gap        int64

	world   *scene.World // of the index below
	serials map[string]string
}

const (
	maxControls = 512
	maxKinds    = 64
)

type sender struct {
	since    int64
	n        uint64
	device   string // that it was learned at
	home     uint64 // messages from there
	controls []control
	head     int
	kinds    []string // message types
	naks     []int64
	odd      []int64
	again    [7]again
	counts   [7]uint64
}

type control struct {
	hash     uint64
	at       int64
	accepted bool
}

const (
	hl7Replay = iota
	hl7Mismatch
	hl7Storm
	hl7Role
	hl7Moved
	hl7Order
	hl7Elsewhere
)

var hl7Kinds = [...]string{"replay", "ack-mismatch", "nak-storm", "role", "moved", "unsolicited-order", "device-elsewhere"}

func hl7Detector() Detector {
	d := Detector{
		About:  "A sender of HL7 messages replays, changes its role, or is not understood; orders and results come from where they should not.",
		On:     []rule.On{{Class: []string{"hl7_message"}}},
		Values: []string{"kind", "application", "message", "control", "count", "device"},
		Settings: []Setting{
			duration("learn", 7*24*time.Hour, 0, 31*24*time.Hour, "How long a sender is learned."),
			number("naks", 10, 2, 64, "Refusals within the window."),
			number("mismatches", 3, 1, 64, "Acknowledgements of another message within the window."),
			duration("window", 5*time.Minute, time.Second, time.Hour, "The window."),
			duration("replay_after", 2*time.Second, 0, time.Hour, "A copy that comes sooner is the network's, not a replay."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &hl7State{learn: s.duration("learn"), naks: int(s.number("naks")), acks: int(s.number("mismatches")), window: s.duration("window"), gap: s.duration("replay_after")}
		m.core = newCore(deps, keyed.Config[sender]{Kind: "hl7state1", Fixed: 400, Encode: encodeSender, Decode: decodeSender, Extra: (*sender).size,
			Reset: func(v *sender) { *v = sender{controls: v.controls[:0]} }})
		return m, s.err
	}
	return d
}

func (v *sender) size() int {
	return 24*cap(v.controls) + 24*cap(v.kinds) + 8*cap(v.naks) + 8*cap(v.odd) + len(v.device)
}

func hash64(s string) uint64 { // FNV-1a: the IDs are a sender's own, who gains nothing from two that collide
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// Feed implements match.Matcher.
func (m *hl7State) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	d, ok := s.Event.Detail.(*event.HL7Message)
	if !ok || d.SendingApp == "" || s.Event.Activity == 3 {
		return
	}
	app := d.SendingApp + "|" + d.SendingFacility
	b := append(append(m.buf[:0], "hl7\x1f"...), app...)
	b = append(b, '\x1f') // an interface engine that passes messages on sends for many: each way is a sender of its own
	b = append(append(b, d.ReceivingApp...), '|')
	b = append(b, d.ReceivingFacility...)
	m.buf = b
	e, fresh := m.t.At(b)
	if e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	kind := d.Type
	if d.Trigger != "" {
		kind += "^" + d.Trigger
	}
	src := party(&s.Src)
	if fresh {
		v.since, v.device = t, src
	}
	v.n++
	learned := m.ready(v.since, t, m.learn) && v.n > 1
	say := func(what int, values map[string]string, expected string) {
		if v.counts[what] == 0 && what == hl7Storm {
			v.counts[what] = uint64(m.naks) - 1 // those before
		} else if v.counts[what] == 0 && what == hl7Mismatch {
			v.counts[what] = uint64(m.acks) - 1
		}
		v.counts[what]++
		ok, more, news := v.again[what].due(v.counts[what], t, int64(time.Hour))
		if !ok {
			return
		}
		name := d.SendingApp
		if d.SendingFacility != "" {
			name += " (" + d.SendingFacility + ")"
		}
		values["kind"], values["application"], values["message"], values["control"] = hl7Kinds[what], name, kind, d.ControlID
		values["count"] = strconv.FormatUint(v.counts[what], 10)
		m.say(hit, match.Hit{Time: t, Key: e.Key, More: more, Count: news, Values: values, Expected: expected})
	}
	m.replay(v, d, t, say)
	accepted := d.AckCode == "AA" || d.AckCode == "CA"
	if d.AckCode != "" && !accepted {
		if v.naks = window(v.naks, t, m.window, m.naks); len(v.naks) >= m.naks {
			say(hl7Storm, map[string]string{}, "messages that are accepted")
		}
	}
	if d.AckCode != "" && d.AckControlID != "" && !d.AckMatches {
		if v.odd = window(v.odd, t, m.window, m.acks); len(v.odd) >= m.acks {
			say(hl7Mismatch, map[string]string{}, "the acknowledgement names the message")
		}
	}
	known := slices.Contains(v.kinds, kind)
	switch {
	case known:
	case !learned || len(v.kinds) >= maxKinds:
		v.add(kind)
	default:
		if isOrder(d.Type) && !slices.ContainsFunc(v.kinds, func(k string) bool { return isOrder(k[:min(3, len(k))]) }) && !orders(s) {
			say(hl7Order, map[string]string{"device": src}, strings.Join(v.kinds[:min(len(v.kinds), 4)], ", "))
		} else {
			say(hl7Role, map[string]string{"device": src}, strings.Join(v.kinds[:min(len(v.kinds), 4)], ", "))
		}
	}
	// Also under the name of an application that is at home elsewhere.
	if isOrder(d.Type) && s.Src.Device != nil && neverOrders(s) && (fresh && !known || src != v.device) {
		say(hl7Order, map[string]string{"device": src}, "orders come from the hospital's systems")
	}
	switch {
	case src == v.device:
		v.home++
	case !learned:
		if v.home < 8 { // it is learned where it settles
			v.device, v.home = src, 1
		}
	case v.home >= 8 || m.deps.Trained != nil:
		say(hl7Moved, map[string]string{"device": src}, "it sends from "+v.device)
	}
	m.elsewhere(s, d, say)
	m.t.Resize(e, v.size())
}

func (v *sender) add(kind string) {
	if len(v.kinds) < maxKinds {
		v.kinds = append(v.kinds, kind)
	}
}

// window adds a time to the latest ones and drops what is over.
func window(times []int64, t, length int64, keep int) []int64 {
	times = slices.DeleteFunc(times, func(x int64) bool { return x < t-length })
	if len(times) >= keep {
		times = slices.Delete(times, 0, len(times)-keep+1)
	}
	return append(times, t)
}

func (m *hl7State) replay(v *sender, d *event.HL7Message, t int64, say func(int, map[string]string, string)) {
	if d.ControlID == "" {
		return
	}
	h := hash64(d.ControlID + "\x00" + d.Type + "\x00" + d.Trigger + "\x00" + d.PatientRef)
	accepted := d.AckCode == "AA" || d.AckCode == "CA"
	for i := range v.controls {
		c := &v.controls[i]
		if c.hash != h {
			continue
		}
		if c.accepted && t-c.at > m.gap {
			say(hl7Replay, map[string]string{}, "a new control ID for each message; this one was accepted "+span(t-c.at)+" before")
		}
		c.at, c.accepted = max(c.at, t), c.accepted || accepted
		return
	}
	c := control{h, t, accepted}
	if len(v.controls) < maxControls {
		v.controls = append(v.controls, c)
		return
	}
	v.controls[v.head] = c
	v.head = (v.head + 1) % maxControls
}

func isOrder(t string) bool {
	switch t {
	case "ORM", "OMG", "OML", "OMP", "OMS", "OMI", "OMD", "OMN", "RDE", "RDO", "RAS":
		return true
	}
	return false
}

// orders reports senders whose work orders are.
func orders(s *scene.Scene) bool {
	if s.Src.Device == nil {
		return false
	}
	switch s.Src.Device.Class {
	case "ehr", "interface-engine", "server":
		return true
	}
	return false
}

// neverOrders reports devices that carry orders out and give none.
func neverOrders(s *scene.Scene) bool {
	switch s.Src.Device.Class {
	case "infusion-pump", "patient-monitor", "ventilator", "anaesthesia", "lab-analyser", "camera", "printer", "rtls", "phone", "mobile", "xr-headset", "surgical-table", "surgical-robot", "scanner":
		return true
	}
	return false
}

// elsewhere looks whether a device that results name stands where the patient is.
func (m *hl7State) elsewhere(s *scene.Scene, d *event.HL7Message, say func(int, map[string]string, string)) {
	if d.Location == "" || len(d.Devices) == 0 || s.World == nil || d.Type != "ORU" {
		return
	}
	at := ""
	place := plain(d.Location)
	for _, t := range s.World.Theatres() {
		if id := plain(t.ID); id != "" && strings.HasSuffix(place, id) {
			at = t.ID
		}
	}
	if at == "" {
		return
	}
	if m.world != s.World {
		m.index(s.World)
	}
	for _, x := range d.Devices {
		for _, name := range [...]string{x.UDI, x.Serial, x.EUI64, x.DeviceID} {
			id := m.serials[name]
			if name == "" || id == "" {
				continue
			}
			if dev := s.World.Device(id); dev != nil && dev.Theatre != "" && dev.Theatre != at {
				say(hl7Elsewhere, map[string]string{"device": cmp.Or(dev.Name, dev.ID)}, "devices of "+at+"; this one stands in "+dev.Theatre)
			}
			break
		}
	}
}

// index finds devices by what messages name them with; made again when the world changes.
func (m *hl7State) index(w *scene.World) {
	m.world, m.serials = w, map[string]string{}
	for _, dev := range w.Devices() {
		if dev.Theatre == "" {
			continue
		}
		for _, name := range [...]string{dev.UDI, dev.Serial, dev.Facts["eui64"].Value, dev.Facts["device_id"].Value} {
			if name != "" {
				m.serials[name] = dev.ID
			}
		}
	}
}

// plain is a name of a place without what writing differs in: letters and digits.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

func encodeSender(w *keyed.Writer, v *sender) {
	w.Int(v.since)
	w.Uint(v.n)
	w.Str(v.device)
	w.Uint(v.home)
	w.Uint(uint64(len(v.controls)))
	for i := range v.controls {
		c := &v.controls[(v.head+i)%len(v.controls)]
		w.Uint(c.hash)
		w.Int(c.at)
		w.Bool(c.accepted)
	}
	w.Uint(uint64(len(v.kinds)))
	for _, k := range v.kinds {
		w.Str(k)
	}
	w.Times(v.naks)
	w.Times(v.odd)
	for i := range v.again {
		v.again[i].encode(w)
		w.Uint(v.counts[i])
	}
}

func decodeSender(r *keyed.Reader, v *sender) {
	v.since, v.n, v.device, v.home = r.Time(), r.Uint(), r.Str(), r.Uint()
	for n := r.Len(maxControls); n > 0; n-- {
		v.controls = append(v.controls, control{r.Uint(), r.Time(), r.Bool()})
	}
	for n := r.Len(maxKinds); n > 0; n-- {
		v.kinds = append(v.kinds, r.Str())
	}
	v.naks, v.odd = r.Times(nil, 64), r.Times(nil, 64)
	for i := range v.again {
		v.again[i].decode(r)
		v.counts[i] = r.Uint()
	}
}
