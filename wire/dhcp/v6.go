// SPDX-License-Identifier: Apache-2.0

package dhcp

import (
	"encoding/binary"
	"net/netip"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Message types of version 6 (RFC 8415 §7.3).
const (
	V6Solicit     = 1
	V6Advertise   = 2
	V6Request     = 3
	V6Confirm     = 4
	V6Renew       = 5
	V6Rebind      = 6
	V6Reply       = 7
	V6Release     = 8
	V6Decline     = 9
	V6Reconfigure = 10
	V6Information = 11
	V6RelayForw   = 12
	V6RelayRepl   = 13
)

var v6Names = [...]string{"", "SOLICIT", "ADVERTISE", "REQUEST", "CONFIRM", "RENEW", "REBIND", "REPLY", "RELEASE", "DECLINE", "RECONFIGURE",
	"INFORMATION-REQUEST", "RELAY-FORW", "RELAY-REPL"}

// DUID is a DHCP unique identifier (RFC 8415 §11).
type DUID struct {
	Type       uint16 // 1 LLT, 2 EN, 3 LL, 4 UUID
	MAC        [6]byte
	HasMAC     bool
	Enterprise uint32 // type EN
	Raw        []byte // whole, at most 130 octets; points into the message
}

// Lease is an address or prefix with its lifetimes.
type Lease struct {
	Prefix           netip.Prefix // of 128 bits for an address
	Preferred, Valid uint32
}

// Relay is one relay agent on the way, outermost first.
type Relay struct {
	Hops        uint8
	Link, Peer  netip.Addr
	InterfaceID string // option 18
	RemoteID    Vendor // option 37 (RFC 4649)
}

// V6 is a message of version 6 as the client or server wrote it.
type V6 struct {
	Type          uint8
	XID           uint32
	Client        DUID
	Server        DUID
	Leases        []Lease // IA_NA, IA_TA and IA_PD
	Options       []uint16
	Requested     []uint16 // option 6, in order
	Status        uint16
	StatusText    string
	HasStatus     bool
	VendorClasses []Vendor // 16
	VendorOptions []Vendor // 17
	UserClass     string   // 15
	FQDN          string   // 39
	DNS           []netip.Addr
	Search        []string
	NTP           []netip.Addr // 31
	RapidCommit   bool
	BootFile      string     // 59
	Architecture  string     // 61
	ClientMAC     [6]byte    // option 79 (RFC 6939), added by the first relay
	HasClientMAC  bool       // ClientMAC is set
	Relays        []Relay    // outermost first
	Unicast       netip.Addr // 12
}

// TypeName is the message type as RFC 8415 writes it.
func (m *V6) TypeName() string {
	if int(m.Type) < len(v6Names) {
		return v6Names[m.Type]
	}
	return "unknown"
}

// LooksV6 reports whether b is a message of version 6: a known type, and
// options that tile it exactly.
func LooksV6(b []byte) bool {
	if len(b) < 8 || b[0] == 0 || b[0] > V6RelayRepl {
		return false
	}
	at := 4
	if b[0] >= V6RelayForw {
		at = 34
	}
	n := 0
	for at < len(b) && n < MaxOptions {
		if len(b)-at < 4 || binary.BigEndian.Uint16(b[at:]) == 0 || binary.BigEndian.Uint16(b[at:]) > 1024 {
			return false
		}
		at += 4 + int(binary.BigEndian.Uint16(b[at+2:]))
		n++
	}
	return at == len(b) && n > 0
}

// ParseV6 reads a message, unwrapping relays. When it ends early, what was
// read so far comes with the error.
func ParseV6(b []byte) (*V6, error) {
	m := &V6{}
	base := 0
	for depth := 0; ; depth++ {
		r := octet.At(b, base)
		m.Type = r.U8("message type")
		if m.Type == 0 || int(m.Type) >= len(v6Names) {
			return m, ErrNotDHCP
		}
		if m.Type < V6RelayForw {
			m.XID = r.U24("transaction")
			if r.Err() != nil {
				return m, r.Err()
			}
			budget := MaxOptions
			return m, m.options(&r, &budget, 0)
		}
		if depth >= MaxRelays {
			r.Fail("more relays than are followed")
			return m, r.Err()
		}
		rel := Relay{Hops: r.U8("hop count"), Link: r.IPv6("link address"), Peer: r.IPv6("peer address")}
		var inner []byte
		innerBase := 0
		for n := 0; r.Len() > 0 && n < MaxOptions; n++ {
			code := r.U16("option code")
			at := r.Offset() + 2
			v := r.Bytes(int(r.U16("option length")), "option")
			if r.Err() != nil {
				break
			}
			switch code {
			case 9:
				inner, innerBase = v, at
			case 18:
				rel.InterfaceID = printable.TextOrHex(v, printable.Max)
			case 37:
				if len(v) >= 4 {
					rel.RemoteID = Vendor{Enterprise: binary.BigEndian.Uint32(v), Data: printable.TextOrHex(v[4:], printable.Max)}
				}
			case 79:
				if len(v) == 8 && binary.BigEndian.Uint16(v) == 1 {
					copy(m.ClientMAC[:], v[2:])
					m.HasClientMAC = true
				}
			}
		}
		m.Relays = append(m.Relays, rel)
		if r.Err() != nil {
			return m, r.Err()
		}
		if inner == nil {
			r.Fail("relay message without a message")
			return m, r.Err()
		}
		b, base = inner, innerBase
	}
}

// options reads options at one level; those of identity associations nest.
func (m *V6) options(r *octet.Reader, budget *int, depth int) error {
	for r.Len() > 0 {
		code := r.U16("option code")
		at := r.Offset() + 2
		v := r.Bytes(int(r.U16("option length")), "option")
		if r.Err() != nil {
			return r.Err()
		}
		if *budget--; *budget < 0 {
			r.Fail("more options than are read")
			return r.Err()
		}
		if depth == 0 {
			m.Options = append(m.Options, code)
		}
		skip := -1 // fixed part before nested options
		switch code {
		case 1:
			m.Client = duid(v)
		case 2:
			m.Server = duid(v)
		case 3, 25: // IA_NA, IA_PD: IAID, T1, T2
			skip = 12
		case 4: // IA_TA: IAID
			skip = 4
		case 5: // IAADDR
			if len(v) >= 24 && len(m.Leases) < MaxList {
				m.Leases = append(m.Leases, Lease{Prefix: netip.PrefixFrom(netip.AddrFrom16([16]byte(v)), 128),
					Preferred: binary.BigEndian.Uint32(v[16:]), Valid: binary.BigEndian.Uint32(v[20:])})
			}
			skip = 24
		case 26: // IAPREFIX
			if len(v) >= 25 && v[8] <= 128 && len(m.Leases) < MaxList {
				m.Leases = append(m.Leases, Lease{Prefix: netip.PrefixFrom(netip.AddrFrom16([16]byte(v[9:])), int(v[8])),
					Preferred: binary.BigEndian.Uint32(v), Valid: binary.BigEndian.Uint32(v[4:])})
			}
			skip = 25
		default:
			m.option(code, v)
		}
		if skip >= 0 && len(v) > skip && depth < 3 {
			in := octet.At(v[skip:], at+skip)
			if err := m.options(&in, budget, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *V6) option(code uint16, v []byte) {
	switch code {
	case 6:
		for len(v) >= 2 && len(m.Requested) < MaxOptions {
			m.Requested = append(m.Requested, binary.BigEndian.Uint16(v))
			v = v[2:]
		}
	case 12:
		if len(v) == 16 {
			m.Unicast = netip.AddrFrom16([16]byte(v))
		}
	case 13:
		if len(v) >= 2 && (!m.HasStatus || m.Status == 0) {
			m.HasStatus, m.Status, m.StatusText = true, binary.BigEndian.Uint16(v), printable.Text(v[2:], printable.Max)
		}
	case 14:
		m.RapidCommit = true
	case 15:
		m.UserClass = pieces(v)
	case 16:
		if len(v) >= 4 && len(m.VendorClasses) < MaxList {
			m.VendorClasses = append(m.VendorClasses, Vendor{Enterprise: binary.BigEndian.Uint32(v), Data: pieces(v[4:])})
		}
	case 17:
		if len(v) >= 4 && len(m.VendorOptions) < MaxList {
			m.VendorOptions = append(m.VendorOptions, Vendor{Enterprise: binary.BigEndian.Uint32(v), Data: printable.Hex(v[4:], 64)})
		}
	case 23:
		m.DNS = addrs6(v)
	case 24:
		m.Search = names6(v)
	case 31:
		m.NTP = addrs6(v)
	case 39:
		if len(v) > 1 {
			m.FQDN, _ = name(v[1:], nil)
		}
	case 59:
		m.BootFile = printable.Text(v, printable.Max)
	case 61:
		if len(v) >= 2 {
			m.Architecture = archName(binary.BigEndian.Uint16(v))
		}
	}
}

// pieces reads opaque data with 16-bit lengths (RFC 8415 §21.15), joined by commas.
func pieces(v []byte) string {
	s := ""
	for n := 0; len(v) >= 2 && n < 8; n++ {
		l := int(binary.BigEndian.Uint16(v))
		if l > len(v)-2 {
			return s
		}
		if s != "" {
			s += ","
		}
		s += printable.TextOrHex(v[2:2+l], 128)
		v = v[2+l:]
	}
	return s
}

// duid reads a DUID; one that is longer than §11.1 allows is cut.
func duid(v []byte) DUID {
	d := DUID{Raw: v[:min(len(v), 130)]}
	if len(v) < 2 {
		return d
	}
	d.Type = binary.BigEndian.Uint16(v)
	switch {
	case d.Type == 1 && len(v) == 14 && binary.BigEndian.Uint16(v[2:]) == 1:
		copy(d.MAC[:], v[8:])
		d.HasMAC = true
	case d.Type == 3 && len(v) == 10 && binary.BigEndian.Uint16(v[2:]) == 1:
		copy(d.MAC[:], v[4:])
		d.HasMAC = true
	case d.Type == 2 && len(v) >= 6:
		d.Enterprise = binary.BigEndian.Uint32(v[2:])
	}
	return d
}
