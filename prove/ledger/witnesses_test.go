// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/ledger/witness"
	"github.com/asepsis/asepsis/prove/receipt"
)

// peer is a witness that listens on loopback.
type peer struct {
	t    testing.TB
	cfg  witness.Config
	addr string
	vkey string
	stop func()
}

// witnessFor makes a witness that knows a log's key.
func witnessFor(t testing.TB, name, log string) *peer {
	t.Helper()
	p := &peer{t: t, cfg: witness.Config{Dir: t.TempDir(), Name: name, Listen: "127.0.0.1:0", Logs: []string{log}}, addr: "127.0.0.1:0"}
	p.start()
	t.Cleanup(func() { p.stop() })
	return p
}

func (p *peer) start() {
	p.t.Helper()
	w, err := witness.New(p.cfg, witness.Deps{})
	if err != nil {
		p.t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.addr, p.vkey = listener.Addr().String(), w.Key()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, listener) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, w.Close()); err != nil {
			p.t.Errorf("witness: %v", err)
		}
	})
}

func (p *peer) config() WitnessConfig {
	return WitnessConfig{Key: p.vkey, URL: "http://" + p.addr}
}

// logKey makes a log's key and returns the verifier's.
func logKey(t testing.TB, c Config) string {
	t.Helper()
	l, err := New(c, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Key()
}

// witnessedBy makes a ledger's configuration with n witnesses that run.
func witnessedBy(t testing.TB, c Config, n, required int) (Config, []*peer) {
	t.Helper()
	key := logKey(t, c)
	var peers []*peer
	for i := range n {
		p := witnessFor(t, fmt.Sprintf("witness-%d.example", i), key)
		peers = append(peers, p)
		c.Witnesses = append(c.Witnesses, p.config())
	}
	c.Required = required
	return c, peers
}

func witnessed(t testing.TB, l *running, size uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d entries are witnessed", size), func() bool {
		c, err := l.WitnessedCheckpoint()
		return err == nil && c.Size >= size
	})
}

func TestWitnessesSignWhatIsPublished(t *testing.T) {
	c, _ := witnessedBy(t, quick(t.TempDir()), 3, 2)
	l := start(t, c, Deps{})
	recordAll(t, l, 0, 300, statement)
	witnessed(t, l, 300)
	file, err := l.Receipt(t.Context(), 299, Witnessed)
	if err != nil {
		t.Fatal(err)
	}
	r, err := receipt.Verify(file, l.Trust(), receipt.Options{})
	if err != nil || !r.Witnessed || len(r.Checkpoint.Cosigned) < 2 || time.Since(r.By) > time.Minute {
		t.Errorf("%+v, %v", r, err)
	}
	if e, err := l.Entry(0); err != nil || e.State != Witnessed {
		t.Errorf("entry %+v, %v", e, err)
	}
	eventually(t, "every witness is seen to have signed", func() bool {
		s, err := l.Status()
		if err != nil || s.Unwitnessed != 0 || !s.UnwitnessedSince.IsZero() {
			return false
		}
		for _, w := range s.Witnesses {
			if w.Size != 300 || w.Error != "" {
				return false
			}
		}
		return len(s.Witnesses) == 3
	})
}

func TestLosingWitnessesStopsNeitherRecordingNorPublishing(t *testing.T) {
	t.Parallel()
	notices := make(chan Notice, 16)
	c, peers := witnessedBy(t, quick(t.TempDir()), 3, 2)
	c.Unwitnessed = time.Second
	l := start(t, c, Deps{Notice: func(n Notice) { notices <- n }})
	recordAll(t, l, 0, 10, statement)
	witnessed(t, l, 10)
	peers[0].stop()
	recordAll(t, l, 10, 20, statement)
	witnessed(t, l, 20) // 2 of 3 are enough
	peers[1].stop()
	recordAll(t, l, 20, 30, statement)
	published(t, l.Reader, 30)
	n := <-notices
	if n.Rule != "ledger-unwitnessed" || n.Over || n.Severity.String() != "medium" || n.Hint == "" || n.Room == "" {
		t.Errorf("notice %+v", n)
	}
	s, err := l.Status()
	if err != nil || s.Unwitnessed != 10 || s.UnwitnessedSince.IsZero() || s.Witnesses[1].Error == "" {
		t.Errorf("status %+v, %v", s, err)
	}
	if _, err := l.Receipt(t.Context(), 29, Witnessed); !errors.Is(err, ErrNotYet) {
		t.Errorf("receipt: %v", err)
	}
	// The receipt of what was witnessed before is there, and one of the log's word alone.
	if _, err := l.Receipt(t.Context(), 19, Witnessed); err != nil {
		t.Error(err)
	}
	file, err := l.Receipt(t.Context(), 29, Published)
	if err != nil {
		t.Fatal(err)
	}
	var bad *receipt.Error
	if _, err := receipt.Verify(file, l.Trust(), receipt.Options{}); !errors.As(err, &bad) || bad.Code != receipt.NotWitnessed {
		t.Errorf("the log's word alone: %v", err)
	}
	peers[1].start()
	witnessed(t, l, 30)
	if n := <-notices; n.Rule != "ledger-unwitnessed" || !n.Over {
		t.Errorf("notice %+v", n)
	}
}

func TestAWitnessRefusesALogThatWasTakenBack(t *testing.T) {
	dir := t.TempDir()
	c, peers := witnessedBy(t, quick(dir), 1, 1)
	l := start(t, c, Deps{})
	recordAll(t, l, 0, 5, statement)
	witnessed(t, l, 5)
	l.stop()
	backup := t.TempDir()
	if err := os.CopyFS(filepath.Join(backup, "copy"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	l = start(t, c, Deps{})
	recordAll(t, l, 5, 10, statement)
	witnessed(t, l, 10)
	l.stop()
	fork := func(name string, entries int, want string) {
		t.Helper()
		c := c
		c.Dir = filepath.Join(t.TempDir(), name)
		if err := os.CopyFS(c.Dir, os.DirFS(filepath.Join(backup, "copy"))); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(c.Dir, keyFile), 0o600); err != nil {
			t.Fatal(err)
		}
		l := start(t, c, Deps{})
		recordAll(t, l, 100, 100+entries, statement)
		eventually(t, name+" is refused", func() bool {
			s, err := l.Status()
			return err == nil && strings.Contains(s.Witnesses[0].Error, want)
		})
		if w, err := l.WitnessedCheckpoint(); err != nil || w.Size != 5 {
			t.Errorf("%s: witnessed %d, %v", name, w.Size, err)
		}
		l.stop()
	}
	fork("a rollback", 1, "the log was taken back")
	fork("a fork of the same size", 5, "it has signed another log of 10 entries under this name")
	fork("a longer fork", 8, "the log is not the one that it signed before")
	// After a restart the witness still knows.
	peers[0].stop()
	peers[0].start()
	fork("a rollback after a restart", 1, "the log was taken back")
}

func TestAWitnessOfAnotherKeyIsNotBelieved(t *testing.T) {
	c, peers := witnessedBy(t, quick(t.TempDir()), 1, 1)
	other := witnessFor(t, "witness-0.example", logKey(t, c))
	c.Witnesses[0].URL = "http://" + other.addr // another's key under the same name
	_ = peers
	l := start(t, c, Deps{})
	mustRecord(t, l, statement(1))
	eventually(t, "the signature is refused", func() bool {
		s, err := l.Status()
		return err == nil && strings.Contains(s.Witnesses[0].Error, "its signature is wrong")
	})
}

func TestALogIsNotKnownToAWitnessByAnotherKey(t *testing.T) {
	a, b := quick(t.TempDir()), quick(t.TempDir())
	p := witnessFor(t, "witness.example", logKey(t, a))
	b.Witnesses, b.Required = []WitnessConfig{p.config()}, 1
	l := start(t, b, Deps{})
	mustRecord(t, l, statement(1))
	eventually(t, "the log is refused", func() bool {
		s, err := l.Status()
		return err == nil && strings.Contains(s.Witnesses[0].Error, "it has another key for this log")
	})
	b.Origin, b.Dir = "ledger.example/unknown", t.TempDir()
	l = start(t, b, Deps{})
	mustRecord(t, l, statement(1))
	eventually(t, "the log is not known", func() bool {
		s, err := l.Status()
		return err == nil && strings.Contains(s.Witnesses[0].Error, "it does not know this log")
	})
}

func TestANewWitnessSignsALogThatIsThere(t *testing.T) {
	c := quick(t.TempDir())
	l := start(t, c, Deps{})
	recordAll(t, l, 0, 1000, statement)
	published(t, l.Reader, 1000)
	l.stop()
	c, _ = witnessedBy(t, c, 2, 2)
	l = start(t, c, Deps{})
	witnessed(t, l, 1000)
	if _, err := l.Receipt(t.Context(), 3, Witnessed); err != nil {
		t.Error(err)
	}
	mustRecord(t, l, inCase(statement(2000), "x"))
	witnessed(t, l, 1001)
	if got := l.Trust().Required; got != 2 {
		t.Errorf("trust requires %d", got)
	}
}
