// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"testing"
	"unicode/utf8"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/see/sensor/analyze/remote"
	"github.com/asepsis/asepsis/wire/packet"
)

// feed gives data to an analyser in pieces of both directions, with gaps, under
// the sensor's rules. Each piece begins with an octet that says which.
func feed(t *testing.T, p analyze.Protocol, data []byte, midStream bool) *analyzetest.Host {
	h := analyzetest.NewHost()
	proto := uint8(packet.ProtoTCP)
	if p.NewDatagram != nil {
		proto = packet.ProtoUDP
	}
	c := analyzetest.Conn(h, proto, 445)
	c.MidStream = midStream
	c.App = p.Name
	limit := p.MaxPending
	if limit == 0 {
		limit = analyze.DefaultMaxPending
	}
	var pending [2][]byte
	var skip [2]int64
	var stream analyze.Stream
	var flow analyze.Datagram
	if p.NewDatagram != nil {
		flow = p.NewDatagram(c)
		defer flow.Close(c, analyze.Finished)
	} else {
		stream = p.NewStream(c)
		defer stream.Close(c, analyze.Finished)
	}
	for len(data) > 1 {
		kind, n := data[0], int(data[0]>>2)*4+1
		data = data[1:]
		n = min(n, len(data))
		piece := data[:n]
		data = data[n:]
		d := analyze.Dir(kind & 1)
		p.Probe(c, d, piece)
		if flow != nil {
			if flow.Packet(c, d, piece, 0) != analyze.More {
				return h
			}
			continue
		}
		if kind&3 == 3 && n%7 == 0 {
			pending[d] = nil
			if stream.Gap(c, d, int64(n)) != analyze.More {
				return h
			}
			continue
		}
		if k := min(skip[d], int64(len(piece))); k > 0 {
			piece, skip[d] = piece[k:], skip[d]-k
		}
		pending[d] = append(pending[d], piece...)
		for len(pending[d]) > 0 {
			used, v := stream.Data(c, d, pending[d])
			if used < 0 {
				t.Fatalf("%s consumed %d octets", p.Name, used)
			}
			if over := used - int64(len(pending[d])); over > 0 {
				skip[d], used = over, int64(len(pending[d]))
			}
			pending[d] = append([]byte(nil), pending[d][used:]...)
			if v != analyze.More {
				return h
			}
			if used == 0 {
				break
			}
		}
		if len(pending[d]) > limit {
			t.Fatalf("%s left %d octets, more than %d", p.Name, len(pending[d]), limit)
		}
	}
	return h
}

func FuzzAnalysers(f *testing.F) {
	f.Add([]byte("\xfd\x00\x00\x00\x45\xfeSMB\x40\x00"), false)
	f.Add([]byte("\x51220 ftp\r\n\x50USER a\r\n\x51331 x\r\n\x50PASS b\r\n"), false)
	f.Add([]byte("\x2c\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"), false)
	f.Add([]byte("\x2dRFB 003.008\n\x2cRFB 003.008\n\x05\x01\x01"), false)
	f.Add([]byte("\x14\xff\xfb\x01\xff\xfd\x18\x15login: "), true)
	f.Add([]byte("\x2c\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x0a"), false)
	f.Add([]byte("\x78\x30\x1c\x02\x01\x01\x60\x17\x02\x01\x03\x04\x08cn=petra\x80\x08password"), false)
	for _, file := range []string{"smb/smb2.pcap", "smb/smb1-nt1-spnego.pcap", "smb/smb-anonymous-rpc.pcap", "ftp/ftp-clear.pcap", "rdp/rdp-standard.pcap", "vnc/vnc-auth.pcap", "telnet/telnet-login.pcap",
		"modbus/modbus-pymodbus.pcap", "ldap/ldap-clear.pcap", "kerberos/kerberos.pcap", "postgresql/postgresql.pcap", "mysql/mariadb.pcap", "tds/freetds.pcap", "adb/adb-quest.pcap"} {
		for i, conversation := range conversations(f, recorded+"/"+file) {
			if i == 2 {
				break
			}
			var seed []byte
			for _, s := range conversation {
				for b := s.Data; len(b) > 0 && len(seed) < 6000; {
					n := min(len(b), 253)
					n = (n-1)/4*4 + 1
					kind := byte((n-1)/4<<2) | byte(s.Dir)
					seed = append(append(seed, kind), b[:n]...)
					b = b[n:]
				}
			}
			f.Add(seed, false)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, midStream bool) {
		for _, p := range remote.Protocols() {
			h := feed(t, p, data, midStream)
			if len(h.Events) > 8+len(data)/4 || len(h.Facts) > 32+2*len(data) {
				t.Fatalf("%s: %d events and %d facts from %d octets", p.Name, len(h.Events), len(h.Facts), len(data))
			}
			for _, e := range h.Events {
				if len(e.Message) > 2048 || !utf8.ValidString(e.Message) {
					t.Fatalf("%s: message %q", p.Name, e.Message)
				}
				if a, ok := e.Detail.(*event.Application); ok {
					for _, kv := range a.Attributes {
						if len(kv.Value) > 1024 || !utf8.ValidString(kv.Value) {
							t.Fatalf("%s: attribute %q", p.Name, kv)
						}
					}
				}
			}
			for _, e := range h.Facts {
				if len(e.Value) > 600 || !utf8.ValidString(e.Value) {
					t.Fatalf("%s: evidence %q", p.Name, e.Value)
				}
			}
		}
	})
}
