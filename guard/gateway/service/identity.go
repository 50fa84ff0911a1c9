// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// renewLook is how often the own certificate is looked at.
const renewLook = time.Minute

// Authority is the site's authority in the same process.
type Authority interface {
	Issue(ctx context.Context, r identity.Request) (*identity.Issued, error)
	CRLs(ctx context.Context) ([][]byte, error)
	Publish(ctx context.Context, force bool) error
	Issuing() []*x509.Certificate
	Root() *x509.Certificate
	Site() identity.Site
}

// own is a certificate that the authority in this process gives the gateway, renewed in memory.
type own struct {
	ca    Authority
	name  string
	names []string
	now   func() time.Time

	mu   sync.Mutex
	pair *tls.Certificate
}

// newTrust makes the gateway's ground for TLS; nil where nothing needs it.
func (s *Service) newTrust(ctx context.Context) error {
	cfg, d := s.cfg.Trust, &s.d
	td := trust.Deps{Announcer: d.Announcer, Log: s.room("trust"), Now: d.Now, Told: s.cutOff}
	switch {
	case !s.cfg.secure():
		return nil
	case cfg.CAFile != "":
	case d.Authority != nil:
		s.own = &own{ca: d.Authority, name: s.cfg.Name, names: s.names(), now: s.now}
		if err := s.own.renew(ctx); err != nil {
			return fmt.Errorf("the gateway's certificate: %w", err)
		}
		if err := d.Authority.Publish(ctx, false); err != nil { // an authority that is new, or slept long, has no CRL that counts
			return fmt.Errorf("the authority's revocation list: %w", err)
		}
		cfg.TrustDomain = d.Authority.Site().TrustDomain
		td.Source, td.Material = trust.SourceFunc(d.Authority.CRLs), s.own.material
	default:
		return config.Invalid("gateway.trust.ca_file", "asepsis enroll gets a certificate and the root; asepsis up with an authority needs none of it", "is empty, and TLS needs a certificate")
	}
	var err error
	s.trust, err = trust.New(ctx, cfg, td)
	return err
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

func (o *own) material() (trust.Material, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return trust.Material{CA: append(slices.Clone(o.ca.Issuing()), o.ca.Root()), Certificate: o.pair}, nil
}

// renew makes the certificate when it is due.
func (o *own) renew(ctx context.Context) error {
	o.mu.Lock()
	pair := o.pair
	o.mu.Unlock()
	if pair != nil && o.now().Before(identity.RenewFrom(pair.Leaf)) {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	r := identity.Request{Profile: identity.DICOMNode, Device: o.name, Public: key.Public(), Via: "self"}
	for _, n := range o.names {
		if ip, err := netip.ParseAddr(n); err == nil {
			r.Addresses = append(r.Addresses, ip)
		} else {
			r.DNS = append(r.DNS, n)
		}
	}
	i, err := o.ca.Issue(ctx, r)
	if err != nil {
		return err
	}
	c := &tls.Certificate{PrivateKey: key, Leaf: i.Leaf, Certificate: [][]byte{i.Leaf.Raw}}
	for _, up := range i.Chain {
		c.Certificate = append(c.Certificate, up.Raw)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pair = c
	return nil
}

// keepOwn renews the certificate until ctx ends.
func (s *Service) keepOwn(ctx context.Context) error {
	t := time.NewTicker(renewLook)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if err := s.own.renew(ctx); err != nil {
			s.log.Error("the gateway's certificate could not be renewed; it is tried again", "why", err)
			continue
		}
		if err := s.trust.Reload(); err != nil && ctx.Err() == nil {
			s.log.Error("the gateway's renewed certificate cannot be used", "why", err)
		}
	}
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
