// SPDX-License-Identifier: Apache-2.0

// Command identity measures the authority: certificates issued and OCSP answers a
// second, what verification adds to a TLS handshake, and how long a revocation
// takes to refuse and to cut, in another process over the bus.
//
//	go run ./bench/identity [-seconds 5] [-rounds 200] [-revoked 10000] [-markdown]
//
// The consumer of the last measurement is this program again, as a process of its
// own: a TLS server with the same configuration as every guard.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/announce"
	"github.com/asepsis/asepsis/prove/identity/seal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/identity:", err)
		os.Exit(2)
	}
}

type options struct {
	seconds         float64
	rounds, revoked int
	markdown        bool
	consume         string
}

// row is one line of the result.
type row struct{ what, value, with string }

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	fs := flag.NewFlagSet("identity", flag.ContinueOnError)
	fs.Float64Var(&o.seconds, "seconds", 5, "how long each rate is measured")
	fs.IntVar(&o.rounds, "rounds", 200, "revocations that are timed")
	fs.IntVar(&o.revoked, "revoked", 10_000, "entries that the CRL has before")
	fs.BoolVar(&o.markdown, "markdown", false, "print the table of docs/identity.md")
	fs.StringVar(&o.consume, "consume", "", "directory: be the consumer (started by the program itself)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if o.consume != "" {
		return consume(ctx, o.consume)
	}
	dir, err := os.MkdirTemp("", "bench-identity-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := open(ctx, dir)
	if err != nil {
		return err
	}
	defer s.close()
	var rows []row
	for _, m := range []func(context.Context, *site, options) ([]row, error){issuing, answering, handshakes, revoking} {
		some, err := m(ctx, s, o)
		if err != nil {
			return err
		}
		for _, r := range some {
			if !o.markdown {
				_, _ = fmt.Fprintf(out, "%-46s %-28s %s\n", r.what, r.value, r.with)
			}
		}
		rows = append(rows, some...)
	}
	if o.markdown {
		_, _ = fmt.Fprintln(out, "| what | measured | with |\n|---|---|---|")
		for _, r := range rows {
			_, _ = fmt.Fprintf(out, "| %s | %s | %s |\n", r.what, r.value, r.with)
		}
	}
	return nil
}

// site is an authority with a bus that other processes reach.
type site struct {
	*identity.Authority
	dir   string
	store store.Store
	bus   *bus.Bus
	url   string
}

func open(ctx context.Context, dir string) (_ *site, err error) {
	s := &site{dir: dir}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.store, err = sqlite.Open(ctx, sqlite.Config{Dir: filepath.Join(dir, "store")}, sqlite.Deps{}); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cfg := bus.Default()
	cfg.Listen = fmt.Sprintf("127.0.0.1:%d", port)
	s.url = "nats://" + cfg.Listen
	if s.bus, err = bus.Open(ctx, cfg, bus.Deps{Dir: filepath.Join(dir, "bus")}); err != nil {
		return nil, err
	}
	pass := []byte("a passphrase for a benchmark")
	if _, err = identity.Init(identity.InitOptions{Dir: filepath.Join(dir, "ca"), Passphrase: pass, Cost: seal.Cost{Memory: 64, Passes: 1, Lanes: 1}, Site: identity.Site{TrustDomain: domain, Organisation: "Bench", Base: "http://127.0.0.1:9"}}); err != nil {
		return nil, err
	}
	if s.Authority, err = identity.Open(filepath.Join(dir, "ca"), identity.Default(), identity.Deps{Documents: s.store, Passphrase: pass, Announcer: announce.Over(s.bus)}); err != nil {
		return nil, err
	}
	return s, s.Publish(ctx, true)
}

const domain = "or.bench.internal"

func (s *site) close() {
	if s.bus != nil {
		_ = s.bus.Close()
	}
	if s.store != nil {
		_ = s.store.Close()
	}
}

func (s *site) issue(ctx context.Context, p identity.Profile, device string) (*identity.Issued, *tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	r := identity.Request{Profile: p, Device: device, Public: key.Public(), Via: "csr-file"}
	if spec, _ := identity.SpecOf(p); spec.Server {
		r.Addresses = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}
	i, err := s.Issue(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	c := &tls.Certificate{PrivateKey: key, Leaf: i.Leaf, Certificate: [][]byte{i.Leaf.Raw}}
	for _, up := range i.Chain {
		c.Certificate = append(c.Certificate, up.Raw)
	}
	return i, c, nil
}

// rate calls f for some seconds.
func rate(seconds float64, f func(n int) error) (float64, error) {
	begin := time.Now()
	n := 0
	for ; time.Since(begin).Seconds() < seconds; n++ {
		if err := f(n); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

// spread is p50, p99 and the largest of some times.
func spread(times []time.Duration) string {
	if len(times) == 0 {
		return "-"
	}
	slices.Sort(times)
	ms := func(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/1e6) }
	return fmt.Sprintf("p50 %s ms, p99 %s ms, most %s ms", ms(times[len(times)/2]), ms(times[len(times)*99/100]), ms(times[len(times)-1]))
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

var errNothing = errors.New("nothing was measured")
