// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// macInfo is what all attachments of one MAC say about the MAC itself.
type macInfo struct {
	on4, off4 int            // addresses it did not claim: with no router in between, and with
	on6, off6 map[uint64]int // the same for IPv6 by /64: hosts have many addresses in one
	claims    int
	router    string // why it is a router's, "" when it is not
	proxy     bool   // its claims are for others
	keeps     bool   // a router whose few addresses without TTL loss are its own
	element   int    // -1 until made
}

// virtualRouter says which protocol owns a virtual router's MAC: VRRP and
// CARP (RFC 5798 §7.3), HSRP (RFC 2281 §5.3 and version 2), GLBP.
func virtualRouter(m device.MAC) string {
	switch {
	case m[0] == 0 && m[1] == 0 && m[2] == 0x5e && m[3] == 0 && (m[4] == 1 || m[4] == 2):
		return "VRRP"
	case m[0] == 0 && m[1] == 0 && m[2] == 0x0c && m[3] == 0x07 && m[4] == 0xac:
		return "HSRP"
	case m[0] == 0 && m[1] == 0 && m[2] == 0x0c && m[3] == 0x9f && m[4]&0xf0 == 0xf0:
		return "HSRP"
	case m[0] == 0 && m[1] == 0x07 && m[2] == 0xb4 && m[3] == 0:
		return "GLBP"
	}
	return ""
}

// macFromEUI64 returns the MAC that a modified EUI-64 interface identifier was
// made of (RFC 4291 Appendix A).
func macFromEUI64(ip netip.Addr) (device.MAC, bool) {
	if !ip.Is6() {
		return device.MAC{}, false
	}
	b := ip.As16()
	if b[11] != 0xff || b[12] != 0xfe {
		return device.MAC{}, false
	}
	m := device.MAC{b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]}
	return m, !m.IsZero() && !m.IsGroup()
}

// ownAddresses is how many addresses per IP version a router that was never
// seen to claim any is believed to have, when no TTL was counted down.
const ownAddresses = 2

// survey looks at every attachment once and finds the routers.
//
// A router's MAC is in the frames of every address behind it, so it says
// nothing about these addresses. It shows itself by saying so (AttrRouter,
// LLDP), by TTLs that were counted down, by more addresses than it ever
// claimed, or by a virtual router's MAC.
func (i *Inventory) survey(addrs []*address) map[device.MAC]*macInfo {
	infos := map[device.MAC]*macInfo{}
	info := func(m device.MAC) *macInfo {
		x := infos[m]
		if x == nil {
			x = &macInfo{element: -1}
			infos[m] = x
		}
		return x
	}
	for m, n := range i.macs {
		x := info(m)
		if why := statesRouter(n); why != "" {
			x.router = why
		}
	}
	for _, a := range addrs {
		for k := range a.claims {
			info(a.claims[k].mac).claims++
		}
		for _, s := range [][]*node{a.nodes, a.old} {
			for _, n := range s {
				latest, mine := a.claimed(n.seq, n.mac)
				why := statesRouter(n)
				if n.mac.IsZero() {
					// A gateway named by DHCP: whoever claims the address is it.
					if why != "" && latest != nil {
						info(latest.mac).router = why
					}
					continue
				}
				x := info(n.mac)
				if why != "" {
					if mine || n.hops == 0 {
						x.router = why
					}
				}
				if mine || a.ip.IsLinkLocalUnicast() {
					continue
				}
				switch {
				case a.ip.Is4() && n.hops > 0:
					x.off4++
				case a.ip.Is4():
					x.on4++
				case n.hops > 0:
					x.off6 = count64(x.off6, a.ip)
				default:
					x.on6 = count64(x.on6, a.ip)
				}
			}
		}
	}
	for m, x := range infos {
		off, all := max(x.off4, len(x.off6)), max(x.off4+x.on4, len(x.off6)+len(x.on6))
		switch {
		case virtualRouter(m) != "":
			x.router = "the MAC is a virtual router's (" + virtualRouter(m) + ")"
		case x.router != "":
		case off >= 2:
			x.router = fmt.Sprintf("forwards packets of %d addresses behind it", off)
		case all >= i.cfg.RouterAddresses:
			x.router = fmt.Sprintf("sends for %d addresses that it never claimed", all)
		}
		x.keeps = x.router != "" && virtualRouter(m) == "" && x.claims == 0 && max(x.on4, len(x.on6)) <= ownAddresses
		x.proxy = x.router != "" && x.claims > i.cfg.ProxyARPAddresses
	}
	return infos
}

func count64(m map[uint64]int, ip netip.Addr) map[uint64]int {
	if m == nil {
		m = map[uint64]int{}
	}
	b := ip.As16()
	m[binary.BigEndian.Uint64(b[:8])]++
	return m
}

// statesRouter reports how a node says that it is a router.
func statesRouter(n *node) string {
	for k := range n.facts {
		f := &n.facts[k]
		switch {
		case f.attr == device.AttrRouter && f.value == "true" && f.conf >= device.Claimed:
			return "says so (" + f.source + ")"
		case f.attr == device.AttrCapability && strings.EqualFold(f.value, "router") && f.conf >= device.Claimed:
			return "says so (" + f.source + ")"
		}
	}
	return ""
}
