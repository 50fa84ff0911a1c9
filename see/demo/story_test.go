// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/policy"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/clock"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
)

type kept struct {
	inv    *inventory.Inventory
	events []*event.Event
}

func (k *kept) Emit(e *event.Event) { k.inv.Observe(e); k.events = append(k.events, e) }

// findings runs the rules over the past of a day, as the platform does: with the theatres'
// networks, a schedule that is learned from messages, and zones that are proposed.
func findings(t *testing.T, now time.Time) []finding.Alert {
	t.Helper()
	d, err := New(now)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.New(inventory.Default())
	if err != nil {
		t.Fatal(err)
	}
	key, err := pseudonym.New(bytes.Repeat([]byte{1}, pseudonym.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	cfg := sensor.Default()
	cfg.Workers = 0
	k := &kept{inv: inv}
	s, err := sensor.New(cfg, sensor.Deps{Protocols: protocols.All(), Sink: k, Key: key, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), &until{Source: d.Source(t.Context()), end: now.Add(-time.Second), t: t}); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	devs := inv.Devices()
	var rooms []theatre.Theatre
	for _, r := range Rooms() {
		rooms = append(rooms, theatre.Theatre{ID: r.ID, Name: r.Name, State: theatre.Idle})
	}
	for i := range devs {
		for _, n := range devs[i].Interfaces {
			for _, ip := range n.IPs {
				if b := ip.As4(); b[0] == 10 && b[1] == 20 && b[2] >= 3 && b[2] <= 6 && (b[3] > 10 && b[3] < 96 || b[3] > 127) {
					devs[i].Theatre = "OR-" + string(rune('0'+b[2]))
				}
			}
		}
	}
	pol, wrong := policy.Compile(policy.Propose(devs))
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	content, err := detect.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	hours, err := clock.New(clock.Default())
	if err != nil {
		t.Fatal(err)
	}
	hours.Know(rooms)
	c := detect.NewCollector()
	e, err := detect.NewEngine(detect.Deps{Content: content, Emit: c.Add, Learner: c, Clock: hours})
	if err != nil {
		t.Fatal(err)
	}
	w := scene.NewWorld(devs, rooms, pol)
	e.World = w
	for i, ev := range k.events {
		r := detect.FileUnder(inv, ev, "demo", uint64(i)+1)
		x := w.Scene(&r, ev)
		e.Feed(&x)
	}
	return c.Alerts()
}

// TestTheDayTellsAStory holds the first look: few findings, of different kinds, the worst of
// them in theatres with a case in progress, and none that only the replay makes.
func TestTheDayTellsAStory(t *testing.T) {
	found := findings(t, time.Now().Add(-time.Minute))
	critical := 0
	byRule := map[string]int{}
	for i := range found {
		a := &found[i]
		t.Logf("%-8s %-34s x%d %s (%s, %s)", a.Severity, a.Rule, a.Count, a.Title, a.Theatre, a.Case)
		byRule[a.Rule]++
		if a.Severity == finding.Critical {
			critical++
			if a.Case != theatre.InCase {
				t.Errorf("%s is critical, and %s is %s", a.Rule, a.Theatre, a.Case)
			}
		}
	}
	if len(found) < 8 || len(found) > 18 {
		t.Errorf("%d findings, want a dozen or so", len(found))
	}
	if critical == 0 {
		t.Error("nothing is critical")
	}
	for rule, n := range byRule {
		if n > 2 {
			t.Errorf("%d findings of %s", n, rule)
		}
	}
	for _, want := range []string{"endpoint.adb-open", "endpoint.telnet-login", "dicom.scanner-tool", "dicom.executable-content", "hl7.unsolicited-order", "dicom.clear-text", "network.block-scan"} {
		if byRule[want] == 0 {
			t.Errorf("nothing of %s", want)
		}
	}
	for _, replayed := range []string{"hl7.replayed-message", "dicom.mixed-study", "endpoint.clock-off", "hl7.lab-transfer-errors", "dicom.move-unknown-destination", "network.arp-spoofing", "theatre.images-without-case"} {
		if byRule[replayed] > 0 {
			t.Errorf("%s is found, which only the replay makes", replayed)
		}
	}
}

func TestEachCaseHasAPatientAndImagesOfItsOwn(t *testing.T) {
	rec, err := recorded()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC)
	a := &theCase{n: 7, from: now, to: now.Add(time.Hour)}
	b := &theCase{n: 8, from: now, to: now.Add(time.Hour)}
	differ := 0
	for i := range rec.frames {
		was := bytes.Clone(rec.frames[i].data)
		x, y := a.fresh(rec.frames[i].data, now), b.fresh(rec.frames[i].data, now)
		if !slices.Equal(was, rec.frames[i].data) {
			t.Fatalf("frame %d of the recording was changed", i)
		}
		if len(x) != len(was) || len(y) != len(was) {
			t.Fatalf("frame %d has another length", i)
		}
		if !slices.Equal(x, y) {
			differ++
		}
		for _, patient := range []string{"FICT-0001^^^", "FICT-0002^^^", "FICT-0003^^^"} {
			if bytes.Contains(x, []byte(patient)) {
				t.Errorf("frame %d still names the recorded patient %s", i, patient)
			}
		}
	}
	if differ < 50 {
		t.Errorf("only %d frames of two cases differ", differ)
	}
}
