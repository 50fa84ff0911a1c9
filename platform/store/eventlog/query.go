// SPDX-License-Identifier: Apache-2.0

package eventlog

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// place is where a page ends: what comes after it in the order of the query is
// the next page.
type place struct {
	time int64
	seq  uint64
}

func (p place) before(o place, oldest bool) bool {
	if p.time != o.time {
		return (p.time < o.time) == oldest
	}
	return p.seq != o.seq && (p.seq < o.seq) == oldest
}

const cursorVersion = 1

func (p place) cursor(oldest bool) string {
	b := make([]byte, 2, 18)
	b[0] = cursorVersion
	if oldest {
		b[1] = 1
	}
	b = binary.BigEndian.AppendUint64(b, uint64(p.time))
	b = binary.BigEndian.AppendUint64(b, p.seq)
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s string, oldest bool) (place, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != 18 || b[0] != cursorVersion || b[1] > 1 {
		return place{}, fmt.Errorf("%w: cursor %.40q", store.ErrInvalid, s)
	}
	if (b[1] == 1) != oldest {
		return place{}, fmt.Errorf("%w: the cursor is of a query in the other order", store.ErrInvalid)
	}
	return place{int64(binary.BigEndian.Uint64(b[2:])), binary.BigEndian.Uint64(b[10:])}, nil
}

// match is an event that a query asks for.
type match struct {
	place
	shard Shard
	first uint64 // of its segment
	row   int
	rec   *record.Record // where it was read to look into its texts
}

// Query implements store.Events.
func (l *Log) Query(ctx context.Context, q store.Query) (store.Page, error) {
	if err := checkLimit(q.Limit); err != nil {
		return store.Page{}, err
	}
	m, err := segment.Compile(q)
	if err != nil {
		return store.Page{}, err
	}
	// Events come after start in the order of the query.
	start := place{maxTime, math.MaxUint64}
	if q.Oldest {
		start = place{minTime, 0}
	}
	if q.Cursor != "" {
		if start, err = parseCursor(q.Cursor, q.Oldest); err != nil {
			return store.Page{}, err
		}
	}
	v, err := l.open(ctx)
	if err != nil {
		return store.Page{}, err
	}
	defer v.Close()
	p := &pager{log: l, v: v, m: m, start: start, oldest: q.Oldest, limit: q.Limit, budget: newBudget(q.Budget)}
	return p.page(ctx)
}

// pager makes one page.
type pager struct {
	log    *Log
	v      View
	m      *segment.Matcher
	start  place
	oldest bool
	limit  int
	budget budget
	bySeq  bool // in the order of sequence numbers, as if all times were 0

	final   []match // in the order of the answer
	pending []match // may still have others before them
}

func (p *pager) page(ctx context.Context) (store.Page, error) {
	hq := HeadQuery{Order: Newest, From: p.m.From, To: p.m.To}
	if p.oldest {
		hq.Order = Oldest
		hq.From = max(hq.From, p.start.time)
	} else if p.start.time < maxTime {
		hq.To = min(hq.To, p.start.time+1)
	}
	w, ix, err := startWalk(ctx, p.v, p.m, hq, p.budget)
	if err != nil {
		return store.Page{}, err
	}
	bound := p.start.time // of what is still to come
	visited := false
	for {
		if err := ctx.Err(); err != nil {
			return store.Page{}, err
		}
		h, shard, step, err := w.peek(ctx)
		if err != nil {
			return store.Page{}, err
		}
		if step == atEnd {
			p.settle(nil)
			return p.finish(ctx, false, p.end(ix))
		}
		at := h.MaxTime
		if p.oldest {
			at = h.MinTime
		}
		p.settle(&at)
		if len(p.final) > p.limit {
			return p.finish(ctx, false, 0)
		}
		// The next page begins at the time of this segment: it gets on only
		// when that is not where this page began.
		if visited && at != bound && p.oldest == (at > bound) && p.budget.over() {
			return p.finish(ctx, true, at)
		}
		if step == atPause {
			visited = true
			continue
		}
		if !visited {
			visited = true
			if p.oldest {
				bound = max(bound, at)
			} else {
				bound = min(bound, at)
			}
		}
		if err := p.visit(ctx, w, shard, h); err != nil {
			return store.Page{}, err
		}
		w.skip()
	}
}

// end is the time up to which a search that came to its end has searched.
func (p *pager) end(ix Index) int64 {
	first, last := int64(maxTime), int64(minTime)
	for _, e := range ix.Extents {
		if e.Events > 0 {
			first, last = min(first, e.MinTime), max(last, e.MaxTime)
		}
	}
	switch {
	case p.oldest && p.m.To < maxTime:
		return p.m.To
	case !p.oldest && p.m.From > minTime:
		return p.m.From
	case first > last:
		return 0
	case p.oldest:
		return last
	}
	return first
}

// visit collects the matches of a segment.
func (p *pager) visit(ctx context.Context, w *walk, shard Shard, h segment.Head) error {
	c, err := p.log.columns(ctx, p.v, shard, h.First)
	if err != nil {
		return err
	}
	rows := p.m.Rows(c)
	var data []byte
	for i := range c.N {
		at := place{c.Time[i], c.Seq[i]}
		if p.bySeq {
			at.time = 0
		}
		if c.Seq[i] > w.visible || !p.start.before(at, p.oldest) || !rows.Columns(i) {
			continue
		}
		m := match{place: at, shard: shard, first: h.First, row: i}
		if p.m.NeedsData() {
			if data == nil {
				if data, err = p.log.data(ctx, p.v, shard, h.First); err != nil {
					return err
				}
				rows.Data(data)
			}
			if rows.Out(i) {
				continue
			}
			rec, err := c.Record(i, data)
			if err != nil {
				return &ShardError{shard, err}
			}
			if !rows.Text(i, &rec) {
				continue
			}
			rec.Data = bytes.Clone(rec.Data)
			m.rec = &rec
		}
		p.pending = append(p.pending, m)
	}
	// Whatever is beyond the page cannot come onto it.
	if len(p.pending) > 4*(p.limit+segment.MaxRows) {
		p.sort()
		p.pending = p.pending[:p.limit+1]
	}
	return nil
}

func (p *pager) sort() {
	slices.SortFunc(p.pending, func(a, b match) int {
		switch {
		case a.before(b.place, p.oldest):
			return -1
		case b.before(a.place, p.oldest):
			return 1
		}
		return 0
	})
}

// settle makes those matches final that come before everything at a time, all
// where there is none.
func (p *pager) settle(at *int64) {
	if len(p.pending) == 0 {
		return
	}
	p.sort()
	n := len(p.pending)
	if at != nil {
		n = 0
		for n < len(p.pending) && p.pending[n].time != *at && (p.pending[n].time < *at) == p.oldest {
			n++
		}
	}
	p.final = append(p.final, p.pending[:n]...)
	p.pending = append(p.pending[:0], p.pending[n:]...)
}

// finish reads the events of the page.
func (p *pager) finish(ctx context.Context, cut bool, reached int64) (store.Page, error) {
	page := store.Page{Complete: !cut, Reached: reached}
	if len(p.final) > p.limit {
		p.final = p.final[:p.limit]
		last := p.final[p.limit-1]
		page.Next, page.Complete, page.Reached = last.cursor(p.oldest), true, last.time
	} else if cut {
		next := place{reached, math.MaxUint64}
		if p.oldest {
			next.seq = 0
		}
		page.Next = next.cursor(p.oldest)
		page.Complete = len(p.final) == p.limit
	}
	recs, err := p.log.read(ctx, p.v, p.final)
	page.Records = recs
	return page, err
}

// read reads the events of matches, in their order, each segment once.
func (l *Log) read(ctx context.Context, v View, found []match) ([]record.Record, error) {
	recs := make([]record.Record, len(found))
	type source struct {
		shard Shard
		first uint64
	}
	rows := map[source][]int{}
	var sources []source
	for i := range found {
		if found[i].rec != nil {
			recs[i] = *found[i].rec
			continue
		}
		s := source{found[i].shard, found[i].first}
		if rows[s] == nil {
			sources = append(sources, s)
		}
		rows[s] = append(rows[s], i)
	}
	for _, s := range sources {
		c, err := l.columns(ctx, v, s.shard, s.first)
		if err != nil {
			return nil, err
		}
		data, err := l.data(ctx, v, s.shard, s.first)
		if err != nil {
			return nil, err
		}
		for _, i := range rows[s] {
			if found[i].row >= c.N {
				return nil, &ShardError{s.shard, segment.ErrDamaged}
			}
			r, err := c.Record(found[i].row, data)
			if err != nil {
				return nil, &ShardError{s.shard, err}
			}
			r.Data = bytes.Clone(r.Data) // not the whole segment, for one event of it
			recs[i] = r
		}
	}
	return recs, nil
}

// Get implements store.Events.
func (l *Log) Get(ctx context.Context, seq uint64) (record.Record, error) {
	none := fmt.Errorf("event %d: %w", seq, store.ErrNotFound)
	v, err := l.open(ctx)
	if err != nil {
		return record.Record{}, err
	}
	defer v.Close()
	ix, err := v.Index(ctx)
	if err != nil || seq == 0 || seq > ix.Last {
		if err == nil {
			err = none
		}
		return record.Record{}, err
	}
	for _, e := range ix.Extents {
		if seq < e.First || seq > e.Last {
			continue
		}
		heads, err := v.Heads(ctx, e.Shard, HeadQuery{Order: BySeq, From: minTime, To: maxTime, Above: seq - 1, Limit: 1})
		if err != nil {
			return record.Record{}, err
		}
		if len(heads) == 0 || heads[0].First > seq {
			continue
		}
		c, err := l.columns(ctx, v, e.Shard, heads[0].First)
		if err != nil {
			return record.Record{}, err
		}
		if row, ok := slices.BinarySearch(c.Seq, seq); ok {
			recs, err := l.read(ctx, v, []match{{shard: e.Shard, first: heads[0].First, row: row}})
			if err != nil {
				return record.Record{}, err
			}
			return recs[0], nil
		}
	}
	return record.Record{}, none
}

// After implements store.Events.
func (l *Log) After(ctx context.Context, seq uint64, q store.Query, limit int) (recs []record.Record, next uint64, err error) {
	if err := checkLimit(limit); err != nil {
		return nil, 0, err
	}
	q.From, q.To, q.Cursor, q.Oldest = 0, 0, "", false
	m, err := segment.Compile(q)
	if err != nil {
		return nil, 0, err
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if recs, next, ok := l.recent.after(seq, m, limit, newBudget(q.Budget)); ok {
		return recs, next, nil
	}
	v, err := l.open(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer v.Close()
	p := &pager{log: l, v: v, m: m, start: place{0, seq}, oldest: true, bySeq: true, limit: limit, budget: newBudget(q.Budget)}
	w, ix, err := startWalk(ctx, v, m, HeadQuery{Order: BySeq, From: minTime, To: maxTime, Above: seq}, p.budget)
	if err != nil {
		return nil, 0, err
	}
	if seq >= ix.Last {
		return nil, seq, nil
	}
	for visited := false; ; {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		h, shard, step, err := w.peek(ctx)
		if err != nil {
			return nil, 0, err
		}
		next = ix.Last
		if step != atEnd && h.First > 0 {
			next = min(next, h.First-1)
		}
		p.settleSeq(next)
		if len(p.final) >= limit {
			p.final = p.final[:limit]
			next = p.final[limit-1].seq
		}
		if step == atEnd || len(p.final) >= limit || visited && next > seq && p.budget.over() {
			recs, err = l.read(ctx, v, p.final)
			return recs, next, err
		}
		visited = true
		if step == atPause {
			continue
		}
		if err := p.visit(ctx, w, shard, h); err != nil {
			return nil, 0, err
		}
		w.skip()
	}
}

// settleSeq makes matches up to a number final.
func (p *pager) settleSeq(upTo uint64) {
	p.sort()
	n := 0
	for n < len(p.pending) && p.pending[n].seq <= upTo {
		n++
	}
	p.final = append(p.final, p.pending[:n]...)
	p.pending = append(p.pending[:0], p.pending[n:]...)
}

// columns reads the columns of a segment.
func (l *Log) columns(ctx context.Context, v View, s Shard, first uint64) (*segment.Columns, error) {
	raw, err := v.Columns(ctx, s, first)
	if err != nil {
		return nil, err
	}
	c, err := l.codec.DecodeColumns(raw)
	if err != nil {
		return nil, &ShardError{s, err}
	}
	return c, nil
}

// data reads the events of a segment.
func (l *Log) data(ctx context.Context, v View, s Shard, first uint64) ([]byte, error) {
	raw, err := v.Data(ctx, s, first)
	if err != nil {
		return nil, err
	}
	b, err := l.codec.DecodeData(raw)
	if err != nil {
		return nil, &ShardError{s, err}
	}
	return b, nil
}
