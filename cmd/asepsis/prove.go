// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/announce"
	"github.com/asepsis/asepsis/prove/identity/seal"
	"github.com/asepsis/asepsis/prove/identity/service"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/prove/matters"
	"github.com/asepsis/asepsis/respond/api"
	"github.com/asepsis/asepsis/see/demo"
	"github.com/asepsis/asepsis/see/demo/proof"
)

// proving is what proves, as far as it runs in this process.
type proving struct {
	ledger   *ledger.Ledger
	records  *ledger.Records
	identity *service.Service
}

// addProve makes the ledger, the site's authority where there is one, and the room that
// tells what is wrong with them.
func (p *platform) addProve() error {
	var room *matters.Room
	if err := p.addLedger(func(n ledger.Notice) { room.Notice(n) }); err != nil {
		return err
	}
	deps := matters.Deps{Documents: p.store, Ledger: p.proof.ledger != nil, Log: p.log.With("room", "matters")}
	if p.demo {
		if err := p.demoAuthority(); err != nil {
			return err
		}
	}
	if service.Present(p.set.Identity, p.dir) {
		var journal identity.Journal
		if p.proof.ledger != nil {
			journal = oncePresent{p.proof.ledger}
		}
		s, err := p.addIdentity(journal)
		if err != nil {
			return err
		}
		p.proof.identity = s
		deps.Authority = s.Authority()
	}
	room = matters.New(deps)
	p.rooms = append(p.rooms, lifecycle.Room{Name: "matters", Run: room.Run})
	return nil
}

// oncePresent is the ledger as the authority gets it. What it certifies before the ledger
// runs, such as the gateway's own certificate, waits in the store and does not hold up the start.
type oncePresent struct{ *ledger.Ledger }

// Record implements identity.Journal.
func (j oncePresent) Record(ctx context.Context, s custody.Statement) (ledger.Entry, error) {
	if err := j.Ready(ctx); errors.Is(err, ledger.ErrClosed) {
		return ledger.Entry{}, err
	}
	return j.Ledger.Record(ctx, s)
}

// addLedger opens the ledger in the data directory.
func (p *platform) addLedger(notice func(ledger.Notice)) error {
	cfg := p.set.Ledger
	cfg.Dir = cmp.Or(cfg.Dir, filepath.Join(p.dir, "ledger"))
	if p.demo && len(cfg.Witnesses) == 0 {
		if err := p.demoWitnesses(&cfg); err != nil {
			return err
		}
	}
	l, err := ledger.New(cfg, ledger.Deps{Log: p.log.With("room", "ledger"), Notice: notice, Name: ledger.OriginOf(p.bus.Site(), "asepsis")})
	if errors.Is(err, ledger.ErrUnsupported) {
		p.log.Warn("no ledger runs", "why", err)
		return nil
	}
	if err != nil {
		return err
	}
	p.cleanup = append(p.cleanup, func() { _ = l.Close() })
	salts, err := ledger.OpenSalts(filepath.Join(cfg.Dir, "salts"))
	if err != nil {
		return err
	}
	p.cleanup = append(p.cleanup, func() { _ = salts.Close() })
	p.proof.ledger, p.proof.records = l, ledger.NewRecords(l, salts, nil)
	p.rooms = append(p.rooms, lifecycle.Room{Name: "ledger", Run: l.Run, Ready: l.Ready, Drain: 30 * time.Second})
	return nil
}

// demoWitnesses gives the demo's ledger witnesses, in this process. They must know its key
// first: the ledger is opened for it once.
func (p *platform) demoWitnesses(cfg *ledger.Config) error {
	l, err := ledger.New(*cfg, ledger.Deps{Name: ledger.OriginOf(p.bus.Site(), "demo")})
	if errors.Is(err, ledger.ErrUnsupported) {
		return nil // is said by who opens it next
	}
	if err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	w, err := proof.NewWitnesses(filepath.Join(p.dir, "demo-witnesses"), l.Key(), p.log.With("room", "demo"))
	if err != nil {
		return err
	}
	p.cleanup = append(p.cleanup, func() { _ = w.Close() })
	cfg.Witnesses = w.Config()
	cfg.Required = len(cfg.Witnesses)
	p.rooms = append(p.rooms, lifecycle.Room{Name: "demo's witnesses", Run: w.Run})
	return nil
}

// demoAuthority makes an authority for a demo that has none. Its passphrase is in memory
// only where the demo's data is thrown away.
func (p *platform) demoAuthority() error {
	set := &p.set.Identity
	set.PKIListen, set.ESTListen = "127.0.0.1:0", "127.0.0.1:0" // several demos may run
	secret := p.key.Of("demo", "the passphrase of the demo's authority")
	p.passphrase = []byte(secret)
	if service.Present(*set, p.dir) {
		return nil
	}
	_, err := identity.Init(identity.InitOptions{
		Dir: service.Dir(*set, p.dir), Passphrase: p.passphrase, Cost: seal.DefaultCost(),
		Site: identity.Site{TrustDomain: "or.lindenhof.example", Organisation: demo.Site, Base: "http://pki.lindenhof.example"},
	})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

// apiIdentity is the authority as the API needs it, nil when there is none.
func (p *platform) apiIdentity() *api.Identity {
	s := p.proof.identity
	if s == nil {
		return nil
	}
	return &api.Identity{Authority: s.Authority(), Live: p.live, Served: func() (est, ocsp string) {
		return served("https", s.Addr("est")), served("http", s.Addr("pki"))
	}}
}

// live says which connections a certificate has open, in all processes that report.
func (p *platform) live(ctx context.Context, serial string) ([]api.Live, error) {
	list, err := announce.LiveWith(ctx, p.bus, serial)
	if err != nil {
		return nil, err
	}
	out := make([]api.Live, 0, len(list))
	for _, l := range list {
		out = append(out, api.Live{Consumer: l.Consumer, Peer: l.Remote, Since: l.Since, Policy: l.Choice})
	}
	return out, nil
}

func served(scheme string, at net.Addr) string {
	if at == nil {
		return ""
	}
	return scheme + "://" + at.String()
}

// addDemoProof lets the demo's theatres do what is worth proving.
func (p *platform) addDemoProof(day *demo.Day) {
	if p.proof.ledger == nil {
		return
	}
	deps := proof.Deps{Day: day, Ledger: p.proof.ledger, Records: p.proof.records, Log: p.log.With("room", "demo"),
		Devices: func(ctx context.Context) ([]device.Device, error) {
			list, _, err := p.store.DeviceList(ctx)
			return list, err
		}}
	if p.proof.identity != nil {
		deps.Authority = p.proof.identity.Authority()
	}
	p.rooms = append(p.rooms, lifecycle.Room{Name: "demo's proofs", Run: proof.New(deps).Run})
}
