// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/wire/tlsmeta"
)

// tshark runs the reference on a capture and returns one row of fields per
// packet that matches the filter.
func tshark(t *testing.T, file, filter string, fields ...string) [][]string {
	t.Helper()
	bin, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not here")
	}
	args := []string{"-r", file, "-Y", filter, "-T", "fields", "-E", "separator=|", "-E", "occurrence=a", "-E", "aggregator=;",
		"-d", "tcp.port==2762,tls", "-d", "tcp.port==4443,tls", "-d", "tcp.port==8088,http", "-d", "udp.port==4434,quic"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.Command(bin, args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	var rows [][]string
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Split(strings.TrimRight(line, "\n"), "|"))
	}
	return rows
}

// Every ClientHello: the suites, names and ALPN that tshark reads; and as many
// certificates.
func TestTLSFieldsEqualTsharks(t *testing.T) {
	files, _ := filepath.Glob(at("tls/*.pcap"))
	quic, _ := filepath.Glob(at("quic/*-v1.pcap"))
	for _, f := range append(files, quic...) {
		var ours []string
		certs, theirCerts := 0, 0
		for _, cv := range conversations(t, f) {
			for _, d := range details[*event.TLS](cv.run(t, false)) {
				certs += len(d.ServerChain) + len(d.ClientChain)
				ours = append(ours, fmt.Sprint(strings.Join(d.ClientCiphers, ";"), " ", d.SNI, " ", strings.Join(d.ClientALPN, ";")))
			}
		}
		var theirs []string
		for _, r := range tshark(t, f, "tls.handshake.type==1 || tls.handshake.type==11 || dtls.handshake.type==1 || dtls.handshake.type==11", "tls.handshake.ciphersuite", "tls.handshake.extensions_server_name", "tls.handshake.extensions_alpn_str", "dtls.handshake.ciphersuite", "tls.handshake.certificate_length", "tls.handshake.type", "dtls.handshake.certificate_length", "dtls.handshake.type") {
			for _, n := range strings.Split(r[4]+";"+r[6], ";") {
				if n != "" {
					theirCerts++
				}
			}
			if !slices.Contains(strings.Split(r[5]+";"+r[7], ";"), "1") {
				continue
			}
			suites := r[0]
			if suites == "" {
				suites = r[3]
			}
			var names []string
			for s := range strings.SplitSeq(suites, ";") {
				var v uint16
				if _, err := fmt.Sscanf(s, "0x%x", &v); err != nil {
					if _, err := fmt.Sscanf(s, "%d", &v); err != nil {
						t.Fatalf("suite %q", s)
					}
				}
				if !tlsmeta.IsGREASE(v) {
					names = append(names, tlsmeta.CipherName(v))
				}
			}
			line := fmt.Sprint(strings.Join(names, ";"), " ", r[1], " ", r[2])
			if !slices.Contains(theirs, line) { // the second hello after a retry repeats the first
				theirs = append(theirs, line)
			}
		}
		if certs != theirCerts {
			t.Errorf("%s: %d certificates, tshark reads %d", filepath.Base(f), certs, theirCerts)
		}
		slices.Sort(ours)
		slices.Sort(theirs)
		if ours = slices.Compact(ours); !slices.Equal(ours, theirs) {
			t.Errorf("%s:\nours   %q\ntshark %q", filepath.Base(f), ours, theirs)
		}
	}
}

func TestHTTPFieldsEqualTsharks(t *testing.T) {
	f := at("http/nginx.pcap")
	var ours, theirs []string
	for _, cv := range conversations(t, f) {
		for _, d := range details[*event.HTTP](cv.run(t, false)) {
			ours = append(ours, d.Method+" "+d.Host+" "+d.UserAgent, fmt.Sprint(d.Status, " ", d.Server, " ", d.ResponseType))
		}
	}
	for _, r := range tshark(t, f, "http.request", "http.request.method", "http.host", "http.user_agent") {
		theirs = append(theirs, strings.Join(r, " "))
	}
	for _, r := range tshark(t, f, "http.response && http.response.code != 100", "http.response.code", "http.server", "http.content_type") {
		theirs = append(theirs, strings.Join(r, " "))
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	if !slices.Equal(ours, theirs) {
		t.Errorf("\nours   %q\ntshark %q", ours, theirs)
	}
}

// JA4 as an independent program computes it from tshark's fields.
func TestJA4OfRealPeers(t *testing.T) {
	for file, want := range map[string]string{
		"tls/chromium.pcap": "t13d1517h2_8daaf6152771_cb7bf5808d99", "tls/dtls12.pcap": "dd2i280700_d943125447b4_20344ea827a4",
		"tls/tls-mismatch.pcap": "t12d280700_d943125447b4_e7e480e5a997", "tls/tls10.pcap": "t10d090600_c491f621fb4c_195413a0cc0f",
		"tls/tls12-anon.pcap": "t12d140700_db3f48cd4e20_3c5a66c06c35", "tls/tls12.pcap": "t13d3111dm_e8f1e7e78f70_1f22a2ca17c4",
		"tls/tls13-gnutls.pcap": "t13i2913dm_723694b0fccc_2cc26d266019", "tls/tls13-retry.pcap": "t13d311000_e8f1e7e78f70_1f22a2ca17c4",
		"quic/ngtcp2-v1.pcap": "q13d0415h3_9caa18292e23_84684a673e38",
	} {
		if d := details[*event.TLS](conversations(t, at(file))[0].run(t, false)); len(d) != 1 || d[0].JA4 != want {
			t.Errorf("%s: %+v, want %s", file, d, want)
		}
	}
}
