// SPDX-License-Identifier: Apache-2.0

// Package icmp reads ICMP for IPv4 (RFC 792, 1122, 4884), ICMPv6 (RFC 4443)
// and neighbour discovery (RFC 4861, with the options of RFC 8106).
//
// Messages are given as the IP layer has them: type and code apart, body
// without type, code and checksum. The packet that an error quotes is read as
// far as addresses and ports. Neighbour discovery options are bounded by
// MaxOptions. Not done: extensions of RFC 4884, secure neighbour discovery,
// the contents of multicast listener reports.
package icmp

import (
	"encoding/binary"
	"net/netip"

	"github.com/asepsis/asepsis/wire/octet"
)

// ICMP for IPv4.
const (
	EchoReply       = 0
	Unreachable     = 3
	SourceQuench    = 4
	Redirect        = 5
	Echo            = 8
	RouterAdvert    = 9
	TimeExceeded    = 11
	ParameterProb   = 12
	TimestampAsk    = 13
	TimestampAnswer = 14
	MaskAsk         = 17
)

// ICMPv6.
const (
	V6Unreachable    = 1
	V6TooBig         = 2
	V6TimeExceeded   = 3
	V6ParameterProb  = 4
	V6Echo           = 128
	V6EchoReply      = 129
	V6ListenerQuery  = 130
	V6ListenerReport = 131
	V6ListenerDone   = 132
	V6RouterSolicit  = 133
	V6RouterAdvert   = 134
	V6NeighSolicit   = 135
	V6NeighAdvert    = 136
	V6Redirect       = 137
	V6ListenerV2     = 143
)

// Quoted is the packet that an error message is about, as far as quoted.
type Quoted struct {
	Src, Dst         netip.Addr
	Proto            uint8
	SrcPort, DstPort uint16 // TCP, UDP and SCTP
}

// Message is an echo, an error or a redirect.
type Message struct {
	ID, Seq uint16     // echo
	Gateway netip.Addr // redirect: the better router
	MTU     uint32     // fragmentation needed, packet too big
	Quoted  Quoted
	IsError bool // Quoted is meaningful
}

// Parse4 reads an ICMP message of IPv4.
func Parse4(typ, code uint8, body []byte) (Message, error) {
	r := octet.New(body)
	var m Message
	switch typ {
	case Echo, EchoReply, TimestampAsk, TimestampAnswer, MaskAsk:
		m.ID, m.Seq = r.U16("identifier"), r.U16("sequence number")
		return m, r.Err()
	case Redirect:
		m.Gateway = r.IPv4("gateway")
	case Unreachable, TimeExceeded, ParameterProb, SourceQuench:
		v := r.U32("unused")
		if typ == Unreachable && code == 4 {
			m.MTU = v & 0xffff
		}
	default:
		return m, r.Err()
	}
	m.IsError = true
	q, err := quoted(r.Rest())
	m.Quoted = q
	if r.Err() != nil {
		err = r.Err()
	}
	return m, err
}

// Parse6 reads an ICMPv6 echo or error; neighbour discovery is ParseND's.
func Parse6(typ, _ uint8, body []byte) (Message, error) {
	r := octet.New(body)
	var m Message
	switch typ {
	case V6Echo, V6EchoReply:
		m.ID, m.Seq = r.U16("identifier"), r.U16("sequence number")
		return m, r.Err()
	case V6Unreachable, V6TooBig, V6TimeExceeded, V6ParameterProb:
		v := r.U32("unused")
		if typ == V6TooBig {
			m.MTU = v
		}
		m.IsError = true
		q, err := quoted(r.Rest())
		m.Quoted = q
		if r.Err() != nil {
			err = r.Err()
		}
		return m, err
	}
	return m, r.Err()
}

// quoted reads the head of an IP packet that may end anywhere.
func quoted(b []byte) (q Quoted, err error) {
	if len(b) == 0 {
		return q, &octet.Error{What: "quoted packet cut off"}
	}
	var l4 []byte
	switch {
	case b[0]>>4 == 4 && len(b) >= 20:
		q.Src, q.Dst, q.Proto = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9]
		if n := int(b[0]&15) * 4; n >= 20 && n <= len(b) && binary.BigEndian.Uint16(b[6:])&0x1fff == 0 {
			l4 = b[n:]
		}
	case b[0]>>4 == 6 && len(b) >= 40:
		q.Src, q.Dst, q.Proto = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[6]
		l4 = b[40:]
	default:
		return q, &octet.Error{What: "quoted packet"}
	}
	if len(l4) >= 4 && (q.Proto == 6 || q.Proto == 17 || q.Proto == 132) {
		q.SrcPort, q.DstPort = binary.BigEndian.Uint16(l4), binary.BigEndian.Uint16(l4[2:])
	}
	return q, nil
}
