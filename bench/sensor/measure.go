// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// result is what one run of a program took.
type result struct {
	wall, user, sys time.Duration
	rss             int64 // bytes, at most
}

// watch runs a started program to its end. The memory is the kernel's mark for
// the program's own address space: what wait(2) says begins with that of the process
// that started it.
func watch(c *exec.Cmd, begin time.Time) (result, error) {
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	var rss int64
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return result{wall: time.Since(begin), user: c.ProcessState.UserTime(), sys: c.ProcessState.SystemTime(), rss: rss}, err
		case <-tick.C:
			b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
			if _, after, ok := strings.Cut(string(b), "VmHWM:"); ok {
				var kb int64
				if _, err := fmt.Sscan(after, &kb); err == nil {
					rss = max(rss, kb<<10)
				}
			}
		}
	}
}

func (r *result) cpu() time.Duration { return r.user + r.sys }

func (r *result) print(name string, packets int64, note string) {
	fmt.Printf("  %-22s %11.0f %8.2f %8.2f %8.2f %7d %18s\n", name, float64(packets)/r.wall.Seconds(), r.wall.Seconds(), r.user.Seconds(), r.sys.Seconds(), r.rss>>20, note)
}

// measure runs a program some times, on one processor when pinned, and returns
// the least wall time and the least processor time, with the latter's memory. Other
// programs on the machine can only add to either.
func measure(runs int, args []string, pinned bool) (result, error) {
	if pinned {
		if _, err := exec.LookPath("taskset"); err != nil {
			return result{}, errors.New("taskset is not installed (package util-linux)")
		}
		args = append([]string{"taskset", "-c", "0"}, args...)
	}
	var best result
	for i := range runs {
		c := exec.Command(args[0], args[1:]...) //nolint:gosec // the peers named above
		var stderr strings.Builder
		c.Stderr = &stderr
		begin := time.Now()
		if err := c.Start(); err != nil {
			return result{}, err
		}
		r, err := watch(c, begin)
		if err != nil {
			return result{}, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, stderr.String())
		}
		wall := r.wall
		if i > 0 {
			wall = min(wall, best.wall)
		}
		if i == 0 || r.cpu() < best.cpu() {
			best = r
		}
		best.wall = wall
	}
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
		if err := os.WriteFile(cfg, fmt.Appendf(nil, "sensor:\n  max_flows: %d\n  tcp_idle: 24h\n  report_interval: 0s\n", 2*n), 0o600); err != nil {
			return 0, err
		}
		c := exec.Command(bin, "analyze", "--detect=false", "--config", cfg, "--workers", "1", "--fail-on", "never", "--format", "json", file) //nolint:gosec // our own
		c.Env = append(os.Environ(), "GOGC=20")
		var stderr strings.Builder
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			return 0, err
		}
		r, err := watch(c, time.Now())
		if err != nil {
			return 0, fmt.Errorf("%w\n%s", err, stderr.String())
		}
		return r.rss, nil
	}
	few, err := rss(1000)
	if err != nil {
		return err
	}
	many, err := rss(n)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d idle flows: %d bytes of resident memory each (wanted: at most 400)\n", n, (many-few)/int64(n-1000))
	return nil
}

// large measures the memory that the analysis of a large capture takes. The
// capture comes through a pipe as it is made, so that no disk is needed.
func large(m mix, bin string, sites, bytes int64) error {
	c := exec.Command(bin, "analyze", "--detect=false", "--fail-on", "never", "--no-progress", "-") //nolint:gosec // our own
	var stderr strings.Builder
	c.Stderr = &stderr
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := c.Start(); err != nil {
		return err
	}
	var n, size int64
	made := make(chan error, 1)
	go func() {
		var err error
		n, size, err = m.c.replicate(in, sites, 0, bytes)
		made <- errors.Join(err, in.Close())
	}()
	r, err := watch(c, begin)
	if err := errors.Join(err, <-made); err != nil {
		return fmt.Errorf("%w\n%s", err, stderr.String())
	}
	fmt.Printf("\n%s, %.1f GB, %d packets through a pipe: %d MB of resident memory at most (wanted: 512), %.1f s\n", m.name, float64(size)/1e9, n, r.rss>>20, r.wall.Seconds())
	return nil
}
