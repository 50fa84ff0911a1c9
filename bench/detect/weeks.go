// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/clock"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/detect/suppress"
)

// player shows a hospital to an engine.
type player struct {
	hospital *hospital
	phase    *detect.Collector // of the days that are played
	show     func(*detect.Recorded)
	at       int64
}

func newPlayer(content *detect.Content, corpus []recorded) (*player, error) {
	p := &player{hospital: newHospital(corpus), phase: detect.NewCollector(), at: monday.UnixNano()}
	h := p.hospital
	cases, err := clock.New(clock.Config{Grace: 15 * time.Minute, Overrun: 4 * time.Hour, Longest: 16 * time.Hour, TimeZone: "UTC"})
	if err != nil {
		return nil, err
	}
	cases.Know(h.theatres)
	all := detect.NewCollector() // what is open on a device says what may be learned
	e, err := detect.NewEngine(detect.Deps{Content: content, Learner: all, Clock: cases, Emit: func(o *alert.Occurrence) {
		all.Add(o)
		p.phase.Add(o)
	}})
	if err != nil {
		return nil, err
	}
	windows := h.windows()
	for i := range windows {
		if err := windows[i].Prepare(); err != nil {
			return nil, err
		}
	}
	set, _ := suppress.NewSet(content.Env, nil, windows)
	e.Suppress(set)
	h.open()
	w := scene.NewWorld(h.inventory(), h.theatres, nil)
	e.World = w
	p.show = func(r *detect.Recorded) {
		s := w.Scene(&r.Record, r.Event)
		e.Feed(&s)
	}
	return p, nil
}

// days plays some and returns what is found in them, without what a window hides.
func (p *player) days(n int) []finding.Alert {
	p.phase = detect.NewCollector()
	p.at += int64(n) * int64(24*time.Hour)
	p.hospital.run(p.at, p.show)
	return visible(p.phase.Alerts())
}

// weeks plays the hospital: days in which rules learn it, as many in which nothing
// happens, and as many with attacks among all that goes on.
func weeks(content *detect.Content, corpus []recorded, days int, verbose bool, res map[string]any) error {
	p, err := newPlayer(content, corpus)
	if err != nil {
		return err
	}
	for _, part := range []string{"learning", "clean"} {
		began, n := time.Now(), p.hospital.shown
		found := p.days(days)
		n = p.hospital.shown - n
		loud := report(fmt.Sprintf("%s: 500 devices, %d days, %d events in %.0f s", part, days, n, time.Since(began).Seconds()), found, days, verbose)
		res[part] = map[string]any{"events": n, "findings": len(found), "medium_or_above": loud, "per_device_and_day": float64(loud) / float64(500*days)}
	}
	return besieged(p, content, days, verbose, res)
}

// visible leaves out what a maintenance window hides.
func visible(all []finding.Alert) []finding.Alert {
	return slices.DeleteFunc(all, func(a finding.Alert) bool { return a.Suppressed != "" })
}

// report writes what was found, and returns how much of it is medium or above.
func report(title string, found []finding.Alert, days int, verbose bool) (loud int) {
	byRule := map[string]int{}
	for i := range found {
		if found[i].Severity >= finding.Medium {
			loud++
		}
		byRule[fmt.Sprintf("%-9s %s", found[i].Severity, found[i].Rule)]++
	}
	log.Printf("%s: %d findings, %d of medium or above, %.4f a device and day (target < 0.02)", title, len(found), loud, float64(loud)/float64(500*days))
	for _, id := range slices.Sorted(maps.Keys(byRule)) {
		log.Printf("  %-50s %d", id, byRule[id])
	}
	for i := range found {
		if found[i].Severity >= finding.Medium || verbose {
			log.Printf("    %s %s", time.Unix(0, found[i].First).UTC().Format("Mon 15:04"), found[i].Title)
		}
	}
	return loud
}

// besieged plays a week in which attacks happen beside all that goes on, one after the
// other, and says which were found. What is found and belongs to none of them is false.
func besieged(p *player, content *detect.Content, days int, verbose bool, res map[string]any) error {
	h, begins, week := p.hospital, p.at, time.Duration(days)*24*time.Hour
	list := attacks(h.clips)
	slot := (week - 12*time.Hour) / time.Duration(len(list))
	times := make([]int64, len(list))
	for i := range list {
		known := false
		for _, id := range list[i].rules {
			known = known || slices.ContainsFunc(content.Rules, func(r *rule.Rule) bool { return r.ID == id })
		}
		if !known {
			return fmt.Errorf("no rule of %q exists", list[i].name)
		}
		times[i] = begins + int64(slot)*int64(i) + int64(time.Hour)
		h.plan(times[i], func(at int64) { list[i].do(h, at) })
	}
	began, n := time.Now(), h.shown
	found := p.days(days)
	of := map[string]score{}
	explained := make([]bool, len(found))
	for i := range list {
		for _, id := range list[i].rules {
			family, _, _ := strings.Cut(id, ".")
			s := of[family]
			hit := false
			for j := range found {
				if at := found[j].Last; found[j].Rule == id && at >= times[i] && found[j].First < times[i]+int64(within) {
					hit = true
				}
			}
			if hit {
				s.Found++
			} else {
				s.Missed++
				log.Printf("  missed: %s: %s", id, list[i].name)
			}
			of[family] = s
		}
		for j := range found { // what else an attack sets off is not false; the attacks of six hours count as one
			if at := found[j].First; at >= times[i] && at < times[i]+int64(within) {
				explained[j] = true
			}
		}
	}
	log.Printf("attacks: %d attacks in %d days, %d events in %.0f s", len(list), days, h.shown-n, time.Since(began).Seconds())
	for j := range found {
		if !explained[j] && found[j].Severity >= finding.Medium {
			family, _, _ := strings.Cut(found[j].Rule, ".")
			s := of[family]
			s.Wrong++
			of[family] = s
		}
	}
	for _, line := range table(of) {
		log.Print(line)
	}
	report("with attacks", found, days, verbose)
	res["attacks"] = of
	return nil
}
