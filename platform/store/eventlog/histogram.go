// SPDX-License-Identifier: Apache-2.0

package eventlog

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// MaxSteps is how many steps a histogram may have.
const MaxSteps = 10_000

// steps are n parts of a range, as equal as whole nanoseconds allow.
type steps struct {
	from, to int64
	n        int
}

// newSteps gives a range without bounds those of what is kept.
func newSteps(from, to int64, n int, ix Index) (steps, error) {
	if n < 1 || n > MaxSteps {
		return steps{}, fmt.Errorf("%w: %d steps: want 1 to %d", store.ErrInvalid, n, MaxSteps)
	}
	first, last := int64(maxTime), int64(minTime)
	for _, e := range ix.Extents {
		if e.Events > 0 {
			first, last = min(first, e.MinTime), max(last, e.MaxTime)
		}
	}
	if from == 0 && first <= last {
		from = first
	}
	if to == 0 && first <= last {
		to = last + 1
	}
	if to < from {
		to = from
	}
	return steps{from, to, n}, nil
}

func (s steps) start(i int) int64 {
	hi, lo := bits.Mul64(uint64(s.to-s.from), uint64(i))
	q, _ := bits.Div64(hi, lo, uint64(s.n)) // hi < n, since i < n
	return s.from + int64(q)
}

// of returns the step of a time in the range.
func (s steps) of(at int64) int {
	width := uint64(s.to - s.from)
	if width == 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(at-s.from), uint64(s.n))
	q, _ := bits.Div64(hi, lo, width)
	i := int(min(q, uint64(s.n-1)))
	for i+1 < s.n && s.start(i+1) <= at {
		i++
	}
	for i > 0 && s.start(i) > at {
		i--
	}
	return i
}

func (s steps) width() int64 { return (s.to - s.from) / int64(s.n) }

// Histogram implements store.Events. From sums, a minute counts as a whole for the
// step in which it begins; the ends of the range are exact.
func (l *Log) Histogram(ctx context.Context, q store.Query, n int) (store.Histogram, error) {
	m, err := segment.Compile(q)
	if err != nil {
		return store.Histogram{}, err
	}
	v, err := l.open(ctx)
	if err != nil {
		return store.Histogram{}, err
	}
	defer v.Close()
	ix, err := v.Index(ctx)
	if err != nil {
		return store.Histogram{}, err
	}
	st, err := newSteps(q.From, q.To, n, ix)
	if err != nil {
		return store.Histogram{}, err
	}
	h := store.Histogram{From: st.from, To: st.to, Steps: make([]store.Step, n), Complete: true, Reached: st.from}
	for i := range h.Steps {
		h.Steps[i].Start = st.start(i)
	}
	if st.from == st.to {
		return h, nil
	}
	b := newBudget(q.Budget)
	rows := func(c *segment.Columns, row int) {
		h.Steps[st.of(c.Time[row])].By[min(c.Severity[row], uint8(finding.Critical))]++
	}
	if !m.FromSums() || st.width() < minute {
		h.Reached, h.Complete, err = l.scan(ctx, v, m, st.from, st.to, b, rows)
		return h, err
	}
	last, i := st.from, 0 // many sums in a row are of one time
	err = l.sum(ctx, v, ix, m, st, b, m.OnlySeverity(), rows, func(at int64, c *Combination, n uint64) {
		if at != last {
			last, i = at, st.of(at)
		}
		h.Steps[i].By[min(c.Severity, uint8(finding.Critical))] += n
	})
	return h, err
}

// scan calls rows with every matching row between two times, the newest segments
// first, until the budget is over. Where it then is, reached, everything newer
// was seen, and perhaps some that is older.
func (l *Log) scan(ctx context.Context, v View, m *segment.Matcher, from, to int64, b budget, rows func(c *segment.Columns, row int)) (reached int64, complete bool, err error) {
	return l.scanCounts(ctx, v, m, from, to, b, rows, nil)
}

// scanCounts is scan, but calls whole, where there is one, with the counts of
// segments of which all rows match.
func (l *Log) scanCounts(ctx context.Context, v View, m *segment.Matcher, from, to int64, b budget, rows func(c *segment.Columns, row int), whole func(*segment.Counts)) (reached int64, complete bool, err error) {
	if from >= to {
		return from, true, nil
	}
	narrow := *m
	narrow.From, narrow.To = from, to
	w, _, err := startWalk(ctx, v, &narrow, HeadQuery{Order: Newest, From: from, To: to, Counts: whole != nil}, b)
	if err != nil {
		return 0, false, err
	}
	for visited := false; ; visited = true {
		if err := ctx.Err(); err != nil {
			return 0, false, err
		}
		h, shard, step, err := w.peek(ctx)
		switch {
		case err != nil:
			return 0, false, err
		case step == atEnd:
			return from, true, nil
		case step == atPause, visited && b.over():
			return min(h.MaxTime, to), false, nil
		}
		if whole != nil && len(w.counts()) > 0 && h.MinTime >= from && h.MaxTime < to && h.Last <= w.visible {
			counts, err := l.codec.DecodeCounts(w.counts())
			if err != nil {
				return 0, false, &ShardError{shard, err}
			}
			whole(counts)
			w.skip()
			continue
		}
		c, err := l.columns(ctx, v, shard, h.First)
		if err != nil {
			return 0, false, err
		}
		var data []byte
		if m.NeedsData() {
			if data, err = l.data(ctx, v, shard, h.First); err != nil {
				return 0, false, err
			}
		}
		rm := narrow.Rows(c)
		if data != nil {
			rm.Data(data)
		}
		for i := range c.N {
			if c.Seq[i] > w.visible || !rm.Columns(i) {
				continue
			}
			if m.NeedsData() {
				if rm.Out(i) {
					continue
				}
				rec, err := c.Record(i, data)
				if err != nil {
					return 0, false, &ShardError{shard, err}
				}
				if !rm.Text(i, &rec) {
					continue
				}
			}
			rows(c, i)
		}
		w.skip()
	}
}

// sum goes through the sums of a range: hours where they lie within one step,
// minutes elsewhere, and the rows themselves for the minutes at the ends that
// are not whole.
func (l *Log) sum(ctx context.Context, v View, ix Index, m *segment.Matcher, st steps, b budget, bySeverity bool, rows func(c *segment.Columns, row int), yield func(at int64, c *Combination, n uint64)) error {
	first, last := -floorDiv(-st.from, minute), floorDiv(st.to, minute) // whole minutes, last exclusive
	if first >= last {
		_, _, err := l.scan(ctx, v, m, st.from, st.to, b, rows)
		return err
	}
	for _, edge := range [...][2]int64{{last * minute, st.to}, {st.from, first * minute}} {
		// Two parts of a minute: they are read whatever the budget says, the answer would be wrong without.
		if _, _, err := l.scan(ctx, v, m, edge[0], edge[1], newBudget(0), rows); err != nil {
			return err
		}
	}
	for _, e := range ix.Extents {
		from, to := max(first, floorDiv(e.MinTime, minute)), min(last, floorDiv(e.MaxTime, minute)+1)
		if e.Events == 0 || from >= to {
			continue
		}
		if err := l.sumShard(ctx, v, e.Shard, m, st, from, to, bySeverity, yield); err != nil {
			return err
		}
	}
	return nil
}

// sumShard goes through the sums of the minutes from to to of a shard. With
// bySeverity, combinations may have nothing but their severity.
func (l *Log) sumShard(ctx context.Context, v View, s Shard, m *segment.Matcher, st steps, from, to int64, bySeverity bool, yield func(at int64, c *Combination, n uint64)) error {
	byMinute, byHour := KindMinute, KindHour
	wanted := map[uint64]*Combination{}
	if bySeverity {
		var err error
		if bySeverity, err = hasRollups(ctx, v, s); err != nil {
			return err
		}
	}
	if bySeverity {
		byMinute, byHour = KindSeverityMinute, KindSeverityHour
		for severity := range 256 {
			if c := (Combination{Severity: uint8(severity)}); m.MaySum(0, 0, c.Severity, 0, "", "", "") {
				wanted[uint64(severity)] = &c
			}
		}
	} else if err := wantedCombinations(ctx, v, s, m, wanted); err != nil {
		return err
	}
	if len(wanted) == 0 {
		return nil
	}
	var err error
	read := func(kind Kind, unit, first, last int64) error {
		return v.Sums(ctx, s, kind, first, last, 0, 0, func(k Key, body []byte) error {
			return parseCounts(body, func(key, n uint64) {
				if c := wanted[key]; c != nil {
					yield(max(k.A*unit, st.from), c, n)
				}
			})
		})
	}
	// Runs of hours that lie in one step each are read as hours, the rest as minutes.
	at := from
	for at < to {
		end := at
		whole := at%60 == 0
		for end < to {
			next := min((floorDiv(end, 60)+1)*60, to)
			isWhole := end%60 == 0 && next-end == 60 && st.of(end*minute) == st.of((next-1)*minute)
			if end == at {
				whole = isWhole
			}
			if isWhole != whole {
				break
			}
			end = next
		}
		if whole {
			err = read(byHour, hour, at/60, end/60-1)
		} else {
			err = read(byMinute, minute, at, end-1)
		}
		if err != nil {
			return shardError(s, err)
		}
		at = end
	}
	return nil
}

// wantedCombinations fills in those that match.
func wantedCombinations(ctx context.Context, v View, s Shard, m *segment.Matcher, wanted map[uint64]*Combination) error {
	err := v.Sums(ctx, s, KindCombination, minTime, maxTime, 0, 0, func(k Key, body []byte) error {
		c, err := parseCombination(body)
		if err == nil && m.MaySum(c.Class, c.Activity, c.Severity, c.Status, c.Protocol, c.Theatre, c.Sensor) {
			wanted[uint64(k.A)] = &c
		}
		return err
	})
	return shardError(s, err)
}

// shardError names the shard where a sum is damaged.
func shardError(s Shard, err error) error {
	if err == nil {
		return nil
	}
	return &ShardError{s, err}
}
