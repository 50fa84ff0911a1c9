// SPDX-License-Identifier: Apache-2.0

// Package lldp reads the Link Layer Discovery Protocol: IEEE 802.1AB-2016 §8
// and 9, the organizationally specific TLVs of IEEE 802.1 (802.1Q annex D), of
// IEEE 802.3 (clause 79) and of LLDP-MED (ANSI/TIA-1057): the inventory that a
// device states about itself.
//
// At most MaxTLVs are read, MaxList of each repeated kind kept, strings of
// printable.Max bytes. Values that contradict their TLV are left out; a TLV
// that runs past the end ends reading with an error, and what came before
// stays. Not done: 802.1 TLVs about congestion and priorities, PoE
// measurements, DCBX, emergency location ELIN beyond its text.
package lldp

import (
	"net/netip"
	"strings"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Bounds.
const (
	MaxTLVs = 128
	MaxList = 16
)

// ID is a chassis or port identifier.
type ID struct {
	Subtype uint8
	Text    string // readable: MAC in colon form, address, or name
	MAC     [6]byte
	HasMAC  bool
	IP      netip.Addr
}

// VLAN is an 802.1 VLAN name TLV.
type VLAN struct {
	ID   uint16
	Name string
}

// NetworkPolicy is an LLDP-MED network policy (TIA-1057 §10.2.3).
type NetworkPolicy struct {
	Application string // "voice", "video-conferencing" ...
	Tagged      bool
	VLAN        uint16
	Priority    uint8
	DSCP        uint8
}

// Message is one LLDP data unit.
type Message struct {
	Chassis, Port      ID
	TTL                uint16
	PortDescription    string
	SystemName         string
	SystemDescription  string
	Capabilities       []string // what the system can do
	Enabled            []string // what it does
	Management         []netip.Addr
	PVID               uint16 // 802.1 port VLAN
	VLANs              []VLAN
	MaxFrame           uint16
	Aggregated         bool
	MAUType            uint16
	MED                bool
	MEDClass           string // "endpoint-1", "endpoint-2", "endpoint-3", "network"
	Hardware           string
	Firmware           string
	Software           string
	Serial             string
	Manufacturer       string
	Model              string
	Asset              string
	Policies           []NetworkPolicy
	Location           string // civic address or coordinates, readable
	PowerMilliwatts    uint32 // LLDP-MED extended power
	OtherOrganizations []uint32
}

var capNames = [...]string{"other", "repeater", "bridge", "wlan-ap", "router", "phone", "docsis", "station", "cvlan", "svlan", "two-port-relay"}

func caps(v uint16) (out []string) {
	for i, n := range capNames {
		if v&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// Parse reads one data unit, without the Ethernet header.
func Parse(b []byte) (*Message, error) {
	m := &Message{}
	r := octet.New(b)
	for n := 0; r.Len() > 0; n++ {
		h := r.U16("TLV header")
		typ, base := h>>9, r.Offset()
		v := r.Bytes(int(h&0x1ff), "TLV")
		if r.Err() != nil {
			return m, r.Err()
		}
		// §8.2: chassis ID, port ID and TTL come first, in this order.
		if n < 3 && int(typ) != n+1 || n >= MaxTLVs {
			r.Fail("TLV order")
			return m, r.Err()
		}
		if typ == 0 {
			return m, nil
		}
		m.tlv(uint8(typ), v, base)
	}
	if m.Chassis.Text == "" || m.Port.Text == "" {
		r.Fail("mandatory TLV")
	}
	return m, r.Err()
}

func (m *Message) tlv(typ uint8, v []byte, base int) {
	o := octet.At(v, base)
	switch typ {
	case 1:
		m.Chassis = id(v, [...]uint8{4, 5})
	case 2:
		m.Port = id(v, [...]uint8{3, 4})
	case 3:
		m.TTL = o.U16("time to live")
	case 4:
		m.PortDescription = printable.Text(v, printable.Max)
	case 5:
		m.SystemName = printable.Text(v, printable.Max)
	case 6:
		m.SystemDescription = printable.Text(v, 2*printable.Max)
	case 7:
		can, does := o.U16("capabilities"), o.U16("enabled capabilities")
		if o.Err() == nil {
			m.Capabilities, m.Enabled = caps(can), caps(does)
		}
	case 8:
		if len(v) > 1 && len(m.Management) < MaxList {
			n := int(o.U8("address length"))
			if a := address(o.Bytes(n, "address")); a.IsValid() {
				m.Management = append(m.Management, a)
			}
		}
	case 127:
		m.organization(&o)
	}
}

// id reads a chassis or port ID; sub says which subtypes are a MAC and a
// network address.
func id(v []byte, sub [2]uint8) ID {
	if len(v) < 2 {
		return ID{}
	}
	i := ID{Subtype: v[0]}
	v = v[1:]
	switch {
	case i.Subtype == sub[0] && len(v) == 6:
		copy(i.MAC[:], v)
		i.HasMAC = true
		i.Text = mac(i.MAC)
	case i.Subtype == sub[1]:
		if i.IP = address(v); i.IP.IsValid() {
			i.Text = i.IP.String()
		} else {
			i.Text = printable.Hex(v, 64)
		}
	default:
		i.Text = printable.TextOrHex(v, printable.Max)
	}
	return i
}

func mac(m [6]byte) string {
	const digits = "0123456789abcdef"
	var b [17]byte
	for i, c := range m {
		if i > 0 {
			b[i*3-1] = ':'
		}
		b[i*3], b[i*3+1] = digits[c>>4], digits[c&15]
	}
	return string(b[:])
}

// address reads an IANA address family number and an address (§8.5.2.3).
func address(v []byte) netip.Addr {
	switch {
	case len(v) == 5 && v[0] == 1:
		return netip.AddrFrom4([4]byte(v[1:]))
	case len(v) == 17 && v[0] == 2:
		return netip.AddrFrom16([16]byte(v[1:]))
	}
	return netip.Addr{}
}

// Organizations that define TLVs.
const (
	oui8021 = 0x0080c2
	oui8023 = 0x00120f
	ouiMED  = 0x0012bb
)

func (m *Message) organization(o *octet.Reader) {
	oui, sub := o.U24("organization"), o.U8("subtype")
	if o.Err() != nil {
		return
	}
	switch oui {
	case oui8021:
		switch sub {
		case 1:
			m.PVID = o.U16("port VLAN")
		case 3:
			v := VLAN{ID: o.U16("VLAN"), Name: printable.Text(o.Bytes(int(o.U8("name length")), "VLAN name"), 64)}
			if o.Err() == nil && len(m.VLANs) < MaxList {
				m.VLANs = append(m.VLANs, v)
			}
		case 7:
			m.Aggregated = o.U8("aggregation")&2 != 0
		}
	case oui8023:
		switch sub {
		case 1:
			o.Skip(3, "autonegotiation")
			m.MAUType = o.U16("MAU type")
		case 3:
			m.Aggregated = o.U8("aggregation")&2 != 0
		case 4:
			m.MaxFrame = o.U16("maximum frame size")
		}
	case ouiMED:
		m.MED = true
		m.med(sub, o)
	default:
		if len(m.OtherOrganizations) < MaxList {
			m.OtherOrganizations = append(m.OtherOrganizations, oui)
		}
	}
}

var medClasses = [...]string{"", "endpoint-1", "endpoint-2", "endpoint-3", "network"}

var medApplications = [...]string{"", "voice", "voice-signaling", "guest-voice", "guest-voice-signaling", "softphone-voice", "video-conferencing",
	"streaming-video", "video-signaling"}

func (m *Message) med(sub uint8, o *octet.Reader) {
	switch sub {
	case 1:
		o.Skip(2, "capabilities")
		if c := o.U8("device class"); int(c) < len(medClasses) {
			m.MEDClass = medClasses[c]
		}
	case 2:
		app, v := o.U8("application"), o.U24("policy")
		if o.Err() != nil || len(m.Policies) >= MaxList || v&0x800000 != 0 { // unknown policy
			return
		}
		p := NetworkPolicy{Application: "reserved", Tagged: v&0x400000 != 0, VLAN: uint16(v >> 9 & 0xfff), Priority: uint8(v >> 6 & 7), DSCP: uint8(v & 63)}
		if int(app) < len(medApplications) && app > 0 {
			p.Application = medApplications[app]
		}
		m.Policies = append(m.Policies, p)
	case 3:
		m.location(o)
	case 4:
		o.Skip(1, "power type")
		m.PowerMilliwatts = uint32(o.U16("power")) * 100
	case 5, 6, 7, 8, 9, 10, 11:
		s := printable.Text(o.Rest(), 64)
		*[...]*string{&m.Hardware, &m.Firmware, &m.Software, &m.Serial, &m.Manufacturer, &m.Model, &m.Asset}[sub-5] = s
	}
}

// location reads a location identification (TIA-1057 §10.2.4). Civic addresses
// are RFC 4776 elements after a length, a "what" octet and a country.
func (m *Message) location(o *octet.Reader) {
	switch o.U8("location format") {
	case 1:
		m.Location = "coordinates " + printable.Hex(o.Rest(), 32)
	case 2:
		n := int(o.U8("length"))
		in := octet.At(o.Bytes(n, "civic address"), 0)
		in.Skip(1, "what")
		parts := []string{printable.Text(in.Bytes(2, "country"), 2)}
		for in.Len() > 0 && len(parts) < MaxList {
			in.Skip(1, "element type")
			s := printable.Text(in.Bytes(int(in.U8("element length")), "element"), 64)
			if in.Err() != nil {
				break
			}
			if s != "" {
				parts = append(parts, s)
			}
		}
		m.Location = cut(strings.Join(parts, ", "))
	case 3:
		m.Location = "ELIN " + printable.Text(o.Rest(), 32)
	}
}

func cut(s string) string {
	if len(s) > printable.Max {
		s = strings.ToValidUTF8(s[:printable.Max], "")
	}
	return s
}
