// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/board"
)

const (
	imageSpan   = time.Hour
	imageEvery  = time.Second
	maxTransfer = 20_000 // pairs of devices kept in one minute, all rooms together
)

// OCSF activities of DICOM that say how images fare.
const (
	associationReject = 3
	associationAbort  = 5
	operationStore    = 2
)

// images counts DICOM storage of the last hour by room and pair of devices. It reads
// each event once, as it is stored, and keeps sums by minute.
type images struct {
	store store.Events
	now   func() time.Time

	mu      sync.Mutex
	minutes map[int64]map[transfer]*tally
	counted bool // the hour before the start has been read, too
}

type transfer struct{ theatre, src, dst string }

type tally struct {
	stored, failed     uint64
	lastGood, lastBad  int64
	encrypted, inClear bool
}

func newImages(st store.Events, now func() time.Time) *images {
	return &images{store: st, now: now, minutes: map[int64]map[transfer]*tally{}}
}

// imageQuery asks for DICOM in either of its classes.
func imageQuery() store.Query {
	return store.Query{Terms: []store.Term{{Field: store.FieldClass, Values: []string{itoa(uint32(event.ClassDICOMAssociation)), itoa(uint32(event.ClassDICOMOperation))}}}}
}

func (m *images) run(ctx context.Context, log *slog.Logger) {
	t := time.NewTicker(imageEvery)
	defer t.Stop()
	var next uint64
	begun, failing := false, false
	for {
		var err error
		if !begun {
			next, err = m.begin(ctx)
			begun = err == nil
		} else {
			next, err = m.follow(ctx, next)
		}
		if err != nil && ctx.Err() == nil && !failing {
			log.Warn("images are not counted now", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// begin reads the hour before the start.
func (m *images) begin(ctx context.Context) (uint64, error) {
	_, last, err := m.store.Last(ctx)
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	clear(m.minutes)
	m.mu.Unlock()
	q := imageQuery()
	q.From, q.Limit = m.now().Add(-imageSpan).UnixNano(), 5000
	for {
		page, err := m.store.Query(ctx, q)
		if err != nil {
			return 0, err
		}
		for i := range page.Records {
			if page.Records[i].Seq <= last {
				m.add(&page.Records[i])
			}
		}
		if page.Next == "" {
			break
		}
		q.Cursor = page.Next
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counted = true
	return last, nil
}

// follow reads what was stored since.
func (m *images) follow(ctx context.Context, seq uint64) (uint64, error) {
	for {
		recs, next, err := m.store.After(ctx, seq, imageQuery(), 5000)
		if err != nil {
			return seq, err
		}
		for i := range recs {
			m.add(&recs[i])
		}
		if next <= seq {
			return seq, nil
		}
		seq = next
		if len(recs) == 0 {
			_, last, err := m.store.Last(ctx)
			if err != nil || seq >= last {
				return seq, err
			}
		}
	}
}

// add counts one event.
func (m *images) add(r *record.Record) {
	good, bad := false, false
	switch r.Class {
	case event.ClassDICOMOperation:
		if r.Activity != operationStore {
			return
		}
		good, bad = r.Status == event.StatusSuccess, r.Status == event.StatusFailure
	case event.ClassDICOMAssociation:
		bad = r.Activity == associationReject || r.Activity == associationAbort
	}
	if !good && !bad {
		return
	}
	oldest := m.now().Add(-imageSpan).UnixNano()
	if r.Time < oldest {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	minute := r.Time / int64(time.Minute)
	for k := range m.minutes {
		if (k+1)*int64(time.Minute) <= oldest {
			delete(m.minutes, k)
		}
	}
	if len(m.minutes) > 200 {
		return // times that cannot be right
	}
	of := m.minutes[minute]
	if of == nil {
		of = map[transfer]*tally{}
		m.minutes[minute] = of
	}
	key := transfer{r.Theatre, r.SrcDevice, r.DstDevice}
	t := of[key]
	if t == nil {
		if len(of) >= maxTransfer {
			key = transfer{theatre: r.Theatre}
			if t = of[key]; t == nil {
				t = &tally{}
			}
		} else {
			t = &tally{}
		}
		of[key] = t
	}
	if good {
		t.stored++
		t.lastGood = max(t.lastGood, r.Time)
	} else {
		t.failed++
		t.lastBad = max(t.lastBad, r.Time)
	}
	if e, err := record.Decode(r.Data); err == nil {
		t.encrypted = t.encrypted || e.Encrypted
		t.inClear = t.inClear || !e.Encrypted
	}
}

func (t *tally) join(o *tally) {
	t.stored += o.stored
	t.failed += o.failed
	t.lastGood, t.lastBad = max(t.lastGood, o.lastGood), max(t.lastBad, o.lastBad)
	t.encrypted, t.inClear = t.encrypted || o.encrypted, t.inClear || o.inClear
}

// rooms sums up by room; whole is false while the first hour is still read.
func (m *images) rooms() (out map[string]board.Images, whole bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out = map[string]board.Images{}
	oldest := m.now().Add(-imageSpan).UnixNano()
	for minute, of := range m.minutes {
		if (minute+1)*int64(time.Minute) <= oldest {
			continue
		}
		for key, t := range of {
			n := out[key.theatre]
			n.Stored += t.stored
			n.Failed += t.failed
			n.LastGood, n.LastBad = max(n.LastGood, t.lastGood), max(n.LastBad, t.lastBad)
			out[key.theatre] = n
		}
	}
	return out, m.counted
}

// of sums up by device, as sender and as receiver, over all rooms.
func (m *images) devices() (sent, taken map[string]*tally) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sent, taken = map[string]*tally{}, map[string]*tally{}
	oldest := m.now().Add(-imageSpan).UnixNano()
	put := func(to map[string]*tally, id string, t *tally) {
		if id == "" {
			return
		}
		if to[id] == nil {
			to[id] = &tally{}
		}
		to[id].join(t)
	}
	for minute, of := range m.minutes {
		if (minute+1)*int64(time.Minute) <= oldest {
			continue
		}
		for key, t := range of {
			put(sent, key.src, t)
			put(taken, key.dst, t)
		}
	}
	return sent, taken
}

func parseUint(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	return n, err == nil
}
