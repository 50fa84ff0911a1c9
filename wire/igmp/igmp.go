// SPDX-License-Identifier: Apache-2.0

// Package igmp reads which IPv4 multicast groups a host joins and leaves:
// IGMP version 1 (RFC 1112), 2 (RFC 2236) and 3 (RFC 9776, formerly 3376).
//
// At most MaxGroups groups of one report are given; source lists are passed
// over. Not done: DVMRP, mtrace.
package igmp

import (
	"net/netip"

	"github.com/asepsis/asepsis/wire/octet"
)

// MaxGroups bounds the groups of one version 3 report.
const MaxGroups = 64

// Message types.
const (
	TypeQuery    = 0x11
	TypeReportV1 = 0x12
	TypeReportV2 = 0x16
	TypeLeave    = 0x17
	TypeReportV3 = 0x22
)

// Membership is one group that a report is about.
type Membership struct {
	Group netip.Addr
	Leave bool
}

// Message is one IGMP message.
type Message struct {
	Type    uint8
	Version uint8 // 1, 2 or 3
	Groups  []Membership
}

// Parse reads the IP payload of protocol 2.
func Parse(b []byte) (Message, error) {
	r := octet.New(b)
	m := Message{Type: r.U8("type")}
	r.Skip(3, "checksum")
	switch m.Type {
	case TypeQuery:
		g := r.IPv4("group")
		m.Version = 2
		if len(b) >= 12 {
			m.Version = 3
		} else if len(b) >= 2 && b[1] == 0 {
			m.Version = 1
		}
		if r.Err() == nil && !g.IsUnspecified() {
			m.Groups = []Membership{{Group: g}}
		}
	case TypeReportV1, TypeReportV2, TypeLeave:
		m.Version = 2
		if m.Type == TypeReportV1 {
			m.Version = 1
		}
		if g := r.IPv4("group"); g.IsMulticast() {
			m.Groups = []Membership{{Group: g, Leave: m.Type == TypeLeave}}
		} else {
			r.Fail("group is not a multicast address")
		}
	case TypeReportV3:
		m.Version = 3
		r.Skip(2, "reserved")
		n := int(r.U16("number of group records"))
		for i := 0; i < n && i < MaxGroups; i++ { // RFC 9776 §4.2.4
			mode := r.U8("record type")
			aux := int(r.U8("auxiliary data length"))
			sources := int(r.U16("number of sources"))
			g := r.IPv4("group")
			r.Skip(4*(sources+aux), "sources")
			if r.Err() != nil {
				break
			}
			// To "include nothing" is to leave (RFC 9776 §4.2.16).
			m.Groups = append(m.Groups, Membership{Group: g, Leave: (mode == 3 || mode == 1) && sources == 0})
		}
	default:
		r.Fail("message type")
	}
	return m, r.Err()
}
