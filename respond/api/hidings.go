// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/suppress"
)

// SuppressionList answers GET /suppressions.
type SuppressionList struct {
	Suppressions []Suppression `json:"suppressions"`
}

// Suppression hides findings for a time.
type Suppression struct {
	ID         string            `json:"id"`
	Rules      []string          `json:"rules"`
	Devices    []string          `json:"devices"`
	Theatres   []string          `json:"theatres"`
	Entities   map[string]string `json:"entities"`
	Expression string            `json:"expression"`
	Owner      string            `json:"owner"`
	Reason     string            `json:"reason"`
	Expires    string            `json:"expires"`
	State      string            `json:"state"`
	Problem    string            `json:"problem"`
	Created    string            `json:"created"`
	CreatedBy  string            `json:"created_by"`
	Hidden     uint64            `json:"hidden"`
	LastHidden *string           `json:"last_hidden"`
	Findings   int               `json:"findings"`
	Revision   uint64            `json:"revision"`
}

type suppressionRequest struct {
	Rules      []string          `json:"rules"`
	Devices    []string          `json:"devices"`
	Theatres   []string          `json:"theatres"`
	Entities   map[string]string `json:"entities"`
	Expression string            `json:"expression"`
	Owner      string            `json:"owner"`
	Reason     string            `json:"reason"`
	Expires    string            `json:"expires"`
	Revision   uint64            `json:"revision"`
}

// suppression checks a request.
func (s *Server) suppression(r *http.Request, q *suppressionRequest) (suppress.Suppression, error) {
	who, _ := access.ActorOf(r.Context())
	x := suppress.Suppression{Rules: orEmpty(q.Rules), Devices: orEmpty(q.Devices), Theatres: orEmpty(q.Theatres), Entities: q.Entities, Expression: strings.TrimSpace(q.Expression),
		Owner: cmp.Or(strings.TrimSpace(q.Owner), who.Name), Reason: strings.TrimSpace(q.Reason)}
	if q.Expires != "" {
		t, ok := parseUntil(q.Expires, s.now())
		if !ok {
			return x, fields([]problem.Field{{Field: "expires", Message: "must be a time such as 2026-03-16T08:30:00Z, or from now: +30d"}})
		}
		x.Expires = t
	}
	var env *expr.Env
	if c, err := s.rules.content(r.Context()); err == nil {
		env = c.Env
	}
	return x, invalidField(x.Check(s.now().UnixNano(), env))
}

// invalidField is what cannot be used of a suppression or a window.
func invalidField(err error) error {
	var bad *suppress.Invalid
	if errors.As(err, &bad) {
		return fields([]problem.Field{{Field: bad.Field, Message: bad.Message, Hint: bad.Hint}})
	}
	return err
}

// tally is what something hid.
func (s *Server) tally(ctx context.Context, id string) (n uint64, last *string, err error) {
	doc, err := s.dep.Store.Document(ctx, detect.TallyKind, id)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	var t struct {
		Count uint64 `json:"count"`
		Last  int64  `json:"last"`
	}
	if err := json.Unmarshal(doc.Body, &t); err != nil {
		return 0, nil, problem.Internal(err)
	}
	return t.Count, stampOrNil(t.Last), nil
}

func (s *Server) suppressionOf(ctx context.Context, d store.Document) (Suppression, error) {
	var x suppress.Suppression
	if err := json.Unmarshal(d.Body, &x); err != nil {
		return Suppression{}, problem.Internal(err)
	}
	out := Suppression{ID: d.ID, Rules: orEmpty(x.Rules), Devices: orEmpty(x.Devices), Theatres: orEmpty(x.Theatres), Entities: x.Entities, Expression: x.Expression, Owner: x.Owner,
		Reason: x.Reason, Expires: stamp(x.Expires), State: "active", Created: stamp(x.Created), CreatedBy: x.CreatedBy, Revision: d.Revision}
	if out.Entities == nil {
		out.Entities = map[string]string{}
	}
	if x.Expression != "" {
		if c, err := s.rules.content(ctx); err == nil {
			if _, broken := suppress.NewSet(c.Env, []suppress.Suppression{x}, nil); len(broken) > 0 {
				out.State, out.Problem = "broken", broken[x.ID].Error()
			}
		}
	}
	if !x.Active(s.now().UnixNano()) {
		out.State = "expired"
	}
	rows, _ := s.know.alerts.Rows()
	for _, r := range rows {
		if r.Suppressed == d.ID && r.Triage.State != finding.Closed {
			out.Findings++
		}
	}
	var err error
	out.Hidden, out.LastHidden, err = s.tally(ctx, d.ID)
	return out, err
}

func (s *Server) getSuppressions(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	state := p.choice("state", "active", "expired", "all")
	if err := p.end(); err != nil {
		return err
	}
	docs, err := documents(r.Context(), s.dep.Store, suppress.Kind, suppress.MaxEntries)
	if err != nil {
		return err
	}
	out := SuppressionList{Suppressions: []Suppression{}}
	for _, d := range docs {
		x, err := s.suppressionOf(r.Context(), d)
		if err != nil {
			return err
		}
		if state == "active" && x.State == "expired" || state == "expired" && x.State != "expired" {
			continue
		}
		out.Suppressions = append(out.Suppressions, x)
	}
	slices.SortStableFunc(out.Suppressions, func(a, b Suppression) int { return cmp.Compare(b.Created, a.Created) })
	return send(w, r, http.StatusOK, out)
}

// hiding reads a document of a kind by the ID in the path.
func (s *Server) hiding(r *http.Request, kind, what string) (store.Document, error) {
	id := r.PathValue("id")
	if id == "" || len(id) > 64 {
		return store.Document{}, problem.NotFound("There is no " + what + " with this ID.")
	}
	d, err := s.dep.Store.Document(r.Context(), kind, id)
	if errors.Is(err, store.ErrNotFound) {
		return d, problem.NotFound("There is no " + what + " with this ID.")
	}
	return d, err
}

func (s *Server) getSuppression(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	d, err := s.hiding(r, suppress.Kind, "suppression")
	if err != nil {
		return err
	}
	x, err := s.suppressionOf(r.Context(), d)
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, x)
}

func (s *Server) postSuppression(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[suppressionRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	x, err := s.suppression(r, &q)
	if err != nil {
		return err
	}
	docs, err := documents(r.Context(), s.dep.Store, suppress.Kind, suppress.MaxEntries)
	if err != nil {
		return err
	}
	if len(docs) >= suppress.MaxEntries {
		return problem.Conflict(fmt.Sprintf("There are %d suppressions, which is the most.", len(docs)), "remove those that are expired")
	}
	x.ID, x.Created, x.CreatedBy = strings.ToLower(rand.Text()), s.now().UnixNano(), s.decider(r).Name
	if err := s.commitHiding(r, "suppression.create", suppress.Kind, x.ID, nil, x); err != nil {
		return err
	}
	w.Header().Set("Location", prefix+"/suppressions/"+x.ID)
	return s.answerSuppression(w, r, x.ID, http.StatusCreated)
}

func (s *Server) answerSuppression(w http.ResponseWriter, r *http.Request, id string, status int) error {
	d, err := s.dep.Store.Document(r.Context(), suppress.Kind, id)
	if err != nil {
		return err
	}
	out, err := s.suppressionOf(r.Context(), d)
	if err != nil {
		return err
	}
	return send(w, r, status, out)
}

func (s *Server) putSuppression(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[suppressionRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	x, err := s.suppression(r, &q)
	if err != nil {
		return err
	}
	was, err := s.hiding(r, suppress.Kind, "suppression")
	if err != nil {
		return err
	}
	if err := sameRevision("suppression", q.Revision, was); err != nil {
		return err
	}
	var old suppress.Suppression
	if err := json.Unmarshal(was.Body, &old); err != nil {
		return problem.Internal(err)
	}
	x.ID, x.Created, x.CreatedBy = was.ID, old.Created, old.CreatedBy
	if err := s.commitHiding(r, "suppression.change", suppress.Kind, was.ID, &was, x); err != nil {
		return err
	}
	return s.answerSuppression(w, r, was.ID, http.StatusOK)
}

func (s *Server) deleteSuppression(w http.ResponseWriter, r *http.Request) error {
	return s.removeHiding(w, r, suppress.Kind, "suppression")
}

func (s *Server) removeHiding(w http.ResponseWriter, r *http.Request, kind, what string) error {
	p := s.params(r)
	revision := p.number("revision", 1, 1<<31, 0)
	if err := p.end(); err != nil {
		return err
	}
	was, err := s.hiding(r, kind, what)
	if err != nil {
		return err
	}
	if err := sameRevision(what, uint64(max(revision, 0)), was); err != nil { //nolint:gosec // it is in its range
		return err
	}
	if err := s.commitHiding(r, kind+".remove", kind, was.ID, &was, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// sameRevision reports a document that is not as it was read.
func sameRevision(what string, had uint64, is store.Document) error {
	switch {
	case had == 0:
		return fields([]problem.Field{{Field: "revision", Message: "is needed: the one that was read"}})
	case had != is.Revision:
		return problem.Conflict(fmt.Sprintf("This %s was changed by someone else meanwhile: it is at revision %d, not %d.", what, is.Revision, had), "load it again, look at what is new, and repeat the change").Coded(problem.RevisionConflict)
	}
	return nil
}

// commitHiding writes a document with its audit entry; is nil removes it.
func (s *Server) commitHiding(r *http.Request, action, kind, id string, was *store.Document, is any) error {
	write := store.Write{Kind: kind, ID: id}
	audit := s.audit(r, action, kind+":"+id)
	if was != nil {
		write.Expect, audit.Before = was.Revision, was.Body
	}
	if is == nil {
		write.Delete = true
	} else {
		body, err := json.Marshal(is)
		if err != nil {
			return problem.Internal(err)
		}
		write.Body, audit.After = body, body
	}
	return s.commit(r.Context(), "rules", []store.Write{write}, audit)
}

// MaintenanceList answers GET /maintenance.
type MaintenanceList struct {
	Windows []MaintenanceWindow `json:"windows"`
}

// MaintenanceWindow is a time in which work is done on rooms or devices.
type MaintenanceWindow struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Theatres   []string       `json:"theatres"`
	Devices    []string       `json:"devices"`
	Rules      []string       `json:"rules"`
	Effect     string         `json:"effect"`
	Repeat     string         `json:"repeat"`
	From       string         `json:"from"`
	Until      string         `json:"until"`
	At         string         `json:"at"`
	Minutes    int            `json:"minutes"`
	Weekdays   []time.Weekday `json:"weekdays"`
	Nth        int            `json:"nth"`
	Zone       string         `json:"zone"`
	Owner      string         `json:"owner"`
	Reason     string         `json:"reason"`
	Created    string         `json:"created"`
	CreatedBy  string         `json:"created_by"`
	Active     bool           `json:"active"`
	NextFrom   *string        `json:"next_from"`
	NextTo     *string        `json:"next_to"`
	Hidden     uint64         `json:"hidden"`
	LastHidden *string        `json:"last_hidden"`
	Revision   uint64         `json:"revision"`
}

type maintenanceRequest struct {
	Name     string         `json:"name"`
	Theatres []string       `json:"theatres"`
	Devices  []string       `json:"devices"`
	Rules    []string       `json:"rules"`
	Effect   string         `json:"effect"`
	Repeat   string         `json:"repeat"`
	From     string         `json:"from"`
	Until    string         `json:"until"`
	At       string         `json:"at"`
	Minutes  int            `json:"minutes"`
	Weekdays []time.Weekday `json:"weekdays"`
	Nth      int            `json:"nth"`
	Zone     string         `json:"zone"`
	Owner    string         `json:"owner"`
	Reason   string         `json:"reason"`
	Revision uint64         `json:"revision"`
}

func (s *Server) maintenance(r *http.Request, q *maintenanceRequest) (suppress.Window, error) {
	who, _ := access.ActorOf(r.Context())
	world, err := s.know.get(r.Context())
	if err != nil {
		return suppress.Window{}, err
	}
	x := suppress.Window{Name: strings.TrimSpace(q.Name), Theatres: orEmpty(q.Theatres), Devices: orEmpty(q.Devices), Rules: orEmpty(q.Rules), Effect: suppress.Effect(q.Effect), Repeat: suppress.Repeat(q.Repeat),
		From: q.From, Until: q.Until, At: q.At, Minutes: q.Minutes, Weekdays: orEmpty(q.Weekdays), Nth: q.Nth, Zone: cmp.Or(q.Zone, world.settings.Site.Timezone),
		Owner: cmp.Or(strings.TrimSpace(q.Owner), who.Name), Reason: strings.TrimSpace(q.Reason)}
	return x, invalidField(x.Prepare())
}

func (s *Server) windowOf(ctx context.Context, d store.Document) (MaintenanceWindow, error) {
	var x suppress.Window
	if err := json.Unmarshal(d.Body, &x); err != nil {
		return MaintenanceWindow{}, problem.Internal(err)
	}
	out := MaintenanceWindow{ID: d.ID, Name: x.Name, Theatres: orEmpty(x.Theatres), Devices: orEmpty(x.Devices), Rules: orEmpty(x.Rules), Effect: string(x.Effect), Repeat: string(x.Repeat), From: x.From,
		Until: x.Until, At: x.At, Minutes: x.Minutes, Weekdays: orEmpty(x.Weekdays), Nth: x.Nth, Zone: x.Zone, Owner: x.Owner, Reason: x.Reason, Created: stamp(x.Created), CreatedBy: x.CreatedBy, Revision: d.Revision}
	if err := x.Prepare(); err == nil {
		now := s.now().UnixNano()
		out.Active = x.Covers(now)
		look := now
		if out.Active {
			look -= int64(x.Minutes) * int64(time.Minute)
		}
		if from, to, ok := x.Next(look); ok {
			out.NextFrom, out.NextTo = stampOrNil(from), stampOrNil(to)
		}
	}
	var err error
	out.Hidden, out.LastHidden, err = s.tally(ctx, d.ID)
	return out, err
}

func (s *Server) getMaintenance(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	docs, err := documents(r.Context(), s.dep.Store, suppress.WindowKind, suppress.MaxEntries)
	if err != nil {
		return err
	}
	out := MaintenanceList{Windows: []MaintenanceWindow{}}
	for _, d := range docs {
		x, err := s.windowOf(r.Context(), d)
		if err != nil {
			return err
		}
		out.Windows = append(out.Windows, x)
	}
	return send(w, r, http.StatusOK, out)
}

func (s *Server) postMaintenance(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[maintenanceRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	x, err := s.maintenance(r, &q)
	if err != nil {
		return err
	}
	docs, err := documents(r.Context(), s.dep.Store, suppress.WindowKind, suppress.MaxEntries)
	if err != nil {
		return err
	}
	if len(docs) >= suppress.MaxEntries {
		return problem.Conflict(fmt.Sprintf("There are %d maintenance windows, which is the most.", len(docs)), "remove those that are over")
	}
	x.ID, x.Created, x.CreatedBy = strings.ToLower(rand.Text()), s.now().UnixNano(), s.decider(r).Name
	if err := s.commitHiding(r, "maintenance.create", suppress.WindowKind, x.ID, nil, x); err != nil {
		return err
	}
	w.Header().Set("Location", prefix+"/maintenance/"+x.ID)
	return s.answerWindow(w, r, x.ID, http.StatusCreated)
}

func (s *Server) answerWindow(w http.ResponseWriter, r *http.Request, id string, status int) error {
	d, err := s.dep.Store.Document(r.Context(), suppress.WindowKind, id)
	if err != nil {
		return err
	}
	out, err := s.windowOf(r.Context(), d)
	if err != nil {
		return err
	}
	return send(w, r, status, out)
}

func (s *Server) putMaintenance(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[maintenanceRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	x, err := s.maintenance(r, &q)
	if err != nil {
		return err
	}
	was, err := s.hiding(r, suppress.WindowKind, "maintenance window")
	if err != nil {
		return err
	}
	if err := sameRevision("maintenance window", q.Revision, was); err != nil {
		return err
	}
	var old suppress.Window
	if err := json.Unmarshal(was.Body, &old); err != nil {
		return problem.Internal(err)
	}
	x.ID, x.Created, x.CreatedBy = was.ID, old.Created, old.CreatedBy
	if err := s.commitHiding(r, "maintenance.change", suppress.WindowKind, was.ID, &was, x); err != nil {
		return err
	}
	return s.answerWindow(w, r, was.ID, http.StatusOK)
}

func (s *Server) deleteMaintenance(w http.ResponseWriter, r *http.Request) error {
	return s.removeHiding(w, r, suppress.WindowKind, "maintenance window")
}
