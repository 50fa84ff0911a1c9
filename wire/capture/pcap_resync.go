// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"io"
)

const (
	// resyncSpan is how far a resync looks for the next record.
	resyncSpan = 64 << 10
	// resyncDrift is how far, in seconds, a found record may be from the last
	// one that was delivered.
	resyncDrift = 30 * 24 * 3600
)

// resync moves the window's start from an insane record header to the next
// place where two plausible record headers follow each other, or one whose
// record ends where the input does. Its cost is linear in the bytes passed over.
func (s *pcapSource) resync() bool {
	for d := 1; d <= resyncSpan; d++ {
		if !s.w.need(d + s.hlen) {
			return false
		}
		r := s.record(d)
		if !s.plausible(r, s.lastSec) {
			continue
		}
		next := d + s.hlen + int(r.cap)
		if !s.w.need(next + s.hlen) {
			if !errors.Is(s.w.err, io.EOF) || s.w.have() != next {
				continue
			}
		} else if !s.plausible(s.record(next), r.sec) {
			continue
		}
		s.w.start += d
		s.stats.Resyncs++
		s.stats.Skipped += uint64(d)
		return true
	}
	return false
}

// plausible is stricter than sane: what is accepted here was not announced by
// anything before it.
func (s *pcapSource) plausible(r record, near uint32) bool {
	if !s.sane(r) || r.cap == 0 || uint64(r.orig) > uint64(max(s.opts.MaxFrame, DefaultMaxFrame)) {
		return false
	}
	if s.snap != 0 && r.cap > s.snap {
		return false
	}
	drift := int64(r.sec) - int64(near)
	return r.sec != 0 && (near == 0 || drift >= -resyncDrift && drift <= resyncDrift)
}
