// SPDX-License-Identifier: Apache-2.0

// Package eapol reads IEEE 802.1X-2020 frames (§11) and the Extensible
// Authentication Protocol that they carry (RFC 3748), as far as both are in
// clear: who talks, with which method, and how it ended. EAP inside RADIUS is
// read by the same ParseEAP.
//
// Not done: the TLS handshakes inside EAP methods, the contents of key frames
// and of MACsec key agreement beyond their kind.
package eapol

import "github.com/asepsis/asepsis/wire/octet"

// Frame types (§11.3.2).
const (
	TypeEAP      = 0
	TypeStart    = 1
	TypeLogoff   = 2
	TypeKey      = 3
	TypeASF      = 4
	TypeMKA      = 5
	TypeAnnounce = 6
)

var typeNames = [...]string{"eap", "start", "logoff", "key", "asf-alert", "mka", "announcement-generic", "announcement-specific", "announcement-request"}

// Frame is one EAPOL frame.
type Frame struct {
	Version uint8
	Type    uint8
	Body    []byte // points into the message, cut to the declared length
	EAP     EAP    // TypeEAP
	KeyType uint8  // TypeKey: 2 RSN, 254 WPA, 1 RC4
}

// TypeName is the frame type's name.
func (f Frame) TypeName() string {
	if int(f.Type) < len(typeNames) {
		return typeNames[f.Type]
	}
	return "unknown"
}

// Parse reads one frame, without the Ethernet header. Padding is ignored.
func Parse(b []byte) (Frame, error) {
	r := octet.New(b)
	f := Frame{Version: r.U8("version"), Type: r.U8("type")}
	n := int(r.U16("body length"))
	if r.Err() == nil && (f.Version == 0 || f.Version > 3 || int(f.Type) >= len(typeNames)) {
		r.Fail("version or type")
	}
	f.Body = r.Bytes(n, "body")
	if r.Err() != nil {
		return f, r.Err()
	}
	switch f.Type {
	case TypeEAP:
		e, err := ParseEAP(f.Body)
		f.EAP = e
		return f, err
	case TypeKey:
		if len(f.Body) > 0 {
			f.KeyType = f.Body[0]
		}
	}
	return f, nil
}
