// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/open"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/watch"
)

// place is where asepsis up runs, again and again, with the same directory
// and addresses, and takes sensors of other processes.
type place struct {
	t                        *testing.T
	bin, data, conf, bus     string
	tokenFile, console, cert string
}

// newPlace prepares one. more is appended to its configuration.
func newPlace(t *testing.T, data, more string) *place {
	t.Helper()
	dir := shortDir(t)
	s := &place{t: t, bin: programNamed(t, "asepsis"), data: data, bus: freePort(t), console: freePort(t)}
	s.cert = filepath.Join(data, "tls", "console.crt")
	s.tokenFile = write(t, dir, "token", "a token of this test, long enough")
	s.conf = write(t, dir, "asepsis.yaml", fmt.Sprintf("data: %s\nbus:\n  listen: %s\n  token_file: %s\nconsole:\n  listen: %s\n  streams: {write_timeout: 2s}\nrecorder: {snapshot_every: 1s, devices_every: 100ms}\n%s",
		data, s.bus, s.tokenFile, s.console, more))
	return s
}

func (s *place) launch(change func(*exec.Cmd)) *program {
	s.t.Helper()
	return launch(s.t, s.bin, change, "up", "--config", s.conf)
}

func (s *place) up() *house {
	s.t.Helper()
	return at(s.launch(nil), s.cert)
}

// feed is a sensor of the test's own on the bus of a site: its events are
// numbered, and it goes on whatever happens to the bus.
type feed struct {
	t       *testing.T
	bus     *bus.Bus
	pub     *bus.Publisher
	name    string
	message string // of each event
	stopGen func()
	stopPub func()

	mu   sync.Mutex
	uids []string // of what was emitted
}

// connect makes a feed. It waits for a bus that is not there yet.
func connect(t *testing.T, url, tokenFile, name string) *feed {
	t.Helper()
	cfg := bus.Default()
	cfg.URL, cfg.TokenFile = url, config.SecretFile(tokenFile)
	b, err := bus.Open(t.Context(), cfg, bus.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	f := &feed{t: t, bus: b, name: name, pub: b.NewPublisher(name, bus.PublisherOptions{Wait: true}), stopGen: func() {}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.pub.Run(ctx) }()
	f.stopPub = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !t.Failed() {
			t.Errorf("the publisher ended with: %v", err)
		}
	})
	t.Cleanup(func() { f.stopGen(); f.stopPub(); _ = b.Close() })
	return f
}

// The two devices of a feed.
var (
	pump = event.Endpoint{MAC: device.MAC{0x00, 0x1b, 0x21, 0, 0, 1}, IP: netip.MustParseAddr("10.77.3.11"), Port: 50_000}
	peer = event.Endpoint{MAC: device.MAC{0xc8, 0xf7, 0x50, 0, 0, 2}, IP: netip.MustParseAddr("10.77.1.10"), Port: 2575}
)

// devices emits what makes the two devices known.
func (f *feed) devices() {
	for i, e := range []struct {
		who   event.Endpoint
		attr  device.Attribute
		value string
	}{{pump, device.AttrHostname, "pump-or3"}, {peer, device.AttrHostname, "gateway"}} {
		now := time.Now().UnixNano()
		f.emit(&event.Event{UID: fmt.Sprintf("%s-device-%d", f.name, i), Time: now, Activity: 1, Severity: finding.Info, Detail: &event.DeviceEvidence{Evidence: device.Evidence{
			Subject: device.Subject{MAC: e.who.MAC, IP: e.who.IP}, Attribute: e.attr, Value: e.value, Source: "test", Confidence: device.Structured, First: now, Last: now, Count: 1,
		}}})
	}
}

// numbers emits numbered events, the next ones.
func (f *feed) numbers(n int, at func(i int) time.Time) {
	for range n {
		i := f.count()
		f.emit(&event.Event{UID: fmt.Sprintf("%s-%d", f.name, i), Time: at(i).UnixNano(), Activity: 1, Severity: finding.Info, Status: event.StatusSuccess, Protocol: "hl7", Message: f.message,
			Flow:   &event.Flow{ID: 1, Proto: 6, Src: pump, Dst: peer},
			Detail: &event.Application{Name: "test", Operation: "count", Attributes: []event.KV{{Name: "number", Value: fmt.Sprint(i)}}}})
	}
}

func (f *feed) emit(e *event.Event) {
	f.pub.Emit(e)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.uids = append(f.uids, e.UID)
}

func (f *feed) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.uids)
}

// now is the time of events that happen as they are made.
func now(int) time.Time { return time.Now() }

// load emits about as many events a second until the feed's stopGen, and says
// every second that the sensor is well.
func (f *feed) load(perSecond int) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	const bursts = 50 // a second
	wg.Go(func() {
		t := time.NewTicker(time.Second / bursts)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				f.numbers(perSecond/bursts, now)
			}
		}
	})
	wg.Go(func() {
		t := time.NewTicker(time.Second)
		defer t.Stop()
		started := time.Now().UnixNano()
		for {
			p := f.pub.Stats()
			body, err := json.Marshal(watch.Report{Name: f.name, Source: "the test", State: watch.Watching, Started: started, At: time.Now().UnixNano(), Runs: 1,
				Stats:     sensor.Stats{Packets: uint64(f.count()) + 1},
				Publisher: watch.Publishing{Events: p.Events, Queued: p.Queued, OldestMS: p.Oldest.Milliseconds()}, BlindSpots: []sensor.BlindSpot{}})
			if err == nil {
				report, stop := context.WithTimeout(ctx, time.Second)
				_ = f.bus.Report(report, watch.ReportKind, f.name, body) // while the bus is away there is nobody to tell
				stop()
			}
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
		}
	})
	f.stopGen = sync.OnceFunc(func() { cancel(); wg.Wait() })
}

// drained waits until the bus has everything.
func (f *feed) drained() {
	f.t.Helper()
	eventually(f.t, "the bus has every event of "+f.name, func() bool { return f.pub.Stats().Stored == uint64(f.count()) })
	if s := f.pub.Stats(); s.Lost != 0 {
		f.t.Errorf("%s lost %d events", f.name, s.Lost)
	}
}

// stored counts the events of a store by their UIDs.
func stored(t *testing.T, c store.Config, dir string) map[string]int {
	t.Helper()
	s, err := open.Store(t.Context(), c, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	out := map[string]int{}
	for after := uint64(0); ; {
		recs, next, err := s.After(t.Context(), after, store.Query{}, 5000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			e, err := record.Decode(r.Data)
			if err != nil {
				t.Fatal(err)
			}
			out[e.UID]++
		}
		if next == after {
			return out
		}
		after = next
	}
}

// exactlyOnce checks that every event of the feeds is there once.
func exactlyOnce(t *testing.T, got map[string]int, feeds ...*feed) {
	t.Helper()
	missing, twice, all := 0, 0, 0
	for _, f := range feeds {
		for _, uid := range f.uids {
			all++
			switch n := got[uid]; {
			case n == 0:
				missing++
			case n > 1:
				twice++
			}
		}
	}
	if missing+twice > 0 {
		t.Fatalf("of %d events %d are missing and %d are there more than once", all, missing, twice)
	}
	t.Logf("%d events are there once each", all)
}

// idOf finds a device by an address.
func idOf(h *house, ip string) string {
	h.t.Helper()
	id := ""
	eventually(h.t, "the device "+ip+" is known", func() bool {
		a, err := h.try(http.MethodGet, "/api/v1/devices?q="+ip, nil)
		if err != nil || a.status != 200 {
			return false
		}
		list := decode[struct{ Devices []struct{ ID string } }](h.t, a)
		if len(list.Devices) > 0 {
			id = list.Devices[0].ID
		}
		return id != ""
	})
	return id
}
