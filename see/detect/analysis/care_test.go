// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"fmt"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

func hl7(kind, trigger, control, ack string) event.Event {
	return event.Event{Activity: 1, Protocol: "hl7", Detail: &event.HL7Message{Type: kind, Trigger: trigger, ControlID: control, SendingApp: "PUMPGW", SendingFacility: "OR3", ReceivingApp: "EHR",
		AckCode: ack, AckControlID: control, AckMatches: true, Answered: ack != ""}}
}

func TestSendersOfHL7(t *testing.T) {
	week := func(p *play) {
		for i := range 9 * 24 {
			d := time.Duration(i) * time.Hour
			p.see(d, "gw", "ehr", 6661, hl7("ORU", "R01", fmt.Sprint("M", i), "AA"))
			p.see(d+time.Minute, "gw", "ehr", 6661, hl7("ORU", "R40", fmt.Sprint("N", i), "AA"))
		}
	}
	now := 9 * 24 * time.Hour
	for name, tt := range map[string]struct {
		kinds string
		run   func(p *play)
	}{
		"a message that was accepted comes again": {"replay", func(p *play) { p.see(now, "gw", "ehr", 6661, hl7("ORU", "R01", "M210", "AA")) }},
		"not one that was refused": {"", func(p *play) {
			p.see(now, "gw", "ehr", 6661, hl7("ORU", "R01", "X", "AE"))
			p.see(now+time.Minute, "gw", "ehr", 6661, hl7("ORU", "R01", "X", "AA"))
		}},
		"not the copy that a network makes": {"", func(p *play) {
			p.see(now, "gw", "ehr", 6661, hl7("ORU", "R01", "X", "AA"))
			p.see(now+10*time.Millisecond, "gw", "ehr", 6661, hl7("ORU", "R01", "X", "AA"))
		}},
		"acknowledgements of other messages": {"ack-mismatch", func(p *play) {
			for i := range 4 {
				e := hl7("ORU", "R01", fmt.Sprint("X", i), "AA")
				e.Detail.(*event.HL7Message).AckControlID, e.Detail.(*event.HL7Message).AckMatches = "other", false
				p.see(now+time.Duration(i)*time.Second, "gw", "ehr", 6661, e)
			}
		}},
		"refusals in masses": {"nak-storm", func(p *play) {
			for i := range 40 {
				p.see(now+time.Duration(i)*time.Second, "gw", "ehr", 6661, hl7("ORU", "R01", fmt.Sprint("X", i), "AE"))
			}
		}},
		"a kind of message that it never sent": {"role", func(p *play) { p.see(now, "gw", "ehr", 6661, hl7("ADT", "A08", "X", "AA")) }},
		"an order from what never ordered":     {"unsolicited-order", func(p *play) { p.see(now, "gw", "ehr", 6661, hl7("RDE", "O11", "X", "AA")) }},
		"the application at another device":    {"moved", func(p *play) { p.see(now, "laptop", "ehr", 6661, hl7("ORU", "R01", "X", "AA")) }},
		"not the usual":                        {"", func(p *play) { p.see(now, "gw", "ehr", 6661, hl7("ORU", "R01", "X", "AA")) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "hl7state", nil)
			week(p)
			tt.run(p)
			p.expect(tt.kinds)
		})
	}
}

func TestAnOrderFromAPumpIsFoundAtOnce(t *testing.T) {
	for class, kinds := range map[device.Class]string{device.ClassInfusionPump: "unsolicited-order", device.ClassEHR: "", device.ClassInterfaceEngine: ""} {
		p := newPlay(t, "hl7state", nil)
		p.device("x", class, "")
		p.see(0, "x", "ehr", 6661, hl7("RDE", "O11", "X", "AA"))
		p.expect(kinds)
	}
}

func TestAnOrderFromAPumpIsFoundUnderANameThatOrders(t *testing.T) {
	p := newPlay(t, "hl7state", nil)
	p.device("pump", device.ClassInfusionPump, "")
	for i := range 10 {
		p.see(time.Duration(i)*time.Minute, "engine", "ehr", 6661, hl7("ORM", "O01", fmt.Sprint("X", i), "AA"))
	}
	p.expect("")
	p.see(time.Hour, "pump", "ehr", 6661, hl7("ORM", "O01", "Y", "AA"))
	p.expect("unsolicited-order")
}

func store(flow uint64, patient, study string) event.Event {
	return event.Event{Activity: 2, Status: event.StatusSuccess, Protocol: "dicom", Flow: &event.Flow{ID: flow, Proto: 6}, Detail: &event.DICOMOperation{Command: "C-STORE", PatientRef: patient, StudyInstance: study, Answered: true}}
}

func TestWhatHappensInDICOM(t *testing.T) {
	assoc := func(activity uint8, objects uint32) event.Event {
		return event.Event{Activity: activity, Protocol: "dicom", Detail: &event.DICOMAssociation{CallingAE: "CT", Objects: objects}}
	}
	find := func() event.Event {
		return event.Event{Activity: 3, Status: event.StatusSuccess, Protocol: "dicom", Detail: &event.DICOMOperation{Command: "C-FIND", Answered: true}}
	}
	week := func(p *play) {
		for i := range 9 * 12 {
			p.see(time.Duration(i)*2*time.Hour, "ct", "pacs", 104, store(uint64(1000+i), fmt.Sprint("p", i), fmt.Sprint("s", i)))
		}
	}
	now := 9 * 24 * time.Hour
	for name, tt := range map[string]struct {
		kinds string
		run   func(p *play)
	}{
		"two patients in one association of a modality": {"mixed-patients", func(p *play) {
			p.see(now, "ct", "pacs", 104, store(7, "p1", "s-a"))
			p.see(now+1, "ct", "pacs", 104, store(7, "p2", "s-b"))
		}},
		"two patients in one study": {"mixed-study", func(p *play) {
			p.see(now, "router", "pacs", 104, store(7, "p1", "s-a"))
			p.see(now+1, "router", "pacs", 104, store(8, "p2", "s-a"))
		}},
		"not an archive that sends many patients": {"", func(p *play) {
			for i := range 20 {
				p.see(now+time.Duration(i), "pacs2", "pacs", 104, store(7, fmt.Sprint("p", i), fmt.Sprint("x", i)))
			}
		}},
		"a modality that takes objects": {"archive", func(p *play) { p.see(now, "laptop", "ct", 104, store(9, "p1", "s-a")) }},
		"a modality that takes objects right after something lesser": {"role archive", func(p *play) {
			p.see(now, "ct", "ris", 104, find())
			p.see(now+time.Minute, "laptop", "ct", 104, store(9, "p1", "s-a"))
		}},
		"a modality that searches, which it never did": {"role", func(p *play) {
			p.see(now, "ct", "ris", 104, find())
		}},
		"associations that break off while storing": {"aborted-store", func(p *play) {
			for i := range 4 {
				p.see(now+time.Duration(i)*time.Minute, "ct", "pacs", 104, assoc(5, 3))
			}
		}},
		"connections that are lost while storing": {"aborted-store", func(p *play) {
			for i := range 4 {
				e := assoc(6, 3)
				e.Detail.(*event.DICOMAssociation).Operations = map[string]uint32{"C-STORE": 4}
				p.see(now+time.Duration(i)*time.Minute, "ct", "pacs", 104, e)
			}
		}},
		"not a sender that closes the connection after its last object": {"", func(p *play) {
			for i := range 40 {
				e := assoc(6, 3)
				e.Detail.(*event.DICOMAssociation).Operations = map[string]uint32{"C-STORE": 3}
				p.see(now+time.Duration(i)*time.Minute, "ct", "pacs", 104, e)
			}
		}},
		"not those that are released": {"", func(p *play) {
			for i := range 40 {
				p.see(now+time.Duration(i)*time.Minute, "ct", "pacs", 104, assoc(4, 3))
			}
		}},
		"a flood of associations": {"flood", func(p *play) {
			for i := range 500 {
				p.see(now+time.Duration(i)*50*time.Millisecond, "laptop", "pacs", 104, assoc(3, 0))
			}
		}},
		"an association that is held open": {"slow", func(p *play) {
			e := tcp("SF", time.Hour, now, 300, 300)
			e.Protocol = "dicom"
			p.see(now, "laptop", "pacs", 104, e)
		}},
		"not one that works for an hour": {"", func(p *play) {
			e := tcp("SF", time.Hour, now, 3e9, 1e6)
			e.Protocol = "dicom"
			p.see(now, "laptop", "pacs", 104, e)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "dicomstate", nil)
			p.device("ct", device.ClassCT, "OR-3")
			p.device("pacs", device.ClassPACS, "")
			week(p)
			tt.run(p)
			p.expect(tt.kinds)
		})
	}
}

// report is what the sensor says of a flow that goes on.
func report(flow uint64, d time.Duration, bytes uint64) event.Event {
	e := tcp("S1", d, d, bytes, 1000)
	e.Activity, e.Flow = 6, &event.Flow{ID: flow, Proto: 6}
	return e
}

func TestStreamsInACase(t *testing.T) {
	const rate = 100_000 // bytes a second
	minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	flows := func(p *play, from, to int) {
		for i := from; i <= to; i++ {
			p.see(minutes(i), "xr", "headset", 9000, report(5, minutes(i), uint64(i)*60*rate))
		}
	}
	for name, tt := range map[string]struct {
		kinds string
		quiet bool // no case is in progress
		run   func(p *play)
	}{
		"one that the sensor says has stalled": {kinds: "stalled", run: func(p *play) {
			flows(p, 1, 10)
			e := report(5, minutes(10)+2*time.Second, 600*rate)
			e.StatusDetail = "stalled"
			p.see(minutes(10)+2*time.Second, "xr", "headset", 9000, e)
		}},
		"one of which nothing is reported any more": {kinds: "stalled", run: func(p *play) {
			flows(p, 1, 10)
			p.until(at(minutes(12)))
		}},
		"one that carries much less": {kinds: "slowed", run: func(p *play) {
			flows(p, 1, 10)
			p.see(minutes(11), "xr", "headset", 9000, report(5, minutes(11), 610*rate))
		}},
		"one that is reset": {kinds: "lost", run: func(p *play) {
			flows(p, 1, 10)
			e := tcp("RSTR", minutes(10), minutes(10)+time.Second, 600*rate, 1000)
			e.Flow = &event.Flow{ID: 5, Proto: 6}
			p.see(minutes(10)+time.Second, "xr", "headset", 9000, e)
		}},
		"one that begins again and again": {kinds: "restarts", run: func(p *play) {
			for i := range 6 {
				d := time.Duration(i+1) * 30 * time.Second
				p.see(d, "xr", "headset", 9000, tcp("RSTR", 20*time.Second, d, 20*rate, 1000))
			}
		}},
		"not one that is closed in good order": {run: func(p *play) {
			flows(p, 1, 10)
			e := tcp("SF", minutes(10), minutes(10)+time.Second, 600*rate, 1000)
			e.Flow = &event.Flow{ID: 5, Proto: 6}
			p.see(minutes(10)+time.Second, "xr", "headset", 9000, e)
			p.until(at(minutes(60)))
		}},
		"not one that flows": {run: func(p *play) { flows(p, 1, 60) }},
		"not when no case is in progress": {quiet: true, run: func(p *play) {
			flows(p, 1, 10)
			p.until(at(minutes(30)))
		}},
		"not a web page that is loaded again and again": {run: func(p *play) {
			for i := range 30 {
				d := time.Duration(i+1) * 10 * time.Second
				e := tcp("RSTR", 5*time.Second, d, 20*rate, 1000)
				e.Detail.(*event.Connection).App = "http"
				p.see(d, "ws", "web", 80, e)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "stream", nil)
			p.inCase = !tt.quiet
			tt.run(p)
			p.expect(tt.kinds)
		})
	}
}

func TestPacketsOfAStreamThatComeLate(t *testing.T) {
	rtp := func(jitter, pause, lost string) event.Event {
		return event.Event{Activity: 4, Protocol: "rtp", Flow: &event.Flow{Proto: 17}, Detail: &event.Application{Name: "rtp", Operation: "stream", Attributes: []event.KV{{Name: "packets", Value: "5000"},
			{Name: "jitter_ms", Value: jitter}, {Name: "longest_pause_ms", Value: pause}, {Name: "lost", Value: lost}}}}
	}
	for _, tt := range []struct{ jitter, pause, lost, kinds string }{{"1.2", "40", "3", ""}, {"80.1", "90", "0", "jitter"}, {"1.2", "2400.5", "0", "jitter"}, {"1.2", "50", "400", "jitter"}, {"x", "", "-1", ""}} {
		p := newPlay(t, "stream", nil)
		p.inCase = true
		p.see(0, "cam", "display", 5004, rtp(tt.jitter, tt.pause, tt.lost))
		p.expect(tt.kinds)
	}
}

func TestVitalSignsThatStayOut(t *testing.T) {
	message := func(m string) event.Event {
		return event.Event{Activity: 4, Protocol: "sdc", Detail: &event.MedicalDevice{Standard: "sdc", Message: m}}
	}
	p := newPlay(t, "stream", nil)
	p.inCase = true
	last := time.Duration(0)
	for i := range 60 {
		last = time.Duration(i) * time.Second
		p.see(last, "monitor", "station", 6464, message("EpisodicMetricReport"))
	}
	p.until(at(last + 4*time.Second))
	p.expect("")
	p.until(at(last + 8*time.Second))
	p.expect("stalled")
	if p.hits[0].Time > at(last+6*time.Second) || len(p.hits[0].Devices) != 2 || p.hits[0].Theatre != "OR-3" {
		t.Errorf("hit %+v", p.hits[0])
	}

	p = newPlay(t, "stream", nil)
	p.inCase = true
	for i := range 60 {
		p.see(time.Duration(i)*time.Second, "monitor", "station", 6464, message("EpisodicMetricReport"))
	}
	p.see(time.Minute, "monitor", "station", 6464, message("Bye"))
	p.until(at(time.Hour))
	p.expect("")
}
