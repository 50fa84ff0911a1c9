// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/clock"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/recorder"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/watch"
	"github.com/asepsis/asepsis/wire/capture"
)

const captures = "../../testdata/captures"

// Times before all captures and after them.
var (
	longAgo = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	after   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

func putTheatre(t testing.TB, st store.Store, x recorder.Theatre) {
	t.Helper()
	body, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Commit(t.Context(), []store.Write{{Kind: recorder.TheatreKind, ID: x.ID, Expect: store.AnyRevision, Body: body}}); err != nil {
		t.Fatal(err)
	}
}

func theatreDocument(t testing.TB, st store.Store, id string) recorder.Theatre {
	t.Helper()
	d, err := st.Document(t.Context(), recorder.TheatreKind, id)
	if err != nil {
		t.Fatal(err)
	}
	var x recorder.Theatre
	if err := json.Unmarshal(d.Body, &x); err != nil {
		t.Fatal(err)
	}
	return x
}

func or3(since time.Time) recorder.Theatre {
	return recorder.Theatre{ID: "OR-3", Name: "Theatre 3", Contact: "1234", Prefixes: []string{"10.20.3.0/24"}, VLANs: []uint16{}, State: theatre.Idle,
		Since: since.Format(time.RFC3339Nano), Source: "person:nurse"}
}

func waitFor(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !f(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited for long: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// house is sensor, bus, recorder, store and detection, as one process runs them.
func house(t *testing.T, st store.Store, pcap []byte) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	b, err := bus.Open(ctx, bus.Default(), bus.Deps{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		all.Wait()
		_ = b.Close()
	})
	rec, err := recorder.New(recorder.Default(), recorder.Deps{Bus: b, Store: st, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Inventory: func() (*inventory.Inventory, error) { return inventory.New(inventory.Default()) }})
	if err != nil {
		t.Fatal(err)
	}
	pub := b.NewPublisher("clock", bus.PublisherOptions{})
	cfg := roomConfig()
	cfg.Cases.TimeZone = "UTC"
	room, err := detect.New(cfg, detect.RoomDeps{Store: st, Rules: testRules, Bus: b, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Emit: func(c clock.Change) { pub.Emit(c.Event()) }})
	if err != nil {
		t.Fatal(err)
	}
	key, err := pseudonym.New(bytes.Repeat([]byte{1}, pseudonym.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	look := func(name string) func(context.Context) error {
		wc := watch.Default()
		wc.Name = name
		w, err := watch.New(wc, watch.Deps{Bus: b, Sensor: sensor.Default(), Key: key, Input: watch.Input{Label: "capture", Finite: true, Open: func(context.Context) (watch.Opened, error) {
			src, err := capture.NewReader(bytes.NewReader(pcap), capture.Options{})
			return watch.Opened{Sources: []capture.Source{src}}, err
		}}})
		if err != nil {
			t.Error(err)
		}
		return w.Run
	}
	check := func(err error) {
		if err != nil {
			t.Errorf("a room ended: %v", err)
		}
	}
	for _, run := range []func(context.Context) error{rec.Run, pub.Run, room.Run, look("before")} {
		all.Go(func() { check(run(ctx)) })
	}
	waitFor(t, "the devices are known", func() bool {
		devs, _, err := st.DeviceList(t.Context())
		return err == nil && len(devs) > 1 && room.Report().Position > 20
	})
	again := look("again") // of devices that are known
	all.Go(func() { check(again(ctx)) })
}

func readCapture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(captures, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// today moves a capture so that its first frame is seen now, as by a sensor.
func today(t *testing.T, pcap []byte, now time.Time) []byte {
	t.Helper()
	pcap = bytes.Clone(pcap)
	const file, frame = 24, 16
	if len(pcap) < file+frame || binary.LittleEndian.Uint16(pcap) != 0xc3d4 && binary.LittleEndian.Uint16(pcap) != 0x3c4d {
		t.Fatal("the capture is no pcap of a little-endian machine")
	}
	by := uint32(now.Unix()) - binary.LittleEndian.Uint32(pcap[file:])
	for at := file; at+frame <= len(pcap); {
		binary.LittleEndian.PutUint32(pcap[at:], binary.LittleEndian.Uint32(pcap[at:])+by)
		at += frame + int(binary.LittleEndian.Uint32(pcap[at+8:]))
	}
	return pcap
}

// starts counts what is recorded of cases that began.
func starts(t testing.TB, st store.Store) (n int) {
	t.Helper()
	recs, _, err := st.After(t.Context(), 0, store.Query{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recs {
		if r.Class == event.ClassTheatre && r.Activity == clock.Start {
			n++
		}
	}
	return n
}

func TestACaseThatIsSeenStandsInTheTheatre(t *testing.T) {
	for _, c := range []struct{ name, capture, source string }{
		{"a procedure step that begins", "dicom-mpps.pcap", clock.FromProcedure},
		{"an appointment that is under way", "hl7-siu.pcap", clock.FromSchedule},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			now := time.Now().UTC().Truncate(time.Second)
			pcap := today(t, readCapture(t, c.capture), now)
			began, ends := now.Add(-30*time.Minute), now.Add(time.Hour)
			pcap = bytes.ReplaceAll(pcap, []byte("20260112083000"), []byte(began.Format("20060102150405")))
			pcap = bytes.ReplaceAll(pcap, []byte("20260112100000"), []byte(ends.Format("20060102150405")))
			st := openStore(t)
			putTheatre(t, st, or3(longAgo))
			house(t, st, pcap)
			waitFor(t, "a case stands in the theatre", func() bool { return theatreDocument(t, st, "OR-3").State == theatre.InCase })
			x := theatreDocument(t, st, "OR-3")
			since, err := time.Parse(time.RFC3339Nano, x.Since)
			if err != nil || since.Before(began) || since.After(now.Add(time.Minute)) || x.Source != c.source || x.Name != "Theatre 3" || x.Contact != "1234" || len(x.Prefixes) != 1 {
				t.Errorf("the theatre is %+v", x)
			}
			waitFor(t, "the event is recorded", func() bool { return starts(t, st) > 0 })
			trail, err := st.AuditTrail(t.Context(), store.AuditQuery{Limit: 10})
			if err != nil || len(trail) == 0 || trail[0].Action != "theatre.state" || trail[0].Who != "system" {
				t.Errorf("the audit trail has %+v, %v", trail, err)
			}
		})
	}
}

// mpps are the events of a procedure, filed under a theatre.
func mpps(t *testing.T) []record.Record {
	t.Helper()
	events, _, err := detect.Capture(t.Context(), os.DirFS(captures), "dicom-mpps.pcap")
	if err != nil {
		t.Fatal(err)
	}
	var out []record.Record
	for _, e := range events {
		r := e.Record
		r.Seq, r.Theatre, r.SrcDevice, r.DstDevice = 0, "OR-3", "", ""
		if r.Data, err = record.Encode(nil, e.Event); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// listener keeps what is published about cases.
type listener struct {
	mu   sync.Mutex
	said []string
}

func (l *listener) hear(c clock.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, c.Message)
}

func (l *listener) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.said)
}

// listening runs a room until something is so.
func listening(t *testing.T, st store.Store, l *listener, until func() bool) {
	t.Helper()
	room, err := detect.New(roomConfig(), detect.RoomDeps{Store: st, Rules: testRules, Emit: l.hear})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- room.Run(ctx) }()
	waitFor(t, "detection is where it shall be", func() bool {
		_, last, err := st.Last(t.Context())
		return err == nil && room.Report().Position >= last && room.Report().Partitions == 32 && until()
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWhatBeganWhileDetectionWasDownIsPublishedOnceAndWritten(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	putTheatre(t, st, or3(longAgo))
	var l listener
	listening(t, st, &l, func() bool { return true })
	appendAll(t, st, mpps(t), 0) // while nobody looks
	began := func() bool { return len(l.heard()) > 0 && theatreDocument(t, st, "OR-3").State == theatre.InCase }
	listening(t, st, &l, began)
	listening(t, st, &l, began)
	if got := l.heard(); len(got) != 1 || !strings.Contains(got[0], "in progress in OR-3") {
		t.Errorf("published were %q", got)
	}
}

func TestAKillRepeatsNothingThatWasPublished(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	putTheatre(t, st, or3(longAgo))
	var l listener
	listening(t, st, &l, func() bool { return true })
	appendAll(t, st, mpps(t), 0)
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	d := &deaf{Store: st, kill: kill}
	room, err := detect.New(roomConfig(), detect.RoomDeps{Store: d, Rules: testRules, Emit: l.hear})
	if err != nil {
		t.Fatal(err)
	}
	_ = room.Run(ctx) // until the theatre was written: before the state is saved
	if !d.dead {
		t.Fatal("it was not killed")
	}
	listening(t, st, &l, func() bool { return true })
	if got := l.heard(); len(got) != 1 {
		t.Errorf("published were %q", got)
	}
}

// deaf is a store whose process is killed after it wrote into a theatre.
type deaf struct {
	store.Store
	mu   sync.Mutex
	dead bool
	kill context.CancelFunc
}

func (d *deaf) Commit(ctx context.Context, w []store.Write, a ...store.Audit) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return context.Canceled
	}
	err := d.Store.Commit(ctx, w, a...)
	if err == nil && len(w) == 1 && w[0].Kind == recorder.TheatreKind {
		d.dead = true
		d.kill()
	}
	return err
}

func TestAPersonsWordThatIsNewerStays(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	putTheatre(t, st, or3(after))
	appendAll(t, st, mpps(t), 0)
	listening(t, st, &listener{}, func() bool { return true })
	if x := theatreDocument(t, st, "OR-3"); x.State != theatre.Idle || x.Source != "person:nurse" {
		t.Errorf("the theatre is %+v", x)
	}
}

// racing is a store in which a person changes a theatre right before detection does.
type racing struct {
	store.Store
	t    testing.TB
	once sync.Once
	done bool
}

func (s *racing) Commit(ctx context.Context, w []store.Write, a ...store.Audit) error {
	if len(w) == 1 && w[0].Kind == recorder.TheatreKind {
		s.once.Do(func() {
			x := or3(after)
			x.State = theatre.Maintenance
			putTheatre(s.t, s.Store, x)
			s.done = true
		})
	}
	return s.Store.Commit(ctx, w, a...)
}

func TestAPersonWhoIsFasterWins(t *testing.T) {
	t.Parallel()
	st := &racing{Store: openStore(t), t: t}
	putTheatre(t, st.Store, or3(longAgo))
	appendAll(t, st, mpps(t), 0)
	listening(t, st, &listener{}, func() bool { return theatreDocument(t, st.Store, "OR-3").State == theatre.Maintenance })
	if x := theatreDocument(t, st.Store, "OR-3"); x.State != theatre.Maintenance || !st.done {
		t.Errorf("the theatre is %+v", x)
	}
}

func TestWhatAnotherProgramSaysOfItsRoomsStays(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	x := or3(longAgo)
	x.Source = "demo"
	putTheatre(t, st, x)
	appendAll(t, st, mpps(t), 0)
	listening(t, st, &listener{}, func() bool { return true })
	if x := theatreDocument(t, st, "OR-3"); x.State != theatre.Idle || x.Source != "demo" {
		t.Errorf("the theatre is %+v", x)
	}
}
