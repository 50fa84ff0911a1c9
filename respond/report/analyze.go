// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/advisory"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
	"github.com/asepsis/asepsis/wire/capture"
)

// Options say what to analyse and how.
type Options struct {
	Sensor    sensor.Config
	Key       pseudonym.Key
	Inventory *inventory.Inventory // what is known already; it is added to
	Events    []sensor.Sink        // get every event besides, for example exporters
	Log       *slog.Logger
	Seed      uint64        // see sensor.Deps
	Drops     func() uint64 // see sensor.Deps
	// Name is the sensor's, in events about its own health.
	Name string
	// Detect gives what rules found in the events that it was given as one of Events, once
	// the inventory is final; nil for none.
	Detect func(*inventory.Inventory) ([]finding.Alert, error)
	// HealthEvery is how often the sensor's health is an event while it runs,
	// in time of this machine; 0 for the end only, as it should be for files.
	HealthEvery time.Duration
}

// NothingReadableError says that no packet could be read from any input.
type NothingReadableError struct {
	Names []string
	Err   error
}

func (e *NothingReadableError) Error() string {
	if e.Err == nil {
		return strings.Join(e.Names, ", ") + ": there are no packets in it"
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *NothingReadableError) Unwrap() error { return e.Err }

// Hint says what a person can do.
func (e *NothingReadableError) Hint() string {
	return "the capture was empty or broken from the start; capture again, or copy it again if it was cut in transfer"
}

// tee gives each event to the inventory and to the other sinks, one at a time.
type tee struct {
	mu    sync.Mutex
	inv   *inventory.Inventory
	sinks []sensor.Sink
}

// Emit implements sensor.Sink.
func (t *tee) Emit(e *event.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inv.Observe(e)
	for _, s := range t.sinks {
		s.Emit(e)
	}
}

// inventoryOnly is a tee without other sinks: events need not be put together
// for it in full.
type inventoryOnly struct{ tee }

// Glance implements sensor.Glancer: the inventory keeps no event.
func (t *inventoryOnly) Glance(e *event.Event) { t.inv.Observe(e) }

// watch reports the sensor's health at intervals. The function that it returns
// ends that.
func (t *tee) watch(s *sensor.Sensor, o Options) (stop func()) {
	if o.HealthEvery <= 0 {
		return func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(o.HealthEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case now := <-tick.C:
				for _, e := range s.Health(o.Name, now.UnixNano()) {
					t.Emit(e)
				}
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// health reports the sensor's health at the end, as of the last frame.
func (t *tee) health(s *sensor.Sensor, name string, clocks []*timed) {
	var last int64
	for _, c := range clocks {
		last = max(last, c.last)
	}
	for _, e := range s.Health(name, last) {
		t.Emit(e)
	}
}

// timed notes the times of the first and last frame of a source.
type timed struct {
	capture.Source
	first, last int64
}

// Unwrap says that the frames are handed on as they are.
func (s *timed) Unwrap() capture.Source { return s.Source }

func (s *timed) Next(f *capture.Frame) error {
	err := s.Source.Next(f)
	if err == nil {
		if s.first == 0 || f.Time < s.first {
			s.first = f.Time
		}
		s.last = max(s.last, f.Time)
	}
	return err
}

// Analyze reads all sources to their end, or until ctx ends, and reports. A
// source that becomes unreadable is reported as damage, not as an error; the
// error is *NothingReadableError when no source gave a single packet.
func Analyze(ctx context.Context, names []string, sources []capture.Source, o Options) (*Report, error) {
	if o.Inventory == nil {
		inv, err := inventory.New(inventory.Default())
		if err != nil {
			return nil, err
		}
		o.Inventory = inv
	}
	t := &inventoryOnly{tee{inv: o.Inventory, sinks: o.Events}}
	var sink sensor.Sink = t
	if len(o.Events) > 0 {
		sink = &t.tee
	}
	s, err := sensor.New(o.Sensor, sensor.Deps{Protocols: protocols.All(), Sink: sink, Key: o.Key, Log: o.Log, Seed: o.Seed, Drops: o.Drops})
	if err != nil {
		return nil, err
	}
	clocks := make([]*timed, len(sources))
	wrapped := make([]capture.Source, len(sources))
	for i, src := range sources {
		clocks[i] = &timed{Source: src}
		wrapped[i] = clocks[i]
	}
	stopHealth := t.watch(s, o)
	runErr := s.Run(ctx, wrapped...)
	stopHealth()
	damage, other := damages(runErr)
	if other != nil {
		return nil, other
	}
	st := s.Stats()
	if st.Packets == 0 && ctx.Err() == nil {
		return nil, &NothingReadableError{Names: names, Err: runErr}
	}
	devices := o.Inventory.Devices()
	r := &Report{
		Capture:    Capture{Files: orEmpty(names), Packets: st.Packets, Bytes: st.Bytes, Undecoded: st.Undecoded, SnapCut: st.SnapCut, Truncated: len(damage), Damage: damage},
		Devices:    Devices(devices),
		Flows:      st.Flows,
		Protocols:  st.Protocols,
		BlindSpots: orEmpty(st.BlindSpots()),
		Stats:      st,
	}
	t.health(s, o.Name, clocks)
	for i, src := range sources {
		if cs := src.Stats(); cs.Resyncs > 0 || cs.Damaged > 0 {
			name := ""
			if i < len(names) {
				name = names[i]
			}
			r.Capture.Damage = append(r.Capture.Damage, Damage{File: name, Offset: cs.Offset,
				Reason: fmt.Sprintf("read on after damage: %d times resynchronised, %d bytes and %d blocks passed over", cs.Resyncs, cs.Skipped, cs.Damaged)})
		}
	}
	for _, c := range clocks {
		if c.first != 0 && (r.Capture.First == nil || c.first < int64(*r.Capture.First)) {
			r.Capture.First = ptr(Time(c.first))
		}
		if c.last != 0 && (r.Capture.Last == nil || c.last > int64(*r.Capture.Last)) {
			r.Capture.Last = ptr(Time(c.last))
		}
	}
	r.Conversations = conversations(o.Inventory.Conversations(), r.Devices)
	found := inventory.Findings(devices)
	if o.Detect != nil {
		found = append(advisory.Findings(devices, inventory.Title), found...)
	}
	r.Findings = findings(found)
	if o.Detect != nil {
		alerts, err := o.Detect(o.Inventory)
		if err != nil {
			return nil, fmt.Errorf("detect: %w", err)
		}
		for i := range alerts {
			r.Findings = append(r.Findings, ofAlert(&alerts[i]))
		}
		slices.SortStableFunc(r.Findings, func(a, b Finding) int { return int(b.Severity) - int(a.Severity) })
	}
	return r, nil
}

func ptr[T any](v T) *T { return &v }

// damages sorts the errors of a run into damaged captures and the rest.
func damages(err error) (damage []Damage, other error) {
	if err == nil {
		return nil, nil
	}
	errs := []error{err}
	if j, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // only a join at the top is taken apart
		errs = j.Unwrap()
	}
	for _, e := range errs {
		var c *capture.CorruptError
		if errors.As(e, &c) {
			reason := c.Reason
			if c.Err != nil {
				reason += ": " + c.Err.Error()
			}
			damage = append(damage, Damage{File: c.Name, Offset: c.Offset, Reason: reason})
			continue
		}
		other = errors.Join(other, e)
	}
	return damage, other
}

// findings are what the inventory could not reconcile.
func findings(in []finding.Finding) []Finding {
	out := make([]Finding, len(in))
	for i, f := range in {
		out[i] = Finding{f.Rule, f.Severity, f.Title, f.Devices, f.Count, Time(f.First), Time(f.Last), f.Attack, f.Evidence}
	}
	return out
}

// ofAlert is what a rule found as reports show it, with its latest occurrences.
func ofAlert(a *finding.Alert) Finding {
	f := Finding{Rule: a.Rule, Severity: a.Severity, Title: a.Title, Devices: orEmpty(a.Devices), Count: a.Count, First: Time(a.First), Last: Time(a.Last), Attack: orEmpty(a.Attack), Evidence: []string{}}
	for _, e := range a.Evidence {
		if len(f.Evidence) < 5 && !slices.Contains(f.Evidence, e.Sentence) {
			f.Evidence = append(f.Evidence, e.Sentence)
		}
	}
	return f
}
