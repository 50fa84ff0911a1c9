// SPDX-License-Identifier: Apache-2.0

package advisory_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/see/advisory"
)

func openStore(t testing.TB) store.Store {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: filepath.Join(t.TempDir(), "store")}, sqlite.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// until waits for a condition.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); {
		if time.Now().After(deadline) {
			t.Fatal("waited for long: " + what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// start runs a Watcher and returns how to end it.
func start(t testing.TB, db store.Store, dir string) (w *advisory.Watcher, stop func()) {
	t.Helper()
	cfg := advisory.Default()
	cfg.Every = 200 * time.Millisecond
	w, err := advisory.New(cfg, advisory.Deps{Store: db, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the watcher ended with %v", err)
		}
	}
	t.Cleanup(stop)
	return w, stop
}

func matchesOf(t testing.TB, db store.Store, id string) map[string]advisory.Match {
	t.Helper()
	all, err := advisory.AllMatches(t.Context(), db, 1000)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]advisory.Match{}
	for _, m := range all[id].Matches {
		out[m.Advisory] = m
	}
	return out
}

func put(t testing.TB, db store.Store, changed []device.Device, removed ...string) {
	t.Helper()
	if err := db.PutDevices(t.Context(), changed, removed); err != nil {
		t.Fatal(err)
	}
}

func TestVerdictsFollowTheDevices(t *testing.T) {
	db := openStore(t)
	d := dev("BD", "Alaris PCU 8015", "")
	put(t, db, []device.Device{*d})
	_, stop := start(t, db, "")
	const id = "ICSMA-20-317-01"
	until(t, "the pump is unknown", func() bool { return matchesOf(t, db, d.ID)[id].Verdict == advisory.Unknown })
	first := matchesOf(t, db, d.ID)

	put(t, db, []device.Device{*dev("BD", "Alaris PCU 8015", "9.33")})
	until(t, "the pump is affected", func() bool { return matchesOf(t, db, d.ID)[id].Verdict == advisory.Affected })
	second := matchesOf(t, db, d.ID)
	if second[id].Since <= first[id].Since {
		t.Error("a new verdict is as old as the one before it")
	}
	for k, m := range second {
		if was, ok := first[k]; ok && was.Verdict == m.Verdict && was.Since != m.Since {
			t.Errorf("%s: a verdict that stayed has another beginning", k)
		}
	}

	stop() // since when outlives a restart
	_, stop = start(t, db, "")
	put(t, db, []device.Device{*dev("BD", "Alaris PCU 8015", "9.32")})
	until(t, "it is judged again", func() bool { return matchesOf(t, db, d.ID)[id].Evidence[2] != second[id].Evidence[2] })
	if m := matchesOf(t, db, d.ID)[id]; m.Since != second[id].Since {
		t.Error("after a restart the verdict has another beginning")
	}

	put(t, db, nil, d.ID)
	until(t, "the pump is gone", func() bool { return len(matchesOf(t, db, d.ID)) == 0 })
	stop()
}

func TestKnowledgeThatIsInstalledIsUsedWithoutARestart(t *testing.T) {
	db, dir := openStore(t), t.TempDir()
	d := dev("Example Medical", "VitalView 500", "2.7")
	put(t, db, []device.Device{*d})
	w, _ := start(t, db, dir)
	until(t, "it has looked", func() bool { return w.Ready(t.Context()) == nil })
	if n := len(matchesOf(t, db, d.ID)); n != 0 {
		t.Fatalf("%d advisories name a device that does not exist", n)
	}
	x, _ := advisory.Shipped()
	packed, err := x.Encode()
	if err != nil {
		t.Fatal(err)
	}
	next, err := advisory.Decode(packed)
	if err != nil {
		t.Fatal(err)
	}
	m, err := advisory.ReadImport("a.json", fixture(t, "advisory.csaf.json"), advisory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	next.Advisories = append(next.Advisories, *m.Advisory)
	if _, err := advisory.Install(dir, next, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	until(t, "the monitor is affected", func() bool { return matchesOf(t, db, d.ID)["EMSA-2026-001"].Verdict == advisory.Affected })
	shelf, err := advisory.NewLibrary(db).Get(t.Context())
	if err != nil || !shelf.Updated || len(shelf.Base.Index.Advisories) != 145 {
		t.Errorf("the store has another index: %v", err)
	}
	trail, err := db.AuditTrail(t.Context(), store.AuditQuery{Action: "knowledge.update", Limit: 10})
	if err != nil || len(trail) != 1 {
		t.Errorf("the audit trail has %+v, %v", trail, err)
	}
}

func TestSettingsOutOfRangeAreRefused(t *testing.T) {
	for _, change := range []func(*advisory.Config){
		func(c *advisory.Config) { c.Every = 0 },
		func(c *advisory.Config) { c.MaxDevices = 0 },
	} {
		c := advisory.Default()
		change(&c)
		if _, err := advisory.New(c, advisory.Deps{}); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	if err := advisory.Default().Validate(); err != nil {
		t.Error(err)
	}
}

// BenchmarkFullPass judges ten thousand devices of 300 models, a third of which some
// advisory names, against all shipped advisories.
func BenchmarkFullPass(b *testing.B) {
	base := shippedBase(b)
	var l []device.Device
	for i := range 10_000 {
		e := &base.Entries[i*7%len(base.Entries)]
		model := e.Model
		if i%3 != 0 {
			model = fmt.Sprintf("Other %d", i%200)
		}
		d := dev(e.Advisory.Products[e.Place].Vendor, model, fmt.Sprintf("%d.%d", i%9, i%40))
		d.ID = fmt.Sprintf("dev-%d", i)
		l = append(l, *d)
	}
	b.ReportAllocs()
	for b.Loop() {
		m, n := advisory.NewMatcher(base), 0
		for i := range l {
			n += len(m.Device(&l[i]))
		}
		b.ReportMetric(float64(n), "matches")
	}
}
