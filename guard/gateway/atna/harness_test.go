// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/atna"
)

// repository is an audit repository with TLS: it keeps what comes.
type repository struct {
	t    *testing.T
	cert tls.Certificate
	pool *x509.CertPool
	site *identitytest.Site
	addr string

	mu    sync.Mutex
	ln    net.Listener
	conns []net.Conn
	got   []string
	deaf  bool // takes connections and reads nothing
}

// start listens, at the address of before where there was one.
func (p *repository) start() {
	p.t.Helper()
	at := p.addr
	if at == "" { // one that nobody gets while it is stopped
		at = "127.0.0.1:" + gatewaytest.FreePort(p.t)
	}
	ln, err := net.Listen("tcp", at)
	if err != nil {
		p.t.Fatal(err)
	}
	p.addr = ln.Addr().String()
	ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{p.cert}, ClientCAs: p.pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12})
	p.mu.Lock()
	p.ln = ln
	p.mu.Unlock()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns = append(p.conns, c)
			deaf := p.deaf
			p.mu.Unlock()
			if !deaf {
				go p.read(c)
			}
		}
	}()
}

func (p *repository) read(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		count, err := r.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSpace(count))
		if err != nil {
			p.t.Errorf("an octet count is %q", count)
			return
		}
		b := make([]byte, n)
		for read := 0; read < n; {
			k, err := r.Read(b[read:])
			if err != nil {
				return
			}
			read += k
		}
		p.mu.Lock()
		p.got = append(p.got, string(b))
		p.mu.Unlock()
	}
}

// stop ends everything at once.
func (p *repository) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		_ = p.ln.Close()
	}
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns, p.ln = nil, nil
}

// has counts messages that hold a text.
func (p *repository) has(text string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, m := range p.got {
		if strings.Contains(m, text) {
			n++
		}
	}
	return n
}

// newRepository is one of the site.
func newRepository(t *testing.T) (*repository, func(context.Context, string, string) (net.Conn, error)) {
	t.Helper()
	site := identitytest.New(t, identitytest.Options{})
	_, cert := site.Issue(t, identity.Infrastructure, "audit-repository")
	_, own := site.Issue(t, identity.DICOMNode, "gateway-or-3")
	pool := x509.NewCertPool()
	pool.AddCert(site.Root())
	cfg := trust.Default()
	cfg.TrustDomain = identitytest.Domain
	tr, err := trust.New(t.Context(), cfg, trust.Deps{Source: trust.SourceFunc(site.CRLs), Now: site.Clock.Now, Material: func() (trust.Material, error) {
		return trust.Material{CA: append(site.Issuing(), site.Root()), Certificate: &own}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := tr.Client(trust.ClientOptions{ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	p := &repository{t: t, cert: cert, pool: pool, site: site}
	p.start()
	t.Cleanup(p.stop)
	return p, client.Dial
}

// quick is a configuration for tests.
func quick(address string) Config {
	c := Default()
	c.Address, c.Site = address, "St. Example (fictional)"
	c.Settle, c.RetryMin, c.RetryMax, c.Timeout = 50*time.Millisecond, 10*time.Millisecond, 50*time.Millisecond, time.Second
	return c
}

func newRoom(t *testing.T, c Config, dir string, dial func(context.Context, string, string) (net.Conn, error)) *Room {
	t.Helper()
	r, err := New(c, Deps{Dir: dir, Name: "gateway-or-3", Dial: dial})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// runs runs a room, and returns how to end it.
func runs(t *testing.T, r *Room) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	identitytest.Wait(t, "the room to begin", func() bool {
		r.spool.mu.Lock()
		defer r.spool.mu.Unlock()
		return r.spool.flushed > 0 || r.spool.lost > 0
	})
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// nobody is a repository that cannot be reached.
func nobody(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no") }

// transfer is an event with a number.
func transfer(n int) Transfer {
	return Transfer{From: Node{ID: "ct-or-3", AETitles: []string{"CT_OR3"}, Address: "10.0.0.1", Requestor: true}, To: Node{ID: "gateway-or-3", AETitles: []string{"GATEWAY"}, Address: "10.0.0.2"},
		Studies: []Study{{UID: fmt.Sprintf("1.2.3.%d.9", n), Accession: Patient{Pseudonym: "ps-accession", ID: "ACC-1"}, SOPClasses: []atna.SOPClass{{UID: "1.2.840.10008.5.1.4.1.1.2", Count: n}}, Encrypted: true}},
		Patient: Patient{Pseudonym: "ps-patient", ID: "FICT-0001", Issuer: "St&Example", Name: "Fictional^Petra"}}
}

func writePEM(t *testing.T, name string, blocks ...*pem.Block) string {
	t.Helper()
	var b []byte
	for _, one := range blocks {
		b = append(b, pem.EncodeToMemory(one)...)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func pairFiles(t *testing.T, pair tls.Certificate) (cert, key string) {
	t.Helper()
	var chain []*pem.Block
	for _, der := range pair.Certificate {
		chain = append(chain, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "cert.pem", chain...), writePEM(t, "key.pem", &pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
