// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// portMove finds a device that is at another switch port, VLAN or zone than before.
// It goes by the interface (MAC): switch ports from RADIUS and DHCP (option 82), VLANs from
// its frames and from RADIUS, zones from the policy. Devices that are carried about, routers and
// what is in several VLANs at once are not judged.
type portMove struct {
	core[places]
	settled int64
	gone    int64
}

type places struct {
	place [3]place
	again again
	moves uint64
}

// place is where an interface is, by one measure.
type place struct {
	at     string
	since  int64
	last   int64
	before string // the one before
	left   int64  // when it was there last
	many   bool   // it is in several at once
}

var measures = [3]string{"port", "vlan", "zone"}

func moveDetector() Detector {
	d := Detector{
		About:  "A device is at another switch port, VLAN or zone than before.",
		On:     []rule.On{{Class: []string{event.ClassDeviceEvidence.Name()}}},
		Values: []string{"kind", "from", "to", "mac", "since"},
		Settings: []Setting{
			duration("settled", 24*time.Hour, time.Minute, 31*24*time.Hour, "How long it was at the old place to count as settled there."),
			duration("together", 30*time.Minute, time.Second, 24*time.Hour, "When it is seen at both places within this time, it is at several at once, and not judged."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &portMove{settled: s.duration("settled"), gone: s.duration("together")}
		m.core = newCore(deps, keyed.Config[places]{Kind: "portmove1", Fixed: 260,
			Encode: func(w *keyed.Writer, v *places) {
				for i := range v.place {
					p := &v.place[i]
					w.Str(p.at)
					w.Int(p.since)
					w.Int(p.last)
					w.Str(p.before)
					w.Int(p.left)
					w.Bool(p.many)
				}
				w.Uint(v.moves)
				v.again.encode(w)
			},
			Decode: func(r *keyed.Reader, v *places) {
				for i := range v.place {
					v.place[i] = place{at: r.Str(), since: r.Time(), last: r.Time(), before: r.Str(), left: r.Time(), many: r.Bool()}
				}
				v.moves = r.Uint()
				v.again.decode(r)
			}})
		return m, s.err
	}
	return d
}

// carried are classes whose devices move by their nature.
func carried(c device.Class) bool {
	switch c {
	case device.ClassMobile, device.ClassPhone, device.ClassXRHeadset, device.ClassRTLS, device.ClassNetwork, device.ClassScanner:
		return true
	}
	return false
}

// Feed implements match.Matcher.
func (m *portMove) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	d, ok := s.Event.Detail.(*event.DeviceEvidence)
	if !ok || d.Evidence.Subject.MAC.IsZero() || d.Evidence.Subject.Hops > 0 || s.Src.Device != nil && (carried(s.Src.Device.Class) || s.Src.Device.Randomised) {
		return
	}
	ev := &d.Evidence
	mac := ev.Subject.MAC
	if mac[0]&2 != 0 || virtualMAC(mac) { // locally administered: a phone's, a container's
		return
	}
	switch ev.Attribute {
	case device.AttrSwitchPort:
		m.seen(s, mac, 0, ev.Value, hit)
	case device.AttrVLAN:
		m.seen(s, mac, 1, ev.Value, hit)
	case device.AttrIP, device.AttrMAC, device.AttrHostname:
		if ev.Subject.VLAN != 0 {
			m.seen(s, mac, 1, strconv.Itoa(int(ev.Subject.VLAN)), hit)
		}
	}
	if dev := s.Src.Device; dev != nil && dev.Zone != "" {
		m.seen(s, mac, 2, dev.Zone, hit)
	}
}

func (m *portMove) seen(s *scene.Scene, mac device.MAC, measure int, at string, hit func(match.Hit)) {
	b := append(m.buf[:0], "at\x1f"...)
	b = append(b, mac.String()...)
	m.buf = b
	e, _ := m.t.At(b)
	if e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	p := &v.place[measure]
	switch {
	case p.at == "":
		*p = place{at: at, since: t, last: t}
		return
	case p.at == at:
		p.last = max(p.last, t)
		return
	case p.many:
		return
	case p.before == at && t-p.left < m.gone+m.settled && p.since-p.left < m.gone && measure != 0:
		p.many = true // to and fro: it is in both
		return
	}
	old := *p
	*p = place{at: at, since: t, last: t, before: old.at, left: old.last}
	if old.last-old.since < m.settled && (m.deps.Trained == nil || !m.deps.Trained(t)) {
		return
	}
	v.moves++
	say, more, news := v.again.due(v.moves, t, int64(time.Hour))
	if !say {
		return
	}
	m.say(hit, match.Hit{Time: t, Key: e.Key, More: more, Count: news, Expected: measures[measure] + " " + old.at + ", where it was since " + time.Unix(0, old.since).UTC().Format(time.DateOnly),
		Values: map[string]string{"kind": measures[measure], "from": old.at, "to": at, "mac": mac.String(), "since": time.Unix(0, old.since).UTC().Format(time.DateOnly)}})
}
