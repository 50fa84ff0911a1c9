// SPDX-License-Identifier: Apache-2.0

package ul

// ParseAssociate reads the body of an A-ASSOCIATE-RQ or -AC, which is what
// follows the six bytes of the PDU's header. On an error, what was read so far is
// returned with it. Strings are printable ASCII; other bytes become '?'.
func ParseAssociate(t Type, body []byte) (*Associate, error) {
	a := &Associate{Type: t}
	a.User.AsyncInvoked, a.User.AsyncPerformed = defaultAsync, defaultAsync
	if len(body) < fixedSize {
		return a, &Error{PDU: t, Section: "PS3.8 §9.3.2", What: "shorter than its fixed fields", Err: ErrLength}
	}
	a.ProtocolVersion = be16(body)
	if a.ProtocolVersion&1 == 0 {
		a.violate("PS3.8 §9.3.2", "protocol version 1 not offered")
	}
	a.CalledAE = text(body[4:20], maxAETitle)
	a.CallingAE = text(body[20:36], maxAETitle)
	if t == TypeAssociateRQ && (a.CalledAE == "" || a.CallingAE == "") {
		a.violate("PS3.8 §9.3.2", "empty AE title")
	}
	var ids [4]uint64
	err := items(t, body, fixedSize, func(typ uint8, off int, v []byte) error {
		switch typ {
		case applicationContextItem:
			a.ApplicationContext = text(v, maxUID)
			if a.ApplicationContext != dicomApplicationContext {
				a.violate("PS3.8 §9.3.2.1", "application context is not DICOM's")
			}
		case presentationContextRQItem, presentationContextACItem:
			if len(v) < 4 {
				return &Error{PDU: t, Offset: uint64(off), Section: "PS3.8 §9.3.2.2", What: "presentation context too short", Err: ErrItem}
			}
			if (typ == presentationContextRQItem) != (t == TypeAssociateRQ) {
				a.violate("PS3.8 §9.3.2.2", "presentation context item of the other PDU")
			}
			id := v[0]
			if id&1 == 0 {
				a.violate("PS3.8 §9.3.2.2", "even presentation context ID")
			}
			if ids[id>>6]&(1<<(id&63)) != 0 {
				a.violate("PS3.8 §9.3.2.2", "presentation context ID used twice")
			}
			ids[id>>6] |= 1 << (id & 63)
			if a.ContextCount++; len(a.Contexts) == MaxContexts {
				a.violate("PS3.8 §9.3.2.2", "more than 128 presentation contexts")
				return nil
			}
			pc := PresentationContext{ID: id}
			if typ == presentationContextACItem {
				pc.Result = v[2]
			}
			err := a.context(&pc, t, v[4:], off+8)
			a.Contexts = append(a.Contexts, pc)
			return err
		case userInformationItem:
			return a.userInformation(v, off+4)
		default: // PS3.8 §9.3.1: unrecognised items are ignored
			a.violate("PS3.8 §9.3.1", "unknown item")
		}
		return nil
	})
	if err == nil && a.ApplicationContext == "" {
		a.violate("PS3.8 §9.3.2", "no application context")
	}
	if err == nil && a.ContextCount == 0 {
		a.violate("PS3.8 §9.3.2", "no presentation context")
	}
	return a, err
}

// context reads the sub-items of a presentation context.
func (a *Associate) context(pc *PresentationContext, t Type, v []byte, base int) error {
	return items(t, v, 0, func(typ uint8, off int, v []byte) error {
		switch typ {
		case abstractSyntaxItem:
			if pc.AbstractSyntax != "" {
				a.violate("PS3.8 §9.3.2.2", "more than one abstract syntax")
			}
			pc.AbstractSyntax = a.uid(v)
		case transferSyntaxItem:
			if len(pc.TransferSyntaxes) == MaxTransferSyntaxes {
				a.violate("PS3.8 §9.3.2.2", "too many transfer syntaxes")
				return nil
			}
			pc.TransferSyntaxes = append(pc.TransferSyntaxes, a.uid(v))
		default:
			a.violate("PS3.8 §9.3.2.2", "unknown sub-item of a presentation context")
		}
		return nil
	}, base)
}

// uid reads a UID and notes one that is longer than a UID may be.
func (a *Associate) uid(v []byte) string {
	if len(v) > maxUID+1 {
		a.violate("PS3.5 §9.1", "UID longer than 64 characters")
	}
	return text(v, maxUID)
}

func (a *Associate) userInformation(v []byte, base int) error {
	u := &a.User
	return items(a.Type, v, 0, func(typ uint8, off int, v []byte) error {
		short := func(section string) error {
			return &Error{PDU: a.Type, Offset: uint64(off), Section: section, What: "sub-item of user information too short", Err: ErrItem}
		}
		switch typ {
		case maximumLengthItem:
			if len(v) < 4 {
				return short("PS3.8 §D.1")
			}
			u.MaxLength = be32(v)
		case implementationClassUIDItem:
			u.ImplUID = a.uid(v)
		case implementationVersionItem:
			u.ImplVersion = text(v, maxImplementationVersion)
			if len(v) > maxImplementationVersion {
				a.violate("PS3.7 §D.3.3.2.3", "implementation version name longer than 16 characters")
			}
		case asyncOperationsItem:
			if len(v) < 4 {
				return short("PS3.7 §D.3.3.3")
			}
			u.Async, u.AsyncInvoked, u.AsyncPerformed = true, be16(v), be16(v[2:])
		case roleSelectionItem:
			uid, rest, ok := counted(v)
			if !ok || len(rest) < 2 {
				return short("PS3.7 §D.3.3.4")
			}
			if len(u.Roles) < MaxSubItems {
				u.Roles = append(u.Roles, RoleSelection{SOPClass: a.uid(uid), SCU: rest[0] == 1, SCP: rest[1] == 1})
			}
		case extendedNegotiationItem:
			uid, rest, ok := counted(v)
			if !ok {
				return short("PS3.7 §D.3.3.5")
			}
			if len(u.Extended) < MaxSubItems {
				u.Extended = append(u.Extended, ExtendedNegotiation{SOPClass: a.uid(uid), Info: rest[:min(len(rest), MaxValue)]})
			}
		case commonExtendedItem:
			c, ok := a.commonExtended(v)
			if !ok {
				return short("PS3.7 §D.3.3.6")
			}
			if len(u.CommonExtended) < MaxSubItems {
				u.CommonExtended = append(u.CommonExtended, c)
			}
		case userIdentityItem:
			if len(v) < 2 {
				return short("PS3.7 §D.3.3.7.1")
			}
			primary, rest, ok := counted(v[2:])
			if !ok {
				return short("PS3.7 §D.3.3.7.1")
			}
			secondary, _, ok := counted(rest)
			if !ok && v[0] == 2 {
				return short("PS3.7 §D.3.3.7.1")
			}
			u.Identity = &UserIdentity{Type: v[0], ResponseRequested: v[1] == 1, Primary: primary, Secondary: secondary}
		case userIdentityResponseItem:
			u.IdentityAck = true
			u.IdentityReply, _, _ = counted(v)
		default:
			u.Unknown++
		}
		return nil
	}, base)
}

func (a *Associate) commonExtended(v []byte) (c CommonExtendedNegotiation, ok bool) {
	uid, v, ok := counted(v)
	if !ok {
		return c, false
	}
	service, v, ok := counted(v)
	if !ok {
		return c, false
	}
	related, _, ok := counted(v)
	if !ok {
		return c, false
	}
	c.SOPClass, c.ServiceClass = a.uid(uid), a.uid(service)
	for len(related) > 0 && len(c.Related) < MaxTransferSyntaxes {
		var r []byte
		if r, related, ok = counted(related); !ok {
			return c, false
		}
		c.Related = append(c.Related, a.uid(r))
	}
	return c, true
}

// items calls f for each item: type, reserved byte, 16-bit length, value.
func items(t Type, body []byte, from int, f func(typ uint8, off int, value []byte) error, base ...int) error {
	at := 0
	if len(base) > 0 {
		at = base[0]
	}
	for i := from; i < len(body); {
		if len(body)-i < 4 {
			return &Error{PDU: t, Offset: uint64(at + i), Section: "PS3.8 §9.3.2", What: "bytes after the last item", Err: ErrItem}
		}
		n := int(be16(body[i+2:]))
		if n > len(body)-i-4 {
			return &Error{PDU: t, Offset: uint64(at + i), Section: "PS3.8 §9.3.2", What: "an item longer than what holds it", Err: ErrItem}
		}
		if err := f(body[i], at+i, body[i+4:i+4+n:i+4+n]); err != nil {
			return err
		}
		i += 4 + n
	}
	return nil
}

// counted reads a 16-bit length and so many bytes.
func counted(b []byte) (value, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(be16(b))
	if n > len(b)-2 {
		return nil, nil, false
	}
	return b[2 : 2+n : 2+n], b[2+n:], true
}

// text returns printable ASCII without surrounding spaces and NULs, at most limit
// bytes. Other bytes become '?'.
func text(v []byte, limit int) string {
	for len(v) > 0 && (v[0] == ' ' || v[0] == 0) {
		v = v[1:]
	}
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == 0) {
		v = v[:len(v)-1]
	}
	v = v[:min(len(v), limit)]
	for i, b := range v {
		if b < 0x20 || b > 0x7E {
			c := append([]byte(nil), v...)
			for ; i < len(c); i++ {
				if c[i] < 0x20 || c[i] > 0x7E {
					c[i] = '?'
				}
			}
			return string(c)
		}
	}
	return string(v)
}

// ParseReject reads the body of an A-ASSOCIATE-RJ.
func ParseReject(body []byte) (Reject, error) {
	if len(body) < 4 {
		return Reject{}, &Error{PDU: TypeAssociateRJ, Section: "PS3.8 §9.3.4", What: "length is not 4", Err: ErrLength}
	}
	return Reject{body[1], body[2], body[3]}, nil
}

// ParseAbort reads the body of an A-ABORT.
func ParseAbort(body []byte) (Abort, error) {
	if len(body) < 4 {
		return Abort{}, &Error{PDU: TypeAbort, Section: "PS3.8 §9.3.8", What: "length is not 4", Err: ErrLength}
	}
	return Abort{body[2], body[3]}, nil
}
