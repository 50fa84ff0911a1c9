// SPDX-License-Identifier: Apache-2.0

// Package snmp reads the Simple Network Management Protocol: version 1
// (RFC 1157), 2c (RFC 1901, 3416) and 3 with the user-based security model
// (RFC 3412, 3414), and the engine identifiers of RFC 3411 §5.
//
// One datagram is one message. Parse gives what is in clear: for version 3
// with privacy that ends at the security parameters. A message that the snap
// length cut is read as far as it goes. MaxBindings variable bindings are kept.
// Passwords never travel in version 3; the community of version 1 and 2c is
// one, and is returned as bytes only for the caller to judge and hide.
//
// Not done: decryption, authentication, the transport security model.
package snmp

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strconv"

	"github.com/asepsis/asepsis/wire/ber"
	"github.com/asepsis/asepsis/wire/printable"
)

// MaxBindings bounds the variable bindings of one message.
const MaxBindings = 64

// ErrNotSNMP says that the message is of another protocol.
var ErrNotSNMP = errors.New("not an SNMP message")

// Versions as the message carries them.
const (
	V1  = 0
	V2c = 1
	V3  = 3
)

// PDU types: the context tags of RFC 3416 §3.
const (
	Get      = 0
	GetNext  = 1
	Response = 2
	Set      = 3
	TrapV1   = 4
	GetBulk  = 5
	Inform   = 6
	TrapV2   = 7
	Report   = 8
)

var pduNames = [...]string{"get-request", "get-next-request", "response", "set-request", "trap", "get-bulk-request", "inform-request", "snmpV2-trap", "report"}

// PDUName is a PDU type's name in RFC 3416.
func PDUName(t int) string {
	if t >= 0 && t < len(pduNames) {
		return pduNames[t]
	}
	return "unknown"
}

// Binding is one variable binding.
type Binding struct {
	OID     string
	Kind    string // "null", "string", "integer", "oid", "address", "counter", "gauge", "ticks", "no-such-object", "no-such-instance", "end-of-view", "other"
	Value   string // readable
	Octets  []byte // of a string; points into the message
	Integer int64
}

// Engine is an SNMP engine identifier (RFC 3411 §5, SnmpEngineID).
type Engine struct {
	Raw        []byte
	Enterprise uint32
	MAC        [6]byte
	HasMAC     bool
	IP         netip.Addr
	Text       string // administratively assigned text
}

// Message is one SNMP message.
type Message struct {
	Version   int
	Community []byte // versions 1 and 2c; a secret

	User                  []byte // version 3
	Engine                Engine // authoritative engine
	EngineBoots           int64
	EngineTime            int64
	Authenticated, Priv   bool
	Reportable            bool
	MessageID             int64
	ContextName           string
	HasPDU                bool // false when encrypted or cut
	PDU                   int
	RequestID             int64
	ErrorStatus           int64 // of a get-bulk-request: non-repeaters
	ErrorIndex            int64 // of a get-bulk-request: max-repetitions
	Bindings              []Binding
	MoreBindings          bool
	Enterprise            string // trap of version 1
	AgentAddress          netip.Addr
	GenericTrap, SpecTrap int64
}

// VersionName is "1", "2c" or "3".
func (m *Message) VersionName() string {
	switch m.Version {
	case V1:
		return "1"
	case V2c:
		return "2c"
	}
	return strconv.Itoa(m.Version)
}

// Looks reports whether b is an SNMP message as far as it goes: the outer
// SEQUENCE fits, the version is known, and a community with a PDU or a header
// of version 3 follows. It allocates nothing.
func Looks(b []byte, missing int) bool {
	if len(b) < 12 || b[0] != 0x30 {
		return false
	}
	e, total, err := ber.Peek(b)
	if err != nil || total != len(b)+missing {
		return false
	}
	v := b[e.HeaderLen:]
	if len(v) < 5 || v[0] != 2 || v[1] != 1 {
		return false
	}
	switch v[2] {
	case V1, V2c:
		if v[3] != 4 || v[4] >= 0x80 || len(v) < 6+int(v[4]) {
			return false
		}
		pdu := v[5+int(v[4])]
		return pdu >= 0xa0 && pdu <= 0xa8
	case V3:
		return v[3] == 0x30 && v[4] < 0x80 && len(v) > 6 && v[5] == 2
	}
	return false
}

// Parse reads one message. What was read before an error comes with it.
func Parse(b []byte, missing int) (*Message, error) {
	m := &Message{}
	return m, m.Parse(b, missing)
}

// Reset makes m empty; the room for bindings stays.
func (m *Message) Reset() {
	clear(m.Bindings)
	*m = Message{Bindings: m.Bindings[:0]}
}

// Parse reads one message into m, which is reset before.
func (m *Message) Parse(b []byte, missing int) error {
	m.Reset()
	r := ber.NewReader(b)
	r.Lenient = missing > 0
	seq, err := r.Sequence()
	if err != nil {
		return err
	}
	v, err := seq.Int()
	if err != nil {
		return err
	}
	m.Version = int(v)
	switch v {
	case V1, V2c:
		if m.Community, err = seq.OctetString(); err != nil {
			return err
		}
		return m.pdu(&seq)
	case V3:
		return m.v3(&seq)
	}
	return ErrNotSNMP
}

// v3 reads msgGlobalData, the security parameters and the scoped PDU (RFC 3412 §6).
func (m *Message) v3(seq *ber.Reader) error {
	g, err := seq.Sequence()
	if err != nil {
		return err
	}
	if m.MessageID, err = g.Int(); err != nil {
		return err
	}
	if _, err = g.Int(); err != nil {
		return err
	}
	flags, err := g.OctetString()
	if err != nil {
		return err
	}
	if len(flags) > 0 {
		m.Authenticated, m.Priv, m.Reportable = flags[0]&1 != 0, flags[0]&2 != 0, flags[0]&4 != 0
	}
	model, err := g.Int()
	if err != nil {
		return err
	}
	sec, err := seq.OctetString()
	if err != nil {
		return err
	}
	if model == 3 { // user-based security model, RFC 3414 §2.4
		if err := m.usm(sec); err != nil {
			return err
		}
	}
	if m.Priv {
		return nil
	}
	scoped, err := seq.Sequence()
	if err != nil {
		return err
	}
	ctx, err := scoped.OctetString()
	if err != nil {
		return err
	}
	if len(m.Engine.Raw) == 0 {
		m.Engine = engine(ctx)
	}
	name, err := scoped.OctetString()
	if err != nil {
		return err
	}
	m.ContextName = printable.Text(name, 64)
	return m.pdu(&scoped)
}

func (m *Message) usm(sec []byte) error {
	r := ber.NewReader(sec)
	s, err := r.Sequence()
	if err != nil {
		return err
	}
	id, err := s.OctetString()
	if err != nil {
		return err
	}
	m.Engine = engine(id)
	if m.EngineBoots, err = s.Int(); err != nil {
		return err
	}
	if m.EngineTime, err = s.Int(); err != nil {
		return err
	}
	m.User, err = s.OctetString()
	return err
}

// engine reads an engine identifier; one that is longer than RFC 3411 allows is cut.
func engine(id []byte) Engine {
	e := Engine{Raw: id[:min(len(id), 32)]}
	if len(id) < 5 {
		return e
	}
	e.Enterprise = (uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3])) & 0x7fffffff
	if id[0]&0x80 == 0 {
		return e
	}
	v := id[5:]
	switch {
	case id[4] == 1 && len(v) == 4:
		e.IP = netip.AddrFrom4([4]byte(v))
	case id[4] == 2 && len(v) == 16:
		e.IP = netip.AddrFrom16([16]byte(v))
	case id[4] == 3 && len(v) == 6:
		copy(e.MAC[:], v)
		e.HasMAC = true
	case id[4] == 4:
		e.Text = printable.Text(v, 32)
	}
	return e
}

// Hex is the identifier in hexadecimal.
func (e Engine) Hex() string { return hex.EncodeToString(e.Raw) }
