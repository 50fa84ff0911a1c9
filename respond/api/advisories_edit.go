// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/rand"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/advisory"
)

// postDecision keeps what a person decided about an advisory.
func (s *Server) postDecision(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		Device        string   `json:"device"`
		Vendor        string   `json:"vendor"`
		Model         string   `json:"model"`
		CVEs          []string `json:"cves"`
		Status        string   `json:"status"`
		Justification string   `json:"justification"`
		Reason        string   `json:"reason"`
		Until         string   `json:"until"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	v, world, err := s.advisories(r)
	if err != nil {
		return err
	}
	a, ok := v.shelf.Base.Advisory(r.PathValue("id"))
	if !ok {
		return noAdvisory()
	}
	now := s.now()
	d := advisory.Decision{ID: strings.ToLower(rand.Text()), Advisory: a.ID, Device: q.Device, Vendor: strings.TrimSpace(q.Vendor), Model: strings.TrimSpace(q.Model), CVEs: q.CVEs,
		Status: advisory.Status(q.Status), Justification: q.Justification, Reason: strings.TrimSpace(q.Reason), At: now.UnixNano()}
	var wrong []problem.Field
	if q.Until != "" {
		if d.Until, ok = dayOrTime(q.Until, now); !ok {
			wrong = append(wrong, problem.Field{Field: "until", Message: "is neither a time nor a day", Hint: "for example 2027-03-31"})
		}
	}
	if d.Device != "" {
		if row, known := world.row(d.Device); known {
			d.Device = row.ID
		} else {
			wrong = append(wrong, problem.Field{Field: "device", Message: "names no device"})
		}
	}
	for _, c := range d.CVEs {
		if !slices.ContainsFunc(a.Vulnerabilities, func(k advisory.Vulnerability) bool { return k.CVE == c }) {
			wrong = append(wrong, problem.Field{Field: "cves", Message: "names a CVE that is not of this advisory"})
			break
		}
	}
	wrong = append(wrong, decisionFields(d.Validate(now))...)
	if len(wrong) > 0 {
		return fields(wrong)
	}
	if len(v.shelf.Decisions) >= advisory.MaxDecisions {
		return problem.Conflict("There are too many decisions.", "remove some that have expired")
	}
	audit := s.audit(r, "advisory.decide", "advisory:"+a.ID)
	d.Who, audit.Note = audit.Who, d.Reason
	write, err := advisory.DecisionWrite(d, 0)
	if err != nil {
		return problem.Internal(err)
	}
	audit.After = write.Body
	if err := s.commit(r.Context(), "findings", []store.Write{write, advisory.Changed()}, audit); err != nil {
		return err
	}
	d.Revision = 1
	w.Header().Set("Location", prefix+"/advisories/"+a.ID+"/decisions/"+d.ID)
	return send(w, r, http.StatusCreated, decisionOf(&d, now))
}

// dayOrTime reads when something ends: a time, or the end of a day.
func dayOrTime(s string, now time.Time) (int64, bool) {
	if t, err := time.ParseInLocation(time.DateOnly, s, time.UTC); err == nil {
		return t.Add(24 * time.Hour).UnixNano(), true
	}
	return parseTime(s, now)
}

func decisionFields(err error) []problem.Field {
	if err == nil {
		return nil
	}
	var out []problem.Field
	list := []error{err}
	if j, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // joined errors are asked for their parts
		list = j.Unwrap()
	}
	for _, e := range list {
		var f *advisory.FieldError
		if errors.As(e, &f) {
			out = append(out, problem.Field{Field: f.Field, Message: f.What, Hint: f.Help})
		}
	}
	return out
}

// deleteDecision takes a decision back. What was found counts again.
func (s *Server) deleteDecision(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	revision := p.number("revision", 1, 1<<31, 0)
	if err := p.end(); err != nil {
		return err
	}
	v, _, err := s.advisories(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	at := slices.IndexFunc(v.decisions[id], func(d advisory.Decision) bool { return d.ID == r.PathValue("decision") })
	if at < 0 {
		return problem.NotFound("There is no decision with this ID about this advisory.")
	}
	d := v.decisions[id][at]
	if revision == 0 {
		return fields([]problem.Field{{Field: "revision", Message: "is needed: the one that was read"}})
	}
	if uint64(revision) != d.Revision {
		return changedMeanwhile("decision", uint64(revision), d.Revision, decisionOf(&d, s.now()))
	}
	was, err := advisory.DecisionWrite(d, d.Revision)
	if err != nil {
		return problem.Internal(err)
	}
	audit := s.audit(r, "advisory.undecide", "advisory:"+id)
	audit.Before = was.Body
	gone := store.Write{Kind: advisory.KindDecision, ID: d.ID, Expect: d.Revision, Delete: true}
	if err := s.commit(r.Context(), "findings", []store.Write{gone, advisory.Changed()}, audit); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// postAdvisoryImport takes in a file: as a whole, or not at all.
func (s *Server) postAdvisoryImport(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	file := p.text("file", 200)
	about := advisory.Scope{Device: p.text("device", 256), Vendor: p.text("vendor", 200), Model: p.text("model", 200)}
	if (about.Vendor == "") != (about.Model == "") {
		p.fail("model", "", "and vendor belong together")
	}
	if about.Device != "" && about.Model != "" {
		p.fail("device", "", "and model are two scopes: one of them")
	}
	if err := p.end(); err != nil {
		return err
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || strings.HasPrefix(kind, "multipart/") {
		return problem.New(http.StatusUnsupportedMediaType, "The file is the body of the request.", "send it with Content-Type: application/octet-stream, or its own type; no form")
	}
	select {
	case s.exports <- struct{}{}: // it shares the slots of what takes long
		defer func() { <-s.exports }()
	default:
		return problem.Unavailable("Too many exports and imports are under way.", "try again when one of them is done", 30*time.Second, nil)
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.cfg.RequestTimeout))
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, advisory.MaxImport))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return problem.TooLarge(advisory.MaxImport)
		}
		return problem.BadRequest("The file did not arrive whole.", "send it again")
	}
	v, world, err := s.advisories(r)
	if err != nil {
		return err
	}
	if about.Device != "" {
		row, ok := world.row(about.Device)
		if !ok {
			return fields([]problem.Field{{Field: "device", Message: "names no device"}})
		}
		about.Device = row.ID
	}
	x, err := advisory.ReadImport(file, data, about)
	if err != nil {
		return importProblem(err)
	}
	out, err := s.keepImport(r, v, &x)
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, out)
}

// importProblem says what is wrong with a file. What it says of places in it comes from the
// reader, which names paths and lines, and repeats no more than short names.
func importProblem(err error) error {
	help := ""
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		help = h.Hint()
	}
	return problem.New(http.StatusUnprocessableEntity, "Nothing was imported. "+err.Error()+".", help)
}

func (s *Server) keepImport(r *http.Request, v *advisoryView, x *advisory.Import) (AdvisoryImport, error) {
	out := AdvisoryImport{ID: x.ID, Kind: x.Kind, Title: x.Title, Change: "added", NotUnderstood: []string{}}
	if x.Advisory != nil {
		for i := range x.Advisory.Products {
			if e := advisory.Understand(x.Advisory, i); !e.Understood() && len(out.NotUnderstood) < 100 {
				out.NotUnderstood = append(out.NotUnderstood, x.Advisory.Products[i].Text+": "+e.Why)
			}
		}
		out.Products, out.Vulnerabilities = len(x.Advisory.Products), len(x.Advisory.Vulnerabilities)
	}
	if x.SBOM != nil {
		out.Components = len(x.SBOM.Components)
	}
	if x.MDS2 != nil {
		out.Answers = len(x.MDS2.Answers)
	}
	audit := s.audit(r, "advisory.import", "import:"+x.ID)
	x.Who, x.At, audit.Note = audit.Who, s.now().UnixNano(), x.Kind+" "+x.File
	at := slices.IndexFunc(v.shelf.Imports, func(o advisory.Import) bool { return o.ID == x.ID })
	if at >= 0 {
		out.Change = "replaced"
		was := v.shelf.Imports[at]
		if was.Advisory != nil && x.Advisory != nil && was.Advisory.Updated > x.Advisory.Updated {
			return out, problem.Conflict("What is there is newer than this file.", "remove that first, if the older one is meant")
		}
	} else if len(v.shelf.Imports) >= advisory.MaxImports {
		return out, problem.Conflict("There are too many imports.", "remove some that are not needed any more")
	}
	write, err := advisory.ImportWrite(*x)
	if err != nil {
		return out, importProblem(err)
	}
	return out, s.commit(r.Context(), "findings", []store.Write{write, advisory.Changed()}, audit)
}

// deleteImport removes what was imported.
func (s *Server) deleteImport(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	id := r.PathValue("id")
	d, err := s.dep.Store.Document(r.Context(), advisory.KindImport, id)
	if errors.Is(err, store.ErrNotFound) || len(id) > 256 {
		return problem.NotFound("There is no import with this ID.")
	}
	if err != nil {
		return err
	}
	audit := s.audit(r, "advisory.import.remove", "import:"+id)
	if err := s.commit(r.Context(), "findings", []store.Write{{Kind: advisory.KindImport, ID: id, Expect: d.Revision, Delete: true}, advisory.Changed()}, audit); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// getAdvisoryExport sends the verdicts as VEX.
func (s *Server) getAdvisoryExport(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	format := p.choice("format", "openvex", "csaf")
	dev, id := p.text("device", 256), p.text("advisory", 200)
	if format == "" && len(p.fields) == 0 {
		p.fail("format", "", "is needed: openvex or csaf")
	}
	if err := p.end(); err != nil {
		return err
	}
	v, world, err := s.advisories(r)
	if err != nil {
		return err
	}
	if dev != "" {
		row, ok := world.row(dev)
		if !ok {
			return problem.NotFound("There is no device with this ID.")
		}
		dev = row.ID
	}
	var cases []advisory.Case
	for i := range world.devices {
		for _, x := range v.byDevice[world.devices[i].ID] {
			if dev != "" && x.dev.ID != dev || id != "" && x.Advisory != id {
				continue
			}
			cases = append(cases, advisory.Case{Device: x.dev, Match: x.Match, Decisions: v.decisions[x.Advisory]})
		}
	}
	who := advisory.Author{Name: world.settings.Site.Name, Version: s.dep.Version, Now: s.now()}
	make, ext := v.shelf.Base.OpenVEX, "openvex.json"
	if format == "csaf" {
		make, ext = v.shelf.Base.CSAFVEX, "csaf.json"
	}
	body, err := make(cases, who)
	if errors.Is(err, advisory.ErrNothing) {
		return problem.New(http.StatusUnprocessableEntity, "No advisory concerns what was asked for, and a CSAF document cannot say nothing.", "format=openvex can")
	}
	if err != nil {
		return err
	}
	audit := s.audit(r, "advisory.export", "advisories")
	audit.Note = "format " + format
	if err := s.dep.Store.Commit(r.Context(), nil, audit); err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", `attachment; filename="asepsis-`+s.now().UTC().Format("20060102T150405Z")+"."+ext+`"`)
	w.Header().Set("Cache-Control", "no-store")
	sendBytes(w, r, http.StatusOK, body, nil)
	return nil
}
