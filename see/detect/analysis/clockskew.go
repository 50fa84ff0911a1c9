// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// clockSkew finds a time server whose time is off, twice in a row, by the clock of the
// sensor. A network delay of seconds looks the same; so does a sensor whose own clock is
// off: then all servers are.
type clockSkew struct {
	core[skew]
	off int64
}

type skew struct {
	inRow uint64
	sign  bool
	again again
}

func clockDetector() Detector {
	d := Detector{
		About:  "A time server gives a time that is off.",
		On:     []rule.On{{Class: []string{"ntp_activity"}}},
		Values: []string{"kind", "offset", "server", "reference"},
		Settings: []Setting{
			duration("off", 5*time.Second, 100*time.Millisecond, 24*time.Hour, "How far off is too far."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &clockSkew{off: s.duration("off") / int64(time.Millisecond)}
		m.core = newCore(deps, keyed.Config[skew]{Kind: "clockskew1", Fixed: 40,
			Encode: func(w *keyed.Writer, v *skew) { w.Uint(v.inRow); w.Bool(v.sign); v.again.encode(w) },
			Decode: func(r *keyed.Reader, v *skew) { v.inRow, v.sign = r.Uint(), r.Bool(); v.again.decode(r) }})
		return m, s.err
	}
	return d
}

// Feed implements match.Matcher.
func (m *clockSkew) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	d, ok := s.Event.Detail.(*event.NTP)
	if !ok || s.Event.Status != event.StatusSuccess || s.Event.Activity != 4 && s.Event.Activity != 5 {
		return
	}
	server := &s.Dst
	if s.Event.Activity == 5 { // broadcast
		server = &s.Src
	}
	b := appendParty(append(m.buf[:0], "ntp\x1f"...), server)
	m.buf = b
	e, _ := m.t.At(b)
	if e == nil {
		return
	}
	v := &e.Val
	late := d.OffsetMS < 0
	if max(d.OffsetMS, -d.OffsetMS) < m.off {
		v.inRow = 0
		return
	}
	if late != v.sign {
		v.inRow = 0
	}
	v.sign = late
	if v.inRow++; v.inRow < 2 {
		return
	}
	if say, more, news := v.again.due(v.inRow, s.Event.Time, day); say {
		kind := "ahead"
		if late {
			kind = "behind"
		}
		m.say(hit, match.Hit{Time: s.Event.Time, Key: e.Key, More: more, Count: news, Expected: "within " + span(m.off*int64(time.Millisecond)) + " of the sensor's clock",
			Values: map[string]string{"kind": kind, "offset": strconv.FormatFloat(float64(d.OffsetMS)/1000, 'f', 1, 64) + " s", "server": party(server), "reference": d.ReferenceID}})
	}
}
