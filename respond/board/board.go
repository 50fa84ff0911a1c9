// SPDX-License-Identifier: Apache-2.0

// Package board decides what the theatre board shows: for each room three
// lights, each with one short sentence about the worst.
//
// Everything here is a function of what it is given: no clock, no store. The
// rules are in lights.go, one function for each light.
//
// # Guarantees
//
// A light is calm only when what it stands for was watched and nothing was found.
// When nobody watches, or what was counted is not all there is, it is unknown and
// says so. Stop is kept for what must be looked at before going on: it is
// never shown for a room that is idle or in maintenance.
package board

import (
	"cmp"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
)

// Level is how a light burns.
type Level string

// The levels.
const (
	Calm      Level = "calm"
	Attention Level = "attention"
	Stop      Level = "stop"
	Unknown   Level = "unknown"
)

// Light is one light and the sentence beside it.
type Light struct {
	Level    Level  `json:"level"`
	Sentence string `json:"sentence"`
}

// Lights are the three of a room.
type Lights struct {
	Devices Light `json:"devices"`
	Images  Light `json:"images"`
	Network Light `json:"network"`
}

// Tile is one room on the board.
type Tile struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Order    int           `json:"order"`
	State    theatre.State `json:"state"`
	Since    string        `json:"since"`
	Source   string        `json:"source"`
	Lights   Lights        `json:"lights"`
	Devices  int           `json:"devices"`
	Findings int           `json:"findings"`
	Site     string        `json:"site"` // "" for the own
}

// Room is what is known of a room.
type Room struct {
	ID, Name string
	Order    int
	State    theatre.State
	Since    time.Time
	Source   string
	VLANs    []uint16
	Site     string // "" for the own; the sensors of another do not report here, its events come
	Away     string // why they do not, "" when they do: one sentence
}

// Finding is an open finding and the room it is about.
type Finding struct {
	Theatre string
	finding.Finding
}

// Sensor is what one sensor says of itself.
type Sensor struct {
	Name     string
	Watching bool // it reads packets now
	Finished bool // it read a capture to its end
	Loss     float64
	VLANs    map[uint16]uint64 // packets by VLAN
	Since    time.Time         // when it began to watch
}

// Images counts the DICOM storage of a room in the last hour.
type Images struct {
	Stored   uint64 // objects that were taken
	Failed   uint64 // objects that were not taken, and associations refused or broken
	LastGood int64  // ns, 0 for none
	LastBad  int64
}

// Input is all that the board is made of.
type Input struct {
	Now      time.Time
	Zone     *time.Location // of the hospital, for times of day
	Silence  time.Duration  // after which a device that was there is called silent
	Blind    string         // why nothing is known now, "" when it is: one sentence
	Rooms    []Room
	Devices  []device.Device
	Names    func(*device.Device) string
	Findings []Finding
	Sensors  []Sensor
	Images   map[string]Images // by room
	Counted  bool              // Images is complete
}

// Tiles returns the rooms in building order, and how many devices are in none.
func Tiles(in Input) (tiles []Tile, unassigned int) {
	if in.Zone == nil {
		in.Zone = time.UTC
	}
	byRoom := map[string][]*device.Device{}
	oldest := int64(0)
	newest := map[string]int64{} // by site
	for i := range in.Devices {
		d := &in.Devices[i]
		newest[d.Site] = max(newest[d.Site], d.Last)
		byRoom[d.Theatre] = append(byRoom[d.Theatre], d)
		if oldest == 0 || d.First < oldest {
			oldest = d.First
		}
	}
	known := map[string]bool{}
	tiles = make([]Tile, 0, len(in.Rooms))
	for _, r := range in.Rooms {
		known[r.ID] = true
		v := view{in: &in, room: r, devices: byRoom[r.ID], learnt: time.Unix(0, oldest).Add(learning), newest: newest[r.Site]}
		for _, f := range in.Findings {
			if f.Theatre == r.ID {
				v.findings = append(v.findings, f)
			}
		}
		tiles = append(tiles, Tile{
			ID: r.ID, Name: r.Name, Order: r.Order, State: r.State, Since: r.Since.UTC().Format(time.RFC3339Nano), Source: r.Source,
			Lights:  Lights{Devices: v.devicesLight(), Images: v.imagesLight(), Network: v.networkLight()},
			Devices: len(v.devices), Findings: len(v.findings), Site: r.Site,
		})
	}
	slices.SortStableFunc(tiles, func(a, b Tile) int { return cmp.Or(a.Order-b.Order, cmp.Compare(a.ID, b.ID)) })
	for id, l := range byRoom {
		if !known[id] {
			unassigned += len(l)
		}
	}
	return tiles, unassigned
}

// learning is how long after the first device new devices are nothing special.
const learning = 24 * time.Hour

// view is a room with what concerns it.
type view struct {
	in       *Input
	room     Room
	devices  []*device.Device
	findings []Finding
	learnt   time.Time
	newest   int64 // when anything was last seen at the room's site
}

func (v *view) inCase() bool { return v.room.State == theatre.InCase }

// of raises stop only in a case: outside of one there is nothing to stop.
func (v *view) of(l Level, sentence string) Light {
	if l == Stop && !v.inCase() {
		l = Attention
	}
	return Light{l, sentence}
}

func (v *view) name(d *device.Device) string {
	if v.in.Names != nil {
		return v.in.Names(d)
	}
	return cmp.Or(d.Name, d.ID)
}

// clock writes a time as people in the room read it: the hour, and the day when
// it is not today.
func (v *view) clock(ns int64) string {
	t, now := time.Unix(0, ns).In(v.in.Zone), v.in.Now.In(v.in.Zone)
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format("15:04")
	}
	return t.Format("2 Jan 15:04")
}
