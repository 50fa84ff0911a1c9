// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/asepsis/asepsis/core/device"
)

func TestAMemoGivesBackOnlyWhatWasRememberedForTheSameBytes(t *testing.T) {
	m := NewMemo()
	rnd := rand.New(rand.NewPCG(1, 2))
	hits := 0
	for range 50_000 {
		kind, n := MemoKind(1+rnd.IntN(3)), rnd.IntN(3000)
		key := fmt.Appendf(nil, "key %d", n)
		want := fmt.Sprint(kind, n)
		if v := m.Recall(kind, key); v != nil {
			hits++
			if v != want {
				t.Fatalf("recalled %v for %s, want %s", v, key, want)
			}
		}
		m.Remember(kind, key, want)
		key[0] = 'x' // the memo has a copy
	}
	if hits == 0 {
		t.Error("nothing was ever recalled")
	}
}

func TestAMemoIsBounded(t *testing.T) {
	m := NewMemo()
	long := make([]byte, memoKeyBytes+1)
	m.Remember(MemoCertificate, long, "value")
	if m.Recall(MemoCertificate, long) != nil {
		t.Error("a key beyond the bound was remembered")
	}
	held := func() (n int) {
		for i := range m.slots {
			n += len(m.slots[i].key)
		}
		return n
	}
	for n := range 1000 {
		m.Remember(MemoCertificate, fmt.Appendf(nil, "%*d", memoKeyBytes, n), n)
		if held() != m.held || m.held > memoBytes {
			t.Fatalf("%d bytes of keys are held, %d are counted, at most %d may be", held(), m.held, memoBytes)
		}
	}
	for n := range 20_000 {
		m.Remember(MemoCertificate, fmt.Appendf(nil, "%16d", n), n)
	}
	if held() != m.held || m.held > memoSlots*16 {
		t.Errorf("%d bytes of keys are held, %d are counted, short ones took the place of all long ones", held(), m.held)
	}
}

func TestAMemoNamesAddressesAsTheyNameThemselves(t *testing.T) {
	m := NewMemo()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var b [16]byte
		for i := range b {
			b[i] = byte(rnd.IntN(4))
		}
		for _, a := range []netip.Addr{{}, netip.AddrFrom16(b), netip.AddrFrom4([4]byte(b[:4])), netip.AddrFrom16(b).WithZone("eth0"), netip.AddrFrom16(netip.AddrFrom4([4]byte(b[:4])).As16())} {
			if got := m.Addr(a); got != a.String() {
				t.Fatalf("%s for %s", got, a)
			}
		}
		if a := device.MAC(b[:6]); m.MAC(a) != a.String() {
			t.Fatalf("%s for %s", m.MAC(a), a)
		}
	}
	for n := range 20_000 {
		protocol, transport, port := fmt.Sprint("p", rnd.IntN(40)), []string{"tcp", "udp"}[n&1], uint16(rnd.IntN(300))
		if got, want := m.Service(protocol, transport, port), fmt.Sprintf("%s/%s:%d", protocol, transport, port); got != want {
			t.Fatalf("%s for %s", got, want)
		}
	}
	var none *Memo
	if none.Addr(netip.IPv6Loopback()) != "::1" || none.Recall(MemoLLDP, nil) != nil {
		t.Error("a nil memo is not an empty one")
	}
}
