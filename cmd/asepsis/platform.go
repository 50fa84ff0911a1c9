// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/open"
	"github.com/asepsis/asepsis/platform/telemetry"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/api"
	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/clock"
	"github.com/asepsis/asepsis/see/demo"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/recorder"
	"github.com/asepsis/asepsis/see/watch"
	"github.com/asepsis/asepsis/web"
)

// platform is what the rooms of one process share. Commands put rooms into it
// and run it.
type platform struct {
	set     settings
	dir     string
	demo    bool
	out     io.Writer
	log     *slog.Logger
	key     pseudonym.Key
	metrics *prometheus.Registry
	bus     *bus.Bus
	store   store.Store
	late    *open.Late // of a role that runs on while the store is away, in the store's place
	patient bool       // a bus that is away does not hold up the start
	rooms   []lifecycle.Room
	cleanup []func()

	gateways   map[string]control.Control // of this process, by name
	temporary  bool                       // the data directory goes at the end
	proof      proving
	passphrase []byte // of the authority's key, where it is not in a file
}

// open reads the configuration. It touches nothing else: what is wrong with the
// command line is found before a directory is made.
func (f *upFlags) open(c *cobra.Command) (*platform, error) {
	set, err := loadSettings(f.config)
	if err != nil {
		return nil, err
	}
	if f.busURL != "" {
		set.Bus.URL = f.busURL
	}
	if f.store != "" {
		set.Store.URL = f.store
	}
	if f.listen != "" {
		set.Console.Listen = f.listen
	}
	p := &platform{set: set, demo: f.demo, out: c.ErrOrStderr()}
	p.log = set.Telemetry.Logger(p.out, terminal(p.out))
	if err := errors.Join(set.Bus.Validate(), set.Store.Validate(), set.Console.Validate()); err != nil {
		return nil, err
	}
	if p.metrics, err = telemetry.Registry(version); err != nil {
		return nil, err
	}
	p.rooms = append(p.rooms, lifecycle.Room{Name: "debug", Run: set.Telemetry.ServeDebug})
	return p, nil
}

// prepare makes the data directory ready, with the site's key in it.
func (p *platform) prepare(f *upFlags) (err error) {
	if err := p.directory(f); err != nil {
		return err
	}
	p.key, err = siteKeyIn(p.dir, p.set.Site.KeyFile, p.log)
	return err
}

// directory makes sure that there is a directory which only this account reads.
// A demo gets one of its own that is removed at the end.
func (p *platform) directory(f *upFlags) error {
	if f.demo && f.data == "" {
		dir, err := os.MkdirTemp("", "asepsis-demo-")
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		p.dir, p.temporary = dir, true
		p.cleanup = append(p.cleanup, func() { _ = os.RemoveAll(dir) })
		return nil
	}
	p.dir = f.data
	if p.dir == "" {
		p.dir = p.set.Data
	}
	if p.dir == "" {
		p.dir = defaultDataDir()
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return withHint(fmt.Errorf("data directory: %w", err), "name another with --data")
	}
	st, err := os.Stat(p.dir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return withHint(fmt.Errorf("data directory %s: others may read it (mode %04o)", p.dir, st.Mode().Perm()&fs.ModePerm), "chmod 700 "+p.dir)
	}
	probe, err := os.CreateTemp(p.dir, ".asepsis-*")
	if err != nil {
		return withHint(fmt.Errorf("data directory: %w", err), "name one that this account may write with --data")
	}
	_ = probe.Close()
	return os.Remove(probe.Name())
}

// connect opens the bus and the store.
func (p *platform) connect(ctx context.Context) error {
	if err := p.connectBus(ctx); err != nil {
		return err
	}
	s, err := open.Store(ctx, p.set.Store, filepath.Join(p.dir, "store"), p.log.With("room", "store"))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	p.store = s
	return nil
}

func (p *platform) connectBus(ctx context.Context) error {
	b, err := bus.Open(ctx, p.set.Bus, bus.Deps{Dir: filepath.Join(p.dir, "bus"), Log: p.log.With("room", "bus"), Patient: p.patient})
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	p.bus = b
	return nil
}

// close frees everything, in the reverse order.
func (p *platform) close() {
	if p.bus != nil {
		if err := p.bus.Close(); err != nil {
			p.log.Error("the bus did not close cleanly", "err", err)
		}
	}
	if p.store != nil {
		if err := p.store.Close(); err != nil {
			p.log.Error("the store did not close cleanly", "err", err)
		}
	}
	if p.late != nil {
		if err := p.late.Close(); err != nil {
			p.log.Error("the store did not close cleanly", "err", err)
		}
	}
	for _, f := range slices.Backward(p.cleanup) {
		f()
	}
}

// documents is the store, or what stands for it while it is away; nil without one.
func (p *platform) documents() store.Documents {
	switch {
	case p.store != nil:
		return p.store
	case p.late != nil:
		return p.late
	}
	return nil
}

func (p *platform) addRecorder() error {
	r, err := recorder.New(p.set.Recorder, recorder.Deps{
		Bus: p.bus, Store: p.store, Log: p.log.With("room", "recorder"),
		Inventory: func() (*inventory.Inventory, error) {
			return inventory.New(p.set.Inventory, inventory.WithNetworks(p.set.Networks...), inventory.WithOverrides(p.set.Devices...))
		},
	})
	if err != nil {
		return err
	}
	if err := p.metrics.Register(r); err != nil {
		return err
	}
	p.rooms = append(p.rooms, lifecycle.Room{Name: "recorder", Run: r.Run, Ready: r.Ready, Drain: 30 * time.Second})
	return p.addAdvisories() // beside the recorder: where devices are written
}

// addDetect makes the room that finds what needs a person.
func (p *platform) addDetect() error {
	cases := p.bus.NewPublisher("clock", bus.PublisherOptions{})
	r, err := detect.New(p.set.Detect, detect.RoomDeps{
		Store: p.store, Rules: rules.FS, Bus: p.bus, Log: p.log.With("room", "detect"), Secret: p.detectSecret(),
		Emit: func(c clock.Change) { cases.Emit(c.Event()) },
	})
	if err != nil {
		return err
	}
	p.rooms = append(p.rooms, lifecycle.Room{Name: "cases", Run: cases.Run},
		lifecycle.Room{Name: "detect", Run: r.Run, Ready: r.Ready, Drain: 30 * time.Second})
	return nil
}

// detectSecret keys what detection counts by hash. It is the same in all processes that have
// the site's key.
func (p *platform) detectSecret() [16]byte {
	sum := sha256.Sum256([]byte(p.key.Of("detect", "what detection counts")))
	return [16]byte(sum[:16])
}

func (p *platform) addWatch(name string, in watch.Input) error {
	cfg := p.set.Watch
	cfg.Name = name
	sensor := p.set.Sensor
	w, err := watch.New(cfg, watch.Deps{Bus: p.bus, Sensor: sensor, Key: p.key, Input: in, Log: p.log.With("room", "sensor", "sensor", name)})
	if err != nil {
		return err
	}
	if err := p.metrics.Register(w); err != nil {
		return err
	}
	p.rooms = append(p.rooms, lifecycle.Room{Name: "sensor " + name, Run: w.Run, Ready: w.Ready})
	return nil
}

// addConsole makes the API and the console, and the link for the first account.
func (p *platform) addConsole(ctx context.Context) error {
	var server *api.Server
	orders, err := p.orders(ctx)
	if err != nil {
		return err
	}
	a, err := access.New(p.set.Access, access.Deps{
		Store: p.store, Log: p.log.With("room", "access"), Now: time.Now, Demo: p.demo, Secure: !p.set.Console.TLS.Plain,
		BaseURL: func() string { return server.URL() }, Site: func(ctx context.Context) access.Site { return api.SiteOf(ctx, p.store) }, Version: version,
	})
	if err != nil {
		return err
	}
	ready := map[string]func(context.Context) error{"bus": p.bus.Check, "store": p.store.Ping}
	for _, r := range p.rooms {
		if r.Ready != nil {
			ready[r.Name] = r.Ready
		}
	}
	deps := api.Deps{
		Store: p.store, Bus: p.bus, Access: a, Web: web.Dist(), Dir: p.dir, Rules: rules.FS, RulesDir: p.set.Detect.RulesDir, Policy: p.set.Detect.Policy, Demo: p.demo, Version: version,
		Log: p.log.With("room", "console"), Now: time.Now, Metrics: p.metrics, Ready: ready,
		Records: p.proof.records, UnwitnessedAlarm: p.set.Ledger.Unwitnessed, Identity: p.apiIdentity(),
		Gateways: p.gateways, Orders: orders,
	}
	if p.proof.ledger != nil {
		deps.Ledger = p.proof.ledger
	}
	server, err = api.New(p.set.Console, deps)
	if err != nil {
		return err
	}
	p.rooms = append(p.rooms,
		lifecycle.Room{Name: "access", Run: a.Run},
		lifecycle.Room{Name: "console", Run: server.Run},
		lifecycle.Room{Name: "greeting", Run: func(ctx context.Context) error {
			select {
			case <-server.Listening():
				p.welcome(ctx, a, server)
			case <-ctx.Done():
			}
			<-ctx.Done()
			return nil
		}})
	return nil
}

// welcome prints where the console is, and on the first start the link that makes
// the first account.
func (p *platform) welcome(ctx context.Context, a *access.Access, s *api.Server) {
	link, needed, err := a.SetupLink(ctx, s.URL())
	if err != nil {
		if ctx.Err() == nil {
			p.log.Error("the link for the first account could not be made; it is made at the next start", "err", err)
		}
		return
	}
	lines := []string{"Asepsis is at " + s.URL()}
	if p.demo {
		kept := "Nothing is kept when it ends."
		if !p.temporary {
			kept = "It is kept in " + p.dir + "."
		}
		lines = append(lines, "This is a demo: "+demo.Site+". "+kept)
	}
	if needed {
		lines = append(lines, "Make the first account with this link. It works once, for a day:", "", "  "+link)
	}
	if !p.set.Console.TLS.Plain && p.set.Console.TLS.CertFile == "" {
		lines = append(lines, "", "The browser will ask about the certificate, which this machine made itself.")
	}
	say(p.out, lines...)
}

func (p *platform) run(ctx context.Context) error {
	return lifecycle.Run(ctx, p.log, p.rooms...)
}

// demoSite writes the settings and theatres of the demo. In a directory that has
// them from an earlier start, what people changed stays, and the demo's theatres go
// on with the new day.
func (p *platform) demoSite(ctx context.Context, day *demo.Day) error {
	site, err := json.Marshal(map[string]any{
		"site":            map[string]string{"id": "lindenhof", "name": demo.Site, "timezone": localZone()},
		"retention":       recorder.DefaultSettings().Retention,
		"silence_minutes": 60, // some of its devices speak once a case
	})
	if err != nil {
		return err
	}
	_, err = p.store.Document(ctx, recorder.SettingsKind, recorder.SettingsID)
	switch {
	case err == nil:
		for _, r := range demo.Rooms() {
			state, since := day.State(r.ID, time.Now())
			if err := p.demoState(ctx, r.ID, state, since); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
		}
		return nil
	case !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("demo: %w", err)
	}
	writes := []store.Write{{Kind: recorder.SettingsKind, ID: recorder.SettingsID, Expect: store.AnyRevision, Body: site}}
	for _, r := range demo.Rooms() {
		body, err := demoTheatre(day, r, time.Now())
		if err != nil {
			return err
		}
		writes = append(writes, store.Write{Kind: recorder.TheatreKind, ID: r.ID, Expect: store.AnyRevision, Body: body})
	}
	return p.store.Commit(ctx, writes)
}

func demoTheatre(day *demo.Day, r demo.Room, now time.Time) ([]byte, error) {
	state, since := day.State(r.ID, now)
	return json.Marshal(recorder.Theatre{
		ID: r.ID, Name: r.Name, Order: r.Order, Building: r.Building, Contact: r.Contact, VLANs: []uint16{}, Prefixes: r.Prefixes,
		State: state, Since: since.UTC().Format(time.RFC3339Nano), Source: "demo",
	})
}

// demoCases begins and ends the demo's cases. What a person sets stays.
func (p *platform) demoCases(ctx context.Context, day *demo.Day) error {
	was := map[string]theatre.State{}
	for _, r := range demo.Rooms() {
		was[r.ID], _ = day.State(r.ID, time.Now())
	}
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		for _, r := range demo.Rooms() {
			state, since := day.State(r.ID, time.Now())
			if state == was[r.ID] {
				continue
			}
			was[r.ID] = state
			if err := p.demoState(ctx, r.ID, state, since); err != nil && ctx.Err() == nil {
				p.log.Warn("the demo could not change the state of a case", "theatre", r.ID, "err", err)
			}
		}
	}
}

func (p *platform) demoState(ctx context.Context, id string, state theatre.State, since time.Time) error {
	doc, err := p.store.Document(ctx, recorder.TheatreKind, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil // somebody removed it
	}
	if err != nil {
		return err
	}
	var t recorder.Theatre
	if err := json.Unmarshal(doc.Body, &t); err != nil {
		return err
	}
	if t.Source != "demo" {
		return nil
	}
	t.State, t.Since = state, since.UTC().Format(time.RFC3339Nano)
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if err := p.store.Commit(ctx, []store.Write{{Kind: recorder.TheatreKind, ID: id, Expect: doc.Revision, Body: body}}); err != nil {
		return err
	}
	return p.bus.Tell("changed", []byte(`{"what":"theatres"}`))
}

// localZone names this machine's time zone, as far as it says so.
func localZone() string {
	if name := time.Local.String(); name != "Local" {
		return name
	}
	if to, err := os.Readlink("/etc/localtime"); err == nil {
		if _, zone, ok := strings.Cut(to, "zoneinfo/"); ok {
			return zone
		}
	}
	return "UTC"
}

// makeSiteKey writes a new key that only this account reads. It is on the disk, and
// whole, before it has its name: without its end, after a power cut in between, the
// program could not start again.
func makeSiteKey(file string) error {
	b := make([]byte, pseudonym.KeySize)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	if err := durable.Create(file, []byte(hex.EncodeToString(b)+"\n"), 0o600); err != nil {
		return fmt.Errorf("site key: %w", err)
	}
	return nil
}

// giveDir makes the data directory and all in it belong to an account.
func giveDir(dir, account string) error {
	u, err := user.Lookup(account)
	if err != nil {
		return withHint(fmt.Errorf("--user %s: %w", account, err), "name an account that exists")
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return fmt.Errorf("--user %s: %w", account, err)
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}
