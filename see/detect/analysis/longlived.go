// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"slices"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// longLived finds connections to the outside that stay open for hours. One in
// which little is sent to and fro, packet by packet, is interactive: somebody may sit at its
// other end.
type longLived struct {
	core[again]
	open    int64
	exclude []string
}

func longLivedDetector() Detector {
	d := Detector{
		About:  "A connection to the outside stays open for hours.",
		On:     []rule.On{{Class: []string{"network_activity"}, Activity: []string{"Close", "Reset", "Traffic"}}},
		Values: []string{"kind", "duration", "bytes", "target", "port", "app"},
		Settings: []Setting{
			duration("open", 4*time.Hour, time.Minute, 7*24*time.Hour, "How long a connection may stay open."),
			texts("exclude", []string{"ntp", "quic"}, "Protocols that are not judged."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &longLived{open: s.duration("open"), exclude: s.texts("exclude")}
		m.core = newCore(deps, keyed.Config[again]{Kind: "longlived1", Fixed: 16,
			Encode: func(w *keyed.Writer, v *again) { v.encode(w) }, Decode: func(r *keyed.Reader, v *again) { v.decode(r) }})
		return m, s.err
	}
	return d
}

// Feed implements match.Matcher.
func (m *longLived) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	c, ok := s.Event.Detail.(*event.Connection)
	if !ok || s.Event.Flow == nil || c.End-c.Start < m.open || !s.Src.Internal || !outside(&s.Dst) || c.PayloadOut == 0 || c.PayloadIn == 0 || slices.Contains(m.exclude, c.App) {
		return
	}
	e, _ := m.t.At(m.pair("long", s, s.Event.Flow.Dst.Port))
	if e == nil {
		return
	}
	say, more, _ := e.Val.due(uint64((c.End-c.Start)/int64(time.Second)), s.Event.Time, day)
	if !say {
		return
	}
	kind := "quiet"
	perPacketOut, perPacketIn := c.PayloadOut/max(c.PacketsOut, 1), c.PayloadIn/max(c.PacketsIn, 1)
	if packets := c.PacketsOut + c.PacketsIn; packets > 200 && perPacketOut < 300 && perPacketIn < 600 && c.PacketsOut*5 > c.PacketsIn && c.PacketsIn*5 > c.PacketsOut {
		kind = "interactive"
	} else if (c.PayloadOut+c.PayloadIn)/uint64((c.End-c.Start)/int64(time.Second)+1) > 10_000 {
		kind = "busy"
	}
	m.say(hit, match.Hit{Time: s.Event.Time, Key: e.Key, More: more, Expected: "connections to the outside that end within " + span(m.open),
		Values: map[string]string{"kind": kind, "duration": span(c.End - c.Start), "bytes": amount(float64(c.PayloadOut + c.PayloadIn)), "target": party(&s.Dst),
			"port": strconv.Itoa(int(s.Event.Flow.Dst.Port)), "app": c.App}})
}
