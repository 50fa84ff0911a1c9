// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"encoding/json"
	"math"
	"net/netip"
	"testing"

	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/wire/capture"
)

// fill puts a capture into a ring and returns how many frames it has.
func fill(t *testing.T, p *packets, times int) (n int) {
	t.Helper()
	for range times {
		src, err := sensor.OpenFile("../../testdata/captures/dicom-echo.pcap")
		if err != nil {
			t.Fatal(err)
		}
		k := keeping{src, p}
		var f capture.Frame
		for k.Next(&f) == nil {
			n++
		}
		if err := src.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// all asks page by page.
func all(t *testing.T, ask func(PacketQuery) PacketAnswer, q PacketQuery) (out []KeptFrame) {
	t.Helper()
	for range 10_000 {
		a := ask(q)
		out = append(out, a.Frames...)
		if a.Next == 0 {
			return out
		}
		q.After = a.Next
	}
	t.Fatal("the pages have no end")
	return nil
}

func (p *packets) ask(q PacketQuery) PacketAnswer { return p.find(&q) }

var ever = PacketQuery{To: math.MaxInt64}

func TestFramesAreFoundByTheirEnds(t *testing.T) {
	p := newPackets(minKeep)
	n := fill(t, p, 1)
	got := all(t, p.ask, ever)
	if len(got) != n || n == 0 {
		t.Fatalf("%d frames of %d", len(got), n)
	}
	client, server, port := ends(t, got)
	for _, c := range []struct {
		name string
		q    PacketQuery
		want func(int) bool
	}{
		{"both ends, either way", PacketQuery{To: math.MaxInt64, A: client, B: server}, func(k int) bool { return k > 4 }},
		{"the ends turned round", PacketQuery{To: math.MaxInt64, A: server, B: client}, func(k int) bool { return k > 4 }},
		{"the server's port", PacketQuery{To: math.MaxInt64, B: server, BPort: port}, func(k int) bool { return k > 4 }},
		{"another port", PacketQuery{To: math.MaxInt64, B: server, BPort: 9}, func(k int) bool { return k == 0 }},
		{"another address", PacketQuery{To: math.MaxInt64, A: netip.MustParseAddr("192.0.2.1")}, func(k int) bool { return k == 0 }},
		{"before all", PacketQuery{To: got[0].Time - 1}, func(k int) bool { return k == 0 }},
		{"the first alone", PacketQuery{To: got[0].Time}, func(k int) bool { return k == 1 }},
	} {
		if k := len(all(t, p.ask, c.q)); !c.want(k) {
			t.Errorf("%s: %d frames", c.name, k)
		}
	}
}

// ends are the two ends of the first connection.
func ends(t *testing.T, l []KeptFrame) (client, server netip.Addr, port uint16) {
	t.Helper()
	for _, f := range l {
		if d := f.Data; len(d) > 54 && d[12] == 8 && d[13] == 0 && d[23] == 6 && d[47] == 2 { // Ethernet, IPv4, TCP, SYN
			a, _ := netip.AddrFromSlice(d[26:30])
			b, _ := netip.AddrFromSlice(d[30:34])
			return a, b, uint16(d[36])<<8 | uint16(d[37])
		}
	}
	t.Fatal("there is no connection")
	return
}

func TestTheOldestFramesGoAndMemoryIsBounded(t *testing.T) {
	p := newPackets(minKeep)
	n := fill(t, p, 1)
	before := all(t, p.ask, ever)
	times := 2*minKeep/bytesOf(before) + 2
	fill(t, p, times)
	held := 0
	for i := range p.blocks {
		held += len(p.blocks[i].data) + perFrame*len(p.blocks[i].frames)
	}
	got := all(t, p.ask, ever)
	if held > minKeep || len(got) >= n*(times+1) || bytesOf(got) < minKeep/2 {
		t.Errorf("%d bytes are held, %d frames of %d found, with %d bytes", held, len(got), n*(times+1), bytesOf(got))
	}
	for i := 1; i < len(got); i++ {
		if got[i].ID <= got[i-1].ID {
			t.Fatalf("frame %d comes after %d", got[i].ID, got[i-1].ID)
		}
	}
}

func bytesOf(l []KeptFrame) (n int) {
	for _, f := range l {
		n += len(f.Data) + perFrame
	}
	return n
}

func TestPagesTogetherAreAll(t *testing.T) {
	p := newPackets(minKeep)
	n := fill(t, p, 3)
	p.page = 700
	if got := all(t, p.ask, ever); len(got) != n {
		t.Errorf("%d frames in pages, want %d", len(got), n)
	}
}

func TestASensorGivesPacketsOverTheBusWhereItKeepsThem(t *testing.T) {
	b := embedded(t)
	w, stop := running(t, b, file("../../testdata/captures/dicom-echo.pcap"), func(c *Config) { c.KeepPackets = minKeep })
	eventually(t, "the capture was read", w.Finished)
	got := all(t, func(q PacketQuery) PacketAnswer {
		body, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := b.Ask(t.Context(), PacketsSubject("span"), body)
		if err != nil {
			t.Fatal(err)
		}
		var a PacketAnswer
		if err := json.Unmarshal(answer, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}, ever)
	if len(got) == 0 {
		t.Error("it has no packets")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Ask(t.Context(), PacketsSubject("span"), []byte("{}")); err == nil {
		t.Error("it answers after its end")
	}
}

func TestASensorKeepsNoPacketsUnlessToldSo(t *testing.T) {
	b := embedded(t)
	w, _ := running(t, b, file("../../testdata/captures/dicom-echo.pcap"), nil)
	eventually(t, "the capture was read", w.Finished)
	if _, err := b.Ask(t.Context(), PacketsSubject("span"), []byte("{}")); err == nil {
		t.Error("it gives packets")
	}
	for _, bad := range []int64{-1, 1, maxKeep + 1} {
		c := Default()
		c.KeepPackets = bad
		if c.Validate() == nil {
			t.Errorf("%d bytes are accepted", bad)
		}
	}
}
