// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/open"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/announce"
	"github.com/asepsis/asepsis/prove/identity/service"
)

// authorityFlags are the flags of commands that work with the authority.
type authorityFlags struct {
	config, data, store, passphrase, format string
}

func caCommand() *cobra.Command {
	var f authorityFlags
	c := &cobra.Command{Use: "ca", Short: "Run the site's certificate authority: one identity for each device", Args: cobra.NoArgs,
		Long: "Works on the authority's directory and the store themselves, also while a server runs:\n" +
			"it sees within a second what was issued and revoked here. docs/identity.md describes it.",
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	p := c.PersistentFlags()
	p.StringVar(&f.config, "config", "", "configuration file")
	p.StringVar(&f.data, "data", "", "data directory (default "+defaultDataDir()+")")
	p.StringVar(&f.store, "store", "", "postgres://... for a shared PostgreSQL; without it SQLite in the data directory")
	p.StringVar(&f.passphrase, "passphrase-file", "", "file with the passphrase of the issuing authority's key, mode 0600; without it, it is asked for")
	p.StringVar(&f.format, "format", "table", "table or json")
	c.AddCommand(caInit(&f), caShow(&f), caIssue(&f), caRevoke(&f), caList(&f), caCode(&f), caCodes(&f), caWithdraw(&f), caExpect(&f), caCRL(&f), caOCSP(&f), caCheck(&f),
		caRotate(&f), caRevokeIssuing(&f), caRootCRL(&f), caBackup(&f), caRestore(&f), caServe())
	return c
}

// place reads where things are: the configuration and the authority's directory.
func (f *authorityFlags) place() (set settings, data, dir string, err error) {
	if f.format != "table" && f.format != "json" {
		return set, "", "", unknownFormat(f.format, "table", "json")
	}
	if set, err = loadSettings(f.config); err != nil {
		return set, "", "", err
	}
	if f.store != "" {
		set.Store.URL = f.store
	}
	data = cmp.Or(f.data, set.Data, defaultDataDir())
	return set, data, service.Dir(set.Identity, data), nil
}

// documents opens the store.
func (f *authorityFlags) documents(ctx context.Context, set settings, data string) (store.Store, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	st, err := open.Store(ctx, set.Store, filepath.Join(data, "store"), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return st, nil
}

// with opens the authority, calls do and closes what it opened. On a shared bus
// it announces what do revokes; a server on the same store announces it otherwise.
func (f *authorityFlags) with(c *cobra.Command, do func(context.Context, *identity.Authority) error) (err error) {
	ctx := c.Context()
	set, data, dir, err := f.place()
	if err != nil {
		return err
	}
	if !service.Present(set.Identity, data) {
		return withHint(fmt.Errorf("ca: there is no authority in %s", dir), "asepsis ca init makes one; --data or --config say where")
	}
	pass, err := secret(c, cmp.Or(f.passphrase, string(set.Identity.PassphraseFile)), "Passphrase of the issuing authority", false)
	if err != nil {
		return err
	}
	st, err := f.documents(ctx, set, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	d := identity.Deps{Documents: st, Passphrase: pass, Software: "asepsis/identity " + version, Log: slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if set.Bus.URL != "" {
		b, err := bus.Open(ctx, set.Bus, bus.Deps{})
		if err != nil {
			return fmt.Errorf("bus: %w", err)
		}
		defer func() { _ = b.Close() }()
		d.Announcer = announce.Over(b)
	}
	a, err := identity.Open(dir, set.Identity.Authority, d)
	if err != nil {
		return err
	}
	return do(ctx, a)
}

// secret reads a passphrase from a file, or asks for it on a terminal. A new one
// is asked for twice.
func secret(c *cobra.Command, file, what string, fresh bool) ([]byte, error) {
	if file != "" {
		b, err := config.SecretFile(file).Read()
		if err != nil {
			return nil, withHint(fmt.Errorf("passphrase: %w", err), "the file holds nothing else and has mode 0600")
		}
		return b, nil
	}
	in, ok := c.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, withHint(errors.New("passphrase: none was named and nobody can be asked"), "--passphrase-file FILE, or identity.passphrase_file in the configuration")
	}
	ask := func(prompt string) ([]byte, error) {
		_, _ = fmt.Fprint(c.ErrOrStderr(), prompt+": ")
		b, err := term.ReadPassword(int(in.Fd()))
		_, _ = fmt.Fprintln(c.ErrOrStderr())
		return b, err
	}
	b, err := ask(what)
	if err != nil || !fresh {
		return b, err
	}
	again, err := ask(what + ", again")
	if err == nil && string(again) != string(b) {
		err = errors.New("passphrase: the two are not the same")
	}
	return b, err
}

// actor is who works at this terminal.
func actor() identity.Actor {
	if u, err := user.Current(); err == nil {
		return identity.Actor{User: u.Username}
	}
	return identity.Actor{User: "uid " + fmt.Sprint(os.Getuid())}
}

// printed writes JSON, or a table by rows.
func (f *authorityFlags) printed(c *cobra.Command, v any, rows func(*tabwriter.Writer)) error {
	if f.format == "json" {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	rows(w)
	return w.Flush()
}

// saved writes to a file, or to standard output with "" or "-".
func saved(c *cobra.Command, file string, b []byte, mode os.FileMode) error {
	if file == "" || file == "-" {
		_, err := c.OutOrStdout().Write(b)
		return err
	}
	return os.WriteFile(file, b, mode)
}

func readInput(c *cobra.Command, file string, most int64) ([]byte, error) {
	if file == "-" {
		return readAtMost(c.InOrStdin(), most)
	}
	h, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = h.Close() }()
	return readAtMost(h, most)
}

// caServe runs the authority alone.
func caServe() *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve CRLs, OCSP and enrolment, and keep them fresh",
		Long: "Runs the authority: CRLs, OCSP and certificates over HTTP at identity.pki_listen,\n" +
			"enrolment (EST) over TLS at identity.est_listen. asepsis up does the same beside the rest.",
		Example: "  asepsis ca serve --config asepsis.yaml --bus nats://bus.hospital.example:4222",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := f.open(c)
			if err != nil {
				return err
			}
			defer p.close()
			if err := p.prepare(&f); err != nil {
				return err
			}
			if err := f.become(p); err != nil {
				return err
			}
			if err := p.connect(c.Context()); err != nil {
				return err
			}
			s, err := p.addIdentity(nil)
			if err != nil {
				return err
			}
			p.rooms = append(p.rooms, lifecycle.Room{Name: "greeting", Run: func(ctx context.Context) error {
				site := s.Authority().Site()
				say(p.out, "The authority of "+site.TrustDomain+" is served.", "CRLs, OCSP and certificates: "+cmp.Or(p.set.Identity.PKIListen, "not served")+" (named in certificates: "+site.Base+")", "Enrolment: "+cmp.Or(p.set.Identity.ESTListen, "not served"))
				<-ctx.Done()
				return nil
			}})
			return p.run(c.Context())
		},
	}
	f.shared(c)
	// The others are those of asepsis ca.
	c.Flags().StringVar(&f.store, "store", "", "postgres://... for a shared PostgreSQL; without it SQLite in the data directory")
	return c
}

// addIdentity makes the room of the site's authority. journal is the ledger, or
// nil: then statements wait in the store for an authority that has one.
func (p *platform) addIdentity(journal identity.Journal) (*service.Service, error) {
	events := p.bus.NewPublisher("identity", bus.PublisherOptions{})
	s, err := service.New(p.set.Identity, service.Deps{
		Dir: p.dir, Documents: p.store, Passphrase: p.passphrase, Journal: journal, Announcer: announce.Over(p.bus), Emit: events.Emit, Log: p.log.With("room", "identity"), Software: "asepsis/identity " + version,
	})
	if err != nil {
		return nil, err
	}
	p.rooms = append(p.rooms, lifecycle.Room{Name: "certificates", Run: events.Run}, lifecycle.Room{Name: "identity", Run: s.Run, Ready: func(context.Context) error { return s.Ready() }})
	return s, nil
}

func joined(list []string) string { return strings.Join(list, ", ") }
