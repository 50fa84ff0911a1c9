// SPDX-License-Identifier: Apache-2.0

// Command sensor measures the sensor beside its peers: it makes one capture by
// replicating recorded ones with new addresses, lets asepsis, ndpiReader and
// tshark analyse it on one processor in one run, and prints packets per second
// and the ratios. Peers that are not installed are named and left out.
//
//	go run ./bench/sensor [-packets N] [-bytes N] [-idle-flows N] [-workers] [-keep FILE]
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
	"syscall"
	"time"
)

func main() {
	packets := flag.Int64("packets", 1_000_000, "frames of the capture")
	sites := flag.Int64("sites", 8, "hospitals with addresses of their own that take turns")
	bytes := flag.Int64("bytes", 0, "size of the capture in bytes, when that is more")
	idle := flag.Int("idle-flows", 1_000_000, "flows of the memory measurement; 0 leaves it out")
	scale := flag.Bool("workers", true, "measure by number of workers too")
	peers := flag.Bool("peers", true, "run ndpiReader and tshark too")
	keep := flag.String("keep", "", "keep the capture under this name")
	flag.Parse()
	if err := bench(*sites, *packets, *bytes, *idle, *scale, *peers, *keep, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench/sensor:", err)
		os.Exit(1)
	}
}

func bench(sites, packets, bytes int64, idle int, scale, peers bool, keep string, names []string) error {
	dir, err := os.MkdirTemp("", "asepsis-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if len(names) == 0 {
		for _, glob := range []string{"testdata/captures/*.pcap", "testdata/captures/*.pcapng", "testdata/captures/*/*.pcap"} {
			m, _ := filepath.Glob(glob)
			names = append(names, m...)
		}
	}
	from, err := load(names)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "mixed.pcap")
	if keep != "" {
		file = keep
	}
	n, size, err := replicate(file, from, max(1, sites), packets, bytes)
	if err != nil {
		return err
	}
	fmt.Printf("%s; %s %s/%s, %d processors\n", time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Printf("capture: %d packets, %d bytes, from %d captures (%s)\n\n", n, size, len(names), describe(from))
	bin := filepath.Join(dir, "asepsis")
	build := exec.Command("go", "build", "-trimpath", "-o", bin, "./cmd/asepsis") //nolint:gosec // our own
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	analyze := []string{bin, "analyze", "--fail-on", "never", "--no-progress"}
	ours, err := measure("asepsis, 1 processor", n, append(analyze, "--workers", "1", file), true)
	if err != nil {
		return err
	}
	if peers {
		for _, p := range []struct {
			name string
			args []string
			want float64
		}{
			{"ndpiReader, 1 processor", []string{"ndpiReader", "-q", "-i", file}, 2},
			{"tshark, 1 processor", []string{"tshark", "-q", "-r", file, "-z", "io,stat,0"}, 20},
		} {
			if _, err := exec.LookPath(p.args[0]); err != nil {
				fmt.Printf("%-24s not installed, left out\n", p.name)
				continue
			}
			theirs, err := measure(p.name, n, p.args, true)
			if err != nil {
				return err
			}
			fmt.Printf("%-24s asepsis is %.2f times as fast (wanted: %.0f)\n", "", theirs.wall.Seconds()/ours.wall.Seconds(), p.want)
		}
	}
	if scale {
		fmt.Println()
		for w := 1; w <= runtime.NumCPU(); w++ {
			if _, err := measure(fmt.Sprintf("asepsis, %d workers", w), n, append(analyze, "--workers", strconv.Itoa(w), file), false); err != nil {
				return err
			}
		}
	}
	if idle > 0 {
		fmt.Println()
		return idleFlows(dir, bin, idle)
	}
	return nil
}

type result struct {
	wall, cpu time.Duration
	rss       int64 // bytes
}

// measure runs a program, on one processor when pinned, and prints its speed.
func measure(name string, packets int64, args []string, pinned bool) (result, error) {
	if pinned {
		if _, err := exec.LookPath("taskset"); err != nil {
			return result{}, errors.New("taskset is not installed (package util-linux)")
		}
		args = append([]string{"taskset", "-c", "0"}, args...)
	}
	best := result{}
	for range 3 {
		c := exec.Command(args[0], args[1:]...) //nolint:gosec // the peers named above
		var stderr strings.Builder
		c.Stderr = &stderr
		if pinned {
			c.Env = append(os.Environ(), "GOMAXPROCS=1")
		}
		begin := time.Now()
		if err := c.Run(); err != nil {
			return result{}, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, stderr.String())
		}
		r := result{wall: time.Since(begin), cpu: c.ProcessState.UserTime() + c.ProcessState.SystemTime()}
		if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
			r.rss = u.Maxrss * 1024
		}
		if best.wall == 0 || r.wall < best.wall {
			best = r
		}
	}
	fmt.Printf("%-24s %9.0f packets/s  %6.2f s  %6.2f s cpu  %5d MB\n", name, float64(packets)/best.wall.Seconds(), best.wall.Seconds(), best.cpu.Seconds(), best.rss>>20)
	return best, nil
}

// idleFlows measures what n flows cost that were opened and then say nothing:
// the resident memory with them less the one with almost none.
func idleFlows(dir, bin string, n int) error {
	rss := func(flows int) (int64, error) {
		file := filepath.Join(dir, "idle.pcap")
		if err := handshakes(file, flows); err != nil {
			return 0, err
		}
		cfg := filepath.Join(dir, "idle.yaml")
		if err := os.WriteFile(cfg, []byte(fmt.Sprintf("sensor:\n  max_flows: %d\n  tcp_idle: 24h\n  report_interval: 0s\n", 2*n)), 0o600); err != nil {
			return 0, err
		}
		c := exec.Command(bin, "analyze", "--config", cfg, "--workers", "1", "--fail-on", "never", "--format", "json", file) //nolint:gosec // our own
		c.Env = append(os.Environ(), "GOGC=20")
		var stderr strings.Builder
		c.Stderr = &stderr
		if err := c.Run(); err != nil {
			return 0, fmt.Errorf("%w\n%s", err, stderr.String())
		}
		return c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss * 1024, nil
	}
	few, err := rss(1000)
	if err != nil {
		return err
	}
	many, err := rss(n)
	if err != nil {
		return err
	}
	fmt.Printf("%d idle flows: %d bytes of resident memory each (wanted: at most 400)\n", n, (many-few)/int64(n-1000))
	return nil
}
