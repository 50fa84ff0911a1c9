// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/see/demo"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/live"
	"github.com/asepsis/asepsis/see/watch"
	"github.com/asepsis/asepsis/wire/capture"
)

// upFlags are the flags of commands that run rooms of the platform.
type upFlags struct {
	config, data, account string
	listen, busURL, store string
	interfaces, captures  []string
	demo                  bool
}

func (f *upFlags) shared(c *cobra.Command) {
	c.Flags().StringVar(&f.config, "config", "", "configuration file; asepsis config show-defaults prints one")
	c.Flags().StringVar(&f.data, "data", "", "directory for everything that is kept (default "+defaultDataDir()+")")
	c.Flags().StringVar(&f.account, "user", "", "account to become after the interfaces are open, when started as root")
	c.Flags().StringVar(&f.busURL, "bus", "", "address of a shared NATS server, nats://host:4222; without it this process runs its own")
}

func (f *upFlags) stores(c *cobra.Command) {
	c.Flags().StringVar(&f.store, "store", "", "postgres://... for a shared PostgreSQL; without it SQLite in the data directory")
}

func (f *upFlags) inputs(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.interfaces, "iface", nil, "interface to capture from; may be given several times")
	c.Flags().StringArrayVar(&f.captures, "pcap", nil, "capture file to read as if it came from the network; may be given several times")
}

func upCommand() *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Run everything in one process: sensor, inventory, store and console",
		Long: "Runs sensor, inventory, store and console in one process, with an embedded message\n" +
			"bus and database. The first start prints a link with which to make the first account.\n\n" +
			"Capturing needs CAP_NET_RAW, and nothing else does. Nothing is ever sent to the\n" +
			"network that is watched.",
		Example: "  asepsis up --demo\n  asepsis up --iface eth1\n  asepsis up --pcap theatre.pcapng",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return f.up(c) },
	}
	f.shared(c)
	f.stores(c)
	f.inputs(c)
	c.Flags().StringVar(&f.listen, "listen", "", "address and port of the console (default 127.0.0.1:8443)")
	c.Flags().BoolVar(&f.demo, "demo", false, "watch a hospital that does not exist, with data that is thrown away at the end")
	return c
}

// defaultDataDir is where things are kept when nobody says otherwise.
func defaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/asepsis"
	}
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "asepsis")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "asepsis-data"
	}
	return filepath.Join(home, ".local", "share", "asepsis")
}

// up runs everything.
func (f *upFlags) up(c *cobra.Command) error {
	if f.demo && (len(f.interfaces)+len(f.captures) > 0) {
		return withHint(errors.New("up: --demo watches its own hospital, not --iface or --pcap"), "leave one out")
	}
	p, err := f.open(c)
	if err != nil {
		return err
	}
	defer p.close()
	inputs, err := f.watched(c.Context(), p.set)
	if err != nil {
		return err
	}
	if len(inputs) == 0 && !f.demo && p.set.Bus.URL == "" && p.set.Bus.Listen == "" && !p.set.Gateway.Enabled() {
		return withHint(errors.New("up: nothing to watch: no interface, capture or demo named"),
			"asepsis up --demo looks around without a network; asepsis up --iface IF watches one of: "+interfaceNames())
	}
	if err := p.prepare(f); err != nil {
		return err
	}
	if err := f.become(p); err != nil {
		return err
	}
	if err := p.connect(c.Context()); err != nil {
		return err
	}
	if err := p.addRecorder(); err != nil {
		return err
	}
	if err := p.addDetect(); err != nil {
		return err
	}
	if err := p.addProve(); err != nil {
		return err
	}
	if f.demo {
		if err := p.addDemo(c.Context()); err != nil {
			return err
		}
	}
	if err := p.addGateway(c.Context()); err != nil {
		return err
	}
	for _, in := range inputs {
		if err := p.addWatch(in.name, in.Input); err != nil {
			return err
		}
	}
	if err := p.addConsole(c.Context()); err != nil {
		return err
	}
	return p.run(c.Context())
}

// namedInput is an input with the name of its sensor.
type namedInput struct {
	name string
	watch.Input
}

// watched turns flags and configuration into inputs. Interfaces are opened here,
// while the process may still do so.
func (f *upFlags) watched(ctx context.Context, set settings) ([]namedInput, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "sensor"
	}
	var out []namedInput
	ifaces := f.interfaces
	if len(ifaces) == 0 && len(f.captures) == 0 && !f.demo && set.Live.Interface != "" {
		ifaces = []string{set.Live.Interface}
	}
	// Names are unique: two captures may be called the same in two directories.
	name := func(what string) string {
		base := cmp.Or(set.Watch.Name, host) + "-" + what
		if set.Watch.Name != "" && len(f.captures)+len(ifaces) == 1 {
			base = set.Watch.Name
		}
		s := base
		for n := 2; slices.ContainsFunc(out, func(in namedInput) bool { return in.name == s }); n++ {
			s = base + "-" + strconv.Itoa(n)
		}
		return s
	}
	for _, file := range f.captures {
		if file != "-" {
			o, err := sensor.OpenFile(file) // found wrong now, not later in a log
			if err != nil {
				return nil, err
			}
			_ = o.Close()
		}
		out = append(out, namedInput{name(filepath.Base(file)), watch.Input{Label: filepath.Base(file) + " (replayed)", Finite: true, Open: func(context.Context) (watch.Opened, error) {
			o, err := sensor.OpenFile(file)
			if err != nil {
				return watch.Opened{}, err
			}
			return watch.Opened{Sources: []capture.Source{o}, Close: o.Close}, nil
		}}})
	}
	for _, iface := range ifaces {
		cfg := set.Live
		cfg.Interface = iface
		in, err := openInterface(ctx, cfg)
		if errors.Is(err, live.ErrPermission) {
			return nil, withHint(err, "capturing needs CAP_NET_RAW and nothing else: start with the systemd unit (scripts/systemd/asepsis.service), "+
				"or give it to the program: setcap cap_net_raw=ep $(command -v asepsis), or start as root with --user ACCOUNT")
		}
		if err != nil {
			return nil, err
		}
		out = append(out, namedInput{name(iface), in})
	}
	return out, nil
}

// openInterface opens an interface now and gives it to the first who asks; who
// asks again, after it failed, gets it opened anew.
func openInterface(ctx context.Context, cfg live.Config) (watch.Input, error) {
	first, err := live.Open(ctx, cfg)
	if err != nil {
		return watch.Input{}, err
	}
	return watch.Input{Label: cfg.Interface, Live: true, Open: func(ctx context.Context) (watch.Opened, error) {
		h := first
		if first = nil; h == nil {
			var err error
			if h, err = live.Open(ctx, cfg); err != nil {
				return watch.Opened{}, err
			}
		}
		context.AfterFunc(ctx, func() { _ = h.Close() })
		return watch.Opened{Sources: h.Sources(), Close: h.Close, Drops: func() uint64 { _, dropped, _ := h.Stats(); return dropped }}, nil
	}}, nil
}

// interfaceNames lists what could be watched, for a hint.
func interfaceNames() string {
	all, err := net.Interfaces()
	if err != nil {
		return "(ip link lists them)"
	}
	var names []string
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 {
			names = append(names, i.Name)
		}
	}
	if len(names) == 0 {
		return "(this machine has none but loopback)"
	}
	return strings.Join(names, ", ")
}

// become gives up root once the interfaces are open, when asked to.
func (f *upFlags) become(p *platform) error {
	if f.account == "" {
		if os.Geteuid() == 0 && !f.demo {
			p.log.Warn("running as root: only capturing needs a right of its own; --user NAME gives up the rest, the systemd unit starts without it")
		}
		return nil
	}
	if os.Geteuid() != 0 {
		return withHint(errors.New("--user: only root can become another account"), "leave --user out, or start as root")
	}
	if err := giveDir(p.dir, f.account); err != nil {
		return err
	}
	return live.DropPrivileges(f.account)
}

// addDemo makes the hospital that does not exist, and a sensor in it.
func (p *platform) addDemo(ctx context.Context) error {
	day, err := demo.New(time.Now())
	if err != nil {
		return err
	}
	if err := p.demoSite(ctx, day); err != nil {
		return err
	}
	p.addDemoProof(day)
	p.rooms = append(p.rooms, lifecycle.Room{Name: "demo", Run: func(ctx context.Context) error { return p.demoCases(ctx, day) }})
	return p.addWatch("theatre-span", watch.Input{Label: "the demo's theatres (recorded)", Live: true, Open: func(ctx context.Context) (watch.Opened, error) {
		return watch.Opened{Sources: []capture.Source{day.Source(ctx)}}, nil
	}})
}

// siteKeyIn reads the site's key, or makes one in the data directory.
func siteKeyIn(dir, file string, log *slog.Logger) (pseudonym.Key, error) {
	if file != "" {
		return siteKey(file)
	}
	file = filepath.Join(dir, "site.key")
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		if err := makeSiteKey(file); err != nil {
			return pseudonym.Key{}, err
		}
		log.Info("made the site's key, under which patient identifiers are replaced by pseudonyms", "file", file)
	}
	return siteKey(file)
}

// terminal reports whether a person reads a writer.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// say prints what a person who starts the program needs to know.
func say(w io.Writer, lines ...string) {
	_, _ = fmt.Fprintln(w, strings.Join(slices.Concat([]string{""}, lines, []string{""}), "\n  "))
}
