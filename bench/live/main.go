// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command live measures how long it takes from a packet on the wire until its event
// is on a screen: frames are put onto one end of a virtual cable, a real asepsis up
// watches the other end, and a reader of the server-sent events, as the console is
// one, notes when each arrives. It also measures a newcomer's first start: how long
// asepsis up --demo takes from the start of the process to a full board.
//
// Before that it measures the same rooms in one process, up to a reader of the store
// as the detection is one, and what each part of that way takes: the capture with the
// sensor, the bus with the recorder, the transaction, and Wait with After.
//
// Each packet opens a conversation of its own, which the sensor reports when it
// opens; its source port says which packet an event is of. It needs root, for the
// cable.
//
//	go run ./bench/live [-packets N] [-rate N] [-parts] [-bin FILE] [-demo=false]
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	packets := flag.Int("packets", 2500, "packets to send, at most 60000")
	rate := flag.Int("rate", 100, "packets a second")
	bin := flag.String("bin", "", "asepsis to measure; empty: it is built")
	partsOnly := flag.Bool("parts", false, "measure the parts of the way only")
	demo := flag.Bool("demo", true, "measure the first start of a demo, too")
	flag.Parse()
	if err := measure(*packets, *rate, *bin, *demo, *partsOnly); err != nil {
		fmt.Fprintln(os.Stderr, "bench/live:", err)
		os.Exit(1)
	}
}

func measure(packets, rate int, bin string, demo, partsOnly bool) error {
	if packets < 1 || packets > 60_000 || rate < 1 || rate > 1000 {
		return errors.New("-packets must be from 1 to 60000, -rate from 1 to 1000")
	}
	dir, err := os.MkdirTemp("", "asepsis-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := parts(filepath.Join(dir, "parts"), packets, rate); err != nil || partsOnly {
		return err
	}
	if bin == "" {
		bin = filepath.Join(dir, "asepsis")
		if out, err := exec.Command("go", "build", "-o", bin, "./cmd/asepsis").CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	if err := latency(bin, dir, packets, rate); err != nil {
		return err
	}
	if demo {
		return firstStart(bin, dir)
	}
	return nil
}

// latency measures from packet to screen.
func latency(bin, dir string, packets, rate int) error {
	c, err := newCable()
	if err != nil {
		return err
	}
	defer c.close()
	s, err := start(bin, filepath.Join(dir, "live"), "--iface", c.watched)
	if err != nil {
		return err
	}
	defer s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(packets/rate+60)*time.Second)
	defer cancel()
	var mu sync.Mutex
	arrived := make(map[int]time.Time, packets)
	ready := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- s.events(ctx, ready, func(port int, at time.Time) bool {
			mu.Lock()
			defer mu.Unlock()
			if _, ok := arrived[port]; !ok && port >= firstPort {
				arrived[port] = at
			}
			return len(arrived) < packets
		})
	}()
	select {
	case <-ready:
	case err := <-done:
		return errors.Join(errors.New("the stream of events ended"), err)
	}
	sent := make([]time.Time, packets)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := range sent {
		<-tick.C
		sent[i] = time.Now()
		if err := c.send(firstPort + i); err != nil {
			return err
		}
	}
	if err := <-done; err != nil {
		mu.Lock()
		defer mu.Unlock()
		return fmt.Errorf("%d of %d packets are on the screen: %w", len(arrived), packets, err)
	}
	took := make([]time.Duration, packets)
	for i := range took {
		took[i] = arrived[firstPort+i].Sub(sent[i])
	}
	slices.Sort(took)
	at := func(q float64) time.Duration {
		return took[min(int(q*float64(packets)), packets-1)].Round(100 * time.Microsecond)
	}
	fmt.Printf("packet to screen, %d packets at %d a second: p50 %s, p90 %s, p99 %s, most %s\n", packets, rate, at(0.5), at(0.9), at(0.99), at(1))
	fmt.Printf("  beside 1s on the screen: %.2f of it at p99; beside 100ms: %.2f of it at p50\n", at(0.99).Seconds(), at(0.5).Seconds()/0.1)
	return nil
}

// firstStart measures from the start of a process to a full board.
func firstStart(bin, dir string) error {
	began := time.Now()
	s, err := start(bin, filepath.Join(dir, "demo"), "--demo")
	if err != nil {
		return err
	}
	defer s.stop()
	link := s.greeted.Sub(began)
	var rooms, full time.Duration
	for full == 0 {
		if time.Since(began) > 5*time.Minute {
			return errors.New("the board was not full after 5 minutes")
		}
		var board struct{ Theatres []struct{ Devices int } }
		if err := s.get("/board", &board); err != nil {
			return err
		}
		n := 0
		for _, t := range board.Theatres {
			if t.Devices > 0 {
				n++
			}
		}
		if n == 4 && rooms == 0 {
			rooms = time.Since(began)
		}
		var kept struct{ Events int }
		var status struct {
			State string
			Lag   float64 `json:"lag_seconds"`
		}
		if err := errors.Join(s.get("/storage", &kept), s.get("/status", &status)); err != nil {
			return err
		}
		if rooms > 0 && kept.Events > 40_000 && status.State == "live" && status.Lag < 1 {
			full = time.Since(began)
			fmt.Printf("first start of the demo: link after %s, four theatres with devices after %s, all %d events and live after %s\n",
				link.Round(10*time.Millisecond), rooms.Round(10*time.Millisecond), kept.Events, full.Round(10*time.Millisecond))
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// events gives the source port of each event as it arrives until f is content.
func (s *served) events(ctx context.Context, ready chan<- struct{}, f func(port int, at time.Time) bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/events/stream", http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Cookie", s.cookie)
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 16<<20)
	open := sync.OnceFunc(func() { close(ready) })
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		at := time.Now()
		open()
		var m struct {
			Events []struct{ Src *struct{ Port int } }
		}
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			return err
		}
		for _, e := range m.Events {
			if e.Src != nil && !f(e.Src.Port, at) {
				return nil
			}
		}
	}
	return errors.Join(errors.New("the stream ended"), lines.Err(), ctx.Err())
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func pid() string { return strconv.Itoa(os.Getpid()) }
