// SPDX-License-Identifier: Apache-2.0

// Package watch runs a sensor as a room of the platform: what it sees goes onto
// the bus, and how it is doing is reported there, every two seconds.
//
// A source that ends by itself (a capture file) is read once. An interface is
// opened again, with growing pauses, when it fails: a cable that is pulled and put
// back needs nobody. In between the sensor is reported as gone.
//
// What happens when the bus is away is the publisher's matter: it queues within
// its bound, and then, for an interface, gives up the oldest and counts; for a file
// it waits.
//
// Where it is configured so, the latest packets are kept in memory, and given to
// those who ask over the bus (PacketQuery). Nothing of them is written to a disk.
package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
	"github.com/asepsis/asepsis/wire/capture"
)

// Config says how often the sensor reports.
type Config struct {
	Name        string        `yaml:"name" doc:"Name of this sensor, unique on the bus, as people know it. Empty: the host's name and the interface."`
	ReportEvery time.Duration `yaml:"report_every" doc:"How often the sensor reports its counts."`
	HealthEvery time.Duration `yaml:"health_every" doc:"How often its counts and blind spots are events, too."`
	KeepPackets int64         `yaml:"keep_packets" doc:"How many bytes of memory the latest packets are kept in, for those who look into a finding. 0 keeps none. Packets hold patient data in clear: only roles with packet.read are given them, and each time is in the audit trail."`
}

// Default reports every two seconds and makes health events every minute.
func Default() Config {
	return Config{ReportEvery: 2 * time.Second, HealthEvery: time.Minute}
}

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	switch {
	case len(c.Name) > 64:
		return config.Invalid("name", "use a short name such as or3-span", "is longer than 64 bytes")
	case strings.Contains(c.Name, "/"):
		return config.Invalid("name", "a hub puts the site's name and a slash before it", "has a slash in it")
	case c.ReportEvery < 100*time.Millisecond:
		return config.Invalid("report_every", "2s is usual", "%s is under 100ms", c.ReportEvery)
	case c.HealthEvery < time.Second:
		return config.Invalid("health_every", "1m is usual", "%s is under 1s", c.HealthEvery)
	case c.KeepPackets != 0 && (c.KeepPackets < minKeep || c.KeepPackets > maxKeep):
		return config.Invalid("keep_packets", "0 for none, 256 MiB for some minutes", "%d is neither 0 nor within 1 MiB..64 GiB", c.KeepPackets)
	}
	return nil
}

// Opened is a source of frames that is open.
type Opened struct {
	Sources []capture.Source
	Drops   func() uint64 // see sensor.Deps; may be nil
	Close   func() error  // may be nil
}

// Input is where frames come from.
type Input struct {
	Label string // for people: "eth1", "theatre.pcapng"
	Open  func(context.Context) (Opened, error)
	// Finite inputs are read once and to their end; nothing of them may be lost.
	Finite bool
	// Live sensors report connections when they open, too.
	Live bool
}

// Deps is what a watch needs from outside.
type Deps struct {
	Bus    *bus.Bus
	Sensor sensor.Config
	Key    pseudonym.Key
	Input  Input
	Log    *slog.Logger
}

// ReportKind is the kind of the bus's reports that sensors make; their name is the
// sensor's and their body a Report.
const ReportKind = "sensor"

// State is how a sensor is doing.
type State string

// The states.
const (
	Watching State = "watching"
	Gone     State = "gone"     // its input cannot be read now
	Finished State = "finished" // its input was read to the end
)

// Report is what a sensor says about itself.
type Report struct {
	Name       string             `json:"name"`
	Source     string             `json:"source"`
	State      State              `json:"state"`
	Error      string             `json:"error,omitempty"` // why it is gone
	Started    int64              `json:"started"`         // ns since the Unix epoch, UTC: of this process
	At         int64              `json:"at"`
	Runs       int                `json:"runs"`  // how often the input was opened
	Stats      sensor.Stats       `json:"stats"` // of all runs of this process
	Publisher  Publishing         `json:"publisher"`
	BlindSpots []sensor.BlindSpot `json:"blind_spots"`
}

// Publishing says how the sensor's events get onto the bus.
type Publishing struct {
	Events      uint64 `json:"events"`
	Lost        uint64 `json:"lost"` // given up: the queue was full
	Queued      uint64 `json:"queued"`
	QueuedBytes int64  `json:"queued_bytes"`
	OldestMS    int64  `json:"oldest_ms"`       // how long the oldest of them has waited
	Error       string `json:"error,omitempty"` // why the bus does not take them
}

// closedLive is for how long a sensor on an interface remembers a closed connection at
// most. What comes late comes within a moment there, and who waits for the summary, as of
// a port that refused a scanner, waits no longer.
const closedLive = 500 * time.Millisecond

// drainWait is how long a sensor that was asked to end may wait for the bus.
const drainWait = 3 * time.Second

// Watch is one sensor on the bus.
type Watch struct {
	cfg     Config
	deps    Deps
	pub     *bus.Publisher
	started time.Time
	kept    *packets // nil: none are kept

	mu      sync.Mutex
	current *sensor.Sensor
	state   State
	err     error
	runs    int
	past    sensor.Stats // of the runs before the current one
}

// New makes a watch. It acquires nothing.
func New(cfg Config, deps Deps) (*Watch, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Name == "" {
		return nil, errors.New("watch: the sensor has no name")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Input.Live {
		deps.Sensor.ReportOpen = true
		deps.Sensor.TCPClosed = min(deps.Sensor.TCPClosed, closedLive)
	}
	if err := deps.Sensor.Validate(); err != nil {
		return nil, err
	}
	var kept *packets
	if cfg.KeepPackets > 0 {
		kept = newPackets(cfg.KeepPackets)
	}
	return &Watch{kept: kept, cfg: cfg, deps: deps, started: time.Now(), state: Gone, pub: deps.Bus.NewPublisher(cfg.Name, bus.PublisherOptions{Wait: deps.Input.Finite})}, nil
}

// Run watches until ctx ends. A finite input's end does not end it: it goes on
// reporting that it has finished. What was seen is on the bus when Run returns, or
// counted as lost.
func (w *Watch) Run(ctx context.Context) error {
	pubCtx, stopPub := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	pubErr := make(chan error, 1)
	wg.Go(func() { pubErr <- w.pub.Run(pubCtx) })
	reportCtx, stopReports := context.WithCancel(context.WithoutCancel(ctx))
	wg.Go(func() { w.report(reportCtx) })
	defer w.servePackets()()

	// A capture waits for room in the queue. At the end there may be none, and
	// nobody to make it: then the publisher gives up first, and counts.
	giveUp := context.AfterFunc(ctx, func() {
		select {
		case <-pubCtx.Done():
		case <-time.After(drainWait):
			stopPub()
		}
	})
	defer giveUp()
	w.follow(ctx)
	stopReports()
	stopPub()
	wg.Wait()
	w.send(context.WithoutCancel(ctx)) // the last word
	return <-pubErr
}

// Ready reports whether frames are being watched, or were all read.
func (w *Watch) Ready(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == Gone {
		if w.err != nil {
			return w.err
		}
		return errors.New("not watching yet")
	}
	return nil
}

// Finished reports whether a finite input was read to its end.
func (w *Watch) Finished() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state == Finished
}

// follow opens the input and runs a sensor on it, again and again, until ctx ends.
func (w *Watch) follow(ctx context.Context) {
	const first, most = time.Second, 30 * time.Second
	pause := first
	for {
		began := time.Now()
		err := w.once(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case w.deps.Input.Finite:
			if err != nil {
				w.deps.Log.Error("the capture could not be read to its end", "source", w.deps.Input.Label, "err", err)
			}
			w.set(Finished, err)
			<-ctx.Done()
			return
		case err == nil:
			err = errors.New("the interface gave no more frames")
		}
		w.set(Gone, err)
		w.deps.Log.Error("the sensor lost its input and will try again", "source", w.deps.Input.Label, "err", err, "in", pause)
		if time.Since(began) > most {
			pause = first
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, most)
	}
}

// once opens the input and reads it until it or ctx ends.
func (w *Watch) once(ctx context.Context) error {
	in, err := w.deps.Input.Open(ctx)
	if err != nil {
		return err
	}
	if in.Close != nil {
		defer func() { _ = in.Close() }()
	}
	s, err := sensor.New(w.deps.Sensor, sensor.Deps{Protocols: protocols.All(), Sink: w.pub, Key: w.deps.Key, Log: w.deps.Log, Drops: in.Drops})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.current, w.state, w.err = s, Watching, nil
	w.runs++
	w.mu.Unlock()
	err = s.Run(ctx, w.keep(in.Sources)...)
	w.health(s)
	w.mu.Lock()
	w.current = nil
	w.past.Add(s.Stats())
	w.mu.Unlock()
	return err
}

func (w *Watch) set(st State, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state, w.err = st, err
}

// clock is the time to which a sensor has come: on an interface that of this machine, in a
// capture that of its newest packet. The present would end all that goes on in a capture of
// last year.
func (w *Watch) clock(s *sensor.Sensor) int64 {
	if at := s.Stats().Newest; w.deps.Input.Finite && at > 0 {
		return at
	}
	return time.Now().UnixNano()
}

func (w *Watch) health(s *sensor.Sensor) {
	for _, e := range s.Health(w.cfg.Name, w.clock(s)) {
		w.pub.Emit(e)
	}
}

// report sends reports and health events until ctx ends.
func (w *Watch) report(ctx context.Context) {
	reports, health := time.NewTicker(w.cfg.ReportEvery), time.NewTicker(w.cfg.HealthEvery)
	defer reports.Stop()
	defer health.Stop()
	var quiet silence
	clocks := w.clocks()
	w.send(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-reports.C:
			w.send(ctx)
			now := w.clocks()
			if by := clocks.stepTo(now); by != 0 {
				w.blind(stepped(by))
			}
			clocks = now
		case <-health.C:
			s := w.running()
			if s == nil {
				quiet = silence{}
				continue
			}
			w.health(s)
			if since := quiet.since(s, s.Stats().Packets, time.Now()); since > 0 && w.deps.Input.Live {
				w.blind(silent(since))
			}
		}
	}
}

func (w *Watch) running() *sensor.Sensor {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.current
}

// blind makes an event of what the sensor itself cannot know.
func (w *Watch) blind(b sensor.BlindSpot) {
	if s := w.running(); s != nil {
		w.pub.Emit(s.Blind(w.cfg.Name, w.clock(s), b))
	}
}

// Report returns what the sensor says about itself now.
func (w *Watch) Report() Report {
	w.mu.Lock()
	r := Report{Name: w.cfg.Name, Source: w.deps.Input.Label, State: w.state, Started: w.started.UnixNano(), At: time.Now().UnixNano(), Runs: w.runs}
	p := w.pub.Stats()
	r.Publisher = Publishing{Events: p.Events, Lost: p.Lost, Queued: p.Queued, QueuedBytes: p.QueuedBytes, OldestMS: p.Oldest.Milliseconds()}
	if p.LastError != nil {
		r.Publisher.Error = p.LastError.Error()
	}
	if w.err != nil {
		r.Error = w.err.Error()
	}
	r.Stats.Add(w.past)
	s := w.current
	w.mu.Unlock()
	if s != nil {
		r.Stats.Add(s.Stats())
	}
	r.BlindSpots = r.Stats.BlindSpots()
	return r
}

func (w *Watch) send(ctx context.Context) {
	body, err := json.Marshal(w.Report())
	if err != nil {
		w.deps.Log.Error("the sensor's report cannot be encoded", "err", fmt.Errorf("BUG: %w", err))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.ReportEvery+time.Second)
	defer cancel()
	if err := w.deps.Bus.Report(ctx, ReportKind, w.cfg.Name, body); err != nil && ctx.Err() == nil {
		w.deps.Log.Warn("the sensor's report did not get through", "err", err)
	}
}

var _ sensor.Sink = (*bus.Publisher)(nil)
