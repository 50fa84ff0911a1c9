// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/protocols"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// exported is a sink that keeps what an exporter would write.
type exported struct {
	t   testing.TB
	out []string
}

func (x *exported) Emit(e *event.Event) {
	e.UID = "" // evidence of one moment may come in any order
	b, err := e.AppendOCSF(nil, event.Producer{})
	if err != nil {
		x.t.Error(err)
	}
	x.out = append(x.out, string(b))
}

// run gives frames to a worker, with the lane or without, and returns the
// events, sorted, the counts, and how many frames took the lane.
func run(t testing.TB, frames []capture.Frame, lanes bool, protos ...analyze.Protocol) ([]string, Stats, int) {
	t.Helper()
	x := &exported{t: t}
	cfg := Default()
	cfg.Workers, cfg.MaxFlows, cfg.MaxStreamBytes, cfg.ReportInterval = 1, 48, 64*config.KiB, time.Minute
	cfg.ReportOpen = len(frames)%2 == 0
	s, err := New(cfg, Deps{Protocols: protos, Sink: x, Key: testKey(t), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := s.worker(0)
	took := 0
	for i := range frames {
		f := frames[i]
		if !lanes {
			w.lane = lane{}
		}
		w.pkt.WireLen = -1 // stays where nothing is decoded
		w.frame(&f)
		if w.pkt.WireLen == -1 {
			took++
		}
	}
	s.done(w)
	slices.Sort(x.out)
	return x.out, s.Stats(), took
}

// tagged puts frames of Ethernet into a VLAN, every other one where some is asked for.
func tagged(frames []capture.Frame, vlan uint16) []capture.Frame {
	out := slices.Clone(frames)
	for i := range out {
		f := &out[i]
		if f.Link == capture.LinkEthernet && len(f.Data) >= 14 {
			f.Data = slices.Concat(f.Data[:12], []byte{0x81, 0, byte(vlan >> 8), byte(vlan)}, f.Data[12:])
			f.OrigLen += 4
		}
	}
	return out
}

// TestExpressChangesNothing compares the short way with the long one on
// recorded captures and on ones that were damaged in all ways the mutator knows.
func TestExpressChangesNothing(t *testing.T) {
	all, err := recorded()
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(all))
	compare := func(name string, frames []capture.Frame) int {
		want, wantStats, none := run(t, frames, false, protocols.All()...)
		got, gotStats, took := run(t, frames, true, protocols.All()...)
		if none != 0 {
			t.Fatalf("%s: %d frames took the lane that was closed", name, none)
		}
		if !reflect.DeepEqual(gotStats, wantStats) {
			t.Fatalf("%s: counts with the lane:\n%+v\nwithout:\n%+v", name, gotStats, wantStats)
		}
		if !slices.Equal(got, want) {
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("%s: event %d with the lane:\n%s\nwithout:\n%s", name, i, got[i], want[i])
				}
			}
			t.Fatalf("%s: %d events with the lane, %d without", name, len(got), len(want))
		}
		return took
	}
	took, frames := 0, 0
	for _, name := range names {
		took += compare(name, all[name])
		compare(name+", tagged", tagged(all[name], 0x6123))
		frames += len(all[name])
	}
	seeds := uint64(10 * len(names))
	if testing.Short() {
		seeds = uint64(len(names))
	}
	for seed := range seeds {
		name, damaged := mutated(seed, names, all)
		took += compare(name, damaged)
		frames += len(damaged)
	}
	t.Logf("%d of %d frames took the lane", took, frames)
	if took < frames/10 {
		t.Errorf("only %d of %d frames took the lane: nothing was compared", took, frames)
	}
}

// ether puts raw IPv4 packets into Ethernet frames.
func ether(frames []capture.Frame) []capture.Frame {
	out := slices.Clone(frames)
	for i := range out {
		f := &out[i]
		f.Data = slices.Concat([]byte{2, 0, 0, 0, 0, f.Data[19], 2, 0, 0, 0, 0, f.Data[15], 8, 0}, f.Data)
		f.OrigLen, f.Link = len(f.Data), capture.LinkEthernet
	}
	return out
}

func TestATransferTakesTheLane(t *testing.T) {
	tr := &trace{}
	k := tr.tcp(40000, 104)
	k.open()
	k.say(0, "LINE count\n")
	k.say(1, "yes\n")
	before := len(tr.frames)
	for range 100 {
		k.say(0, strings.Repeat("content\n", 100))
		k.segment(1, packet.ACK, 0, "")
	}
	frames := ether(tr.frames)
	for name, frames := range map[string][]capture.Frame{"plain": frames, "tagged": tagged(frames, 7)} {
		_, st, took := run(t, frames, true, linesProtocol())
		if took < 198 {
			t.Errorf("%s: %d of the %d frames of a transfer took the lane", name, took, len(frames)-before)
		}
		if name == "tagged" && st.VLANs[7] != uint64(len(frames)) {
			t.Errorf("%d of %d frames were counted in their VLAN", st.VLANs[7], len(frames))
		}
	}
}

func TestFlowsThatCollideInTheLaneAreKeptApart(t *testing.T) {
	tr := &trace{}
	var talks []*talk
	for p := range uint16(4 * laneSize) {
		k := tr.tcp(20000+p, 104)
		k.open()
		talks = append(talks, k)
	}
	for i := range 3 {
		for _, k := range talks {
			k.say(0, fmt.Sprintf("LINE %d\n", i))
			k.segment(1, packet.ACK, 0, "")
		}
	}
	frames := ether(tr.frames)
	x := &exported{t: t}
	cfg := one()
	s, err := New(cfg, Deps{Protocols: []analyze.Protocol{linesProtocol()}, Sink: x, Key: testKey(t), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), &trace{frames: frames}); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Flows != 4*laneSize || st.TCP.InOrder != 3*4*laneSize || st.TCP.Gaps != 0 {
		t.Errorf("%d connections became %d flows, %d segments in order, %d gaps", len(talks), st.Flows, st.TCP.InOrder, st.TCP.Gaps)
	}
}
