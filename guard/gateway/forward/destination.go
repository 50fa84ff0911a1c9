// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// destination is one destination at work.
type destination struct {
	f    *Forwarder
	cfg  Destination
	deid instance.Transformer
	open func() (Sender, error)
	log  *slog.Logger

	party *party // its senders, at its system
	asks  *party // its questions about storage commitment

	mu      sync.Mutex
	changed chan struct{} // closed when there may be something to do
	workers []worker
	probe   time.Time // when the last try began after a failure; zero: none is under way
	q       *queue
	dead    map[uint64]bool
	owed    map[uint64]bool // delivered, and the ledger does not know yet
	commit  commits
	paused  bool
	rest    time.Time // nothing is sent before
	fails   int       // in a row
	since   time.Time // of the first of them
	why     string
	hint    string
	success time.Time
	failure time.Time
	sent    uint64
	rate    rate
}

// worker is how one of a destination's workers is.
type worker struct {
	busy  bool
	open  bool // it has an association, or may have
	tries bool // what it sends is the try after a failure
}

func (f *Forwarder) destination(c Destination) (*destination, error) {
	d := &destination{f: f, cfg: c, log: f.log.With("destination", c.Name), changed: make(chan struct{}), workers: make([]worker, c.Associations), q: newQueue(2 * c.BackoffMax), dead: map[uint64]bool{}, owed: map[uint64]bool{}}
	at := &system{turn: f.d.turn}
	if c.Kind == KindDIMSE {
		at = f.system(c.Address)
	}
	d.party, d.asks = at.party(d.signal), at.party(nil)
	d.commit.init(f.d.stay)
	if c.Deid != "" {
		if f.d.Deid == nil {
			return nil, errNoProfiles
		}
		t, err := f.d.Deid(c.Deid)
		if err != nil {
			return nil, err
		}
		d.deid = t
	}
	open, err := f.opener(d)
	if err != nil {
		return nil, err
	}
	d.open = open
	return d, nil
}

// seen is told what the journal has of a delivery.
func (d *destination) seen(r *instance.Record, v *instance.Delivery, alive bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := r.Number
	delete(d.dead, n)
	delete(d.owed, n)
	waits := alive && v.State == instance.Waiting
	if !waits {
		d.q.remove(n)
	}
	d.commit.forget(n, alive && v.State == instance.Delivered && !v.Next.IsZero())
	switch {
	case waits:
		d.q.put(r, v, d.cfg.Theatre, d.f.Open(v.Route), d.f.now())
		d.signalLocked()
	case !alive:
	case v.State == instance.Dead:
		d.dead[n] = true
	case v.State == instance.Delivered && !v.Next.IsZero():
		if !recorded(r, v.Destination) {
			d.owed[n] = true
		}
		if d.cfg.Commitment {
			now := d.f.now()
			d.commit.add(n, earlier(v.Next, now.Add(d.cfg.CommitWithin)), now)
			d.signalLocked()
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// recorded reports whether the ledger knows of the delivery.
func recorded(r *instance.Record, destination string) bool {
	return slices.ContainsFunc(r.Entries, func(e instance.Entry) bool {
		return e.Kind == string(custody.Forwarded) && e.Destination == destination
	})
}

func (d *destination) signal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.signalLocked()
}

func (d *destination) signalLocked() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// pause is how long nothing was found to do before it is looked again without being told.
const pause = 30 * time.Second

// next gives worker i something to send, or says how long to wait and on what.
func (d *destination) next(i int, open bool) (it *item, wait time.Duration, changed chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.f.now()
	if d.workers[i].tries {
		d.probe = time.Time{}
		d.signalLocked()
	}
	d.workers[i] = worker{open: open}
	changed, wait = d.changed, pause
	if d.paused {
		d.party.withdraw()
		return nil, wait, changed
	}
	if rest := d.resting(now); rest > 0 {
		return nil, rest, changed
	}
	if later := d.q.due(now); !later.IsZero() {
		wait = min(wait, max(later.Sub(now), time.Millisecond))
	}
	// There are as many at work as have something to do: first those that have an association.
	before := 0
	for j, w := range d.workers {
		if !w.busy && (w.open && !open || w.open == open && j < i) {
			before++
		}
	}
	if d.q.ready <= before {
		return nil, wait, changed
	}
	// After a failure one tries, and another where that one takes long.
	if d.fails > 0 && !d.probe.IsZero() {
		if long := tryLong - now.Sub(d.probe); long > 0 {
			return nil, min(wait, long), changed
		}
	}
	if it = d.q.peek(d.f.urgent, d.f.ledger.why() != nil); it == nil {
		d.party.withdraw()
		return nil, wait, changed
	}
	if !open && !d.party.enter(now, d.f.urgent(it.theatre)) {
		return nil, min(wait, look), changed
	}
	d.workers[i] = worker{busy: true, open: true, tries: d.fails > 0}
	if d.fails > 0 {
		d.probe = now
	}
	return d.q.given(it), wait, changed
}

// tryLong is how long one tries alone whether a destination works again.
const tryLong = 10 * time.Second

// resting is how long nothing is to be sent yet. What is urgent does not wait for a rest that was begun
// without it. Precondition: mu is held.
func (d *destination) resting(now time.Time) time.Duration {
	rest := d.rest.Sub(now)
	if rest <= 0 {
		return 0
	}
	if rest > urgentBackoff+urgentBackoff/4 && d.q.urgents(d.f.urgent) > 0 {
		rest = backoff(urgentBackoff, urgentBackoff, 1)
		d.rest = now.Add(rest)
	}
	return min(rest, urgentBackoff) // a case may begin, of which nobody is told
}

// work is one worker: it has one association, or one HTTP connection, at most.
func (d *destination) work(ctx context.Context, i int) {
	var s Sender
	closing := func() {
		if s != nil {
			_ = s.Close()
			s = nil
			d.party.leave(d.f.now())
		}
	}
	defer closing()
	used := time.Now()
	for ctx.Err() == nil {
		it, wait, changed := d.next(i, s != nil)
		if it == nil {
			if s != nil {
				if rest := d.linger() - time.Since(used); rest <= 0 {
					closing()
					d.signal() // another of its workers may want it
					continue
				} else {
					wait = min(wait, rest)
				}
			}
			t := time.NewTimer(wait)
			select {
			case <-changed:
			case <-t.C:
			case <-ctx.Done():
			}
			t.Stop()
			continue
		}
		if s == nil {
			var err error
			if s, err = d.open(); err != nil {
				d.party.leave(d.f.now())
				d.failed(&failure{class: unreachable, err: err, hint: hintOf(err)})
				d.back(it)
				continue
			}
		}
		urgent := d.f.urgent(it.theatre)
		o, lost := d.deliver(ctx, s, it)
		used = time.Now()
		if lost || d.party.over(d.f.now(), urgent) {
			closing()
			d.signal()
		}
		if o != nil {
			d.f.books <- o
		}
	}
}

// linger is how long an association is kept without work.
func (d *destination) linger() time.Duration {
	switch at, now := d.party.at, d.f.now(); {
	case at.awaited(now):
		return 0
	case at.isFull(now):
		return min(d.cfg.Linger, shortLinger)
	}
	return d.cfg.Linger
}

// shortLinger is how long an association without work is kept with a system that has no other: instances that come one
// after the other go over one, and who else wants it does not wait for long.
const shortLinger = 500 * time.Millisecond

// back returns an item that was not sent, without prejudice.
func (d *destination) back(it *item) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.q.back(it, d.f.now())
	d.signalLocked()
}

// lost forgets an item that the journal does not have any more.
func (d *destination) lost(it *item) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.q.remove(it.number)
}

// crowded notes that another association could not be had while there are others: the destination is not down, it
// only has no more of them. False: it is down.
func (d *destination) crowded(err error) bool {
	d.mu.Lock()
	now := d.f.now()
	works := d.fails == 0 && now.Sub(d.success) <= fewer
	d.mu.Unlock()
	return d.party.refused(now, err, works)
}

// failed notes that the destination as a whole does not work.
func (d *destination) failed(e *failure) {
	d.mu.Lock()
	now := d.f.now()
	first := d.fails == 0
	if now.Before(d.rest) && !first {
		d.mu.Unlock()
		return // several workers met the same failure
	}
	d.fails++
	if first {
		d.since = now
	}
	limit := d.cfg.BackoffMax
	if d.q.urgents(d.f.urgent) > 0 {
		limit = min(limit, urgentBackoff)
	}
	d.rest = now.Add(backoff(d.cfg.BackoffMin, limit, d.fails))
	d.failure, d.why, d.hint = now, e.Error(), hintOf(e)
	rest := d.rest.Sub(now)
	d.mu.Unlock()
	if first {
		d.log.Warn("the destination does not take instances; they wait", "why", e.Error(), "hint", hintOf(e), "next", rest.Round(time.Millisecond))
	}
}

// urgentBackoff bounds the rest of a destination while what waits for it is urgent.
const urgentBackoff = 5 * time.Second

// backoff doubles with each failure, and is spread by a quarter.
func backoff(least, most time.Duration, fails int) time.Duration {
	b := most
	if fails < 30 && least<<(fails-1) < most {
		b = least << (fails - 1)
	}
	return b - b/4 + time.Duration(rand.Int64N(int64(b/2)+1))
}

// works notes that the destination took something, or at least answered for one instance.
func (d *destination) works(took bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails > 0 {
		d.log.Info("the destination answers again", "after", d.f.now().Sub(d.since).Round(time.Second))
		d.signalLocked()
	}
	d.fails, d.rest, d.since = 0, time.Time{}, time.Time{}
	if took {
		d.success, d.why, d.hint = d.f.now(), "", ""
		d.sent++
		d.q.trust(d.success)
		d.party.works(d.success)
		d.rate.add(d.success)
	}
}

// rate counts what was sent in the last minute.
type rate struct {
	seconds [60]uint32
	at      int64
}

func (r *rate) add(now time.Time) {
	r.advance(now.Unix())
	r.seconds[now.Unix()%60]++
}

func (r *rate) advance(to int64) {
	if to-r.at >= 60 || to < r.at { // the clock was set back
		r.seconds = [60]uint32{}
	} else {
		for s := r.at + 1; s <= to; s++ {
			r.seconds[s%60] = 0
		}
	}
	r.at = to
}

func (r *rate) perSecond(now time.Time) float64 {
	r.advance(now.Unix())
	n := 0.0
	for _, s := range r.seconds {
		n += float64(s)
	}
	return n / 60
}
