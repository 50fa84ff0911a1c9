// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

var start = time.Date(2026, 3, 16, 8, 0, 0, 0, time.UTC)

func at(d time.Duration) int64 { return start.Add(d).UnixNano() }

// play is a detector under test with what it found. Every event goes twice: into a detector that
// runs through, and into one that is saved and loaded into a new one at every 7th event. Both must find the same.
type play struct {
	t       *testing.T
	name    string
	set     map[string]any
	deps    match.Deps
	m       match.Matcher
	hits    []match.Hit
	other   match.Matcher
	others  []match.Hit
	devices map[string]*device.Device
	inCase  bool
	now     int64
	n       int
	flow    uint64
}

func newPlay(t *testing.T, name string, set map[string]any) *play {
	t.Helper()
	p := &play{t: t, name: name, set: set, deps: match.Deps{Secret: [16]byte{7}}, devices: map[string]*device.Device{}}
	p.m, p.other = p.make(), p.make()
	t.Cleanup(func() {
		if !reflect.DeepEqual(p.hits, p.others) {
			t.Errorf("saved and loaded on the way it finds %d hits, else %d:\n%+v\n%+v", len(p.others), len(p.hits), p.others, p.hits)
		}
	})
	return p
}

func (p *play) make() match.Matcher {
	p.t.Helper()
	m, err := All()[p.name].New(p.set, p.deps)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// learned makes baselines count as ready from a time on.
func (p *play) learned(after time.Duration) *play {
	p.deps.Trained = func(t int64) bool { return t >= at(after) }
	p.m, p.other = p.make(), p.make()
	return p
}

func (p *play) device(id string, class device.Class, theatre string) {
	p.devices[id] = &device.Device{ID: id, Class: class, Theatre: theatre}
}

// ip gives a name an address: names with a dot are addresses already.
func ip(name string) netip.Addr {
	if a, err := netip.ParseAddr(name); err == nil {
		return a
	}
	h := hash64(name)
	return netip.AddrFrom4([4]byte{10, byte(h >> 16), byte(h >> 8), byte(h)})
}

func (p *play) party(name string) scene.Party {
	if name == "" {
		return scene.Party{}
	}
	x := scene.Party{IP: ip(name), ID: name, Device: p.devices[name]}
	if _, err := netip.ParseAddr(name); err == nil {
		x.ID = ""
	}
	x.Internal = x.ID != "" || x.IP.IsPrivate()
	return x
}

// see shows an event between two ends. Time goes on with the events.
func (p *play) see(d time.Duration, src, dst string, port uint16, e event.Event) {
	p.t.Helper()
	e.Time = at(d)
	p.until(e.Time)
	p.n++
	e.UID = fmt.Sprint("u", p.n)
	if e.Flow == nil {
		p.flow++
		e.Flow = &event.Flow{ID: p.flow, Proto: 6}
	}
	s := scene.Scene{Seq: uint64(p.n), Sensor: "or-3", Event: &e, Src: p.party(src), Dst: p.party(dst), Case: theatre.Idle}
	e.Flow.Src.IP, e.Flow.Dst.IP, e.Flow.Dst.Port = s.Src.IP, s.Dst.IP, port
	s.Src.MAC, s.Dst.Port = e.Flow.Src.MAC, port
	if p.inCase {
		s.Case, s.Theatre = theatre.InCase, "OR-3"
	}
	step := slices.IndexFunc(All()[p.name].On, func(o rule.On) bool {
		return slices.Contains(o.Class, e.Class().Name()) && (len(o.Protocol) == 0 || slices.Contains(o.Protocol, e.Protocol)) && (len(o.Activity) == 0 || slices.Contains(o.Activity, e.Class().ActivityCaption(e.Activity)))
	})
	if step < 0 {
		return
	}
	p.m.Feed(&s, step, func(h match.Hit) { p.hits = append(p.hits, h) })
	p.other.Feed(&s, step, func(h match.Hit) { p.others = append(p.others, h) })
	if p.n%7 == 0 {
		next := p.make()
		for i := range match.Partitions {
			var b bytes.Buffer
			if err := p.other.Save(i, &b); err != nil {
				p.t.Fatal(err)
			}
			if err := next.Load(i, &b); err != nil {
				p.t.Fatal(err)
			}
		}
		p.other = next
	}
}

func (p *play) until(t int64) {
	if p.now == 0 {
		p.now = t
	}
	for p.now < t {
		p.now = min(t, p.now+max(int64(time.Second), (t-p.now)/64))
		p.m.Advance(p.now, func(h match.Hit) { p.hits = append(p.hits, h) })
		p.other.Advance(p.now, func(h match.Hit) { p.others = append(p.others, h) })
	}
}

// found are the kinds of the hits that are news, in their order, without repeats.
func (p *play) found() string {
	var out []string
	for _, h := range p.hits {
		if k := h.Values["kind"]; !h.More && !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return strings.Join(out, " ")
}

// expect ends the test when something else was found than the kinds named.
func (p *play) expect(kinds string) {
	p.t.Helper()
	if p.found() != kinds {
		p.t.Errorf("found %q, want %q: %+v", p.found(), kinds, p.hits)
	}
	for _, h := range p.hits {
		for _, name := range slices.Sorted(keys(h.Values)) {
			if d := All()[p.name]; !slices.Contains(d.Values, name) {
				p.t.Errorf("the hit has %q in its values, which the detector does not name", name)
			}
		}
		if h.Key == "" || h.Expected == "" {
			p.t.Errorf("a hit without key or what would be normal: %+v", h)
		}
	}
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// tcp is the end of a connection.
func tcp(state string, length time.Duration, now time.Duration, out, in uint64) event.Event {
	activity := map[string]uint8{"S0": 4, "REJ": 5, "RSTO": 3, "RSTR": 3}[state]
	if activity == 0 {
		activity = 2
	}
	return event.Event{Activity: activity, Flow: nil, Detail: &event.Connection{Start: at(now - length), End: at(now), State: state, PayloadOut: out, PayloadIn: in, BytesOut: out + 200, BytesIn: in + 200, PacketsOut: out/1000 + 5, PacketsIn: in/1000 + 5}}
}

func TestEveryDetectorSaysWhatItWants(t *testing.T) {
	for name, d := range All() {
		if d.About == "" || len(d.On) == 0 || len(d.Values) == 0 || d.New == nil {
			t.Errorf("%s is not described", name)
		}
		for _, on := range d.On {
			for _, class := range on.Class {
				i := slices.IndexFunc(event.Classes(), func(c event.Class) bool { return c.Name() == class })
				if i < 0 {
					t.Errorf("%s wants events of class %q, which is none", name, class)
					continue
				}
				c := event.Classes()[i]
				for _, a := range on.Activity {
					if !slices.ContainsFunc(c.Activities(), func(id uint8) bool { return c.ActivityCaption(id) == a }) {
						t.Errorf("%s wants %s of %s, which is none", name, a, class)
					}
				}
			}
		}
		if _, err := d.New(nil, match.Deps{}); err != nil {
			t.Errorf("%s does not accept its own defaults: %v", name, err)
		}
		for _, s := range d.Settings {
			if s.About == "" {
				t.Errorf("%s: setting %s is not described", name, s.Name)
			}
			bad := any("no such thing")
			if _, list := s.Default.([]string); list {
				bad = 3.0
			}
			if _, err := d.New(map[string]any{s.Name: bad}, match.Deps{}); err == nil || !strings.Contains(err.Error(), s.Name) {
				t.Errorf("%s: setting %s = %v: %v", name, s.Name, bad, err)
			}
		}
		if _, err := d.New(map[string]any{"nothing": 1}, match.Deps{}); err == nil {
			t.Errorf("%s accepts a setting that it does not have", name)
		}
	}
}

func FuzzLoad(f *testing.F) {
	names := slices.Sorted(func(yield func(string) bool) {
		for k := range All() {
			if !yield(k) {
				return
			}
		}
	})
	for i := range names {
		m, err := All()[names[i]].New(nil, match.Deps{})
		if err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		if err := m.Save(3, &b); err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), append(b.Bytes(), "\x01a\x01\x02\x03\x04\x05\x06\x07\x08"...))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		name := names[int(which)%len(names)]
		m, err := All()[name].New(nil, match.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Load(3, bytes.NewReader(keyed.Sealed(data))); err != nil {
			if m.Stats().Keys != 0 {
				t.Fatalf("%d keys after %v", m.Stats().Keys, err)
			}
			return
		}
		m.Advance(at(time.Hour), func(match.Hit) {})
		var b bytes.Buffer
		if err := m.Save(3, &b); err != nil {
			t.Fatal(err)
		}
		again, err := All()[name].New(nil, match.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Load(3, &b); err != nil {
			t.Fatalf("what it saved itself is refused: %v", err)
		}
	})
}
