// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"github.com/asepsis/asepsis/core/device"
)

// TheatreKind is the kind of the documents that hold theatres.
const TheatreKind = "theatre"

// maxTheatres bounds how many rooms a site has.
const maxTheatres = 1000

// assignment says which device is in which theatre. What a person set wins; after
// that the VLANs of the theatres at its site, then their networks, the longest prefix
// first.
type assignment struct {
	theatres []room
	byDevice map[string]string // "" for what was looked at and is in none
	stale    bool
}

type room struct {
	id, site string
	vlans    []uint16
	prefixes []netip.Prefix
}

// of returns the theatre of a device, "" for none. A device that was seen for the first time
// and is assigned with the next write is by its address and VLAN where it is already: the first
// thing that it does may begin a case.
func (a *assignment) of(id, site string, ip netip.Addr, vlans []uint16) string {
	t, assigned := a.byDevice[id]
	if assigned || id == "" || len(a.theatres) == 0 {
		return t
	}
	return a.place(&device.Device{Site: site, Interfaces: []device.Interface{{VLANs: vlans, IPs: []netip.Addr{ip}}}})
}

// assign decides where each device is, and writes it into the devices.
func (a *assignment) assign(devs []device.Device) {
	by := make(map[string]string, len(devs))
	for i := range devs {
		d := &devs[i]
		if d.Theatre == "" {
			d.Theatre = a.place(d)
		}
		by[d.ID] = d.Theatre
	}
	a.byDevice, a.stale = by, false
}

// place finds the theatre that a device's VLANs and addresses belong to.
func (a *assignment) place(d *device.Device) string {
	for _, r := range a.theatres {
		if r.site != d.Site {
			continue
		}
		for _, n := range d.Interfaces {
			for _, v := range n.VLANs {
				if slices.Contains(r.vlans, v) {
					return r.id
				}
			}
		}
	}
	best, bits := "", -1
	for _, r := range a.theatres {
		if r.site != d.Site {
			continue
		}
		for _, n := range d.Interfaces {
			for _, ip := range n.IPs {
				for _, p := range r.prefixes {
					if p.Contains(ip) && p.Bits() > bits {
						best, bits = r.id, p.Bits()
					}
				}
			}
		}
	}
	return best
}

// readTheatres reads the theatres that people made.
func (r *Recorder) readTheatres(ctx context.Context) error {
	docs, err := r.deps.Store.DocumentsOf(ctx, TheatreKind, "", maxTheatres)
	if err != nil {
		return err
	}
	rooms := make([]room, 0, len(docs))
	for _, d := range docs {
		var t Theatre
		if err := json.Unmarshal(d.Body, &t); err != nil {
			return fmt.Errorf("theatre %s: %w", d.ID, err)
		}
		x := room{id: d.ID, site: t.Site, vlans: t.VLANs}
		for _, p := range t.Prefixes {
			if prefix, err := netip.ParsePrefix(p); err == nil { // the console lets none in that is not
				x.prefixes = append(x.prefixes, prefix)
			}
		}
		rooms = append(rooms, x)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rooms.theatres = rooms
	return nil
}
