// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"strings"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/communityid"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// Activities of event.DICOMAssociation.
const (
	activityAccept  = 2
	activityReject  = 3
	activityRelease = 4
	activityAbort   = 5
	activityClose   = 6
)

// activityOther is of any class.
const activityOther = 99

// tcp is the IP protocol's number.
const tcp = 6

// base is an event of this session, with the connection by which a sensor's view of it is found.
func (s *session) base(activity uint8, detail event.Detail) *event.Event {
	f := &event.Flow{ID: s.flow, Proto: tcp, Src: event.Endpoint{IP: s.remote.Addr(), Port: s.remote.Port()}, Dst: event.Endpoint{IP: s.local.Addr(), Port: s.local.Port()}}
	if s.remote.IsValid() && s.local.IsValid() {
		f.CommunityID = communityid.V1(0, s.remote.Addr(), s.local.Addr(), tcp, s.remote.Port(), s.local.Port())
	}
	return &event.Event{Time: s.g.now().UnixNano(), Activity: activity, Severity: finding.Info, Status: event.StatusSuccess, Protocol: "dicom", Flow: f, Encrypted: s.d.secure, Detail: detail}
}

// detail is the association as far as it was negotiated.
func (s *session) detail() *event.DICOMAssociation {
	d := &event.DICOMAssociation{CallingAE: s.sender.CallingAE, CalledAE: s.sender.CalledAE}
	if rq := s.rq; rq != nil {
		d.ProtocolVersion, d.ApplicationContext = rq.ProtocolVersion, uid(rq.ApplicationContext)
		d.ImplUID, d.ImplVersion, d.MaxPDU = uid(rq.User.ImplUID), clean(rq.User.ImplVersion), rq.User.MaxLength
		d.ContextsProposed = rq.ContextCount
		if rq.User.Identity != nil {
			d.UserIdentityType = rq.User.Identity.TypeName()
		}
	}
	return d
}

// contexts adds the presentation contexts.
func (s *session) contexts(d *event.DICOMAssociation) {
	if s.rq == nil || s.ac == nil {
		return
	}
	d.AcceptorImplUID, d.AcceptorImplVersion, d.AcceptorMaxPDU = s.ac.User.ImplUID, s.ac.User.ImplVersion, s.ac.User.MaxLength
	for _, p := range s.rq.Contexts {
		pc := event.PresentationContext{ID: p.ID, AbstractSyntax: uid(p.AbstractSyntax), AbstractName: dicom.UIDName(p.AbstractSyntax)}
		for _, t := range p.TransferSyntaxes {
			pc.TransferSyntaxes = append(pc.TransferSyntaxes, uid(t))
		}
		for _, a := range s.ac.Contexts {
			if a.ID != p.ID {
				continue
			}
			pc.Result = ul.ResultName(a.Result)
			if a.Result == ul.Acceptance && len(a.TransferSyntaxes) > 0 {
				pc.Accepted = a.TransferSyntaxes[0]
				d.ContextsAccepted++
			}
		}
		d.Contexts = append(d.Contexts, pc)
	}
}

// accepted says that the association was established.
func (s *session) accepted() {
	if s.g.d.Emit == nil {
		return
	}
	d := s.detail()
	s.contexts(d)
	e := s.base(activityAccept, d)
	e.Message = fmt.Sprintf("%s opened an association with the gateway as %s, %d of %d presentation contexts accepted", named(s.sender.CallingAE), s.sender.CalledAE, d.ContextsAccepted, d.ContextsProposed)
	if d.ContextsAccepted == 0 {
		e.Status, e.Severity, e.StatusDetail = event.StatusFailure, finding.Low, statusDetail(NothingAllowed)
	}
	s.g.emit(e)
}

func named(ae string) string {
	if ae == "" {
		return "An unknown requestor"
	}
	return ae
}

// statusDetail is how an event names a problem: rules look for it.
func statusDetail(code string) string { return "gateway: " + code }

// rejected says that no association came of a connection.
func (s *session) rejected(p *Problem) {
	if s.g.d.Emit == nil || p == nil {
		return
	}
	d := s.detail()
	activity := uint8(activityClose)
	if s.rq != nil && p.reject != (ul.Reject{}) {
		activity = activityReject
		d.RejectResult, d.RejectSource, d.RejectReason = p.reject.ResultName(), p.reject.SourceName(), p.reject.ReasonName()
	}
	e := s.base(activity, d)
	s.spoil(e, p)
	if activity == activityReject {
		e.StatusCode = fmt.Sprintf("%d/%d/%d", p.reject.Result, p.reject.Source, p.reject.Reason)
	}
	e.Message = "The gateway refused a connection: " + p.What
	s.g.emit(e)
}

func (s *session) spoil(e *event.Event, p *Problem) {
	e.Status, e.Severity, e.StatusDetail = event.StatusFailure, finding.Low, statusDetail(p.Code)
	if p.Identity {
		e.Severity = finding.Medium
	}
}

// released says how an association ended, with its totals.
func (s *session) released(end *dicomnet.End, p *Problem) {
	if s.g.d.Emit == nil {
		return
	}
	d := s.detail()
	activity := uint8(activityRelease)
	if p != nil {
		activity = activityAbort
		switch p.Code {
		case ConnectionLost, TimedOut, CutOff:
			activity = activityClose
		}
	}
	s.mu.Lock()
	d.Objects, d.ObjectBytes = uint32(min(s.shown.Instances, 1<<32-1)), s.shown.Bytes
	if len(s.used) > 0 {
		d.Operations = make(map[string]uint32, len(s.used))
		for f, n := range s.used {
			d.Operations[f.Service()] += n
		}
	}
	s.mu.Unlock()
	e := s.base(activity, d)
	e.Message = fmt.Sprintf("The association of %s with the gateway ended after %d instances", named(s.sender.CallingAE), d.Objects)
	if p != nil {
		s.spoil(e, p)
		e.Message += ": " + p.Code
	}
	s.g.emit(e)
}

// activityOf is the activity of event.DICOMOperation.
func activityOf(f dimse.Field) uint8 {
	switch f {
	case dimse.CEchoRQ:
		return 1
	case dimse.CStoreRQ:
		return 2
	case dimse.CFindRQ:
		return 3
	case dimse.CMoveRQ:
		return 4
	case dimse.CGetRQ:
		return 5
	case dimse.CCancelRQ:
		return 6
	case dimse.NEventReportRQ:
		return 7
	case dimse.NGetRQ:
		return 8
	case dimse.NSetRQ:
		return 9
	case dimse.NActionRQ:
		return 10
	case dimse.NCreateRQ:
		return 11
	case dimse.NDeleteRQ:
		return 12
	}
	return activityOther
}

// emit says what was asked for and what was answered.
func (o *operation) emit(reply *dicomnet.Reply) {
	s := o.s
	if s.g.d.Emit == nil {
		return
	}
	c, r := &o.r.Command, &o.seen
	d := &event.DICOMOperation{Command: c.Field.Service(), MessageID: c.MessageID, CallingAE: s.sender.CallingAE, CalledAE: s.sender.CalledAE,
		SOPClass: uid(c.SOPClass()), SOPClassName: dicom.UIDName(c.SOPClass()), SOPInstance: uid(c.SOPInstance()), TransferSyntax: o.r.Context.TransferSyntax,
		StudyInstance: r.Study, SeriesInstance: r.Series, Modality: r.Modality, PatientRef: r.Patient, AccessionRef: r.Accession,
		MoveDestination: clean(c.MoveDestination), MoveOriginator: clean(c.MoveOriginator), Status: uint16(reply.Status), StatusName: reply.Status.Name(c.Field),
		Bytes: uint64(o.bytes), EventType: c.EventType, ActionType: c.ActionType, Answered: true, DurationMS: s.g.now().Sub(o.began).Milliseconds()}
	if g := reply.Progress; g != nil {
		d.Completed, d.Failed, d.Warning = &g.Completed, &g.Failed, &g.Warning
	}
	d.Suspicious = met(r, 16)
	e := s.base(activityOf(c.Field), d)
	e.StatusCode, e.StatusDetail = reply.Status.String(), d.StatusName
	if reply.Status.Category() == dimse.Failure {
		e.Status, e.Severity = event.StatusFailure, finding.Low
	}
	e.Message = fmt.Sprintf("%s asked the gateway for %s: %s", named(s.sender.CallingAE), d.Command, d.StatusName)
	judge(e, r)
	if r.Verdict > instance.Flag {
		e.Message += "; " + became(r) + " (" + strings.Join(met(r, 3), ", ") + ")"
	}
	if o.why != nil {
		s.spoil(e, o.why)
	}
	s.g.emit(e)
}
