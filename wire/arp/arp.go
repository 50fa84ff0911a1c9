// SPDX-License-Identifier: Apache-2.0

// Package arp reads the Address Resolution Protocol for IPv4 over Ethernet
// (RFC 826) and tells apart what stations use it for: plain requests and
// replies, address conflict probes and announcements (RFC 5227 §1.1, §2).
//
// Not done: other hardware or protocol types, InARP and RARP addresses beyond
// the four fields, which have the same places.
package arp

import (
	"net/netip"

	"github.com/asepsis/asepsis/wire/octet"
)

// Operations (IANA ARP parameters).
const (
	OpRequest        = 1
	OpReply          = 2
	OpReverseRequest = 3
	OpReverseReply   = 4
)

// Size is the length of a packet for IPv4 over Ethernet.
const Size = 28

// Kind is what a packet is for.
type Kind uint8

// The kinds.
const (
	Request      Kind = iota // who has Target? tell Sender
	Reply                    // Sender answers Target
	Probe                    // RFC 5227 §2.1.1: is anyone using Target? Sender IP is 0.0.0.0
	Announcement             // RFC 5227 §2.3: Sender claims its own address, as a request
	Gratuitous               // a reply that nobody asked for: Sender and Target address are equal
	Other                    // reverse ARP and others
)

var kinds = [...]string{"request", "reply", "probe", "announcement", "gratuitous-reply", "other"}

// String names the kind.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k]
	}
	return "other"
}

// Packet is one ARP packet.
type Packet struct {
	Op        uint16
	SenderMAC [6]byte
	SenderIP  netip.Addr
	TargetMAC [6]byte
	TargetIP  netip.Addr
}

// Parse reads one packet. Padding after it is ignored.
func Parse(b []byte) (Packet, error) {
	r := octet.New(b)
	if r.U16("hardware type") != 1 || r.U16("protocol type") != 0x0800 {
		r.Fail("not Ethernet and IPv4")
	}
	if r.U8("hardware length") != 6 || r.U8("protocol length") != 4 {
		r.Fail("address lengths")
	}
	p := Packet{Op: r.U16("operation"), SenderMAC: r.MAC("sender hardware address"), SenderIP: r.IPv4("sender protocol address"),
		TargetMAC: r.MAC("target hardware address"), TargetIP: r.IPv4("target protocol address")}
	if r.Err() != nil {
		return Packet{}, r.Err()
	}
	return p, nil
}

// Append writes the packet as it is on the wire.
func (p Packet) Append(dst []byte) []byte {
	dst = append(dst, 0, 1, 8, 0, 6, 4, byte(p.Op>>8), byte(p.Op))
	dst = append(dst, p.SenderMAC[:]...)
	s, t := p.SenderIP.As4(), p.TargetIP.As4()
	dst = append(dst, s[:]...)
	dst = append(dst, p.TargetMAC[:]...)
	return append(dst, t[:]...)
}

// Kind tells what the packet is for.
func (p Packet) Kind() Kind {
	switch p.Op {
	case OpRequest:
		switch {
		case p.SenderIP.IsUnspecified():
			return Probe
		case p.SenderIP == p.TargetIP:
			return Announcement
		}
		return Request
	case OpReply:
		if p.SenderIP == p.TargetIP {
			return Gratuitous
		}
		return Reply
	}
	return Other
}
