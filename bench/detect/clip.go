// SPDX-License-Identifier: Apache-2.0

package main

import (
	"container/heap"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect"
)

// clip is one conversation of a capture: the events that the sensor made of it. What
// happens in the hospital is made of clips, played between other devices at other
// times, so that every event has the form that the sensor gives it.
type clip struct {
	events          []*event.Event
	start           int64
	src             netip.Addr // of the initiator
	calling, called string     // AE titles of the initiator and its peer, "" when it is no DICOM
}

// clips finds conversations in captures.
type clips map[string][]recorded

func newClips(corpus []recorded) clips {
	c := clips{}
	for _, r := range corpus {
		c[r.name] = append(c[r.name], r)
	}
	return c
}

// get returns the conversation of a capture in which an event has a message with a
// text. It panics where there is none: the captures and these calls belong together.
func (c clips) get(capture, message string) *clip {
	for _, r := range c[capture] {
		for i := range r.events {
			e := r.events[i].Event
			if e.Flow == nil || e.Flow.ID == 0 || !strings.Contains(e.Message, message) {
				continue
			}
			return cut(r.events, func(x *event.Event) bool { return x.Flow != nil && x.Flow.ID == e.Flow.ID && x.Flow.Dst == e.Flow.Dst })
		}
	}
	panic(fmt.Sprintf("BUG: no conversation in %s has %q", capture, message))
}

// all returns every conversation of a capture, in their order.
func (c clips) all(capture string) *clip {
	for _, r := range c[capture] {
		if x := cut(r.events, func(e *event.Event) bool { return e.Flow != nil && e.Flow.Proto == 6 }); x != nil {
			return x
		}
	}
	panic("BUG: there is nothing in " + capture)
}

func cut(events []detect.Recorded, which func(*event.Event) bool) *clip {
	x := &clip{}
	for i := range events {
		e := events[i].Event
		if _, evidence := e.Detail.(*event.DeviceEvidence); evidence || !which(e) {
			continue
		}
		if len(x.events) == 0 {
			x.start, x.src = e.Time, e.Flow.Src.IP
		}
		x.start = min(x.start, e.Time)
		if a, ok := e.Detail.(*event.DICOMAssociation); ok && x.calling == "" {
			x.calling, x.called = a.CallingAE, a.CalledAE
		}
		x.events = append(x.events, e)
	}
	if len(x.events) == 0 {
		return nil
	}
	slices.SortStableFunc(x.events, func(a, b *event.Event) int { return int(min(max(a.Time-b.Time, -1), 1)) })
	return x
}

// only leaves of a clip the events whose messages have one of some texts, and what ends
// the conversation.
func (x *clip) only(texts ...string) *clip {
	y := *x
	y.events = nil
	for _, e := range x.events {
		if slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(e.Message, t) }) {
			y.events = append(y.events, e)
		}
	}
	if len(y.events) == 0 {
		panic(fmt.Sprintf("BUG: no event of the clip has %q", texts))
	}
	return &y
}

// copied returns a detail of its own, to be changed.
func copied(d event.Detail) event.Detail {
	v := reflect.ValueOf(d).Elem()
	n := reflect.New(v.Type())
	n.Elem().Set(v)
	return n.Interface().(event.Detail) //nolint:errcheck,forcetypeassert // it was one
}

// part is how a clip is played.
type part struct {
	at       int64
	src, dst int           // devices
	port     uint16        // of dst, 0 for that of the capture
	over     time.Duration // stretched to this length, 0 for as it was
	patient  string
	study    string
	kept     bool               // identifiers stay those of the capture
	edit     func(event.Detail) // of the copy; nil for none
}

// play shows a conversation. It returns when it ends.
func (h *hospital) play(x *clip, p part) int64 {
	if h.muted[p.src] > p.at || h.muted[p.dst] > p.at {
		return p.at
	}
	ids := map[uint64]uint64{}
	port := uint16(32_768 + h.flow%28_000) //nolint:gosec // in range
	a, b := &h.devices[p.src], &h.devices[p.dst]
	length := x.events[len(x.events)-1].Time - x.start
	end := p.at
	for _, e := range x.events {
		in := e.Time - x.start
		if p.over > 0 && length > 0 {
			in = int64(float64(in) * float64(p.over) / float64(length))
		}
		n := *e
		n.Time = p.at + in
		end = n.Time
		h.seq++
		n.UID = fmt.Sprintf("q%d", h.seq)
		n.Detail = copied(e.Detail)
		if c, ok := n.Detail.(*event.Connection); ok {
			c.Start, c.End = p.at, n.Time
		}
		if !p.kept {
			h.dress(n.Detail, x, &p)
		} else if p.edit != nil {
			p.edit(n.Detail)
		}
		from, to := a, b
		f := *e.Flow
		if ids[f.ID] == 0 {
			h.flow++
			ids[f.ID] = h.flow
		}
		f.ID, f.VLANs, f.Tunnel, f.SrcHops, f.DstHops = ids[f.ID], nil, "", 0, 0
		if e.Flow.Src.IP != x.src { // the other end's own, as when a server answers from elsewhere
			from, to = b, a
			f.Src.Port, f.Dst.Port = e.Flow.Src.Port, port
		} else {
			if f.Src.Port > 1023 {
				f.Src.Port = port
			}
			if p.port > 0 {
				f.Dst.Port = p.port
			}
		}
		f.Src.MAC, f.Src.IP = from.Interfaces[0].MAC, from.Interfaces[0].IPs[0]
		f.Dst.MAC, f.Dst.IP = to.Interfaces[0].MAC, to.Interfaces[0].IPs[0]
		n.Flow = &f
		h.file(&n, from, to)
	}
	return end
}

// dress gives a copied detail the names and identifiers of where it is played.
func (h *hospital) dress(d event.Detail, x *clip, p *part) {
	ae := func(s string) string {
		switch s {
		case "":
			return ""
		case x.calling:
			return h.title(p.src)
		case x.called:
			return h.title(p.dst)
		}
		return s
	}
	patient := p.patient
	if patient == "" {
		patient = fmt.Sprintf("p:%032x", h.seq)
	}
	switch v := d.(type) {
	case *event.DICOMAssociation:
		v.CallingAE, v.CalledAE = ae(v.CallingAE), ae(v.CalledAE)
	case *event.DICOMOperation:
		v.CallingAE, v.CalledAE, v.PerformedAE = ae(v.CallingAE), ae(v.CalledAE), ae(v.PerformedAE)
		if v.StudyInstance != "" {
			v.StudyInstance = p.study
			if p.study == "" {
				v.StudyInstance = fmt.Sprintf("1.2.826.0.1.%d", h.flow)
			}
			v.SeriesInstance = v.StudyInstance + ".1"
		}
		switch {
		case v.StepStatus != "": // a step is created and set by different conversations
			v.SOPInstance = "1.2.826.0.3." + strings.ReplaceAll(p.study, ".", "")
		case v.SOPInstance != "" && v.Command != "C-FIND":
			v.SOPInstance = fmt.Sprintf("1.2.826.0.2.%d", h.seq)
		}
		if v.PatientRef != "" {
			v.PatientRef = patient
		}
		v.Scheduled = nil // what a worklist says of rooms is set where it matters
	case *event.HL7Message:
		v.ControlID = fmt.Sprintf("C%d", h.seq)
		v.SendingApp, v.SendingFacility = strings.ToUpper(h.devices[p.src].Name), "CLEAN"
		v.ReceivingApp, v.ReceivingFacility = strings.ToUpper(h.devices[p.dst].Name), "CLEAN"
		v.Location, v.Devices, v.Schedule = "", nil, nil
		if v.AckControlID != "" {
			v.AckControlID = v.ControlID
		}
		for _, s := range []*string{&v.PatientRef, &v.VisitRef, &v.OrderRef} {
			if *s != "" {
				*s = patient
			}
		}
	case *event.MedicalDevice:
		if v.PatientRef != "" {
			v.PatientRef = patient
		}
	case *event.DHCP:
		m := &h.devices[p.src]
		v.ClientMAC, v.Hostname = m.Interfaces[0].MAC.String(), ""
		if v.ClientIP != "" {
			v.ClientIP = m.Interfaces[0].IPs[0].String()
		}
		if v.ServerID != "" {
			v.ServerID = h.devices[h.names].Interfaces[0].IPs[0].String()
		}
		v.Transaction = fmt.Sprintf("%08x", uint32(h.flow)) //nolint:gosec // as wide as that
	case *event.NTP:
		v.OffsetMS = h.rand.Int64N(40) - 20
	case *event.SMB:
		if v.Share != "" {
			v.Share = `\\files\scans`
		}
	}
	if p.edit != nil {
		p.edit(d)
	}
}

// title is the AE title of a device.
func (h *hospital) title(dev int) string {
	if t := h.devices[dev].AETitles; len(t) > 0 {
		return t[0]
	}
	return "STATION"
}

// file shows an event under the devices that it belongs to.
func (h *hospital) file(e *event.Event, from, to *device.Device) {
	r := detect.Recorded{Event: e}
	r.Record.Time, r.Record.Class, r.Record.Activity = e.Time, e.Class(), e.Activity
	r.Record.Severity, r.Record.Status, r.Record.Protocol, r.Record.Sensor = e.Severity, e.Status, e.Protocol, "clean"
	r.Record.SrcDevice, r.Record.DstDevice = h.known(from), h.known(to)
	if e.Flow != nil {
		r.Record.Src, r.Record.Dst = e.Flow.Src.IP, e.Flow.Dst.IP
	}
	r.Record.Theatre = from.Theatre
	if r.Record.Theatre == "" {
		r.Record.Theatre = to.Theatre
	}
	heap.Push(&h.events, r)
}

// known is the name under which the inventory has a device; the internet has none.
func (h *hospital) known(d *device.Device) string {
	if d.Class == outside {
		return ""
	}
	return d.ID
}
