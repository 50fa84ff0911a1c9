// SPDX-License-Identifier: Apache-2.0

// Package analyzetest runs an analyser as the sensor does, on bytes that a test
// gives, and keeps what it emitted. It is for tests only.
package analyzetest

import (
	"net/netip"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/packet"
)

// Host keeps events and evidence.
type Host struct {
	Events []*event.Event
	Facts  []device.Evidence
	key    pseudonym.Key
}

// NewHost makes a Host with a fixed key.
func NewHost() *Host {
	k, err := pseudonym.New([]byte("analyzetest-key-of-32-bytes-long"))
	if err != nil {
		panic(err)
	}
	return &Host{key: k}
}

// Emit implements analyze.Host.
func (h *Host) Emit(e *event.Event) { h.Events = append(h.Events, e) }

// Evidence implements analyze.Host.
func (h *Host) Evidence(e device.Evidence) { h.Facts = append(h.Facts, e) }

// Pseudonym implements analyze.Host.
func (h *Host) Pseudonym(kind pseudonym.Kind, value string) string { return h.key.Of(kind, value) }

// Has reports whether evidence with that attribute and value was given.
func (h *Host) Has(attr device.Attribute, value string) bool {
	for _, e := range h.Facts {
		if e.Attribute == attr && e.Value == value {
			return true
		}
	}
	return false
}

// Segment is one piece of a conversation. Gap > 0 means that so many bytes are
// lost instead of Data.
type Segment struct {
	Dir  analyze.Dir
	Data []byte
	Gap  int64
}

// C is a segment from the client, S one from the server.
func C(s string) Segment { return Segment{Dir: analyze.ToServer, Data: []byte(s)} }

// S is a segment from the server.
func S(s string) Segment { return Segment{Dir: analyze.ToClient, Data: []byte(s)} }

// Conn makes a connection between two fixed hosts, client 192.0.2.10:50000 and
// server 192.0.2.20 on the given port.
func Conn(h *Host, proto uint8, port uint16) *analyze.Conn {
	c := analyze.NewConn(h, nil)
	c.Proto = proto
	c.Now = 1_700_000_000_000_000_000
	c.Ends[0] = event.Endpoint{MAC: device.MAC{2, 0, 0, 0, 0, 1}, IP: netip.MustParseAddr("192.0.2.10"), Port: 50000}
	c.Ends[1] = event.Endpoint{MAC: device.MAC{2, 0, 0, 0, 0, 2}, IP: netip.MustParseAddr("192.0.2.20"), Port: port}
	return c
}

// Stream runs a stream protocol over a conversation and returns what it
// emitted and its last verdict. It fails the test when the probe does not say
// Yes within the bounds of probing, or when MaxPending is exceeded. Each
// segment advances the clock by one millisecond.
func Stream(t testing.TB, p analyze.Protocol, port uint16, segs []Segment) (*Host, analyze.Verdict) {
	t.Helper()
	h := NewHost()
	c := Conn(h, packet.ProtoTCP, port)
	v := RunStream(t, p, c, segs)
	return h, v
}

// RunStream is Stream on a Conn that the test prepared.
func RunStream(t testing.TB, p analyze.Protocol, c *analyze.Conn, segs []Segment) analyze.Verdict {
	t.Helper()
	maxPending := p.MaxPending
	if maxPending == 0 {
		maxPending = analyze.DefaultMaxPending
	}
	var head [2][]byte
	matched := false
	for _, s := range segs {
		if s.Gap > 0 || len(head[s.Dir]) >= analyze.ProbeBytes {
			continue
		}
		head[s.Dir] = append(head[s.Dir], s.Data...)
		if len(head[s.Dir]) > 0 && p.Probe(c, s.Dir, head[s.Dir][:min(len(head[s.Dir]), analyze.ProbeBytes)]) == analyze.Yes {
			matched = true
			break
		}
	}
	if !matched {
		t.Fatalf("%s: the probe never said Yes", p.Name)
	}
	c.App = p.Name
	a := p.NewStream(c)
	var pending [2][]byte
	var skip [2]int64
	for _, s := range segs {
		c.Now += 1_000_000
		if s.Gap > 0 {
			if skip[s.Dir] >= s.Gap {
				skip[s.Dir] -= s.Gap
				continue
			}
			g := s.Gap - skip[s.Dir]
			skip[s.Dir] = 0
			pending[s.Dir] = nil
			if v := a.Gap(c, s.Dir, g); v != analyze.More {
				a.Close(c, analyze.Cut)
				return v
			}
			continue
		}
		d := s.Data
		if k := min(skip[s.Dir], int64(len(d))); k > 0 {
			d = d[k:]
			skip[s.Dir] -= k
		}
		pending[s.Dir] = append(pending[s.Dir], d...)
		for len(pending[s.Dir]) > 0 {
			before := len(pending[s.Dir])
			n, v := a.Data(c, s.Dir, pending[s.Dir])
			if n > int64(before) {
				skip[s.Dir] = n - int64(before)
				n = int64(before)
			}
			pending[s.Dir] = append([]byte(nil), pending[s.Dir][n:]...)
			if v != analyze.More {
				end := analyze.Cut
				if v == analyze.Handoff {
					end = analyze.Handed
				}
				a.Close(c, end)
				return v
			}
			if n == 0 {
				break
			}
		}
		if len(pending[s.Dir]) > maxPending {
			t.Fatalf("%s: %d bytes left unconsumed, more than MaxPending %d", p.Name, len(pending[s.Dir]), maxPending)
		}
	}
	a.Close(c, analyze.Finished)
	return analyze.More
}

// Split cuts every data segment into single bytes: an analyser must emit the
// same for both.
func Split(segs []Segment) []Segment {
	var out []Segment
	for _, s := range segs {
		if s.Gap > 0 {
			out = append(out, s)
			continue
		}
		for i := range s.Data {
			out = append(out, Segment{Dir: s.Dir, Data: s.Data[i : i+1]})
		}
	}
	return out
}
