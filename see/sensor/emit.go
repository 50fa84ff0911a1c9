// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"strconv"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/communityid"
	"github.com/asepsis/asepsis/wire/packet"
)

var _ analyze.Selective = (*worker)(nil)

// emitter is what a worker needs to hand out events.
type emitter struct {
	count     uint64
	uids      string // made in advance, see uid
	ends      [uidsAhead]uint16
	nextUID   int
	histories map[string]string   // seen so far, so that flows of equal course share the string
	vlans     map[uint16][]uint16 // shared by all flows of a VLAN
	brief     briefs
	memo      *analyze.Memo
	spare     []*active
}

// briefs is what a glance is given: used again for each event.
type briefs struct {
	event      event.Event
	evidence   event.DeviceEvidence
	connection event.Connection
	flow       event.Flow

	association event.DICOMAssociation
	operation   event.DICOMOperation
	hl7         event.HL7Message
	medical     event.MedicalDevice
	rest        event.Rest
}

// Bounds of what the emitter keeps.
const (
	uidsAhead    = 32
	maxHistories = 4096
)

// Memo implements analyze.Selective.
func (w *worker) Memo() *analyze.Memo { return w.out.memo }

// Full implements analyze.Selective.
func (w *worker) Full() bool { return w.s.glance == nil }

// Note implements analyze.Selective.
func (w *worker) Note(class event.Class, t int64, protocol string, f *event.Flow) {
	w.out.count++
	w.stats.Events++
	b := &w.out.brief
	b.event = event.Event{Time: t, Severity: finding.Info, Protocol: protocol, Flow: f}
	if t == 0 {
		b.event.Time = w.now
	}
	switch class {
	case event.ClassDICOMAssociation:
		b.event.Detail = &b.association
	case event.ClassDICOMOperation:
		b.event.Detail = &b.operation
	case event.ClassHL7Message:
		b.event.Detail = &b.hl7
	case event.ClassMedicalDevice:
		b.event.Detail = &b.medical
	case event.ClassFHIR:
		b.event.Detail = &b.rest
	}
	w.s.glance.Glance(&b.event)
}

// Emit implements analyze.Host.
func (w *worker) Emit(e *event.Event) {
	if e.Time == 0 {
		e.Time = w.now
	}
	if e.Severity == finding.Unknown {
		e.Severity = finding.Info
	}
	w.out.count++
	w.stats.Events++
	if w.s.glance != nil {
		w.s.glance.Glance(e)
		return
	}
	e.UID = w.uid()
	w.s.sink.Emit(e)
}

// uid returns the UID of the event just counted: the run, the worker and the
// event's number, to base 36. Several are cut from one string, so that an
// event that is kept keeps at most uidsAhead of them.
func (w *worker) uid() string {
	o := &w.out
	if o.nextUID == 0 {
		var buf [uidsAhead * 44]byte
		b := buf[:0]
		for i := range uint64(uidsAhead) {
			b = strconv.AppendUint(b, w.s.run, 36)
			b = append(b, '-')
			b = strconv.AppendInt(b, int64(w.n), 10)
			b = append(b, '-')
			b = strconv.AppendUint(b, o.count+i, 36)
			o.ends[i] = uint16(len(b))
		}
		o.uids = string(b)
	}
	begin := uint16(0)
	if o.nextUID > 0 {
		begin = o.ends[o.nextUID-1]
	}
	u := o.uids[begin:o.ends[o.nextUID]]
	o.nextUID = (o.nextUID + 1) % uidsAhead
	return u
}

// Evidence implements analyze.Host.
func (w *worker) Evidence(e device.Evidence) { w.evidence.observe(&e) }

// Facts implements analyze.Selective.
func (w *worker) Facts(sub device.Subject, f *analyze.Facts, t int64) {
	w.evidence.observeFacts(sub, f, t)
}

func (w *worker) emitEvidence(e *device.Evidence, renewed bool) {
	activity := uint8(1)
	if renewed {
		activity = 2
	}
	if w.s.glance != nil {
		b := &w.out.brief
		b.evidence.Evidence = *e
		b.event = event.Event{Time: e.Last, Activity: activity, Detail: &b.evidence}
		w.Emit(&b.event)
		return
	}
	x := &struct {
		event  event.Event
		detail event.DeviceEvidence
	}{}
	x.detail.Evidence = *e
	x.event = event.Event{Time: e.Last, Activity: activity, Detail: &x.detail}
	w.Emit(&x.event)
}

// emitConnection emits a flow's Network Activity.
func (w *worker) emitConnection(f *flow, activity uint8) {
	if w.s.glance != nil {
		b := &w.out.brief
		w.fillConnection(&b.event, &b.connection, &b.flow, f, activity)
		w.Emit(&b.event)
		return
	}
	x := &struct {
		event  event.Event
		detail event.Connection
		flow   event.Flow
	}{}
	w.fillConnection(&x.event, &x.detail, &x.flow, f, activity)
	w.Emit(&x.event)
}

func (w *worker) fillConnection(e *event.Event, c *event.Connection, to *event.Flow, f *flow, activity uint8) {
	*c = event.Connection{
		Start: f.first, End: f.last,
		PacketsOut: uint64(f.packets[0]), PacketsIn: uint64(f.packets[1]),
		BytesOut: f.bytes[0], BytesIn: f.bytes[1],
		PayloadOut: f.payload[0], PayloadIn: f.payload[1],
		Missed:      uint64(f.missed),
		TCPFlagsOut: f.flags[0], TCPFlagsIn: f.flags[1],
		History: w.history(f.history[:f.nhistory]), State: f.state(),
		App: w.apps[f.app], Evicted: f.evicted, MidStream: f.midStream,
	}
	w.describe(f, to)
	*e = event.Event{Time: c.End, Activity: activity, Severity: finding.Info, Protocol: c.App, Flow: to, Detail: c, StatusCode: c.State}
	if c.State == "SF" || c.State == "S1" {
		e.Status = event.StatusSuccess
	} else if activity >= 3 && activity <= 5 {
		e.Status = event.StatusFailure
	}
}

// history returns the letters as a string that equal ones share.
func (w *worker) history(letters []byte) string {
	if s, ok := w.out.histories[string(letters)]; ok {
		return s
	}
	s := string(letters)
	if w.out.histories == nil {
		w.out.histories = map[string]string{}
	}
	if len(w.out.histories) < maxHistories {
		w.out.histories[s] = s
	}
	return s
}

// describe makes the flow as events show it. The community ID, a hash, is left
// out where nobody reads events in full.
func (w *worker) describe(f *flow, e *event.Flow) {
	*e = event.Flow{
		ID: f.id, Proto: f.key.proto, Src: f.end(analyze.ToServer), Dst: f.end(analyze.ToClient),
		Guessed: f.guessed, SrcHops: hops(f.ttl[0]), DstHops: hops(f.ttl[1]),
	}
	if f.vlan != 0 {
		e.VLANs = w.vlans(f.vlan)
	}
	if f.key.tunnel != 0 {
		e.Tunnel = tunnelName(packet.TunnelKind(f.key.tunnel>>28), f.key.tunnel&0x0fffffff)
	}
	if w.s.glance != nil {
		return
	}
	sp, dp := e.Src.Port, e.Dst.Port
	if f.key.proto == packet.ProtoICMP || f.key.proto == packet.ProtoICMPv6 {
		sp, dp = uint16(f.icmpType), uint16(f.icmpCode)
	}
	e.CommunityID = communityid.V1(0, e.Src.IP, e.Dst.IP, f.key.proto, sp, dp)
}

// vlans returns the list that events of a VLAN share.
func (w *worker) vlans(id uint16) []uint16 {
	if v := w.out.vlans[id]; v != nil {
		return v
	}
	if w.out.vlans == nil {
		w.out.vlans = map[uint16][]uint16{}
	}
	v := []uint16{id}
	w.out.vlans[id] = v
	return v
}

// Pseudonym implements analyze.Host.
func (w *worker) Pseudonym(kind pseudonym.Kind, value string) string {
	return w.s.key.Of(kind, value)
}
