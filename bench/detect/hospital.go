// SPDX-License-Identifier: Apache-2.0

package main

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect"
)

// hospital is one of 500 devices that does not exist. What its devices do is made of
// recorded conversations (see clip), at the times at which a hospital does them (see
// rota.go). The same seed gives the same weeks.
type hospital struct {
	devices  []device.Device
	theatres []theatre.Theatre
	by       map[device.Class][]int
	rand     *rand.Rand
	tasks    tasks
	events   pending
	seq      uint64
	flow     uint64
	shown    uint64
	clips    clips
	acts     acts
	muted    map[int]int64    // devices that say nothing, until when
	busy     map[string]int64 // theatres, until when a case is in progress
	cases    int

	pacs, engine, ris, ehr, names, clock, update, backup, directory, files, monitoring, broker int   // devices
	sites                                                                                      []int // on the internet
}

// outside is the class of what is not of the hospital.
const outside device.Class = "outside"

// fleet is how many devices of each class there are; together 500.
var fleet = []struct {
	class device.Class
	n     int
}{
	{device.ClassPACS, 1}, {device.ClassInterfaceEngine, 1}, {device.ClassServer, 10}, {device.ClassCT, 8}, {device.ClassMR, 6}, {device.ClassXRay, 18}, {device.ClassUltrasound, 26},
	{device.ClassCArm, 20}, {device.ClassEndoscopy, 8}, {device.ClassInfusionPump, 110}, {device.ClassPatientMonitor, 80}, {device.ClassVentilator, 24}, {device.ClassAnaesthesia, 20},
	{device.ClassSurgicalTable, 20}, {device.ClassSurgicalRobot, 3}, {device.ClassXRHeadset, 4}, {device.ClassXRProcessor, 4}, {device.ClassWorkstation, 70}, {device.ClassMobile, 36},
	{device.ClassPrinter, 16}, {device.ClassCamera, 6}, {device.ClassNetwork, 6}, {device.ClassLabAnalyser, 3},
}

// rooms is how many theatres there are. Each has a C-arm, an anaesthesia machine, a
// table, two monitors, a ventilator where there are enough, pumps and a workstation.
const rooms = 20

// monday is the first day.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func newHospital(corpus []recorded) *hospital {
	h := &hospital{rand: rand.New(rand.NewPCG(7, 11)), by: map[device.Class][]int{}, clips: newClips(corpus), busy: map[string]int64{}, muted: map[int]int64{}} //nolint:gosec // the same weeks each time
	for i := range rooms {
		id := fmt.Sprintf("OR-%d", i+1)
		h.theatres = append(h.theatres, theatre.Theatre{ID: id, Name: id, State: theatre.Idle})
	}
	for _, f := range fleet {
		for i := range f.n {
			n := len(h.devices)
			d := device.Device{ID: fmt.Sprintf("dev-%03d", n), Name: fmt.Sprintf("%s-%d", f.class, i+1), Class: f.class, First: monday.AddDate(0, -6, 0).UnixNano(),
				Interfaces: []device.Interface{{MAC: device.MAC{0, 0x16, 0x6f, 0, byte(n >> 8), byte(n)}, IPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 40, byte(n / 200), byte(n%200 + 10)})}}}}
			switch f.class {
			case device.ClassCArm, device.ClassAnaesthesia, device.ClassSurgicalTable:
				d.Theatre = h.theatres[i].ID
			case device.ClassPatientMonitor:
				if i < 2*rooms {
					d.Theatre = h.theatres[i%rooms].ID
				}
			case device.ClassInfusionPump:
				if i < 3*rooms {
					d.Theatre = h.theatres[i%rooms].ID
				}
			case device.ClassVentilator, device.ClassWorkstation:
				if i < rooms {
					d.Theatre = h.theatres[i].ID
				}
			case device.ClassSurgicalRobot, device.ClassXRProcessor, device.ClassXRHeadset:
				d.Theatre = h.theatres[i].ID
			}
			switch f.class {
			case device.ClassAnaesthesia, device.ClassVentilator, device.ClassSurgicalRobot:
				d.Criticality = device.CriticalityLife
			}
			switch f.class {
			case device.ClassPACS, device.ClassCT, device.ClassMR, device.ClassXRay, device.ClassUltrasound, device.ClassCArm, device.ClassEndoscopy, device.ClassWorkstation, device.ClassXRProcessor:
				d.AETitles = []string{fmt.Sprintf("AE%03d", n)}
			}
			h.by[f.class] = append(h.by[f.class], n)
			h.devices = append(h.devices, d)
		}
	}
	s := h.by[device.ClassServer]
	h.pacs, h.engine = h.by[device.ClassPACS][0], h.by[device.ClassInterfaceEngine][0]
	h.names, h.clock, h.update, h.backup, h.directory, h.files, h.monitoring, h.broker, h.ris, h.ehr = s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9]
	h.devices[h.ehr].Class = device.ClassEHR
	h.devices[h.ris].AETitles = []string{"RIS"}
	h.acts = newActs(h.clips)
	for i := range 40 { // of the world: addresses for documentation
		h.sites = append(h.sites, h.add(device.Device{Name: fmt.Sprintf("site-%d", i), Class: outside,
			Interfaces: []device.Interface{{MAC: device.MAC{0, 0x16, 0x6f, 1, 0, 1}, IPs: []netip.Addr{netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)})}}}}))
	}
	return h
}

// add adds a device that is not one of the hospital's when the week begins.
func (h *hospital) add(d device.Device) int {
	h.devices = append(h.devices, d)
	return len(h.devices) - 1
}

// inventory returns the devices that the hospital knows.
func (h *hospital) inventory() []device.Device {
	var out []device.Device
	for i := range h.devices {
		if h.devices[i].ID != "" {
			out = append(out, h.devices[i])
		}
	}
	return out
}

// any returns a device of a class.
func (h *hospital) any(c device.Class) int { return h.by[c][h.rand.IntN(len(h.by[c]))] }

// in returns the device of a class in a theatre, -1 for none.
func (h *hospital) in(room string, c device.Class) int {
	for _, n := range h.by[c] {
		if h.devices[n].Theatre == room {
			return n
		}
	}
	return -1
}

// task is what is done at a time.
type task struct {
	at   int64
	n    uint64 // in the order in which they were planned, where two have the same time
	what func(at int64)
}

type tasks struct {
	of []task
	n  uint64
}

func (t *tasks) Len() int { return len(t.of) }
func (t *tasks) Less(i, j int) bool {
	return t.of[i].at < t.of[j].at || t.of[i].at == t.of[j].at && t.of[i].n < t.of[j].n
}
func (t *tasks) Swap(i, j int) { t.of[i], t.of[j] = t.of[j], t.of[i] }
func (t *tasks) Push(x any)    { t.of = append(t.of, x.(task)) } //nolint:errcheck,forcetypeassert // a heap of tasks
func (t *tasks) Pop() any {
	x := t.of[len(t.of)-1]
	t.of = t.of[:len(t.of)-1]
	return x
}

// pending is events that are yet to be shown.
type pending []detect.Recorded

func (p pending) Len() int           { return len(p) }
func (p pending) Less(i, j int) bool { return p[i].Event.Time < p[j].Event.Time }
func (p pending) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pending) Push(x any)        { *p = append(*p, x.(detect.Recorded)) } //nolint:errcheck,forcetypeassert // a heap of events
func (p *pending) Pop() any {
	old := *p
	x := old[len(old)-1]
	*p = old[:len(old)-1]
	return x
}

// plan does something at a time.
func (h *hospital) plan(at int64, what func(at int64)) {
	h.tasks.n++
	heap.Push(&h.tasks, task{at, h.tasks.n, what})
}

// every does something again and again: about so often, with a first time within the
// first pause.
func (h *hospital) every(from int64, pause func(at int64) time.Duration, what func(at int64)) {
	var again func(at int64)
	again = func(at int64) {
		what(at)
		h.plan(at+int64(h.about(pause(at))), again)
	}
	h.plan(from+h.rand.Int64N(int64(pause(from))), again)
}

// always is a pause that does not depend on the hour.
func always(d time.Duration) func(int64) time.Duration {
	return func(int64) time.Duration { return d }
}

// about is a time that varies by a fifth.
func (h *hospital) about(d time.Duration) time.Duration {
	return d*4/5 + time.Duration(h.rand.Int64N(max(int64(d)*2/5, 1)))
}

// run shows what happens until a time, each event in its order.
func (h *hospital) run(until int64, show func(*detect.Recorded)) {
	flush := func(to int64) {
		for len(h.events) > 0 && h.events[0].Event.Time <= to {
			r := heap.Pop(&h.events).(detect.Recorded) //nolint:errcheck,forcetypeassert // a heap of events
			h.shown++
			r.Record.Seq = h.shown
			show(&r)
		}
	}
	for h.tasks.Len() > 0 && h.tasks.of[0].at < until {
		t := heap.Pop(&h.tasks).(task) //nolint:errcheck,forcetypeassert // a heap of tasks
		flush(t.at)
		t.what(t.at)
	}
	flush(until)
}
