// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// arp finds an address that two interfaces claim: by mistake (a duplicate), or because
// one of them wants the other's traffic (a spoof), in IPv4 (ARP) and IPv6
// (neighbour discovery).
//
// An address may move: to another device by DHCP, whose acknowledgement says so; to the
// standby of a pair, whose virtual MACs are known (VRRP, HSRP, GLBP); to a second
// interface of the same device. Then the old holder falls silent. What is found:
//
//   - "spoof": an interface that never asked, announced or was assigned the address answers
//     for it, while its holder was there a moment ago;
//   - "duplicate": the former holder claims it again after the new one did;
//   - "forged": a frame whose sender is not the one that the ARP packet in it names.
type arp struct {
	core[holding]
	active int64
}

const maxClaims = 8

type holding struct {
	claims []claim
	owner  device.MAC // by DHCP
	again  again
	events uint64
}

type claim struct {
	mac      device.MAC
	id       string
	first    int64
	last     int64
	asserted bool // by an answer only: it never asked as, or announced, the address
}

func arpDetector() Detector {
	d := Detector{
		About: "An address is claimed by two interfaces: a duplicate, or a spoof.",
		On: []rule.On{
			{Class: []string{event.ClassDeviceEvidence.Name()}},
			{Class: []string{event.ClassApplication.Name()}, Protocol: []string{"arp"}},
			{Class: []string{"dhcp_activity"}, Activity: []string{"Ack"}},
		},
		Values: []string{"kind", "address", "mac", "other", "vlan"},
		Settings: []Setting{
			duration("active", 25*time.Minute, time.Minute, 24*time.Hour, "How long after its last claim a holder counts as there. Claims that repeat are reported every ten minutes."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &arp{active: s.duration("active")}
		m.core = newCore(deps, keyed.Config[holding]{Kind: "arp1", Fixed: 80, Encode: encodeHolding, Decode: decodeHolding,
			Extra: func(v *holding) int { return 64 * cap(v.claims) }, Reset: func(v *holding) { clear(v.claims); *v = holding{claims: v.claims[:0]} }})
		return m, s.err
	}
	return d
}

// virtualMAC reports the MACs that a group of routers shares: VRRP (RFC 9568 §7.3), HSRP 1 and 2, GLBP, CARP.
func virtualMAC(m device.MAC) bool {
	switch {
	case m[0] == 0 && m[1] == 0 && m[2] == 0x5e && m[3] == 0 && (m[4] == 1 || m[4] == 2):
		return true
	case m[0] == 0 && m[1] == 0 && m[2] == 0x0c && (m[3] == 7 && m[4] == 0xac || m[3] == 0x9f && m[4]&0xf0 == 0xf0):
		return true
	case m[0] == 0 && m[1] == 7 && m[2] == 0xb4:
		return true
	}
	return false
}

// address is the place of an address in a network: at a hub, the networks of each site
// are its own.
func (m *arp) address(s *scene.Scene, vlan uint16, ip string) []byte {
	b := append(m.buf[:0], "arp\x1f"...)
	if site, _, other := strings.Cut(s.Sensor, "/"); other {
		b = append(append(b, site...), '\x1f')
	}
	b = strconv.AppendUint(b, uint64(vlan), 10)
	b = append(append(b, '\x1f'), ip...)
	m.buf = b
	return b
}

// Feed implements match.Matcher.
func (m *arp) Feed(s *scene.Scene, step int, hit func(match.Hit)) {
	switch d := s.Event.Detail.(type) {
	case *event.DeviceEvidence:
		m.evidence(s, &d.Evidence, hit)
	case *event.Application:
		m.frame(s, d, hit)
	case *event.DHCP:
		mac, err := device.ParseMAC(d.ClientMAC)
		if err != nil || d.ClientIP == "" || d.ClientIP == "0.0.0.0" {
			return
		}
		if e, _ := m.t.At(m.address(s, vlanOf(s.Event), d.ClientIP)); e != nil {
			e.Val.owner = mac
			e.Val.claims = slices.DeleteFunc(e.Val.claims, func(c claim) bool { return c.mac != mac })
		}
	}
}

func vlanOf(e *event.Event) uint16 {
	if e.Flow != nil && len(e.Flow.VLANs) > 0 {
		return e.Flow.VLANs[len(e.Flow.VLANs)-1]
	}
	return 0
}

func (m *arp) frame(s *scene.Scene, d *event.Application, hit func(match.Hit)) {
	frame, sender := attr(d, "frame_source_mac"), attr(d, "sender_mac")
	if frame == "" {
		return
	}
	from, err1 := device.ParseMAC(frame)
	named, err2 := device.ParseMAC(sender)
	if err1 != nil || err2 != nil || virtualMAC(named) || virtualMAC(from) {
		return
	}
	ip := attr(d, "sender_ip")
	e, _ := m.t.At(append(m.address(s, vlanOf(s.Event), ip), "\x1fforged"...))
	if e == nil {
		return
	}
	e.Val.events++
	if say, more, news := e.Val.again.due(e.Val.events, s.Event.Time, int64(time.Hour)); say {
		m.say(hit, match.Hit{Time: s.Event.Time, Key: e.Key, More: more, Count: news, Expected: "the frame's sender and the packet's are the same",
			Values: map[string]string{"kind": "forged", "address": ip, "mac": frame, "other": sender, "vlan": strconv.Itoa(int(vlanOf(s.Event)))}})
	}
}

func attr(d *event.Application, name string) string {
	for i := range d.Attributes {
		if d.Attributes[i].Name == name {
			return d.Attributes[i].Value
		}
	}
	return ""
}

func (m *arp) evidence(s *scene.Scene, ev *device.Evidence, hit func(match.Hit)) {
	if ev.Attribute != device.AttrIP || ev.Subject.MAC.IsZero() || ev.Subject.Hops > 0 || virtualMAC(ev.Subject.MAC) {
		return
	}
	asserted := false
	switch ev.Source {
	case "arp.reply", "arp.gratuitous-reply", "icmp6.neighbor-advertisement":
		asserted = true
	case "arp.request", "arp.announcement", "arp.probe", "icmp6.solicitation":
	default:
		return
	}
	e, _ := m.t.At(m.address(s, ev.Subject.VLAN, ev.Value))
	if e == nil {
		return
	}
	v, mac := &e.Val, ev.Subject.MAC
	i := slices.IndexFunc(v.claims, func(c claim) bool { return c.mac == mac })
	isNew := i < 0
	if isNew {
		if len(v.claims) >= maxClaims {
			v.claims = slices.Delete(v.claims, 0, 1)
		}
		v.claims = append(v.claims, claim{mac: mac, id: s.Src.ID, first: ev.First, asserted: asserted})
		i = len(v.claims) - 1
		m.t.Resize(e, 64*cap(v.claims))
	}
	c := &v.claims[i]
	before := c.last
	c.last = max(c.last, ev.Last)
	c.asserted = c.asserted && asserted
	if c.id == "" {
		c.id = s.Src.ID
	}
	for k := range v.claims {
		o := &v.claims[k]
		if k == i || c.id != "" && c.id == o.id || ev.Last-o.last > m.active {
			continue
		}
		switch {
		case isNew && asserted && v.owner != mac && (!o.asserted || o.last-o.first > int64(time.Minute)):
			m.found(e, s, "spoof", c, o, hit)
		case !isNew && o.first > before && before > 0 && c.last > o.first:
			// It had it, the other came, it is there again.
			switch {
			case o.asserted && v.owner != o.mac:
				m.found(e, s, "spoof", o, c, hit)
			case c.asserted && v.owner != c.mac:
				m.found(e, s, "spoof", c, o, hit)
			default:
				m.found(e, s, "duplicate", o, c, hit)
			}
		case !isNew && o.last > before && o.last > c.first && o.first < c.first:
			// The older holder was there after this one came.
			kind := "duplicate"
			if c.asserted && v.owner != c.mac {
				kind = "spoof"
			}
			m.found(e, s, kind, c, o, hit)
		default:
			continue
		}
		return
	}
}

// found says that one claims what another holds.
func (m *arp) found(e *keyed.Entry[holding], s *scene.Scene, kind string, by, holder *claim, hit func(match.Hit)) {
	v := &e.Val
	v.events++
	say, more, news := v.again.due(v.events, s.Event.Time, int64(time.Hour))
	if !say {
		return
	}
	parts := match.Parts(e.Key)
	h := match.Hit{Time: s.Event.Time, Key: e.Key, More: more, Count: news, Expected: parts[2] + " is held by " + holder.mac.String() + " since " + time.Unix(0, holder.first).UTC().Format(time.DateTime),
		Values: map[string]string{"kind": kind, "address": parts[2], "mac": by.mac.String(), "other": holder.mac.String(), "vlan": parts[1]}}
	for _, id := range [...]string{by.id, holder.id} {
		if id != "" {
			h.Devices = append(h.Devices, id)
		}
	}
	m.say(hit, h)
}

func encodeHolding(w *keyed.Writer, v *holding) {
	w.Uint(uint64(len(v.claims)))
	for i := range v.claims {
		c := &v.claims[i]
		w.Raw(c.mac[:])
		w.Str(c.id)
		w.Int(c.first)
		w.Int(c.last)
		w.Bool(c.asserted)
	}
	w.Raw(v.owner[:])
	w.Uint(v.events)
	v.again.encode(w)
}

func decodeHolding(r *keyed.Reader, v *holding) {
	for n := r.Len(maxClaims); n > 0; n-- {
		var c claim
		r.Raw(c.mac[:])
		c.id, c.first, c.last, c.asserted = r.Str(), r.Time(), r.Time(), r.Bool()
		v.claims = append(v.claims, c)
	}
	r.Raw(v.owner[:])
	v.events = r.Uint()
	v.again.decode(r)
}
