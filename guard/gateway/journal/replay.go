// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// replay makes the state of the journal of its log.
type replay struct {
	j       *Journal
	durable uint64 // every frame up to it was acknowledged, or might have been
	from    uint64 // the next sequence number
	cut     bool
	numbers uint64           // reserved
	highest uint64           // number seen
	ends    map[uint64]int64 // what is in use of segments
	states  map[uint64]state
}

func (r *replay) next() uint64 { return max(r.from, 1) }

// errCut: here the log ends.
var errCut = fmt.Errorf("the log ends with what was not acknowledged")

// file reads one file of the log.
func (r *replay) file(f *logFile, b []byte) error {
	now := r.j.now()
	end, err := scan(b, r.from, func(fr frame, at, _ int) error {
		if fr.kind == headFrame {
			return r.head(fr)
		}
		if lost := fr.sequence - r.from; r.from > 0 && lost > 0 {
			if r.from > r.durable {
				r.j.recovered.Cut++
				return errCut // a group that was not written whole
			}
			r.j.recovered.Lost += lost
		}
		if fr.kind == recordFrame {
			ok, err := r.record(fr, place{f, int64(at), int64(frameSize(len(fr.payload)))}, now)
			if err != nil {
				return err
			}
			if !ok {
				r.j.recovered.Cut++
				return errCut
			}
		}
		if fr.kind == numberFrame {
			var v reservation
			if err := json.Unmarshal(fr.payload, &v); err != nil {
				return fmt.Errorf("a reservation of numbers: %w", err)
			}
			r.numbers = max(r.numbers, v.Numbers)
		}
		r.from = fr.sequence + 1
		r.j.recovered.Frames++
		return nil
	})
	f.end = int64(end)
	if err == errCut { //nolint:errorlint // it comes bare
		r.cut, err = true, nil
	}
	return err
}

// torn reports whether there is anything behind the last frame: one that was not written whole, or those of
// the file's earlier use.
func torn(b []byte) bool {
	for i := 0; i+4 <= len(b); i += frameAlign {
		if b[i] != 0 || b[i+1] != 0 || b[i+2] != 0 || b[i+3] != 0 {
			return true
		}
	}
	return false
}

func (r *replay) head(f frame) error {
	var h head
	if err := json.Unmarshal(f.payload, &h); err != nil || h.Format != formatName {
		return fmt.Errorf("the head of a file of the log cannot be read")
	}
	if h.Version > formatVersion {
		return ErrNewer
	}
	r.numbers = max(r.numbers, h.Numbers)
	r.j.segs.lastID = max(r.j.segs.lastID, h.Segment)
	r.states = map[uint64]state{}
	for _, s := range h.Segments {
		r.states[uint64(s[0])] = s
		r.ends[uint64(s[0])] = max(r.ends[uint64(s[0])], s[1])
	}
	if r.from == 0 {
		r.from = f.sequence
	}
	return nil
}

// record takes a record's state. False: its bytes were not written when the journal ended, and
// nobody was told that they were.
func (r *replay) record(f frame, at place, now time.Time) (bool, error) {
	j := r.j
	e := &envelope{}
	if err := json.Unmarshal(f.payload, e); err != nil || e.Record.Number == 0 {
		return false, fmt.Errorf("a record of the log, frame %d, cannot be read: %w", f.sequence, err)
	}
	number := e.Record.Number
	if f.sequence > r.durable && len(e.Extents) > 0 && e.Record.State != instance.Destroyed {
		j.recovered.Verified++
		same, err := j.same(context.Background(), e)
		if err != nil || !same {
			return false, err
		}
	}
	r.highest = max(r.highest, number)
	for _, x := range e.Extents {
		// A segment's number is never used twice: what a record that is done says of its bytes would be of others'.
		j.segs.lastID = max(j.segs.lastID, x.segment)
		// Chunks that nothing was sealed in are free; this one may be used from the next chunk on.
		r.ends[x.segment] = max(r.ends[x.segment], min(pages(x.off+x.n), j.segs.size))
	}
	was := j.idx.get(number)
	awaited := e.awaited(now, j.cfg.Originals)
	n := newEntry(e, at, f.sequence, awaited)
	if was != nil {
		if was.needed {
			j.segs.need(number, extentsOf(r.j, was), false)
		}
		j.wal.counts(was.at, n.at)
	} else {
		j.wal.counts(place{}, n.at)
	}
	j.idx.put(n, e)
	if awaited {
		j.segs.need(number, e.Extents, true)
	}
	if len(e.Extents) > 0 && e.Record.State == instance.Destroyed {
		j.faults.erase = append(j.faults.erase, number)
	}
	return true, nil
}

// extentsOf reads where the bytes of an entry are.
func extentsOf(j *Journal, n *entry) []extent {
	if e := j.idx.recent(n); e != nil {
		return e.Extents
	}
	e, err := j.load(n.at)
	if err != nil {
		return nil
	}
	return e.Extents
}

// finish settles segments, and what is missing.
func (r *replay) finish() error {
	j := r.j
	s := j.segs
	for id, end := range r.ends {
		if seg := s.byID[id]; seg != nil {
			seg.next = end
		}
	}
	for id, st := range r.states {
		if seg := s.byID[id]; seg != nil && st[2] > 0 && len(seg.needed) == 0 {
			seg.idle = time.Unix(st[2], 0)
		}
	}
	for _, number := range j.idx.find(func(n *entry) bool { return n.needed }) {
		n := j.idx.get(number)
		for _, x := range extentsOf(j, n) {
			if s.byID[x.segment] == nil {
				j.recovered.Missing++
				j.faults.damaged[number] = true
				break
			}
		}
	}
	if len(j.wal.files) == 0 {
		f, err := j.wal.fresh()
		if err != nil {
			return err
		}
		b := appendFrame(nil, &frame{sequence: j.wal.next, kind: headFrame, payload: j.head()})
		if _, err := f.f.WriteAt(b, 0); err != nil {
			return fmt.Errorf("begin the log: %w", diskError(err))
		}
		f.end = int64(len(b))
		j.wal.files = append(j.wal.files, f)
	}
	// The newest segment is written to again, behind what it has.
	if seg := s.byID[s.lastID]; seg != nil && seg.next < s.size {
		f, err := os.OpenFile(s.path(seg.id), os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		st, err := f.Stat()
		if err != nil || st.Size() < s.size {
			_ = f.Close() // it was being made when the journal ended
			return err
		}
		seg.file = f
		s.active = seg
	}
	return nil
}
