// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// labels says which rules are true of which capture.
type labels map[string][]string

// readLabels reads them, and refuses a capture or a rule that does not exist, or that
// is named twice.
func readLabels(file string, content *detect.Content, corpus []recorded) (labels, error) {
	b, err := os.ReadFile(file) //nolint:gosec // named by whoever runs it
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	var l labels
	if err := yaml.NewDecoder(bytes.NewReader(b)).Decode(&l); err != nil {
		return nil, fmt.Errorf("labels %s: %w", file, err)
	}
	known := map[string]bool{}
	for _, r := range content.Rules {
		known[r.ID] = true
	}
	for _, name := range slices.Sorted(maps.Keys(l)) {
		if !slices.ContainsFunc(corpus, func(r recorded) bool { return r.name == name }) {
			return nil, fmt.Errorf("labels %s: there is no capture %s", file, name)
		}
		seen := map[string]bool{}
		for _, id := range l[name] {
			if !known[id] {
				return nil, fmt.Errorf("labels %s: %s: there is no rule %s", file, name, id)
			}
			if seen[id] {
				return nil, fmt.Errorf("labels %s: %s names %s twice", file, name, id)
			}
			seen[id] = true
		}
	}
	return l, nil
}

// score is how a family of rules does.
type score struct {
	Found  int `json:"found"`  // labelled, and found
	Missed int `json:"missed"` // labelled, and not found
	Wrong  int `json:"wrong"`  // found, and not labelled
}

// Recall is the share of what is there that is found.
func (s score) Recall() float64 { return ratio(s.Found, s.Found+s.Missed) }

// Precision is the share of what is found that is there.
func (s score) Precision() float64 { return ratio(s.Found, s.Found+s.Wrong) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

// judge compares what all rules find in all captures with the labels. The
// disagreements are sentences.
func judge(content *detect.Content, corpus []recorded, l labels) (map[string]score, []string, error) {
	by := map[string]score{}
	var disagreements []string
	count := func(rule string, f func(*score)) {
		family, _, _ := strings.Cut(rule, ".")
		s := by[family]
		f(&s)
		by[family] = s
	}
	for i := range corpus {
		alerts, err := found(content, &corpus[i])
		if err != nil {
			return nil, nil, err
		}
		got := map[string]bool{}
		for j := range alerts {
			got[alerts[j].Rule] = true
		}
		for _, id := range l[corpus[i].name] {
			if got[id] {
				count(id, func(s *score) { s.Found++ })
				continue
			}
			count(id, func(s *score) { s.Missed++ })
			disagreements = append(disagreements, fmt.Sprintf("%s is true of %s and was not found", id, corpus[i].name))
		}
		for _, id := range slices.Sorted(maps.Keys(got)) {
			if !slices.Contains(l[corpus[i].name], id) {
				count(id, func(s *score) { s.Wrong++ })
				disagreements = append(disagreements, fmt.Sprintf("%s was found in %s and is not labelled", id, corpus[i].name))
			}
		}
	}
	return by, disagreements, nil
}

// found runs all rules over a capture.
func found(content *detect.Content, r *recorded) ([]finding.Alert, error) {
	c := detect.NewCollector()
	e, err := detect.NewEngine(detect.Deps{Content: content, Emit: c.Add, Learner: c})
	if err != nil {
		return nil, err
	}
	w := scene.NewWorld(r.devices, nil, nil)
	e.World = w
	for i := range r.events {
		s := w.Scene(&r.events[i].Record, r.events[i].Event)
		e.Feed(&s)
	}
	return c.Alerts(), nil
}

// labelled says how the families do.
func labelled(content *detect.Content, corpus []recorded, file string, res map[string]any) error {
	l, err := readLabels(file, content, corpus)
	if err != nil {
		return err
	}
	by, disagreements, err := judge(content, corpus, l)
	if err != nil {
		return err
	}
	for _, d := range disagreements {
		log.Print("  ", d)
	}
	log.Printf("%d captures, %d of them with something to find", len(corpus), len(l))
	res["families"] = by
	for _, line := range table(by) {
		log.Print(line)
	}
	return nil
}

// table writes the families as the documentation has them.
func table(by map[string]score) []string {
	out := []string{"| family | labelled | found | recall | not labelled | precision |", "|---|---:|---:|---:|---:|---:|"}
	var all score
	line := func(name string, s score) {
		out = append(out, fmt.Sprintf("| %s | %d | %d | %.2f | %d | %.2f |", name, s.Found+s.Missed, s.Found, s.Recall(), s.Wrong, s.Precision()))
	}
	for _, family := range slices.Sorted(maps.Keys(by)) {
		s := by[family]
		all.Found, all.Missed, all.Wrong = all.Found+s.Found, all.Missed+s.Missed, all.Wrong+s.Wrong
		line(family, s)
	}
	line("all", all)
	return out
}
