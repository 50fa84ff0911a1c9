// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"fmt"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// association is what is known of the association under way.
type association struct {
	rq, ac    *ul.Associate
	proposed  *proposal // the request with what follows from it
	requestor analyze.Dir
	known     bool // requestor is certain or well guessed
	established,
	announced, // accept, reject or request was emitted
	releaseRQ, releaseRP,
	ended bool // the end was emitted; what arrives late still belongs here
	rejected   *ul.Reject
	abort      *ul.Abort
	abortBy    analyze.Dir
	contexts   []context
	unique     bool   // their IDs are
	broken     string // first thing that broke the standard
	incomplete bool
	identity   string
	objects    uint32
	bytes      uint64
	operations []counted
	made       maker
}

// counted is how often a service was used.
type counted struct {
	service dimse.Field // of the request
	times   uint32
}

// context is a presentation context as negotiated.
type context struct {
	id               uint8
	accepted, answer bool // answer: the acceptor's word was seen
	abstract         string
	transfer         string
	used             [2]bool // by operations of each direction
	scu, scp         string  // as evidence writes these roles for the abstract syntax, "" when not yet put together
}

type endKind uint8

const (
	endRelease endKind = iota
	endAbort
	endClose
)

// Activities of event.DICOMAssociation.
const (
	activityRequest = 1 + iota
	activityAccept
	activityReject
	activityRelease
	activityAbort
	activityClose
)

// begun reports whether anything of an association was seen.
func (a *association) begun() bool {
	return a.rq != nil || a.ac != nil || a.rejected != nil || a.abort != nil || a.established
}

func (a *association) malformed(what string) {
	if a.broken == "" {
		a.broken = what
	}
}

func (a *association) parsed(p *proposal) {
	if p.broken != "" {
		a.malformed(p.broken)
	}
	if p.pdu.User.Identity != nil {
		a.identity = p.pdu.User.Identity.TypeName()
	}
}

func (a *association) request(c *analyze.Conn, dir analyze.Dir, rq *proposal) {
	*a = association{rq: rq.pdu, proposed: rq, requestor: dir, known: true, incomplete: a.incomplete, broken: a.broken, contexts: a.contexts[:0]}
	a.parsed(rq)
	a.contexts, a.unique = append(a.contexts, rq.contexts...), rq.unique
	report(c, c.SideOf(dir), &rq.facts, rq.remembered)
}

func (a *association) accept(c *analyze.Conn, dir analyze.Dir, p *proposal) {
	ac, first := p.pdu, a.ac == nil
	a.ac, a.requestor, a.known, a.established = ac, dir.Other(), true, true
	a.parsed(p)
	for i := range ac.Contexts {
		pc := &ac.Contexts[i]
		var x *context
		if i < len(a.contexts) && a.contexts[i].id == pc.ID && a.unique { // answers mostly come in the order of proposals
			x = &a.contexts[i]
		} else {
			x = a.context(pc.ID)
		}
		if x == nil {
			if len(a.contexts) >= ul.MaxContexts {
				continue
			}
			if a.rq != nil {
				a.malformed("a presentation context is answered that was not proposed (PS3.8 §9.3.3.2)")
			}
			a.contexts = append(a.contexts, context{id: pc.ID})
			x = &a.contexts[len(a.contexts)-1]
		}
		x.answer, x.accepted = true, pc.Result == ul.Acceptance
		if len(pc.TransferSyntaxes) > 0 {
			x.transfer = pc.TransferSyntaxes[0]
		}
	}
	a.evidenceOfAccept(c, p, first)
	a.announced = true
	if !c.Full() {
		c.Note(event.ClassDICOMAssociation)
		return
	}
	e := &event.Event{Activity: activityAccept, Status: event.StatusSuccess, Detail: a.detail(true)}
	n := 0
	for i := range a.contexts {
		if a.contexts[i].accepted {
			n++
		}
	}
	e.Message = fmt.Sprintf("%s opened an association with %s, %d of %d presentation contexts accepted", a.calling(), a.called(), n, len(a.contexts))
	a.emit(c, e)
}

func (a *association) reject(c *analyze.Conn, dir analyze.Dir, r ul.Reject) {
	a.rejected, a.requestor, a.known = &r, dir.Other(), true
	e := &event.Event{Activity: activityReject, Status: event.StatusFailure, Severity: finding.Low, Detail: a.detail(true)}
	e.StatusCode = fmt.Sprintf("%d/%d/%d", r.Result, r.Source, r.Reason)
	e.StatusDetail = r.ReasonName()
	e.Message = fmt.Sprintf("%s rejected the association of %s: %s", a.called(), a.calling(), r.ReasonName())
	a.announced = true
	a.emit(c, e)
}

// request alone: no answer was seen.
func (a *association) announceRequest(c *analyze.Conn) {
	if a.announced || a.rq == nil {
		return
	}
	a.announced = true
	if !c.Full() {
		c.Note(event.ClassDICOMAssociation)
		return
	}
	a.emit(c, &event.Event{Activity: activityRequest, Detail: a.detail(true),
		Message: fmt.Sprintf("%s asked %s for an association; no answer was seen", a.calling(), a.called())})
}

func (a *association) context(id uint8) *context {
	for i := range a.contexts {
		if a.contexts[i].id == id {
			return &a.contexts[i]
		}
	}
	return nil
}

func (a *association) isAccepted(id uint8) bool {
	x := a.context(id)
	return x != nil && x.accepted
}

func (a *association) calling() string { return named(a.callingAE(), "an unknown requestor") }
func (a *association) called() string  { return named(a.calledAE(), "an unknown acceptor") }

func named(ae, otherwise string) string {
	if ae == "" {
		return otherwise
	}
	return ae
}

func (a *association) callingAE() string {
	switch {
	case a.rq != nil:
		return a.rq.CallingAE
	case a.ac != nil: // PS3.8 §9.3.3: repeats the RQ's
		return a.ac.CallingAE
	}
	return ""
}

func (a *association) calledAE() string {
	switch {
	case a.rq != nil:
		return a.rq.CalledAE
	case a.ac != nil:
		return a.ac.CalledAE
	}
	return ""
}

// detail makes the event's detail; negotiated adds everything that was negotiated.
func (a *association) detail(negotiated bool) *event.DICOMAssociation {
	d := &event.DICOMAssociation{
		CallingAE: a.callingAE(), CalledAE: a.calledAE(), Malformed: a.broken,
		Objects: a.objects, ObjectBytes: a.bytes, Incomplete: a.incomplete,
	}
	if rq := a.rq; rq != nil {
		d.ProtocolVersion, d.ApplicationContext = rq.ProtocolVersion, rq.ApplicationContext
		d.ImplUID, d.ImplVersion, d.MaxPDU = rq.User.ImplUID, rq.User.ImplVersion, rq.User.MaxLength
		d.ContextsProposed = rq.ContextCount
		d.UserIdentityType = a.identity
	}
	if ac := a.ac; ac != nil {
		d.AcceptorImplUID, d.AcceptorImplVersion, d.AcceptorMaxPDU = ac.User.ImplUID, ac.User.ImplVersion, ac.User.MaxLength
		d.UserIdentityAck = ac.User.IdentityAck
		if d.ApplicationContext == "" {
			d.ApplicationContext, d.ProtocolVersion = ac.ApplicationContext, ac.ProtocolVersion
		}
		if ac.User.Async {
			d.AsyncInvoked, d.AsyncPerformed = ac.User.AsyncInvoked, ac.User.AsyncPerformed
		}
	}
	for i := range a.contexts {
		if a.contexts[i].accepted {
			d.ContextsAccepted++
		}
	}
	if r := a.rejected; r != nil {
		d.RejectResult, d.RejectSource, d.RejectReason = r.ResultName(), r.SourceName(), r.ReasonName()
	}
	if a.abort != nil {
		d.AbortSource, d.AbortReason = a.abort.SourceName(), a.abort.ReasonName()
	}
	if negotiated {
		a.listContexts(d)
	}
	return d
}

func (a *association) listContexts(d *event.DICOMAssociation) {
	for i := range a.contexts {
		x := &a.contexts[i]
		pc := event.PresentationContext{ID: x.id, AbstractSyntax: x.abstract, AbstractName: dicom.UIDName(x.abstract)}
		if a.rq != nil && i < len(a.rq.Contexts) {
			pc.TransferSyntaxes = a.rq.Contexts[i].TransferSyntaxes
		}
		if x.answer {
			for j := range a.ac.Contexts {
				if a.ac.Contexts[j].ID == x.id {
					pc.Result = ul.ResultName(a.ac.Contexts[j].Result)
				}
			}
			if x.accepted {
				pc.Accepted = x.transfer
			}
		}
		if a.ac != nil {
			for _, r := range a.ac.User.Roles {
				if r.SOPClass == x.abstract && x.abstract != "" {
					scu, scp := r.SCU, r.SCP
					pc.SCURole, pc.SCPRole = &scu, &scp
				}
			}
		}
		d.Contexts = append(d.Contexts, pc)
	}
}

func (a *association) emit(c *analyze.Conn, e *event.Event) {
	if e.Severity == finding.Unknown {
		e.Severity = finding.Info
	}
	c.Emit(e)
}

// finish ends the association under way: what is outstanding is emitted, then the
// end with its totals. What it was stays known, for the two directions of a
// capture do not arrive in step.
func (s *stream) finish(c *analyze.Conn, how endKind) {
	s.flush(c)
	a := &s.assoc
	if a.ended || !a.begun() && how != endRelease {
		return
	}
	a.ended = true
	if a.rejected != nil {
		return
	}
	a.announceRequest(c)
	a.evidenceOfObjects(c)
	if a.established || a.abort != nil || how == endRelease {
		s.emitEnd(c, how)
	}
}

// finishAsSeen ends the association as far as its end was seen.
func (s *stream) finishAsSeen(c *analyze.Conn) {
	switch a := &s.assoc; {
	case a.abort != nil:
		s.finish(c, endAbort)
	case a.releaseRQ || a.releaseRP:
		s.finish(c, endRelease)
	default:
		s.finish(c, endClose)
	}
}

func (s *stream) emitEnd(c *analyze.Conn, how endKind) {
	a := &s.assoc
	s.checkPDULengths()
	if !c.Full() {
		a.operations = nil
		c.Note(event.ClassDICOMAssociation)
		return
	}
	d := a.detail(false)
	if len(a.operations) > 0 {
		d.Operations = make(map[string]uint32, len(a.operations))
		for _, o := range a.operations {
			d.Operations[o.service.Service()] += o.times
		}
		a.operations = nil
	}
	d.LargestPDU = max(s.halves[0].largest, s.halves[1].largest)
	e := &event.Event{Detail: d}
	who := fmt.Sprintf("the association of %s with %s", a.calling(), a.called())
	totals := ""
	if a.objects > 0 {
		totals = fmt.Sprintf(" after %d objects, %d bytes", a.objects, a.bytes)
	}
	switch how {
	case endRelease:
		e.Activity, e.Status = activityRelease, event.StatusSuccess
		e.Message = who + " was released" + totals
	case endAbort:
		e.Activity, e.Status, e.Severity = activityAbort, event.StatusFailure, finding.Low
		e.StatusCode = fmt.Sprintf("%d/%d", a.abort.Source, a.abort.Reason)
		e.StatusDetail = a.abort.ReasonName()
		if a.known && a.abortBy == a.requestor {
			e.Message = a.calling() + " aborted its association with " + a.called() + totals
		} else {
			e.Message = a.called() + " aborted the association of " + a.calling() + totals
		}
	case endClose:
		e.Activity = activityClose
		e.Message = who + " ended without release" + totals
	}
	a.emit(c, e)
}

// checkPDULengths notes a PDU longer than its receiver said it takes (PS3.8 §D.1).
func (s *stream) checkPDULengths() {
	a := &s.assoc
	if !a.known {
		return
	}
	if a.ac != nil {
		if m, n := a.ac.User.MaxLength, s.halves[a.requestor].largest; m != 0 && n > m {
			a.malformed(fmt.Sprintf("the requestor sent a PDU of %d bytes, the acceptor takes %d (PS3.8 §D.1)", n, m))
		}
	}
	if a.rq != nil {
		if m, n := a.rq.User.MaxLength, s.halves[a.requestor.Other()].largest; m != 0 && n > m {
			a.malformed(fmt.Sprintf("the acceptor sent a PDU of %d bytes, the requestor takes %d (PS3.8 §D.1)", n, m))
		}
	}
}
