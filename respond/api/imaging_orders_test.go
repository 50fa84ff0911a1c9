// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/order"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/respond/api"
)

// signing is what a process of ours signs with and trusts, at a site that does not exist.
func signing(t *testing.T, site *identitytest.Site, r identity.Request) *trust.Trust {
	t.Helper()
	key := identitytest.Key(t)
	r.Public, r.Via = key.Public(), "test"
	i, err := site.Authority.Issue(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	pair := identitytest.Pair(t, i, key)
	cfg := trust.Default()
	cfg.TrustDomain = identitytest.Domain
	tr, err := trust.New(t.Context(), cfg, trust.Deps{Source: trust.SourceFunc(site.CRLs), Material: func() (trust.Material, error) {
		return trust.Material{CA: append(site.Issuing(), site.Root()), Certificate: &pair}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestAnOrderGoesFromThePersonToTheLedger has three consoles of one gateway that takes signed
// orders only: one that signs, one that cannot, and one in the gateway's own process.
func TestAnOrderGoesFromThePersonToTheLedger(t *testing.T) {
	site := identitytest.New(t, identitytest.Options{})
	gw := signing(t, site, identity.Request{Profile: identity.DICOMNode, Device: "gateway-or-3"})
	console := signing(t, site, identity.Request{Profile: identity.Infrastructure, Service: order.Console})
	own, err := console.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	cfg := ledger.Default()
	cfg.Dir, cfg.Origin, cfg.Reserve = t.TempDir(), "ledger.example/gateway-or-3", 0
	book, err := ledger.New(cfg, ledger.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 4)
	go func() { done <- book.Run(ctx) }()
	rooms := 1
	t.Cleanup(func() {
		stop()
		for range rooms {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	g, err := steertest.Open(steertest.Options{Dir: t.TempDir(), Ledger: book})
	if err != nil {
		t.Fatal(err)
	}
	held, err := g.Put(ctx, steertest.Image(1, 1, steertest.Script), func(r *instance.Record) { r.State, r.Verdict = instance.Quarantined, instance.Quarantine })
	if err != nil {
		t.Fatal(err)
	}
	orders := &control.Orders{Accept: control.OrdersSigned, Site: "asepsis", Signer: order.NewSigner(gw, nil),
		Verifier: order.NewVerifier(order.Rules{To: "gateway-or-3", Site: "asepsis", Services: []string{order.Console}, Skew: time.Minute}, gw, order.NewMemory(), nil)}
	// house is one console; each has a bus and a store of its own, and the gateway is on all of them.
	house := func(change func(*api.Deps)) *house {
		rooms++
		h := newHouse(t, options{noRecorder: true, change: func(_ *api.Config, d *api.Deps) { change(d) }, opened: func(b *bus.Bus) {
			go func() { done <- control.Serve(ctx, b, "gateway-or-3", g, control.Guarded(orders)) }()
		}})
		h.until("the gateway reports", func() bool { return len(get[api.ImagingGateways](h.admin, "/imaging/gateways").Gateways) == 1 })
		return h
	}
	bare := house(func(*api.Deps) {})
	signed := house(func(d *api.Deps) {
		d.Orders = &control.Orderer{Site: "asepsis", Signer: order.NewSigner(console, nil), Checker: console}
	})
	beside := house(func(d *api.Deps) {
		d.Gateways = map[string]control.Control{"gateway-or-3": control.Here("gateway-or-3", g)}
	})

	at := fmt.Sprintf("/imaging/quarantine/%d/release", held.Number)
	word := func(revision uint64) map[string]any {
		return map[string]any{"reason": "a legend of the workstation", "revision": revision}
	}
	a := bare.as("biomed").do("POST", at, word(held.Revision))
	if a.status != http.StatusServiceUnavailable || !strings.Contains(string(a.body), "takes signed orders only") || !strings.Contains(string(a.body), "asepsis enroll") {
		t.Errorf("by a console that cannot sign: %s", a)
	}
	newSchemas(t).hold("Problem", false, a.body, "an order that is not signed")
	if a := bare.admin.do("GET", "/imaging/overview", nil); a.status != 200 {
		t.Errorf("what it shows: %s", a)
	}
	first := read[api.ImagingHeld](t, signed.as("biomed").do("POST", at, word(held.Revision)), 200)
	if first.Asked == nil || first.Asked.By != "biomed1" {
		t.Errorf("by one that signs: %+v", first)
	}
	if e := read[control.Echo](t, signed.as("engineer").do("POST", "/imaging/destinations/xr-3/echo", nil), 200); !e.OK {
		t.Errorf("trying a destination, of which the arguments name nobody: %+v", e)
	}
	second := read[api.ImagingHeld](t, beside.as("engineer").do("POST", at, word(first.Revision)), 200)
	if second.State != instance.Released {
		t.Errorf("by one in its own process: %+v", second)
	}
	list, err := book.Find(ctx, ledger.Query{Digest: held.DataSet, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[custody.Kind]string{}
	for _, e := range list {
		p := &e.Statement.Predicate
		if p.Actor.User != "" {
			seen[e.Statement.Kind()] = p.Actor.Certificate
			if _, ok := p.Detail["order"]; ok != (p.Actor.Certificate != "") {
				t.Errorf("%s: %+v", p.ID, p.Detail)
			}
		}
	}
	if seen[custody.Decision] != fingerprint(own) || seen[custody.Override] != "" {
		t.Errorf("the certificates in the ledger are %v", seen)
	}
}

func fingerprint(c *tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return hex.EncodeToString(sum[:])
}
