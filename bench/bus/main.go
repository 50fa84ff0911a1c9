// SPDX-License-Identifier: Apache-2.0

// Command bus measures the embedded bus: how many events a second go from Emit
// to a reader in the same process, each batch acknowledged and on its way to the disk,
// what that takes of memory and disk, and how long an event takes when there is no
// load.
//
// The events are those that the sensor makes of a recorded capture, over and over.
//
//	go run ./bench/bus [-events N] [-sources N] [-capture FILE] [-dir DIR]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
)

func main() {
	events := flag.Int("events", 2_000_000, "events to publish")
	sources := flag.Int("sources", 2, "goroutines that emit")
	capture := flag.String("capture", "testdata/captures/theatre.pcapng", "capture that the events are taken from")
	dir := flag.String("dir", "", "directory of the bus; empty for a temporary one")
	flag.Parse()
	if err := bench(*events, max(1, *sources), *capture, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench/bus:", err)
		os.Exit(1)
	}
}

// collector keeps every event.
type collector struct {
	mu     sync.Mutex
	events []*event.Event
}

// Emit implements sensor.Sink.
func (c *collector) Emit(e *event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

func recorded(capture string) ([]*event.Event, error) {
	key, err := pseudonym.New([]byte("a key of the benchmark's own, 32"))
	if err != nil {
		return nil, err
	}
	f, err := sensor.OpenFile(capture)
	if err != nil {
		return nil, err
	}
	c := &collector{}
	s, err := sensor.New(sensor.Default(), sensor.Deps{Protocols: protocols.All(), Sink: c, Key: key})
	if err != nil {
		return nil, err
	}
	err = errors.Join(s.Run(context.Background(), f), f.Close())
	if err == nil && len(c.events) == 0 {
		err = fmt.Errorf("%s has no events", capture)
	}
	return c.events, err
}

func bench(n, sources int, capture, dir string) error {
	events, err := recorded(capture)
	if err != nil {
		return err
	}
	var plain int
	for _, e := range events {
		b, err := record.Encode(nil, e)
		if err != nil {
			return err
		}
		plain += len(b)
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "asepsis-bench-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("%s %s/%s, %d processors, load %s\n%d events of %s, %d bytes each, encoded\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(),
		strings.TrimSpace(string(load)), len(events), filepath.Base(capture), plain/len(events))

	cfg := bus.Default()
	b, err := bus.Open(context.Background(), cfg, bus.Deps{Dir: filepath.Join(dir, "bus")})
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	if err := throughput(b, events, n, sources); err != nil {
		return err
	}
	fmt.Printf("  on disk        %10.0f bytes an event\n", float64(size(dir))/float64(n))
	fmt.Printf("  memory, most   %10s MB resident\n\n", resident())
	return latency(b, events)
}

// throughput publishes n events and waits until they are read.
func throughput(b *bus.Bus, events []*event.Event, n, sources int) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p := b.NewPublisher("bench", bus.PublisherOptions{Wait: true})
	ran, read := make(chan error, 1), make(chan error, 1)
	go func() { ran <- p.Run(ctx) }()
	got := 0
	done := make(chan struct{})
	go func() {
		read <- b.Read(ctx, 0, func(_ context.Context, x bus.Batch) error {
			if got += len(x.Events); got == n {
				close(done)
			}
			return nil
		})
	}()
	start, cpu := time.Now(), processor()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range sources {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				p.Emit(events[i%len(events)])
			}
		})
	}
	wg.Wait()
	emitted := time.Since(start)
	select {
	case <-done:
	case err := <-read:
		return err
	}
	all := time.Since(start)
	cpu = processor() - cpu
	cancel()
	if err := errors.Join(<-ran); err != nil {
		return err
	}
	s := p.Stats()
	fmt.Printf("throughput: %d events from %d goroutines\n", n, sources)
	fmt.Printf("  Emit           %10.0f events/s\n", float64(n)/emitted.Seconds())
	fmt.Printf("  Emit to Read   %10.0f events/s, %d stored, %d lost\n", float64(n)/all.Seconds(), s.Stored, s.Lost)
	fmt.Printf("  processor      %10.2f µs an event, publisher, server and reader together: %.0f events/s of each processor\n",
		float64(cpu.Microseconds())/float64(n), float64(n)/cpu.Seconds())
	return nil
}

// latency emits one event after the other, each when the one before was read.
func latency(b *bus.Bus, events []*event.Event) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	st, err := b.Stats(ctx)
	if err != nil {
		return err
	}
	p := b.NewPublisher("bench", bus.PublisherOptions{})
	ran, read := make(chan error, 1), make(chan error, 1)
	go func() { ran <- p.Run(ctx) }()
	got := make(chan struct{}, 1)
	go func() {
		read <- b.Read(ctx, st.LastPos, func(context.Context, bus.Batch) error { got <- struct{}{}; return nil })
	}()
	const rounds = 200
	took := make([]time.Duration, 0, rounds)
	for i := range rounds {
		start := time.Now()
		p.Emit(events[i%len(events)])
		select {
		case <-got:
		case err := <-read:
			return err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	fmt.Printf("latency of a single event, Emit to Read: median %v, p99 %v\n", took[rounds/2].Round(100*time.Microsecond), took[rounds*99/100].Round(100*time.Microsecond))
	cancel()
	return <-ran
}

func size(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if i, err := d.Info(); err == nil {
				n += i.Size()
			}
		}
		return nil
	})
	return n
}

// processor is the time that all threads of this process had, user and system;
// unlike the wall it tells something on a machine that others use. 0 where it is
// not known.
func processor() time.Duration {
	b, _ := os.ReadFile("/proc/self/stat")
	_, after, _ := strings.Cut(string(b), ") ") // proc(5): fields 14 and 15, in hundredths
	if f := strings.Fields(after); len(f) > 12 {
		user, _ := strconv.ParseInt(f[11], 10, 64)
		system, _ := strconv.ParseInt(f[12], 10, 64)
		return time.Duration(user+system) * 10 * time.Millisecond
	}
	return 0
}

// resident is the kernel's mark of the most memory that this process had.
func resident() string {
	b, _ := os.ReadFile("/proc/self/status")
	if _, after, ok := strings.Cut(string(b), "VmHWM:"); ok {
		var kb int64
		if _, err := fmt.Sscan(after, &kb); err == nil {
			return fmt.Sprint(kb >> 10)
		}
	}
	return "?"
}
