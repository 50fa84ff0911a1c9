// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/wire/capture"
)

// counter is an exporter that wants every event in full.
type counter struct {
	t      *testing.T
	events uint64
	uids   map[string]bool
}

func (c *counter) Emit(e *event.Event) {
	c.events++
	if e.UID == "" || c.uids[e.UID] {
		c.t.Errorf("the UID %q is empty or not its own", e.UID)
	}
	c.uids[e.UID] = true
	if e.Flow != nil && e.Flow.CommunityID == "" && (e.Flow.Proto == 6 || e.Flow.Proto == 17) {
		c.t.Errorf("an event of %s has no community ID", e.Protocol)
	}
}

// Without exporters the sensor leaves out what the inventory does not read. The
// report must not show it.
func TestAReportIsTheSameWhoeverReadsTheEvents(t *testing.T) {
	var names []string
	for _, glob := range []string{"*.pcap", "*.pcapng", "*/*.pcap"} {
		m, _ := filepath.Glob(filepath.Join("..", "..", "testdata", "captures", glob))
		names = append(names, m...)
	}
	if len(names) == 0 {
		t.Fatal("no captures")
	}
	for _, name := range names {
		analyse := func(sinks ...sensor.Sink) ([]byte, uint64) {
			f, err := sensor.OpenFile(name)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			cfg := sensor.Default()
			cfg.Workers = 1
			r, err := Analyze(context.Background(), []string{name}, []capture.Source{f}, Options{Sensor: cfg, Key: testKey(t), Seed: 1, Events: sinks})
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			return b, r.Stats.Events
		}
		c := &counter{t: t, uids: map[string]bool{}}
		full, n := analyse(c)
		brief, m := analyse()
		if string(full) != string(brief) {
			t.Errorf("%s: the report differs:\n%s\n%s", filepath.Base(name), full, brief)
		}
		if n != m || c.events < n {
			t.Errorf("%s: %d events in full, of which the exporter got %d; %d without exporters", filepath.Base(name), n, c.events, m)
		}
	}
}
