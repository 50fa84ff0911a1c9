// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/asepsis/asepsis/platform/durable"
)

// Site is what an authority's directory says about itself: ca.json. It holds no
// secret.
type Site struct {
	Version      int       `json:"version"`
	TrustDomain  string    `json:"trust_domain"` // of SPIFFE IDs: "or.st-example.internal"
	Organisation string    `json:"organisation"` // O of every subject
	Curve        string    `json:"curve"`        // of the authorities' keys: "P-256" or "P-384"
	Base         string    `json:"base"`         // where CRLs, OCSP and authorities' certificates are: "http://pki.st-example.internal"
	Domains      []string  `json:"domains"`      // DNS names within these may be certified; none: any
	Networks     []string  `json:"networks"`     // so may addresses within these; none: any
	Root         string    `json:"root"`         // subject key ID
	Active       string    `json:"active"`       // of the issuing authority that signs
	Created      time.Time `json:"created"`
	// Shares says how the root's passphrase was split, "" when it was not.
	Shares string `json:"shares,omitempty"`
}

const siteFile = "ca.json"

func (s *Site) curve() elliptic.Curve {
	if s.Curve == "P-384" {
		return elliptic.P384()
	}
	return elliptic.P256()
}

func (s *Site) validate() error {
	bad := func(field, hint, format string, args ...any) error {
		return refuse(BadRequest, hint, field+": "+format, args...)
	}
	if len(s.TrustDomain) > 200 || !validDomain.MatchString(s.TrustDomain) {
		return bad("trust domain", "a DNS name of the site's own, in lower case: or.st-example.internal", "%q cannot be one", s.TrustDomain)
	}
	if s.Organisation == "" || len([]rune(s.Organisation)) > 64 {
		return bad("organisation", "the hospital's name", "%q has to have 1 to 64 characters", s.Organisation)
	}
	if s.Curve != "P-256" && s.Curve != "P-384" {
		return bad("curve", "P-256 or P-384", "%q is none", s.Curve)
	}
	u, err := url.Parse(s.Base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return bad("base", "http://pki.st-example.internal: what is fetched there is signed, and TLS clients fetch it while they check TLS", "%q is no address", s.Base)
	}
	for _, d := range s.Domains {
		if !validDomain.MatchString(d) {
			return bad("domains", "", "%q is no DNS name in lower case", d)
		}
	}
	for _, n := range s.Networks {
		if p, err := netip.ParsePrefix(n); err != nil || p != p.Masked() {
			return bad("networks", "10.20.0.0/16", "%q is no network", n)
		}
	}
	return nil
}

func readSite(dir string) (Site, error) {
	var s Site
	b, err := os.ReadFile(filepath.Join(dir, siteFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, &Refusal{Kind: Unavailable, Text: fmt.Sprintf("there is no authority in %s", dir), Help: "asepsis ca init makes one", Err: err}
	}
	if err != nil {
		return s, fmt.Errorf("read the authority: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("read %s: %w", siteFile, err)
	}
	if s.Version != 1 {
		return s, fmt.Errorf("%s has version %d, this program knows 1", siteFile, s.Version)
	}
	return s, s.validate()
}

func (s *Site) write(dir string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return durable.Write(filepath.Join(dir, siteFile), append(b, '\n'))
}

// Names of files and keys in an authority's directory.
const rootName = "root"

const issuingPrefix = "issuing-"

func certPath(dir, name string) string { return filepath.Join(dir, name+".crt") }

// EncodePEM writes certificates as PEM.
func EncodePEM(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// maxBundle bounds a file of certificates.
const maxBundle = 1 << 20

// ParsePEM reads all certificates of a file, in its order. Anything else in it
// is an error.
func ParsePEM(b []byte) ([]*x509.Certificate, error) {
	if len(b) > maxBundle {
		return nil, fmt.Errorf("%d bytes of certificates, at most %d", len(b), maxBundle)
	}
	var out []*x509.Certificate
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("a %q where certificates are expected", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(out)+1, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("no certificate in PEM")
	}
	return out, nil
}

func readCert(dir, name string) (*x509.Certificate, error) {
	b, err := os.ReadFile(certPath(dir, name))
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", name, err)
	}
	certs, err := ParsePEM(b)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", name, err)
	}
	return certs[0], nil
}

// issuingNames lists the issuing authorities' files of a directory.
func issuingNames(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, issuingPrefix+"*.crt"))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range files {
		base := filepath.Base(f)
		out = append(out, base[:len(base)-len(".crt")])
	}
	slices.Sort(out)
	return out, nil
}
