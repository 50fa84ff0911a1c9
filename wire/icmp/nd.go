// SPDX-License-Identifier: Apache-2.0

package icmp

import (
	"net/netip"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// MaxOptions bounds the options of one neighbour discovery message.
const MaxOptions = 64

// Prefix is a prefix that a router announces (RFC 4861 §4.6.2).
type Prefix struct {
	Prefix     netip.Prefix
	OnLink     bool
	Autonomous bool // hosts may make addresses of it
	Valid      uint32
}

// ND is a neighbour discovery message (RFC 4861 §4).
type ND struct {
	Target      netip.Addr // solicited, advertised or redirected-to address
	Destination netip.Addr // redirect
	Router      bool       // neighbour advertisement: the sender is a router
	Solicited   bool
	Override    bool
	LinkAddr    [6]byte // source or target link-layer address option
	HasLinkAddr bool

	HopLimit  uint8 // router advertisement
	Managed   bool  // addresses by DHCPv6
	Other     bool  // other settings by DHCPv6
	Lifetime  uint16
	MTU       uint32
	Prefixes  []Prefix
	DNS       []netip.Addr
	DNSSearch []string
}

// ParseND reads types 133 to 137.
func ParseND(typ uint8, body []byte) (ND, error) {
	r := octet.New(body)
	var n ND
	switch typ {
	case V6RouterSolicit:
		r.Skip(4, "reserved")
	case V6RouterAdvert:
		n.HopLimit = r.U8("current hop limit")
		f := r.U8("flags")
		n.Managed, n.Other = f&0x80 != 0, f&0x40 != 0
		n.Lifetime = r.U16("router lifetime")
		r.Skip(8, "timers")
	case V6NeighSolicit:
		r.Skip(4, "reserved")
		n.Target = r.IPv6("target address")
	case V6NeighAdvert:
		f := r.U32("flags")
		n.Router, n.Solicited, n.Override = f&(1<<31) != 0, f&(1<<30) != 0, f&(1<<29) != 0
		n.Target = r.IPv6("target address")
	case V6Redirect:
		r.Skip(4, "reserved")
		n.Target, n.Destination = r.IPv6("target address"), r.IPv6("destination address")
	default:
		r.Fail("not a neighbour discovery type")
	}
	if r.Err() == nil && n.Target.IsMulticast() { // §7.1.1
		r.Fail("target is a multicast address")
	}
	for i := 0; r.Len() > 0 && r.Err() == nil && i < MaxOptions; i++ {
		t, l := r.U8("option type"), int(r.U8("option length"))*8
		if l == 0 && r.Err() == nil { // §4.6: must be discarded
			r.Fail("option of length zero")
			break
		}
		base := r.Offset()
		if v := r.Bytes(l-2, "option"); v != nil {
			n.option(t, v, base)
		}
	}
	return n, r.Err()
}

// option reads one option; one that is too short for its type is ignored.
func (n *ND) option(t uint8, v []byte, base int) {
	o := octet.At(v, base)
	switch t {
	case 1, 2: // source and target link-layer address
		if len(v) >= 6 {
			n.LinkAddr, n.HasLinkAddr = o.MAC("link-layer address"), true
		}
	case 3: // prefix information
		bits, f, valid := o.U8("prefix length"), o.U8("flags"), o.U32("valid lifetime")
		o.Skip(8, "preferred lifetime")
		a := o.IPv6("prefix")
		if o.Err() == nil && bits <= 128 {
			n.Prefixes = append(n.Prefixes, Prefix{Prefix: netip.PrefixFrom(a, int(bits)), OnLink: f&0x80 != 0, Autonomous: f&0x40 != 0, Valid: valid})
		}
	case 5:
		o.Skip(2, "reserved")
		n.MTU = o.U32("MTU")
	case 25: // RFC 8106 §5.1
		o.Skip(6, "lifetime")
		for o.Len() >= 16 && len(n.DNS) < MaxOptions {
			n.DNS = append(n.DNS, o.IPv6("DNS server"))
		}
	case 31: // RFC 8106 §5.2: names as in DNS, never compressed, padded with zeros
		o.Skip(6, "lifetime")
		var name []byte
		for o.Len() > 0 && len(n.DNSSearch) < MaxOptions {
			l := int(o.U8("label length"))
			if l == 0 {
				if len(name) > 0 {
					n.DNSSearch = append(n.DNSSearch, printable.Text(name, 253))
				}
				name = name[:0]
				continue
			}
			label := o.Bytes(l, "label")
			if l > 63 || label == nil || len(name)+l > 253 {
				return
			}
			if len(name) > 0 {
				name = append(name, '.')
			}
			name = append(name, label...)
		}
	}
}
