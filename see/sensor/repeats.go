// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
)

const (
	// repeatInterval is how long events that say the same are counted together: short
	// enough that who waits for the next one notices when it stays out.
	repeatInterval = int64(time.Second)
	// maxRepeats bounds the repetitions that are known at a time. Beyond it what was
	// counted goes out early.
	maxRepeats = 4096
)

// repeats counts events that say the same again and again: the first goes out at
// once, those after it go out as one event per interval, with their number. What was
// not repeated during an interval is forgotten: the next one is a first one.
type repeats struct {
	emit  func(*event.Event)
	every int64 // ns of an interval
	began int64
	known map[analyze.Repetition]*repeat
}

type repeat struct {
	event       *event.Event // that stands for those counted, nil when there are none
	first, last int64
	count       uint64
	records     int
	seen        bool // in this interval
}

var _ analyze.Repeater = (*worker)(nil)

// Repeat implements analyze.Repeater. Of a file every event is reported: there its
// reader decides, and the answer does not depend on the number of workers.
func (w *worker) Repeat(k analyze.Repetition, t int64, records int) analyze.Repeated {
	if !w.s.cfg.ReportOpen {
		return analyze.First
	}
	return w.repeats.repeat(k, t, records)
}

// Sum implements analyze.Repeater.
func (w *worker) Sum(k analyze.Repetition, e *event.Event) { w.repeats.sum(k, e) }

func newRepeats(emit func(*event.Event)) *repeats {
	return &repeats{emit: emit, every: repeatInterval, known: map[analyze.Repetition]*repeat{}}
}

func (r *repeats) repeat(k analyze.Repetition, t int64, records int) analyze.Repeated {
	if r.began == 0 {
		r.began = t
	}
	r.due(t)
	x := r.known[k]
	if x == nil {
		if len(r.known) >= maxRepeats {
			r.flush()
			clear(r.known)
		}
		r.known[k] = &repeat{seen: true}
		return analyze.First
	}
	x.seen = true
	if x.count == 0 {
		x.first = t
	}
	x.count++
	x.records += records
	x.last = max(x.last, t)
	if x.event == nil {
		return analyze.Second
	}
	return analyze.Counted
}

func (r *repeats) sum(k analyze.Repetition, e *event.Event) {
	if x := r.known[k]; x != nil && x.count > 0 {
		x.event = e
	}
}

// due lets out what was counted when an interval is over.
func (r *repeats) due(now int64) {
	if now-r.began <= r.every || len(r.known) == 0 {
		return
	}
	r.flush()
	r.began = now
	for k, x := range r.known {
		if !x.seen {
			delete(r.known, k)
		}
		x.seen = false
	}
}

// flush lets out what was counted, in the order of time.
func (r *repeats) flush() {
	var out []*repeat
	for _, x := range r.known {
		if x.event != nil {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b *repeat) int {
		return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.first, b.first), cmp.Compare(a.event.Message, b.event.Message))
	})
	for _, x := range out {
		e := x.event
		if x.count > 1 {
			x.tell(e)
		}
		x.event, x.count, x.records = nil, 0, 0
		r.emit(e)
	}
}

// tell puts into an event how many it stands for.
func (x *repeat) tell(e *event.Event) {
	n := strconv.FormatUint(x.count, 10)
	counted := []event.KV{{Name: "repeated", Value: n}, {Name: "repeated_since", Value: time.Unix(0, x.first).UTC().Format(time.RFC3339Nano)}}
	e.Time = x.last
	e.Message += ", " + n + " times"
	switch d := e.Detail.(type) {
	case *event.Application:
		d.Attributes = append(d.Attributes, counted...)
	case *event.MedicalDevice:
		d.Attributes = append(d.Attributes, counted...)
		d.Records = x.records
	}
}
