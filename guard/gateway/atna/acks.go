// SPDX-License-Identifier: Apache-2.0

package atna

import "time"

// written is what was written and is not known to be delivered.
type written struct {
	behind   mark
	messages int
	total    int64     // bytes of messages that were written on the connection, these included
	acked    time.Time // when the repository's machine had all of it; zero: not yet
}

// acks is what was written on a connection, oldest first.
type acks struct {
	open  []written
	total int64
	left  int       // bytes that were not acknowledged when it was looked at last
	moved time.Time // when something was acknowledged last, or written while nothing was left to be
}

// wrote notes that messages were written.
func (a *acks) wrote(behind mark, messages, bytes int, now time.Time) {
	if len(a.open) == 0 || !a.open[len(a.open)-1].acked.IsZero() {
		a.moved = now
	}
	a.total += int64(bytes)
	a.open = append(a.open, written{behind: behind, messages: messages, total: a.total})
}

// heard notes that the repository's machine has all but left bytes of what the connection carried. TLS makes more bytes
// of a message than it has. So what was written has arrived where no more bytes are left than there are of the
// messages behind it, also where there is never a moment without any.
func (a *acks) heard(left int, now time.Time) {
	if left < a.left {
		a.moved = now
	}
	a.left = left
	for i := range a.open {
		if w := &a.open[i]; w.acked.IsZero() && int64(left) <= a.total-w.total {
			w.acked, a.moved = now, now
		}
	}
}

// stalled is for how long the repository's machine has acknowledged nothing of what waits for that.
func (a *acks) stalled(now time.Time) time.Duration {
	if len(a.open) == 0 || !a.open[len(a.open)-1].acked.IsZero() {
		return 0
	}
	return now.Sub(a.moved)
}

// settled takes out what has been delivered: that the connection has lived on for a while after it arrived.
func (a *acks) settled(now time.Time, after time.Duration) (behind mark, messages int, some bool) {
	done := 0
	for done < len(a.open) && !a.open[done].acked.IsZero() && now.Sub(a.open[done].acked) >= after {
		messages += a.open[done].messages
		done++
	}
	if done == 0 {
		return mark{}, 0, false
	}
	behind = a.open[done-1].behind
	a.open = append(a.open[:0], a.open[done:]...)
	return behind, messages, true
}
