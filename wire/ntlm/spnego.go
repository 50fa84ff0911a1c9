// SPDX-License-Identifier: Apache-2.0

package ntlm

import "github.com/asepsis/asepsis/wire/ber"

// Mechanisms of GSS-API that SPNEGO negotiates.
const (
	OIDSPNEGO     = "1.3.6.1.5.5.2"
	OIDKerberos   = "1.2.840.113554.1.2.2"
	OIDMSKerberos = "1.2.840.48018.1.2.2" // an old error of Windows 2000 that lives on
	OIDNTLM       = "1.3.6.1.4.1.311.2.2.10"
	OIDNegoEx     = "1.3.6.1.4.1.311.2.2.30"
	maxMechanisms = 8
)

// Mechanism returns the short name of a mechanism, or its OID.
func Mechanism(oid string) string {
	switch oid {
	case OIDSPNEGO:
		return "spnego"
	case OIDKerberos:
		return "kerberos"
	case OIDMSKerberos:
		return "ms-kerberos"
	case OIDNTLM:
		return "ntlm"
	case OIDNegoEx:
		return "negoex"
	}
	return oid
}

// Token is what a security token says.
type Token struct {
	Mechanisms []string // offered (negTokenInit) or chosen (negTokenResp), by name
	Message    *Message // the NTLM message, nil when there is none
	Kerberos   bool     // the token carries a Kerberos message
}

// ParseToken reads a security token: SPNEGO, raw NTLM or raw Kerberos. What is
// neither gives an empty Token. It never fails: a token that is cut off tells
// what its beginning says.
func ParseToken(b []byte) Token {
	var t Token
	if m := Find(b); m != nil {
		if msg, err := Parse(m); err == nil {
			t.Message = msg
		}
	}
	r := ber.NewReader(b)
	r.Lenient = true
	e, err := r.Next()
	if err != nil {
		return t
	}
	switch {
	case e.Is(ber.Application, 0): // RFC 2743 §3.1: mechanism and its token
		in := e.Children()
		oid, err := in.Expect(ber.Universal, ber.TagOID)
		if err != nil {
			return t
		}
		switch s, _ := oid.OID(); s {
		case OIDSPNEGO:
			if c, err := in.Next(); err == nil {
				t.negotiation(c)
			}
		case OIDKerberos, OIDMSKerberos:
			t.Kerberos = true
			t.Mechanisms = []string{"kerberos"}
		}
	case e.Class == ber.Context && e.Tag <= 1:
		t.negotiation(e)
	}
	return t
}

// negotiation reads negTokenInit [0] or negTokenResp [1] (RFC 4178 §4.2).
func (t *Token) negotiation(e ber.Element) {
	in := e.Children()
	seq, err := in.Sequence()
	if err != nil {
		return
	}
	for seq.Len() > 0 {
		f, err := seq.Next()
		if err != nil {
			return
		}
		body := f.Children()
		switch {
		case f.Is(ber.Context, 0) && e.Tag == 0: // mechTypes
			list, err := body.Sequence()
			for err == nil && list.Len() > 0 && len(t.Mechanisms) < maxMechanisms {
				var o ber.Element
				if o, err = list.Expect(ber.Universal, ber.TagOID); err == nil {
					t.mechanism(o)
				}
			}
		case f.Is(ber.Context, 1) && e.Tag == 1: // supportedMech
			if o, err := body.Expect(ber.Universal, ber.TagOID); err == nil {
				t.mechanism(o)
			}
		case f.Is(ber.Context, 2): // mechToken, responseToken
			tok, err := body.Next()
			if err != nil || !tok.Is(ber.Universal, ber.TagOctetString) {
				continue
			}
			inner := ber.NewReader(tok.Body)
			inner.Lenient = true
			if k, err := inner.Next(); err == nil && k.Is(ber.Application, 0) {
				kids := k.Children()
				if o, err := kids.Expect(ber.Universal, ber.TagOID); err == nil {
					if s, _ := o.OID(); s == OIDKerberos || s == OIDMSKerberos {
						t.Kerberos = true
					}
				}
			}
		}
	}
}

func (t *Token) mechanism(o ber.Element) {
	if s, err := o.OID(); err == nil {
		t.Mechanisms = append(t.Mechanisms, Mechanism(s))
	}
}
