// SPDX-License-Identifier: Apache-2.0

// Package eventlog is the part of an event store that does not depend on its
// engine: how appended events become segments and sums, and how queries are
// answered from them. The engines sqlite and postgres keep what it gives them
// and read back what it asks for.
//
// # Shards
//
// Events lie in shards, one for each day (UTC) of event time, and one, Odd, for
// events whose time is more than OddPast before or OddFuture after the clock: a
// device with a wrong clock, or a capture of long ago, must not make thousands
// of shards. Odd is searched like any other.
//
// # Segments
//
// Within a shard events lie in segments in the order in which they were appended.
// Small appends make small segments; they are merged with their neighbours by
// powers of two until they are full, so that an event is written again about
// ten times at worst and a shard has few small segments at any time.
//
// # Sums
//
// Minute, hour, device and link sums are kept in the same transaction as the
// events, see Kind. When events go, what they added is subtracted.
//
// # Queries
//
// A query walks segments in the order of its answer, looks at head and filter
// first, then at the columns, and at the events themselves only for what it gives
// back or for text. What it may take is bounded by its budget; where that
// ends it says how far it came. One segment is always looked at, so that a caller
// who goes on gets on.
package eventlog

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// How far from the clock the time of an event may be to get a shard of its day.
const (
	OddPast   = 400 * 24 * time.Hour
	OddFuture = 48 * time.Hour
)

// Shard is a day, counted from the Unix epoch in UTC, or Odd.
type Shard int32

// Odd is the shard of events whose time cannot be right.
const Odd Shard = math.MinInt32

const day = int64(24 * time.Hour)

// ShardOf returns the shard of a time of an event, seen at the time now.
func ShardOf(at, now int64) Shard {
	if at < now-int64(OddPast) || at > now+int64(OddFuture) {
		return Odd
	}
	return Shard(floorDiv(at, day))
}

// Start returns the beginning of the day; not of Odd.
func (s Shard) Start() int64 { return int64(s) * day }

// String returns "2006-01-02" or "odd".
func (s Shard) String() string {
	if s == Odd {
		return "odd"
	}
	return time.Unix(0, s.Start()).UTC().Format(time.DateOnly)
}

// ParseShard reads what String writes.
func ParseShard(s string) (Shard, error) {
	if s == "odd" {
		return Odd, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("day %q: want 2006-01-02 or odd", s)
	}
	return Shard(floorDiv(t.UnixNano(), day)), nil
}

// Extent is what is kept in a shard.
type Extent struct {
	Shard            Shard
	Events           uint64
	First, Last      uint64 // sequence numbers
	MinTime, MaxTime int64  // of the events
}

// Index is what is known of all shards.
type Index struct {
	Last      uint64 // newest number that readers may see
	Positions map[string]uint64
	Extents   []Extent // of shards with events, in no order
}

// Order is an order in which heads are asked for.
type Order uint8

// The orders. Segments with the same time come in the order of First, backwards
// where the time goes backwards.
const (
	Newest      Order = iota // by MaxTime, backwards
	Oldest                   // by MinTime
	BySeq                    // by First
	BySeqNewest              // by First, backwards
)

// HeadQuery asks for heads of a shard.
type HeadQuery struct {
	Order    Order
	From, To int64 // only segments with MaxTime >= From and MinTime < To
	// MinSeverity leaves out segments without an event of at least that; 0 for all,
	// below 8.
	MinSeverity finding.Severity
	Above       uint64        // only segments with Last > Above
	After       *segment.Head // go on after this one
	Filter      bool          // with their filters
	Counts      bool          // with their counts
	Limit       int
}

// Found is a head, with the filter and the counts where they were asked for.
type Found struct {
	segment.Head
	Filter []byte
	Counts []byte // encoded, see segment.Codec.DecodeCounts
}

// View reads the events as they were at one time. It is used by one goroutine.
// A shard that is gone meanwhile has no segments and no sums.
type View interface {
	Index(ctx context.Context) (Index, error)
	Heads(ctx context.Context, s Shard, q HeadQuery) ([]Found, error)
	// Columns and Data return a part of a segment; the caller does not change it.
	Columns(ctx context.Context, s Shard, first uint64) ([]byte, error)
	Data(ctx context.Context, s Shard, first uint64) ([]byte, error)
	// Sum returns one sum, nil when there is none.
	Sum(ctx context.Context, s Shard, k Key) ([]byte, error)
	// Sums calls yield with sums of a kind with from <= A <= to and fromB <= B <=
	// toB, in the order of A and B. The body is valid during the call.
	Sums(ctx context.Context, s Shard, kind Kind, from, to, fromB, toB int64, yield func(k Key, body []byte) error) error
	// Since returns the first step of links, 0 for those unknown.
	Since(ctx context.Context, links [][]byte) ([]int64, error)
	Close()
}

// Change is what happens to one shard.
type Change struct {
	Shard  Shard
	Delete []uint64 // segments, by First; before Put
	Put    []*Encoding
	Sums   []Sum
	Extent Extent // afterwards
}

// Encoding is a segment that is perhaps still being made. An engine writes
// everything else first, then the segments in their order, while the last of them
// are made on the other cores.
type Encoding struct {
	done chan struct{} // closed when there is a segment or an error
	seg  *segment.Segment
	err  error
}

// Segment waits for the segment.
func (e *Encoding) Segment() (*segment.Segment, error) {
	<-e.done
	return e.seg, e.err
}

func encoded(s *segment.Segment) *Encoding {
	e := &Encoding{done: make(chan struct{}), seg: s}
	close(e.done)
	return e
}

// Commit is what an Append changes, all or nothing.
type Commit struct {
	Changes   []Change
	Last      uint64
	Positions map[string]uint64 // of all streams
	Since     []Since
}

// Since is the first step in which a link was seen. A later one does not replace it.
type Since struct {
	Link []byte // the link's definition
	Step int64  // ns
}

// ShardError is an error in what a shard holds.
type ShardError struct {
	Shard Shard
	Err   error
}

func (e *ShardError) Error() string { return fmt.Sprintf("events of %v: %v", e.Shard, e.Err) }

// Unwrap returns the cause.
func (e *ShardError) Unwrap() error { return e.Err }

// Log answers queries from views, and After from what this process appended last
// where that reaches.
type Log struct {
	codec  *segment.Codec
	open   func(ctx context.Context) (View, error)
	recent recent
	links  linkMemory
}

// New returns a log whose views open makes.
func New(codec *segment.Codec, open func(ctx context.Context) (View, error)) *Log {
	return &Log{codec: codec, open: open}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// checkLimit returns the limit of a page.
func checkLimit(limit int) error {
	if limit < 1 || limit > store.MaxLimit {
		return fmt.Errorf("%w: limit %d: want 1 to %d", store.ErrInvalid, limit, store.MaxLimit)
	}
	return nil
}

// budget is how long a query may go on.
type budget struct{ end time.Time }

func newBudget(d time.Duration) budget {
	if d <= 0 {
		d = store.DefaultQuery
	}
	return budget{time.Now().Add(d)}
}

func (b budget) over() bool { return !time.Now().Before(b.end) }

// appendString appends a string with its length.
func appendString(b []byte, s string) []byte {
	b = appendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendUvarint(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// reader reads what these two write; it is bad once something is missing.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v := uint64(r.b[0])
		r.b = r.b[1:]
		return v
	}
	v := uint64(0)
	for i := 0; i < len(r.b) && i < 10; i++ {
		v |= uint64(r.b[i]&0x7f) << (7 * i)
		if r.b[i] < 0x80 {
			r.b = r.b[i+1:]
			return v
		}
	}
	r.bad, r.b = true, nil
	return 0
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// FillStats fills in what the index says.
func FillStats(s *store.Stats, ix Index, bytes map[Shard]int64) {
	slices.SortFunc(ix.Extents, func(a, b Extent) int { return cmp.Compare(a.Shard, b.Shard) })
	for _, e := range ix.Extents {
		if e.Events == 0 {
			continue
		}
		s.Events += e.Events
		if s.First == 0 || e.MinTime < s.First {
			s.First = e.MinTime
		}
		s.Last = max(s.Last, e.MaxTime)
		s.Days = append(s.Days, store.Day{Day: e.Shard.String(), Events: e.Events, Bytes: bytes[e.Shard]})
	}
}
