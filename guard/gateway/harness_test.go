// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
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
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
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
	stop   func()

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
	site     *identitytest.Site // nil: a new one
	config   func(*Config)
	deps     func(*Deps)
	bindings []control.Binding
}

// newPlace makes a gateway with a TLS and a plain listener, which runs to the end of the test.
func newPlace(t testing.TB, o options) *place {
	t.Helper()
	if o.site == nil {
		o.site = identitytest.New(t, identitytest.Options{})
	}
	p := &place{t: t, site: o.site, vault: newVault(), wall: &wall{}, router: &router{}, log: &memoryLog{}, dir: t.TempDir(), shown: map[string]control.Association{}}
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
	p.cfg.Timeouts.Close, p.cfg.Timeouts.Associate, p.cfg.Drain = time.Second, gatewaytest.Patience, 2*time.Second
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
	p.stop = p.run(p.g)
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
	return gatewaytest.Trust(p.t, p.site, &pair)
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

// enrol gives a device a certificate.
func (p *place) enrol(profile identity.Profile, name string) gatewaytest.Credentials {
	p.t.Helper()
	return gatewaytest.Enrol(p.t, p.site, profile, name)
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

// image writes a fictional CT image as a file and returns its data set too.
func image(t testing.TB, uid, patient string) (path string, data []byte) {
	t.Helper()
	data = dataset(t, gatewaytest.CTStorage, uid, patient, 4096)
	return gatewaytest.File(t, gatewaytest.CTStorage, uid, data), data
}

func sprint(list []control.Association) string {
	var b strings.Builder
	for _, a := range list {
		fmt.Fprintf(&b, "%s %s %s: %s\n", a.Device, a.CallingAE, a.Problem, a.What)
	}
	return b.String()
}
