// SPDX-License-Identifier: Apache-2.0

// Command sensor measures the sensor beside its peers: it makes captures by
// replicating recorded ones with new addresses (see mix), lets asepsis,
// ndpiReader and tshark analyse each on one processor in one run, and prints packets
// per second and the ratios. Peers that are not installed are named and left out,
// and so are mixes that cannot be recorded here.
//
// It builds asepsis as make build does, with the profile that scripts/profile made.
//
//	go run ./bench/sensor [-mixes dense,images,day,mixed] [-packets N] [-idle-flows N] [-workers] [-large BYTES] [-keep DIR]
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

type settings struct {
	mixes          string
	packets, sites int64
	runs           int
	idle           int
	large          int64
	workers, peers bool
	keep, profile  string
}

func main() {
	var s settings
	flag.StringVar(&s.mixes, "mixes", "dense,images,day,mixed", "captures to measure with")
	flag.Int64Var(&s.packets, "packets", 1_000_000, "frames of each capture")
	flag.Int64Var(&s.sites, "sites", 8, "hospitals with addresses of their own that take turns")
	flag.IntVar(&s.runs, "runs", 3, "runs of each program, of which the one with the least processor time counts")
	flag.IntVar(&s.idle, "idle-flows", 1_000_000, "flows of the memory measurement; 0 leaves it out")
	flag.Int64Var(&s.large, "large", 0, "bytes of a capture whose analysis is measured for memory (10000000000 is the design's); it is piped, not stored")
	flag.BoolVar(&s.workers, "workers", true, "measure by number of workers too")
	flag.BoolVar(&s.peers, "peers", true, "run ndpiReader and tshark too")
	flag.StringVar(&s.keep, "keep", "", "keep the captures in this directory")
	flag.StringVar(&s.profile, "profile", "", "measure nothing: write where the processor's time goes to this file, for the compiler")
	flag.Parse()
	if err := bench(s); err != nil {
		fmt.Fprintln(os.Stderr, "bench/sensor:", err)
		os.Exit(1)
	}
}

func bench(s settings) error {
	s.sites, s.runs = max(1, s.sites), max(1, s.runs)
	dir, err := os.MkdirTemp("", "asepsis-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("%s; %s %s/%s; %s, %d processors; load %s\n", time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH,
		processor(), runtime.NumCPU(), strings.Join(strings.Fields(string(load))[:min(3, len(strings.Fields(string(load))))], " "))
	if s.profile != "" {
		all, err := mixes(s.mixes, dir)
		if err != nil {
			return err
		}
		return profile(all, s, dir, s.profile)
	}
	bin := filepath.Join(dir, "asepsis")
	build := exec.Command("go", "build", "-trimpath", "-pgo=cmd/asepsis/asepsis.pgo", "-o", bin, "./cmd/asepsis") //nolint:gosec // our own, as make build does
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	all, err := mixes(s.mixes, dir)
	if err != nil {
		return err
	}
	at := dir
	if s.keep != "" {
		at = s.keep
	}
	for _, m := range all {
		if err := s.compare(m, bin, filepath.Join(at, m.name+".pcap")); err != nil {
			return err
		}
		if s.keep == "" {
			_ = os.Remove(filepath.Join(at, m.name+".pcap"))
		}
	}
	if s.idle > 0 {
		if err := idleFlows(dir, bin, s.idle); err != nil {
			return err
		}
	}
	if s.large > 0 && len(all) > 0 {
		return large(all[len(all)-1], bin, s.sites, s.large)
	}
	return nil
}

// compare measures one mix with all programs.
func (s *settings) compare(m mix, bin, file string) error {
	f, err := os.Create(file) //nolint:gosec // named by who runs the benchmark
	if err != nil {
		return err
	}
	n, size, err := m.c.replicate(f, s.sites, s.packets, 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	fmt.Printf("\n%s: %d packets, %d MB, %s\n", m.name, n, size/1e6, m.c.describe())
	fmt.Printf("  %-22s %11s %8s %8s %8s %7s %18s\n", "one processor", "packets/s", "wall s", "user s", "system s", "RSS MB", "asepsis is faster")
	analyze := []string{bin, "analyze", "--detect=false", "--fail-on", "never", "--no-progress", "--workers"}
	ours, err := measure(s.runs, append(analyze, "1", file), true)
	if err != nil {
		return err
	}
	ours.print("asepsis", n, "")
	if s.peers {
		for _, args := range [][]string{{"ndpiReader", "-q", "-i", file}, {"tshark", "-q", "-r", file, "-z", "io,stat,0"}} {
			if _, err := exec.LookPath(args[0]); err != nil {
				fmt.Printf("  %-22s not installed, left out\n", args[0])
				continue
			}
			runs := s.runs
			if args[0] == "tshark" { // it takes a minute, and nothing hangs on a few per cent
				runs = 1
			}
			theirs, err := measure(runs, args, true)
			if err != nil {
				return err
			}
			theirs.print(args[0], n, fmt.Sprintf("%.2fx wall, %.2fx cpu", theirs.wall.Seconds()/ours.wall.Seconds(), theirs.cpu().Seconds()/ours.cpu().Seconds()))
		}
	}
	if s.workers {
		for w := 1; w <= runtime.NumCPU(); w++ {
			r, err := measure(s.runs, append(analyze, strconv.Itoa(w), file), false)
			if err != nil {
				return err
			}
			r.print(fmt.Sprintf("asepsis, %d workers", w), n, "all processors")
		}
	}
	return nil
}

func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return "unknown processor"
}
