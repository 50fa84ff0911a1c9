// SPDX-License-Identifier: Apache-2.0

package scene

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/policy"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/guarded"
	"github.com/asepsis/asepsis/platform/record"
)

// World is what is known at one time.
type World struct {
	devices  map[string]*device.Device // by ID and former ID
	byIP     map[placed[netip.Addr]]string
	byAE     map[placed[string]][]string
	theatres map[string]theatre.Theatre
	policy   *policy.Policy
	guards   map[netip.Addr]string     // the guard that talks from there
	guarded  map[netip.AddrPort]string // the guard of a service
}

// placed is a name that means something within a site: another may have the same
// addresses and titles.
type placed[T comparable] struct {
	site string
	name T
}

// NewWorld makes a snapshot. It keeps the devices and the policy, which must not change
// after that. pol may be nil.
func NewWorld(devs []device.Device, rooms []theatre.Theatre, pol *policy.Policy) *World {
	w := &World{devices: make(map[string]*device.Device, len(devs)), byIP: map[placed[netip.Addr]]string{}, byAE: map[placed[string]][]string{}, theatres: make(map[string]theatre.Theatre, len(rooms)), policy: pol}
	for i := range devs {
		d := &devs[i]
		w.devices[d.ID] = d
		for _, a := range d.Aliases {
			if _, taken := w.devices[a]; !taken {
				w.devices[a] = d
			}
		}
		for _, n := range d.Interfaces {
			for _, ip := range n.IPs {
				w.byIP[placed[netip.Addr]{d.Site, ip}] = d.ID
			}
		}
		for _, ae := range d.AETitles {
			at := placed[string]{d.Site, ae}
			w.byAE[at] = append(w.byAE[at], d.ID)
		}
	}
	for _, t := range rooms {
		w.theatres[t.ID] = t
	}
	return w
}

// Guard tells the world which services are to be reached through guards alone. It is for
// who makes the world, before anybody uses it.
func (w *World) Guard(list []guarded.Guard) {
	w.guards, w.guarded = map[netip.Addr]string{}, map[netip.AddrPort]string{}
	for _, g := range list {
		for _, a := range g.Addresses {
			w.guards[a.Unmap()] = g.Name
		}
		for _, s := range g.Services {
			w.guarded[netip.AddrPortFrom(s.At.Addr().Unmap(), s.At.Port())] = g.Name
		}
	}
}

// GuardAt returns the guard that talks from an address of this site, "" for none.
func (w *World) GuardAt(a netip.Addr) string { return w.guards[a.Unmap()] }

// GuardOf returns the guard through which a service of this site is to be reached, "" for none.
func (w *World) GuardOf(a netip.Addr, port uint16) string {
	if len(w.guarded) == 0 {
		return ""
	}
	return w.guarded[netip.AddrPortFrom(a.Unmap(), port)]
}

// Device returns a device by its ID or a former ID, nil when it is not known.
func (w *World) Device(id string) *device.Device { return w.devices[id] }

// Devices returns all devices in the order of their IDs.
func (w *World) Devices() []*device.Device {
	out := make([]*device.Device, 0, len(w.devices))
	for id, d := range w.devices {
		if id == d.ID { // not under a former one
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *device.Device) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// DeviceAt returns the device of a site that has an address now, nil when none is known
// to. "" is the site itself, where it is no hub.
func (w *World) DeviceAt(site string, ip netip.Addr) *device.Device {
	return w.devices[w.byIP[placed[netip.Addr]{site, ip}]]
}

// Stations returns the IDs of the devices of a site that have an AE title.
func (w *World) Stations(site, ae string) []string {
	return w.byAE[placed[string]{site, strings.TrimSpace(ae)}]
}

// maxTitles bounds Titles.
const maxTitles = 4096

// Titles are the AE titles that stations used since the world was made. What is known of
// devices comes a second after what they do, or many, where the past is read at once; a station
// that takes images for the first time is no stranger when somebody asks for images to be
// sent to it. It is used by one goroutine.
type Titles struct {
	by map[placed[string]]string // the device
}

// Note learns from an association that was accepted who is called what.
func (t *Titles) Note(s *Scene) {
	a, ok := s.Event.Detail.(*event.DICOMAssociation)
	const accepted = 2
	site := s.Site()
	if !ok || s.Event.Activity != accepted {
		return
	}
	for title, p := range map[string]*Party{a.CallingAE: &s.Src, a.CalledAE: &s.Dst} {
		if p.ID == "" || title == "" || s.World != nil && len(s.World.Stations(site, title)) > 0 {
			continue
		}
		if t.by == nil || len(t.by) >= maxTitles {
			t.by = map[placed[string]]string{}
		}
		t.by[placed[string]{site, title}] = p.ID
	}
}

// Site is the site where it was seen, "" for this one.
func (s *Scene) Site() string { return record.SiteOf(s.Sensor) }

// Stations returns the IDs of the devices of the site that have an AE title, as far as they are known now.
func (s *Scene) Stations(ae string) []string {
	if s.World != nil {
		if known := s.World.Stations(s.Site(), ae); len(known) > 0 {
			return known
		}
	}
	if s.Titles != nil {
		if id, ok := s.Titles.by[placed[string]{s.Site(), strings.TrimSpace(ae)}]; ok {
			return []string{id}
		}
	}
	return nil
}

// Theatre returns a theatre.
func (w *World) Theatre(id string) (theatre.Theatre, bool) {
	t, ok := w.theatres[id]
	return t, ok
}

// Theatres returns all theatres in the order of their IDs.
func (w *World) Theatres() []theatre.Theatre {
	out := make([]theatre.Theatre, 0, len(w.theatres))
	for _, t := range w.theatres {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b theatre.Theatre) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Policy returns the policy, nil when there is none.
func (w *World) Policy() *policy.Policy { return w.policy }

// Scene makes the scene of a stored event.
func (w *World) Scene(r *record.Record, e *event.Event) Scene {
	s := Scene{Seq: r.Seq, Sensor: r.Sensor, Event: e, Theatre: r.Theatre, World: w}
	s.Src, s.Dst = w.party(r.SrcDevice, r.Src), w.party(r.DstDevice, r.Dst)
	if f := e.Flow; f != nil {
		s.Src.MAC, s.Src.Port, s.Dst.MAC, s.Dst.Port = f.Src.MAC, f.Src.Port, f.Dst.MAC, f.Dst.Port
	} else if d, ok := e.Detail.(*event.DeviceEvidence); ok {
		s.Src.MAC = d.Evidence.Subject.MAC
	}
	if s.Theatre == "" {
		for _, p := range []*Party{&s.Src, &s.Dst} {
			if p.Device != nil && p.Device.Theatre != "" {
				s.Theatre = p.Device.Theatre
				break
			}
		}
	}
	s.Case = theatre.Idle
	if t, ok := w.theatres[s.Theatre]; ok && t.State.Valid() && t.Since <= e.Time { // of the past, the present says nothing
		s.Case = t.State
	}
	return s
}

func (w *World) party(id string, ip netip.Addr) Party {
	p := Party{IP: ip, ID: id, Device: w.devices[id]}
	switch {
	case id != "":
		p.Internal = true
	case !ip.IsValid():
	case w.policy != nil && w.policy.Covers(ip):
		p.Internal = true
	default:
		p.Internal = ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || ip.IsUnspecified()
	}
	return p
}
