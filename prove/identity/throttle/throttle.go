// SPDX-License-Identifier: Apache-2.0

// Package throttle slows down who guesses: failures are counted for each and for
// all together, and who has failed too often has to wait.
//
// What is counted is in memory only, and bounded.
package throttle

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxWatched bounds the addresses that are remembered. When there are more, all
// are forgotten but the limit for everybody, which holds on.
const maxWatched = 10_000

// Limiter counts failures, of each and of all.
type Limiter struct {
	now   func() time.Time
	every rate.Limit
	burst int

	mu  sync.Mutex
	all *rate.Limiter
	one map[string]*rate.Limiter
}

// New makes a limiter: each may fail burst times, and once more in every; all
// together allBurst times, and once more in allEvery.
func New(now func() time.Time, every time.Duration, burst int, allEvery time.Duration, allBurst int) *Limiter {
	return &Limiter{now: now, every: rate.Every(every), burst: burst, all: rate.NewLimiter(rate.Every(allEvery), allBurst), one: map[string]*rate.Limiter{}}
}

// Allowed says whether who may try, and otherwise when again.
func (l *Limiter) Allowed(who string) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, x := range []*rate.Limiter{l.one[who], l.all} {
		if x == nil {
			continue
		}
		if t := x.TokensAt(now); t < 1 {
			return time.Duration((1 - t) / float64(x.Limit()) * float64(time.Second)), false
		}
	}
	return 0, true
}

// Failed counts one.
func (l *Limiter) Failed(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	x := l.one[who]
	if x == nil {
		if len(l.one) >= maxWatched {
			clear(l.one)
		}
		x = rate.NewLimiter(l.every, l.burst)
		l.one[who] = x
	}
	x.AllowN(now, 1)
	l.all.AllowN(now, 1)
}
