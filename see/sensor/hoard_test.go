// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"strings"
	"testing"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/wire/packet"
)

// TestFlowsThatOnlyHoardCannotExhaustMemory opens many messages that never end.
// The ones silent longest are given up, the one that is talking is not.
func TestFlowsThatOnlyHoardCannotExhaustMemory(t *testing.T) {
	cfg := one()
	cfg.MaxAnalysisBytes = config.MiB
	s, c := newSensor(t, cfg, linesProtocol())
	w := newWorker(s, 0)
	tr := &trace{}
	good := tr.tcp(40000, 1234)
	good.open()
	for i := range 300 {
		k := tr.tcp(uint16(50000+i), 1234)
		k.open()
		k.say(0, "LINE a\n"+strings.Repeat("h", 10000)) // never ends its line
		if i%10 == 0 {
			good.say(0, "LINE good\n")
		}
	}
	for i := range tr.frames {
		w.frame(&tr.frames[i])
		if w.held > w.maxHeld {
			t.Fatalf("%d bytes held, the bound is %d", w.held, w.maxHeld)
		}
	}
	w.finish()
	if w.held != 0 {
		t.Errorf("%d bytes are still accounted for", w.held)
	}
	if w.stats.AnalysesEvicted == 0 {
		t.Error("nothing was given up")
	}
	if n := strings.Count(strings.Join(said(c), "|"), "LINE good"); n != 30 {
		t.Errorf("%d of 30 messages of the flow that talks were seen", n)
	}
}

// TestProbingIsAccountedToo opens flows whose protocol cannot be told yet.
func TestProbingIsAccountedToo(t *testing.T) {
	cfg := one()
	cfg.MaxAnalysisBytes = config.MiB
	s, _ := newSensor(t, cfg, linesProtocol())
	w := newWorker(s, 0)
	tr := &trace{}
	for i := range 300 {
		k := tr.tcp(uint16(50000+i), 1234)
		k.open()
		k.segment(0, packet.ACK, 0, "LIN")
	}
	for i := range tr.frames {
		w.frame(&tr.frames[i])
	}
	if w.held != 900 {
		t.Errorf("%d bytes accounted for, want 900", w.held)
	}
	w.finish()
	if w.held != 0 {
		t.Errorf("%d bytes are still accounted for", w.held)
	}
}
