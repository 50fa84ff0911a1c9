// SPDX-License-Identifier: Apache-2.0

package rtp

import (
	"math"
	"testing"
)

func packet(pt uint8, seq uint16, ts, ssrc uint32, payload int) []byte {
	b := []byte{0x80, pt, byte(seq >> 8), byte(seq), byte(ts >> 24), byte(ts >> 16), byte(ts >> 8), byte(ts), byte(ssrc >> 24), byte(ssrc >> 16), byte(ssrc >> 8), byte(ssrc)}
	return append(b, make([]byte, payload)...)
}

func TestLossAndJitterAsAReceiverCounts(t *testing.T) {
	var f Flow
	now := int64(1e9)
	// PCMU at 20 ms; 3 of 20 missing over the wrap of the sequence, one late by 10 ms.
	for i := range 20 {
		if i == 5 || i == 6 || i == 12 {
			continue
		}
		at := now + int64(i)*20e6
		if i == 15 {
			at += 10e6
		}
		f.Add(0, at, packet(0, uint16(65530+i), uint32(160*i), 7, 160), 172)
	}
	s := f.Streams[0]
	if !f.Confirmed() || s.Lost != 3 || s.Packets != 17 || s.Bytes != 17*160 || s.Reordered != 0 {
		t.Errorf("%+v", s)
	}
	// RFC 3550 A.8: two deviations of 80 units at 8 kHz, each a sixteenth, decayed.
	want := 0.0
	for i := 1; i < 17; i++ {
		d := 0.0
		if i == 12 || i == 13 {
			d = 10
		}
		want += (d - want) / 16
	}
	if math.Abs(s.JitterMS-want) > 0.01 {
		t.Errorf("jitter %.4f ms, want %.4f", s.JitterMS, want)
	}
	if math.Abs(s.MaxGapMS-60) > 0.01 {
		t.Errorf("longest pause %.3f ms", s.MaxGapMS)
	}
}

func TestSourcesAreBounded(t *testing.T) {
	var f Flow
	for i := range MaxStreams + 1 {
		f.Add(0, int64(i), packet(96, 1, 1, uint32(i+1), 10), 22)
	}
	if len(f.Streams) != MaxStreams || f.Others != 1 || f.Confirmed() {
		t.Errorf("%d sources, %d others", len(f.Streams), f.Others)
	}
}

func TestHeadersThatAreNone(t *testing.T) {
	for name, b := range map[string][]byte{
		"short": packet(0, 1, 1, 1, 0)[:11], "version 1": {0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "RTCP": {0x80, 200, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
		"sources beyond": {0x8f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "extension beyond": {0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0xff, 0xff},
	} {
		if _, err := Parse(b); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
	if !IsRTCP([]byte{0x80, 200, 0, 1, 0, 0, 0, 0}) || IsRTCP([]byte{0x80, 200, 0, 9, 0, 0, 0, 0}) {
		t.Error("RTCP")
	}
}

func TestAddAllocatesNothingOnceTheSourceIsKnown(t *testing.T) {
	var f Flow
	b := packet(96, 1, 1, 1, 100)
	f.Add(0, 1, b, len(b))
	if n := testing.AllocsPerRun(100, func() { f.Add(0, 2, b, len(b)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzFlow(f *testing.F) {
	f.Add(packet(0, 1, 1, 1, 4), packet(0, 2, 161, 1, 4), int64(20e6))
	f.Fuzz(func(t *testing.T, a, b []byte, step int64) {
		var fl Flow
		for i := range int64(6) {
			fl.Add(0, i*(step&0xffffffff), a, len(a))
			fl.Add(1, i*(step&0xffffffff), b, len(b))
		}
		for _, s := range fl.Streams {
			if math.IsNaN(s.JitterMS) || math.IsInf(s.JitterMS, 0) || s.JitterMS < 0 || s.Bytes > 6*uint64(len(a)+len(b)) || s.Lost > 6<<16 {
				t.Errorf("%+v", s)
			}
		}
	})
}
