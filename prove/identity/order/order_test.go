// SPDX-License-Identifier: Apache-2.0

package order_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/order"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

const (
	gateway = "gateway-or-3"
	site    = "north"
	skew    = 2 * time.Minute
)

// hospital is a site's authority, and a gateway that takes orders.
type hospital struct {
	*identitytest.Site
	t     testing.TB
	trust *trust.Trust
	v     *order.Verifier
	m     *order.Memory
	path  string
}

func newHospital(t testing.TB) *hospital {
	t.Helper()
	h := &hospital{Site: identitytest.New(t, identitytest.Options{}), t: t, path: filepath.Join(t.TempDir(), "orders")}
	_, pair := h.Issue(t, identity.DICOMNode, gateway)
	h.trust = h.trusting(&pair)
	h.start()
	return h
}

func (h *hospital) trusting(pair *tls.Certificate) *trust.Trust {
	h.t.Helper()
	cfg := trust.Default()
	cfg.TrustDomain = identitytest.Domain
	tr, err := trust.New(h.t.Context(), cfg, trust.Deps{Source: trust.SourceFunc(h.CRLs), Now: h.Clock.Now, Material: func() (trust.Material, error) {
		return trust.Material{CA: append(h.Issuing(), h.Root()), Certificate: pair}, nil
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	return tr
}

// start begins anew, as a gateway that was restarted does.
func (h *hospital) start() {
	h.t.Helper()
	var damaged bool
	var err error
	if h.m, damaged, err = order.OpenMemory(h.path, h.Clock.Now(), skew); err != nil || damaged {
		h.t.Fatal(damaged, err)
	}
	m := h.m
	h.t.Cleanup(func() { _ = m.Close() })
	h.v = order.NewVerifier(order.Rules{To: gateway, Site: site, Services: []string{order.Console}, Skew: skew}, h.trust, h.m, h.Clock.Now)
}

// fixed is a certificate that stays.
type fixed struct{ pair *tls.Certificate }

// Certificate implements order.Own.
func (f fixed) Certificate() (*tls.Certificate, error) { return f.pair, nil }

// service gets a certificate for one of our services.
func (h *hospital) service(name string, key crypto.Signer) *tls.Certificate {
	h.t.Helper()
	if key == nil {
		key = identitytest.Key(h.t)
	}
	i, err := h.Authority.Issue(h.t.Context(), identity.Request{Profile: identity.Infrastructure, Service: name, Public: key.Public(), Via: "test"})
	if err != nil {
		h.t.Fatal(err)
	}
	c := &tls.Certificate{PrivateKey: key, Leaf: i.Leaf, Certificate: [][]byte{i.Leaf.Raw}}
	for _, up := range i.Chain {
		c.Certificate = append(c.Certificate, up.Raw)
	}
	return c
}

func (h *hospital) signer(pair *tls.Certificate) *order.Signer {
	return order.NewSigner(fixed{pair}, h.Clock.Now)
}

var release = []byte(`{"number":7,"action":"release","reason":"a legend","user":"ada","revision":3}`)

func asked() order.Order { return order.Order{To: gateway, Site: site, Method: "Decide", User: "ada"} }

func (h *hospital) order(pair *tls.Certificate, o order.Order, body []byte) *order.Signed {
	h.t.Helper()
	s, err := h.signer(pair).Order(o, body)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func why(err error) order.Why {
	var r *order.Refusal
	if errors.As(err, &r) {
		return r.Why
	}
	return ""
}

func TestAnOrderOfTheConsoleCountsOnce(t *testing.T) {
	h := newHospital(t)
	console := h.service(order.Console, nil)
	s := h.order(console, asked(), release)
	wire, err := json.Marshal(s) // as the bus carries it
	if err != nil {
		t.Fatal(err)
	}
	got := &order.Signed{}
	if err := json.Unmarshal(wire, got); err != nil {
		t.Fatal(err)
	}
	v, err := h.v.Verify(got, "Decide", release, true)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(console.Leaf.Raw)
	if v.User != "ada" || v.Service != order.Console || v.Certificate != fmt.Sprintf("%x", sum) || v.Digest != s.Digest() || v.Serial != identity.SerialString(console.Leaf.SerialNumber) {
		t.Errorf("what counts is %+v", v)
	}
	if _, err := h.v.Verify(got, "Decide", release, true); why(err) != order.Replayed {
		t.Errorf("again: %v", err)
	}
	if _, err := h.v.Verify(h.order(console, asked(), release), "Decide", release, true); err != nil {
		t.Errorf("the same asked anew: %v", err)
	}
	if v, err := h.v.Verify(h.order(h.service("console-east", nil), asked(), release), "Decide", release, true); err != nil || v.Service != "console-east" {
		t.Errorf("of another console of the site: %+v, %v", v, err)
	}
}

func TestKeysOfEveryKindThatTheAuthorityCertifiesSign(t *testing.T) {
	h := newHospital(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"ECDSA on P-256": identitytest.Key(t), "ECDSA on P-384": p384, "RSA": old} {
		t.Run(name, func(t *testing.T) {
			console := h.service(order.Console, key)
			s := h.order(console, asked(), release)
			if _, err := h.v.Verify(s, "Decide", release, true); err != nil {
				t.Errorf("an order: %v", err)
			}
			s.Signature[len(s.Signature)-1] ^= 1
			if _, err := h.v.Verify(s, "Decide", release, true); why(err) != order.Forged {
				t.Errorf("with another signature: %v", err)
			}
		})
	}
}

func TestForgedOrdersAreRefused(t *testing.T) {
	h := newHospital(t)
	console := h.service(order.Console, nil)
	elsewhere := newHospital(t) // another hospital, with the same names
	_, ct := h.Issue(t, identity.DICOMNode, "ct-1")
	_, posing := h.Issue(t, identity.DICOMNode, order.Console) // a device that is called as the console is
	gone := h.service(order.Console, nil)
	if _, err := h.Revoke(t.Context(), identity.Revocation{Serials: []string{identity.SerialString(gone.Leaf.SerialNumber)}, Reason: identity.KeyCompromise}); err != nil {
		t.Fatal(err)
	}
	if err := h.trust.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	good := func() *order.Signed { return h.order(console, asked(), release) }
	with := func(change func(*order.Order)) *order.Signed {
		o := asked()
		change(&o)
		return h.order(console, o, release)
	}
	at := func(d time.Duration) *order.Signed {
		s, err := order.NewSigner(fixed{console}, func() time.Time { return h.Clock.Now().Add(d) }).Order(asked(), release)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	changed := func(change func(*order.Signed)) *order.Signed {
		s := good()
		change(s)
		return s
	}
	stolen := *console // the console's certificate, and a key of one's own
	stolen.PrivateKey = identitytest.Key(t)
	for _, x := range []struct {
		name   string
		s      *order.Signed
		method string
		body   []byte
		why    order.Why
		hint   string
	}{
		{name: "none at all", s: nil, why: order.Unsigned},
		{name: "nothing in it", s: &order.Signed{}, why: order.Malformed},
		{name: "the console's certificate with another key", s: h.order(&stolen, asked(), release), why: order.Forged},
		{name: "of a hospital of the same name with another root", s: elsewhere.order(elsewhere.service(order.Console, nil), asked(), release), why: order.Untrusted, hint: "same site"},
		{name: "of a console that was revoked", s: h.order(gone, asked(), release), why: order.Untrusted},
		{name: "of a device", s: h.order(&ct, asked(), release), why: order.Untrusted, hint: "profile infrastructure"},
		{name: "of a device that is called as the console is", s: h.order(&posing, asked(), release), why: order.Untrusted, hint: "profile infrastructure"},
		{name: "of another service of ours", s: h.order(h.service("sensor", nil), asked(), release), why: order.Unknown, hint: "gateway.orders_from"},
		{name: "of a service whose name only begins as the console's", s: h.order(h.service("consolewriter", nil), asked(), release), why: order.Unknown},
		{name: "to another gateway", s: with(func(o *order.Order) { o.To = "gateway-or-4" }), why: order.Elsewhere},
		{name: "of another site", s: with(func(o *order.Order) { o.Site = "south" }), why: order.Elsewhere, hint: "bus.name"},
		{name: "with another method", s: good(), method: "SetPolicy", why: order.Altered},
		{name: "with arguments that were altered", s: good(), body: bytes.Replace(release, []byte(`"number":7`), []byte(`"number":8`), 1), why: order.Altered},
		{name: "with no arguments any more", s: good(), body: []byte{}, why: order.Altered},
		{name: "of long ago", s: at(-skew - time.Hour), why: order.Stale, hint: "compare the clocks"},
		{name: "of the future", s: at(skew + time.Hour), why: order.Stale, hint: "compare the clocks"},
		{name: "with a payload that was altered", s: changed(func(s *order.Signed) { s.Payload = bytes.Replace(s.Payload, []byte("ada"), []byte("eve"), 1) }), why: order.Forged},
		{name: "with the signature of another order", s: changed(func(s *order.Signed) { s.Signature = good().Signature }), why: order.Forged},
		{name: "without a certificate", s: changed(func(s *order.Signed) { s.Chain = nil }), why: order.Malformed},
		{name: "with a certificate that is none", s: changed(func(s *order.Signed) { s.Chain[0] = []byte("certificate") }), why: order.Malformed},
		{name: "with another's certificate in front", s: changed(func(s *order.Signed) { s.Chain = h.service(order.Console, nil).Certificate }), why: order.Forged},
		{name: "with more certificates than any chain has", s: changed(func(s *order.Signed) { s.Chain = [][]byte{s.Chain[0], s.Chain[1], s.Chain[1], s.Chain[1], s.Chain[1]} }), why: order.Malformed},
		{name: "with a certificate larger than any", s: changed(func(s *order.Signed) { s.Chain[1] = make([]byte, 9<<10) }), why: order.Malformed},
		{name: "with a signature larger than any", s: changed(func(s *order.Signed) { s.Signature = make([]byte, 2<<10) }), why: order.Malformed},
		{name: "with a payload larger than any", s: changed(func(s *order.Signed) { s.Payload = make([]byte, 5<<10) }), why: order.Malformed},
		{name: "an answer in the place of an order", s: answerOf(t, h, console), why: order.Forged},
	} {
		t.Run(x.name, func(t *testing.T) {
			method, body := "Decide", release
			if x.method != "" {
				method = x.method
			}
			if x.body != nil {
				body = x.body
			}
			_, err := h.v.Verify(x.s, method, body, true)
			if why(err) != x.why {
				t.Fatalf("%q: %v, want %s", why(err), err, x.why)
			}
			var r *order.Refusal
			if errors.As(err, &r); !strings.Contains(r.Hint(), x.hint) {
				t.Errorf("the hint is %q, want %q", r.Hint(), x.hint)
			}
			if strings.Contains(err.Error(), "ada") {
				t.Errorf("it says whose it was: %v", err)
			}
		})
	}
	if _, err := h.v.Verify(good(), "Decide", release, true); err != nil {
		t.Errorf("after all of them, a good one: %v", err)
	}
}

func TestTheBoundOnClocksIsExact(t *testing.T) {
	h := newHospital(t)
	console := h.service(order.Console, nil)
	now := time.Now().Truncate(time.Millisecond)
	v := order.NewVerifier(order.Rules{To: gateway, Site: site, Services: []string{order.Console}, Skew: skew}, h.trust, h.m, func() time.Time { return now })
	for _, x := range []struct {
		off time.Duration
		why order.Why
	}{{0, ""}, {-skew, ""}, {skew, ""}, {-skew - time.Millisecond, order.Stale}, {skew + time.Millisecond, order.Stale}} {
		s, err := order.NewSigner(fixed{console}, func() time.Time { return now.Add(x.off) }).Order(asked(), release)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(s, "Decide", release, false); why(err) != x.why || (err == nil) != (x.why == "") {
			t.Errorf("%s off: %v, want %q", x.off, err, x.why)
		}
	}
}

func answerOf(t *testing.T, h *hospital, pair *tls.Certificate) *order.Signed {
	t.Helper()
	s, err := h.signer(pair).Answer(order.Answer{From: gateway, Site: site}, h.order(pair, asked(), release), "Decide", release, release)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAPayloadHasOneSpelling signs, with the console's key, what says the same otherwise.
func TestAPayloadHasOneSpelling(t *testing.T) {
	h := newHospital(t)
	console := h.service(order.Console, nil)
	plain := string(h.order(console, asked(), release).Payload)
	for name, payload := range map[string]string{
		"spaces":                plain[:1] + " " + plain[1:],
		"a member twice":        strings.Replace(plain, `{"to":`, `{"to":"gateway-or-4","to":`, 1),
		"a member that is new":  strings.Replace(plain, `{"to":`, `{"until":1,"to":`, 1),
		"letters in upper case": strings.Replace(plain, `"method"`, `"Method"`, 1),
		"no nonce":              plain[:strings.Index(plain, `"nonce":"`)+9] + `"}`,
		"no object":             `[]`,
		"no JSON":               `order`,
		"something behind it":   plain + "{}",
		"a zone of its own":     strings.Replace(plain, `Z","nonce"`, `+00:00","nonce"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if payload == plain {
				t.Fatal("it is as it has to be")
			}
			if _, err := h.v.Verify(signedBy(t, console, payload), "Decide", release, true); why(err) != order.Malformed {
				t.Errorf("%q: %v", why(err), err)
			}
		})
	}
	if _, err := h.v.Verify(signedBy(t, console, plain), "Decide", release, true); err != nil {
		t.Errorf("as it has to be: %v", err)
	}
}

// signedBy signs a text as an order, by the form that the package describes and not by its code.
func signedBy(t *testing.T, pair *tls.Certificate, payload string) *order.Signed {
	t.Helper()
	const typ = "application/vnd.asepsis.order.v1+json"
	sum := sha256.Sum256(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(typ), typ, len(payload), payload))
	key, _ := pair.PrivateKey.(*ecdsa.PrivateKey)
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return &order.Signed{Payload: []byte(payload), Signature: signature, Chain: pair.Certificate}
}

func TestWithoutACurrentRevocationListNoOrderCounts(t *testing.T) {
	h := newHospital(t)
	console := h.service(order.Console, nil)
	h.Clock.Advance(26 * time.Hour) // nobody publishes CRLs meanwhile; the certificate is good for two days
	kept := h.order(console, asked(), release)
	_, err := h.v.Verify(kept, "Decide", release, true)
	var d *trust.Denied
	if why(err) != order.Untrusted || !errors.As(err, &d) || d.Why != trust.StaleCRL {
		t.Errorf("%q: %v", why(err), err)
	}
	if err := h.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := h.trust.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.v.Verify(kept, "Decide", release, true); why(err) != order.Replayed {
		t.Errorf("what was refused for that, kept by somebody until there is a list: %v", err)
	}
	if _, err := h.v.Verify(h.order(console, asked(), release), "Decide", release, true); err != nil {
		t.Errorf("a new one: %v", err)
	}
	h.Clock.Advance(26 * time.Hour)
	if _, err := h.v.Verify(h.order(console, asked(), release), "Decide", release, true); why(err) != order.Untrusted || !errors.As(err, &d) || d.Why != trust.Ended {
		t.Errorf("with a certificate that has ended: %v", err)
	}
}

func TestAnAnswerIsBoundToItsOrderAndItsGateway(t *testing.T) {
	h := newHospital(t)
	_, own := h.Issue(t, identity.DICOMNode, gateway)
	_, other := h.Issue(t, identity.DICOMNode, "ct-1")
	_, headset := h.Issue(t, identity.XRHeadset, gateway)
	told := h.order(h.service(order.Console, nil), asked(), release)
	body := []byte(`{"body":{"number":7,"state":"released"}}`)
	want := order.Answer{From: gateway, Site: site}
	sign := func(pair *tls.Certificate, a order.Answer, to *order.Signed, method string, args []byte) *order.Signed {
		s, err := h.signer(pair).Answer(a, to, method, args, body)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	by := func(pair *tls.Certificate) *order.Signed { return sign(pair, want, told, "Decide", release) }
	again := *told // the same order under another signature, which the gateway refuses
	again.Signature = bytes.Clone(told.Signature)
	again.Signature[9] ^= 1
	for _, x := range []struct {
		name string
		s    *order.Signed
		body string
		why  order.Why
	}{
		{"of the gateway", by(&own), "", ""},
		{"of a service of the gateway's name", by(h.service(gateway, nil)), "", ""},
		{"none", nil, "", order.Unsigned},
		{"of another device in its name", by(&other), "", order.Unknown},
		{"of a device that is no gateway", by(&headset), "", order.Untrusted},
		{"to another order", sign(&own, want, h.order(&own, asked(), release), "Decide", release), "", order.Altered},
		{"to the same order under another signature", sign(&own, want, &again, "Decide", release), "", order.Altered},
		{"to this order, about another method", sign(&own, want, told, "Overview", release), "", order.Altered},
		{"to this order, about other arguments", sign(&own, want, told, "Decide", nil), "", order.Altered},
		{"of another gateway", sign(&own, order.Answer{From: "gateway-or-4", Site: site}, told, "Decide", release), "", order.Altered},
		{"with another content", by(&own), `{"body":{"number":7,"state":"destroyed"}}`, order.Altered},
		{"an order in the place of an answer", h.order(&own, asked(), body), "", order.Forged},
	} {
		t.Run(x.name, func(t *testing.T) {
			got := body
			if x.body != "" {
				got = []byte(x.body)
			}
			if err := order.VerifyAnswer(h.trust, x.s, want, told, "Decide", release, got, gateway); why(err) != x.why || (err == nil) != (x.why == "") {
				t.Errorf("%q: %v, want %q", why(err), err, x.why)
			}
		})
	}
}

// FuzzVerify feeds what anybody on the bus could send; nothing of it counts.
func FuzzVerify(f *testing.F) {
	h := newHospital(f)
	console := h.service(order.Console, nil)
	for _, s := range []*order.Signed{h.order(console, asked(), release), h.order(console, order.Order{}, nil), {}} {
		b, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s order.Signed
		if json.Unmarshal(b, &s) != nil {
			return
		}
		if v, err := h.v.Verify(&s, "Destroy", release, true); err == nil {
			t.Fatalf("it counts: %+v", v)
		}
		if err := order.VerifyAnswer(h.trust, &s, order.Answer{From: gateway}, &s, "Destroy", release, release, gateway); err == nil {
			t.Fatal("it is taken for an answer")
		}
	})
}
