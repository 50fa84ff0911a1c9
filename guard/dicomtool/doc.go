// SPDX-License-Identifier: Apache-2.0

// Package dicomtool does what an engineer does with a DICOM peer by hand: verify that it answers
// (Echo), send files to it (Send), ask it (Find), retrieve from it (Get, Move). It stands on guard/dicomnet and adds
// what only a tool needs: reading files and directories, choosing presentation contexts, keys
// written as text.
//
// Files are streamed: what is sent is never held, whatever its size. A file whose transfer syntax the
// peer does not take is sent in another one when no pixel data must be decoded for it; its pixels
// stay bit for bit. What was not stored is always said, file by file, with the reason.
package dicomtool

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/asepsis/asepsis/guard/dicomnet"
)

// Peer is who is spoken to, and as whom.
type Peer struct {
	Address   string // host:port
	CallingAE string
	CalledAE  string
	TLS       *tls.Config // nil: plain
	Timeouts  dicomnet.Timeouts
	Limits    dicomnet.Limits
}

func (p *Peer) dialer() *dicomnet.Dialer {
	return &dicomnet.Dialer{CallingAE: p.CallingAE, CalledAE: p.CalledAE, TLS: p.TLS, Timeouts: p.Timeouts, Limits: p.Limits}
}

// TLSFiles name what a TLS connection needs, in PEM.
type TLSFiles struct {
	Cert, Key  string // of this side; both or neither
	CA         string // who signed the peer's certificate; empty: the system's authorities
	ServerName string // the name that the peer's certificate must have; empty: the host of the address
}

// Config reads the files. It asks for TLS 1.2 or later, as the profile of PS3.15 §B.12 does.
func (f TLSFiles) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if (f.Cert == "") != (f.Key == "") {
		return nil, errors.New("TLS: a certificate needs its key, and a key its certificate")
	}
	if f.Cert != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("TLS certificate %s with key %s: %w", f.Cert, f.Key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("TLS authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("TLS authorities: %s holds no certificate in PEM", f.CA)
		}
	}
	return c, nil
}

// Listener reads the files for the side that is connected to: it shows the certificate, which there must be. Where CA is given, who
// connects must show one of it; otherwise nobody is asked who he is, for the system's authorities vouch for web servers, not for devices.
func (f TLSFiles) Listener() (*tls.Config, error) {
	if f.Cert == "" {
		return nil, &hinted{errors.New("TLS: who listens needs a certificate"), "give --tls-cert and --tls-key; or --listen-plain, where the peer sends without TLS although it is asked with it"}
	}
	c, err := f.Config()
	if err != nil {
		return nil, err
	}
	if c.RootCAs != nil {
		c.ClientCAs, c.ClientAuth = c.RootCAs, tls.RequireAndVerifyClientCert
	}
	return c, nil
}
