// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/prove/receipt"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
)

// Ledger is what the API needs of the ledger.
type Ledger interface {
	ledger.Recorder
	Status() (ledger.Status, error)
	Find(ctx context.Context, q ledger.Query) ([]ledger.Entry, error)
	Entry(index uint64) (ledger.Entry, error)
	Receipt(ctx context.Context, index uint64, want ledger.State) ([]byte, error)
	TrustFile() ([]byte, error)
	// Check reads the whole log again and compares it with what was signed.
	Check(ctx context.Context) (ledger.Report, error)
}

// ledgerRoutes are what GET /ledger and below answer. They are there also when no ledger
// runs, and say so.
func (s *Server) ledgerRoutes(add func(method, path string, need access.Permission, h handler) *route) {
	with := func(h handler) handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			if s.dep.Ledger == nil {
				p := problem.NotFound("No ledger runs here.")
				p.Hint = "asepsis up runs one; a console by itself has none"
				return p
			}
			return h(w, r)
		}
	}
	add("GET", "/ledger", access.Read, with(s.getLedger))
	add("GET", "/ledger/entries", access.Read, with(s.getLedgerEntries))
	add("GET", "/ledger/entries/{index}", access.Read, with(s.getLedgerEntry))
	add("GET", "/ledger/entries/{index}/receipt", access.Read, with(s.getReceipt))
	add("GET", "/ledger/trust", access.Read, with(s.getLedgerTrust))
	add("GET", "/ledger/artefacts/{sha256}", access.Read, with(s.getArtefact))
	add("POST", "/ledger/check", access.SettingsEdit, with(s.postLedgerCheck)).long = true
	add("POST", "/ledger/cases/find", access.Read, with(s.postFindCase))
	add("POST", "/ledger/cases/erase", access.SettingsEdit, with(s.postEraseCase))
	add("POST", "/records", access.RecordWrite, with(s.postRecord))
}

func (s *Server) getLedger(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	st, err := s.dep.Ledger.Status()
	if err != nil {
		return ledgerProblem(err)
	}
	out := LedgerStatus{
		Origin: st.Origin, Size: st.Size, Integrated: st.Integrated, Required: st.Required, Published: checkpointOf(st.Published), Witnessed: checkpointOf(st.Witnessed), Witnesses: []LedgerWitness{},
		Unwitnessed: st.Unwitnessed, UnwitnessedSince: momentText(st.UnwitnessedSince), PerMinute: st.PerMinute,
		Audit: LedgerAudit{Checked: st.Audit.Checked, Last: momentText(st.Audit.Last), Problem: st.Audit.Problem},
		Alarm: !st.UnwitnessedSince.IsZero() && s.now().Sub(st.UnwitnessedSince) > s.dep.UnwitnessedAlarm,
	}
	if st.Audit.Checked == 0 {
		out.Audit.Last = "" // it looked, and there was nothing to read yet
	}
	for _, x := range st.Witnesses {
		out.Witnesses = append(out.Witnesses, LedgerWitness{Name: x.Name, URL: x.URL, Size: x.Size, Last: momentText(x.Last), Error: x.Error, Failed: momentText(x.Failed)})
	}
	return send(w, r, http.StatusOK, out)
}

func checkpointOf(c ledger.Checkpoint) LedgerCheckpoint {
	return LedgerCheckpoint{Size: c.Size, Root: c.Root, Time: momentText(c.Time)}
}

// momentText is "" for a time that is not known.
func momentText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (s *Server) getLedgerEntries(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q := ledger.Query{
		Digest: p.hash("digest"), Hash: p.hash("hash"), Device: p.text("device", custody.MaxName), Theatre: p.text("theatre", custody.MaxName),
		Kind: custody.Kind(p.choice("kind", kindNames()...)), Limit: p.number("limit", 1, 200, 50),
		Case: custody.Commitment(p.text("case", 128)),
	}
	if q.Case != "" && !q.Case.Valid() {
		p.fail("case", "a case is asked for by its commitment, as an entry shows it", "is no commitment")
	}
	if from := p.time("from"); from != 0 {
		q.From = time.Unix(0, from)
	}
	if to := p.time("to"); to != 0 {
		q.To = time.Unix(0, to)
	}
	if b := p.text("before", 20); b != "" {
		n, err := strconv.ParseUint(b, 10, 53)
		if err != nil || n == 0 {
			p.fail("before", "pass on what the page before gave", "is no index")
		}
		q.Before = n
	}
	if err := p.end(); err != nil {
		return err
	}
	q.Limit++ // one more tells whether there is a next page
	list, err := s.dep.Ledger.Find(r.Context(), q)
	if err != nil {
		return ledgerProblem(err)
	}
	out := LedgerEntries{}
	if len(list) == q.Limit {
		list = list[:q.Limit-1]
		if next := list[len(list)-1].Index; next > 0 {
			out.Before = &next
		}
	}
	if out.Entries, err = s.entryViews(r.Context(), list); err != nil {
		return err
	}
	return send(w, r, http.StatusOK, out)
}

// hash returns a SHA-256 in hexadecimal, lower case, "" when it is missing.
func (p *params) hash(name string) string {
	v := p.text(name, 64)
	if b, err := hex.DecodeString(v); v != "" && (err != nil || len(b) != 32) {
		p.fail(name, "sha256sum FILE prints it", "is no SHA-256 in hexadecimal")
		return ""
	}
	return lower(v)
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'F' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func kindNames() []string {
	var out []string
	for _, k := range custody.Kinds() {
		out = append(out, string(k))
	}
	return out
}

// entryAt reads the index of a path.
func (s *Server) entryAt(r *http.Request) (ledger.Entry, error) {
	n, err := strconv.ParseUint(r.PathValue("index"), 10, 53)
	if err != nil {
		return ledger.Entry{}, problem.NotFound("No entry has this index.")
	}
	e, err := s.dep.Ledger.Entry(n)
	if err != nil {
		return e, ledgerProblem(err)
	}
	return e, nil
}

func (s *Server) getLedgerEntry(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	e, err := s.entryAt(r)
	if err != nil {
		return err
	}
	out, err := s.entryViews(r.Context(), []ledger.Entry{e})
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, out[0])
}

// getReceipt gives the file that anybody can verify offline.
func (s *Server) getReceipt(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	state := ledger.State(p.choice("state", string(ledger.Witnessed), string(ledger.Published)))
	if err := p.end(); err != nil {
		return err
	}
	e, err := s.entryAt(r)
	if err != nil {
		return err
	}
	if state == "" {
		state = ledger.Published
		if e.State == ledger.Witnessed {
			state = ledger.Witnessed
		}
	}
	file, err := s.dep.Ledger.Receipt(r.Context(), e.Index, state)
	if err != nil {
		return ledgerProblem(err)
	}
	return download(w, r, "receipt-"+strconv.FormatUint(e.Index, 10)+".json", file)
}

// download gives a JSON file, byte by byte as it is.
func download(w http.ResponseWriter, r *http.Request, name string, file []byte) error {
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Cache-Control", "no-store")
	sendBytes(w, r, http.StatusOK, file, nil)
	return nil
}

func (s *Server) getLedgerTrust(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	file, err := s.dep.Ledger.TrustFile()
	if err != nil {
		return ledgerProblem(err)
	}
	return download(w, r, "trust.json", file)
}

// maxLife bounds how much of an artefact's life is answered at once.
const maxLife = 500

func (s *Server) getArtefact(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	sum := lower(r.PathValue("sha256"))
	if b, err := hex.DecodeString(sum); err != nil || len(b) != 32 {
		return problem.BadRequest("An artefact is asked for by its SHA-256 in hexadecimal.", "sha256sum FILE prints it")
	}
	list, err := s.dep.Ledger.Find(r.Context(), ledger.Query{Digest: sum, Limit: maxLife})
	if err != nil {
		return ledgerProblem(err)
	}
	slices.Reverse(list)
	out := LedgerArtefact{SHA256: sum}
	out.Custody, out.Why = s.custodyOf(list)
	if out.Entries, err = s.entryViews(r.Context(), list); err != nil {
		return err
	}
	return send(w, r, http.StatusOK, out)
}

// The custody states of an artefact, as the console shows them.
const (
	custodyVerified   = "verified"
	custodyUnverified = "unverified"
	custodyBroken     = "broken"
)

// custodyOf judges an artefact's life. It is broken when the log itself is; it is
// verified when how it came is known and every entry about it is covered by a signature.
func (s *Server) custodyOf(list []ledger.Entry) (state, why string) {
	if st, err := s.dep.Ledger.Status(); err != nil || st.Audit.Problem != "" {
		return custodyBroken, "The ledger found that it is damaged. What it says about this artefact cannot be relied on."
	}
	if len(list) == 0 {
		return custodyUnverified, "The ledger knows nothing of an artefact with this content."
	}
	came := slices.ContainsFunc(list, func(e ledger.Entry) bool {
		k := e.Statement.Kind()
		return k != custody.Forwarded && k != custody.Displayed && k != custody.Decision
	})
	open := slices.ContainsFunc(list, func(e ledger.Entry) bool { return e.State == ledger.Recorded })
	witnessed := !slices.ContainsFunc(list, func(e ledger.Entry) bool { return e.State != ledger.Witnessed })
	switch {
	case !came:
		return custodyUnverified, "The ledger knows where it went, and not how it came."
	case open:
		return custodyUnverified, "The newest of its entries is recorded; the next checkpoint will cover it."
	case witnessed:
		return custodyVerified, "All that is known of it is in checkpoints that witnesses signed."
	}
	return custodyVerified, "All that is known of it is in signed checkpoints; witnesses have not signed all of them."
}

func (s *Server) postLedgerCheck(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	if !s.checking.CompareAndSwap(false, true) {
		return problem.Conflict("The ledger is being checked already.", "wait for its end")
	}
	defer s.checking.Store(false)
	report, err := s.dep.Ledger.Check(r.Context())
	if err != nil {
		return ledgerProblem(err)
	}
	out := LedgerCheck{Checked: report.Size}
	if len(report.Problems) > 0 {
		out.Problem = report.Problems[0].Where + ": " + report.Problems[0].What
	}
	audit := s.audit(r, "ledger.check", "ledger")
	if out.Problem != "" {
		audit.Result, audit.Note = "failed", "the ledger is damaged"
	}
	if err := s.dep.Store.Commit(r.Context(), nil, audit); err != nil {
		return err
	}
	return send(w, r, http.StatusOK, out)
}

// ledgerProblem turns an error of the ledger into an answer.
func ledgerProblem(err error) error {
	var hint interface{ Hint() string }
	help := ""
	if errors.As(err, &hint) {
		help = hint.Hint()
	}
	var invalid *custody.Invalid
	var bad *receipt.Error
	switch {
	case errors.As(err, &invalid):
		return problem.BadRequest("The statement is refused.", help, problem.Field{Field: invalid.Path, Message: invalid.Why})
	case errors.Is(err, ledger.ErrNotFound):
		return problem.NotFound("No entry has this index.")
	case errors.Is(err, ledger.ErrNotYet):
		return problem.Conflict("The entry is recorded, but no checkpoint of that kind covers it yet.", help)
	case errors.Is(err, ledger.ErrConflict):
		return problem.Conflict("This ID is already that of another statement.", help)
	case errors.Is(err, ledger.ErrFull):
		return problem.New(http.StatusInsufficientStorage, "The ledger’s disk is full. Nothing that was confirmed is lost.", help)
	case errors.Is(err, ledger.ErrBusy):
		return problem.Unavailable("Too many statements wait to be recorded.", help, time.Second, err)
	case errors.Is(err, ledger.ErrClosed):
		return problem.Unavailable("The ledger does not take statements now.", help, 5*time.Second, err)
	case errors.Is(err, ledger.ErrDamaged), errors.As(err, &bad):
		return problem.New(http.StatusInternalServerError, "The ledger is damaged: what it holds cannot be relied on.", "asepsis ledger fsck says what and where")
	}
	return err
}

// rawStatement is a statement as it is in the log.
func rawStatement(st *custody.Statement) json.RawMessage {
	b, err := st.Canonical()
	if err != nil {
		// Written by a later version: shown as far as it is understood.
		b, _ = json.Marshal(st)
	}
	return b
}
