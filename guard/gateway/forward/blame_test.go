// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// breaking is a destination that breaks off, over every instance or over one.
type breaking struct {
	mu     sync.Mutex
	over   string // SOP instance; "": all
	mended bool
	broken int
}

func (d *breaking) Send(_ context.Context, i *Item) (Answer, error) {
	if _, err := io.Copy(io.Discard, i.Data); err != nil {
		return Answer{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mended || d.over != "" && i.SOPInstance != d.over {
		return Answer{}, nil
	}
	d.broken++
	return Answer{}, errors.New("the connection was reset")
}

func (d *breaking) Close() error { return nil }

func (d *breaking) times() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.broken
}

func TestADestinationThatBreaksOffOverEverythingGivesNobodyUp(t *testing.T) {
	b := newBench(t)
	peer := &breaking{}
	b.deps.Open = func(Destination) (Sender, error) { return peer, nil }
	d := quick("pacs", "104")
	d.Attempts = 3
	b.start(d)
	first, second := b.bring(1), b.bring(2)
	gatewaytest.Until(t, "it has broken off often", func() bool { return peer.times() > 20 })
	for _, r := range []instance.Record{first, second} {
		if d := b.get(r.Number).Deliveries[0]; d.State != instance.Waiting || d.Attempts > 1 {
			t.Errorf("%+v", d)
		}
	}
	peer.mu.Lock()
	peer.mended = true
	peer.mu.Unlock()
	b.becomes(first.Number, instance.Delivered)
	b.becomes(second.Number, instance.Delivered)
}

func TestAnInstanceOverWhichADestinationBreaksOffIsGivenUpWhereOthersComeThrough(t *testing.T) {
	b := newBench(t)
	peer := &breaking{}
	b.deps.Open = func(Destination) (Sender, error) { return peer, nil }
	d := quick("pacs", "104")
	d.Attempts = 3
	b.start(d)
	r := b.bring(1)
	// The destination rests for much longer by now than the instance, against which nothing counts: that one is due
	// again each time, and was there first.
	gatewaytest.Until(t, "it has broken off often", func() bool { return peer.times() > 8 })
	peer.mu.Lock()
	_, peer.over = dataset(t, 1, 9, ctStorage, dicom.ExplicitVRLittleEndian)
	peer.mu.Unlock()
	n := 2
	gatewaytest.Until(t, "it is given up", func() bool {
		n++
		b.becomes(b.bring(n).Number, instance.Delivered)
		return b.get(r.Number).Deliveries[0].State == instance.Dead
	})
	if d := b.get(r.Number).Deliveries[0]; d.Attempts != 3 || !strings.Contains(d.Why, "reset") {
		t.Errorf("%+v", d)
	}
}

// sick is a journal whose disk fails for a while.
type sick struct {
	Vault
	reads, writes atomic.Int64 // that fail still
}

func (v *sick) Open(ctx context.Context, number uint64) (instance.Content, error) {
	c, err := v.Vault.Open(ctx, number)
	if err == nil && v.reads.Add(-1) >= 0 {
		return unreadable{c}, nil
	}
	return c, err
}

func (v *sick) Create(ctx context.Context) (instance.Draft, error) {
	d, err := v.Vault.Create(ctx)
	if err == nil && v.writes.Add(-1) >= 0 {
		return unwritable{d}, nil
	}
	return d, err
}

type unreadable struct{ instance.Content }

func (unreadable) Read([]byte) (int, error) { return 0, syscall.EIO }

type unwritable struct{ instance.Draft }

func (unwritable) Write([]byte) (int, error) { return 0, syscall.EIO }

// copying is a profile that changes nothing, and says no more of an error than that there was one.
type copying struct{}

func (copying) Transform(dst io.Writer, src io.Reader, _ string) (instance.Altered, error) {
	if _, err := io.Copy(dst, src); err != nil {
		return instance.Altered{}, errors.New("the data set ends early")
	}
	return instance.Altered{}, nil
}

func TestADiskThatFailsForAWhileGivesNothingUp(t *testing.T) {
	for _, c := range []struct {
		name          string
		deid          string
		reads, writes int64
	}{
		{"an instance cannot be read while it is sent", "", 2, 0},
		{"an instance cannot be read while its copy is made", "copy", 2, 0},
		{"the copy cannot be written", "copy", 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			v := &sick{Vault: b.journal}
			v.reads.Store(c.reads)
			b.deps.Vault = v
			b.deps.Deid = func(string) (instance.Transformer, error) { return copying{}, nil }
			peer := newSCP(t, "0")
			d := quick("pacs", peer.port)
			d.Deid = c.deid
			b.start(d)
			if err := b.f.Steer("pacs", ActionPause); err != nil {
				t.Fatal(err)
			}
			r := b.bring(1)
			v.writes.Store(c.writes)
			if err := b.f.Steer("pacs", ActionResume); err != nil {
				t.Fatal(err)
			}
			if d := b.becomes(r.Number, instance.Delivered); d.Attempts != 3 {
				t.Errorf("%+v", d)
			}
			if s := b.f.Destinations()[0]; !s.Failure.IsZero() && c.deid != "" {
				t.Errorf("the destination is blamed: %+v", s)
			}
		})
	}
}

func TestAContextThatIsRefusedWithoutAReasonIsProposedAgain(t *testing.T) {
	b := newBench(t)
	var refused atomic.Int64
	peer := newSCP(t, "0", func(s *dicomnet.Server) {
		s.Negotiate = func(_ context.Context, n *dicomnet.Negotiation) error {
			for i := range n.Answer.Contexts {
				if n.Request.Contexts[i].AbstractSyntax == ctStorage && refused.Add(1) <= 2 {
					n.Answer.Contexts[i].Result = ul.NoReason
				}
			}
			return nil
		}
	})
	b.start(quick("pacs", peer.port))
	if d := b.becomes(b.bring(1).Number, instance.Delivered); d.Attempts != 3 {
		t.Errorf("%+v", d)
	}
}

func TestALedgerThatStartsWithTheGatewayIsNotWaitedForLonger(t *testing.T) {
	b := newBench(t)
	var looks atomic.Int64
	b.deps.LedgerReady = func(context.Context) error {
		if looks.Add(1) <= 3 {
			return errors.New("it has not begun")
		}
		return nil
	}
	b.cfg.LedgerRetry = time.Hour
	b.start(quick("pacs", newSCP(t, "0").port))
	b.becomes(b.bring(1).Number, instance.Delivered)
}
