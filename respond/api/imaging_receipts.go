// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/respond/problem"
)

// maxOfSOP bounds how many instances of one SOP instance UID are answered: there is one,
// unless senders reuse UIDs.
const maxOfSOP = 100

// artefactAt finds the records that a path asks for: by the SOP instance UID under
// which an instance came or went, or by the SHA-256 of its data set.
func (s *Server) artefactAt(r *http.Request, g *gateway) ([]instance.Record, []ledger.Entry, error) {
	what := r.PathValue("artefact")
	if b, err := hex.DecodeString(what); err == nil && len(b) == 32 {
		entries, err := g.Entries(r.Context(), control.EntryQuery{Digest: lower(what)})
		if err != nil {
			return nil, nil, imagingProblem(err)
		}
		if len(entries) == 0 {
			return nil, nil, problem.NotFound("The gateway's ledger knows nothing of a data set with this content.")
		}
		// Under another content it may have come, or gone to others: that is its story too. What is not indexed yet is
		// left out, as the entries that were asked for are there.
		records, err := g.Instances(r.Context(), instance.Query{SHA256: lower(what), Limit: maxOfSOP})
		var no *control.Refused
		if err != nil && (!errors.As(err, &no) || no.Code != control.Unavailable) {
			return nil, nil, imagingProblem(err)
		}
		others, err := entriesOf(r.Context(), g, records...)
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, others...)
		slices.SortFunc(entries, func(a, b ledger.Entry) int { return cmp.Compare(a.Index, b.Index) })
		return records, slices.CompactFunc(entries, func(a, b ledger.Entry) bool { return a.Index == b.Index }), nil
	}
	if !isUID(what) {
		return nil, nil, problem.BadRequest("Receipts are asked for by a SOP instance UID, or by the SHA-256 of a data set.", "asepsis dicom dump FILE shows the UID")
	}
	records, err := g.Instances(r.Context(), instance.Query{SOPInstance: what, Limit: maxOfSOP})
	if err != nil {
		return nil, nil, imagingProblem(err)
	}
	if len(records) == 0 {
		return nil, nil, problem.NotFound("The gateway knows no instance with this UID.")
	}
	entries, err := entriesOf(r.Context(), g, records...)
	if err != nil {
		return nil, nil, err
	}
	return records, entries, nil
}

func (s *Server) getReceipts(w http.ResponseWriter, r *http.Request) error {
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	records, entries, err := s.artefactAt(r, &g)
	if err != nil {
		return err
	}
	pr, err := proofOf(r.Context(), &g)
	if err != nil {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	out := ImagingReceipts{Artefact: r.PathValue("artefact"), Receipts: []ImagingReceipt{}}
	number := map[uint64]uint64{}
	destination := map[uint64]string{}
	for i := range records {
		for _, e := range records[i].Entries {
			number[e.Index], destination[e.Index] = records[i].Number, e.Destination
		}
	}
	for i := range entries {
		e := &entries[i]
		v := world.entry(e)
		x := ImagingReceipt{Entry: e.Index, Kind: v.Kind, At: e.Statement.Predicate.Time.UTC(), State: pr.of(e.Index), Number: number[e.Index], Destination: destination[e.Index], Sentence: v.Sentence}
		x.DataSet = dataSetOf(&e.Statement)
		if x.State != string(ledger.Recorded) {
			x.Receipt = g.link("/imaging/entries/" + strconv.FormatUint(e.Index, 10) + "/receipt")
		}
		out.Receipts = append(out.Receipts, x)
	}
	return send(w, r, http.StatusOK, out)
}

// dataSetOf is the SHA-256 of the data set that a statement is about; of an alteration, of
// what came of it.
func dataSetOf(st *custody.Statement) string {
	for _, name := range []string{"after", "data-set"} {
		for _, x := range st.Subject {
			if x.Name == name {
				return x.Digest["sha256"]
			}
		}
	}
	return ""
}

// getImagingReceipt gives the receipt of an entry of the gateway's ledger.
func (s *Server) getImagingReceipt(w http.ResponseWriter, r *http.Request) error {
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	index, err := strconv.ParseUint(r.PathValue("index"), 10, 53)
	if err != nil {
		return problem.NotFound("No entry has this index.")
	}
	found, err := g.Receipts(r.Context(), []uint64{index})
	if err != nil {
		return imagingProblem(err)
	}
	if len(found) == 0 {
		if _, err := g.Entries(r.Context(), control.EntryQuery{Indexes: []uint64{index}}); err != nil {
			return imagingProblem(err)
		}
		return problem.Conflict("The entry is recorded, but no checkpoint covers it yet.", "try again in a few seconds")
	}
	return download(w, r, "receipt-"+strconv.FormatUint(index, 10)+".json", found[0].File)
}

func (s *Server) getImagingTrust(w http.ResponseWriter, r *http.Request) error {
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	pr, err := proofOf(r.Context(), &g)
	if err != nil {
		return err
	}
	if len(pr.Trust) == 0 {
		return problem.NotFound("The gateway writes no ledger.")
	}
	return download(w, r, "trust.json", pr.Trust)
}

// studyRecords returns a study's records, newest first, at most most of them.
func studyRecords(ctx context.Context, g *gateway, study string, before uint64, most int) (out []instance.Record, more bool, err error) {
	for len(out) < most {
		n := min(most-len(out), 1000)
		part, err := g.Instances(ctx, instance.Query{Study: study, Before: before, Limit: n})
		if err != nil {
			return nil, false, imagingProblem(err)
		}
		out = append(out, part...)
		if len(part) < n {
			return out, false, nil
		}
		before = part[len(part)-1].Number
	}
	rest, err := g.Instances(ctx, instance.Query{Study: study, Before: before, Limit: 1})
	if err != nil {
		return nil, false, imagingProblem(err)
	}
	return out, len(rest) > 0, nil
}

// byReceipt orders records as a reader of a bundle expects: oldest first.
func byReceipt(list []instance.Record) []instance.Record {
	slices.SortFunc(list, func(a, b instance.Record) int { return cmp.Compare(a.Number, b.Number) })
	return list
}
