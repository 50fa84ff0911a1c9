// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"slices"
	"strings"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// The information models of query and retrieve (PS3.4 §C.6).
const (
	patientFind = "1.2.840.10008.5.1.4.1.2.1.1"
	patientMove = "1.2.840.10008.5.1.4.1.2.1.2"
	patientGet  = "1.2.840.10008.5.1.4.1.2.1.3"
	studyFind   = "1.2.840.10008.5.1.4.1.2.2.1"
	studyMove   = "1.2.840.10008.5.1.4.1.2.2.2"
	studyGet    = "1.2.840.10008.5.1.4.1.2.2.3"
)

// operationOf says which operation of a binding a SOP class needs, "" for storage and what is not served.
func operationOf(abstract string) string {
	switch abstract {
	case dicom.UIDVerification:
		return binding.Echo
	case patientFind, studyFind:
		return binding.Find
	case patientMove, studyMove:
		return binding.Move
	case patientGet, studyGet:
		return binding.Get
	case dicom.UIDModalityWorklistFind:
		return binding.Worklist
	case dicom.UIDMPPS:
		return binding.MPPS
	case dicom.UIDStorageCommitmentPush:
		return binding.Commitment
	}
	return ""
}

// services are what the gateway can do at all; what a peer may is decided for each.
func (g *Gateway) services() []dicomnet.Service {
	plain := dicomnet.UncompressedSyntaxes()
	out := []dicomnet.Service{{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: plain}}
	if g.d.Queries != nil {
		for _, uid := range []string{patientFind, studyFind, patientMove, studyMove, patientGet, studyGet, dicom.UIDModalityWorklistFind, dicom.UIDMPPS, dicom.UIDStorageCommitmentPush} {
			if g.d.Queries.Serves(operationOf(uid)) {
				out = append(out, dicomnet.Service{AbstractSyntax: uid, TransferSyntaxes: plain, PeerSCP: uid == dicom.UIDStorageCommitmentPush})
			}
		}
	}
	return append(out, dicomnet.Service{AbstractSyntax: dicomnet.AnyStorage, TransferSyntaxes: g.cfg.Ingest.Syntaxes, PeerSCP: true})
}

// admit decides over an association request, and takes out of the answer what the peer may not do.
func (s *session) admit(n *dicomnet.Negotiation) *Problem {
	b, p := s.may()
	if b != nil {
		s.sender.Device, s.sender.Binding, s.sender.Theatre = b.Device, b.Device, b.Theatre
	}
	if p != nil {
		return p
	}
	if !slices.Contains(s.g.cfg.AETitles, s.sender.CalledAE) {
		return refuse(UnknownCalled, dicomnet.RejectCalledAE, "the gateway's own AE titles are in gateway.ae_titles; they are case-sensitive", "%s calls %q, and the gateway is not called so", b.Device, s.sender.CalledAE)
	}
	s.g.note(b.Device, nil)
	if u := n.Request.User.Identity; u != nil && u.ResponseRequested && s.g.cfg.UserIdentity == UserAcknowledge {
		n.Answer.User.IdentityAck = true
	}
	for i := range n.Answer.Contexts {
		c := &n.Answer.Contexts[i]
		if c.Result != ul.Acceptance {
			continue
		}
		if abstract, ok := s.allows(b, n.Request, c.ID); !ok {
			c.Result = ul.UserRejection
			if len(s.withheld) < 4 && !slices.Contains(s.withheld, abstract) {
				s.withheld = append(s.withheld, abstract)
			}
			continue
		}
		s.granted++
	}
	return nil
}

// allows reports whether a presentation context is one that the peer may use, and what it is for.
func (s *session) allows(b *binding.Bound, rq *ul.Associate, id uint8) (abstract string, ok bool) {
	i := slices.IndexFunc(rq.Contexts, func(c ul.PresentationContext) bool { return c.ID == id })
	if i < 0 {
		return "", false
	}
	abstract = rq.Contexts[i].AbstractSyntax
	if op := operationOf(abstract); op != "" {
		return abstract, b.May(op)
	}
	role := ul.RoleSelection{SCU: true} // the default (PS3.7 §D.3.3.4)
	for _, r := range rq.User.Roles {
		if r.SOPClass == abstract {
			role = r
		}
	}
	return abstract, role.SCU && b.May(binding.Store) && b.MayStore(abstract) || role.SCP && b.May(binding.Get)
}

// nothing says that the peer got none of what it came for; nil where it did.
func (s *session) nothing(p *Problem) *Problem {
	s.mu.Lock()
	used := len(s.used)
	s.mu.Unlock()
	if used > 0 || s.granted > 0 && len(s.withheld) == 0 || p != nil && p.Code != Aborted && p.Code != ConnectionLost {
		return nil
	}
	if p == nil && s.granted > 0 {
		return nil // it looked, and went
	}
	if len(s.withheld) > 0 {
		return &Problem{Code: NothingAllowed, What: s.sender.Device + " went without asking for anything: its binding does not have " + classNames(s.withheld), Tip: "add operation or SOP class to its binding, if the device should have it", Identity: true}
	}
	var proposed []string
	for _, c := range s.rq.Contexts {
		if len(proposed) < 4 && !slices.Contains(proposed, c.AbstractSyntax) {
			proposed = append(proposed, c.AbstractSyntax)
		}
	}
	return &Problem{Code: NothingAllowed, What: s.sender.Device + " went without asking for anything: nobody here serves what it proposed, " + classNames(proposed),
		Tip: "queries, worklists and procedure steps are passed on to gateway.query.archives, where one has the operation; DICOM printing and the like are not served"}
}

// classNames are the names of SOP classes, or their UIDs.
func classNames(list []string) string {
	var names []string
	for _, a := range list {
		name := dicom.UIDName(a)
		if name == "" {
			name = uid(a)
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
