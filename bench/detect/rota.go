// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/suppress"
)

// acts are the conversations that the hospital's days are made of.
type acts struct {
	echo, worklist, stepBegins, stepEnds, store, commit, committed, find, findSeries, move, moved *clip
	vitals, pump, ventilator, admit, order, schedule, refused, results                            *clip
	lookup, unknown, time, lease, discover, kerberos, ldap, share, oldShare, read, web, cloud     *clip
	snmp, print, syslog, sdcRead, sdcReport, table, camera, endoscope, broker, ssh                *clip
	pose, media, desktop, upload, phone                                                           *clip
}

func newActs(c clips) acts {
	const day = "theatre.pcapng"
	mpps := c.get(day, "N-CREATE to RIS")
	return acts{
		echo: c.get("dicom-echo.pcap", "CT_OR3 echoed"), worklist: c.get(day, "queried RIS by Modality"),
		stepBegins: mpps.only("opened an association", "N-CREATE", "released"), stepEnds: mpps.only("opened an association", "N-SET", "released"),
		store: c.get(day, "CARM_OR3 stored"), commit: c.get(day, "N-ACTION to PACS"), committed: c.get(day, "N-EVENT-REPORT to CT_OR3"),
		find: c.get("dicom-find.pcap", "by StudyDate, PatientID"), findSeries: c.get("dicom-find.pcap", "by StudyInstanceUID"),
		move: c.get(day, "XR_PROC asked PACS to send"), moved: c.get(day, "at XR_PROC: success"),
		vitals: c.get(day, "MONITOR_GW sent ORU"), pump: c.get(day, "IVP_FICT sent ORU"), ventilator: c.get(day, "VENT_GW sent ORU"),
		admit: c.get("hl7-acks.pcap", "ADMIT sent ADT^A01 to ENGINE, answered AA"), refused: c.get("hl7-acks.pcap", "answered AE"),
		order: c.get("hl7-mllp-send.pcap", "RIS sent ORM^O01").only("ORM^O01"), schedule: c.get("hl7-siu.pcap", "SIU^S12").only("SIU^S12"),
		results: c.get(day, "over LIS2-A2"),
		lookup:  c.get(day, "pacs.lindenhof.example A: NOERROR"), unknown: c.get("dns/dns.pcap", "NXDOMAIN"), time: c.get("ntp/ntp.pcap", "stratum 3"),
		lease: c.get(day, "gives 10.20.3.11").only("gives"), discover: c.get("dhcp/dhcpv4.pcap", "looks for an address").only("pump-7"),
		kerberos: c.get("kerberos/kerberos.pcap", "TGS-REQ for cifs"), ldap: c.get("ldap/ldap-starttls.pcap", "LDAP StartTLS"),
		share: c.get("smb/smb311-encrypted.pcap", "dialect 3.1.1"), oldShare: c.get(day, "SMB dialect 3.1.1"),
		read: c.get("fhir-tls.pcap", "TLSv1.3"), web: c.get("tls/tls13.pcap", "TLS"), cloud: c.get(day, "cloud.robot-vendor.example"),
		snmp: c.get(day, "76 SNMP messages between 10.20.3.2 "), print: c.get(day, "10.20.3.80:631"), syslog: c.get(day, "ct-or3 syngo"),
		sdcRead: c.get(day, "GetContextStates"), sdcReport: c.get(day, "EpisodicMetricReport"), table: c.get(day, "Modbus read_holding_registers to unit 1"),
		camera: c.get(day, "RTSP DESCRIBE"), endoscope: c.get(day, "RTSP DESCRIBE"), broker: c.get(day, "MQTT client connected"), ssh: c.get(day, "SSH connection"),
		pose: c.get(day, "STUN session"), media: c.get("webrtc/chromium.pcap", "media stream"), desktop: c.get(day, "RDP connection accepted"),
		upload: c.get(day, "stored an object (MR Image Storage"), phone: c.get(day, "SIP REGISTER"),
	}
}

// hour is the hour of the day, and weekend whether nobody works who need not.
func hour(at int64) int { return time.Unix(0, at).UTC().Hour() }
func weekend(at int64) bool {
	d := time.Unix(0, at).UTC().Weekday()
	return d == time.Saturday || d == time.Sunday
}

// shifts is a pause for work that people do: as it is by day, longer in the evening, at
// night and on weekends.
func shifts(d time.Duration) func(int64) time.Duration {
	return func(at int64) time.Duration {
		n := d
		switch hr := hour(at); {
		case hr < 6 || hr >= 22:
			n *= 6
		case hr < 7 || hr >= 18:
			n *= 3
		}
		if weekend(at) {
			n *= 3
		}
		return n
	}
}

// open begins the weeks: what every device does, each in its own rhythm.
func (h *hospital) open() {
	start := monday.UnixNano()
	a := &h.acts
	for i := range h.inventory() {
		h.every(start, always(time.Hour), func(at int64) { h.play(a.time, part{at: at, src: i, dst: h.clock, port: 123}) })
		switch h.devices[i].Class {
		case device.ClassMobile, device.ClassPACS, device.ClassInterfaceEngine, device.ClassServer, device.ClassNetwork:
		default: // a lease of eight hours is renewed after half of it
			h.every(start, always(4*time.Hour), func(at int64) { h.play(a.lease, part{at: at, src: i, dst: h.names}) })
		}
		h.machine(i, start)
	}
	for d := range 28 {
		h.day(start + int64(d)*int64(24*time.Hour))
	}
	// The RIS looks whether the archive is there, the monitoring whether all are.
	h.every(start, always(5*time.Minute), func(at int64) { h.play(a.echo, part{at: at, src: h.ris, dst: h.pacs, port: 104}) })
	for _, c := range []device.Class{device.ClassNetwork, device.ClassPrinter} {
		for _, i := range h.by[c] {
			h.every(start, always(10*time.Minute), func(at int64) { h.play(a.snmp, part{at: at, src: h.monitoring, dst: i}) })
		}
	}
	// Admissions; now and then the engine does not take a message, and it comes again.
	h.every(start, shifts(6*time.Minute), func(at int64) {
		if h.rand.IntN(40) == 0 {
			h.play(a.refused, part{at: at, src: h.ehr, dst: h.engine, port: 2575})
			at += int64(20 * time.Second)
		}
		h.play(a.admit, part{at: at, src: h.ehr, dst: h.engine, port: 2575})
	})
	h.every(start, shifts(9*time.Minute), func(at int64) { h.play(a.order, part{at: at, src: h.ehr, dst: h.engine, port: 2575}) })
}

// machine is what one device does by itself.
func (h *hospital) machine(i int, start int64) {
	a := &h.acts
	switch h.devices[i].Class {
	case device.ClassCT, device.ClassMR, device.ClassXRay, device.ClassUltrasound:
		h.every(start, shifts(30*time.Minute), func(at int64) { h.examination(at, i, 2+h.rand.IntN(8)) })
		h.every(start, always(24*time.Hour), func(at int64) { h.play(a.echo, part{at: at, src: i, dst: h.pacs, port: 104}) })
		h.every(start, shifts(2*time.Hour), func(at int64) { h.play(a.syslog, part{at: at, src: i, dst: h.monitoring}) })
	case device.ClassPatientMonitor:
		h.every(start, always(10*time.Minute), func(at int64) { h.play(a.vitals, part{at: at, src: i, dst: h.engine}) })
	case device.ClassInfusionPump:
		h.every(start, always(30*time.Minute), func(at int64) { h.play(a.pump, part{at: at, src: i, dst: h.engine}) })
	case device.ClassVentilator, device.ClassAnaesthesia:
		h.every(start, always(15*time.Minute), func(at int64) { h.play(a.ventilator, part{at: at, src: i, dst: h.engine}) })
	case device.ClassLabAnalyser:
		h.every(start, shifts(20*time.Minute), func(at int64) { h.play(a.results, part{at: at, src: i, dst: h.engine}) })
	case device.ClassSurgicalRobot:
		h.every(start, always(12*time.Hour), func(at int64) { h.play(a.cloud, part{at: at, src: i, dst: h.sites[0]}) })
		h.every(start, always(time.Hour), func(at int64) { h.play(a.broker, part{at: at, src: i, dst: h.broker}) })
	case device.ClassCamera:
		h.every(start, shifts(time.Hour), func(at int64) { h.play(a.camera, part{at: at, src: h.monitoring, dst: i, over: 20 * time.Minute}) })
	case device.ClassWorkstation:
		h.workplace(i, start)
	}
}

// workplace is a workstation with the people who come to it.
func (h *hospital) workplace(i int, start int64) {
	a := &h.acts
	h.every(start, shifts(8*time.Hour), func(at int64) { // somebody comes to work
		h.play(a.kerberos, part{at: at, src: i, dst: h.directory})
		h.play(a.ldap, part{at: at + 1e9, src: i, dst: h.directory})
		h.play(a.share, part{at: at + 3e9, src: i, dst: h.files})
	})
	h.every(start, shifts(12*time.Minute), func(at int64) { h.look(at, i) })
	h.every(start, shifts(25*time.Minute), func(at int64) { h.play(a.read, part{at: at, src: i, dst: h.ehr}) })
	h.every(start, shifts(4*time.Hour), func(at int64) { h.play(a.print, part{at: at, src: i, dst: h.any(device.ClassPrinter)}) })
	if i%3 == 0 || h.devices[i].Theatre != "" { // a viewer
		h.every(start, shifts(25*time.Minute), func(at int64) { h.view(at, i) })
	}
}

// look is somebody who looks something up: names, and then a page, of the house or of the
// world.
func (h *hospital) look(at int64, i int) {
	a := &h.acts
	h.play(a.lookup, part{at: at, src: i, dst: h.names, port: 53})
	if h.rand.IntN(12) == 0 {
		h.play(a.unknown, part{at: at + 1e8, src: i, dst: h.names, port: 53})
	}
	if h.devices[i].Theatre != "" || h.rand.IntN(3) > 0 { // theatres have no way to the internet
		return
	}
	site := h.rand.IntN(len(h.sites)-1) + 1
	h.play(a.web, part{at: at + 2e9, src: i, dst: h.sites[site], port: 443, edit: func(d event.Detail) {
		if t, ok := d.(*event.TLS); ok {
			t.SNI = fmt.Sprintf("www.site-%d.example", site)
		}
	}})
}

// view is a reading: a search for a patient, its series, and the images fetched.
func (h *hospital) view(at int64, i int) {
	a := &h.acts
	patient, study := fmt.Sprintf("p:view%d", h.flow), fmt.Sprintf("1.2.826.0.1.4.%d", h.flow)
	at = h.play(a.find, part{at: at, src: i, dst: h.pacs, patient: patient, study: study})
	at = h.play(a.findSeries, part{at: at + 8e9, src: i, dst: h.pacs, patient: patient, study: study})
	title := h.title(i)
	h.play(a.move, part{at: at + 5e9, src: i, dst: h.pacs, patient: patient, study: study, edit: func(d event.Detail) {
		if o, ok := d.(*event.DICOMOperation); ok && o.MoveDestination != "" {
			o.MoveDestination = title
		}
	}})
	h.play(a.moved, part{at: at + 5e9 + 2e8, src: h.pacs, dst: i, patient: patient, study: study})
}

// examination is a study: the worklist, the step, the images, the archive's word for
// them.
func (h *hospital) examination(at int64, i, images int) {
	a := &h.acts
	patient, study := fmt.Sprintf("p:exam%d", h.flow), fmt.Sprintf("1.2.826.0.1.5.%d", h.flow)
	p := part{at: at, src: i, dst: h.ris, patient: patient, study: study}
	h.play(a.worklist, p)
	p.at += int64(h.about(4 * time.Minute))
	h.play(a.stepBegins, p)
	for range images {
		p.at += int64(h.about(40 * time.Second))
		h.play(a.store, part{at: p.at, src: i, dst: h.pacs, patient: patient, study: study})
	}
	p.at += int64(h.about(2 * time.Minute))
	h.play(a.stepEnds, p)
	h.play(a.commit, part{at: p.at + 5e9, src: i, dst: h.pacs, study: study})
	h.play(a.committed, part{at: p.at + 9e9, src: h.pacs, dst: i, study: study})
}

// day plans what happens once a day: cases, rounds of phones, the night's backup.
func (h *hospital) day(midnight int64) {
	a := &h.acts
	minute := int64(time.Minute)
	for n := range h.theatres {
		room := h.theatres[n].ID
		if !weekend(midnight) {
			at := midnight + (7*60+30)*minute + h.rand.Int64N(20*minute)
			for at < midnight+16*60*minute {
				length := int64(h.about(90 * time.Minute))
				if !visited(room, at, at+length) {
					h.announce(at-int64(h.about(3*time.Hour)), room, at, at+length)
					h.operation(at, room, length)
				}
				at += length + int64(h.about(35*time.Minute))
			}
		}
		// An emergency: nobody planned it, or only minutes before.
		if h.rand.IntN(12) == 0 {
			at, length := midnight+h.rand.Int64N(6*60*minute), int64(h.about(80*time.Minute))
			if h.rand.IntN(2) == 0 {
				h.announce(at-5*minute, room, at, at+length)
			}
			h.operation(at, room, length)
		}
	}
	for _, i := range h.by[device.ClassMobile] { // phones and laptops come, and go
		if weekend(midnight) && h.rand.IntN(3) > 0 {
			continue
		}
		come := midnight + 6*60*minute + h.rand.Int64N(4*60*minute)
		h.plan(come, func(at int64) {
			h.play(a.discover, part{at: at, src: i, dst: h.names})
			h.play(a.lease, part{at: at + 1e9, src: i, dst: h.names})
		})
		for range 12 + h.rand.IntN(20) {
			h.plan(come+int64(2*time.Minute)+h.rand.Int64N(8*60*minute), func(at int64) { h.look(at, i) })
		}
	}
	for k, i := range h.by[device.ClassServer] {
		if i != h.backup {
			h.plan(midnight+2*60*minute+int64(k)*7*minute, func(at int64) { h.night(at, i) })
		}
	}
	switch time.Unix(0, midnight).UTC().Weekday() {
	case time.Tuesday: // software for the workstations
		for _, i := range h.by[device.ClassWorkstation] {
			h.plan(midnight+19*60*minute+h.rand.Int64N(60*minute), func(at int64) {
				h.play(a.web, part{at: at, src: i, dst: h.update, port: 8531, over: 5 * time.Minute, edit: func(d event.Detail) {
					if c, ok := d.(*event.Connection); ok {
						c.PayloadIn, c.BytesIn, c.PacketsIn = 400<<20, 420<<20, 300_000
					}
				}})
			})
		}
	case time.Wednesday: // service of the maker, announced by a window
		h.plan(midnight+10*60*minute, h.service)
	}
}

// night is the backup of a server.
func (h *hospital) night(at int64, i int) {
	h.play(h.acts.share, part{at: at, src: i, dst: h.backup, over: 40 * time.Minute, edit: func(d event.Detail) {
		if c, ok := d.(*event.Connection); ok {
			c.PayloadOut, c.BytesOut, c.PacketsOut = 4<<30+uint64(h.rand.IntN(1<<28)), 4<<30+1<<29, 3_000_000 //nolint:gosec // positive
		}
	}})
}

// announce is the schedule's message about a case.
func (h *hospital) announce(at int64, room string, from, to int64) {
	h.cases++
	ref := fmt.Sprintf("p:case%d", h.cases)
	const form = "20060102150405"
	h.plan(at, func(at int64) {
		h.play(h.acts.schedule, part{at: at, src: h.ehr, dst: h.engine, port: 2575, edit: func(d event.Detail) {
			if m, ok := d.(*event.HL7Message); ok {
				m.Schedule = &event.HL7Schedule{Appointment: ref, Status: "Booked", Room: room, Start: time.Unix(0, from).UTC().Format(form), End: time.Unix(0, to).UTC().Format(form)}
			}
		}})
	})
}

// visited says that the maker's service is at a theatre then: no case is planned there.
func visited(room string, from, to int64) bool {
	t := time.Unix(0, from).UTC()
	begins := t.Truncate(24 * time.Hour).Add(9 * time.Hour).UnixNano()
	return room == serviceRoom && t.Weekday() == time.Wednesday && from < begins+int64(4*time.Hour) && to > begins
}

// operation is a case: fluoroscopy with its step, the consumer of the room that reads the
// machines, the table, and in some rooms an endoscope, a robot, or a headset.
func (h *hospital) operation(at int64, room string, length int64) {
	if h.busy[room] > at {
		return
	}
	h.busy[room] = at + length
	a := &h.acts
	arm, ws, table := h.in(room, device.ClassCArm), h.in(room, device.ClassWorkstation), h.in(room, device.ClassSurgicalTable)
	patient, study := fmt.Sprintf("p:case%d-%s", at, room), fmt.Sprintf("1.2.826.0.1.6.%d", at+int64(arm))
	p := part{src: arm, dst: h.ris, patient: patient, study: study}
	do := func(in time.Duration, f func(at int64)) { h.plan(at+int64(in), f) }
	do(0, func(at int64) { p := p; p.at = at; h.play(a.worklist, p) })
	do(3*time.Minute, func(at int64) { p := p; p.at = at; h.play(a.stepBegins, p) })
	for n := range 6 + h.rand.IntN(10) {
		do(time.Duration(n+4)*3*time.Minute, func(at int64) { h.play(a.store, part{at: at, src: arm, dst: h.pacs, patient: patient, study: study}) })
	}
	do(time.Duration(length), func(at int64) {
		p := p
		p.at = at
		h.play(a.stepEnds, p)
		h.play(a.commit, part{at: at + 5e9, src: arm, dst: h.pacs, study: study})
		h.play(a.committed, part{at: at + 9e9, src: h.pacs, dst: arm, study: study})
	})
	anaesthesia := h.in(room, device.ClassAnaesthesia)
	for n := range int(length / int64(15*time.Minute)) {
		do(time.Duration(n)*15*time.Minute, func(at int64) {
			h.play(a.sdcRead, part{at: at, src: ws, dst: anaesthesia, patient: patient})
			h.play(a.sdcReport, part{at: at + 1e9, src: anaesthesia, dst: ws, patient: patient})
			h.play(a.table, part{at: at + 2e9, src: ws, dst: table})
		})
	}
	if xr, headset := h.in(room, device.ClassXRProcessor), h.in(room, device.ClassXRHeadset); xr >= 0 && headset >= 0 {
		do(time.Minute, func(at int64) { h.view(at, xr) })
		do(10*time.Minute, func(at int64) {
			h.play(a.pose, part{at: at, src: headset, dst: xr})
			h.play(a.media, part{at: at + 2e9, src: headset, dst: xr, over: time.Duration(length) - 20*time.Minute})
		})
	}
}

// The visit of a maker's service, at a C-arm.
const (
	serviceRoom    = "OR-5"
	serviceMinutes = 120
)

// service is somebody who updates a C-arm over the network: a remote desktop, and files.
func (h *hospital) service(at int64) {
	a, arm, jump := &h.acts, h.in(serviceRoom, device.ClassCArm), h.update
	h.play(a.desktop, part{at: at + int64(5*time.Minute), src: jump, dst: arm, over: 50 * time.Minute})
	h.play(a.ssh, part{at: at + int64(20*time.Minute), src: jump, dst: arm})
	h.play(a.web, part{at: at + int64(30*time.Minute), src: arm, dst: h.update, port: 443})
}

// windows are the maintenance that was announced.
func (h *hospital) windows() []suppress.Window {
	return []suppress.Window{{ID: "service", Name: "Service of the C-arm", Devices: []string{h.devices[h.in(serviceRoom, device.ClassCArm)].ID}, Effect: suppress.Hide, Repeat: suppress.Weekly,
		From: "2026-03-01", At: "10:00", Minutes: serviceMinutes, Weekdays: []time.Weekday{time.Wednesday}, Zone: "UTC", Owner: "medical engineering", Reason: "yearly service, order 4711 (fictional)"}}
}
