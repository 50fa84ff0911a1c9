// SPDX-License-Identifier: Apache-2.0

// Command gateway measures the DICOM gateway beside DCMTK's storescp and Orthanc: the same
// files, from the same sender, on the same machine and disk, in turns within one run.
//
//	go run ./bench/gateway [-rounds N] [-small N] [-ct N] [-only NAMES] [-forward] [-large] [-profile FILE]
//
// Senders are DCMTK's storescu as it is (Nagle's algorithm is on), the same with
// TCP_NODELAY=1 in its environment, and eight of those at once. The gateway does more than
// the others: mutual TLS, bindings, the content firewall, SHA-256 of data set and pixels, a
// durable journal, and a ledger entry for each image before it answers. storescp and Orthanc
// write files (and Orthanc an index) without waiting for the disk.
//
// With -forward it measures the way to a second archive behind gateway and Orthanc; with
// -large the memory that an association with an instance of 2 GB takes. With -profile
// eight senders send while a processor profile of the gateway is taken: it is written to the file (and the
// load's name), and what each part of the work takes is printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

type options struct {
	rounds, small, ct int
	only              string
	forward, large    bool
	profile           string
	dir, binary       string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "how often each is measured, in turns")
	flag.IntVar(&o.small, "small", 400, "images of 39 kB")
	flag.IntVar(&o.ct, "ct", 200, "images of 530 kB")
	flag.StringVar(&o.only, "only", "", "names of receivers, with commas; empty: all, none: only what else is asked for")
	flag.BoolVar(&o.forward, "forward", false, "measure the way to a second archive too")
	flag.BoolVar(&o.large, "large", false, "measure the memory of the gateway with instances of 2 GB too")
	flag.StringVar(&o.profile, "profile", "", "measure what the gateway's processor time goes to, and write its profiles to this file with the load's name behind")
	flag.StringVar(&o.dir, "dir", "", "directory to work in; empty for a temporary one")
	flag.StringVar(&o.binary, "asepsis", "", "the program to measure; empty: built from this source with its profile")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := bench(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench/gateway:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, o options) error {
	for _, p := range []string{"storescu", "storescp", "Orthanc", "openssl"} {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%s is missing: apt-get install dcmtk orthanc openssl", p)
		}
	}
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "asepsis-bench-gateway-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		o.dir = dir
	}
	if o.binary == "" {
		o.binary = filepath.Join(o.dir, "asepsis")
		if out, err := exec.CommandContext(ctx, "go", "build", "-pgo=cmd/asepsis/asepsis.pgo", "-o", o.binary, "./cmd/asepsis").CombinedOutput(); err != nil { //nolint:gosec // what the caller of a benchmark asks for
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	pki, err := newPKI(ctx, o)
	if err != nil {
		return err
	}
	loads, err := makeLoads(o)
	if err != nil {
		return err
	}
	receivers := receiversOf(pki)
	if o.only != "" {
		receivers = slices.DeleteFunc(receivers, func(r receiver) bool { return !slices.Contains(strings.Split(o.only, ","), r.name) })
	}
	fmt.Printf("%s, %d processors, load %s; the better of %d runs, images/s (MB/s)\n\n", time.Now().Format(time.DateOnly), runtime.NumCPU(), loadAverage(), o.rounds)
	table := newResults()
	for round := range o.rounds {
		for _, l := range loads {
			for _, s := range senders {
				for _, r := range receivers {
					took, err := measure(ctx, o, pki, r, s, l)
					if err != nil {
						return fmt.Errorf("%s, %s, %s: %w", r.name, s.name, l.name, err)
					}
					table.add(r, s, l, took)
					fmt.Fprintf(os.Stderr, "round %d: %-14s %-28s %-6s %8.0f images/s\n", round+1, r.name, s.name, l.name, float64(l.count(s))/took.Seconds())
				}
			}
		}
	}
	if len(receivers) > 0 {
		table.print(receivers, loads)
	}
	if o.forward {
		if err := forwarding(ctx, o, pki, loads); err != nil {
			return err
		}
	}
	if o.profile != "" {
		if err := profiling(ctx, o, pki, loads); err != nil {
			return err
		}
	}
	if o.large {
		return largeInstances(ctx, o, pki)
	}
	return nil
}

// first sends one image, so that the first association does not find tables and caches empty. A receiver
// that listens already may not answer yet: Orthanc with TLS now and then closes its first connection.
func first(ctx context.Context, pki *pki, at address, s sender, l load) (err error) {
	for range 5 {
		if err = s.send(ctx, pki, at, l.warm, 1); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	return fmt.Errorf("the first image: %w", err)
}

// measure starts a receiver with an empty store, sends, and says how long it took.
func measure(ctx context.Context, o options, pki *pki, r receiver, s sender, l load) (took time.Duration, err error) {
	dir, err := os.MkdirTemp(o.dir, "run-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	at, stop, err := r.start(ctx, o, dir, s.processes > 1)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := first(ctx, pki, at, s, l); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := s.send(ctx, pki, at, l.dir, s.processes); err != nil {
		return 0, err
	}
	took = time.Since(began)
	if at.count != nil {
		n, err := at.count()
		if err != nil {
			return 0, err
		}
		if want := l.count(s) + 1; n != want {
			return 0, fmt.Errorf("%d images were acknowledged, and %d are there", want, n)
		}
	}
	return took, nil
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:1], " ")
}

// key is one cell of the table.
type key struct{ receiver, sender, load string }

type results struct{ best map[key]time.Duration }

func newResults() *results { return &results{best: map[key]time.Duration{}} }

func (t *results) add(r receiver, s sender, l load, took time.Duration) {
	k := key{r.name, s.name, l.name}
	if b, ok := t.best[k]; !ok || took < b {
		t.best[k] = took
	}
}

func (t *results) print(receivers []receiver, loads []load) {
	for _, l := range loads {
		fmt.Printf("\n| %s | %s |\n|---|%s\n", l.title, strings.Join(names(receivers), " | "), strings.Repeat("---:|", len(receivers)))
		for _, s := range senders {
			row := []string{s.name}
			for _, r := range receivers {
				took, ok := t.best[key{r.name, s.name, l.name}]
				if !ok {
					row = append(row, "–")
					continue
				}
				rate := float64(l.count(s)) / took.Seconds()
				row = append(row, fmt.Sprintf("%.0f (%.1f)", rate, rate*float64(l.size)/1e6))
			}
			fmt.Println("| " + strings.Join(row, " | ") + " |")
		}
	}
}

func names(list []receiver) []string {
	var out []string
	for _, r := range list {
		out = append(out, r.name)
	}
	return out
}
