// SPDX-License-Identifier: Apache-2.0

package protocols_test

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/http1"
	"github.com/asepsis/asepsis/wire/packet"
)

// frames is a source of what was read before.
type frames struct {
	list []capture.Frame
	at   int
}

func (s *frames) Next(f *capture.Frame) error {
	if s.at == len(s.list) {
		return io.EOF
	}
	*f = s.list[s.at]
	s.at++
	return nil
}

func (s *frames) Stats() capture.Stats { return capture.Stats{Frames: uint64(s.at)} }

func load(t *testing.T, file string) []capture.Frame {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	src, err := capture.NewReader(f, capture.Options{})
	if err != nil {
		return nil // of another kind, or broken on purpose
	}
	var out []capture.Frame
	for {
		var x capture.Frame
		if err := src.Next(&x); err != nil {
			return out
		}
		x.Data = append([]byte(nil), x.Data...)
		out = append(out, x)
	}
}

// flows keeps what each TCP conversation was taken for, and what was said of it.
type flows struct {
	app    map[string]string
	events map[string]int
}

func (s *flows) Emit(e *event.Event) {
	if e.Flow == nil || e.Flow.Proto != 6 {
		return
	}
	if c, ok := e.Detail.(*event.Connection); ok {
		if s.app[e.Flow.CommunityID] == "" {
			s.app[e.Flow.CommunityID] = c.App
		}
		return
	}
	if _, evidence := e.Detail.(*event.DeviceEvidence); !evidence {
		s.events[e.Protocol]++
	}
}

func watch(t *testing.T, list []capture.Frame) *flows {
	t.Helper()
	key, err := pseudonym.New([]byte("a key of this test, of 32 bytes."))
	if err != nil {
		t.Fatal(err)
	}
	cfg := sensor.Default()
	cfg.Workers = 1
	out := &flows{app: map[string]string{}, events: map[string]int{}}
	s, err := sensor.New(cfg, sensor.Deps{Protocols: protocols.All(), Sink: out, Key: key, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), &frames{list: list}); err != nil {
		t.Fatal(err)
	}
	return out
}

func recorded(t *testing.T) (out []string) {
	t.Helper()
	err := filepath.WalkDir("../../../testdata/captures", func(p string, d fs.DirEntry, err error) error {
		if err == nil && (strings.HasSuffix(p, ".pcap") || strings.HasSuffix(p, ".pcapng")) {
			out = append(out, p)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

// reply is a frame of the other side that carries n bytes of a body.
func reply(t *testing.T, ask *capture.Frame, at uint32, n int) capture.Frame {
	t.Helper()
	const link, tcp = 14, 20
	h := ask.Data
	ip := link + int(h[link]&15)*4
	if h[link]>>4 != 4 {
		t.Fatal("the frame is not IPv4 on Ethernet")
	}
	b := append([]byte(nil), h[:ip+tcp]...)
	copy(b[0:], h[6:12])
	copy(b[6:], h[0:6])
	copy(b[link+12:], h[link+16:link+20])
	copy(b[link+16:], h[link+12:link+16])
	copy(b[ip:], h[ip+2:ip+4])
	copy(b[ip+2:], h[ip:ip+2])
	copy(b[ip+8:], h[ip+4:ip+8])
	binary.BigEndian.PutUint32(b[ip+4:], binary.BigEndian.Uint32(h[ip+8:])+at)
	b[ip+12] = 5 << 4
	binary.BigEndian.PutUint16(b[link+2:], uint16(len(b)-link+n))
	for k := range n {
		b = append(b, "0123456789 body\n"[k%16])
	}
	return capture.Frame{Time: ask.Time - int64(1e9) + int64(at), Data: b, OrigLen: len(b), Link: ask.Link}
}

// TestAConversationCutAnywhereIsNamedAsItIsWholeOrNotAtAll begins each recorded capture
// in the middle, at several places.
func TestAConversationCutAnywhereIsNamedAsItIsWholeOrNotAtAll(t *testing.T) {
	named, all := map[string]int{}, map[string]int{}
	for _, file := range recorded(t) {
		list := load(t, file)
		if len(list) > 3000 {
			list = list[:3000]
		}
		whole := watch(t, list)
		for n := range 8 {
			cut := len(list) * (2*n + 1) / 16
			for id, app := range watch(t, list[cut:]).app {
				full := whole.app[id]
				if full == "" {
					continue
				}
				base, _, _ := strings.Cut(full, "+")
				all[base]++
				if app == full {
					named[base]++
				} else if app != "" && !alike(app, full) {
					t.Errorf("%s from frame %d on: %s is taken for %s, whole it is %s", filepath.Base(file), cut+1, id, app, full)
				}
			}
		}
	}
	recognised, total := 0, 0
	for app, n := range all {
		recognised, total = recognised+named[app], total+n
	}
	if total < 1500 || 100*recognised < 85*total {
		t.Errorf("%d of %d cut conversations are recognised: %v of %v", recognised, total, named, all)
	}
}

// alike reports names of one thing: what runs over HTTP is named by its latest
// exchange, what carries another protocol by what could be read of it.
func alike(app, full string) bool {
	over := map[string]bool{"http": true, "fhir": true, "dicomweb": true, "sdc": true, "dpws": true, "upnp": true}
	for _, a := range strings.Split(app, "+") {
		for _, b := range strings.Split(full, "+") {
			if a == b || over[a] && over[b] || a == "tls" && b == "rdp" {
				return true
			}
		}
	}
	return false
}

// only keeps the frames with a TCP payload of which keep says so, and none that opens
// a connection.
func only(list []capture.Frame, keep func(p *packet.Packet) bool) (out []capture.Frame) {
	for _, f := range list {
		var p packet.Packet
		packet.Decode(&p, uint16(f.Link), f.Data, f.OrigLen)
		if p.Proto == packet.ProtoTCP && p.Flags&packet.SYN == 0 && len(p.Payload) > 0 && keep(&p) {
			out = append(out, f)
		}
	}
	return out
}

// fhirPort is where the recorded FHIR server listens.
const fhirPort = 8080

func from(port uint16) func(*packet.Packet) bool {
	return func(p *packet.Packet) bool { return p.SrcPort == port }
}

func port(n uint16) func(*packet.Packet) bool {
	return func(p *packet.Packet) bool { return p.SrcPort == n || p.DstPort == n }
}

// starts reports what begins an HTTP message.
func starts(p *packet.Packet) bool {
	return http1.Looks(p.Payload, "HTTP") == http1.Request || http1.Looks(p.Payload, "HTTP") == http1.Response
}

func TestHTTPThatBeginsInsideABodyIsRecognisedAtTheNextMessage(t *testing.T) {
	// One connection of several exchanges, begun at each of its segments.
	list := only(load(t, "../../../testdata/captures/fhir-http.pcap"), port(fhirPort))
	inside := 0
	for k := range list {
		rest, next, body := list[k:], false, false
		for n, f := range rest {
			var p packet.Packet
			packet.Decode(&p, uint16(f.Link), f.Data, f.OrigLen)
			next = next || starts(&p) && p.DstPort == fhirPort
			body = body || n == 0 && !starts(&p)
		}
		if !next || !body {
			continue
		}
		inside++
		got := watch(t, rest)
		if got.events["http"]+got.events["fhir"] == 0 {
			t.Errorf("from segment %d on: %v", k+1, got)
		}
	}
	if inside == 0 {
		t.Error("no segment is inside a body")
	}
}

func TestALongTransferDoesNotHideTheNextMessage(t *testing.T) {
	list := only(load(t, "../../../testdata/captures/fhir-http.pcap"), port(fhirPort))
	var ask *capture.Frame
	var p packet.Packet
	for k := range list {
		packet.Decode(&p, uint16(list[k].Link), list[k].Data, list[k].OrigLen)
		if starts(&p) && p.DstPort == fhirPort {
			ask = &list[k]
			break
		}
	}
	// A hundred segments of the answer to a question before, then this question.
	var long []capture.Frame
	for _, n := range []int{5, 11, 12, 13, 100} {
		long = long[:0]
		for k := range n {
			long = append(long, reply(t, ask, uint32(k*1000), 1000))
		}
		if got := watch(t, append(long, *ask)); got.events["http"]+got.events["fhir"] == 0 {
			t.Errorf("after %d segments of a body: %v", n, got)
		}
	}
}

func TestMQTTAndPostgreSQLAreRecognisedWithin(t *testing.T) {
	mqtt := load(t, "../../../testdata/captures/mqtt/mosquitto.pcap")
	postgres := load(t, "../../../testdata/captures/postgresql/postgresql.pcap")
	for _, tt := range []struct {
		name, app string
		list      []capture.Frame
		keep      func(*packet.Packet) bool
	}{
		{"MQTT without its CONNECT", "mqtt", mqtt, func(p *packet.Packet) bool {
			return port(1883)(p) && p.Payload[0] != 0x10 && p.Payload[0] != 0x20
		}},
		{"PostgreSQL, the server's side only", "postgresql", postgres, from(5432)},
		{"PostgreSQL, the server's side from the end of authentication on", "postgresql", postgres, func(p *packet.Packet) bool {
			return p.SrcPort == 5432 && p.Payload[0] != 'R' && p.Payload[0] != 'N' && p.Payload[0] != 'S'
		}},
	} {
		got := watch(t, only(tt.list, tt.keep))
		n := 0
		for _, app := range got.app {
			if app == tt.app {
				n++
			}
		}
		if n < 4 {
			t.Errorf("%s: %v", tt.name, got.app)
		}
	}
}

func TestRandomBytesFromTheMiddleAreNothing(t *testing.T) {
	// The frames of a real transfer, with other bytes in the segments.
	list := load(t, "../../../testdata/captures/http/nginx.pcap")
	rnd := rand.New(rand.NewPCG(3, 4))
	for n := range 60 {
		noise := make([]capture.Frame, 0, len(list))
		for _, f := range list {
			if len(f.Data) < 67 || f.Data[47]&2 != 0 { // no payload, or SYN
				continue
			}
			f.Data = append([]byte(nil), f.Data...)
			for k := 66; k < len(f.Data); k++ {
				f.Data[k] = byte(rnd.Uint32())
				if n%2 == 1 {
					f.Data[k] = 0x20 + f.Data[k]%0x5F
				}
			}
			noise = append(noise, f)
		}
		for id, app := range watch(t, noise).app {
			if app != "" {
				t.Errorf("round %d: %s is taken for %s", n, id, app)
			}
		}
	}
}
