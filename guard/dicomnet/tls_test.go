// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/wire/dicom"
)

// pki is a CA and one certificate of it, on disk for DCMTK and in memory.
type pki struct {
	key, cert, ca string
	pair          tls.Certificate
	pool          *x509.CertPool
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	dir := t.TempDir()
	p := &pki{key: filepath.Join(dir, "key.pem"), cert: filepath.Join(dir, "cert.pem"), ca: filepath.Join(dir, "ca.pem"), pool: x509.NewCertPool()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(path, kind string, der []byte) {
		must(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	make := func(serial int64, name string, ca bool, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name, Organization: []string{"Lindenhof University Hospital (fictional)"}},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: ca, BasicConstraintsValid: true,
			DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
			KeyUsage: x509.KeyUsageDigitalSignature}
		if ca {
			c.KeyUsage, c.ExtKeyUsage, c.DNSNames, c.IPAddresses = x509.KeyUsageCertSign, nil, nil, nil
		}
		if parent == nil {
			parent, signer = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
		must(err)
		out, err := x509.ParseCertificate(der)
		must(err)
		return out, key
	}
	ca, caKey := make(1, "Device CA", true, nil, nil)
	leaf, key := make(2, "ct.lindenhof.example", false, ca, caKey)
	write(p.ca, "CERTIFICATE", ca.Raw)
	write(p.cert, "CERTIFICATE", leaf.Raw)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	write(p.key, "PRIVATE KEY", der)
	p.pool.AddCert(ca)
	p.pair = tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	return p
}

func (p *pki) server() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{p.pair}, ClientCAs: p.pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
}

func (p *pki) client() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{p.pair}, RootCAs: p.pool, MinVersion: tls.VersionTLS12}
}

func TestWeStoreToDCMTKOverTLS(t *testing.T) {
	need(t, "storescp")
	p, dir, port := newPKI(t), t.TempDir(), freePort(t)
	start(t, dir, "storescp", "-v", "-aet", "ARCHIVE", "-od", dir, "+B", "+tls", p.key, p.cert, "+cf", p.ca, port)
	listening(t, port)
	a := dial(t, &Dialer{TLS: p.client()}, port)
	if err := a.Echo(t.Context()); err != nil {
		t.Fatal(err)
	}
	data := instance("1.2.3", 1<<20)
	if _, err := a.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: "1.2.3", TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data)}); err != nil {
		t.Fatal(err)
	}
	if err := a.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := a.Info().TLS; s == nil || s.Version < tls.VersionTLS12 {
		t.Errorf("TLS state %+v", s)
	}
	if !bytes.Equal(dataSetOf(t, filepath.Join(dir, "CT.1.2.3")), data) {
		t.Error("what arrived differs")
	}
}

func TestDCMTKStoresToUsOverTLS(t *testing.T) {
	need(t, "storescu")
	p, r, dir := newPKI(t), newReceiver(), t.TempDir()
	port := serve(t, &Server{TLS: p.server()}, r)
	file := filepath.Join(dir, "a.dcm")
	part10(t, file, "1.2.3", instance("1.2.3", 1<<20))
	out, err := run(t, dir, "storescu", "-v", "-R", "-aec", "ARCHIVE", "+tls", p.key, p.cert, "+cf", p.ca, "127.0.0.1", port, file)
	if err != nil || r.count() != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	until(t, "the end of the association", func() bool { return len(r.ends()) == 1 })
	e := r.ends()[0]
	if e.Err != nil || e.Association.Info().TLS.PeerCertificates[0].Subject.CommonName != "ct.lindenhof.example" {
		t.Errorf("%+v", e)
	}
}

// hint returns the advice of an error.
func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestTLSAndPlainMistakenForEachOtherAreNamedOnBothSides(t *testing.T) {
	need(t, "echoscu", "storescp")
	p := newPKI(t)
	quick := Timeouts{Associate: 5 * time.Second, Connect: 5 * time.Second, Close: time.Second}

	t.Run("DCMTK speaks TLS to our plain port", func(t *testing.T) {
		r := newReceiver()
		port := serve(t, &Server{Timeouts: quick}, r)
		out, err := run(t, "", "echoscu", "-v", "+tls", p.key, p.cert, "+cf", p.ca, "127.0.0.1", port)
		if err == nil || !strings.Contains(strings.ToLower(out), "unexpected message") {
			t.Errorf("echoscu: %v\n%s", err, out)
		}
		until(t, "the end", func() bool { return len(r.ends()) == 1 })
		if e := r.ends()[0]; !strings.Contains(e.Err.Error(), "the peer speaks TLS on a connection for plain DICOM") || hint(e.Err) == "" {
			t.Errorf("%v", e.Err)
		}
	})
	t.Run("DCMTK speaks plain DICOM to our TLS port", func(t *testing.T) {
		r := newReceiver()
		port := serve(t, &Server{TLS: p.server(), Timeouts: quick}, r)
		out, err := run(t, "", "echoscu", "-v", "127.0.0.1", port)
		if err == nil || !strings.Contains(out, "Reject") {
			t.Errorf("echoscu: %v\n%s", err, out)
		}
		until(t, "the end", func() bool { return len(r.ends()) == 1 })
		if e := r.ends()[0]; !strings.Contains(e.Err.Error(), "the peer speaks plain DICOM on a port for DICOM over TLS") {
			t.Errorf("%v", e.Err)
		}
	})
	t.Run("we speak TLS to DCMTK's plain port", func(t *testing.T) {
		port := freePort(t)
		start(t, t.TempDir(), "storescp", "-v", port)
		listening(t, port)
		d := &Dialer{CallingAE: "A", CalledAE: "B", TLS: p.client(), Timeouts: quick, Contexts: []Proposal{{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: UncompressedSyntaxes()}}}
		_, err := d.Dial(t.Context(), "127.0.0.1:"+port)
		if err == nil || !strings.Contains(err.Error(), "plain DICOM") && !strings.Contains(hint(err), "plain DICOM") {
			t.Errorf("%v (hint %q)", err, hint(err))
		}
	})
	t.Run("we speak plain DICOM to DCMTK's TLS port", func(t *testing.T) {
		port, dir := freePort(t), t.TempDir()
		start(t, dir, "storescp", "-v", "+tls", p.key, p.cert, "+cf", p.ca, port)
		listening(t, port)
		d := &Dialer{CallingAE: "A", CalledAE: "B", Timeouts: quick, Contexts: []Proposal{{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: UncompressedSyntaxes()}}}
		_, err := d.Dial(t.Context(), "127.0.0.1:"+port)
		if err == nil || !strings.Contains(err.Error()+hint(err), "TLS") {
			t.Errorf("%v (hint %q)", err, hint(err))
		}
	})
	t.Run("a browser comes to our plain port", func(t *testing.T) {
		r := newReceiver()
		port := serve(t, &Server{Timeouts: quick}, r)
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write([]byte("GET / HTTP/1.1\r\nHost: archive\r\n\r\n"))
		_ = c.SetReadDeadline(time.Now().Add(patience))
		var answer bytes.Buffer
		_, _ = answer.ReadFrom(c)
		if !strings.HasPrefix(answer.String(), "HTTP/1.0 400 ") {
			t.Errorf("it is told %q", answer.String())
		}
		until(t, "the end", func() bool { return len(r.ends()) == 1 })
		if e := r.ends()[0]; !strings.Contains(e.Err.Error(), "the peer speaks HTTP") {
			t.Errorf("%v", e.Err)
		}
	})
	t.Run("our client has no certificate", func(t *testing.T) {
		r := newReceiver()
		port := serve(t, &Server{TLS: p.server(), Timeouts: quick}, r)
		c := p.client()
		c.Certificates = nil
		d := &Dialer{CallingAE: "A", CalledAE: "B", TLS: c, Timeouts: quick, Contexts: []Proposal{{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: UncompressedSyntaxes()}}}
		if _, err := d.Dial(t.Context(), "127.0.0.1:"+port); err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("%v", err)
		}
		until(t, "the end", func() bool { return len(r.ends()) == 1 })
	})
	t.Run("the server's certificate is of another CA", func(t *testing.T) {
		r := newReceiver()
		port := serve(t, &Server{TLS: newPKI(t).server(), Timeouts: quick}, r)
		d := &Dialer{CallingAE: "A", CalledAE: "B", TLS: p.client(), Timeouts: quick, Contexts: []Proposal{{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: UncompressedSyntaxes()}}}
		if _, err := d.Dial(t.Context(), "127.0.0.1:"+port); err == nil || !strings.Contains(err.Error(), "the peer's certificate is not trusted") {
			t.Errorf("%v", err)
		}
		until(t, "the end", func() bool { return len(r.ends()) == 1 })
	})
}
