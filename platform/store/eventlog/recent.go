// SPDX-License-Identifier: Apache-2.0

package eventlog

import (
	"cmp"
	"slices"
	"sync"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store/segment"
)

const (
	// maxRecent bounds the memory of the events that are kept for those who follow:
	// some 25,000, the last tenth of a second at the highest rate.
	maxRecent = 16 << 20
	// recordSize is about what a record takes beside its event.
	recordSize = 320
	// recentAtOnce is how many parts are looked through between two looks at the
	// whole.
	recentAtOnce = 128
)

// recent keeps the events that this process appended last, so that who follows the
// stream is given them without reading, decompressing and decoding what was
// encoded a moment before. Everything in it is committed, and its numbers have no
// gap. It says nothing about what another process appended.
type recent struct {
	mu    sync.RWMutex
	parts []*recentPart // oldest first, none empty
	bytes int
}

// recentPart are records with numbers in a row. They are not changed.
type recentPart struct {
	recs    []record.Record
	bytes   int
	once    sync.Once
	columns *segment.Columns // made when somebody asks for less than everything
}

func (p *recentPart) first() uint64 { return p.recs[0].Seq }
func (p *recentPart) last() uint64  { return p.recs[len(p.recs)-1].Seq }

func (p *recentPart) cols() *segment.Columns {
	p.once.Do(func() { p.columns = segment.NewColumns(p.recs) })
	return p.columns
}

// Appended tells the log what was committed: records whose last has the number
// last. It is called before anybody is told of that number, and by who leads.
func (l *Log) Appended(last uint64, recs []record.Record) {
	if len(recs) == 0 {
		return
	}
	own := slices.Clone(recs)
	for i := range own {
		own[i].Seq = last - uint64(len(own)-1-i)
	}
	r := &l.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.parts); n > 0 && r.parts[n-1].last()+1 != own[0].Seq {
		r.parts, r.bytes = nil, 0 // somebody else led meanwhile
	}
	for len(own) > 0 {
		n := take(own)
		p := &recentPart{recs: own[:n:n]}
		for i := range p.recs {
			p.bytes += recordSize + len(p.recs[i].Data)
		}
		r.parts, r.bytes = append(r.parts, p), r.bytes+p.bytes
		own = own[n:]
	}
	for r.bytes > maxRecent {
		r.bytes -= r.parts[0].bytes
		r.parts[0] = nil // the array is used on
		r.parts = r.parts[1:]
	}
}

// ForgetAppended drops what Appended was told: events were removed, or it is not
// certain any more that they are there.
func (l *Log) ForgetAppended() {
	l.recent.mu.Lock()
	defer l.recent.mu.Unlock()
	l.recent.parts, l.recent.bytes = nil, 0
}

// from returns the next parts with numbers above seq; ok is false where these
// are not, or not all, here.
func (r *recent) from(seq uint64) (parts []*recentPart, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := len(r.parts)
	if n == 0 || seq+1 < r.parts[0].first() || seq >= r.parts[n-1].last() {
		return nil, false
	}
	i, _ := slices.BinarySearchFunc(r.parts, seq+1, func(p *recentPart, s uint64) int { return cmp.Compare(p.last(), s) })
	return slices.Clone(r.parts[i:min(n, i+recentAtOnce)]), true
}

// after is After from what is here; ok is false where that does not reach back to
// seq, or has nothing above it.
func (r *recent) after(seq uint64, m *segment.Matcher, limit int, b budget) (recs []record.Record, next uint64, ok bool) {
	everything := m.Everything()
	for next = seq; ; {
		parts, more := r.from(next)
		if !more {
			return recs, next, ok
		}
		ok = true
		for _, p := range parts {
			at := int(max(next+1, p.first()) - p.first())
			if everything {
				n := min(len(p.recs)-at, limit-len(recs))
				recs = append(recs, p.recs[at:at+n]...)
			} else {
				recs = p.match(m, at, recs, limit)
			}
			if len(recs) == limit {
				return recs, recs[limit-1].Seq, true
			}
			if next = p.last(); b.over() {
				return recs, next, true
			}
		}
	}
}

// match appends those records from a place on that match, until there are limit.
func (p *recentPart) match(m *segment.Matcher, at int, recs []record.Record, limit int) []record.Record {
	rows := m.Rows(p.cols())
	for i := at; i < len(p.recs) && len(recs) < limit; i++ {
		if rows.Columns(i) && (!m.NeedsData() || rows.Text(i, &p.recs[i])) {
			recs = append(recs, p.recs[i])
		}
	}
	return recs
}
