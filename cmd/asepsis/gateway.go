// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/control"
	gatewaydemo "github.com/asepsis/asepsis/guard/gateway/demo"
	gatewayservice "github.com/asepsis/asepsis/guard/gateway/service"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/open"
	"github.com/asepsis/asepsis/prove/identity/announce"
	"github.com/asepsis/asepsis/see/demo"
	"github.com/asepsis/asepsis/see/recorder"
)

// gatewayCommand runs the DICOM gateway alone, and asks a running one.
func gatewayCommand() *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:   "gateway --config FILE --bus URL",
		Short: "Stand between modalities, archives and XR processors: authenticate, inspect, record, forward",
		Long: "Takes images over DICOM (TLS, and in clear from devices that are listed) and DICOMweb,\n" +
			"inspects and records them, and forwards them to where the configuration says. asepsis up\n" +
			"runs it too, when gateway.listeners are configured.\n\n" +
			"Alone it keeps a ledger of its own in its directory. With --store it also says there\n" +
			"what needs a person, and knows in which theatres a case is in progress.",
		Example: "  asepsis gateway --config gateway.yaml --bus nats://bus.hospital.example:4222 --store postgres://asepsis@db.hospital.example/asepsis",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return f.gatewayAlone(c) },
	}
	f.shared(c)
	f.stores(c)
	c.AddCommand(gatewayClientCommands()...)
	return c
}

// gatewayAlone runs a gateway against a shared bus.
func (f *upFlags) gatewayAlone(c *cobra.Command) error {
	p, err := f.open(c)
	if err != nil {
		return err
	}
	defer p.close()
	if !p.set.Gateway.Enabled() {
		return withHint(errors.New("gateway: no listener is configured"), "gateway.listeners in the configuration; docs/gateway.md has an example")
	}
	if p.set.Bus.URL == "" {
		return withHint(errors.New("gateway: no bus named"), "--bus nats://host:4222, or bus.url in the configuration; asepsis up runs everything in one process")
	}
	if err := p.prepare(f); err != nil {
		return err
	}
	if err := f.become(p); err != nil {
		return err
	}
	// After a power cut a gateway may be up before bus and store are: images do not wait for them.
	p.patient = true
	if err := p.connectBus(c.Context()); err != nil {
		return err
	}
	if p.set.Store.URL == "" && p.set.Store.URLFile == "" {
		p.log.Warn("no shared store is named: what needs a person is only logged, and no case is known", "hint", "--store postgres://...")
	} else {
		if p.late, err = open.Documents(c.Context(), p.set.Store, filepath.Join(p.dir, "store"), p.log.With("room", "store")); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		p.rooms = append(p.rooms, lifecycle.Room{Name: "store", Run: p.late.Run, Ready: p.late.Ping})
	}
	if err := p.addGateway(c.Context()); err != nil {
		return err
	}
	return p.run(c.Context())
}

// addGateway makes the DICOM gateway, where one is configured.
func (p *platform) addGateway(ctx context.Context) error {
	cfg := p.set.Gateway
	var hospital *gatewaydemo.Hospital
	if p.demo && !cfg.Enabled() && p.proof.identity != nil {
		var err error
		if hospital, err = gatewaydemo.New(ctx, p.proof.identity.Authority(), demo.Rooms()[0].ID, p.log.With("room", "demo")); err != nil {
			return err
		}
		if err := hospital.Configure(&cfg, p.dir); err != nil {
			return err
		}
	}
	if !cfg.Enabled() {
		return nil
	}
	events := p.bus.NewPublisher(cfg.Name, bus.PublisherOptions{})
	deps := gatewayservice.Deps{Data: p.dir, Announcer: announce.Over(p.bus), Ledger: p.proof.ledger, Emit: events.Emit, Key: p.key, Site: p.bus.Site(), Bus: p.bus.Site(), Reached: p.reached(), Software: "asepsis/gateway " + version, Log: p.log.With("gateway", cfg.Name), Now: time.Now}
	if p.proof.identity != nil {
		deps.Authority = p.proof.identity.Authority()
	}
	if docs := p.documents(); docs != nil {
		cases := &caseStates{docs: docs}
		cases.look(ctx)
		deps.Documents, deps.Case, deps.Room = docs, cases.inProgress, cases.stateOf
		p.rooms = append(p.rooms, lifecycle.Room{Name: "gateway's cases", Run: cases.run})
	}
	s, err := gatewayservice.New(ctx, cfg, deps)
	if err != nil {
		return err
	}
	p.cleanup = append(p.cleanup, s.Close)
	for _, c := range s.Collectors() {
		if err := p.metrics.Register(c); err != nil {
			return err
		}
	}
	p.rooms = append(p.rooms, lifecycle.Room{Name: cfg.Name + ": events", Run: events.Run})
	p.rooms = append(p.rooms, s.Rooms()...)
	p.rooms = append(p.rooms, lifecycle.Room{Name: cfg.Name + ": control", Run: func(ctx context.Context) error {
		return control.Serve(ctx, p.bus, cfg.Name, s.Control(), control.Guarded(s.Orders()))
	}})
	p.gateways = map[string]control.Control{cfg.Name: control.Here(cfg.Name, s.Control())}
	if t := s.Trust(); t != nil {
		p.rooms = append(p.rooms, lifecycle.Room{Name: cfg.Name + ": connections", Run: func(ctx context.Context) error { return announce.ReportLive(ctx, p.bus, cfg.Name, t) }})
	}
	if hospital != nil {
		p.rooms = append(p.rooms, lifecycle.Room{Name: "gateway's demo", Run: func(ctx context.Context) error {
			return hospital.Run(ctx, func() net.Addr { return s.Addr(gateway.KindTLS) })
		}})
	}
	return nil
}

// caseStates knows in which theatres a case is in progress.
type caseStates struct {
	docs store.Documents

	mu    sync.Mutex
	state map[string]roomState
}

// roomState is what goes on in a theatre, and since when.
type roomState struct {
	state theatre.State
	since time.Time
}

// casesEvery is how often the theatres are read.
const casesEvery = 2 * time.Second

// run reads the theatres until ctx ends.
func (c *caseStates) run(ctx context.Context) error {
	t := time.NewTicker(casesEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			c.look(ctx)
		}
	}
}

// look reads them. Where it fails, what was known stays.
func (c *caseStates) look(ctx context.Context) {
	list, err := c.docs.DocumentsOf(ctx, recorder.TheatreKind, "", 1000)
	if err != nil {
		return
	}
	state := make(map[string]roomState, len(list))
	for _, d := range list {
		var t recorder.Theatre
		if json.Unmarshal(d.Body, &t) == nil {
			since, _ := time.Parse(time.RFC3339, t.Since) // zero: before everything
			state[t.ID] = roomState{t.State, since}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = state
}

func (c *caseStates) inProgress(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return id != "" && c.state[id].state == theatre.InCase
}

// stateOf is what the theatre board has of a room; "" where it does not know it.
func (c *caseStates) stateOf(id string) (theatre.State, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state[id].state, c.state[id].since
}
