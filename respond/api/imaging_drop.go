// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/respond/problem"
)

// dropTime bounds giving up what a destination did not take; each delivery is written down durably.
const dropTime = 2 * time.Minute

// postDrop gives up for good what a destination did not take. During a case it keeps images
// from the people who operate: that has to be said to be meant.
func (s *Server) postDrop(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		Reason        string `json:"reason"`
		ConfirmInCase bool   `json:"confirm_in_case"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	reason, err := reasonOf(q.Reason)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), dropTime)
	defer cancel()
	r = r.WithContext(ctx)
	g, err := s.gateway(ctx, s.params(r))
	if err != nil {
		return err
	}
	d, err := s.destinationOf(r, &g)
	if err != nil {
		return err
	}
	if d.InCase && !q.ConfirmInCase {
		return confirmInCase("what is given up does not get there")
	}
	audit := s.audit(r, "imaging.destination.drop", g.object("destination/"+d.Name))
	audit.Note = reason
	if d.InCase {
		audit.Note += " (during a case)"
	}
	done, err := g.Drop(ctx, control.Drop{Destination: d.Name, Reason: reason, User: account(r), InCase: d.InCase})
	// What was given up is given up, whether the one who asked still listens or not.
	kept := context.WithoutCancel(ctx)
	if err != nil && ctx.Err() != nil {
		audit.Result = "failed"
		return errors.Join(imagingProblem(err), s.dep.Store.Commit(kept, nil, audit))
	}
	if err != nil {
		return s.refusedBy(r.WithContext(kept), audit, err)
	}
	if audit.After, err = json.Marshal(done); err != nil {
		return err
	}
	if err := s.dep.Store.Commit(kept, nil, audit); err != nil {
		return err
	}
	return send(w, r, http.StatusOK, done)
}
