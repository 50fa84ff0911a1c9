// SPDX-License-Identifier: Apache-2.0

package trust_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// hospital is an authority, and what its servers and clients trust.
type hospital struct {
	*identitytest.Site
	t *testing.T
}

func newHospital(t *testing.T) *hospital {
	return &hospital{identitytest.New(t, identitytest.Options{}), t}
}

// trust makes a Trust with a certificate of its own, which runs to the end of
// the test. change may change its parts.
func (h *hospital) trust(p identity.Profile, device string, change func(*trust.Config, *trust.Deps)) *trust.Trust {
	h.t.Helper()
	_, pair := h.Issue(h.t, p, device)
	return h.trustWith(&pair, change)
}

func (h *hospital) trustWith(pair *tls.Certificate, change func(*trust.Config, *trust.Deps)) *trust.Trust {
	h.t.Helper()
	cfg := trust.Default()
	cfg.TrustDomain = identitytest.Domain
	d := trust.Deps{Source: trust.SourceFunc(h.CRLs), Announcer: h.Air, Now: h.Clock.Now, Material: func() (trust.Material, error) {
		return trust.Material{CA: append(h.Issuing(), h.Root()), Certificate: pair}, nil
	}}
	if change != nil {
		change(&cfg, &d)
	}
	tr, err := trust.New(h.t.Context(), cfg, d)
	if err != nil {
		h.t.Fatal(err)
	}
	before := h.Air.Listening()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Error(err)
		}
	})
	identitytest.Wait(h.t, "the Trust to listen", func() bool { return d.Announcer == nil || h.Air.Listening() > before })
	return tr
}

func (h *hospital) revoke(serials ...string) {
	h.t.Helper()
	if _, err := h.Revoke(h.t.Context(), identity.Revocation{Serials: serials, Reason: identity.KeyCompromise}); err != nil {
		h.t.Fatal(err)
	}
}

// echo serves lines back until the test ends, and gives its address and the
// errors of handshakes.
func (h *hospital) echo(tr *trust.Trust, o trust.ServerOptions) (string, chan error) {
	h.t.Helper()
	s, err := tr.Server(o)
	if err != nil {
		h.t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	return inner.Addr().String(), h.serve(s.Listener(inner))
}

func (h *hospital) serve(l net.Listener) chan error {
	errs := make(chan error, 100)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer c.Close()
				err := c.(*tls.Conn).HandshakeContext(context.Background())
				errs <- err
				if err != nil {
					return
				}
				r := bufio.NewReader(c)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					p, _ := trust.PeerOf(c)
					if _, err := fmt.Fprintf(c, "%s %v %s", p.Name(), c.(*tls.Conn).ConnectionState().DidResume, line); err != nil {
						return
					}
				}
			})
		}
	})
	h.t.Cleanup(func() { _ = l.Close(); group.Wait() })
	return errs
}

// ask says hello and returns the answer.
func ask(c net.Conn) (string, error) {
	_ = c.SetDeadline(time.Now().Add(identitytest.Patience))
	if _, err := fmt.Fprintln(c, "hello"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line), err
}

func dial(t *testing.T, tr *trust.Trust, address string, o trust.ClientOptions) (net.Conn, error) {
	t.Helper()
	c, err := tr.Client(o)
	if err != nil {
		t.Fatal(err)
	}
	return c.Dial(t.Context(), "tcp", address)
}

func why(err error) trust.Why {
	var d *trust.Denied
	if errors.As(err, &d) {
		return d.Why
	}
	return ""
}

func TestBothEndsKnowEachOther(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		h := newHospital(t)
		gateway := h.trust(identity.Infrastructure, "gateway", nil)
		arm := h.trust(identity.DICOMNode, "dev-arm", nil)
		address, errs := h.echo(gateway, trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}, MinVersion: version})
		client, err := arm.Client(trust.ClientOptions{Profiles: []identity.Profile{identity.Infrastructure}, MinVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"dev-arm false hello", "dev-arm true hello"} {
			c, err := client.Dial(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := ask(c); err != nil || got != want {
				t.Errorf("%x: %q, %v", version, got, err)
			}
			if p, ok := trust.PeerOf(c); !ok || p.Device != "gateway" || p.Profile != identity.Infrastructure {
				t.Errorf("the server is %+v", p)
			}
			if live := gateway.Live("dev-arm"); len(live) != 1 {
				t.Errorf("%d live", len(live))
			}
			c.Close()
			if err := <-errs; err != nil {
				t.Error(err)
			}
			identitytest.Wait(t, "the closed connection to leave the index", func() bool { return len(gateway.Live("")) == 0 && len(arm.Live("")) == 0 })
		}
	}
}

// TestWhoIsNotRightIsRefused is the table of refusals, each at the server's or
// the client's side, at a full handshake.
func TestWhoIsNotRightIsRefused(t *testing.T) {
	type parts struct {
		h             *hospital
		gateway, arm  *trust.Trust
		server        trust.ServerOptions
		client        trust.ClientOptions
		serverC, armC string // serial numbers
	}
	for _, c := range []struct {
		name   string
		change func(p *parts)
		server trust.Why // what the server says
		client trust.Why // what the client says
	}{
		{"nobody is refused", func(*parts) {}, "", ""},
		{"a client without a certificate", func(p *parts) { p.client.Anonymous = true }, "tls", ""},
		{"a client of another hospital", func(p *parts) {
			other := newHospital(t)
			_, pair := other.Issue(t, identity.DICOMNode, "dev-arm")
			p.arm = p.h.trustWith(&pair, func(_ *trust.Config, d *trust.Deps) {
				d.Material = func() (trust.Material, error) {
					return trust.Material{CA: append(append(p.h.Issuing(), p.h.Root(), other.Root()), other.Issuing()...), Certificate: &pair}, nil
				}
				d.Source = trust.SourceFunc(func(ctx context.Context) ([][]byte, error) {
					a, _ := p.h.CRLs(ctx)
					b, err := other.CRLs(ctx)
					return append(a, b...), err
				})
			})
		}, "tls", ""},
		{"a profile that may not come", func(p *parts) { p.server.Profiles = []identity.Profile{identity.XRHeadset} }, trust.WrongProfile, ""},
		{"a revoked client", func(p *parts) { p.h.revoke(p.armC) }, trust.IsRevoked, ""},
		{"whom the server's owner does not want", func(p *parts) { p.server.Allow = func(trust.Peer) error { return errors.New("not in this theatre") } }, trust.Refused, ""},
		{"a server of another name", func(p *parts) { p.client.ServerName = "archive.st-example.internal" }, "tls", trust.WrongName},
		{"a server that is another device", func(p *parts) { p.client.Device = "dev-archive" }, "tls", trust.WrongName},
		{"a server whose profile is not wanted", func(p *parts) { p.client.Profiles = []identity.Profile{identity.APIServer} }, "tls", trust.WrongProfile},
		{"a revoked server", func(p *parts) { p.h.revoke(p.serverC) }, "tls", trust.IsRevoked},
		{"a server whose certificate begins later than now", func(p *parts) {
			p.h.Clock.Advance(time.Hour)
			_, pair := p.h.Issue(t, identity.Infrastructure, "gateway")
			p.gateway = p.h.trustWith(&pair, nil)
			p.h.Clock.Advance(-time.Hour)
		}, "tls", trust.NotYetValid},
		{"a server whose certificate has ended", func(p *parts) { p.h.Clock.Advance(49 * time.Hour) }, "tls", trust.Ended},
		{"a stale CRL", func(p *parts) {
			p.h.Air.Silent = true
			p.h.Clock.Advance(25 * time.Hour)
		}, "tls", trust.StaleCRL},
	} {
		h := newHospital(t)
		gi, gpair := h.Issue(t, identity.Infrastructure, "gateway")
		ai, apair := h.Issue(t, identity.DICOMNode, "dev-arm")
		p := &parts{h: h, gateway: h.trustWith(&gpair, nil), arm: h.trustWith(&apair, nil), serverC: gi.Serial, armC: ai.Serial,
			server: trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}}}
		c.change(p)
		address, errs := h.echo(p.gateway, p.server)
		conn, err := dial(t, p.arm, address, p.client)
		if err == nil {
			_, err = ask(conn) // in TLS 1.3 a client hears of its refusal only when it reads
			conn.Close()
		}
		served := <-errs
		if (c.server == "") != (served == nil) || c.server != "tls" && why(served) != c.server {
			t.Errorf("%s: the server says %v", c.name, served)
		}
		if (err == nil) != (c.server == "" && c.client == "") || c.client != "" && why(err) != c.client {
			t.Errorf("%s: the client says %v", c.name, err)
		}
	}
}

func TestAnAnonymousClientIsNobodyAndACertificateIsStillChecked(t *testing.T) {
	h := newHospital(t)
	api := h.trust(identity.APIServer, "dev-api", nil)
	address, errs := h.echo(api, trust.ServerOptions{Anonymous: true, Profiles: []identity.Profile{identity.APIClient}})
	i, pair := h.Issue(t, identity.APIClient, "dev-client")
	client := h.trustWith(&pair, func(_ *trust.Config, d *trust.Deps) { d.Announcer = nil })
	for _, c := range []struct {
		o    trust.ClientOptions
		want string
	}{{trust.ClientOptions{Anonymous: true}, "unknown false hello"}, {trust.ClientOptions{}, "dev-client false hello"}} {
		conn, err := dial(t, client, address, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ask(conn); err != nil || got != c.want {
			t.Errorf("%q, %v", got, err)
		}
		conn.Close()
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	h.revoke(i.Serial)
	if conn, err := dial(t, client, address, trust.ClientOptions{}); err == nil {
		_, _ = ask(conn)
		conn.Close()
	}
	if err := <-errs; why(err) != trust.IsRevoked {
		t.Errorf("a revoked certificate was taken for none: %v", err)
	}
}

func TestACertificateIsCheckedOutsideTLS(t *testing.T) {
	h := newHospital(t)
	tr := h.trust(identity.RADIUSServer, "dev-radius", nil)
	i, _ := h.Issue(t, identity.EAPSupplicant, "dev-pump")
	if p, err := tr.Check([]*x509.Certificate{i.Leaf, i.Chain[0]}, identity.EAPSupplicant); err != nil || p.Device != "dev-pump" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := tr.Check([]*x509.Certificate{i.Leaf}, identity.DICOMNode); why(err) != trust.WrongProfile {
		t.Errorf("as another profile: %v", err)
	}
	if _, err := tr.Check(nil, identity.EAPSupplicant); why(err) != trust.NoCertificate {
		t.Errorf("nothing: %v", err)
	}
	h.revoke(i.Serial)
	if _, err := tr.Check([]*x509.Certificate{i.Leaf}, identity.EAPSupplicant); why(err) != trust.IsRevoked {
		t.Errorf("revoked: %v", err)
	}
}
