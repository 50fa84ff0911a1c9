// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

const (
	budgetKind = "alert-budget"
	budgetBack = 20 // shifts before this one
)

// AlertBudget says how many findings of medium or above a room and shift can stand.
type AlertBudget struct {
	PerShift int            `json:"per_shift"`
	Rooms    map[string]int `json:"rooms"`
	Shifts   []BudgetShift  `json:"shifts"`
	Revision uint64         `json:"revision"`
}

// BudgetShift is a part of the day. It ends where the next begins.
type BudgetShift struct {
	Name string `json:"name"`
	From string `json:"from"` // "07:00"
}

// AlertBudgetStatus answers GET /alert-budget/status.
type AlertBudgetStatus struct {
	Shift string       `json:"shift"`
	From  string       `json:"from"`
	To    string       `json:"to"`
	Rooms []BudgetRoom `json:"rooms"`
}

// BudgetRoom is how much of its budget a room has used.
type BudgetRoom struct {
	Theatre  string `json:"theatre"`
	Name     string `json:"name"`
	Findings int    `json:"findings"`
	Budget   int    `json:"budget"`
	Over     bool   `json:"over"`
	History  []int  `json:"history"`
}

func (s *Server) budget(r *http.Request) (AlertBudget, error) {
	b := AlertBudget{PerShift: 3, Rooms: map[string]int{}, Shifts: []BudgetShift{{"Early", "07:00"}, {"Late", "15:00"}, {"Night", "22:00"}}}
	d, err := s.dep.Store.Document(r.Context(), budgetKind, idSite)
	if errors.Is(err, store.ErrNotFound) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	b = AlertBudget{}
	if err := json.Unmarshal(d.Body, &b); err != nil {
		return b, problem.Internal(err)
	}
	if b.Rooms == nil {
		b.Rooms = map[string]int{}
	}
	b.Shifts, b.Revision = orEmpty(b.Shifts), d.Revision
	return b, nil
}

func (s *Server) getBudget(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	b, err := s.budget(r)
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, b)
}

func (s *Server) putBudget(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[AlertBudget](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	var wrong []problem.Field
	if q.PerShift < 0 || q.PerShift > 1000 {
		wrong = append(wrong, problem.Field{Field: "per_shift", Message: "must be from 0 to 1000"})
	}
	if len(q.Rooms) > maxTheatres {
		wrong = append(wrong, problem.Field{Field: "rooms", Message: fmt.Sprintf("has more than %d values", maxTheatres)})
	}
	for _, id := range slices.Sorted(maps.Keys(q.Rooms)) {
		if q.Rooms[id] < 0 || q.Rooms[id] > 1000 || !theatreID.MatchString(id) {
			wrong = append(wrong, problem.Field{Field: "rooms", Message: "must name theatres with numbers from 0 to 1000"})
			break
		}
	}
	if len(q.Shifts) < 1 || len(q.Shifts) > 12 {
		wrong = append(wrong, problem.Field{Field: "shifts", Message: "must be 1 to 12"})
	}
	last := -1
	for i, sh := range q.Shifts {
		t, err := time.Parse("15:04", sh.From)
		at := t.Hour()*60 + t.Minute()
		if err != nil || at <= last {
			wrong = append(wrong, problem.Field{Field: fmt.Sprintf("shifts[%d].from", i), Message: "must be a time of day after the one before", Hint: "for example 07:00"})
		}
		if sh.Name == "" || len(sh.Name) > 60 {
			wrong = append(wrong, problem.Field{Field: fmt.Sprintf("shifts[%d].name", i), Message: "must have 1 to 60 bytes"})
		}
		last = at
	}
	if len(wrong) > 0 {
		return fields(wrong)
	}
	was, err := s.budget(r)
	if err != nil {
		return err
	}
	if q.Revision != was.Revision {
		return changedMeanwhile("alert budget", q.Revision, was.Revision, was)
	}
	rev := q.Revision
	q.Revision = 0
	body, err := json.Marshal(q)
	if err != nil {
		return problem.Internal(err)
	}
	audit := s.audit(r, "settings.alert-budget", "alert-budget")
	audit.After = body
	if err := s.commit(r.Context(), "settings", []store.Write{{Kind: budgetKind, ID: idSite, Expect: rev, Body: body}}, audit); err != nil {
		return err
	}
	q.Revision = rev + 1
	if q.Rooms == nil {
		q.Rooms = map[string]int{}
	}
	return send(w, r, http.StatusOK, q)
}

// shifts returns the beginnings of the shift at a time and of n before it, the latest
// first, and the end of the first.
func (b *AlertBudget) shifts(at time.Time, n int) (name string, begins []time.Time, end time.Time) {
	var all []time.Time
	var names []string
	for day := -n - 1; day <= 1; day++ {
		d := at.AddDate(0, 0, day)
		for _, sh := range b.Shifts {
			t, err := time.Parse("15:04", sh.From)
			if err != nil {
				continue
			}
			all = append(all, time.Date(d.Year(), d.Month(), d.Day(), t.Hour(), t.Minute(), 0, 0, at.Location()))
			names = append(names, sh.Name)
		}
	}
	for i := len(all) - 1; i >= 0; i-- {
		if !all[i].After(at) {
			end = at
			if i+1 < len(all) {
				end = all[i+1]
			}
			for k := i; k >= 0 && len(begins) <= n; k-- {
				begins = append(begins, all[k])
			}
			return names[i], begins, end
		}
	}
	return "", nil, at
}

func (s *Server) getBudgetStatus(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	b, err := s.budget(r)
	if err != nil {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	name, begins, end := b.shifts(s.now().In(world.zone), budgetBack)
	out := AlertBudgetStatus{Shift: name, Rooms: []BudgetRoom{}, To: stamp(end.UnixNano())}
	if len(begins) > 0 {
		out.From = stamp(begins[0].UnixNano())
	}
	for _, t := range world.theatres {
		room := BudgetRoom{Theatre: t.ID, Name: t.Name, Budget: b.PerShift, History: []int{}}
		if n, ok := b.Rooms[t.ID]; ok {
			room.Budget = n
		}
		count := make([]int, len(begins))
		for i := range world.all {
			f := &world.all[i]
			if f.Theatre != t.ID || f.Severity < mediumUp || f.SuppressedBy != "" {
				continue
			}
			for k, begin := range begins {
				if f.first >= begin.UnixNano() {
					if f.first < end.UnixNano() {
						count[k]++
					}
					break
				}
			}
		}
		if len(count) > 0 {
			room.Findings = count[0]
			for _, n := range slices.Backward(count[1:]) {
				room.History = append(room.History, n)
			}
		}
		room.Over = room.Findings > room.Budget
		out.Rooms = append(out.Rooms, room)
	}
	return send(w, r, http.StatusOK, out)
}
