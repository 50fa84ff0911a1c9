// SPDX-License-Identifier: Apache-2.0

// Package sensor turns frames into events: it decodes packets, follows flows,
// puts TCP streams in order, finds out by content which protocol each flow
// speaks, and lets that protocol's analyser read along.
//
// The sensor never transmits. Frames come from capture.Source values, files
// and live interfaces alike, so that there is one code path.
//
// # Workers
//
// Each flow belongs to one worker, chosen by a keyed hash of its ends. With one
// worker everything runs in the caller's goroutine. With several, a dispatcher
// shares frames out to the workers in batches, those of a mapped file where they lie and
// others as copies; when a worker cannot keep up the dispatcher waits, so that a file loses nothing and a live source counts its
// losses in the kernel. When Run is given as many sources as there are workers, each
// worker reads its own (a live source with fan-out).
//
// # Bounds
//
// Flows, bytes behind holes of streams, fragments, unconsumed bytes and the
// work of an analyser are bounded; whatever is given up because of a bound is
// counted in Stats and shown as a blind spot. An idle flow costs less than
// 400 bytes.
package sensor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/capture"
)

// Sink takes events. Emit is called from all workers at once. The event is
// the sink's from then on.
type Sink interface{ Emit(e *event.Event) }

// Glancer is a Sink that keeps no event and does not read all of it. For it the
// sensor leaves out what costs most: it is given every event, in the same order,
// but by Glance instead of Emit. Of device evidence and connections all is there but
// the UID and the community ID; of all others Time, Protocol and Flow, of those of
// the medical classes Detail's type, and the devices that a message names.
type Glancer interface {
	Sink
	// Glance looks at an event that is the sensor's again when it returns.
	Glance(e *event.Event)
}

// Deps is what a sensor needs from outside.
type Deps struct {
	Protocols []analyze.Protocol
	Sink      Sink
	Key       pseudonym.Key
	Log       *slog.Logger
	// Drops, when set, returns how many frames a live source lost so far. It
	// may be called from any goroutine. What a file says is counted anyway.
	Drops func() uint64
	// Seed makes hashing and identifiers reproducible, for tests; 0 draws
	// them at random.
	Seed uint64
}

// Sensor follows the traffic of one run.
type Sensor struct {
	cfg       Config
	sink      Sink
	glance    Glancer // the sink when it is one, else nil
	key       pseudonym.Key
	log       *slog.Logger
	secret    uint64
	run       uint64
	streams   []analyze.Protocol
	datagrams []analyze.Protocol
	frames    []analyze.Protocol

	mu      sync.Mutex
	total   Stats          // of finished workers
	live    []*worker      // for Stats while running
	panics  map[string]int // reported once per analyser
	drops   func() uint64
	healths uint64 // health events given so far
}

// New makes a sensor. It acquires nothing.
func New(cfg Config, deps Deps) (*Sensor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Sink == nil {
		return nil, errors.New("sensor: no sink")
	}
	s := &Sensor{cfg: cfg, sink: deps.Sink, key: deps.Key, log: deps.Log, drops: deps.Drops, secret: deps.Seed, run: deps.Seed, panics: map[string]int{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if deps.Seed == 0 {
		s.secret, s.run = rand.Uint64(), uint64(time.Now().UnixMicro())
	}
	s.secret |= 1
	s.glance, _ = deps.Sink.(Glancer)
	s.total.init()
	known := map[string]bool{}
	for _, p := range deps.Protocols {
		known[p.Name] = true
		if slices.Contains(cfg.Disabled, p.Name) {
			continue
		}
		switch {
		case p.NewStream != nil && p.Probe != nil:
			s.streams = append(s.streams, p)
		case p.NewDatagram != nil && p.Probe != nil:
			s.datagrams = append(s.datagrams, p)
		case p.Frame != nil && p.Select != nil:
			s.frames = append(s.frames, p)
		default:
			return nil, fmt.Errorf("sensor: protocol %q has no analyser", p.Name)
		}
	}
	for _, d := range cfg.Disabled {
		if !known[d] {
			return nil, fmt.Errorf("disabled: no analyser is called %q", d)
		}
	}
	if len(s.streams) > 63 || len(s.datagrams) > 63 {
		return nil, errors.New("BUG: more than 63 protocols on one transport")
	}
	return s, nil
}

// panicked reports an analyser's panic, once per analyser with the stack.
func (s *Sensor) panicked(name string, r any) {
	s.mu.Lock()
	s.panics[name]++
	first := s.panics[name] == 1
	s.mu.Unlock()
	if first {
		s.log.Error("an analyser failed; its flow is lost, the sensor goes on", "analyser", name, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	}
}

// Run reads the sources to their end or until ctx ends, and returns after all
// flows were ended and their events emitted. The error of a source that became
// unreadable is returned after everything before it was analysed; ctx's end is
// no error.
func (s *Sensor) Run(ctx context.Context, sources ...capture.Source) error {
	n := s.cfg.workers()
	if s.drops == nil {
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, src := range sources {
				s.total.Dropped += src.Stats().Dropped
			}
		}()
	}
	switch {
	case len(sources) == 0:
		return errors.New("sensor: no source")
	case len(sources) > 1 && len(sources) == n:
		return s.runOwn(ctx, sources)
	case len(sources) > 1:
		sources = []capture.Source{capture.Merge(sources...)}
	}
	if n == 1 {
		w := s.worker(0)
		err := w.read(ctx, sources[0])
		s.done(w)
		return err
	}
	return s.dispatch(ctx, sources[0], n)
}

func (s *Sensor) worker(n int) *worker {
	w := newWorker(s, n)
	s.mu.Lock()
	s.live = append(s.live, w)
	s.mu.Unlock()
	return w
}

// done ends a worker's flows and adds its counts to the total.
func (s *Sensor) done(w *worker) {
	w.finish()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total.add(&w.stats)
	s.live = slices.DeleteFunc(s.live, func(o *worker) bool { return o == w })
}

// Stats returns the counts. While Run is running they are those of finished
// workers and of the last publication of the others, at most a second old.
func (s *Sensor) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.total.clone()
	for _, w := range s.live {
		if p := w.published.Load(); p != nil {
			t.add(p)
		}
	}
	if s.drops != nil {
		t.Dropped += s.drops()
	}
	return t
}

// read runs a worker on a source in the calling goroutine.
func (w *worker) read(ctx context.Context, src capture.Source) error {
	return cutShort(src, w.readAll(ctx, src))
}

func (w *worker) readAll(ctx context.Context, src capture.Source) (err error) {
	defer surviveFaults(&err)()
	var f capture.Frame
	for n := 0; ; n++ {
		if n&1023 == 0 && ctx.Err() != nil {
			return nil
		}
		if err := src.Next(&f); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		w.frame(&f)
	}
}

// runOwn gives each worker its own source.
func (s *Sensor) runOwn(ctx context.Context, sources []capture.Source) error {
	errs := make([]error, len(sources))
	var wg sync.WaitGroup
	for i, src := range sources {
		w := s.worker(i)
		wg.Go(func() {
			errs[i] = w.read(ctx, src)
			s.done(w)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
