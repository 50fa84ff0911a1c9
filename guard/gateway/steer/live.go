// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Bounds of what is kept of conversations.
const (
	MaxEnded    = 400 // that ended
	maxOpen     = 5000
	maxPerPeer  = 40 // that ended, of one address
	shownAtOnce = 500
	keptMinutes = 60
)

// Live is what the gateway is doing now and did lately: its conversations, and counts by
// minute. All methods may be called concurrently and return at once, and do nothing on a
// nil Live.
type Live struct {
	now     func() time.Time
	changed chan struct{} // capacity 1

	mu      sync.Mutex
	open    map[string]control.Association // by ID
	ended   []control.Association          // oldest first
	totals  Totals
	minutes [keptMinutes + 1]minute // ring by the minute since 1970
}

type minute struct {
	at                                           int64 // minutes since 1970
	received, forwarded, quarantined, refused    int
	bytes, forwardedBytes                        int64
	partReceived, partForwarded, partIn, partOut [60]int64 // by second: of the rates
}

// Totals are counts since the start.
type Totals struct {
	Received, ReceivedBytes, Forwarded, ForwardedBytes uint64
	Flagged, Sanitised, Quarantined, Refused           uint64
}

// NewLive returns an empty one; now nil is the clock.
func NewLive(now func() time.Time) *Live {
	if now == nil {
		now = time.Now
	}
	return &Live{now: now, changed: make(chan struct{}, 1), open: map[string]control.Association{}}
}

// Association says how a conversation stands: when it begins, whenever something about
// it changed, and, with Ended, at its end. It is known by its ID. Of more than five
// thousand that are open at once, those beyond are listed when they have ended.
func (l *Live) Association(a control.Association) {
	if l == nil || a.ID == "" {
		return
	}
	a.Since, a.Ended = a.Since.UTC(), a.Ended.UTC()
	l.mu.Lock()
	_, known := l.open[a.ID]
	switch {
	case !a.Ended.IsZero():
		delete(l.open, a.ID)
		a.Doing = ""
		l.keep(a)
	case known || len(l.open) < maxOpen:
		l.open[a.ID] = a
	}
	l.mu.Unlock()
	l.Changed()
}

// keep remembers a conversation that ended. The caller holds mu.
func (l *Live) keep(a control.Association) {
	of, oldest := 0, -1
	for i := range l.ended {
		if l.ended[i].Address == a.Address {
			if of++; oldest < 0 {
				oldest = i
			}
		}
	}
	switch {
	case of >= maxPerPeer:
		l.ended = slices.Delete(l.ended, oldest, oldest+1)
	case len(l.ended) >= MaxEnded:
		l.ended = slices.Delete(l.ended, 0, 1)
	}
	l.ended = append(l.ended, a)
}

// Associations lists what is open, the newest first, then what ended, the newest first.
func (l *Live) Associations() []control.Association {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	out := slices.AppendSeq(make([]control.Association, 0, len(l.open)+len(l.ended)), maps.Values(l.open))
	ended := slices.Clone(l.ended)
	l.mu.Unlock()
	slices.SortFunc(out, func(a, b control.Association) int {
		return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(a.ID, b.ID))
	})
	slices.Reverse(ended)
	out = append(out, ended...)
	return out[:min(len(out), shownAtOnce)]
}

// Open counts the conversations of a listener that are open.
func (l *Live) Open(listener string) int {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, a := range l.open {
		if a.Listener == listener {
			n++
		}
	}
	return n
}

// Instance counts what became of an instance that was brought. One that was there already
// counts as received and as nothing else.
func (l *Live) Instance(_ instance.Arrival, o instance.Outcome) {
	v := o.Record.Verdict
	switch {
	case o.Again:
		v = instance.Pass
	case o.Record.State == instance.Refused:
		v = instance.Refuse
	}
	l.Received(v, o.Record.Bytes)
}

// Received counts an instance that was brought, by what the firewall made of it. A
// sanitised one is counted once, with its original.
func (l *Live) Received(v instance.Verdict, bytes int64) {
	l.count(func(m *minute, second int) {
		switch v {
		case instance.Refuse:
			l.totals.Refused++
			m.refused++
			return
		case instance.Quarantine:
			l.totals.Quarantined++
			m.quarantined++
		case instance.Sanitise:
			l.totals.Sanitised++
		case instance.Flag:
			l.totals.Flagged++
		case instance.Pass:
		}
		l.totals.Received++
		l.totals.ReceivedBytes += uint64(max(bytes, 0))
		m.received++
		m.bytes += bytes
		m.partReceived[second]++
		m.partIn[second] += bytes
	})
}

// Forwarded counts an instance that a destination took.
func (l *Live) Forwarded(bytes int64) {
	l.count(func(m *minute, second int) {
		l.totals.Forwarded++
		l.totals.ForwardedBytes += uint64(max(bytes, 0))
		m.forwarded++
		m.forwardedBytes += bytes
		m.partForwarded[second]++
		m.partOut[second] += bytes
	})
}

func (l *Live) count(f func(m *minute, second int)) {
	if l == nil {
		return
	}
	t := l.now().Unix()
	l.mu.Lock()
	f(l.at(t/60), int(t%60))
	l.mu.Unlock()
	l.Changed()
}

// at is the minute's place in the ring, emptied when it was of an earlier one. The
// caller holds mu.
func (l *Live) at(n int64) *minute {
	m := &l.minutes[n%int64(len(l.minutes))]
	if m.at != n {
		*m = minute{at: n}
	}
	return m
}

// Changed says that something changed that is worth looking at again.
func (l *Live) Changed() {
	if l == nil {
		return
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Totals returns the counts since the start.
func (l *Live) Totals() Totals {
	if l == nil {
		return Totals{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.totals
}

// Minutes returns the last sixty minutes, oldest first; the last is the one that is not over.
func (l *Live) Minutes() []control.Minute {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now().Unix() / 60
	out := make([]control.Minute, 0, keptMinutes)
	for n := now - keptMinutes + 1; n <= now; n++ {
		m := control.Minute{At: time.Unix(n*60, 0).UTC()}
		if k := &l.minutes[n%int64(len(l.minutes))]; k.at == n {
			m.Received, m.Bytes, m.Forwarded, m.Quarantined, m.Refused = k.received, k.bytes, k.forwarded, k.quarantined, k.refused
		}
		out = append(out, m)
	}
	return out
}

// flows are what came and went, with the rates of the last sixty whole seconds.
func (l *Live) flows() (in, out control.Flow) {
	if l == nil {
		return in, out
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	in.Instances, in.Bytes, out.Instances, out.Bytes = l.totals.Received, l.totals.ReceivedBytes, l.totals.Forwarded, l.totals.ForwardedBytes
	now := l.now().Unix()
	for t := now - 60; t < now; t++ {
		m := &l.minutes[t/60%int64(len(l.minutes))]
		if m.at != t/60 {
			continue
		}
		in.PerSecond += float64(m.partReceived[t%60]) / 60
		in.Rate += float64(m.partIn[t%60]) / 60
		out.PerSecond += float64(m.partForwarded[t%60]) / 60
		out.Rate += float64(m.partOut[t%60]) / 60
	}
	return in, out
}
