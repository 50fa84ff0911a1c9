// SPDX-License-Identifier: Apache-2.0

package version

import (
	"slices"
	"strings"
)

// Answer is what can be said of a version and a set.
type Answer uint8

// The answers.
const (
	Unsure Answer = iota // a person has to ask
	In
	Out
)

// Interval is a run of versions. Without From or To it has no end there.
type Interval struct {
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	FromOpen bool   `json:"from_open,omitempty"` // From itself is not part of it
	ToOpen   bool   `json:"to_open,omitempty"`
	ToAll    bool   `json:"to_all,omitempty"` // To stands for all that begins with it: 11.x
	Family   bool   `json:"family,omitempty"` // all that begins with From: 5.x
}

// Exact reports that the interval names one version or one family of versions.
func (i Interval) Exact() bool { return i.Family || i.From != "" && i.From == i.To }

// Set is the versions that a statement is about.
type Set struct {
	All bool       `json:"all,omitempty"`
	In  []Interval `json:"in,omitempty"`
	// Maybe is named by one of two places of an advisory that disagree.
	Maybe []Interval `json:"maybe,omitempty"`
	// Date says that not the version decides but a day: "manufactured before 2017-07-01".
	Date string `json:"date,omitempty"`
}

// Empty reports that the set names nothing.
func (s Set) Empty() bool { return !s.All && len(s.In) == 0 && s.Date == "" }

// Contains says whether a version is in the set, and where it is Unsure, why.
func (s Set) Contains(v Version) (a Answer, why string) {
	if s.All {
		return In, ""
	}
	if s.Date != "" {
		return Unsure, "it depends on a day (" + s.Date + "), not on the version"
	}
	if v.Empty() {
		return Unsure, "the version is not known"
	}
	a, why = contains(s.In, v)
	if a != Out || len(s.Maybe) == 0 {
		return a, why
	}
	if b, _ := contains(s.Maybe, v); b == Out {
		return Out, ""
	}
	return Unsure, "the advisory names versions in two places that disagree"
}

func contains(l []Interval, v Version) (Answer, string) {
	unsure, listed, highest := "", true, Version{}
	for _, i := range l {
		a, why := i.contains(v)
		if a == In {
			return In, ""
		}
		if a == Unsure && unsure == "" {
			unsure = why
		}
		if !i.Exact() {
			listed = false
		} else if f := New(i.From); highest.Empty() || Compare(f, highest) > 0 {
			highest = f
		}
	}
	if unsure != "" {
		return Unsure, unsure
	}
	if listed && !highest.Empty() && Compare(v, highest) < 0 {
		return Unsure, v.String() + " is older than " + highest.String() + ", and the advisory says nothing of versions that it does not name"
	}
	return Out, ""
}

func (i Interval) contains(v Version) (Answer, string) {
	from, to := New(i.From), New(i.To)
	other := func(b Version) (Answer, string) {
		return Unsure, v.String() + " and " + b.String() + " are not versions of one scheme"
	}
	if i.Family {
		switch {
		case v.within(from):
			return In, ""
		case !Alike(v, from):
			return other(from)
		}
		return Out, ""
	}
	if i.Exact() {
		switch {
		case Compare(v, from) == 0:
			return In, ""
		case !Alike(v, from):
			return other(from)
		case v.within(from):
			return Unsure, v.String() + " may be a build of " + from.String() + ", which is named"
		}
		return Out, ""
	}
	if !from.Empty() {
		if !Alike(v, from) {
			return other(from)
		}
		if c := Compare(v, from); c < 0 || c == 0 && i.FromOpen {
			return Out, ""
		}
	}
	if !to.Empty() {
		if i.ToAll && v.within(to) {
			return In, ""
		}
		if !Alike(v, to) {
			return other(to)
		}
		switch c := Compare(v, to); {
		case c == 0 && i.ToOpen, c > 0 && i.ToOpen:
			return Out, ""
		case c > 0 && v.within(to):
			return Unsure, v.String() + " may be a build of " + to.String() + ", the last one that is affected"
		case c > 0:
			return Out, ""
		}
	}
	return In, ""
}

// String returns the set in words.
func (s Set) String() string {
	switch {
	case s.All:
		return "all versions"
	case s.Date != "":
		return s.Date
	case len(s.In) == 0:
		return ""
	}
	words := func(l []Interval) string {
		var out []string
		for _, i := range l {
			out = append(out, i.String())
		}
		return strings.Join(out, ", ")
	}
	if len(s.Maybe) > 0 {
		return words(s.In) + " (or " + words(s.Maybe) + ": the advisory disagrees with itself)"
	}
	return words(s.In)
}

// String returns the interval in words.
func (i Interval) String() string {
	to := i.To
	if i.ToAll {
		to += ".x"
	}
	switch {
	case i.Family:
		return i.From + ".x"
	case i.Exact():
		return i.From
	case i.From == "" && i.ToOpen:
		return "before " + to
	case i.From == "":
		return "up to " + to
	case i.To == "" && i.FromOpen:
		return "after " + i.From
	case i.To == "":
		return i.From + " and later"
	case i.ToOpen:
		return "from " + i.From + " to before " + to
	}
	return "from " + i.From + " to " + to
}

// Versions returns the version texts that the set names, each once.
func (s Set) Versions() []string {
	var out []string
	for _, i := range slices.Concat(s.In, s.Maybe) {
		for _, t := range []string{i.From, i.To} {
			if t != "" && !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}
