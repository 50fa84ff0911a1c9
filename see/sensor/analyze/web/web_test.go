// SPDX-License-Identifier: Apache-2.0

package web

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/wire/packet"
)

func at(name string) string { return filepath.Join(captures, name) }

func TestTLSHandshakesOfRealPeers(t *testing.T) {
	for _, tc := range []struct {
		name, file       string
		flow             int
		version, cipher  string
		chain            int
		client           int
		asked, resumed   bool
		complete         bool
		alert, sni, alpn string
	}{
		{name: "TLS 1.0", file: "tls/tls10.pcap", version: "TLSv1.0", cipher: "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", chain: 3, complete: true, sni: "pacs.theatre.example"},
		{name: "TLS 1.1", file: "tls/tls11.pcap", version: "TLSv1.1", cipher: "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", chain: 3, complete: true, sni: "pacs.theatre.example"},
		{name: "TLS 1.2, ALPN offered and ignored", file: "tls/tls12.pcap", version: "TLSv1.2", cipher: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", chain: 3, complete: true, sni: "pacs.theatre.example"},
		{name: "TLS 1.2 with a client certificate", file: "tls/tls12-mtls.pcap", version: "TLSv1.2", cipher: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", chain: 3, client: 2, asked: true, complete: true, sni: "pacs.theatre.example", alpn: "dicom"},
		{name: "TLS 1.2, certificate asked and not given", file: "tls/tls12-nocert.pcap", version: "TLSv1.2", cipher: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", chain: 3, asked: true, alert: "fatal handshake_failure", sni: "pacs.theatre.example"},
		{name: "TLS 1.2 without authentication", file: "tls/tls12-anon.pcap", version: "TLSv1.2", cipher: "TLS_DH_anon_WITH_AES_256_GCM_SHA384", complete: true, sni: "pacs.theatre.example"},
		{name: "TLS 1.2 with Diffie-Hellman", file: "tls/tls12-dhe.pcap", version: "TLSv1.2", cipher: "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", chain: 3, complete: true, sni: "pacs.theatre.example"},
		{name: "TLS 1.2 before it is resumed", file: "tls/tls12-resumed.pcap", version: "TLSv1.2", cipher: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", chain: 1, complete: true},
		{name: "TLS 1.2 resumed by ticket", file: "tls/tls12-resumed.pcap", flow: 1, version: "TLSv1.2", cipher: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", resumed: true, complete: true},
		{name: "TLS 1.3", file: "tls/tls13.pcap", version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", complete: true, sni: "pacs.theatre.example", alpn: "h2"},
		{name: "TLS 1.3 with HelloRetryRequest", file: "tls/tls13-retry.pcap", version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", complete: true, sni: "pacs.theatre.example"},
		{name: "TLS 1.3 resumed with early data", file: "tls/tls13-resumed.pcap", flow: 1, version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", resumed: true, complete: true},
		{name: "TLS 1.3, client distrusts the server", file: "tls/tls13-untrusted.pcap", version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", alert: "fatal unknown_ca", sni: "pacs.theatre.example"},
		{name: "TLS 1.3 from GnuTLS", file: "tls/tls13-gnutls.pcap", version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", complete: true, alpn: "dicom"},
		{name: "TLS 1.3 from Chromium, GREASE and ML-KEM", file: "tls/chromium.pcap", version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", complete: true, sni: "pacs.theatre.example", alpn: "h2"},
		{name: "no common version", file: "tls/tls-mismatch.pcap", alert: "fatal protocol_version", sni: "pacs.theatre.example"},
		{name: "DTLS 1.2 with fragments", file: "tls/dtls12.pcap", version: "DTLSv1.2", cipher: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", chain: 3, complete: true},
		{name: "DTLS 1.3 of WebRTC", file: "webrtc/chromium.pcap", version: "DTLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", complete: true},
		{name: "QUIC version 1", file: "quic/ngtcp2-v1.pcap", version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", complete: true, sni: "localhost", alpn: "h3"},
		{name: "QUIC with Retry", file: "quic/ngtcp2-retry.pcap", version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", complete: true, sni: "localhost", alpn: "h3"},
		{name: "QUIC version 2, greased fixed bit", file: "quic/ngtcp2-v2draft.pcap", version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", complete: true, sni: "localhost", alpn: "h3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := conversations(t, at(tc.file))[tc.flow].run(t, false)
			all := details[*event.TLS](r)
			if len(all) != 1 {
				t.Fatalf("%d TLS events", len(all))
			}
			d := all[0]
			if d.Version != tc.version || d.Cipher != tc.cipher || d.SNI != tc.sni || d.ALPN != tc.alpn || d.Alert != tc.alert {
				t.Errorf("version %s, cipher %s, SNI %q, ALPN %q, alert %q", d.Version, d.Cipher, d.SNI, d.ALPN, d.Alert)
			}
			if len(d.ServerChain) != tc.chain || len(d.ClientChain) != tc.client || d.ClientCertAsked != tc.asked || d.Resumed != tc.resumed || d.Complete != tc.complete {
				t.Errorf("chains %d %d, asked %v, resumed %v, complete %v", len(d.ServerChain), len(d.ClientChain), d.ClientCertAsked, d.Resumed, d.Complete)
			}
			if !r.conn.Encrypted || !r.Has(device.AttrJA4, d.JA4) || len(d.JA4) != 36 {
				t.Errorf("encrypted %v, JA4 %q", r.conn.Encrypted, d.JA4)
			}
			if tc.chain > 0 && tc.file != "tls/tls12-dhe.pcap" {
				c := d.ServerChain[0]
				if c.Subject != "SERIALNUMBER=SN-4711,CN=pacs.theatre.example,OU=PACS,O=Example Imaging" || c.KeyType != "ECDSA P-256" || c.SelfSigned || len(c.SANs) != 3 {
					t.Errorf("certificate %+v", c)
				}
				if !r.Has(device.AttrSerial, "SN-4711") || !r.Has(device.AttrFQDN, "archive.theatre.example") {
					t.Error("identity in the certificate is not in the evidence")
				}
			}
		})
	}
}

// Feeding byte by byte gives exactly what feeding by segment gives.
func TestPortionsDoNotMatter(t *testing.T) {
	for _, f := range allCaptures(t) {
		for i, cv := range conversations(t, f) {
			if cv.proto != packet.ProtoTCP {
				continue
			}
			whole, split := cv.run(t, false), cv.run(t, true)
			a, _ := json.Marshal(whole.Events)
			b, _ := json.Marshal(split.Events)
			if string(a) != string(b) || !reflect.DeepEqual(whole.Facts, split.Facts) {
				t.Errorf("%s flow %d differs:\n%s\n%s", filepath.Base(f), i, a, b)
			}
		}
	}
}

// One side alone still gives the hello that it carries.
func TestOneSidedHandshakesAreReported(t *testing.T) {
	for _, f := range []string{"tls/tls12-mtls.pcap", "tls/tls13.pcap", "tls/tls10.pcap"} {
		for dir := range 2 {
			cv := conversations(t, at(f))[0]
			var one conversation = *cv
			one.segs, one.times = nil, nil
			for i, s := range cv.segs {
				if int(s.Dir) == dir {
					one.segs, one.times = append(one.segs, s), append(one.times, cv.times[i])
				}
			}
			r := one.run(t, false)
			d := details[*event.TLS](r)
			if len(d) != 1 {
				t.Fatalf("%s direction %d: %d events", f, dir, len(d))
			}
			if dir == 0 && (d[0].JA4 == "" || d[0].Version != "") || dir == 1 && (d[0].Cipher == "" || d[0].JA4 != "") {
				t.Errorf("%s direction %d: %+v", f, dir, d[0])
			}
			if d[0].Complete {
				t.Errorf("%s direction %d: complete, though half of it is missing", f, dir)
			}
		}
	}
}

// A capture that took the server for the client is corrected by the content.
func TestRolesAreCorrected(t *testing.T) {
	for _, f := range []string{"tls/tls12.pcap", "http/nginx.pcap", "ssh/openssh.pcap", "mqtt/mosquitto.pcap", "quic/ngtcp2-v1.pcap", "stun/coturn-udp.pcap"} {
		cv := conversations(t, at(f))[0]
		right := cv.run(t, false)
		swapped := *cv
		swapped.ends[0], swapped.ends[1] = cv.ends[1], cv.ends[0]
		swapped.segs = nil
		for _, s := range cv.segs {
			s.Dir = s.Dir.Other()
			swapped.segs = append(swapped.segs, s)
		}
		r := swapped.run(t, false)
		if !r.conn.Flipped() {
			t.Errorf("%s: roles not corrected", f)
			continue
		}
		if got, want := r.Events[len(r.Events)-1].Flow.Src, right.Events[len(right.Events)-1].Flow.Src; got != want {
			t.Errorf("%s: client %v, want %v", f, got, want)
		}
	}
}

func TestHTTPExchangesOfRealPeers(t *testing.T) {
	cvs := conversations(t, at("http/nginx.pcap"))
	d := details[*event.HTTP](cvs[0].run(t, false))
	if len(d) != 6 {
		t.Fatalf("%d exchanges on the kept-alive connection, want 6", len(d))
	}
	for i, want := range []struct {
		method, path string
		status       int
		length       int64
	}{
		{"GET", "/index.html", 200, 21}, {"GET", "/big.txt", 200, 50}, {"HEAD", "/big.txt", 200, 0},
		{"GET", "/patients/p:f5abce9ebe99b33993ded0c41f2bebd6?name=&access_token=", 204, 0}, {"GET", "/private.txt", 401, 179}, {"GET", "/old", 301, 169},
	} {
		if d[i].Method != want.method || d[i].Path != want.path || d[i].Status != want.status || d[i].ResponseLength != want.length {
			t.Errorf("exchange %d: %s %s %d, %d bytes", i, d[i].Method, d[i].Path, d[i].Status, d[i].ResponseLength)
		}
	}
	if !d[3].TokenInURL || d[0].TokenInURL || d[4].AuthScheme != "Basic" || d[4].WWWAuthenticate != `Basic realm="theatre"` {
		t.Errorf("credentials: %v %v %q %q", d[3].TokenInURL, d[0].TokenInURL, d[4].AuthScheme, d[4].WWWAuthenticate)
	}
	if p := details[*event.HTTP](cvs[2].run(t, false)); len(p) != 1 || p[0].RequestLength != 2704 || p[0].Status != 201 {
		t.Errorf("chunked upload after 100 Continue: %+v", p)
	}
	h2 := details[*event.HTTP](conversations(t, at("http/h2c.pcap"))[0].run(t, false))
	if len(h2) != 1 || h2[0].Version != "2" || h2[0].Path != "/index.html" || h2[0].Status != 200 || h2[0].Server != "nghttpd nghttp2/1.52.0" || h2[0].ResponseLength != 21 {
		t.Errorf("HTTP/2: %+v", h2)
	}
}

// Whatever is emitted from the captures holds none of the secrets and names in them.
func TestNothingPersonalLeaves(t *testing.T) {
	secrets := []string{"4711234567", "s3cr3t", "Doe", "nurse", "bnVyc2U6cGFzcw", "pass\"", "%5E"}
	for _, f := range allCaptures(t) {
		for _, cv := range conversations(t, f) {
			r := cv.run(t, false)
			b, err := json.Marshal(struct{ E, F any }{r.Events, r.Facts})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range secrets {
				if strings.Contains(string(b), s) {
					t.Errorf("%s: %q leaves the analyser", filepath.Base(f), s)
				}
			}
		}
	}
}

func TestSSHAlgorithmsOfRealPeers(t *testing.T) {
	cvs := conversations(t, at("ssh/openssh.pcap"))
	d := details[*event.SSH](cvs[0].run(t, false))[0]
	want := event.SSH{ClientVersion: "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10", ServerVersion: "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10",
		KexAlgorithm: "sntrup761x25519-sha512", HostKeyAlg: "ssh-ed25519", Cipher: "chacha20-poly1305@openssh.com", MAC: "<implicit>",
		HASSH: "472b5de333ad665af5cbf10ff892c4df", HASSHServer: "425d29fe50d8e4f5e37efb6e24bcf660"}
	if *d != want {
		t.Errorf("%+v", *d)
	}
	r := cvs[1].run(t, false)
	if e := r.Events[0]; e.Status != event.StatusFailure || !strings.Contains(e.StatusDetail, "no common algorithm") {
		t.Errorf("a client that insists on CBC: %+v", e)
	}
}

func TestWebRTCIsTakenApart(t *testing.T) {
	r := conversations(t, at("webrtc/chromium.pcap"))[0].run(t, false)
	if r.conn.App != "webrtc" {
		t.Errorf("application %q", r.conn.App)
	}
	var names []string
	for _, d := range details[*event.Application](r) {
		names = append(names, d.Name)
		if d.Name == "rtp" && (get(d.Attributes, "lost") != "0" || get(d.Attributes, "packets") != "32") {
			t.Errorf("media %v", d.Attributes)
		}
		if d.Name == "stun" && get(d.Attributes, "user_pseudonym") != "" {
			t.Error("ICE fragments taken for a user")
		}
	}
	if strings.Join(names, " ") != "stun rtp" {
		t.Errorf("events %v", names)
	}
}

func TestTURNOverUDPAndTCP(t *testing.T) {
	for _, f := range []string{"stun/coturn-udp.pcap", "stun/coturn-tcp.pcap"} {
		found := false
		for _, cv := range conversations(t, at(f)) {
			r := cv.run(t, false)
			for _, d := range details[*event.Application](r) {
				if d.Name == "turn" && get(d.Attributes, "realm") == "theatre.example" && strings.HasPrefix(get(d.Attributes, "user_pseudonym"), "p:") && get(d.Attributes, "relayed_address") != "" {
					found = true
				}
			}
		}
		if !found {
			t.Errorf("%s: no allocation reported", f)
		}
	}
}

func TestMQTTOfRealPeers(t *testing.T) {
	cvs := conversations(t, at("mqtt/mosquitto.pcap"))
	for i, want := range []struct{ version, client, topics string }{{"3.1.1", "console-1", ""}, {"3.1.1", "pump-7", "theatre/2/alarm"}, {"5.0", "table-3", "theatre/2/table"}, {"3.1", "old-1", "theatre/2/old"}} {
		r := cvs[i].run(t, false)
		d := details[*event.Application](r)
		if len(d) != 2 || d[0].Version != want.version || get(d[0].Attributes, "client_id") != want.client || get(d[1].Attributes, "published_topic") != want.topics {
			t.Errorf("connection %d: %+v", i, d)
		}
		if !r.Has(device.AttrDeviceID, want.client) {
			t.Errorf("connection %d: no evidence", i)
		}
	}
	d := details[*event.Application](cvs[0].run(t, false))[1]
	if get(d.Attributes, "subscribes_everything") != "true" || get(d.Attributes, "received_topic") != "theatre/2/alarm theatre/2/table theatre/2/old" {
		t.Errorf("%+v", d.Attributes)
	}
}

func TestRTSPOfRealPeers(t *testing.T) {
	seen := map[string]bool{}
	for _, cv := range conversations(t, "../../../../../shared/captures/ndpi/rtsp.pcap") {
		r := cv.run(t, false)
		for _, d := range details[*event.Application](r) {
			seen[d.Operation] = true
			if d.Operation == "DESCRIBE" && !strings.Contains(get(d.Attributes, "media"), "video H264") {
				t.Errorf("media %q", get(d.Attributes, "media"))
			}
		}
	}
	for _, m := range []string{"OPTIONS", "DESCRIBE", "SETUP", "PLAY"} {
		if !seen[m] {
			t.Errorf("no %s", m)
		}
	}
}

func TestSIPRegistrationNamesAPhoneAndNoNumber(t *testing.T) {
	p := protocol(t, "sip", packet.ProtoTCP)
	h, _ := analyzetest.Stream(t, p, 5060, []analyzetest.Segment{
		analyzetest.C("REGISTER sip:pbx.theatre.example SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.10\r\nf: <sip:4711@theatre.example>;tag=1\r\nTo: \"Nurse Joy\" <sip:4711@theatre.example>\r\ni: a@b\r\nCSeq: 1 REGISTER\r\nUser-Agent: snomD735/10.1\r\nAuthorization: Digest username=\"4711\", response=\"x\"\r\nl: 0\r\n\r\n"),
		analyzetest.S("SIP/2.0 200 OK\r\ni: a@b\r\nCSeq: 1 REGISTER\r\nServer: pbx/2\r\nContent-Length: 0\r\n\r\n"),
	})
	if !h.Has(device.AttrClass, "phone") || !h.Has(device.AttrUserAgent, "snomD735/10.1") || !h.Has(device.AttrBanner, "pbx/2") || !h.Has(device.AttrService, "sip/tcp:5060") {
		t.Errorf("evidence %+v", h.Facts)
	}
	b, _ := json.Marshal(h.Events)
	if strings.Contains(string(b), "4711") || strings.Contains(string(b), "Joy") || len(h.Events) != 2 {
		t.Errorf("events %s", b)
	}
}

func protocol(t testing.TB, name string, proto uint8) analyze.Protocol {
	t.Helper()
	for _, p := range Protocols() {
		if p.Name == name && (p.NewStream != nil) == (proto == packet.ProtoTCP) {
			return p
		}
	}
	t.Fatalf("no protocol %s", name)
	return analyze.Protocol{}
}
