// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

func pemOf(der []byte) *pem.Block { return &pem.Block{Type: "CERTIFICATE", Bytes: der} }

func secretFile(path string) config.SecretFile { return config.SecretFile(path) }

// drain reads everything from a place on.
func drain(s *spool, at mark) (out []string, behind mark) {
	buf := make([]byte, maxMessage)
	for {
		m, next, ok := s.read(at, buf)
		at = next
		if !ok {
			return out, at
		}
		out = append(out, string(m))
	}
}

func TestTheSpoolKeepsWhatIsNotDelivered(t *testing.T) {
	dir := t.TempDir()
	s, from, err := openSpool(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	message := strings.Repeat("x", 1000)
	for n := range 300 {
		if err := s.append(fmt.Appendf(nil, "%d %s", n, message)); err != nil {
			t.Fatal(err)
		}
	}
	at := from
	buf := make([]byte, maxMessage)
	for range 200 {
		_, at, _ = s.read(at, buf)
	}
	if err := s.delivered(at, 200); err != nil {
		t.Fatal(err)
	}
	s.close()
	s, from, err = openSpool(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := drain(s, from)
	if count, lost, damaged, _ := s.state(); len(got) != 100 || count != 100 || lost != 0 || damaged != 0 || !strings.HasPrefix(got[0], "200 ") {
		t.Errorf("%d read, %d counted, the first %.5s", len(got), count, got[0])
	}
	s.close()
	// Without the state, everything that is there is sent again.
	if err := os.Remove(filepath.Join(dir, "state")); err != nil {
		t.Fatal(err)
	}
	s, from, err = openSpool(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if got, _ := drain(s, from); len(got) < 100 || !strings.HasPrefix(got[len(got)-1], "299 ") {
		t.Errorf("%d read", len(got))
	}
}

func TestAClosedSpoolTakesNothing(t *testing.T) {
	s, _, err := openSpool(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var taken atomic.Int64
	for range 20 {
		group.Go(func() {
			for {
				if err := s.append([]byte("x")); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
				taken.Add(1)
			}
		})
	}
	identitytest.Wait(t, "some messages", func() bool { return taken.Load() > 20 })
	s.close()
	group.Wait()
	s, from, err := openSpool(s.dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if got, _ := drain(s, from); int64(len(got)) != taken.Load() {
		t.Errorf("%d taken, %d found", taken.Load(), len(got))
	}
}

func TestATornOrDamagedSpoolGivesWhatIsWhole(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"torn in the last message":  func(b []byte) []byte { return b[:len(b)-3] },
		"torn in the last head":     func(b []byte) []byte { return b[:len(b)-8-5] },
		"a byte of the last":        func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"zeros behind":              func(b []byte) []byte { return append(b, make([]byte, 100)...) },
		"a length beyond all bound": func(b []byte) []byte { return append(b, 0x41, 0x4e, 0x54, 0x41, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, _, err := openSpool(dir, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 10 {
				if err := s.append(fmt.Appendf(nil, "message%d", n)); err != nil {
					t.Fatal(err)
				}
			}
			path := s.path(s.segments[0].id)
			s.close()
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, spoil(b), 0o600); err != nil {
				t.Fatal(err)
			}
			s, from, err := openSpool(dir, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			if err := s.append([]byte("after")); err != nil {
				t.Fatal(err)
			}
			got, _ := drain(s, from)
			if n := len(got); n < 10 || got[8] != "message8" || got[n-1] != "after" {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestManyWhoSendShareAFlush(t *testing.T) {
	s, from, err := openSpool(t.TempDir(), 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var group sync.WaitGroup
	for w := range 50 {
		group.Go(func() {
			for n := range 20 {
				if err := s.append(fmt.Appendf(nil, "%d-%d", w, n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got, _ := drain(s, from); len(got) != 1000 {
		t.Errorf("%d messages", len(got))
	}
	if s.flushed >= 1000 {
		t.Errorf("%d flushes for 1000 messages", s.flushed)
	}
	if err := s.append(make([]byte, maxMessage+1)); err == nil {
		t.Error("a message beyond the bound was taken")
	}
}

// TestKilledInMidWrite kills a process that spools, and finds everything that it said was durable.
func TestKilledInMidWrite(t *testing.T) {
	if dir := os.Getenv("ATNA_SPOOL"); dir != "" {
		s, _, err := openSpool(dir, 64<<20)
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		for n := 0; ; n++ {
			if err := s.append(fmt.Appendf(nil, "message %d %s", n, strings.Repeat("y", n%3000))); err != nil {
				fmt.Println("error", err)
				os.Exit(1)
			}
			fmt.Println("took", n)
		}
	}
	dir := t.TempDir()
	total := 0
	for round := range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledInMidWrite$")
		cmd.Env = append(os.Environ(), "ATNA_SPOOL="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		b := make([]byte, 4096)
		for strings.Count(said.String(), "took") < 50+37*round {
			n, err := out.Read(b)
			said.Write(b[:n])
			if err != nil {
				t.Fatalf("%v: %s", err, said.String())
			}
		}
		_ = cmd.Process.Kill()
		for {
			n, err := out.Read(b)
			said.Write(b[:n])
			if err != nil {
				break
			}
		}
		_ = cmd.Wait()
		took := strings.Count(said.String(), "took")
		s, from, err := openSpool(dir, 64<<20)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := drain(s, from)
		s.close()
		if len(got) < total+took {
			t.Fatalf("round %d: %d taken, %d found", round, total+took, len(got))
		}
		for n := range took {
			if !strings.HasPrefix(got[total+n], fmt.Sprintf("message %d ", n)) {
				t.Fatalf("round %d: message %d is %.20q", round, n, got[total+n])
			}
		}
		total = len(got)
	}
}
