// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"fmt"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
)

func mllpFrame(segs ...string) string { return "\v" + strings.Join(segs, "\r") + "\r\x1c\r" }

func msh(typ, id string, more ...string) string {
	return "MSH|^~\\&|PUMP|OR|EHR|HOSP|20260101||" + typ + "|" + id + "|P|2.6" + strings.Join(more, "")
}

func ack(code, id string) string {
	return mllpFrame("MSH|^~\\&|EHR|HOSP|PUMP|OR|20260101||ACK|A"+id+"|P|2.6", "MSA|"+code+"|"+id)
}

func messages(h *analyzetest.Host) (out []*event.HL7Message) {
	for _, e := range h.Events {
		if d, ok := e.Detail.(*event.HL7Message); ok {
			out = append(out, d)
		}
	}
	return out
}

func TestAcknowledgements(t *testing.T) {
	c, s := analyzetest.C, analyzetest.S
	for _, k := range []struct {
		name string
		segs []analyzetest.Segment
		want string
	}{
		{"an answer is paired with its message", []analyzetest.Segment{c(mllpFrame(msh("ADT^A01", "1"))), s(ack("AA", "1"))}, "1:AA:true"},
		{"answers in another order", []analyzetest.Segment{c(mllpFrame(msh("ADT^A01", "1")) + mllpFrame(msh("ADT^A02", "2"))), s(ack("AA", "2") + ack("AE", "1"))}, "2:AA:true 1:AE:true"},
		{"both directions send", []analyzetest.Segment{c(mllpFrame(msh("ADT^A01", "1"))), s(mllpFrame(msh("ORM^O01", "9"))), s(ack("AA", "1")), c(ack("AR", "9"))}, "1:AA:true 9:AR:true"},
		{"the enhanced mode: commit and application acknowledgement", []analyzetest.Segment{c(mllpFrame(msh("ADT^A01", "1", "|||AL|AL"))), s(ack("CA", "1")), s(ack("AA", "1"))}, "1:AA:true"},
		{"the enhanced mode: only the commit came", []analyzetest.Segment{c(mllpFrame(msh("ADT^A01", "1", "|||AL|AL"))), s(ack("CA", "1"))}, "1:CA:true"},
		{"the enhanced mode: no application acknowledgement is asked for", []analyzetest.Segment{c(mllpFrame(msh("ADT^A01", "1", "|||AL|NE"))), s(ack("CA", "1"))}, "1:CA:true"},
		{"no answer is asked for", []analyzetest.Segment{c(mllpFrame(msh("ADT^A01", "1", "|||NE|NE")))}, "1::false"},
		{"no answer comes", []analyzetest.Segment{c(mllpFrame(msh("ADT^A01", "1")))}, "1::false"},
		{"an answer to another message is not a match", []analyzetest.Segment{c(mllpFrame(msh("ADT^A01", "1"))), s(ack("AA", "77"))}, "1:AA:false"},
		{"an answer to nothing", []analyzetest.Segment{s(ack("AA", "77"))}, "A77:AA:false"},
		{"a refusal of MLLP release 2", []analyzetest.Segment{c(mllpFrame(msh("ADT^A01", "1"))), s("\v\x15\x1c\r")}, "1:MLLP NAK:false"},
		{"a commit of MLLP release 2, then the answer", []analyzetest.Segment{c(mllpFrame(msh("ADT^A01", "1"))), s("\v\x06\x1c\r" + ack("AA", "1"))}, "1:AA:true"},
		{"messages without framing", []analyzetest.Segment{c(msh("ADT^A01", "1") + "\rPID|1\r"), s("MSH|^~\\&|EHR|||| ||ACK|A1|P|2.3\rMSA|AA|1\r"), c(msh("ADT^A02", "2") + "\r")}, "1:AA:true 2::false"},
		{"a response that is more than an acknowledgement", []analyzetest.Segment{c(mllpFrame(msh("QBP^Q22", "1"), "QPD|Q22")), s(mllpFrame(msh("RSP^K22", "5"), "MSA|AA|1", "PID|1||77"))}, "1:AA:true"},
		{"a lost piece, then the next message", []analyzetest.Segment{c(mllpFrame(msh("ADT^A01", "1"))), c("\vMSH|^~\\&|PUMP|OR"), {Dir: analyze.ToServer, Gap: 100}, c("|x\r\x1c\r" + mllpFrame(msh("ADT^A03", "3"))), s(ack("AA", "3") + ack("AA", "1"))}, "3:AA:true 1:AA:true ::false"},
	} {
		for _, split := range []bool{false, true} {
			segs := k.segs
			if split {
				segs = analyzetest.Split(segs)
			}
			h, _ := analyzetest.Stream(t, HL7(), 2575, segs)
			var got []string
			for _, d := range messages(h) {
				got = append(got, fmt.Sprintf("%s:%s:%v", d.ControlID, d.AckCode, d.AckMatches))
			}
			if strings.Join(got, " ") != k.want {
				t.Errorf("%s (split %v):\n got %s\nwant %s", k.name, split, strings.Join(got, " "), k.want)
			}
		}
	}
}

func TestDevicesThatMessagesName(t *testing.T) {
	for _, c := range []struct {
		name, segs string
		want       map[device.Attribute]string
	}{
		{"a UDI in PRT-10", "PRT|1|AD||EQUIP||||||(01)51022222233336(17)250331(10)L7(21)S9", map[device.Attribute]string{device.AttrUDI: "(01)51022222233336(17)250331(10)L7(21)S9", device.AttrSerial: "S9"}},
		{"braces for brackets", "PRT|1|AD||EQUIP||||||{01}51022222233336{21}S9", map[device.Attribute]string{device.AttrUDI: "(01)51022222233336(21)S9", device.AttrSerial: "S9"}},
		{"an EUI-64 in PRT-10", "PRT|1|AD||EQUIP||||||P7^^00-03-B1-FF-FE-0A-10-21^EUI-64", map[device.Attribute]string{device.AttrEUI64: "0003B1FFFE0A1021", device.AttrDeviceID: "P7"}},
		{"a serial in PRT-20 and a type in PRT-22", "PRT|1|AD||EQUIP||||||P7||||||51022222233336|||L7|S9||69985^MDC_DEV_PUMP_INFUS_MDS^MDC", map[device.Attribute]string{device.AttrUDI: "51022222233336", device.AttrSerial: "S9", device.AttrClass: "infusion-pump"}},
		{"an Alaris pump by name", "PRT|1|AD||EQUIP||||||||||||BD Alaris 8015", map[device.Attribute]string{device.AttrVendor: "BD Alaris", device.AttrModel: "8015"}},
		{"an EUI-64 in OBX-18", "OBX|1|NM|1^X^MDC||5|||||||||||||ABC^Philips^0123456789abcdef^EUI-64", map[device.Attribute]string{device.AttrEUI64: "0123456789ABCDEF", device.AttrVendor: "Philips"}},
		{"a UDI as an observation", "OBX|1|ST|74711-3^Unique Device Identifier^LN||(01)51022222233336(21)S9", map[device.Attribute]string{device.AttrUDI: "(01)51022222233336(21)S9"}},
		{"a model attribute of IHE PCD", "OBX|1|ST|67880^MDC_ATTR_ID_MODEL^MDC|1|manufacturer=Smiths Medical model=Medfusion 4000", map[device.Attribute]string{device.AttrVendor: "Smiths Medical", device.AttrModel: "Medfusion 4000", device.AttrClass: "infusion-pump"}},
		{"a DEV segment of 2.9", "DEV|AD|(01)51022222233336(21)S9|||Acme Corp||X-1||||||||||4.2", map[device.Attribute]string{device.AttrVendor: "Acme Corp", device.AttrModel: "X-1", device.AttrFirmware: "", device.AttrSerial: "S9"}},
		{"equipment of a laboratory", "EQU|AU480-7^Beckman Coulter|20260101", map[device.Attribute]string{device.AttrDeviceID: "AU480-7", device.AttrVendor: "Beckman Coulter"}},
	} {
		h, _ := analyzetest.Stream(t, HL7(), 2575, []analyzetest.Segment{analyzetest.C(mllpFrame(msh("ORU^R01", "1"), c.segs))})
		for attr, v := range c.want {
			if v != "" && !h.Has(attr, v) {
				t.Errorf("%s: no %s=%s:\n%s", c.name, attr, v, lines(h))
			}
		}
		if d := messages(h); len(d) != 1 || len(d[0].Devices) != 1 {
			t.Errorf("%s: %d devices in the event", c.name, len(d[0].Devices))
		}
	}
}

func TestASenderThatSpeaksOfManyDevicesIsNoneOfThem(t *testing.T) {
	one := func(n int) string {
		return mllpFrame(msh("ORU^R01", fmt.Sprint(n)), fmt.Sprintf("PRT|1|AD||EQUIP||||||(01)51022222233336(21)S%d", n))
	}
	h, _ := analyzetest.Stream(t, HL7(), 2575, []analyzetest.Segment{analyzetest.C(one(1) + one(1) + one(2) + one(3))})
	if !h.Has(device.AttrSerial, "S1") || h.Has(device.AttrSerial, "S2") || h.Has(device.AttrSerial, "S3") {
		t.Errorf("serials:\n%s", lines(h))
	}
	if !h.Has(device.AttrClass, string(device.ClassInterfaceEngine)) {
		t.Error("the gateway is not taken for one")
	}
	if d := messages(h); len(d) != 4 || d[3].Devices[0].Serial != "S3" {
		t.Error("events still name every device")
	}
}

func TestSuspiciousAndMalformedMessages(t *testing.T) {
	for _, c := range []struct {
		name, frame, suspicious, malformed string
	}{
		{"an ordinary message", mllpFrame(msh("ORU^R01", "1"), `OBX|1|TX|1||a\.br\b\T\c`), "", ""},
		{"a segment in an escape", mllpFrame(msh("ORU^R01", "1"), `OBX|1|TX|1||a\X0D\OBX\F\2`), "embedded-segment", ""},
		{"a segment in an escape, its separators not escaped", mllpFrame(msh("ORU^R01", "1"), `OBX|1|TX|1||a\X0D\OBX|2|NM`), "embedded-segment", ""},
		{"paragraphs that begin with a word in capitals", mllpFrame(msh("ORU^R01", "1"), `OBX|1|TX|1||Findings:\X0D\MRI: normal\X0D\ECG, rest\X0D\END`), "", ""},
		{"an escape that is not ended", mllpFrame(msh("ORU^R01", "1"), `OBX|1|TX|1||a\b`), "bad-escape", ""},
		{"markup", mllpFrame(msh("ORU^R01", "1"), `NTE|1||<ScRiPt src=x>`), "markup", ""},
		{"a program as an encapsulated document", mllpFrame(msh("MDM^T02", "1"), `OBX|1|ED|1||^application^pdf^Base64^TVqQAAMA`), "executable", ""},
		{"no message type", mllpFrame(msh("", "1")), "", "MSH-9 message type missing"},
		{"no control ID", mllpFrame(msh("ADT^A01", "")), "", "MSH-10 message control ID missing"},
		{"lines that are no segments", mllpFrame(msh("ADT^A01", "1"), "hello", "x"), "", "2 lines are no segments"},
		{"no end block", "\v" + msh("ADT^A01", "1") + "\r", "", "connection ended within the frame"},
	} {
		h, _ := analyzetest.Stream(t, HL7(), 2575, []analyzetest.Segment{analyzetest.C(c.frame)})
		d := messages(h)
		if len(d) != 1 || strings.Join(d[0].Suspicious, ",") != c.suspicious || d[0].Malformed != c.malformed {
			t.Errorf("%s: %+v", c.name, d[0])
		}
	}
}

func TestAConnectionTakenUpInTheMiddleHasItsRolesPutRight(t *testing.T) {
	h := analyzetest.NewHost()
	c := analyzetest.Conn(h, 6, 2575)
	c.MidStream = true
	analyzetest.RunStream(t, HL7(), c, []analyzetest.Segment{
		analyzetest.C("tail of an answer\x1c\r" + ack("AA", "1")),
		analyzetest.S(mllpFrame(msh("ADT^A01", "2"))),
	})
	if !c.Flipped() {
		t.Error("the side that answers is still the client")
	}
}

func TestProbesSayNoToOtherProtocols(t *testing.T) {
	for name, b := range map[string]string{
		"HTTP": "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "SSH": "SSH-2.0-OpenSSH_9.6\r\n", "DICOM": "\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00",
		"SMTP": "220 mail ESMTP\r\n", "an XML document": "<?xml version='1.0'?><rss/>", "HTML": "<!doctype html><html>", "text": "MSHello world", "an H": "HELO mail.example.org\r\n",
		"zeros": strings.Repeat("\x00", 64), "a STX": "\x02\x31X hello world", "a pipe table": "H|||||||||", "XMPP": "<stream:stream to='x'>",
	} {
		for _, p := range Protocols() {
			for _, mid := range []bool{false, true} {
				c := analyzetest.Conn(analyzetest.NewHost(), 6, 1)
				c.MidStream = mid
				if p.Probe(c, 0, []byte(b)) == analyze.Yes {
					t.Errorf("%s takes %s for its own", p.Name, name)
				}
			}
		}
	}
}

func TestProbesDoNotAllocate(t *testing.T) {
	c := analyzetest.Conn(analyzetest.NewHost(), 6, 1)
	heads := [][]byte{[]byte(mllpFrame(msh("ADT^A01", "1"))), []byte("\x05\x021H|\\^&|||A\r\x03"), []byte("<?xml version='1.0'?><HEL.R01>"), []byte("GET / HTTP/1.1\r\n")}
	for _, p := range Protocols() {
		if n := testing.AllocsPerRun(100, func() {
			for _, h := range heads {
				p.Probe(c, 0, h)
			}
		}); n > 0 {
			t.Errorf("%s: %.0f allocations", p.Name, n)
		}
	}
}

func BenchmarkHL7Messages(b *testing.B) {
	segs := []string{msh("ORU^R01^ORU_R01", "1"), "PID|1||135769^^^HOSP^MR||MOUSE^MICKEY", "PV1|1|I|OR3^1", "OBR|1|A|B|69985^MDC_DEV_PUMP_INFUS_MDS^MDC"}
	for range 20 {
		segs = append(segs, "OBX|2|NM|147842^MDC_ECG_HEART_RATE^MDC|1.7.4|80|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R|||||||ABC^^0123456789ABCDEF^EUI-64")
	}
	frame := []byte(mllpFrame(segs...))
	answer := []byte(ack("AA", "1"))
	h := quiet{analyzetest.NewHost()}
	c := analyze.NewConn(h, nil)
	c.App = "hl7"
	s := HL7().NewStream(c)
	b.SetBytes(int64(len(frame) + len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		s.Data(c, analyze.ToServer, frame)
		s.Data(c, analyze.ToClient, answer)
	}
}

// quiet forgets what it is given.
type quiet struct{ *analyzetest.Host }

func (quiet) Emit(*event.Event)        {}
func (quiet) Evidence(device.Evidence) {}

func TestLimitsOnePastTheEdge(t *testing.T) {
	run := func(frames string) (*analyzetest.Host, analyze.Stream, *analyze.Conn) {
		h := analyzetest.NewHost()
		c := analyzetest.Conn(h, 6, 2575)
		s := HL7().NewStream(c)
		s.Data(c, analyze.ToServer, []byte(frames))
		return h, s, c
	}
	var b strings.Builder
	for i := range maxWaiting {
		b.WriteString(mllpFrame(msh("ADT^A01", fmt.Sprint(i))))
	}
	h, s, c := run(b.String())
	if n := len(h.Events); n != 0 {
		t.Errorf("%d events while as many messages wait as may", n)
	}
	s.Data(c, analyze.ToServer, []byte(mllpFrame(msh("ADT^A01", "last"))))
	if d := messages(h); len(d) != 1 || d[0].ControlID != "0" || d[0].Answered {
		t.Errorf("one past: %d events", len(d))
	}
	s.Close(c, analyze.Finished)
	if n := len(h.Events); n != maxWaiting+1 {
		t.Errorf("%d events at the end, want %d", n, maxWaiting+1)
	}

	for n, want := range map[int]int{maxDevices: maxDevices, maxDevices + 1: maxDevices} {
		segs := []string{msh("ORU^R01", "1", "|||NE|NE")}
		for i := range n {
			segs = append(segs, fmt.Sprintf("PRT|1|AD||EQUIP||||||(01)51022222233336(21)S%d", i))
		}
		h, _, _ := run(mllpFrame(segs...))
		if d := messages(h); len(d) != 1 || len(d[0].Devices) != want {
			t.Errorf("%d devices gave %d", n, len(d[0].Devices))
		}
	}

	var batch strings.Builder
	batch.WriteString("BHS|^~\\&|A\r")
	for i := range maxBatchIDs + 1 {
		batch.WriteString(msh("ADT^A01", fmt.Sprint(i)) + "\r")
	}
	for id, want := range map[int]bool{maxBatchIDs - 1: true, maxBatchIDs: false} {
		h, s, c := run("\v" + batch.String() + "\x1c\r")
		s.Data(c, analyze.ToClient, []byte(ack("AA", fmt.Sprint(id))))
		if d := messages(h); len(d) != 1 || d[0].AckMatches != want || d[0].BatchMessages != maxBatchIDs+1 {
			t.Errorf("an answer to message %d of a batch: %+v", id, d)
		}
	}
}
