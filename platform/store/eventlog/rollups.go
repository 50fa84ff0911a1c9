// SPDX-License-Identifier: Apache-2.0

package eventlog

import (
	"context"
)

// Rollups are sums of sums that answer the questions of every first screen: events
// over time by severity alone, and links by the hour. A shard has all of them or
// none: those that were begun by a version without them stay as they are, and are
// answered from the finer sums. KindRollups says that a shard has them.

// rollups says whether a shard has rollups.
type rollups uint8

const (
	rollupsUnknown rollups = iota
	rollupsMissing
	rollupsThere
)

var rollupsVersion = []byte{1}

// begin is for a shard without events: it gets rollups.
func (s *sums) begin() {
	s.rollups = rollupsThere
	s.newDefs = append(s.newDefs, Sum{Key{Kind: KindRollups}, rollupsVersion})
}

// knowRollups finds out whether the shard has rollups.
func (s *sums) knowRollups(ctx context.Context, v View) error {
	if s.rollups != rollupsUnknown {
		return nil
	}
	s.rollups = rollupsMissing
	has, err := hasRollups(ctx, v, s.shard)
	if has {
		s.rollups = rollupsThere
	}
	return err
}

func hasRollups(ctx context.Context, v View, s Shard) (bool, error) {
	b, err := v.Sum(ctx, s, Key{Kind: KindRollups})
	return b != nil, shardError(s, err)
}

// rollUpSeverity adds events of a minute.
func (s *sums) rollUpSeverity(ctx context.Context, v View, at int64, severity uint8, n uint64, sign int) error {
	if s.rollups != rollupsThere {
		return nil
	}
	for _, key := range [...]Key{{Kind: KindSeverityMinute, A: at}, {Kind: KindSeverityHour, A: floorDiv(at, 60)}} {
		c, err := s.count(ctx, v, key)
		if err != nil {
			return err
		}
		c.add(uint64(severity), n, sign)
	}
	return nil
}

// stepsOfHour is how many link steps an hour has.
const stepsOfHour = hour / linkStep

// rollUpLink adds what a link said in a step. Total is what it said in the whole
// shard before.
func (s *sums) rollUpLink(ctx context.Context, v View, id, at int64, total, add *traffic, sign int, isNew bool) error {
	if s.rollups != rollupsThere {
		return nil
	}
	if !isNew && s.shard != Odd {
		first := stepOfDay(s.shard, at) &^ int(stepsOfHour-1)
		isNew = true
		for i := range int(stepsOfHour) {
			isNew = isNew && !total.step(first+i)
		}
	}
	t, err := s.link(ctx, v, Key{Kind: KindLinkHour, A: floorDiv(at, stepsOfHour), B: id}, isNew)
	if err == nil {
		t.add(add, sign)
	}
	return err
}

// linkSum is what one link said in a range, by steps since the epoch.
type linkSum struct {
	traffic
	first, last int64
}

// linksOfDay sums up the links of a shard, other than Odd, over the steps from
// first to last, both inclusive. What the bits of the day say is in the range comes
// from the total of the day less what is outside, or from what is inside, whichever is
// less to read.
func linksOfDay(ctx context.Context, v View, e Extent, first, last int64) (map[int64]*linkSum, error) {
	begin := e.Shard.Start() / linkStep
	lo, hi := max(floorDiv(e.MinTime, linkStep), begin), min(floorDiv(e.MaxTime, linkStep), begin+95)
	first, last = max(first, lo), min(last, hi)
	inside, outside := last-first+1, first-lo+hi-last
	out := map[int64]*linkSum{}
	err := v.Sums(ctx, e.Shard, KindLinkDay, minTime, maxTime, 0, 0, func(k Key, body []byte) error {
		t, err := parseTraffic(body, true)
		if err != nil {
			return err
		}
		if a, b, ok := t.within(int(first-begin), int(last-begin)); ok {
			s := &linkSum{first: begin + int64(a), last: begin + int64(b)}
			if inside > outside {
				s.traffic = t
			}
			out[k.A] = s
		}
		return nil
	})
	if err != nil || outside == 0 || len(out) == 0 {
		return out, err
	}
	add := func(from, to int64, sign int) {
		if err == nil && from <= to {
			err = addLinkSteps(ctx, v, e.Shard, from, to, func(id int64, t *traffic) {
				if s := out[id]; s != nil {
					s.traffic.add(t, sign)
				}
			})
		}
	}
	if inside > outside {
		add(lo, first-1, -1)
		add(last+1, hi, -1)
	} else {
		add(first, last, +1)
	}
	return out, err
}

// within returns the first and last step of a day, from a to b, that have something.
func (t *traffic) within(a, b int) (first, last int, ok bool) {
	for i := max(a, 0); i <= min(b, 95); i++ {
		if t.step(i) {
			if !ok {
				first, ok = i, true
			}
			last = i
		}
	}
	return first, last, ok
}

// addLinkSteps goes through what links said in steps from a to b, both inclusive:
// whole hours as such where the shard has them.
func addLinkSteps(ctx context.Context, v View, s Shard, a, b int64, add func(id int64, t *traffic)) error {
	read := func(kind Kind, from, to int64) error {
		if from > to {
			return nil
		}
		return v.Sums(ctx, s, kind, from, to, minTime, maxTime, func(k Key, body []byte) error {
			t, err := parseTraffic(body, false)
			if err == nil {
				add(k.B, &t)
			}
			return err
		})
	}
	hours, err := hasRollups(ctx, v, s)
	if err != nil {
		return err
	}
	from, to := -floorDiv(-a, stepsOfHour), floorDiv(b+1, stepsOfHour) // whole hours, to is exclusive
	if !hours || from >= to {
		return read(KindLinkStep, a, b)
	}
	if err := read(KindLinkStep, a, from*stepsOfHour-1); err != nil {
		return err
	}
	if err := read(KindLinkHour, from, to-1); err != nil {
		return err
	}
	return read(KindLinkStep, to*stepsOfHour, b)
}
