// SPDX-License-Identifier: Apache-2.0

// Package kerberos reads what is in clear in the messages of Kerberos 5 between
// clients and key distribution centres: AS-REQ, AS-REP, TGS-REQ, TGS-REP, KRB-ERROR
// and AP-REQ (RFC 4120 §5.4, §5.5, §5.9; RFC 4757 and others for encryption types).
//
// # Limits
//
// Principals have at most 8 components of 256 bytes; at most 32 encryption
// types and 32 pre-authentication data. A message that is cut off gives what is
// there.
//
// # What is not done
//
// Nothing is decrypted. Tickets are read for their service and encryption type
// only. FAST (RFC 6113) hides the rest; it is recognised.
package kerberos

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/asepsis/asepsis/wire/ber"
	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Types of message (RFC 4120 §7.5.7), also their application tags.
const (
	ASReq  = 10
	ASRep  = 11
	TGSReq = 12
	TGSRep = 13
	APReq  = 14
	Error  = 30
)

// MaxMessage is the longest message over TCP that is believed.
const MaxMessage = 1 << 20

// Bounds.
const (
	maxComponents = 8
	maxTypes      = 32
)

// Principal is a name without its realm.
type Principal struct {
	Type       int64
	Components []string
}

// String joins the components: "krbtgt/EXAMPLE.ORG".
func (p Principal) String() string { return strings.Join(p.Components, "/") }

// Message is one message. Fields that its type does not have are zero.
type Message struct {
	Type          int
	Realm         string
	Client        Principal
	ClientRealm   string
	Service       Principal
	Options       uint32
	EncTypes      []int64 // requests: offered, in order of preference
	EncType       int64   // replies: of the part for the client
	TicketEncType int64   // replies: of the ticket
	PreAuth       []int64 // types of pre-authentication data
	Code          int64   // errors
	Text          string  // errors, in the server's words
	Workstation   string  // requests: the client's NetBIOS name, where it sends addresses
}

// FrameSize returns the length of the TCP record at the start of b (RFC 4120
// §7.2.2), its four octets included; 0 while unknown.
func FrameSize(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, nil
	}
	n := binary.BigEndian.Uint32(b)
	if n < 16 || n > MaxMessage {
		return 0, &octet.Error{What: "impossible record length"}
	}
	return 4 + int(n), nil
}

// Parse reads one message.
func Parse(b []byte) (*Message, error) {
	r := ber.NewReader(b)
	r.Lenient = true
	e, err := r.Next()
	if err != nil {
		return nil, err
	}
	if e.Class != ber.Application || !e.Constructed {
		return nil, &octet.Error{What: "not a Kerberos message"}
	}
	m := &Message{Type: int(e.Tag)}
	outer := e.Children()
	seq, err := outer.Sequence()
	if err != nil {
		return nil, err
	}
	first, err := seq.Next() // pvno: [0], in requests [1]
	if err != nil {
		return nil, err
	}
	if v, err := integer(first); err != nil || v != 5 || first.Class != ber.Context {
		return nil, &octet.Error{Offset: first.Offset, What: "pvno is not 5"}
	}
	kind, err := seq.Next()
	if err != nil {
		return nil, err
	}
	if v, err := integer(kind); err != nil || v != int64(e.Tag) {
		return nil, &octet.Error{Offset: kind.Offset, What: "msg-type differs from the tag"}
	}
	var field func(ber.Element)
	switch m.Type {
	case ASReq, TGSReq:
		field = m.request
	case ASRep, TGSRep:
		field = m.reply
	case Error:
		field = m.failure
	case APReq:
		field = func(f ber.Element) {
			if f.Tag == 3 {
				m.ticket(f)
			}
		}
	default:
		return nil, &octet.Error{What: "unknown message type"}
	}
	for seq.Len() > 0 {
		f, err := seq.Next()
		if err != nil { // what could be read is of use: the rest was cut
			return m, nil //nolint:nilerr // see above
		}
		if f.Class == ber.Context {
			field(f)
		}
	}
	return m, nil
}

func (m *Message) request(f ber.Element) {
	switch f.Tag {
	case 3:
		m.preAuth(f)
	case 4:
		in := f.Children()
		body, err := in.Sequence()
		for err == nil && body.Len() > 0 {
			var g ber.Element
			if g, err = body.Next(); err != nil {
				return
			}
			switch g.Tag {
			case 0:
				c := g.Children()
				if bits, e := c.Expect(ber.Universal, ber.TagBitString); e == nil && len(bits.Body) >= 5 {
					m.Options = binary.BigEndian.Uint32(bits.Body[1:])
				}
			case 1:
				m.Client = principal(g)
			case 2:
				m.Realm = general(g)
			case 3:
				m.Service = principal(g)
			case 8:
				c := g.Children()
				list, e := c.Sequence()
				for e == nil && list.Len() > 0 && len(m.EncTypes) < maxTypes {
					var v int64
					if v, e = list.Int(); e == nil {
						m.EncTypes = append(m.EncTypes, v)
					}
				}
			case 9:
				m.addresses(g)
			}
		}
	}
}

// addresses takes the NetBIOS name of the client (§7.5.3: type 20).
func (m *Message) addresses(g ber.Element) {
	c := g.Children()
	list, err := c.Sequence()
	for n := 0; err == nil && list.Len() > 0 && n < 16; n++ {
		var a ber.Reader
		if a, err = list.Sequence(); err != nil {
			return
		}
		kind, e1 := a.Next()
		addr, e2 := a.Next()
		if e1 != nil || e2 != nil {
			return
		}
		if v, e := integer(kind); e == nil && v == 20 {
			in := addr.Children()
			if s, e := in.OctetString(); e == nil {
				m.Workstation = printable.Text(s, 64)
			}
		}
	}
}

func (m *Message) preAuth(f ber.Element) {
	c := f.Children()
	list, err := c.Sequence()
	for err == nil && list.Len() > 0 && len(m.PreAuth) < maxTypes {
		var pa ber.Reader
		if pa, err = list.Sequence(); err != nil {
			return
		}
		kind, e := pa.Expect(ber.Context, 1)
		if e != nil {
			return
		}
		if v, e := integer(kind); e == nil {
			m.PreAuth = append(m.PreAuth, v)
		}
	}
}

func (m *Message) reply(f ber.Element) {
	switch f.Tag {
	case 2:
		m.preAuth(f)
	case 3:
		m.ClientRealm = general(f)
	case 4:
		m.Client = principal(f)
	case 5:
		m.ticket(f)
	case 6:
		m.EncType = encryption(f)
	}
}

// ticket reads a Ticket within its context tag (§5.3).
func (m *Message) ticket(f ber.Element) {
	c := f.Children()
	t, err := c.Expect(ber.Application, 1)
	if err != nil {
		return
	}
	in := t.Children()
	seq, err := in.Sequence()
	for err == nil && seq.Len() > 0 {
		var g ber.Element
		if g, err = seq.Next(); err != nil {
			return
		}
		switch g.Tag {
		case 1:
			m.Realm = general(g)
		case 2:
			m.Service = principal(g)
		case 3:
			m.TicketEncType = encryption(g)
		}
	}
}

func (m *Message) failure(f ber.Element) {
	switch f.Tag {
	case 6:
		m.Code, _ = integer(f)
	case 7:
		m.ClientRealm = general(f)
	case 8:
		m.Client = principal(f)
	case 9:
		m.Realm = general(f)
	case 10:
		m.Service = principal(f)
	case 11:
		m.Text = general(f)
	}
}

// integer reads the INTEGER within a context tag.
func integer(f ber.Element) (int64, error) {
	in := f.Children()
	return in.Int()
}

// general reads the KerberosString within a context tag.
func general(f ber.Element) string {
	in := f.Children()
	s, err := in.Expect(ber.Universal, ber.TagGeneralStr)
	if err != nil {
		return ""
	}
	return printable.Text(s.Body, printable.Max)
}

func principal(f ber.Element) (p Principal) {
	in := f.Children()
	seq, err := in.Sequence()
	if err != nil {
		return p
	}
	kind, err := seq.Expect(ber.Context, 0)
	if err != nil {
		return p
	}
	p.Type, _ = integer(kind)
	names, err := seq.Expect(ber.Context, 1)
	if err != nil {
		return p
	}
	c := names.Children()
	list, err := c.Sequence()
	for err == nil && list.Len() > 0 && len(p.Components) < maxComponents {
		var s ber.Element
		if s, err = list.Expect(ber.Universal, ber.TagGeneralStr); err == nil {
			p.Components = append(p.Components, printable.Text(s.Body, printable.Max))
		}
	}
	return p
}

// encryption reads the type of an EncryptedData within a context tag (§5.2.9).
func encryption(f ber.Element) int64 {
	in := f.Children()
	seq, err := in.Sequence()
	if err != nil {
		return 0
	}
	kind, err := seq.Expect(ber.Context, 0)
	if err != nil {
		return 0
	}
	v, _ := integer(kind)
	return v
}

// Looks tells whether b begins with a message (UDP, or TCP behind the length).
func Looks(b []byte) bool {
	if len(b) < 12 {
		return false
	}
	switch b[0] {
	case 0x60 | ASReq, 0x60 | ASRep, 0x60 | TGSReq, 0x60 | TGSRep, 0x7e:
	default:
		return false
	}
	_, err := Parse(b)
	return err == nil
}

// TypeName returns the name of a message type.
func TypeName(t int) string {
	switch t {
	case ASReq:
		return "AS-REQ"
	case ASRep:
		return "AS-REP"
	case TGSReq:
		return "TGS-REQ"
	case TGSRep:
		return "TGS-REP"
	case APReq:
		return "AP-REQ"
	case Error:
		return "KRB-ERROR"
	}
	return fmt.Sprintf("type %d", t)
}

// EncTypeName returns the name of an encryption type (IANA "Kerberos
// Encryption Type Numbers").
func EncTypeName(e int64) string {
	switch e {
	case 1:
		return "des-cbc-crc"
	case 2:
		return "des-cbc-md4"
	case 3:
		return "des-cbc-md5"
	case 16:
		return "des3-cbc-sha1"
	case 17:
		return "aes128-cts-hmac-sha1-96"
	case 18:
		return "aes256-cts-hmac-sha1-96"
	case 19:
		return "aes128-cts-hmac-sha256-128"
	case 20:
		return "aes256-cts-hmac-sha384-192"
	case 23:
		return "rc4-hmac"
	case 24:
		return "rc4-hmac-exp"
	case 25:
		return "camellia128-cts-cmac"
	case 26:
		return "camellia256-cts-cmac"
	case -128:
		return "rc4-md4"
	case -133, -135:
		return "rc4-hmac-old"
	}
	return fmt.Sprintf("etype %d", e)
}

// Weak reports an encryption type that RFC 6649 and RFC 8429 deprecate.
func Weak(e int64) bool {
	switch e {
	case 1, 2, 3, 16, 23, 24, -128, -133, -135:
		return true
	}
	return false
}

// ErrorName returns the name of an error code (RFC 4120 §7.5.9).
func ErrorName(c int64) string {
	names := map[int64]string{
		1: "KDC_ERR_NAME_EXP", 2: "KDC_ERR_SERVICE_EXP", 3: "KDC_ERR_BAD_PVNO", 6: "KDC_ERR_C_PRINCIPAL_UNKNOWN", 7: "KDC_ERR_S_PRINCIPAL_UNKNOWN",
		8: "KDC_ERR_PRINCIPAL_NOT_UNIQUE", 9: "KDC_ERR_NULL_KEY", 11: "KDC_ERR_NEVER_VALID", 12: "KDC_ERR_POLICY", 13: "KDC_ERR_BADOPTION",
		14: "KDC_ERR_ETYPE_NOSUPP", 15: "KDC_ERR_SUMTYPE_NOSUPP", 16: "KDC_ERR_PADATA_TYPE_NOSUPP", 18: "KDC_ERR_CLIENT_REVOKED", 19: "KDC_ERR_SERVICE_REVOKED",
		23: "KDC_ERR_KEY_EXPIRED", 24: "KDC_ERR_PREAUTH_FAILED", 25: "KDC_ERR_PREAUTH_REQUIRED", 26: "KDC_ERR_SERVER_NOMATCH", 27: "KDC_ERR_MUST_USE_USER2USER",
		29: "KDC_ERR_SVC_UNAVAILABLE", 31: "KRB_AP_ERR_BAD_INTEGRITY", 32: "KRB_AP_ERR_TKT_EXPIRED", 33: "KRB_AP_ERR_TKT_NYV", 34: "KRB_AP_ERR_REPEAT",
		36: "KRB_AP_ERR_BADMATCH", 37: "KRB_AP_ERR_SKEW", 41: "KRB_AP_ERR_MODIFIED", 52: "KRB_ERR_RESPONSE_TOO_BIG", 60: "KRB_ERR_GENERIC", 61: "KRB_ERR_FIELD_TOOLONG",
		68: "KDC_ERR_WRONG_REALM", 91: "KDC_ERR_MORE_PREAUTH_DATA_REQUIRED",
	}
	if n := names[c]; n != "" {
		return n
	}
	return fmt.Sprint(c)
}
