// SPDX-License-Identifier: Apache-2.0

package scep_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	client "github.com/smallstep/scep"
	"github.com/smallstep/scep/x509util"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/scep"
)

// old is a device that speaks SCEP with the library's client side.
type old struct {
	t    *testing.T
	url  string
	key  *rsa.PrivateKey
	self *x509.Certificate
}

func newOld(t *testing.T, url string) *old {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "old device"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	self, _ := x509.ParseCertificate(der)
	return &old{t, url, k, self}
}

func (o *old) authorities() []*x509.Certificate {
	o.t.Helper()
	r, err := http.Get(o.url + "?operation=GetCACert")
	if err != nil {
		o.t.Fatal(err)
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	certs, err := client.CACerts(b)
	if err != nil {
		o.t.Fatal(err)
	}
	return certs
}

// ask sends a request under a challenge, signed with a certificate.
func (o *old) ask(kind client.MessageType, challenge string, key *rsa.PrivateKey, signer *x509.Certificate, by *rsa.PrivateKey) (*client.PKIMessage, int) {
	o.t.Helper()
	ca := o.authorities()
	der, err := x509util.CreateCertificateRequest(rand.Reader, &x509util.CertificateRequest{CertificateRequest: x509.CertificateRequest{SignatureAlgorithm: x509.SHA256WithRSA}, ChallengePassword: challenge}, key)
	if err != nil {
		o.t.Fatal(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		o.t.Fatal(err)
	}
	msg, err := client.NewCSRRequest(csr, &client.PKIMessage{MessageType: kind, Recipients: ca[:1], SignerKey: by, SignerCert: signer})
	if err != nil {
		o.t.Fatal(err)
	}
	r, err := http.Post(o.url+"?operation=PKIOperation", "application/x-pki-message", bytes.NewReader(msg.Raw))
	if err != nil {
		o.t.Fatal(err)
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusOK {
		return nil, r.StatusCode
	}
	answer, err := client.ParsePKIMessage(b, client.WithCACerts(ca))
	if err != nil {
		o.t.Fatal(err)
	}
	if answer.PKIStatus == client.SUCCESS {
		if err := answer.DecryptPKIEnvelope(signer, by); err != nil {
			o.t.Fatal(err)
		}
	}
	return answer, r.StatusCode
}

func newServer(t *testing.T) (*identitytest.Site, string) {
	t.Helper()
	s := identitytest.New(t, identitytest.Options{})
	h, err := scep.New(scep.Deps{Authority: s.Authority, Now: s.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return s, srv.URL
}

func TestAnOldDeviceEnrolsAndRenews(t *testing.T) {
	s, url := newServer(t)
	o := newOld(t, url)
	r, err := http.Get(url + "?operation=GetCACaps")
	if err != nil {
		t.Fatal(err)
	}
	caps, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if !strings.Contains(string(caps), "SHA-256") || strings.Contains(string(caps), "DES") {
		t.Errorf("capabilities:\n%s", caps)
	}
	code, err := s.MakeCode(t.Context(), identity.Request{Profile: identity.DICOMNode, Device: "dev-old"}, time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := o.ask(client.PKCSReq, code.Text, o.key, o.self, o.key)
	if answer == nil || answer.PKIStatus != client.SUCCESS {
		t.Fatalf("%+v", answer)
	}
	leaf := answer.CertRepMessage.Certificate
	if d, _, _ := identity.Who(leaf, identitytest.Domain); d != "dev-old" {
		t.Errorf("it is %q", d)
	}
	if c, err := s.Get(t.Context(), identity.SerialString(leaf.SerialNumber)); err != nil || c.Via != "scep" {
		t.Errorf("%+v, %v", c, err)
	}
	next := newOld(t, url)
	answer, _ = o.ask(client.RenewalReq, "", next.key, leaf, o.key)
	if answer == nil || answer.PKIStatus != client.SUCCESS {
		t.Fatalf("renewal: %+v", answer)
	}
	if again := answer.CertRepMessage.Certificate; again.SerialNumber.Cmp(leaf.SerialNumber) == 0 {
		t.Error("renewed with the same serial number")
	}
	if _, err := s.Revoke(t.Context(), identity.Revocation{Device: "dev-old", Reason: identity.KeyCompromise}); err != nil {
		t.Fatal(err)
	}
	if answer, _ = o.ask(client.RenewalReq, "", next.key, leaf, o.key); answer == nil || answer.PKIStatus != client.FAILURE {
		t.Errorf("renewed although revoked: %+v", answer)
	}
}

func TestWhatIsWrongIsRefusedWithoutALesson(t *testing.T) {
	s, url := newServer(t)
	o := newOld(t, url)
	code, err := s.MakeCode(t.Context(), identity.Request{Profile: identity.DICOMNode, Device: "dev-old"}, time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, challenge := range map[string]string{"a wrong code": "AAAAA-BBBBB", "no code": ""} {
		if answer, status := o.ask(client.PKCSReq, challenge, o.key, o.self, o.key); answer == nil || answer.PKIStatus != client.FAILURE {
			t.Errorf("%s: %d %+v", name, status, answer)
		}
	}
	// A renewal that is signed by a certificate which the device made itself.
	if answer, status := o.ask(client.RenewalReq, code.Text, o.key, o.self, o.key); answer == nil || answer.PKIStatus != client.FAILURE {
		t.Errorf("a renewal of nothing: %d %+v", status, answer)
	}
	for name, body := range map[string]string{"noise": "noise", "nothing": "", "too much": strings.Repeat("x", 100<<10)} {
		r, err := http.Post(url+"?operation=PKIOperation", "application/x-pki-message", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", name, r.Status)
		}
	}
	if list, _, err := s.List(t.Context(), identity.Filter{}); err != nil || len(list) != 0 {
		t.Errorf("%d certificates were issued, %v", len(list), err)
	}
}
