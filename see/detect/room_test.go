// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/alert"
)

// testRules are one rule with state and one without.
var testRules = fstest.MapFS{
	"lists/none.yaml": {Data: []byte("name: none\ndescription: Nothing.\nsource: test\nlicence: Apache-2.0\nkind: exact\nentries: [nothing]\n")},
	"dicom/echo.yaml": {Data: []byte(ruleText("echo", "  trigger:\n    class: [dicom_operation]\n    when: op.dimse_command == \"C-ECHO-RQ\"\n"))},
	"dicom/many.yaml": {Data: []byte(ruleText("many", "  count:\n    class: [dicom_operation]\n    by: [src.ip]\n    window: 1m\n    over: 5\n"))},
}

func ruleText(name, match string) string {
	return `id: dicom.` + name + `
version: 1
title: "{src} did ` + name + ` to {dst}"
analyst: It happened.
room: You can go on.
severity: {base: medium, in_case: high}
confidence: 90
attack: [T0846]
references: []
playbook: [Look.]
false_positives: [None.]
match:
` + match + `samples:
  - name: It fires
    events:
      - {class: dicom_operation, src: 10.0.0.1, dst: 10.0.0.2, repeat: 10, every: 1s, detail: {dimse_command: C-ECHO-RQ}}
    fires: {}
  - name: It does not
    events:
      - {class: dicom_association, src: 10.0.0.1, dst: 10.0.0.2}
    quiet: true
`
}

// echoes makes n stored events of some clients.
func echoes(t testing.TB, n int) []record.Record {
	t.Helper()
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC).UnixNano()
	out := make([]record.Record, n)
	for i := range out {
		src := netip.AddrFrom4([4]byte{10, 0, 0, byte(i*i%7 + 1)})
		at := start + int64(i)*int64(700*time.Millisecond)
		if i == n-1 { // long after the others, so that what they began is over
			src, at = netip.MustParseAddr("10.0.0.50"), at+int64(10*time.Minute)
		}
		e := &event.Event{UID: fmt.Sprintf("e%d", i), Time: at, Activity: 1, Protocol: "dicom", Severity: finding.Info,
			Flow:   &event.Flow{ID: uint64(i + 1), Proto: 6, Src: event.Endpoint{IP: src, Port: 40000}, Dst: event.Endpoint{IP: netip.MustParseAddr("10.0.0.99"), Port: 104}},
			Detail: &event.DICOMOperation{Command: "C-ECHO-RQ"}}
		data, err := record.Encode(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = record.Record{Time: e.Time, Class: e.Class(), Activity: 1, Severity: finding.Info, Protocol: "dicom", Sensor: "s", Src: src, Dst: e.Flow.Dst.IP, Data: data}
	}
	return out
}

func openStore(t testing.TB) store.Store {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Config{Dir: filepath.Join(t.TempDir(), "store")}, sqlite.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func appendAll(t testing.TB, st store.Store, recs []record.Record, from uint64) {
	t.Helper()
	release, err := st.Lead(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for i, r := range recs {
		if err := st.Append(t.Context(), store.Position{Stream: "s", Seq: from + uint64(i) + 1}, []record.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
}

// dying is a store that is gone from some commit on, as it is for a process that was killed.
type dying struct {
	store.Store
	mu   sync.Mutex
	left int
	kill context.CancelFunc
}

func (d *dying) Commit(ctx context.Context, w []store.Write, a ...store.Audit) error {
	d.mu.Lock()
	d.left--
	dead := d.left < 0
	d.mu.Unlock()
	if dead {
		d.kill()
		return context.Canceled
	}
	return d.Store.Commit(ctx, w, a...)
}

func TestTheRulesOfTheseTestsAreRight(t *testing.T) {
	content, err := detect.Load(testRules)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range detect.RunSamples(t.Context(), content, content.Rules, nil) {
		if r.Err != nil {
			t.Errorf("%s: %s: %v", r.Rule, r.Sample, r.Err)
		}
	}
}

func roomConfig() detect.Config {
	c := detect.Default()
	c.Name, c.WriteDelay, c.StateEvery = "one", time.Millisecond, time.Second
	return c
}

// run runs a room until it has come to the end of the store, or it is killed.
func run(t testing.TB, cfg detect.Config, st store.Store, ctx context.Context, until func() bool) {
	t.Helper()
	room, err := detect.New(cfg, detect.RoomDeps{Store: st, Rules: testRules})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- room.Run(ctx) }()
	deadline := time.Now().Add(30 * time.Second)
	for until != nil && !until() && ctx.Err() == nil {
		select {
		case err := <-done:
			if ctx.Err() == nil {
				t.Fatalf("it ended: %v", err)
			}
			return
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited for long: %+v", room.Report())
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil && until != nil && context.Cause(ctx) == nil {
		t.Fatal(err)
	}
}

// alerts returns what is kept, without what depends on when it was written.
func alerts(t testing.TB, st store.Store) map[string]finding.Alert {
	t.Helper()
	docs, err := st.DocumentsOf(t.Context(), alert.Kind, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]finding.Alert{}
	for _, d := range docs {
		x, err := alert.Read(d.Body)
		if err != nil {
			t.Fatal(err)
		}
		out[d.ID] = x.Alert
	}
	return out
}

func total(m map[string]finding.Alert, rule string) (n uint64) {
	for _, a := range m {
		if a.Rule == rule {
			n += a.Count
		}
	}
	return n
}

func same(t *testing.T, what string, got, want map[string]finding.Alert) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d alerts, want %d", what, len(got), len(want))
	}
	for id, w := range want {
		g := got[id]
		a, _ := json.Marshal(w)
		b, _ := json.Marshal(g)
		if string(a) != string(b) {
			t.Errorf("%s: alert %s of %s:\n got %s\nwant %s", what, id, w.Rule, b, a)
		}
	}
}

// reached says that all n echoes were found.
func reached(t testing.TB, st store.Store, n int) func() bool {
	return func() bool { return total(alerts(t, st), "dicom.echo") >= uint64(n) }
}

func TestAKillAtAnyWriteLosesNoFindingAndMakesNoneTwice(t *testing.T) {
	t.Parallel()
	const n = 400
	events := echoes(t, n)
	plain := openStore(t)
	appendAll(t, plain, events, 0)
	run(t, roomConfig(), plain, t.Context(), reached(t, plain, n))
	want := alerts(t, plain)
	if total(want, "dicom.echo") != n || total(want, "dicom.many") == 0 {
		t.Fatalf("%d echoes and %d of many were found", total(want, "dicom.echo"), total(want, "dicom.many"))
	}
	seed := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		st := openStore(t)
		at := 0
		for at < n { // events come in parts, and it is killed in between
			part := min(20+seed.IntN(120), n-at)
			appendAll(t, st, events[at:at+part], uint64(at))
			at += part
			ctx, kill := context.WithCancel(t.Context())
			d := &dying{Store: st, left: 34 + seed.IntN(45), kill: kill}
			run(t, roomConfig(), d, ctx, reached(t, st, at))
			kill()
		}
		run(t, roomConfig(), st, t.Context(), reached(t, st, n))
		same(t, "after kills", alerts(t, st), want)
	}
}

func TestSeveralInstancesFindTogetherWhatOneFindsAndTakeOver(t *testing.T) {
	t.Parallel()
	const n = 600
	events := echoes(t, n)
	plain := openStore(t)
	appendAll(t, plain, events, 0)
	run(t, roomConfig(), plain, t.Context(), reached(t, plain, n))
	want := alerts(t, plain)

	st := openStore(t)
	appendAll(t, st, events[:n/3], 0)
	var all sync.WaitGroup
	rooms := make([]*detect.Room, 3)
	kills := make([]context.CancelFunc, 3)
	for i := range rooms {
		cfg := roomConfig()
		cfg.Name = fmt.Sprintf("node-%d", i)
		ctx, cancel := context.WithCancel(t.Context())
		kills[i] = cancel
		d := &dying{Store: st, left: 1 << 30, kill: cancel}
		if i == 1 {
			kills[i] = func() { // without a word, as kill -9
				d.mu.Lock()
				d.left = 0
				d.mu.Unlock()
			}
		}
		var err error
		if rooms[i], err = detect.New(cfg, detect.RoomDeps{Store: d, Rules: testRules}); err != nil {
			t.Fatal(err)
		}
		all.Go(func() { _ = rooms[i].Run(ctx) })
	}
	wait := func(what string, f func() bool) {
		t.Helper()
		deadline := time.Now().Add(40 * time.Second)
		for !f() {
			if time.Now().After(deadline) {
				t.Fatalf("waited for long: %s", what)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	parts := func(i int) int { return rooms[i].Report().Partitions }
	wait("all three have a part", func() bool { return parts(0) > 0 && parts(1) > 0 && parts(2) > 0 && parts(0)+parts(1)+parts(2) == 32 })
	appendAll(t, st, events[n/3:2*n/3], uint64(n/3))
	wait("the first two thirds are found", reached(t, st, 2*n/3))
	kills[1]()
	appendAll(t, st, events[2*n/3:], uint64(2*n/3))
	died := time.Now()
	wait("the others take over", func() bool { return parts(0)+parts(2) == 32 })
	if d := time.Since(died); d > 25*time.Second { // 15 s on a machine that has time
		t.Errorf("taking over took %v", d)
	}
	wait("everything is found", reached(t, st, n))
	kills[0]()
	kills[2]()
	all.Wait()
	same(t, "three instances", alerts(t, st), want)
}

func TestAClosedFindingIsFollowedByAnother(t *testing.T) {
	st := openStore(t)
	events := echoes(t, 20)
	appendAll(t, st, events[:10], 0)
	run(t, roomConfig(), st, t.Context(), reached(t, st, 10))
	before := alerts(t, st)
	docs, err := st.DocumentsOf(t.Context(), alert.Kind, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		x, err := alert.Read(d.Body)
		if err != nil {
			t.Fatal(err)
		}
		x.Alert.Triage.State, x.Alert.Triage.Changed = finding.Closed, time.Now().UnixNano()
		body, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Commit(t.Context(), []store.Write{{Kind: alert.Kind, ID: d.ID, Expect: d.Revision, Body: body}}); err != nil {
			t.Fatal(err)
		}
	}
	appendAll(t, st, events[10:], 10)
	run(t, roomConfig(), st, t.Context(), reached(t, st, 20))
	after := alerts(t, st)
	if total(after, "dicom.echo") != 20 {
		t.Errorf("%d echoes, want 20", total(after, "dicom.echo"))
	}
	for id, a := range before {
		if after[id].Count != a.Count {
			t.Errorf("closed finding %s went from %d to %d", id, a.Count, after[id].Count)
		}
		next := after[alert.ID(alert.KeyOf(id), 1)]
		if a.Rule == "dicom.echo" && next.Count > 0 && (next.Previous != id || next.Triage.State != finding.Open) {
			t.Errorf("%s is followed by %+v", id, next)
		}
	}
}
