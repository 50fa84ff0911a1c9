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

	mu      sync.Mutex
	changed chan struct{} // closed when there may be something to do
	q       *queue
	dead    map[uint64]bool
	owed    map[uint64]bool // delivered, and the ledger does not know yet
	commit  commits
	paused  bool
	rest    time.Time // nothing is sent before
	most    int       // associations that it lets have, until then; 0: as many as are configured
	until   time.Time
	fails   int       // in a row
	since   time.Time // of the first of them
	why     string
	hint    string
	success time.Time
	failure time.Time
	sent    uint64
	rate    rate
}

func (f *Forwarder) destination(c Destination) (*destination, error) {
	d := &destination{f: f, cfg: c, log: f.log.With("destination", c.Name), changed: make(chan struct{}), q: newQueue(), dead: map[uint64]bool{}, owed: map[uint64]bool{}}
	d.commit.init()
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
			d.commit.add(n, v.Next)
			d.signalLocked()
		}
	}
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
func (d *destination) next(i int) (it *item, wait time.Duration, changed chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.f.now()
	changed, wait = d.changed, pause
	if d.paused {
		return nil, wait, changed
	}
	if now.Before(d.rest) {
		return nil, d.rest.Sub(now), changed
	}
	if later := d.q.due(now); !later.IsZero() {
		wait = min(wait, max(later.Sub(now), time.Millisecond))
	}
	// After a failure one tries. Otherwise there are as many at work as have something to do.
	if d.most > 0 && now.After(d.until) {
		d.most = 0
	}
	if i > 0 && (d.fails > 0 || d.q.ready <= i || d.most > 0 && i >= d.most) {
		return nil, wait, changed
	}
	down := d.f.ledger.down(now)
	if down {
		wait = min(wait, d.f.cfg.LedgerRetry)
	}
	return d.q.take(d.f.urgent, down), wait, changed
}

// work is one worker: it has one association, or one HTTP connection, at most.
func (d *destination) work(ctx context.Context, i int) {
	var s Sender
	closing := func() {
		if s != nil {
			_ = s.Close()
			s = nil
		}
	}
	defer closing()
	used := time.Now()
	for ctx.Err() == nil {
		it, wait, changed := d.next(i)
		if it == nil {
			if s != nil {
				if rest := d.linger() - time.Since(used); rest <= 0 {
					closing()
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
				d.failed(&failure{class: unreachable, err: err, hint: hintOf(err)})
				d.back(it)
				continue
			}
		}
		o := d.deliver(ctx, s, it, i)
		used = time.Now()
		if o != nil {
			d.f.books <- o
		}
	}
}

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

// fewer is how long a destination that let the gateway have fewer associations is asked for no more.
const fewer = time.Minute

// crowded notes that worker i could not have an association while others of the destination work: it is not down,
// it only has no more. False: it is down.
func (d *destination) crowded(i int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.f.now()
	if i == 0 || d.fails > 0 || now.Sub(d.success) > fewer {
		return false
	}
	d.most, d.until = i, now.Add(fewer)
	return true
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
	if to-r.at >= 60 || r.at == 0 {
		r.seconds = [60]uint32{}
	} else {
		for s := r.at + 1; s <= to; s++ {
			r.seconds[s%60] = 0
		}
	}
	r.at = max(r.at, to)
}

func (r *rate) perSecond(now time.Time) float64 {
	r.advance(now.Unix())
	n := 0.0
	for _, s := range r.seconds {
		n += float64(s)
	}
	return n / 60
}
