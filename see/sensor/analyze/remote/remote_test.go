// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
)

func byName(t *testing.T, name string, datagram bool) analyze.Protocol {
	t.Helper()
	for _, p := range Protocols() {
		if p.Name == name && (p.NewDatagram != nil) == datagram {
			return p
		}
	}
	t.Fatalf("no protocol %s", name)
	return analyze.Protocol{}
}

func TestPathsShowWhatSystemsAreNamedAndHideThePeople(t *testing.T) {
	c := analyzetest.Conn(analyzetest.NewHost(), 6, 445)
	for _, tc := range []struct{ in, want string }{
		{`Windows\System32\evil.exe`, `Windows\System32\evil.exe`},
		{`\srvsvc`, `\srvsvc`},
		{"/pub/", "/pub/"},
		{`C:\Users`, `C:\Users`},
		{"*", "*"},
		{"", ""},
	} {
		if got := redactPath(c, tc.in); got != tc.want {
			t.Errorf("%q became %q, want %q", tc.in, got, tc.want)
		}
	}
	for _, in := range []string{`Mueller_Hans\scan.dcm`, "/data/Probe Petra 1970-01-01.pdf", `Users\petra\report.docx`, `Müller\x`, "petra", `a\petra.`} {
		got := redactPath(c, in)
		for _, name := range []string{"Mueller", "Petra", "petra", "Müller", "1970", "scan", "report"} {
			if strings.Contains(got, name) {
				t.Errorf("%q became %q", in, got)
			}
		}
		if !strings.Contains(got, "p:") {
			t.Errorf("%q became %q, without a pseudonym", in, got)
		}
	}
	if got := redactPath(c, strings.Repeat(`x\`, maxParts+1)); strings.Count(got, "p:") > maxParts || len(got) > 512 {
		t.Errorf("a path of more than %d parts became %q", maxParts, got)
	}
}

func TestDistinguishedNamesShowTheTree(t *testing.T) {
	c := analyzetest.Conn(analyzetest.NewHost(), 6, 389)
	got := redactDN(c, "uid=petra,ou=staff,dc=lindenhof,dc=example")
	if !strings.HasPrefix(got, "uid=p:") || !strings.HasSuffix(got, ",ou=staff,dc=lindenhof,dc=example") {
		t.Error(got)
	}
	for _, in := range []string{`LINDENHOF\petra`, "petra@lindenhof.example"} {
		if got := redactDN(c, in); !strings.HasPrefix(got, "p:") {
			t.Errorf("%q became %q", in, got)
		}
	}
	if got := redactDN(c, "ORWS1$"); got != "ORWS1$" {
		t.Errorf("a machine account became %q", got)
	}
}

func TestProbesLeaveOthersAlone(t *testing.T) {
	for _, in := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "220 mail.example ESMTP Postfix\r\n250-SIZE\r\n", "+OK POP3 ready\r\n", "EHLO x\r\nMAIL FROM:<a>\r\n", "SSH-2.0-OpenSSH_9\r\n",
		"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\x00\x00\x00\x00\x00\x00", "\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00ARCHIVE         ", "\x0bMSH|^~\\&|A|B|C|D\r\x1c\r", strings.Repeat("\x00", 64),
		"\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x05\x00", strings.Repeat("\xff", 64),
	} {
		for _, p := range Protocols() {
			for _, mid := range []bool{false, true} {
				c := analyzetest.Conn(analyzetest.NewHost(), 6, 9999)
				c.MidStream = mid
				if p.Probe(c, analyze.ToServer, []byte(in)) == analyze.Yes || p.Probe(c, analyze.ToClient, []byte(in)) == analyze.Yes {
					t.Errorf("%s takes %q", p.Name, in[:min(len(in), 20)])
				}
			}
		}
	}
}

func tdsPacket(kind byte, body string) string {
	b := []byte{kind, 1, 0, 0, 0, 0, 1, 0}
	binary.BigEndian.PutUint16(b[2:], uint16(8+len(body)))
	return string(b) + body
}

func TestTDSLogin(t *testing.T) {
	const prelogin = "\x00\x00\x0b\x00\x06\x01\x00\x11\x00\x01\xff" + "\x0f\x00\x07\xd0\x00\x00"
	login := make([]byte, 94)
	binary.LittleEndian.PutUint32(login[4:], 0x74000004)
	for _, f := range []struct {
		at int
		s  string
	}{{36, "ORWS1"}, {40, "petra"}, {44, "secret"}, {48, "RIS"}, {52, "db.lindenhof.example"}} {
		binary.LittleEndian.PutUint16(login[f.at:], uint16(len(login)))
		binary.LittleEndian.PutUint16(login[f.at+2:], uint16(len(f.s)))
		for i := range len(f.s) {
			login = append(login, f.s[i], 0)
		}
	}
	binary.LittleEndian.PutUint32(login, uint32(len(login)))
	segs := []analyzetest.Segment{
		analyzetest.C(tdsPacket(18, prelogin+"\x02")), analyzetest.S(tdsPacket(4, prelogin+"\x02")), analyzetest.C(tdsPacket(16, string(login))),
		analyzetest.S(tdsPacket(4, "\xad\x0e\x00\x01\x74\x00\x00\x04\x02S\x00Q\x00\x0f\x00\x07\xd0")),
	}
	for _, s := range [][]analyzetest.Segment{segs, analyzetest.Split(segs)} {
		h, v := analyzetest.Stream(t, byName(t, "tds", false), 1433, s)
		if v != analyze.Done || len(h.Events) != 1 || !h.Has(device.AttrHostname, "ORWS1") || !h.Has(device.AttrBanner, "Microsoft SQL Server 15.0.2000") {
			t.Fatalf("verdict %d, %d events, %v", v, len(h.Events), h.Facts)
		}
		d := h.Events[0].Detail.(*event.Application)
		all := ""
		for _, kv := range d.Attributes {
			all += kv.Name + "=" + kv.Value + " "
		}
		if !strings.Contains(all, "password_in_clear=true") || !strings.Contains(all, "server_name=db.lindenhof.example") || strings.Contains(all, "petra") || strings.Contains(all, "secret") {
			t.Error(all)
		}
	}
	tls := []analyzetest.Segment{analyzetest.C(tdsPacket(18, prelogin+"\x01")), analyzetest.S(tdsPacket(4, prelogin+"\x01")), analyzetest.C(tdsPacket(18, "\x16\x03\x03\x00\x05hello"))}
	h, v := analyzetest.Stream(t, byName(t, "tds", false), 1433, tls)
	if v != analyze.Done || len(h.Events) != 1 || !h.Events[0].Encrypted || h.Events[0].Message != "SQL Server login in TLS" {
		t.Errorf("verdict %d, %+v", v, h.Events)
	}
}

func TestADomainControllerAnswersAPing(t *testing.T) {
	p := byName(t, "cldap", true)
	h := analyzetest.NewHost()
	c := analyzetest.Conn(h, 17, 389)
	c.App = "cldap"
	tlv := func(tag byte, body string) string { return string([]byte{tag, byte(len(body))}) + body }
	equal := func(k, v string) string { return tlv(0xa3, tlv(4, k)+tlv(4, v)) }
	search := tlv(0x30, "\x02\x01\x01"+tlv(0x63, "\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00"+
		tlv(0xa0, equal("DnsDomain", "lind.ex")+equal("Host", "ORWS1"))+tlv(0x30, tlv(4, "Netlogon"))))
	netlogon := "\x17\x00\x00\x00\xfd\x33\x00\x00gggggggggggggggg\x04lind\x02ex\x00\xc0\x18\x03dc1\xc0\x18\x04LIND\x00\x03DC1\x00\x00\x04Site\x00\xc0\x2f"
	answer := tlv(0x30, "\x02\x01\x01"+tlv(0x64, "\x04\x00"+tlv(0x30, tlv(0x30, tlv(4, "Netlogon")+tlv(0x31, tlv(4, netlogon)))))) +
		tlv(0x30, "\x02\x01\x01"+tlv(0x65, "\x0a\x01\x00\x04\x00\x04\x00"))
	if p.Probe(c, analyze.ToServer, []byte(search)) != analyze.Yes {
		t.Fatal("the ping is not recognised")
	}
	a := p.NewDatagram(c)
	a.Packet(c, analyze.ToServer, []byte(search), 0)
	a.Packet(c, analyze.ToClient, []byte(answer), 0)
	a.Close(c, analyze.Finished)
	if !h.Has(device.AttrFQDN, "dc1.lind.ex") || !h.Has(device.AttrHostname, "DC1") || !h.Has(device.AttrHostname, "ORWS1") || len(h.Events) != 2 {
		t.Errorf("%d events, %v", len(h.Events), h.Facts)
	}
}

func TestSMBIsFoundAgainBehindAHole(t *testing.T) {
	msg := make([]byte, 4+64+16)
	msg[3] = 64 + 16
	copy(msg[4:], "\xfeSMB\x40\x00")
	msg[4+12] = 3 // TREE_CONNECT response
	msg[4+16] = 1
	msg[4+64], msg[4+66] = 16, 1
	p := byName(t, "smb", false)
	c := analyzetest.Conn(analyzetest.NewHost(), 6, 445)
	c.MidStream = true
	if p.Probe(c, analyze.ToClient, append([]byte("rest of a file"), msg...)) != analyze.Yes {
		t.Fatal("not recognised mid-stream")
	}
	a := p.NewStream(c)
	if n, v := a.Data(c, analyze.ToClient, append([]byte("rest of a file"), msg...)); n != int64(14+len(msg)) || v != analyze.More {
		t.Errorf("consumed %d, verdict %d", n, v)
	}
	if v := a.Gap(c, analyze.ToClient, 1000); v != analyze.More {
		t.Errorf("gives up at a hole: %d", v)
	}
	if n, v := a.Data(c, analyze.ToClient, append([]byte("more of it"), msg...)); n != int64(10+len(msg)) || v != analyze.More {
		t.Errorf("consumed %d, verdict %d", n, v)
	}
}

func TestBulkContentOfSMBIsPassedOver(t *testing.T) {
	msg := make([]byte, 4+64+48)
	n := 64 + 48 + 1<<20
	msg[1], msg[2], msg[3] = byte(n>>16), byte(n>>8), byte(n)
	copy(msg[4:], "\xfeSMB\x40\x00")
	msg[4+12] = 9 // WRITE request
	msg[4+64], msg[4+66] = 49, 64+48
	binary.LittleEndian.PutUint32(msg[4+68:], 1<<20)
	p := byName(t, "smb", false)
	c := analyzetest.Conn(analyzetest.NewHost(), 6, 445)
	if got, v := p.NewStream(c).Data(c, analyze.ToServer, append(msg, make([]byte, 1024)...)); got != int64(4+n) || v != analyze.More {
		t.Errorf("consumed %d of %d, verdict %d", got, 4+n, v)
	}
}

func TestFTPGreetingsAreToldFromMail(t *testing.T) {
	for in, want := range map[string]analyze.Match{
		"220 (vsFTPd 3.0.3)\r\n": analyze.Yes, "220 ProFTPD Server ready\r\n": analyze.Yes, "220 ready\r\n": analyze.Maybe, "220 ready\r\n331 Password required\r\n": analyze.Yes,
		"220 mx ESMTP\r\n": analyze.No, "USER a\r\n": analyze.Maybe, "USER a\r\nPASS b\r\n": analyze.No, "AUTH TLS\r\n": analyze.Yes, "+OK\r\n": analyze.No, "220-a": analyze.Maybe,
	} {
		if got := probeFTP(nil, 0, []byte(in)); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}

func TestADBTellsWhetherItWasAuthenticated(t *testing.T) {
	msg := func(cmd string, arg0 uint32, data string) string {
		c := binary.LittleEndian.Uint32([]byte(cmd))
		b := binary.LittleEndian.AppendUint32(nil, c)
		for _, v := range []uint32{arg0, 0, uint32(len(data)), 0, ^c} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		return string(b) + data
	}
	host, dev := msg("CNXN", 0x01000001, "host::features=cmd"), msg("CNXN", 0x01000001, "device::ro.product.model=Quest Pro;ro.product.name=seacliff")
	for _, tc := range []struct {
		name string
		segs []analyzetest.Segment
		want string
		v    analyze.Verdict
	}{
		{"not", []analyzetest.Segment{analyzetest.C(host), analyzetest.S(dev), analyzetest.C(msg("OPEN", 1, "shell:id\x00"))}, "none", analyze.More},
		{"with a key", []analyzetest.Segment{analyzetest.C(host), analyzetest.S(msg("AUTH", 1, strings.Repeat("t", 20))), analyzetest.C(msg("AUTH", 2, "sig")), analyzetest.S(dev)}, "key", analyze.More},
		{"in TLS", []analyzetest.Segment{analyzetest.C(host), analyzetest.S(msg("STLS", 0x01000000, "")), analyzetest.C(msg("STLS", 0x01000000, ""))}, "", analyze.Handoff},
	} {
		for _, s := range [][]analyzetest.Segment{tc.segs, analyzetest.Split(tc.segs)} {
			h, v := analyzetest.Stream(t, byName(t, "adb", false), 5555, s)
			got := ""
			for _, e := range h.Events {
				for _, kv := range e.Detail.(*event.Application).Attributes {
					if kv.Name == "authentication" {
						got = kv.Value
					}
					if strings.Contains(kv.Value, "id\x00") {
						t.Error("a command came out")
					}
				}
			}
			if got != tc.want || v != tc.v || tc.want != "" && !h.Has(device.AttrClass, "xr-headset") {
				t.Errorf("%s: %q, verdict %d, %v", tc.name, got, v, h.Facts)
			}
		}
	}
}
