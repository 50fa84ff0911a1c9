// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/platform/durable"
)

// Sizes of a spool.
const (
	segmentBytes = 4 << 20 // at most; an eighth of a small spool
	frameHead    = 12      // length, CRC-32C of length and message, magic
	frameMagic   = 0x41544E41
	maxMessage   = 64 << 10
)

// Why a message was not taken.
var (
	// ErrFull: the spool is full.
	ErrFull = errors.New("the audit spool is full")
	// ErrClosed: Run has returned.
	ErrClosed = errors.New("the audit spool is closed")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// spool keeps messages on the disk until they are delivered: files of frames, the oldest
// of which are removed when all in them was delivered. Whoever finds no flush running makes the
// next one, for all who came until then.
type spool struct {
	dir   string
	limit int64

	mu       sync.Mutex
	cond     *sync.Cond // of flushed, flushing and failed
	segments []*segment // oldest first; the last is written to
	bytes    int64      // of the files, and of what is to be written
	pending  []byte
	frames   int    // in pending
	next     uint64 // group that pending is
	flushed  uint64 // last group that is on the disk
	failed   map[uint64]error
	flushing bool
	closed   bool
	count    int    // messages that are not delivered
	lost     uint64 // refused, and not told yet
	saved    uint64 // lost, as it is on the disk; belongs to who calls writeState
	damaged  uint64 // frames that could not be read after a crash or a fault of the disk
	wake     chan struct{}
}

// segment is a file.
type segment struct {
	id     uint64
	f      *os.File
	end    int64 // behind its last frame that is on the disk
	frames int
}

// mark is a place in the spool: the next frame to be read.
type mark struct {
	segment uint64
	at      int64
}

func openSpool(dir string, limit int64) (s *spool, from mark, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, from, fmt.Errorf("audit spool: %w", err)
	}
	s = &spool{dir: dir, limit: limit, next: 1, failed: make(map[uint64]error), wake: make(chan struct{}, 1)}
	s.cond = sync.NewCond(&s.mu)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, from, fmt.Errorf("audit spool: %w", err)
	}
	var ids []uint64
	for _, e := range entries {
		if id, ok := strings.CutPrefix(e.Name(), "audit-"); ok {
			if n, err := strconv.ParseUint(id, 10, 64); err == nil {
				ids = append(ids, n)
			}
		}
	}
	slices.Sort(ids)
	from, s.lost = s.readState()
	s.saved = s.lost
	for _, id := range ids {
		if id < from.segment {
			if err := os.Remove(s.path(id)); err != nil {
				return nil, from, fmt.Errorf("audit spool: %w", err)
			}
			continue
		}
		if err := s.adopt(id, from); err != nil {
			return nil, from, fmt.Errorf("audit spool: %w", err)
		}
	}
	if len(s.segments) == 0 || s.segments[0].id != from.segment {
		from.at = 0
	}
	if err := s.rotate(max(1, from.segment)); err != nil {
		return nil, from, fmt.Errorf("audit spool: %w", err)
	}
	if from.segment = s.segments[0].id; from.at > s.segments[0].end {
		from.at = s.segments[0].end
	}
	return s, from, nil
}

func (s *spool) path(id uint64) string { return filepath.Join(s.dir, fmt.Sprintf("audit-%016d", id)) }

// adopt opens a file of before. What stands behind its last whole frame was never promised to anybody, or
// cannot be read.
func (s *spool) adopt(id uint64, from mark) error {
	f, err := os.OpenFile(s.path(id), os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	g := &segment{id: id, f: f}
	s.segments = append(s.segments, g)
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	buf := make([]byte, maxMessage)
	for g.end < size {
		n, err := readFrame(f, g.end, buf)
		if err != nil {
			s.damaged++
			break
		}
		if id != from.segment || g.end >= from.at {
			g.frames++
		}
		g.end += int64(frameHead + n)
	}
	s.count += g.frames
	s.bytes += g.end
	return f.Truncate(g.end)
}

// rotate begins a new file. Only open and commit call it.
func (s *spool) rotate(least uint64) error {
	id := least
	s.mu.Lock()
	if n := len(s.segments); n > 0 {
		id = max(id, s.segments[n-1].id+1)
	}
	s.mu.Unlock()
	f, err := os.OpenFile(s.path(id), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := durable.SyncDir(s.dir); err != nil {
		return errors.Join(err, f.Close(), os.Remove(s.path(id)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments = append(s.segments, &segment{id: id, f: f})
	return nil
}

// append takes a message, and returns when it is on the disk.
func (s *spool) append(message []byte) error {
	if len(message) > maxMessage {
		return fmt.Errorf("an audit message has %d bytes, more than %d", len(message), maxMessage)
	}
	size := int64(frameHead + len(message))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.bytes+size > s.limit {
		s.lost++
		return ErrFull
	}
	s.bytes += size
	group := s.next
	s.pending = appendFrame(s.pending, message)
	s.frames++
	for s.flushed < group {
		if s.flushing {
			s.cond.Wait()
			continue
		}
		s.commit()
	}
	return s.failed[group]
}

// commit writes what is pending. It needs mu, and gives it back meanwhile.
func (s *spool) commit() {
	group, b, frames := s.next, s.pending, s.frames
	s.next++
	s.pending, s.frames, s.flushing = nil, 0, true
	g := s.segments[len(s.segments)-1]
	s.mu.Unlock()
	var err error
	if g.end >= min(segmentBytes, s.limit/8) {
		if err = s.rotate(0); err == nil {
			s.mu.Lock()
			g = s.segments[len(s.segments)-1]
			s.mu.Unlock()
		}
	}
	if err == nil {
		if _, err = g.f.WriteAt(b, g.end); err == nil {
			err = g.f.Sync()
		}
		if err != nil {
			// What was written of it must not be found later.
			err = errors.Join(err, g.f.Truncate(g.end))
		}
	}
	s.mu.Lock()
	s.flushed, s.flushing = group, false
	if err != nil {
		s.bytes -= int64(len(b))
		s.lost += uint64(frames)
		s.failed[group] = fmt.Errorf("audit spool: %w", err)
	} else {
		g.end += int64(len(b))
		g.frames += frames
		s.count += frames
	}
	delete(s.failed, group-1024) // nobody waits for it any more
	s.cond.Broadcast()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func appendFrame(dst, message []byte) []byte {
	at := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, frameMagic)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(message)))
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, message...)
	binary.LittleEndian.PutUint32(dst[at+8:], checksum(dst[at+4:at+8], message))
	return dst
}

func checksum(length, message []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, message)
}

var errFrame = errors.New("a frame cannot be read")

// readFrame reads the message at a place into buf.
func readFrame(r io.ReaderAt, at int64, buf []byte) (int, error) {
	var head [frameHead]byte
	if _, err := r.ReadAt(head[:], at); err != nil {
		return 0, errFrame
	}
	n := binary.LittleEndian.Uint32(head[4:])
	if binary.LittleEndian.Uint32(head[:]) != frameMagic || n > maxMessage || int(n) > len(buf) {
		return 0, errFrame
	}
	if _, err := r.ReadAt(buf[:n], at+frameHead); err != nil {
		return 0, errFrame
	}
	if checksum(head[4:8], buf[:n]) != binary.LittleEndian.Uint32(head[8:]) {
		return 0, errFrame
	}
	return int(n), nil
}

// read returns the message at a place and the place behind it; false when there is none yet.
func (s *spool) read(at mark, buf []byte) (message []byte, behind mark, ok bool) {
	for {
		s.mu.Lock()
		i := slices.IndexFunc(s.segments, func(g *segment) bool { return g.id >= at.segment })
		if i < 0 {
			s.mu.Unlock()
			return nil, at, false
		}
		g := s.segments[i]
		if g.id > at.segment {
			at = mark{segment: g.id}
		}
		end, last := g.end, i == len(s.segments)-1
		s.mu.Unlock()
		switch {
		case at.at >= end && last:
			return nil, at, false
		case at.at >= end:
			at = mark{segment: g.id + 1}
			continue
		}
		n, err := readFrame(g.f, at.at, buf)
		if err != nil {
			// A fault of the disk: where the next frame begins is not known.
			s.mu.Lock()
			s.damaged++
			s.mu.Unlock()
			at.at = end
			continue
		}
		return buf[:n], mark{at.segment, at.at + frameHead + int64(n)}, true
	}
}

// delivered says that everything before a place was delivered, messages of them.
func (s *spool) delivered(to mark, messages int) error {
	s.mu.Lock()
	s.count = max(0, s.count-messages)
	var gone []*segment
	for len(s.segments) > 1 && s.segments[0].id < to.segment {
		gone = append(gone, s.segments[0])
		s.bytes -= s.segments[0].end
		s.segments = s.segments[1:]
	}
	lost := s.lost
	s.mu.Unlock()
	if err := s.writeState(to, lost); err != nil {
		return fmt.Errorf("audit spool: %w", err)
	}
	var errs []error
	for _, g := range gone {
		errs = append(errs, g.f.Close(), os.Remove(s.path(g.id)))
	}
	return errors.Join(errs...)
}

// state is how it stands: messages that wait, messages lost, bytes.
func (s *spool) state() (count int, lost, damaged uint64, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count, s.lost, s.damaged, s.bytes+maxMessage/8 > s.limit
}

// lose counts messages that could not be made.
func (s *spool) lose(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost += n
}

// told says that so many lost messages were told of.
func (s *spool) told(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost -= min(n, s.lost)
}

// The state file is written again and again in place: where it is not whole, messages are sent again.
func (s *spool) statePath() string { return filepath.Join(s.dir, "state") }

func (s *spool) readState() (mark, uint64) {
	b, err := os.ReadFile(s.statePath())
	if err != nil || len(b) != 28 || crc32.Checksum(b[:24], castagnoli) != binary.LittleEndian.Uint32(b[24:]) {
		return mark{}, 0
	}
	return mark{binary.LittleEndian.Uint64(b), int64(binary.LittleEndian.Uint64(b[8:]) & (1<<62 - 1))}, binary.LittleEndian.Uint64(b[16:])
}

// writeState is called by one goroutine.
func (s *spool) writeState(m mark, lost uint64) error {
	b := binary.LittleEndian.AppendUint64(nil, m.segment)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.at))
	b = binary.LittleEndian.AppendUint64(b, lost)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	next := s.statePath() + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if lost != s.saved {
		err = errors.Join(err, f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	s.saved = lost
	return os.Rename(next, s.statePath())
}

// close waits for who is being served.
func (s *spool) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for s.flushing || s.flushed+1 < s.next || len(s.pending) > 0 {
		s.cond.Wait()
	}
	for _, g := range s.segments {
		_ = g.f.Close()
	}
}
