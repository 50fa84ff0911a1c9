// SPDX-License-Identifier: Apache-2.0

// Package ldap reads messages of the Lightweight Directory Access Protocol
// (RFC 4511 §4) over TCP and UDP (CLDAP), and the answer of an Active Directory
// domain controller to its clients' ping ([MS-ADTS] §6.3.1.9, §6.3.3).
//
// # Limits
//
// A message is read up to what the caller has; one that is cut off gives what
// is there. At most 32 attribute names each way, filters to a depth of 16. Text
// is cut to 256 bytes.
//
// # What is not done
//
// Values are returned for entries of the root DSE and the ping only. Credentials
// are not kept. SASL security layers are not read; controls are not read.
package ldap

import (
	"fmt"

	"github.com/asepsis/asepsis/wire/ber"
	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Operations: the tag of protocolOp (§4.2 and following).
const (
	BindRequest        = 0
	BindResponse       = 1
	UnbindRequest      = 2
	SearchRequest      = 3
	SearchEntry        = 4
	SearchDone         = 5
	ModifyRequest      = 6
	ModifyResponse     = 7
	AddRequest         = 8
	AddResponse        = 9
	DelRequest         = 10
	DelResponse        = 11
	ModifyDNRequest    = 12
	ModifyDNResponse   = 13
	CompareRequest     = 14
	CompareResponse    = 15
	AbandonRequest     = 16
	SearchReference    = 19
	ExtendedRequest    = 23
	ExtendedResponse   = 24
	IntermediateAnswer = 25
)

// OIDs that matter here.
const (
	OIDStartTLS = "1.3.6.1.4.1.1466.20037"
	OIDWhoAmI   = "1.3.6.1.4.1.4203.1.11.3"
	OIDPassword = "1.3.6.1.4.1.4203.1.11.1"
)

const (
	maxNames  = 32
	maxFilter = 16
)

// Message is one LDAPMessage. Only the fields of its operation are set.
type Message struct {
	ID int64
	Op uint32

	// Bind
	Version     int64
	DN          string // name to bind as; base of a search; entry of others
	Simple      bool
	HasPassword bool
	Mechanism   string // SASL
	Credentials []byte // SASL only; points into the input

	// Search
	Scope      int64
	Filter     []Condition
	Attributes []string // asked for

	// Entry
	Values []Attribute

	// Results
	Code       int64
	Diagnostic string // in the server's words: may name entries

	// Extended
	OID string
}

// Condition is an attribute that a filter asks about. Value is that of an
// equality: it may name a person.
type Condition struct {
	Attribute string
	Value     []byte
	Equality  bool
}

// Attribute is an attribute of an entry; values point into the input.
type Attribute struct {
	Name   string
	Values [][]byte
}

// Parse reads the message at the start of b. total is its length, which may be
// more than len(b). ErrTruncated of package ber means that the header is not
// complete.
func Parse(b []byte) (m *Message, total int, err error) {
	_, total, err = ber.Peek(b)
	if err != nil {
		return nil, 0, err
	}
	if b[0] != 0x30 {
		return nil, 0, &octet.Error{What: "not an LDAPMessage"}
	}
	r := ber.NewReader(b)
	r.Lenient = true
	seq, err := r.Sequence()
	if err != nil {
		return nil, 0, err
	}
	m = &Message{}
	if m.ID, err = seq.Int(); err != nil {
		return nil, 0, err
	}
	if m.ID < 0 || m.ID > 1<<31-1 {
		return nil, 0, &octet.Error{Offset: 2, What: "impossible messageID"}
	}
	op, err := seq.Next()
	if err != nil {
		return nil, 0, err
	}
	if op.Class != ber.Application || op.Tag > IntermediateAnswer || op.Tag == 17 || op.Tag == 18 || op.Tag >= 20 && op.Tag < 23 ||
		op.Constructed == (op.Tag == UnbindRequest || op.Tag == DelRequest || op.Tag == AbandonRequest) {
		return nil, 0, &octet.Error{Offset: op.Offset, What: "unknown protocolOp"}
	}
	m.Op = op.Tag
	m.operation(op) // what is cut off is left out
	return m, total, nil
}

func (m *Message) operation(op ber.Element) {
	in := op.Children()
	switch op.Tag {
	case BindRequest:
		m.Version, _ = in.Int()
		m.DN = str(&in)
		auth, err := in.Next()
		if err != nil || auth.Class != ber.Context {
			return
		}
		switch auth.Tag {
		case 0:
			m.Simple, m.HasPassword = true, len(auth.Body)+auth.Missing > 0
		case 3:
			sasl := auth.Children()
			m.Mechanism = str(&sasl)
			m.Credentials, _ = sasl.OctetString()
		}
	case SearchRequest:
		m.DN = str(&in)
		m.Scope = enum(&in)
		enum(&in) // derefAliases
		for range 2 {
			_, _ = in.Int()
		}
		_, _ = in.Next() // typesOnly
		if f, err := in.Next(); err == nil {
			m.filter(f, 0)
		}
		if list, err := in.Sequence(); err == nil {
			for list.Len() > 0 && len(m.Attributes) < maxNames {
				s, err := list.OctetString()
				if err != nil {
					break
				}
				m.Attributes = append(m.Attributes, printable.Text(s, 64))
			}
		}
	case SearchEntry:
		m.DN = str(&in)
		list, err := in.Sequence()
		for err == nil && list.Len() > 0 && len(m.Values) < maxNames {
			var a ber.Reader
			if a, err = list.Sequence(); err != nil {
				return
			}
			v := Attribute{Name: str(&a)}
			if set, e := a.Expect(ber.Universal, ber.TagSet); e == nil {
				vals := set.Children()
				for vals.Len() > 0 && len(v.Values) < 16 {
					s, e := vals.OctetString()
					if e != nil {
						break
					}
					v.Values = append(v.Values, s)
				}
			}
			m.Values = append(m.Values, v)
		}
	case BindResponse, SearchDone, ModifyResponse, AddResponse, DelResponse, ModifyDNResponse, CompareResponse, ExtendedResponse:
		m.Code = enum(&in)
		str(&in) // matchedDN
		m.Diagnostic = str(&in)
		for in.Len() > 0 {
			e, err := in.Next()
			if err != nil {
				return
			}
			switch {
			case e.Is(ber.Context, 10):
				m.OID = printable.Text(e.Body, 64)
			case e.Is(ber.Context, 7) && op.Tag == BindResponse:
				m.Credentials = e.Body
			}
		}
	case ExtendedRequest:
		if e, err := in.Next(); err == nil && e.Is(ber.Context, 0) {
			m.OID = printable.Text(e.Body, 64)
		}
	case ModifyRequest, AddRequest, ModifyDNRequest, CompareRequest:
		m.DN = str(&in)
	case DelRequest:
		m.DN = printable.Text(op.Body, printable.Max)
	}
}

func str(r *ber.Reader) string {
	s, _ := r.OctetString()
	return printable.Text(s, printable.Max)
}

func enum(r *ber.Reader) int64 {
	e, err := r.Expect(ber.Universal, ber.TagEnumerated)
	if err != nil {
		return -1
	}
	v, err := e.Int()
	if err != nil {
		return -1
	}
	return v
}

// filter collects the attributes of a filter (§4.5.1.7).
func (m *Message) filter(e ber.Element, depth int) {
	if depth > maxFilter || e.Class != ber.Context || len(m.Filter) >= maxNames {
		return
	}
	switch e.Tag {
	case 0, 1, 2: // and, or, not
		for in := e.Children(); in.Len() > 0; {
			f, err := in.Next()
			if err != nil {
				return
			}
			m.filter(f, depth+1)
		}
	case 3, 5, 6, 8: // equality, greater, less, approximately
		in := e.Children()
		c := Condition{Attribute: str(&in), Equality: e.Tag == 3}
		c.Value, _ = in.OctetString()
		m.Filter = append(m.Filter, c)
	case 4: // substrings
		in := e.Children()
		m.Filter = append(m.Filter, Condition{Attribute: str(&in)})
	case 7: // present
		m.Filter = append(m.Filter, Condition{Attribute: printable.Text(e.Body, 64)})
	case 9: // extensible
		for in := e.Children(); in.Len() > 0; {
			f, err := in.Next()
			if err != nil {
				return
			}
			if f.Is(ber.Context, 2) {
				m.Filter = append(m.Filter, Condition{Attribute: printable.Text(f.Body, 64)})
			}
		}
	}
}

// FromClient reports an operation that only clients send.
func FromClient(op uint32) bool {
	switch op {
	case BindRequest, UnbindRequest, SearchRequest, ModifyRequest, AddRequest, DelRequest, ModifyDNRequest, CompareRequest, AbandonRequest, ExtendedRequest:
		return true
	}
	return false
}

// Looks tells whether b begins with an LDAPMessage.
func Looks(b []byte) (yes, maybe bool) {
	if len(b) == 0 || b[0] != 0x30 {
		return false, false
	}
	if len(b) < 12 && len(b) < 2+int(b[min(1, len(b)-1)]) {
		return false, true
	}
	m, total, err := Parse(b)
	if err != nil || total > 1<<24 {
		return false, false
	}
	switch m.Op {
	case BindRequest:
		return m.Version >= 1 && m.Version <= 3 && (m.Simple || m.Mechanism != ""), false
	case SearchRequest:
		return m.Scope >= 0 && m.Scope <= 3 && len(m.Filter) > 0, false
	case ExtendedRequest:
		return len(m.OID) > 4 && m.OID[1] == '.', false
	case BindResponse, SearchDone, ExtendedResponse:
		return m.Code >= 0 && m.Code < 1000, false
	case SearchEntry:
		return len(m.Values) > 0 && m.Values[0].Name != "", false
	case UnbindRequest:
		return len(b) == 7, false
	}
	return false, false
}

// OperationName returns the name of an operation as people write it.
func OperationName(op uint32) string {
	switch op {
	case BindRequest, BindResponse:
		return "bind"
	case UnbindRequest:
		return "unbind"
	case SearchRequest, SearchEntry, SearchDone, SearchReference:
		return "search"
	case ModifyRequest, ModifyResponse:
		return "modify"
	case AddRequest, AddResponse:
		return "add"
	case DelRequest, DelResponse:
		return "delete"
	case ModifyDNRequest, ModifyDNResponse:
		return "modify_dn"
	case CompareRequest, CompareResponse:
		return "compare"
	case AbandonRequest:
		return "abandon"
	case ExtendedRequest, ExtendedResponse:
		return "extended"
	}
	return fmt.Sprintf("operation_%d", op)
}

// ScopeName returns the name of a search scope.
func ScopeName(s int64) string {
	switch s {
	case 0:
		return "base"
	case 1:
		return "one"
	case 2:
		return "subtree"
	case 3:
		return "children"
	}
	return ""
}

// ResultName returns the name of a result code (§4.1.9, appendix A).
func ResultName(c int64) string {
	switch c {
	case 0:
		return "success"
	case 1:
		return "operationsError"
	case 2:
		return "protocolError"
	case 4:
		return "sizeLimitExceeded"
	case 7:
		return "authMethodNotSupported"
	case 8:
		return "strongerAuthRequired"
	case 10:
		return "referral"
	case 12:
		return "unavailableCriticalExtension"
	case 13:
		return "confidentialityRequired"
	case 14:
		return "saslBindInProgress"
	case 16:
		return "noSuchAttribute"
	case 32:
		return "noSuchObject"
	case 34:
		return "invalidDNSyntax"
	case 48:
		return "inappropriateAuthentication"
	case 49:
		return "invalidCredentials"
	case 50:
		return "insufficientAccessRights"
	case 51:
		return "busy"
	case 52:
		return "unavailable"
	case 53:
		return "unwillingToPerform"
	case 65:
		return "objectClassViolation"
	case 68:
		return "entryAlreadyExists"
	}
	return fmt.Sprint(c)
}
