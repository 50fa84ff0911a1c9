// SPDX-License-Identifier: Apache-2.0

// Package segment is the form in which a store keeps events: up to MaxRows of
// them together, as columns, with a filter that says what is certainly not among
// them.
//
// Both engines keep the same segments. A segment has five parts, kept apart so
// that a reader takes no more than it needs:
//
//   - Head: sequence numbers, times, severities. What a query looks at first.
//   - Filter: a blocked Bloom filter over every value that events are searched by
//     and every word of every text. It takes about 12 bits for each distinct value
//     and says yes wrongly about once in two hundred times.
//   - Counts: how many events each device and address has.
//   - Columns: what events are searched, counted and summed up by, dictionary coded,
//     then zstd.
//   - Data: the encoded events, one after the other, then zstd.
//
// Segments are self-contained: their dictionaries are their own, so that one can
// be read when everything else is lost.
//
// # Why not a row for each event
//
// A row for each event costs an insertion into a B-tree each, keeps the names of
// the fields and the addresses a million times, and can be counted only one by
// one. As a segment the same events are compressed together, are one insertion, and
// are counted by their codes. What it costs: reading one event means decompressing
// its segment, about a millisecond. docs/store.md says what was measured.
//
// # Guarantees
//
// Decoding is bounded and returns ErrDamaged, never panics, whatever it is given.
// A Codec may be used from many goroutines.
package segment

import (
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
)

// Bounds of a segment.
const (
	MaxRows = 1024     // events
	MaxRaw  = 4 << 20  // bytes of encoded events, unless a single one is larger
	MaxData = 16 << 20 // bytes of one encoded event
)

// maxDecoded bounds what decompression may give.
const maxDecoded = MaxRaw + MaxData

// ErrDamaged says that the bytes are not those of a segment.
var ErrDamaged = errors.New("damaged segment")

// Head is what is known of a segment without reading it.
type Head struct {
	First, Last      uint64 // sequence numbers of the first and last event
	N                int    // events; not all numbers between First and Last need to be in it
	MinTime, MaxTime int64  // ns since the Unix epoch, UTC
	Severities       uint8  // bit s is set when an event has finding.Severity s
}

// HasSeverity reports whether an event of at least that severity may be in it.
func (h Head) HasSeverity(at finding.Severity) bool {
	return at == 0 || at < 8 && h.Severities>>at != 0
}

// Segment is one segment, encoded.
type Segment struct {
	Head
	Filter  []byte
	Counts  []byte
	Columns []byte
	Data    []byte
}

// Size returns the bytes that it takes, without those of its head.
func (s *Segment) Size() int { return len(s.Filter) + len(s.Counts) + len(s.Columns) + len(s.Data) }

// Codec encodes and decodes segments. Make it with NewCodec.
type Codec struct {
	enc   *zstd.Encoder
	dec   *zstd.Decoder
	build sync.Pool // *builder
	raw   sync.Pool // *[]byte
}

// NewCodec returns a codec that uses up to workers cores at once.
func NewCodec(workers int) (*Codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(workers),
		zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, fmt.Errorf("start compression: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(workers), zstd.WithDecoderMaxMemory(maxDecoded))
	if err != nil {
		return nil, fmt.Errorf("start decompression: %w", err)
	}
	return &Codec{enc: enc, dec: dec, build: sync.Pool{New: func() any { return &builder{} }}, raw: sync.Pool{New: func() any { return new([]byte) }}}, nil
}

// Close frees the codec. No method may be called after it.
func (c *Codec) Close() {
	_ = c.enc.Close()
	c.dec.Close()
}

// Encode makes a segment of records, whose sequence numbers must be set and
// increase. There must be 1 to MaxRows.
func (c *Codec) Encode(recs []record.Record) (*Segment, error) {
	if len(recs) > MaxRows {
		return nil, fmt.Errorf("segment of %d events: want 1 to %d", len(recs), MaxRows)
	}
	return c.EncodeWith(recs, NewColumns(recs))
}

// EncodeWith is Encode with what NewColumns gave for these records.
func (c *Codec) EncodeWith(recs []record.Record, cols *Columns) (*Segment, error) {
	if len(recs) == 0 || len(recs) > MaxRows || cols.N != len(recs) {
		return nil, fmt.Errorf("segment of %d events: want 1 to %d", len(recs), MaxRows)
	}
	b := c.build.Get().(*builder)
	defer c.build.Put(b)
	s := &Segment{Head: Head{First: recs[0].Seq, Last: recs[len(recs)-1].Seq, N: len(recs), MinTime: recs[0].Time, MaxTime: recs[0].Time}}
	b.reset()
	for i := range recs {
		r := &recs[i]
		if len(r.Data) > MaxData {
			return nil, fmt.Errorf("event of %d bytes: the most is %d", len(r.Data), MaxData)
		}
		if i > 0 && r.Seq <= recs[i-1].Seq {
			return nil, fmt.Errorf("event %d after %d: sequence numbers must increase", r.Seq, recs[i-1].Seq)
		}
		s.MinTime, s.MaxTime = min(s.MinTime, r.Time), max(s.MaxTime, r.Time)
		s.Severities |= 1 << min(r.Severity, 7)
		b.data = append(b.data, r.Data...)
		b.words.texts(r.Data)
	}
	cols.index(&b.words)
	b.cols = cols.appendCounts(b.cols[:0])
	s.Counts = c.enc.EncodeAll(b.cols, make([]byte, 0, len(b.cols)/2+64))
	b.cols = cols.appendTo(b.cols[:0])
	s.Columns = c.enc.EncodeAll(b.cols, make([]byte, 0, len(b.cols)/2+64))
	s.Data = c.enc.EncodeAll(b.data, make([]byte, 0, len(b.data)/4+64))
	s.Filter = b.words.filter()
	return s, nil
}

// DecodeColumns reads the columns of a segment.
func (c *Codec) DecodeColumns(b []byte) (*Columns, error) {
	buf := c.raw.Get().(*[]byte)
	defer c.raw.Put(buf)
	raw, err := c.dec.DecodeAll(b, (*buf)[:0])
	if err != nil {
		return nil, fmt.Errorf("%w: columns: %w", ErrDamaged, err)
	}
	*buf = raw
	return parseColumns(raw)
}

// DecodeData reads the events of a segment, all in one. Columns.Record cuts
// one out.
func (c *Codec) DecodeData(b []byte) ([]byte, error) {
	raw, err := c.dec.DecodeAll(b, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: events: %w", ErrDamaged, err)
	}
	return raw, nil
}

// builder is what Encode needs for a while.
type builder struct {
	data, cols []byte
	words      wordSet
}

func (b *builder) reset() {
	b.data, b.cols = b.data[:0], b.cols[:0]
	b.words.reset()
}
