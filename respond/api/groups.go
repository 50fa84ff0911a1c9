// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
)

// fieldsOf collects decoded fields. What is empty is left out.
type fieldSet struct {
	groups []EventGroup
}

// group begins a group; one that stays empty is left out at the end.
func (f *fieldSet) group(title string) { f.groups = append(f.groups, EventGroup{Title: title}) }

func (f *fieldSet) put(e EventField) {
	g := &f.groups[len(f.groups)-1]
	g.Fields = append(g.Fields, e)
}

func (f *fieldSet) text(name, label, v string) {
	if v != "" {
		f.put(EventField{Name: name, Label: label, Value: v})
	}
}

func (f *fieldSet) texts(name, label string, v []string) {
	if len(v) > 0 {
		f.put(EventField{Name: name, Label: label, Value: strings.Join(v, ", ")})
	}
}

// by writes a field that events can be searched by.
func (f *fieldSet) by(name, label, v string, field store.Field, raw string) {
	if v != "" {
		f.put(EventField{Name: name, Label: label, Value: v, Field: string(field), Raw: raw})
	}
}

func (f *fieldSet) count(name, label string, n uint64) {
	if n > 0 {
		f.put(EventField{Name: name, Label: label, Value: thousands(n)})
	}
}

func (f *fieldSet) bytes(name, label string, n uint64) {
	if n > 0 {
		f.put(EventField{Name: name, Label: label, Value: byteText(n)})
	}
}

func (f *fieldSet) yes(name, label string, v bool) {
	if v {
		f.put(EventField{Name: name, Label: label, Value: "yes"})
	}
}

func (f *fieldSet) sub(name, label string, n *uint16) {
	if n != nil {
		f.put(EventField{Name: name, Label: label, Value: itoa(*n)})
	}
}

func (f *fieldSet) ms(name, label string, n int64) {
	if n > 0 {
		f.put(EventField{Name: name, Label: label, Value: (time.Duration(n) * time.Millisecond).String()})
	}
}

func (f *fieldSet) done() []EventGroup {
	out := []EventGroup{}
	for _, g := range f.groups {
		if len(g.Fields) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// thousands parts a number's digits with thin spaces: it reads the same in every
// country.
func thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 && len(s) > 4 {
			b.WriteRune('\u2009')
		}
		b.WriteRune(c)
	}
	return b.String()
}

func byteText(n uint64) string {
	const unit = 1000
	if n < unit {
		return strconv.FormatUint(n, 10) + " bytes"
	}
	v, i := float64(n), 0
	for ; v >= unit && i < 5; i++ {
		v /= unit
	}
	return fmt.Sprintf("%.1f %s (%s bytes)", v, [...]string{"", "kB", "MB", "GB", "TB", "PB"}[i], thousands(n))
}

// groups decodes an event for people: first what its class is about, the deciding
// fields first; then who talked to whom, how it ended, and where it was seen.
func groups(rec *record.Record, e *event.Event, row *EventRow) []EventGroup {
	f := &fieldSet{}
	switch d := e.Detail.(type) {
	case *event.DICOMAssociation:
		f.association(d)
	case *event.DICOMOperation:
		f.operation(d)
	case *event.HL7Message:
		f.hl7(d)
	case *event.MedicalDevice:
		f.medicalDevice(d)
	case *event.Rest:
		f.rest(d)
	case *event.Connection:
		f.connection(d)
	case *event.TLS:
		f.tls(d)
	case *event.HTTP:
		f.http(d)
	case *event.DNS:
		f.dns(d)
	case *event.DHCP:
		f.dhcp(d)
	case *event.SSH:
		f.ssh(d)
	case *event.SMB:
		f.smb(d)
	case *event.RDP:
		f.rdp(d)
	case *event.FTP:
		f.ftp(d)
	case *event.NTP:
		f.ntp(d)
	case *event.Application:
		f.application(d)
	case *event.DeviceEvidence:
		f.evidence(d)
	case *event.SensorHealth:
		f.health(d)
	case *event.TheatreActivity:
		f.theatreActivity(d)
	}
	f.outcome(rec, e)
	f.ends(rec, e, row)
	f.seen(rec, e)
	return f.done()
}

func (f *fieldSet) outcome(rec *record.Record, e *event.Event) {
	f.group("Outcome")
	f.by("status", "Status", statusName(e.Status), store.FieldStatus, statusName(rec.Status))
	f.text("status_code", "Code", e.StatusCode)
	f.text("status_detail", "Detail", e.StatusDetail)
	f.by("severity", "Severity", e.Severity.String(), store.FieldSeverity, rec.Severity.String())
}

func (f *fieldSet) ends(rec *record.Record, e *event.Event, row *EventRow) {
	end := func(title, prefix string, end *EventEnd, device, ip store.Field, recDevice string, hops uint8) {
		f.group(title)
		if end == nil {
			return
		}
		if end.Device != "" {
			f.by(prefix+"_device", "Device", end.Name, device, recDevice)
		}
		f.by(prefix+"_ip", "Address", end.IP, ip, end.IP)
		if end.Port != 0 {
			f.text(prefix+"_port", "Port", itoa(end.Port))
		}
		f.text(prefix+"_mac", "MAC", end.MAC)
		f.count(prefix+"_hops", "Routers in between", uint64(hops))
	}
	var hs, hd uint8
	if e.Flow != nil {
		hs, hd = e.Flow.SrcHops, e.Flow.DstHops
	}
	end("From", "src", row.Src, store.FieldSrcDevice, store.FieldSrcIP, rec.SrcDevice, hs)
	end("To", "dst", row.Dst, store.FieldDstDevice, store.FieldDstIP, rec.DstDevice, hd)
	if e.Flow == nil {
		return
	}
	f.group("Conversation")
	f.text("transport", "Transport", transport(e.Flow.Proto))
	var vlans []string
	for _, v := range e.Flow.VLANs {
		vlans = append(vlans, itoa(v))
	}
	f.texts("vlans", "VLAN", vlans)
	f.text("tunnel", "Tunnel", e.Flow.Tunnel)
	f.text("community_id", "Community ID", e.Flow.CommunityID)
	f.yes("roles_guessed", "Direction is a guess: the opening was not seen", e.Flow.Guessed)
	f.yes("encrypted", "Encrypted", e.Encrypted)
}

func transport(proto uint8) string {
	switch proto {
	case 0:
		return ""
	case 1:
		return "ICMP"
	case 6:
		return "TCP"
	case 17:
		return "UDP"
	case 58:
		return "ICMPv6"
	case 132:
		return "SCTP"
	}
	return "IP protocol " + itoa(uint16(proto))
}

func (f *fieldSet) seen(rec *record.Record, e *event.Event) {
	f.group("Seen")
	f.by("class", "Class", captionOf(uint32(rec.Class)), store.FieldClass, itoa(uint32(rec.Class)))
	f.by("activity", "Activity", rec.Class.ActivityCaption(rec.Activity), store.FieldActivity, itoa(uint32(rec.Class))+"/"+itoa(uint16(rec.Activity)))
	f.by("protocol", "Protocol", rec.Protocol, store.FieldProtocol, rec.Protocol)
	f.by("sensor", "Sensor", rec.Sensor, store.FieldSensor, rec.Sensor)
	f.by("theatre", "Theatre", rec.Theatre, store.FieldTheatre, rec.Theatre)
	f.text("time", "Time", stamp(e.Time))
	f.text("uid", "Event", e.UID)
}
