// SPDX-License-Identifier: Apache-2.0

package netbios

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Datagram is one datagram service packet with the announcement in it.
type Datagram struct {
	Type                uint8
	SourceIP            netip.Addr
	Source, Destination Name
	Announcement        *Announcement
}

// Announcement is a host, domain or local master announcement ([MS-BRWS]
// §2.2.1, §2.2.6, §2.2.10).
type Announcement struct {
	Kind       string // "host", "domain", "local-master"
	Server     string // its name; the domain's in a domain announcement
	OS         string // "Windows 10.0", from the version octets
	ServerType uint32 // SV_TYPE_ bits ([MS-BRWS] §2.2.1)
	Comment    string // the local master's name in a domain announcement
}

// Roles names the bits of ServerType that say what a machine is.
func (a *Announcement) Roles() (out []string) {
	for _, r := range [...]struct {
		bit  uint32
		name string
	}{{0x1, "workstation"}, {0x2, "server"}, {0x4, "sql-server"}, {0x8, "domain-controller"}, {0x10, "backup-domain-controller"},
		{0x20, "time-source"}, {0x200, "print-server"}, {0x800, "unix"}, {0x8000, "nt-server"}, {0x40000, "master-browser"}, {0x4000000, "terminal-server"}} {
		if a.ServerType&r.bit != 0 {
			out = append(out, r.name)
		}
	}
	return out
}

// LooksDatagram reports whether b is a direct datagram service packet.
func LooksDatagram(b []byte) bool {
	return len(b) >= 14+34+34 && b[0] >= 0x10 && b[0] <= 0x12 && b[1]&0xf0 == 0 && isName(b[14:]) && isName(b[14+34:])
}

// ParseDatagram reads one datagram service packet.
func ParseDatagram(b []byte) (*Datagram, error) {
	r := octet.New(b)
	d := &Datagram{Type: r.U8("message type")}
	if r.Err() == nil && (d.Type < 0x10 || d.Type > 0x12) {
		r.Fail("message type")
	}
	r.Skip(3, "flags")
	d.SourceIP = r.IPv4("source address")
	r.Skip(6, "source port")
	var m Message
	d.Source, d.Destination = m.name(&r, nil), m.name(&r, nil)
	if r.Err() != nil {
		return d, r.Err()
	}
	d.Announcement = announcement(r.Rest())
	return d, nil
}

// announcement reads an SMB transaction to \MAILSLOT\BROWSE. The places of the
// fields are fixed: a 32-octet SMB header, 17 parameter words, the name.
func announcement(b []byte) *Announcement {
	if len(b) < 69 || !bytes.HasPrefix(b, []byte("\xffSMB\x25")) || b[32] != 17 {
		return nil
	}
	// DataCount and DataOffset are words 11 and 12 of the transaction.
	n, off := int(binary.LittleEndian.Uint16(b[33+22:])), int(binary.LittleEndian.Uint16(b[33+24:]))
	if off < 69 || off+n > len(b) || !bytes.Contains(b[67:off], []byte(`\MAILSLOT\BROWSE`)) {
		return nil
	}
	v := b[off : off+n]
	if len(v) < 32 {
		return nil
	}
	a := &Announcement{}
	switch v[0] {
	case 1:
		a.Kind = "host"
	case 12:
		a.Kind = "domain"
	case 15:
		a.Kind = "local-master"
	default:
		return nil
	}
	a.Server = printable.Text(cString(v[6:22]), 16)
	if v[0] != 12 {
		a.OS = "Windows " + strconv.Itoa(int(v[22])) + "." + strconv.Itoa(int(v[23]))
	}
	a.ServerType = binary.LittleEndian.Uint32(v[24:])
	a.Comment = printable.Text(cString(v[32:]), 64)
	return a
}

func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
