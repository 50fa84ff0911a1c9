// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/wire/dicom"
)

// getProcedureSteps says whose images the devices of each room make now: the gateway holds those of
// anybody else from there.
func (s *Server) getProcedureSteps(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	room, only := p.text("theatre", 256), p.choice("only", "open")
	g, err := s.gateway(r.Context(), p)
	if err != nil {
		return err
	}
	list, err := g.Steps(r.Context())
	if err != nil {
		return imagingProblem(err)
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	out := ImagingSteps{Steps: []ImagingProcedureStep{}}
	for _, x := range list {
		if room != "" && x.Theatre != room || only == "open" && !x.Ended.IsZero() {
			continue
		}
		out.Steps = append(out.Steps, world.procedureStep(x))
	}
	return send(w, r, http.StatusOK, out)
}

func (w *world) procedureStep(x control.ProcedureStep) ImagingProcedureStep {
	utc(&x.Began, &x.Ended, &x.Until)
	return ImagingProcedureStep{ProcedureStep: x, DeviceName: w.nameIfKnown(x.Device)}
}

// endProcedureStep ends a step that its device left open. It needs no confirmation during a case: that the next one has
// begun is why it is ended. What was held because of it stays in quarantine.
func (s *Server) endProcedureStep(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		Reason string `json:"reason"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	reason, err := reasonOf(q.Reason)
	if err != nil {
		return err
	}
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	uid := r.PathValue("uid")
	if !dicom.ValidUID(uid) {
		return problem.NotFound("There is no such procedure step.")
	}
	audit := s.audit(r, "imaging.step.end", g.object("step/"+uid))
	audit.Note = reason
	x, err := g.EndStep(r.Context(), control.EndStep{UID: uid, Reason: reason, User: account(r)})
	if err != nil {
		return s.refusedBy(r, audit, err)
	}
	if err := s.dep.Store.Commit(r.Context(), nil, audit); err != nil {
		return err
	}
	return send(w, r, http.StatusOK, world.procedureStep(x))
}
