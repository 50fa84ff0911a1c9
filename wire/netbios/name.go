// SPDX-License-Identifier: Apache-2.0

// Package netbios reads the NetBIOS name service (RFC 1002 §4.2, UDP 137) and
// datagram service (§4.4, UDP 138) with the browser announcements that Windows
// and Samba send in it ([MS-BRWS] §2.2).
//
// Names are decoded from their first-level encoding (§14.1) to at most 15
// characters and a suffix, which says what the name stands for. At most MaxNames
// names and MaxAddresses addresses of a message are kept. Not done: the session
// service (UDP and TCP 139), scopes beyond their presence, WINS replication.
package netbios

import (
	"encoding/binary"
	"net/netip"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Bounds.
const (
	MaxNames     = 64
	MaxAddresses = 16
)

// Name is a NetBIOS name.
type Name struct {
	Text   string
	Suffix uint8
	Group  bool
}

// Role is what the suffix stands for (Microsoft, "NetBIOS suffixes").
func (n Name) Role() string {
	switch n.Suffix {
	case 0x00:
		if n.Group {
			return "workgroup"
		}
		return "workstation"
	case 0x01:
		return "master-browser-group"
	case 0x03:
		return "messenger"
	case 0x06:
		return "ras-server"
	case 0x1b:
		return "domain-master-browser"
	case 0x1c:
		return "domain-controllers"
	case 0x1d:
		return "master-browser"
	case 0x1e:
		return "browser-elections"
	case 0x20:
		return "file-server"
	case 0x21:
		return "ras-client"
	}
	return "other"
}

// decode reads 32 first-level encoded octets.
func decode(b []byte) (n Name, ok bool) {
	if len(b) != 32 {
		return n, false
	}
	var raw [16]byte
	for i := range raw {
		h, l := b[2*i]-'A', b[2*i+1]-'A'
		if h > 15 || l > 15 {
			return n, false
		}
		raw[i] = h<<4 | l
	}
	n.Suffix = raw[15]
	n.Text = printable.Text(raw[:15], 30)
	return n, true
}

// isName reports whether an encoded name begins at b.
func isName(b []byte) bool {
	if len(b) < 34 || b[0] != 32 {
		return false
	}
	for _, c := range b[1:33] {
		if c < 'A' || c > 'P' {
			return false
		}
	}
	return true
}

// Record types.
const (
	TypeNB     = 0x20
	TypeNBSTAT = 0x21
)

// Operations (RFC 1002 §4.2.1.1).
const (
	OpQuery        = 0
	OpRegistration = 5
	OpRelease      = 6
	OpWACK         = 7
	OpRefresh      = 8
)

// Message is one name service packet.
type Message struct {
	ID          uint16
	Response    bool
	Opcode      uint8
	Broadcast   bool
	RCode       uint8
	Name        Name // question, or of the first record
	Type        uint16
	Addresses   []netip.Addr // who owns, or claims, Name
	GroupRecord bool         // the addresses are of a group
	Names       []Name       // node status: all names of the node
	MAC         [6]byte      // node status: unit ID
	HasMAC      bool
}

// OpcodeName is the operation's name.
func (m *Message) OpcodeName() string {
	switch m.Opcode {
	case OpQuery:
		if m.Type == TypeNBSTAT {
			return "node-status"
		}
		return "query"
	case OpRegistration, 15:
		return "registration"
	case OpRelease:
		return "release"
	case OpWACK:
		return "wait"
	case OpRefresh, 9:
		return "refresh"
	}
	return "unknown"
}

// Looks reports whether b is a name service packet: an encoded name directly
// after the header, type NB or NBSTAT, class IN.
func Looks(b []byte) bool {
	if len(b) < 12+34+4 || !isName(b[12:]) {
		return false
	}
	f := binary.BigEndian.Uint16(b[2:])
	if op := f >> 11 & 15; op > 9 && op != 15 || op > 0 && op < 5 || binary.BigEndian.Uint16(b[4:])+binary.BigEndian.Uint16(b[6:]) == 0 {
		return false
	}
	at := 12 + 33
	for at < len(b) && b[at] != 0 { // scope labels
		at += 1 + int(b[at])
	}
	if at+5 > len(b) {
		return false
	}
	t := binary.BigEndian.Uint16(b[at+1:])
	return (t == TypeNB || t == TypeNBSTAT || t == 10) && binary.BigEndian.Uint16(b[at+3:]) == 1
}

// Parse reads one name service packet.
func Parse(b []byte) (*Message, error) {
	r := octet.New(b)
	m := &Message{ID: r.U16("identifier")}
	f := r.U16("flags")
	m.Response, m.Opcode, m.Broadcast, m.RCode = f&0x8000 != 0, uint8(f>>11&15), f&0x10 != 0, uint8(f&15)
	qd, an, ns, ar := r.U16("questions"), r.U16("answers"), r.U16("authorities"), r.U16("additionals")
	if r.Err() == nil && (qd > 1 || int(qd)+int(an)+int(ns)+int(ar) > 16) {
		r.Fail("counts")
	}
	if qd == 1 {
		m.Name = m.name(&r, b)
		m.Type = r.U16("type")
		r.U16("class")
	}
	for range int(an) + int(ns) + int(ar) {
		if r.Err() != nil {
			break
		}
		n := m.name(&r, b)
		typ := r.U16("type")
		r.Skip(6, "class and TTL")
		l := int(r.U16("data length"))
		base := r.Offset()
		d := r.Bytes(l, "data")
		if r.Err() != nil {
			break
		}
		if qd == 0 && m.Name.Text == "" {
			m.Name, m.Type = n, typ
		}
		o := octet.At(d, base)
		switch typ {
		case TypeNB:
			for o.Len() >= 6 && len(m.Addresses) < MaxAddresses {
				m.GroupRecord = o.U16("flags")&0x8000 != 0
				m.Addresses = append(m.Addresses, o.IPv4("address"))
			}
			m.Name.Group = m.GroupRecord
		case TypeNBSTAT:
			m.status(&o)
		}
	}
	return m, r.Err()
}

// name reads an encoded name, its scope, or a pointer to the first name.
func (m *Message) name(r *octet.Reader, b []byte) Name {
	l := r.U8("name length")
	if l&0xc0 == 0xc0 {
		to := int(l&0x3f)<<8 | int(r.U8("pointer"))
		if to != 12 || !isName(b[min(12, len(b)):]) {
			r.Fail("name pointer")
			return Name{}
		}
		n, _ := decode(b[13:45])
		return n
	}
	n, ok := decode(r.Bytes(int(l), "name"))
	if !ok {
		r.Fail("name")
		return n
	}
	for labels := 0; r.Err() == nil; labels++ {
		l := r.U8("scope")
		if l == 0 {
			break
		}
		if l&0xc0 == 0xc0 {
			r.Skip(1, "pointer")
			break
		}
		if l > 63 || labels > 16 {
			r.Fail("scope")
			break
		}
		r.Skip(int(l), "scope")
	}
	return n
}

// status reads a node status response (§4.2.18).
func (m *Message) status(o *octet.Reader) {
	for range o.U8("number of names") {
		raw := o.Bytes(16, "name")
		f := o.U16("name flags")
		if o.Err() != nil {
			return
		}
		if len(m.Names) < MaxNames {
			m.Names = append(m.Names, Name{Text: printable.Text(raw[:15], 30), Suffix: raw[15], Group: f&0x8000 != 0})
		}
	}
	m.MAC = o.MAC("unit ID")
	m.HasMAC = o.Err() == nil && m.MAC != [6]byte{}
}
