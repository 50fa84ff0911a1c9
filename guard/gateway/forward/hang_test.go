// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/wire/dicom"
)

// hanging is a destination that does not answer for one instance, and breaks off over others for a while.
type hanging struct {
	over   string
	hangs  atomic.Bool
	breaks atomic.Int64
}

func (h *hanging) Send(ctx context.Context, i *Item) (Answer, error) {
	if i.SOPInstance == h.over {
		h.hangs.Store(true)
		defer h.hangs.Store(false)
		<-ctx.Done()
		return Answer{}, ctx.Err()
	}
	if h.breaks.Add(-1) >= 0 {
		return Answer{}, errors.New("the connection was reset")
	}
	_, err := io.Copy(io.Discard, i.Data)
	return Answer{}, err
}

func (h *hanging) Close() error { return nil }

func hang(t *testing.T, b *bench) *hanging {
	t.Helper()
	peer := &hanging{}
	_, peer.over = dataset(t, 1, 9, ctStorage, dicom.ExplicitVRLittleEndian)
	b.deps.Open = func(Destination) (Sender, error) { return peer, nil }
	b.start(quick("pacs", "104"))
	b.bring(1)
	gatewaytest.Until(t, "it hangs", peer.hangs.Load)
	return peer
}

func TestAnInstanceThatTakesLongHoldsUpNoOtherWhereThereIsAnotherAssociation(t *testing.T) {
	b := newBench(t)
	peer := hang(t, b)
	for n := range 3 {
		b.becomes(b.bring(2+n).Number, instance.Delivered)
	}
	if !peer.hangs.Load() {
		t.Error("it does not hang any more")
	}
}

func TestADestinationIsTriedAgainThoughOneOfItsAssociationsHangs(t *testing.T) {
	b := newBench(t)
	peer := hang(t, b)
	peer.breaks.Store(3)
	b.becomes(b.bring(2).Number, instance.Delivered)
	if !peer.hangs.Load() || peer.breaks.Load() >= 0 {
		t.Error("it does not hang any more, or did not break off")
	}
}

func TestAfterAFailureOneTriesAndAnotherWhereThatOneTakesLong(t *testing.T) {
	b := newBench(t)
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	b.deps.Now = func() time.Time { return now }
	c := quick("pacs", "104")
	c.Associations = 3
	b.cfg.Destinations = []Destination{c}
	f, err := New(b.cfg, b.deps)
	if err != nil {
		t.Fatal(err)
	}
	d := f.dests[0]
	for n := range uint64(9) {
		d.seen(&instance.Record{Number: n, Received: now}, &instance.Delivery{Destination: "pacs", State: instance.Waiting}, true)
	}
	d.failed(&failure{err: errors.New("the connection was reset")})
	now = now.Add(time.Minute)
	first, _, _ := d.next(1, false)
	if it, wait, _ := d.next(0, false); first == nil || it != nil || wait > tryLong {
		t.Fatalf("%v tries, and then %v; it waits %v", first, it, wait)
	}
	now = now.Add(tryLong)
	second, _, changed := d.next(0, false)
	if third, _, _ := d.next(2, false); second == nil || third != nil {
		t.Fatalf("%v tries, and then %v", second, third)
	}
	d.back(second)
	if it, _, _ := d.next(0, true); it == nil {
		t.Error("nobody tries, though none is trying")
	}
	select {
	case <-changed:
	default:
		t.Error("the others are not told")
	}
}

func TestWhatIsUrgentDoesNotWaitForARestThatWasBegunWithoutIt(t *testing.T) {
	b := newBench(t)
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	b.deps.Now = func() time.Time { return now }
	c := quick("pacs", "104")
	c.BackoffMin, c.BackoffMax = time.Hour, time.Hour
	b.cfg.Destinations = []Destination{c}
	f, err := New(b.cfg, b.deps)
	if err != nil {
		t.Fatal(err)
	}
	d := f.dests[0]
	d.failed(&failure{err: errors.New("the connection was reset")})
	d.seen(&instance.Record{Number: 1, Received: now, Sender: instance.Sender{Theatre: "OR-3"}}, &instance.Delivery{Destination: "pacs", State: instance.Waiting}, true)
	if it, wait, _ := d.next(0, false); it != nil || wait > urgentBackoff {
		t.Fatalf("%v after %v", it, wait)
	}
	b.cases.Store("OR-3", true)
	_, wait, _ := d.next(0, false)
	now = now.Add(urgentBackoff + urgentBackoff/4)
	it, _, _ := d.next(0, false)
	if it == nil || wait > urgentBackoff {
		t.Fatalf("an urgent one waits for %v", wait)
	}
	// Nor when the destination had no room for it.
	if o, _ := (&outcome{d: d, it: it, slot: -1, err: refused(0xA700, errors.New("no room"))}), false; d.settled(o) != nil {
		t.Error("that is written down")
	}
	if rest := it.next.Sub(now); rest > urgentBackoff+urgentBackoff/4 {
		t.Errorf("it waits for %v", rest)
	}
}

// mute is a ledger that says that it is ready, and answers nothing.
type mute struct {
	book
	asked atomic.Int64
	works atomic.Bool
}

func (m *mute) Record(ctx context.Context, s custody.Statement) (ledger.Entry, error) {
	m.asked.Add(1)
	if !m.works.Load() {
		return ledger.Entry{}, context.DeadlineExceeded
	}
	return m.book.Record(ctx, s)
}

func TestALedgerThatOnlySaysThatItIsReadyHoldsClosedRoutes(t *testing.T) {
	b := newBench(t)
	m := &mute{}
	b.deps.Ledger, b.deps.LedgerReady = m, func(context.Context) error { return nil }
	b.cfg.LedgerRetry = time.Millisecond
	peer := newSCP(t, "0")
	b.start(quick("pacs", peer.port))
	b.becomes(b.bring(0).Number, instance.Delivered) // nobody knows yet
	gatewaytest.Until(t, "it is noticed", func() bool { return b.f.Routes()[0].State == "closed" })
	last := b.bring(1)
	for n := range 20 {
		last = b.bring(2 + n)
	}
	tried := m.asked.Load()
	gatewaytest.Until(t, "the ledger is tried often", func() bool { return m.asked.Load() > tried+50 })
	if n := len(peer.list()); n != 1 {
		t.Errorf("%d went", n)
	}
	m.works.Store(true)
	b.becomes(last.Number, instance.Delivered)
	gatewaytest.Until(t, "all is recorded", func() bool { return b.journal.Counts().Needed == 0 })
}

// sealed is a journal that takes no change.
type sealed struct {
	Vault
	number atomic.Uint64 // whose record cannot be read either; 0: none
	sealed atomic.Bool
}

func (v *sealed) Change(ctx context.Context, n uint64, f func(*instance.Record) error) (instance.Record, error) {
	if v.sealed.Load() {
		return instance.Record{}, instance.ErrFull
	}
	return v.Vault.Change(ctx, n, f)
}

func (v *sealed) Get(ctx context.Context, n uint64) (instance.Record, error) {
	if n == v.number.Load() {
		return instance.Record{}, errors.New("the log cannot be read")
	}
	return v.Vault.Get(ctx, n)
}

func TestAGatewayEndsThoughItsJournalTakesNothing(t *testing.T) {
	b := newBench(t)
	v := &sealed{Vault: b.journal}
	v.sealed.Store(true)
	b.deps.Vault, b.deps.drain = v, time.Millisecond
	d := quick("pacs", newSCP(t, "0").port)
	b.start(d)
	all := 5*bookers + d.Associations + 1 // more than are written down and wait for it
	for n := range all {
		b.bring(n)
	}
	gatewaytest.Until(t, "all places are taken", func() bool { return b.f.Destinations()[0].Sent >= uint64(all-1) })
	b.stop()
}

func TestARecordThatCannotBeReadHoldsUpNeitherCommitmentNorTheLedger(t *testing.T) {
	b := newBench(t)
	v := &sealed{Vault: b.journal}
	b.deps.Vault = v
	var asked atomic.Int64
	peer := newSCP(t, "0", func(s *dicomnet.Server) {
		s.Services = append(s.Services, dicomnet.Service{AbstractSyntax: dicom.UIDStorageCommitmentPush})
		store := s.Handler
		s.Handler = dicomnet.HandlerFunc(func(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
			if r.Data != nil && r.Context.AbstractSyntax == dicom.UIDStorageCommitmentPush {
				asked.Add(1)
			}
			return store.Handle(ctx, r)
		})
	})
	d := quick("pacs", peer.port)
	d.Commitment, d.CommitWithin = true, 10*time.Millisecond
	b.deps.stay = 100 * time.Millisecond // no report comes
	b.book.broken(errAway)
	b.cfg.Routes = []Route{{Name: "all", To: []string{"pacs"}, Fail: FailOpen}}
	b.start(d)
	bad, good := b.bring(1), b.bring(2)
	b.becomes(bad.Number, instance.Delivered)
	b.becomes(good.Number, instance.Delivered)
	v.number.Store(bad.Number)
	b.book.broken(nil)
	gatewaytest.Until(t, "the ledger is told of the other", func() bool { return len(b.get(good.Number).Entries) == 1 })
	gatewaytest.Until(t, "the other is asked for", func() bool { return asked.Load() > 0 })
	v.number.Store(0)
	before := asked.Load()
	gatewaytest.Until(t, "both are asked for again", func() bool { return asked.Load() > before+1 })
	if rules := ruleNames(b.f); rules != "gateway.commitment-overdue" {
		t.Errorf("of what is never reported is said: %q", rules)
	}
}

// faulty is a profile that panics over one instance.
type faulty struct{ over int }

func (p *faulty) Transform(dst io.Writer, src io.Reader, syntax string) (instance.Altered, error) {
	if p.over--; p.over >= 0 {
		panic("Example^Nobody")
	}
	return copying{}.Transform(dst, src, syntax)
}

func TestAFaultOfAProfileCostsOneInstance(t *testing.T) {
	b := newBench(t)
	b.deps.Deid = func(string) (instance.Transformer, error) { return &faulty{over: 1}, nil }
	d := quick("pacs", newSCP(t, "0").port)
	d.Deid, d.Associations = "copy", 1
	b.start(d)
	if got := b.becomes(b.bring(1).Number, instance.Dead); got.Why != "its copy for the destination cannot be made: BUG: string" {
		t.Errorf("%+v", got)
	}
	b.becomes(b.bring(2).Number, instance.Delivered)
}

func TestTheRateIsRightAfterTheClockWasSetBack(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	var r rate
	r.add(now.Add(year))
	for range 600 {
		r.add(now)
		now = now.Add(time.Second)
	}
	if got := r.perSecond(now); got < 0.9 || got > 1 {
		t.Errorf("%v a second", got)
	}
}
