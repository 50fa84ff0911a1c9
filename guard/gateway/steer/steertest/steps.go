// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
)

// UIDs of the procedure steps of NewSteps.
const (
	StepOpen  = "1.2.826.0.1.3680043.10.1.77.1"
	StepEnded = "1.2.826.0.1.3680043.10.1.77.2"
)

// Steps are procedure steps in memory.
type Steps struct {
	mu   sync.Mutex
	list []control.ProcedureStep
	now  func() time.Time
	fail error
}

// NewSteps has one that its device left open, and because of which instances were held, and one that was completed.
func NewSteps(now func() time.Time) *Steps {
	t := now().UTC()
	return &Steps{now: now, list: []control.ProcedureStep{
		{UID: StepOpen, Device: "dev-ct", Theatre: "OR-3", Patient: "p:4711", Began: t.Add(-2 * time.Hour), Until: t.Add(4 * time.Hour), Held: 3},
		{UID: StepEnded, Device: "dev-us", Theatre: "OR-3", Patient: "p:4711", Began: t.Add(-3 * time.Hour), Ended: t.Add(-10 * time.Minute), Until: t.Add(20 * time.Minute), How: control.StepCompleted},
	}}
}

// Fail makes every end fail until it is called with nil.
func (s *Steps) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// Steps implements steer.Steps.
func (s *Steps) Steps() []control.ProcedureStep {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// EndStep implements steer.Steps.
func (s *Steps) EndStep(uid, user string) (control.ProcedureStep, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.list, func(x control.ProcedureStep) bool { return x.UID == uid && x.Ended.IsZero() })
	if i < 0 {
		return control.ProcedureStep{}, false, nil
	}
	x := &s.list[i]
	if s.fail != nil {
		return *x, true, s.fail
	}
	x.Ended, x.How, x.By = s.now().UTC(), control.StepByPerson, user
	x.Until = x.Ended.Add(30 * time.Minute)
	return *x, true, nil
}
