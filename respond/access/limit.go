// SPDX-License-Identifier: Apache-2.0

package access

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// limiter makes guessing passwords slow, and never shuts anybody out for good.
//
// A failed try is counted at three places: the address, the account, and the
// account as tried from that address. Each has some tries free; after them
// every further failure doubles the wait before the next. What counts for an
// account as a whole has a short longest wait, and does not apply to an address
// from which its owner has logged in lately: who attacks an account from
// everywhere slows down strangers, not its owner.
//
// A try is counted before the password is looked at and given back when it was
// right, so that many tries at once are no way around it. While one waits,
// further tries change nothing.
type limiter struct {
	cfg Config

	mu      sync.Mutex
	entries map[string]*list.Element // of *tries
	order   *list.List               // least recently used first
}

type tries struct {
	key    string
	failed int
	until  time.Time // no try before
	last   time.Time
	known  time.Time // when the owner logged in here
	told   bool      // somebody was refused in this wait
}

// maxTries bounds the memory of a limiter: about 2 MB.
const maxTries = 10_000

// knownFor is how long an address is one where an owner has logged in.
const knownFor = 30 * 24 * time.Hour

func newLimiter(cfg Config) *limiter {
	return &limiter{cfg: cfg, entries: map[string]*list.Element{}, order: list.New()}
}

// place is what is counted where.
type place struct {
	key     string
	free    int
	longest time.Duration
}

// subnet is what one customer is given: an IPv4 address, an IPv6 /64.
func subnet(a netip.Addr) string {
	if a = a.Unmap(); a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

func (l *limiter) pair(account string, from netip.Addr) place {
	return place{"both " + subnet(from) + " " + account, l.cfg.LoginFree, l.cfg.LoginMaxDelay}
}

func (l *limiter) account(account string) place {
	return place{"account " + account, 2 * l.cfg.LoginFree, min(30*time.Second, l.cfg.LoginMaxDelay)}
}

func (l *limiter) address(from netip.Addr) place {
	return place{"address " + subnet(from), 4 * l.cfg.LoginFree, l.cfg.LoginMaxDelay}
}

// attempt is a try that was counted.
type attempt struct {
	l      *limiter
	places []place
}

// try counts a try. A wait above zero means that it may not be made now; first
// is true for the first one refused in this wait, the one that is worth a line
// in the audit trail.
func (l *limiter) try(now time.Time, account string, from netip.Addr) (a attempt, wait time.Duration, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a = attempt{l, []place{l.address(from)}}
	if account != "" {
		pair := l.pair(account, from)
		a.places = append(a.places, pair)
		if e := l.peek(pair.key); e == nil || e.known.IsZero() || now.Sub(e.known) > knownFor {
			a.places = append(a.places, l.account(account))
		}
	}
	for _, p := range a.places {
		if e := l.peek(p.key); e != nil {
			if w := e.until.Sub(now); w > wait {
				wait = w
			}
		}
	}
	if wait > 0 {
		for _, p := range a.places {
			if e := l.peek(p.key); e != nil && e.until.After(now) && !e.told {
				e.told, first = true, true
			}
		}
		return a, wait, first
	}
	for _, p := range a.places {
		e := l.entry(p.key)
		if now.Sub(e.last) > l.cfg.LoginForget {
			e.failed = 0
		}
		e.failed++
		e.last, e.told = now, false
		if over := e.failed - p.free; over >= 0 {
			// 1 s, 2 s, 4 s ...
			e.until = now.Add(min(time.Second<<min(over, 30), p.longest))
		}
	}
	return a, 0, false
}

// right gives the try back: the password was right.
func (a attempt) right(now time.Time, account string, from netip.Addr) {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	for i, p := range a.places {
		e := a.l.peek(p.key)
		if e == nil {
			continue
		}
		e.until = time.Time{}
		if i == 0 { // one's own account is no way to go on with others'
			e.failed = max(e.failed-1, 0)
		} else {
			e.failed = 0
		}
	}
	a.l.entry(a.l.pair(account, from).key).known = now
}

// undo gives the try back without a word about the password: it was not
// looked at.
func (a attempt) undo() {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	for _, p := range a.places {
		if e := a.l.peek(p.key); e != nil {
			e.failed = max(e.failed-1, 0)
			e.until = time.Time{}
		}
	}
}

func (l *limiter) peek(key string) *tries {
	if el := l.entries[key]; el != nil {
		l.order.MoveToBack(el)
		return el.Value.(*tries)
	}
	return nil
}

func (l *limiter) entry(key string) *tries {
	if e := l.peek(key); e != nil {
		return e
	}
	if l.order.Len() >= maxTries {
		oldest := l.order.Front()
		delete(l.entries, oldest.Value.(*tries).key)
		l.order.Remove(oldest)
	}
	e := &tries{key: key}
	l.entries[key] = l.order.PushBack(e)
	return e
}

// forget drops what is over.
func (l *limiter) forget(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for el := l.order.Front(); el != nil; {
		next := el.Next()
		e := el.Value.(*tries)
		if now.Sub(e.last) > l.cfg.LoginForget && !e.until.After(now) && now.Sub(e.known) > knownFor {
			delete(l.entries, e.key)
			l.order.Remove(el)
		}
		el = next
	}
}
