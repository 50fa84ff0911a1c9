// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
)

// system is what destinations at one address have in common: how many associations it lets the gateway have. Some serve
// one at a time, and refuse a second one or let it wait. Then nobody keeps an association without work, and who has
// one while another party has none gives it back when his turn is over.
type system struct {
	turn time.Duration // how long a party keeps what another one waits for

	mu    sync.Mutex
	most  int       // associations that it lets the gateway have; 0: it is not known that there is a bound
	until time.Time // most is forgotten
	took  time.Time // when it took something last
	open  int       // that there are, or that are being asked for
	line  []*party  // who wants one and has none, first come first

	parties []*party // all; does not change once anything runs
}

// party is who has associations with a system: the senders of a destination, or its questions about storage commitment.
type party struct {
	at   *system
	wake func() // called without any lock; nil: it looks by itself, more often than claim

	// Guarded by at.mu.
	open    int
	since   time.Time // its turn began
	urgent  bool      // what it wants one for; in the line
	offered time.Time // one is there for it; in the line
}

const (
	// turn is how long a party keeps what another one at the same system waits for, and longTurn how many of
	// them one does who has what is urgent, while what the other has is not.
	turn     = 5 * time.Second
	longTurn = 6
	// claim is how long an association that has become free is kept for who is first in the line.
	claim = 3 * time.Second
	// look is how often who stands in the line looks whether it is his turn without being told.
	look = 2 * time.Second
	// keptOff is how long it is believed that a system has no more associations, and keptWaiting where that took
	// a whole timeout to be found out.
	keptOff     = time.Minute
	keptWaiting = 10 * time.Minute
	// fewer is how long ago a destination must have taken something for not being down where another association
	// than the one that works cannot be had.
	fewer = time.Minute
)

// system returns that of an address.
func (f *Forwarder) system(address string) *system {
	key := strings.ToLower(address)
	if f.systems[key] == nil {
		f.systems[key] = &system{turn: f.d.turn}
	}
	return f.systems[key]
}

// party makes one.
func (s *system) party(wake func()) *party {
	p := &party{at: s, wake: wake}
	s.parties = append(s.parties, p)
	return p
}

// bounded forgets what is known for too long. Precondition: mu is held.
func (s *system) bounded(now time.Time) bool {
	if s.most > 0 && now.After(s.until) {
		s.most = 0
	}
	return s.most > 0
}

// enter asks whether an association may be opened, and counts it. Where it may not, a party that has none stands in the
// line, or stays there.
func (p *party) enter(now time.Time, urgent bool) bool {
	s := p.at
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.bounded(now) || s.open < s.most && s.first(now, p, urgent) {
		s.line = slices.DeleteFunc(s.line, func(o *party) bool { return o == p })
		if p.open == 0 {
			p.since = now
		}
		p.open++
		s.open++
		return true
	}
	if p.open == 0 {
		if !slices.Contains(s.line, p) {
			s.line = append(s.line, p)
			p.offered = time.Time{}
		}
		p.urgent = urgent
	}
	return false
}

// first reports whether it is a party's turn. Precondition: mu is held.
func (s *system) first(now time.Time, p *party, urgent bool) bool {
	o := s.head(now)
	switch {
	case o == nil, o == p, urgent && !o.urgent && o.offered.IsZero():
		return true
	case o.offered.IsZero():
		o.offered = now
	}
	return false
}

// head is who is next, nil when nobody waits: who was offered an association, then what is urgent, then who came first. Who
// was offered one and did not come loses his place. Precondition: mu is held.
func (s *system) head(now time.Time) *party {
	s.line = slices.DeleteFunc(s.line, func(o *party) bool { return !o.offered.IsZero() && now.Sub(o.offered) > claim })
	for _, next := range [...]func(*party) bool{
		func(o *party) bool { return !o.offered.IsZero() }, func(o *party) bool { return o.urgent }, func(*party) bool { return true },
	} {
		if i := slices.IndexFunc(s.line, next); i >= 0 {
			return s.line[i]
		}
	}
	return nil
}

// leave says that an association is gone, and tells who is next.
func (p *party) leave(now time.Time) {
	s := p.at
	s.mu.Lock()
	p.open--
	s.open--
	var wake func()
	if next := s.head(now); next != nil {
		next.offered, wake = now, next.wake
	}
	s.mu.Unlock()
	if wake != nil {
		wake()
	}
}

// withdraw takes a party out of the line that wants nothing any more.
func (p *party) withdraw() {
	s := p.at
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = slices.DeleteFunc(s.line, func(o *party) bool { return o == p })
}

// over reports whether a party is to give an association back, though it has more to do: another has none and
// waited long enough. What is urgent does not wait for what is not.
func (p *party) over(now time.Time, urgent bool) bool {
	s := p.at
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.head(now)
	if next == nil || !s.bounded(now) || s.open < s.most {
		return false
	}
	had := now.Sub(p.since)
	switch {
	case next.urgent && !urgent:
		return true
	case urgent && !next.urgent:
		return had >= longTurn*s.turn
	}
	return had >= s.turn
}

// isFull reports whether a system had no association left a while ago.
func (s *system) isFull(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bounded(now)
}

// awaited reports whether somebody waits for an association that a system does not have.
func (s *system) awaited(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bounded(now) && s.open >= s.most && s.head(now) != nil
}

// refused notes that a system did not let a party have an association that it entered for, where err says so
// or, with works, where the party has another that works. It reports whether the gateway has others there: then the
// system is not down. Those without work are given back. Of a system that answers nobody nothing is known.
func (p *party) refused(now time.Time, err error, works bool) bool {
	rejected, silent := congested(err), timedOut(err)
	s := p.at
	s.mu.Lock()
	others := s.open - 1
	full := rejected || others > 0 && (silent && now.Sub(s.took) <= fewer || works && p.open > 1)
	switch {
	case !full && others == 0:
		s.most = 0
	case full:
		s.most, s.until = max(others, 1), now.Add(keptOff)
		if silent {
			s.until = now.Add(keptWaiting)
		}
	}
	s.mu.Unlock()
	if !full {
		return false
	}
	for _, o := range s.parties {
		if o.wake != nil {
			o.wake()
		}
	}
	return others > 0
}

// works notes that the system took something.
func (p *party) works(now time.Time) {
	p.at.mu.Lock()
	defer p.at.mu.Unlock()
	p.at.took = now
}

// congested reports whether err says that a system has no association left.
func congested(err error) bool {
	var no *dicomnet.RejectedError
	return errors.As(err, &no) && (no.Reject == dicomnet.RejectCongestion || no.Reject == dicomnet.RejectLimit)
}

// timedOut reports whether a system did not answer at all: what serves one association at a time leaves others
// waiting to be accepted.
func timedOut(err error) bool {
	return errors.Is(err, dicomnet.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}
