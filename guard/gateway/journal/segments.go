// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/durable"
)

const (
	pageSize = 4096
	// chunkSize is what a lane takes of a segment at a time.
	chunkSize = 4 << 20
	maxChunk  = 64 << 20
)

func pages(n int64) int64 { return (n + pageSize - 1) &^ (pageSize - 1) }

// extent is a part of a data set: where in which segment.
type extent struct {
	segment uint64
	off, n  int64
}

// MarshalJSON implements json.Marshaler.
func (e extent) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "[%d,%d,%d]", e.segment, e.off, e.n), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *extent) UnmarshalJSON(b []byte) error {
	var v []int64
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if len(v) != 3 || v[0] <= 0 || v[1] < 0 || v[1]%pageSize != 0 || v[2] <= 0 {
		return errors.New("no extent")
	}
	e.segment, e.off, e.n = uint64(v[0]), v[1], v[2]
	return nil
}

// segment is a file of data sets. Its fields but id are guarded by segments.mu.
type segment struct {
	id     uint64
	file   *os.File // open while it is written to
	next   int64    // nothing behind it was handed out
	lanes  int      // stretches that are being written to
	pins   int      // readers
	needed map[uint64]int64
	bytes  int64     // of needed
	idle   time.Time // when something in it ceased to be needed, or was sealed; what it says counts when nothing is
	last   time.Time // when something was sealed in it
	holes  bool      // room was given back inside of it
}

// segments hands out room for data sets.
type segments struct {
	dir  string
	size int64
	stop int64 // free bytes to leave
	now  func() time.Time
	free func() (int64, error)
	// reclaim frees a segment before its time; false when there is none.
	reclaim func() bool

	making sync.Mutex // one makes a segment at a time

	mu     sync.Mutex
	byID   map[uint64]*segment
	lastID uint64
	active *segment
	lanes  []*lane // nobody's
	holes  []*lane // given back by drafts that were discarded
	spare  []string
	spares int       // names of spares that were used
	began  time.Time // when the active one was begun
	brisk  bool      // the one before was full after less than briskFill
}

// lane is a stretch of a segment that one draft at a time appends to.
type lane struct {
	seg      *segment
	pos, end int64
}

func segmentName(id uint64) string { return fmt.Sprintf("seg-%016d", id) }

func (s *segments) path(id uint64) string { return filepath.Join(s.dir, segmentName(id)) }

// lane returns room for at least one page.
func (s *segments) lane() (*lane, error) {
	s.mu.Lock()
	for len(s.lanes) > 0 {
		l := s.lanes[len(s.lanes)-1]
		s.lanes = s.lanes[:len(s.lanes)-1]
		if l.seg == s.active && l.end-l.pos >= pageSize {
			s.mu.Unlock()
			return l, nil
		}
		s.left(l)
	}
	s.mu.Unlock()
	return s.take(chunkSize)
}

// extend makes a lane longer where it is, if what follows is free.
func (s *segments) extend(l *lane, want int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.seg != s.active || l.seg.next != l.end || l.end == s.size {
		return false
	}
	l.end = min(l.end+want, s.size)
	l.seg.next = l.end
	return true
}

// take returns a new stretch of at most want bytes.
func (s *segments) take(want int64) (*lane, error) {
	want = min(want, max(s.size/4, 64<<10)) // several lanes fit into a segment
	for {
		s.mu.Lock()
		if n := len(s.holes); n > 0 && s.holes[n-1].seg == s.active {
			l := s.holes[n-1]
			s.holes = s.holes[:n-1]
			s.mu.Unlock()
			return l, nil
		}
		if a := s.active; a != nil && a.next < s.size {
			l := &lane{a, a.next, min(a.next+want, s.size)}
			a.next = l.end
			a.lanes++
			s.mu.Unlock()
			return l, nil
		}
		was := s.active
		s.mu.Unlock()
		if err := s.begin(was); err != nil {
			return nil, err
		}
	}
}

// begin makes the next segment the active one, unless somebody else has.
func (s *segments) begin(was *segment) error {
	s.making.Lock()
	defer s.making.Unlock()
	s.mu.Lock()
	if s.active != was {
		s.mu.Unlock()
		return nil
	}
	s.lastID++
	id := s.lastID
	s.mu.Unlock()
	f, err := s.make(id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.brisk = was != nil && now.Sub(s.began) < briskFill
	s.began = now
	seg := &segment{id: id, file: f, needed: map[uint64]int64{}, idle: now, last: now}
	s.byID[id] = seg
	s.active = seg
	for _, l := range append(s.lanes, s.holes...) { // all of was
		s.left(l)
	}
	s.lanes, s.holes = nil, nil
	if was != nil {
		s.settled(was)
	}
	return nil
}

// make opens a file of the right size: one that is not needed any more, or a new one if the
// disk has room, or else one whose time is not over but of which nothing is awaited.
func (s *segments) make(id uint64) (*os.File, error) {
	for {
		s.mu.Lock()
		var spare string
		if n := len(s.spare); n > 0 {
			spare, s.spare = s.spare[n-1], s.spare[:n-1]
		}
		s.mu.Unlock()
		f, err := s.open(id, spare)
		if err == nil || spare != "" && !errors.Is(err, instance.ErrFull) {
			return f, err
		}
		if !errors.Is(err, instance.ErrFull) || !s.reclaim() {
			return nil, err
		}
	}
}

func (s *segments) open(id uint64, spare string) (*os.File, error) {
	path := s.path(id)
	if spare == "" {
		free, err := s.free()
		if err != nil {
			return nil, err
		}
		if free-s.size < s.stop {
			return nil, noRoom("%d bytes are free, and %d must stay", free, s.stop)
		}
	} else if err := os.Rename(spare, path); err != nil {
		return nil, fmt.Errorf("use a segment anew: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		if spare == "" {
			if err = preallocate(f, s.size); err == nil {
				err = f.Sync()
			}
		}
		if err == nil {
			err = durable.SyncDir(s.dir)
		}
		if err != nil {
			_ = f.Close()
			_ = os.Remove(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("make a segment: %w", diskError(err))
	}
	return f, nil
}

// give takes a lane back after a draft was sealed or discarded.
func (s *segments) give(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.seg == s.active && l.end-l.pos >= pageSize {
		s.lanes = append(s.lanes, l)
		return
	}
	s.left(l)
}

// giveBack takes a whole stretch back in which nothing was sealed.
func (s *segments) giveBack(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.seg == s.active {
		s.holes = append(s.holes, l)
		return
	}
	s.left(l)
}

// giveUp: a stretch is full.
func (s *segments) giveUp(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left(l)
}

// left: a stretch is not written to any more. Precondition: mu is held.
func (s *segments) left(l *lane) {
	l.seg.lanes--
	s.settled(l.seg)
}

// settled closes a segment that is not written to any more. Precondition: mu is held.
func (s *segments) settled(seg *segment) {
	if seg.lanes == 0 && seg != s.active && seg.file != nil {
		_ = seg.file.Close() // every seal flushed what it needs
		seg.file = nil
	}
}

// need says whether a record awaits something of the bytes at extents.
func (s *segments) need(number uint64, extents []extent, needed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, e := range extents {
		seg := s.byID[e.segment]
		if seg == nil {
			continue
		}
		had, was := seg.needed[number]
		switch {
		case needed:
			seg.needed[number] = had + pages(e.n)
			seg.bytes += pages(e.n)
		case was:
			delete(seg.needed, number)
			seg.bytes -= had
			seg.idle = now
		}
	}
}

// moved says that the bytes of a record are elsewhere now. That does not make what else is here wait longer.
func (s *segments) moved(number uint64, from []extent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range from {
		seg := s.byID[e.segment]
		if seg == nil {
			continue
		}
		seg.bytes -= pages(e.n)
		if seg.needed[number] -= pages(e.n); seg.needed[number] <= 0 { // it may have been moved within the segment
			delete(seg.needed, number)
		}
	}
}

// sealed notes when something came into segments last.
func (s *segments) sealed(extents []extent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range extents {
		if seg := s.byID[e.segment]; seg != nil {
			seg.last = s.now()
			seg.idle = seg.last
		}
	}
}

// pin keeps segments from being used anew. False: one is gone.
func (s *segments) pin(extents []extent) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range extents {
		if s.byID[e.segment] == nil {
			return false
		}
	}
	for _, e := range extents {
		s.byID[e.segment].pins++
	}
	return true
}

func (s *segments) unpin(extents []extent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range extents {
		s.byID[e.segment].pins--
	}
}

// oldest returns the segment that has waited longest for being used anew, nil when none may be.
func (s *segments) oldest() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best *segment
	for _, seg := range s.byID {
		if seg.lanes == 0 && seg != s.active && seg.pins == 0 && len(seg.needed) == 0 && (best == nil || seg.idle.Before(best.idle) || seg.idle.Equal(best.idle) && seg.id < best.id) {
			best = seg
		}
	}
	return best
}

// keptSpares is how many files are kept for being used anew: a flush of what was written before costs half
// as much as one of what is written for the first time.
const keptSpares = 8

// briskFill: when segments are full sooner, the disk has better things to do than to prepare them.
const briskFill = time.Second

// prepare makes a spare, if there is none, before it is asked for. It does so out of the way of instances.
func (s *segments) prepare(ctx context.Context, roomy bool) error {
	s.mu.Lock()
	needed := len(s.spare) == 0 && roomy
	brisk := s.brisk
	s.spares++
	path := filepath.Join(s.dir, fmt.Sprintf("free-new-%d", s.spares))
	s.mu.Unlock()
	if !needed {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err = preallocate(f, s.size); err == nil && !brisk {
		piece := make([]byte, 1<<20)
		for at := int64(0); at < s.size && err == nil; at += int64(len(piece)) {
			if err = context.Cause(ctx); err == nil {
				_, err = f.WriteAt(piece[:min(int64(len(piece)), s.size-at)], at)
				writeback(f, at, int64(len(piece)))
			}
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(path)
		return diskError(err)
	}
	s.mu.Lock()
	s.spare = append(s.spare, path)
	s.mu.Unlock()
	return nil
}

// drop gives a segment's room back. False: it is in use again.
func (s *segments) drop(seg *segment) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[seg.id] != seg || seg.lanes > 0 || seg == s.active || seg.pins > 0 || len(seg.needed) > 0 {
		return false, nil
	}
	delete(s.byID, seg.id)
	if len(s.spare) >= keptSpares || seg.holes {
		return true, os.Remove(s.path(seg.id))
	}
	s.spares++
	spare := filepath.Join(s.dir, fmt.Sprintf("free-%016d-%d", seg.id, s.spares))
	if err := os.Rename(s.path(seg.id), spare); err != nil {
		return true, err
	}
	s.spare = append(s.spare, spare)
	return true, nil
}

// state is what the log keeps of a segment: [id, next, idle].
type state [3]int64

func (s *segments) states() []state {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]state, 0, len(s.byID))
	for _, seg := range s.byID {
		idle := int64(0)
		if len(seg.needed) == 0 {
			idle = seg.idle.Unix()
		}
		out = append(out, state{int64(seg.id), seg.next, idle})
	}
	slices.SortFunc(out, func(a, b state) int { return int(a[0] - b[0]) })
	return out
}

// used is the room of all segments, and how much of it nothing is awaited of.
func (s *segments) used() (total, idle int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.byID {
		total += s.size
		if len(seg.needed) == 0 && seg != s.active && seg.lanes == 0 {
			idle += s.size
		}
	}
	return total, idle
}

// files returns the open files to flush for what was written to segments.
func (s *segments) of(extents []extent) []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*segment
	for _, e := range extents {
		if seg := s.byID[e.segment]; seg != nil && !slices.Contains(out, seg) {
			out = append(out, seg)
		}
	}
	return out
}

// close closes what is open.
func (s *segments) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.byID {
		if seg.file != nil {
			_ = seg.file.Close()
			seg.file = nil
		}
	}
}
