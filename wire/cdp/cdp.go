// SPDX-License-Identifier: Apache-2.0

// Package cdp reads the Cisco Discovery Protocol, versions 1 and 2, as Cisco
// documents it ("Cisco Discovery Protocol", Internetworking Technologies) and
// as devices of many makers send it: SNAP 00:00:0C, protocol 0x2000.
//
// At most MaxTLVs are read, strings are capped at printable.Max bytes. A
// TLV that runs past the end ends reading with an error; what came before
// stays. Not done: the checksum, cluster and power TLVs.
package cdp

import (
	"net/netip"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Bounds.
const (
	MaxTLVs      = 64
	MaxAddresses = 16
)

// Message is one CDP packet.
type Message struct {
	Version      uint8
	TTL          uint8
	DeviceID     string
	Addresses    []netip.Addr
	Port         string
	Capabilities []string
	Software     string // version text
	Platform     string
	VTPDomain    string
	NativeVLAN   uint16
	FullDuplex   bool
	HasDuplex    bool
	VoiceVLAN    uint16
	Management   []netip.Addr
	SystemName   string
	SystemOID    []byte
	Location     string
}

var capNames = [...]string{"router", "bridge", "source-route-bridge", "switch", "host", "igmp", "repeater", "phone", "remote", "cvta", "two-port-relay"}

// Parse reads one packet, after the SNAP header.
func Parse(b []byte) (*Message, error) {
	r := octet.New(b)
	m := &Message{Version: r.U8("version"), TTL: r.U8("time to live")}
	r.Skip(2, "checksum")
	if r.Err() == nil && (m.Version == 0 || m.Version > 2) {
		r.Fail("version")
	}
	for n := 0; r.Len() > 0; n++ {
		typ, l := r.U16("TLV type"), int(r.U16("TLV length"))
		if r.Err() == nil && (l < 4 || n >= MaxTLVs) {
			r.Fail("TLV")
		}
		base := r.Offset()
		v := r.Bytes(l-4, "TLV")
		if r.Err() != nil {
			break
		}
		m.tlv(typ, v, base)
	}
	return m, r.Err()
}

func (m *Message) tlv(typ uint16, v []byte, base int) {
	o := octet.At(v, base)
	switch typ {
	case 0x01:
		m.DeviceID = printable.TextOrHex(v, printable.Max)
	case 0x02:
		m.Addresses = addresses(&o)
	case 0x03:
		m.Port = printable.Text(v, printable.Max)
	case 0x04:
		c := o.U32("capabilities")
		for i, n := range capNames {
			if c&(1<<i) != 0 {
				m.Capabilities = append(m.Capabilities, n)
			}
		}
	case 0x05:
		m.Software = printable.Text(v, 2*printable.Max)
	case 0x06:
		m.Platform = printable.Text(v, printable.Max)
	case 0x09:
		m.VTPDomain = printable.Text(v, printable.Max)
	case 0x0a:
		m.NativeVLAN = o.U16("native VLAN")
	case 0x0b:
		m.HasDuplex, m.FullDuplex = len(v) > 0, o.U8("duplex") == 1
	case 0x0e:
		o.Skip(1, "appliance")
		m.VoiceVLAN = o.U16("voice VLAN")
	case 0x14:
		m.SystemName = printable.Text(v, printable.Max)
	case 0x15:
		m.SystemOID = v[:min(len(v), 64)]
	case 0x16:
		m.Management = addresses(&o)
	case 0x17:
		if len(v) > 1 {
			m.Location = printable.Text(v[1:], printable.Max)
		}
	}
}

// addresses reads a list of protocol addresses: NLPID 0xCC is IPv4, the 802.2
// form AA AA 03 00 00 00 86 DD is IPv6.
func addresses(o *octet.Reader) (out []netip.Addr) {
	n := o.U32("number of addresses")
	for i := uint32(0); i < n && i < MaxAddresses; i++ {
		o.Skip(1, "protocol type")
		proto := o.Bytes(int(o.U8("protocol length")), "protocol")
		a := o.Bytes(int(o.U16("address length")), "address")
		if o.Err() != nil {
			return out
		}
		switch {
		case len(a) == 4 && len(proto) == 1 && proto[0] == 0xcc:
			out = append(out, netip.AddrFrom4([4]byte(a)))
		case len(a) == 16 && len(proto) == 8 && proto[6] == 0x86 && proto[7] == 0xdd:
			out = append(out, netip.AddrFrom16([16]byte(a)))
		}
	}
	return out
}
