// SPDX-License-Identifier: Apache-2.0

package snmp

import (
	"net/netip"
	"strconv"

	"github.com/asepsis/asepsis/wire/ber"
	"github.com/asepsis/asepsis/wire/printable"
)

// pdu reads one PDU (RFC 3416 §3, RFC 1157 §4.1.6 for the old trap).
func (m *Message) pdu(r *ber.Reader) error {
	e, err := r.Next()
	if err != nil {
		return err
	}
	if e.Class != ber.Context || !e.Constructed || int(e.Tag) >= len(pduNames) {
		return &ber.Error{Offset: e.Offset, Err: ber.ErrType}
	}
	m.HasPDU, m.PDU = true, int(e.Tag)
	p := e.Children()
	if e.Tag == TrapV1 {
		if err := m.oldTrap(&p); err != nil {
			return err
		}
	} else {
		for _, dst := range []*int64{&m.RequestID, &m.ErrorStatus, &m.ErrorIndex} {
			if *dst, err = p.Int(); err != nil {
				return err
			}
		}
	}
	list, err := p.Sequence()
	if err != nil {
		return err
	}
	for list.Len() > 0 {
		if len(m.Bindings) >= MaxBindings {
			m.MoreBindings = true
			return nil
		}
		vb, err := list.Sequence()
		if err != nil {
			return err
		}
		o, err := vb.Expect(ber.Universal, ber.TagOID)
		if err != nil {
			return err
		}
		b := Binding{}
		if b.OID, err = o.OID(); err != nil {
			return err
		}
		v, err := vb.Next()
		if err != nil {
			return err
		}
		b.set(v)
		m.Bindings = append(m.Bindings, b)
	}
	return nil
}

func (m *Message) oldTrap(p *ber.Reader) error {
	e, err := p.Expect(ber.Universal, ber.TagOID)
	if err != nil {
		return err
	}
	if m.Enterprise, err = e.OID(); err != nil {
		return err
	}
	a, err := p.Expect(ber.Application, 0)
	if err != nil {
		return err
	}
	if len(a.Body) == 4 {
		m.AgentAddress = netip.AddrFrom4([4]byte(a.Body))
	}
	if m.GenericTrap, err = p.Int(); err != nil {
		return err
	}
	if m.SpecTrap, err = p.Int(); err != nil {
		return err
	}
	_, err = p.Next() // time stamp
	return err
}

// set reads a value (RFC 2578 §7.1, RFC 3416 §3).
func (b *Binding) set(v ber.Element) {
	b.Kind = "other"
	if v.Class == ber.Context {
		switch v.Tag {
		case 0:
			b.Kind = "no-such-object"
		case 1:
			b.Kind = "no-such-instance"
		case 2:
			b.Kind = "end-of-view"
		}
		return
	}
	switch {
	case v.Is(ber.Universal, ber.TagNull):
		b.Kind = "null"
	case v.Is(ber.Universal, ber.TagInteger):
		if n, err := v.Int(); err == nil {
			b.Kind, b.Integer, b.Value = "integer", n, strconv.FormatInt(n, 10)
		}
	case v.Is(ber.Universal, ber.TagOctetString) && !v.Constructed:
		b.Kind, b.Octets, b.Value = "string", v.Body, printable.TextOrHex(v.Body, printable.Max)
	case v.Is(ber.Universal, ber.TagOID):
		if s, err := v.OID(); err == nil {
			b.Kind, b.Value = "oid", s
		}
	case v.Is(ber.Application, 0) && len(v.Body) == 4:
		b.Kind, b.Value = "address", netip.AddrFrom4([4]byte(v.Body)).String()
	case v.Class == ber.Application && v.Tag >= 1 && v.Tag <= 6 && v.Tag != 4 && v.Tag != 5:
		if n, err := v.Uint(); err == nil {
			b.Kind, b.Value = [...]string{"", "counter", "gauge", "ticks", "", "", "counter"}[v.Tag], strconv.FormatUint(n, 10)
		}
	}
}
