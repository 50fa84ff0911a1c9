// SPDX-License-Identifier: Apache-2.0

// Package whole is a whole DICOM gateway in a hospital that does not exist, for tests against real peers: every
// room that the program has, with an authority, a journal and a ledger of its own, in a directory that goes
// with the test. It listens on ports of the loopback that are free.
//
// Its own tests are the peers' at this level: what DCMTK, Orthanc, GDCM and dcmjs-dimse do with a gateway
// between them, from the sender to the receiver's disk.
package whole

import (
	"context"
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
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/service"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

// House is the hospital.
type House struct {
	Site      *identitytest.Site
	Config    service.Config
	Documents store.Documents // from the next Start on; nil: there is no store
	Service   *service.Service

	t    testing.TB
	data string
	stop func()

	mu     sync.Mutex
	events []*event.Event
}

// New makes a house whose gateway, called ASEPSIS, has a TLS and a plain listener. change completes its configuration:
// destinations and routes are needed.
func New(t testing.TB, bindings []control.Binding, change func(*service.Config)) *House {
	t.Helper()
	h := &House{t: t, Site: identitytest.New(t, identitytest.Options{}), Config: service.Default(), data: t.TempDir()}
	c := &h.Config
	c.Listeners = []gateway.Listener{{Kind: gateway.KindTLS, Listen: "127.0.0.1:0"}, {Kind: gateway.KindPlain, Listen: "127.0.0.1:0"}}
	c.Timeouts.Close, c.Drain = time.Second, 2*time.Second
	c.Journal.Segment, c.Journal.Warn, c.Journal.Stop, c.Journal.Reserve = 8*config.MiB, 2*config.MiB, config.MiB, config.MiB
	c.Ledger.Reserve = config.MiB
	change(c)
	dir := filepath.Join(h.data, "gateway")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bindings.yaml"), binding.Format(bindings), 0o600); err != nil {
		t.Fatal(err)
	}
	h.Start()
	t.Cleanup(func() { h.stop() })
	return h
}

// To is a destination at a port of the loopback that is tried again soon.
func To(name, ae, port string) forward.Destination {
	d := forward.DefaultDestination()
	d.Name, d.Address, d.CalledAE, d.CallingAE, d.BackoffMin, d.BackoffMax, d.Linger = name, "127.0.0.1:"+port, ae, "ASEPSIS", 20*time.Millisecond, 200*time.Millisecond, time.Second
	d.Timeouts.Close = time.Second
	return d
}

// Start runs the gateway, after Stop again.
func (h *House) Start() {
	h.t.Helper()
	key, err := pseudonym.New([]byte(strings.Repeat("k", pseudonym.KeySize)))
	if err != nil {
		h.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(h.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	h.Service, err = service.New(h.t.Context(), h.Config, service.Deps{Data: h.data, Documents: h.Documents, Authority: h.Site.Authority, Announcer: h.Site.Air, Key: key, Site: "site-north", Software: "asepsis/gateway test", Log: log, Emit: func(e *event.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events = append(h.events, e)
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.Service.Open(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- lifecycle.Run(ctx, log, h.Service.Rooms()...) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Errorf("the gateway ended: %v", err)
		}
		h.Service.Close()
	})
}

// Stop stops the gateway, as its service manager does.
func (h *House) Stop() { h.stop() }

// Port is that of a listener.
func (h *House) Port(listener string) string {
	h.t.Helper()
	_, port, err := net.SplitHostPort(h.Service.Addr(listener).String())
	if err != nil {
		h.t.Fatal(err)
	}
	return port
}

// Enrol gives a device a certificate of the site.
func (h *House) Enrol(device string) gatewaytest.Credentials {
	h.t.Helper()
	return gatewaytest.Enrol(h.t, h.Site, identity.DICOMNode, device)
}

// Send has storescu send files over TLS.
func (h *House) Send(c gatewaytest.Credentials, calling string, files ...string) (string, error) {
	h.t.Helper()
	return gatewaytest.Run(h.t, "storescu", slices.Concat([]string{"-v"}, c.TLS(), []string{"-aet", calling, "-aec", "ASEPSIS", "127.0.0.1", h.Port(gateway.KindTLS)}, files)...)
}

// Records are all records of the journal, oldest first.
func (h *House) Records() []instance.Record {
	h.t.Helper()
	list, err := h.Service.Journal().List(h.t.Context(), instance.Query{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

// Data reads an instance's data set from the journal.
func (h *House) Data(number uint64) []byte {
	h.t.Helper()
	c, err := h.Service.Journal().Open(h.t.Context(), number)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	out := make([]byte, c.Size())
	if _, err := c.ReadAt(out, 0); err != nil {
		h.t.Fatal(err)
	}
	return out
}

// Events are those that the gateway has sent since the house was made.
func (h *House) Events() []*event.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}
