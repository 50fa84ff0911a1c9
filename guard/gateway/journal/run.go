// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

const (
	// tick is how often the journal looks after itself when nothing calls for it.
	tick = time.Second
	// historyBatch is how many records go to the history in one transaction.
	historyBatch = 1000
	// gather is how long records are collected for it.
	gather = 500 * time.Millisecond
	// longPause is how long what failed again and again is left alone.
	longPause = time.Minute
	// tidyEvery is how often room is looked for at most, and expireEvery for originals whose time is over: that looks at
	// everything that is awaited.
	tidyEvery   = 100 * time.Millisecond
	expireEvery = time.Minute
)

// Run looks after the journal's room until ctx ends, then closes it: drafts that are open
// then can still be sealed within drain, later ones fail.
func (j *Journal) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { j.scrubbing(ctx) })
	wg.Go(func() { j.indexing(ctx) })
	wg.Go(func() { j.keeping(ctx) })
	wg.Go(func() { j.preparing(ctx) })
	wg.Wait()
	return j.Close()
}

// indexing makes what finds records in the history, again where it failed: lists wait for it.
func (j *Journal) indexing(ctx context.Context) {
	for pause := tick; ; pause = min(2*pause, longPause) {
		err := j.hist.fill(ctx)
		if err == nil {
			err = j.hist.name(ctx)
		}
		if err == nil {
			j.hist.failing.Store(false)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		j.hist.suspect(err)
		if !wait(ctx, pause) {
			return
		}
	}
}

// keeping is Run's housekeeping.
func (j *Journal) keeping(ctx context.Context) {
	timer := time.NewTicker(tick)
	defer timer.Stop()
	var paid, tidied time.Time
	pause := gather
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			j.mark()
		case <-j.kick:
		}
		now := time.Now()
		if now.Sub(paid) >= pause || pause == gather && j.hist.owes() >= historyBatch {
			paid = now
			if j.pay(ctx) {
				pause = gather
			} else { // it stays in the log
				pause = min(2*pause, longPause)
			}
		}
		if now.Sub(tidied) >= tidyEvery {
			tidied = now
			j.Tidy(ctx)
		}
	}
}

// preparing keeps a segment ready for the one that is being filled.
func (j *Journal) preparing(ctx context.Context) {
	pause := 200 * time.Millisecond
	for {
		// Of a new file there must be more than what makes people be told.
		free, err := j.segs.free()
		roomy := err == nil && free-j.segs.size > int64(j.cfg.Warn) && !j.space.short()
		pause = min(2*pause, longPause)
		if err := j.segs.prepare(ctx, roomy); err == nil {
			pause = 200 * time.Millisecond
		} else if ctx.Err() == nil && !errors.Is(err, instance.ErrFull) {
			j.log.Warn("a segment of the journal cannot be prepared", "error", err, "again_in", pause)
		}
		if !wait(ctx, pause) {
			return
		}
	}
}

// drain is how long Close waits for drafts.
const drain = 5 * time.Second

// Close ends the journal. What is acknowledged is safe without it. After Run it does nothing.
func (j *Journal) Close() error {
	empty, first := j.drafts.shut()
	if !first {
		return nil
	}
	late := time.NewTimer(drain)
	defer late.Stop()
	select {
	case <-empty:
	case <-late.C:
	}
	j.mark()
	j.closed.Store(true)
	j.release()
	return nil
}

// gate counts drafts, and lets no more begin once it is shut.
type gate struct {
	mu    sync.Mutex
	n     int
	empty chan struct{} // nil while it is open
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty != nil {
		return false
	}
	g.n++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 && g.empty != nil {
		close(g.empty)
	}
}

// shut returns a channel that is closed when nobody is inside any more.
func (g *gate) shut() (empty <-chan struct{}, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty != nil {
		return g.empty, false
	}
	g.empty = make(chan struct{})
	if g.n == 0 {
		close(g.empty)
	}
	return g.empty, true
}

// mark writes down that all before is durable, if the log does not say so. Damage of what
// was acknowledged can then not be taken for a write that did not end.
func (j *Journal) mark() {
	j.wal.mu.Lock()
	needed := !j.wal.marked && j.wal.failed == nil && j.wal.pending == nil && !j.wal.busy
	j.wal.mu.Unlock()
	if !needed {
		return
	}
	if at, _, err := j.wal.append(markFrame, nil); err == nil {
		j.wal.settled(at)
	}
}

// pay writes what the history is owed. It reports whether it could.
func (j *Journal) pay(ctx context.Context) bool {
	for ctx.Err() == nil {
		owed := j.hist.take(historyBatch)
		if len(owed) == 0 {
			return true
		}
		list := make([]*envelope, 0, len(owed))
		entries := make([]*entry, 0, len(owed))
		for number := range owed {
			n := j.idx.get(number)
			if n == nil || n.needed {
				continue // it is there already, or awaited again
			}
			e, err := j.envelope(ctx, number)
			if err != nil {
				if ctx.Err() == nil {
					j.log.Warn("a record cannot go to the journal's history", "number", number, "error", err)
				}
				continue
			}
			list, entries = append(list, e), append(entries, n)
		}
		if err := j.hist.write(ctx, list); err != nil {
			if ctx.Err() == nil {
				j.hist.suspect(err)
			}
			return false // it stays in the log, and is tried again
		}
		j.hist.paid(owed)
		for _, n := range entries {
			mu := j.stripe(n.number)
			mu.Lock()
			if j.idx.remove(n) {
				j.wal.counts(n.at, place{})
			}
			mu.Unlock()
		}
		if len(owed) < historyBatch {
			return true
		}
	}
	return true
}

// Tidy does what Run does from time to time: gives room back that nobody needs, and shortens
// the log.
func (j *Journal) Tidy(ctx context.Context) {
	now := j.now()
	late := j.calendar.at(now)
	j.space.measure(now)
	if since := late.UnixNano() - j.expired.Load(); since >= int64(expireEvery) || since < 0 {
		j.expired.Store(late.UnixNano())
		j.expire(late)
	}
	j.reclaimDue(late)
	j.moveStuck(ctx, now)
	j.shorten(ctx)
	if err := j.wal.prepare(); err != nil && !errors.Is(err, instance.ErrFull) {
		j.log.Warn("the journal's log cannot be prepared to grow", "error", err)
	}
	j.makeRoom(now)
	if j.hist.due(now) {
		if n, err := j.hist.forget(ctx, late.Add(-j.cfg.History), now); err != nil && ctx.Err() == nil {
			j.hist.suspect(err)
		} else {
			j.hist.forgot(now, n)
		}
	}
}

// expire ends the wait for originals whose time is over.
func (j *Journal) expire(now time.Time) {
	limit := now.Add(-j.cfg.Originals).UnixNano()
	for _, number := range j.idx.find(func(n *entry) bool { return n.needed && n.state == instance.Replaced && n.received <= limit }) {
		func() {
			mu := j.stripe(number)
			mu.Lock()
			defer mu.Unlock()
			was := j.idx.get(number)
			if was == nil || !was.needed || was.state != instance.Replaced {
				return
			}
			e, err := j.envelope(context.Background(), number)
			if err == nil {
				j.settle(was, e, was.at, was.sequence)
			}
		}()
	}
}

// shorten reads the oldest file of the log, appends what still counts, and uses the file anew.
func (j *Journal) shorten(ctx context.Context) {
	for ctx.Err() == nil {
		total, live, files := j.wal.sizes()
		limit := int64(j.cfg.Log)
		if j.space.short() {
			limit = 2 * j.wal.fileSize
		}
		if files < 2 || total <= limit || total < 2*live {
			return
		}
		if j.hist.owes() > 0 {
			j.pay(ctx)
		}
		if err := j.empty(); err != nil {
			if !errors.Is(err, instance.ErrFull) && !errors.Is(err, ErrClosed) && !errors.Is(err, errUnsettled) {
				j.log.Warn("the journal's log cannot be shortened", "error", err)
			}
			return
		}
	}
}

// movers is how many records are appended again at the same time: they share flushes.
const movers = 32

// empty appends what counts of the oldest file, and takes the file out of the log.
func (j *Journal) empty() error {
	j.wal.mu.Lock()
	f := j.wal.files[0]
	j.wal.mu.Unlock()
	numbers := j.idx.find(func(n *entry) bool { return n.at.file == f })
	work := make(chan uint64)
	errs := make(chan error, movers)
	var wg sync.WaitGroup
	for range movers {
		wg.Go(func() {
			for number := range work {
				if err := j.again(number, f); err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	for _, n := range numbers {
		work <- n
	}
	close(work)
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
	}
	// What was noted only now may be in the file too: then it waits for the next time.
	j.wal.mu.Lock()
	unsettled := f.unsettled
	j.wal.mu.Unlock()
	if unsettled > 0 || len(j.idx.find(func(n *entry) bool { return n.at.file == f })) > 0 {
		return errUnsettled
	}
	return j.wal.release()
}

// again appends a record's state as it is, if it is in f.
func (j *Journal) again(number uint64, f *logFile) error {
	mu := j.stripe(number)
	mu.Lock()
	defer mu.Unlock()
	was := j.idx.get(number)
	if was == nil || was.at.file != f {
		return nil
	}
	body, err := j.wal.read(was.at)
	if err != nil {
		return err
	}
	at, sequence, err := j.wal.append(recordFrame, body)
	if err != nil {
		return err
	}
	n := *was
	n.at, n.sequence = at, sequence
	j.wal.counts(was.at, at)
	j.idx.moved(was, &n)
	j.wal.settled(at)
	if !n.needed {
		j.hist.owe(number, sequence)
	}
	return nil
}
