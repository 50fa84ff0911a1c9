// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"slices"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// A finished connection of a healthy network, to each detector that wants it.
func BenchmarkConnection(b *testing.B) {
	for name, d := range All() {
		step := slices.IndexFunc(d.On, func(o rule.On) bool {
			return slices.Contains(o.Class, event.ClassNetwork.Name()) && len(o.Protocol) == 0
		})
		if step < 0 {
			continue
		}
		b.Run(name, func(b *testing.B) {
			m, err := d.New(nil, match.Deps{})
			if err != nil {
				b.Fatal(err)
			}
			e := tcp("SF", time.Second, 0, 5000, 300)
			e.Flow = &event.Flow{ID: 1, Proto: 6, Dst: event.Endpoint{Port: 443}}
			s := scene.Scene{Event: &e, Src: scene.Party{ID: "ct", IP: ip("ct"), Internal: true}, Dst: scene.Party{IP: ip("203.0.113.9")}}
			c := e.Detail.(*event.Connection)
			hit := func(match.Hit) {}
			b.ReportAllocs()
			for b.Loop() {
				e.Time += int64(time.Second)
				c.Start, c.End = e.Time, e.Time
				e.Flow.ID++
				m.Feed(&s, step, hit)
			}
		})
	}
}
