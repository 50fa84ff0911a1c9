// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/see/sensor/analyze/remote"
	"github.com/asepsis/asepsis/see/sensor/analyze/web"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

const (
	recorded = "../../../../testdata/captures"
	outside  = "../../../../../shared/captures" // not part of the repository
)

// seen is what the sensor made of a capture.
type seen struct {
	events []*event.Event
	flows  []*event.Connection
	facts  []device.Evidence
}

// Emit implements sensor.Sink.
func (s *seen) Emit(e *event.Event) {
	switch d := e.Detail.(type) {
	case *event.Connection:
		s.flows = append(s.flows, d)
	case *event.DeviceEvidence:
		s.facts = append(s.facts, d.Evidence)
	case *event.SensorHealth:
	default:
		s.events = append(s.events, e)
	}
}

// watch runs the sensor with the analysers of this package and those of TLS
// and the web over a capture. A panic of an analyser fails the test.
func watch(t testing.TB, file string) *seen {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Skipf("%s is not here", file)
	}
	defer f.Close()
	src, err := capture.NewReader(f, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := pseudonym.New([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	out := &seen{}
	cfg := sensor.Default()
	cfg.Workers = 1
	s, err := sensor.New(cfg, sensor.Deps{Protocols: slices.Concat(remote.Protocols(), web.Protocols()), Sink: out, Key: key, Seed: 1, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background(), src); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Panics > 0 || st.OverBudget > 0 {
		t.Fatalf("%d panics, %d flows over budget", st.Panics, st.OverBudget)
	}
	return out
}

// has reports whether an event has all of the words in its message or detail.
func (s *seen) has(words ...string) bool {
	for _, e := range s.events {
		b, _ := json.Marshal(e.Detail)
		text := e.Message + " " + e.StatusCode + " " + string(b)
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			return true
		}
	}
	return false
}

// knows reports evidence.
func (s *seen) knows(attr device.Attribute, value string) bool {
	for _, f := range s.facts {
		if f.Attribute == attr && f.Value == value {
			return true
		}
	}
	return false
}

// apps are the protocols of the flows.
func (s *seen) apps() (out []string) {
	for _, f := range s.flows {
		if f.App != "" {
			out = append(out, f.App)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *seen) dump(t testing.TB) {
	for _, e := range s.events {
		b, _ := json.Marshal(e.Detail)
		t.Logf("%s %d/%d %s | %s %s", e.Protocol, e.Activity, e.Status, e.Message, e.StatusCode, b)
	}
	for _, f := range s.facts {
		t.Logf("  %s %s=%s (%s)", f.Subject.IP, f.Attribute, f.Value, f.Source)
	}
	t.Log(s.apps())
}

// conversations gives the payloads of each TCP connection and UDP flow of a
// capture of a loopback interface, in the order in which they were sent.
func conversations(t testing.TB, file string) (out [][]analyzetest.Segment) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Skipf("%s is not here", file)
	}
	defer f.Close()
	src, err := capture.NewReader(f, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	type key struct {
		a, b  netip.AddrPort
		proto uint8
	}
	at := map[key]int{}
	next := map[key]uint32{}
	var fr capture.Frame
	for src.Next(&fr) != io.EOF {
		var p packet.Packet
		packet.Decode(&p, uint16(fr.Link), fr.Data, fr.OrigLen)
		if p.Proto != packet.ProtoTCP && p.Proto != packet.ProtoUDP || p.Proto == packet.ProtoUDP && len(p.Payload) == 0 {
			continue
		}
		a, b := netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort)
		k, back := key{a, b, p.Proto}, key{b, a, p.Proto}
		syn := p.Proto == packet.ProtoTCP && p.Flags&packet.SYN != 0
		if syn {
			next[k] = p.Seq + 1
		}
		dir := analyze.ToServer
		i, ok := at[k]
		if j, other := at[back]; !ok && other {
			i, ok, dir = j, true, analyze.ToClient
		}
		if !ok || syn && p.Flags&packet.ACK == 0 {
			i, dir = len(out), analyze.ToServer
			at[k] = i
			out = append(out, nil)
		}
		if len(p.Payload) == 0 {
			continue
		}
		if p.Proto == packet.ProtoTCP {
			if n, ok := next[k]; ok && p.Seq != n {
				continue // sent again
			}
			next[k] = p.Seq + uint32(len(p.Payload))
		}
		out[i] = append(out[i], analyzetest.Segment{Dir: dir, Data: append([]byte(nil), p.Payload...)})
	}
	return out
}

func TestAnalysersGiveTheSameHoweverAStreamIsCut(t *testing.T) {
	for _, tc := range []struct{ file, protocol string }{
		{"smb/smb2.pcap", "smb"}, {"smb/smb1-nt1-spnego.pcap", "smb"}, {"smb/smb311-encrypted.pcap", "smb"}, {"smb/smb-anonymous-rpc.pcap", "smb"}, {"ftp/ftp-clear.pcap", "ftp"}, {"rdp/rdp-standard.pcap", "rdp"},
		{"vnc/vnc-auth.pcap", "vnc"}, {"telnet/telnet-login.pcap", "telnet"}, {"modbus/modbus-pymodbus.pcap", "modbus"}, {"ldap/ldap-clear.pcap", "ldap"}, {"postgresql/postgresql.pcap", "postgresql"},
		{"mysql/mariadb.pcap", "mysql"}, {"tds/freetds.pcap", "tds"}, {"adb/adb-quest.pcap", "adb"},
	} {
		t.Run(tc.file, func(t *testing.T) {
			for _, segs := range conversations(t, filepath.Join(recorded, tc.file)) {
				for _, p := range remote.Protocols() {
					if p.Name != tc.protocol || p.NewStream == nil || len(segs) == 0 || p.Probe(analyzetest.Conn(analyzetest.NewHost(), 6, 1), segs[0].Dir, segs[0].Data) == analyze.No {
						continue
					}
					var said [2]string
					for i, s := range [][]analyzetest.Segment{segs, analyzetest.Split(segs)} {
						h, _ := analyzetest.Stream(t, p, 502, s)
						for _, e := range h.Events {
							b, _ := json.Marshal(e.Detail)
							said[i] += e.Message + " " + string(b) + "\n"
						}
						for _, f := range h.Facts {
							said[i] += string(f.Attribute) + "=" + f.Value + "\n"
						}
					}
					if said[0] != said[1] || said[0] == "" {
						t.Errorf("whole:\n%s\nbyte by byte:\n%s", said[0], said[1])
					}
				}
			}
		})
	}
}
