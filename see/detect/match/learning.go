// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"time"

	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// Learning is a matcher that learns what is usual, for people to review and correct.
// What a person accepted or removed is kept with the state.
type Learning interface {
	// Baselines returns the state of at most limit keys that have the prefix, in their order.
	Baselines(prefix string, limit int) []Baseline
	// Accept makes a value usual for a key.
	Accept(key, value string) error
	// Remove forgets a value: it is new when it comes again.
	Remove(key, value string) error
	// Reset forgets a key: it learns again from its next event.
	Reset(key string) error
	// Freeze stops, or goes on with, learning for a key; what is usual stays so.
	Freeze(key string, frozen bool) error
	// Settle says how an alert on a device ended: what was learned meanwhile is trusted, or
	// forgotten.
	Settle(device string, trust bool)
}

// Baseline is what is usual for one key.
type Baseline struct {
	Key     string
	Since   int64 // of the first sample
	Samples uint64
	Ready   int64 // since when it counts, 0 while learning
	Frozen  bool
	Values  []Learned // of a baseline
	Lost    uint64    // values given up to stay within the bound
	Usual   float64   // of a rate: the median of its present level
	Limit   float64   // of a rate: what is too much, 0 while nothing is known
}

// Learned is one value of a baseline.
type Learned struct {
	Value       string
	First, Last int64
	Count       uint64
	Distrusted  bool // it is new and nobody has said that it is right
	Accepted    bool // a person did
}

// ErrNoBaseline says that nothing is learned under a key, or no such value.
var ErrNoBaseline = errors.New("nothing of that name is learned")

// learned is the state of learning of one key.
type learned struct {
	since   int64
	samples uint64
	ready   int64
	frozen  bool
}

const defaultForget = 90 * 24 * time.Hour

// sample counts a sample and says whether what was learned before it counts.
func (l *learned) sample(t int64, r *rule.Learn, trained func(int64) bool) (ready bool) {
	if l.samples == 0 && l.since == 0 {
		l.since = t
	}
	ready = l.ready != 0
	if !ready && (t-l.since >= int64(r.For) && l.samples >= uint64(max(r.Samples, 0)) || trained != nil && trained(t)) {
		l.ready, ready = max(t, 1), true
	}
	if !l.frozen {
		l.samples++
	}
	return ready
}

func (l *learned) encode(w *keyed.Writer) {
	w.Int(l.since)
	w.Uint(l.samples)
	w.Int(l.ready)
	w.Bool(l.frozen)
}

func (l *learned) decode(r *keyed.Reader) {
	l.since, l.samples, l.ready, l.frozen = r.Time(), r.Uint(), r.Time(), r.Bool()
}

// doubtful reports whether what an event shows must not be learned: an alert is open on one of its ends.
func (d *Deps) doubtful(s *scene.Scene) bool {
	if d.Learner == nil {
		return false
	}
	return s.Src.ID != "" && d.Learner.Open(s.Src.ID) || s.Dst.ID != "" && d.Learner.Open(s.Dst.ID)
}
