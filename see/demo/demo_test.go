// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
	"github.com/asepsis/asepsis/wire/capture"
)

// until ends a source when its frames come from after a time.
type until struct {
	capture.Source
	end  time.Time
	last int64
	t    *testing.T
}

func (u *until) Next(f *capture.Frame) error {
	if err := u.Source.Next(f); err != nil {
		return err
	}
	if f.Time < u.last {
		u.t.Fatalf("a frame of %s comes after one of %s", time.Unix(0, f.Time), time.Unix(0, u.last))
	}
	u.last = f.Time
	if f.Time >= u.end.UnixNano() {
		return io.EOF
	}
	return nil
}

type observer struct {
	inv    *inventory.Inventory
	events int
}

func (o *observer) Emit(e *event.Event) { o.inv.Observe(e); o.events++ }

// pastOf runs the real sensor over a day's past.
func pastOf(t *testing.T, now time.Time) (*observer, sensor.Stats) {
	t.Helper()
	d, err := New(now)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.New(inventory.Default())
	if err != nil {
		t.Fatal(err)
	}
	o := &observer{inv: inv}
	key, err := pseudonym.New(bytes.Repeat([]byte{1}, pseudonym.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	cfg := sensor.Default()
	cfg.Workers = 1
	s, err := sensor.New(cfg, sensor.Deps{Protocols: protocols.All(), Sink: o, Key: key, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := s.Run(ctx, &until{Source: d.Source(ctx), end: now.Add(-time.Second), t: t}); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return o, s.Stats()
}

func TestTheDaySoFarHasFourTheatresWithDevicesOfTheirOwn(t *testing.T) {
	o, st := pastOf(t, time.Now().Add(-time.Minute)) // so that nothing waits for the clock
	t.Logf("%d packets, %d events", st.Packets, o.events)
	if st.Packets < 50_000 {
		t.Errorf("%d packets are not eight hours of four theatres", st.Packets)
	}
	if st.Undecoded > 0 || st.OverBudget > 0 || st.Panics > 0 {
		t.Errorf("not understood: %d undecoded, %d over budget, %d panics", st.Undecoded, st.OverBudget, st.Panics)
	}
	classes := map[string]int{}
	perTheatre := map[byte]int{}
	for _, d := range o.inv.Devices() {
		classes[string(d.Class)]++
		seen := map[byte]bool{}
		for _, i := range d.Interfaces {
			for _, ip := range i.IPs {
				if b := ip.As4(); b[0] == 10 && b[1] == 20 && b[2] >= 3 && b[2] <= 6 {
					seen[b[2]] = true
				}
			}
		}
		if len(seen) > 1 {
			t.Errorf("%s %q is in several theatres: %v", d.Class, d.Name, d.Interfaces)
		}
		for k := range seen {
			perTheatre[k]++
		}
		if d.Class == "unknown" || d.Class == "server" {
			t.Logf("%s %q: %s %v", d.Class, d.Name, d.ClassWhy, d.Interfaces)
		}
		for _, c := range d.Conflicts {
			t.Logf("conflict of %q: %s: %s %v", d.Name, c.Attribute, c.Why, c.Values)
		}
	}
	for _, c := range []string{"ct", "mr", "ultrasound", "c-arm", "endoscopy", "xr-processor", "surgical-table", "infusion-pump", "patient-monitor", "ventilator", "lab-analyser"} {
		if classes[c] != 4 {
			t.Errorf("%d devices of class %s, want one in each theatre", classes[c], c)
		}
	}
	if classes["scanner"] != 1 {
		t.Errorf("%d scanners, want the stranger in one theatre", classes["scanner"])
	}
	if classes["pacs"] != 1 {
		t.Errorf("%d archives, want the one that all theatres share", classes["pacs"])
	}
	for k := byte(3); k <= 6; k++ {
		if perTheatre[k] < 24 {
			t.Errorf("theatre %d has %d devices", k, perTheatre[k])
		}
	}
}

func TestACaseIsUnderWayInATheatreWhenThePresentBegins(t *testing.T) {
	now := time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC)
	d, err := New(now)
	if err != nil {
		t.Fatal(err)
	}
	inCase := 0
	for _, r := range Rooms() {
		state, since := d.State(r.ID, now)
		if since.After(now) {
			t.Errorf("%s: %s since %s, which is to come", r.ID, state, since)
		}
		if state == theatre.InCase {
			inCase++
		}
		// A day has changes, and "since" never lies after the time asked for.
		changes, was := 0, theatre.State("")
		for at := now.Add(-past); at.Before(now.Add(time.Hour)); at = at.Add(time.Minute) {
			s, since := d.State(r.ID, at)
			if since.After(at) {
				t.Fatalf("%s at %s: since %s", r.ID, at, since)
			}
			if s != was {
				changes, was = changes+1, s
			}
		}
		if changes < 8 {
			t.Errorf("%s changes its state %d times in a day", r.ID, changes)
		}
	}
	if inCase == 0 {
		t.Error("no theatre is in case")
	}
	if s, _ := d.State("OR-6", now); s != theatre.Maintenance {
		t.Errorf("OR-6 is %s", s)
	}
}

func TestTheSourceEndsWithItsContext(t *testing.T) {
	d, err := New(time.Now().Add(-time.Hour)) // what comes next is in the past too: no waiting
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	src := d.Source(ctx)
	var f capture.Frame
	for range 1000 {
		if err := src.Next(&f); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := src.Next(&f); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestReplacingKeepsFramesAsLongAsTheyWere(t *testing.T) {
	for _, n := range names {
		if len(n[0]) != len(n[1]) {
			t.Errorf("%q and %q differ in length", n[0], n[1])
		}
	}
	rec, err := recorded()
	if err != nil {
		t.Fatal(err)
	}
	other := rec.in('5')
	changed := 0
	for i := range other {
		if len(other[i].data) != len(rec.frames[i].data) {
			t.Fatalf("frame %d has another length", i)
		}
		if !bytes.Equal(other[i].data, rec.frames[i].data) {
			changed++
		}
		if bytes.Contains(other[i].data, []byte("CT_OR3")) {
			t.Errorf("frame %d still names the recorded theatre", i)
		}
	}
	if changed < len(other)/2 {
		t.Errorf("only %d of %d frames changed", changed, len(other))
	}
}
