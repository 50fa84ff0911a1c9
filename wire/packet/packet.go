// SPDX-License-Identifier: Apache-2.0

// Package packet decodes frames from the link layer to the transport payload.
//
// Link layers: Ethernet II and IEEE 802.3 with LLC and SNAP, IEEE 802.1Q and
// 802.1ad tags, Linux cooked capture v1 and v2, BSD NULL and LOOP, raw IP,
// MPLS (RFC 3032). Tunnels: GRE (RFC 2784, 2890), ERSPAN type I, II and III,
// VXLAN (RFC 7348), IP in IP (RFC 2003, 4213). Network layers: IPv4 (RFC 791), IPv6
// with extension headers (RFC 8200). Transports: TCP, UDP, ICMP, ICMPv6, SCTP
// ports.
//
// Decoding allocates nothing, follows at most MaxLayers headers, reads no
// length beyond the captured bytes, and never panics. Fragments are reported,
// not joined: Reassembler joins them.
package packet

import "net/netip"

// IP protocol numbers (IANA).
const (
	ProtoICMP   = 1
	ProtoIGMP   = 2
	ProtoIPIP   = 4
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoIPv6   = 41
	ProtoGRE    = 47
	ProtoESP    = 50
	ProtoAH     = 51
	ProtoICMPv6 = 58
	ProtoSCTP   = 132
)

// EtherTypes (IEEE).
const (
	EtherTypeIPv4    = 0x0800
	EtherTypeARP     = 0x0806
	EtherTypeVLAN    = 0x8100
	EtherTypeIPv6    = 0x86DD
	EtherTypePPPoE   = 0x8864
	EtherTypeMPLS    = 0x8847
	EtherTypeMPLSMc  = 0x8848
	EtherTypeEAPOL   = 0x888E
	EtherTypeQinQ    = 0x88A8
	EtherTypeLLDP    = 0x88CC
	EtherTypeQinQ2   = 0x9100
	EtherTypeTEB     = 0x6558 // transparent Ethernet bridging, in GRE
	EtherTypeERSPAN2 = 0x88BE
	EtherTypeERSPAN3 = 0x22EB
)

// TCP flags.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Bounds of decoding.
const (
	MaxLayers  = 24 // headers followed in one frame
	MaxVLANs   = 4  // tags kept
	MaxTunnels = 3  // encapsulations followed
)

// TunnelKind is an encapsulation.
type TunnelKind uint8

// The encapsulations that are followed.
const (
	TunnelNone TunnelKind = iota
	TunnelGRE
	TunnelERSPAN1
	TunnelERSPAN2
	TunnelERSPAN3
	TunnelVXLAN
	TunnelIPIP
	TunnelMPLS
)

// Packet is one decoded frame. With tunnels, MAC, VLAN and IP fields are those
// of the innermost packet that could be decoded. Slices point into the frame.
type Packet struct {
	Time    int64 // ns since the Unix epoch, UTC
	WireLen int   // frame length on the wire

	SrcMAC, DstMAC [6]byte
	HasMAC         bool
	VLANs          [MaxVLANs]uint16 // VLAN IDs, outermost first
	NVLAN          uint8

	// EtherType of what the last link header carries; 0 for an 802.3 frame
	// whose LLC header is not SNAP.
	EtherType uint16
	// LLC and SNAP of an 802.3 frame.
	LLC              bool
	DSAP, SSAP, Ctrl uint8
	SNAPOUI          uint32 // 24 bits
	SNAPPID          uint16 // protocol ID when SNAPOUI is not 0

	Tunnel             TunnelKind // innermost encapsulation
	TunnelID           uint32     // GRE key, ERSPAN session, VXLAN VNI, MPLS label
	NTunnel            uint8
	OuterSrc, OuterDst netip.Addr // outermost IP header, when tunnelled

	IPVersion uint8 // 4, 6, or 0 when not IP
	Src, Dst  netip.Addr
	Proto     uint8 // transport, after extension headers
	TTL       uint8
	IPLen     int // IP packet length on the wire, header included

	Fragment   bool // a fragment, not a whole packet
	FragOffset int  // bytes
	FragMore   bool
	FragID     uint32
	FragData   []byte // the fragment's payload

	SrcPort, DstPort   uint16
	Seq, Ack           uint32
	Flags              uint8
	Window             uint16
	ICMPType, ICMPCode uint8

	ipStart, fragHdr, nhPos int // where a Reassembler finds the headers to mend

	// Payload is what the innermost decoded header carries: the transport's
	// payload for TCP and UDP, the message after type, code and checksum for
	// ICMP, the network packet for EtherTypes that are not followed (ARP,
	// LLDP, EAPOL), the LLC payload after LLC/SNAP.
	Payload []byte
	// Missing is how many payload bytes the snap length cut off.
	Missing int
	// Err says why decoding stopped before the payload, nil when it did not.
	Err error
}

// VLAN returns the innermost VLAN ID, 0 when untagged.
func (p *Packet) VLAN() uint16 {
	if p.NVLAN == 0 {
		return 0
	}
	return p.VLANs[p.NVLAN-1]
}
