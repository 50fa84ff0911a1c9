// SPDX-License-Identifier: Apache-2.0

package order_test

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/identity/order"
)

func TestNoOrderCountsTwiceOverARestart(t *testing.T) {
	h := newHospital(t)
	console := h.service(order.Console, nil)
	ahead, err := order.NewSigner(fixed{console}, func() time.Time { return h.Clock.Now().Add(skew - time.Second) }).Order(asked(), release)
	if err != nil {
		t.Fatal(err)
	}
	list := []*order.Signed{h.order(console, asked(), release), ahead} // of a console whose clock is ahead, too
	for _, s := range list {
		if _, err := h.v.Verify(s, "Decide", release, true); err != nil {
			t.Fatal(err)
		}
	}
	h.start() // the first one is not closed: as after a kill
	for i, s := range list {
		if _, err := h.v.Verify(s, "Decide", release, true); why(err) != order.Replayed {
			t.Errorf("order %d after a restart: %v", i, err)
		}
	}
	if _, err := h.v.Verify(h.order(console, asked(), release), "Decide", release, true); err != nil {
		t.Errorf("a new one, at once: %v", err)
	}
}

func TestAClockThatIsPutBackMakesNoOldOrderNew(t *testing.T) {
	h := newHospital(t)
	console := h.service(order.Console, nil)
	old := h.order(console, asked(), release)
	if _, err := h.v.Verify(old, "Decide", release, true); err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(10 * skew)
	if _, err := h.v.Verify(h.order(console, asked(), release), "Decide", release, true); err != nil { // the old one is forgotten
		t.Fatal(err)
	}
	h.Clock.Advance(-10 * skew)
	for _, restart := range []bool{false, true} {
		if restart {
			h.start()
		}
		if _, err := h.v.Verify(old, "Decide", release, true); why(err) != order.Stale && why(err) != order.Replayed {
			t.Errorf("the old one, restarted %v: %v", restart, err)
		}
	}
}

// nonce is the n-th of a test's.
func nonce(n int) [16]byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	return [16]byte(sum[:])
}

func TestAMemoryIsBounded(t *testing.T) {
	now := time.Now()
	m := order.NewMemory()
	const many = 25_000
	for n := range many {
		if err := m.Once(nonce(n), now.Add(time.Duration(n)*time.Millisecond), now, time.Hour); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
	}
	if n := m.Len(); n > 10_000 {
		t.Errorf("%d are remembered", n)
	}
	for _, n := range []int{0, many / 2, many - 1} { // forgotten or not, none counts again
		if err := m.Once(nonce(n), now.Add(time.Duration(n)*time.Millisecond), now, time.Hour); err == nil {
			t.Errorf("the one with number %d counts twice", n)
		}
	}
}

func TestAFileThatWasDamagedIsBegunAnew(t *testing.T) {
	now := time.Now()
	for name, text := range map[string]string{
		"binary":            "\x00\x01\x02\n",
		"a nonce too short": "0123 1700000000000\n",
		"a time that is no": "00112233445566778899aabbccddeeff soon\n",
		"much too long":     string(make([]byte, 2<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "orders")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			m, damaged, err := order.OpenMemory(path, now, skew)
			if err != nil || !damaged {
				t.Fatal(damaged, err)
			}
			defer m.Close()
			if err := m.Once(nonce(1), now.Add(skew), now, skew); why(err) != order.Stale {
				t.Errorf("what may have come before: %v", err)
			}
			if err := m.Once(nonce(1), now.Add(skew+time.Second), now, skew); err != nil {
				t.Errorf("what cannot: %v", err)
			}
		})
	}
}

func TestALineThatWasCutOffIsOfAnOrderThatDidNotCount(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "orders"), time.Now()
	m, _, err := order.OpenMemory(path, now, skew)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		if err := m.Once(nonce(n), now, now, skew); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	m, damaged, err := order.OpenMemory(path, now, skew)
	if err != nil || damaged {
		t.Fatal(damaged, err)
	}
	defer m.Close()
	if err := m.Once(nonce(0), now, now, skew); why(err) != order.Replayed {
		t.Errorf("the one before it: %v", err)
	}
	if err := m.Once(nonce(1), now, now, skew); err != nil {
		t.Errorf("its own: %v", err)
	}
}

func TestWhatCannotBeWrittenDownDoesNotCount(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "gone", "orders"), time.Now()
	if _, _, err := order.OpenMemory(path, now, skew); err == nil {
		t.Fatal("a memory in a directory that is not there")
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	m, _, err := order.OpenMemory(path, now, skew)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil { // as a disk that fails
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := m.Once(nonce(1), now, now, skew); why(err) != order.Unkept {
		t.Errorf("%v", err)
	}
}
