// SPDX-License-Identifier: Apache-2.0

package smb

import (
	"encoding/binary"
	"fmt"

	"github.com/asepsis/asepsis/wire/printable"
)

// Negotiate is a NEGOTIATE message of SMB2 ([MS-SMB2] §2.2.3, §2.2.4), or of
// SMB1 as far as it has the same.
type Negotiate struct {
	Dialects        []string // request: offered; response: the one chosen
	SigningEnabled  bool
	SigningRequired bool
	GUID            GUID
	Capabilities    uint32
	SystemTime      uint64   // response: 100 ns since 1601, 0 when not sent
	BootTime        uint64   // response: the same, when the server started
	Token           []byte   // response: what the server offers to authenticate with
	Ciphers         []string // contexts of 3.1.1
	Signing         []string
	Compression     []string
	NetName         string // the server's name as the client knows it
	ExtendedSec     bool   // SMB1
	Domain, Server  string // SMB1 response without extended security
}

// Bounds of a negotiation.
const (
	maxDialects = 64
	maxContexts = 16
	maxIDs      = 16
)

// DialectName returns a dialect of SMB2 as OCSF and people write it.
func DialectName(d uint16) string {
	switch d {
	case 0x0202:
		return "2.0.2"
	case 0x0210:
		return "2.1"
	case 0x0222:
		return "2.2.2"
	case 0x0224:
		return "2.2.4"
	case 0x02ff:
		return "2.???" // the answer to a multi-protocol negotiation (§2.2.4)
	case 0x0300:
		return "3.0"
	case 0x0302:
		return "3.0.2"
	case 0x0310:
		return "3.1.0"
	case 0x0311:
		return "3.1.1"
	}
	return fmt.Sprintf("0x%04X", d)
}

// ParseNegotiateRequest2 reads a NEGOTIATE request.
func ParseNegotiateRequest2(msg []byte) (*Negotiate, error) {
	b, err := body(msg, 36, "NEGOTIATE request")
	if err != nil {
		return nil, err
	}
	n := &Negotiate{Capabilities: le32(b, 8), GUID: GUID(b[12:28])}
	n.mode(le16(b, 4))
	smb3 := false
	for i := range min(int(le16(b, 2)), maxDialects) {
		d := within(b, 36+2*i, 2)
		if len(d) < 2 {
			break
		}
		v := binary.LittleEndian.Uint16(d)
		smb3 = smb3 || v == 0x0311
		n.Dialects = append(n.Dialects, DialectName(v))
	}
	if smb3 {
		n.contexts(msg, int(min(le32(b, 28), 1<<24)), int(le16(b, 32)))
	}
	return n, nil
}

// ParseNegotiateResponse2 reads a successful NEGOTIATE response.
func ParseNegotiateResponse2(msg []byte) (*Negotiate, error) {
	b, err := body(msg, 65, "NEGOTIATE response")
	if err != nil {
		return nil, err
	}
	v := le16(b, 4)
	n := &Negotiate{Dialects: []string{DialectName(v)}, GUID: GUID(b[8:24]), Capabilities: le32(b, 24), SystemTime: le64(b, 40), BootTime: le64(b, 48)}
	n.mode(le16(b, 2))
	n.Token = within(msg, int(le16(b, 56)), int(le16(b, 58)))
	if v == 0x0311 {
		n.contexts(msg, int(min(le32(b, 60), 1<<24)), int(le16(b, 6)))
	}
	return n, nil
}

func (n *Negotiate) mode(m uint16) {
	n.SigningEnabled, n.SigningRequired = m&1 != 0, m&2 != 0
}

// SigningMode is "required", "enabled" or "none".
func (n *Negotiate) SigningMode() string {
	switch {
	case n.SigningRequired:
		return "required"
	case n.SigningEnabled:
		return "enabled"
	}
	return "none"
}

// contexts reads the negotiate contexts of 3.1.1 (§2.2.3.1).
func (n *Negotiate) contexts(msg []byte, at, count int) {
	if at < Header2Size {
		return
	}
	for range min(count, maxContexts) {
		if at+8 > len(msg) {
			return
		}
		size := int(le16(msg, at+2))
		data := within(msg, at+8, size)
		switch le16(msg, at) {
		case 2:
			n.Ciphers = ids(data, 2, int(le16(data, 0)), cipherName)
		case 3:
			n.Compression = ids(data, 8, int(le16(data, 0)), compressionName)
		case 5:
			n.NetName = printable.UTF16(data, printable.Max)
		case 8:
			n.Signing = ids(data, 2, int(le16(data, 0)), signingName)
		}
		at = (at + 8 + size + 7) &^ 7
	}
}

func ids(b []byte, at, count int, name func(uint16) string) (out []string) {
	for i := range min(count, maxIDs) {
		if at+2*i+2 > len(b) {
			break
		}
		out = append(out, name(le16(b, at+2*i)))
	}
	return out
}

func cipherName(v uint16) string {
	return named(v, "", "AES-128-CCM", "AES-128-GCM", "AES-256-CCM", "AES-256-GCM")
}

func signingName(v uint16) string { return named(v, "HMAC-SHA256", "AES-CMAC", "AES-GMAC") }

func compressionName(v uint16) string {
	return named(v, "none", "LZNT1", "LZ77", "LZ77+Huffman", "Pattern_V1", "LZ4")
}

func named(v uint16, names ...string) string {
	if int(v) < len(names) && names[v] != "" {
		return names[v]
	}
	return fmt.Sprintf("0x%04X", v)
}

// SessionSetup is a SESSION_SETUP message of either version.
type SessionSetup struct {
	Token           []byte // GSS token; nil in SMB1 without extended security
	SigningRequired bool   // request
	Guest           bool   // response
	Anonymous       bool   // response: a null session
	Encrypt         bool   // response: the session must be encrypted

	// SMB1 only.
	Account      string
	Domain       string
	NativeOS     string
	NativeLanMan string
	Plain        bool // a password rather than a response was sent
	LegacyNTLM   bool // LM or NTLMv1 responses without extended security
}

// ParseSessionSetup2 reads a SESSION_SETUP request or response (§2.2.5, §2.2.6).
func ParseSessionSetup2(msg []byte, response bool) (*SessionSetup, error) {
	if response {
		b, err := body(msg, 9, "SESSION_SETUP response")
		if err != nil {
			return nil, err
		}
		f := le16(b, 2)
		return &SessionSetup{Guest: f&1 != 0, Anonymous: f&2 != 0, Encrypt: f&4 != 0, Token: within(msg, int(le16(b, 4)), int(le16(b, 6)))}, nil
	}
	b, err := body(msg, 25, "SESSION_SETUP request")
	if err != nil {
		return nil, err
	}
	return &SessionSetup{SigningRequired: b[3]&2 != 0, Token: within(msg, int(le16(b, 12)), int(le16(b, 14)))}, nil
}
