// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/event/eventtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func encode(t *testing.T, e *event.Event, p event.Producer) map[string]any {
	t.Helper()
	b, err := e.AppendOCSF(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return m
}

// at returns the value at a path of names; an array stands for its first element.
func at(m any, path string) any {
	for _, p := range strings.Split(path, ".") {
		if l, ok := m.([]any); ok {
			m = l[0]
		}
		o, _ := m.(map[string]any)
		m = o[p]
	}
	return m
}

func TestEachSampleEncodesAsItsGoldenFile(t *testing.T) {
	for _, s := range eventtest.Samples() {
		t.Run(s.Name, func(t *testing.T) {
			b, err := s.Event.AppendOCSF(nil, eventtest.Producer())
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := json.Indent(&out, b, "", "  "); err != nil {
				t.Fatal(err)
			}
			out.WriteByte('\n')
			name := filepath.Join("testdata", "ocsf", s.Name+".json")
			if *update {
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%s differs (run with -update after checking):\n%s", name, out.Bytes())
			}
		})
	}
}

func TestEveryFieldOfEveryDetailIsEmitted(t *testing.T) {
	for _, d := range eventtest.Details() {
		eventtest.Fill(d)
		e := &event.Event{Detail: d, Activity: 1, Flow: &event.Flow{}}
		eventtest.Fill(e.Flow)
		b, err := e.AppendOCSF(nil, event.Producer{})
		if err != nil {
			t.Fatal(err)
		}
		// Fill gives each text field the value "value of <field>".
		raw, _ := json.Marshal(d)
		for _, part := range strings.Split(string(raw), `"value of `)[1:] {
			field, _, _ := strings.Cut(part, `"`)
			if field == "RCodeName" {
				continue // OCSF's own caption stands for it
			}
			if !bytes.Contains(b, []byte("value of "+field)) && !isSplit(field) {
				t.Errorf("%T: field %s is not in %s", d, field, b)
			}
		}
	}
}

// isSplit names fields whose text is taken apart or read as something else.
func isSplit(field string) bool {
	return field == "Relay" // an address or nothing in relay.ip; the text is in unmapped
}

func TestStringsAreEscapedAndMadeValid(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain text stays", "CT-1", "CT-1"},
		{"quotes and backslashes", `a"b\c`, `a"b\c`},
		{"control characters", "a\x00b\nc\td\re\x1f\x7f", "a\x00b\nc\td\re\x1f\x7f"},
		{"text of other scripts", "Großgerät 手術室", "Großgerät 手術室"},
		{"what is not UTF-8", "a\xffb\xc3", "a\ufffdb\ufffd"},
		{"a surrogate half", "\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
		{"what only looks like the end", "{", "{"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := encode(t, &event.Event{Message: tt.in, StatusDetail: tt.in}, event.Producer{})
			if m["message"] != tt.want || m["status_detail"] != tt.want {
				t.Errorf("got %q, want %q", m["message"], tt.want)
			}
		})
	}
}

func TestDirectionAndBoundaryFollowFromWhereTheEndsAre(t *testing.T) {
	site := func(a netip.Addr) bool { return netip.MustParsePrefix("198.51.100.0/24").Contains(a) }
	for _, tt := range []struct {
		name, src, dst      string
		internal            func(netip.Addr) bool
		direction, boundary any
	}{
		{"within the site", "10.0.0.1", "192.168.1.1", nil, "Lateral", "Internal"},
		{"out of the site", "10.0.0.1", "192.0.2.1", nil, "Outbound", "External"},
		{"into the site", "192.0.2.1", "fd00::1", nil, "Inbound", "External"},
		{"multicast stays within", "10.0.0.1", "224.0.0.251", nil, "Lateral", "Internal"},
		{"outside both", "192.0.2.1", "192.0.2.2", nil, "Unknown", "External"},
		{"on one host", "127.0.0.1", "127.0.0.1", nil, "Local", "Localhost"},
		{"no addresses", "", "", nil, "Unknown", nil},
		{"a site with public addresses", "198.51.100.7", "198.51.100.8", site, "Lateral", "Internal"},
		{"a site that does not call private addresses its own", "10.0.0.1", "198.51.100.8", site, "Inbound", "External"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &event.Flow{}
			if tt.src != "" {
				f.Src.IP, f.Dst.IP = netip.MustParseAddr(tt.src), netip.MustParseAddr(tt.dst)
			}
			c := encode(t, &event.Event{Flow: f}, event.Producer{Internal: tt.internal})["connection_info"].(map[string]any)
			if c["direction"] != tt.direction || c["boundary"] != tt.boundary {
				t.Errorf("direction %v, boundary %v", c["direction"], c["boundary"])
			}
		})
	}
}

func TestAttributesSayWhatTheEventSays(t *testing.T) {
	v6 := &event.Flow{Proto: 58, Src: event.Endpoint{IP: netip.MustParseAddr("fe80::1%eth0")}, Dst: event.Endpoint{IP: netip.MustParseAddr("::ffff:10.0.0.1")}}
	for _, tt := range []struct {
		name string
		e    *event.Event
		path string
		want any
	}{
		{"time is in milliseconds", &event.Event{Time: 1_500_000_999}, "time", 1500.0},
		{"the original time keeps the nanoseconds", &event.Event{Time: 1_500_000_999}, "metadata.original_time", "1970-01-01T00:00:01.500000999Z"},
		{"type_uid is class and activity", &event.Event{Activity: 6, Detail: &event.DICOMAssociation{}}, "type_uid", 7610400106.0},
		{"an unknown activity is Other", &event.Event{Activity: 77, Detail: &event.DNS{}}, "activity_id", 99.0},
		{"and its number is kept", &event.Event{Activity: 77, Detail: &event.DNS{}}, "unmapped.activity_id", 77.0},
		{"Other carries the source's name", &event.Event{Activity: 99, Detail: &event.SMB{Command: "NEGOTIATE"}}, "activity_name", "NEGOTIATE"},
		{"zones of addresses are left out", &event.Event{Flow: v6}, "src_endpoint.ip", "fe80::1"},
		{"mapped addresses are IPv4", &event.Event{Flow: v6}, "dst_endpoint.ip", "10.0.0.1"},
		{"IPv6 is version 6", &event.Event{Flow: v6}, "connection_info.protocol_ver_id", 6.0},
		{"protocols have their IANA names", &event.Event{Flow: v6}, "connection_info.protocol_name", "ipv6-icmp"},
		{"an endpoint without IP is named by its MAC", &event.Event{Flow: &event.Flow{Src: event.Endpoint{MAC: device.MAC{2, 0, 0, 0, 0, 1}}}}, "src_endpoint.uid", "02:00:00:00:00:01"},
		{"guessed roles are not known", &event.Event{Flow: &event.Flow{Guessed: true}}, "is_src_dst_assignment_known", false},
		{"guessed roles outside network activity are unmapped", &event.Event{Flow: &event.Flow{Guessed: true}, Detail: &event.DNS{}}, "unmapped.is_src_dst_assignment_known", false},
		{"the innermost VLAN is the endpoint's", &event.Event{Flow: &event.Flow{VLANs: []uint16{10, 20}}}, "dst_endpoint.vlan_uid", "20"},
		{"a host with port is split", &event.Event{Detail: &event.HTTP{Host: "pacs:8042"}}, "http_request.url.port", 8042.0},
		{"a bracketed IPv6 host is split", &event.Event{Detail: &event.HTTP{Host: "[2001:db8::1]:80"}}, "http_request.url.hostname", "2001:db8::1"},
		{"a bare IPv6 host is whole", &event.Event{Detail: &event.HTTP{Host: "2001:db8::1"}}, "http_request.url.hostname", "2001:db8::1"},
		{"TLS inside makes it https", &event.Event{Encrypted: true, Detail: &event.HTTP{Host: "h"}}, "http_request.url.scheme", "https"},
		{"an alert has its number", &event.Event{Detail: &event.TLS{Alert: "fatal unknown_ca"}}, "tls.alert", 48.0},
		{"an unknown version is said to be so", &event.Event{Detail: &event.TLS{}}, "tls.version", "unknown"},
		{"a certificate's name kinds are told apart", &event.Event{Detail: &event.TLS{ServerChain: []event.Certificate{{Issuer: "i", SerialNumber: "1", SANs: []string{"10.0.0.1"}}}}}, "tls.certificate.sans.type", "IP"},
		{"a response code outside the enumeration is Other", &event.Event{Activity: 2, Detail: &event.DNS{RCode: 3841}}, "rcode_id", 99.0},
		{"with its number as caption", &event.Event{Activity: 2, Detail: &event.DNS{RCode: 3841}}, "rcode", "3841"},
		{"strata 2 to 15 are secondary", &event.Event{Detail: &event.NTP{Stratum: 15}}, "stratum", "Secondary Server"},
		{"stratum 16 is unsynchronised", &event.Event{Detail: &event.NTP{Stratum: 16}}, "stratum_id", 16.0},
		{"strata above are reserved", &event.Event{Detail: &event.NTP{Stratum: 200}}, "stratum_id", 17.0},
		{"NTP delays are in milliseconds", &event.Event{Detail: &event.NTP{Delay: 1.5}}, "delay", 1500.0},
		{"an SSH version comes from the identification", &event.Event{Detail: &event.SSH{ClientVersion: "SSH-1.99-Cisco-1.25"}}, "protocol_ver", "1.99"},
		{"the file name is the last part of the path", &event.Event{Detail: &event.SMB{File: `a\b.pdf`}}, "file.name", "b.pdf"},
		{"counts of commands are in order", &event.Event{Detail: &event.DICOMAssociation{Operations: map[string]uint32{"C-STORE": 2, "C-ECHO": 1}}}, "dimse_operations.dimse_command", "C-ECHO"},
		{"a role that is false is said", &event.Event{Detail: &event.DICOMAssociation{Contexts: []event.PresentationContext{{SCPRole: new(bool)}}}}, "presentation_contexts.scp_role", false},
		{"a count of zero sub-operations is said", &event.Event{Detail: &event.DICOMOperation{Remaining: new(uint16)}}, "sub_operations_remaining", 0.0},
		{"counts beyond long_t are held at its end", &event.Event{Detail: &event.SensorHealth{Packets: 1<<64 - 1}}, "packets", float64(1<<63 - 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := at(encode(t, tt.e, event.Producer{}), tt.path); got != tt.want {
				t.Errorf("%s is %v, want %v", tt.path, got, tt.want)
			}
		})
	}
}

func TestObservablesCanBeLeftOut(t *testing.T) {
	e := eventtest.Samples()[0].Event
	if encode(t, e, event.Producer{})["observables"] == nil {
		t.Error("no observables by default")
	}
	if encode(t, e, event.Producer{OmitObservables: true})["observables"] != nil {
		t.Error("observables although not wanted")
	}
}

func TestEncodingAppends(t *testing.T) {
	e := eventtest.Samples()[0].Event
	b, err := e.AppendOCSF([]byte("before\n"), event.Producer{})
	if err != nil || !bytes.HasPrefix(b, []byte("before\n{\"activity_id\"")) {
		t.Errorf("%v: %.40s", err, b)
	}
	m, err := json.Marshal(e)
	if err != nil || !json.Valid(m) {
		t.Errorf("MarshalJSON: %v", err)
	}
}

type foreign struct{}

func (foreign) Class() event.Class { return 1234 }

func TestADetailOfAnotherPackageIsAnError(t *testing.T) {
	_, err := (&event.Event{Detail: foreign{}}).AppendOCSF(nil, event.Producer{})
	if unknown := event.UnknownClassError(0); !errors.As(err, &unknown) || unknown != 1234 {
		t.Errorf("got %v", err)
	}
}

func TestEncodingAllocatesNothingForTheCommonClasses(t *testing.T) {
	p := eventtest.Producer()
	buf := make([]byte, 0, 1<<16)
	for _, s := range eventtest.Samples() {
		limit := 0.0
		if s.Name == "dicom-association" { // sorts its operations
			limit = 8
		}
		if n := testing.AllocsPerRun(50, func() { buf, _ = s.Event.AppendOCSF(buf[:0], p) }); n > limit {
			t.Errorf("%s: %v allocations", s.Name, n)
		}
	}
}

func BenchmarkAppendOCSF(b *testing.B) {
	p := eventtest.Producer()
	for _, s := range eventtest.Samples() {
		b.Run(s.Name, func(b *testing.B) {
			buf := make([]byte, 0, 1<<16)
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = s.Event.AppendOCSF(buf[:0], p)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

func FuzzStrings(f *testing.F) {
	f.Add("CT-1", "a\"b\\\x00", uint8(3))
	f.Add("\xff\xfe{[,", "2001:db8::1]:80", uint8(99))
	f.Fuzz(func(t *testing.T, a, b string, activity uint8) {
		for _, d := range []event.Detail{
			&event.HTTP{Method: a, Host: b, Path: a, Server: b}, &event.TLS{JA4: a, Alert: b, ClientALPN: []string{a, b}, ServerChain: []event.Certificate{{Issuer: a, SerialNumber: b, SANs: []string{b}}}},
			&event.SMB{Command: a, File: b, ShareType: a}, &event.DNS{Query: a, RCodeName: b, RCode: 4000}, &event.SSH{ClientVersion: a, ServerVersion: b},
			&event.Application{Name: a, Attributes: []event.KV{{Name: a, Value: b}}}, &event.DHCP{Relay: a, Hostname: b},
		} {
			out, err := (&event.Event{Activity: activity, Message: a, StatusCode: b, Detail: d, Flow: &event.Flow{Tunnel: a}}).AppendOCSF(nil, event.Producer{Sensor: a})
			if err != nil || !json.Valid(out) {
				t.Fatalf("%T: %v: %q", d, err, out)
			}
		}
	})
}
