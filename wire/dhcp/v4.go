// SPDX-License-Identifier: Apache-2.0

// Package dhcp reads the Dynamic Host Configuration Protocol: version 4
// (RFC 2131, options of RFC 2132, 3046, 3397, 3442, 3925, 4578, 4702, 8910) and
// version 6 (RFC 8415, options of RFC 3646, 4704).
//
// # Version 4
//
// ParseV4 reads the fixed fields and walks the options as RFC 2131 §4.1 says:
// the option field, then "file" and "sname" when option 52 overloads them.
// Options that are sent in pieces are joined (RFC 3396). PadOnly BOOTP messages
// without the magic cookie are read as far as the fixed fields.
//
// # Version 6
//
// ParseV6 reads a message and what relays wrapped around it, at most MaxRelays
// deep, innermost message first in the result.
//
// # Limits
//
// MaxOptions options, MaxList addresses or names in a list, strings of
// printable.Max bytes, one joined option of at most 4 KiB. Strings are
// printable; addresses are values. What identifies a person (user class, some
// host names) is given as it is: whoever emits it decides.
//
// Not done: authentication (RFC 3118), leasequery, failover, the contents of
// vendor-specific options (43, 17) beyond their presence.
package dhcp

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Bounds.
const (
	MaxOptions = 256 // option instances of one message
	MaxList    = 32  // addresses, names or routes of one option
	MaxRelays  = 8   // nested relay messages
	maxJoined  = 4096
)

// ErrNotDHCP says that the message is of another protocol.
var ErrNotDHCP = errors.New("not a DHCP message")

// Message types of version 4 (option 53).
const (
	V4Discover = 1
	V4Offer    = 2
	V4Request  = 3
	V4Decline  = 4
	V4Ack      = 5
	V4Nak      = 6
	V4Release  = 7
	V4Inform   = 8
)

var v4Names = [...]string{"BOOTP", "DHCPDISCOVER", "DHCPOFFER", "DHCPREQUEST", "DHCPDECLINE", "DHCPACK", "DHCPNAK", "DHCPRELEASE", "DHCPINFORM",
	"DHCPFORCERENEW", "DHCPLEASEQUERY", "DHCPLEASEUNASSIGNED", "DHCPLEASEUNKNOWN", "DHCPLEASEACTIVE", "DHCPBULKLEASEQUERY",
	"DHCPLEASEQUERYDONE", "DHCPACTIVELEASEQUERY", "DHCPLEASEQUERYSTATUS", "DHCPTLS"}

// Route is a classless static route (RFC 3442).
type Route struct {
	To  netip.Prefix
	Via netip.Addr
}

// Vendor is one vendor-identifying class or option (RFC 3925, RFC 8415 §21.16).
type Vendor struct {
	Enterprise uint32
	Data       string // printable text, or hexadecimal
}

// V4 is a message of version 4.
type V4 struct {
	Reply                          bool // BOOTREPLY: from a server
	XID                            uint32
	Hops                           uint8
	Broadcast                      bool
	ClientMAC                      [6]byte // zero when the hardware is not Ethernet
	Ciaddr, Yiaddr, Siaddr, Giaddr netip.Addr

	Type          uint8 // option 53; 0 for BOOTP
	SubnetMask    netip.Addr
	Routers       []netip.Addr
	DNS           []netip.Addr
	NTP           []netip.Addr
	Hostname      string     // 12
	Domain        string     // 15
	Search        []string   // 119
	RequestedIP   netip.Addr // 50
	Lease         uint32     // 51, seconds
	ServerID      netip.Addr // 54
	Parameters    []byte     // 55, in order; points into the message unless it came in pieces
	Message       string     // 56, the server's reason
	VendorClass   string     // 60
	ClientID      []byte     // 61
	TFTPServer    string     // 66 or sname
	BootFile      string     // 67 or file
	UserClass     string     // 77
	FQDN          string     // 81
	RelayCircuit  string     // 82.1: text, or hexadecimal
	RelayRemote   string     // 82.2
	RelayLink     netip.Addr // 82.5
	Architecture  string     // 93
	ClientUUID    string     // 97
	CaptivePortal string     // 114
	Routes        []Route    // 121, or 249 of Microsoft
	VendorClasses []Vendor   // 124
	VendorOptions []Vendor   // 125
	Options       []uint8    // codes in the order of their first appearance: a fingerprint of its own
}

// TypeName is the message type as RFC 2131 writes it.
func (m *V4) TypeName() string {
	if int(m.Type) < len(v4Names) {
		return v4Names[m.Type]
	}
	return "unknown"
}

const magic = 0x63825363 // RFC 2131 §3

// LooksV4 reports whether b begins as a message of version 4: operation,
// Ethernet, and the magic cookie.
func LooksV4(b []byte) bool {
	return len(b) >= 240 && (b[0] == 1 || b[0] == 2) && b[1] != 0 && b[2] <= 16 && b[3] <= 16 && binary.BigEndian.Uint32(b[236:]) == magic
}

// ParseV4 reads a message. When it ends early or contradicts itself, what was
// read so far comes with the error.
func ParseV4(b []byte) (*V4, error) {
	m := new(V4)
	return m, m.Parse(b)
}

// Reset makes m empty; the room of its lists stays.
func (m *V4) Reset() {
	*m = V4{Routers: m.Routers[:0], DNS: m.DNS[:0], NTP: m.NTP[:0], Options: m.Options[:0]}
}

// Parse reads a message into m, which is reset before.
func (m *V4) Parse(b []byte) error {
	m.Reset()
	r := octet.New(b)
	op, htype, hlen := r.U8("operation"), r.U8("hardware type"), r.U8("hardware length")
	m.Reply, m.Hops, m.XID = op == 2, r.U8("hops"), r.U32("transaction")
	r.Skip(2, "seconds")
	m.Broadcast = r.U16("flags")&0x8000 != 0
	m.Ciaddr, m.Yiaddr, m.Siaddr, m.Giaddr = r.IPv4("ciaddr"), r.IPv4("yiaddr"), r.IPv4("siaddr"), r.IPv4("giaddr")
	chaddr, sname, file := r.Bytes(16, "chaddr"), r.Bytes(64, "sname"), r.Bytes(128, "file")
	if r.Err() != nil {
		return r.Err()
	}
	if op != 1 && op != 2 || hlen > 16 {
		return ErrNotDHCP
	}
	if hlen == 6 && (htype == 1 || htype == 6) {
		copy(m.ClientMAC[:], chaddr)
	}
	if r.Len() < 4 || r.U32("magic cookie") != magic {
		return ErrNotDHCP
	}
	w := v4Walk{m: m}
	base := r.Offset()
	err := w.options(r.Rest(), base)
	// RFC 2131 §4.1: options in "file" come before those in "sname".
	if w.overload&1 != 0 && err == nil {
		err = w.options(file, 108)
	} else if w.overload&1 == 0 {
		m.BootFile = printable.Text(cString(file), printable.Max)
	}
	if w.overload&2 != 0 && err == nil {
		err = w.options(sname, 44)
	} else if w.overload&2 == 0 {
		m.TFTPServer = printable.Text(cString(sname), printable.Max)
	}
	w.finish()
	return err
}

// v4Walk collects options. Pieces of an option are joined before it is read.
type v4Walk struct {
	m        *V4
	overload uint8
	n        int
	val      [256][]byte
	seen     [256]bool
}

func (w *v4Walk) options(b []byte, base int) error {
	r := octet.At(b, base)
	for r.Len() > 0 {
		code := r.U8("option code")
		if code == 0 {
			continue
		}
		if code == 255 {
			break
		}
		v := r.Bytes(int(r.U8("option length")), "option")
		if r.Err() != nil {
			return r.Err()
		}
		if w.n++; w.n > MaxOptions {
			r.Fail("more options than are read")
			return r.Err()
		}
		switch {
		case code == 52 && len(v) == 1:
			if w.overload == 0 {
				w.overload = v[0] & 3
			}
		case !w.seen[code]:
			w.seen[code], w.val[code] = true, v
			w.m.Options = append(w.m.Options, code)
		case len(w.val[code])+len(v) <= maxJoined: // RFC 3396 §5
			joined := make([]byte, 0, len(w.val[code])+len(v))
			w.val[code] = append(append(joined, w.val[code]...), v...)
		}
	}
	return nil
}

// finish reads the values once all pieces are joined.
func (w *v4Walk) finish() {
	m := w.m
	for _, code := range m.Options {
		v := w.val[code]
		switch code {
		case 1:
			m.SubnetMask = addr4(v)
		case 3:
			m.Routers = addrs4(m.Routers[:0], v)
		case 6:
			m.DNS = addrs4(m.DNS[:0], v)
		case 12:
			m.Hostname = printable.Text(v, printable.Max)
		case 15:
			m.Domain = printable.Text(v, printable.Max)
		case 42:
			m.NTP = addrs4(m.NTP[:0], v)
		case 50:
			m.RequestedIP = addr4(v)
		case 51:
			if len(v) == 4 {
				m.Lease = binary.BigEndian.Uint32(v)
			}
		case 53:
			if len(v) == 1 {
				m.Type = v[0]
			}
		case 54:
			m.ServerID = addr4(v)
		case 55:
			m.Parameters = v
		case 56:
			m.Message = printable.Text(v, printable.Max)
		case 60:
			m.VendorClass = printable.TextOrHex(v, printable.Max)
		case 61:
			m.ClientID = v
		case 66:
			m.TFTPServer = printable.Text(v, printable.Max)
		case 67:
			m.BootFile = printable.Text(v, printable.Max)
		case 77:
			m.UserClass = userClass(v)
		case 81: // RFC 4702 §2: flags, two result codes, name
			if len(v) > 3 {
				m.FQDN = fqdn(v[3:], v[0]&4 != 0)
			}
		case 82:
			m.relay(v)
		case 93:
			if len(v) >= 2 {
				m.Architecture = archName(binary.BigEndian.Uint16(v))
			}
		case 97:
			if len(v) == 17 {
				m.ClientUUID = printable.Hex(v[1:], 64)
			}
		case 114:
			m.CaptivePortal = printable.Text(v, printable.Max)
		case 119:
			m.Search = names(v)
		case 121:
			m.Routes = routes(v)
		case 249:
			if m.Routes == nil {
				m.Routes = routes(v)
			}
		case 124:
			m.VendorClasses = vendors(v)
		case 125:
			m.VendorOptions = vendors(v)
		}
	}
}

// relay reads the relay agent information option (RFC 3046 §2.0).
func (m *V4) relay(v []byte) {
	for len(v) >= 2 {
		n := int(v[1])
		if n > len(v)-2 {
			return
		}
		d := v[2 : 2+n]
		switch v[0] {
		case 1:
			m.RelayCircuit = printable.TextOrHex(d, printable.Max)
		case 2:
			m.RelayRemote = printable.TextOrHex(d, printable.Max)
		case 5:
			m.RelayLink = addr4(d)
		}
		v = v[2+n:]
	}
}
