// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/standing"
	"github.com/asepsis/asepsis/prove/identity"
)

// TestOneDeviceDoesNotFillTheDiskWithWhatIsHeld: what passes goes on, whatever is held.
func TestOneDeviceDoesNotFillTheDiskWithWhatIsHeld(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	var held atomic.Int64
	asked := make(chan string, 64)
	p := newPlace(t, options{deps: func(d *Deps) {
		d.Room = func(device string) (int64, int64) { asked <- device; return held.Load(), 1 << 20 }
	}})
	d := p.enrol(identity.DICOMNode, "ct-1")
	matter := func(m standing.Matter) bool {
		return m.Finding.Rule == "gateway.quarantine-share" && slices.Equal(m.Devices, []string{"ct-1"})
	}
	for i, c := range []struct {
		patient string
		held    int64
		answer  string
		state   instance.State
		rule    string
	}{
		{"FICT-quarantine", 0, "0x124", instance.Quarantined, "test.quarantine"},
		{"FICT-sanitise", 0, "Success", instance.Replaced, "test.sanitise"},
		{"FICT-quarantine", 1 << 18, "OutOfResources", instance.Refused, ruleShare},
		{"FICT-sanitise", 1 << 18, "OutOfResources", instance.Refused, ruleShare}, // its original would be held
		{"FICT-0001", 1 << 18, "Success", instance.Accepted, ""},
		{"FICT-flag", 1 << 18, "Success", instance.Accepted, "test.flag"},
		{"FICT-quarantine", 1 << 16, "0x124", instance.Quarantined, "test.quarantine"},
	} {
		held.Store(c.held)
		uid := "1.2.3." + string(rune('1'+i))
		path, _ := image(t, uid, c.patient)
		out, _ := p.send(d, path)
		if !strings.Contains(strings.ReplaceAll(out, " ", ""), c.answer) {
			t.Errorf("%s with %d held: want %s\n%s", c.patient, c.held, c.answer, out)
		}
		list := p.vault.all()
		n := slices.IndexFunc(list, func(r instance.Record) bool { return r.SOPInstance == uid })
		if n < 0 || list[n].State != c.state || (c.rule != "") != slices.ContainsFunc(list[n].Hits, func(h instance.Hit) bool { return h.Rule == c.rule }) {
			t.Errorf("%s with %d held: %+v", c.patient, c.held, list)
		}
		if got, want := slices.ContainsFunc(p.g.Matters(), matter), i >= 2; got != want {
			t.Errorf("after %d: a matter %v", i, got)
		}
	}
	for range len(asked) {
		if device := <-asked; device != "ct-1" {
			t.Errorf("the room of %q was asked for", device)
		}
	}
}

func TestAShareIsWithinTheDisk(t *testing.T) {
	for share, ok := range map[float64]bool{0: true, 0.25: true, 1: true, -0.1: false, 1.5: false} {
		c := Default().Ingest
		c.HeldShare = share
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("%g: %v", share, err)
		}
	}
}
