// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Rules that are the gateway's own, not the firewall's.
const (
	ruleFirewall  = "gateway.firewall-failed"
	ruleUnrouted  = "gateway.no-route"
	ruleLedger    = "gateway.ledger-failed"
	ruleSanitiser = "gateway.sanitising-failed"
	ruleAtOnce    = "gateway.duplicate-at-once"
)

// Store implements instance.Ingest.
func (g *Gateway) Store(ctx context.Context, a instance.Arrival, data io.Reader) (instance.Outcome, error) {
	out, err := g.take(ctx, a, data)
	if err != nil {
		return out, err
	}
	g.counts.instance(&out)
	if g.d.Watch != nil {
		g.d.Watch.Instance(a, out)
	}
	g.judgedOnWeb(&a, &out)
	r := &out.Record
	if dimse.Status(out.Status).Category() == dimse.Failure || r.Verdict > instance.Pass {
		g.log.Info(became(r), "rules", met(r, maxMet), "status", dimse.Status(out.Status).String(), "comment", out.Comment, "number", r.Number, "state", string(r.State), "verdict", r.Verdict.String(), "device", a.Sender.Device, "association", a.Sender.Association)
	}
	return out, nil
}

// became says what became of an instance that did not simply pass.
func became(r *instance.Record) string {
	switch r.State {
	case instance.Quarantined:
		return "an instance is held in quarantine"
	case instance.Replaced:
		return "an instance was sanitised: its copy goes on, and the original is held"
	case instance.Refused:
		return "an instance was refused"
	case instance.Accepted, instance.Released, instance.Destroyed:
	}
	return "an instance was flagged, and goes on"
}

// maxMet is how many rules are named in a line of a log.
const maxMet = 8

// met are the names of the rules that met, those of the highest verdict first, each once.
func met(r *instance.Record, most int) []string {
	var out []string
	for v := instance.Refuse; v > instance.Pass; v-- {
		for _, h := range r.Hits {
			if h.Verdict == v && len(out) < most && !slices.Contains(out, h.Rule) {
				out = append(out, h.Rule)
			}
		}
	}
	return out
}

// no is the outcome of an instance of which nothing is kept.
func no(status dimse.Status, why string) instance.Outcome {
	return instance.Outcome{Record: instance.Record{State: instance.Refused}, Status: uint16(status), Comment: comment(why)}
}

// full is the answer of a journal that takes nothing: the sender tries again later.
func (g *Gateway) full(err error) instance.Outcome {
	if errors.Is(err, instance.ErrFull) {
		g.working(err)
		return no(statusResources, "the gateway's disk is almost full")
	}
	g.working(err)
	g.log.Error("the journal failed", "why", err, "hint", hintOf(err))
	return no(statusResources, "the gateway's journal failed")
}

// take reads an instance and decides over it.
func (g *Gateway) take(ctx context.Context, a instance.Arrival, data io.Reader) (instance.Outcome, error) {
	draft, err := g.d.Vault.Create(ctx)
	if err != nil {
		return g.full(err), nil
	}
	defer draft.Discard()
	// From its number on: what is kept of how far the books are must not go beyond what is still on its way.
	number, ours := draft.Number(), true
	g.books.begin(number)
	defer func() {
		if ours {
			g.books.forget(number)
		}
	}()
	began := g.now()
	in := &intake{draft: draft, digest: newDigester(), inspect: begin(g.d.Firewall, a)}
	defer in.digest.close()
	if err := in.read(data); err != nil {
		if in.full != nil {
			return g.full(in.full), nil
		}
		return instance.Outcome{}, err
	}
	// From here on nobody else decides over this SOP instance.
	release, err := g.claims.take(ctx, a.SOPInstance)
	if err != nil {
		return instance.Outcome{}, err
	}
	defer release()
	result, policy, failed := in.inspect.finish()
	r := g.record(&a, &result, policy)
	r.Number, r.Bytes = draft.Number(), in.digest.n
	sum := in.digest.Sum()
	r.DataSet = hex.EncodeToString(sum[:])
	list, err := g.d.Vault.BySOP(ctx, r.SOPInstance)
	if err != nil {
		g.log.Warn("whether an instance is there already is not known; it is taken as new", "why", err)
	}
	if out, again := g.again(ctx, &a, &r, list); again {
		return out, nil
	}
	if failed == nil && r.Verdict < instance.Quarantine && other(&r, list, began) {
		r.Verdict = instance.Quarantine
		r.Hits = append(r.Hits[:len(r.Hits):len(r.Hits)], instance.Hit{Rule: ruleAtOnce, Verdict: instance.Quarantine, Why: "The same SOP instance UID came at the same time with other content."})
	}
	d := &decision{g: g, a: &a, result: &result, draft: draft, r: r}
	out, err := d.decide(ctx, failed)
	ours = err != nil
	if err == nil && g.d.Queries != nil && dimse.Status(out.Status).Category() != dimse.Failure {
		g.d.Queries.Kept(a, out.Record) // held and sanitised ones too: whoever asked for them is told what did not arrive
	}
	return out, err
}

// record makes the record of an instance, without any identifier of a patient.
func (g *Gateway) record(a *instance.Arrival, x *instance.Result, policy string) instance.Record {
	h := &x.Header
	r := instance.Record{Received: g.now().UTC(), Sender: a.Sender, SOPClass: a.SOPClass, SOPInstance: a.SOPInstance, TransferSyntax: a.TransferSyntax,
		Preamble: instance.PreambleOf(a.Preamble), Case: a.Case, Study: uid(h.Study), Series: uid(h.Series), Modality: dicom.Modality(h.Modality), Verdict: x.Verdict, Hits: x.Hits, MoreHits: x.More, Policy: policy}
	id := h.PatientID
	if id != "" && h.Issuer != "" {
		id += "^^^" + h.Issuer // as the sensor writes it, so that both see one patient
	}
	r.Patient, r.Accession = g.d.Key.Of(pseudonym.PatientID, id), g.d.Key.Of(pseudonym.Accession, h.Accession)
	if g.cfg.Ingest.Descriptions {
		r.Description = h.StudyDescription
	}
	if x.Pixel.Pixels {
		r.Pixel = hex.EncodeToString(x.Pixel.Pixel[:])
	}
	if list, _ := g.moved(a); len(list) > 0 {
		r.MovedTo = list[0].Destination
	}
	return r
}

// uid returns s if it is one.
func uid(s string) string {
	if dicom.ValidUID(s) {
		return s
	}
	return ""
}

// again finds out whether the same instance with the same content is there already.
func (g *Gateway) again(ctx context.Context, a *instance.Arrival, r *instance.Record, list []instance.Record) (instance.Outcome, bool) {
	if _, moved := g.moved(a); moved {
		return instance.Outcome{}, false // somebody asked for it, and must get it
	}
	for i := len(list) - 1; i >= 0; i-- {
		was := &list[i]
		if was.DataSet != r.DataSet || was.TransferSyntax != r.TransferSyntax || was.Original != 0 || was.State == instance.Destroyed || was.State == instance.Refused {
			continue
		}
		if was.State != instance.Quarantined && r.Received.Sub(was.Received) > g.cfg.Ingest.Repeat {
			return instance.Outcome{}, false
		}
		goes := was // what is on its way
		if was.Copy != 0 {
			made, err := g.d.Vault.Get(ctx, was.Copy)
			if err != nil || made.State == instance.Refused {
				return instance.Outcome{}, false // a crash came between the two, or the copy was taken back
			}
			goes = &made
		}
		if !g.settle(ctx, was) {
			return no(statusResources, "the gateway's ledger does not record"), true
		}
		g.revive(ctx, goes)
		status, text := g.answer(was)
		return instance.Outcome{Record: *was, Again: true, Status: uint16(status), Comment: text}, true
	}
	return instance.Outcome{}, false
}

// other reports whether the same instance with other content was kept while this one was being received: the firewall,
// which asks when an instance begins, cannot have known of it.
func other(r *instance.Record, list []instance.Record, began time.Time) bool {
	return slices.ContainsFunc(list, func(was instance.Record) bool {
		return was.DataSet != r.DataSet && was.TransferSyntax == r.TransferSyntax && was.Original == 0 && was.State != instance.Destroyed && was.Received.After(began)
	})
}

// settle sees that the ledger knows an instance that was sealed before, as the answer will promise.
func (g *Gateway) settle(ctx context.Context, was *instance.Record) bool {
	if told(was) || g.passes(was.Deliveries) {
		return true
	}
	list, err := g.statements(was, nil)
	if err != nil {
		return false
	}
	entries, err := g.books.record(ctx, list, false)
	if err != nil {
		return false
	}
	g.books.write(was.Number, entries)
	return true
}

// revive tries again to deliver what was given up: whoever sends an instance again wants it there.
func (g *Gateway) revive(ctx context.Context, was *instance.Record) {
	dead := false
	for _, d := range was.Deliveries {
		dead = dead || d.State == instance.Dead
	}
	if !dead {
		return
	}
	_, err := g.d.Vault.Change(ctx, was.Number, func(r *instance.Record) error {
		for i := range r.Deliveries {
			if d := &r.Deliveries[i]; d.State == instance.Dead {
				d.State, d.Attempts = instance.Waiting, 0
			}
		}
		return nil
	})
	if err != nil {
		g.log.Warn("an instance that was sent again could not be queued again", "number", was.Number, "why", err)
		return
	}
	g.d.Router.Wake()
}

// answer says what a sender is told of an instance that is kept.
func (g *Gateway) answer(r *instance.Record) (status dimse.Status, text string) {
	if r.State != instance.Quarantined {
		return 0, ""
	}
	if r.MovedTo != "" {
		// The archive that sends it keeps its own whatever it hears, and some give up the rest of a C-MOVE with the
		// first failure. Who asked for the C-MOVE is told: there it counts as failed.
		return 0, ""
	}
	switch g.cfg.Ingest.Quarantine {
	case AnswerSuccess:
		return 0, ""
	case AnswerWarning:
		return statusDiscarded, "held for review"
	}
	return statusNotAuthorised, "held for review"
}

// passes reports whether the instance may go on though the ledger failed.
func (d *decision) passes() bool {
	return d.g.passes(d.r.Deliveries) || d.g.d.Queries != nil && d.a.Sender.Way == instance.DIMSE && d.g.d.Queries.Open(*d.a)
}

// passes reports whether deliveries may go on though ledger or firewall failed: all of their routes must be open.
func (g *Gateway) passes(list []instance.Delivery) bool {
	for _, d := range list {
		if !g.d.Router.Open(d.Route) {
			return false
		}
	}
	return len(list) > 0
}

// moved returns the deliveries of an instance that somebody's C-MOVE asked for.
func (g *Gateway) moved(a *instance.Arrival) ([]instance.Delivery, bool) {
	if g.d.Queries == nil || a.Sender.Way != instance.DIMSE {
		return nil, false
	}
	return g.d.Queries.Moved(*a)
}
