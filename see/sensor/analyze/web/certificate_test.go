// SPDX-License-Identifier: Apache-2.0

package web

import (
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

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/wire/packet"
	"github.com/asepsis/asepsis/wire/tlsmeta"
)

func certificatesOf(t *testing.T, h *analyzetest.Host) (out []device.Certificate) {
	t.Helper()
	for _, e := range h.Facts {
		if e.Attribute != device.AttrCertificate {
			continue
		}
		c, err := device.ParseCertificate(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		c.Source, c.Confidence = e.Source, e.Confidence
		out = append(out, c)
	}
	return out
}

func TestTheLeafThatEachSidePresentsIsEvidence(t *testing.T) {
	for _, tt := range []struct {
		file             string
		services, issuer []string
	}{
		{"tls/tls12.pcap", []string{"tls/tcp:2762"}, []string{"Asepsis Test CA"}},
		{"tls/tls12-mtls.pcap", []string{"tls/tcp:2762", "tls/client"}, []string{"Asepsis Test CA", "Asepsis Test CA"}},
		{"tls/tls13.pcap", nil, nil},
		{"webrtc/chromium.pcap", nil, nil},
	} {
		for _, cv := range conversations(t, at(tt.file)) {
			r := cv.run(t, false)
			got := certificatesOf(t, r.Host)
			all := details[*event.TLS](r)
			if len(got) != len(tt.services) {
				t.Errorf("%s: %+v", tt.file, got)
				continue
			}
			for k, c := range got {
				leaf := all[0].ServerChain[0]
				if k == 1 {
					leaf = all[0].ClientChain[0]
				}
				if c.Service != tt.services[k] || c.Issuer != tt.issuer[k] || c.SelfSigned || c.KeyType != "ECDSA" || c.KeyBits != 256 || c.Confidence != device.Verified || c.Source != "tls.certificate" {
					t.Errorf("%s: %+v", tt.file, c)
				}
				if c.SHA256 != leaf.SHA256 || c.NotBefore.UnixMilli() != leaf.NotBefore || c.NotAfter.UnixMilli() != leaf.NotAfter {
					t.Errorf("%s: %+v is not the event's %+v", tt.file, c, leaf)
				}
			}
		}
	}
}

// made returns a certificate of its own for a subject.
func made(t *testing.T, subject pkix.Name) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: subject, NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, x, x, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestACertificateIsReadOnceAndToldPerService(t *testing.T) {
	h := analyzetest.NewHost()
	c := analyzetest.Conn(h, packet.ProtoTCP, 443)
	c.App = "tls"
	k := &known{Certificate: ptr(tlsmeta.ParseCertificate(made(t, pkix.Name{CommonName: "pump-7"})))}
	first := k.evidence(c, analyze.Server)
	if x, err := device.ParseCertificate(first); err != nil || x.Service != "tls/tcp:443" || !x.SelfSigned || x.Issuer != "" || x.KeyBits != 384 || x.NotAfter.Year() != 9999 {
		t.Errorf("%s: %+v, %v", first, x, err)
	}
	if n := testing.AllocsPerRun(20, func() { k.evidence(c, analyze.Server) }); n != 0 {
		t.Errorf("%v allocations for what is known", n)
	}
	if s := k.evidence(c, analyze.Client); !strings.HasPrefix(s, "tls/client, ") {
		t.Error(s)
	}
	c.Ends[1].Port = 8443
	if s := k.evidence(c, analyze.Server); !strings.HasPrefix(s, "tls/tcp:8443, ") {
		t.Error(s)
	}
	c.Flip()
	if s := k.evidence(c, analyze.Server); !strings.HasPrefix(s, "tls/tcp:50000, ") {
		t.Error(s)
	}
}

func TestAPersonsCertificateIsNoEvidenceAboutADevice(t *testing.T) {
	mail := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	der := made(t, pkix.Name{CommonName: "Nurse Joy", ExtraNames: []pkix.AttributeTypeAndValue{{Type: mail, Value: "joy@theatre.example"}}})
	h := analyzetest.NewHost()
	c := analyzetest.Conn(h, packet.ProtoTCP, 443)
	c.App = "tls"
	certificateEvidence(c, der, analyze.Client, "tls", true)
	if len(h.Facts) != 0 {
		t.Errorf("%+v", h.Facts)
	}
	x := tlsmeta.ParseCertificate(der)
	if e := CertificateOf(c, &x, true); !strings.HasPrefix(e.Subject, "p:") || e.Issuer != e.Subject {
		t.Errorf("subject %s, issuer %s", e.Subject, e.Issuer)
	}
}

func ptr[T any](v T) *T { return &v }
