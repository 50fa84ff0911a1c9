// SPDX-License-Identifier: Apache-2.0

package order_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/identity/order"
)

// The limit of the size of a file is as a disk that becomes full within a line.
func TestALineThatWasCutOffByAFullDiskDoesNotRunIntoTheNext(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "orders"), time.Now()
	m, _, err := order.OpenMemory(path, now, skew)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	once(t, m, 0, now, "")
	fill(t, path, func() {
		// Nor is there room for a new file.
		if err := os.MkdirAll(filepath.Join(path+".new", "full"), 0o700); err != nil {
			t.Fatal(err)
		}
		once(t, m, 1, now, order.Unkept)
		once(t, m, 1, now, order.Unkept)
	})
	if err := os.RemoveAll(path + ".new"); err != nil {
		t.Fatal(err)
	}
	once(t, m, 2, now, "")
	again, damaged, err := order.OpenMemory(path, now, skew)
	if err != nil || damaged {
		t.Fatal(damaged, err)
	}
	defer again.Close()
	once(t, again, 0, now, order.Replayed)
	once(t, again, 2, now, order.Replayed)
	once(t, again, 1, now, "") // it was never carried out
}

func once(t *testing.T, m *order.Memory, n int, now time.Time, want order.Why) {
	t.Helper()
	err := m.Once(nonce(n), now, now, skew)
	if want == "" && err != nil || want != "" && why(err) != want {
		t.Errorf("order %d: %v, want %q", n, err, want)
	}
}

// fill lets no file become more than ten bytes larger than that of the path.
func fill(t *testing.T, path string, do func()) {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(st.Size()) + 10, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
	}()
	do()
}
