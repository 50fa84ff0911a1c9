// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/durable"
)

// How long a certificate of our own is valid, and how long before its end a
// new one is made. 397 days is the most that browsers accept.
const (
	ownValidity = 397 * 24 * time.Hour
	ownRenewal  = 30 * 24 * time.Hour
	ownBackdate = time.Hour // for clients whose clock is behind
	recheck     = time.Minute
)

// certificates holds the server's certificate: files that are read again when
// they change, or one of its own that is renewed before it ends.
type certificates struct {
	certFile, keyFile string
	own               bool
	names             []string
	now               func() time.Time
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	read    time.Time // of the certificate's file, as it was when read
	checked time.Time
}

func newCertificates(cfg TLS, dir string, names []string, now func() time.Time, log *slog.Logger) (*certificates, error) {
	c := &certificates{certFile: cfg.CertFile, keyFile: string(cfg.KeyFile), names: names, now: now, log: log}
	if cfg.CertFile == "" {
		if dir == "" {
			return nil, errors.New("make a certificate: no data directory to keep it in")
		}
		c.own = true
		c.certFile, c.keyFile = filepath.Join(dir, "tls", "console.crt"), filepath.Join(dir, "tls", "console.key")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// certificateNames are the names that a certificate of our own is for.
func certificateNames(cfg Config) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if h, err := os.Hostname(); err == nil && h != "" {
		names = append(names, h)
	}
	if h, _, err := net.SplitHostPort(cfg.Listen); err == nil && h != "" && h != "0.0.0.0" && h != "::" {
		names = append(names, h)
	}
	if u, err := url.Parse(cfg.PublicURL); err == nil && u.Hostname() != "" {
		names = append(names, u.Hostname())
	}
	names = append(names, cfg.AllowedHosts...)
	slices.Sort(names)
	return slices.Compact(names)
}

func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, // BCP 195
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.get(), nil
		},
	}
}

// get returns the certificate of this moment. One that cannot be read or
// renewed leaves the one before in use.
func (c *certificates) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.checked) >= recheck || now.Before(c.checked) {
		if err := c.load(); err != nil {
			c.log.Error("the console's certificate cannot be renewed; the one before stays in use", "error", err)
		}
	}
	return c.current
}

func (c *certificates) fingerprint() string {
	sum := sha256.Sum256(c.get().Certificate[0])
	return hex.EncodeToString(sum[:])
}

// load reads the files, after making them when they are ours and not there,
// or near their end, or for other names. Preconditions: c.mu is held.
func (c *certificates) load() error {
	c.checked = c.now()
	info, err := os.Stat(c.certFile)
	if err == nil && c.current != nil && info.ModTime().Equal(c.read) && !c.stale(c.current) {
		return nil
	}
	if err != nil && !(c.own && errors.Is(err, fs.ErrNotExist)) {
		return fmt.Errorf("read the console's certificate: %w", err)
	}
	if err == nil {
		pair, perr := tls.LoadX509KeyPair(c.certFile, c.keyFile)
		if perr == nil && !c.stale(&pair) {
			c.current, c.read = &pair, info.ModTime()
			return nil
		}
		if !c.own {
			return fmt.Errorf("read the console's certificate %s and its key: %w", c.certFile, perr)
		}
		if perr != nil {
			c.log.Warn("the console's own certificate cannot be read; a new one is made", "error", perr)
		}
	}
	if err := c.make(); err != nil {
		return fmt.Errorf("make the console's certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read the console's certificate: %w", err)
	}
	if info, err = os.Stat(c.certFile); err == nil {
		c.read = info.ModTime()
	}
	c.current = &pair
	return nil
}

// stale reports whether a certificate of our own must be made anew.
func (c *certificates) stale(pair *tls.Certificate) bool {
	if !c.own {
		return false
	}
	leaf := pair.Leaf
	if leaf == nil || c.now().After(leaf.NotAfter.Add(-ownRenewal)) || c.now().Before(leaf.NotBefore) {
		return true
	}
	for _, n := range c.names {
		if leaf.VerifyHostname(n) != nil {
			return true
		}
	}
	return false
}

// make writes a new key and certificate, each durably and as a whole, the key first, so
// that a crash between leaves a pair that does not match and is made again.
func (c *certificates) make() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	now := c.now()
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "Asepsis console", Organization: []string{"Asepsis"}},
		NotBefore:             now.Add(-ownBackdate),
		NotAfter:              now.Add(ownValidity - ownBackdate),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, n := range c.names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, strings.ToLower(n))
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.certFile), 0o700); err != nil {
		return err
	}
	if err := durable.Write(c.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})); err != nil {
		return err
	}
	return durable.Write(c.certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
