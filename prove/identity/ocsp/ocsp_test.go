// SPDX-License-Identifier: Apache-2.0

package ocsp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	xocsp "golang.org/x/crypto/ocsp"
)

func authority(t testing.TB) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out, k
}

// TestAnotherImplementationReadsWhatIsWritten holds responses to
// golang.org/x/crypto/ocsp's reader, and its requests to ours.
func TestAnotherImplementationReadsWhatIsWritten(t *testing.T) {
	ca, key := authority(t)
	now := time.Now().UTC().Truncate(time.Second)
	serial, _ := new(big.Int).SetString("5f0ed6722e2e4560adaf2f41542d6403", 16)
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		der, err := xocsp.CreateRequest(&x509.Certificate{SerialNumber: serial}, ca, &xocsp.RequestOptions{Hash: h})
		if err != nil {
			t.Fatal(err)
		}
		q, err := ParseRequest(der)
		if err != nil || len(q.Certificates) != 1 || q.Certificates[0].Hash != h || !q.Certificates[0].Of(ca) || q.Certificates[0].Serial.Cmp(serial) != 0 || q.Nonce != nil {
			t.Fatalf("%s: %+v, %v", h, q, err)
		}
		for _, want := range []struct {
			status Status
			theirs int
		}{{Good, xocsp.Good}, {Revoked, xocsp.Revoked}, {Unknown, xocsp.Unknown}} {
			body, err := Sign([]Answer{{ID: q.Certificates[0], Status: want.status, RevokedAt: now.Add(-time.Minute), Reason: 1, This: now, Next: now.Add(time.Hour)}}, []byte("nonce"), now, ca, key)
			if err != nil {
				t.Fatal(err)
			}
			r, err := xocsp.ParseResponse(body, ca)
			if err != nil || r.Status != want.theirs || r.SerialNumber.Cmp(serial) != 0 || !r.NextUpdate.Equal(now.Add(time.Hour)) || !r.ThisUpdate.Equal(now) {
				t.Errorf("%s, %d: %+v, %v", h, want.status, r, err)
			}
			if want.status == Revoked && (r.RevocationReason != 1 || !r.RevokedAt.Equal(now.Add(-time.Minute))) {
				t.Errorf("revoked at %s for %d", r.RevokedAt, r.RevocationReason)
			}
			if !bytes.Contains(body, []byte("nonce")) {
				t.Error("the nonce is not in the response")
			}
		}
	}
}

func TestLimitsOfARequest(t *testing.T) {
	ca, _ := authority(t)
	id, err := NewID(crypto.SHA256, ca, big.NewInt(7))
	if err != nil {
		t.Fatal(err)
	}
	request := func(n, nonce int, more ...pkix.Extension) []byte {
		var q ocspRequest
		for range n {
			q.TBS.List = append(q.TBS.List, single{Cert: id.asReceived})
		}
		if nonce >= 0 {
			v, _ := asn1.Marshal(make([]byte, nonce))
			q.TBS.Extensions = append(q.TBS.Extensions, pkix.Extension{Id: oidNonce, Value: v})
		}
		q.TBS.Extensions = append(q.TBS.Extensions, more...)
		b, err := asn1.Marshal(struct{ TBS tbsRequest }{q.TBS})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	// A requestor is optional and has no value here: encoding/asn1 writes none.
	for _, c := range []struct {
		name string
		der  []byte
		want string
	}{
		{"sixteen certificates", request(MaxCertificates, -1), ""},
		{"seventeen", request(MaxCertificates+1, -1), "17 certificates"},
		{"none", request(0, -1), "OCSP request"},
		{"a nonce of 128 bytes", request(1, MaxNonce), ""},
		{"a nonce of 129 bytes", request(1, MaxNonce+1), "a nonce of 129"},
		{"an empty nonce", request(1, 0), "a nonce of 0"},
		{"a critical extension that nobody knows", request(1, -1, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true}), "critical"},
		{"bytes behind it", append(request(1, -1), 0), "behind it"},
		{"more than the limit", make([]byte, MaxRequest+1), "at most"},
	} {
		_, err := ParseRequest(c.der)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	ca, key := authority(f)
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		der, err := xocsp.CreateRequest(&x509.Certificate{SerialNumber: big.NewInt(77)}, ca, &xocsp.RequestOptions{Hash: h})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseRequest(b)
		if err != nil {
			return
		}
		var answers []Answer
		for _, id := range q.Certificates {
			answers = append(answers, Answer{ID: id, This: time.Unix(1, 0), Next: time.Unix(2, 0)})
		}
		if _, err := Sign(answers, q.Nonce, time.Unix(1, 0), ca, key); err != nil {
			t.Errorf("what was read cannot be answered: %v", err)
		}
	})
}
