// SPDX-License-Identifier: Apache-2.0

package eventlog

import (
	"context"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// Truncate returns the change that takes the events above a number out of a
// shard, nil when there is none. Its extent is not set.
func Truncate(ctx context.Context, codec *segment.Codec, v View, s Shard, last uint64) (*Change, error) {
	ch := &Change{Shard: s}
	sm := newSums(s)
	q := HeadQuery{Order: BySeq, From: minTime, To: maxTime, Above: last, Limit: moreHeads}
	for {
		heads, err := v.Heads(ctx, s, q)
		if err != nil {
			return nil, err
		}
		for _, h := range heads {
			if err := cut(ctx, codec, v, ch, sm, h.Head, func(r *record.Record) bool { return r.Seq <= last }); err != nil {
				return nil, err
			}
		}
		if len(heads) < q.Limit {
			break
		}
		q.After = &heads[len(heads)-1].Head
	}
	if len(ch.Delete) == 0 {
		return nil, nil
	}
	ch.Sums = sm.take()
	return ch, nil
}

// Expire returns the change that takes the oldest segments out of a shard: at
// most limit, and of those only what is wholly before a time. Nil when there is
// none; n is how many events go. Its extent is not set.
func Expire(ctx context.Context, codec *segment.Codec, v View, s Shard, before int64, limit int) (ch *Change, n uint64, err error) {
	heads, err := v.Heads(ctx, s, HeadQuery{Order: Oldest, From: minTime, To: before, Limit: limit})
	if err != nil {
		return nil, 0, err
	}
	ch = &Change{Shard: s}
	sm := newSums(s)
	for _, h := range heads {
		if h.MaxTime >= before {
			continue
		}
		if err := cut(ctx, codec, v, ch, sm, h.Head, func(*record.Record) bool { return false }); err != nil {
			return nil, 0, err
		}
		n += uint64(h.N)
	}
	if len(ch.Delete) == 0 {
		return nil, 0, nil
	}
	ch.Sums = sm.take()
	return ch, n, nil
}

// cut takes the events out of a segment that are not to be kept.
func cut(ctx context.Context, codec *segment.Codec, v View, ch *Change, sm *sums, h segment.Head, keep func(*record.Record) bool) error {
	recs, err := readSegment(ctx, codec, v, ch.Shard, h.First)
	if err != nil {
		return err
	}
	raw, err := v.Columns(ctx, ch.Shard, h.First)
	if err != nil {
		return err
	}
	c, err := codec.DecodeColumns(raw)
	if err != nil {
		return &ShardError{ch.Shard, err}
	}
	if err := sm.apply(ctx, v, tallyOf(c, func(row int) bool { return !keep(&recs[row]) }), -1); err != nil {
		return err
	}
	var kept []record.Record
	for i := range recs {
		if keep(&recs[i]) {
			kept = append(kept, recs[i])
		}
	}
	ch.Delete = append(ch.Delete, h.First)
	if len(kept) > 0 {
		s, err := codec.Encode(kept)
		if err != nil {
			return err
		}
		ch.Put = append(ch.Put, encoded(s))
	}
	return nil
}
