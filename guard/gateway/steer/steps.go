// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"context"
	"crypto/sha256"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
)

// Steps are the procedure steps that say whose images rooms make; *query.Patients is one.
type Steps interface {
	// Steps lists them, the newest first.
	Steps() []control.ProcedureStep
	// EndStep ends one for a person, durably. known is false where there is none of that UID in progress.
	EndStep(uid, user string) (s control.ProcedureStep, known bool, err error)
}

// Steps implements control.Control.
func (s *Steer) Steps(context.Context) ([]control.ProcedureStep, error) {
	if s.d.Steps == nil {
		return nil, nil
	}
	return s.d.Steps.Steps(), nil
}

// EndStep implements control.Control. The ledger first: a crash in between leaves a statement and a step that
// goes on; to end it again is the same statement.
func (s *Steer) EndStep(ctx context.Context, e control.EndStep) (control.ProcedureStep, error) {
	if err := needed(e.User, e.Reason); err != nil {
		return control.ProcedureStep{}, err
	}
	s.deciding.Lock()
	defer s.deciding.Unlock()
	was, err := s.step(e.UID)
	if err != nil {
		return was, err
	}
	st := custody.New(custody.Override, s.d.Name+"/step/"+e.UID+"/"+was.Began.UTC().Format("20060102T150405.000000000")+"/end/"+e.User, s.now().UTC(), custody.SHA256("procedure-step", sha256.Sum256([]byte(e.UID))))
	p := &st.Predicate
	p.Site, p.Theatre, p.Device, p.Reason = s.d.Site, was.Theatre, was.Device, e.Reason
	p.Actor = custody.Actor{Software: s.d.Software, User: e.User}
	p.Detail = map[string]any{"what": "procedure-step", "outcome": "ended"}
	if _, err := s.record(ctx, st); err != nil {
		return was, err
	}
	ended, known, err := s.d.Steps.EndStep(e.UID, e.User)
	if err != nil {
		s.log.Error("a procedure step was not ended", "why", err)
		return was, &control.Refused{Code: control.Unavailable, What: err.Error(), Tip: "see the disk that the gateway’s directory is on, and end it again"}
	}
	if !known { // its device ended it meanwhile
		return was, over()
	}
	s.log.Warn("a procedure step was ended by a person: images of its patient are expected from the room no longer", "theatre", ended.Theatre, "device", ended.Device, "held", ended.Held, "user", e.User)
	s.d.Live.Changed()
	return ended, nil
}

// step finds one that is in progress.
func (s *Steer) step(uid string) (control.ProcedureStep, error) {
	if s.d.Steps != nil {
		for _, x := range s.d.Steps.Steps() {
			if x.UID != uid {
				continue
			}
			if !x.Ended.IsZero() {
				return x, over()
			}
			return x, nil
		}
	}
	return control.ProcedureStep{}, &control.Refused{Code: control.NotFound, What: "there is no such procedure step, or it ended long ago"}
}

func over() error {
	return &control.Refused{Code: control.Conflict, What: "the procedure step has ended already", Tip: "load the list again"}
}
