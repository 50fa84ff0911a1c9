// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"net/netip"

	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// webBindings are the bindings as DICOMweb asks for them.
type webBindings struct{ file *binding.File }

// Bound implements dicomweb.Bindings.
func (w webBindings) Bound(peer trust.Peer, from netip.Addr) (control.Binding, bool) {
	b, ok := w.file.Set().Device(peer.Name())
	if !ok || !b.MayComeFrom(from) {
		return control.Binding{}, false
	}
	return b.Binding, true
}

// retrieved records what is about to be given out over DICOMweb.
func (s *Service) retrieved(ctx context.Context, r dicomweb.Retrieval) error {
	return s.gateway.Retrieved(ctx, r)
}

// webActivity shows and logs a DICOMweb request that has ended.
func (s *Service) webActivity(a dicomweb.Activity) {
	for _, c := range s.web.Associations() {
		if c.ID == a.Sender.Association {
			s.live.Association(c)
		}
	}
	s.gateway.Web(a)
	s.audit.Web(a)
	if a.Problem != "" {
		s.log.Warn("a DICOMweb request went wrong", "problem", a.Problem, "what", a.What, "hint", a.Hint, "service", a.Service, "status", a.Status, "device", a.Sender.Device, "address", a.Sender.Address, "cause", a.Cause)
	}
}
