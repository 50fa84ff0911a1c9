// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/binary"
	"math/bits"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
	"github.com/asepsis/asepsis/wire/stream"
)

// lane is the short way for what most packets are: one more segment, or one
// more acknowledgement, of a TCP connection that is open and in order. Such a
// packet needs neither the full decoder nor the flow table. The lane takes it or
// leaves it, before anything was changed; what it takes has the same effect as the long way,
// which TestExpressChangesNothing holds it to.
//
// It remembers flows by a few bits of their addresses and ports. Who makes
// these collide, by chance or on purpose, sends packets the long way and no more.
type lane [laneSize]known

const laneSize = 1 << laneBits
const laneBits = 8

// known is a flow in the lane: addresses and ports as one of its packets held
// them, and where the flow is.
type known struct {
	addrs uint64
	id    uint64 // of the flow that was meant; its place may be another's by now
	ports uint32
	index uint32
	low   bool // that packet's source is the key's end a
}

// slot is the same for both directions.
func laneSlot(addrs uint64, ports uint32) uint32 {
	x := uint32(addrs) ^ uint32(addrs>>32)
	x ^= (ports ^ ports>>16) & 0xffff * 0x9e3779b1
	return x * 0x9e3779b1 >> (32 - laneBits)
}

// remember lets the packets that follow p in its flow take the lane.
func (w *worker) remember(i uint32, f *flow, p *packet.Packet, low bool) {
	if p.IPVersion != 4 || p.NTunnel != 0 || p.Src.IsMulticast() || p.Dst.IsMulticast() {
		return
	}
	s, d := p.Src.As4(), p.Dst.As4()
	e := known{id: f.id, index: i, low: low}
	e.addrs = uint64(binary.LittleEndian.Uint32(s[:])) | uint64(binary.LittleEndian.Uint32(d[:]))<<32
	e.ports = uint32(bits.ReverseBytes16(p.SrcPort)) | uint32(bits.ReverseBytes16(p.DstPort))<<16
	w.lane[laneSlot(e.addrs, e.ports)] = e
}

// What the lane expects of a frame: Ethernet II with at most one tag, IPv4
// without options, TCP.
const (
	etherLen  = 14
	tagLen    = 4
	ipv4Len   = 20
	tcpLen    = 20
	typeIPv4  = packet.EtherTypeIPv4>>8 | packet.EtherTypeIPv4&0xff<<8 // as loaded little-endian
	typeTag   = packet.EtherTypeVLAN>>8 | packet.EtherTypeVLAN&0xff<<8
	fragment  = 0xff3f // of the fragment field, more fragments and offset, as loaded little-endian
	plainFlag = packet.SYN | packet.FIN | packet.RST | packet.ACK
)

// heads is the IPv4 and TCP header of such a frame, without options.
type heads [ipv4Len + tcpLen]byte

func (h *heads) addrs() uint64 { return binary.LittleEndian.Uint64(h[12:]) }
func (h *heads) ports() uint32 { return binary.LittleEndian.Uint32(h[ipv4Len:]) }

// total returns the length of the IP packet.
func (h *heads) total() int { return int(binary.BigEndian.Uint16(h[2:])) }

// untagged stands for the VLAN of a frame without tag.
const untagged = 0xffff

// plainTCP finds the headers of a frame that is as the lane expects it and was
// captured whole.
func plainTCP(c *capture.Frame) (h *heads, vlan uint16, ok bool) {
	b := c.Data
	if c.Link != capture.LinkEthernet || len(b) < etherLen+ipv4Len+tcpLen || b[0]&1 != 0 {
		return nil, 0, false
	}
	ip := b[etherLen:]
	vlan = untagged
	switch binary.LittleEndian.Uint16(b[12:]) {
	case typeIPv4:
	case typeTag:
		if len(b) < etherLen+tagLen+ipv4Len+tcpLen || binary.LittleEndian.Uint16(b[16:]) != typeIPv4 {
			return nil, 0, false
		}
		vlan = binary.BigEndian.Uint16(b[14:]) & 0x0fff
		ip = b[etherLen+tagLen:]
	default:
		return nil, 0, false
	}
	h = (*heads)(ip)
	return h, vlan, h[0] == 0x45 && h[9] == packet.ProtoTCP && binary.LittleEndian.Uint16(h[6:])&fragment == 0 && h.total() <= len(ip)
}

// express handles a frame if it may take the lane. The worker's time and the
// counts of frames are set already.
func (w *worker) express(c *capture.Frame) bool {
	h, vlan, ok := plainTCP(c)
	if !ok {
		return false
	}
	total, addrs, ports := h.total(), h.addrs(), h.ports()
	begin := ipv4Len + int(h[ipv4Len+12]>>4)*4
	flags := h[ipv4Len+13]
	if begin < ipv4Len+tcpLen || begin > total || flags&plainFlag != packet.ACK {
		return false
	}
	e := &w.lane[laneSlot(addrs, ports)]
	low := e.low
	if e.addrs != addrs || e.ports != ports {
		if e.addrs != bits.RotateLeft64(addrs, 32) || e.ports != bits.RotateLeft32(ports, 16) {
			return false
		}
		low = !low
	}
	if e.index == 0 {
		return false
	}
	f := w.table.at(e.index)
	d := f.dir(low)
	if f.id != e.id || f.list != listTCP || f.packets[d] == 0 || w.now-f.last > w.idle[listTCP] ||
		f.reportAt != 0 && w.now >= f.reportAt || w.s.cfg.ReportOpen && !f.opened || !f.half[d.Other()].Quiet() {
		return false
	}
	if begin == total {
		if f.seen[d]&sawACK == 0 {
			return false
		}
		w.passed(f, d, flags, total, h[8])
	} else {
		if f.seen[d]&sawData == 0 {
			return false
		}
		ip := c.Data[etherLen:]
		if vlan != untagged {
			ip = ip[tagLen:]
		}
		rest, ok := f.half[d].Continue(binary.BigEndian.Uint32(h[ipv4Len+4:]), ip[begin:total:total], &w.tcp)
		if !ok {
			return false
		}
		w.passed(f, d, flags, total, h[8])
		f.payload[d] += uint64(total - begin)
		if len(rest) > 0 {
			w.chunk(f, d, stream.Chunk{Data: rest})
		}
	}
	w.table.touch(e.index, f, listTCP, w.now)
	w.stats.Unicast++
	if vlan != untagged {
		if vlan != w.vlan {
			w.countVLAN()
			w.vlan = vlan
		}
		w.inVLAN++
	}
	if w.table.changed || w.now >= w.expireAt {
		w.expire()
	}
	return true
}

// countVLAN adds what the lane took of one VLAN to the counts.
func (w *worker) countVLAN() {
	if w.inVLAN > 0 {
		w.stats.VLANs[w.vlan] += w.inVLAN
		w.inVLAN = 0
	}
}

// passed notes a packet of a flow that is in the lane.
func (w *worker) passed(f *flow, d analyze.Dir, flags uint8, length int, ttl uint8) {
	f.last = w.now
	f.packets[d]++
	f.bytes[d] += uint64(length)
	f.flags[d] |= flags
	if ttl > f.ttl[d] {
		f.ttl[d] = ttl
	}
}
