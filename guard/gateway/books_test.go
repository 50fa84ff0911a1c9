// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// arrivalOf is an instance that a scanner of the site brings.
func arrivalOf(uid string) instance.Arrival {
	return instance.Arrival{SOPClass: gatewaytest.CTStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian,
		Sender: instance.Sender{Way: instance.DIMSE, Device: "ct-1", CallingAE: "CT1", CalledAE: "ASEPSIS", Association: "a-1"}}
}

// A large instance has its number long before it is in the journal. What came meanwhile must not make the books say that
// the ledger knows of everything up to there: after a kill nobody would look at the large one again.
func TestWhatIsStillOnItsWayHoldsTheBooksBack(t *testing.T) {
	p := newPlace(t, options{})
	data := dataset(t, gatewaytest.CTStorage, "1.2.3.1", "FICT-0001", 4096)
	r, w := io.Pipe()
	slow := make(chan error, 1)
	go func() {
		_, err := p.g.Store(t.Context(), arrivalOf("1.2.3.1"), r)
		slow <- err
	}()
	if _, err := w.Write(data[:1000]); err != nil {
		t.Fatal(err)
	}
	for _, uid := range []string{"1.2.3.2", "1.2.3.3"} {
		if out, err := p.g.Store(t.Context(), arrivalOf(uid), bytes.NewReader(dataset(t, gatewaytest.CTStorage, uid, "FICT-0001", 512))); err != nil || out.Status != 0 {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	saved := func() uint64 {
		p.g.books.save()
		p.g.books.save()
		p.g.books.mu.Lock()
		defer p.g.books.mu.Unlock()
		return p.g.books.saved
	}
	gatewaytest.Until(t, "the entries of those that came", func() bool {
		n := 0
		for _, r := range p.vault.all() {
			if told(&r) {
				n++
			}
		}
		return n == 2
	})
	if n := saved(); n > 1 {
		t.Errorf("below %d the ledger is said to know everything, and the first is on its way", n)
	}
	if _, err := w.Write(data[1000:]); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if err := <-slow; err != nil {
		t.Fatal(err)
	}
	gatewaytest.Until(t, "the books to go on", func() bool { return saved() == 4 })
	// One that breaks off holds nothing back.
	if _, err := p.g.Store(t.Context(), arrivalOf("1.2.3.4"), io.MultiReader(bytes.NewReader(data[:1000]), failing{})); err == nil {
		t.Fatal("a data set that breaks off is taken")
	}
	if out, err := p.g.Store(t.Context(), arrivalOf("1.2.3.5"), bytes.NewReader(dataset(t, gatewaytest.CTStorage, "1.2.3.5", "FICT-0001", 512))); err != nil || out.Status != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	gatewaytest.Until(t, "the books to pass it", func() bool { return saved() == 6 })
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the association was aborted") }

// unlisted is a journal that cannot be listed for a while.
type unlisted struct {
	*vault
	fails atomic.Int64
}

func (v *unlisted) List(ctx context.Context, q instance.Query) ([]instance.Record, error) {
	if v.fails.Add(-1) >= 0 {
		return nil, errors.New("the history cannot be read")
	}
	return v.vault.List(ctx, q)
}

func TestDebtsAreFoundAlsoWhereTheJournalCannotBeReadAtFirst(t *testing.T) {
	p := newPlace(t, options{})
	if out, err := p.g.Store(t.Context(), arrivalOf("1.2.3.1"), bytes.NewReader(dataset(t, gatewaytest.CTStorage, "1.2.3.1", "FICT-0001", 512))); err != nil || out.Status != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	gatewaytest.Until(t, "the entries", func() bool { return told(&p.vault.all()[0]) })
	p.stop()
	// As if a kill had come before the entry was in the record.
	p.vault.set(func(v *vault) {
		r := v.records[1]
		r.Entries = nil
		v.records[1] = r
	})
	v := &unlisted{vault: p.vault}
	v.fails.Store(2)
	again, err := New(p.cfg, Deps{Trust: p.g.d.Trust, Bindings: p.binds, Vault: v, Firewall: p.wall, Router: p.router, Ledger: p.log, Key: p.g.d.Key, Site: "site-north", Dir: t.TempDir(), Software: p.g.d.Software, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p.run(again)
	gatewaytest.Until(t, "the debt to be paid", func() bool { return told(&p.vault.all()[0]) })
}

// The gateway was killed between the ledger's entry and the note of it in the record, and is started as another version: the
// ledger has the statement under its ID in other words. It knows the instance, which goes on, and holds up no other.
func TestWhatTheLedgerKnowsInTheWordsOfAnotherVersionGoesOn(t *testing.T) {
	p := newPlace(t, options{})
	for _, uid := range []string{"1.2.3.1", "1.2.3.2"} {
		if out, err := p.g.Store(t.Context(), arrivalOf(uid), bytes.NewReader(dataset(t, gatewaytest.CTStorage, uid, "FICT-0001", 512))); err != nil || out.Status != 0 {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	gatewaytest.Until(t, "the entries", func() bool { return told(&p.vault.all()[0]) && told(&p.vault.all()[1]) })
	p.vault.set(func(v *vault) {
		for n, r := range v.records {
			r.Entries = nil
			hold(&r)
			v.records[n] = r
		}
	})
	p.log.set(func(l *memoryLog) { l.entries = l.entries[:1] }) // it does not know the second
	next, err := New(p.cfg, Deps{Trust: p.g.d.Trust, Bindings: p.binds, Vault: p.vault, Firewall: p.wall, Router: p.router, Ledger: p.log, Key: p.g.d.Key, Site: "site-north", Software: "asepsis/gateway next", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p.run(next)
	for n := range 2 {
		gatewaytest.Until(t, "it to go on", func() bool { return p.vault.all()[n].Deliveries[0].Next.IsZero() })
	}
	gatewaytest.Until(t, "nothing to be owed", func() bool { _, owed, why := next.Ledger(); return owed == 0 && why == nil })
	if told(&p.vault.all()[0]) || !told(&p.vault.all()[1]) {
		t.Error("a record names an entry that is in other words, or not the one that was made")
	}
}

// damaged is a journal of which one record cannot be read, or not be changed.
type damaged struct {
	*vault
	number, fixed uint64
	tried         atomic.Int64
}

var errDamaged = errors.New("input/output error")

func (v *damaged) Get(ctx context.Context, n uint64) (instance.Record, error) {
	if n == v.number {
		v.tried.Add(1)
		return instance.Record{}, errDamaged
	}
	return v.vault.Get(ctx, n)
}

func (v *damaged) Change(ctx context.Context, n uint64, f func(*instance.Record) error) (instance.Record, error) {
	if n == v.fixed {
		v.tried.Add(1)
		return instance.Record{}, errDamaged
	}
	return v.vault.Change(ctx, n, f)
}

// The oldest debt is always the first to be tried. One of which the ledger cannot be told for a fault of the journal's must not
// keep it from hearing of all others, nor be tried without a pause.
func TestADamagedRecordHoldsUpNoOther(t *testing.T) {
	for name, set := range map[string]func(*damaged){
		"that cannot be read":    func(v *damaged) { v.number = 1 },
		"that cannot be changed": func(v *damaged) { v.fixed = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, options{})
			for n := range 3 {
				uid := fmt.Sprintf("1.2.3.%d", n+1)
				if out, err := p.g.Store(t.Context(), arrivalOf(uid), bytes.NewReader(dataset(t, gatewaytest.CTStorage, uid, "FICT-0001", 512))); err != nil || out.Status != 0 {
					t.Fatalf("%+v, %v", out, err)
				}
			}
			gatewaytest.Until(t, "the entries", func() bool {
				return !slices.ContainsFunc(p.vault.all(), func(r instance.Record) bool { return !told(&r) })
			})
			p.vault.set(func(v *vault) { // as a kill leaves it before they are noted
				for n, r := range v.records {
					r.Entries = nil
					v.records[n] = r
				}
			})
			v := &damaged{vault: p.vault}
			set(v)
			next, err := New(p.cfg, Deps{Trust: p.g.d.Trust, Bindings: p.binds, Vault: v, Firewall: p.wall, Router: p.router, Ledger: p.log, Key: p.g.d.Key, Site: "site-north", Software: p.g.d.Software, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			p.run(next)
			gatewaytest.Until(t, "the others to be told", func() bool { l := p.vault.all(); return told(&l[1]) && told(&l[2]) })
			gatewaytest.Until(t, "it to be owed alone", func() bool { _, owed, why := next.Ledger(); return owed == 1 && why == nil })
			if n := v.tried.Load(); n > 10 {
				t.Errorf("it was tried %d times meanwhile", n)
			}
		})
	}
}
