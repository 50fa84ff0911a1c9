// SPDX-License-Identifier: Apache-2.0

package announce_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/porttest"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/announce"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// TestMain makes this binary the other process when it is told to be.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ASEPSIS_TEST_CONSUMER"); dir != "" {
		if err := consumer(dir); err != nil {
			fmt.Println("consumer:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// consumer is a TLS server of another process, which ends with its standard input.
func consumer(dir string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b, err := bus.Open(ctx, busAt(os.Getenv("ASEPSIS_TEST_BUS")), bus.Deps{})
	if err != nil {
		return err
	}
	defer b.Close()
	cfg := trust.Default()
	cfg.TrustDomain, cfg.CAFile, cfg.CertFile, cfg.KeyFile = identitytest.Domain, filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), config.SecretFile(filepath.Join(dir, "key.pem"))
	// The files are as they were at the start: what happens later comes over the
	// bus or not at all.
	cfg.CRL = []string{filepath.Join(dir, "0.crl"), filepath.Join(dir, "1.crl")}
	hears := make(chan struct{})
	t, err := trust.New(ctx, cfg, trust.Deps{Announcer: &hearing{announce.Over(b), hears}, Told: func(c trust.Cutting) { fmt.Println("cut", c.Peer.Device, c.Done) }})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- t.Run(ctx) }()
	reported := make(chan error, 1)
	go func() { reported <- announce.ReportLive(ctx, b, "gateway-1", t) }()
	s, err := t.Server(trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}})
	if err != nil {
		return err
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l := s.Listener(inner)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if c.(*tls.Conn).Handshake() == nil {
					fmt.Fprintln(c, "in")
					_, _ = io.Copy(io.Discard, c)
				}
			}()
		}
	}()
	<-hears
	fmt.Println("listening", inner.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	cancel()
	l.Close()
	return errors.Join(<-ended, <-reported)
}

// hearing says when it listens. Listen of the bus returns only at the end; that
// it has begun is seen by a notice to oneself.
type hearing struct {
	identity.Announcer
	begun chan struct{}
}

func (h *hearing) Listen(ctx context.Context, f func(identity.RevocationNotice)) error {
	heard := false
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				_ = h.Announce(ctx, identity.RevocationNotice{Issuer: "hello"})
			}
		}
	}()
	return h.Announcer.Listen(ctx, func(n identity.RevocationNotice) {
		if n.Issuer != "hello" {
			f(n)
		} else if !heard {
			heard = true
			close(stop)
			close(h.begun)
		}
	})
}

func busAt(url string) bus.Config {
	c := bus.Default()
	c.URL = url
	return c
}

// TestARevocationCutsInAnotherProcess revokes here, and looks at a live
// connection and a new handshake in a process that only the bus connects.
func TestARevocationCutsInAnotherProcess(t *testing.T) {
	port, err := porttest.Free()
	if err != nil {
		t.Fatal(err)
	}
	cfg := bus.Default()
	cfg.Listen = fmt.Sprintf("127.0.0.1:%d", port)
	b, err := bus.Open(t.Context(), cfg, bus.Deps{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s := identitytest.New(t, identitytest.Options{Deps: func(d *identity.Deps) { d.Announcer = announce.Over(b) }})
	dir := t.TempDir()
	k := identitytest.Key(t)
	own, err := s.Authority.Issue(t.Context(), identity.Request{Profile: identity.Infrastructure, Service: "gateway", Public: k.Public(), DNS: []string{"localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	lists, err := s.CRLs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{"ca.pem": s.Bundle(), "cert.pem": own.PEMChain(), "key.pem": identitytest.KeyPEM(t, k), "0.crl": lists[0], "1.crl": lists[1]} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), "ASEPSIS_TEST_CONSUMER="+dir, "ASEPSIS_TEST_BUS=nats://"+cfg.Listen)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	var address string
	if !said.Scan() {
		t.Fatal("the other process said nothing")
	}
	if _, err := fmt.Sscanf(said.Text(), "listening %s", &address); err != nil {
		t.Fatalf("the other process said %q", said.Text())
	}
	i, pair := s.Issue(t, identity.DICOMNode, "dev-arm")
	enter := func() (net.Conn, error) {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}}}
		c, err := d.DialContext(t.Context(), "tcp", address)
		if err != nil {
			return nil, err
		}
		_ = c.SetReadDeadline(time.Now().Add(identitytest.Patience))
		if _, err := c.Read(make([]byte, 3)); err != nil {
			c.Close()
			return nil, err
		}
		return c, nil
	}
	live, err := enter()
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	// Beforehand a person sees what would be cut.
	identitytest.Wait(t, "the other process to report its connection", func() bool {
		list, err := announce.LiveWith(t.Context(), b, i.Serial)
		return err == nil && len(list) == 1 && list[0].Consumer == "gateway-1" && list[0].Name == "dev-arm" && list[0].Remote == live.LocalAddr().String() && list[0].Choice == identity.CutNow
	})
	if list, err := announce.LiveWith(t.Context(), b, own.Serial); err != nil || len(list) != 0 {
		t.Errorf("with another certificate: %v, %v", list, err)
	}
	if _, err := s.Revoke(t.Context(), identity.Revocation{Serials: []string{i.Serial}, Reason: identity.KeyCompromise}); err != nil {
		t.Fatal(err)
	}
	var late net.Error
	if _, err := live.Read(make([]byte, 1)); err == nil || errors.As(err, &late) && late.Timeout() {
		t.Errorf("the live connection ran on: %v", err)
	}
	if !said.Scan() || said.Text() != "cut dev-arm true" {
		t.Errorf("the other process said %q", said.Text())
	}
	if c, err := enter(); err == nil {
		c.Close()
		t.Error("the revoked certificate came in again")
	}
	in.Close()
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}
