// SPDX-License-Identifier: Apache-2.0

package service

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

// An authority that was made with --domain and --network, as the documentation has it, certifies no "localhost": the gateway must
// start all the same.
func TestTheOwnCertificateHasTheNamesThatTheAuthorityMayCertify(t *testing.T) {
	for name, c := range map[string]struct {
		site   identity.Site
		listen string
		has    []string
		lacks  []string
	}{
		"an authority without bounds":     {identity.Site{}, "10.20.3.2:2762", []string{"localhost", "127.0.0.1", "10.20.3.2"}, nil},
		"one for a domain":                {identity.Site{Domains: []string{"st-example.internal"}}, "gateway.st-example.internal:2762", []string{"gateway.st-example.internal", "127.0.0.1"}, []string{"localhost"}},
		"one for a domain and a network":  {identity.Site{Domains: []string{"st-example.internal"}, Networks: []string{"10.20.0.0/16"}}, "10.20.3.2:2762", []string{"10.20.3.2"}, []string{"localhost", "127.0.0.1"}},
		"one for other places altogether": {identity.Site{Domains: []string{"st-example.internal"}, Networks: []string{"10.20.0.0/16"}}, "10.99.3.2:2762", nil, []string{"localhost", "127.0.0.1", "10.99.3.2"}},
	} {
		t.Run(name, func(t *testing.T) {
			site := identitytest.New(t, identitytest.Options{Site: c.site})
			s := &Service{cfg: Default(), log: slog.New(slog.DiscardHandler)}
			s.d.Authority = site.Authority
			s.cfg.Listeners = []gateway.Listener{{Kind: gateway.KindTLS, Listen: c.listen}}
			r := s.request()
			names := r.DNS
			for _, a := range r.Addresses {
				names = append(names, a.String())
			}
			for _, n := range c.has {
				if !slices.Contains(names, n) {
					t.Errorf("%q is missing in %q", n, names)
				}
			}
			for _, n := range c.lacks {
				if slices.Contains(names, n) {
					t.Errorf("%q is in %q", n, names)
				}
			}
		})
	}
}
