// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// frame puts hexadecimal pieces together; spaces are for the reader.
func frame(parts ...string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(parts, ""), " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

const (
	eth    = "0a0000000002 0a0000000001"
	udp4   = "4500 0021 0001 0000 4011 0000 0a000001 0a000002" + "1388 1389 000d 0000 68656c6c6f"
	udp6   = "6000 0000 000d 1140 20010db8000000000000000000000001 20010db8000000000000000000000002" + "1388 1389 000d 0000 68656c6c6f"
	tcp4   = "4500 002d 0001 0000 4006 0000 0a000001 0a000002" + "1388 0068 00000001 00000002 5018 0100 0000 0000 68656c6c6f"
	inner  = "0b0000000002 0b0000000001 0800" + udp4
	ipGRE  = "4500 00ff 0001 0000 402f 0000 c0000201 c0000202"
	ipVX   = "4500 00ff 0001 0000 4011 0000 c0000201 c0000202" + "ffff 12b5 0000 0000"
	icmpv6 = "6000 0000 0008 3aff fe800000000000000000000000000001 ff020000000000000000000000000001" + "8600 0000 40000000"
)

func TestDecodeReachesThePayloadThroughEveryEncapsulation(t *testing.T) {
	tests := []struct {
		name   string
		link   uint16
		data   []byte
		vlans  []uint16
		tunnel TunnelKind
		id     uint32
	}{
		{"Ethernet II", linkEthernet, frame(eth, "0800", udp4), nil, TunnelNone, 0},
		{"Ethernet II with padding", linkEthernet, frame(eth, "0800", udp4, "000000000000000000"), nil, TunnelNone, 0},
		{"IPv6", linkEthernet, frame(eth, "86dd", udp6), nil, TunnelNone, 0},
		{"802.1Q", linkEthernet, frame(eth, "8100 600a 0800", udp4), []uint16{10}, TunnelNone, 0},
		{"QinQ", linkEthernet, frame(eth, "88a8 0064 8100 000a 0800", udp4), []uint16{100, 10}, TunnelNone, 0},
		{"802.3 SNAP", linkEthernet, frame(eth, "0029 aaaa03 000000 0800", udp4), nil, TunnelNone, 0},
		{"cooked v1", linkSLL, frame("0000 0001 0006 0a00000000010000 0800", udp4), nil, TunnelNone, 0},
		{"cooked v2", linkSLL2, frame("0800 0000 00000003 0001 00 06 0a00000000010000", udp4), nil, TunnelNone, 0},
		{"NULL, little-endian family", linkNull, frame("02000000", udp4), nil, TunnelNone, 0},
		{"NULL, big-endian family", linkNull, frame("00000002", udp4), nil, TunnelNone, 0},
		{"NULL, IPv6 of Darwin", linkNull, frame("1e000000", udp6), nil, TunnelNone, 0},
		{"LOOP", linkLoop, frame("00000002", udp4), nil, TunnelNone, 0},
		{"raw IPv4", linkRaw, frame(udp4), nil, TunnelNone, 0},
		{"raw IPv6", linkIPv6, frame(udp6), nil, TunnelNone, 0},
		{"MPLS, two labels", linkEthernet, frame(eth, "8847 000640ff 0000a1ff", udp4), nil, TunnelMPLS, 10},
		{"MPLS pseudowire with control word", linkEthernet, frame(eth, "8847 0000a1ff 00000000", inner), nil, TunnelMPLS, 10},
		{"PPPoE", linkEthernet, frame(eth, "8864 1100 0001 0023 0021", udp4), nil, TunnelNone, 0},
		{"GRE with IPv4", linkEthernet, frame(eth, "0800", ipGRE, "0000 0800", udp4), nil, TunnelGRE, 0},
		{"GRE with key, checksum and sequence, bridging", linkEthernet, frame(eth, "0800", ipGRE, "b000 6558 00000000 00000007 00000001", inner), nil, TunnelGRE, 7},
		{"ERSPAN I", linkEthernet, frame(eth, "0800", ipGRE, "0000 88be", inner), nil, TunnelERSPAN1, 0},
		{"ERSPAN II", linkEthernet, frame(eth, "0800", ipGRE, "1000 88be 00000001 100a 0805 00000000", inner), nil, TunnelERSPAN2, 5},
		{"ERSPAN III", linkEthernet, frame(eth, "0800", ipGRE, "1000 22eb 00000001 200a 0006 00000000 0000 0000", inner), nil, TunnelERSPAN3, 6},
		{"ERSPAN III with subheader", linkEthernet, frame(eth, "0800", ipGRE, "1000 22eb 00000001 200a 0006 00000000 0000 0001 0000000000000000", inner), nil, TunnelERSPAN3, 6},
		{"VXLAN", linkEthernet, frame(eth, "0800", ipVX, "08000000 00002a00", inner), nil, TunnelVXLAN, 42},
		{"IPv4 in IPv4", linkRaw, frame("4500 0035 0001 0000 4004 0000 c0000201 c0000202", udp4), nil, TunnelIPIP, 0},
		{"6in4", linkRaw, frame("4500 0049 0001 0000 4029 0000 c0000201 c0000202", udp6), nil, TunnelIPIP, 0},
		{"IPv6 with hop-by-hop, routing and destination options", linkRaw, frame(
			"6000 0000 0025 0040 20010db8000000000000000000000001 20010db8000000000000000000000002",
			"2b00 010400000000", "3c00 040000000000", "1100 010400000000", "1388 1389 000d 0000 68656c6c6f"), nil, TunnelNone, 0},
		{"authentication header", linkRaw, frame("4500 0039 0001 0000 4033 0000 0a000001 0a000002",
			"1104 0000 00000001 00000001 000000000000000000000000", "1388 1389 000d 0000 68656c6c6f"), nil, TunnelNone, 0},
		{"segmentation offload left the length empty", linkEthernet, frame(eth, "0800", strings.Replace(udp4, "4500 0021", "4500 0000", 1)), nil, TunnelNone, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p Packet
			Decode(&p, tt.link, tt.data, len(tt.data))
			if p.Err != nil {
				t.Fatalf("stopped: %v", p.Err)
			}
			if string(p.Payload) != "hello" || p.SrcPort != 5000 || p.DstPort != 5001 || p.Proto != ProtoUDP || p.Missing != 0 {
				t.Errorf("payload %q, ports %d and %d, protocol %d, missing %d", p.Payload, p.SrcPort, p.DstPort, p.Proto, p.Missing)
			}
			if got := p.VLANs[:p.NVLAN]; len(got) != len(tt.vlans) || len(got) > 0 && got[0] != tt.vlans[0] {
				t.Errorf("VLANs %v, want %v", got, tt.vlans)
			}
			if p.Tunnel != tt.tunnel || p.TunnelID != tt.id {
				t.Errorf("tunnel %d id %d, want %d id %d", p.Tunnel, p.TunnelID, tt.tunnel, tt.id)
			}
			if want := netip.MustParseAddr(map[uint8]string{4: "10.0.0.1", 6: "2001:db8::1"}[p.IPVersion]); p.Src != want {
				t.Errorf("source %v, want %v", p.Src, want)
			}
			if tt.tunnel != TunnelNone && tt.tunnel != TunnelMPLS && p.OuterSrc != netip.MustParseAddr("192.0.2.1") {
				t.Errorf("outer source %v", p.OuterSrc)
			}
		})
	}
}

func TestDecodeGivesWhatIsNotFollowedToItsAnalyser(t *testing.T) {
	tests := []struct {
		name  string
		data  []byte
		check func(p *Packet) bool
	}{
		{"ARP", frame(eth, "0806 0001"), func(p *Packet) bool { return p.EtherType == EtherTypeARP && len(p.Payload) == 2 }},
		{"LLDP", frame(eth, "88cc 0207"), func(p *Packet) bool { return p.EtherType == EtherTypeLLDP && len(p.Payload) == 2 }},
		{"CDP", frame(eth, "000a aaaa03 00000c 2000 02b4 ffff"), func(p *Packet) bool {
			return p.LLC && p.SNAPOUI == 0x00000c && p.SNAPPID == 0x2000 && len(p.Payload) == 2
		}},
		{"spanning tree", frame(eth, "0007 424203 00000000 ffff"), func(p *Packet) bool { return p.LLC && p.DSAP == 0x42 && len(p.Payload) == 4 }},
		{"router advertisement", frame(eth, "86dd", icmpv6), func(p *Packet) bool {
			return p.Proto == ProtoICMPv6 && p.ICMPType == 134 && len(p.Payload) == 4 && p.TTL == 255
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p Packet
			Decode(&p, linkEthernet, tt.data, len(tt.data))
			if p.Err != nil || !tt.check(&p) {
				t.Errorf("err %v, %+v", p.Err, p)
			}
		})
	}
}

func TestDecodeSaysWhyItStopped(t *testing.T) {
	deep := frame(eth, "8100", strings.Repeat("0001 8100", MaxLayers+1))
	tests := []struct {
		name string
		link uint16
		data []byte
		want error
	}{
		{"no Ethernet header", linkEthernet, frame("0a00"), ErrTruncated},
		{"no IPv4 header", linkEthernet, frame(eth, "0800 45"), ErrTruncated},
		{"IPv4 header length below five", linkRaw, frame(strings.Replace(udp4, "4500", "4400", 1)), ErrMalformed},
		{"IPv4 total length below its header", linkRaw, frame(strings.Replace(udp4, "0021", "0010", 1)), ErrMalformed},
		{"neither version four nor six", linkRaw, frame("5500"), ErrMalformed},
		{"TCP header length below five", linkRaw, frame(strings.Replace(tcp4, "5018", "4018", 1)), ErrMalformed},
		{"TCP options beyond the segment", linkRaw, frame(strings.Replace(tcp4, "5018", "f018", 1)), ErrTruncated},
		{"more tags than are followed", linkEthernet, deep, ErrTooDeep},
		{"unknown link type", 147, frame("00"), ErrLinkType},
		{"ERSPAN II of a wrong version", linkEthernet, frame(eth, "0800", ipGRE, "1000 88be 00000001 300a 0805 00000000", inner), ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p Packet
			Decode(&p, tt.link, tt.data, len(tt.data))
			if !errors.Is(p.Err, tt.want) {
				t.Errorf("%v, want %v", p.Err, tt.want)
			}
		})
	}
}

func TestSnapLengthIsReportedAsMissingPayload(t *testing.T) {
	whole := frame(eth, "0800", tcp4)
	for cut := 1; cut <= 5; cut++ {
		var p Packet
		Decode(&p, linkEthernet, whole[:len(whole)-cut], len(whole))
		if p.Err != nil || p.Missing != cut || len(p.Payload) != 5-cut {
			t.Errorf("cut %d: %d bytes and %d missing, err %v", cut, len(p.Payload), p.Missing, p.Err)
		}
	}
}

func TestTunnelsAreFollowedToTheBoundAndNoFurther(t *testing.T) {
	nest := func(n int) []byte {
		b := frame(udp4)
		for range n {
			h := frame("4500 0000 0001 0000 4004 0000 c0000201 c0000202")
			binary.BigEndian.PutUint16(h[2:], uint16(len(b)+20))
			b = append(h, b...)
		}
		return b
	}
	var p Packet
	Decode(&p, linkRaw, nest(MaxTunnels), 0)
	if p.Err != nil || string(p.Payload) != "hello" {
		t.Errorf("at the bound: %v", p.Err)
	}
	Decode(&p, linkRaw, nest(MaxTunnels+1), 0)
	if !errors.Is(p.Err, ErrTooDeep) {
		t.Errorf("one past the bound: %v", p.Err)
	}
}

// fragments cuts the IP packet in an Ethernet frame into fragments of at most
// size payload bytes.
func fragments(t testing.TB, whole []byte, size int) [][]byte {
	t.Helper()
	var out [][]byte
	ip := whole[14:]
	if ip[0]>>4 == 4 {
		body := ip[20:]
		for off := 0; off < len(body); off += size {
			n := min(size, len(body)-off)
			f := append([]byte(nil), whole[:34]...)
			binary.BigEndian.PutUint16(f[16:], uint16(20+n))
			ff := uint16(off / 8)
			if off+n < len(body) {
				ff |= 0x2000
			}
			binary.BigEndian.PutUint16(f[20:], ff)
			out = append(out, append(f, body[off:off+n]...))
		}
		return out
	}
	body := ip[40:]
	for off := 0; off < len(body); off += size {
		n := min(size, len(body)-off)
		f := append([]byte(nil), whole[:54]...)
		binary.BigEndian.PutUint16(f[18:], uint16(8+n))
		h := []byte{f[20], 0, 0, 0, 0, 0, 0, 9}
		f[20] = 44
		ff := uint16(off)
		if off+n < len(body) {
			ff |= 1
		}
		binary.BigEndian.PutUint16(h[2:], ff)
		out = append(out, append(append(f, h...), body[off:off+n]...))
	}
	return out
}

func bigUDP(v6 bool, n int) []byte {
	pay := make([]byte, n)
	for i := range pay {
		pay[i] = byte(i * 3)
	}
	u := frame("1388 1389 0000 0000")
	binary.BigEndian.PutUint16(u[4:], uint16(8+n))
	var b []byte
	if v6 {
		b = frame(eth, "86dd", udp6[:len("6000 0000 000d 1140 20010db8000000000000000000000001 20010db8000000000000000000000002")])
		binary.BigEndian.PutUint16(b[18:], uint16(8+n))
	} else {
		b = frame(eth, "0800", udp4[:len("4500 0021 0001 0000 4011 0000 0a000001 0a000002")])
		binary.BigEndian.PutUint16(b[16:], uint16(28+n))
	}
	return append(append(b, u...), pay...)
}

func TestFragmentsAreJoinedInAnyOrder(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for seed := range uint64(50) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			whole := bigUDP(v6, 3000+rnd.IntN(2000))
			fs := fragments(t, whole, 8*(1+rnd.IntN(100)))
			if len(fs) > maxPieces {
				fs = fragments(t, whole, 1480)
			}
			rnd.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
			r := NewReassembler()
			var joined []byte
			for i, f := range fs {
				var p Packet
				Decode(&p, linkEthernet, f, len(f))
				if !p.Fragment {
					t.Fatal("not seen as a fragment")
				}
				if out := r.Add(&p, f); out != nil {
					if i != len(fs)-1 {
						t.Fatal("complete before the last fragment")
					}
					joined = out
				}
				if rnd.IntN(3) == 0 && joined == nil {
					r.Add(&p, f) // a duplicate changes nothing
				}
			}
			var p, q Packet
			Decode(&p, linkEthernet, joined, len(joined))
			Decode(&q, linkEthernet, whole, len(whole))
			if p.Err != nil || p.Fragment || !bytes.Equal(p.Payload, q.Payload) || p.SrcPort != 5000 || p.SrcMAC != q.SrcMAC {
				t.Fatalf("v6 %v seed %d: joined wrongly: %v, %d bytes, want %d", v6, seed, p.Err, len(p.Payload), len(q.Payload))
			}
			if d, b := r.Waiting(); d != 0 || b != 0 {
				t.Fatalf("%d datagrams with %d bytes left", d, b)
			}
		}
	}
}

func TestOverlappingFragments(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		whole := bigUDP(v6, 100)
		fs := fragments(t, whole, 48)
		evil := append([]byte(nil), fs[1]...)
		hdr := 34
		if v6 {
			hdr = 62
			binary.BigEndian.PutUint16(evil[56:], 40|1)
		} else {
			binary.BigEndian.PutUint16(evil[20:], 5|0x2000)
		}
		for i := hdr; i < len(evil); i++ {
			evil[i] = 0xee
		}
		r := NewReassembler()
		var out []byte
		for _, f := range [][]byte{fs[0], evil, fs[1], fs[2]} {
			var p Packet
			Decode(&p, linkEthernet, f, len(f))
			if o := r.Add(&p, f); o != nil {
				out = o
			}
		}
		if r.Stats().Overlaps == 0 {
			t.Errorf("v6 %v: overlap not counted", v6)
		}
		if v6 {
			if out != nil {
				t.Error("an IPv6 datagram with overlaps was accepted (RFC 5722)")
			}
			continue
		}
		if out == nil {
			t.Fatal("an IPv4 datagram with overlaps was lost")
		}
		if !bytes.Equal(out[34:34+48], whole[34:34+48]) {
			t.Error("bytes that came first did not win")
		}
	}
}

func TestReassemblyStaysWithinItsBounds(t *testing.T) {
	r := NewReassembler()
	first := fragments(t, bigUDP(false, 2000), 1480)[0]
	var p Packet
	for i := range 5 * MaxFragments {
		binary.BigEndian.PutUint16(first[18:], uint16(i))
		p.Time = int64(i)
		Decode(&p, linkEthernet, first, len(first))
		p.FragID = uint32(i)
		r.Add(&p, first)
		if n, b := r.Waiting(); n > MaxFragments || b > MaxFragmentBytes || len(r.order) > 4*MaxFragments+1 {
			t.Fatalf("%d datagrams with %d bytes wait, %d in order", n, b, len(r.order))
		}
	}
	if r.Stats().Evicted == 0 {
		t.Error("eviction is not visible")
	}
	p.Time = 1 << 40
	Decode(&p, linkEthernet, first, len(first))
	r.Add(&p, first)
	if n, _ := r.Waiting(); n != 1 || r.Stats().TimedOut == 0 {
		t.Errorf("%d wait after the timeout, %d timed out", n, r.Stats().TimedOut)
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	f := frame(eth, "8100 000a 0800", ipVX, "08000000 00002a00", inner)
	var p Packet
	if n := testing.AllocsPerRun(100, func() { Decode(&p, linkEthernet, f, len(f)) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

// FuzzDecode checks that whatever arrives, slices lie within the frame, lengths
// agree, and that what a Reassembler joins decodes without being a fragment of
// the same kind again for ever.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{udp4, udp6, tcp4, ipGRE + "1000 88be 00000001 100a 0805 00000000" + inner, ipVX + "08000000 00002a00" + inner} {
		f.Add(uint16(linkRaw), frame(s), uint16(0))
	}
	f.Add(uint16(linkEthernet), frame(eth, "8847 0000a1ff 00000000", inner), uint16(9))
	f.Add(uint16(linkSLL2), frame("0800 0000 00000003 0001 00 06 0a00000000010000", udp4), uint16(0))
	for _, b := range fragments(f, bigUDP(true, 300), 104) {
		f.Add(uint16(linkEthernet), b, uint16(0))
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte, extra uint16) {
		var p Packet
		wire := len(data) + int(extra)
		Decode(&p, link, data, wire)
		if len(p.Payload) > len(data) || p.Missing < 0 || p.Missing > 1<<17 {
			t.Fatalf("payload %d of %d bytes, %d missing", len(p.Payload), len(data), p.Missing)
		}
		if p.NVLAN > MaxVLANs || p.NTunnel > MaxTunnels {
			t.Fatal("bounds")
		}
		if p.IPVersion != 0 && (!p.Src.IsValid() || !p.Dst.IsValid()) {
			t.Fatal("IP without addresses")
		}
		if !p.Fragment {
			return
		}
		r := NewReassembler()
		out := r.Add(&p, data)
		for i := 0; out != nil && i < 4; i++ {
			var q Packet
			Decode(&q, link, out, len(out))
			if !q.Fragment {
				break
			}
			out = r.Add(&q, out)
		}
		if n, b := r.Waiting(); n > 5 || b > 5*len(data)+1<<17 {
			t.Fatalf("%d datagrams with %d bytes wait", n, b)
		}
	})
}

func BenchmarkDecodeTCP(b *testing.B) {
	f := frame(eth, "0800", tcp4)
	var p Packet
	b.ReportAllocs()
	for b.Loop() {
		Decode(&p, linkEthernet, f, len(f))
	}
}
