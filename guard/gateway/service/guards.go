// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/platform/guarded"
)

// guardsEvery is how often the names of destinations are resolved anew.
const guardsEvery = time.Minute

// guards says which services are to be stored into through this gateway alone, until ctx
// ends: detection finds who goes around it.
func (s *Service) guards(ctx context.Context) error {
	t := time.NewTicker(guardsEvery)
	defer t.Stop()
	for {
		if err := guarded.Put(ctx, s.d.Documents, s.guard(ctx)); err != nil && ctx.Err() == nil {
			s.log.Warn("what the gateway guards could not be told; it is tried again", "why", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// guard is what this gateway guards, as far as its names resolve now.
func (s *Service) guard(ctx context.Context) guarded.Guard {
	g := guarded.Guard{Name: s.cfg.Name, Addresses: ownAddresses()}
	for i := range s.cfg.Forward.Destinations {
		d := &s.cfg.Forward.Destinations[i]
		if d.Shared {
			continue
		}
		for _, at := range resolve(ctx, destinationAt(d)) {
			if !slices.ContainsFunc(g.Services, func(x guarded.Service) bool { return x.At == at }) && len(g.Services) < guarded.MaxServices {
				g.Services = append(g.Services, guarded.Service{Name: d.Name, At: at})
			}
		}
	}
	return g
}

// destinationAt is the host and port of a destination.
func destinationAt(d *forward.Destination) string {
	if d.Kind != forward.KindSTOW {
		return d.Address
	}
	u, err := url.Parse(d.Stow.URL)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// resolve returns the addresses of a host and port, none where it has none now.
func resolve(ctx context.Context, at string) []netip.AddrPort {
	host, text, err := net.SplitHostPort(at)
	if err != nil {
		return nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	var out []netip.AddrPort
	for _, a := range list {
		out = append(out, netip.AddrPortFrom(a.Unmap(), uint16(port))) //nolint:gosec // parsed as 16 bits
	}
	return out
}

// ownAddresses are those of this machine.
func ownAddresses() []netip.Addr {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil && len(out) < guarded.MaxAddresses {
			out = append(out, p.Addr().Unmap().WithZone(""))
		}
	}
	return out
}
