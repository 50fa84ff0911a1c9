// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/wire/dicom"
)

// What is not on the disk is not acknowledged, whatever a route says of failures.
func TestWithoutTheJournalNothingIsAcknowledgedOnAnyRoute(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	for name, fault := range map[string]func(*vault){
		"its disk is full when an instance begins":  func(v *vault) { v.full = true },
		"its disk is full when an instance is kept": func(v *vault) { v.sealErr = instance.ErrFull },
		"it fails": func(v *vault) { v.sealErr = errors.New("flush: input/output error") },
	} {
		for _, open := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, open %v", name, open), func(t *testing.T) {
				p := newPlace(t, options{})
				p.router.set(func(r *router) { r.open = open })
				d := p.enrol(identity.DICOMNode, "ct-1")
				path, _ := image(t, "1.2.3.1", "FICT-0001")
				p.vault.set(fault)
				if out, _ := p.send(d, path); !strings.Contains(strings.ReplaceAll(out, " ", ""), "OutOfResources") {
					t.Errorf("it is told\n%s", out)
				}
				if list := p.vault.all(); len(list) > 0 {
					t.Errorf("kept %+v", list)
				}
				p.matters(t, "gateway.intake", true)
				p.vault.set(func(v *vault) { v.full, v.sealErr = false, nil })
				if out, err := p.send(d, path); err != nil {
					t.Errorf("when it works again: %v\n%s", err, out)
				}
				p.matters(t, "gateway.intake", false)
			})
		}
	}
}

// matters waits until a matter is one, or none any more.
func (p *place) matters(t testing.TB, rule string, is bool) {
	t.Helper()
	gatewaytest.Until(t, fmt.Sprintf("%s to be a matter: %v", rule, is), func() bool {
		for _, m := range p.g.Matters() {
			if m.Rule == rule {
				return is
			}
		}
		return !is
	})
}

// When no list of revoked certificates is current, nobody can say who may still come. Who is there already goes on: an
// operation must not stop for it.
func TestWithoutACurrentRevocationListWhoIsConnectedGoesOn(t *testing.T) {
	site := identitytest.New(t, identitytest.Options{})
	p := newPlace(t, options{site: site})
	d := p.dialer("ct-1")
	d.Timeouts.Connect, d.Timeouts.Associate = gatewaytest.Patience, gatewaytest.Patience
	address := p.g.Addr(KindTLS).String()
	a, err := d.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Abort()
	store := func(uid string) error {
		data := dataset(t, gatewaytest.CTStorage, uid, "FICT-0001", 512)
		_, err := a.Store(t.Context(), dicomnet.Instance{SOPClass: gatewaytest.CTStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data)})
		return err
	}
	if err := store("1.2.3.1"); err != nil {
		t.Fatal(err)
	}
	site.Clock.Advance(5 * 24 * time.Hour)
	if b, err := d.Dial(t.Context(), address); err == nil {
		_ = b.Release(t.Context())
		t.Error("somebody new is let in")
	}
	if err := store("1.2.3.2"); err != nil {
		t.Errorf("who was connected is cut off: %v", err)
	}
	if n := len(p.vault.all()); n != 2 {
		t.Errorf("%d instances", n)
	}
	p.matters(t, "gateway.trust", true)
}

// sealing counts instances that are written to the disk with their bytes.
type sealing struct {
	*vault
	whole atomic.Int64
}

func (v *sealing) Create(ctx context.Context) (instance.Draft, error) {
	d, err := v.vault.Create(ctx)
	return sealed{d, v}, err
}

type sealed struct {
	instance.Draft
	v *sealing
}

func (d sealed) Seal(ctx context.Context, r instance.Record) (instance.Record, error) {
	if r.State != instance.Refused {
		d.v.whole.Add(1)
	}
	return d.Draft.Seal(ctx, r)
}

// A sender that is refused because the ledger does not record tries again and again: once that is known, what is
// refused so is not written to the disk first.
func TestWhileTheLedgerIsAwaySendersDoNotFillTheDisk(t *testing.T) {
	v, now := &sealing{}, time.Now() // one moment: the ledger is not asked again
	p := newPlace(t, options{deps: func(d *Deps) {
		v.vault, _ = d.Vault.(*vault)
		d.Vault, d.Now = v, func() time.Time { return now }
	}})
	p.log.set(func(l *memoryLog) { l.away = true })
	for n := range 20 {
		uid := fmt.Sprintf("1.2.3.%d", n+1)
		out, err := p.g.Store(t.Context(), arrivalOf(uid), bytes.NewReader(dataset(t, gatewaytest.CTStorage, uid, "FICT-0001", 512)))
		if err != nil || out.Status != uint16(statusResources) || out.Record.State != instance.Refused {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	if n := v.whole.Load(); n != 1 { // which told that the ledger is away
		t.Errorf("%d of 20 were written", n)
	}
}
