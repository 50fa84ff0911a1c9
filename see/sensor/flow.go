// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/packet"
	"github.com/asepsis/asepsis/wire/stream"
)

// flowKey identifies a conversation: both ends with the smaller first, the
// protocol, and the encapsulation, since tenants of a tunnel may use the same
// addresses. The VLAN is not part of it: a packet mirrored before and after a
// router belongs to one conversation.
type flowKey struct {
	a, b   [16]byte
	pa, pb uint16
	proto  uint8
	v6     bool
	tunnel uint32
}

// keyOf makes the key of a packet. low says that the packet's source is a.
func keyOf(p *packet.Packet) (k flowKey, low bool) {
	s, d := p.Src.As16(), p.Dst.As16()
	sp, dp := p.SrcPort, p.DstPort
	k.proto, k.v6 = p.Proto, p.IPVersion == 6
	if p.NTunnel > 0 {
		k.tunnel = uint32(p.Tunnel)<<28 ^ p.TunnelID
	}
	low = true
	sh, dh := binary.BigEndian.Uint64(s[:8]), binary.BigEndian.Uint64(d[:8])
	sl, dl := binary.BigEndian.Uint64(s[8:]), binary.BigEndian.Uint64(d[8:])
	if sh > dh || sh == dh && (sl > dl || sl == dl && sp > dp) {
		low = false
		s, d, sp, dp = d, s, dp, sp
	}
	k.a, k.b, k.pa, k.pb = s, d, sp, dp
	return k, low
}

// hash mixes a key with a secret, so that nobody outside can choose flows that
// collide.
func (k *flowKey) hash(secret uint64) uint64 {
	h := secret
	mix := func(v uint64) {
		hi, lo := bits.Mul64(h^v, 0x9e3779b97f4a7c15)
		h = hi ^ lo ^ secret
	}
	mix(binary.LittleEndian.Uint64(k.a[:8]))
	mix(binary.LittleEndian.Uint64(k.a[8:]))
	mix(binary.LittleEndian.Uint64(k.b[:8]))
	mix(binary.LittleEndian.Uint64(k.b[8:]))
	mix(uint64(k.pa)<<48 | uint64(k.pb)<<32 | uint64(k.proto)<<24 | uint64(k.tunnel)&0xffffff)
	return h
}

// What is remembered of each direction's TCP flags, and of the flow.
const (
	sawSYN = 1 << iota
	sawSYNACK
	sawFIN
	sawRST
	sawData
	sawPacket
	sawACK // alone, and noted in the history
)

// Lists by which flows expire, each with its own idle time.
const (
	listTCPOpening = iota // no answer yet
	listTCP
	listTCPClosed
	listUDP
	listOther
	lists
)

// flow is one conversation. Its size decides how many fit: keep it small.
// Index 0 of the pairs is the direction ToServer.
type flow struct {
	key         flowKey
	first, last int64
	packets     [2]uint32
	bytes       [2]uint64
	payload     [2]uint64
	missed      uint32 // payload bytes known to be lost, saturating
	mac         [2]device.MAC
	half        [2]stream.Half
	act         *active // nil when nothing is analysed (any more)
	id          uint64
	hnext       uint32 // next in the hash bucket, index+1
	prev, next  uint32 // expiry list, index+1
	moved       uint32 // second (of capture time) of the last move in the list
	app         uint16 // index into worker.apps, 0 unknown
	vlan        uint16
	ttl         [2]uint8
	flags       [2]uint8 // union of TCP flags
	seen        [2]uint8
	history     [historyMax]byte
	nhistory    uint8
	list        uint8
	clientLow   bool // the client is end a of the key
	guessed     bool
	flipped     bool // the analyser found the roles to be the other way round
	midStream   bool
	noApp       bool // probing is over
	opened      bool // an Open event was emitted
	evicted     bool
	icmpType    uint8
	icmpCode    uint8
	reportAt    int64
}

const historyMax = 14

// history letters of Zeek: upper case from the client, lower case from the server.
func (f *flow) note(d analyze.Dir, letter byte) {
	if f.nhistory == historyMax {
		return
	}
	if d == analyze.ToClient {
		letter |= 0x20
	}
	for _, c := range f.history[:f.nhistory] {
		if c == letter {
			return
		}
	}
	f.history[f.nhistory] = letter
	f.nhistory++
}

// end returns one end of the flow as addresses.
func (f *flow) end(d analyze.Dir) event.Endpoint {
	ip, port := f.key.a, f.key.pa
	if (d == analyze.ToServer) != f.clientLow {
		ip, port = f.key.b, f.key.pb
	}
	a := netip.AddrFrom16(ip)
	if !f.key.v6 {
		a = a.Unmap()
	}
	e := event.Endpoint{IP: a, Port: port, MAC: f.mac[d]}
	if f.key.proto == packet.ProtoICMP || f.key.proto == packet.ProtoICMPv6 {
		e.Port = 0
	}
	return e
}

// hops estimates how many routers lie between the sensor and a sender from the
// remaining TTL: stacks start at 64, 128 or 255. Link-local protocols send with
// 1, which tells nothing.
func hops(ttl uint8) uint8 {
	var start uint8
	switch {
	case ttl <= 1:
		return 0
	case ttl <= 64:
		start = 64
	case ttl <= 128:
		start = 128
	default:
		start = 255
	}
	if n := start - ttl; n <= 32 {
		return n
	}
	return 0
}

// dir returns the direction of a packet whose source is (low) the key's end a.
func (f *flow) dir(low bool) analyze.Dir {
	if low == f.clientLow {
		return analyze.ToServer
	}
	return analyze.ToClient
}

// state names the connection's state as Zeek's conn_state does.
func (f *flow) state() string {
	if f.key.proto != packet.ProtoTCP {
		if f.packets[1] > 0 && f.packets[0] > 0 {
			return "SF"
		}
		return "S0"
	}
	c, s := f.seen[0], f.seen[1]
	switch {
	case c&sawSYN != 0 && s&sawSYNACK != 0:
		switch {
		case s&sawRST != 0:
			return "RSTR"
		case c&sawRST != 0:
			return "RSTO"
		case c&sawFIN != 0 && s&sawFIN != 0:
			return "SF"
		case c&sawFIN != 0:
			return "S2"
		case s&sawFIN != 0:
			return "S3"
		}
		return "S1"
	case c&sawSYN != 0:
		switch {
		case s&sawRST != 0:
			return "REJ"
		case c&sawRST != 0:
			return "RSTOS0"
		case c&sawFIN != 0:
			return "SH"
		case s&sawPacket == 0:
			return "S0"
		}
	case s&sawSYNACK != 0:
		if s&sawRST != 0 {
			return "RSTRH"
		}
		if s&sawFIN != 0 {
			return "SHR"
		}
	}
	return "OTH"
}
