// SPDX-License-Identifier: Apache-2.0

// Package tlsmeta reads what TLS and DTLS show to an observer who has no keys.
//
// # What is read
//
// Records of SSL 3.0 (RFC 6101), TLS 1.0 to 1.3 (RFC 2246, 4346, 5246, 8446)
// and DTLS 1.0, 1.2 and 1.3 (RFC 4347, 6347, 9147), and the SSL 2.0 form of
// CLIENT-HELLO (RFC 5246 appendix E.2). Of the handshake: ClientHello,
// ServerHello and HelloRetryRequest, HelloVerifyRequest, Certificate of either
// side, CertificateRequest, the group of ServerKeyExchange, ServerHelloDone;
// alerts and ChangeCipherSpec as long as they are in clear. Session and
// DTLSSession join both directions into one account of a handshake, from the
// first byte to the point where everything is encrypted.
//
// Messages may span records and records may hold several messages or parts of
// them (RFC 8446 §5.1); bytes may arrive in any portions, and the result does
// not depend on the portions.
//
// JA4 is computed as its authors published it (FoxIO JA4, BSD 3-Clause part:
// TLS client fingerprint).
//
// # Limits
//
// A handshake message of more than MaxMessage bytes is passed over and
// reported as too large. A chain has at most MaxChain certificates. Lists of a
// hello have at most MaxList entries. A Session reads at most MaxHandshake
// bytes of each direction. Memory grows with the bytes received, never with a
// length that a peer declared. Strings are returned as they were sent unless
// stated otherwise.
//
// # What is not done
//
// Nothing is decrypted. Signatures, chains and validity are not verified.
// Renegotiation, which runs encrypted, is not followed. The Certificate message
// of TLS 1.3 is encrypted and therefore absent. Compressed certificates (RFC
// 8879) exist in TLS 1.3 only and are as invisible.
package tlsmeta

import (
	"errors"
	"fmt"
)

// Bounds of reading.
const (
	MaxMessage   = 64 << 10  // bytes of one handshake message
	MaxChain     = 10        // certificates of one chain
	MaxList      = 1024      // entries of one list in a hello
	MaxHandshake = 256 << 10 // bytes of one direction that a Session looks at
	MaxRecord    = 1<<14 + 2048
)

// Content types of records (RFC 8446 §5.1; 24 is RFC 6520, 25 and 26 RFC 9146 and 9147).
const (
	TypeChangeCipherSpec = 20
	TypeAlert            = 21
	TypeHandshake        = 22
	TypeApplicationData  = 23
	TypeHeartbeat        = 24
)

// Handshake message types (IANA TLS HandshakeType).
const (
	HelloRequest        = 0
	MsgClientHello      = 1
	MsgServerHello      = 2
	HelloVerifyRequest  = 3
	NewSessionTicket    = 4
	EndOfEarlyData      = 5
	EncryptedExtensions = 8
	MsgCertificate      = 11
	ServerKeyExchange   = 12
	CertificateRequest  = 13
	ServerHelloDone     = 14
	CertificateVerify   = 15
	ClientKeyExchange   = 16
	Finished            = 20
	CertificateStatus   = 22
)

// Protocol versions as they stand in hellos.
const (
	SSL20  = 0x0002
	SSL30  = 0x0300
	TLS10  = 0x0301
	TLS11  = 0x0302
	TLS12  = 0x0303
	TLS13  = 0x0304
	DTLS10 = 0xfeff
	DTLS12 = 0xfefd
	DTLS13 = 0xfefc
)

// ErrNotTLS says that the bytes are no record of any version.
var ErrNotTLS = errors.New("not a TLS record")

// Error is a violation of the format, with where it was found.
type Error struct {
	What   string // the structure: "client hello", "certificate"
	Offset int    // bytes from the beginning of the structure
	Why    string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("tls %s at byte %d: %s", e.What, e.Offset, e.Why)
}

// VersionName returns "TLSv1.2", "DTLSv1.2", "SSLv3" and the like, or "0x...."
// for a version that no standard defines.
func VersionName(v uint16) string {
	switch v {
	case SSL20:
		return "SSLv2"
	case SSL30:
		return "SSLv3"
	case TLS10:
		return "TLSv1.0"
	case TLS11:
		return "TLSv1.1"
	case TLS12:
		return "TLSv1.2"
	case TLS13:
		return "TLSv1.3"
	case DTLS10:
		return "DTLSv1.0"
	case DTLS12:
		return "DTLSv1.2"
	case DTLS13:
		return "DTLSv1.3"
	case 0x0100:
		return "DTLSv1.0-pre" // OpenSSL's DTLS1_BAD_VER, still spoken by old VPN gateways
	}
	if v>>8 == 0x7f { // drafts of TLS 1.3
		return fmt.Sprintf("TLSv1.3-draft%d", v&0xff)
	}
	return fmt.Sprintf("0x%04x", v)
}

// IsGREASE reports a value reserved to keep peers tolerant (RFC 8701 §2).
func IsGREASE(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// age orders versions: a higher age is a newer protocol, DTLS beside the TLS
// version it is derived from.
func age(v uint16) int {
	switch v {
	case SSL20:
		return 1
	case SSL30:
		return 2
	case TLS10:
		return 3
	case TLS11, DTLS10:
		return 4
	case TLS12, DTLS12:
		return 5
	case TLS13, DTLS13:
		return 7
	}
	if v>>8 == 0x7f {
		return 6
	}
	return 0
}
