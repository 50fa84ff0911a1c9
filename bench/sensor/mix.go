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
//   - mixed: a theatre's day. Of theatre.pcapng, one morning of a theatre with all its
//     devices, in which what takes hours was recorded within seconds, four rounds follow
//     one another, and in the second an archive takes in one CT series.
//
// The proportion of mixed is on the dense side of what a theatre's network
// carries. Four mornings of set-ups are some 340 conversations and 2 MB, one series
// of 100 slices is 53 MB; a hybrid theatre's own C-arm makes a run of
// 100 to 300 frames every few minutes, and a scanner elsewhere that shares the link makes
// series of 500 to 2000 slices. Video is left out altogether. More images would
// move the figures towards those of the mix images, that is in our favour.
const (
	morningsPerSeries = 4
	seriesBeginsAt    = 0.3 // of the cycle
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
			m.c, err = mixed(nil)
		case "images", "mixed":
			if series == nil {
				if series, err = record(dir); errors.Is(err, errCannotRecord) {
					fmt.Printf("%s: left out: %v\n", name, err)
					continue
				}
			}
			if err == nil && name == "images" {
				m.c = repeat(series, 1)
			} else if err == nil {
				m.c, err = mixed(series)
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

func mixed(series []recorded) (cycle, error) {
	frames, err := load([]string{"testdata/captures/theatre.pcapng"})
	if err != nil {
		return cycle{}, err
	}
	c := repeat(frames, morningsPerSeries)
	if len(series) == 0 {
		return c, nil
	}
	return c.over(series, int64(seriesBeginsAt*float64(c.span))), nil
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
