// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/recorder"
)

// Bounds of a theatre.
const (
	maxVLANs    = 64
	maxPrefixes = 64
	maxName     = 100 // characters
	maxNote     = 500
)

var theatreID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)

func theatreOf(d store.Document) (Theatre, error) {
	var t Theatre
	if err := json.Unmarshal(d.Body, &t); err != nil {
		return t, err
	}
	t.ID, t.Revision = d.ID, d.Revision
	t.VLANs, t.Prefixes = orEmpty(t.VLANs), orEmpty(t.Prefixes)
	t.State = cmp.Or(t.State, string(theatre.Idle))
	t.Since = cmp.Or(t.Since, stamp(d.Changed))
	t.Name = cmp.Or(t.Name, t.ID)
	return t, nil
}

// document is a theatre as it is kept.
func (t Theatre) document() ([]byte, error) {
	return json.Marshal(recorder.Theatre{ID: t.ID, Name: t.Name, Order: t.Order, Building: t.Building, Contact: t.Contact, VLANs: orEmpty(t.VLANs), Prefixes: orEmpty(t.Prefixes),
		State: theatre.State(t.State), Since: t.Since, Source: t.Source, Site: t.Site})
}

func (s *Server) loadTheatre(ctx context.Context, id string) (Theatre, error) {
	if !theatreID.MatchString(id) {
		return Theatre{}, problem.NotFound("There is no theatre with this ID.")
	}
	d, err := s.dep.Store.Document(ctx, kindTheatre, id)
	if errors.Is(err, store.ErrNotFound) {
		return Theatre{}, problem.NotFound("There is no theatre with this ID.")
	}
	if err != nil {
		return Theatre{}, err
	}
	return theatreOf(d)
}

func (s *Server) getTheatres(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	site := p.text("site", maxName)
	if err := p.end(); err != nil {
		return err
	}
	world, err := s.world(r.Context(), site)
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, orEmpty(world.theatres))
}

func (s *Server) getTheatre(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	t, err := s.loadTheatre(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, t)
}

// theatreRequest is what a person says about a theatre. What is read back with it
// (state, since, source) is taken and does not count: the state of a case is
// changed at its own address.
type theatreRequest struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Order    *int     `json:"order"`
	Building string   `json:"building"`
	Contact  string   `json:"contact"`
	VLANs    []uint16 `json:"vlans"`
	Prefixes []string `json:"prefixes"`
	State    string   `json:"state"`
	Since    string   `json:"since"`
	Source   string   `json:"source"`
	Site     *string  `json:"site"` // without it, the one that it is at
	Revision uint64   `json:"revision"`
}

// check brings a request into order or says what is wrong with it. others are the
// theatres that there are besides, site is where it is unless the request says so, and
// sites are those that there are.
func (q *theatreRequest) check(others []Theatre, site string, sites []recorder.Site) (Theatre, []problem.Field) {
	var wrong []problem.Field
	fail := func(field, hint, format string, args ...any) {
		wrong = append(wrong, problem.Field{Field: field, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	t := Theatre{ID: q.ID, Site: site, VLANs: slices.Clone(orEmpty(q.VLANs)), Prefixes: []string{}}
	if q.Site != nil && *q.Site != "" {
		at := slices.IndexFunc(sites, func(s recorder.Site) bool { return s.Name == *q.Site })
		if at < 0 {
			fail("site", "", "is no site that has been heard of")
		} else {
			t.Site = where(sites[at])
		}
	} else if q.Site != nil {
		t.Site = ""
	}
	if q.Order != nil {
		t.Order = *q.Order
		if t.Order < -100_000 || t.Order > 100_000 {
			fail("order", "", "must be from -100000 to 100000")
		}
	}
	line := func(field, v string, most int) string {
		v = strings.TrimSpace(v)
		if utf8.RuneCountInString(v) > most {
			fail(field, "", "is longer than %d characters", most)
		}
		if strings.IndexFunc(v, func(c rune) bool { return !unicode.IsPrint(c) }) >= 0 {
			fail(field, "", "has characters that cannot be shown")
		}
		return v
	}
	t.Name, t.Building, t.Contact = line("name", q.Name, maxName), line("building", q.Building, maxName), line("contact", q.Contact, 200)
	if t.Name == "" {
		fail("name", "", "is needed")
	}
	if len(t.VLANs) > maxVLANs {
		fail("vlans", "", "has more than %d values", maxVLANs)
		return t, wrong
	}
	if len(q.Prefixes) > maxPrefixes {
		fail("prefixes", "", "has more than %d values", maxPrefixes)
		return t, wrong
	}
	for i, v := range t.VLANs {
		if v < 1 || v > 4094 {
			fail(fmt.Sprintf("vlans[%d]", i), "", "must be from 1 to 4094")
		}
		for _, o := range others {
			if o.Site == t.Site && slices.Contains(o.VLANs, v) {
				fail(fmt.Sprintf("vlans[%d]", i), "a VLAN of several rooms belongs to none: use prefixes, or assign its devices by hand", "belongs to %s already", o.ID)
			}
		}
	}
	for i, text := range q.Prefixes {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			if a, aerr := netip.ParseAddr(strings.TrimSpace(text)); aerr == nil {
				p, err = a.Prefix(a.BitLen())
			}
		}
		if err != nil {
			fail(fmt.Sprintf("prefixes[%d]", i), "for example 10.20.3.0/24", "is not a network")
			continue
		}
		if p.Masked() != p {
			fail(fmt.Sprintf("prefixes[%d]", i), "did you mean "+p.Masked().String()+"?", "has bits beyond its length")
			continue
		}
		for _, o := range others {
			if o.Site == t.Site && slices.Contains(o.Prefixes, p.String()) {
				fail(fmt.Sprintf("prefixes[%d]", i), "", "belongs to %s already", o.ID)
			}
		}
		t.Prefixes = append(t.Prefixes, p.String())
	}
	slices.Sort(t.VLANs)
	t.VLANs = slices.Compact(t.VLANs)
	return t, wrong
}

// postTheatre makes a theatre. Without an ID it is made from the name.
func (s *Server) postTheatre(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[theatreRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	docs, err := documents(r.Context(), s.dep.Store, kindTheatre, maxTheatres)
	if err != nil {
		return err
	}
	if len(docs) >= maxTheatres {
		return problem.Conflict(fmt.Sprintf("There are %d theatres already, which is the most.", maxTheatres), "")
	}
	others, last := readTheatres(docs)
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	t, wrong := q.check(others, "", world.sites)
	if q.ID == "" {
		t.ID = slug(t.Name, func(id string) bool {
			return !slices.ContainsFunc(others, func(o Theatre) bool { return strings.EqualFold(o.ID, id) })
		})
	}
	if !theatreID.MatchString(t.ID) {
		wrong = append(wrong, problem.Field{Field: "id", Message: "must be at most 32 letters, digits, points, dashes and underscores", Hint: "as on the door: OR-3"})
	} else if slices.ContainsFunc(others, func(o Theatre) bool { return strings.EqualFold(o.ID, t.ID) }) {
		return problem.Conflict("There is a theatre with this ID.", "choose another one, or change that theatre with PUT")
	}
	if len(wrong) > 0 {
		return fields(wrong)
	}
	if q.Order == nil {
		t.Order = last + 1
	}
	t.State, t.Since, t.Source = string(theatre.Idle), stamp(s.now().UnixNano()), personOf(r)
	if err := s.commitTheatre(r, "theatre.create", nil, &t, ""); err != nil {
		return err
	}
	w.Header().Set("Location", prefix+"/theatres/"+t.ID)
	return send(w, r, http.StatusCreated, t)
}

func readTheatres(docs []store.Document) (out []Theatre, last int) {
	for _, d := range docs {
		if t, err := theatreOf(d); err == nil {
			out = append(out, t)
			last = max(last, t.Order)
		}
	}
	return out, last
}

func without(l []Theatre, id string) []Theatre {
	return slices.DeleteFunc(slices.Clone(l), func(t Theatre) bool { return t.ID == id })
}

// putTheatre changes a theatre that is still as it was read.
func (s *Server) putTheatre(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[theatreRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	id := r.PathValue("id")
	was, err := s.loadTheatre(r.Context(), id)
	if err != nil {
		return err
	}
	docs, err := documents(r.Context(), s.dep.Store, kindTheatre, maxTheatres)
	if err != nil {
		return err
	}
	others, _ := readTheatres(docs)
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	t, wrong := q.check(without(others, id), was.Site, world.sites)
	if q.ID != "" && q.ID != id {
		wrong = append(wrong, problem.Field{Field: "id", Message: "cannot be changed", Hint: "make a theatre with the new ID, and remove this one"})
	}
	if q.Revision == 0 {
		wrong = append(wrong, problem.Field{Field: "revision", Message: "is needed: the one that was read"})
	}
	if len(wrong) > 0 {
		return fields(wrong)
	}
	if q.Revision != was.Revision {
		return changedMeanwhile("theatre", q.Revision, was.Revision, was)
	}
	if q.Order == nil {
		t.Order = was.Order
	}
	t.ID, t.State, t.Since, t.Source, t.Revision = id, was.State, was.Since, was.Source, was.Revision
	if err := s.commitTheatre(r, "theatre.change", &was, &t, ""); err != nil {
		return err
	}
	return send(w, r, http.StatusOK, t)
}

// deleteTheatre removes a theatre. Devices that people assigned to it are given
// back to observation first; those that are there by VLAN or address follow by
// themselves.
func (s *Server) deleteTheatre(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	revision := p.number("revision", 1, 1<<31, 0)
	if err := p.end(); err != nil {
		return err
	}
	was, err := s.loadTheatre(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if revision == 0 {
		return fields([]problem.Field{{Field: "revision", Message: "is needed: the one that was read", Hint: "DELETE " + prefix + "/theatres/" + was.ID + "?revision=" + fmt.Sprint(was.Revision)}})
	}
	if uint64(revision) != was.Revision {
		return changedMeanwhile("theatre", uint64(revision), was.Revision, was)
	}
	if was.State == string(theatre.InCase) {
		return problem.Conflict("A case is running in this theatre.", "set its state to idle first")
	}
	if err := s.unassign(r, was.ID); err != nil {
		return err
	}
	if err := s.commitTheatre(r, "theatre.remove", &was, nil, ""); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// unassign takes back what people assigned to a theatre.
func (s *Server) unassign(r *http.Request, id string) error {
	edits, err := s.askEdits(r.Context(), "")
	if err != nil {
		return err
	}
	last := map[string]inventory.Edit{}
	for _, e := range edits {
		if e.Kind == inventory.EditTheatre && e.UndoneBy == "" {
			last[e.Device] = e
		}
	}
	for _, e := range last {
		if e.Value != id {
			continue
		}
		if _, err := s.ask(r, recorder.EditRequest{Kind: string(inventory.EditTheatre), Device: e.Device}); err != nil {
			if problem.From(err).Status == http.StatusNotFound {
				continue // the device is no more
			}
			return err
		}
	}
	return nil
}

// putTheatreState sets what goes on in a theatre.
func (s *Server) putTheatreState(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		State string `json:"state"`
		Note  string `json:"note"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	var wrong []problem.Field
	if !theatre.State(q.State).Valid() {
		wrong = append(wrong, problem.Field{Field: "state", Message: "must be one of idle, in-case, maintenance", Hint: didYouMean(q.State, []string{"idle", "in-case", "maintenance"})})
	}
	note := strings.TrimSpace(q.Note)
	if utf8.RuneCountInString(note) > maxNote {
		wrong = append(wrong, problem.Field{Field: "note", Message: fmt.Sprintf("is longer than %d characters", maxNote)})
	}
	if len(wrong) > 0 {
		return fields(wrong)
	}
	for try := 0; ; try++ {
		was, err := s.loadTheatre(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		if was.State == q.State {
			return send(w, r, http.StatusOK, was) // it is so already: since when and by whom stays true
		}
		t := was
		t.State, t.Since, t.Source = q.State, stamp(s.now().UnixNano()), personOf(r)
		err = s.commitTheatre(r, "theatre.state", &was, &t, note)
		if errors.Is(err, store.ErrConflict) && try < 5 {
			continue // somebody changed something else about the room
		}
		if err != nil {
			return err
		}
		return send(w, r, http.StatusOK, t)
	}
}

// commitTheatre writes a theatre with its entry in the audit trail. was is nil for a
// new one, t for one that is removed.
func (s *Server) commitTheatre(r *http.Request, action string, was, t *Theatre, note string) error {
	write := store.Write{Kind: kindTheatre}
	audit := s.audit(r, action, "")
	audit.Note = note
	if was != nil {
		body, err := was.document()
		if err != nil {
			return err
		}
		write.ID, write.Expect, audit.Before = was.ID, was.Revision, body
	}
	if t == nil {
		write.Delete = true
	} else {
		body, err := t.document()
		if err != nil {
			return err
		}
		write.ID, write.Body, audit.After = t.ID, body, body
	}
	audit.Object = "theatre:" + write.ID
	if err := s.commit(r.Context(), "theatres", []store.Write{write}, audit); err != nil {
		return err
	}
	if t != nil {
		t.Revision = write.Expect + 1
	}
	return nil
}

// commit writes, and lets everybody know.
func (s *Server) commit(ctx context.Context, what string, writes []store.Write, audit ...store.Audit) error {
	if err := s.dep.Store.Commit(ctx, writes, audit...); err != nil {
		return err
	}
	s.know.changed()
	s.tell(what)
	return nil
}

// audit begins an entry of the audit trail for a request.
func (s *Server) audit(r *http.Request, action, object string) store.Audit {
	a := store.Audit{Time: s.now().UnixNano(), Action: action, Object: object, Result: "done", From: clientAddr(r)}
	if who, ok := access.ActorOf(r.Context()); ok {
		a.Who = who.AuditName()
		if who.From.IsValid() {
			a.From = who.From.String()
		}
	}
	return a
}

// personOf is how a change by hand is attributed.
func personOf(r *http.Request) string {
	who, _ := access.ActorOf(r.Context())
	return "person:" + who.Name
}

// fields is a request whose values are not right.
func fields(wrong []problem.Field) *problem.Problem {
	if len(wrong) == 1 {
		return problem.BadRequest("One field is not right.", "", wrong...)
	}
	return problem.BadRequest(fmt.Sprintf("%d fields are not right.", len(wrong)), "", wrong...)
}

// changedMeanwhile says that somebody else changed a thing, and what it is now.
func changedMeanwhile(what string, had, has uint64, now any) *problem.Problem {
	detail := fmt.Sprintf("This %s was changed by someone else meanwhile: it is at revision %d, not %d.", what, has, had)
	if b, err := json.Marshal(now); err == nil && len(b) <= 4096 {
		detail += " It is now: " + string(b)
	}
	return problem.Conflict(detail, "load it again, look at what is new, and repeat the change").Coded(problem.RevisionConflict)
}

// slug makes an ID of a name that is not taken yet.
func slug(name string, free func(string) bool) string {
	var b strings.Builder
	for _, c := range name {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 24 {
			break
		}
	}
	base := strings.TrimLeft(strings.TrimRight(b.String(), "-"), "._")
	if base == "" {
		base = "room"
	}
	id := base
	for n := 2; !free(id); n++ {
		id = fmt.Sprintf("%s-%d", base, n)
	}
	return id
}
