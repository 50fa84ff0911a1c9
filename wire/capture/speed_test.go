// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"io"
	"testing"
)

// manyFrames is a capture of n frames of 200 bytes.
func manyFrames(t testing.TB, n int, ng bool) []byte {
	frames := make([]Frame, n)
	for i := range frames {
		frames[i] = Frame{Time: 1.7e18 + int64(i)*1000, Data: bytes.Repeat([]byte{byte(i)}, 200), OrigLen: 200, Link: LinkEthernet}
	}
	if ng {
		return ngBytes(t, frames)
	}
	return pcapBytes(t, frames)
}

func TestNoMemoryIsAllocatedPerFrame(t *testing.T) {
	for name, ng := range map[string]bool{"pcap": false, "pcapng": true} {
		t.Run(name, func(t *testing.T) {
			s := openSource(t, bytes.NewReader(manyFrames(t, 20000, ng)), Options{})
			var f Frame
			for range 10000 { // until the window has its size
				if err := s.Next(&f); err != nil {
					t.Fatal(err)
				}
			}
			if n := testing.AllocsPerRun(9000, func() {
				if err := s.Next(&f); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%v allocations per frame", n)
			}

			m := Merge(source(t, manyFrames(t, 20000, ng)), source(t, manyFrames(t, 20000, ng)))
			for range 20000 {
				if err := m.Next(&f); err != nil {
					t.Fatal(err)
				}
			}
			if n := testing.AllocsPerRun(9000, func() {
				if err := m.Next(&f); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%v allocations per merged frame", n)
			}

			w := NewWriter(io.Discard, LinkEthernet)
			if ng {
				w = NewNGWriter(io.Discard)
			}
			if n := testing.AllocsPerRun(1000, func() {
				if err := w.WriteFrame(f); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%v allocations per written frame", n)
			}
		})
	}
}

func benchmarkRead(b *testing.B, in []byte, frames int) {
	b.ReportAllocs()
	b.SetBytes(int64(len(in)) / int64(frames))
	var f Frame
	s := source(b, in)
	for b.Loop() {
		err := s.Next(&f)
		if err == io.EOF {
			s = source(b, in)
			err = s.Next(&f)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mframes/s")
}

func BenchmarkReadPcap(b *testing.B)   { benchmarkRead(b, manyFrames(b, 200000, false), 200000) }
func BenchmarkReadPcapng(b *testing.B) { benchmarkRead(b, manyFrames(b, 200000, true), 200000) }

func BenchmarkMerge4(b *testing.B) {
	in := manyFrames(b, 50000, false)
	open := func() Source { return Merge(source(b, in), source(b, in), source(b, in), source(b, in)) }
	b.ReportAllocs()
	var f Frame
	s := open()
	for b.Loop() {
		if s.Next(&f) == io.EOF {
			s = open()
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mframes/s")
}

func BenchmarkWritePcapng(b *testing.B) {
	b.ReportAllocs()
	w := NewNGWriter(io.Discard)
	f := Frame{Time: 1.7e18, Data: make([]byte, 200), OrigLen: 200, Link: LinkEthernet}
	for b.Loop() {
		if err := w.WriteFrame(f); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mframes/s")
}
