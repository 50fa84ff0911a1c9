// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"testing"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
)

// FuzzAnalysers feeds every protocol of the family with bytes that script cuts
// into segments of both directions, gaps and a late start, under the sensor's
// rules: no panic, no more left unconsumed than MaxPending, no more events than
// bytes.
func FuzzAnalysers(f *testing.F) {
	add := func(s string, script ...byte) { f.Add([]byte(s), script) }
	add(mllpFrame(msh("ADT^A01", "1"))+ack("AA", "1"), 80, 0, 200, 1)
	add(mllpFrame("FHS|^~\\&|A", "BHS|^~\\&|A", msh("ORU^R01", "1"), "PRT|1|AD||EQUIP||||||(01)51022222233336(21)S9", "SCH|1|2", "BTS|1"), 255, 3, 0)
	add(msh("ADT^A01", "1")+"\rPID|1||7\r"+msh("ADT^A01", "2"), 10, 10, 10, 7)
	add("\x05\x021H|\\^&|||cobas^1.2^S9\rP|1||7\rO|1|S||^^^1\rR|1|^^^1|2\rL|1\r\x0365\r\n\x04\x06\x15", 5, 0, 9, 1)
	add("H|\\^&|||A\rL|1\r", 0)
	add(`<?xml version="1.0"?><HEL.R01><HDR><HDR.control_id V="1"/></HDR><DEV><DEV.device_id V="00:40:49:0A:10:31"/></DEV></HEL.R01><ACK.R01><ACK.type_cd V="AE"/></ACK.R01>`, 30, 2, 100)
	add(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:d="http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01"><s:Body><d:Hello><d:Types>d:Device</d:Types><d:Scopes>sdc.ctxt.loc:/a?fac=1 sdc.cdc.type:///70001</d:Scopes><d:XAddrs>https://h:1/x</d:XAddrs></d:Hello></s:Body></s:Envelope>`)
	add(`{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Device","id":"1"}}]}`, 1, 2, 3)
	f.Fuzz(func(t *testing.T, b, script []byte) {
		for _, p := range Protocols() {
			h := analyzetest.NewHost()
			proto := uint8(6)
			if p.NewDatagram != nil {
				proto = 17
			}
			c := analyzetest.Conn(h, proto, 2575)
			c.MidStream = len(script) > 0 && script[0]&1 == 1
			c.App = p.Name
			p.Probe(c, analyze.ToServer, b[:min(len(b), analyze.ProbeBytes)])
			feed(t, p, c, b, script)
			if len(h.Events) > len(b)/4+8 || len(h.Facts) > 16*len(b)+64 {
				t.Fatalf("%s: %d events and %d facts of %d bytes", p.Name, len(h.Events), len(h.Facts), len(b))
			}
		}
		half := len(b) / 2
		x := analyze.Exchange{Method: "POST", Target: string(b[:min(len(b), 64)]), RequestBody: b[:half], Status: 200, ResponseBody: b[half:],
			Request: []analyze.Header{{Name: "content-type", Value: string(b[:min(len(b), 48)])}}, Response: []analyze.Header{{Name: "content-encoding", Value: "gzip"}}}
		if len(script)%2 == 0 {
			x.Response = nil
		}
		for _, in := range Interpreters() {
			h := analyzetest.NewHost()
			in(analyzetest.Conn(h, 6, 80), &x)
			if len(h.Events) > 2 {
				t.Fatalf("%d events of one exchange", len(h.Events))
			}
		}
	})
}

// feed cuts b by script: each byte is a length; its low bits say direction and
// gap.
func feed(t *testing.T, p analyze.Protocol, c *analyze.Conn, b, script []byte) {
	if p.NewDatagram != nil {
		a := p.NewDatagram(c)
		a.Packet(c, analyze.ToServer, b, 0)
		a.Packet(c, analyze.ToClient, b[:len(b)/2], len(b)-len(b)/2)
		a.Close(c, analyze.Finished)
		return
	}
	a := p.NewStream(c)
	limit := p.MaxPending
	if limit == 0 {
		limit = analyze.DefaultMaxPending
	}
	var pending [2][]byte
	for i := 0; len(b) > 0; i++ {
		n, dir := len(b), analyze.ToServer
		if i < len(script) {
			n, dir = min(len(b), 1+int(script[i]>>2)), analyze.Dir(script[i]&1)
			if script[i]&3 == 3 {
				pending[dir] = nil
				if a.Gap(c, dir, int64(n)) != analyze.More {
					break
				}
				b = b[n:]
				continue
			}
		}
		pending[dir] = append(pending[dir], b[:n]...)
		b = b[n:]
		used, v := a.Data(c, dir, pending[dir])
		pending[dir] = append([]byte(nil), pending[dir][min(used, int64(len(pending[dir]))):]...)
		if len(pending[dir]) > limit {
			t.Fatalf("%s leaves %d bytes", p.Name, len(pending[dir]))
		}
		if v != analyze.More {
			break
		}
	}
	a.Close(c, analyze.Finished)
}
