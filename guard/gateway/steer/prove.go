// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/ledger"
)

// subject names a data set in statements.
const subject = "data-set"

// statement begins one about an instance. What makes its ID is what makes it one deed:
// the same deed tried again is the same statement.
func (s *Steer) statement(kind custody.Kind, r *instance.Record, deed, user, reason string, detail map[string]any) custody.Statement {
	id := fmt.Sprintf("%s/%s/%d/%d/%s", s.d.Name, r.Sender.Association, r.Number, r.Revision, deed)
	var subjects []custody.Subject
	if sum, err := hex.DecodeString(r.DataSet); err == nil && len(sum) == sha256.Size {
		subjects = append(subjects, custody.SHA256(subject, [sha256.Size]byte(sum)))
	}
	st := custody.New(kind, id, s.now().UTC(), subjects...)
	p := &st.Predicate
	p.Site, p.Theatre, p.Device, p.Reason = s.d.Site, r.Sender.Theatre, r.Sender.Device, reason
	p.Actor = custody.Actor{Software: s.d.Software, User: user}
	p.Detail = detail
	return st
}

// record puts a statement into the ledger and returns what the instance's record keeps of
// it. Without a ledger there is nothing to keep.
func (s *Steer) record(ctx context.Context, st custody.Statement) (*instance.Entry, error) {
	if s.d.Ledger == nil {
		return nil, nil
	}
	byOrder(ctx, &st)
	e, err := s.d.Ledger.Record(ctx, st)
	if errors.Is(err, ledger.ErrConflict) {
		// The same deed was recorded before, at another moment, and not carried out.
		return s.recorded(ctx, &st)
	}
	var invalid *custody.Invalid
	if errors.As(err, &invalid) {
		return nil, &control.Refused{Code: control.Invalid, What: "the ledger does not take that: " + invalid.Error(), Tip: "write the reason in plain words"}
	}
	if err != nil {
		return nil, s.unrecorded(err)
	}
	return &instance.Entry{Index: e.Index, Kind: string(st.Kind()), At: e.Recorded.UTC()}, nil
}

// byOrder adds by whose order something is done, where it came as one: an auditor sees
// which console's key it was.
func byOrder(ctx context.Context, st *custody.Statement) {
	v, ok := control.OrderOf(ctx)
	if !ok {
		return
	}
	st.Predicate.Actor.Certificate = v.Certificate
	st.Predicate.Detail["order"] = v.Digest
}

// recorded finds the entry that has the ID of a statement already.
func (s *Steer) recorded(ctx context.Context, st *custody.Statement) (*instance.Entry, error) {
	q := ledger.Query{Kind: st.Kind(), Limit: 1000}
	if len(st.Subject) > 0 {
		q.Digest = st.Subject[0].Digest["sha256"]
	}
	list, err := s.d.Ledger.Find(ctx, q)
	if err != nil {
		return nil, s.unrecorded(err)
	}
	i := slices.IndexFunc(list, func(e ledger.Entry) bool { return e.Statement.Predicate.ID == st.Predicate.ID })
	if i < 0 {
		return nil, s.unrecorded(ledger.ErrConflict)
	}
	return &instance.Entry{Index: list[i].Index, Kind: string(st.Kind()), At: list[i].Recorded.UTC()}, nil
}

// unrecorded is why nothing is done that the ledger cannot keep.
func (s *Steer) unrecorded(err error) error {
	s.log.Error("a deed was not carried out, because the ledger did not record it", "why", err)
	return &control.Refused{Code: control.Unavailable, What: "the gateway’s ledger does not record: " + err.Error(), Tip: "nothing was done; see to the ledger first"}
}

// configured records that a text that governs the gateway is about to change.
func (s *Steer) configured(ctx context.Context, what string, before, after []byte, user string) error {
	if s.d.Ledger == nil {
		return nil
	}
	was, sum := sha256.Sum256(before), sha256.Sum256(after)
	id := fmt.Sprintf("%s/%s/%x/%x/%d", s.d.Name, what, was[:8], sum[:8], s.now().UnixNano())
	st := custody.New(custody.Configuration, id, s.now().UTC(), custody.SHA256(what, sum))
	p := &st.Predicate
	p.Site, p.Actor = s.d.Site, custody.Actor{Software: s.d.Software, User: user}
	p.Detail = map[string]any{"what": "gateway/" + s.d.Name + "/" + what, "action": "set", "before": hex.EncodeToString(was[:])}
	byOrder(ctx, &st)
	if _, err := s.d.Ledger.Record(ctx, st); err != nil {
		return s.unrecorded(err)
	}
	return nil
}

// Ledger implements control.Proof.
func (s *Steer) Ledger(context.Context) (control.LedgerState, error) {
	var out control.LedgerState
	if s.d.Ledger == nil {
		return out, nil
	}
	st, err := s.d.Ledger.Status()
	if err != nil {
		return out, refused(err)
	}
	out.Origin, out.Size, out.Published, out.Witnessed, out.Problem = st.Origin, st.Size, st.Published.Size, st.Witnessed.Size, st.Audit.Problem
	if st.Required == 0 {
		out.Witnessed = 0 // no witness is asked for: nothing is witnessed
	}
	if out.Trust, err = s.d.Ledger.TrustFile(); err != nil {
		return out, refused(err)
	}
	return out, nil
}

// Entries implements control.Proof.
func (s *Steer) Entries(ctx context.Context, q control.EntryQuery) ([]ledger.Entry, error) {
	if s.d.Ledger == nil {
		return nil, nil
	}
	if q.Digest != "" {
		list, err := s.d.Ledger.Find(ctx, ledger.Query{Digest: q.Digest, Limit: control.MaxEntries})
		slices.Reverse(list)
		return list, refused(err)
	}
	var out []ledger.Entry
	for _, i := range ordered(q.Indexes) {
		e, err := s.d.Ledger.Entry(i)
		if err != nil {
			return nil, refused(err)
		}
		out = append(out, e)
	}
	return out, nil
}

// ordered are indexes in their order, each once, as many as are answered.
func ordered(list []uint64) []uint64 {
	list = slices.Clone(list)
	slices.Sort(list)
	list = slices.Compact(list)
	return list[:min(len(list), control.MaxEntries)]
}

// Receipts implements control.Proof.
func (s *Steer) Receipts(ctx context.Context, indexes []uint64) ([]control.Receipt, error) {
	if s.d.Ledger == nil {
		return nil, nil
	}
	var out []control.Receipt
	for _, i := range ordered(indexes) {
		e, err := s.d.Ledger.Entry(i)
		if err != nil {
			return nil, refused(err)
		}
		state := e.State
		if state == ledger.Recorded {
			continue
		}
		file, err := s.d.Ledger.Receipt(ctx, i, state)
		if errors.Is(err, ledger.ErrNotYet) {
			continue
		}
		if err != nil {
			return nil, refused(err)
		}
		out = append(out, control.Receipt{Index: i, State: state, File: file})
	}
	return out, nil
}
