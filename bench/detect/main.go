// SPDX-License-Identifier: Apache-2.0

// Command detect measures detection: how many events a second go through all rules on one
// core, what the labelled captures find, and how quiet it is on a hospital where nothing
// happens.
//
// The labels are testdata/captures/labels.yaml: capture, then the rules that must
// find something in it. A rule that fires on a labelled capture and is not named is
// counted against precision.
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
	"slices"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
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
	days := flag.Int("days", 7, "days of the quiet hospital, 0 for none")
	out := flag.String("json", "", "write the figures here too")
	only := flag.Bool("speed", false, "measure the speed alone")
	profile := flag.String("cpuprofile", "", "write a profile of the speed here")
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
	corpus := read(*captures)
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	speed(content, corpus, *events, res)
	pprof.StopCPUProfile()
	if !*only {
		labelled(content, corpus, *labels, res)
		if *days > 0 {
			quiet(content, *days, res)
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
func read(dir string) []recorded {
	sys := os.DirFS(dir)
	var out []recorded
	err := fs.WalkDir(sys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(filepath.Ext(path), ".pcap") {
			return err
		}
		ev, devs, err := detect.Capture(context.Background(), sys, path)
		if err != nil {
			log.Printf("%s is left out: %v", path, err)
			return nil
		}
		out = append(out, recorded{path, ev, devs})
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	return out
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

// found runs all rules over events.
func found(content *detect.Content, r *recorded) []finding.Alert {
	c := detect.NewCollector()
	e, err := detect.NewEngine(detect.Deps{Content: content, Emit: c.Add, Learner: c})
	if err != nil {
		log.Fatal(err)
	}
	w := scene.NewWorld(r.devices, nil, nil)
	e.World = w
	for i := range r.events {
		s := w.Scene(&r.events[i].Record, r.events[i].Event)
		e.Feed(&s)
	}
	return c.Alerts()
}

// labelled compares what is found in the captures with what their labels say.
func labelled(content *detect.Content, corpus []recorded, file string, res map[string]any) {
	b, err := os.ReadFile(file)
	if err != nil {
		log.Printf("labels: none (%v)", err)
		return
	}
	var labels map[string][]string
	if err := yaml.Unmarshal(b, &labels); err != nil {
		log.Fatal(err)
	}
	type score struct{ hit, missed, wrong int }
	by := map[string]*score{}
	at := func(rule string) *score {
		family, _, _ := strings.Cut(rule, ".")
		if by[family] == nil {
			by[family] = &score{}
		}
		return by[family]
	}
	for i := range corpus {
		want, ok := labels[corpus[i].name]
		if !ok {
			continue
		}
		got := map[string]bool{}
		for _, a := range found(content, &corpus[i]) {
			got[a.Rule] = true
		}
		for _, id := range want {
			if got[id] {
				at(id).hit++
			} else {
				at(id).missed++
				log.Printf("  missed: %s in %s", id, corpus[i].name)
			}
		}
		for id := range got {
			if !slices.Contains(want, id) {
				at(id).wrong++
				log.Printf("  not labelled: %s in %s", id, corpus[i].name)
			}
		}
	}
	table := map[string]any{}
	for _, family := range keys(by) {
		s := by[family]
		recall, precision := ratio(s.hit, s.hit+s.missed), ratio(s.hit, s.hit+s.wrong)
		table[family] = map[string]float64{"recall": recall, "precision": precision}
		log.Printf("  %-16s recall %.2f, precision %.2f (%d found, %d missed, %d not labelled)", family, recall, precision, s.hit, s.missed, s.wrong)
	}
	res["families"] = table
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// quiet counts what is found in a hospital where nothing happens.
func quiet(content *detect.Content, days int, res map[string]any) {
	h := newHospital()
	c := detect.NewCollector()
	e, err := detect.NewEngine(detect.Deps{Content: content, Emit: c.Add, Learner: c})
	if err != nil {
		log.Fatal(err)
	}
	w := scene.NewWorld(h.devices, h.theatres, nil)
	e.World = w
	n := 0
	began := time.Now()
	h.run(days, func(r *detect.Recorded) {
		s := w.Scene(&r.Record, r.Event)
		e.Feed(&s)
		n++
	})
	false2 := 0
	byRule := map[string]int{}
	for _, a := range c.Alerts() {
		if a.Severity >= finding.Medium {
			false2++
			byRule[a.Rule]++
		}
	}
	rate := float64(false2) / float64(len(h.devices)*days)
	res["false_per_device_day"], res["quiet_events"] = rate, n
	log.Printf("quiet hospital: %d devices, %d days, %d events in %.1fs: %d findings of medium or above, %.4f a device and day (target < 0.02)", len(h.devices), days, n, time.Since(began).Seconds(), false2, rate)
	for _, id := range keys(byRule) {
		log.Printf("  %-40s %d", id, byRule[id])
	}
	fmt.Println()
}
