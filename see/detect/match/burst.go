// SPDX-License-Identifier: Apache-2.0

package match

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/see/detect/match/keyed"
)

// burst is a time in which a threshold is passed again and again. It is said
// once when it begins, then when its events have doubled since that and at most a window
// later, so that the events of its hits add up to all of them.
type burst struct {
	on     bool
	total  uint64 // events since it began
	said   uint64 // of these in hits
	saidAt int64
	began  int64
	who    subject
}

// due reports whether there is enough new to say it again.
func (b *burst) due(t, window int64) bool {
	return b.total >= 2*b.said || b.total > b.said && t-b.saidAt >= window
}

// news returns how many events were not said yet; they count as said then.
func (b *burst) news(t int64) uint64 {
	n := b.total - b.said
	b.said, b.saidAt = b.total, t
	return n
}

func (b *burst) encode(w *keyed.Writer) {
	w.Bool(b.on)
	if b.on {
		w.Uint(b.total)
		w.Uint(b.said)
		w.Int(b.saidAt)
		w.Int(b.began)
		b.who.encode(w)
	}
}

func (b *burst) decode(r *keyed.Reader) {
	if b.on = r.Bool(); b.on {
		b.total, b.said, b.saidAt, b.began = r.Uint(), r.Uint(), r.Time(), r.Time()
		b.who.decode(r)
		if b.said > b.total {
			r.Fail()
		}
	}
}

// recent is the times of the latest events, in their order, at most as many
// as it is asked to keep: a ring that grows with need.
type recent struct {
	at   []int64
	head int // of the oldest, once the ring is full
}

func (r *recent) len() int { return len(r.at) }

func (r *recent) oldest() int64 { return r.at[r.head] }

func (r *recent) newest() int64 { return r.at[(r.head+len(r.at)-1)%len(r.at)] }

// add puts a time where it belongs and gives up the oldest when there would be more than n.
// It reports whether the time was kept.
func (r *recent) add(t int64, n int) bool {
	if len(r.at) < n {
		r.at = append(r.at, t)
		for i := len(r.at) - 1; i > 0 && r.at[i-1] > t; i-- { // the ring is not full: head is 0
			r.at[i], r.at[i-1] = r.at[i-1], r.at[i]
		}
		return true
	}
	if t < r.oldest() {
		return false
	}
	i := r.head
	r.at[i] = t
	r.head = (r.head + 1) % n
	for k := n - 1; k > 0; k-- { // late ones only
		j, before := (r.head+k)%n, (r.head+k-1)%n
		if r.at[before] <= r.at[j] {
			break
		}
		r.at[before], r.at[j] = r.at[j], r.at[before]
	}
	return true
}

// forget drops times before t while the ring is not full.
func (r *recent) forget(t int64) {
	if r.head != 0 {
		return
	}
	n := 0
	for n < len(r.at) && r.at[n] < t {
		n++
	}
	if n > 0 {
		r.at = slices.Delete(r.at, 0, n)
	}
}

// list is the times from the oldest to the newest.
func (r *recent) list() []int64 {
	out := make([]int64, 0, len(r.at))
	return append(append(out, r.at[r.head:]...), r.at[:r.head]...)
}

// times is the values that hits of a window have.
func counted(n uint64, window time.Duration) map[string]string {
	return map[string]string{"count": strconv.FormatUint(n, 10), "window": Span(window)}
}

// saturating adds without wrapping.
func saturating(a, b uint32) uint32 {
	if a > math.MaxUint32-b {
		return math.MaxUint32
	}
	return a + b
}
