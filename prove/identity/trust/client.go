// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
)

// ClientOptions says which server a client wants.
type ClientOptions struct {
	// Profiles that the server may have; nil: all that are servers.
	Profiles []identity.Profile
	// ServerName is the DNS name or the address that its certificate must have. ""
	// takes it from the address that is dialled.
	ServerName string
	// Device is the device ID or the service's name that it must have. With it, a
	// name is not asked for: DICOM nodes are known by what they are.
	Device string
	// Cut chooses what happens when the server is revoked; nil: cut now.
	Cut        func(Peer) identity.Cut
	NextProtos []string
	MinVersion uint16
	// Anonymous leaves the own certificate out.
	Anonymous bool
}

// Client makes TLS connections to servers of the site.
type Client struct {
	t     *Trust
	o     ClientOptions
	cache tls.ClientSessionCache
}

// Client makes one.
func (t *Trust) Client(o ClientOptions) (*Client, error) {
	for _, p := range o.Profiles {
		spec, err := identity.SpecOf(p)
		if err != nil {
			return nil, err
		}
		if !spec.Server {
			return nil, fmt.Errorf("TLS client: the profile %s is no server", p)
		}
	}
	if len(o.Profiles) == 0 {
		for _, s := range identity.Specs() {
			if s.Server {
				o.Profiles = append(o.Profiles, s.Profile)
			}
		}
	}
	if o.MinVersion == 0 {
		o.MinVersion = tls.VersionTLS12
	}
	o.Profiles = slices.Clone(o.Profiles)
	return &Client{t: t, o: o, cache: tls.NewLRUClientSessionCache(64)}, nil
}

// Dial connects, shakes hands and returns the *tls.Conn. It is
// http.Transport.DialTLSContext.
func (c *Client) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	name := c.o.ServerName
	if name == "" {
		if name, _, err = net.SplitHostPort(address); err != nil {
			_ = raw.Close()
			return nil, fmt.Errorf("dial %s: %w", address, err)
		}
	}
	return c.Handshake(ctx, raw, name)
}

// handshakeTimeout bounds a handshake whose ctx has no deadline.
const handshakeTimeout = 15 * time.Second

// Handshake puts TLS on a connection that was made elsewhere. On an error it is
// closed.
func (c *Client) Handshake(ctx context.Context, raw net.Conn, serverName string) (net.Conn, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
	}
	own := &Conn{Conn: raw, t: c.t, choose: c.o.Cut, since: c.t.now()}
	conn := tls.Client(own, c.config(own, serverName))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func (c *Client) config(conn *Conn, serverName string) *tls.Config {
	d := &demand{profiles: c.o.Profiles, usage: x509.ExtKeyUsageServerAuth, name: serverName, device: c.o.Device}
	if c.o.Device != "" {
		d.name = ""
	}
	out := &tls.Config{
		MinVersion: c.o.MinVersion, NextProtos: c.o.NextProtos, ServerName: serverName, ClientSessionCache: c.cache, Time: c.t.now,
		// crypto/tls cannot change its roots between handshakes of one config, and asks
		// nothing of resumed ones. VerifyConnection is called for both, and checks all
		// that crypto/tls would: chain, time, usage and name.
		InsecureSkipVerify: true, //nolint:gosec // see above
		VerifyConnection: func(cs tls.ConnectionState) error {
			if d.name == "" && d.device == "" {
				return errors.New("TLS client: neither a name nor a device to expect")
			}
			return c.t.admit(conn, &cs, d)
		},
	}
	if !c.o.Anonymous {
		out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			own, err := c.t.own()
			if err != nil {
				return &tls.Certificate{}, nil //nolint:nilerr // none: the server says what it thinks of that
			}
			return own, nil
		}
	}
	return out
}
