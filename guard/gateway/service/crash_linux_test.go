// SPDX-License-Identifier: Apache-2.0

package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Environment of the child process that is a gateway.
const (
	childDir  = "ASEPSIS_TEST_GATEWAY_DIR"
	childPort = "ASEPSIS_TEST_GATEWAY_PORT"
	childTo   = "ASEPSIS_TEST_GATEWAY_TO"
)

// childConfig is the child's gateway: plain, so that it needs no authority.
func childConfig(dir, port, to string) (Config, error) {
	cfg, err := configOf(to, dir, bindings()...)
	cfg.Listeners = []gateway.Listener{{Kind: gateway.KindPlain, Listen: "127.0.0.1:" + port}}
	cfg.Forward.Destinations[0].Attempts, cfg.Forward.Destinations[0].Age = 0, 24*time.Hour
	return cfg, err
}

// TestMain is a gateway where the environment says so.
func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := child(dir, os.Getenv(childPort), os.Getenv(childTo)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(dir, port, to string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, err := childConfig(dir, port, to)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := New(ctx, cfg, Deps{Data: dir, Key: testKey(&testing.T{}), Site: "site-north", Software: "asepsis/gateway test", Log: log})
	if err != nil {
		return err
	}
	defer s.Close()
	return lifecycle.Run(ctx, log, s.Rooms()...)
}

// gatewayProcess is a gateway that can be killed.
type gatewayProcess struct {
	t             testing.TB
	dir, port, to string

	mu  sync.Mutex
	cmd *exec.Cmd
	out *output
}

func (g *gatewayProcess) start() {
	g.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childDir+"="+g.dir, childPort+"="+g.port, childTo+"="+g.to)
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	g.cmd, g.out = cmd, out
	g.mu.Unlock()
	until(g.t, "the gateway to listen", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+g.port)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func (g *gatewayProcess) end(s syscall.Signal) {
	g.mu.Lock()
	cmd := g.cmd
	g.cmd = nil
	g.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(s)
	_ = cmd.Wait()
}

// sender sends instances until each was acknowledged, as a modality does.
func sender(ctx context.Context, t testing.TB, port string, uids <-chan string, size int) error {
	d := &dicomnet.Dialer{CallingAE: "US1", CalledAE: "ASEPSIS", Contexts: []dicomnet.Proposal{{AbstractSyntax: ctStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}},
		Timeouts: dicomnet.Timeouts{Connect: time.Second, Associate: 5 * time.Second, Response: 20 * time.Second, Close: time.Second}}
	var a *dicomnet.Association
	defer func() {
		if a != nil {
			_ = a.Release(context.WithoutCancel(ctx))
		}
	}()
	for uid := range uids {
		data := image(t, uid, size)
		for {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if a == nil || !a.Usable() {
				var err error
				if a, err = d.Dial(ctx, "127.0.0.1:"+port); err != nil {
					a = nil
					time.Sleep(20 * time.Millisecond) // a modality waits, too
					continue
				}
			}
			status, err := a.Store(ctx, dicomnet.Instance{SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data)})
			if err == nil && status == 0 {
				break
			}
			var refused *dicomnet.StatusError
			if errors.As(err, &refused) && refused.Status>>8 != 0xA7 {
				return err // anything but "try again" is a defect
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return nil
}

// TestNothingThatWasAcknowledgedIsLostWhenTheGatewayIsKilled sends instances through a gateway that
// is killed again and again, to a processor that is away half of the time.
func TestNothingThatWasAcknowledgedIsLostWhenTheGatewayIsKilled(t *testing.T) {
	instances, kills, size, between := 120, 3, 16, 300*time.Millisecond
	if os.Getenv("ASEPSIS_TEST_SLOW") != "" {
		instances, kills, size, between = 10_000, 20, 100, 3*time.Second
	}
	x := newProcessor(t)
	g := &gatewayProcess{t: t, dir: t.TempDir(), port: freePort(t), to: x.port}
	g.start()
	t.Cleanup(func() {
		g.end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("the gateway said:\n%.4000s", g.out)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	uids := make(chan string)
	failed := make(chan error, 4)
	var sending sync.WaitGroup
	for range 4 {
		sending.Go(func() { failed <- sender(ctx, t, g.port, uids, size) })
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range instances {
			uids <- "1.2.3." + strconv.Itoa(i+1)
		}
		close(uids)
		sending.Wait()
	}()
	for k := range kills {
		if k%2 == 0 {
			x.up()
		} else {
			x.down()
		}
		select {
		case <-time.After(between/2 + rand.N(between)):
		case <-sent:
		}
		g.end(syscall.SIGKILL)
		g.start()
	}
	<-sent
	for range 4 {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	x.down()
	x.up()
	limit := time.Now().Add(5 * time.Minute)
	for x.files() < instances && time.Now().Before(limit) {
		time.Sleep(50 * time.Millisecond)
	}
	until(t, "the last of them to be whole", func() bool { return len(x.received()) == instances })
	g.end(syscall.SIGTERM)
	got := x.received()
	for i := range instances {
		uid := "1.2.3." + strconv.Itoa(i+1)
		if !bytes.Equal(got[uid], image(t, uid, size)) {
			t.Fatalf("%s was acknowledged, and %d of %d bytes of it arrived", uid, len(got[uid]), len(image(t, uid, size)))
		}
	}
	examine(t, g, instances)
}

// examine opens journal and ledger of the gateway that was killed, and finds each instance once, with its receipts.
func examine(t *testing.T, g *gatewayProcess, instances int) {
	cfg, err := childConfig(g.dir, "0", g.to)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), cfg, Deps{Data: g.dir, Key: testKey(t), Site: "site-north", Software: "asepsis/gateway test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- lifecycle.Run(ctx, slog.New(slog.DiscardHandler), s.Rooms()...) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.Close()
	}()
	all := func() []instance.Record {
		var out []instance.Record
		for before := uint64(0); ; {
			list, err := s.Journal().List(t.Context(), instance.Query{Before: before, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, list...)
			if len(list) < 1000 {
				return out
			}
			before = list[len(list)-1].Number
		}
	}
	settled := func(r instance.Record) bool {
		return r.State == instance.Accepted && len(r.Deliveries) == 1 && r.Deliveries[0].State == instance.Delivered &&
			slices.Contains(kinds(&r), string(custody.Received)) && slices.Contains(kinds(&r), string(custody.Forwarded))
	}
	until(t, "every debt to be paid", func() bool { return !slices.ContainsFunc(all(), func(r instance.Record) bool { return !settled(r) }) })
	seen := map[string]int{}
	var last uint64
	for _, r := range all() {
		seen[r.SOPInstance]++
		for _, e := range r.Entries {
			last = max(last, e.Index)
			x, err := s.ledger.Entry(e.Index)
			if err != nil || string(x.Statement.Kind()) != e.Kind || x.Statement.Subject[0].Digest["sha256"] != r.DataSet {
				t.Fatalf("entry %d of %s: %v, %+v", e.Index, r.SOPInstance, err, x.Statement)
			}
		}
	}
	if len(seen) != instances {
		t.Errorf("%d of %d instances are in the journal", len(seen), instances)
	}
	for uid, n := range seen {
		if n != 1 {
			t.Errorf("%s is there %d times", uid, n)
		}
	}
	until(t, "the newest receipt", func() bool {
		_, err := s.ledger.Receipt(t.Context(), last, ledger.Published)
		return err == nil
	})
	if _, err := os.Stat(filepath.Join(g.dir, "gateway", "ledger")); err != nil {
		t.Error(err)
	}
}
