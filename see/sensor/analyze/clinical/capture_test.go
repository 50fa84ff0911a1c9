// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"encoding/json"
	"fmt"
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
	"github.com/asepsis/asepsis/see/sensor/analyze/web"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// talk is one conversation of a capture, its segments in the order of their
// sequence numbers: enough for captures in which nothing is lost.
type talk struct {
	proto uint8
	ends  [2]event.Endpoint
	mid   bool
	segs  []analyzetest.Segment
	next  [2]uint32
	known [2]bool
	early [2]map[uint32][]byte
}

func talks(t testing.TB, file string) []*talk {
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
	type pair struct{ a, b netip.AddrPort }
	open := map[pair]*talk{}
	var all []*talk
	var fr capture.Frame
	join := packet.NewReassembler()
	for src.Next(&fr) != io.EOF {
		var p packet.Packet
		packet.Decode(&p, uint16(fr.Link), fr.Data, fr.OrigLen)
		if p.Fragment {
			whole := join.Add(&p, fr.Data)
			if whole == nil {
				continue
			}
			packet.Decode(&p, uint16(fr.Link), whole, len(whole))
		}
		if p.Proto != packet.ProtoTCP && p.Proto != packet.ProtoUDP {
			continue
		}
		a, b := netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort)
		dir := analyze.ToServer
		k := open[pair{a, b}]
		if back := open[pair{b, a}]; k == nil && back != nil {
			k, dir = back, analyze.ToClient
		}
		syn := p.Proto == packet.ProtoTCP && p.Flags&packet.SYN != 0
		if k == nil || syn && p.Flags&packet.ACK == 0 && len(k.segs) > 0 {
			dir = analyze.ToServer
			k = &talk{proto: p.Proto, mid: p.Proto == packet.ProtoTCP && !syn, early: [2]map[uint32][]byte{{}, {}}}
			k.ends = [2]event.Endpoint{{MAC: device.MAC{2, 0, 0, 0, 0, 1}, IP: p.Src, Port: p.SrcPort}, {MAC: device.MAC{2, 0, 0, 0, 0, 2}, IP: p.Dst, Port: p.DstPort}}
			open[pair{a, b}] = k
			all = append(all, k)
		}
		data := append([]byte(nil), p.Payload...)
		switch {
		case p.Proto == packet.ProtoUDP:
			if len(data) > 0 {
				k.segs = append(k.segs, analyzetest.Segment{Dir: dir, Data: data})
			}
			continue
		case syn:
			k.next[dir], k.known[dir] = p.Seq+1, true
			continue
		case !k.known[dir]:
			k.next[dir], k.known[dir] = p.Seq, true
		}
		if len(data) > 0 && int32(p.Seq-k.next[dir]) >= 0 {
			k.early[dir][p.Seq] = data
		}
		for d := k.early[dir][k.next[dir]]; len(d) > 0; d = k.early[dir][k.next[dir]] {
			delete(k.early[dir], k.next[dir])
			k.next[dir] += uint32(len(d))
			k.segs = append(k.segs, analyzetest.Segment{Dir: dir, Data: d})
		}
	}
	return all
}

// protocols are the family's and the one that asks the interpreters.
func protocols() []analyze.Protocol {
	all := Protocols()
	for _, p := range web.Protocols(Interpreters()...) {
		if p.Name == "http" {
			all = append(all, p)
		}
	}
	return all
}

// analyse runs every conversation of a capture and gathers what was emitted.
func analyse(t testing.TB, file string, split bool) *analyzetest.Host {
	t.Helper()
	h := analyzetest.NewHost()
	for _, k := range talks(t, file) {
		one(t, h, k, split)
	}
	return h
}

func one(t testing.TB, h *analyzetest.Host, k *talk, split bool) {
	c := analyze.NewConn(h, nil)
	c.Proto, c.Ends, c.MidStream, c.Now = k.proto, k.ends, k.mid, 1_700_000_000_000_000_000
	if k.proto == packet.ProtoUDP {
		for _, p := range protocols() {
			if p.NewDatagram == nil || p.Probe(c, k.segs[0].Dir, k.segs[0].Data) != analyze.Yes {
				continue
			}
			c.App = p.Name
			a := p.NewDatagram(c)
			for _, s := range k.segs {
				a.Packet(c, s.Dir, s.Data, 0)
			}
			a.Close(c, analyze.Finished)
			return
		}
		return
	}
	var head [2][]byte
	for _, s := range k.segs {
		head[s.Dir] = append(head[s.Dir], s.Data...)
		for _, p := range protocols() {
			b := head[s.Dir][:min(len(head[s.Dir]), analyze.ProbeBytes)]
			if p.NewStream == nil || p.Probe(c, s.Dir, b) != analyze.Yes {
				continue
			}
			segs := k.segs
			if split {
				segs = analyzetest.Split(segs)
			}
			analyzetest.RunStream(t, p, c, segs)
			return
		}
	}
}

func lines(h *analyzetest.Host) string {
	var b strings.Builder
	for _, e := range h.Events {
		d, _ := json.Marshal(e.Detail)
		fmt.Fprintf(&b, "event %s %d %s %d %s | %s | %s\n", e.Protocol, e.Activity, e.StatusCode, e.Status, e.StatusDetail, e.Message, d)
	}
	facts := map[string]bool{}
	for _, f := range h.Facts {
		facts[fmt.Sprintf("fact %s %s=%s by %s %d", f.Subject.IP, f.Attribute, f.Value, f.Source, f.Confidence)] = true
	}
	var list []string
	for f := range facts {
		list = append(list, f)
	}
	sort.Strings(list)
	return b.String() + strings.Join(list, "\n") + "\n"
}

func clinicalCaptures(t testing.TB) []string {
	var files []string
	for _, g := range []string{"../../../../testdata/captures/hl7-*.pcap", "../../../../testdata/captures/lis2*.pcap", "../../../../testdata/captures/poct1a*.pcap",
		"../../../../testdata/captures/sdc*.pcap", "../../../../testdata/captures/fhir-http.pcap", "../../../../testdata/captures/dicomweb.pcap", "../../../../testdata/captures/wsd/*.pcap", "../../../../../shared/captures/tapirx/HL7-*.pcap"} {
		m, err := filepath.Glob(g)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, m...)
	}
	if len(files) == 0 {
		t.Fatal("testdata/captures holds no clinical captures")
	}
	return files
}
