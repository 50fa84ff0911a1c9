// SPDX-License-Identifier: Apache-2.0

package eventlog

import (
	"context"
	"sync"
)

// linkMemory keeps what Links has read of each shard, as far as it cannot change:
// the definitions, and what its links said over a range of steps as long as the
// shard is what it was. Nearly all of a question over many days is about days to
// which nothing comes any more.
type linkMemory struct {
	mu     sync.Mutex
	shards map[Shard]*shardLinks
	held   int // definitions and sums in all shards
}

// maxLinkMemory bounds what is held, in definitions and sums: each takes some 200 bytes.
const maxLinkMemory = 3 * MaxLinks / 2

// shardLinks is what is remembered of one shard. What it points to is never changed
// once it is here, so that several questions may read it.
type shardLinks struct {
	began uint64 // First of the extent: another one is another shard in its place
	defs  map[int64]*knownLink
	of    rangeOfLinks
	sums  map[int64]*linkSum
}

// rangeOfLinks is what the sums of a shard belong to.
type rangeOfLinks struct {
	extent      Extent
	first, last int64
}

// knownLink is a definition as it is stored and as it is meant.
type knownLink struct {
	raw string
	linkDef
}

// sum returns what is remembered of a range of a shard, nil when nothing is.
func (m *linkMemory) sum(r rangeOfLinks) map[int64]*linkSum {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.shards[r.extent.Shard]; s != nil && s.of == r {
		return s.sums
	}
	return nil
}

// keepSum remembers what was read.
func (m *linkMemory) keepSum(r rangeOfLinks, sums map[int64]*linkSum) {
	m.change(r.extent, func(s *shardLinks) { s.of, s.sums = r, sums })
}

// definitions returns what is remembered of a shard's definitions.
func (m *linkMemory) definitions(e Extent) map[int64]*knownLink {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.shards[e.Shard]; s != nil && s.began == e.First {
		return s.defs
	}
	return nil
}

func (m *linkMemory) keepDefinitions(e Extent, defs map[int64]*knownLink) {
	m.change(e, func(s *shardLinks) { s.defs = defs })
}

// change lets f change what is remembered of a shard, and forgets other shards, then
// this one, where that is too much.
func (m *linkMemory) change(e Extent, f func(*shardLinks)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shards[e.Shard]
	if s == nil || s.began != e.First {
		m.drop(e.Shard)
		s = &shardLinks{began: e.First}
		if m.shards == nil {
			m.shards = map[Shard]*shardLinks{}
		}
		m.shards[e.Shard] = s
	}
	m.held -= len(s.defs) + len(s.sums)
	f(s)
	m.held += len(s.defs) + len(s.sums)
	for other := range m.shards {
		if m.held <= maxLinkMemory {
			return
		}
		if other != e.Shard {
			m.drop(other)
		}
	}
	if m.held > maxLinkMemory {
		m.drop(e.Shard)
	}
}

// drop forgets a shard. The caller holds mu.
func (m *linkMemory) drop(shard Shard) {
	if s := m.shards[shard]; s != nil {
		m.held -= len(s.defs) + len(s.sums)
		delete(m.shards, shard)
	}
}

// fewLinks is up to how many definitions are looked up one by one.
const fewLinks = 64

// definitions returns the definitions of all links of byID, and perhaps others.
func (l *Log) definitions(ctx context.Context, v View, e Extent, byID map[int64]*linkSum) (map[int64]*knownLink, error) {
	known := l.links.definitions(e)
	var missing []int64
	for id := range byID {
		if known[id] == nil {
			if missing = append(missing, id); len(missing) > fewLinks {
				break
			}
		}
	}
	if len(missing) == 0 {
		return known, nil
	}
	defs := make(map[int64]*knownLink, len(known)+len(missing))
	add := func(id int64, body []byte) error {
		d, err := parseLinkDef(body)
		defs[id] = &knownLink{raw: string(body), linkDef: d}
		return err
	}
	if len(missing) > fewLinks {
		err := v.Sums(ctx, e.Shard, KindLink, minTime, maxTime, 0, 0, func(k Key, body []byte) error { return add(k.A, body) })
		if err != nil {
			return nil, err
		}
	} else {
		for id, d := range known {
			defs[id] = d
		}
		for _, id := range missing {
			body, err := v.Sum(ctx, e.Shard, Key{Kind: KindLink, A: id})
			if err != nil {
				return nil, err
			}
			if body == nil {
				continue
			}
			if err := add(id, body); err != nil {
				return nil, err
			}
		}
	}
	l.links.keepDefinitions(e, defs)
	return defs, nil
}

// linksOf sums up the links of a shard over the steps from first to last, both
// inclusive. The caller does not change what is returned.
func (l *Log) linksOf(ctx context.Context, v View, e Extent, first, last int64) (map[int64]*linkSum, error) {
	lo, hi := floorDiv(e.MinTime, linkStep), floorDiv(e.MaxTime, linkStep)
	r := rangeOfLinks{e, max(first, lo), min(last, hi)}
	if sums := l.links.sum(r); sums != nil {
		return sums, nil
	}
	var byID map[int64]*linkSum
	var err error
	if e.Shard != Odd {
		byID, err = linksOfDay(ctx, v, e, first, last)
	} else {
		byID, err = linksOfOdd(ctx, v, first, last)
	}
	if err == nil {
		l.links.keepSum(r, byID)
	}
	return byID, err
}

// linksOfOdd is linksOfDay for the shard whose times are anywhere.
func linksOfOdd(ctx context.Context, v View, first, last int64) (map[int64]*linkSum, error) {
	byID := map[int64]*linkSum{}
	err := v.Sums(ctx, Odd, KindLinkStep, first, last, minTime, maxTime, func(k Key, body []byte) error {
		t, err := parseTraffic(body, false)
		s := byID[k.B]
		if s == nil {
			s = &linkSum{first: k.A}
			byID[k.B] = s
		}
		s.traffic.add(&t, +1)
		s.last = k.A
		return err
	})
	return byID, err
}
