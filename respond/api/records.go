// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/respond/problem"
)

// postRecord keeps an operation record. It is recorded, durably, when the answer comes;
// the same record again gives the first answer.
func (s *Server) postRecord(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return problem.New(http.StatusUnsupportedMediaType, "A record is JSON.", "send Content-Type: application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, ledger.MaxRecord+1))
	if err != nil {
		return problem.BadRequest("The record could not be read to its end.", "send it again, with the same id")
	}
	if len(body) > ledger.MaxRecord {
		return problem.TooLarge(ledger.MaxRecord)
	}
	rec, err := ledger.ParseRecord(body)
	if err != nil {
		return recordProblem(err)
	}
	rec.Site = cmp.Or(rec.Site, SiteOf(r.Context(), s.dep.Store).ID)
	if rec.Time.IsZero() {
		rec.Time = s.now()
	}
	e, err := s.dep.Records.Put(r.Context(), custody.Actor{Software: "asepsis/api", User: s.audit(r, "", "").Who}, rec)
	if err != nil {
		return recordProblem(err)
	}
	view, err := s.entryViews(r.Context(), []ledger.Entry{e})
	if err != nil {
		return err
	}
	at := prefix + "/ledger/entries/" + strconv.FormatUint(e.Index, 10)
	status := http.StatusCreated
	if e.Again {
		status = http.StatusOK
	}
	w.Header().Set("Location", at)
	return send(w, r, status, RecordAnswer{Entry: view[0], Receipt: at + "/receipt"})
}

// caseRequest names a case by its identifier, which goes into no address and no log.
type caseRequest struct {
	Case string `json:"case"`
}

func (s *Server) readCase(r *http.Request) (string, error) {
	q, p := problem.DecodeJSON[caseRequest](r, 4<<10)
	if p != nil {
		return "", p
	}
	if q.Case = strings.TrimSpace(q.Case); q.Case == "" || len(q.Case) > custody.MaxName {
		return "", fields([]problem.Field{{Field: "case", Message: "must have 1 to 256 bytes"}})
	}
	return q.Case, nil
}

// postFindCase gives the commitment by which the entries of a case are found. Who can say
// the case's identifier learns whether there are records of it, so it is in the audit trail.
func (s *Server) postFindCase(w http.ResponseWriter, r *http.Request) error {
	id, err := s.readCase(r)
	if err != nil {
		return err
	}
	c, err := s.dep.Records.Case(id)
	if errors.Is(err, ledger.ErrNotFound) || errors.Is(err, ledger.ErrErased) {
		return problem.NotFound("Nothing was recorded of this case, or its identifiers were erased.")
	}
	if err != nil {
		return ledgerProblem(err)
	}
	if err := s.dep.Store.Commit(r.Context(), nil, s.audit(r, "ledger.case.find", string(c))); err != nil {
		return err
	}
	return send(w, r, http.StatusOK, LedgerFoundCase{Case: string(c)})
}

// postEraseCase makes what identifies the people of a case meaningless for ever. Entries
// and receipts stay valid.
func (s *Server) postEraseCase(w http.ResponseWriter, r *http.Request) error {
	id, err := s.readCase(r)
	if err != nil {
		return err
	}
	c, err := s.dep.Records.Case(id)
	if err == nil {
		var had bool
		if had, err = s.dep.Records.Erase(id); err == nil && !had {
			err = ledger.ErrNotFound
		}
	}
	if errors.Is(err, ledger.ErrNotFound) || errors.Is(err, ledger.ErrErased) {
		return problem.NotFound("Nothing was recorded of this case, or its identifiers were erased before.")
	}
	if err != nil {
		return ledgerProblem(err)
	}
	if err := s.dep.Store.Commit(r.Context(), nil, s.audit(r, "ledger.case.erase", string(c))); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// recordProblem names fields as the request has them.
func recordProblem(err error) error {
	var bad *ledger.RecordError
	if errors.As(err, &bad) {
		return problem.BadRequest("The record is refused: "+bad.Why+".", bad.Hint())
	}
	err = ledgerProblem(err)
	var p *problem.Problem
	if errors.As(err, &p) && len(p.Errors) > 0 {
		for i := range p.Errors {
			at := strings.TrimPrefix(p.Errors[i].Field, "predicate.")
			p.Errors[i].Field = strings.Replace(at, "detail", "data", 1)
		}
		p.Detail = "The record is refused."
	}
	return err
}
