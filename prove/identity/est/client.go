// SPDX-License-Identifier: Apache-2.0

package est

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client asks an EST server.
type Client struct {
	// Server is its address: https://pki.st-example.internal:8445.
	Server string
	// Roots are those that are trusted; Pin instead is the SHA-256 of a root's DER,
	// hexadecimal, with which Bootstrap finds it.
	Roots *x509.CertPool
	// Certificate is the one that is renewed, or the manufacturer's.
	Certificate *tls.Certificate
	Now         func() time.Time
	// Skew is set by each answer: how far the server's clock is ahead of ours.
	Skew time.Duration
}

const clientTimeout = 30 * time.Second

// Answer is an error of the server's.
type Answer struct {
	Status int
	Text   string
	// RetryAfter is how long the server asks to wait; 0: it says nothing.
	RetryAfter time.Duration
}

func (a *Answer) Error() string {
	return fmt.Sprintf("the EST server says %d: %s", a.Status, a.Text)
}

// Hint says what to do.
func (a *Answer) Hint() string {
	if a.Status == http.StatusUnauthorized {
		return "a new code: asepsis ca code"
	}
	return ""
}

// Bootstrap finds the root whose SHA-256 is known, in the server's own list, and
// trusts it from then on, when the server's certificate leads to it (RFC 7030
// §4.1.1). It returns the authorities' certificates, the root first.
func (c *Client) Bootstrap(ctx context.Context, pin string) ([]*x509.Certificate, error) {
	want, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(pin), ":", ""))
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("%q is no SHA-256 of a certificate", pin)
	}
	var shown []*x509.Certificate
	hc, done := c.http(&tls.Config{
		MinVersion: tls.VersionTLS12,
		// Whom to trust is not known yet. Nothing is sent, and what comes back is
		// judged by the pin; then the certificate that was shown is verified.
		InsecureSkipVerify: true, //nolint:gosec // see above
		VerifyConnection:   func(cs tls.ConnectionState) error { shown = cs.PeerCertificates; return nil },
	})
	defer done()
	certs, err := c.cacerts(ctx, hc)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(c.Server)
	if err != nil {
		return nil, fmt.Errorf("EST server: %w", err)
	}
	for i, root := range certs {
		if sum := sha256.Sum256(root.Raw); !bytes.Equal(sum[:], want) {
			continue
		}
		pool, middle := x509.NewCertPool(), x509.NewCertPool()
		pool.AddCert(root)
		for _, m := range append(shown, certs...) {
			middle.AddCert(m)
		}
		if _, err := shown[0].Verify(x509.VerifyOptions{Roots: pool, Intermediates: middle, DNSName: u.Hostname(), CurrentTime: c.now()}); err != nil {
			return nil, fmt.Errorf("the server's certificate does not lead to the root that was named: %w", err)
		}
		c.Roots = pool
		return append([]*x509.Certificate{root}, append(certs[:i:i], certs[i+1:]...)...), nil
	}
	return nil, fmt.Errorf("the server at %s does not have the root %s…: another site's, or somebody in between", c.Server, hex.EncodeToString(want[:8]))
}

// CACerts returns the authorities' certificates.
func (c *Client) CACerts(ctx context.Context) ([]*x509.Certificate, error) {
	hc, done, err := c.trusting()
	if err != nil {
		return nil, err
	}
	defer done()
	return c.cacerts(ctx, hc)
}

func (c *Client) cacerts(ctx context.Context, hc *http.Client) ([]*x509.Certificate, error) {
	body, err := c.do(ctx, hc, http.MethodGet, "cacerts", nil, "")
	if err != nil {
		return nil, err
	}
	return readCerts(body)
}

// Enroll gets a first certificate. code is "" where Certificate is the credential.
func (c *Client) Enroll(ctx context.Context, code string, csr []byte) (*x509.Certificate, error) {
	return c.certificate(ctx, "simpleenroll", csr, code)
}

// Reenroll renews Certificate.
func (c *Client) Reenroll(ctx context.Context, csr []byte) (*x509.Certificate, error) {
	if c.Certificate == nil {
		return nil, errors.New("EST: a renewal needs the certificate that is renewed")
	}
	return c.certificate(ctx, "simplereenroll", csr, "")
}

func (c *Client) certificate(ctx context.Context, operation string, csr []byte, code string) (*x509.Certificate, error) {
	hc, done, err := c.trusting()
	if err != nil {
		return nil, err
	}
	defer done()
	body, err := c.do(ctx, hc, http.MethodPost, operation, csr, code)
	if err != nil {
		return nil, err
	}
	certs, err := readCerts(body)
	if err != nil {
		return nil, err
	}
	asked, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, fmt.Errorf("EST: the request: %w", err)
	}
	for _, one := range certs {
		if bytes.Equal(one.RawSubjectPublicKeyInfo, asked.RawSubjectPublicKeyInfo) {
			return one, nil
		}
	}
	return nil, errors.New("EST: the answer has no certificate for the key of the request")
}

func (c *Client) trusting() (*http.Client, func(), error) {
	if c.Roots == nil {
		return nil, nil, errors.New("EST: no root is trusted")
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots, Time: c.now}
	if c.Certificate != nil {
		cfg.Certificates = []tls.Certificate{*c.Certificate}
	}
	hc, done := c.http(cfg)
	return hc, done, nil
}

func (c *Client) http(cfg *tls.Config) (*http.Client, func()) {
	t := &http.Transport{TLSClientConfig: cfg, TLSHandshakeTimeout: clientTimeout, DisableKeepAlives: true, Proxy: nil}
	return &http.Client{Transport: t, Timeout: clientTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("a redirection, which is not followed with a code")
	}}, t.CloseIdleConnections
}

func (c *Client) do(ctx context.Context, hc *http.Client, method, operation string, csr []byte, code string) ([]byte, error) {
	var in io.Reader = http.NoBody
	if csr != nil {
		in = bytes.NewReader(encode(csr))
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.Server, "/")+Root+operation, in)
	if err != nil {
		return nil, fmt.Errorf("EST %s: %w", operation, err)
	}
	if r.URL.Scheme != "https" {
		return nil, fmt.Errorf("EST server: %q is no https address", c.Server)
	}
	if csr != nil {
		r.Header.Set("Content-Type", "application/pkcs10")
		r.Header.Set("Content-Transfer-Encoding", "base64")
	}
	if code != "" {
		r.SetBasicAuth("enrol", code)
	}
	a, err := hc.Do(r)
	if err != nil {
		return nil, fmt.Errorf("EST %s: %w", operation, err)
	}
	defer func() { _ = a.Body.Close() }()
	if at, err := http.ParseTime(a.Header.Get("Date")); err == nil {
		c.Skew = at.Sub(c.now()).Truncate(time.Second)
	}
	body, err := io.ReadAll(io.LimitReader(a.Body, MaxResponse+1))
	if err != nil || len(body) > MaxResponse {
		return nil, fmt.Errorf("EST %s: the answer is cut off or larger than %d bytes: %w", operation, MaxResponse, err)
	}
	if a.StatusCode != http.StatusOK {
		wait, _ := strconv.Atoi(a.Header.Get("Retry-After"))
		return nil, &Answer{a.StatusCode, strings.TrimSpace(string(body[:min(len(body), 1000)])), time.Duration(max(0, wait)) * time.Second}
	}
	return body, nil
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
