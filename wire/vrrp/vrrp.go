// SPDX-License-Identifier: Apache-2.0

// Package vrrp reads how routers share an address: VRRP versions 2 and 3
// (RFC 3768, 9568) and HSRP version 0 (RFC 2281). Addresses are capped at
// MaxAddresses. Authentication data is not returned. Not done: HSRP version 2,
// CARP, GLBP.
package vrrp

import (
	"net/netip"

	"github.com/asepsis/asepsis/wire/octet"
)

// MaxAddresses bounds the virtual addresses of one advertisement.
const MaxAddresses = 20

// Advertisement is one VRRP advertisement.
type Advertisement struct {
	Version   uint8
	RouterID  uint8
	Priority  uint8
	SimpleKey bool // version 2: a password travels in clear
	Addresses []netip.Addr
}

// Parse reads the IP payload of protocol 112. v6 says that it came over IPv6.
func Parse(b []byte, v6 bool) (Advertisement, error) {
	r := octet.New(b)
	vt := r.U8("version and type")
	a := Advertisement{Version: vt >> 4, RouterID: r.U8("virtual router ID"), Priority: r.U8("priority")}
	n := int(r.U8("count"))
	auth := r.U8("authentication type")
	r.Skip(3, "interval and checksum")
	if r.Err() == nil && (vt&15 != 1 || a.Version != 2 && a.Version != 3) {
		r.Fail("version or type")
	}
	a.SimpleKey = a.Version == 2 && auth == 1
	for range n {
		var addr netip.Addr
		if v6 {
			addr = r.IPv6("address")
		} else {
			addr = r.IPv4("address")
		}
		if r.Err() != nil {
			break
		}
		if len(a.Addresses) < MaxAddresses {
			a.Addresses = append(a.Addresses, addr)
		}
	}
	return a, r.Err()
}

// HSRP is one HSRP version 0 message.
type HSRP struct {
	Op, State, Priority, Group uint8
	Virtual                    netip.Addr
	DefaultKey                 bool // the well-known password "cisco"
}

// LooksHSRP reports whether b is one: version 0, known operation and state.
func LooksHSRP(b []byte) bool {
	if len(b) != 20 || b[0] != 0 || b[1] > 2 {
		return false
	}
	switch b[2] {
	case 0, 1, 2, 4, 8, 16:
		return b[7] == 0
	}
	return false
}

// ParseHSRP reads one message (RFC 2281 §5.1).
func ParseHSRP(b []byte) (HSRP, error) {
	r := octet.New(b)
	r.Skip(1, "version")
	h := HSRP{Op: r.U8("op code"), State: r.U8("state")}
	r.Skip(2, "times")
	h.Priority, h.Group = r.U8("priority"), r.U8("group")
	r.Skip(1, "reserved")
	h.DefaultKey = string(r.Bytes(8, "authentication data")) == "cisco\x00\x00\x00"
	h.Virtual = r.IPv4("virtual address")
	return h, r.Err()
}
