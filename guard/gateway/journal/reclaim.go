// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// reclaim gives the room of the oldest segment back of which nothing is awaited. False: there is none.
func (j *Journal) reclaim(early bool) bool {
	for {
		seg := j.segs.oldest()
		if seg == nil {
			return false
		}
		// That nothing of it is awaited must be past doubt: after a crash, bytes are compared of what is not.
		if err := j.beyondDoubt(); err != nil {
			return false
		}
		ok, err := j.segs.drop(seg)
		if err != nil {
			j.log.Warn("a segment of the journal cannot be given back", "segment", seg.id, "error", err)
		}
		if ok {
			if early {
				j.log.Info("delivered instances were given up before their time: the disk has no room", "segment", seg.id)
			}
			return err == nil
		}
	}
}

// beyondDoubt returns when the log says that all before this call was durable.
func (j *Journal) beyondDoubt() error {
	j.wal.mu.Lock()
	said := j.wal.marked && j.wal.durable+1 == j.wal.next
	j.wal.mu.Unlock()
	if said {
		return nil
	}
	at, _, err := j.wal.append(markFrame, nil)
	if err == nil {
		j.wal.settled(at)
	}
	return err
}

// reclaimDue gives segments back whose time is over, or that are more than may be kept.
func (j *Journal) reclaimDue(now time.Time) {
	for {
		seg := j.segs.oldest()
		if seg == nil {
			return
		}
		j.segs.mu.Lock()
		due := !now.Before(seg.idle.Add(j.cfg.Retention))
		j.segs.mu.Unlock()
		_, idle := j.segs.used()
		over := j.cfg.Retain > 0 && idle > int64(j.cfg.Retain)
		j.space.mu.Lock()
		low := j.space.known && j.space.free < int64(j.cfg.Warn)
		j.space.mu.Unlock()
		if low && j.segs.dropSpares() {
			j.space.measure(now)
			continue // that may be enough
		}
		if !due && !over && !low || !j.reclaim(low && !due) {
			return
		}
	}
}

// makeRoom looks whether instances can be taken again after they were refused.
func (j *Journal) makeRoom(now time.Time) {
	j.space.mu.Lock()
	refusing := !j.space.full.IsZero()
	roomy := j.space.known && j.space.free >= int64(j.cfg.Warn)
	j.space.mu.Unlock()
	if roomy {
		j.space.takeReserve()
	}
	if !refusing {
		return
	}
	l, err := j.segs.take(pageSize)
	if err != nil {
		return
	}
	j.segs.giveBack(l)
	j.space.mu.Lock()
	j.space.full = time.Time{}
	j.space.mu.Unlock()
	j.log.Info("the journal takes instances again")
}

// moveStuck moves instances that are still awaited out of segments that are old and otherwise free.
func (j *Journal) moveStuck(ctx context.Context, now time.Time) {
	for _, seg := range j.segs.stuck(now, j.cfg.Retention, j.space.short()) {
		for _, number := range j.segs.neededIn(seg) {
			if ctx.Err() != nil {
				return
			}
			if err := j.move(ctx, number); err != nil {
				if !errors.Is(err, instance.ErrFull) && ctx.Err() == nil {
					j.log.Warn("an instance cannot be moved", "number", number, "error", err)
				}
				return
			}
		}
	}
}

// stuck returns segments that are kept by few bytes.
func (s *segments) stuck(now time.Time, after time.Duration, low bool) []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*segment
	for _, seg := range s.byID {
		if seg != s.active && seg.lanes == 0 && len(seg.needed) > 0 && seg.bytes <= s.size/4 && (low || now.Sub(seg.last) > after) {
			out = append(out, seg)
		}
	}
	return out
}

func (s *segments) neededIn(seg *segment) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]uint64, 0, len(seg.needed))
	for n := range seg.needed {
		out = append(out, n)
	}
	return out
}

// move copies an instance's bytes to where others are written now.
func (j *Journal) move(ctx context.Context, number uint64) error {
	mu := j.stripe(number)
	mu.Lock()
	defer mu.Unlock()
	was := j.idx.get(number)
	if was == nil || !was.needed || j.damaged(number) {
		return nil
	}
	e, err := j.envelope(ctx, number)
	if err != nil || len(e.Extents) == 0 {
		return err
	}
	from, err := j.content(e.Extents, e.Record.Bytes, nil)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	d, err := j.Create(ctx)
	if err != nil {
		return err
	}
	to := d.(*draft)
	defer to.Discard()
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	extents, err := to.extents()
	if err != nil {
		return err
	}
	next := *e
	next.Extents = extents
	if same, err := j.same(ctx, &next); err != nil || !same {
		if err == nil {
			j.markDamaged(number)
		}
		return err
	}
	at, sequence, err := j.write(&next, j.segs.of(extents)...)
	if err != nil {
		return err
	}
	j.segs.need(number, extents, true)
	j.segs.sealed(extents)
	n := *was
	n.at, n.sequence = at, sequence
	j.wal.counts(was.at, at)
	j.idx.replace(was, &n, &next)
	// Not before readers are shown the new place: until then the old one may not be used anew.
	j.segs.moved(number, e.Extents)
	j.wal.settled(at)
	to.keepBytes()
	return nil
}

// replace is put for a state that differs only in where its bytes are.
func (x *index) replace(was, n *entry, e *envelope) {
	x.moved(was, n)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.forget(n)
	x.keep(n, e)
}

// pins are the records that are being read.
type pins struct {
	mu sync.Mutex
	of map[uint64]*pinned
}

type pinned struct {
	readers int
	erase   []extent // when the last has gone
}

// reading keeps the bytes of a record from being erased.
func (j *Journal) reading(number uint64) (done func()) {
	p := &j.pins
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.of[number]
	if of == nil {
		of = &pinned{}
		p.of[number] = of
	}
	of.readers++
	return func() {
		p.mu.Lock()
		of.readers--
		var erase []extent
		if of.readers == 0 {
			delete(p.of, number)
			erase = of.erase
		}
		p.mu.Unlock()
		if erase != nil {
			j.punch(number, erase)
		}
	}
}

// erase takes the bytes of a destroyed record off the disk, once nobody reads them.
func (j *Journal) erase(number uint64, extents []extent) {
	p := &j.pins
	p.mu.Lock()
	of := p.of[number]
	if of != nil {
		of.erase = extents
	}
	p.mu.Unlock()
	if of == nil {
		j.punch(number, extents)
	}
}

func (j *Journal) punch(number uint64, extents []extent) {
	if err := j.segs.punch(extents); err != nil {
		// When the journal is opened again it is tried again: the record is destroyed, and has extents.
		j.log.Error("the bytes of a destroyed instance are still on the disk", "number", number, "error", err)
	}
}

// punch gives room inside of segments back. Bytes that were already used anew are not touched.
func (s *segments) punch(extents []extent) error {
	if !s.pin(extents) {
		return nil
	}
	defer s.unpin(extents)
	for _, e := range extents {
		f, err := os.OpenFile(s.path(e.segment), os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		err = punch(f, e.off, pages(e.n))
		if err == nil {
			err = flush(f)
		}
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return fmt.Errorf("erase: %w", err)
		}
		s.mu.Lock()
		s.byID[e.segment].holes = true
		s.mu.Unlock()
	}
	return nil
}

// dropSpares gives the files back that were kept to be used anew.
func (s *segments) dropSpares() (some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	some = len(s.spare) > 0
	for _, path := range s.spare {
		_ = os.Remove(path)
	}
	s.spare = nil
	return some
}
