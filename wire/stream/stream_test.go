// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
)

// at is the byte at a position of the test stream: content that shows where it
// belongs.
func at(pos int64) byte { return byte(pos*7 + pos>>8) }

func content(from, n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = at(from + int64(i))
	}
	return b
}

// reader follows what a Half delivers and fails when a byte is out of place.
type reader struct {
	t    testing.TB
	h    Half
	b    Budget
	st   Stats
	base uint32
	pos  int64 // of the next byte
	gaps int64
	data int64
}

func newReader(t testing.TB, isn uint32) *reader {
	r := &reader{t: t, base: isn + 1, b: Budget{Max: 1 << 20}}
	r.h.Push(isn, true, false, nil, 0, &r.b, &r.st)
	return r
}

func (r *reader) take(c Chunk) {
	r.t.Helper()
	r.pos += c.Gap
	r.gaps += c.Gap
	for i, got := range c.Data {
		if want := at(r.pos + int64(i)); got != want {
			r.t.Fatalf("byte %d is %#x, want %#x", r.pos+int64(i), got, want)
		}
	}
	r.pos += int64(len(c.Data))
	r.data += int64(len(c.Data))
}

func (r *reader) drain(flush bool) {
	r.t.Helper()
	for {
		c, ok := r.h.Pull(flush, &r.b, &r.st)
		if !ok {
			return
		}
		r.take(c)
	}
}

// push gives the segment [from, from+n) with the last missing bytes cut off.
func (r *reader) push(from, n int64, missing int) {
	r.t.Helper()
	c, ok := r.h.Push(r.base+uint32(from), false, false, content(from, n-int64(missing)), missing, &r.b, &r.st)
	if ok {
		r.take(c)
		r.drain(false)
	}
}

func TestSegmentsAreDeliveredInOrderWhateverTheArrival(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		r := newReader(t, rnd.Uint32()) // also close to the wrap of sequence numbers
		if seed%3 == 0 {
			r = newReader(t, 0xffffff00+rnd.Uint32N(256))
		}
		const total = 20000
		type piece struct{ from, n int64 }
		var ps []piece
		for p := int64(0); p < total; {
			n := min(1+rnd.Int64N(700), total-p)
			ps = append(ps, piece{p, n})
			if rnd.IntN(4) == 0 { // retransmission that overlaps both neighbours
				from := max(0, p-rnd.Int64N(300))
				ps = append(ps, piece{from, min(n+rnd.Int64N(600), total-from)})
			}
			p += n
		}
		for i := range ps { // reorder within a window
			j := min(len(ps)-1, i+rnd.IntN(6))
			ps[i], ps[j] = ps[j], ps[i]
		}
		for _, p := range ps {
			r.push(p.from, p.n, 0)
		}
		if r.pos != total || r.gaps != 0 {
			t.Fatalf("seed %d: delivered up to %d with %d lost, want %d with none", seed, r.pos, r.gaps, total)
		}
		if r.b.Used() != 0 || r.h.Waiting() != 0 {
			t.Fatalf("seed %d: %d bytes still accounted for", seed, r.b.Used())
		}
		if r.st.Conflicts != 0 {
			t.Fatalf("seed %d: %d conflicts among equal bytes", seed, r.st.Conflicts)
		}
	}
}

func TestALostSegmentBecomesAGapOnce(t *testing.T) {
	tests := []struct {
		name string
		do   func(r *reader)
	}{
		{"when the receiver acknowledged it and more segments came", func(r *reader) {
			r.push(0, 100, 0)
			r.push(200, 100, 0)
			r.h.Acked(r.base+300, 0)
			for i := range int64(GraceSegments) {
				r.push(300+i*100, 100, 0)
			}
		}},
		{"when the flow ends", func(r *reader) {
			r.push(0, 100, 0)
			r.push(200, 900, 0)
			r.drain(true)
		}},
		{"when it was acknowledged for longer than the grace time", func(r *reader) {
			r.push(0, 100, 0)
			r.push(200, 900, 0)
			r.h.Acked(r.base+1100, 5)
			if r.h.Overdue(5 + GraceTime) {
				t.Error("overdue at once")
			}
			r.drain(r.h.Overdue(6 + GraceTime))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReader(t, 77)
			tt.do(r)
			if r.gaps != 100 || r.st.Gaps != 1 || r.st.GapBytes != 100 {
				t.Errorf("lost %d bytes in %d gaps (%d counted), want 100 in 1", r.gaps, r.st.Gaps, r.st.GapBytes)
			}
			if r.h.Waiting() != 0 {
				t.Errorf("%d bytes still wait", r.h.Waiting())
			}
		})
	}
}

func TestAHoleIsNotGivenUpEarly(t *testing.T) {
	r := newReader(t, 1)
	r.push(100, 100, 0)
	for i := range int64(50) { // nobody acknowledged beyond the hole
		r.push(200+100*i, 100, 0)
	}
	if r.gaps != 0 {
		t.Fatalf("gave up %d bytes that were not acknowledged", r.gaps)
	}
	r.push(0, 100, 0)
	if r.pos != 5200 || r.gaps != 0 {
		t.Errorf("delivered up to %d with %d lost", r.pos, r.gaps)
	}
}

func TestBoundsOfWaitingSegmentsHoldOnePastTheEdge(t *testing.T) {
	t.Run("segments", func(t *testing.T) {
		r := newReader(t, 1)
		for i := range int64(MaxSegments) {
			r.push(100+10*i, 5, 0)
		}
		if r.gaps != 0 {
			t.Fatal("given up within the bound")
		}
		r.push(100+10*MaxSegments, 5, 0)
		if r.gaps == 0 || r.st.Evicted == 0 {
			t.Error("one more segment than the bound was kept")
		}
	})
	t.Run("bytes", func(t *testing.T) {
		r := newReader(t, 1)
		for i := range int64(MaxWaiting / 1024) {
			r.push(1+1024*i, 1024, 0)
		}
		if r.gaps != 0 || r.h.Waiting() != MaxWaiting {
			t.Fatalf("%d waiting, %d lost", r.h.Waiting(), r.gaps)
		}
		r.push(1+MaxWaiting, 1, 0)
		if r.gaps != 1 || r.h.Waiting() != 0 {
			t.Errorf("%d waiting, %d lost, want 0 and 1", r.h.Waiting(), r.gaps)
		}
	})
	t.Run("shared budget", func(t *testing.T) {
		r := newReader(t, 1)
		r.b.Max = 1000
		r.push(1, 1000, 0)
		if r.gaps != 0 {
			t.Fatal("given up within the budget")
		}
		r.push(1001, 1, 0)
		if r.gaps != 1 || r.b.Used() != 0 {
			t.Errorf("%d lost, %d used, want 1 and 0", r.gaps, r.b.Used())
		}
	})
}

func TestFirstBytesSeenWinAndDifferencesAreCounted(t *testing.T) {
	var h Half
	b, st := Budget{Max: 1 << 20}, Stats{}
	h.Push(9, true, false, nil, 0, &b, &st)
	h.Push(14, false, false, []byte("first"), 0, &b, &st)
	h.Push(12, false, false, []byte("xxOTHERxx"), 0, &b, &st)
	if st.Conflicts != 1 {
		t.Errorf("%d conflicts, want 1", st.Conflicts)
	}
	c, _ := h.Push(10, false, false, []byte("ab"), 0, &b, &st)
	got := append([]byte(nil), c.Data...)
	for {
		c, ok := h.Pull(false, &b, &st)
		if !ok {
			break
		}
		got = append(got, c.Data...)
	}
	if want := "abxxfirstxx"; string(got) != want {
		t.Errorf("delivered %q, want %q", got, want)
	}
}

func TestSkippedBytesAreNeitherKeptNorReported(t *testing.T) {
	r := newReader(t, 5)
	r.push(0, 10, 0)
	r.h.Skip(1000, &r.b)
	r.pos += 1000
	r.push(400, 100, 0) // the hole before it is within what is skipped
	if r.h.Waiting() != 0 {
		t.Errorf("%d bytes wait that nobody wants", r.h.Waiting())
	}
	r.push(900, 200, 0)
	r.push(1100, 100, 0)
	if r.pos != 1200 || r.gaps != 0 || r.h.Skipping() != 0 {
		t.Errorf("at %d with %d lost and %d to skip, want 1200, 0, 0", r.pos, r.gaps, r.h.Skipping())
	}
}

func TestBytesCutByTheSnapLengthAreAGap(t *testing.T) {
	r := newReader(t, 5)
	r.push(0, 1000, 900)
	r.push(1000, 100, 0)
	if r.pos != 1100 || r.gaps != 900 {
		t.Errorf("at %d with %d lost, want 1100 with 900", r.pos, r.gaps)
	}
}

func TestMidStreamStartsAtTheFirstPayload(t *testing.T) {
	r := &reader{t: t, base: 1000, b: Budget{Max: 1 << 20}}
	r.pos = 500
	r.push(500, 10, 0)
	r.push(510, 10, 0)
	if r.pos != 520 || r.gaps != 0 {
		t.Errorf("at %d with %d lost", r.pos, r.gaps)
	}
}

func TestFinIsSeenOnlyWhenAllBytesWere(t *testing.T) {
	r := newReader(t, 5)
	r.h.Push(r.base+10, false, true, content(10, 5), 0, &r.b, &r.st)
	if r.h.Finished() {
		t.Error("finished before the bytes in front of FIN came")
	}
	r.push(0, 10, 0)
	if !r.h.Finished() {
		t.Error("not finished after all bytes and FIN came")
	}
}

func TestFarSequenceNumbersRestartTheStreamOnlyAfterSeveral(t *testing.T) {
	r := newReader(t, 0)
	r.push(0, 10, 0)
	for range InvalidLimit - 1 {
		if _, ok := r.h.Push(r.base+10+2*MaxWindow, false, false, []byte("far"), 0, &r.b, &r.st); ok {
			t.Fatal("believed a far sequence number")
		}
	}
	if r.h.Next() != r.base+10 {
		t.Fatal("moved")
	}
	c, ok := r.h.Push(r.base+10+2*MaxWindow, false, false, []byte("far"), 0, &r.b, &r.st)
	if !ok || c.Gap == 0 {
		t.Fatalf("the %dth did not restart the stream", InvalidLimit)
	}
	c, _ = r.h.Pull(false, &r.b, &r.st)
	if !bytes.Equal(c.Data, []byte("far")) {
		t.Errorf("delivered %q", c.Data)
	}
}

// TestContinueIsPushForWhatIsInOrder plays the same segments, acknowledgements
// and skips to two halves, of which one is asked to Continue first.
func TestContinueIsPushForWhatIsInOrder(t *testing.T) {
	const isn = 0xfffff000
	continued := 0
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		type side struct {
			h   Half
			b   Budget
			st  Stats
			out []Chunk
		}
		x, y := side{b: Budget{Max: 1 << 20}}, side{b: Budget{Max: 1 << 20}}
		push := func(s *side, seq uint32, syn, fin bool, p []byte, missing int) {
			c, ok := s.h.Push(seq, syn, fin, p, missing, &s.b, &s.st)
			for ok {
				if c.Data != nil || c.Gap > 0 {
					s.out = append(s.out, Chunk{bytes.Clone(c.Data), c.Gap})
				}
				c, ok = s.h.Pull(false, &s.b, &s.st)
			}
		}
		begun := rnd.IntN(4) != 0
		for _, s := range []*side{&x, &y} {
			if begun {
				push(s, isn, true, false, nil, 0)
			}
		}
		pos := int64(0)
		for range 60 {
			from, n, missing := pos, int64(rnd.IntN(40)), 0
			switch rnd.IntN(8) {
			case 0:
				from += int64(rnd.IntN(60)) - 20
			case 1:
				missing = rnd.IntN(3)
			case 2:
				k := int64(rnd.IntN(100))
				x.h.Skip(k, &x.b)
				y.h.Skip(k, &y.b)
			case 3:
				ack := uint32(isn + 1 + pos + int64(rnd.IntN(50)))
				x.h.Acked(ack, 1)
				y.h.Acked(ack, 1)
			}
			from = max(0, from)
			fin := rnd.IntN(40) == 0
			p := content(from, n)
			seq := isn + 1 + uint32(from)
			before := x.h
			d, ok := []byte(nil), false
			if !fin && missing == 0 {
				d, ok = x.h.Continue(seq, p, &x.st)
			}
			switch {
			case !ok && x.h != before:
				t.Fatalf("seed %d: it refused and changed something", seed)
			case !ok:
				push(&x, seq, false, fin, p, missing)
			case len(d) > 0:
				x.out = append(x.out, Chunk{bytes.Clone(d), 0})
				fallthrough
			default:
				continued++
			}
			push(&y, seq, false, fin, p, missing)
			pos = max(pos, from+n)
			a, b := x.h, y.h
			a.wait, b.wait = nil, nil
			if a != b || x.st != y.st || x.b != y.b || !reflect.DeepEqual(x.out, y.out) {
				t.Fatalf("seed %d: with Continue\n%+v %+v %v\nwithout\n%+v %+v %v", seed, x.h, x.st, x.out, y.h, y.st, y.out)
			}
		}
	}
	if continued < 1000 {
		t.Errorf("only %d segments were continued with", continued)
	}
}

// FuzzHalf plays any sequence of segments of one stream and checks that no byte
// is delivered out of place or twice, that lost bytes are accounted for, and that
// the bounds hold.
func FuzzHalf(f *testing.F) {
	f.Add([]byte{0, 10, 0, 20, 10, 0, 10, 10, 0})
	f.Add([]byte{200, 255, 0, 100, 255, 9, 0, 100, 0, 255, 255, 1})
	f.Add([]byte{1, 1, 128, 5, 5, 64, 0, 1, 32, 9, 200, 3})
	f.Fuzz(func(t *testing.T, ops []byte) {
		r := newReader(t, 0xfffffff0)
		r.b.Max = 3000
		var sent int64
		for len(ops) >= 3 && sent < 1<<20 {
			from, n, how := int64(ops[0])*16, int64(ops[1]), ops[2]
			ops = ops[3:]
			from += r.pos &^ 0xff
			switch {
			case how&0x80 != 0:
				r.h.Acked(r.base+uint32(from), int64(how))
			case how&0x40 != 0:
				r.h.Skip(n, &r.b)
				// what is skipped is delivered nowhere: follow it by position
				r.h.Unskip(n)
			case how&0x20 != 0:
				r.drain(true)
			default:
				missing := min(int(how&15), int(n))
				r.push(from, n, missing)
				sent += n
			}
			if r.h.Waiting() > MaxWaiting || r.b.Used() > r.b.Max+256 || r.b.Used() < 0 {
				t.Fatalf("%d bytes wait, %d in all", r.h.Waiting(), r.b.Used())
			}
			if int64(r.h.Next()-r.base) != r.pos {
				t.Fatalf("expects byte %d next, delivered up to %d", r.h.Next()-r.base, r.pos)
			}
		}
		r.drain(true)
		if r.h.Waiting() != 0 || r.b.Used() != 0 {
			t.Fatalf("%d bytes left", r.b.Used())
		}
	})
}

func BenchmarkInOrder(b *testing.B) {
	var h Half
	bud, st := Budget{Max: 1 << 20}, Stats{}
	p := make([]byte, 1460)
	h.Push(0, true, false, nil, 0, &bud, &st)
	seq := uint32(1)
	b.SetBytes(1460)
	b.ReportAllocs()
	for b.Loop() {
		h.Push(seq, false, false, p, 0, &bud, &st)
		seq += 1460
	}
}

func TestSegmentsInOrderDoNotAllocate(t *testing.T) {
	var h Half
	bud, st := Budget{Max: 1 << 20}, Stats{}
	p := make([]byte, 1460)
	h.Push(0, true, false, nil, 0, &bud, &st)
	seq := uint32(1)
	if n := testing.AllocsPerRun(100, func() {
		h.Push(seq, false, false, p, 0, &bud, &st)
		h.Acked(seq, 0)
		seq += 1460
	}); n != 0 {
		t.Errorf("%v allocations a segment", n)
	}
}
