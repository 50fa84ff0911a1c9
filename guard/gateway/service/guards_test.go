// SPDX-License-Identifier: Apache-2.0

package service

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/guard/gateway/forward"
)

func TestDestinationsAreGuardedUnlessOthersReachThemToo(t *testing.T) {
	s := &Service{}
	s.cfg.Name = "gateway-or-3"
	s.cfg.Forward.Destinations = []forward.Destination{
		{Name: "pacs", Kind: forward.KindDIMSE, Address: "127.0.0.5:11112"},
		{Name: "same", Kind: forward.KindDIMSE, Address: "127.0.0.5:11112"},
		{Name: "xr", Kind: forward.KindSTOW, Stow: dicomweb.Destination{URL: "https://127.0.0.6/dicom-web"}},
		{Name: "odd", Kind: forward.KindSTOW, Stow: dicomweb.Destination{URL: "http://127.0.0.7:8042/dicom-web"}},
		{Name: "teaching", Kind: forward.KindDIMSE, Address: "127.0.0.8:104", Shared: true},
		{Name: "gone", Kind: forward.KindDIMSE, Address: "no-such-host.invalid:104"},
	}
	g := s.guard(t.Context())
	var at []string
	for _, x := range g.Services {
		at = append(at, x.Name+" "+x.At.String())
	}
	if want := []string{"pacs 127.0.0.5:11112", "xr 127.0.0.6:443", "odd 127.0.0.7:8042"}; g.Name != "gateway-or-3" || !slices.Equal(at, want) {
		t.Errorf("%s guards %q, want %q", g.Name, at, want)
	}
	if !slices.Contains(g.Addresses, netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("it talks from %v, and not from loopback", g.Addresses)
	}
}
