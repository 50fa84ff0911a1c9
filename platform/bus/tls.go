// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"os"

	"github.com/asepsis/asepsis/platform/config"
)

// needsTLS reports whether a connection to the address must be encrypted: when
// it says so, or leaves this machine.
func needsTLS(u *url.URL) bool {
	return u.Scheme == "tls" || u.Scheme == "wss" || !loopback(u.Hostname())
}

// server is the configuration of a listener. With a CA file, clients need a
// certificate.
func (t TLS) server() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if err := t.own(c); err != nil {
		return nil, err
	}
	pool, err := t.pool()
	if err != nil {
		return nil, err
	}
	if pool != nil {
		c.ClientCAs, c.ClientAuth = pool, tls.RequireAndVerifyClientCert
	}
	return c, nil
}

// client is the configuration of a connection to a host.
func (t TLS) client(host string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	pool, err := t.pool()
	if err != nil {
		return nil, err
	}
	c.RootCAs = pool
	if t.CertFile != "" {
		err = t.own(c)
	}
	return c, err
}

func (t TLS) own(c *tls.Config) error {
	key, err := t.KeyFile.Read()
	if err != nil {
		return config.Invalid("tls.key_file", "", "%v", err)
	}
	chain, err := os.ReadFile(t.CertFile)
	if err != nil {
		return config.Invalid("tls.cert_file", "", "%v", err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return config.Invalid("tls.cert_file", "it must hold the certificate of the key in tls.key_file, both in PEM", "%v", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return nil
}

// pool returns nil where no file is named.
func (t TLS) pool() (*x509.CertPool, error) {
	if t.CAFile == "" {
		return nil, nil
	}
	data, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, config.Invalid("tls.ca_file", "", "%v", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, config.Invalid("tls.ca_file", "", "%s holds no certificate in PEM", t.CAFile)
	}
	return pool, nil
}
