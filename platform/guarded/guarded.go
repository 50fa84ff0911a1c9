// SPDX-License-Identifier: Apache-2.0

// Package guarded is how an in-line guard says which services are to be reached
// through it alone: the archive behind a DICOM gateway, the processor behind a proxy.
//
// Each guard puts one document, which replaces the one before. Detection reads them all:
// a conversation with such a service that does not come from a guard went around it. What a
// guard said last counts also while it is down, because that is when somebody goes around.
//
// A list is at most MaxServices long; a Put is seen whole or not at all.
package guarded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/asepsis/asepsis/platform/store"
)

// Kind is the kind of the documents; their IDs are names of guards.
const Kind = "guarded"

// Bounds.
const (
	MaxServices  = 1000 // of one guard
	MaxAddresses = 100
)

// Guard is what one guard says.
type Guard struct {
	Name string `json:"name"` // unique among guards: "gateway-or-3"
	// Addresses are those from which it talks to what it guards. Loopback, as that of a guard
	// on the same machine, may be among them.
	Addresses []netip.Addr `json:"addresses"`
	Services  []Service    `json:"services"`
}

// Service is one that it guards.
type Service struct {
	Name string         `json:"name"` // as people call it: "XR processor"
	At   netip.AddrPort `json:"at"`
}

// Put says what a guard guards. It writes only what is new.
func Put(ctx context.Context, docs store.Documents, g Guard) error {
	if err := g.validate(); err != nil {
		return err
	}
	g.Addresses, g.Services = slices.Clone(g.Addresses), slices.Clone(g.Services)
	slices.SortFunc(g.Addresses, netip.Addr.Compare)
	slices.SortFunc(g.Services, func(a, b Service) int { return a.At.Compare(b.At) })
	body, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("what %s guards: %w", g.Name, err)
	}
	switch doc, err := docs.Document(ctx, Kind, g.Name); {
	case err == nil && bytes.Equal(doc.Body, body):
		return nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("what %s guards: %w", g.Name, err)
	}
	if err := docs.Commit(ctx, []store.Write{{Kind: Kind, ID: g.Name, Expect: store.AnyRevision, Body: body}}); err != nil {
		return fmt.Errorf("what %s guards: %w", g.Name, err)
	}
	return nil
}

func (g *Guard) validate() error {
	switch {
	case g.Name == "":
		return errors.New("a guard without a name")
	case len(g.Services) > MaxServices:
		return fmt.Errorf("%s guards %d services: at most %d can be said", g.Name, len(g.Services), MaxServices)
	case len(g.Addresses) > MaxAddresses:
		return fmt.Errorf("%s has %d addresses: at most %d can be said", g.Name, len(g.Addresses), MaxAddresses)
	}
	for _, s := range g.Services {
		if !s.At.IsValid() || s.At.Port() == 0 {
			return fmt.Errorf("%s guards %q, which has no address and port", g.Name, s.Name)
		}
	}
	for _, a := range g.Addresses {
		if !a.IsValid() {
			return fmt.Errorf("%s has an address that is none", g.Name)
		}
	}
	return nil
}

// All reads what all guards say, and a text that changes when any of it does. What cannot be
// read, of a newer version, is left out.
func All(ctx context.Context, docs store.Documents) ([]Guard, string, error) {
	list, err := docs.DocumentsOf(ctx, Kind, "", 1000)
	if err != nil {
		return nil, "", fmt.Errorf("what is guarded: %w", err)
	}
	var out []Guard
	var revision []byte
	for _, d := range list {
		revision = fmt.Appendf(revision, "%s %d\n", d.ID, d.Revision)
		g := Guard{}
		if json.Unmarshal(d.Body, &g) == nil && g.validate() == nil {
			out = append(out, g)
		}
	}
	return out, string(revision), nil
}
