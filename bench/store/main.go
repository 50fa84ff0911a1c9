// SPDX-License-Identifier: Apache-2.0

// Command store measures the event stores side by side: how many events a second
// they take, how much space an event needs, and how long the questions of the
// console take.
//
//	go run ./bench/store [-events 10000000] [-engine sqlite|postgres|both] [-cpu 0]
//	go run ./bench/store -events 10000000 -engine both -markdown     # the table of docs/store.md
//	go run ./bench/store -events 10000000 -dir DIR                   # again: asks only
//
// With -dir a store that has the events already is used again and only asked. PostgreSQL is started in a temporary directory; it needs Debian's postgresql
// package. Events are those of testdata/captures/theatre.pcapng, see replay.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/asepsis/asepsis/bench/store/replay"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/store:", err)
		os.Exit(2)
	}
}

type options struct {
	events, batch, rounds int
	capture, dir, profile string
	only                  string // questions whose names hold it
	rate                  float64
	table                 *table // nil: lines are printed at once only
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	fs := flag.NewFlagSet("store", flag.ContinueOnError)
	fs.IntVar(&o.events, "events", 1_000_000, "events to store")
	fs.IntVar(&o.batch, "batch", 5_000, "events of one append")
	fs.IntVar(&o.rounds, "rounds", 20, "repetitions of each question")
	fs.StringVar(&o.only, "only", "", "ask only the questions whose names hold this")
	engine := fs.String("engine", "sqlite", "sqlite, postgres or both")
	cpu := fs.Int("cpu", 0, "cores to use, 0 for all")
	fs.StringVar(&o.capture, "capture", "testdata/captures/theatre.pcapng", "capture whose events are replayed")
	fs.Float64Var(&o.rate, "rate", 100, "events a second of event time")
	profile := fs.String("cpuprofile", "", "file for a CPU profile of the appends; of the questions when the events are there already")
	fs.StringVar(&o.dir, "dir", "", "where SQLite stores, kept and used again; a temporary directory when empty")
	markdown := fs.Bool("markdown", false, "print a table of all engines at the end, too")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *cpu > 0 {
		runtime.GOMAXPROCS(*cpu)
	}
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "asepsis-bench-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		o.dir = dir
	}
	o.profile = *profile
	if *markdown {
		o.table = newTable()
	}
	engines := map[string]func(context.Context, options) (store.Store, func(), error){"sqlite": openSQLite, "postgres": openPostgres}
	names := []string{*engine}
	if *engine == "both" {
		names = []string{"sqlite", "postgres"}
	}
	for _, name := range names {
		open := engines[name]
		if open == nil {
			return fmt.Errorf("engine %q: want sqlite, postgres or both", name)
		}
		if err := measure(ctx, name, open, o, out); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if o.table != nil {
		o.table.print(out, o.events)
	}
	return nil
}

func openSQLite(ctx context.Context, o options) (store.Store, func(), error) {
	s, err := sqlite.Open(ctx, sqlite.Config{Dir: o.dir}, sqlite.Deps{Log: slog.Default()})
	return s, func() {}, err
}

func measure(ctx context.Context, name string, open func(context.Context, options) (store.Store, func(), error), o options, out io.Writer) error {
	s, end, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer end()
	defer func() { _ = s.Close() }()
	release, err := s.Lead(ctx, false)
	if err != nil {
		return err
	}
	defer release()
	o.table.engine(name)
	st, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	if st.Events >= uint64(o.events) {
		_, _ = fmt.Fprintf(out, "%s, %d events that are there already\n", name, st.Events)
		end, err := profiled(o.profile)
		if err != nil {
			return err
		}
		defer end()
	} else if st, err = appends(ctx, name, s, o, out); err != nil {
		return err
	}
	return questions(ctx, s, o, st, out)
}

// appends stores the events and says what that took.
func appends(ctx context.Context, name string, s store.Store, o options, out io.Writer) (store.Stats, error) {
	span := time.Duration(float64(o.events) / o.rate * float64(time.Second))
	begin := time.Now().Add(-span)
	src, err := replay.Load(o.capture, 1, begin, o.rate)
	if err != nil {
		return store.Stats{}, err
	}
	making, err := makingCost(o, begin)
	if err != nil {
		return store.Stats{}, err
	}
	var spent, worst time.Duration
	var raw int64
	endProfile, err := profiled(o.profile)
	if err != nil {
		return store.Stats{}, err
	}
	defer endProfile()
	cpu := cpuTime()
	for n, pos := 0, uint64(1); n < o.events; pos++ {
		recs := src.Next(min(o.batch, o.events-n))
		for i := range recs {
			raw += int64(len(recs[i].Data))
		}
		at := time.Now()
		if err := s.Append(ctx, store.Position{Stream: "bench", Seq: pos}, recs); err != nil {
			return store.Stats{}, err
		}
		d := time.Since(at)
		spent += d
		worst = max(worst, d)
		n += len(recs)
	}
	cpu = cpuTime() - cpu
	endProfile()
	st, err := s.Stats(ctx)
	if err != nil {
		return store.Stats{}, err
	}
	rate := float64(o.events) / spent.Seconds()
	_, _ = fmt.Fprintf(out, "%s, %d events over %v, %d cores, appends of %d\n", name, st.Events, span.Round(time.Minute), runtime.GOMAXPROCS(0), o.batch)
	_, _ = fmt.Fprintf(out, "  append   %8.0f events/s   %s 150000 asked for; the longest append took %v\n", rate, verdict(rate >= 150_000), worst.Round(time.Millisecond))
	each := float64(cpu.Microseconds()) / float64(o.events)
	_, _ = fmt.Fprintf(out, "  processor %7.2f us an event for storing it, and %.2f for making it, which is not the store's\n", each-making, making)
	_, _ = fmt.Fprintf(out, "  space    %8.1f bytes an event; encoded it has %.1f\n", float64(st.Bytes)/float64(st.Events), float64(raw)/float64(st.Events))
	o.table.put("append, events/s", fmt.Sprintf("%.0f", rate))
	o.table.put("the longest append, ms", fmt.Sprintf("%.0f", ms(worst)))
	o.table.put("processor, us an event", fmt.Sprintf("%.1f", each-making))
	o.table.put("bytes an event", fmt.Sprintf("%.1f", float64(st.Bytes)/float64(st.Events)))
	return st, nil
}

// profiled begins a CPU profile, and returns what ends it; nothing without a file.
func profiled(file string) (end func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}

// makingCost returns the microseconds of processor that making an event takes.
func makingCost(o options, begin time.Time) (float64, error) {
	const n = 100_000
	src, err := replay.Load(o.capture, 2, begin, o.rate)
	if err != nil {
		return 0, err
	}
	cpu := cpuTime()
	for made := 0; made < n; made += o.batch {
		src.Next(o.batch)
	}
	return float64((cpuTime() - cpu).Microseconds()) / n, nil
}

func verdict(ok bool) string {
	if ok {
		return "ok,"
	}
	return "LESS than"
}

func questions(ctx context.Context, s store.Store, o options, st store.Stats, out io.Writer) error {
	to := st.Last + 1
	dayAgo, hourAgo := max(st.First, to-int64(24*time.Hour)), max(st.First, to-int64(time.Hour))
	newest, err := s.Query(ctx, store.Query{Limit: 1})
	if err != nil {
		return err
	}
	device := newest.Records[0].SrcDevice
	if device == "" {
		device = "dev-0a141405"
	}
	_, last, err := s.Last(ctx)
	if err != nil {
		return err
	}
	query := func(q store.Query) func() (string, error) {
		return func() (string, error) {
			p, err := s.Query(ctx, q)
			note := fmt.Sprintf("%d events", len(p.Records))
			if !p.Complete {
				note += ", budget ended"
			}
			return note, err
		}
	}
	term := func(f store.Field, v string) []store.Term { return []store.Term{{Field: f, Values: []string{v}}} }
	hist := func(q store.Query, n int) func() (string, error) {
		return func() (string, error) {
			h, err := s.Histogram(ctx, q, n)
			return fmt.Sprintf("complete %v", h.Complete), err
		}
	}
	top := func(f store.Field) func() (string, error) {
		return func() (string, error) {
			t, err := s.Top(ctx, store.Query{}, f, 10)
			return fmt.Sprintf("%d values, complete %v", len(t.Values), t.Complete), err
		}
	}
	list := []struct {
		name string
		ask  func() (string, error)
	}{
		{"newest page", query(store.Query{Limit: 100})},
		{"page of a protocol and severity", query(store.Query{Limit: 100, Terms: term(store.FieldProtocol, "dicom"), MinSeverity: finding.Low})},
		{"page of a theatre", query(store.Query{Limit: 100, Terms: term(store.FieldTheatre, "theatre-07")})},
		{"page of medium and above, all time", query(store.Query{Limit: 100, MinSeverity: finding.Medium})},
		{"device, newest page", query(store.Query{Limit: 100, Terms: term(store.FieldDevice, device)})},
		{"device activity, 24 h", func() (string, error) {
			a, err := s.Activity(ctx, device, dayAgo, to, 96)
			return fmt.Sprintf("%d steps", len(a)), err
		}},
		{"text, a frequent word", query(store.Query{Limit: 100, Text: "storage"})},
		{"text, an absent word, all time", query(store.Query{Limit: 100, Text: "laparoscope", Budget: time.Minute})},
		{"text, an absent address, all time", query(store.Query{Limit: 100, Text: "10.99.3.4", Budget: time.Minute})},
		{"text, an absent prefix, 1 h", query(store.Query{Limit: 100, From: hourAgo, Text: "laparos*", Budget: time.Minute})},
		{"histogram, 24 h, 96 steps", hist(store.Query{From: dayAgo, To: to}, 96)},
		{"histogram, all, 100 steps", hist(store.Query{}, 100)},
		{"histogram of a device, 24 h", hist(store.Query{From: dayAgo, To: to, Terms: term(store.FieldDevice, device)}, 96)},
		{"top protocols, all", top(store.FieldProtocol)},
		{"top devices, all", top(store.FieldDevice)},
		{"links, 24 h", func() (string, error) {
			l, _, err := s.Links(ctx, dayAgo, to, 5000)
			return fmt.Sprintf("%d links", len(l)), err
		}},
		{"links, all", func() (string, error) {
			l, _, err := s.Links(ctx, 0, 0, 5000)
			return fmt.Sprintf("%d links", len(l)), err
		}},
		{"tail, the last 50", func() (string, error) {
			r, _, err := s.After(ctx, last-min(last, 50), store.Query{}, 100)
			return fmt.Sprintf("%d events", len(r)), err
		}},
		{"get one", func() (string, error) {
			_, err := s.Get(ctx, last/2+1)
			return "", err
		}},
	}
	for _, q := range list {
		if !strings.Contains(q.name, o.only) {
			continue
		}
		took := make([]time.Duration, 0, o.rounds)
		var note string
		cpu := cpuTime()
		for range o.rounds {
			at := time.Now()
			var err error
			if note, err = q.ask(); err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			took = append(took, time.Since(at))
			if len(took) >= 3 && took[0] > time.Second {
				break // slow enough to be seen
			}
		}
		each := (cpuTime() - cpu) / time.Duration(len(took))
		slices.Sort(took)
		o.table.put(q.name, fmt.Sprintf("%.1f", ms(took[len(took)/2])))
		_, _ = fmt.Fprintf(out, "  %-36s p50 %9.2f ms   p95 %9.2f ms   processor %9.2f ms   %s\n", q.name, ms(took[len(took)/2]), ms(took[len(took)*95/100]), ms(each), note)
	}
	if o.only != "" {
		return nil
	}
	at := time.Now()
	for _, q := range []int{0, 5, 10, 11} {
		if _, err := list[q].ask(); err != nil {
			return err
		}
	}
	first := time.Since(at)
	o.table.put("newest page, activity and two histograms, one after the other", fmt.Sprintf("%.1f", ms(first)))
	_, _ = fmt.Fprintf(out, "  first screen: newest page, activity and two histograms in %.1f ms   %s 200 ms asked for\n", ms(first), map[bool]string{true: "ok,", false: "MORE than"}[first <= 200*time.Millisecond])
	return nil
}

// cpuTime returns what this process has used of the processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
