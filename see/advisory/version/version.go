// SPDX-License-Identifier: Apache-2.0

// Package version reads and compares the version texts that medical devices state
// and that advisories name: 12.1.3, "v12.1 SP2", R5.1, A.03, B.06.18, U61,
// 012U000040, 2.6A, "1.3.1 Build 13", "Rev M".
//
// # What is guaranteed
//
// Compare is a total order over all versions, so that lists can be sorted. Alike
// says whether that order means anything for two of them: 12.1 and B.02 are of
// different schemes, U61 and L81 of different lines of one product, and what follows
// from comparing them is nothing. Set.Contains uses both: it answers Unsure where a
// person would have to ask the manufacturer, never In or Out on a guess.
//
// # Limits
//
// A version is at most MaxText bytes and MaxParts parts; what is longer is cut. No
// method fails on any input, and all values may be used concurrently.
//
// # What is not done
//
// Versions of one manufacturer that do not sort as they look (a 2018 build named
// "Z1" before "A2") cannot be known here.
package version

import (
	"cmp"
	"slices"
	"strings"
)

// Bounds of one version.
const (
	MaxText  = 128
	MaxParts = 24
)

// part is a run of digits or of letters.
type part struct {
	text   string // lower case; digits without leading zeros
	number bool
	glued  bool // stands directly behind the part before it
}

// Version is a version text with its parts.
type Version struct {
	raw   string
	parts []part
	order []part // what it is compared by: without zeros that say nothing
}

// String returns the text as it was given, without white space around it.
func (v Version) String() string { return v.raw }

// Empty reports whether the text says nothing.
func (v Version) Empty() bool { return len(v.parts) == 0 }

// titles are words that introduce a version and are no part of it.
var titles = []string{"software version", "firmware version", "software revision", "software", "firmware", "version", "versions", "revision", "revisions", "release", "releases", "ver", "rev", "sw", "fw", "v", "r"}

// levels are words for what comes after a version: "SP2" is later than nothing.
var levels = strings.NewReplacer("service pack", "sp", "service release", "sr", "hot fix", "hotfix")

// New reads a version. It takes everything.
func New(text string) Version {
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	v := Version{raw: strings.TrimSpace(strings.ToValidUTF8(text, ""))}
	v.parts = split(levels.Replace(strings.ToLower(v.raw)))
	for len(v.parts) > 1 && !v.parts[0].number && isTitle(v.parts) {
		v.parts = v.parts[1:]
	}
	if len(v.parts) > 0 {
		v.parts[0].glued = false
	}
	v.order = significant(v.parts)
	return v
}

// significant leaves out zeros at the end and before what precedes a release: 9.33 is
// 9.33.0, and 2.0-rc1 is before 2.
func significant(l []part) []part {
	end := slices.IndexFunc(l, func(p part) bool { return !p.number && early(p.text) })
	if end < 0 {
		end = len(l)
	}
	n := end
	for n > 1 && l[n-1].number && l[n-1].text == "" {
		n--
	}
	if end == len(l) {
		return l[:n]
	}
	return slices.Concat(l[:n], l[end:])
}

func isTitle(p []part) bool {
	for _, t := range titles {
		if p[0].text != t {
			continue
		}
		if len(t) == 1 { // "v12.1", "R5.1", "v D25"; not "R.3"
			return t == "v" || p[1].number && p[1].glued
		}
		return true
	}
	return false
}

func split(s string) []part {
	var out []part
	start, kind, apart := -1, 0, true
	flush := func(end int) {
		if start < 0 {
			return
		}
		t := s[start:end]
		p := part{text: t, number: kind == 1, glued: !apart && len(out) > 0}
		if p.number {
			p.text = strings.TrimLeft(t, "0")
		}
		if len(out) < MaxParts {
			out = append(out, p)
		}
		start = -1
	}
	for i := 0; i < len(s); i++ {
		c, k := s[i], 0
		switch {
		case c >= '0' && c <= '9':
			k = 1
		case c >= 'a' && c <= 'z', c >= 0x80:
			k = 2
		}
		if start >= 0 && k != kind {
			flush(i)
			apart = k == 0
		} else if k == 0 {
			apart = true
		}
		if k != 0 && start < 0 {
			start, kind = i, k
		}
	}
	flush(len(s))
	return out
}

// rank orders what can stand at one place: what precedes a release, nothing,
// letters, numbers.
func (v Version) rank(i int) int {
	switch {
	case i >= len(v.order):
		return 1
	case v.order[i].number:
		return 3
	case early(v.order[i].text):
		return 0
	}
	return 2
}

// early reports words for what comes before a release.
func early(s string) bool {
	switch s {
	case "alpha", "beta", "rc", "pre", "preview", "dev", "snapshot":
		return true
	}
	return false
}

// at compares two versions at one place.
func at(a, b Version, i int) int {
	ra, rb := a.rank(i), b.rank(i)
	if ra != rb || ra == 1 {
		return cmp.Compare(ra, rb)
	}
	p, q := a.order[i].text, b.order[i].text
	if ra == 3 {
		if c := cmp.Compare(len(p), len(q)); c != 0 { // no leading zeros
			return c
		}
	}
	return cmp.Compare(p, q)
}

// Compare returns -1, 0 or 1. It is a total order: every two versions have one,
// whether it means something or not, see Alike.
func Compare(a, b Version) int {
	for i := range max(len(a.order), len(b.order)) {
		if c := at(a, b, i); c != 0 {
			return c
		}
	}
	return 0
}

// Alike reports whether two versions are of one scheme as far as it takes to compare
// them.
func Alike(a, b Version) bool {
	if a.Empty() || b.Empty() {
		return false
	}
	for i := range max(len(a.order), len(b.order)) {
		if at(a, b, i) == 0 {
			continue
		}
		ra, rb := a.rank(i), b.rank(i)
		switch {
		case ra == 3 && rb == 3:
			return true
		case ra == 1 || rb == 1:
			return i > 0
		case ra == 0 || rb == 0:
			return true
		case ra != rb:
			return false
		}
		// Different letters. A single one that stands alone is a revision (A.03, N), one
		// behind digits at the end a small step (2.6A); one that leads or joins digits
		// names a line (U61, 012U000040).
		return len(a.order[i].text) == 1 && len(b.order[i].text) == 1 && a.revision(i) && b.revision(i)
	}
	return true
}

// revision reports whether the letters at a place are not glued to digits that follow.
func (v Version) revision(i int) bool {
	return i+1 >= len(v.order) || !v.order[i+1].glued
}

// within reports whether v begins with all parts of p: 12.1.3 is within 12.1.
func (v Version) within(p Version) bool {
	if len(p.parts) > len(v.parts) {
		return false
	}
	for i := range p.parts {
		if p.parts[i].text != v.parts[i].text || p.parts[i].number != v.parts[i].number {
			return false
		}
	}
	return true
}
