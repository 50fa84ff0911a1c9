// SPDX-License-Identifier: Apache-2.0

package control_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/order"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/prove/ledger"
)

const name = "gateway-or-3"

// trustIn reads certificate, root and revocation lists from a directory, as a process does.
func trustIn(ctx context.Context, dir string) (*trust.Trust, error) {
	cfg := trust.Default()
	cfg.TrustDomain, cfg.CAFile, cfg.CertFile, cfg.KeyFile = identitytest.Domain, filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), config.SecretFile(filepath.Join(dir, "key.pem"))
	cfg.CRL = []string{filepath.Join(dir, "crl.pem")}
	return trust.New(ctx, cfg, trust.Deps{})
}

// ordersOf is what a gateway whose trust is in a directory asks of those who steer it.
func ordersOf(tr *trust.Trust, memory *order.Memory) *control.Orders {
	return &control.Orders{Accept: control.OrdersSigned, Site: "asepsis", Signer: order.NewSigner(tr, nil),
		Verifier: order.NewVerifier(order.Rules{To: name, Site: "asepsis", Services: []string{order.Console}, Skew: time.Minute}, tr, memory, nil)}
}

// guarded is for the gateway in the other process: with trust in a directory it takes signed
// orders only.
func guarded(ctx context.Context, dir, data string) (control.ServeOption, error) {
	if dir == "" {
		return control.Guarded(nil), nil
	}
	tr, err := trustIn(ctx, dir)
	if err != nil {
		return nil, err
	}
	memory, _, err := order.OpenMemory(filepath.Join(data, "orders"), time.Now(), time.Minute)
	if err != nil {
		return nil, err
	}
	return control.Guarded(ordersOf(tr, memory)), nil
}

// hospital is a site's authority.
type hospital struct {
	*identitytest.Site
	t *testing.T
}

// files writes what a process of ours trusts, and its certificate.
func (h *hospital) files(pair *tls.Certificate) string {
	h.t.Helper()
	dir := h.t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		h.t.Fatal(err)
	}
	var chain, crl []byte
	for _, der := range pair.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	lists, err := h.CRLs(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, der := range lists {
		crl = append(crl, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
	}
	for file, b := range map[string][]byte{"ca.pem": identity.EncodePEM(append(h.Issuing(), h.Root())...), "cert.pem": chain, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), "crl.pem": crl} {
		if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	return dir
}

func (h *hospital) trust(pair *tls.Certificate) *trust.Trust {
	h.t.Helper()
	tr, err := trustIn(h.t.Context(), h.files(pair))
	if err != nil {
		h.t.Fatal(err)
	}
	return tr
}

func (h *hospital) device(id string) *tls.Certificate {
	h.t.Helper()
	_, pair := h.Issue(h.t, identity.DICOMNode, id)
	return &pair
}

func (h *hospital) service(id string) *tls.Certificate {
	h.t.Helper()
	key := identitytest.Key(h.t)
	i, err := h.Authority.Issue(h.t.Context(), identity.Request{Profile: identity.Infrastructure, Service: id, Public: key.Public(), Via: "test"})
	if err != nil {
		h.t.Fatal(err)
	}
	pair := identitytest.Pair(h.t, i, key)
	return &pair
}

// orderer is a console with that certificate.
func (h *hospital) orderer(pair *tls.Certificate) *control.Orderer {
	tr := h.trust(pair)
	return &control.Orderer{Site: "asepsis", Signer: order.NewSigner(tr, nil), Checker: tr}
}

// theatre is a gateway that takes signed orders, with a ledger, on a bus.
type theatre struct {
	*hospital
	bus    *bus.Bus
	gw     *steertest.Gateway
	held   instance.Record
	ledger *ledger.Ledger
	orders *control.Orders
}

func newTheatre(t *testing.T, change func(*control.Orders)) *theatre {
	t.Helper()
	x := &theatre{hospital: &hospital{identitytest.New(t, identitytest.Options{}), t}}
	var err error
	if x.bus, err = bus.Open(t.Context(), bus.Default(), bus.Deps{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.bus.Close() })
	lc := ledger.Default()
	lc.Dir, lc.Origin, lc.Reserve = t.TempDir(), "ledger.example/gateway-or-3", 0
	if x.ledger, err = ledger.New(lc, ledger.Deps{}); err != nil {
		t.Fatal(err)
	}
	x.run(x.ledger.Run)
	if x.gw, err = steertest.Open(steertest.Options{Dir: t.TempDir(), Ledger: x.ledger}); err != nil {
		t.Fatal(err)
	}
	if x.held, err = x.gw.Put(t.Context(), steertest.Image(1, 1, steertest.Script), func(r *instance.Record) { r.State, r.Verdict = instance.Quarantined, instance.Quarantine }); err != nil {
		t.Fatal(err)
	}
	x.orders = ordersOf(x.trust(x.device(name)), order.NewMemory())
	if change != nil {
		change(x.orders)
	}
	x.serve(name, x.gw, x.orders)
	return x
}

// run runs a room until the test ends.
func (x *theatre) run(f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			x.t.Error(err)
		}
	})
	x.t.Cleanup(stop)
	return stop
}

// serve serves a gateway until the test ends, and waits until it is there.
func (x *theatre) serve(name string, c control.Control, o *control.Orders) (stop func()) {
	x.t.Helper()
	stop = x.run(func(ctx context.Context) error { return control.Serve(ctx, x.bus, name, c, control.Guarded(o)) })
	identitytest.Wait(x.t, "the gateway to serve", func() bool {
		_, err := x.bus.Ask(x.t.Context(), "imaging."+name, []byte("{}"))
		return !errors.Is(err, bus.ErrNobody)
	})
	return stop
}

// deeds are all that a gateway does at somebody's word.
func (x *theatre) deeds(g control.Control) map[string]func() error {
	ctx := x.t.Context()
	return map[string]func() error{
		"Steer":           func() error { return g.Steer(ctx, "xr-3", "pause", "ada") },
		"EchoTo":          func() error { _, err := g.EchoTo(ctx, "xr-3"); return err },
		"Decide":          func() error { _, err := g.Decide(ctx, x.release("ada")); return err },
		"HeaderOf, clear": func() error { _, err := g.HeaderOf(ctx, x.header("ada")); return err },
		"SetPolicy": func() error {
			p, err := g.Policy(ctx)
			if err == nil {
				_, _, err = g.SetPolicy(ctx, control.Policy{YAML: "mode: observe\n", SHA256: p.SHA256}, "ada")
			}
			return err
		},
		"DryRun": func() error { _, err := g.DryRun(ctx, control.DryRun{YAML: "mode: enforce\n", Limit: 1}); return err },
		"SetBindings": func() error {
			list, revision, err := g.Bindings(ctx)
			if err == nil {
				_, err = g.SetBindings(ctx, list[:1], revision, "ada")
			}
			return err
		},
	}
}

func (x *theatre) header(user string) control.HeaderRequest {
	return control.HeaderRequest{Number: x.held.Number, Clear: true, User: user, Reason: "a second opinion"}
}

func (x *theatre) release(user string) control.Decide {
	return control.Decide{Number: x.held.Number, Action: "release", Reason: "a legend of the workstation", User: user, Revision: x.held.Revision}
}

func sha256Of(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func refused(err error) control.Refused {
	var r *control.Refused
	if errors.As(err, &r) {
		return *r
	}
	return control.Refused{What: fmt.Sprint(err)}
}

func TestWithoutASignatureAGatewayIsReadAndNotSteered(t *testing.T) {
	x := newTheatre(t, nil)
	g := control.At(x.bus, name, control.As("ada"))
	for what, deed := range x.deeds(g) {
		r := refused(deed())
		if r.Code != control.Unsigned || !strings.Contains(r.What, "takes signed orders only") || !strings.Contains(r.Tip, "--profile infrastructure --service console") {
			t.Errorf("%s: %+v", what, r)
		}
	}
	if o, err := g.Overview(t.Context()); err != nil || o.Held != 1 {
		t.Errorf("its overview: %+v, %v", o, err)
	}
	if h, err := g.HeaderOf(t.Context(), control.HeaderRequest{Number: x.held.Number}); err != nil || len(h.Elements) < 10 {
		t.Errorf("a header without the patient: %v", err)
	}
	if now, err := x.gw.Instance(t.Context(), x.held.Number); err != nil || now.Revision != x.held.Revision || now.Asked != nil {
		t.Errorf("what is held is now %+v, %v", now, err)
	}
}

func TestASignedOrderIsCarriedOutAndTheLedgerKnowsWhose(t *testing.T) {
	x := newTheatre(t, nil)
	console := x.service(order.Console)
	g := control.At(x.bus, name, control.As("ada"), control.Signed(x.orderer(console)))
	for what, deed := range x.deeds(g) {
		if err := deed(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if o, err := g.Overview(t.Context()); err != nil || o.Held != 1 {
		t.Errorf("reading, signed: %+v, %v", o, err)
	}
	list, err := x.ledger.Find(t.Context(), ledger.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]bool{}
	for _, e := range list {
		p := &e.Statement.Predicate
		if k := e.Statement.Kind(); p.Actor.User == "" || k != custody.Decision && k != custody.Configuration {
			continue
		}
		sum, _ := p.Detail["order"].(string)
		if p.Actor.User != "ada" || p.Actor.Certificate != sha256Of(console.Certificate[0]) || len(sum) != 64 {
			t.Errorf("%s: by %+v, order %q", p.ID, p.Actor, sum)
		}
		sums[sum] = true
	}
	if len(sums) != 4 { // the request, the header, the policy, the bindings
		t.Errorf("%d orders are in the ledger", len(sums))
	}
	var r *control.Refused
	if _, err := g.Instance(t.Context(), 99); !errors.As(err, &r) || r.Code != control.NotFound {
		t.Errorf("a refusal that is signed is %v", err)
	}
}

// between stands between a console and the bus.
type between struct {
	*bus.Bus
	ask  func(body []byte) []byte // changes what is asked
	tell func(body []byte) []byte // changes what is answered
	seen [][]byte
}

func (b *between) Ask(ctx context.Context, subject string, body []byte) ([]byte, error) {
	b.seen = append(b.seen, bytes.Clone(body))
	if b.ask != nil {
		body = b.ask(body)
	}
	out, err := b.Bus.Ask(ctx, subject, body)
	if err == nil && b.tell != nil {
		out = b.tell(out)
	}
	return out, err
}

// forged is a request with a change that its order does not know.
func forged(t *testing.T, body []byte, change func(*control.Request)) []byte {
	t.Helper()
	var r control.Request
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	change(&r)
	out, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhoIsOnTheBusCannotMakeAnOrderOfAnothers(t *testing.T) {
	x := newTheatre(t, nil)
	ctx := t.Context()
	console := x.orderer(x.service(order.Console))
	// ask asks on the bus as it is written, and gives what the gateway says within the seal.
	ask := func(body []byte) string {
		out, err := x.bus.Ask(ctx, "imaging."+name, body)
		if err != nil {
			return err.Error()
		}
		return string(out)
	}
	air := &between{Bus: x.bus}
	g := control.At(air, name, control.As("ada"), control.Signed(console))
	held, err := g.Decide(ctx, x.release("ada"))
	if err != nil {
		t.Fatal(err)
	}
	first := air.seen[0]
	agree := x.release("eve")
	agree.Revision = held.Revision
	eve, err := json.Marshal(agree)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(user string) *order.Signed {
		s, err := console.Signer.Order(order.Order{To: name, Site: "asepsis", Method: "Decide", User: user}, eve)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct {
		name, want string
		body       []byte
	}{
		{"the same order again", "counts once", first},
		{"with a second person in it", "another request", forged(t, first, func(r *control.Request) { r.Body = eve })},
		{"with another deed", "another request", forged(t, first, func(r *control.Request) { r.Method = "Drop" })},
		{"without its order", "takes signed orders only", forged(t, first, func(r *control.Request) { r.Order = nil })},
		{"for another person than the arguments name", "another person", forged(t, first, func(r *control.Request) { r.Body, r.Order = eve, sign("ada") })},
		{"for nobody", "names no person", forged(t, first, func(r *control.Request) { r.Body, r.Order = eve, sign("") })},
		{"a method that there is not", "takes signed orders only", []byte(`{"method":"Explode"}`)},
		{"no JSON", "no JSON", []byte("order")},
	} {
		if got := ask(c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s: %.300s", c.name, got)
		}
	}
	now, err := x.gw.Instance(ctx, x.held.Number)
	if err != nil || now.State != instance.Quarantined || now.Asked == nil || now.Asked.By != "ada" || now.Revision != held.Revision {
		t.Errorf("what is held is now %+v, %v", now, err)
	}
	// The console may say that it is for the second person: that is what it is trusted with.
	if _, err := control.At(x.bus, name, control.As("eve"), control.Signed(console)).Decide(ctx, agree); err != nil {
		t.Errorf("the second person, by the console: %v", err)
	}
	for what, pair := range map[string]*tls.Certificate{"a scanner's": x.device("ct-1"), "another service's": x.service("sensor")} {
		r := refused(control.At(x.bus, name, control.As("ada"), control.Signed(x.orderer(pair))).Steer(ctx, "xr-3", "pause", "ada"))
		if r.Code != control.NotTrusted || !strings.Contains(r.What, "does not take this order") || r.Tip == "" {
			t.Errorf("with %s certificate: %+v", what, r)
		}
	}
}

func TestAFalseGatewayIsNotBelieved(t *testing.T) {
	x := newTheatre(t, nil)
	ctx := t.Context()
	console := x.orderer(x.service(order.Console))
	for what, o := range map[string]*control.Orders{
		"one without a certificate":       nil,
		"one with a scanner's":            {Accept: control.OrdersBus, Site: "asepsis", Signer: order.NewSigner(x.trust(x.device("ct-1")), nil)},
		"one that signs for another site": {Accept: control.OrdersBus, Site: "elsewhere", Signer: order.NewSigner(x.trust(x.device("gateway-false")), nil)},
	} {
		stop := x.serve("gateway-false", x.gw, o)
		g := control.At(x.bus, "gateway-false", control.As("ada"), control.Signed(console))
		_, readErr := g.Overview(ctx)
		for _, err := range []error{readErr, g.Steer(ctx, "xr-3", "pause", "ada"), g.Steer(ctx, "none", "pause", "ada")} {
			if r := refused(err); r.Code != control.NotTrusted || !strings.Contains(r.What, "is not known") || r.Tip == "" {
				t.Errorf("%s: %+v", what, r)
			}
		}
		stop()
	}
	// One that stands between and gives what the gateway said to something else.
	air := &between{Bus: x.bus}
	g := control.At(air, name, control.As("ada"), control.Signed(console))
	var last []byte
	air.tell = func(b []byte) []byte { last = bytes.Clone(b); return b }
	if _, err := g.Overview(ctx); err != nil {
		t.Fatal(err)
	}
	yesterday := last
	air.tell = func([]byte) []byte { return yesterday }
	if _, err := g.Overview(ctx); refused(err).Code != control.NotTrusted {
		t.Errorf("an answer of before: %v", err)
	}
	air.tell = func(b []byte) []byte { return bytes.Replace(b, []byte(`"held":1`), []byte(`"held":0`), 1) }
	if _, err := g.Overview(ctx); refused(err).Code != control.NotTrusted {
		t.Errorf("an answer that was altered: %v", err)
	}
	// One that has the gateway answer something else under the order's name.
	air.tell = nil
	for what, change := range map[string]func(*control.Request){
		"another question": func(r *control.Request) { r.Method, r.Body = "Overview", nil },
		"the order under a signature that does not fit": func(r *control.Request) { r.Order.Signature[9] ^= 1 },
		"other arguments": func(r *control.Request) { r.Body = []byte(`{"Destination":"none","User":"ada"}`) },
	} {
		air.ask = func(body []byte) []byte { return forged(t, body, change) }
		if r := refused(g.Steer(ctx, "xr-3", "pause", "ada")); r.Code != control.NotTrusted || !strings.Contains(r.What, "is not known") {
			t.Errorf("with %s in its place: %+v", what, r)
		}
	}
	air.ask = nil
	// Who says in the configuration that this gateway has none, is told what it says.
	x.serve("gateway-old", x.gw, nil)
	console.Unsigned = []string{"gateway-old"}
	old := control.At(x.bus, "gateway-old", control.As("ada"), control.Signed(console))
	if o, err := old.Overview(ctx); err != nil || o.Held != 1 {
		t.Errorf("a gateway that is believed without: %v", err)
	}
	if r := refused(old.Steer(ctx, "none", "pause", "ada")); r.Code != control.NotFound {
		t.Errorf("its refusal: %+v", r)
	}
	console.Gateways = map[string]string{"gateway-renamed": "dev-7"}
	x.serve("gateway-renamed", x.gw, &control.Orders{Accept: control.OrdersBus, Site: "asepsis", Signer: order.NewSigner(x.trust(x.device("dev-7")), nil)})
	if _, err := control.At(x.bus, "gateway-renamed", control.Signed(console)).Overview(ctx); err != nil {
		t.Errorf("a gateway that is enrolled under another name: %v", err)
	}
}

func TestWhatAGatewayAcceptsIsChosen(t *testing.T) {
	x := newTheatre(t, nil)
	own := x.trust(x.device("gateway-chosen"))
	console := x.orderer(x.service(order.Console))
	for _, c := range []struct {
		accept      string
		bare        bool // it has no certificate
		signed      bool
		read, steer string // code of the refusal; "" for none
		hint        string
	}{
		{accept: control.OrdersSigned, signed: true},
		{accept: control.OrdersSigned, steer: control.Unsigned, hint: "console.trust"},
		{accept: "", steer: control.Unsigned, hint: "console.trust"},
		{accept: control.OrdersAll, signed: true},
		{accept: control.OrdersAll, read: control.Unsigned, steer: control.Unsigned, hint: "console.trust"},
		{accept: control.OrdersBus, signed: true},
		{accept: control.OrdersBus},
		{accept: control.OrdersBus, bare: true},
		{accept: control.OrdersSigned, bare: true, steer: control.Unsigned, hint: "console.trust"},
		{accept: control.OrdersSigned, bare: true, signed: true, read: control.NotTrusted, steer: control.NotTrusted, hint: "gateway.trust"},
	} {
		t.Run(fmt.Sprintf("%s, bare %v, asked by who signs %v", c.accept, c.bare, c.signed), func(t *testing.T) {
			o := &control.Orders{Accept: c.accept, Site: "asepsis"}
			if !c.bare {
				o.Signer = order.NewSigner(own, nil)
				o.Verifier = order.NewVerifier(order.Rules{To: "gateway-chosen", Site: "asepsis", Services: []string{order.Console}, Skew: time.Minute}, own, order.NewMemory(), nil)
			}
			defer x.serve("gateway-chosen", x.gw, o)()
			g := control.At(x.bus, "gateway-chosen", control.As("ada"))
			if c.signed {
				g = control.At(x.bus, "gateway-chosen", control.As("ada"), control.Signed(console))
			}
			_, read := g.Overview(t.Context())
			for what, y := range map[string]struct {
				err  error
				want string
			}{"reading": {read, c.read}, "steering": {g.Steer(t.Context(), "xr-3", "pause", "ada"), c.steer}} {
				r := refused(y.err)
				if r.Code != y.want || y.want == "" && y.err != nil || y.want != "" && !strings.Contains(r.Tip, c.hint) {
					t.Errorf("%s: %v, %+v, want %q", what, y.err, r, y.want)
				}
			}
		})
	}
}

// mute has no certificate yet, or any more.
type mute struct{}

// Certificate implements order.Own.
func (mute) Certificate() (*tls.Certificate, error) { return nil, errors.New("there is none yet") }

func TestAGatewayThatCannotAnswerDoesNothing(t *testing.T) {
	x := newTheatre(t, func(o *control.Orders) { o.Signer = order.NewSigner(mute{}, nil) })
	g := control.At(x.bus, name, control.As("ada"), control.Signed(x.orderer(x.service(order.Console))))
	_, err := g.Decide(t.Context(), x.release("ada"))
	if r := refused(err); r.Code != control.NotTrusted || !strings.Contains(r.What, "cannot sign its answer: there is none yet") || !strings.Contains(r.Tip, "gateway.trust") {
		t.Errorf("%+v", r)
	}
	if now, err := x.gw.Instance(t.Context(), x.held.Number); err != nil || now.Asked != nil {
		t.Errorf("what is held is now %+v, %v", now, err)
	}
}

func TestAGatewayOfThisProcessIsAskedWithoutTheBus(t *testing.T) {
	x := newTheatre(t, func(o *control.Orders) { o.Accept = control.OrdersAll })
	g := control.Here(name, x.gw)
	for what, deed := range x.deeds(g) {
		if err := deed(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if r := refused(g.Steer(t.Context(), "none", "pause", "ada")); r.Code != control.NotFound {
		t.Errorf("a refusal: %+v", r)
	}
	if _, err := g.DryRun(t.Context(), control.DryRun{YAML: strings.Repeat("#", 2<<20)}); refused(err).Code != control.Invalid {
		t.Errorf("a text too large: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.DryRun(ctx, control.DryRun{YAML: "mode: enforce\n", Limit: 1}); err == nil {
		t.Error("who went away gets an answer")
	}
}

// TestAConsoleSteersAGatewayOfAnotherProcess has a NATS server between two processes, and
// certificates in files.
func TestAConsoleSteersAGatewayOfAnotherProcess(t *testing.T) {
	h := &hospital{identitytest.New(t, identitytest.Options{}), t}
	b, _, wait := other(t, "ASEPSIS_TEST_TRUST="+h.files(h.device(name)))
	defer wait()
	ctx := t.Context()
	console := h.orderer(h.service(order.Console))
	anybody, ada := control.At(b, name), control.At(b, name, control.As("ada"), control.Signed(console))
	d := control.Decide{Number: 1, Action: "release", Reason: "a legend of the workstation", User: "ada"}
	r, err := anybody.Instance(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	d.Revision = r.Revision
	if _, err := anybody.Decide(ctx, d); refused(err).Code != control.Unsigned {
		t.Errorf("of anybody on the bus: %v", err)
	}
	held, err := ada.Decide(ctx, d)
	if err != nil || held.Asked == nil || held.Asked.By != "ada" {
		t.Fatalf("of the console: %+v, %v", held, err)
	}
	d.User, d.Revision = "ben", held.Revision
	if out, err := control.At(b, name, control.As("ben"), control.Signed(console)).Decide(ctx, d); err != nil || out.State != instance.Released {
		t.Errorf("the second person: %+v, %v", out, err)
	}
	// What a message cannot carry comes in parts, each of them signed.
	if list, err := ada.Instances(ctx, instance.Query{Limit: 1000}); err != nil || len(list) != 1000 {
		t.Errorf("%d instances, %v", len(list), err)
	}
}
