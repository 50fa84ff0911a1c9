// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
)

// space watches the disk.
type space struct {
	journal  *Journal
	reserved atomic.Uint64 // numbers below are in use

	mu       sync.Mutex
	free     int64
	known    bool
	low      time.Time // since when there is less than Warn
	full     time.Time // since when instances are refused
	refusals uint64
	reserve  bool // the file is there
}

func (s *space) path() string { return filepath.Join(s.journal.cfg.Dir, "reserve") }

// takeReserve sets room aside for the log. Without it, a disk that others filled could keep
// an instance that is on its way from becoming delivered.
func (s *space) takeReserve() {
	size := int64(s.journal.cfg.Reserve)
	s.mu.Lock()
	defer s.mu.Unlock()
	if size == 0 || s.reserve {
		return
	}
	if st, err := os.Stat(s.path()); err == nil && st.Size() == size {
		s.reserve = true
		return
	}
	f, err := os.OpenFile(s.path(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	err = preallocate(f, size)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(s.path())
		return
	}
	s.reserve = true
}

// giveReserve gives that room up. False: it is gone already.
func (s *space) giveReserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.reserve {
		return false
	}
	s.reserve = false
	return os.Remove(s.path()) == nil
}

// measure looks at the disk.
func (s *space) measure(now time.Time) {
	free, err := freeBytes(s.journal.cfg.Dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known = err == nil; !s.known {
		return
	}
	s.free = free
	switch {
	case free >= int64(s.journal.cfg.Warn):
		s.low = time.Time{}
	case s.low.IsZero():
		s.low = now
	}
}

// short reports whether the disk has little room.
func (s *space) short() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.low.IsZero() || !s.full.IsZero() || !s.reserve && s.journal.cfg.Reserve > 0
}

// refused notes that an instance could not be taken.
func (j *Journal) refused(error) {
	j.space.mu.Lock()
	defer j.space.mu.Unlock()
	j.space.refusals++
	if j.space.full.IsZero() {
		j.space.full = j.now()
	}
	j.nudge()
}

// Disk says how much room there is.
func (j *Journal) Disk() control.Disk {
	used, _ := j.segs.used()
	j.space.mu.Lock()
	defer j.space.mu.Unlock()
	d := control.Disk{Used: used, Free: j.space.free, Warn: int64(j.cfg.Warn), Stop: int64(j.cfg.Stop), State: "ok"}
	switch {
	case !j.space.full.IsZero():
		d.State = "full"
	case !j.space.low.IsZero():
		d.State = "low"
	}
	return d
}
