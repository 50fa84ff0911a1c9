// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEventsOfEachGoroutineAreReadInTheOrderOfEmit(t *testing.T) {
	b := open(t, nil)
	got, _ := reading(t, b, 0)
	const sources, n = 4, 5000
	var wg sync.WaitGroup
	p := b.NewPublisher("or-3 span.east", PublisherOptions{Wait: true})
	stop := running(t, p)
	for who := range sources {
		wg.Go(func() {
			for i := range n {
				p.Emit(numbered(who, i))
			}
		})
	}
	wg.Wait()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if s := p.Stats(); s.Events != sources*n || s.Stored != s.Events || s.Lost+s.Queued+s.Unacked != 0 || s.QueuedBytes != 0 {
		t.Errorf("%+v", s)
	}
	until(t, "all read", func() bool { return got.count() == sources*n })
	got.wantNumbers(t, sources, n)
	id, err := b.Stream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range got.batches {
		if x.Stream != id || x.Pos != uint64(i+1) || x.Seq != uint64(i+1) || x.Sensor != "or-3 span.east" || x.Site != "asepsis" || x.Lost != 0 || time.Since(x.Published) > time.Hour {
			t.Fatalf("batch %d: %+v", i, x)
		}
	}
	s, err := b.Stats(context.Background())
	if err != nil || s.Messages != uint64(len(got.batches)) || s.Mode != ModeEmbedded || !s.Connected || s.Hub != nil || s.Last.Before(s.First) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestAReaderGoesOnAfterTheGivenPosition(t *testing.T) {
	dir := t.TempDir()
	b := openIn(t, dir, nil)
	p := b.NewPublisher("s", PublisherOptions{Wait: true})
	stop := running(t, p)
	for i := range 3000 {
		p.Emit(numbered(0, i))
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	first, stopFirst := reading(t, b, 0)
	until(t, "all read", func() bool { return first.count() == 3000 })
	stopFirst()
	id, _ := b.Stream(context.Background())
	_ = b.Close()

	b = openIn(t, dir, nil)
	if again, err := b.Stream(context.Background()); err != nil || again != id {
		t.Errorf("the identity of the stream changed with a start: %s, %s, %v", id, again, err)
	}
	half := first.batches[len(first.batches)/2].Pos
	pending, err := b.Pending(context.Background(), half)
	if err != nil || pending.Messages != uint64(len(first.batches))-half || !pending.Oldest.Equal(first.batches[half].Published) {
		t.Errorf("%+v, %v", pending, err)
	}
	second, _ := reading(t, b, half)
	want := first.uids[slices.Index(first.uids, "0-0")+int(first.batches[half].First):]
	until(t, "the rest read", func() bool { return second.count() >= len(want) })
	if !slices.Equal(second.uids, want) || second.missing != 0 {
		t.Errorf("%d events, want %d; %d missing", len(second.uids), len(want), second.missing)
	}
	if pending, err := b.Pending(context.Background(), second.batches[len(second.batches)-1].Pos); err != nil || pending != (Pending{}) {
		t.Errorf("nothing is pending, but: %+v, %v", pending, err)
	}
}

func TestAQueueThatIsFullGivesUpTheOldestAndCounts(t *testing.T) {
	b := open(t, nil)
	p := b.NewPublisher("s", PublisherOptions{QueueBytes: 1 << 20})
	const n = 50_000 // nobody publishes yet
	for i := range n {
		p.Emit(numbered(0, i))
	}
	s := p.Stats()
	if s.Lost == 0 || s.Queued+s.Lost != n || s.QueuedBytes > 1<<20 || s.Oldest <= 0 {
		t.Errorf("%+v", s)
	}
	stop := running(t, p)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	got, _ := reading(t, b, 0)
	until(t, "the rest read", func() bool { return got.count() == int(s.Queued) })
	if last := got.uids[len(got.uids)-1]; last != numbered(0, n-1).UID {
		t.Errorf("the newest was given up: %s is last", last)
	}
	if got.lost != s.Lost {
		t.Errorf("readers are told of %d, not of %d", got.lost, s.Lost)
	}
}

func TestLossAtTheEndIsToldWithoutFurtherEvents(t *testing.T) {
	b := open(t, nil)
	p := b.NewPublisher("s", PublisherOptions{})
	stop := running(t, p)
	got, _ := reading(t, b, 0)
	p.Emit(numbered(0, 0))
	until(t, "published", func() bool { return p.Stats().Stored == 1 })
	big := numbered(0, 1)
	big.Message = strings.Repeat("x", maxPayload)
	p.Emit(big)
	until(t, "told", func() bool { got.mu.Lock(); defer got.mu.Unlock(); return got.lost == 1 })
	if s := p.Stats(); s.Lost != 1 || s.LastError == nil {
		t.Errorf("%+v", s)
	}
	p.Emit(numbered(0, 2))
	until(t, "what follows read", func() bool { return got.count() == 2 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestEmitWaitsForRoomWhenAskedAndLosesNothing(t *testing.T) {
	b := open(t, nil)
	p := b.NewPublisher("files", PublisherOptions{Wait: true, QueueBytes: 256 << 10})
	const n = 20_000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			p.Emit(numbered(0, i))
		}
	}()
	until(t, "full", func() bool { return p.Stats().QueuedBytes > 250<<10 })
	select {
	case <-done:
		t.Fatal("Emit did not wait")
	default:
	}
	stop := running(t, p)
	<-done
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	got, _ := reading(t, b, 0)
	until(t, "all read", func() bool { return got.count() == n })
	got.wantNumbers(t, 1, n)
	if s := p.Stats(); s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}

func TestEmitNeverWaitsForAPublisherThatHasEnded(t *testing.T) {
	b := open(t, nil)
	p := b.NewPublisher("files", PublisherOptions{Wait: true, QueueBytes: 64 << 10})
	stop := running(t, p)
	_ = stop()
	for i := range 5000 {
		p.Emit(numbered(0, i))
	}
	if s := p.Stats(); s.Lost != 5000 {
		t.Errorf("%+v", s)
	}
}

func TestClosingDrainsPublishersAndLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	b, err := Open(context.Background(), Default(), Deps{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	p := b.NewPublisher("s", PublisherOptions{})
	ran := make(chan error, 1)
	go func() { ran <- p.Run(context.Background()) }()
	read := make(chan error, 1)
	got := &seen{}
	go func() { read <- b.Read(context.Background(), 0, got.handle) }()
	if _, err := b.Serve("x.y", func(context.Context, []byte) ([]byte, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Listen("x.y", func([]byte) {}); err != nil {
		t.Fatal(err)
	}
	p.Emit(numbered(0, 0))
	until(t, "read", func() bool { return got.count() == 1 })
	for i := range 2000 {
		p.Emit(numbered(0, i+1))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := <-read; !errors.Is(err, ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	if s := p.Stats(); s.Stored != 2001 {
		t.Errorf("%+v", s)
	}
	if err := b.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	again, err := Open(context.Background(), Default(), Deps{Dir: dir})
	if err != nil {
		t.Fatalf("the directory is still in use: %v", err)
	}
	_ = again.Close()
	until(t, "without goroutines of its own", func() bool { return runtime.NumGoroutine() <= before })
}
