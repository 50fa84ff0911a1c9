// SPDX-License-Identifier: Apache-2.0

package trust_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// raw is a client without any of our checks, which keeps its sessions as an
// attacker would.
func raw(h *hospital, pair tls.Certificate, name string, cache tls.ClientSessionCache, version uint16) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(h.Root())
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: name, ClientSessionCache: cache, MinVersion: version, MaxVersion: version}
}

// say connects, asks, and returns what came back.
func say(t *testing.T, address string, c *tls.Config) (string, error) {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: identitytest.Patience}, "tcp", address, c)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return ask(conn)
}

// one is a session cache that gives the same session for every name.
type one struct {
	s atomic.Pointer[tls.ClientSessionState]
}

func (o *one) Get(string) (*tls.ClientSessionState, bool) { s := o.s.Load(); return s, s != nil }
func (o *one) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		o.s.Store(s)
	}
}

// CVE-2025-23419: nginx took a session that was begun at one virtual host at
// another, which asks for other certificates.
func TestASessionOfOneServerIsNoneAtAnother(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		h := newHospital(t)
		_, pair := h.Issue(t, identity.APIServer, "dev-both")
		own := h.trustWith(&pair, nil)
		open, err := own.Server(trust.ServerOptions{Name: "open", Profiles: []identity.Profile{identity.XRHeadset, identity.DICOMNode}})
		if err != nil {
			t.Fatal(err)
		}
		strict, err := own.Server(trust.ServerOptions{Name: "strict", Profiles: []identity.Profile{identity.DICOMNode}})
		if err != nil {
			t.Fatal(err)
		}
		inner, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		// Two virtual hosts on one listener, chosen by name. The outer configuration's
		// ticket keys are what both would share.
		l := &wrapping{inner, open}
		errs := h.serve(tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if hello.ServerName == "localhost" {
				return open.ForClient(hello)
			}
			return strict.ForClient(hello)
		}}))
		_, headset := h.Issue(t, identity.XRHeadset, "dev-headset")
		cache := &one{}
		c := raw(h, headset, "localhost", cache, version)
		for _, want := range []string{"dev-headset false hello", "dev-headset true hello"} {
			if got, err := say(t, inner.Addr().String(), c); err != nil || got != want {
				t.Fatalf("%x at the open one: %q, %v", version, got, err)
			}
			<-errs
		}
		c.ServerName = "" // the strict one
		c.InsecureSkipVerify = true
		if got, err := say(t, inner.Addr().String(), c); err == nil {
			t.Errorf("%x: the strict one answered %q", version, got)
		}
		if err := <-errs; why(err) != trust.WrongProfile {
			t.Errorf("%x: the strict one said %v", version, err)
		}
	}
}

type wrapping struct {
	net.Listener
	s *trust.Server
}

func (w *wrapping) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return w.s.Wrap(c), nil
}

// The table of trust: nginx, HAProxy and others took resumed sessions of revoked
// certificates.
func TestARevokedPeerDoesNotResume(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		h := newHospital(t)
		gateway := h.trust(identity.Infrastructure, "gateway", nil)
		address, errs := h.echo(gateway, trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}})
		i, pair := h.Issue(t, identity.DICOMNode, "dev-arm")
		c := raw(h, pair, "localhost", &one{}, version)
		for _, want := range []string{"dev-arm false hello", "dev-arm true hello"} {
			if got, err := say(t, address, c); err != nil || got != want {
				t.Fatalf("%x: %q, %v", version, got, err)
			}
			<-errs
		}
		h.revoke(i.Serial)
		if got, err := say(t, address, c); err == nil {
			t.Errorf("%x: resumed with a revoked certificate: %q", version, got)
		}
		if err := <-errs; why(err) != trust.IsRevoked {
			t.Errorf("%x: %v", version, err)
		}
	}
}

func TestASessionEndsWithItsCertificate(t *testing.T) {
	h := newHospital(t)
	gateway := h.trust(identity.DICOMNode, "dev-gateway", nil) // lives a week
	address, errs := h.echo(gateway, trust.ServerOptions{Profiles: []identity.Profile{identity.XRHeadset}})
	_, pair := h.Issue(t, identity.XRHeadset, "dev-headset") // lives a day
	c := raw(h, pair, "localhost", &one{}, tls.VersionTLS13)
	if _, err := say(t, address, c); err != nil {
		t.Fatal(err)
	}
	<-errs
	h.Clock.Advance(25 * time.Hour)
	if err := h.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := gateway.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := say(t, address, c); err == nil {
		t.Errorf("resumed after its end: %q", got)
	}
	if err := <-errs; err == nil {
		t.Error("the server accepted it")
	}
}

// CVE-2025-68121: Go resumed sessions although the trusted roots had changed
// between.
func TestASessionEndsWithItsRoot(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		h, next := newHospital(t), newHospital(t)
		_, serverPair := h.Issue(t, identity.Infrastructure, "gateway")
		var change atomic.Bool
		_, nextPair := next.Issue(t, identity.Infrastructure, "gateway")
		own := h.trustWith(&serverPair, func(_ *trust.Config, d *trust.Deps) {
			d.Material = func() (trust.Material, error) {
				if change.Load() {
					return trust.Material{CA: append(next.Issuing(), next.Root()), Certificate: &nextPair}, nil
				}
				return trust.Material{CA: append(h.Issuing(), h.Root()), Certificate: &serverPair}, nil
			}
			d.Source = trust.SourceFunc(func(ctx context.Context) ([][]byte, error) {
				a, _ := h.CRLs(ctx)
				b, err := next.CRLs(ctx)
				return append(a, b...), err
			})
		})
		address, errs := h.echo(own, trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}})
		_, pair := h.Issue(t, identity.DICOMNode, "dev-arm")
		c := raw(h, pair, "localhost", &one{}, version)
		c.InsecureSkipVerify = true // whatever the server shows now
		for range 2 {
			if _, err := say(t, address, c); err != nil {
				t.Fatal(err)
			}
			<-errs
		}
		change.Store(true)
		if err := own.Reload(); err != nil {
			t.Fatal(err)
		}
		if got, err := say(t, address, c); err == nil {
			t.Errorf("%x: resumed under the old root: %q", version, got)
		}
		if err := <-errs; err == nil {
			t.Errorf("%x: the server accepted it", version)
		}
	}
}

// CVE-2026-28755: a certificate that the OCSP answer calls revoked was accepted.
func TestAStapledRevocationIsBelieved(t *testing.T) {
	h := newHospital(t)
	i, pair := h.Issue(t, identity.APIServer, "dev-api")
	server := h.trustWith(&pair, func(_ *trust.Config, d *trust.Deps) { d.Staple = h.Staple; d.Announcer = nil })
	address, _ := h.echo(server, trust.ServerOptions{Profiles: []identity.Profile{identity.APIClient}})
	// This client's CRL is valid and from before the revocation: only the answer knows.
	lists, err := h.CRLs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := h.trust(identity.APIClient, "dev-client", func(_ *trust.Config, d *trust.Deps) {
		d.Announcer = nil
		d.Source = trust.SourceFunc(func(context.Context) ([][]byte, error) { return lists, nil })
	})
	var staple []byte
	identitytest.Wait(t, "the server to staple", func() bool {
		c, err := dial(t, client, address, trust.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		staple = c.(*tls.Conn).OCSPResponse()
		return len(staple) > 0
	})
	h.revoke(i.Serial)
	again := h.trustWith(&pair, func(_ *trust.Config, d *trust.Deps) {
		d.Staple, d.Announcer = h.Staple, nil
	})
	address, _ = h.echo(again, trust.ServerOptions{Profiles: []identity.Profile{identity.APIClient}})
	identitytest.Wait(t, "the stapled answer to be believed", func() bool {
		c, err := dial(t, client, address, trust.ClientOptions{})
		if err == nil {
			c.Close()
		}
		return why(err) == trust.IsRevoked
	})
}

// CVE-2026-27586: Caddy let everybody in when the CA file was missing.
func TestNothingIsTrustedWhenSomethingIsMissing(t *testing.T) {
	h := newHospital(t)
	dir := t.TempDir()
	k := identitytest.Key(t)
	i, err := h.Authority.Issue(t.Context(), identity.Request{Profile: identity.Infrastructure, Service: "gateway", Public: k.Public()})
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	list, err := h.CRLs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good := trust.Config{TrustDomain: identitytest.Domain, Refresh: time.Minute, CAFile: file("ca.pem", h.Bundle()), CertFile: file("cert.pem", i.PEMChain()), KeyFile: config.SecretFile(file("key.pem", identitytest.KeyPEM(t, k))),
		CRL: []string{file("root.crl", list[0]), file("issuing.crl", list[1])}}
	other := newHospital(t)
	open := file("open.pem", identitytest.KeyPEM(t, k))
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		change     func(*trust.Config)
	}{
		{"nothing", "", func(*trust.Config) {}},
		{"the CA file", "ca_file", func(c *trust.Config) { c.CAFile = filepath.Join(dir, "none") }},
		{"what is in the CA file", "ca_file", func(c *trust.Config) { c.CAFile = file("empty", nil) }},
		{"the root in the CA file", "holds no root", func(c *trust.Config) { c.CAFile = file("issuing.pem", identity.EncodePEM(h.Issuing()...)) }},
		{"an authority in the CA file", "is no authority", func(c *trust.Config) { c.CAFile = file("leaf.pem", identity.EncodePEM(i.Leaf)) }},
		{"the right root", "not of this site's root", func(c *trust.Config) { c.CAFile = file("other.pem", other.Bundle()) }},
		{"the key", "key_file", func(c *trust.Config) { c.KeyFile = config.SecretFile(filepath.Join(dir, "none")) }},
		{"a key that only we read", "can be read by others", func(c *trust.Config) { c.KeyFile = config.SecretFile(open) }},
		{"where CRLs are", "crl: is empty", func(c *trust.Config) { c.CRL = nil }},
		{"the CRLs", "no such file", func(c *trust.Config) { c.CRL = []string{filepath.Join(dir, "none")} }},
		{"one CRL", "no CRL of its issuer", func(c *trust.Config) { c.CRL = c.CRL[:1] }},
		{"the trust domain", "trust_domain", func(c *trust.Config) { c.TrustDomain = "" }},
	} {
		cfg := good
		c.change(&cfg)
		_, err := trust.New(t.Context(), cfg, trust.Deps{})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("without %s: %v", c.name, err)
		}
	}
	// One that runs keeps what it had when the file goes away, and says so.
	tr, err := trust.New(t.Context(), good, trust.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(good.CAFile); err != nil {
		t.Fatal(err)
	}
	if err := tr.Reload(); err == nil || tr.Ready() == nil {
		t.Error("a CA file that went away was not noticed")
	}
	address, errs := h.echo(tr, trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}})
	_, stranger := other.Issue(t, identity.DICOMNode, "dev-x")
	c := raw(other, stranger, "localhost", nil, tls.VersionTLS13)
	c.InsecureSkipVerify = true
	if got, err := say(t, address, c); err == nil {
		t.Errorf("a stranger got %q", got)
	}
	if err := <-errs; err == nil {
		t.Error("a stranger came in")
	}
}

// CVE-2026-46579: servers behind proxies believed X-SSL-Client headers that
// clients had sent themselves.
func TestWhatAClientSaysAboutItselfInHeadersIsRemoved(t *testing.T) {
	h := newHospital(t)
	gateway := h.trust(identity.Infrastructure, "gateway", nil)
	s, err := gateway.Server(trust.ServerOptions{Profiles: []identity.Profile{identity.APIClient}, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan http.Header, 10)
	peers := make(chan trust.Peer, 10)
	srv := &http.Server{ConnContext: s.ConnContext, ReadHeaderTimeout: time.Minute, Handler: s.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen <- r.Header
		p, _ := trust.FromContext(r.Context())
		peers <- p
	}))}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- srv.Serve(s.Listener(inner)) }()
	defer func() {
		srv.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	api := h.trust(identity.APIClient, "dev-api", nil)
	for _, protos := range [][]string{{"http/1.1"}, {"h2"}} {
		client, err := api.Client(trust.ClientOptions{Device: "gateway", NextProtos: protos})
		if err != nil {
			t.Fatal(err)
		}
		hc := &http.Client{Transport: &http.Transport{DialTLSContext: client.Dial, ForceAttemptHTTP2: protos[0] == "h2"}}
		r, _ := http.NewRequest(http.MethodGet, "https://"+inner.Addr().String()+"/", nil)
		for _, name := range []string{"Client-Cert", "Client-Cert-Chain", "X-SSL-Client-Verify", "X-SSL-Client-S-DN", "x_ssl_client_verify", "SSL-Client-Cert", "X-Forwarded-Client-Cert", "X-Client-Verify", "X-Tls-Client-Cert-Info", "X-Asepsis-Device"} {
			r.Header[name] = []string{"SUCCESS"}
		}
		r.Header.Set("X-Other", "stays")
		a, err := hc.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, a.Body)
		a.Body.Close()
		got := <-seen
		for name, v := range got {
			if v[0] == "SUCCESS" {
				t.Errorf("%s reached the handler", name)
			}
		}
		if got.Get("X-Other") != "stays" {
			t.Error("another header was removed")
		}
		if p := <-peers; p.Device != "dev-api" {
			t.Errorf("the peer is %+v", p)
		}
		if protos[0] == "h2" && a.ProtoMajor != 2 {
			t.Errorf("spoken: %s", a.Proto)
		}
		hc.CloseIdleConnections()
	}
}
