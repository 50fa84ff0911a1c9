// SPDX-License-Identifier: Apache-2.0

package eventlog

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// MaxLinks is how many links are given at most.
const MaxLinks = 100_000

// Links implements store.Events.
func (l *Log) Links(ctx context.Context, from, to int64, limit int) (links []store.Link, more bool, err error) {
	if limit < 1 || limit > MaxLinks {
		return nil, false, fmt.Errorf("%w: limit %d: want 1 to %d", store.ErrInvalid, limit, MaxLinks)
	}
	v, err := l.open(ctx)
	if err != nil {
		return nil, false, err
	}
	defer v.Close()
	ix, err := v.Index(ctx)
	if err != nil {
		return nil, false, err
	}
	first, last := minTime/linkStep, maxTime/linkStep // steps, both inclusive
	if from != 0 {
		first = floorDiv(from, linkStep)
	}
	if to != 0 {
		last = -floorDiv(-to, linkStep) - 1
	}
	sums := map[string]*totalOfLink{}
	for _, e := range ix.Extents {
		lo, hi := floorDiv(e.MinTime, linkStep), floorDiv(e.MaxTime, linkStep)
		if e.Events == 0 || hi < first || lo > last {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		byID, err := l.linksOf(ctx, v, e, first, last)
		var defs map[int64]*knownLink
		if err == nil {
			defs, err = l.definitions(ctx, v, e, byID)
		}
		if err != nil {
			return nil, false, shardError(e.Shard, err)
		}
		for id, s := range byID {
			def := defs[id]
			if def == nil {
				continue
			}
			if old := sums[def.raw]; old != nil {
				old.add(&s.traffic, +1)
				old.first, old.last = min(old.first, s.first), max(old.last, s.last)
			} else {
				sums[def.raw] = &totalOfLink{*s, def}
			}
		}
	}
	most := make([]*totalOfLink, 0, len(sums))
	for _, s := range sums {
		most = append(most, s)
	}
	slices.SortFunc(most, compareLinks)
	if len(most) > limit {
		most, more = most[:limit], true
	}
	defs := make([][]byte, len(most))
	for i, s := range most {
		defs[i] = []byte(s.def.raw)
	}
	since, err := v.Since(ctx, defs)
	if err != nil {
		return nil, false, err
	}
	links = make([]store.Link, len(most))
	for i, s := range most {
		d := s.def
		links[i] = store.Link{From: d.From, To: d.To, Protocol: d.Protocol, Transport: d.Transport, Port: d.Port,
			Flows: s.Flows, Failed: s.Failed, BytesOut: s.Out, BytesIn: s.In, First: s.first * linkStep, Last: s.last * linkStep}
		links[i].Since = links[i].First
		if since[i] != 0 {
			links[i].Since = min(since[i], links[i].First)
		}
	}
	return links, more, nil
}

// totalOfLink is what a link said in all shards of a range.
type totalOfLink struct {
	linkSum
	def *knownLink
}

// compareLinks orders links by their bytes, most first, then by what they are.
func compareLinks(a, b *totalOfLink) int {
	if c := cmp.Or(cmp.Compare(b.Out+b.In, a.Out+a.In), cmp.Compare(b.Flows, a.Flows)); c != 0 {
		return c // nearly always: the texts are compared only where it is needed
	}
	return cmp.Or(cmp.Compare(a.def.From, b.def.From), cmp.Compare(a.def.To, b.def.To), cmp.Compare(a.def.Protocol, b.def.Protocol),
		cmp.Compare(a.def.Transport, b.def.Transport), cmp.Compare(a.def.Port, b.def.Port))
}

// bounds returns the first and last step of a day that have something.
func (t *traffic) bounds() (first, last int64) {
	first = 95
	for i := range int64(96) {
		if t.step(int(i)) {
			first, last = min(first, i), i
		}
	}
	return min(first, last), last
}

// Activity implements store.Events. The range is exact; within it, from steps of
// five minutes up, five minutes count as a whole for the step in which they
// begin.
func (l *Log) Activity(ctx context.Context, device string, from, to int64, n int) ([]store.ActivityStep, error) {
	m, err := segment.Compile(store.Query{From: from, To: to, Terms: []store.Term{{Field: store.FieldDevice, Values: []string{device}}}})
	if err != nil {
		return nil, err
	}
	if device == "" {
		return nil, fmt.Errorf("%w: activity of no device", store.ErrInvalid)
	}
	v, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	ix, err := v.Index(ctx)
	if err != nil {
		return nil, err
	}
	st, err := newSteps(from, to, n, ix)
	if err != nil {
		return nil, err
	}
	out := make([]store.ActivityStep, n)
	for i := range out {
		out[i] = store.ActivityStep{Start: st.start(i), Classes: map[uint32]uint64{}}
	}
	count := func(at int64, class uint32, severity uint8, n uint64) {
		s := &out[st.of(at)]
		s.Classes[class] += n
		s.Worst = max(s.Worst, finding.Severity(severity))
	}
	rows := func(c *segment.Columns, row int) {
		count(c.Time[row], c.Classes[c.Class[row]], c.Severity[row], 1)
	}
	first, last := -floorDiv(-st.from, deviceStep), floorDiv(st.to, deviceStep) // whole steps, last exclusive
	if st.width() < deviceStep || first >= last {
		_, _, err = l.scan(ctx, v, m, st.from, st.to, newBudget(0), rows)
		return out, err
	}
	for _, edge := range [...][2]int64{{last * deviceStep, st.to}, {st.from, first * deviceStep}} {
		if _, _, err := l.scan(ctx, v, m, edge[0], edge[1], newBudget(0), rows); err != nil {
			return nil, err
		}
	}
	for _, e := range ix.Extents {
		if e.Events == 0 || e.MaxTime < first*deviceStep || e.MinTime >= last*deviceStep {
			continue
		}
		id, found, err := lookup(ctx, v, e.Shard, KindEnd, []byte(device))
		if err == nil && found {
			err = v.Sums(ctx, e.Shard, KindDevice, max(first, floorDiv(e.MinTime, deviceStep)), min(last-1, floorDiv(e.MaxTime, deviceStep)), id, id, func(k Key, body []byte) error {
				return parseCounts(body, func(key, n uint64) { count(max(k.A*deviceStep, st.from), uint32(key>>8), uint8(key), n) })
			})
		}
		if err != nil {
			return nil, shardError(e.Shard, err)
		}
	}
	return out, nil
}

// FirstSteps fills in the first step of each link that is still kept, in ns; it
// leaves 0 where a link is nowhere any more.
func FirstSteps(ctx context.Context, v View, ix Index, links map[string]int64) error {
	return firstSteps(ctx, v, ix, func(def string, at int64) {
		if old, ok := links[def]; ok && (old == 0 || at < old) {
			links[def] = at
		}
	})
}

// AllFirstSteps returns the first steps of all links.
func AllFirstSteps(ctx context.Context, v View, ix Index) (map[string]int64, error) {
	links := map[string]int64{}
	return links, firstSteps(ctx, v, ix, func(def string, at int64) {
		if old, ok := links[def]; !ok || at < old {
			links[def] = at
		}
	})
}

func firstSteps(ctx context.Context, v View, ix Index, yield func(def string, at int64)) error {
	for _, e := range ix.Extents {
		first := map[int64]int64{}
		err := v.Sums(ctx, e.Shard, KindLinkDay, minTime, maxTime, 0, 0, func(k Key, body []byte) error {
			t, err := parseTraffic(body, true)
			a, _ := t.bounds()
			first[k.A] = e.Shard.Start()/linkStep + a
			return err
		})
		if e.Shard == Odd && err == nil {
			clear(first)
			err = v.Sums(ctx, e.Shard, KindLinkStep, minTime, maxTime, minTime, maxTime, func(k Key, _ []byte) error {
				if _, ok := first[k.B]; !ok {
					first[k.B] = k.A
				}
				return nil
			})
		}
		if err == nil {
			err = v.Sums(ctx, e.Shard, KindLink, minTime, maxTime, 0, 0, func(k Key, body []byte) error {
				if at, ok := first[k.A]; ok {
					yield(string(body), at*linkStep)
				}
				return nil
			})
		}
		if err != nil {
			return shardError(e.Shard, err)
		}
	}
	return nil
}
