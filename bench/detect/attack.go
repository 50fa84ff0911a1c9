// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

// attack is something that somebody does in the hospital, and what is true of it.
type attack struct {
	name  string
	rules []string // each must find it
	do    func(h *hospital, at int64)
}

// within is how long after its begin an attack may be found.
const within = 6 * time.Hour

// again plays conversations one after the other.
func (h *hospital) again(n int, pause time.Duration, at int64, f func(i int, at int64)) {
	for i := range n {
		h.plan(at+int64(i)*int64(pause), func(at int64) { f(i, at) })
	}
}

// intruder is a machine that nobody knows, on the network of the theatres.
func (h *hospital) intruder() int {
	if i := slices.IndexFunc(h.devices, func(d device.Device) bool { return d.Class == outside && d.Name == "intruder" }); i >= 0 {
		return i
	}
	return h.add(device.Device{Name: "intruder", Class: outside, Interfaces: []device.Interface{{MAC: device.MAC{0xdc, 0xa6, 0x32, 9, 9, 9}, IPs: []netip.Addr{netip.MustParseAddr("10.40.9.9")}}}})
}

// single emits one event between two devices that is part of no recorded conversation.
func (h *hospital) single(at int64, src, dst int, proto uint8, port uint16, protocol string, activity uint8, status event.Status, d event.Detail) *event.Event {
	h.flow++
	a, b := &h.devices[src], &h.devices[dst]
	h.seq++
	e := &event.Event{UID: fmt.Sprintf("q%d", h.seq), Time: at, Activity: activity, Status: status, Protocol: protocol, Detail: d, Flow: &event.Flow{ID: h.flow, Proto: proto,
		Src: event.Endpoint{MAC: a.Interfaces[0].MAC, IP: a.Interfaces[0].IPs[0], Port: uint16(32_768 + h.flow%28_000)}, //nolint:gosec // in range
		Dst: event.Endpoint{MAC: b.Interfaces[0].MAC, IP: b.Interfaces[0].IPs[0], Port: port}}}
	h.file(e, a, b)
	return e
}

// conn is the end of a connection.
func (h *hospital) conn(at int64, src, dst int, port uint16, app string, activity uint8, state string, lasted time.Duration, out, in uint64) {
	status := event.StatusSuccess
	if state != "SF" {
		status = event.StatusFailure
	}
	h.single(at, src, dst, 6, port, app, activity, status, &event.Connection{Start: at - int64(lasted), End: at, PacketsOut: out/1000 + 3, PacketsIn: in/1000 + 3, BytesOut: out + 120, BytesIn: in + 120,
		PayloadOut: out, PayloadIn: in, State: state, App: app})
}

// attacks are those of the third week, in their order.
func attacks(c clips) []attack {
	const day, misuse, lab = "theatre.pcapng", "dicom-misuse/", "hl7-misuse/"
	named := func(title string) func(event.Detail) {
		return func(d event.Detail) {
			switch v := d.(type) {
			case *event.DICOMAssociation:
				v.CallingAE = title
			case *event.DICOMOperation:
				v.CallingAE = title
			}
		}
	}
	sni := func(name string) func(event.Detail) {
		return func(d event.Detail) {
			if t, ok := d.(*event.TLS); ok {
				t.SNI = name
			}
		}
	}
	recorded := func(capture, message string) func(*hospital, int64) {
		x := c.get(capture, message)
		return func(h *hospital, at int64) { h.play(x, part{at: at, src: h.intruder(), dst: h.pacs, kept: true}) }
	}
	whole := func(capture string, to func(*hospital) (src, dst int)) func(*hospital, int64) {
		x := c.all(capture)
		return func(h *hospital, at int64) {
			src, dst := to(h)
			h.play(x, part{at: at, src: src, dst: dst, kept: true})
		}
	}
	ct := func(h *hospital) int { return h.by[device.ClassCT][1] }
	fromCT := func(h *hospital) (int, int) { return ct(h), h.pacs }
	fromStranger := func(h *hospital) (int, int) { return h.intruder(), h.pacs }
	toEngine := func(h *hospital) (int, int) { return h.ehr, h.engine }
	return []attack{
		{"images of a theatre at night, where no case is", []string{"theatre.images-without-case"}, func(h *hospital, at int64) {
			h.plan(at+int64(2*time.Hour), func(at int64) {
				h.play(h.acts.store, part{at: at, src: h.in("OR-9", device.ClassCArm), dst: h.pacs})
			})
		}},
		{"nmap looks for DICOM stations and guesses AE titles", []string{"dicom.scanner-tool", "dicom.ae-title-guessing"}, whole("dicom-nmap-brute.pcap", fromStranger)},
		{"a stranger asks the archive for every patient", []string{"dicom.query-for-everybody"}, recorded(day, "UNKNOWN queried PACS")},
		{"a stranger calls itself as a CT does", []string{"dicom.borrowed-ae-title"}, func(h *hospital, at int64) {
			h.play(h.acts.echo, part{at: at, src: h.intruder(), dst: h.pacs, port: 104, edit: named(h.title(ct(h)))})
		}},
		{"a station that nobody knows is let in", []string{"dicom.unknown-calling-ae"}, func(h *hospital, at int64) {
			h.play(h.acts.echo, part{at: at, src: h.intruder(), dst: h.pacs, port: 104, edit: named("GHOST")})
		}},
		{"images are ordered to a destination that nobody is", []string{"dicom.move-unknown-destination"}, func(h *hospital, at int64) {
			h.play(h.acts.move, part{at: at, src: h.by[device.ClassWorkstation][30], dst: h.pacs, edit: func(d event.Detail) {
				if o, ok := d.(*event.DICOMOperation); ok && o.MoveDestination != "" {
					o.MoveDestination = "COPYSTATION"
				}
			}})
		}},
		{"a workstation searches for one patient after the other", []string{"dicom.query-sweep"}, func(h *hospital, at int64) {
			h.again(400, time.Second, at, func(_ int, at int64) {
				h.play(h.acts.find, part{at: at, src: h.by[device.ClassWorkstation][33], dst: h.pacs})
			})
		}},
		{"a workstation fetches study after study", []string{"dicom.bulk-retrieval"}, func(h *hospital, at int64) {
			h.again(300, 8*time.Second, at, func(i int, at int64) {
				h.play(h.acts.move, part{at: at, src: h.by[device.ClassWorkstation][36], dst: h.pacs, study: fmt.Sprintf("1.2.826.0.1.99.%d", i), edit: func(d event.Detail) {
					if o, ok := d.(*event.DICOMOperation); ok && o.MoveDestination != "" {
						o.MoveDestination, o.StudyInstance = h.title(h.by[device.ClassWorkstation][36]), fmt.Sprintf("1.2.826.0.1.99.%d", i)
					}
				}})
			})
		}},
		{"an archive is flooded with associations", []string{"dicom.association-flood"}, func(h *hospital, at int64) {
			h.again(600, 50*time.Millisecond, at, func(_ int, at int64) {
				h.play(h.acts.echo, part{at: at, src: h.by[device.ClassWorkstation][39], dst: h.pacs, port: 104})
			})
		}},
		{"a program inside of an image", []string{"dicom.executable-content"}, whole(misuse+"program-in-pixels.pcap", fromCT)},
		{"messages that break the standard", []string{"dicom.fuzzing", "dicom.oversized-pdu"}, whole(misuse+"broken.pcap", fromStranger)},
		{"two patients in one study", []string{"dicom.mixed-study"}, func(h *hospital, at int64) {
			h.play(h.acts.store, part{at: at, src: ct(h), dst: h.pacs, study: "1.2.826.0.1.98.1", patient: "p:one"})
			h.play(h.acts.store, part{at: at + int64(time.Minute), src: h.by[device.ClassCT][2], dst: h.pacs, study: "1.2.826.0.1.98.1", patient: "p:other"})
		}},
		{"TLS is refused until a station comes in clear", []string{"dicom.tls-downgrade"}, whole(misuse+"tls-fallback.pcap", fromCT)},
		{"an order is sent again", []string{"hl7.replayed-message"}, whole(lab+"replayed.pcap", toEngine)},
		{"an observation is smuggled in the comment of an order", []string{"hl7.injection"}, whole(lab+"smuggled-segment.pcap", toEngine)},
		{"a pump gives an order", []string{"hl7.unsolicited-order"}, func(h *hospital, at int64) {
			h.play(h.acts.order, part{at: at, src: h.by[device.ClassInfusionPump][80], dst: h.engine, port: 2575})
		}},
		{"every message is refused", []string{"hl7.nak-storm"}, whole(lab+"nak-storm.pcap", toEngine)},
		{"acknowledgements that belong to other messages", []string{"hl7.ack-mismatch"}, whole(lab+"wrong-acknowledgements.pcap", toEngine)},
		{"patient data leaves the hospital", []string{"exfiltration.medical-data-outside"}, func(h *hospital, at int64) {
			h.play(h.acts.admit, part{at: at, src: h.by[device.ClassWorkstation][40], dst: h.sites[7], port: 2575, patient: "p:x"})
		}},
		{"a shell on a headset", []string{"endpoint.adb-open"}, func(h *hospital, at int64) {
			h.play(c.get(day, "ADB connection to ML2_FICT"), part{at: at, src: h.intruder(), dst: h.by[device.ClassXRHeadset][0]})
		}},
		{"a login at an operating table by Telnet", []string{"endpoint.telnet-login"}, func(h *hospital, at int64) {
			h.play(c.get(day, "Telnet login"), part{at: at, src: h.intruder(), dst: h.by[device.ClassSurgicalTable][8]})
		}},
		{"the screen of an endoscope without a password", []string{"endpoint.vnc-without-password"}, func(h *hospital, at int64) {
			h.play(c.get("vnc/vnc-none.pcap", "VNC"), part{at: at, src: h.intruder(), dst: h.by[device.ClassEndoscopy][0], port: 5900})
		}},
		{"a remote desktop on an ultrasound, which nobody announced", []string{"endpoint.remote-desktop"}, func(h *hospital, at int64) {
			h.play(h.acts.desktop, part{at: at, src: h.by[device.ClassWorkstation][44], dst: h.by[device.ClassUltrasound][3]})
		}},
		{"passwords are guessed by FTP", []string{"endpoint.password-guessing"}, func(h *hospital, at int64) {
			x := c.get("ftp/ftp-clear.pcap", "FTP USER")
			h.again(60, 4*time.Second, at, func(_ int, at int64) {
				y := *x
				y.events = slices.DeleteFunc(slices.Clone(x.events), func(e *event.Event) bool { f, ok := e.Detail.(*event.FTP); return !ok || f.Command != "PASS" })
				h.refused(&y, part{at: at, src: h.intruder(), dst: h.files, port: 21})
			})
		}},
		{"a pump's console is opened with the password it was delivered with", []string{"endpoint.default-credential"}, func(h *hospital, at int64) {
			h.play(c.get("http/nginx.pcap", "HTTP GET"), part{at: at, src: h.intruder(), dst: h.by[device.ClassInfusionPump][3], port: 80, edit: func(d event.Detail) {
				if x, ok := d.(*event.HTTP); ok {
					x.DefaultCredential, x.AuthScheme = "pump-service", "Basic"
				}
			}})
		}},
		{"EternalBlue is sent to an ultrasound", []string{"endpoint.smb-exploit"}, func(h *hospital, at int64) {
			h.play(c.get("smb/smb1-nt1-spnego.pcap", "SMB"), part{at: at, src: h.intruder(), dst: h.by[device.ClassUltrasound][5], edit: func(d event.Detail) {
				if x, ok := d.(*event.SMB); ok && x.Command == "TREE_CONNECT" {
					x.Suspicious = []string{"eternalblue"}
				}
			}})
		}},
		{"a modality speaks SMB version 1", []string{"endpoint.smb1"}, func(h *hospital, at int64) {
			h.play(c.get("smb/smb1-nt1-spnego.pcap", "SMB"), part{at: at, src: h.by[device.ClassWorkstation][50], dst: h.by[device.ClassMR][1]})
		}},
		{"two gigabytes go to a place where nothing ever went", []string{"exfiltration.new-destination"}, func(h *hospital, at int64) {
			h.conn(at, h.by[device.ClassMR][2], h.sites[20], 443, "tls", 2, "SF", 20*time.Minute, 2<<30, 4<<20)
		}},
		{"a tool for remote access in a theatre", []string{"exfiltration.remote-access-tool"}, func(h *hospital, at int64) {
			h.play(h.acts.web, part{at: at, src: h.by[device.ClassWorkstation][2], dst: h.sites[21], port: 443, edit: sni("router1.teamviewer.com")})
		}},
		{"files in a theatre go to a cloud", []string{"exfiltration.cloud-storage"}, func(h *hospital, at int64) {
			h.play(h.acts.web, part{at: at, src: h.by[device.ClassWorkstation][4], dst: h.sites[22], port: 443, edit: sni("content.dropboxapi.com")})
		}},
		{"something waits for orders every minute", []string{"exfiltration.beacon"}, func(h *hospital, at int64) {
			h.again(120, time.Minute, at, func(_ int, at int64) {
				h.conn(at, h.by[device.ClassCT][3], h.sites[23], 443, "tls", 2, "SF", time.Second, 600, 900)
			})
		}},
		{"a tunnel in names (iodine)", []string{"exfiltration.dns-tunnel"}, func(h *hospital, at int64) {
			h.play(c.get("intrusion/dns-tunnel.pcap", "attacker.example"), part{at: at, src: h.by[device.ClassWorkstation][52], dst: h.names, kept: true})
		}},
		{"files of a share are encrypted (renamed by smbclient)", []string{"endpoint.ransomware"}, func(h *hospital, at int64) {
			h.play(c.get("intrusion/ransomware.pcap", "SMB"), part{at: at, src: h.by[device.ClassWorkstation][53], dst: h.files, kept: true})
		}},
		{"a program is put onto an ultrasound and started (psexec.py)", []string{"endpoint.remote-execution"}, func(h *hospital, at int64) {
			h.play(c.get("intrusion/remote-execution.pcap", "SMB"), part{at: at, src: h.intruder(), dst: h.by[device.ClassUltrasound][7], kept: true})
		}},
		{"a scan from address to address", []string{"network.horizontal-scan"}, func(h *hospital, at int64) {
			h.again(150, 200*time.Millisecond, at, func(i int, at int64) { h.conn(at, h.intruder(), 60+i, 445, "", 5, "REJ", time.Second, 0, 0) })
		}},
		{"a scan from port to port", []string{"network.vertical-scan"}, func(h *hospital, at int64) {
			h.again(300, 100*time.Millisecond, at, func(i int, at int64) {
				h.conn(at, h.intruder(), h.by[device.ClassVentilator][1], uint16(20+i), "", 5, "REJ", time.Second, 0, 0) //nolint:gosec // in range
			})
		}},
		{"another machine hands out addresses", []string{"network.rogue-dhcp"}, func(h *hospital, at int64) {
			rogue := h.intruder()
			h.again(6, 20*time.Second, at, func(i int, at int64) {
				h.play(h.acts.lease, part{at: at, src: h.by[device.ClassPrinter][i], dst: rogue, edit: func(d event.Detail) {
					if x, ok := d.(*event.DHCP); ok {
						x.ServerID, x.Routers = "10.40.9.9", []string{"10.40.9.9"}
					}
				}})
			})
		}},
		{"an operating table is told to move by somebody else", []string{"display.command-from-new-source"}, func(h *hospital, at int64) {
			h.play(h.acts.table, part{at: at, src: h.intruder(), dst: h.in("OR-4", device.ClassSurgicalTable), edit: func(d event.Detail) {
				if x, ok := d.(*event.Application); ok {
					x.Operation = "write_single_register"
				}
			}})
		}},
		{"a hologram stands still in a case", []string{"display.stream-stalled"}, func(h *hospital, at int64) {
			xr, headset := h.in("OR-2", device.ClassXRProcessor), h.in("OR-2", device.ClassXRHeadset)
			h.announce(at, "OR-2", at+int64(time.Minute), at+int64(time.Hour)) // an emergency, at whatever hour
			at += int64(30 * time.Minute)
			h.plan(at, func(at int64) { h.hologram(at, xr, headset, "") })
			h.plan(at+int64(20*time.Second), func(at int64) { h.hologram(at, xr, headset, "stalled") })
		}},
		{"a monitor's observations stop", []string{"vitals.observations-stopped"}, func(h *hospital, at int64) {
			h.mute(h.in("OR-7", device.ClassPatientMonitor), at, 3*time.Hour)
		}},
		{"the sensor sees nothing any more", []string{"sensor.blind"}, func(h *hospital, at int64) {
			h.seq++
			h.file(&event.Event{UID: fmt.Sprintf("q%d", h.seq), Time: at, Activity: 2, Protocol: "sensor", Detail: &event.SensorHealth{Sensor: "clean", What: "everything", Why: "no packet arrived"}}, &nobody, &nobody)
			h.plan(at+int64(10*time.Minute), func(at int64) {
				h.seq++
				h.file(&event.Event{UID: fmt.Sprintf("q%d", h.seq), Time: at, Activity: 3, Protocol: "sensor", Detail: &event.SensorHealth{Sensor: "clean"}}, &nobody, &nobody)
			})
		}},
	}
}

// nobody is whom an event without a conversation is about.
var nobody = device.Device{Class: outside}

// refused plays a login that is refused.
func (h *hospital) refused(x *clip, p part) {
	y := *x
	y.events = nil
	for _, e := range x.events {
		n := *e
		n.Status, n.StatusCode = event.StatusFailure, "530"
		d := copied(e.Detail)
		if f, ok := d.(*event.FTP); ok {
			f.Code, f.Reply = 530, "Login incorrect."
		}
		n.Detail = d
		y.events = append(y.events, &n)
	}
	h.play(&y, p)
}

// hologram is what the sensor says of a stream that goes on, or stands still.
func (h *hospital) hologram(at int64, src, dst int, detail string) {
	h.single(at, src, dst, 17, 50_002, "webrtc", 6, event.StatusUnknown, &event.Connection{Start: at - int64(10*time.Minute), End: at, PacketsOut: 400_000, PayloadOut: 900 << 20, BytesOut: 920 << 20, App: "webrtc", State: "SF"}).StatusDetail = detail
}

// mute keeps a device from saying anything for a time.
func (h *hospital) mute(dev int, from int64, d time.Duration) {
	h.muted[dev] = from + int64(d)
}
