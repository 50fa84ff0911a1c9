// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/asepsis/asepsis/prove/identity"
)

// ServerOptions says who may connect to a server.
type ServerOptions struct {
	// Name tells servers of one process apart: a session of one is not resumed at
	// another (CVE-2025-23419).
	Name string
	// Profiles are those that may come. There is no default.
	Profiles []identity.Profile
	// Allow says who else may not, by an error; nil: everybody of the profiles. It
	// is asked at every handshake.
	Allow func(Peer) error
	// Cut chooses what happens to a live connection when its peer is revoked, nil:
	// it is cut now.
	Cut func(Peer) identity.Cut
	// NextProtos is ALPN.
	NextProtos []string
	// MinVersion is tls.VersionTLS12 by default: medical devices live long.
	MinVersion uint16
	// Anonymous lets clients come without a certificate, for those who prove who
	// they are above TLS. They have no Peer. One that shows a certificate is held
	// to it as ever.
	Anonymous bool
	// NoTickets makes every handshake a full one.
	NoTickets bool
}

// Server is a TLS server for devices and services of the site.
type Server struct {
	t    *Trust
	o    ServerOptions
	base *tls.Config // its ticket keys, which no other server has
}

// Server makes one. It needs the process's own certificate.
func (t *Trust) Server(o ServerOptions) (*Server, error) {
	if len(o.Profiles) == 0 && !o.Anonymous {
		return nil, errors.New("TLS server: no profile may come")
	}
	for _, p := range o.Profiles {
		spec, err := identity.SpecOf(p)
		if err != nil {
			return nil, err
		}
		if !spec.Client {
			return nil, fmt.Errorf("TLS server: the profile %s is no client", p)
		}
	}
	if _, err := t.own(); err != nil {
		return nil, err
	}
	if o.MinVersion == 0 {
		o.MinVersion = tls.VersionTLS12
	}
	return &Server{t: t, o: o, base: &tls.Config{MinVersion: o.MinVersion}}, nil //nolint:gosec // TLS 1.2 unless the caller asks for more
}

// Listener puts TLS on a listener: Accept returns *tls.Conn whose handshake is
// made at the first read, as crypto/tls does.
func (s *Server) Listener(inner net.Listener) net.Listener {
	return tls.NewListener(&listener{inner, s}, s.Config())
}

// listener wraps what it accepts into Conn.
type listener struct {
	net.Listener
	s *Server
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.s.Wrap(c), nil
}

// Wrap makes a connection one that the index can hold, for servers that put TLS
// on later: tls.Server(s.Wrap(c), s.Config()).
func (s *Server) Wrap(c net.Conn) net.Conn {
	return &Conn{Conn: c, t: s.t, choose: s.o.Cut, since: s.t.now()}
}

// Config is for servers that take a tls.Config. The connections have to come from
// Listener or Wrap: another could not be cut, and is refused.
func (s *Server) Config() *tls.Config {
	c := s.config(nil)
	c.GetConfigForClient = s.ForClient
	return c
}

// ForClient is tls.Config.GetConfigForClient, for who chooses between several
// Servers by the name that the client asks for.
func (s *Server) ForClient(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c := Below(hello.Conn)
	if c == nil || c.t != s.t {
		return nil, errors.New("TLS server: the connection is not from its listener: it could not be cut")
	}
	return s.config(c), nil
}

// config is the configuration of one connection: with the anchors in force now.
func (s *Server) config(conn *Conn) *tls.Config {
	a := s.t.state.Load()
	auth := tls.RequireAndVerifyClientCert
	if s.o.Anonymous {
		auth = tls.VerifyClientCertIfGiven
	}
	return &tls.Config{ //nolint:gosec // TLS 1.2 unless the caller asks for more
		MinVersion: s.o.MinVersion, NextProtos: s.o.NextProtos, SessionTicketsDisabled: s.o.NoTickets,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.t.own() },
		// crypto/tls verifies the chain as well: two locks on one door.
		ClientAuth: auth, ClientCAs: a.roots, Time: s.t.now,
		VerifyConnection: func(cs tls.ConnectionState) error { return s.verify(conn, a, &cs) },
		WrapSession:      s.wrapSession, UnwrapSession: s.unwrapSession,
	}
}

func (s *Server) verify(conn *Conn, a *anchors, cs *tls.ConnectionState) error {
	if conn == nil {
		return errors.New("TLS server: the connection is not from its listener: it could not be cut")
	}
	if s.o.Anonymous && len(cs.PeerCertificates) == 0 {
		return nil
	}
	d := &demand{profiles: s.o.Profiles, usage: x509.ExtKeyUsageClientAuth, allow: s.o.Allow, verified: a}
	return s.t.admit(conn, cs, d)
}

// admit puts the connection into the index first and decides then: a revocation
// that comes between the two finds it in one of them.
func (t *Trust) admit(conn *Conn, cs *tls.ConnectionState, d *demand) error {
	if len(cs.PeerCertificates) > 0 {
		leaf := cs.PeerCertificates[0]
		device, service, _ := identity.Who(leaf, t.cfg.TrustDomain)
		t.live.add(conn, Peer{Device: device, Service: service, Serial: identity.SerialString(leaf.SerialNumber), Issuer: identity.KeyID(leaf.AuthorityKeyId), Cert: leaf, Profile: identity.ProfileOf(leaf), Expires: leaf.NotAfter})
	}
	p, err := t.verify(cs, d)
	if err != nil {
		t.live.remove(conn)
		return err
	}
	t.live.fill(conn, p)
	return nil
}

// A ticket is bound to the server that gave it and to the anchors of that moment.
// What does not fit leads to a full handshake.
func (s *Server) binding(cs *tls.ConnectionState) []byte {
	h := sha256.New()
	id := s.t.state.Load().id
	h.Write(id[:])
	h.Write([]byte(s.o.Name + "\x00" + cs.ServerName))
	return h.Sum([]byte("asepsis"))
}

func (s *Server) wrapSession(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
	ss.Extra = append(ss.Extra, s.binding(&cs))
	return s.base.EncryptTicket(cs, ss)
}

func (s *Server) unwrapSession(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	ss, err := s.base.DecryptTicket(ticket, cs)
	if err != nil || ss == nil {
		return nil, err
	}
	want := s.binding(&cs)
	if !slices.ContainsFunc(ss.Extra, func(e []byte) bool { return bytes.Equal(e, want) }) {
		return nil, nil
	}
	return ss, nil
}

// PeerOf says who is at the other end of a connection that a Server accepted or a
// Client made, once its handshake is over.
func PeerOf(c net.Conn) (Peer, bool) {
	own := Below(c)
	if own == nil {
		return Peer{}, false
	}
	p := own.Peer()
	return p, p.SHA256 != ""
}
