// SPDX-License-Identifier: Apache-2.0

// Command detect measures detection: how many events a second go through all rules on one
// core, what the labelled captures find, and how quiet it is on a hospital where nothing
// happens.
//
// The labels are testdata/captures/labels.yaml: capture, then the rules that must
// find something in it. A rule that fires on a capture and is not named is counted
// against precision, also where the capture is not named at all.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/scene"
)

func main() {
	log.SetFlags(0)
	captures := flag.String("captures", "testdata/captures", "folder with captures")
	labels := flag.String("labels", "testdata/captures/labels.yaml", "which rules must fire on which capture")
	events := flag.Int("events", 2_000_000, "events for the speed")
	days := flag.Int("days", 7, "days in which the hospital is learned, and then as many again that are quiet, and again with attacks; 0 for none")
	verbose := flag.Bool("v", false, "name low findings of the hospital, too")
	onlyWeeks := flag.Bool("weeks", false, "play the hospital alone")
	out := flag.String("json", "", "write the figures here too")
	only := flag.Bool("speed", false, "measure the speed alone")
	profile := flag.String("cpuprofile", "", "write a profile of the speed here")
	list := flag.Bool("list", false, "say what is found in each capture, labelled or not, and nothing else")
	onWire := flag.Bool("live", false, "measure from a packet to its finding alone; needs the right to capture")
	packets, pace := flag.Int("packets", 500, "packets to send, at most 1000, with -live"), flag.Int("rate", 50, "packets a second, with -live")
	flag.Parse()
	if *onWire {
		if err := latency(*packets, max(*pace, 1), map[string]any{}); err != nil {
			log.Fatal(err)
		}
		return
	}
	runtime.GOMAXPROCS(1)
	content, err := detect.Load(rules.FS)
	if err != nil {
		log.Fatal(err)
	}
	res := map[string]any{"rules": len(content.Rules)}
	log.Printf("%d rules", len(content.Rules))
	corpus, err := read(*captures)
	if err != nil {
		log.Fatal(err)
	}
	if *list {
		for i := range corpus {
			alerts, err := found(content, &corpus[i])
			if err != nil {
				log.Fatal(err)
			}
			for _, a := range alerts {
				fmt.Printf("%s\t%s\t%s\t%d\t%s\n", corpus[i].name, a.Rule, a.Severity, a.Count, a.Title)
			}
		}
		return
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	if *onlyWeeks {
		if err := weeks(content, corpus, *days, *verbose, res); err != nil {
			log.Fatal(err)
		}
		pprof.StopCPUProfile()
		return
	}
	speed(content, corpus, *events, res)
	pprof.StopCPUProfile()
	if !*only {
		if err := labelled(content, corpus, *labels, res); err != nil {
			log.Fatal(err)
		}
		if *days > 0 {
			if err := weeks(content, corpus, *days, *verbose, res); err != nil {
				log.Fatal(err)
			}
		}
	}
	if *out != "" {
		b, err := json.MarshalIndent(res, "", "  ")
		if err == nil {
			err = os.WriteFile(*out, append(b, '\n'), 0o600)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}

type recorded struct {
	name    string
	events  []detect.Recorded
	devices []device.Device
}

// read runs all captures through sensor and inventory.
func read(dir string) ([]recorded, error) {
	sys := os.DirFS(dir)
	var out []recorded
	err := fs.WalkDir(sys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(filepath.Ext(path), ".pcap") {
			return err
		}
		ev, devs, err := detect.Capture(context.Background(), sys, path)
		if err != nil {
			return err
		}
		out = append(out, recorded{path, ev, devs})
		return nil
	})
	return out, err
}

func engine(content *detect.Content, emit func(*alert.Occurrence)) *detect.Engine {
	e, err := detect.NewEngine(detect.Deps{Content: content, Emit: emit})
	if err != nil {
		log.Fatal(err)
	}
	return e
}

// speed shows the events of all captures to all rules, again and again, each time later.
func speed(content *detect.Content, corpus []recorded, n int, res map[string]any) {
	type staged struct {
		r detect.Recorded
		w *scene.World
	}
	var all []staged
	for i := range corpus {
		w := scene.NewWorld(corpus[i].devices, nil, nil)
		for _, r := range corpus[i].events {
			all = append(all, staged{r, w})
		}
	}
	if len(all) == 0 {
		log.Print("there are no events")
		return
	}
	occurrences := 0
	e := engine(content, func(*alert.Occurrence) { occurrences++ })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began, used := time.Now(), cpu()
	const start, step = int64(1_770_000_000_000_000_000), int64(2 * time.Millisecond)
	for i := range n {
		x := &all[i%len(all)]
		ev := *x.r.Event
		ev.Time = start + int64(i)*step
		s := x.w.Scene(&x.r.Record, &ev)
		s.Seq = uint64(i) + 1 //nolint:gosec // it counts up
		e.Feed(&s)
	}
	wall, d := time.Since(began), cpu()-used
	runtime.ReadMemStats(&after)
	rate := float64(n) / d.Seconds() // of the processor's time: others may use the machine, too
	res["events_per_second"], res["occurrences"] = rate, occurrences
	log.Printf("speed: %.0f events/s of one core (target 200000; %.0f by the clock on the wall), %d different events, %d occurrences, %.0f B/event allocated", rate, float64(n)/wall.Seconds(), len(all), occurrences, float64(after.TotalAlloc-before.TotalAlloc)/float64(n))
	h := e.Health()
	sort.Slice(h, func(i, j int) bool { return h[i].Evaluations*h[i].Nanoseconds > h[j].Evaluations*h[j].Nanoseconds })
	for _, x := range h[:min(12, len(h))] {
		log.Printf("  %-40s %9d evaluations, %6d ns each", x.ID, x.Evaluations, x.Nanoseconds)
	}
}

// cpu is how much of the processor's time this program has used for itself.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return time.Duration(u.Utime.Nano())
}
