// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing/fstest"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/recorder"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/live"
	"github.com/asepsis/asepsis/see/sensor/protocols"
)

// livePort is where the packets go; the source port says which one it is.
const livePort = 47_901

// liveRule makes a finding of each packet's conversation, beside all rules that are shipped.
const liveRule = `id: network.bench
version: 1
title: "port {port} from {from}"
analyst: A packet of the measurement.
room: You can go on.
severity: {base: low}
confidence: 90
attack: []
references: []
playbook: [Nothing.]
false_positives: [None.]
values:
  - {name: from, expr: "string(src.port)", entity: true}
match:
  trigger:
    class: [application_protocol_activity]
    protocol: [syslog]
    when: dst.port == 47901
group: {by: ["string(src.port)"]}
samples:
  - name: It fires
    events: [{class: application_protocol_activity, activity: Message, protocol: syslog, src: "10.0.0.1:1000", dst: "10.0.0.2:47901"}]
    fires: {}
  - name: It does not
    events: [{class: application_protocol_activity, activity: Message, protocol: syslog, src: "10.0.0.1:1000", dst: "10.0.0.2:1"}]
    quiet: true
`

// way is one packet on its way to a finding. The times between are the parts.
type way struct{ sent, emitted, stored, alerted time.Time }

type ways struct {
	mu sync.Mutex
	of map[int]*way
}

func (w *ways) note(port int, f func(*way)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x := w.of[port]; x != nil {
		f(x)
	}
}

// portOf is the source port of a packet of the measurement.
func portOf(e *event.Event) (int, bool) {
	if e.Flow == nil || e.Protocol != "syslog" || e.Flow.Dst.Port != livePort {
		return 0, false
	}
	return int(e.Flow.Src.Port), true
}

// noted is the publisher, and notes what it is given.
type noted struct {
	*bus.Publisher
	w *ways
}

func (n noted) Emit(e *event.Event) {
	if port, ok := portOf(e); ok {
		n.w.note(port, func(x *way) {
			if x.emitted.IsZero() {
				x.emitted = time.Now()
			}
		})
	}
	n.Publisher.Emit(e)
}

// notedStore notes when events and findings are stored.
type notedStore struct {
	store.Store
	w *ways
}

func (s notedStore) Append(ctx context.Context, pos store.Position, recs []record.Record) error {
	err := s.Store.Append(ctx, pos, recs)
	now := time.Now()
	for i := range recs {
		if e, bad := record.Decode(recs[i].Data); bad == nil {
			if port, ok := portOf(e); ok {
				s.w.note(port, func(x *way) {
					if x.stored.IsZero() {
						x.stored = now
					}
				})
			}
		}
	}
	return err
}

func (s notedStore) Commit(ctx context.Context, writes []store.Write, audit ...store.Audit) error {
	err := s.Store.Commit(ctx, writes, audit...)
	now := time.Now()
	for _, w := range writes {
		if w.Kind != alert.Kind || err != nil {
			continue
		}
		var d struct {
			Alert struct{ Entities map[string]string }
		}
		if json.Unmarshal(w.Body, &d) == nil {
			if port, bad := strconv.Atoi(d.Alert.Entities["from"]); bad == nil {
				s.w.note(port, func(x *way) {
					if x.alerted.IsZero() {
						x.alerted = now
					}
				})
			}
		}
	}
	return err
}

// latency measures from a packet on the loopback interface to its finding on the disk, with all
// rules, in one process as asepsis up runs it. It needs the right to capture.
func latency(packets, rate int, res map[string]any) (err error) {
	if packets > 1000 {
		return errors.New("at most 1000 packets: one rule begins no more findings an hour")
	}
	dir, err := os.MkdirTemp("", "asepsis-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(packets/rate+60)*time.Second)
	defer cancel()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: filepath.Join(dir, "store")}, sqlite.Deps{Log: quiet})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	b, err := bus.Open(ctx, bus.Default(), bus.Deps{Dir: filepath.Join(dir, "bus"), Log: quiet})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	w := &ways{of: map[int]*way{}}
	kept := notedStore{db, w}
	rec, err := recorder.New(recorder.Default(), recorder.Deps{Bus: b, Store: kept, Log: quiet,
		Inventory: func() (*inventory.Inventory, error) { return inventory.New(inventory.Default()) }})
	if err != nil {
		return err
	}
	own := filepath.Join(dir, "rules")
	if err := os.CopyFS(own, fstest.MapFS{"network/bench.yaml": {Data: []byte(liveRule)}}); err != nil {
		return err
	}
	dc := detect.Default()
	dc.RulesDir = own
	room, err := detect.New(dc, detect.RoomDeps{Store: kept, Rules: rules.FS, Bus: b, Log: quiet})
	if err != nil {
		return err
	}
	key, err := pseudonym.New([]byte("a key of the benchmark, 32 bytes"))
	if err != nil {
		return err
	}
	pub := b.NewPublisher("bench", bus.PublisherOptions{})
	cfg := sensor.Default()
	cfg.ReportOpen = true
	s, err := sensor.New(cfg, sensor.Deps{Protocols: protocols.All(), Sink: noted{pub, w}, Key: key, Log: quiet})
	if err != nil {
		return err
	}
	lc := live.Default()
	lc.Interface = "lo"
	h, err := live.Open(ctx, lc)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	defer all.Wait()
	run, stop := context.WithCancel(ctx)
	defer stop()
	for _, f := range []func(context.Context) error{rec.Run, pub.Run, room.Run, func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { _ = h.Close() })()
		return s.Run(ctx, h.Sources()...)
	}} {
		all.Go(func() {
			if err := f(run); err != nil && run.Err() == nil {
				log.Print(err)
			}
		})
	}
	for room.Report().Partitions != 32 {
		if !pause(ctx, 50*time.Millisecond) {
			return errors.New("detection did not begin")
		}
	}
	if err := send(ctx, w, packets, rate); err != nil {
		return err
	}
	for w.left() > 0 && pause(ctx, 50*time.Millisecond) {
	}
	w.print(packets, rate, res)
	return nil
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// send sends packets, each from a port of its own.
func send(ctx context.Context, w *ways, packets, rate int) error {
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: livePort}
	sink, err := net.ListenUDP("udp4", to) // so that nobody answers that there is no one
	if err != nil {
		return err
	}
	defer func() { _ = sink.Close() }()
	var open []*net.UDPConn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for range packets {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		c, err := net.DialUDP("udp4", nil, to)
		if err != nil {
			return err
		}
		open = append(open, c)
		port := c.LocalAddr().(*net.UDPAddr).Port
		w.mu.Lock()
		w.of[port] = &way{sent: time.Now()}
		w.mu.Unlock()
		if _, err := c.Write([]byte("<14>1 - pump asepsis - - - a message of the benchmark")); err != nil {
			return err
		}
	}
	return nil
}

func (w *ways) left() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.of {
		if x.alerted.IsZero() {
			n++
		}
	}
	return n
}

func (w *ways) print(packets, rate int, res map[string]any) {
	lost := w.left()
	w.mu.Lock()
	defer w.mu.Unlock()
	log.Printf("packet to finding on the disk, %d packets at %d a second, %d without a finding (target p99 <= 100 ms)", packets, rate, lost)
	for _, part := range []struct {
		name string
		took func(*way) time.Duration
	}{
		{"capture and sensor", func(x *way) time.Duration { return x.emitted.Sub(x.sent) }},
		{"bus, recorder, store", func(x *way) time.Duration { return x.stored.Sub(x.emitted) }},
		{"detection", func(x *way) time.Duration { return x.alerted.Sub(x.stored) }},
		{"all", func(x *way) time.Duration { return x.alerted.Sub(x.sent) }},
	} {
		var took []time.Duration
		for _, x := range w.of {
			if !x.alerted.IsZero() {
				took = append(took, part.took(x))
			}
		}
		if len(took) == 0 {
			return
		}
		slices.Sort(took)
		at := func(q float64) time.Duration {
			return took[min(int(q*float64(len(took))), len(took)-1)].Round(10 * time.Microsecond)
		}
		log.Printf("  %-20s p50 %9s   p90 %9s   p99 %9s   most %9s", part.name, at(0.5), at(0.9), at(0.99), at(1))
		if part.name == "all" {
			res["packet_to_finding_p99_ms"] = float64(at(0.99)) / 1e6
		}
	}
	fmt.Println()
}
