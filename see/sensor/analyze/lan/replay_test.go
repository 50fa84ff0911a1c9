// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// flowKey names a 5-tuple without direction.
type flowKey struct {
	proto uint8
	a, b  netip.AddrPort
}

type flowState struct {
	c      *analyze.Conn
	first  netip.AddrPort // sends in direction ToServer
	dgram  analyze.Datagram
	stream analyze.Stream
	proto  *analyze.Protocol
	pend   [2][]byte
	log    []held
	dead   bool
}

// held is a datagram that waits until the protocol is known.
type held struct {
	dir     analyze.Dir
	payload []byte
	missing int
	now     int64
}

// replay runs the analysers of this package over a capture as the sensor does,
// for captures without loss or reordering.
func replay(t testing.TB, file string) *analyzetest.Host {
	t.Helper()
	r, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("capture %s is not here", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	src, err := capture.NewReader(r, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := analyzetest.NewHost()
	protos := Protocols()
	flows := map[flowKey]*flowState{}
	var order []*flowState
	var fr capture.Frame
	for {
		if err := src.Next(&fr); err != nil {
			if err != io.EOF {
				t.Fatal(err)
			}
			break
		}
		p := &packet.Packet{Time: fr.Time}
		packet.Decode(p, uint16(fr.Link), append([]byte(nil), fr.Data...), fr.OrigLen)
		if p.Proto != packet.ProtoTCP && p.Proto != packet.ProtoUDP {
			for i := range protos {
				if protos[i].Select != nil && protos[i].Select(p) {
					c := analyze.NewConn(h, nil)
					c.Now, c.App, c.Packet, c.VLAN, c.Proto = fr.Time, protos[i].Name, p, p.VLAN(), p.Proto
					c.Ends = [2]event.Endpoint{{MAC: p.SrcMAC, IP: p.Src}, {MAC: p.DstMAC, IP: p.Dst}}
					protos[i].Frame(c, p)
					break
				}
			}
			continue
		}
		if p.Fragment || p.Err != nil || len(p.Payload) == 0 {
			continue
		}
		from, to := netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort)
		k := flowKey{p.Proto, from, to}
		if to.Compare(from) < 0 {
			k = flowKey{p.Proto, to, from}
		}
		f := flows[k]
		if f == nil {
			f = &flowState{first: from, c: analyze.NewConn(h, nil)}
			f.c.Proto, f.c.VLAN = p.Proto, p.VLAN()
			f.c.Ends = [2]event.Endpoint{{MAC: p.SrcMAC, IP: p.Src, Port: p.SrcPort}, {MAC: p.DstMAC, IP: p.Dst, Port: p.DstPort}}
			flows[k] = f
			order = append(order, f)
		}
		dir := analyze.ToServer
		if from != f.first {
			dir = analyze.ToClient
			f.c.Ends[1].MAC = p.SrcMAC
		}
		f.c.Now, f.c.Packet = fr.Time, p
		f.take(t, protos, dir, p)
	}
	for _, f := range order {
		if f.proto != nil && !f.dead {
			f.close(analyze.EndOfInput)
		}
	}
	return h
}

func (f *flowState) close(why analyze.End) {
	if f.dgram != nil {
		f.dgram.Close(f.c, why)
	} else if f.stream != nil {
		f.stream.Close(f.c, why)
	}
}

func (f *flowState) take(t testing.TB, protos []analyze.Protocol, dir analyze.Dir, p *packet.Packet) {
	if f.dead {
		return
	}
	tcp := p.Proto == packet.ProtoTCP
	if tcp {
		f.pend[dir] = append(f.pend[dir], p.Payload...)
	}
	if f.proto == nil {
		head := p.Payload
		if tcp {
			head = f.pend[dir]
		}
		best := -1
		for i := range protos {
			q := &protos[i]
			if q.Probe == nil || (q.NewStream != nil) != tcp || q.Probe(f.c, dir, head[:min(len(head), analyze.ProbeBytes)]) != analyze.Yes {
				continue
			}
			if best < 0 || q.Rank > protos[best].Rank {
				best = i
			}
		}
		if best < 0 {
			if !tcp {
				f.log = append(f.log, held{dir, append([]byte(nil), p.Payload...), p.Missing, f.c.Now})
			}
			return
		}
		f.proto = &protos[best]
		f.c.App = f.proto.Name
		if tcp {
			f.stream = f.proto.NewStream(f.c)
		} else {
			f.dgram = f.proto.NewDatagram(f.c)
			now := f.c.Now
			for _, l := range f.log {
				f.c.Now = l.now
				f.dgram.Packet(f.c, l.dir, l.payload, l.missing)
			}
			f.c.Now = now
		}
	}
	if !tcp {
		if v := f.dgram.Packet(f.c, dir, p.Payload, p.Missing); v != analyze.More {
			f.close(analyze.Cut)
			f.dead = true
		}
		return
	}
	for _, d := range []analyze.Dir{dir, dir.Other()} {
		for len(f.pend[d]) > 0 && !f.dead {
			n, v := f.stream.Data(f.c, d, f.pend[d])
			if v != analyze.More {
				f.close(analyze.Cut)
				f.dead = true
				return
			}
			if n == 0 {
				break
			}
			f.pend[d] = f.pend[d][n:]
		}
	}
}

// want fails for evidence that is missing, each "attribute=value" about who.
func want(t *testing.T, h *analyzetest.Host, about string, facts ...string) {
	t.Helper()
	have := map[string]bool{}
	for _, e := range h.Facts {
		if about == e.Subject.MAC.String() || e.Subject.IP.IsValid() && about == e.Subject.IP.String() {
			have[string(e.Attribute)+"="+e.Value] = true
		}
	}
	for _, f := range facts {
		if !have[f] {
			var list []string
			for k := range have {
				list = append(list, k)
			}
			sort.Strings(list)
			t.Errorf("no evidence %q about %s; there is:\n\t%s", f, about, strings.Join(list, "\n\t"))
		}
	}
}

// never fails when a string is anywhere in what was emitted.
func never(t *testing.T, h *analyzetest.Host, secret string) {
	t.Helper()
	for _, e := range h.Events {
		if s := fmt.Sprintf("%+v %+v", e, e.Detail); strings.Contains(s, secret) {
			t.Errorf("%q is in the event %s", secret, s)
		}
	}
	for _, e := range h.Facts {
		if strings.Contains(e.Value, secret) {
			t.Errorf("%q is in evidence %+v", secret, e)
		}
	}
}

// apps lists the events of one protocol as "operation attr=value ...".
func apps(h *analyzetest.Host, name string) (out []string) {
	for _, e := range h.Events {
		if a, ok := e.Detail.(*event.Application); ok && a.Name == name {
			s := a.Operation
			for _, kv := range a.Attributes {
				s += " " + kv.Name + "=" + kv.Value
			}
			out = append(out, s)
		}
	}
	return out
}

// attr is the value of an attribute in the first event with an operation.
func attr(h *analyzetest.Host, name, operation, key string) string {
	for _, e := range h.Events {
		if a, ok := e.Detail.(*event.Application); ok && a.Name == name && a.Operation == operation {
			for _, kv := range a.Attributes {
				if kv.Name == key {
					return kv.Value
				}
			}
		}
	}
	return ""
}

const captures = "../../../../testdata/captures/"

const shared = "../../../../../shared/captures/"
