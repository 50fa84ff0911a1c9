// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity"
)

func TestWithoutTheLedgerTheRouteDecides(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	for _, c := range []struct {
		name   string
		open   bool
		hang   bool
		answer string
		state  instance.State
	}{
		{"closed: refused so that it comes again", false, false, "OutOfResources", instance.Refused},
		{"open: taken, and told later", true, false, "Success", instance.Accepted},
		{"closed, and the ledger hangs", false, true, "OutOfResources", instance.Refused},
		{"open, and the ledger hangs", true, true, "Success", instance.Accepted},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t, options{config: func(c *Config) { c.Ingest.LedgerWait = 200 * time.Millisecond }})
			p.router.set(func(r *router) { r.open = c.open })
			hang := make(chan struct{})
			p.log.set(func(l *memoryLog) {
				if l.away = !c.hang; c.hang {
					l.hang = hang
				}
			})
			path, data := image(t, "1.2.3.1", "FICT-0001")
			d := p.enrol(identity.DICOMNode, "ct-1")
			out, _ := p.send(d, path)
			if !strings.Contains(strings.ReplaceAll(out, " ", ""), c.answer) {
				t.Errorf("want %s\n%s", c.answer, out)
			}
			if r := p.vault.all()[0]; r.State != c.state {
				t.Errorf("state %s", r.State)
			}
			if p.g.Ready(t.Context()) == nil {
				t.Error("it says that it is ready")
			}
			p.log.set(func(l *memoryLog) { l.away, l.hang = false, nil })
			close(hang)
			gatewaytest.Until(t, "the ledger to be told", func() bool { return told(&p.vault.all()[0]) && p.g.Ready(t.Context()) == nil })
			if c.open {
				if p.log.kinds()[0] != custody.Received {
					t.Errorf("it was told %v", p.log.kinds())
				}
				return
			}
			if out, err := p.send(d, path); err != nil || string(p.vault.content(p.vault.all()[1].Number)) != string(data) {
				t.Errorf("sent again, it is not taken: %v\n%s", err, out)
			}
		})
	}
}

func TestASanitisedInstanceThatTheLedgerDidNotTakeIsNotTakenForAcknowledged(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	p := newPlace(t, options{config: func(c *Config) { c.Ingest.LedgerWait = 200 * time.Millisecond }})
	d := p.enrol(identity.DICOMNode, "ct-1")
	path, _ := image(t, "1.2.3.1", "FICT-sanitise")
	p.log.set(func(l *memoryLog) { l.away = true })
	if out, _ := p.send(d, path); !strings.Contains(strings.ReplaceAll(out, " ", ""), "OutOfResources") {
		t.Fatalf("it is told\n%s", out)
	}
	for _, r := range p.vault.all() {
		if r.State != instance.Refused {
			t.Errorf("%d is %s", r.Number, r.State)
		}
	}
	p.log.set(func(l *memoryLog) { l.away = false })
	gatewaytest.Until(t, "the ledger to be told", func() bool { return p.g.Ready(t.Context()) == nil })
	if out, err := p.send(d, path); err != nil {
		t.Fatalf("sent again: %v\n%s", err, out)
	}
	goes := 0
	for _, r := range p.vault.all() {
		if r.State == instance.Accepted && len(r.Deliveries) == 1 {
			goes++
		}
	}
	if goes != 1 {
		t.Errorf("it was acknowledged, and %d copies are on their way: %+v", goes, p.vault.all())
	}
}

func TestACopyWhoseOriginalACrashTookIsGivenUp(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	p := newPlace(t, options{})
	path, _ := image(t, "1.2.3.1", "FICT-sanitise")
	if out, err := p.send(p.enrol(identity.DICOMNode, "ct-1"), path); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	gatewaytest.Until(t, "the entries", func() bool { return told(&p.vault.all()[0]) && told(&p.vault.all()[1]) })
	p.vault.set(func(v *vault) {
		delete(v.records, 1)
		r := v.records[2]
		r.Entries = nil
		hold(&r)
		v.records[2] = r
	})
	again, err := New(p.cfg, Deps{Trust: p.g.d.Trust, Bindings: p.binds, Vault: p.vault, Firewall: p.wall, Router: p.router, Ledger: p.log, Key: p.g.d.Key, Site: "site-north", Software: p.g.d.Software, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p.run(again)
	gatewaytest.Until(t, "the copy to be given up", func() bool { r := p.vault.all()[0]; return r.State == instance.Refused && len(r.Deliveries) == 0 })
	if p.vault.content(2) != nil {
		t.Error("its bytes are kept")
	}
}

func TestWithoutTheFirewallTheRouteDecides(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	for _, open := range []bool{false, true} {
		p := newPlace(t, options{})
		p.wall.panic = true
		p.router.set(func(r *router) { r.open = open })
		path, _ := image(t, "1.2.3.1", "FICT-0001")
		out, err := p.send(p.enrol(identity.DICOMNode, "ct-1"), path)
		r := p.vault.all()[0]
		if open != (err == nil) || open != (r.State == instance.Accepted) || r.Hits[0].Rule != ruleFirewall {
			t.Errorf("open %v: %v, %+v\n%s", open, err, r, out)
		}
		if p.g.Counts().Faults != 1 || p.g.Ready(t.Context()) == nil {
			t.Errorf("it is not told: %+v", p.g.Counts())
		}
	}
}

func TestAFullDiskIsRefusedClearly(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	p := newPlace(t, options{})
	d := p.enrol(identity.DICOMNode, "ct-1")
	path, _ := image(t, "1.2.3.1", "FICT-0001")
	p.vault.set(func(v *vault) { v.full = true })
	if out, _ := p.send(d, path); !strings.Contains(strings.ReplaceAll(out, " ", ""), "OutOfResources") {
		t.Errorf("it is told\n%s", out)
	}
	p.vault.set(func(v *vault) { v.full, v.sealErr = false, instance.ErrFull })
	if out, _ := p.send(d, path); !strings.Contains(strings.ReplaceAll(out, " ", ""), "OutOfResources") {
		t.Errorf("it is told\n%s", out)
	}
	p.vault.set(func(v *vault) { v.sealErr = nil })
	if out, err := p.send(d, path); err != nil {
		t.Errorf("with room again: %v\n%s", err, out)
	}
	if len(p.vault.all()) != 1 {
		t.Errorf("kept %+v", p.vault.all())
	}
}

func TestWhatTheLedgerWasNotToldBeforeACrashIsFoundInTheJournal(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	p := newPlace(t, options{})
	d := p.enrol(identity.DICOMNode, "ct-1")
	for _, uid := range []string{"1.2.3.1", "1.2.3.2", "1.2.3.3"} {
		path, _ := image(t, uid, "FICT-0001")
		if out, err := p.send(d, path); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	gatewaytest.Until(t, "the entries", func() bool { return told(&p.vault.all()[2]) })
	// As if the second's entry had not come into its record, and the third's statement not into the ledger.
	p.vault.set(func(v *vault) {
		for _, n := range []uint64{2, 3} {
			r := v.records[n]
			r.Entries = nil
			v.records[n] = r
		}
	})
	p.log.set(func(l *memoryLog) { l.entries = l.entries[:2] })
	again, err := New(p.cfg, Deps{Trust: p.g.d.Trust, Bindings: p.binds, Vault: p.vault, Firewall: p.wall, Router: p.router, Ledger: p.log, Key: p.g.d.Key, Site: "site-north", Software: p.g.d.Software, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p.run(again)
	gatewaytest.Until(t, "the debts to be paid", func() bool { return told(&p.vault.all()[1]) && told(&p.vault.all()[2]) })
	if n := len(p.log.kinds()); n != 3 {
		t.Errorf("%d statements: the second was made twice", n)
	}
	if a, b := p.vault.all()[1].Entries[0].Index, p.vault.all()[2].Entries[0].Index; a != 1 || b != 2 {
		t.Errorf("entries %d and %d", a, b)
	}
}
