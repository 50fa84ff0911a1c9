// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/query"
)

// What people decide about something in quarantine.
const (
	release  = "release"
	destroy  = "destroy"
	withdraw = "withdraw"
)

// Quarantine implements control.Control: what waits for a decision, newest first.
func (s *Steer) Quarantine(ctx context.Context, before uint64, limit int) ([]control.Held, error) {
	list, err := s.d.Vault.List(ctx, instance.Query{States: []instance.State{instance.Quarantined}, Before: before, Limit: min(max(limit, 1), 1000)})
	if err != nil {
		return nil, refused(err)
	}
	out := make([]control.Held, 0, len(list))
	for i := range list {
		out = append(out, s.view(&list[i]))
	}
	return out, nil
}

func (s *Steer) view(r *instance.Record) control.Held {
	h := control.Held{Record: *r}
	if b, ok := s.d.Bindings.Set().Device(r.Sender.Device); ok {
		h.DeviceName = b.Name
	}
	return h
}

// Decide implements control.Control. The first person's word is kept; the second person,
// who must be another one, has it carried out.
//
// Ordering: the ledger first, then the journal. A crash in between leaves a statement of
// what was decided and an instance that is still held; the same decision again is carried
// out without a second statement.
func (s *Steer) Decide(ctx context.Context, d control.Decide) (control.Held, error) {
	if err := needed(d.User, d.Reason); err != nil {
		return control.Held{}, err
	}
	s.deciding.Lock()
	defer s.deciding.Unlock()
	r, err := s.d.Vault.Get(ctx, d.Number)
	if err != nil {
		return control.Held{}, refused(err)
	}
	if err := decidable(&r, &d); err != nil {
		return control.Held{}, err
	}
	switch {
	case d.Action == withdraw:
		r, err = s.takeBack(ctx, &r, &d)
	case r.Asked == nil:
		r, err = s.ask(ctx, &r, &d)
	default:
		r, err = s.carryOut(ctx, &r, &d)
	}
	if err != nil {
		return control.Held{}, refused(err)
	}
	s.d.Live.Changed()
	return s.view(&r), nil
}

// decidable says whether a decision is about what the person saw, and theirs to make.
func decidable(r *instance.Record, d *control.Decide) error {
	switch d.Action {
	case release, destroy, withdraw:
	default:
		return &control.Refused{Code: control.Invalid, What: "an instance in quarantine is released or destroyed, or what was asked is withdrawn"}
	}
	switch {
	case r.State != instance.Quarantined && r.State != instance.Replaced:
		return &control.Refused{Code: control.Conflict, What: fmt.Sprintf("instance %d is not in quarantine: it is %s", r.Number, r.State)}
	case r.Revision != d.Revision:
		return refused(instance.ErrRevision)
	case d.Action == withdraw && r.Asked == nil:
		return &control.Refused{Code: control.Conflict, What: "nobody asked for anything that could be withdrawn"}
	case d.Action == withdraw || r.Asked == nil:
		return nil
	case r.Asked.Action != d.Action:
		return &control.Refused{Code: control.Conflict, What: fmt.Sprintf("somebody else asked to %s it: %s", r.Asked.Action, r.Asked.By), Tip: "withdraw that first, when it is not right"}
	case r.Asked.By == d.User:
		return &control.Refused{Code: control.SamePerson, What: "you asked for it yourself: another person must agree", Tip: "who agrees looks at it with their own eyes; ask a colleague who may decide about the quarantine"}
	}
	return nil
}

// change changes the record when it is still the one that was decided about.
func (s *Steer) change(ctx context.Context, r *instance.Record, e *instance.Entry, f func(*instance.Record)) (instance.Record, error) {
	return s.d.Vault.Change(ctx, r.Number, func(x *instance.Record) error {
		if x.Revision != r.Revision {
			return instance.ErrRevision
		}
		f(x)
		if e != nil {
			x.Entries = append(x.Entries[:len(x.Entries):len(x.Entries)], *e)
		}
		return nil
	})
}

// ask keeps the first person's word.
func (s *Steer) ask(ctx context.Context, r *instance.Record, d *control.Decide) (instance.Record, error) {
	detail := map[string]any{"what": "quarantine-" + d.Action + "-request", "outcome": "quarantined", "why": d.Reason, "session": r.Sender.Association}
	e, err := s.record(ctx, s.statement(custody.Decision, r, d.Action+"-request/"+d.User, d.User, d.Reason, detail))
	if err != nil {
		return *r, err
	}
	return s.change(ctx, r, e, func(x *instance.Record) {
		x.Asked = &instance.Asked{Action: d.Action, By: d.User, Reason: d.Reason, At: s.now().UTC()}
	})
}

// takeBack forgets what was asked.
func (s *Steer) takeBack(ctx context.Context, r *instance.Record, d *control.Decide) (instance.Record, error) {
	detail := map[string]any{"what": "quarantine-" + r.Asked.Action + "-withdrawal", "outcome": "quarantined", "why": d.Reason, "session": r.Sender.Association}
	e, err := s.record(ctx, s.statement(custody.Decision, r, "withdraw/"+d.User, d.User, d.Reason, detail))
	if err != nil {
		return *r, err
	}
	return s.change(ctx, r, e, func(x *instance.Record) { x.Asked = nil })
}

// carryOut does what two people want. Releasing goes past the firewall, so it is an
// override; both accounts stand in the statement.
func (s *Steer) carryOut(ctx context.Context, r *instance.Record, d *control.Decide) (instance.Record, error) {
	var deliveries []instance.Delivery
	if d.Action == release {
		var err error
		if deliveries, err = s.route(ctx, r); err != nil {
			return *r, err
		}
		if len(deliveries) == 0 {
			return *r, &control.Refused{Code: control.Conflict, What: "no route takes this instance: released, it would go nowhere", Tip: "add a route for it, or destroy it"}
		}
	}
	reason := fmt.Sprintf("%s: %s; %s: %s", r.Asked.By, r.Asked.Reason, d.User, d.Reason)
	word := map[string]string{release: "released", destroy: "destroyed"}[d.Action]
	detail := map[string]any{"what": "quarantine", "outcome": word, "approved_by": d.User}
	e, err := s.record(ctx, s.statement(custody.Override, r, d.Action+"/"+d.User, r.Asked.By, reason, detail))
	if err != nil {
		return *r, err
	}
	if d.InCase {
		detail := map[string]any{"what": "case-in-progress", "outcome": word, "approved_by": d.User}
		if _, err := s.record(ctx, s.statement(custody.Override, r, d.Action+"-in-case/"+d.User, r.Asked.By, reason, detail)); err != nil {
			return *r, err
		}
	}
	out, err := s.change(ctx, r, e, func(x *instance.Record) {
		x.Asked = nil
		if d.Action == destroy {
			x.State, x.Deliveries = instance.Destroyed, nil
			return
		}
		x.State, x.Deliveries = instance.Released, deliveries
	})
	if err != nil {
		return *r, err
	}
	s.log.Warn("an instance in quarantine was "+word, "number", r.Number, "asked", r.Asked.By, "agreed", d.User, "in_case", d.InCase)
	if d.Action == release {
		s.d.Forward.Wake()
	}
	return out, nil
}

// route says where a released instance goes to: to where a C-MOVE asked for it, otherwise by today's routes. What
// routes look at is read from the data set again: it was never kept, as it names the patient.
func (s *Steer) route(ctx context.Context, r *instance.Record) ([]instance.Delivery, error) {
	if r.MovedTo != "" {
		if !slices.ContainsFunc(s.d.Forward.Destinations(), func(d control.Destination) bool { return d.Name == r.MovedTo && d.State != control.Gone }) {
			return nil, &control.Refused{Code: control.Conflict, What: fmt.Sprintf("a C-MOVE asked for it at the destination %s, which the gateway does not have any more", r.MovedTo), Tip: "configure that destination again; or destroy it, and who wants it asks again"}
		}
		return []instance.Delivery{{Destination: r.MovedTo, Route: query.RouteMove, State: instance.Waiting}}, nil
	}
	c, err := s.d.Vault.Open(ctx, r.Number)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	a := arrivalOf(r)
	x := s.d.Firewall.Begin(a)
	if err := inspect(ctx, x, c); err != nil {
		return nil, err
	}
	list := s.d.Forward.Route(*r, a, x.Finish().Header)
	for i := range list {
		list[i].State, list[i].Attempts = instance.Waiting, 0
	}
	return list, nil
}

// arrivalOf is how an instance came, as far as it is kept.
func arrivalOf(r *instance.Record) instance.Arrival {
	return instance.Arrival{Sender: r.Sender, At: r.Received, SOPClass: r.SOPClass, SOPInstance: r.SOPInstance, TransferSyntax: r.TransferSyntax}
}

// inspect feeds a data set to an inspection.
func inspect(ctx context.Context, x instance.Inspection, src io.Reader) error {
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := src.Read(buf)
		_, _ = x.Write(buf[:n]) // never fails
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
