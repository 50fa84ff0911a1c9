// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// authority finds who says how a network is to be used and is not known to: a DHCP server
// that gives leases, a router that announces itself (IPv6). Those that did so while a
// network was learned, failover pairs among them, are known; what they tell, routers and
// name servers, is known with them.
//
//   - "new": one that is not known tells what the known ones tell, too;
//   - "rogue": it tells of other routers or name servers, or it is the second that answers
//     where there was one;
//   - "changed": a known one tells of other routers or name servers.
type authority struct {
	core[rulers]
	kind  string
	learn int64
	least uint64
	tells func(s *scene.Scene) (who, what string, ok bool)
}

const maxRulers = 16

type rulers struct {
	since int64
	n     uint64
	list  []ruler
}

type ruler struct {
	who, what string
	known     bool
	first     int64
	last      int64
	n         uint64
	again     again
}

func authoritySettings(least float64) []Setting {
	return []Setting{
		duration("learn", 24*time.Hour, 0, 31*24*time.Hour, "How long a network is learned from its first message on."),
		number("messages", least, 1, 1000, "And at least so many messages."),
	}
}

func dhcpDetector() Detector {
	d := Detector{
		About:    "A DHCP server gives leases that is not known to, or tells of other routers or name servers.",
		On:       []rule.On{{Class: []string{"dhcp_activity"}, Activity: []string{"Offer", "Ack"}}},
		Values:   []string{"kind", "server", "tells", "known", "vlan"},
		Settings: authoritySettings(3),
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		return newAuthority("dhcp", d.Settings, given, deps, func(s *scene.Scene) (string, string, bool) {
			x, ok := s.Event.Detail.(*event.DHCP)
			if !ok || x.ServerID == "" {
				return "", "", false
			}
			return x.ServerID, told("routers", x.Routers) + told("name servers", x.DNSServers), true
		})
	}
	return d
}

func raDetector() Detector {
	d := Detector{
		About:    "A router announces itself (IPv6) that is not known to, or announces other networks or name servers.",
		On:       []rule.On{{Class: []string{event.ClassApplication.Name()}, Protocol: []string{"icmp6", "icmp"}}},
		Values:   []string{"kind", "server", "tells", "known", "vlan"},
		Settings: authoritySettings(3),
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		return newAuthority("ra", d.Settings, given, deps, func(s *scene.Scene) (string, string, bool) {
			x, ok := s.Event.Detail.(*event.Application)
			if !ok || x.Operation != "router-advertisement" {
				return "", "", false
			}
			who := s.Src.IP.String()
			if !s.Src.MAC.IsZero() {
				who = s.Src.MAC.String()
			}
			return who, told("networks", strings.Split(attr(x, "prefixes"), ",")) + told("name servers", strings.Split(attr(x, "dns_servers"), ",")), true
		})
	}
	return d
}

// told writes a list in an order that does not depend on the sender's.
func told(name string, list []string) string {
	list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
	if len(list) == 0 {
		return ""
	}
	slices.Sort(list)
	return name + " " + strings.Join(list[:min(len(list), 8)], ", ") + "; "
}

func newAuthority(kind string, known []Setting, given map[string]any, deps match.Deps, tells func(s *scene.Scene) (string, string, bool)) (match.Matcher, error) {
	s := read(known, given)
	m := &authority{kind: kind, learn: s.duration("learn"), least: uint64(s.number("messages")), tells: tells}
	m.core = newCore(deps, keyed.Config[rulers]{Kind: kind + "1", Fixed: 60,
		Encode: func(w *keyed.Writer, v *rulers) {
			w.Int(v.since)
			w.Uint(v.n)
			w.Uint(uint64(len(v.list)))
			for i := range v.list {
				x := &v.list[i]
				w.Str(x.who)
				w.Str(x.what)
				w.Bool(x.known)
				w.Int(x.first)
				w.Int(x.last)
				w.Uint(x.n)
				x.again.encode(w)
			}
		},
		Decode: func(r *keyed.Reader, v *rulers) {
			v.since, v.n = r.Time(), r.Uint()
			for n := r.Len(maxRulers); n > 0; n-- {
				x := ruler{who: r.Str(), what: r.Str(), known: r.Bool(), first: r.Time(), last: r.Time(), n: r.Uint()}
				x.again.decode(r)
				v.list = append(v.list, x)
			}
		},
		Extra: func(v *rulers) int { return 200 * cap(v.list) },
	})
	return m, s.err
}

// Feed implements match.Matcher.
func (m *authority) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	who, what, ok := m.tells(s)
	if !ok {
		return
	}
	vlan := strconv.Itoa(int(vlanOf(s.Event)))
	key := append(append(m.buf[:0], m.kind...), '\x1f')
	key = append(key, vlan...)
	if site := s.Site(); site != "" { // its networks have numbers of their own
		key = append(append(key, '\x1f', '@'), site...)
	}
	if x, ok := s.Event.Detail.(*event.DHCP); ok && x.Relay != "" && x.Relay != "0.0.0.0" {
		key = append(append(key, '\x1f'), x.Relay...)
	}
	m.buf = key
	e, fresh := m.t.At(key)
	if e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	if fresh {
		v.since = t
	}
	ready := m.ready(v.since, t, m.learn) && v.n >= m.least || m.deps.Trained != nil && m.deps.Trained(t) && v.n > 0
	v.n++
	doubtful := m.deps.Learner != nil && (s.Src.ID != "" && m.deps.Learner.Open(s.Src.ID) || s.Dst.ID != "" && m.deps.Learner.Open(s.Dst.ID))
	i := slices.IndexFunc(v.list, func(x ruler) bool { return x.who == who && x.what == what })
	if i < 0 {
		if len(v.list) >= maxRulers {
			i = slices.IndexFunc(v.list, func(x ruler) bool { return !x.known })
			v.list = slices.Delete(v.list, max(i, 0), max(i, 0)+1)
		}
		v.list = append(v.list, ruler{who: who, what: what, known: !ready && !doubtful, first: t})
		i = len(v.list) - 1
		m.t.Resize(e, 200*cap(v.list))
	}
	x := &v.list[i]
	x.n++
	x.last = t
	if x.known || !ready {
		return
	}
	kind, known := "new", []string(nil)
	sameWhat, sameWho := false, false
	for k := range v.list {
		if o := &v.list[k]; o.known {
			known = append(known, o.who)
			sameWhat, sameWho = sameWhat || o.what == what, sameWho || o.who == who
		}
	}
	switch {
	case sameWho:
		kind = "changed"
	case !sameWhat && len(known) > 0:
		kind = "rogue"
	}
	if say, more, news := x.again.due(x.n, t, day); say {
		m.say(hit, match.Hit{Time: t, Key: e.Key, More: more, Count: news, Expected: "only " + strings.Join(known, ", ") + " since " + time.Unix(0, v.since).UTC().Format(time.DateOnly),
			Values: map[string]string{"kind": kind, "server": who, "tells": strings.TrimSuffix(what, "; "), "known": strings.Join(known, ", "), "vlan": vlan}})
	}
}
