// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/wire/capture"
)

const recorded = "../../testdata/captures/dicom-store.pcap"

func key(t *testing.T) pseudonym.Key {
	t.Helper()
	k, err := pseudonym.New([]byte("a key of the test's own, 32 byte"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func embedded(t *testing.T) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Default(), bus.Deps{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// running runs a watch until the function that it returns is called, which gives
// what Run returned.
func running(t *testing.T, b *bus.Bus, in Input, change func(*Config)) (*Watch, func() error) {
	t.Helper()
	cfg := Default()
	cfg.Name, cfg.ReportEvery = "span", 100*time.Millisecond
	if change != nil {
		change(&cfg)
	}
	w, err := New(cfg, Deps{Bus: b, Sensor: sensor.Default(), Key: key(t), Input: in, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	var ended atomic.Bool
	stop := func() error {
		if ended.Swap(true) {
			return nil
		}
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(time.Minute):
			return errors.New("it did not end within a minute")
		}
	}
	t.Cleanup(func() { _ = stop() })
	return w, stop
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// reported returns what the bus has of the sensor.
func reported(t *testing.T, b *bus.Bus) (r Report, ok bool) {
	t.Helper()
	all, err := b.Reports(t.Context(), ReportKind)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		if x.Name == "span" {
			if err := json.Unmarshal(x.Body, &r); err != nil {
				t.Fatal(err)
			}
			return r, true
		}
	}
	return r, false
}

func file(name string) Input {
	return Input{Label: filepath.Base(name), Finite: true, Open: func(context.Context) (Opened, error) {
		f, err := sensor.OpenFile(name)
		if err != nil {
			return Opened{}, err
		}
		return Opened{Sources: []capture.Source{f}, Close: f.Close}, nil
	}}
}

func TestACaptureIsReadOnceToItsEnd(t *testing.T) {
	t.Parallel()
	b := embedded(t)
	w, stop := running(t, b, file(recorded), nil)
	eventually(t, "it has finished", w.Finished)
	if err := w.Ready(t.Context()); err != nil {
		t.Errorf("a sensor that has read its capture is not ready: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	r, ok := reported(t, b)
	if !ok || r.State != Finished || r.Runs != 1 || r.Stats.Packets == 0 || r.Publisher.Events == 0 || r.Publisher.Lost+r.Publisher.Queued > 0 || r.Error != "" || r.Source != "dicom-store.pcap" {
		t.Errorf("its last word: %+v", r)
	}
	// What it published is what the bus has.
	var events, health, late atomic.Uint64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- b.Read(ctx, 0, func(_ context.Context, x bus.Batch) error {
			for _, data := range x.Events {
				e, err := record.Decode(data)
				if err != nil {
					return err
				}
				if e.Class() == event.ClassSensorHealth {
					health.Add(1)
					if time.Since(time.Unix(0, e.Time)) < time.Minute {
						late.Add(1)
					}
				}
			}
			events.Add(uint64(len(x.Events))) // last: who sees all events counted finds them judged
			return nil
		})
	}()
	eventually(t, "the bus gives every event", func() bool { return events.Load() == r.Publisher.Events })
	if health.Load() == 0 || late.Load() > 0 {
		t.Errorf("%d of %d health events have the time of this machine, not of the capture: they would end what goes on in it", late.Load(), health.Load())
	}
	cancel()
	<-done
}

// pulled is an interface that fails after some frames, and does so again.
type pulled struct {
	frames int
	err    error
}

func (p *pulled) Next(f *capture.Frame) error {
	if p.frames == 0 {
		return p.err
	}
	p.frames--
	*f = capture.Frame{Time: time.Now().UnixNano(), Link: capture.LinkEthernet, OrigLen: 60, Data: make([]byte, 60)}
	return nil
}

func (p *pulled) Stats() capture.Stats { return capture.Stats{} }

func TestAnInterfaceThatFailsIsOpenedAgain(t *testing.T) {
	t.Parallel()
	b := embedded(t)
	gone := errors.New("the cable was pulled")
	var opened atomic.Int32
	in := Input{Label: "eth1", Live: true, Open: func(ctx context.Context) (Opened, error) {
		switch opened.Add(1) {
		case 1:
			return Opened{Sources: []capture.Source{&pulled{10, gone}}}, nil
		case 2:
			return Opened{}, gone
		}
		return Opened{Sources: []capture.Source{&open{ctx, 5}}}, nil
	}}
	w, stop := running(t, b, in, nil)
	eventually(t, "it is reported as gone, with the reason", func() bool {
		r, ok := reported(t, b)
		return ok && r.State == Gone && r.Error == gone.Error() && r.Runs == 1
	})
	if err := w.Ready(t.Context()); !errors.Is(err, gone) {
		t.Errorf("a sensor without its interface is ready: %v", err)
	}
	eventually(t, "it watches again, and keeps its counts", func() bool {
		r, ok := reported(t, b)
		return ok && r.State == Watching && r.Runs == 2 && r.Stats.Packets >= 10 && r.Error == ""
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// open is an interface that gives some frames and then none until ctx ends.
type open struct {
	ctx    context.Context
	frames int
}

func (o *open) Next(f *capture.Frame) error {
	if o.frames == 0 {
		<-o.ctx.Done()
		return io.EOF
	}
	return (&pulled{frames: 1}).Next(o.count(f))
}

func (o *open) count(f *capture.Frame) *capture.Frame {
	o.frames--
	return f
}

func (o *open) Stats() capture.Stats { return capture.Stats{} }

func TestASensorEndsThoughItsQueueIsFullAndTheBusIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(srv.Shutdown)
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("no server")
	}
	cfg := bus.Default()
	cfg.URL, cfg.QueueBytes = "nats://"+srv.Addr().(*net.TCPAddr).String(), 2*config.MiB
	b, err := bus.Open(t.Context(), cfg, bus.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	srv.Shutdown()
	srv.WaitForShutdown()

	in := Input{Label: "endless.pcap", Finite: true, Open: func(context.Context) (Opened, error) {
		return Opened{Sources: []capture.Source{&again{}}}, nil
	}}
	w, stop := running(t, b, in, nil)
	eventually(t, "the queue is full, and that is reported", func() bool {
		p := w.Report().Publisher
		return p.QueuedBytes > int64(2*config.MiB)*9/10 && p.OldestMS > 0
	})
	if p := w.Report().Publisher; p.Lost != 0 {
		t.Errorf("%d events of a capture were given up though it can wait", p.Lost)
	}
	if err := stop(); !errors.Is(err, bus.ErrAway) {
		t.Errorf("ended with %v, which does not say what became of the events", err)
	}
	if p := w.Report().Publisher; p.Lost == 0 || p.Queued != 0 {
		t.Errorf("what was not sent is not counted as lost: %+v", p)
	}
}

// again gives the frames of a recorded capture without end.
type again struct {
	src   capture.Source
	close func() error
	shift int64
}

func (a *again) Next(f *capture.Frame) error {
	for {
		if a.src == nil {
			o, err := sensor.OpenFile(recorded)
			if err != nil {
				return err
			}
			a.src, a.close = o, o.Close
		}
		err := a.src.Next(f)
		if err == nil {
			f.Time += a.shift
			return nil
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
		_ = a.close()
		a.src, a.shift = nil, a.shift+int64(time.Hour)
	}
}

func (a *again) Stats() capture.Stats { return capture.Stats{} }
