// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
)

// Bounds of saved searches.
const (
	maxViews     = 5000 // of all people
	maxOwnViews  = 200
	maxViewQuery = 4096
)

var viewPages = []string{"devices", "events", "map", "findings"}

func viewOf(d store.Document) (View, error) {
	var v View
	err := json.Unmarshal(d.Body, &v)
	v.ID, v.Revision = d.ID, d.Revision
	return v, err
}

// mayChange: one's own, and shared ones of others with settings.edit, so that
// somebody can tidy up after who left.
func (v *View) mayChange(who access.Actor) bool {
	return v.Owner == who.Name || v.Shared && who.May(access.SettingsEdit)
}

// getViews answers with one's own saved searches and the shared ones, by name.
func (s *Server) getViews(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	page := p.choice("page", viewPages...)
	if err := p.end(); err != nil {
		return err
	}
	who, _ := access.ActorOf(r.Context())
	docs, err := documents(r.Context(), s.dep.Store, kindView, maxViews)
	if err != nil {
		return err
	}
	out := []View{}
	for _, d := range docs {
		v, err := viewOf(d)
		if err != nil || page != "" && v.Page != page || !v.Shared && v.Owner != who.Name {
			continue
		}
		out = append(out, v)
	}
	slices.SortStableFunc(out, func(a, b View) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	return send(w, r, http.StatusOK, out)
}

// viewRequest is a saved search as a person sends it. The ID and the owner are read
// back and do not count.
type viewRequest struct {
	ID       string `json:"id"`
	Page     string `json:"page"`
	Name     string `json:"name"`
	Query    string `json:"query"`
	Shared   bool   `json:"shared"`
	Owner    string `json:"owner"`
	Revision uint64 `json:"revision"`
}

func (q *viewRequest) check() []problem.Field {
	var wrong []problem.Field
	q.Name = strings.TrimSpace(q.Name)
	if n := utf8.RuneCountInString(q.Name); n < 1 || n > maxName || strings.IndexFunc(q.Name, func(c rune) bool { return !unicode.IsPrint(c) }) >= 0 {
		wrong = append(wrong, problem.Field{Field: "name", Message: fmt.Sprintf("must have 1 to %d characters that can be shown", maxName)})
	}
	if !slices.Contains(viewPages, q.Page) {
		wrong = append(wrong, problem.Field{Field: "page", Message: "must be one of " + list(viewPages), Hint: didYouMean(q.Page, viewPages)})
	}
	if len(q.Query) > maxViewQuery {
		wrong = append(wrong, problem.Field{Field: "query", Message: fmt.Sprintf("is longer than %d bytes", maxViewQuery)})
	}
	return wrong
}

func (s *Server) postView(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[viewRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	if wrong := q.check(); len(wrong) > 0 {
		return fields(wrong)
	}
	who, _ := access.ActorOf(r.Context())
	docs, err := documents(r.Context(), s.dep.Store, kindView, maxViews)
	if err != nil {
		return err
	}
	own := 0
	for _, d := range docs {
		if v, err := viewOf(d); err == nil && v.Owner == who.Name {
			own++
		}
	}
	if own >= maxOwnViews || len(docs) >= maxViews {
		return problem.Conflict("There are too many saved searches.", "remove some that are not used any more")
	}
	v := View{ID: strings.ToLower(rand.Text()), Page: q.Page, Name: q.Name, Query: q.Query, Shared: q.Shared, Owner: who.Name}
	if err := s.commitView(r, "view.create", nil, &v); err != nil {
		return err
	}
	w.Header().Set("Location", prefix+"/views/"+v.ID)
	return send(w, r, http.StatusCreated, v)
}

// ownView returns a view that the one who asks may change. One that he may not even
// see is not there for him.
func (s *Server) ownView(r *http.Request) (View, error) {
	who, _ := access.ActorOf(r.Context())
	none := problem.NotFound("There is no saved search with this ID.")
	if id := r.PathValue("id"); id == "" || len(id) > 64 {
		return View{}, none
	}
	d, err := s.dep.Store.Document(r.Context(), kindView, r.PathValue("id"))
	if errors.Is(err, store.ErrNotFound) {
		return View{}, none
	}
	if err != nil {
		return View{}, err
	}
	v, err := viewOf(d)
	if err != nil {
		return View{}, problem.Internal(err)
	}
	if v.mayChange(who) {
		return v, nil
	}
	if !v.Shared {
		return View{}, none
	}
	return View{}, problem.Forbidden("This saved search belongs to "+v.Owner+".", "save it under a name of your own")
}

func (s *Server) putView(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[viewRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	wrong := q.check()
	if q.Revision == 0 {
		wrong = append(wrong, problem.Field{Field: "revision", Message: "is needed: the one that was read"})
	}
	if len(wrong) > 0 {
		return fields(wrong)
	}
	was, err := s.ownView(r)
	if err != nil {
		return err
	}
	if q.Revision != was.Revision {
		return changedMeanwhile("saved search", q.Revision, was.Revision, was)
	}
	v := was
	v.Page, v.Name, v.Query, v.Shared = q.Page, q.Name, q.Query, q.Shared
	if err := s.commitView(r, "view.change", &was, &v); err != nil {
		return err
	}
	return send(w, r, http.StatusOK, v)
}

func (s *Server) deleteView(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	revision := p.number("revision", 1, 1<<31, 0)
	if err := p.end(); err != nil {
		return err
	}
	was, err := s.ownView(r)
	if err != nil {
		return err
	}
	if revision != 0 && uint64(revision) != was.Revision {
		return changedMeanwhile("saved search", uint64(revision), was.Revision, was)
	}
	if err := s.commitView(r, "view.remove", &was, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) commitView(r *http.Request, action string, was, v *View) error {
	write := store.Write{Kind: kindView}
	audit := s.audit(r, action, "")
	body := func(v View) ([]byte, error) {
		v.Revision = 0
		return json.Marshal(v)
	}
	var err error
	if was != nil {
		write.ID, write.Expect = was.ID, was.Revision
		if audit.Before, err = body(*was); err != nil {
			return problem.Internal(err)
		}
	}
	if v == nil {
		write.Delete = true
	} else {
		write.ID = v.ID
		if write.Body, err = body(*v); err != nil {
			return problem.Internal(err)
		}
		audit.After = write.Body
	}
	audit.Object = "view:" + write.ID
	if err := s.commit(r.Context(), "views", []store.Write{write}, audit); err != nil {
		return err
	}
	if v != nil {
		v.Revision = write.Expect + 1
	}
	return nil
}
