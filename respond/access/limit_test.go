// SPDX-License-Identifier: Apache-2.0

package access

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

var (
	here  = netip.MustParseAddr("192.0.2.1")
	there = netip.MustParseAddr("198.51.100.9")
	start = time.Date(2026, 3, 16, 8, 0, 0, 0, time.UTC)
)

// fails makes wrong tries as fast as they are let, for a time, and returns how
// many were let through.
func fails(l *limiter, from netip.Addr, account string, began time.Time, lasts time.Duration) (n int, longest time.Duration) {
	for now := began; now.Before(began.Add(lasts)); {
		_, wait, _ := l.try(now, account, from)
		if wait == 0 {
			n++
			continue
		}
		longest = max(longest, wait)
		now = now.Add(wait)
	}
	return n, longest
}

func TestGuessingIsSlow(t *testing.T) {
	t.Run("the delays double up to the longest", func(t *testing.T) {
		l := newLimiter(Default())
		now := start
		for range 4 {
			if _, wait, _ := l.try(now, "ada", here); wait != 0 {
				t.Fatal("a free try was refused")
			}
		}
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
			if _, wait, _ := l.try(now, "ada", here); wait != 0 {
				t.Fatalf("refused for %s", wait)
			}
			_, wait, first := l.try(now, "ada", here)
			if wait != want*time.Second || !first {
				t.Errorf("wait %s, first %v, want %s", wait, first, want*time.Second)
			}
			if _, again, first := l.try(now.Add(wait/2), "ada", here); again != wait-wait/2 || first {
				t.Errorf("trying meanwhile: %s, first %v", again, first)
			}
			now = now.Add(wait)
		}
	})
	t.Run("a day of guessing from one address", func(t *testing.T) {
		n, longest := fails(newLimiter(Default()), here, "ada", start, 24*time.Hour)
		if n > 310 || longest > 5*time.Minute {
			t.Errorf("%d tries, longest wait %s", n, longest)
		}
	})
	t.Run("one address, every account", func(t *testing.T) {
		l := newLimiter(Default())
		n := 0
		for i := range 1000 {
			if _, wait, _ := l.try(start, fmt.Sprint("user", i), here); wait == 0 {
				n++
			}
		}
		if n != 20 {
			t.Errorf("%d tries", n)
		}
	})
	t.Run("one account, every address: strangers wait 30 s at most, its owner not at all", func(t *testing.T) {
		l := newLimiter(Default())
		a, _, _ := l.try(start, "ada", here)
		a.right(start, "ada", here)
		n := 0
		for i := range 1000 {
			_, wait, _ := l.try(start, "ada", netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
			if wait == 0 {
				n++
			} else if wait > 30*time.Second {
				t.Fatalf("wait %s", wait)
			}
		}
		if n != 10 {
			t.Errorf("%d tries", n)
		}
		if _, wait, _ := l.try(start, "ada", here); wait != 0 {
			t.Errorf("the owner waits %s", wait)
		}
		if _, wait, _ := l.try(start.Add(knownFor+time.Hour), "ada", there); wait != 0 {
			t.Errorf("a stranger waits %s a month later", wait)
		}
	})
	t.Run("a network of IPv6 counts as one address", func(t *testing.T) {
		l := newLimiter(Default())
		n := 0
		for i := range 100 {
			a := netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1))
			if _, wait, _ := l.try(start, fmt.Sprint("user", i), a); wait == 0 {
				n++
			}
		}
		if n != 20 {
			t.Errorf("%d tries", n)
		}
		if subnet(netip.MustParseAddr("::ffff:192.0.2.1")) != subnet(here) || subnet(netip.MustParseAddr("fe80::1%eth0")) != subnet(netip.MustParseAddr("fe80::2")) {
			t.Error("the same address in two forms counts twice")
		}
	})
	t.Run("the right password wipes the account, not the address", func(t *testing.T) {
		l := newLimiter(Default())
		for range 200 { // one's own log-ins between guesses at others'
			a, wait, _ := l.try(start, "eve", here)
			if wait > 0 {
				break
			}
			a.right(start, "eve", here)
			if _, wait, _ = l.try(start, "ada", here); wait > 0 {
				return
			}
		}
		t.Error("an account of one's own is a way around the delays")
	})
	t.Run("many at once are counted before they are looked at", func(t *testing.T) {
		l := newLimiter(Default())
		let := 0
		for range 100 { // none of them has ended
			if _, wait, _ := l.try(start, "ada", here); wait == 0 {
				let++
			}
		}
		if let != 5 {
			t.Errorf("%d were let through", let)
		}
	})
	t.Run("what is forgotten", func(t *testing.T) {
		l := newLimiter(Default())
		fails(l, here, "ada", start, time.Minute)
		l.forget(start.Add(time.Minute))
		if l.order.Len() == 0 {
			t.Error("forgotten too early")
		}
		if _, wait, _ := l.try(start.Add(30*time.Minute), "ada", here); wait != 0 {
			t.Error("not forgotten")
		}
		l.forget(start.Add(time.Hour))
		if l.order.Len() != 0 || len(l.entries) != 0 {
			t.Errorf("%d entries stay", l.order.Len())
		}
	})
	t.Run("memory is bounded", func(t *testing.T) {
		l := newLimiter(Default())
		for i := range 2 * maxTries {
			l.try(start, fmt.Sprint("user", i), netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		}
		if l.order.Len() != maxTries || len(l.entries) != maxTries {
			t.Errorf("%d and %d entries", l.order.Len(), len(l.entries))
		}
	})
	t.Run("a try that was not looked at does not count", func(t *testing.T) {
		l := newLimiter(Default())
		for range 100 {
			a, wait, _ := l.try(start, "ada", here)
			if wait > 0 {
				t.Fatal("it counted")
			}
			a.undo()
		}
	})
}
