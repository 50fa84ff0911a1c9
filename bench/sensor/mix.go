// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The mixes that are measured.
//
//   - dense: every capture of testdata/captures, replicated. Each conversation is
//     a protocol's opening and little more, a dozen packets: nothing in it can be passed
//     over. No network looks like this; it is the worst case for whoever parses.
//   - theatre: of mixed, the devices alone.
//   - images: a CT series of 100 slices sent by storescu to storescp, replicated.
//     Nearly all packets carry pixels or acknowledge them: the best case.
//   - day: a theatre's day of four cases. Of theatre.pcapng, one case with all its
//     devices, in which what takes hours was recorded within seconds, four rounds follow
//     one another, and in each an archive takes in the CT series of its patient.
//   - mixed: the same day with one series in all, in the second round.
//
// Both are on the dense side of what a theatre's network carries. A round of set-ups
// is some 85 conversations and 0.5 MB, a series of 100 slices is 53 MB; navigation and
// holograms are made from 100 to 500 slices of every patient, a hybrid theatre's own C-arm
// makes a run of 100 to 300 frames every few minutes, and a scanner elsewhere that shares
// the link makes series of 500 to 2000 slices. Video is left out altogether. mixed, with
// one image transfer to four cases, is leaner than any theatre that has a use for this
// program; it is kept because it shows what the devices alone cost.
const (
	casesPerDay    = 4
	seriesBeginsAt = 0.2 // of a case
)

type mix struct {
	name string
	c    cycle
}

// mixes makes the mixes that were asked for. One that cannot be made here is
// left out by name.
func mixes(want, dir string) ([]mix, error) {
	var out []mix
	var series []recorded
	for _, name := range strings.Split(want, ",") {
		var m mix
		var err error
		switch name {
		case "dense":
			m.c, err = dense()
		case "theatre":
			m.c, err = theatreDay(nil, 0)
		case "images", "day", "mixed":
			if series == nil {
				if series, err = record(dir); errors.Is(err, errCannotRecord) {
					fmt.Printf("%s: left out: %v\n", name, err)
					continue
				}
			}
			switch {
			case err != nil:
			case name == "images":
				m.c = repeat(series, 1)
			case name == "day":
				m.c, err = theatreDay(series, 0, 1, 2, 3)
			default:
				m.c, err = theatreDay(series, 1)
			}
		default:
			return nil, fmt.Errorf("no mix is called %q", name)
		}
		if err != nil {
			return nil, err
		}
		m.name = name
		out = append(out, m)
	}
	return out, nil
}

func dense() (cycle, error) {
	var names []string
	for _, glob := range []string{"testdata/captures/*.pcap", "testdata/captures/*.pcapng", "testdata/captures/*/*.pcap"} {
		m, _ := filepath.Glob(glob)
		names = append(names, m...)
	}
	frames, err := load(names)
	if err != nil {
		return cycle{}, err
	}
	return repeat(frames, 1), nil
}

// theatreDay is a day of cases, in some of which a series comes in.
func theatreDay(series []recorded, in ...int) (cycle, error) {
	frames, err := load([]string{"testdata/captures/theatre.pcapng"})
	if err != nil {
		return cycle{}, err
	}
	c := repeat(frames, casesPerDay)
	if len(series) == 0 {
		return c, nil
	}
	each := float64(c.span) / casesPerDay
	for _, n := range in {
		c = c.over(series, int64((float64(n)+seriesBeginsAt)*each))
	}
	return c, nil
}

var errCannotRecord = errors.New("no series can be recorded here")

// record has a CT series sent and recorded now.
func record(dir string) ([]recorded, error) {
	file := filepath.Join(dir, "series.pcap")
	var stderr bytes.Buffer
	c := exec.Command("scripts/record-bulk", file) //nolint:gosec // our own
	c.Stderr = &stderr
	if err := c.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 3 {
			why, _, _ := strings.Cut(stderr.String(), "\n")
			return nil, fmt.Errorf("%w: %s", errCannotRecord, strings.TrimPrefix(why, "record-bulk: "))
		}
		return nil, fmt.Errorf("scripts/record-bulk: %w\n%s", err, stderr.String())
	}
	defer func() { _ = os.Remove(file) }()
	return load([]string{file})
}
