// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"
)

// faults is what was found to be damaged.
type faults struct {
	mu      sync.Mutex
	damaged map[uint64]bool
	erase   []uint64 // destroyed, and maybe not erased
	scrubs  Scrubbed
}

// Scrubbed says what the scrub did since the journal was opened.
type Scrubbed struct {
	Instances uint64    `json:"instances"`
	Bytes     uint64    `json:"bytes"`
	Damaged   int       `json:"damaged"`
	Rounds    uint64    `json:"rounds"`
	Round     time.Time `json:"round,omitzero"` // end of the last
}

func (j *Journal) damaged(number uint64) bool {
	j.faults.mu.Lock()
	defer j.faults.mu.Unlock()
	return j.faults.damaged[number]
}

func (j *Journal) markDamaged(number uint64) {
	j.faults.mu.Lock()
	defer j.faults.mu.Unlock()
	if !j.faults.damaged[number] {
		j.faults.damaged[number] = true
		j.log.Error("the bytes of an instance are not what was acknowledged", "number", number)
	}
}

// Scrubbed returns what the scrub did.
func (j *Journal) Scrubbed() Scrubbed {
	j.faults.mu.Lock()
	defer j.faults.mu.Unlock()
	s := j.faults.scrubs
	s.Damaged = len(j.faults.damaged)
	return s
}

// scrubbing reads what is awaited again and again, at the rate that was set.
func (j *Journal) scrubbing(ctx context.Context) {
	j.faults.mu.Lock()
	erase := j.faults.erase
	j.faults.mu.Unlock()
	for _, number := range erase {
		if e, err := j.envelope(ctx, number); err == nil {
			j.erase(number, e.Extents)
		}
	}
	if j.cfg.Scrub == 0 {
		return
	}
	for ctx.Err() == nil {
		began := time.Now()
		if _, err := j.Scrub(ctx, int64(j.cfg.Scrub)); err != nil {
			return
		}
		if !wait(ctx, max(time.Minute, time.Since(began))) {
			return
		}
	}
}

// Scrub compares the bytes of everything that is awaited with their SHA-256, at rate bytes a
// second (0: as fast as it goes), and returns the numbers of what is damaged.
func (j *Journal) Scrub(ctx context.Context, rate int64) ([]uint64, error) {
	numbers := j.idx.find(func(n *entry) bool { return n.needed })
	slices.Sort(numbers)
	var bad []uint64
	for _, number := range numbers {
		if err := context.Cause(ctx); err != nil {
			return bad, err
		}
		n, began := j.idx.get(number), time.Now()
		if n == nil || !n.needed {
			continue
		}
		unlock := j.reading(number)
		e, err := j.envelope(ctx, number)
		same := true
		if err == nil && len(e.Extents) > 0 {
			j.segs.uncache(e.Extents)
			same, err = j.same(ctx, e)
		}
		unlock()
		// What was moved or finished meanwhile is not damaged.
		if again := j.idx.get(number); err == nil && !same && again != nil && again.sequence == n.sequence {
			j.markDamaged(number)
			bad = append(bad, number)
		}
		j.faults.mu.Lock()
		j.faults.scrubs.Instances++
		j.faults.scrubs.Bytes += uint64(n.bytes)
		j.faults.mu.Unlock()
		if rate > 0 && !wait(ctx, time.Duration(float64(n.bytes)/float64(rate)*float64(time.Second))-time.Since(began)) {
			return bad, context.Cause(ctx)
		}
	}
	j.faults.mu.Lock()
	j.faults.scrubs.Rounds++
	j.faults.scrubs.Round = j.now()
	j.faults.mu.Unlock()
	return bad, nil
}

// uncache has what follows read from the disk, not from memory, which would say nothing about it.
func (s *segments) uncache(extents []extent) {
	for _, e := range extents {
		if f, err := os.Open(s.path(e.segment)); err == nil {
			forget(f, e.off, pages(e.n))
			_ = f.Close() // it was only asked about
		}
	}
}

// wait returns false when ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
