// SPDX-License-Identifier: Apache-2.0

package gatewaytest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// Credentials are a device's certificate as programs read it: names of PEM files.
type Credentials struct {
	Key    string
	Cert   string // with the authority that issued it
	CA     string // every authority of the site up to the root: DCMTK and Orthanc need all of them
	Serial string
}

// Enrol gives a device of a site a certificate.
func Enrol(t testing.TB, site *identitytest.Site, profile identity.Profile, device string) Credentials {
	t.Helper()
	issued, pair := site.Issue(t, profile, device)
	c := Files(t, site, pair)
	c.Serial = issued.Serial
	return c
}

// Files writes a certificate, its key and the authorities of a site.
func Files(t testing.TB, site *identitytest.Site, pair tls.Certificate) Credentials {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, list ...[]byte) string {
		var b []byte
		for _, der := range list {
			b = append(b, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	var authorities [][]byte
	for _, c := range append(site.Issuing(), site.Root()) {
		authorities = append(authorities, c.Raw)
	}
	return Credentials{Key: write("key.pem", "PRIVATE KEY", key), Cert: write("cert.pem", "CERTIFICATE", pair.Certificate...), CA: write("ca.pem", "CERTIFICATE", authorities...)}
}

// TLS are the options by which programs of DCMTK speak TLS with the certificate.
func (c Credentials) TLS() []string { return []string{"+tls", c.Key, c.Cert, "+cf", c.CA} }

// Trust makes a Trust of a site, with a certificate of its own or none, that runs until the test ends.
func Trust(t testing.TB, site *identitytest.Site, pair *tls.Certificate) *trust.Trust {
	t.Helper()
	cfg := trust.Default()
	cfg.TrustDomain = identitytest.Domain
	before := site.Air.Listening()
	tr, err := trust.New(t.Context(), cfg, trust.Deps{Source: trust.SourceFunc(site.CRLs), Announcer: site.Air, Now: site.Clock.Now, Material: func() (trust.Material, error) {
		return trust.Material{CA: append(site.Issuing(), site.Root()), Certificate: pair}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	Until(t, "the Trust to listen", func() bool { return site.Air.Listening() > before })
	return tr
}
