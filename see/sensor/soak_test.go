// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/protocols"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// Bounds of what a run may emit: per packet (flows end, evidence is renewed)
// and per byte. A message of a few bytes can be one event with a few pieces of
// evidence; nothing may multiply.
const (
	eventsFree      = 64
	eventsPerPacket = 12
	bytesPerEvent   = 8
	// An event repeats what was on the wire in a few forms (query, names,
	// observables) beside a fixed frame.
	outputPerEvent = 6 << 10
	outputPerByte  = 48
)

// soaked runs a sensor over frames, checking after each that its memory is
// within bounds, and at the end that it let go of everything and that what it
// said is bounded and well formed.
type soaked struct {
	t      testing.TB
	name   string
	w      *worker
	log    bytes.Buffer
	events uint64
	output uint64
	in     uint64
	encode bool
	buf    []byte
}

// Emit implements Sink.
func (k *soaked) Emit(e *event.Event) {
	k.events++
	if !k.encode {
		return
	}
	b, err := e.AppendOCSF(k.buf[:0], event.Producer{})
	if err != nil {
		k.t.Errorf("%s: %v", k.name, err)
	}
	if !json.Valid(b) {
		k.t.Errorf("%s: not JSON: %s", k.name, b)
	}
	k.buf = b
	k.output += uint64(len(b))
}

func soak(t testing.TB, name string, frames []capture.Frame, encode bool) Stats {
	t.Helper()
	k := &soaked{t: t, name: name, encode: encode}
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s: the sensor panicked: %v\n%s", name, r, debug.Stack())
		}
	}()
	cfg := Default()
	cfg.Workers, cfg.MaxFlows, cfg.MaxStreamBytes = 1, 48, 64*config.KiB
	s, err := New(cfg, Deps{Protocols: protocols.All(), Sink: k, Key: testKey(t), Seed: 1, Log: slog.New(slog.NewTextHandler(&k.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	k.w = s.worker(0)
	for i := range frames {
		f := frames[i]
		k.in += uint64(len(f.Data))
		k.w.frame(&f)
		k.bounds(i)
	}
	s.done(k.w)
	k.ended(s.Stats(), len(frames))
	return s.Stats()
}

// bounds checks the memory of a worker.
func (k *soaked) bounds(frame int) {
	w := k.w
	if w.table.count > w.maxFlows {
		k.t.Fatalf("%s: frame %d: %d flows, the bound is %d", k.name, frame, w.table.count, w.maxFlows)
	}
	if used := w.budget.Used(); used < 0 || used > w.budget.Max {
		k.t.Fatalf("%s: frame %d: %d bytes wait behind holes, the bound is %d", k.name, frame, used, w.budget.Max)
	}
	if n := max(w.evidence.current, len(w.evidence.entries)/2); n > maxEvidence {
		k.t.Fatalf("%s: frame %d: %d pieces of evidence, the bound is %d", k.name, frame, n, maxEvidence)
	}
	for i := uint32(1); i <= w.table.used; i++ {
		a := w.table.at(i).act
		if a == nil {
			continue
		}
		bound := maxProbeBuffer
		if a.proto != nil {
			bound = cmp.Or(a.proto.MaxPending, analyze.DefaultMaxPending)
		}
		for d := range a.pend {
			if len(a.pend[d]) > bound {
				k.t.Fatalf("%s: frame %d: %d bytes of %s are pending, the bound is %d", k.name, frame, len(a.pend[d]), a.conn.App, bound)
			}
		}
	}
}

func (k *soaked) ended(st Stats, frames int) {
	if st.Panics > 0 {
		k.t.Errorf("%s: %d analysers panicked: %s", k.name, st.Panics, k.log.String())
	}
	if st.Packets != uint64(frames) {
		k.t.Errorf("%s: %d of %d frames were counted", k.name, st.Packets, frames)
	}
	if n := k.w.table.count; n != 0 {
		k.t.Errorf("%s: %d flows never ended", k.name, n)
	}
	if n := k.w.budget.Used(); n != 0 {
		k.t.Errorf("%s: %d bytes of the budget never came back", k.name, n)
	}
	if bound := eventsFree + eventsPerPacket*st.Packets + k.in/bytesPerEvent; k.events > bound {
		k.t.Errorf("%s: %d events from %d packets of %d bytes, the bound is %d", k.name, k.events, st.Packets, k.in, bound)
	}
	if bound := outputPerEvent*k.events + outputPerByte*k.in; k.output > bound {
		k.t.Errorf("%s: %d bytes of output from %d events and %d bytes, the bound is %d", k.name, k.output, k.events, k.in, bound)
	}
}

// recorded reads the captures that were recorded from real peers, the large
// ones in part.
var recorded = sync.OnceValues(func() (map[string][]capture.Frame, error) {
	out := map[string][]capture.Frame{}
	for _, dir := range []string{"../../testdata/captures", "../../../shared/captures"} {
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(p) != ".pcap" && filepath.Ext(p) != ".pcapng" {
				if os.IsNotExist(err) {
					return nil
				}
				return err
			}
			frames, err := readFrames(p, 400)
			if err == nil && len(frames) > 0 {
				out[p] = frames
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
})

func readFrames(name string, most int) ([]capture.Frame, error) {
	f, err := OpenFile(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var out []capture.Frame
	for len(out) < most {
		var fr capture.Frame
		if f.Next(&fr) != nil { // a damaged end does not matter here
			break
		}
		fr.Data = bytes.Clone(fr.Data)
		out = append(out, fr)
	}
	return out, nil
}

// mutator damages captures. It is deterministic in its seed.
type mutator struct {
	*rand.Rand
	frames []capture.Frame
	other  []capture.Frame
}

// headers is about where the headers of a frame end: mutations behind it reach
// the analysers, those before it the decoder.
const headers = 54

// place picks a frame and a position in it, mostly behind the headers and
// mostly near their end, where lengths and types are.
func (m *mutator) place() (*capture.Frame, int) {
	f := &m.frames[m.IntN(len(m.frames))]
	n := len(f.Data)
	if n == 0 {
		return f, -1
	}
	if n > headers+1 && m.IntN(8) != 0 {
		if m.IntN(3) != 0 {
			n = min(n, headers+64)
		}
		return f, headers - 12 + m.IntN(n-headers+12)
	}
	return f, m.IntN(n)
}

var lengths = [][]byte{
	{0}, {1}, {0x7f}, {0x80}, {0xff}, {0xfe}, {0x84, 0xff, 0xff, 0xff, 0xff},
	{0, 0}, {0, 1}, {0xff, 0xff}, {0x7f, 0xff}, {0x80, 0}, {1, 0}, {0xff, 0},
	{0, 0, 0, 0}, {0, 0, 0, 1}, {1, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0x7f, 0xff, 0xff, 0xff}, {0xff, 0xff, 0xff, 0x7f}, {0x80, 0, 0, 0}, {0, 0, 0, 0x80},
	{0xfe, 0xff, 0xff, 0xff}, {0, 1, 0, 0}, []byte("4294967295"), []byte("-1"), []byte("99999999999999999999"), []byte("\r\n\r\n"), []byte("\r\n"), {0x0b}, {0x1c, 0x0d},
}

func (m *mutator) step() {
	f, at := m.place()
	n := len(m.frames)
	switch m.IntN(16) {
	case 0, 1: // flip a bit
		if at >= 0 {
			f.Data[at] ^= 1 << m.IntN(8)
		}
	case 2, 3, 4: // attack a length
		if at >= 0 {
			copy(f.Data[at:], lengths[m.IntN(len(lengths))])
		}
	case 5: // cut by the snap length, or short on the wire
		if at >= 0 {
			f.Data = f.Data[:at]
			if m.IntN(2) == 0 {
				f.OrigLen = at
			}
		}
	case 6: // twice
		c := *f
		c.Data = bytes.Clone(f.Data)
		m.frames = slices.Insert(m.frames, m.IntN(n+1), c)
	case 7: // late or early
		i := m.IntN(n)
		j := min(n-1, i+m.IntN(4))
		m.frames[i], m.frames[j] = m.frames[j], m.frames[i]
	case 8: // never
		if n > 1 {
			i := m.IntN(n)
			m.frames = slices.Delete(m.frames, i, i+1)
		}
	case 9: // the content of another conversation under these headers
		o := m.other[m.IntN(len(m.other))]
		if len(o.Data) > headers && len(f.Data) > headers {
			copy(f.Data[headers:], o.Data[headers:])
		}
	case 10: // a piece of it again, or moved
		if at >= 0 {
			copy(f.Data[at:], f.Data[m.IntN(len(f.Data)):])
		}
	case 11: // between packets of another capture
		at := m.IntN(n)
		for k := range min(len(m.other), 1+m.IntN(8)) {
			c := m.other[(at+k)%len(m.other)]
			c.Data = bytes.Clone(c.Data)
			c.Time = m.frames[min(at, len(m.frames)-1)].Time
			m.frames = slices.Insert(m.frames, min(at+k, len(m.frames)), c)
		}
	case 12: // the clock jumps
		if m.IntN(4) == 0 {
			d := m.Int64N(int64(3*time.Hour)) - int64(time.Hour)
			for i := m.IntN(n); i < n; i++ {
				m.frames[i].Time += d
			}
		}
	case 13: // the same bytes over and over
		if at >= 0 {
			w := 1 + m.IntN(16)
			for i := at + w; i < len(f.Data); i++ {
				f.Data[i] = f.Data[i-w]
			}
		}
	case 14, 15: // the same bytes in other segments
		m.split(m.IntN(n))
	}
}

// split makes two segments of one, or leaves the frame as it is when it is no
// TCP segment with payload.
func (m *mutator) split(i int) {
	f := m.frames[i]
	var p packet.Packet
	packet.Decode(&p, uint16(f.Link), f.Data, f.OrigLen)
	if p.Err != nil || p.Proto != packet.ProtoTCP || p.Fragment || len(p.Payload) < 2 || p.Missing > 0 {
		return
	}
	begin := int(uintptr(unsafe.Pointer(unsafe.SliceData(p.Payload))) - uintptr(unsafe.Pointer(unsafe.SliceData(f.Data))))
	if begin < 40 || begin > len(f.Data) {
		return
	}
	k := 1 + m.IntN(len(p.Payload)-1)
	if m.IntN(2) == 0 {
		k = min(k, 1+m.IntN(16))
	}
	part := func(from, to int) capture.Frame {
		b := append(bytes.Clone(f.Data[:begin]), p.Payload[from:to]...)
		for hl := 20; hl <= min(60, begin-20); hl += 4 {
			tcp := b[begin-hl:]
			if int(tcp[12]>>4)*4 != hl || binary.BigEndian.Uint32(tcp[4:]) != p.Seq {
				continue
			}
			binary.BigEndian.PutUint32(tcp[4:], p.Seq+uint32(from))
			if ip := b[begin-hl-20:]; p.IPVersion == 4 && ip[0] == 0x45 {
				binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
			} else if p.IPVersion == 6 && begin-hl >= 40 {
				binary.BigEndian.PutUint16(b[begin-hl-36:], uint16(len(tcp)))
			}
			break
		}
		return capture.Frame{Time: f.Time, Data: b, OrigLen: len(b), Link: f.Link}
	}
	m.frames[i] = part(0, k)
	m.frames = slices.Insert(m.frames, i+1, part(k, len(p.Payload)))
}

// mutated makes the damaged capture of a seed.
func mutated(seed uint64, names []string, all map[string][]capture.Frame) (string, []capture.Frame) {
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	name := names[int(seed)%len(names)]
	m := &mutator{Rand: r, other: all[names[r.IntN(len(names))]]}
	for _, f := range all[name] {
		f.Data = bytes.Clone(f.Data)
		m.frames = append(m.frames, f)
	}
	for range 1 + r.IntN(1+len(m.frames)) {
		m.step()
	}
	return fmt.Sprintf("seed %d: %s", seed, filepath.Base(name)), m.frames
}

// TestMutatedCapturesNeverBreakTheSensor runs every recorded capture, damaged in
// a few ways, through all analysers. ASEPSIS_SOAK=15m goes on with further seeds
// for that long, ASEPSIS_SOAK_SEED=n starts at (or, alone, runs only) one.
func TestMutatedCapturesNeverBreakTheSensor(t *testing.T) {
	all, err := recorded()
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(all))
	from, to := uint64(0), uint64(20*len(names))
	if testing.Short() {
		to = uint64(len(names))
	}
	if s := os.Getenv("ASEPSIS_SOAK_SEED"); s != "" {
		if from, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
		to = from + 1
	}
	var until time.Time
	if s := os.Getenv("ASEPSIS_SOAK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		until = time.Now().Add(d)
	}
	var slowest time.Duration
	reached, gaps, cut := map[string]bool{}, uint64(0), uint64(0)
	for seed := from; seed < to || time.Now().Before(until); seed++ {
		name, frames := mutated(seed, names, all)
		began := time.Now()
		st := soak(t, name, frames, seed%4 == 0)
		for p := range st.Protocols {
			reached[p] = true
		}
		gaps += st.TCP.Gaps
		cut += st.Rejected + st.OverBudget + st.SnapCut
		if took := time.Since(began); took > slowest {
			slowest = took
			t.Logf("%s took %v for %d frames", name, took, len(frames))
		}
		if t.Failed() && until.IsZero() {
			return
		}
		to = max(to, seed)
	}
	t.Logf("seeds %d to %d, %d protocols, %d gaps, %d rejected or cut", from, to, len(reached), gaps, cut)
	if to-from > 100 && (len(reached) < 20 || gaps == 0 || cut == 0) {
		t.Errorf("the mutations do not reach the analysers: protocols %v, gaps %d, rejected or cut %d", reached, gaps, cut)
	}
}

// TestEveryProbeTakesEveryBeginning gives the probes what a segment boundary can
// give them: every beginning of what peers really say, and of the same with one
// byte changed.
func TestEveryProbeTakesEveryBeginning(t *testing.T) {
	all, err := recorded()
	if err != nil {
		t.Fatal(err)
	}
	s, _ := newSensor(t, one(), protocols.All()...)
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	var p packet.Packet
	w := s.worker(0)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		frames := all[name]
		for i := range frames {
			packet.Decode(&p, uint16(frames[i].Link), frames[i].Data, frames[i].OrigLen)
			if len(p.Payload) == 0 || seen[string(p.Payload[:min(12, len(p.Payload))])] {
				continue
			}
			seen[string(p.Payload[:min(12, len(p.Payload))])] = true
			protos := s.streams
			if p.Proto == packet.ProtoUDP {
				protos = s.datagrams
			}
			for n := range min(len(p.Payload), 72) {
				head := bytes.Clone(p.Payload[:n+1])
				for range 4 {
					for _, mid := range []bool{false, true} {
						a := &active{}
						a.conn.Init(w, nil)
						a.conn.MidStream, a.conn.Packet = mid, &p
						a.cand = [2]uint64{^uint64(0), ^uint64(0)}
						w.probe(a, 0, head[:len(head):len(head)], protos, false)
					}
					head[r.IntN(len(head))] = byte(r.Uint32())
				}
				if w.stats.Panics > 0 {
					t.Fatalf("%s: a probe panics on something like %x", filepath.Base(name), head)
				}
			}
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d payloads", len(seen))
	}
}

// FuzzSensor takes the input for a capture file.
func FuzzSensor(f *testing.F) {
	all, err := recorded()
	if err != nil {
		f.Fatal(err)
	}
	for name := range all {
		if b, err := os.ReadFile(name); err == nil && len(b) <= 8<<10 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		src, err := capture.NewReader(io.NopCloser(bytes.NewReader(b)), capture.Options{Name: "fuzz"})
		if err != nil {
			return
		}
		var frames []capture.Frame
		for len(frames) < 1000 {
			var fr capture.Frame
			if src.Next(&fr) != nil {
				break
			}
			fr.Data = bytes.Clone(fr.Data)
			frames = append(frames, fr)
		}
		soak(t, "fuzz", frames, true)
	})
}
