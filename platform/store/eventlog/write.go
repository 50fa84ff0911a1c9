// SPDX-License-Identifier: Apache-2.0

package eventlog

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// maxShards is how many shards a writer keeps in mind between appends.
const maxShards = 8

// Writer turns appended events into changes of shards. It is used by one
// goroutine at a time: the one that leads. After each Plan the caller writes
// the commit and calls Done, or Forget when that failed.
type Writer struct {
	codec  *segment.Codec
	now    func() time.Time
	last   uint64
	pos    map[string]uint64
	shards map[Shard]*shardWriter
	used   []Shard // of shards, the one used last at the end

	encoders sync.WaitGroup // of the last Plan
}

// shardWriter is the working copy of one shard.
type shardWriter struct {
	extent Extent
	tail   []tailSegment
	sums   *sums
}

// tailSegment is a stored segment that is not full yet.
type tailSegment struct {
	first uint64
	recs  []record.Record
}

// NewWriter returns a writer that goes on from what the index says.
func NewWriter(codec *segment.Codec, ix Index, now func() time.Time) *Writer {
	w := &Writer{codec: codec, now: now, last: ix.Last, pos: maps.Clone(ix.Positions), shards: map[Shard]*shardWriter{}}
	if w.pos == nil {
		w.pos = map[string]uint64{}
	}
	return w
}

// Position returns the position of a stream.
func (w *Writer) Position(stream string) uint64 { return w.pos[stream] }

// Positions returns the positions of all streams; they are not changed.
func (w *Writer) Positions() map[string]uint64 { return w.pos }

// Last returns the number of the newest event.
func (w *Writer) Last() uint64 { return w.last }

// Forget drops the working copies: what is stored counts again.
func (w *Writer) Forget() {
	w.encoders.Wait()
	clear(w.shards)
	w.used = nil
}

// Done takes over what a commit has made so.
func (w *Writer) Done(c *Commit) {
	w.encoders.Wait()
	w.last, w.pos = c.Last, c.Positions
	for i := range c.Changes {
		if s := w.shards[c.Changes[i].Shard]; s != nil {
			s.extent = c.Changes[i].Extent
			s.sums.committed()
			s.sums.until = s.extent.MaxTime
		}
	}
	for len(w.used) > maxShards {
		delete(w.shards, w.used[0])
		w.used = w.used[1:]
	}
}

// Plan returns what an append changes, nil when its position is not after the
// stored one. View shows what is stored. The segments of the commit may still be
// being made when it returns; Done and Forget wait for the end of that.
func (w *Writer) Plan(ctx context.Context, v View, pos store.Position, recs []record.Record) (*Commit, error) {
	if len(recs) > store.MaxAppend {
		return nil, fmt.Errorf("append %d events: %w: the most is %d", len(recs), store.ErrTooLarge, store.MaxAppend)
	}
	if pos.Seq <= w.pos[pos.Stream] {
		return nil, nil
	}
	for i := range recs {
		if len(recs[i].Data) > segment.MaxData {
			return nil, fmt.Errorf("append event of %d bytes: %w: the most is %d", len(recs[i].Data), store.ErrTooLarge, segment.MaxData)
		}
	}
	c := &Commit{Last: w.last + uint64(len(recs)), Positions: maps.Clone(w.pos)}
	c.Positions[pos.Stream] = pos.Seq
	now := w.now().UnixNano()
	byShard := map[Shard][]record.Record{}
	for i := range recs {
		r := recs[i]
		r.Seq = w.last + 1 + uint64(i)
		s := ShardOf(r.Time, now)
		if byShard[s] == nil {
			byShard[s] = make([]record.Record, 0, len(recs)-i)
		}
		byShard[s] = append(byShard[s], r)
	}
	for _, s := range slices.Sorted(maps.Keys(byShard)) {
		change, err := w.plan(ctx, v, s, byShard[s])
		if err != nil {
			return nil, fmt.Errorf("append to %v: %w", s, err)
		}
		c.Changes = append(c.Changes, *change)
		c.Since = append(c.Since, w.shards[s].sums.since...)
	}
	return c, nil
}

func (w *Writer) plan(ctx context.Context, v View, s Shard, recs []record.Record) (*Change, error) {
	sw, err := w.shard(ctx, v, s)
	if err != nil {
		return nil, err
	}
	ch := &Change{Shard: s, Extent: sw.extent}
	ch.Extent.add(recs)

	fresh := recs[0].Seq
	for len(sw.tail) > 0 {
		t := sw.tail[len(sw.tail)-1]
		if len(t.recs) > 2*len(recs) {
			break
		}
		recs = append(slices.Clip(t.recs), recs...)
		ch.Delete = append(ch.Delete, t.first)
		sw.tail = sw.tail[:len(sw.tail)-1]
	}
	var parts [][]record.Record
	for len(recs) > 0 {
		n := take(recs)
		parts = append(parts, recs[:n])
		recs = recs[n:]
	}
	rows, tallies := make([]*segment.Columns, len(parts)), make([]*tally, len(parts))
	if err := inParallel(ctx, len(parts), func(i int) error {
		rows[i] = segment.NewColumns(parts[i])
		tallies[i] = tallyOf(rows[i], func(row int) bool { return rows[i].Seq[row] >= fresh })
		return nil
	}); err != nil {
		return nil, err
	}
	ch.Put = w.encode(parts, rows)
	for _, t := range tallies {
		if err := sw.sums.apply(ctx, v, t, +1); err != nil {
			return nil, err
		}
	}
	if p := parts[len(parts)-1]; len(p) < segment.MaxRows {
		sw.tail = append(sw.tail, tailSegment{p[0].Seq, p})
	}
	ch.Sums = sw.sums.take()
	return ch, nil
}

// encode begins to make segments, the first ones first, on all cores.
func (w *Writer) encode(parts [][]record.Record, rows []*segment.Columns) []*Encoding {
	out := make([]*Encoding, len(parts))
	for i := range out {
		out[i] = &Encoding{done: make(chan struct{})}
	}
	var next atomic.Int32
	for range min(len(parts), runtime.GOMAXPROCS(0)) {
		w.encoders.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(out); i = int(next.Add(1)) - 1 {
				out[i].seg, out[i].err = w.codec.EncodeWith(parts[i], rows[i])
				close(out[i].done)
			}
		})
	}
	return out
}

// take returns how many records, of at least one, make the next segment.
func take(recs []record.Record) int {
	size := 0
	for i := range recs {
		size += len(recs[i].Data)
		if i > 0 && size > segment.MaxRaw || i == segment.MaxRows {
			return i
		}
	}
	return len(recs)
}

func (e *Extent) add(recs []record.Record) {
	for i := range recs {
		r := &recs[i]
		if e.Events == 0 {
			e.First, e.MinTime, e.MaxTime = r.Seq, r.Time, r.Time
		}
		e.Events++
		e.Last, e.MinTime, e.MaxTime = r.Seq, min(e.MinTime, r.Time), max(e.MaxTime, r.Time)
	}
}

// shard returns the working copy of a shard.
func (w *Writer) shard(ctx context.Context, v View, s Shard) (*shardWriter, error) {
	if i := slices.Index(w.used, s); i >= 0 {
		w.used = append(slices.Delete(w.used, i, i+1), s)
		return w.shards[s], nil
	}
	sw := &shardWriter{extent: Extent{Shard: s}, sums: newSums(s)}
	ix, err := v.Index(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range ix.Extents {
		if e.Shard == s {
			sw.extent = e
		}
	}
	if sw.extent.Events > 0 {
		if sw.tail, err = w.loadTail(ctx, v, s); err != nil {
			return nil, err
		}
	}
	sw.sums.until = minTime
	if sw.extent.Events > 0 {
		sw.sums.until = sw.extent.MaxTime
	} else {
		sw.sums.begin()
	}
	w.shards[s] = sw
	w.used = append(w.used, s)
	return sw, nil
}

// loadTail reads the segments at the end of a shard that are not full.
func (w *Writer) loadTail(ctx context.Context, v View, s Shard) ([]tailSegment, error) {
	heads, err := v.Heads(ctx, s, HeadQuery{Order: BySeqNewest, From: minTime, To: maxTime, Limit: 16})
	if err != nil {
		return nil, err
	}
	var tail []tailSegment
	for _, h := range heads {
		if h.N >= segment.MaxRows {
			break
		}
		recs, err := readSegment(ctx, w.codec, v, s, h.First)
		if err != nil {
			return nil, err
		}
		tail = append(tail, tailSegment{h.First, recs})
	}
	slices.Reverse(tail)
	return tail, nil
}

const (
	minTime = -1 << 63
	maxTime = 1<<63 - 1
)

// readSegment reads all events of a segment.
func readSegment(ctx context.Context, codec *segment.Codec, v View, s Shard, first uint64) ([]record.Record, error) {
	raw, err := v.Columns(ctx, s, first)
	if err != nil {
		return nil, err
	}
	c, err := codec.DecodeColumns(raw)
	if err != nil {
		return nil, err
	}
	if raw, err = v.Data(ctx, s, first); err != nil {
		return nil, err
	}
	data, err := codec.DecodeData(raw)
	if err != nil {
		return nil, err
	}
	recs := make([]record.Record, c.N)
	for i := range recs {
		if recs[i], err = c.Record(i, data); err != nil {
			return nil, err
		}
	}
	return recs, nil
}

// inParallel calls f with 0 to n-1 on all cores and returns the first error.
func inParallel(ctx context.Context, n int, f func(i int) error) error {
	if n == 1 {
		return f(0)
	}
	var wg sync.WaitGroup
	errs := make([]error, n)
	next := make(chan int)
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = f(i)
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			errs[i] = ctx.Err()
			continue
		}
		next <- i
	}
	close(next)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
