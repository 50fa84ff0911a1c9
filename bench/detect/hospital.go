// SPDX-License-Identifier: Apache-2.0

package main

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/see/detect"
)

// hospital is a clean one of 500 devices that does not exist: modalities that send to an
// archive, pumps and monitors that report to an interface engine, workstations that look
// names up, clocks, leases, backups at night. The same seed gives the same week.
type hospital struct {
	devices  []device.Device
	theatres []theatre.Theatre
	rand     *rand.Rand
	queue    tasks
	seq      uint64
	flow     uint64
	emit     func(*detect.Recorded)

	pacs, engine, names, clock, update, backup int // devices
}

// fleet is how many devices of each class there are; together 500.
var fleet = []struct {
	class device.Class
	n     int
}{{device.ClassPACS, 1}, {device.ClassInterfaceEngine, 1}, {device.ClassServer, 8}, {device.ClassCT, 10}, {device.ClassMR, 8}, {device.ClassXRay, 22}, {device.ClassUltrasound, 30},
	{device.ClassCArm, 20}, {device.ClassInfusionPump, 160}, {device.ClassPatientMonitor, 90}, {device.ClassWorkstation, 130}, {device.ClassPrinter, 20}}

// monday is the first day.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func newHospital() *hospital {
	h := &hospital{rand: rand.New(rand.NewPCG(7, 11))} //nolint:gosec // the same week each time
	for _, f := range fleet {
		for i := range f.n {
			n := len(h.devices)
			ip := netip.AddrFrom4([4]byte{10, 40, byte(n / 200), byte(n%200 + 10)})
			d := device.Device{ID: fmt.Sprintf("dev-%03d", n), Name: fmt.Sprintf("%s-%d", f.class, i+1), Class: f.class, First: monday.AddDate(0, -6, 0).UnixNano(),
				Interfaces: []device.Interface{{MAC: device.MAC{2, 0, 0, 0, byte(n >> 8), byte(n)}, IPs: []netip.Addr{ip}}}}
			if f.class == device.ClassCArm {
				d.Theatre = fmt.Sprintf("OR-%d", i+1)
				h.theatres = append(h.theatres, theatre.Theatre{ID: d.Theatre, Name: d.Theatre, State: theatre.Idle})
			}
			switch f.class {
			case device.ClassPACS, device.ClassCT, device.ClassMR, device.ClassXRay, device.ClassUltrasound, device.ClassCArm:
				d.AETitles = []string{fmt.Sprintf("AE%03d", n)}
			}
			h.devices = append(h.devices, d)
		}
	}
	h.pacs, h.engine, h.names, h.clock, h.update, h.backup = 0, 1, 2, 3, 4, 5
	return h
}

// task is what a device does at a time, and when again.
type task struct {
	at   int64
	dev  int
	what func(h *hospital, at int64, dev int) (again time.Duration)
}

type tasks []task

func (t tasks) Len() int { return len(t) }
func (t tasks) Less(i, j int) bool {
	return t[i].at < t[j].at || t[i].at == t[j].at && t[i].dev < t[j].dev
}
func (t tasks) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *tasks) Push(x any)   { *t = append(*t, x.(task)) } //nolint:errcheck // a heap of tasks
func (t *tasks) Pop() any {
	old := *t
	x := old[len(old)-1]
	*t = old[:len(old)-1]
	return x
}

// run plays days and shows each event in its order.
func (h *hospital) run(days int, emit func(*detect.Recorded)) {
	h.emit = emit
	start := monday.UnixNano()
	add := func(dev int, what func(*hospital, int64, int) time.Duration, within time.Duration) {
		heap.Push(&h.queue, task{start + h.rand.Int64N(int64(within)), dev, what})
	}
	for i := range h.devices {
		add(i, (*hospital).ntp, time.Hour)
		add(i, (*hospital).dhcp, 8*time.Hour)
		switch h.devices[i].Class {
		case device.ClassCT, device.ClassMR, device.ClassXRay, device.ClassUltrasound, device.ClassCArm:
			add(i, (*hospital).study, time.Hour)
		case device.ClassInfusionPump, device.ClassPatientMonitor:
			add(i, (*hospital).report, 5*time.Minute)
		case device.ClassWorkstation:
			add(i, (*hospital).lookup, 10*time.Minute)
		case device.ClassServer:
			heap.Push(&h.queue, task{start + int64(2*time.Hour) + int64(i)*int64(7*time.Minute), i, (*hospital).nightly})
		}
	}
	end := start + int64(days)*int64(24*time.Hour)
	for h.queue.Len() > 0 {
		t := heap.Pop(&h.queue).(task) //nolint:errcheck // a heap of tasks
		if t.at >= end {
			continue
		}
		if again := t.what(h, t.at, t.dev); again > 0 {
			t.at += int64(again)
			heap.Push(&h.queue, t)
		}
	}
}

// about is a time that varies by a fifth.
func (h *hospital) about(d time.Duration) time.Duration {
	return d*4/5 + time.Duration(h.rand.Int64N(int64(d)*2/5))
}

// shift is how much less is done in the night.
func shift(at int64) time.Duration {
	if hour := time.Unix(0, at).UTC().Hour(); hour < 6 || hour >= 21 {
		return 6
	}
	return 1
}

// show emits an event between two devices.
func (h *hospital) show(at int64, src, dst int, proto uint8, port uint16, protocol string, activity uint8, d event.Detail) {
	h.seq++
	a, b := &h.devices[src], &h.devices[dst]
	e := &event.Event{UID: fmt.Sprintf("q%d", h.seq), Time: at, Activity: activity, Severity: finding.Info, Status: event.StatusSuccess, Protocol: protocol, Detail: d,
		Flow: &event.Flow{ID: h.flow, Proto: proto, Src: event.Endpoint{MAC: a.Interfaces[0].MAC, IP: a.Interfaces[0].IPs[0], Port: uint16(40000 + h.flow%20000)}, //nolint:gosec // in range
			Dst: event.Endpoint{MAC: b.Interfaces[0].MAC, IP: b.Interfaces[0].IPs[0], Port: port}}}
	r := detect.Recorded{Event: e, Record: record.Record{Seq: h.seq, Time: at, Class: e.Class(), Activity: activity, Severity: finding.Info, Status: e.Status, Protocol: protocol, Sensor: "clean",
		Src: e.Flow.Src.IP, Dst: e.Flow.Dst.IP, SrcDevice: a.ID, DstDevice: b.ID, Theatre: a.Theatre}}
	h.emit(&r)
}

// conn emits the end of a connection.
func (h *hospital) conn(at int64, src, dst int, proto uint8, port uint16, app string, out, in uint64) {
	const closed = 2
	h.show(at, src, dst, proto, port, app, closed, &event.Connection{Start: at - int64(time.Second), End: at, PacketsOut: out/1000 + 3, PacketsIn: in/1000 + 3, BytesOut: out, BytesIn: in, PayloadOut: out, PayloadIn: in, State: "SF", App: app})
}

func (h *hospital) ntp(at int64, dev int) time.Duration {
	h.flow++
	h.show(at, dev, h.clock, 17, 123, "ntp", 1, &event.NTP{Version: 4, Stratum: 2, OffsetMS: h.rand.Int64N(40) - 20})
	h.conn(at+1e9, dev, h.clock, 17, 123, "ntp", 76, 76)
	return h.about(30 * time.Minute)
}

func (h *hospital) dhcp(at int64, dev int) time.Duration {
	h.flow++
	h.show(at, dev, h.names, 17, 67, "dhcp", 1, &event.DHCP{Version: 4, Type: "DHCPREQUEST", ClientMAC: h.devices[dev].Interfaces[0].MAC.String(), ClientIP: h.devices[dev].Interfaces[0].IPs[0].String()})
	return h.about(8 * time.Hour)
}

// study sends the images of an examination to the archive.
func (h *hospital) study(at int64, dev int) time.Duration {
	h.flow++
	ae, archive := h.devices[dev].AETitles[0], h.devices[h.pacs].AETitles[0]
	h.show(at, dev, h.pacs, 6, 104, "dicom", 1, &event.DICOMAssociation{CallingAE: ae, CalledAE: archive, MaxPDU: 16384})
	n := 2 + h.rand.IntN(12)
	uid := fmt.Sprintf("1.2.826.0.1.%d", h.seq)
	for i := range n {
		h.show(at+int64(i+1)*4e8, dev, h.pacs, 6, 104, "dicom", 2, &event.DICOMOperation{Command: "C-STORE-RQ", CallingAE: ae, CalledAE: archive, StudyInstance: uid, SeriesInstance: uid + ".1",
			SOPInstance: fmt.Sprintf("%s.1.%d", uid, i), Modality: "OT", PatientRef: "p" + uid})
	}
	h.conn(at+int64(n+2)*4e8, dev, h.pacs, 6, 104, "dicom", uint64(n)*500_000, 4000) //nolint:gosec // small
	return h.about(25*time.Minute) * shift(at)
}

// report is a message of a pump or monitor.
func (h *hospital) report(at int64, dev int) time.Duration {
	h.flow++
	h.show(at, dev, h.engine, 6, 2575, "hl7", 1, &event.HL7Message{Type: "ORU", Trigger: "R01", ControlID: fmt.Sprintf("C%d", h.seq), Version: "2.6", SendingApp: h.devices[dev].Name,
		SendingFacility: "CLEAN", ReceivingApp: "ENGINE", ReceivingFacility: "CLEAN", Segments: []string{"MSH", "PID", "OBR", "OBX*4"}})
	h.conn(at+1e9, dev, h.engine, 6, 2575, "hl7", 900, 200)
	return h.about(15 * time.Minute)
}

var sites = []string{"intranet.clean.example", "mail.clean.example", "time.clean.example", "pacs.clean.example", "updates.vendor.example", "news.example"}

func (h *hospital) lookup(at int64, dev int) time.Duration {
	h.flow++
	h.show(at, dev, h.names, 17, 53, "dns", 2, &event.DNS{ID: uint16(h.flow % 65536), Query: sites[h.rand.IntN(len(sites))], Type: "A", RCodeName: "NOERROR", Questions: 1}) //nolint:gosec // in range
	h.conn(at+1e9, dev, h.names, 17, 53, "dns", 70, 140)
	h.flow++
	h.conn(at+3e9, dev, h.update, 6, 443, "tls", 4000, 60_000)
	return h.about(12*time.Minute) * shift(at)
}

// nightly is the backup of a server.
func (h *hospital) nightly(at int64, dev int) time.Duration {
	if dev == h.backup {
		return 0
	}
	h.flow++
	h.conn(at, dev, h.backup, 6, 445, "smb", 4<<30+uint64(h.rand.IntN(1<<28)), 1<<22) //nolint:gosec // positive
	return 24 * time.Hour
}
