// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
)

// SOP classes of the tests.
const (
	ctStorage = "1.2.840.10008.5.1.4.1.1.2"
	mrStorage = "1.2.840.10008.5.1.4.1.1.4"
)

// place is a hospital that does not exist, with a gateway in it.
type place struct {
	t    testing.TB
	site *identitytest.Site
	g    *Gateway
	cfg  Config

	vault  *vault
	wall   *wall
	router *router
	log    *memoryLog
	binds  *binding.File
	dir    string

	mu     sync.Mutex
	shown  map[string]control.Association
	events []*event.Event
}

// Association implements Watcher.
func (p *place) Association(a control.Association) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown[a.ID] = a
}

// Instance implements Watcher.
func (p *place) Instance(instance.Arrival, instance.Outcome) {}

// ended returns the associations that have ended.
func (p *place) ended() []control.Association {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []control.Association
	for _, a := range p.shown {
		if !a.Ended.IsZero() {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b control.Association) int { return a.Ended.Compare(b.Ended) })
	return out
}

// seen returns the events.
func (p *place) seen() []*event.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

// ct is the binding of most tests' modality.
func ct() control.Binding {
	return control.Binding{Device: "ct-1", CallingAE: []string{"CT1"}, SOPClasses: []string{"ct"}, Operations: []string{"echo", "store"}, Theatre: "or-3"}
}

// options change what newPlace makes.
type options struct {
	config   func(*Config)
	deps     func(*Deps)
	bindings []control.Binding
}

// newPlace makes a gateway with a TLS and a plain listener, which runs to the end of the test.
func newPlace(t testing.TB, o options) *place {
	t.Helper()
	p := &place{t: t, site: identitytest.New(t, identitytest.Options{}), vault: newVault(), wall: &wall{}, router: &router{}, log: &memoryLog{}, dir: t.TempDir(), shown: map[string]control.Association{}}
	if o.bindings == nil {
		o.bindings = []control.Binding{ct(), {Device: "us-old", Plain: true, CallingAE: []string{"US1"}, Addresses: []string{"127.0.0.1"}, Operations: []string{"echo", "store"}}}
	}
	file := filepath.Join(p.dir, "bindings.yaml")
	if err := os.WriteFile(file, binding.Format(o.bindings), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.binds, err = binding.Open(file, nil); err != nil {
		t.Fatal(err)
	}
	p.cfg = Default()
	p.cfg.Listeners = []Listener{{Kind: KindTLS, Listen: "127.0.0.1:0"}, {Kind: KindPlain, Listen: "127.0.0.1:0"}}
	p.cfg.Timeouts.Close, p.cfg.Timeouts.Associate, p.cfg.Drain = time.Second, 5*time.Second, 2*time.Second
	if o.config != nil {
		o.config(&p.cfg)
	}
	key, err := pseudonym.New([]byte(strings.Repeat("k", pseudonym.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	d := Deps{Trust: p.trust(identity.DICOMNode, "gateway"), Bindings: p.binds, Vault: p.vault, Firewall: p.wall, Router: p.router, Ledger: p.log, Watch: p, Key: key, Site: "site-north", Dir: p.dir,
		Software: "asepsis/gateway test", Log: slog.New(slog.DiscardHandler), Emit: func(e *event.Event) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.events = append(p.events, e)
		}}
	if o.deps != nil {
		o.deps(&d)
	}
	if p.g, err = New(p.cfg, d); err != nil {
		t.Fatal(err)
	}
	p.run(p.g)
	return p
}

// run runs a gateway to the end of the test.
func (p *place) run(g *Gateway) (stop func()) {
	p.t.Helper()
	if err := g.Open(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			p.t.Errorf("the gateway ended: %v", err)
		}
	})
	p.t.Cleanup(stop)
	return stop
}

// trust makes a Trust with a certificate of its own.
func (p *place) trust(profile identity.Profile, device string) *trust.Trust {
	p.t.Helper()
	_, pair := p.site.Issue(p.t, profile, device)
	cfg := trust.Default()
	cfg.TrustDomain = identitytest.Domain
	before := p.site.Air.Listening()
	tr, err := trust.New(p.t.Context(), cfg, trust.Deps{Source: trust.SourceFunc(p.site.CRLs), Announcer: p.site.Air, Now: p.site.Clock.Now, Material: func() (trust.Material, error) {
		return trust.Material{CA: append(p.site.Issuing(), p.site.Root()), Certificate: &pair}, nil
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	p.t.Cleanup(func() { cancel(); <-ended })
	identitytest.Wait(p.t, "the Trust to listen", func() bool { return p.site.Air.Listening() > before })
	return tr
}

// port returns where a listener is.
func (p *place) port(kind string) string {
	p.t.Helper()
	_, port, err := net.SplitHostPort(p.g.Addr(kind).String())
	if err != nil {
		p.t.Fatal(err)
	}
	return port
}

// device is a certificate on the disk, as DCMTK reads it.
type device struct{ key, cert, ca, serial string }

// enrol gives a device a certificate.
func (p *place) enrol(profile identity.Profile, name string) device {
	p.t.Helper()
	issued, pair := p.site.Issue(p.t, profile, name)
	dir := p.t.TempDir()
	d := device{key: filepath.Join(dir, "key.pem"), cert: filepath.Join(dir, "cert.pem"), ca: filepath.Join(dir, "ca.pem"), serial: issued.Serial}
	write := func(path string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	write(d.cert, chainPEM(pair.Certificate))
	write(d.key, keyPEM(p.t, pair))
	// DCMTK's servers and clients need the whole way to the root.
	var ca [][]byte
	for _, c := range append(p.site.Issuing(), p.site.Root()) {
		ca = append(ca, c.Raw)
	}
	write(d.ca, chainPEM(ca))
	return d
}

func chainPEM(list [][]byte) []byte {
	var out []byte
	for _, der := range list {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

func keyPEM(t testing.TB, pair tls.Certificate) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// tls returns the options by which DCMTK uses the certificate.
func (d device) tls() []string {
	return []string{"+tls", d.key, d.cert, "+cf", d.ca}
}

// patience is how long a test waits for a peer before it fails.
const patience = 20 * time.Second

// need skips the test where a real peer is missing.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("peer missing: %s", p)
		}
	}
}

// peer runs a program to its end.
func peer(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	need(t, name)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

// until waits for a condition.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// dataset makes the data set of a fictional image of a SOP class.
func dataset(t testing.TB, class, uid, patient string, pixels int) []byte {
	t.Helper()
	var b strings.Builder
	s, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
	w := dicom.NewWriter(&b, s)
	w.Text(dicom.TagSOPClassUID, dicom.UI, class)
	w.Text(dicom.TagSOPInstanceUID, dicom.UI, uid)
	w.Text(dicom.TagModality, dicom.CS, "CT")
	w.Text(0x00100010, dicom.PN, "Fictional^Petra")
	w.Text(dicom.TagPatientID, dicom.LO, patient)
	w.Text(dicom.TagStudyInstanceUID, dicom.UI, "1.2.826.0.1.3680043.8.498.1")
	w.Text(0x0020000E, dicom.UI, "1.2.826.0.1.3680043.8.498.1.1")
	w.Bytes(0x7FE00010, dicom.OW, make([]byte, pixels))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

// file writes a data set as a file.
func file(t testing.TB, class, uid string, data []byte) string {
	t.Helper()
	head, err := dicom.AppendFileHead(nil, dicom.Preamble{}, &dicom.FileMeta{SOPClass: class, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, ImplUID: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), uid+".dcm")
	if err := os.WriteFile(path, append(head, data...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// image writes a fictional CT image as a file and returns its data set too.
func image(t testing.TB, uid, patient string) (path string, data []byte) {
	t.Helper()
	data = dataset(t, ctStorage, uid, patient, 4096)
	return file(t, ctStorage, uid, data), data
}

func sprint(list []control.Association) string {
	var b strings.Builder
	for _, a := range list {
		fmt.Fprintf(&b, "%s %s %s: %s\n", a.Device, a.CallingAE, a.Problem, a.What)
	}
	return b.String()
}
