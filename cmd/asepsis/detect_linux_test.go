// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/open"
	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/alert"
)

// ward is a database with events, in which processes detect.
type ward struct {
	h     *hospital
	dsn   string
	store store.Store
}

func newWard(t *testing.T, h *hospital, name string, devs []device.Device) *ward {
	t.Helper()
	if err := h.pg.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	w := &ward{h: h, dsn: h.pg.DSN(name)}
	cfg := store.Default()
	cfg.URL = w.dsn
	var err error
	if w.store, err = open.Store(t.Context(), cfg, t.TempDir(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	if err := w.store.PutDevices(t.Context(), devs, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// detects starts a process that detects.
func (w *ward) detects(name string) *program {
	w.h.t.Helper()
	conf := write(w.h.t, w.h.local, name+".yaml", fmt.Sprintf("bus: {url: \"nats://%s\"}\nstore: {url: %q}\ndetect: {name: %s, state_every: 1s}\n", w.h.natsAt, w.dsn, name))
	return launch(w.h.t, w.h.bin, nil, "detect", "--config", conf, "--data", filepath.Join(w.h.local, name))
}

// hears stores events as a recorder does.
func (w *ward) hears(t *testing.T, recs []record.Record, from int) {
	t.Helper()
	release, err := w.store.Lead(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for part := range slices.Chunk(recs, 200) {
		from += len(part)
		if err := w.store.Append(t.Context(), store.Position{Stream: "s", Seq: uint64(from)}, part); err != nil {
			t.Fatal(err)
		}
	}
}

// owners counts partitions by who has them.
func (w *ward) owners(t *testing.T) map[string]int {
	t.Helper()
	docs, err := w.store.DocumentsOf(t.Context(), detect.LeaseKind, "part-", 100)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, d := range docs {
		var l struct{ Owner string }
		if err := json.Unmarshal(d.Body, &l); err != nil {
			t.Fatal(err)
		}
		out[l.Owner]++
	}
	return out
}

// found is how often each rule found something about each group. What waits for time to
// pass is left out: how long a test takes is not always the same.
func (w *ward) found(t *testing.T, timeless map[string]bool) map[string]uint64 {
	t.Helper()
	docs, err := w.store.DocumentsOf(t.Context(), alert.Kind, "", 5000)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]uint64{}
	for _, d := range docs {
		x, err := alert.Read(d.Body)
		if err != nil {
			t.Fatal(err)
		}
		if timeless[x.Alert.Rule] {
			out[x.Alert.Rule+" "+d.ID] = x.Alert.Count
		}
	}
	return out
}

// TestThreeProcessesFindWhatOneFindsThoughOneIsKilled kills one with no chance to say
// anything, between two halves of what happens.
func TestThreeProcessesFindWhatOneFindsThoughOneIsKilled(t *testing.T) {
	t.Parallel()
	h := newHospital(t)
	content, err := detect.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	timeless := map[string]bool{}
	for _, r := range content.Rules {
		timeless[r.ID] = slices.Contains([]string{"trigger", "count", "unique", "ioc"}, r.Match.Kind())
	}
	var recs []record.Record
	var devs []device.Device
	for _, name := range []string{"dicom-nmap-brute.pcap", "dicom-rejected.pcap", "dicom-bad-wire.pcapng", "dicom-move.pcap", "hl7-mllp-send.pcap", "dicom-echo.pcap"} {
		events, d, err := detect.Capture(t.Context(), os.DirFS("../../testdata/captures"), name)
		if err != nil {
			t.Fatal(err)
		}
		devs = append(devs, d...)
		for _, e := range events {
			r := e.Record
			r.Seq = 0
			if r.Data, err = record.Encode(nil, e.Event); err != nil {
				t.Fatal(err)
			}
			recs = append(recs, r)
		}
	}
	alone := newWard(t, h, "alone", devs)
	one := alone.detects("alone")
	alone.hears(t, recs, 0)
	var want map[string]uint64
	since := time.Now()
	eventually(t, "one process has found all", func() bool {
		if now := alone.found(t, timeless); !maps.Equal(now, want) || len(want) == 0 {
			want, since = now, time.Now()
		}
		return time.Since(since) > 5*time.Second
	})
	if code := one.stop(); code != 0 {
		t.Errorf("it ended with code %d", code)
	}
	want = alone.found(t, timeless)

	shared := newWard(t, h, "shared", devs)
	three := []*program{shared.detects("a"), shared.detects("b"), shared.detects("c")}
	eventually(t, "each has a part", func() bool {
		o := shared.owners(t)
		return o["a"] > 0 && o["b"] > 0 && o["c"] > 0 && o["a"]+o["b"]+o["c"] == 32
	})
	half := len(recs) / 2
	shared.hears(t, recs[:half], 0)
	three[1].kill()
	killed := time.Now()
	shared.hears(t, recs[half:], half)
	eventually(t, "the others take its part over", func() bool {
		o := shared.owners(t)
		return o["a"]+o["c"] == 32
	})
	took := time.Since(killed)
	t.Logf("%d findings of %d events; taking over took %s", len(want), len(recs), took.Round(10*time.Millisecond))
	if took > 25*time.Second { // 15 s on a machine that has time
		t.Errorf("taking over took %s", took)
	}
	eventually(t, "three found what one found", func() bool { return maps.Equal(shared.found(t, timeless), want) })
	for _, p := range []*program{three[0], three[2]} {
		if code := p.stop(); code != 0 {
			t.Errorf("%s ended with code %d", p.name, code)
		}
	}
	if got := shared.found(t, timeless); !maps.Equal(got, want) {
		t.Errorf("at the end:\n got %v\nwant %v", got, want)
	}
}
