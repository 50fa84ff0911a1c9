// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestEveryEventArrivesOnceThoughTheServerIsKilledAgainAndAgain(t *testing.T) {
	dir := t.TempDir()
	srv, url, port := natsServer(t, dir, 0)
	b := openIn(t, "", func(c *Config) { c.URL = url })
	got, _ := reading(t, b, 0)
	p := b.NewPublisher("s", PublisherOptions{Wait: true})
	stop := running(t, p)
	const sources, n = 2, 20_000
	var wg sync.WaitGroup
	for who := range sources {
		wg.Go(func() {
			for i := range n {
				p.Emit(numbered(who, i))
				if i%500 == 0 {
					time.Sleep(20 * time.Millisecond) // so that there is load at each kill
				}
			}
		})
	}
	for round := 1; round <= 5; round++ {
		until(t, "under load", func() bool { return p.Stats().Stored > uint64(round)*4000 })
		srv.kill()
		srv, _, _ = natsServer(t, dir, port)
	}
	wg.Wait()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	until(t, "all read", func() bool { return got.count() >= sources*n })
	got.wantNumbers(t, sources, n)
	if got.missing != 0 || got.events != 0 || got.lost != 0 {
		t.Errorf("%d messages with %d events missing, %d lost", got.missing, got.events, got.lost)
	}
}

func TestEventsWaitWhileTheServerIsAwayAndTheWaitIsShown(t *testing.T) {
	dir := t.TempDir()
	srv, url, port := natsServer(t, dir, 0)
	b := openIn(t, "", func(c *Config) { c.URL = url })
	p := b.NewPublisher("s", PublisherOptions{})
	stop := running(t, p)
	p.Emit(numbered(0, 0))
	until(t, "stored", func() bool { return p.Stats().Stored == 1 })
	srv.kill()
	for i := range 999 {
		p.Emit(numbered(0, i+1))
	}
	until(t, "noticed", func() bool { return p.Stats().LastError != nil })
	if s := p.Stats(); s.Queued != 999 || s.Oldest <= 0 || !errors.Is(s.LastError, ErrAway) {
		t.Errorf("%+v", s)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := b.Check(ctx); err == nil {
		t.Error("Check says that the bus is there")
	}
	if s, err := b.Stats(ctx); err == nil || s.Connected || s.Mode != ModeExternal {
		t.Errorf("%+v, %v", s, err)
	}
	natsServer(t, dir, port)
	until(t, "stored", func() bool { s := p.Stats(); return s.Stored == 1000 && s.LastError == nil })
	until(t, "fine", func() bool { return b.Check(context.Background()) == nil })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	got, _ := reading(t, b, 0)
	until(t, "all read", func() bool { return got.count() == 1000 })
	got.wantNumbers(t, 1, 1000)
}

func TestWhatCannotBeDrainedIsCountedAndNamed(t *testing.T) {
	srv, url, _ := natsServer(t, t.TempDir(), 0)
	b := openIn(t, "", func(c *Config) { c.URL = url })
	p := b.NewPublisher("s", PublisherOptions{})
	srv.kill()
	for i := range 700 {
		p.Emit(numbered(0, i))
	}
	err := running(t, p)()
	if !errors.Is(err, ErrAway) || p.Stats().Lost != 700 || p.Stats().Queued != 0 {
		t.Errorf("%v, %+v", err, p.Stats())
	}
}

func TestAnAcknowledgementThatWasLostLongAgoIsNotPublishedTwice(t *testing.T) {
	b := open(t, nil)
	p := b.NewPublisher("s", PublisherOptions{})
	p.Emit(numbered(0, 0))
	stop := running(t, p)
	until(t, "stored", func() bool { return p.Stats().Stored == 1 })
	_ = stop()
	// The publisher never heard of it, and the server forgot that it has it.
	s, err := b.js.Stream(context.Background(), b.cfg.streamName())
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	c.Duplicates = 100 * time.Millisecond
	if _, err := b.js.UpdateStream(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	body := appendEvent(nil, []byte{0xa1, 0x65, 'c', 'l', 'a', 's', 's', 0x00})
	z := newCompressor()
	unheard := &pending{seq: 1, events: 1, body: body, msg: appendMessage(nil, &header{run: p.run, seq: 1, sensor: "s", events: 1}, body, z)}
	p.mu.Lock()
	p.sent, p.ended, p.bytes, p.stored = []*pending{unheard}, false, int64(len(body)), 0
	p.mu.Unlock()
	p.Emit(numbered(0, 1))
	if err := running(t, p)(); err != nil {
		t.Fatal(err)
	}
	if st, err := b.Stats(context.Background()); err != nil || st.Messages != 2 || p.Stats().Stored != 2 {
		t.Errorf("%+v, %v, %+v", st, err, p.Stats())
	}
}

func TestAReaderIsToldHowManyMessagesWereGivenUpBeforeItCame(t *testing.T) {
	b := open(t, func(c *Config) { c.MaxBytes = minBytes })
	p := b.NewPublisher("s", PublisherOptions{Wait: true})
	stop := running(t, p)
	emit := func(from, to int) {
		for i := from; i < to; i++ {
			e := numbered(0, i)
			e.Message = randomText(2000)
			p.Emit(e)
		}
	}
	emit(0, 1000)
	// A reader that has seen the beginning, goes away, and comes back too late.
	ctx, cancel := context.WithCancel(context.Background())
	hold, in := make(chan struct{}), make(chan struct{})
	goOn := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(func() { goOn(); cancel() })
	got := &seen{}
	done := make(chan error, 1)
	go func() {
		done <- b.Read(ctx, 0, func(ctx context.Context, x Batch) error {
			if len(got.batches) == 0 {
				close(in)
				<-hold
			}
			return got.handle(ctx, x)
		})
	}()
	<-in
	emit(1000, 40_000)
	until(t, "published", func() bool { return p.Stats().Queued == 0 })
	st, err := b.Stats(context.Background())
	if err != nil || st.FirstPos < 50 {
		t.Fatalf("nothing was given up: %+v, %v", st, err)
	}
	goOn()
	until(t, "the end read", func() bool { return got.count() > 0 && lastPos(got) == st.LastPos })
	cancel()
	<-done
	if total := uint64(got.count()) + got.events; total != 40_000 || got.missing == 0 {
		t.Errorf("%d events read and %d missing are %d, want 40000; %d messages missing", got.count(), got.events, total, got.missing)
	}
	// A reader that comes anew with an old position is told first.
	late, _ := reading(t, b, 5)
	until(t, "the end read", func() bool { return late.count() > 0 && lastPos(late) == st.LastPos })
	if x := late.batches[0]; x.Missing != st.FirstPos-6 || x.Pos != st.FirstPos-1 || x.Stream != st.Stream || x.Seq != 0 {
		t.Errorf("first is %+v, the stream begins at %d", x, st.FirstPos)
	}
	if uint64(len(late.batches)) != st.Messages+1 {
		t.Errorf("%d batches, want %d", len(late.batches), st.Messages+1)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func lastPos(s *seen) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.batches[len(s.batches)-1].Pos
}

func randomText(n int) string {
	b := make([]byte, 0, n+32)
	for len(b) < n {
		b = append(b, rand.Text()...)
	}
	return string(b[:n])
}

func TestABatchMissingInARunIsReportedAndOneThatComesTwiceDropped(t *testing.T) {
	b := open(t, nil)
	z := newCompressor()
	run := [runSize]byte{1}
	publish := func(seq, first uint64) {
		body := appendEvent(nil, mustEncode(t, numbered(0, int(first))))
		msg := appendMessage(nil, &header{run: run, seq: seq, first: first, sensor: "s", events: 1}, body, z)
		if _, err := b.js.Publish(context.Background(), "asepsis.events.s.x", msg); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range [][2]uint64{{7, 100}, {8, 101}, {8, 101}, {11, 160}, {9, 102}, {9, 102}, {12, 161}} {
		publish(x[0], x[1])
	}
	got, _ := reading(t, b, 0)
	until(t, "all read", func() bool { return got.count() > 0 && lastPos(got) == 7 })
	var order []uint64
	for _, x := range got.batches {
		order = append(order, x.Seq)
	}
	// 9 comes after all; the second 9 too, since only the last of a gap is known.
	if want := []uint64{7, 8, 0, 11, 9}; len(order) < 6 || !slices.Equal(order[:5], want) || order[len(order)-1] != 12 {
		t.Errorf("order %d", order)
	}
	if x := got.batches[2]; x.Missing != 2 || x.MissingEvents != 58 || x.Sensor != "s" {
		t.Errorf("%+v", x)
	}
	if s, _ := b.Stats(context.Background()); s.Twice == 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsNoBatchIsPassedOverAndCounted(t *testing.T) {
	b := open(t, nil)
	z := newCompressor()
	good := appendMessage(nil, &header{seq: 1, sensor: "s", events: 1}, appendEvent(nil, mustEncode(t, numbered(0, 0))), z)
	cut := good[:len(good)-3]
	flipped := slices.Clone(good)
	flipped[len(flipped)-6] ^= 0xff
	newer := slices.Clone(good)
	newer[3] = 9
	bomb := appendMessage(nil, &header{seq: 1, sensor: "s", events: 1}, make([]byte, maxBatch+1), z)
	bad := [][]byte{nil, []byte("hello"), cut, flipped, newer, bomb}
	for _, m := range append(bad, good) {
		if _, err := b.js.Publish(context.Background(), "asepsis.events.stranger", m); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := reading(t, b, 0)
	until(t, "the good one read", func() bool { return got.count() == 1 })
	if s, err := b.Stats(context.Background()); err != nil || s.Foreign != uint64(len(bad)) {
		t.Errorf("%+v, %v", s, err)
	}
	if got.batches[0].Pos != uint64(len(bad)+1) || got.missing != 0 {
		t.Errorf("%+v", got.batches)
	}
}

func TestAReaderFollowsAStreamThatIsMadeAnew(t *testing.T) {
	b := open(t, nil)
	p := b.NewPublisher("s", PublisherOptions{})
	stop := running(t, p)
	got, _ := reading(t, b, 0)
	p.Emit(numbered(0, 0))
	until(t, "read", func() bool { return got.count() == 1 })
	if err := b.js.DeleteStream(context.Background(), b.cfg.streamName()); err != nil {
		t.Fatal(err)
	}
	p.Emit(numbered(0, 1)) // the publisher makes it anew
	until(t, "read", func() bool { return got.count() == 2 })
	if x, y := got.batches[0], got.batches[len(got.batches)-1]; x.Stream == y.Stream || y.Pos != 1 {
		t.Errorf("%+v\n%+v", x, y)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestPositionsThatWereReadAreNotGivenAgainAfterAPowerCut(t *testing.T) {
	dir := t.TempDir()
	b := openIn(t, dir, nil)
	_ = b.Close()
	// The machine went down: the note of the run is still there, from another boot.
	if err := os.WriteFile(filepath.Join(dir, "running"), []byte("another boot"), 0o600); err != nil {
		t.Fatal(err)
	}
	b = openIn(t, dir, nil)
	emit := func(n int) {
		p := b.NewPublisher("s", PublisherOptions{})
		p.Emit(numbered(0, n))
		if err := running(t, p)(); err != nil {
			t.Fatal(err)
		}
	}
	emit(0)
	got, _ := reading(t, b, 40) // what a reader had stored before
	until(t, "read", func() bool { return got.count() == 1 })
	if got.batches[0].Pos != afterCut+1 || got.missing != 0 {
		t.Errorf("%+v", got.batches)
	}
	// A reader is further still: the server lost more than we thought.
	far, _ := reading(t, b, afterCut+100)
	until(t, "moved", func() bool { s, err := b.Stats(context.Background()); return err == nil && s.LastPos >= afterCut+100 })
	emit(1)
	until(t, "read", func() bool { return far.count() == 1 && got.count() == 2 })
	if s, _ := b.Stats(context.Background()); s.Foreign != 0 {
		t.Errorf("%+v", s)
	}
	_ = b.Close()
	b = openIn(t, dir, nil)
	if s, err := b.Stats(context.Background()); err != nil || s.LastPos != afterCut+101 {
		t.Errorf("moved after an orderly end: %+v, %v", s, err)
	}
}

func TestAHandlersErrorEndsReadAndTheBatchComesAgain(t *testing.T) {
	b := open(t, nil)
	p := b.NewPublisher("s", PublisherOptions{})
	stop := running(t, p)
	p.Emit(numbered(0, 0))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	mine := errors.New("mine")
	for range 2 {
		if err := b.Read(context.Background(), 0, func(context.Context, Batch) error { return mine }); err != mine {
			t.Errorf("got %v", err)
		}
	}
}

func TestASitesEventsReachTheHubOnceAndTheLagIsShown(t *testing.T) {
	hubDir, siteDir := t.TempDir(), t.TempDir()
	token := secretFile(t, "hub-token-of-this-test")
	spec := func(leaf string) string {
		c := Default()
		c.Name, c.Listen, c.LeafListen, c.Sites, c.TokenFile = "hub", "127.0.0.1:0", leaf, []string{"or-east"}, token
		out, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	hub := spawn(t, runBus+"="+spec(net.JoinHostPort("127.0.0.1", strconv.Itoa(unused(t)))), runDir+"="+hubDir)
	listen, leaf := hub.ready[0], hub.ready[1]
	open := func() *Bus {
		return openIn(t, siteDir, func(c *Config) { c.Name, c.Hub, c.HubTokenFile = "or-east", "nats-leaf://"+leaf, token })
	}
	atHub := func() *seen {
		b := openIn(t, "", func(c *Config) { c.Name, c.URL, c.TokenFile = "hub", "nats://"+listen, token })
		s, _ := reading(t, b, 0)
		return s
	}
	site := open()
	lag := func() HubStats {
		s, err := site.Stats(context.Background())
		if err != nil || s.Hub == nil || s.Mode != ModeLeaf {
			t.Fatalf("%+v, %v", s, err)
		}
		return *s.Hub
	}
	n := 0
	emit := func(many int) {
		p := site.NewPublisher("s", PublisherOptions{Wait: true})
		stop := running(t, p)
		for range many {
			p.Emit(numbered(0, n))
			n++
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	emit(5000)
	until(t, "taken over", func() bool { h := lag(); return h.Connected && h.Lag == 0 && h.Oldest.IsZero() })
	got := atHub()
	until(t, "read at the hub", func() bool { return got.count() == n })

	hub.kill()
	emit(5000)
	until(t, "behind", func() bool { h := lag(); return !h.Connected && h.Lag >= 5000/batchEvents && !h.Oldest.IsZero() })
	// The lag is known after a start, too, with the hub still away.
	was := lag().Lag
	_ = site.Close()
	site = open()
	until(t, "behind", func() bool { h := lag(); return !h.Connected && h.Lag == was && !h.Oldest.IsZero() })
	emit(1000)

	hub = spawn(t, runBus+"="+spec(leaf), runDir+"="+hubDir)
	listen = hub.ready[0]
	got = atHub()
	until(t, "read at the hub", func() bool { return got.count() >= n })
	until(t, "taken over", func() bool { h := lag(); return h.Connected && h.Lag == 0 })
	got.wantNumbers(t, 1, n)
	if got.missing != 0 || got.batches[0].Site != "or-east" {
		t.Errorf("%d missing, %+v", got.missing, got.batches[0])
	}
}

func TestAFullDiskFailsTheCheckAndHealsByItself(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a small file system cannot be mounted here: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	b := openIn(t, filepath.Join(dir, "bus"), nil)
	t.Cleanup(func() { _ = b.Close() }) // before the umount
	got, _ := reading(t, b, 0)
	p := b.NewPublisher("s", PublisherOptions{Wait: true})
	stop := running(t, p)
	n := 0
	emit := func(many int) {
		for range many {
			e := numbered(0, n)
			e.Message = randomText(500)
			p.Emit(e)
			n++
		}
	}
	emit(1000)
	until(t, "stored", func() bool { return p.Stats().Stored == 1000 })
	if err := b.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := fill(filler); err == nil {
		t.Fatal("the file system does not fill up")
	}
	emit(20_000)
	until(t, "refused", func() bool { return p.Stats().LastError != nil })
	err := b.Check(context.Background())
	var hint interface{ Hint() string }
	if !errors.Is(err, ErrFull) || !errors.As(err, &hint) || hint.Hint() == "" {
		t.Errorf("Check says %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, "stored", func() bool { return p.Stats().Stored == uint64(n) })
	until(t, "fine", func() bool { return b.Check(context.Background()) == nil })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	until(t, "all read", func() bool { return got.count() >= n })
	got.wantNumbers(t, 1, n)
	if got.missing != 0 {
		t.Errorf("%d messages missing", got.missing)
	}
}

// fill writes until there is no room.
func fill(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 4096)
	for range 1 << 16 {
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	return nil
}

func TestAnExternalStreamThatIsKeptOtherwiseIsRefused(t *testing.T) {
	_, url, _ := natsServer(t, t.TempDir(), 0)
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, _ := jetstream.New(nc)
	if _, err := js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "asepsis-events", Subjects: []string{"asepsis.events.>"}, Retention: jetstream.WorkQueuePolicy}); err != nil {
		t.Fatal(err)
	}
	cfg := Default()
	cfg.URL = url
	_, err = Open(context.Background(), cfg, Deps{})
	var hint interface{ Hint() string }
	if err == nil || !errors.As(err, &hint) || hint.Hint() == "" {
		t.Errorf("got %v", err)
	}
}
