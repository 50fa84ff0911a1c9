// SPDX-License-Identifier: Apache-2.0

package ldap

import (
	"encoding/binary"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Controller is what a domain controller answers to a ping:
// NETLOGON_SAM_LOGON_RESPONSE_EX ([MS-ADTS] §6.3.1.9). The user is left out.
type Controller struct {
	Flags                       uint32
	Forest, Domain, Host        string // DNS names
	NetBIOSDomain, NetBIOSName  string
	ControllerSite, ClientsSite string
}

// ParseController reads the value of the attribute "Netlogon".
func ParseController(b []byte) (*Controller, error) {
	if len(b) < 24 {
		return nil, &octet.Error{Offset: len(b), What: "Netlogon answer cut off"}
	}
	if op := binary.LittleEndian.Uint16(b); op != 23 && op != 25 { // LOGON_SAM_LOGON_RESPONSE_EX, LOGON_SAM_USER_UNKNOWN_EX
		return nil, &octet.Error{What: "unknown Netlogon opcode"}
	}
	c := &Controller{Flags: binary.LittleEndian.Uint32(b[4:])}
	at := 24
	var user string
	for _, to := range []*string{&c.Forest, &c.Domain, &c.Host, &c.NetBIOSDomain, &c.NetBIOSName, &user, &c.ControllerSite, &c.ClientsSite} {
		var err error
		if *to, at, err = compressed(b, at); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// compressed reads a name in the compressed form of RFC 1035 §4.1.4, which here
// is UTF-8, and returns where the next begins. Pointers go backwards only.
func compressed(b []byte, at int) (string, int, error) {
	var name []byte
	next, limit := -1, at+1
	for range 64 {
		if at >= len(b) {
			return "", 0, &octet.Error{Offset: at, What: "name cut off"}
		}
		n := int(b[at])
		switch {
		case n == 0:
			if next < 0 {
				next = at + 1
			}
			return printable.Text(name, printable.Max), next, nil
		case n >= 0xc0:
			if at+1 >= len(b) {
				return "", 0, &octet.Error{Offset: at, What: "pointer cut off"}
			}
			to := (n&0x3f)<<8 | int(b[at+1])
			if to >= limit-1 {
				return "", 0, &octet.Error{Offset: at, What: "pointer does not go back"}
			}
			if next < 0 {
				next = at + 2
			}
			at, limit = to, to+1
		case n >= 64 || at+1+n > len(b) || len(name)+n > 255:
			return "", 0, &octet.Error{Offset: at, What: "impossible label"}
		default:
			if len(name) > 0 {
				name = append(name, '.')
			}
			name = append(name, b[at+1:at+1+n]...)
			at += 1 + n
		}
	}
	return "", 0, &octet.Error{Offset: at, What: "name of too many labels"}
}
