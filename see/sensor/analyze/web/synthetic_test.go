// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/wire/packet"
)

func TestTargetsAreRedacted(t *testing.T) {
	c := analyzetest.Conn(analyzetest.NewHost(), packet.ProtoTCP, 80)
	p := func(kind, v string) string { // the pseudonym of a value, by way of its own segment
		switch kind {
		case "person":
			s, _ := RedactTarget(c, "/Patient/"+v)
			return strings.TrimPrefix(s, "/Patient/")
		}
		s, _ := RedactTarget(c, "/x/"+v)
		return strings.TrimPrefix(s, "/x/")
	}
	for _, tc := range []struct {
		name, in, out string
		token         bool
	}{
		{"a plain path", "/api/v2/devices", "/api/v2/devices", false},
		{"a FHIR read", "/fhir/Patient/eq081-VQEgP8", "/fhir/Patient/" + p("person", "eq081-VQEgP8"), false},
		{"a FHIR operation", "/fhir/Patient/$everything", "/fhir/Patient/$everything", false},
		{"a FHIR search", "/fhir/Patient?name=Doe&birthdate=1970-01-01", "/fhir/Patient?name=&birthdate=", false},
		{"a short number after a person's resource", "/patients/12/vitals", "/patients/" + p("person", "12") + "/vitals", false},
		{"an escaped name", "/patients/Doe%5EJohn", "/patients/" + p("person", "Doe^John"), false},
		{"a number anywhere", "/images/20231105", "/images/" + p("other", "20231105"), false},
		{"a number with extension", "/images/20231105.jpg", "/images/" + p("other", "20231105") + ".jpg", false},
		{"a study UID", "/wado/studies/1.2.840.113619.2.55.3", "/wado/studies/" + p("uid", "1.2.840.113619.2.55.3"), false},
		{"a UUID", "/job/123e4567-e89b-12d3-a456-426614174000", "/job/" + p("other", "123e4567-e89b-12d3-a456-426614174000"), false},
		{"a name with comma", "/view/DOE,JOHN", "/view/" + p("other", "DOE,JOHN"), false},
		{"a version", "/sdk-1.2.3/app.min.js", "/sdk-1.2.3/app.min.js", false},
		{"a token in the query", "/x?Access_Token=abc", "/x?Access_Token=", true},
		{"a value without name", "/x?4711", "/x?~", false},
		{"a name that is an identifier", "/x?4711234=1", "/x?~", false},
		{"a session in the path", "/x;jsessionid=8BCDE/y", "/x;jsessionid=/y", true},
		{"user information", "http://nurse:secret@host/x", "http://host/x", true},
		{"a fragment", "/x#4711234", "/x", false},
		{"an authority for CONNECT", "pacs.example:443", "pacs.example:443", false},
		{"asterisk", "*", "*", false},
	} {
		out, token := RedactTarget(c, tc.in)
		if out != tc.out || token != tc.token {
			t.Errorf("%s: %q became %q (token %v), want %q", tc.name, tc.in, out, token, tc.out)
		}
	}
	if got, want := RedactTopic(c, "ward/3/patient/4711/hr/#"), "ward/3/patient/"+p("person", "4711")+"/hr/#"; got != want {
		t.Errorf("topic became %q", got)
	}
}

func httpEvents(t *testing.T, segs ...analyzetest.Segment) []*event.Event {
	t.Helper()
	h, _ := analyzetest.Stream(t, protocol(t, "http", packet.ProtoTCP), 80, segs)
	h2, _ := analyzetest.Stream(t, protocol(t, "http", packet.ProtoTCP), 80, analyzetest.Split(segs))
	if a, b := fmt.Sprint(len(h.Events)), fmt.Sprint(len(h2.Events)); a != b {
		t.Errorf("%s events at once, %s byte by byte", a, b)
	}
	return h.Events
}

func TestPipelinedRequestsFindTheirResponses(t *testing.T) {
	e := httpEvents(t,
		analyzetest.C("GET /a HTTP/1.1\r\nHost: h\r\n\r\nHEAD /b HTTP/1.1\r\nHost: h\r\n\r\nPOST /c HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz"),
		analyzetest.S("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 404 No\r\nContent-Length: 99\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n"))
	if len(e) != 3 {
		t.Fatalf("%d events", len(e))
	}
	for i, want := range []struct {
		path   string
		status int
		length int64
	}{{"/a", 200, 2}, {"/b", 404, 0}, {"/c", 201, 3}} {
		if d := e[i].Detail.(*event.HTTP); d.Path != want.path || d.Status != want.status || d.ResponseLength != want.length {
			t.Errorf("exchange %d: %+v", i, d)
		}
	}
}

func TestAmbiguousFramingIsReported(t *testing.T) {
	for _, tc := range []struct{ name, head, want string }{
		{"both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "content-length with transfer-encoding"},
		{"two lengths", "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", "differing content-length"},
		{"length with a sign", "Content-Length: +1\r\n\r\n", "malformed content-length"},
		{"coding disguised", "Transfer-Encoding: xchunked\r\n\r\n", "unusual transfer-encoding"},
		{"space before colon", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "space before colon"},
		{"bare CR", "X: a\rTransfer-Encoding: chunked\r\n\r\n", "bare CR"},
	} {
		e := httpEvents(t, analyzetest.C("POST / HTTP/1.1\r\nHost: h\r\n"+tc.head), analyzetest.S("HTTP/1.1 204 No\r\n\r\n"))
		if len(e) != 1 || !strings.Contains(e[0].StatusDetail, tc.want) {
			t.Errorf("%s: %+v", tc.name, e)
		}
	}
}

func TestABodyIsSkippedNotBuffered(t *testing.T) {
	a := protocol(t, "http", packet.ProtoTCP)
	h := analyzetest.NewHost()
	c := analyzetest.Conn(h, packet.ProtoTCP, 80)
	c.App = "http"
	s := a.NewStream(c)
	req := []byte("GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
	if n, _ := s.Data(c, analyze.ToServer, req); n != int64(len(req)) {
		t.Fatalf("request consumed %d", n)
	}
	head := append([]byte("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"), bytes.Repeat([]byte{'x'}, 70<<10)...)
	n, v := s.Data(c, analyze.ToClient, head)
	if want := int64(len("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")) + 10000000000; n != want || v != analyze.More {
		t.Errorf("asked to pass over %d bytes, want %d", n, want)
	}
	if len(h.Events) != 1 || h.Events[0].Detail.(*event.HTTP).ResponseLength != 10000000000 {
		t.Errorf("events %+v", h.Events)
	}
}

func TestAHoleInABodyDoesNoHarm(t *testing.T) {
	e := httpEvents(t,
		analyzetest.C("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"),
		analyzetest.S("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"), analyzetest.Segment{Dir: analyze.ToClient, Gap: 6}, analyzetest.S("ij"),
		analyzetest.C("GET /b HTTP/1.1\r\nHost: h\r\n\r\n"), analyzetest.S("HTTP/1.1 204 No\r\n\r\n"))
	if len(e) != 2 || e[0].Detail.(*event.HTTP).ResponseLength != 10 || e[1].Detail.(*event.HTTP).Status != 204 {
		t.Errorf("%d events, %+v", len(e), e)
	}
}

func TestAHoleInAHeadLosesOneExchange(t *testing.T) {
	e := httpEvents(t,
		analyzetest.C("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"),
		analyzetest.S("HTTP/1.1 200 OK\r\nContent-Le"), analyzetest.Segment{Dir: analyze.ToClient, Gap: 30}, analyzetest.S("rest of a body\r\n"),
		analyzetest.C("GET /b HTTP/1.1\r\nHost: h\r\n\r\n"), analyzetest.S("HTTP/1.1 204 No\r\n\r\n"))
	if len(e) != 2 {
		t.Fatalf("%d events", len(e))
	}
	if d := e[1].Detail.(*event.HTTP); d.Path != "/b" || d.Status != 204 {
		t.Errorf("after the hole: %+v", d)
	}
}

func TestConnectIsHandedOverAndTLSFoundInside(t *testing.T) {
	tls := conversations(t, at("tls/tls12.pcap"))[0]
	cv := *tls
	cv.segs = append([]analyzetest.Segment{analyzetest.C("CONNECT pacs.example:443 HTTP/1.1\r\nHost: pacs.example:443\r\n\r\n"), analyzetest.S("HTTP/1.1 200 OK\r\n\r\n")}, tls.segs...)
	cv.times = append([]int64{1, 2}, tls.times...)
	r := cv.run(t, false)
	if r.conn.App != "http+tls" || len(details[*event.HTTP](r)) != 1 || len(details[*event.TLS](r)) != 1 {
		t.Errorf("application %q, events %+v", r.conn.App, r.Events)
	}
}

func TestUpgradeToHTTP2KeepsTheExchange(t *testing.T) {
	settings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	e := httpEvents(t,
		analyzetest.C("GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"),
		analyzetest.S("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"+settings+"\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88"),
		analyzetest.C("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+settings+"\x00\x00\x04\x01\x05\x00\x00\x00\x03\x82\x86\x84\x86"),
		analyzetest.S("\x00\x00\x01\x01\x05\x00\x00\x00\x03\x8d"))
	if len(e) != 2 {
		t.Fatalf("%d events", len(e))
	}
	a, b := e[0].Detail.(*event.HTTP), e[1].Detail.(*event.HTTP)
	if a.Path != "/x" || a.Status != 200 || a.Version != "2" || b.Path != "/" || b.Status != 404 {
		t.Errorf("%+v\n%+v", a, b)
	}
}

func TestInterpretersNameTheApplication(t *testing.T) {
	seen := ""
	fhir := func(_ *analyze.Conn, x *analyze.Exchange) string {
		seen = x.Target + " " + analyze.Get(x.Request, "accept") + " " + string(x.ResponseBody)
		return "fhir"
	}
	cv := &conversation{proto: packet.ProtoTCP, ends: analyzetest.Conn(analyzetest.NewHost(), packet.ProtoTCP, 80).Ends,
		segs:  []analyzetest.Segment{analyzetest.C("GET /metadata HTTP/1.1\r\nHost: h\r\nAccept: application/fhir+json\r\n\r\n"), analyzetest.S("HTTP/1.1 200 OK\r\n\r\n{}")},
		times: []int64{1, 2}}
	r := cv.run(t, false, fhir)
	if seen != "/metadata application/fhir+json {}" || r.conn.App != "fhir" || r.Events[0].Protocol != "http" {
		t.Errorf("interpreter saw %q, application %q", seen, r.conn.App)
	}
}

func TestManyRequestsWithoutAnswerAreBounded(t *testing.T) {
	h := analyzetest.NewHost()
	c := analyzetest.Conn(h, packet.ProtoTCP, 80)
	s := newHTTP(c, nil)
	req := []byte("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
	for range maxWaiting + 10 {
		s.Data(c, analyze.ToServer, req)
	}
	if len(s.waiting) != maxWaiting || len(h.Events) != 10 {
		t.Errorf("%d wait, %d reported", len(s.waiting), len(h.Events))
	}
}

func TestRTPNeedsSeveralPacketsInSequence(t *testing.T) {
	mk := func(seq uint16, ts uint32) []byte {
		return append([]byte{0x80, 96, byte(seq >> 8), byte(seq), byte(ts >> 24), byte(ts >> 16), byte(ts >> 8), byte(ts), 1, 2, 3, 4}, make([]byte, 100)...)
	}
	run := func(seqs []uint16) *analyzetest.Host {
		h := analyzetest.NewHost()
		c := analyzetest.Conn(h, packet.ProtoUDP, 5004)
		c.App = "rtp"
		m := new(mediaFlow)
		for i, q := range seqs {
			c.Now += 33_000_000
			if m.Packet(c, analyze.ToServer, mk(q, uint32(3000*(i+1))), 0) != analyze.More {
				break
			}
		}
		m.Close(c, analyze.Finished)
		return h
	}
	h := run([]uint16{65533, 65534, 65535, 0, 1, 4, 3, 5, 6})
	if len(h.Events) != 1 {
		t.Fatalf("%d events", len(h.Events))
	}
	kv := h.Events[0].Detail.(*event.Application).Attributes
	if get(kv, "lost") != "1" || get(kv, "reordered") != "1" || get(kv, "packets") != "9" {
		t.Errorf("%v", kv)
	}
	if h := run([]uint16{1, 900, 20000, 7, 31000, 12, 60000, 40, 9000, 222, 50000, 17}); len(h.Events) != 0 {
		t.Errorf("random numbers taken for a media stream: %v", h.Events[0].Detail)
	}
}

func TestOtherProtocolsAreNotClaimed(t *testing.T) {
	for name, b := range map[string]string{
		"DICOM":      "\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00ANY-SCP         ECHOSCU         ",
		"HL7":        "\x0bMSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\r",
		"SMB":        "\x00\x00\x00\x45\xffSMB\x72\x00\x00\x00\x00\x18\x53\xc8",
		"SMTP":       "220 mail ESMTP\r\n",
		"FTP":        "USER anonymous\r\n",
		"random":     "\x9c\x11\x4f\x90\xaa\x03\x55\x10\x7f\xee\x81\x12\x3c\xd0\x44\x19\x20\x22\x21\x99",
		"zeros":      strings.Repeat("\x00", 64),
		"DNS":        "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01",
		"text":       "HELLO WORLD THIS IS NOT HTTP\r\n",
		"SNMP":       "\x30\x26\x02\x01\x00\x04\x06public\xa0\x19\x02\x04",
		"NTP":        "\x1b" + strings.Repeat("\x00", 47),
		"POSTGRESQL": "\x00\x00\x00\x08\x04\xd2\x16\x2f",
	} {
		c := analyzetest.Conn(analyzetest.NewHost(), packet.ProtoTCP, 80)
		for _, p := range Protocols() {
			if p.Probe(c, analyze.ToServer, []byte(b)) == analyze.Yes {
				t.Errorf("%s taken for %s", name, p.Name)
			}
		}
	}
}

// FuzzAnalysers gives bytes to every analyser as a hostile network would: in
// pieces, from both sides, with holes.
func FuzzAnalysers(f *testing.F) {
	for _, file := range allCaptures(f) {
		for _, cv := range conversations(f, file) {
			var b []byte
			for _, s := range cv.segs {
				if len(b) < 6000 {
					b = append(b, byte(s.Dir), byte(len(s.Data)>>8), byte(len(s.Data)))
					b = append(b, s.Data...)
				}
			}
			f.Add(b, uint16(0))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, knob uint16) {
		for _, p := range Protocols() {
			h := analyzetest.NewHost()
			proto := uint8(packet.ProtoTCP)
			if p.NewDatagram != nil {
				proto = packet.ProtoUDP
			}
			c := analyzetest.Conn(h, proto, 443)
			c.MidStream = knob&1 != 0
			c.App = p.Name
			drive(t, p, c, b, knob)
			if limit := 64 + len(b); len(h.Events) > limit {
				t.Errorf("%s: %d events out of %d bytes", p.Name, len(h.Events), len(b))
			}
			for _, e := range h.Facts {
				if len(e.Value) > analyze.MaxString {
					t.Errorf("%s: evidence of %d bytes", p.Name, len(e.Value))
				}
			}
		}
	})
}

// drive reads b as chunks: direction (bit 0) or hole (bit 7), length, bytes.
func drive(t *testing.T, p analyze.Protocol, c *analyze.Conn, b []byte, knob uint16) {
	var pending [2][]byte
	var skip [2]int64
	var s analyze.Stream
	var d analyze.Datagram
	if p.NewStream != nil {
		s = p.NewStream(c)
	} else {
		d = p.NewDatagram(c)
	}
	v := analyze.More
	for len(b) >= 3 && v == analyze.More {
		dir := analyze.Dir(b[0] & 1)
		hole := b[0]&0x80 != 0
		n := min(int(b[1])<<8|int(b[2]), len(b)-3)
		chunk := b[3 : 3+n]
		b = b[3+n:]
		c.Now += int64(knob) * 1000
		p.Probe(c, dir, chunk[:min(len(chunk), analyze.ProbeBytes)])
		if d != nil {
			v = d.Packet(c, dir, chunk, int(knob>>8))
			continue
		}
		if hole {
			pending[dir] = nil
			v = s.Gap(c, dir, int64(n)+1)
			continue
		}
		if k := min(skip[dir], int64(len(chunk))); k > 0 {
			chunk, skip[dir] = chunk[k:], skip[dir]-k
		}
		pending[dir] = append(pending[dir], chunk...)
		for len(pending[dir]) > 0 && v == analyze.More {
			var used int64
			if used, v = s.Data(c, dir, pending[dir]); used < 0 {
				t.Fatalf("%s consumed %d", p.Name, used)
			}
			if used == 0 {
				break
			}
			if used > int64(len(pending[dir])) {
				skip[dir] = used - int64(len(pending[dir]))
				used = int64(len(pending[dir]))
			}
			pending[dir] = pending[dir][used:]
		}
		if v == analyze.More && len(pending[dir]) > analyze.DefaultMaxPending {
			return // the sensor cuts the flow off here
		}
	}
	if s != nil {
		s.Close(c, analyze.Evicted)
	} else {
		d.Close(c, analyze.Evicted)
	}
}

func TestABasicCredentialAsDeliveredIsNamedWithoutIt(t *testing.T) {
	for credential, want := range map[string]string{"orthanc:orthanc": "orthanc", "admin:admin": "generic", "orthanc:7f3k": "", "orthanc": "", ":": "", strings.Repeat("a", 400) + ":b": ""} {
		es := httpEvents(t, analyzetest.C("GET /system HTTP/1.1\r\nHost: pacs\r\nAuthorization: Basic "+base64.StdEncoding.EncodeToString([]byte(credential))+"\r\n\r\n"),
			analyzetest.S("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
		if len(es) != 1 {
			t.Fatalf("%q: %d events", credential, len(es))
		}
		d := es[0].Detail.(*event.HTTP)
		if d.DefaultCredential != want || d.AuthScheme != "Basic" {
			t.Errorf("%q: %+v", credential, d)
		}
	}
}
