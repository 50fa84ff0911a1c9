// SPDX-License-Identifier: Apache-2.0

package eapol

import (
	"strconv"

	"github.com/asepsis/asepsis/wire/octet"
)

// EAP codes (RFC 3748 §4).
const (
	EAPRequest  = 1
	EAPResponse = 2
	EAPSuccess  = 3
	EAPFailure  = 4
)

// EAP is one EAP packet. Identity is a name of a person or a machine.
type EAP struct {
	Code       uint8
	Identifier uint8
	Length     int // as declared
	Method     uint8
	Vendor     uint32 // expanded type (RFC 3748 §5.7)
	VendorType uint32
	Identity   []byte  // method 1 of a response; points into the message
	Wanted     []uint8 // methods that a Nak asks for, at most 8
	TLSFlags   uint8   // methods over TLS: L, M, S and version bits
	MoreParts  bool    // the TLS message goes on in another packet
}

// ParseEAP reads one EAP packet. Padding after it is ignored.
func ParseEAP(b []byte) (EAP, error) {
	r := octet.New(b)
	e := EAP{Code: r.U8("code"), Identifier: r.U8("identifier"), Length: int(r.U16("length"))}
	if r.Err() == nil && (e.Code == 0 || e.Code > 6 || e.Length < 4) {
		r.Fail("EAP header")
	}
	if r.Err() != nil || e.Code > EAPResponse {
		return e, r.Err()
	}
	r = octet.At(b[4:min(len(b), e.Length)], 4)
	e.Method = r.U8("type")
	if r.Err() != nil {
		return e, r.Err()
	}
	switch {
	case e.Method == 1 && e.Code == EAPResponse:
		e.Identity = r.Rest()
	case e.Method == 3:
		n := r.Rest()
		e.Wanted = n[:min(len(n), 8)]
	case e.Method == 254:
		e.Vendor, e.VendorType = r.U24("vendor"), r.U32("vendor type")
	case overTLS(e.Method) && r.Len() > 0:
		e.TLSFlags = r.U8("flags")
		e.MoreParts = e.TLSFlags&0x40 != 0
	}
	return e, r.Err()
}

func overTLS(m uint8) bool { return m == 13 || m == 21 || m == 25 || m == 43 || m == 55 }

// MethodName is the name of a method (IANA EAP method types).
func MethodName(m uint8) string {
	switch m {
	case 1:
		return "identity"
	case 2:
		return "notification"
	case 3:
		return "nak"
	case 4:
		return "md5-challenge"
	case 5:
		return "otp"
	case 6:
		return "gtc"
	case 13:
		return "tls"
	case 17:
		return "leap"
	case 18:
		return "sim"
	case 21:
		return "ttls"
	case 23:
		return "aka"
	case 25:
		return "peap"
	case 26:
		return "mschapv2"
	case 43:
		return "fast"
	case 47:
		return "psk"
	case 50:
		return "aka'"
	case 52:
		return "pwd"
	case 55:
		return "teap"
	case 254:
		return "expanded"
	}
	return "type-" + strconv.Itoa(int(m))
}

// CodeName is the name of a code.
func CodeName(c uint8) string {
	switch c {
	case EAPRequest:
		return "request"
	case EAPResponse:
		return "response"
	case EAPSuccess:
		return "success"
	case EAPFailure:
		return "failure"
	case 5:
		return "initiate"
	case 6:
		return "finish"
	}
	return "code-" + strconv.Itoa(int(c))
}
