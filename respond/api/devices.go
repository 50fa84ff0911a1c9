// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

// deviceFilter is what GET /devices asks for.
type deviceFilter struct {
	words                                       []string
	classes, theatres, zones, vendors, protocol []string
	seenAfter                                   int64
	limit                                       int
	after                                       string
}

func (f *deviceFilter) all() bool {
	return len(f.words)+len(f.classes)+len(f.theatres)+len(f.zones)+len(f.vendors)+len(f.protocol) == 0 && f.seenAfter == 0 && f.limit == 0 && f.after == ""
}

func classes() []string {
	var out []string
	for _, c := range device.Classes() {
		out = append(out, string(c))
	}
	return out
}

func (p *params) devices() deviceFilter {
	f := deviceFilter{
		words:   strings.Fields(strings.ToLower(p.text("q", maxText))),
		classes: p.many("class", maxValues), theatres: p.many("theatre", maxValues), zones: p.many("zone", maxValues),
		vendors: p.many("vendor", maxValues), protocol: p.many("speaks", maxValues),
		seenAfter: p.time("seen_after"), limit: p.number("limit", 1, store.MaxLimit, 0), after: p.text("after", 256),
	}
	for i, c := range f.classes {
		if !device.Class(c).Valid() {
			p.fail("class["+itoa(i)+"]", didYouMean(c, classes()), "is no class of device; there are %s", list(classes()))
		}
	}
	return f
}

// getDevices answers with all devices at once, from memory. The order is that
// of the IDs, which do not change, so that a page after another misses nothing.
func (s *Server) getDevices(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	f := p.devices()
	site := p.text("site", maxName)
	if err := p.end(); err != nil {
		return err
	}
	world, err := s.world(r.Context(), site)
	if err != nil {
		return err
	}
	tag := fmt.Sprintf(`"%x-%x-%x-%x-%x"`, world.revision, world.findRev, world.validUntil.Unix(), s.started.UnixNano(), site)
	if f.seenAfter == 0 {
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "private, no-cache")
		w.Header().Set("Vary", "Cookie, Authorization")
		if matches(r, tag) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	} else {
		w.Header().Set("Cache-Control", "no-store")
	}
	if f.all() {
		body, packed, err := world.encoded()
		if err != nil {
			return err
		}
		sendBytes(w, r, http.StatusOK, body, packed)
		return nil
	}
	out := DeviceList{Revision: world.revision, Devices: []DeviceRow{}}
	for i := range world.rows {
		row := &world.rows[i]
		if !f.matches(row, &world.devices[i]) {
			continue
		}
		out.Total++
		if f.after != "" && row.ID <= f.after {
			continue
		}
		if f.limit > 0 && len(out.Devices) == f.limit {
			if out.Next == nil {
				next := out.Devices[f.limit-1].ID
				out.Next = &next
			}
			continue
		}
		out.Devices = append(out.Devices, *row)
	}
	body, err := json.Marshal(out)
	if err != nil {
		return problem.Internal(err)
	}
	sendBytes(w, r, http.StatusOK, append(body, '\n'), nil)
	return nil
}

// encoded returns the whole list, encoded and compressed once.
func (w *world) encoded() (body, packed []byte, err error) {
	w.once.Do(func() {
		var b []byte
		if b, err = json.Marshal(DeviceList{Revision: w.revision, Total: len(w.rows), Devices: orEmpty(w.rows)}); err != nil {
			return
		}
		w.body = append(b, '\n')
		w.packed = pack(w.body)
	})
	if err == nil && w.body == nil {
		err = fmt.Errorf("the device list could not be encoded")
	}
	return w.body, w.packed, err
}

func (f *deviceFilter) matches(row *DeviceRow, d *device.Device) bool {
	in := func(l []string, v string) bool { return len(l) == 0 || slices.Contains(l, v) }
	if !in(f.classes, row.Class) || !in(f.theatres, row.Theatre) || !in(f.zones, row.Zone) || !in(f.vendors, row.Vendor) {
		return false
	}
	if len(f.protocol) > 0 && !slices.ContainsFunc(f.protocol, func(p string) bool { return slices.Contains(row.Speaks, p) }) {
		return false
	}
	if f.seenAfter != 0 && d.Last < f.seenAfter {
		return false
	}
	for _, word := range f.words {
		if !mentions(row, d, word) {
			return false
		}
	}
	return true
}

// mentions reports whether a word in lower case occurs in any name, address or
// number of a device.
func mentions(row *DeviceRow, d *device.Device, word string) bool {
	for _, s := range [...]string{row.Name, row.ID, row.ClassName, row.Class, row.Vendor, row.Model, row.Serial, row.Firmware, row.OS, row.Theatre, row.Zone, d.UDI} {
		if s != "" && containsFold(s, word) {
			return true
		}
	}
	for _, l := range [...][]string{row.MACs, row.IPs, row.AETitles, row.Speaks, d.Aliases} {
		for _, s := range l {
			if containsFold(s, word) {
				return true
			}
		}
	}
	for _, f := range [...]device.Attribute{device.AttrHostname, device.AttrFQDN, device.AttrHL7App, device.AttrDeviceID, device.AttrUDI} {
		if v, ok := d.Facts[f]; ok && containsFold(v.Value, word) {
			return true
		}
	}
	return false
}

// containsFold is strings.Contains without regard to case; word is in lower case.
func containsFold(s, word string) bool {
	if len(s) < len(word) {
		return false
	}
	return strings.Contains(strings.ToLower(s), word)
}

// getDevice answers with one device, also by an ID that it had before.
func (s *Server) getDevice(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	out, err := s.device(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, out)
}

func (s *Server) device(r *http.Request, id string) (Device, error) {
	d, err := s.findDevice(r, id)
	if err != nil {
		return Device{}, err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return Device{}, err
	}
	return fullDevice(&d, world, s.now()), nil
}

func (s *Server) findDevice(r *http.Request, id string) (device.Device, error) {
	if len(id) > 256 {
		return device.Device{}, problem.NotFound("There is no device with this ID.")
	}
	d, err := s.dep.Store.Device(r.Context(), id)
	if err != nil {
		if p := problem.From(err); p.Status == http.StatusNotFound {
			p.Detail = "There is no device with this ID."
			p.Hint = "GET " + prefix + "/devices?q= searches by names and addresses"
			return d, p
		}
		return d, err
	}
	return d, nil
}

// getConversations answers with whom a device talked.
func (s *Server) getConversations(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	from, to := p.span(24 * time.Hour)
	if err := p.end(); err != nil {
		return err
	}
	d, err := s.findDevice(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	links, more, err := s.links(r.Context(), from, to)
	if err != nil {
		return err
	}
	mine := func(id string) bool { return id == d.ID || slices.Contains(d.Aliases, id) }
	out := Conversations{From: stamp(from), To: stamp(to), Conversations: []Conversation{}, More: more}
	for _, l := range links {
		outgoing := mine(l.From)
		if !outgoing && !mine(l.To) {
			continue
		}
		peer, sent, got := l.To, l.BytesOut, l.BytesIn
		if !outgoing {
			peer, sent, got = l.From, l.BytesIn, l.BytesOut
		}
		c := Conversation{Peer: peer, PeerName: peer, Outgoing: outgoing, Protocol: l.Protocol, Transport: l.Transport, Port: l.Port, Flows: l.Flows, Failed: l.Failed,
			BytesOut: sent, BytesIn: got, First: stamp(l.First), Last: stamp(l.Last), Since: stamp(l.Since)}
		if row, ok := world.row(peer); ok {
			c.Peer, c.PeerName, c.PeerClass = row.ID, row.Name, row.Class
		}
		out.Conversations = append(out.Conversations, c)
	}
	return send(w, r, http.StatusOK, out)
}

// getActivity answers with how much a device was seen over time.
func (s *Server) getActivity(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	from, to := p.span(24 * time.Hour)
	n := p.number("steps", 1, maxSteps, 96)
	if err := p.end(); err != nil {
		return err
	}
	d, err := s.findDevice(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	steps, err := s.dep.Store.Activity(r.Context(), d.ID, from, to, n)
	if err != nil {
		return err
	}
	out := Activity{From: stamp(from), To: stamp(to), Steps: []ActivityStep{}}
	for _, st := range steps {
		a := ActivityStep{Start: stamp(st.Start), Classes: map[string]uint64{}, Worst: Severity(st.Worst)}
		for c, n := range st.Classes {
			a.Events += n
			a.Classes[captionOf(c)] += n
		}
		out.Steps = append(out.Steps, a)
	}
	return send(w, r, http.StatusOK, out)
}
