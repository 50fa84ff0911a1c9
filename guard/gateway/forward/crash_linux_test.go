// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/wire/dicom"
)

// childEnv makes the test binary a gateway's back: it fills the journal from a number on, forwards,
// and says what it has acknowledged, until it is killed.
const childEnv = "ASEPSIS_FORWARD_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir, os.Getenv(childEnv+"_PORT")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func crashJournal(dir string) journal.Config {
	c := journal.Default()
	c.Dir, c.Segment, c.Log, c.Reserve, c.Retention = filepath.Join(dir, "journal"), 4*config.MiB, 2*config.MiB, 1*config.MiB, 0
	c.Warn, c.Stop = 24*config.MiB, 16*config.MiB
	return c
}

func crashDestination(port string) Destination {
	d := quick("pacs", port)
	d.Attempts = -1
	return d
}

func child(dir, port string) error {
	j, err := journal.New(crashJournal(dir), journal.Deps{})
	if err != nil {
		return err
	}
	lc := ledger.Default()
	lc.Dir, lc.Reserve = filepath.Join(dir, "ledger"), 0
	l, err := ledger.New(lc, ledger.Deps{})
	if err != nil {
		return err
	}
	cfg := Default()
	cfg.Destinations = []Destination{crashDestination(port)}
	cfg.Routes = []Route{{Name: "all", To: []string{"pacs"}}}
	cfg.LedgerRetry = 20 * time.Millisecond
	f, err := New(cfg, Deps{Vault: j, Ledger: l, LedgerReady: l.Ready, Dir: filepath.Join(dir, "forward"), Name: "gateway-or-3"})
	if err != nil {
		return err
	}
	ctx := context.Background()
	go func() { _ = j.Run(ctx) }()
	go func() { _ = l.Run(ctx) }()
	go func() {
		if err := f.Run(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}()
	if r := j.Recovery(); r.Lost > 0 || r.Missing > 0 {
		return fmt.Errorf("%+v", r)
	}
	// Numbers of instances to be brought come one a line.
	var wg sync.WaitGroup
	work := make(chan int)
	for range 4 {
		wg.Go(func() {
			for n := range work {
				for err := bring(ctx, j, f, n); err != nil; err = bring(ctx, j, f, n) { // a sender tries again
					if !errors.Is(err, instance.ErrFull) {
						panic(err)
					}
					fmt.Println("full")
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			return err
		}
		work <- n
	}
	close(work)
	wg.Wait()
	select {} // until it is killed
}

func crashData(n int) ([]byte, string) {
	return dataset(nobody{}, n, 8+n%40*32, ctStorage, dicom.ExplicitVRLittleEndian)
}

// nobody stands for a test where there is none.
type nobody struct{ testing.TB }

func (nobody) Helper()           {}
func (nobody) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func bring(ctx context.Context, j *journal.Journal, f *Forwarder, n int) error {
	data, uid := crashData(n)
	if list, err := j.BySOP(ctx, uid); err != nil {
		return err
	} else if len(list) > 0 { // acknowledged before a kill, and sent again: there already
		fmt.Printf("have %d %d\n", n, list[0].Number)
		return nil
	}
	r := instance.Record{State: instance.Accepted, Received: time.Now(), SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian,
		Study: fmt.Sprint("1.2.3.", n/10), DataSet: digestOf(data), Sender: instance.Sender{Way: instance.DIMSE, Device: "ct-1", CallingAE: "CT_1", Association: "a"}}
	r.Deliveries = f.Route(r, instance.Arrival{At: r.Received}, instance.Header{})
	d, err := j.Create(ctx)
	if err != nil {
		return err
	}
	if _, err := d.Write(data); err != nil {
		d.Discard()
		return err
	}
	out, err := d.Seal(ctx, r)
	if err != nil {
		return err
	}
	fmt.Printf("have %d %d\n", n, out.Number)
	return nil
}

// gatewayBack is a child at work.
type gatewayBack struct {
	cmd  *exec.Cmd
	done chan struct{}
	have atomic.Int64
	full atomic.Int64
}

// TestEveryAcknowledgedInstanceArrivesThroughKillsAndFailures brings instances while the gateway's back is killed
// over and over, the destination is away half of the time, and the disk is full once.
func TestEveryAcknowledgedInstanceArrivesThroughKillsAndFailures(t *testing.T) {
	instances, kills := 300, 3
	if os.Getenv("ASEPSIS_TEST_SLOW") != "" {
		instances, kills = 10000, 20
	}
	dir := t.TempDir()
	mounted := true
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=128m"); err != nil {
		mounted = false
		t.Logf("a small file system cannot be mounted here (%v): the disk does not become full", err)
	} else {
		t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
	}
	port := gatewaytest.FreePort(t)
	var peers []*scp
	var mu sync.Mutex
	acknowledged := map[int]bool{}
	start := func() *gatewayBack {
		g := &gatewayBack{cmd: exec.Command(os.Args[0], "-test.run=^$"), done: make(chan struct{})}
		g.cmd.Env = append(os.Environ(), childEnv+"="+dir, childEnv+"_PORT="+port)
		in, err := g.cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := g.cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		g.cmd.Stderr = os.Stderr
		if err := g.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = g.cmd.Process.Kill() })
		go func() { // a sender: it sends again what was not acknowledged
			defer in.Close()
			for n := range instances {
				mu.Lock()
				skip := acknowledged[n]
				mu.Unlock()
				if !skip {
					if _, err := fmt.Fprintln(in, n); err != nil {
						return
					}
				}
			}
		}()
		go func() {
			defer close(g.done)
			for lines := bufio.NewScanner(out); lines.Scan(); {
				var n int
				var number uint64
				if lines.Text() == "full" {
					g.full.Add(1)
				}
				if _, err := fmt.Sscanf(lines.Text(), "have %d %d", &n, &number); err == nil {
					mu.Lock()
					acknowledged[n] = true
					mu.Unlock()
					g.have.Add(1)
				}
			}
		}()
		return g
	}
	stop := func(g *gatewayBack) {
		_ = g.cmd.Process.Kill() // SIGKILL
		<-g.done
		_ = g.cmd.Wait()
	}
	up := func() *scp { s := newSCP(t, port); peers = append(peers, s); return s }
	arrived := func() int {
		all := map[string]bool{}
		for _, p := range peers {
			for _, a := range p.list() {
				all[a.uid] = true
			}
		}
		return len(all)
	}
	for round := range kills {
		g := start()
		var peer *scp
		if round%2 == 1 {
			peer = up()
		}
		before, least := arrived(), (instances/kills)/2
		if round == kills/2&^1 && mounted { // the destination is away: nothing makes room
			// Something else fills the disk, under way
			gatewaytest.Until(t, "the gateway begins", func() bool { return int(g.have.Load()) >= least/4 || g.full.Load() > 0 })
			if err := fill(filepath.Join(dir, "others")); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Until(t, "instances are refused", func() bool { return g.full.Load() > 0 })
			if err := os.Remove(filepath.Join(dir, "others")); err != nil {
				t.Fatal(err)
			}
		}
		gatewaytest.Until(t, "the gateway gets on", func() bool {
			mu.Lock()
			all := len(acknowledged) == instances
			mu.Unlock()
			if peer != nil {
				return all && arrived() == instances || arrived()-before >= least
			}
			return all || int(g.have.Load()) >= least || g.full.Load() > 0 // what waits has filled the disk
		})
		stop(g)
		if peer != nil {
			peer.stop()
		}
	}
	g := start()
	peer := up()
	last, since := arrived(), time.Now()
	for last < instances {
		if n := arrived(); n > last {
			last, since = n, time.Now()
		} else if time.Since(since) > gatewaytest.Patience {
			stop(g)
			undelivered(t, dir)
			t.Fatalf("%d of %d arrived, %d were acknowledged", last, instances, len(acknowledged))
		}
		time.Sleep(5 * time.Millisecond)
	}
	waits := func() bool { // until the last is written down
		st, err := os.Stat(filepath.Join(dir, "forward", "sending"))
		if err != nil || st.Size() == 0 {
			return false
		}
		b, err := os.ReadFile(filepath.Join(dir, "forward", "sending"))
		for _, x := range b {
			if x != 0 {
				return false
			}
		}
		return err == nil
	}
	gatewaytest.Until(t, "nothing is being sent", waits)
	stop(g)
	peer.stop()

	times := map[string]int{}
	for n := range instances {
		if !acknowledged[n] {
			t.Errorf("instance %d was never acknowledged", n)
		}
	}
	want := map[string]string{}
	for n := range instances {
		data, uid := crashData(n)
		want[uid] = digestOf(data)
	}
	for _, p := range peers {
		for _, a := range p.list() {
			if times[a.uid]++; digestOf(a.data) != want[a.uid] {
				t.Fatalf("%s arrived with other bytes", a.uid)
			}
		}
	}
	twice := 0
	for uid := range want {
		if times[uid] == 0 {
			t.Errorf("%s did not arrive", uid)
		}
		twice += times[uid] - 1
	}
	// What may come twice is what was being sent, or written down, at a kill.
	if most := (kills + 1) * (DefaultDestination().Associations + 4*bookers + bookers); twice > most {
		t.Errorf("%d came again, more than %d", twice, most)
	}
	t.Logf("%d instances, %d kills: %d came twice", instances, kills, twice)
	j, err := journal.New(crashJournal(dir), journal.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if r := j.Recovery(); r.Lost > 0 || r.Missing > 0 {
		t.Errorf("%+v", r)
	}
	reader, err := ledger.OpenReader(filepath.Join(dir, "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	unknown, owed := 0, 0
	for uid := range want {
		list, err := j.BySOP(t.Context(), uid)
		if err != nil || len(list) != 1 {
			t.Fatalf("%s: %d records, %v", uid, len(list), err)
		}
		r := list[0]
		if r.Deliveries[0].State == instance.Waiting { // sent, and not yet written down at the last kill
			unknown++
			continue
		}
		if r.Deliveries[0].State != instance.Delivered || r.Deliveries[0].Forwarded != want[uid] {
			t.Errorf("%+v", r)
		}
		for _, x := range r.Entries {
			e, err := reader.Entry(x.Index)
			if err != nil || e.Statement.Kind() != custody.Forwarded || e.Statement.Subject[0].Digest["sha256"] != want[uid] {
				t.Errorf("%s: entry %d: %v", uid, x.Index, err)
			}
		}
		if len(r.Entries) == 0 {
			if owed++; r.Deliveries[0].Next.IsZero() {
				t.Errorf("%s: the ledger was not told and is not owed", uid)
			}
		}
	}
	if unknown > 0 || owed > 5*bookers {
		t.Errorf("%d deliveries are not written down, and of %d the ledger was not told", unknown, owed)
	}
}

// undelivered says what the journal has of instances that did not arrive.
func undelivered(t *testing.T, dir string) {
	j, err := journal.New(crashJournal(dir), journal.Deps{})
	if err != nil {
		t.Error(err)
		return
	}
	defer j.Close()
	t.Logf("%+v, %+v", j.Recovery(), j.Counts())
	for _, s := range []instance.DeliveryState{instance.Waiting, instance.Dead, instance.Dropped} {
		list, err := j.List(t.Context(), instance.Query{Delivery: s, Limit: 5})
		for _, r := range list {
			t.Logf("instance %d, %s: %+v", r.Number, r.SOPInstance, r.Deliveries[0])
			if c, err := j.Open(t.Context(), r.Number); err != nil {
				t.Logf("its bytes: %v", err)
			} else {
				c.Close()
			}
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// fill takes what is left of a disk.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 64<<10)
	for n := 0; n < 1<<30; n += len(b) {
		if _, err := f.Write(b); errors.Is(err, unix.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return errors.New("the disk is too large to be filled")
}

var _ dicomnet.Handler = (*scp)(nil)
