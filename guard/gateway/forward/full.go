// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"errors"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
)

// full remembers which systems had no association left for this gateway. Some serve one at a time: an association
// that is kept there without work then keeps out another destination at the same address, or the question
// whether it commits to what it took.
type full struct {
	mu    sync.Mutex
	until map[string]time.Time // by address
}

// keptOff is how long associations without work are not kept at a system that was full.
const keptOff = time.Minute

// note remembers an address when err says that it is full. It reports whether it does.
func (f *full) note(address string, err error, now time.Time) bool {
	var no *dicomnet.RejectedError
	if !errors.As(err, &no) || no.Reject != dicomnet.RejectCongestion && no.Reject != dicomnet.RejectLimit {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.until == nil {
		f.until = map[string]time.Time{}
	}
	f.until[address] = now.Add(keptOff)
	return true
}

// is reports whether a system had no association left a moment ago.
func (f *full) is(address string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	until, known := f.until[address]
	if known && now.After(until) {
		delete(f.until, address)
		return false
	}
	return known
}

// full has associations without work given back where err says that a destination has no more of them. It reports
// whether it says so.
func (d *destination) full(err error) bool {
	if d.cfg.Kind != KindDIMSE || !d.f.full.note(d.cfg.Address, err, d.f.now()) {
		return false
	}
	for _, o := range d.f.dests {
		if o.cfg.Address == d.cfg.Address {
			o.signal()
		}
	}
	return true
}

// linger is how long an association is kept without work.
func (d *destination) linger() time.Duration {
	if d.cfg.Kind == KindDIMSE && d.f.full.is(d.cfg.Address, d.f.now()) {
		return 0
	}
	return d.cfg.Linger
}
