// SPDX-License-Identifier: Apache-2.0

// Package wal is the ledger's write-ahead log: entries are durable, in order and at
// their index, after one flush of the disk, and go into the tree behind it.
//
// It is a directory of a few files of fixed size (slots), written with zeros when they are
// made: appending changes neither a file's size nor where its blocks are, so that a flush
// (fdatasync) is one write of data and waits for no journal of the file system. Entries are
// written in groups (frames) that carry a checksum, their first index and an epoch. A slot is used
// again when all of it is elsewhere, durably ([Log.Release]).
//
// Guarantees:
//   - What [Log.Append] returned without an error for is there after a crash and a power cut.
//   - A group is there as a whole or not at all. One that was being written at a crash may be
//     either; it was not acknowledged.
//   - When Append fails, the next group takes the same indexes under a higher epoch, and what
//     the failed one left is void. Until then a crash may bring the failed one back.
//   - An acknowledged group that cannot be read any more is found as a gap, as long as any
//     group follows it. The newest group alone cannot be told from one that a crash cut; it is
//     reported as unfinished ([Tail.Unfinished]).
//
// One goroutine appends; Release may come from another. Reading ([Scan]) needs no lock and may run
// beside a writer in another process. Checksums are against accidents, not against people.
package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/asepsis/asepsis/platform/durable"
)

// ErrNoRoom: all slots hold entries that were not released. Release, then try again.
var ErrNoRoom = errors.New("the write-ahead log is full")

// Bounds.
const (
	// MinSlot holds the largest entry.
	MinSlot = 128 << 10
	// MaxSlot bounds what is read of a file.
	MaxSlot = 64 << 20
	// MaxEntry is the most bytes of one entry.
	MaxEntry = 1 << 16
	maxSlots = 64
)

// Config is where a log is and how large it may become.
type Config struct {
	Dir   string
	ID    uint64 // of the log that the entries belong to: frames of another are not read
	Slot  int64  // bytes of a slot
	Slots int    // at most
	// Sync makes what was written to a file durable; nil for the operating system's way.
	Sync func(*os.File) error
}

// Log is a write-ahead log that is open for writing.
type Log struct {
	cfg Config
	buf []byte // of the appending goroutine

	making sync.Mutex // held while a slot is made, before mu

	mu     sync.Mutex
	slots  []*slot
	active *slot // nil: the next group begins a slot
	at     int64 // where the next group goes in it
	epoch  uint64
}

// slot is one file. Its end is the index after the newest entry in it.
type slot struct {
	file *os.File
	end  uint64
	free bool
}

// Open opens a log, or makes its directory, and returns what it holds beyond the first from
// entries, which the caller has elsewhere. What Tail has is durable when Open returns,
// also where the process that wrote it died before its flush.
//
// The error is a *GapError where acknowledged entries are missing.
func Open(c Config, from uint64) (*Log, Tail, error) {
	if c.Slot < MinSlot || c.Slot > MaxSlot || c.Slots < 2 || c.Slots > maxSlots {
		return nil, Tail{}, fmt.Errorf("BUG: %d slots of %d bytes", c.Slots, c.Slot)
	}
	if c.Sync == nil {
		c.Sync = syncData
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, Tail{}, err
	}
	found, err := Read(c.Dir, c.ID)
	if err != nil {
		return nil, Tail{}, err
	}
	tail, err := found.Tail(from)
	if err != nil {
		return nil, Tail{}, err
	}
	l := &Log{cfg: c, epoch: found.epoch}
	if err := l.adopt(found); err != nil {
		l.Close()
		return nil, Tail{}, err
	}
	return l, tail, nil
}

// adopt opens the slots that are there. A file of another size (of another configuration, or
// a backup) is kept until it is released.
func (l *Log) adopt(found Contents) error {
	for _, s := range found.slots {
		f, err := os.OpenFile(s.file, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		x := &slot{file: f}
		l.slots = append(l.slots, x)
		for _, g := range s.frames {
			x.end = max(x.end, g.first+uint64(len(g.entries)))
		}
		// Pages that a killed process wrote and did not flush.
		if err := l.cfg.Sync(f); err != nil {
			return err
		}
	}
	return durable.SyncDir(l.cfg.Dir)
}

// Append writes entries at the indexes from first on.
//
// durable: returns after they were flushed, or with an error, see the package's guarantees.
// Preconditions: first is the index behind the last group that was appended without an error.
func (l *Log) Append(first uint64, entries [][]byte) error {
	for len(entries) > 0 {
		n, size := l.fits(entries)
		s, at, epoch, err := l.place(size)
		if err != nil {
			return err
		}
		l.buf = appendFrame(l.buf[:0], l.cfg.ID, epoch, first, entries[:n])
		if _, err = s.file.WriteAt(l.buf, at); err == nil {
			err = l.cfg.Sync(s.file)
		}
		if err != nil {
			l.scrub(s, at)
		}
		l.mu.Lock()
		s.end = max(s.end, first+uint64(n))
		if err != nil {
			// What is on disk is not known: whatever it is, a higher epoch voids it.
			l.active = nil
			s.free = at == 0
			l.mu.Unlock()
			return fmt.Errorf("write ahead: %w", err)
		}
		l.at = aligned(at + int64(len(l.buf)))
		l.mu.Unlock()
		first, entries = first+uint64(n), entries[n:]
	}
	return nil
}

// scrub takes away what a failed write left, where the disk still lets it: it was refused, and
// must not come back when what voids it was written over.
func (l *Log) scrub(s *slot, at int64) {
	if _, err := s.file.WriteAt(make([]byte, headerSize), at); err == nil {
		_ = l.cfg.Sync(s.file) // the disk fails: nothing more can be done about it
	}
}

// fits says how many of the entries go into one frame: all of them, but for groups of
// very large ones.
func (l *Log) fits(entries [][]byte) (n int, size int64) {
	size = headerSize
	for n < len(entries) && (n == 0 || size+entrySize(entries[n]) <= l.cfg.Slot/2) {
		size += entrySize(entries[n])
		n++
	}
	return n, size
}

// place finds where a frame goes.
func (l *Log) place(size int64) (*slot, int64, uint64, error) {
	l.mu.Lock()
	if l.active == nil || l.at+size > l.cfg.Slot {
		l.active = nil
		l.mu.Unlock()
		if err := l.Prepare(); err != nil {
			return nil, 0, 0, err
		}
		l.mu.Lock()
		for _, s := range l.slots {
			if s.free {
				s.free, s.end = false, 0
				l.active, l.at = s, 0
				l.epoch++
				break
			}
		}
	}
	defer l.mu.Unlock()
	return l.active, l.at, l.epoch, nil
}

// Prepare sees to it that a slot is free, and makes one if it must, so that appending
// does not have to. It is ErrNoRoom when there are as many as there may be.
func (l *Log) Prepare() error {
	l.making.Lock()
	defer l.making.Unlock()
	names := map[string]bool{}
	l.mu.Lock()
	for _, s := range l.slots {
		if s.free {
			l.mu.Unlock()
			return nil
		}
		names[filepath.Base(s.file.Name())] = true
	}
	l.mu.Unlock()
	for n := range l.cfg.Slots {
		if name := slotName(n); !names[name] {
			f, err := l.make(filepath.Join(l.cfg.Dir, name))
			if err != nil {
				return fmt.Errorf("write ahead: %w", err)
			}
			l.mu.Lock()
			l.slots = append(l.slots, &slot{file: f, free: true})
			l.mu.Unlock()
			return nil
		}
	}
	return ErrNoRoom
}

func slotName(n int) string { return fmt.Sprintf("%02d", n) }

// make makes a slot's file.
//
// durable: the file has all its blocks, and its directory knows it.
func (l *Log) make(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, 64<<10)
	for at := int64(0); at < l.cfg.Slot && err == nil; at += int64(len(zeros)) {
		_, err = f.WriteAt(zeros[:min(int64(len(zeros)), l.cfg.Slot-at)], at)
	}
	if err == nil {
		err = errors.Join(l.cfg.Sync(f), durable.SyncDir(l.cfg.Dir))
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(file)
		return nil, err
	}
	return f, nil
}

// Release says that the entries below an index are elsewhere, durably. Files of another
// size than configured go away.
func (l *Log) Release(below uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.slots[:0]
	var err error
	for _, s := range l.slots {
		if s == l.active || s.end > below {
			kept = append(kept, s)
			continue
		}
		if st, serr := s.file.Stat(); serr != nil || st.Size() != l.cfg.Slot || !l.named(s) {
			err = errors.Join(err, serr, s.file.Close(), os.Remove(s.file.Name()))
			continue
		}
		s.free = true
		kept = append(kept, s)
	}
	clear(l.slots[len(kept):])
	l.slots = kept
	return err
}

// named says whether a file is one of the slots of this configuration.
func (l *Log) named(s *slot) bool {
	for n := range l.cfg.Slots {
		if slotName(n) == filepath.Base(s.file.Name()) {
			return true
		}
	}
	return false
}

// Close gives the files back; what they hold stays.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.slots {
		_ = s.file.Close()
	}
	l.slots, l.active = nil, nil
}
