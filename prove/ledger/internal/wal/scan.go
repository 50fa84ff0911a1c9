// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Tail is what a log holds. Entries that the caller has elsewhere may be among it: they
// are there until their slot is used again, and can be compared.
type Tail struct {
	First      uint64 // index of the first of Entries
	Entries    [][]byte
	Unfinished []Unfinished
}

// End is the index after the newest entry, 0 when there is none.
func (t *Tail) End() uint64 {
	if len(t.Entries) == 0 {
		return 0
	}
	return t.First + uint64(len(t.Entries))
}

// Entry returns an entry by its index.
func (t *Tail) Entry(i uint64) ([]byte, bool) {
	if i < t.First || i >= t.End() {
		return nil, false
	}
	return t.Entries[i-t.First], true
}

// Unfinished is a group that is not whole: a crash came while it was written, before it was
// acknowledged. (Or it is damaged, and nothing follows it that would show it.)
type Unfinished struct {
	File  string // its name in the log's directory
	At    int
	First uint64
	Count uint32
}

// GapError says that acknowledged entries are missing: later ones are there.
type GapError struct {
	From, To uint64 // [From, To)
}

func (e *GapError) Error() string {
	return fmt.Sprintf("entries %d to %d are missing from the write-ahead log, later ones are there", e.From, e.To-1)
}

// Scan reads a log, of which the caller has the first from entries elsewhere. A directory that
// is not there is an empty log. Beside a process that writes, a *GapError may be of the moment: scan
// again.
func Scan(dir string, id, from uint64) (Tail, error) {
	c, err := Read(dir, id)
	if err != nil {
		return Tail{}, err
	}
	return c.Tail(from)
}

// Contents are all groups of a log's files, as they were read one after the other.
type Contents struct {
	slots []slotFrames
	epoch uint64 // the highest
}

type slotFrames struct {
	file       string
	frames     []frame
	unfinished []Unfinished
}

// Read is the first half of [Scan], for those who must ask for their own size after it.
func Read(dir string, id uint64) (Contents, error) {
	var c Contents
	names, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return c, err
	}
	for _, n := range names {
		if !n.Type().IsRegular() || !isSlot(n.Name()) {
			continue
		}
		s := slotFrames{file: filepath.Join(dir, n.Name())}
		b, err := readSlot(s.file)
		if err != nil {
			return c, err
		}
		s.frames = frames(b, id, func(at int, first uint64, count uint32) {
			s.unfinished = append(s.unfinished, Unfinished{n.Name(), at, first, count})
		})
		for _, f := range s.frames {
			c.epoch = max(c.epoch, f.epoch)
		}
		c.slots = append(c.slots, s)
	}
	return c, nil
}

func isSlot(name string) bool {
	return len(name) == 2 && name[0] >= '0' && name[0] <= '9' && name[1] >= '0' && name[1] <= '9'
}

func readSlot(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > MaxSlot {
		return nil, fmt.Errorf("%s has more than %d bytes", filepath.Base(file), MaxSlot)
	}
	b := make([]byte, st.Size())
	n, err := io.ReadFull(f, b)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil // it became shorter
	}
	return b[:n], err
}

// Tail is the second half of [Scan]. It puts the groups in order: what a higher epoch wrote
// again is void, and what remains follows on the first from entries without a gap.
func (c *Contents) Tail(from uint64) (Tail, error) {
	var all []frame
	for _, s := range c.slots {
		all = append(all, s.frames...)
	}
	slices.SortFunc(all, func(a, b frame) int { return cmp.Or(-cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.first, b.first)) })
	live := all[:0]
	lowest, before := uint64(1<<63), uint64(1<<63) // of this epoch and of those above it
	for i, f := range all {
		if i > 0 && f.epoch != all[i-1].epoch || i == 0 {
			lowest = before
		}
		if f.first < lowest {
			live = append(live, f)
		}
		before = min(before, f.first)
	}
	slices.SortFunc(live, func(a, b frame) int { return cmp.Compare(a.first, b.first) })
	t := Tail{}
	for _, s := range c.slots {
		for _, u := range s.unfinished {
			if u.First >= from {
				t.Unfinished = append(t.Unfinished, u)
			}
		}
	}
	if len(live) == 0 {
		return t, nil
	}
	begin := len(live) - 1
	for begin > 0 && live[begin-1].end() == live[begin].first {
		begin--
	}
	if live[begin].first > from {
		gap := &GapError{From: from, To: live[begin].first}
		if begin > 0 {
			gap.From = max(from, live[begin-1].end())
		}
		return t, gap
	}
	t.First = live[begin].first
	for _, f := range live[begin:] {
		t.Entries = append(t.Entries, f.entries...)
	}
	// What a later group took the place of is not unfinished any more.
	t.Unfinished = slices.DeleteFunc(t.Unfinished, func(u Unfinished) bool { return u.First < t.End() })
	return t, nil
}
