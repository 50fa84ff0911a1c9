// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"errors"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// proposal is an A-ASSOCIATE-RQ or -AC with what follows from it alone. A modality
// proposes the same each time, and its peer answers the same: so it is remembered by
// its bytes, and but for the answers never changed.
type proposal struct {
	pdu                    *ul.Associate
	broken                 string // what breaks the standard
	unique                 bool   // no presentation context ID occurs twice
	contexts               []context
	implementation, vendor string
	remembered             bool
	facts                  analyze.Facts // what an RQ tells of the requestor
	answers                [2]answer     // remembered answers to an RQ, the last ones
}

// answer is what an AC to one RQ tells of the acceptor.
type answer struct {
	ac    *proposal
	facts *analyze.Facts
}

// proposalOf reads an association PDU. One that carries a user's identity is not
// remembered: its bytes are a credential.
func proposalOf(c *analyze.Conn, t ul.Type, body []byte) *proposal {
	kind := analyze.MemoAssociateRQ
	if t == ul.TypeAssociateAC {
		kind = analyze.MemoAssociateAC
	}
	if p, ok := c.Memo().Recall(kind, body).(*proposal); ok {
		return p
	}
	a, err := ul.ParseAssociate(t, body)
	p := &proposal{pdu: a, implementation: implementation(&a.User), vendor: vendorOf(&a.User), unique: true}
	if err != nil {
		if e := (*ul.Error)(nil); errors.As(err, &e) {
			p.broken = e.What + " (" + e.Section + ")"
		}
	} else if len(a.Violations) > 0 {
		p.broken = a.Violations[0].String()
	}
	credential := a.User.Identity != nil || a.User.IdentityReply != nil
	if a.User.Identity != nil {
		// Credentials are not kept, and these alias the caller's bytes.
		a.User.Identity.Primary, a.User.Identity.Secondary = nil, nil
	}
	a.User.IdentityReply, a.User.Extended = nil, nil
	var seen [256]bool
	for i := range a.Contexts {
		id := a.Contexts[i].ID
		p.unique = p.unique && !seen[id]
		seen[id] = true
	}
	if t == ul.TypeAssociateRQ {
		p.contexts = make([]context, len(a.Contexts))
		for i := range a.Contexts {
			pc, x := &a.Contexts[i], &p.contexts[i]
			x.id, x.abstract = pc.ID, pc.AbstractSyntax
			if len(pc.TransferSyntaxes) == 1 {
				x.transfer = pc.TransferSyntaxes[0]
			}
			x.name()
		}
		p.factsOfRequest()
	}
	if p.remembered = !credential && err == nil && c.Memo() != nil; p.remembered {
		c.Memo().Remember(kind, body, p)
	}
	return p
}

// report reports facts about one side: together when they will come again.
func report(c *analyze.Conn, side analyze.Side, f *analyze.Facts, remembered bool) {
	if remembered {
		c.Facts(side, f)
		return
	}
	for _, x := range f.List() {
		c.Evidence(side, x.Attribute, x.Value, x.Source, x.Confidence)
	}
}

// name puts together how evidence writes the roles of the abstract syntax.
func (x *context) name() {
	if x.abstract == "" || x.scu != "" {
		return
	}
	name := dicom.UIDName(x.abstract)
	if name == "" {
		name = x.abstract
	}
	both := "scu:" + name + "scp:" + name
	x.scu, x.scp = both[:len(both)/2], both[len(both)/2:]
}

// role is how a role is written: "scu:CT Image Storage".
func (x *context) role(scp bool) string {
	x.name()
	if scp {
		return x.scp
	}
	return x.scu
}
