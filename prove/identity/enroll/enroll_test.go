// SPDX-License-Identifier: Apache-2.0

package enroll_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/porttest"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/enroll"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/service"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// serve runs the authority's service as a site would.
func serve(t *testing.T) (*identitytest.Site, *service.Service, string) {
	t.Helper()
	// The address in certificates has to be known before there is one.
	port, err := porttest.Free()
	if err != nil {
		t.Fatal(err)
	}
	pki := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	site := identitytest.New(t, identitytest.Options{Site: identity.Site{Base: "http://" + pki}})
	cfg := service.Default()
	cfg.Dir, cfg.PKIListen, cfg.ESTListen = site.Dir, pki, "127.0.0.1:0"
	pass := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(pass, []byte(identitytest.Passphrase+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.PassphraseFile = config.SecretFile(pass)
	s, err := service.New(cfg, service.Deps{Documents: site.Store, Announcer: site.Air, Now: site.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	identitytest.Wait(t, "the service to listen", func() bool { return s.Ready() == nil })
	return site, s, fmt.Sprintf("https://localhost:%d", s.Addr("est").(*net.TCPAddr).Port)
}

func device(t *testing.T, site *identitytest.Site, url string, change func(*enroll.Options)) *enroll.Agent {
	t.Helper()
	c, err := site.MakeCode(t.Context(), identity.Request{Profile: identity.DICOMNode, Device: "dev-arm", DNS: []string{"localhost"}, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}, time.Hour, url)
	if err != nil {
		t.Fatal(err)
	}
	o, err := enroll.FromURI(c.URI)
	if err != nil {
		t.Fatal(err)
	}
	o.Dir, o.Now = filepath.Join(t.TempDir(), "identity"), site.Clock.Now
	if change != nil {
		change(&o)
	}
	a, err := enroll.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestADeviceEnrolsRenewsAndItsConsumerFollows is the whole life: the agent enrols
// and renews, and a TLS server that reads its files takes the new certificate
// without a restart.
func TestADeviceEnrolsRenewsAndItsConsumerFollows(t *testing.T) {
	site, _, url := serve(t)
	var dir string
	a := device(t, site, url, func(o *enroll.Options) { dir = o.Dir })
	if _, err := a.Current(); !os.IsNotExist(err) {
		t.Errorf("before: %v", err)
	}
	first, err := a.Enroll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{enroll.KeyFile: 0o600, enroll.CertFile: 0o644, enroll.CAFile: 0o644} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	// Renewing needs no address: the agent remembers where it enrolled.
	again, err := enroll.New(enroll.Options{Dir: dir, Now: site.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	if now, err := again.Current(); err != nil || now.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Errorf("the same directory without an address: %v", err)
	}
	// The consumer, with everything from files and addresses.
	cfg := trust.Default()
	cfg.TrustDomain, cfg.CAFile, cfg.CertFile, cfg.KeyFile = identitytest.Domain, filepath.Join(dir, enroll.CAFile), filepath.Join(dir, enroll.CertFile), config.SecretFile(filepath.Join(dir, enroll.KeyFile))
	cfg.CRL = []string{strings.TrimSuffix(first.CRLDistributionPoints[0], first.CRLDistributionPoints[0][strings.LastIndex(first.CRLDistributionPoints[0], "/"):]) + "/bundle.pem"}
	tr, err := trust.New(t.Context(), cfg, trust.Deps{Now: site.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	srv, err := tr.Server(trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := srv.Listener(inner)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}
	})
	defer func() { l.Close(); group.Wait() }()
	shown := func() string {
		c, err := tls.Dial("tcp", inner.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
		var cert string
		if c != nil {
			cert = identity.SerialString(c.ConnectionState().PeerCertificates[0].SerialNumber)
			c.Close()
		} else if err != nil { // without a client certificate the handshake fails, behind the server's
			c2, _ := net.Dial("tcp", inner.Addr().String())
			tc := tls.Client(c2, &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(cs tls.ConnectionState) error {
				cert = identity.SerialString(cs.PeerCertificates[0].SerialNumber)
				return nil
			}})
			_ = tc.Handshake()
			tc.Close()
		}
		return cert
	}
	if got := shown(); got != identity.SerialString(first.SerialNumber) {
		t.Errorf("the server shows %s", got)
	}
	second, err := a.Renew(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(second.RawSubjectPublicKeyInfo, first.RawSubjectPublicKeyInfo) {
		t.Error("renewed with the old key")
	}
	identitytest.Wait(t, "the server to show the new certificate", func() bool { return shown() == identity.SerialString(second.SerialNumber) })
	for range 4 {
		if _, err := a.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if sets, _ := filepath.Glob(filepath.Join(dir, "set-*")); len(sets) != 3 {
		t.Errorf("%d sets are kept", len(sets))
	}
}

func TestRunRenewsWhatIsDueAndTellsConsumers(t *testing.T) {
	site, _, url := serve(t)
	hups := make(chan os.Signal, 4)
	signal.Notify(hups, syscall.SIGHUP)
	defer signal.Stop(hups)
	pid := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(pid, []byte(fmt.Sprintln(os.Getpid())), 0o600); err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(t.TempDir(), "mark")
	a := device(t, site, url, func(o *enroll.Options) {
		o.PIDFile = pid
		o.Hook = []string{"/bin/sh", "-c", `echo "$ASEPSIS_SERIAL $ASEPSIS_DIR" >>"$0"`, mark}
	})
	first, err := a.Enroll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-hups
	site.Clock.Advance(5 * 24 * time.Hour) // of seven: due
	if err := site.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	<-hups
	second, err := a.Current()
	if err != nil || second.SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Errorf("%v, %v", second.SerialNumber, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	b, _ := os.ReadFile(mark)
	if want := identity.SerialString(first.SerialNumber); strings.Count(string(b), "\n") != 2 || !strings.HasPrefix(string(b), want) {
		t.Errorf("the hook wrote %q", b)
	}
}

func TestWhatAnAgentCannotDoItSays(t *testing.T) {
	site, _, url := serve(t)
	if _, err := device(t, site, url, func(o *enroll.Options) { o.CA = "" }).Enroll(t.Context()); err == nil || !strings.Contains(err.Error(), "SHA-256 of the site's root") {
		t.Errorf("without the root: %v", err)
	}
	if _, err := device(t, site, url, func(o *enroll.Options) { o.CA = strings.Repeat("00", 32) }).Enroll(t.Context()); err == nil || !strings.Contains(err.Error(), "does not have the root") {
		t.Errorf("another root: %v", err)
	}
	if _, err := device(t, site, url, func(o *enroll.Options) { o.Code = "AAAAA" }).Enroll(t.Context()); err == nil || !strings.Contains(err.Error(), "no such enrolment code") {
		t.Errorf("a wrong code: %v", err)
	}
	a := device(t, site, url, nil)
	if _, err := a.Enroll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Revoke(t.Context(), identity.Revocation{Device: "dev-arm", Reason: identity.KeyCompromise}); err != nil {
		t.Fatal(err)
	}
	site.Clock.Advance(5 * 24 * time.Hour)
	if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("revoked: %v", err)
	}
	site.Clock.Advance(5 * 24 * time.Hour)
	if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "was not renewed") {
		t.Errorf("ended: %v", err)
	}
	for _, o := range []enroll.Options{{Server: url}, {Server: "http://localhost", Dir: t.TempDir()}, {Server: url, Dir: t.TempDir(), KeyType: "dsa"}} {
		if _, err := enroll.New(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	if _, err := enroll.FromURI("https://example.com/"); err == nil {
		t.Error("a web address was taken for an enrolment address")
	}
}
