// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
)

var update = flag.Bool("update", false, "write the golden files anew")

const recordedDir = "../../testdata/captures"

// recorded are captures whose logs together have events of most kinds.
var recorded = []string{"dicom-find.pcap", "hl7-acks.pcap", "dhcp/dhcpv4.pcap", "dns/dns.pcap", "tls/tls12-mtls.pcap", "http/nginx.pcap", "ssh/openssh.pcap", "ntp/ntp.pcap", "snmp/snmp.pcap", "poct1a.pcap", "fhir-http.pcap"}

type collector struct{ events []*event.Event }

func (c *collector) Emit(e *event.Event) { c.events = append(c.events, e) }

// eventsOf analyses a recorded capture.
func eventsOf(t testing.TB, name string) []*event.Event {
	t.Helper()
	f, err := sensor.OpenFile(filepath.Join(recordedDir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	key, err := pseudonym.New([]byte("golden-files-key-of-32-bytes-xyz"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := sensor.Default()
	cfg.Workers = 1
	c := &collector{}
	s, err := sensor.New(cfg, sensor.Deps{Protocols: protocols.All(), Sink: c, Key: key, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background(), f); err != nil {
		t.Fatal(err)
	}
	if len(c.events) == 0 {
		t.Fatalf("%s gives no events", name)
	}
	return c.events
}

// query is a small event that the tests write again and again.
func query(name string) *event.Event {
	return &event.Event{UID: "1", Time: 1_700_000_000_123_456_789, Activity: 1, Severity: 1, Protocol: "dns",
		Flow:   &event.Flow{ID: 63, Proto: 17, Src: event.Endpoint{IP: netip.MustParseAddr("10.0.0.1"), Port: 40000}, Dst: event.Endpoint{IP: netip.MustParseAddr("10.0.0.2"), Port: 53}},
		Detail: &event.DNS{ID: 7, Query: name, Type: "A", QClass: "IN"}}
}

var errFull = errors.New("no space left on device")

// full is a writer whose disk is full after some bytes.
type full struct {
	left int
	buf  strings.Builder
}

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.left {
		n := f.left
		f.buf.Write(b[:n])
		f.left = 0
		return n, errFull
	}
	f.left -= len(b)
	return f.buf.Write(b)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update and review the difference):\n%s", path, got)
	}
}
