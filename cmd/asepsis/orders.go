// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/announce"
	"github.com/asepsis/asepsis/prove/identity/order"
	"github.com/asepsis/asepsis/prove/identity/self"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// reached reports whether others than this process reach the bus. Through a hub nobody does:
// the server of this process lets no subject of the site cross the link.
func (p *platform) reached() bool {
	return p.set.Bus.URL != "" || p.set.Bus.Listen != "" || p.set.Bus.LeafListen != ""
}

// orders makes what the console signs with that it asks of gateways in other processes; nil
// where it has nothing to sign with, or nobody to send it to.
func (p *platform) orders(ctx context.Context) (*control.Orderer, error) {
	cfg, log := p.set.Console.Trust, p.log.With("room", "console")
	deps := trust.Deps{Announcer: announce.Over(p.bus), Log: p.log.With("room", "trust"), Now: time.Now}
	var open order.OpenGround
	switch {
	case !p.reached():
		return nil, nil
	case cfg.CAFile != "":
		open = func(ctx context.Context) (*trust.Trust, func(context.Context, *trust.Trust) error, error) {
			t, err := trust.New(ctx, cfg, deps)
			return t, nil, err
		}
	case p.proof.identity != nil:
		open = self.Ground(p.proof.identity.Authority(), identity.Request{Profile: identity.Infrastructure, Service: order.Console}, cfg, deps, log)
	default:
		return nil, nil
	}
	g, err := order.NewGround(ctx, open, log)
	var wrong *config.FieldError
	if errors.As(err, &wrong) {
		wrong.Field = "console.trust." + wrong.Field
		return nil, wrong
	}
	if err != nil {
		return nil, err
	}
	p.rooms = append(p.rooms, lifecycle.Room{Name: "console's certificate", Run: g.Run})
	return &control.Orderer{Site: p.bus.Site(), Signer: order.NewSigner(g, time.Now), Checker: g, Gateways: p.set.Console.Gateways, Unsigned: p.set.Console.UnsignedGateways}, nil
}
