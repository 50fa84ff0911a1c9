// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/recorder"
	"github.com/asepsis/asepsis/see/watch"
)

const (
	watchEvery  = 2 * time.Second  // how often reports are read
	statsEvery  = 10 * time.Second // how often the store is asked what it keeps
	reportGone  = 15 * time.Second // a sensor or recorder that has not reported for so long is gone
	lateAfter   = 5 * time.Second  // from when on the lag is worth a word
	reportEmpty = time.Minute      // a sensor without packets for so long is silent
)

// health is what the parts of the system said last.
type health struct {
	at       time.Time
	storeErr error
	busErr   error
	bus      bus.Stats
	sensors  []sensorNow
	recorder *recorder.Report // of the one that writes; nil when none reports
}

// sensorNow is a sensor's report and the one before, from which rates follow.
type sensorNow struct {
	watch.Report
	before   *watch.Report // at least a second older, of the same run; nil when there is none
	lastSeen time.Time     // when packets were last counted
	loss     float64       // in the last hour
}

// watch keeps health and the counts of images up to date.
type watcher struct {
	s        *Server
	images   *images
	gateways atomic.Bool // some DICOM gateway is known

	mu     sync.Mutex
	cur    *health
	since  map[string]componentSince
	stat   store.Stats
	statAt time.Time
	series map[string]lossPoint
}

type componentSince struct {
	state string
	since time.Time
}

// lossPoint is the loss of the last hour as the series had it.
type lossPoint struct {
	at   time.Time
	loss float64
	ok   bool
}

func newWatch(s *Server) *watcher {
	return &watcher{s: s, images: newImages(s.dep.Store, s.now), since: map[string]componentSince{}, series: map[string]lossPoint{}}
}

func (w *watcher) run(ctx context.Context) {
	var background sync.WaitGroup
	defer background.Wait()
	background.Go(func() { w.images.run(ctx, w.s.log) })
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	last := ""
	for {
		inner, cancel := context.WithTimeout(ctx, 10*time.Second)
		w.read(inner)
		st := w.s.status(inner, "")
		cancel()
		if sum := statusSum(&st); sum != last {
			last = sum
			w.s.notices.tell(notice{What: "status"})
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// statusSum changes when a status says something else than before.
func statusSum(s *Status) string {
	out := s.State + "\x00" + s.Sentence
	for _, c := range s.Components {
		out += "\x00" + c.Name + c.State + c.Sentence
	}
	for _, t := range s.TheatresInCase {
		out += "\x00" + t.ID
	}
	return out
}

// now returns the health, at most a few seconds old.
func (w *watcher) now(ctx context.Context) *health {
	w.mu.Lock()
	cur := w.cur
	w.mu.Unlock()
	if cur != nil {
		if age := w.s.now().Sub(cur.at); age >= 0 && age < 2*watchEvery {
			return cur
		}
	}
	return w.read(ctx)
}

// read asks store and bus.
func (w *watcher) read(ctx context.Context) *health {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	now := w.s.now()
	h := &health{at: now, storeErr: w.s.dep.Store.Ping(ctx)}
	if h.bus, h.busErr = w.s.dep.Bus.Stats(ctx); h.busErr == nil && !h.bus.Connected {
		h.busErr = errors.New("not connected")
	}
	sensors, err := w.s.dep.Bus.Reports(ctx, watch.ReportKind)
	h.busErr = cmp.Or(h.busErr, err)
	recorders, err := w.s.dep.Bus.Reports(ctx, recorder.ReportKind)
	h.busErr = cmp.Or(h.busErr, err)
	for _, r := range recorders {
		var rep recorder.Report
		if json.Unmarshal(r.Body, &rep) == nil && !rep.Waiting {
			h.recorder = &rep
		}
	}
	if h.busErr == nil { // without the bus, what was known stays
		if list, err := control.Gateways(ctx, w.s.dep.Bus, now); err == nil {
			w.gateways.Store(len(list) > 0)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range sensors {
		var rep watch.Report
		if json.Unmarshal(r.Body, &rep) != nil {
			continue
		}
		rep.Name = cmp.Or(rep.Name, r.Name)
		h.sensors = append(h.sensors, w.sensor(ctx, rep, now))
	}
	slices.SortFunc(h.sensors, func(a, b sensorNow) int { return cmp.Compare(a.Name, b.Name) })
	w.cur = h
	return h
}

// sensor joins a report with the one before. Preconditions: w.mu is held.
func (w *watcher) sensor(ctx context.Context, rep watch.Report, now time.Time) sensorNow {
	out := sensorNow{Report: rep, lastSeen: time.Unix(0, rep.Started)}
	if rep.Stats.Packets > 0 {
		out.lastSeen = time.Unix(0, rep.At)
	}
	if w.cur != nil {
		for i := range w.cur.sensors {
			was := &w.cur.sensors[i]
			if was.Name != rep.Name || was.Started != rep.Started {
				continue
			}
			switch {
			case rep.At-was.At >= int64(time.Second):
				before := was.Report
				out.before = &before
			case rep.At >= was.At:
				out.before = was.before
			}
			if rep.Stats.Packets == was.Stats.Packets {
				out.lastSeen = was.lastSeen
			}
		}
	}
	out.loss = w.loss(ctx, &rep, now)
	return out
}

// loss returns the share of packets that were lost in the last hour: from the
// series, or of all when the sensor is younger than that. Preconditions: w.mu is held.
func (w *watcher) loss(ctx context.Context, rep *watch.Report, now time.Time) float64 {
	p := w.series[rep.Name]
	if age := now.Sub(p.at); p.at.IsZero() || age > 30*time.Second || age < 0 {
		p = lossPoint{at: now}
		from := now.Add(-time.Hour)
		if cols, err := w.s.columns(ctx, rep.Name, from, now); err == nil {
			var lost, seen int64
			for i := range cols.packets {
				if cols.packets[i] != nil && cols.dropped[i] != nil {
					lost, seen = lost+*cols.dropped[i], seen+*cols.packets[i]
					p.ok = true
				}
			}
			if lost+seen > 0 {
				p.loss = float64(lost) / float64(lost+seen)
			}
		}
		if len(w.series) > 1000 {
			clear(w.series)
		}
		w.series[rep.Name] = p
	}
	if p.ok && now.Sub(time.Unix(0, rep.Started)) > 2*time.Minute {
		return p.loss
	}
	if all := rep.Stats.Dropped + rep.Stats.Packets; all > 0 {
		return float64(rep.Stats.Dropped) / float64(all)
	}
	return 0
}

// stats returns what the store keeps, at most statsEvery old.
func (w *watcher) stats(ctx context.Context) (store.Stats, error) {
	w.mu.Lock()
	st, at := w.stat, w.statAt
	w.mu.Unlock()
	every := statsEvery
	if st.Events == 0 {
		every = time.Second // the first events shall not wait to be shown
	}
	if age := w.s.now().Sub(at); !at.IsZero() && age >= 0 && age < every {
		return st, nil
	}
	st, err := w.s.dep.Store.Stats(ctx)
	if err != nil {
		return st, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stat, w.statAt = st, w.s.now()
	return st, nil
}

// sinceOf returns since when a component is in a state.
func (w *watcher) sinceOf(name, state string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.since[name]
	if !ok && len(w.since) > 2000 {
		clear(w.since) // names come from reports: keep them bounded
	}
	if !ok || c.state != state {
		c = componentSince{state, w.s.now()}
		if !ok {
			c.since = w.s.started
		}
		w.since[name] = c
	}
	return c.since
}
