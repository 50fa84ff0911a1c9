// SPDX-License-Identifier: Apache-2.0

package est_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/est"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

// place is an authority with an EST server, and a directory for files of peers.
type place struct {
	*identitytest.Site
	t   *testing.T
	url string
	dir string
}

func newPlace(t *testing.T, makers ...est.Manufacturer) *place {
	t.Helper()
	p := &place{Site: identitytest.New(t, identitytest.Options{}), t: t, dir: t.TempDir()}
	_, pair := p.Issue(t, identity.APIServer, "est")
	s, err := est.New(est.Deps{Authority: p.Authority, Certificate: func() (*tls.Certificate, error) { return &pair, nil }, Manufacturers: makers, Now: p.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(s.Handler())
	srv.TLS = s.TLS()
	srv.Config.ErrorLog = nil
	srv.StartTLS()
	t.Cleanup(srv.Close)
	p.url = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	p.file("root.pem", identity.EncodePEM(p.Root()))
	return p
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) file(name string, b []byte) string {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), b, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return p.path(name)
}

func (p *place) run(in []byte, name string, args ...string) string {
	p.t.Helper()
	out, err := identitytest.Run(p.t, in, name, args...)
	if err != nil {
		p.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func (p *place) code(r identity.Request) string {
	p.t.Helper()
	c, err := p.MakeCode(p.t.Context(), r, time.Hour, p.url)
	if err != nil {
		p.t.Fatal(err)
	}
	return c.Text
}

// curl asks an operation, and gives the body and the status.
func (p *place) curl(operation string, args ...string) (string, string) {
	p.t.Helper()
	out := p.run(nil, "curl", append([]string{"-sS", "--cacert", p.path("root.pem"), "-o", p.path("answer"), "-w", "%{http_code}", p.url + "/.well-known/est/" + operation}, args...)...)
	b, err := os.ReadFile(p.path("answer"))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b), out
}

// request makes a key and a CSR with openssl, in the files name.key and name.csr.
func (p *place) request(name string, args ...string) {
	p.run(nil, "openssl", append([]string{"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", p.path(name + ".key"), "-outform", "DER", "-out", p.path(name + ".der")}, args...)...)
	der, err := os.ReadFile(p.path(name + ".der"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.file(name+".csr", []byte(p.run(der, "openssl", "base64", "-e")))
}

// kept turns an answer into the file name.pem.
func (p *place) kept(body, name string) *x509.Certificate {
	p.t.Helper()
	der := p.run([]byte(strings.ReplaceAll(body, "\r", "")), "openssl", "base64", "-d")
	text := p.run([]byte(der), "openssl", "pkcs7", "-inform", "DER", "-print_certs")
	certs, err := identity.ParsePEM([]byte(text[strings.Index(text, "-----BEGIN"):]))
	if err != nil || len(certs) != 1 {
		p.t.Fatalf("%v in\n%s", err, text)
	}
	p.file(name+".pem", identity.EncodePEM(append(certs, p.Issuing()...)...))
	return certs[0]
}

var pkcs10 = []string{"-H", "Content-Type: application/pkcs10"}

// TestCurlAndOpenSSLEnrolAndRenew is the whole way of a device that has nothing
// but curl and openssl.
func TestCurlAndOpenSSLEnrolAndRenew(t *testing.T) {
	p := newPlace(t)
	body, status := p.curl("cacerts")
	if status != "200" {
		t.Fatal(status, body)
	}
	der := p.run([]byte(strings.ReplaceAll(body, "\r", "")), "openssl", "base64", "-d")
	if out := p.run([]byte(der), "openssl", "pkcs7", "-inform", "DER", "-print_certs"); strings.Count(out, "BEGIN CERTIFICATE") != 2 || !strings.Contains(out, "Asepsis root") {
		t.Errorf("cacerts:\n%s", out)
	}
	body, status = p.curl("csrattrs")
	der = p.run([]byte(strings.ReplaceAll(body, "\r", "")), "openssl", "base64", "-d")
	if out := p.run([]byte(der), "openssl", "asn1parse", "-inform", "DER"); status != "200" || !strings.Contains(out, "id-ecPublicKey") || !strings.Contains(out, "prime256v1") || !strings.Contains(out, "ecdsa-with-SHA256") {
		t.Errorf("csrattrs: %s\n%s", status, out)
	}

	p.request("first", "-subj", "/CN=whatever the device calls itself")
	code := p.code(identity.Request{Profile: identity.DICOMNode, Device: "dev-arm", DNS: []string{"arm.st-example.internal"}, Addresses: []netip.Addr{netip.MustParseAddr("10.20.1.7")}, MUD: "https://mud.example.com/arm.json"})
	body, status = p.curl("simpleenroll", append(pkcs10, "--user", "dev-arm:"+strings.ToLower(code), "--data-binary", "@"+p.path("first.csr"))...)
	if status != "200" {
		t.Fatal(status, body)
	}
	first := p.kept(body, "first")
	if d, _, _ := identity.Who(first, identitytest.Domain); d != "dev-arm" || identity.ProfileOf(first) != identity.DICOMNode || first.DNSNames[0] != "arm.st-example.internal" || identity.MUDOf(first) == "" {
		t.Errorf("%s, %s, %v", d, identity.ProfileOf(first), first.DNSNames)
	}
	p.file("chain.pem", identity.EncodePEM(p.Issuing()...))
	p.run(nil, "openssl", "verify", "-CAfile", p.path("root.pem"), "-untrusted", p.path("chain.pem"), p.path("first.pem"))

	p.request("second", "-subj", "/")
	body, status = p.curl("simplereenroll", append(pkcs10, "--cert", p.path("first.pem"), "--key", p.path("first.key"), "--data-binary", "@"+p.path("second.csr"))...)
	if status != "200" {
		t.Fatal(status, body)
	}
	second := p.kept(body, "second")
	if second.SerialNumber.Cmp(first.SerialNumber) == 0 || bytes.Equal(second.RawSubjectPublicKeyInfo, first.RawSubjectPublicKeyInfo) || second.DNSNames[0] != first.DNSNames[0] || identity.MUDOf(second) != identity.MUDOf(first) || len(second.IPAddresses) != 1 {
		t.Error("the renewed certificate is not like the first, with another key")
	}
	if c, err := p.Get(t.Context(), identity.SerialString(first.SerialNumber)); err != nil || c.Status != identity.Superseded || c.Via != "est-code" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := p.Get(t.Context(), identity.SerialString(second.SerialNumber)); err != nil || c.Via != "est-renewal" {
		t.Errorf("%+v, %v", c, err)
	}

	if _, err := p.Revoke(t.Context(), identity.Revocation{Device: "dev-arm", Reason: identity.KeyCompromise}); err != nil {
		t.Fatal(err)
	}
	p.request("third", "-subj", "/")
	body, status = p.curl("simplereenroll", append(pkcs10, "--cert", p.path("second.pem"), "--key", p.path("second.key"), "--data-binary", "@"+p.path("third.csr"))...)
	if status != "403" || !strings.Contains(body, "revoked") {
		t.Errorf("a revoked certificate was renewed: %s %s", status, body)
	}
}

func TestBadEnrolmentsAreRefusedWithTheReason(t *testing.T) {
	p := newPlace(t)
	r := identity.Request{Profile: identity.DICOMNode, Device: "dev-arm"}
	p.request("good", "-subj", "/CN=x")
	p.request("named", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:archive.st-example.internal")
	p.run(nil, "openssl", "req", "-new", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=x", "-keyout", p.path("weak.key"), "-outform", "DER", "-out", p.path("weak.der"))
	der, _ := os.ReadFile(p.path("good.der"))
	tampered := bytes.Clone(der)
	tampered[len(tampered)-1] ^= 1
	for n, b := range map[string][]byte{"tampered": tampered, "cut": der[:50], "empty": nil} {
		p.file(n+".der", b)
	}
	p.file("big.der", make([]byte, 100<<10))
	expired, err := p.MakeCode(t.Context(), r, time.Minute, "")
	if err != nil {
		t.Fatal(err)
	}
	used := p.code(r)
	if body, status := p.curl("simpleenroll", append(pkcs10, "--user", "x:"+used, "--data-binary", "@"+p.path("good.csr"))...); status != "200" {
		t.Fatal(status, body)
	}
	withdrawn, err := p.MakeCode(t.Context(), r, time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WithdrawCode(t.Context(), withdrawn.Hash, identity.Actor{}); err != nil {
		t.Fatal(err)
	}
	p.Clock.Advance(2 * time.Minute)
	fresh := p.code(r)
	p.request("other", "-subj", "/CN=x")
	b64 := func(name string) string {
		b, _ := os.ReadFile(p.path(name + ".der"))
		return p.file(name+".b64", []byte(p.run(b, "openssl", "base64", "-e")))
	}
	for _, c := range []struct {
		name, code, csr, status, want string
		kind                          []string
	}{
		{"no credential", "", p.path("other.csr"), "401", "needs an enrolment code", pkcs10},
		{"a code that is none", "AAAAA-BBBBB-CCCCC-DDDDD", p.path("other.csr"), "401", "no such enrolment code", pkcs10},
		{"a used code", used, p.path("other.csr"), "401", "was used on", pkcs10},
		{"an expired code", expired.Text, p.path("other.csr"), "401", "ended on", pkcs10},
		{"a withdrawn code", withdrawn.Text, p.path("other.csr"), "401", "no such enrolment code", pkcs10},
		{"a name that the device does not get", fresh, p.path("named.csr"), "400", "archive.st-example.internal", pkcs10},
		{"a weak key", fresh, b64("weak"), "400", "1024 bits", pkcs10},
		{"a CSR that somebody changed", fresh, b64("tampered"), "400", "not signed by its own key", pkcs10},
		{"a CSR that was cut off", fresh, b64("cut"), "400", "no certificate request", pkcs10},
		{"no CSR", fresh, b64("empty"), "400", "empty", pkcs10},
		{"a body that is no base64", fresh, p.file("junk", []byte("!!!!")), "400", "no base64", pkcs10},
		{"a body that is too large", fresh, b64("big"), "400", "larger than", pkcs10},
		{"another type", fresh, p.path("other.csr"), "400", "want application/pkcs10", []string{"-H", "Content-Type: text/plain"}},
	} {
		args := append(c.kind, "--data-binary", "@"+c.csr)
		if c.code != "" {
			args = append(args, "--user", "x:"+c.code)
		}
		if body, status := p.curl("simpleenroll", args...); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %s %s", c.name, status, body)
		}
	}
	if body, status := p.curl("simpleenroll", append(pkcs10, "--user", "x:"+fresh, "--data-binary", "@"+p.path("other.csr"))...); status != "200" {
		t.Errorf("after all that the fresh code should be good: %s %s", status, body)
	}
	if body, status := p.curl("simplereenroll", append(pkcs10, "--data-binary", "@"+p.path("other.csr"))...); status != "401" {
		t.Errorf("a renewal of nothing: %s %s", status, body)
	}
}

func TestALostAnswerCostsNoSecondCode(t *testing.T) {
	p := newPlace(t)
	code := p.code(identity.Request{Profile: identity.DICOMNode, Device: "dev-arm"})
	p.request("a", "-subj", "/CN=x")
	var serials []string
	for range 2 {
		body, status := p.curl("simpleenroll", append(pkcs10, "--user", "x:"+code, "--data-binary", "@"+p.path("a.csr"))...)
		if status != "200" {
			t.Fatal(status, body)
		}
		serials = append(serials, identity.SerialString(p.kept(body, "a").SerialNumber))
	}
	if serials[0] != serials[1] {
		t.Errorf("the same key got %v", serials)
	}
	p.Clock.Advance(2 * time.Hour)
	if body, status := p.curl("simpleenroll", append(pkcs10, "--user", "x:"+code, "--data-binary", "@"+p.path("a.csr"))...); status != "401" {
		t.Errorf("after its end: %s %s", status, body)
	}
}

func TestTryingCodesIsSlow(t *testing.T) {
	p := newPlace(t)
	p.request("a", "-subj", "/CN=x")
	good := p.code(identity.Request{Profile: identity.DICOMNode, Device: "dev-arm"})
	try := func(code string) string {
		_, status := p.curl("simpleenroll", append(pkcs10, "--user", "x:"+code, "--data-binary", "@"+p.path("a.csr"))...)
		return status
	}
	var got []string
	for n := range 9 {
		got = append(got, try(fmt.Sprint("guess-", n)))
	}
	if got[7] != "401" || got[8] != "429" {
		t.Errorf("nine guesses: %v", got)
	}
	if s := try(good); s != "429" {
		t.Errorf("the right code in the middle of guessing: %s", s)
	}
	p.Clock.Advance(time.Minute)
	if s := try(good); s != "200" {
		t.Errorf("a minute later: %s", s)
	}
}

// TestAManufacturersCertificateIsAFirstCredential makes a manufacturer with two
// levels, whose devices have certificates for ever (IEEE 802.1AR).
func TestAManufacturersCertificateIsAFirstCredential(t *testing.T) {
	certify := func(name, number string, parent *x509.Certificate, by *ecdsa.PrivateKey, ca bool) (*x509.Certificate, *ecdsa.PrivateKey) {
		k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name, SerialNumber: number}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
			IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
		if parent == nil {
			parent, by = c, k
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, k.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		out, _ := x509.ParseCertificate(der)
		return out, k
	}
	root, rk := certify("Maker Root", "", nil, nil, true)
	mid, mk := certify("Maker Devices", "", root, rk, true)
	other, ok := certify("Other Maker", "", nil, nil, true)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	p := newPlace(t, est.Manufacturer{Name: "maker", Roots: pool})
	device := func(name, number string, by *x509.Certificate, k *ecdsa.PrivateKey) {
		c, key := certify(name, number, by, k, false)
		p.file(name+".pem", identity.EncodePEM(c, by))
		p.file(name+".key", identitytest.KeyPEM(t, key))
	}
	device("expected", "SN-1", mid, mk)
	device("unexpected", "SN-2", mid, mk)
	device("numberless", "", mid, mk)
	device("foreign", "SN-1", other, ok)
	if _, err := p.Expect(t.Context(), identity.Request{Profile: identity.SurgicalDevice, Device: "dev-table"}, time.Hour, "maker", "SN-1"); err != nil {
		t.Fatal(err)
	}
	p.request("a", "-subj", "/")
	for _, c := range []struct{ name, status, want string }{
		{"unexpected", "403", "SN-2 of maker is not expected"},
		{"numberless", "403", "no serialNumber"},
		{"foreign", "403", "of nobody"},
		{"expected", "200", ""},
	} {
		body, status := p.curl("simpleenroll", append(pkcs10, "--cert", p.path(c.name+".pem"), "--key", p.path(c.name+".key"), "--data-binary", "@"+p.path("a.csr"))...)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %s %s", c.name, status, body)
		}
		if c.status == "200" {
			leaf := p.kept(body, "a")
			if d, _, _ := identity.Who(leaf, identitytest.Domain); d != "dev-table" {
				t.Errorf("it is %q", d)
			}
			if k, err := p.Get(t.Context(), identity.SerialString(leaf.SerialNumber)); err != nil || k.Via != "manufacturer" {
				t.Errorf("%+v, %v", k, err)
			}
		}
	}
	p.request("b", "-subj", "/")
	if body, status := p.curl("simpleenroll", append(pkcs10, "--cert", p.path("expected.pem"), "--key", p.path("expected.key"), "--data-binary", "@"+p.path("b.csr"))...); status != "401" || !strings.Contains(body, "was used") {
		t.Errorf("a second time, with another key: %s %s", status, body)
	}
	// What could be taken for an expectation is none when it comes as a code.
	if body, status := p.curl("simpleenroll", append(pkcs10, "--user", "x:maker SN-1", "--data-binary", "@"+p.path("b.csr"))...); status != "401" {
		t.Errorf("as a code: %s %s", status, body)
	}
}

func TestOurClientTrustsOnlyTheRootThatWasNamed(t *testing.T) {
	p, other := newPlace(t), newPlace(t)
	pin := func(p *place) string { s := sha256.Sum256(p.Root().Raw); return hex.EncodeToString(s[:]) }
	c := &est.Client{Server: p.url}
	if _, err := c.Bootstrap(t.Context(), pin(other)); err == nil || c.Roots != nil {
		t.Fatalf("another site's root was found: %v", err)
	}
	if _, err := c.Enroll(t.Context(), "code", nil); err == nil {
		t.Error("enrolled without a root")
	}
	certs, err := c.Bootstrap(t.Context(), pin(p))
	if err != nil || len(certs) != 2 || !bytes.Equal(certs[0].Raw, p.Root().Raw) {
		t.Fatal(certs, err)
	}
	// A server that shows the right root and cannot prove to be of it.
	mallory := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := p.curl("cacerts")
		_, _ = w.Write([]byte(b))
	}))
	defer mallory.Close()
	m := &est.Client{Server: mallory.URL}
	if _, err := m.Bootstrap(t.Context(), pin(p)); err == nil || m.Roots != nil {
		t.Errorf("somebody in between was trusted: %v", err)
	}
	k := identitytest.Key(t)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, k)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Enroll(t.Context(), "wrong", csr)
	var a *est.Answer
	if !errors.As(err, &a) || a.Status != http.StatusUnauthorized || a.Hint() == "" {
		t.Errorf("a wrong code: %v", err)
	}
	leaf, err := c.Enroll(t.Context(), p.code(identity.Request{Profile: identity.XRHeadset, Device: "dev-headset"}), csr)
	if err != nil {
		t.Fatal(err)
	}
	c.Certificate = &tls.Certificate{Certificate: [][]byte{leaf.Raw, p.Issuing()[0].Raw}, PrivateKey: k}
	again, err := c.Reenroll(t.Context(), csr)
	if err != nil || again.SerialNumber.Cmp(leaf.SerialNumber) == 0 {
		t.Errorf("%v", err)
	}
}
