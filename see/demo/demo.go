// SPDX-License-Identifier: Apache-2.0

// Package demo is a hospital that does not exist, for whoever wants to see the
// platform at work without a network to watch: four theatres of the Lindenhof
// University Hospital (fictional).
//
// Its traffic is composed from one recorded morning of one theatre. Each connection
// is stretched over a case's length; for the other theatres addresses, names and serial
// numbers are replaced by others of the same length, and for each case patients, images
// and times. Three things went wrong that day, each recorded from real programs as
// well: a stranger in theatre 3, a pump that gave an order in theatre 4, a program inside
// of an image in theatre 5. The day so far, eight hours, is given at once; from then on it goes on by
// the clock, with a case every eleven minutes. Everything passes the real sensor,
// and nothing is sent to any network.
package demo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/testdata/captures"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// Site is the name of the hospital.
const Site = "Lindenhof University Hospital (fictional)"

// The length of a day's parts.
const (
	past       = 8 * time.Hour
	pastCase   = 40 * time.Minute
	pastPeriod = 55 * time.Minute
	liveCase   = 8 * time.Minute
	livePeriod = 11 * time.Minute
)

// Room is one theatre of the hospital.
type Room struct {
	ID, Name string
	Building string
	Contact  string
	Prefixes []string
	Order    int
}

// Rooms returns the theatres in building order.
func Rooms() []Room {
	out := make([]Room, 0, len(plans))
	for i, p := range plans {
		out = append(out, Room{
			ID: "OR-" + string(p.digit), Name: "Theatre " + string(p.digit), Building: "Surgery, level 2",
			Contact: "Clinical engineering, extension 4711 (fictional)", Prefixes: prefixes(p.digit), Order: i + 1,
		})
	}
	return out
}

// prefixes are the networks of a theatre's own machines: all of its /24 but the
// addresses of what the theatres share.
func prefixes(digit byte) []string {
	net := "10.20." + string(digit) + "."
	if digit != recordedDigit {
		return []string{net + "0/24"}
	}
	return []string{net + "1/32", net + "3/32", net + "8/29", net + "16/28", net + "32/27", net + "64/27", net + "128/25"}
}

// plan says what goes on in a theatre.
type plan struct {
	digit    byte          // of its name and addresses, '3' to '6'
	offset   time.Duration // of its first case
	now      theatre.State // what it does after the past: cases, nothing, or maintenance
	stranger bool          // somebody who does not belong there came in the last past case
}

var plans = []plan{
	{'3', 50 * time.Minute, theatre.InCase, true},
	{'4', 21 * time.Minute, theatre.InCase, false},
	{'5', 37 * time.Minute, theatre.Idle, false},
	{'6', 12 * time.Minute, theatre.Maintenance, false},
}

// Day is one day of the hospital.
type Day struct {
	now   time.Time // when the past ends
	rooms []*room
}

// room is a theatre with its traffic.
type room struct {
	plan
	frames   []frame // of one case
	quiet    []frame // of the time between cases
	incident []frame // of the last case of the past, if something went wrong
	begins   time.Duration
}

// New composes a day whose past ends now.
func New(now time.Time) (*Day, error) {
	rec, err := recorded()
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	d := &Day{now: now}
	for _, p := range plans {
		r := &room{plan: p}
		r.frames = rec.in(p.digit)
		r.quiet = r.frames[:wakes(r.frames)]
		for i := range incidents {
			if x := &incidents[i]; x.digit == p.digit {
				frames, err := x.of(rec)
				if err != nil {
					return nil, fmt.Errorf("demo: %w", err)
				}
				r.incident, r.begins = (&recording{frames: frames}).in(p.digit), x.begins
			}
		}
		d.rooms = append(d.rooms, r)
	}
	return d, nil
}

// State is what goes on in a theatre at a time, and since when.
func (d *Day) State(id string, at time.Time) (theatre.State, time.Time) {
	for _, r := range d.rooms {
		if id != "OR-"+string(r.digit) {
			continue
		}
		if !at.Before(d.now) && r.now != theatre.InCase {
			return r.now, d.now
		}
		start, length, period := d.caseAt(r, at)
		from, to := start.Add(length/10), start.Add(length*17/20)
		switch {
		case at.Before(from):
			return theatre.Idle, maxTime(start.Add(length*17/20-period), d.now.Add(-past))
		case at.Before(to):
			return theatre.InCase, from
		}
		return theatre.Idle, to
	}
	return theatre.Idle, d.now
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// caseAt returns the start of the case that a theatre had last at a time.
func (d *Day) caseAt(r *room, at time.Time) (start time.Time, length, period time.Duration) {
	first := d.now.Add(-past + r.offset - pastPeriod)
	length, period = pastCase, pastPeriod
	if !at.Before(d.now) {
		// Cases begin so that one is under way when the past ends.
		first, length, period = d.now.Add(-r.offset%livePeriod), liveCase, livePeriod
	}
	n := at.Sub(first) / period
	return first.Add(n * period), length, period
}

// frame is one recorded frame.
type frame struct {
	flow     time.Duration // when its connection began, from the recording's start
	in       time.Duration // from there
	data     []byte
	stranger bool
	schedule bool // of the conversation in which the theatre is told of its case
}

// recording is the recorded morning.
type recording struct {
	frames []frame
	length time.Duration
	macs   map[string][6]byte // by address, as the recorded theatre sees it
}

// recorded reads the embedded morning.
func recorded() (*recording, error) { return framesOf(captures.Theatre, "theatre.pcapng") }

// framesOf reads an embedded capture.
func framesOf(data []byte, name string) (*recording, error) {
	src, err := capture.NewReader(bytes.NewReader(data), capture.Options{Name: name})
	if err != nil {
		return nil, err
	}
	rec := &recording{macs: map[string][6]byte{}}
	began := map[string]time.Duration{}
	var f capture.Frame
	var base int64
	for {
		if err := src.Next(&f); err != nil {
			if errors.Is(err, io.EOF) {
				return rec, nil
			}
			return nil, err
		}
		if base == 0 {
			base = f.Time
		}
		at := time.Duration(f.Time - base)
		k := flowOf(f.Data)
		start, known := began[k]
		if !known || k == "" {
			began[k], start = at, at
		}
		rec.frames = append(rec.frames, frame{flow: start, in: at - start, data: bytes.Clone(f.Data), stranger: isStranger(f.Data), schedule: strings.HasPrefix(k, scheduled)})
		rec.learn(f.Data)
		rec.length = at
	}
}

// learn notes the MAC behind which an address is.
func (r *recording) learn(data []byte) {
	var p packet.Packet
	packet.Decode(&p, 1, data, len(data))
	if p.Err == nil && p.Src.IsValid() && len(data) >= 12 {
		r.macs[p.Src.String()] = [6]byte(data[6:12])
	}
}
