// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// This implementation in the words of PS3.7 §D.3.3.2. The UID is of the arc that PS3.5 §B.2 derives from a UUID.
const (
	ImplementationClassUID    = "2.25.226417339713861453968432178094112647351"
	ImplementationVersionName = "ASEPSIS_1"
)

// Proposal is a presentation context that a Dialer proposes.
type Proposal struct {
	AbstractSyntax string
	// TransferSyntaxes in any order: the acceptor chooses.
	TransferSyntaxes []string
	// SCP proposes the SCP role for this side (C-GET's storage sub-operations come on such a
	// context); SCU keeps that of the SCU beside it. With neither, the default holds: this side is the SCU.
	SCU, SCP bool
}

// Service is what a Server accepts.
type Service struct {
	// AbstractSyntax is a SOP class, or AnyStorage.
	AbstractSyntax string
	// TransferSyntaxes that are accepted, the preferred one first; empty accepts any that is known
	// here, in the order in which the peer proposes them.
	TransferSyntaxes []string
	// PeerSCP lets the peer take the SCP role when it proposes to (C-GET).
	PeerSCP bool
}

// AnyStorage as a Service's abstract syntax stands for every storage SOP class, private and future ones too.
const AnyStorage = "any storage SOP class"

// UncompressedSyntaxes are the transfer syntaxes that everybody reads, the best first.
func UncompressedSyntaxes() []string {
	return []string{dicom.ExplicitVRLittleEndian, dicom.ImplicitVRLittleEndian}
}

// Negotiation is an association request and the answer to it under way.
type Negotiation struct {
	Conn          net.Conn // only to be asked who is at its other end
	Remote, Local net.Addr
	TLS           *tls.ConnectionState // nil on a plain connection
	// Request is what the peer proposes. User.Identity may hold a credential.
	Request *ul.Associate
	// Answer is what Services make of it. A Negotiate function may change it within
	// what PS3.8 allows: results and transfer syntaxes of its contexts, roles,
	// extended negotiation, the reply to a user identity.
	Answer *ul.Associate
}

// answer proposes the A-ASSOCIATE-AC for a request.
func answer(rq *ul.Associate, services []Service, l Limits) *ul.Associate {
	ac := &ul.Associate{Type: ul.TypeAssociateAC, ProtocolVersion: 1, CalledAE: rq.CalledAE, CallingAE: rq.CallingAE,
		ApplicationContext: dicom.UIDDICOMApplicationContext}
	ac.User = ul.UserInformation{MaxLength: l.MaxPDU, ImplUID: ImplementationClassUID, ImplVersion: ImplementationVersionName, AsyncInvoked: 1, AsyncPerformed: 1}
	if rq.User.Async {
		ac.User.Async = true
		ac.User.AsyncInvoked = window(rq.User.AsyncInvoked, l.Perform)
		ac.User.AsyncPerformed = window(rq.User.AsyncPerformed, l.Invoke)
	}
	for _, pc := range rq.Contexts {
		out := ul.PresentationContext{ID: pc.ID, Result: ul.AbstractSyntaxNotSupported}
		if s := find(services, pc.AbstractSyntax); s != nil {
			out.Result = ul.TransferSyntaxesNotSupported
			if ts := choose(s, pc.TransferSyntaxes); ts != "" {
				out.Result = ul.Acceptance
				out.TransferSyntaxes = []string{ts}
			}
		}
		if out.Result != ul.Acceptance && len(pc.TransferSyntaxes) > 0 {
			out.TransferSyntaxes = pc.TransferSyntaxes[:1] // PS3.8 §9.3.3.2: present, and not significant
		}
		ac.Contexts = append(ac.Contexts, out)
	}
	for _, r := range rq.User.Roles {
		if s := find(services, r.SOPClass); s != nil {
			ac.User.Roles = append(ac.User.Roles, ul.RoleSelection{SOPClass: r.SOPClass, SCU: r.SCU, SCP: r.SCP && s.PeerSCP})
		}
	}
	return ac
}

// window is the smaller of a proposed number of operations and ours; 0 proposes any number (PS3.7 §D.3.3.3).
func window(proposed, ours uint16) uint16 {
	if proposed == 0 {
		return ours
	}
	return min(proposed, ours)
}

func find(services []Service, abstract string) *Service {
	for i := range services {
		s := &services[i]
		if s.AbstractSyntax == abstract || s.AbstractSyntax == AnyStorage && storage(abstract) {
			return s
		}
	}
	return nil
}

// storage takes every UID outside of the standard's root for that of a private storage class.
func storage(uid string) bool {
	_, registered := dicom.LookupUID(uid)
	return dicom.IsStorage(uid) || !registered && dicom.ValidUID(uid)
}

func choose(s *Service, proposed []string) string {
	for _, ts := range s.TransferSyntaxes {
		if slices.Contains(proposed, ts) {
			return ts
		}
	}
	if len(s.TransferSyntaxes) == 0 {
		for _, ts := range proposed {
			if _, known := dicom.SyntaxOf(ts); known {
				return ts
			}
		}
	}
	return ""
}

// negotiated makes the Info of an association, and checks what PS3.8 demands of an
// answer: that it answers what was proposed, with what was proposed.
func negotiated(rq, ac *ul.Associate, requestor bool) (Info, error) {
	peer := &rq.User
	if requestor {
		peer = &ac.User
	}
	info := Info{Requestor: requestor, CallingAE: rq.CallingAE, CalledAE: rq.CalledAE,
		PeerImplUID: peer.ImplUID, PeerImplVersion: peer.ImplVersion, PeerMaxPDU: peer.MaxLength,
		Extended: rq.User.Extended, CommonExtended: rq.User.CommonExtended}
	if i := rq.User.Identity; i != nil {
		info.IdentityType = i.TypeName()
	}
	if peer.MaxLength > 0 && peer.MaxLength < minPeerPDU {
		return info, violation("a maximum PDU length of %d bytes leaves no room for data", peer.MaxLength)
	}
	invoke, perform := uint16(1), uint16(1)
	if rq.User.Async && ac.User.Async {
		invoke, perform = ac.User.AsyncInvoked, ac.User.AsyncPerformed
	}
	if !requestor {
		invoke, perform = perform, invoke
	}
	info.Invoke, info.Perform = places(invoke), places(perform)
	for _, a := range ac.Contexts {
		i := slices.IndexFunc(rq.Contexts, func(p ul.PresentationContext) bool { return p.ID == a.ID })
		if i < 0 {
			return info, violation("an answer to presentation context %d, which was not proposed", a.ID)
		}
		p := &rq.Contexts[i]
		c := Context{ID: a.ID, AbstractSyntax: p.AbstractSyntax, Result: a.Result, SCU: requestor, SCP: !requestor}
		if a.Result == ul.Acceptance {
			if len(a.TransferSyntaxes) != 1 || !slices.Contains(p.TransferSyntaxes, a.TransferSyntaxes[0]) {
				return info, violation("presentation context %d accepted with a transfer syntax that was not proposed", a.ID)
			}
			c.TransferSyntax = a.TransferSyntaxes[0]
		}
		// PS3.7 §D.3.3.4: without an answer to a role selection the default holds.
		same := func(r ul.RoleSelection) bool { return r.SOPClass == p.AbstractSyntax }
		if j, k := slices.IndexFunc(rq.User.Roles, same), slices.IndexFunc(ac.User.Roles, same); j >= 0 && k >= 0 {
			scu := rq.User.Roles[j].SCU && ac.User.Roles[k].SCU
			scp := rq.User.Roles[j].SCP && ac.User.Roles[k].SCP
			if c.SCU, c.SCP = scu, scp; !requestor {
				c.SCU, c.SCP = scp, scu
			}
		}
		info.Contexts = append(info.Contexts, c)
	}
	for _, p := range rq.Contexts { // what was not answered at all
		if !slices.ContainsFunc(info.Contexts, func(c Context) bool { return c.ID == p.ID }) {
			info.Contexts = append(info.Contexts, Context{ID: p.ID, AbstractSyntax: p.AbstractSyntax, Result: ul.NoReason})
		}
	}
	return info, nil
}

// minPeerPDU is the least maximum length of a peer that is served: below it headers would be most of what is sent.
const minPeerPDU = 128

// places turns a window, where 0 is "unlimited", into operations in flight.
func places(n uint16) int {
	if n == 0 || n > maxWindow {
		return maxWindow
	}
	return int(n)
}

// request checks what a Server cannot serve at all (PS3.8 §9.3.2, §9.3.4).
func request(rq *ul.Associate) *RejectedError {
	refuse := func(r ul.Reject, why string) *RejectedError {
		return &RejectedError{Reject: r, CallingAE: rq.CallingAE, CalledAE: rq.CalledAE, ByUs: true, Why: why}
	}
	switch {
	case rq.ProtocolVersion&1 == 0:
		return refuse(RejectVersion, "it does not offer protocol version 1")
	case rq.ApplicationContext != dicom.UIDDICOMApplicationContext:
		return refuse(RejectApplication, "its application context is not DICOM's")
	case rq.CallingAE == "":
		return refuse(RejectCallingAE, "its calling AE title is empty")
	case rq.ContextCount == 0:
		return refuse(RejectNoReason, "it proposes no presentation context")
	case rq.ContextCount > len(rq.Contexts):
		return refuse(RejectLimit, "it proposes more than 128 presentation contexts")
	}
	seen := map[uint8]bool{}
	for _, pc := range rq.Contexts {
		if pc.ID&1 == 0 || seen[pc.ID] {
			return refuse(RejectNoReason, "a presentation context ID is even or used twice")
		}
		seen[pc.ID] = true
	}
	return nil
}

// decide runs a server's Negotiate function.
func decide(ctx context.Context, f func(context.Context, *Negotiation) error, n *Negotiation) *RejectedError {
	if f == nil {
		return nil
	}
	err := f(ctx, n)
	if err == nil {
		return nil
	}
	var r *RejectedError
	if !errors.As(err, &r) {
		r = &RejectedError{Reject: RejectNoReason, Why: err.Error()}
	}
	out := *r
	out.ByUs, out.CallingAE, out.CalledAE = true, n.Request.CallingAE, n.Request.CalledAE
	return &out
}
