// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
)

// fact is evidence that a capture must give about an address.
type fact struct {
	ip, attr, value, source string
}

func has(h *analyzetest.Host, f fact) bool {
	for _, e := range h.Facts {
		if e.Subject.IP.String() == f.ip && string(e.Attribute) == f.attr && e.Value == f.value && e.Source == f.source {
			return true
		}
	}
	return false
}

const ours, theirs = "../../../../testdata/captures/", "../../../../../shared/captures/"

func TestCapturesGiveTheIdentityOfTheirDevices(t *testing.T) {
	for _, c := range []struct {
		file  string
		facts []fact
	}{
		{theirs + "tapirx/HL7-ADT-UDI-PRT.pcap", []fact{
			{"10.0.0.155", "vendor", "Hospira", "hl7.prt-16"}, {"10.0.0.155", "model", "Plum A+", "hl7.prt-16"}, {"10.0.0.155", "udi", "Hospira Plum A+", "hl7.prt-16"},
			{"10.0.0.155", "class", "infusion-pump", "hl7.prt-16"}, {"10.0.0.155", "hl7_role", "sends:ADT^A01", "hl7.msh-9"}, {"10.0.0.126", "service", "hl7/tcp:6661", "hl7"},
		}},
		{ours + "hl7-oru-udi.pcap", []fact{
			{"10.20.3.41", "udi", "(01)09520000000172(11)240101(21)FICT-PUMP-21", "hl7.prt-10"}, {"10.20.3.41", "serial", "FICT-PUMP-21", "hl7.prt-10"}, {"10.20.3.41", "class", "infusion-pump", "hl7.obr-4"},
			{"10.20.3.41", "eui64", "0003B1FFFE0A1021", "hl7.msh-3"}, {"10.20.3.42", "class", "patient-monitor", "hl7.obr-4"}, {"10.20.3.42", "eui64", "00095CFFFE0A1022", "hl7.msh-3"},
			{"10.20.3.43", "udi", "(01)09520000000240(21)FICT-VENT-7", "hl7.obx-18"}, {"10.20.3.43", "model", "Evita (fictional)", "hl7.obx-18"}, {"10.20.3.43", "class", "ventilator", "hl7.obr-4"},
		}},
		{ours + "lis2a2-astm.pcap", []fact{{"10.20.3.46", "class", "lab-analyser", "lis2-a2.records"}, {"10.20.3.46", "model", "cobas (fictional)", "lis2-a2.h-5"}, {"10.20.3.46", "serial", "FICT-BGA-4", "lis2-a2.h-5"}, {"10.20.3.46", "firmware", "8.04", "lis2-a2.h-5"}}},
		{ours + "poct1a.pcap", []fact{{"10.20.3.46", "class", "lab-analyser", "poct1-a.HEL.R01"}, {"10.20.3.46", "serial", "FICT-BGA-4", "poct1-a.dev.serial_id"}, {"10.20.3.46", "eui64", "004049FFFE0A1031", "poct1-a.dev.device_id"}, {"10.20.3.61", "service", "poct1-a/tcp:3500", "poct1-a"}}},
		{ours + "sdc.pcap", []fact{{"10.20.3.43", "class", "ventilator", "sdc.mds.type"}, {"10.20.3.43", "class", "ventilator", "sdc.scope.type"}, {"10.20.3.43", "location", "LINDENHOF/OR/OR3/1", "sdc.scope.location"}, {"10.20.3.43", "udi", "(01)09520000000240(21)FICT-VENT-7", "sdc.mds.udi"}, {"10.20.3.44", "model", "Perseus (fictional)", "dpws.this-model.model-name"},
			{"10.20.3.44", "firmware", "3.01", "dpws.this-device.firmware-version"}, {"10.20.3.44", "device_id", "urn:uuid:0dd4ffa0-cfbe-5936-b2b7-185b76ffd095", "ws-discovery.endpoint-reference"}, {"10.20.3.20", "uses", "sdc", "sdc"}}},
		{ours + "wsd/wsdd.pcap", []fact{{"192.0.2.11", "class", "workstation", "ws-discovery.types"}}},
		{ours + "fhir-http.pcap", []fact{{"10.20.3.60", "service", "fhir/tcp:8080", "fhir"}, {"10.20.3.60", "banner", "Lindenhof EHR (fictional) 7.3", "fhir.capability.software"}}},
		{ours + "dicomweb.pcap", []fact{{"10.20.3.101", "service", "dicomweb/tcp:8042", "dicomweb"}, {"10.20.3.101", "class", "pacs", "dicomweb.stow-rs"}}},
	} {
		t.Run(filepath.Base(c.file), func(t *testing.T) {
			h := analyse(t, c.file, false)
			for _, f := range c.facts {
				if !has(h, f) {
					t.Errorf("missing: %+v", f)
				}
			}
			if t.Failed() {
				t.Log(lines(h))
			}
		})
	}
}

// counts of events by what they say, per capture.
func TestCapturesGiveTheirEvents(t *testing.T) {
	for _, c := range []struct {
		file string
		want map[string]int
	}{
		{"hl7-acks.pcap", map[string]int{"ADT^A01 AE": 1, "ADT^A08 AR": 1, "SIU^S12 AA": 1, "SIU^S12 CE": 1, "ADT^A01 AA mismatch": 1}},
		{"hl7-batch.pcap", map[string]int{"batch of 3 AA": 1}},
		{"hl7-one-sided.pcap", map[string]int{"ADT^A01 unanswered": 1, "ADT^A08 unanswered": 1}},
		{"hl7-siu.pcap", map[string]int{"SIU^S12 AA": 1, "SIU^S13 AA": 1, "SIU^S15 AA": 1}},
		{"hl7-pipeline.pcap", map[string]int{"ADT^A01 AA": 2, "ADT^A08 AA": 1, "ORM^O01 AA": 1, "ADT^A08 unanswered malformed": 1}},
		{"lis2a2-astm.pcap", map[string]int{"lis2-a2 results": 2, "lis2-a2 query": 2, "lis2-a2 orders": 2}},
		{"poct1a.pcap", map[string]int{"poct1-a HEL.R01": 1, "poct1-a OBS.R01": 1, "poct1-a ACK.R01": 6, "poct1-a DST.R01": 1, "poct1-a REQ.R01": 1, "poct1-a EOT.R01": 1, "poct1-a END.R01": 1}},
		{"dicomweb.pcap", map[string]int{"STOW-RS": 1, "QIDO-RS": 4, "WADO-RS": 2, "WADO-URI": 1}},
		{"fhir-http.pcap", map[string]int{"capabilities": 2, "read": 3, "search": 3, "create": 1, "batch": 1, "operation": 1}},
	} {
		t.Run(c.file, func(t *testing.T) {
			h := analyse(t, ours+c.file, false)
			got := map[string]int{}
			for _, e := range h.Events {
				k := ""
				switch d := e.Detail.(type) {
				case *event.HL7Message:
					k = messageName(d)
					if d.BatchMessages > 0 {
						k = fmt.Sprintf("batch of %d", d.BatchMessages)
					}
					if d.Answered {
						k += " " + d.AckCode
						if !d.AckMatches {
							k += " mismatch"
						}
					} else {
						k += " unanswered"
					}
					if d.Malformed != "" {
						k += " malformed"
					}
				case *event.MedicalDevice:
					k = d.Standard + " " + d.Message
				case *event.Rest:
					k = d.Interaction
				default:
					continue
				}
				got[k]++
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("\n got %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestEverySegmentationGivesTheSame(t *testing.T) {
	for _, f := range clinicalCaptures(t) {
		t.Run(filepath.Base(f), func(t *testing.T) {
			whole, split := lines(analyse(t, f, false)), lines(analyse(t, f, true))
			// The clock of the harness moves with each segment.
			strip := func(s string) string {
				var out []string
				for _, l := range strings.Split(s, "\n") {
					if i := strings.Index(l, `"ack_latency_ms":`); i >= 0 {
						j := i + strings.IndexAny(l[i:], ",}")
						l = l[:i] + l[j:]
					}
					if !strings.HasPrefix(l, "event http ") {
						out = append(out, l)
					}
				}
				return strings.Join(out, "\n")
			}
			if strip(whole) != strip(split) {
				t.Errorf("whole:\n%s\nbyte by byte:\n%s", whole, split)
			}
		})
	}
}

// secrets are what the captures and the messages of these tests hold of patients
// and staff.
var secrets = []string{
	"135769", "MOUSE", "MICKEY", "Mickey", "19281118", "123 Main", "Lake Buena", "407)939", "ohtoodles", "999999999", "MOUSETOWN", // tapirx ADT
	"Disney", "Walt", "Hazel", "Selenium", "test@email", // tapirx ORM, staff
	"FICT-0001", "FICT-0002", "Probe^", "Probe,", "Petra", "19700101", "1970-01-01", "Musterweg", "555 0001", "FICT-V-1", "Fiktiv", "Franz", "Chirurg", "Clara", "FICT-OP-1", "FICT-S-1", "FICT-APP-1", // ours
	"SECRET", // in the messages below, in every field that names a person
}

func leaks(t *testing.T, h *analyzetest.Host) {
	t.Helper()
	for _, e := range h.Events {
		if e.Protocol == "http" {
			continue // another package's
		}
		b, err := json.Marshal(e.Detail)
		if err != nil {
			t.Fatal(err)
		}
		all := string(b) + "|" + e.Message + "|" + e.StatusDetail + "|" + e.StatusCode
		for _, s := range secrets {
			if strings.Contains(all, s) {
				t.Errorf("event shows %q: %s", s, all)
			}
		}
	}
	for _, e := range h.Facts {
		for _, s := range secrets {
			if strings.Contains(e.Value, s) || strings.Contains(e.Source, s) {
				t.Errorf("evidence shows %q: %+v", s, e)
			}
		}
	}
}

func TestNothingOfAPatientIsShown(t *testing.T) {
	t.Run("captures", func(t *testing.T) {
		for _, f := range clinicalCaptures(t) {
			leaks(t, analyse(t, f, false))
		}
	})
	field := func(n int) string { return strings.Repeat("|SECRET^SECRET^SECRET&SECRET^SECRET~SECRET", n) }
	header := "\vMSH|^~\\&|APP|FAC|EHR|HOSP|20260101||%s|7|P|2.5\r"
	for _, typ := range []string{"ADT^A01", "ORU^R01", "ORM^O01", "SIU^S12", "MDM^T02", "QRY^A19", "ACK^A01"} {
		t.Run(typ, func(t *testing.T) {
			msg := fmt.Sprintf(header, typ)
			for _, seg := range []string{"PID", "PD1", "NK1", "GT1", "IN1", "EVN", "MRG", "TXA", "QRD", "QPD", "ROL", "AIP", "DG1", "AL1", "NTE|1|"} {
				msg += seg + field(40) + "\r"
			}
			msg += "PV1|1|I|7^SECRET^Secret" + field(45) + "\rORC|NW" + field(20) + "\rOBR|1" + field(2) + "|1^text" + field(30) +
				"\rOBX|1|ST|1^SECRET TEXT||SECRET" + "\rOBX|2|ST|SECRET NAME||x\rSCH" + field(24) + "\rMSA|AE|7|SECRET text\rERR|||207|E||||SECRET\r\x1c\r"
			h, _ := analyzetest.Stream(t, HL7(), 2575, []analyzetest.Segment{analyzetest.C(msg)})
			if len(h.Events) == 0 {
				t.Fatal("nothing was emitted")
			}
			leaks(t, h)
		})
	}
	t.Run("LIS2-A2", func(t *testing.T) {
		s := strings.Repeat("|SECRET^SECRET", 30)
		h, _ := analyzetest.Stream(t, LIS2(), 5000, []analyzetest.Segment{analyzetest.C("H|\\^&|||GEM^S1^1.2\rP|1" + s + "\rO|1|SECRET|SECRET|^^^1|" + s + "\rR|1|^^^1|SECRET" + s + "\rC|1|I|SECRET\rQ|1|SECRET^SECRET||^^^ALL\rL|1\r")})
		if len(h.Events) != 1 {
			t.Fatalf("%d events", len(h.Events))
		}
		leaks(t, h)
	})
	t.Run("POCT1-A", func(t *testing.T) {
		h, _ := analyzetest.Stream(t, POCT1A(), 3500, []analyzetest.Segment{analyzetest.C(`<OBS.R01><HDR><HDR.control_id V="1"/></HDR><SVC><PT><PT.patient_id V="SECRET"/><PT.name V="SECRET"><GIV V="SECRET"/></PT.name><PT.location V="SECRET"/><PT.birth_date V="SECRET"/><OBS><OBS.observation_id V="1"/><OBS.value V="SECRET"/></OBS></PT><OPR><OPR.operator_id V="SECRET"/><OPR.name V="SECRET"/></OPR><ORD><ORD.order_id V="SECRET"/><ORD.ordering_provider_id V="SECRET"/></ORD><NTE><NTE.text V="SECRET"/></NTE></SVC></OBS.R01>`)})
		if len(h.Events) != 1 {
			t.Fatalf("%d events", len(h.Events))
		}
		leaks(t, h)
	})
	t.Run("HTTP", func(t *testing.T) {
		jsonType := []analyze.Header{{Name: "content-type", Value: "application/fhir+json"}, {Name: "authorization", Value: "Bearer SECRET"}}
		soap := []analyze.Header{{Name: "content-type", Value: "application/soap+xml"}}
		for i, x := range []analyze.Exchange{
			{Method: "GET", Target: "/fhir/Patient/SECRET", Request: jsonType, Status: 200, Response: jsonType, ResponseBody: []byte(`{"resourceType":"Patient","id":"SECRET","name":[{"family":"SECRET"}],"birthDate":"SECRET"}`)},
			{Method: "GET", Target: "/fhir/Patient/SECRET/Observation?patient=Patient%2FSECRET&SECRET+X&name:exact=SECRET", Request: jsonType, Status: 200},
			{Method: "POST", Target: "/fhir/Patient/_search", Request: append(jsonType[1:], analyze.Header{Name: "content-type", Value: "application/x-www-form-urlencoded"}, analyze.Header{Name: "accept", Value: "application/fhir+json"}), RequestBody: []byte("family=SECRET&birthdate=SECRET"), Status: 400, Response: jsonType, ResponseBody: []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","diagnostics":"SECRET","details":{"text":"SECRET"}}]}`)},
			{Method: "POST", Target: "/fhir", Request: jsonType, RequestBody: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Observation","subject":{"reference":"Patient/SECRET","display":"SECRET"}}}]}`), Status: 200},
			{Method: "PUT", Target: "/fhir/Device/d1", Request: jsonType, RequestBody: []byte(`{"resourceType":"Device","id":"d1","serialNumber":"S1","patient":{"reference":"Patient/SECRET","display":"SECRET"}}`), Status: 200},
			{Method: "GET", Target: "/dicom-web/studies?PatientID=SECRET&PatientName=SECRET*&00100030=SECRET", Status: 200, Response: []analyze.Header{{Name: "content-type", Value: "application/dicom+json"}}, ResponseBody: []byte(`[{"00100010":{"vr":"PN","Value":[{"Alphabetic":"SECRET"}]}}]`)},
			{Method: "POST", Target: "/sdc", Request: soap, Status: 200, Response: soap, ResponseBody: []byte(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><m:GetContextStatesResponse xmlns:m="http://standards.ieee.org/downloads/11073/11073-10207-2017/message" xmlns:x="http://www.w3.org/2001/XMLSchema-instance" xmlns:p="urn:p"><p:ContextState x:type="p:PatientContextState"><p:Identification Root="r" Extension="SECRET"/><p:CoreData><p:Givenname>SECRET</p:Givenname><p:Familyname>SECRET</p:Familyname><p:DateOfBirth>SECRET</p:DateOfBirth></p:CoreData></p:ContextState></m:GetContextStatesResponse></s:Body></s:Envelope>`)},
		} {
			h := analyzetest.NewHost()
			c := analyzetest.Conn(h, 6, 8080)
			app := ""
			for _, in := range Interpreters() {
				if app = in(c, &x); app != "" {
					break
				}
			}
			if app == "" || len(h.Events) != 1 {
				t.Errorf("exchange %d: %q with %d events", i, app, len(h.Events))
			}
			leaks(t, h)
		}
	})
	t.Run("WS-Discovery", func(t *testing.T) {
		h := analyzetest.NewHost()
		c := analyzetest.Conn(h, 17, 3702)
		body := `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:d="http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01"><s:Body><d:Hello><a:EndpointReference><a:Address>urn:uuid:1</a:Address></a:EndpointReference><d:Scopes>sdc.ctxt.pat:/1.2.3/SECRET sdc.ctxt.opr:/x/SECRET sdc.ctxt.loc:/a/b?fac=H</d:Scopes></d:Hello></s:Body></s:Envelope>`
		p := Discovery()
		if p.Probe(c, 0, []byte(body)) != analyze.Yes {
			t.Fatal("not recognised")
		}
		p.NewDatagram(c).Packet(c, 0, []byte(body), 0)
		leaks(t, h)
		if !h.Has(device.AttrLocation, "H") {
			t.Error("the location is missing")
		}
	})
}
