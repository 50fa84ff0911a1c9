// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/lint"
	"github.com/asepsis/asepsis/prove/identity/self"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// Authority is the site's authority in the same process.
type Authority = self.Authority

// newTrust makes the gateway's ground for TLS; nil where nothing needs it.
func (s *Service) newTrust(ctx context.Context) (err error) {
	cfg := s.cfg.Trust
	td := s.trustDeps()
	td.Told = s.cutOff
	switch {
	case !s.cfg.secure():
	case cfg.CAFile != "":
		s.trust, err = trust.New(ctx, cfg, td)
	case s.d.Authority != nil:
		if s.own, err = self.New(ctx, s.d.Authority, s.request(), s.log, s.d.Now); err != nil {
			return fmt.Errorf("the gateway's certificate: %w", err)
		}
		s.trust, err = s.own.Trust(ctx, cfg, td)
	default:
		return config.Invalid("gateway.trust.ca_file", "asepsis enroll gets a certificate and the root; asepsis up with an authority needs none of it", "is empty, and TLS needs a certificate")
	}
	return err
}

func (s *Service) trustDeps() trust.Deps {
	d := trust.Deps{Announcer: s.d.Announcer, Log: s.room("trust"), Now: s.d.Now}
	if cfg := s.cfg.Trust; cfg.CAFile != "" && len(cfg.CRL) > 0 {
		d.Source = &keptCRLs{source: trust.Sources(cfg.CRL...), file: filepath.Join(s.dir, "crls.pem"), log: d.Log}
	}
	return d
}

// request is for a certificate of the authority in this process. An authority that was made for the hospital's domains
// and networks certifies no other names: the gateway is known by the rest.
func (s *Service) request() identity.Request {
	r := identity.Request{Profile: identity.DICOMNode, Device: s.cfg.Name}
	issuer, names := s.d.Authority.Issuing()[0], s.names()
	for _, n := range names {
		if !lint.MayName(issuer, n) {
			continue
		}
		if ip, err := netip.ParseAddr(n); err == nil {
			r.Addresses = append(r.Addresses, ip)
		} else {
			r.DNS = append(r.DNS, n)
		}
	}
	if len(r.DNS)+len(r.Addresses) == 0 {
		s.log.Warn("the site's authority may certify none of the names of this machine: devices that compare the gateway's name with its certificate will refuse it", "names", names,
			"hint", "listen at an address of the networks, or name this machine within the domains, that asepsis ca init was given; asepsis ca show tells them")
	}
	return r
}

// names are what peers may call this machine.
func (s *Service) names() []string {
	out := []string{"localhost", "127.0.0.1"}
	if host, err := os.Hostname(); err == nil && !strings.ContainsFunc(host, func(r rune) bool { return r == '_' || r == ' ' }) {
		out = append(out, strings.ToLower(host))
	}
	for _, l := range s.cfg.Listeners {
		if host, _, err := net.SplitHostPort(l.Listen); err == nil && host != "" && host != "0.0.0.0" && host != "::" && !slices.Contains(out, host) {
			out = append(out, host)
		}
	}
	return out
}

// cutOff notes what a revocation did to a live connection.
func (s *Service) cutOff(c trust.Cutting) {
	s.log.Warn("a revocation met a live connection", "peer", c.Peer.Name(), "serial", c.Peer.Serial, "remote", c.Remote, "choice", string(c.Choice), "closed", c.Done, "reason", string(c.Reason))
}

// handshake puts TLS on a connection to a device.
func (s *Service) handshake(ctx context.Context, c net.Conn, device, name string) (net.Conn, error) {
	client, err := s.client(device)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return client.Handshake(ctx, c, name)
}

// client returns the TLS client for a device; there is one for each, so that sessions are resumed.
func (s *Service) client(device string) (*trust.Client, error) {
	if s.trust == nil {
		return nil, errors.New("the gateway has no certificate")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.clients[device]; c != nil {
		return c, nil
	}
	c, err := s.trust.Client(trust.ClientOptions{Device: device})
	if err != nil {
		return nil, err
	}
	s.clients[device] = c
	return c, nil
}
