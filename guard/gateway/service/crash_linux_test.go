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
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Environment of the child process that is a gateway.
const (
	childDir  = "ASEPSIS_TEST_GATEWAY_DIR"
	childPort = "ASEPSIS_TEST_GATEWAY_PORT"
	childTo   = "ASEPSIS_TEST_GATEWAY_TO"
	childBack = "ASEPSIS_TEST_GATEWAY_BACK"
)

// childConfig is the child's gateway: plain, so that it needs no authority, and for a disk of a few megabytes.
func childConfig(dir, port, to, callback string) (Config, error) {
	cfg, err := configOf(to, dir, control.Binding{Device: "us-old", Plain: true, CallingAE: []string{"US1"}, Addresses: []string{"127.0.0.1"}, Operations: []string{"echo", "store", "commitment"}})
	cfg.Listeners = []gateway.Listener{{Kind: gateway.KindPlain, Listen: "127.0.0.1:" + port}}
	cfg.Query.Callbacks = []query.Callback{{Device: "us-old", AE: "US1", Address: "127.0.0.1:" + callback}}
	j := &cfg.Journal
	j.Segment, j.Retain, j.Log, j.Reserve, j.Stop, j.Warn = config.MiB, config.MiB, 4*config.MiB, config.MiB, stopFree, stopFree+config.MiB
	cfg.Ledger.WriteAhead, cfg.Ledger.Reserve = 4*config.MiB, config.MiB
	return cfg, err
}

// TestMain is a gateway where the environment says so.
func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := child(dir, os.Getenv(childPort), os.Getenv(childTo), os.Getenv(childBack)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(dir, port, to, back string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, err := childConfig(dir, port, to, back)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := New(ctx, cfg, Deps{Data: dir, Key: testKey(&testing.T{}), Site: "site-north", Software: "asepsis/gateway test", Log: log})
	if err != nil {
		return err
	}
	defer s.Close()
	if r := s.Journal().Recovery(); r.Lost > 0 || r.Missing > 0 {
		return fmt.Errorf("the journal was opened with %+v", r)
	}
	return lifecycle.Run(ctx, log, s.Rooms()...)
}

// gatewayProcess is a gateway that can be killed.
type gatewayProcess struct {
	t                   testing.TB
	dir, port, to, back string

	mu  sync.Mutex
	cmd *exec.Cmd
	out gatewaytest.Output
}

func (g *gatewayProcess) start() {
	g.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childDir+"="+g.dir, childPort+"="+g.port, childTo+"="+g.to, childBack+"="+g.back)
	cmd.Stdout, cmd.Stderr = &g.out, &g.out
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	g.cmd = cmd
	g.mu.Unlock()
	gatewaytest.Until(g.t, "the gateway to listen", func() bool {
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

// wards are modalities that send instances until each was acknowledged.
type wards struct {
	t    testing.TB
	port string
	size int

	mu           sync.Mutex
	acknowledged map[string]bool
	refused      map[string]int // by the gateway's words
}

func (w *wards) count() (acknowledged, refused int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.refused {
		refused += n
	}
	return len(w.acknowledged), refused
}

func (w *wards) dialer() *dicomnet.Dialer {
	return &dicomnet.Dialer{CallingAE: "US1", CalledAE: "ASEPSIS", Contexts: []dicomnet.Proposal{{AbstractSyntax: gatewaytest.CTStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}},
		{AbstractSyntax: dicom.UIDStorageCommitmentPush, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}},
		Timeouts: dicomnet.Timeouts{Connect: time.Second, Associate: 5 * time.Second, Response: 20 * time.Second, Close: time.Second}}
}

// send is one modality.
func (w *wards) send(ctx context.Context, uids <-chan string) error {
	d := w.dialer()
	var a *dicomnet.Association
	defer func() {
		if a != nil {
			_ = a.Release(context.WithoutCancel(ctx))
		}
	}()
	for uid := range uids {
		data := gatewaytest.Image(w.t, uid, "FICT-0001", w.size)
		for {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if a == nil || !a.Usable() {
				var err error
				if a, err = d.Dial(ctx, "127.0.0.1:"+w.port); err != nil {
					a = nil
					time.Sleep(20 * time.Millisecond) // a modality waits, too
					continue
				}
			}
			status, err := a.Store(ctx, dicomnet.Instance{SOPClass: gatewaytest.CTStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data)})
			if err == nil && status == 0 {
				w.mu.Lock()
				w.acknowledged[uid] = true
				w.mu.Unlock()
				break
			}
			var refused *dicomnet.StatusError
			if errors.As(err, &refused) {
				if refused.Status != 0xA700 {
					return err // anything but "try again" is a defect
				}
				w.mu.Lock()
				w.refused[refused.Comment]++
				w.mu.Unlock()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return nil
}

// uidOf is the n-th instance's.
func uidOf(n int) string { return "1.2.3." + strconv.Itoa(n+1) }

// TestNothingThatWasAcknowledgedIsLost sends instances through a gateway that is killed again and again, to a
// processor that is away half of the time, and that is killed, too; and fills the gateway's disk once.
func TestNothingThatWasAcknowledgedIsLost(t *testing.T) {
	instances, kills, size, disk := 240, 3, 256, 160
	if os.Getenv("ASEPSIS_TEST_SLOW") != "" {
		instances, kills, size, disk = 10_000, 20, 100, 1024
	}
	began := time.Now()
	x := gatewaytest.NewStoreSCP(t, "XR1")
	up := func() { x.Up("--fork", "+uf") } // several associations at a time, and every delivery is a file of its own
	m := listen(t)
	g := &gatewayProcess{t: t, dir: smallDisk(t, disk), port: gatewaytest.FreePort(t), to: x.Port, back: m.port}
	g.start()
	t.Cleanup(func() {
		g.end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("the gateway said:\n%.8000s", &g.out)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	w := &wards{t: t, port: g.port, size: size, acknowledged: map[string]bool{}, refused: map[string]int{}}
	uids := make(chan string)
	failed := make(chan error, 4)
	for range cap(failed) {
		go func() { failed <- w.send(ctx, uids) }()
	}
	sent := make(chan struct{})
	more := make(chan int, kills+2)
	go func() {
		defer close(sent)
		defer close(uids)
		may := 0
		for n := range instances {
			for n >= may {
				select {
				case to := <-more:
					may = max(may, to)
				case <-ctx.Done():
					return
				}
			}
			select {
			case uids <- uidOf(n):
			case <-ctx.Done():
				return
			}
		}
	}()
	downs, share := 0, instances/kills
	for k := range kills {
		more <- (k + 1) * share
		if k%2 == 1 {
			up()
		} else {
			x.Down()
			downs++
		}
		at := k*share + share/4 + rand.N(share/2)
		gatewaytest.Until(t, "the gateway to get on", func() bool { n, _ := w.count(); return n >= at })
		if k == kills/4*2 { // the processor is away: nothing makes room
			fillTheDisk(t, g, w, m, func() {
				n, _ := w.count()
				more <- min(n+24<<20/(2*size*size), instances) // more than the journal has begun files for
			})
		}
		g.end(syscall.SIGKILL)
		g.start()
	}
	more <- instances
	<-sent
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(began)
	x.Down()
	up()
	await(t, x.Dir, instances)
	g.end(syscall.SIGTERM)
	x.Down()
	got := arrivals(t, x.Dir)
	twice := 0
	for n := range instances {
		a := got[uidOf(n)]
		if a == nil || len(a.files) == 0 {
			t.Errorf("%s was acknowledged, and did not arrive", uidOf(n))
			continue
		}
		if want := gatewaytest.Image(t, uidOf(n), "FICT-0001", size); !bytes.Equal(a.data, want) {
			t.Errorf("%s arrived with %d bytes that are not the %d that were sent", uidOf(n), len(a.data), len(want))
		}
		twice += len(a.files) - 1
	}
	if len(got) != instances {
		t.Errorf("%d instances arrived, %d were sent", len(got), instances)
	}
	// What may come twice is what was being sent, or written down, when one side was killed.
	if most := (kills+1)*inDoubt + downs*forward.DefaultDestination().Associations; twice > most {
		t.Errorf("%d came twice, more than %d", twice, most)
	}
	receipts := examine(t, g, m, got)
	_, refused := w.count()
	t.Logf("%d instances, %d kills, the disk full once: sent in %.1f s, all over in %.1f s; %d refused with A700 (%v); %d arrived twice; %d receipts verify", instances, kills+1, took.Seconds(), time.Since(began).Seconds(), refused, w.refused, twice, receipts)
}

// inDoubt is how many deliveries a gateway may have made, or be making, and not have noted: one of each association, and
// what waits for ledger and journal.
const inDoubt = 2 + 5*32
