// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// hold is where instances wait until all of an answer were inspected: files without a name, whose bytes
// together are bounded.
type hold struct {
	dir   string
	limit int64

	mu   sync.Mutex
	used int64
}

func newHold(r Retrieve) *hold { return &hold{dir: r.Spool, limit: int64(r.SpoolBytes)} }

var errHold = errors.New("as many bytes wait for inspection as may")

// take makes room for n bytes.
func (h *hold) take(n int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.used+n > h.limit {
		return errHold
	}
	h.used += n
	return nil
}

func (h *hold) give(n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.used -= n
}

// spool is the file of one answer. It belongs to one goroutine.
type spool struct {
	h     *hold
	f     *os.File
	n     int64
	taken int64
}

// spoolStep is in what steps room is taken.
const spoolStep = 1 << 20

// open makes a file that is gone when the process is, however it ends.
func (h *hold) open() (*spool, error) {
	f, err := os.CreateTemp(h.dir, "asepsis-retrieve-*")
	if err != nil {
		return nil, fmt.Errorf("hold an answer: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("hold an answer: %w", err), f.Close())
	}
	return &spool{h: h, f: f}, nil
}

func (s *spool) Write(p []byte) (int, error) {
	if over := s.n + int64(len(p)) - s.taken; over > 0 {
		step := (over + spoolStep - 1) / spoolStep * spoolStep
		if err := s.h.take(step); err != nil {
			return 0, err
		}
		s.taken += step
	}
	n, err := s.f.Write(p)
	s.n += int64(n)
	if err != nil {
		err = fmt.Errorf("%w: %w", errHold, err)
	}
	return n, err
}

// section reads what was written.
func (s *spool) section(from, to int64) io.Reader { return io.NewSectionReader(s.f, from, to-from) }

func (s *spool) close() {
	_ = s.f.Close()
	s.h.give(s.taken)
}
