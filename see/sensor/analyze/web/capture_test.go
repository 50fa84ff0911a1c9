// SPDX-License-Identifier: Apache-2.0

package web

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

const captures = "../../../../testdata/captures"

// conversation is one flow of a capture with its payloads in order.
type conversation struct {
	ends  [2]event.Endpoint
	proto uint8
	segs  []analyzetest.Segment
	times []int64
	next  [2]uint32
	begun [2]bool
	held  [2]map[uint32][]byte
}

// conversations reads a capture. Segments are put in order by sequence number;
// that is enough for captures of a loopback interface.
func conversations(t testing.TB, path string) []*conversation {
	t.Helper()
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("capture %s is not here", path)
	}
	if err != nil {
		t.Fatal(err)
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
	flows := map[key]*conversation{}
	var order []*conversation
	var fr capture.Frame
	for src.Next(&fr) != io.EOF {
		var p packet.Packet
		packet.Decode(&p, uint16(fr.Link), fr.Data, fr.OrigLen)
		if p.Proto != packet.ProtoTCP && p.Proto != packet.ProtoUDP {
			continue
		}
		a, b := netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort)
		dir := analyze.ToServer
		c := flows[key{a, b, p.Proto}]
		if c == nil {
			if c = flows[key{b, a, p.Proto}]; c != nil {
				dir = analyze.ToClient
			}
		}
		if c == nil || p.Flags&(packet.SYN|packet.ACK) == packet.SYN && p.Proto == packet.ProtoTCP && len(c.segs) > 0 {
			dir = analyze.ToServer
			c = &conversation{proto: p.Proto, held: [2]map[uint32][]byte{{}, {}}}
			c.ends[0] = event.Endpoint{MAC: device.MAC{2, 0, 0, 0, 0, 1}, IP: p.Src, Port: p.SrcPort}
			c.ends[1] = event.Endpoint{MAC: device.MAC{2, 0, 0, 0, 0, 2}, IP: p.Dst, Port: p.DstPort}
			flows[key{a, b, p.Proto}] = c
			delete(flows, key{b, a, p.Proto})
			order = append(order, c)
		}
		data := append([]byte(nil), p.Payload...)
		if p.Proto == packet.ProtoUDP {
			c.add(dir, data, fr.Time)
			continue
		}
		if p.Flags&packet.SYN != 0 {
			c.next[dir], c.begun[dir] = p.Seq+1, true
			continue
		}
		if !c.begun[dir] {
			c.next[dir], c.begun[dir] = p.Seq, true
		}
		if len(data) > 0 && int32(p.Seq-c.next[dir]) >= 0 {
			c.held[dir][p.Seq] = data
		}
		for {
			d, ok := c.held[dir][c.next[dir]]
			if !ok {
				break
			}
			delete(c.held[dir], c.next[dir])
			c.next[dir] += uint32(len(d))
			c.add(dir, d, fr.Time)
		}
	}
	return order
}

func (c *conversation) add(dir analyze.Dir, data []byte, at int64) {
	if len(data) == 0 {
		return
	}
	c.segs = append(c.segs, analyzetest.Segment{Dir: dir, Data: data})
	c.times = append(c.times, at)
}

// result is what the analysers of this package made of a conversation.
type result struct {
	*analyzetest.Host
	conn  *analyze.Conn
	first string // protocol that recognised it
	last  analyze.Verdict
}

// run analyses a conversation as the sensor does. split cuts streams into
// single bytes.
func (cv *conversation) run(t testing.TB, split bool, interpreters ...analyze.Interpreter) *result {
	t.Helper()
	r := &result{Host: analyzetest.NewHost()}
	handed := ""
	segs, times := cv.segs, cv.times
	for len(segs) > 0 {
		c := analyze.NewConn(r.Host, nil)
		c.Proto, c.Ends, c.Handed = cv.proto, cv.ends, handed
		r.conn = c
		n := 0
		segs, times, n = r.one(t, c, segs, times, cv.proto, split, interpreters)
		if n == 0 || r.last != analyze.Handoff {
			break
		}
		handed = c.App
	}
	return r
}

func (r *result) one(t testing.TB, c *analyze.Conn, segs []analyzetest.Segment, times []int64, proto uint8, split bool, interpreters []analyze.Interpreter) ([]analyzetest.Segment, []int64, int) {
	t.Helper()
	var chosen *analyze.Protocol
	var head [2][]byte
	protos := Protocols(interpreters...)
	for i := range segs {
		if i >= analyze.ProbePackets || chosen != nil {
			break
		}
		d := segs[i].Dir
		c.Now = times[i]
		if proto == packet.ProtoUDP {
			head[d] = segs[i].Data
		} else {
			head[d] = append(head[d], segs[i].Data...)
		}
		for j := range protos {
			p := &protos[j]
			if (p.NewStream != nil) != (proto == packet.ProtoTCP) {
				continue
			}
			if p.Probe(c, d, head[d][:min(len(head[d]), analyze.ProbeBytes)]) == analyze.Yes && (chosen == nil || p.Rank > chosen.Rank) {
				chosen = p
			}
		}
	}
	if chosen == nil {
		return nil, nil, 0
	}
	c.App = chosen.Name
	if c.Handed != "" {
		c.App = c.Handed + "+" + chosen.Name
	}
	if r.first == "" {
		r.first = chosen.Name
	}
	if proto == packet.ProtoUDP {
		a := chosen.NewDatagram(c)
		for i := range segs {
			c.Now = times[i]
			if r.last = a.Packet(c, segs[i].Dir, segs[i].Data, 0); r.last != analyze.More {
				break
			}
		}
		a.Close(c, analyze.Finished)
		return nil, nil, len(segs)
	}
	a := chosen.NewStream(c)
	var pending [2][]byte
	var skip [2]int64
	for i := range segs {
		c.Now = times[i]
		parts := [][]byte{segs[i].Data}
		if split {
			parts = nil
			for k := range segs[i].Data {
				parts = append(parts, segs[i].Data[k:k+1])
			}
		}
		d := segs[i].Dir
		for _, part := range parts {
			if k := min(skip[d], int64(len(part))); k > 0 {
				part, skip[d] = part[k:], skip[d]-k
			}
			pending[d] = append(pending[d], part...)
			for len(pending[d]) > 0 {
				n, v := a.Data(c, d, pending[d])
				if n > int64(len(pending[d])) {
					skip[d] = n - int64(len(pending[d]))
					n = int64(len(pending[d]))
				}
				pending[d] = pending[d][n:]
				if r.last = v; v != analyze.More {
					end := analyze.Cut
					if v == analyze.Handoff {
						end = analyze.Handed
					}
					a.Close(c, end)
					rest := append([]analyzetest.Segment(nil), segs[i+1:]...)
					restTimes := append([]int64(nil), times[i+1:]...)
					for d := range pending {
						if len(pending[d]) > 0 {
							rest = append([]analyzetest.Segment{{Dir: analyze.Dir(d), Data: pending[d]}}, rest...)
							restTimes = append([]int64{times[i]}, restTimes...)
						}
					}
					return rest, restTimes, 1
				}
				if n == 0 {
					break
				}
			}
		}
		if len(pending[d]) > analyze.DefaultMaxPending {
			t.Fatalf("%s leaves %d bytes unconsumed", chosen.Name, len(pending[d]))
		}
	}
	a.Close(c, analyze.Finished)
	return nil, nil, 1
}

// allCaptures returns every capture that the project has.
func allCaptures(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, dir := range []string{"tls", "http", "ssh", "mqtt", "stun", "quic", "sip", "webrtc"} {
		m, err := filepath.Glob(filepath.Join(captures, dir, "*.pcap"))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m...)
	}
	sort.Strings(out)
	return out
}

func details[T event.Detail](r *result) []T {
	var out []T
	for _, e := range r.Events {
		if d, ok := e.Detail.(T); ok {
			out = append(out, d)
		}
	}
	return out
}

func get(kv []event.KV, name string) string {
	var out []string
	for _, k := range kv {
		if k.Name == name {
			out = append(out, k.Value)
		}
	}
	return strings.Join(out, " ")
}
