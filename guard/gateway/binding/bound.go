// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"net/netip"
	"slices"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/prove/identity"
)

// The operations that a binding may allow.
const (
	Echo       = "echo"
	Store      = "store"
	Find       = "find"
	Move       = "move"
	Get        = "get"
	Worklist   = "worklist"
	MPPS       = "mpps"
	Commitment = "commitment"
	QIDO       = "qido"
	WADO       = "wado"
	STOW       = "stow"
)

// Operations returns all of them.
func Operations() []string {
	return []string{Echo, Store, Find, Move, Get, Worklist, MPPS, Commitment, QIDO, WADO, STOW}
}

// Bound is a binding ready to be asked. It does not change.
type Bound struct {
	control.Binding
	prefixes []netip.Prefix
	classes  classes
}

// May reports whether an operation is allowed.
func (b *Bound) May(operation string) bool { return slices.Contains(b.Operations, operation) }

// IsCalled reports whether a calling AE title is one of the device's own.
func (b *Bound) IsCalled(calling string) bool { return slices.Contains(b.CallingAE, calling) }

// MayCall reports whether the device may call an AE title of the gateway.
func (b *Bound) MayCall(called string) bool {
	return len(b.CalledAE) == 0 || slices.Contains(b.CalledAE, called)
}

// MayComeFrom reports whether the device may come from an address.
func (b *Bound) MayComeFrom(a netip.Addr) bool {
	if len(b.prefixes) == 0 {
		return !b.Plain
	}
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(b.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// MayStore reports whether the device may store instances of a SOP class.
func (b *Bound) MayStore(class string) bool { return b.classes.has(class) }

// MayMoveTo reports whether a C-MOVE of the device may name a destination.
func (b *Bound) MayMoveTo(ae string) bool { return slices.Contains(b.Destinations, ae) }

// Cut is what happens to its open connections when its certificate is revoked: a binding that
// does not say lets it finish the instance that is under way.
func (b *Bound) Cut() identity.Cut {
	if b.OnRevocation == "" {
		return identity.CutAfter
	}
	return identity.Cut(b.OnRevocation)
}
