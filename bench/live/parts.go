// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/recorder"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/live"
	"github.com/asepsis/asepsis/see/sensor/protocols"
)

// marks are when an event came where, by the source port of its packet.
type marks struct {
	mu sync.Mutex
	at map[int]*passage
}

// passage is one packet on its way. The times between are the parts.
type passage struct{ sent, emitted, appending, stored, read time.Time }

func (m *marks) note(e *event.Event, f func(p *passage)) {
	if e == nil || e.Flow == nil || e.Flow.Src.Port < firstPort {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.at[int(e.Flow.Src.Port)]; p != nil {
		f(p)
	}
}

// sink is the publisher, and notes what it is given.
type sink struct {
	*bus.Publisher
	m *marks
}

func (s sink) Emit(e *event.Event) {
	s.m.note(e, func(p *passage) {
		if p.emitted.IsZero() {
			p.emitted = time.Now()
		}
	})
	s.Publisher.Emit(e)
}

// timed is a store that notes when it is asked to append.
type timed struct {
	store.Store
	mu   sync.Mutex
	runs []appended
}

type appended struct {
	began, ended time.Time
	recs         []record.Record
}

func (t *timed) Append(ctx context.Context, pos store.Position, recs []record.Record) error {
	began := time.Now()
	err := t.Store.Append(ctx, pos, recs)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs = append(t.runs, appended{began, time.Now(), recs})
	return err
}

// parts measures from packet to a reader of the store, such as the detection is, in
// this process, and what each part of the way takes.
func parts(dir string, packets, rate int) (err error) {
	c, err := newCable()
	if err != nil {
		return err
	}
	defer c.close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(packets/rate+60)*time.Second)
	defer cancel()
	quiet := slog.New(slog.DiscardHandler)
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
	kept := &timed{Store: db}
	rec, err := recorder.New(recorder.Default(), recorder.Deps{Bus: b, Store: kept, Log: quiet,
		Inventory: func() (*inventory.Inventory, error) { return inventory.New(inventory.Default()) }})
	if err != nil {
		return err
	}
	key, err := pseudonym.New([]byte("a key of the benchmark, 32 bytes"))
	if err != nil {
		return err
	}
	m := &marks{at: make(map[int]*passage, packets)}
	pub := b.NewPublisher("bench", bus.PublisherOptions{})
	cfg := sensor.Default()
	cfg.ReportOpen = true
	s, err := sensor.New(cfg, sensor.Deps{Protocols: protocols.All(), Sink: sink{pub, m}, Key: key, Log: quiet})
	if err != nil {
		return err
	}
	watch := live.Default()
	watch.Interface = c.watched
	h, err := live.Open(ctx, watch)
	if err != nil {
		return err
	}

	// The rooms end one after the other, in the way of the data.
	var rooms sync.WaitGroup
	errs := make([]error, 3)
	room := func(i int, run func(context.Context) error) func() {
		roomCtx, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		rooms.Go(func() { defer close(ended); errs[i] = run(roomCtx) })
		return func() { stop(); <-ended }
	}
	stopRecorder := room(0, rec.Run)
	stopPublisher := room(1, pub.Run)
	stopSensor := room(2, func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { _ = h.Close() })()
		return s.Run(ctx, h.Sources()...)
	})
	failed := exchange(ctx, c, db, m, packets, rate)
	stopSensor()
	_ = h.Close()
	stopPublisher()
	stopRecorder()
	rooms.Wait()
	if failed != nil {
		return errors.Join(append(errs, failed)...)
	}
	for _, a := range kept.runs {
		for i := range a.recs {
			e, err := record.Decode(a.recs[i].Data)
			if err != nil {
				return err
			}
			m.note(e, func(p *passage) {
				if p.stored.IsZero() {
					p.appending, p.stored = a.began, a.ended
				}
			})
		}
	}
	m.print(packets, rate, len(kept.runs))
	return nil
}

// exchange sends the packets and follows the store until it has seen all of them.
func exchange(ctx context.Context, c *cable, s store.Store, m *marks, packets, rate int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- follow(ctx, s, m, packets) }()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := range packets {
		<-tick.C
		m.mu.Lock()
		m.at[firstPort+i] = &passage{sent: time.Now()}
		m.mu.Unlock()
		if err := c.send(firstPort + i); err != nil {
			return err
		}
	}
	return <-done
}

func follow(ctx context.Context, s store.Store, m *marks, packets int) error {
	var decoder record.Decoder
	var at uint64
	for seen := 0; seen < packets; {
		if err := s.Wait(ctx, at); err != nil {
			return fmt.Errorf("%d of %d packets were read: %w", seen, packets, err)
		}
		recs, next, err := s.After(ctx, at, store.Query{}, 1000)
		if err != nil {
			return err
		}
		at = next
		now := time.Now()
		for i := range recs {
			e, err := decoder.Decode(recs[i].Data)
			if err != nil {
				return err
			}
			m.note(e, func(p *passage) {
				if p.read.IsZero() {
					p.read = now
					seen++
				}
			})
		}
	}
	return nil
}

func (m *marks) print(packets, rate, transactions int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Printf("packet to a reader of the store, %d packets at %d a second, %d transactions\n", packets, rate, transactions)
	for _, part := range []struct {
		name string
		took func(p *passage) time.Duration
	}{
		{"capture and sensor", func(p *passage) time.Duration { return p.emitted.Sub(p.sent) }},
		{"bus and recorder", func(p *passage) time.Duration { return p.appending.Sub(p.emitted) }},
		{"append", func(p *passage) time.Duration { return p.stored.Sub(p.appending) }},
		{"Wait and After", func(p *passage) time.Duration { return max(0, p.read.Sub(p.stored)) }},
		{"all", func(p *passage) time.Duration { return p.read.Sub(p.sent) }},
	} {
		took := make([]time.Duration, 0, packets)
		for _, p := range m.at {
			took = append(took, part.took(p))
		}
		slices.Sort(took)
		at := func(q float64) time.Duration {
			return took[min(int(q*float64(len(took))), len(took)-1)].Round(10 * time.Microsecond)
		}
		fmt.Printf("  %-20s p50 %9s   p90 %9s   p99 %9s   most %9s\n", part.name, at(0.5), at(0.9), at(0.99), at(1))
	}
}
