// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// decision is an instance that was read whole, on its way to an answer.
type decision struct {
	g      *Gateway
	a      *instance.Arrival
	result *instance.Result
	draft  instance.Draft
	r      instance.Record
}

// decide keeps the instance as its verdict says. failed is why the firewall has none.
func (d *decision) decide(ctx context.Context, failed error) (instance.Outcome, error) {
	if failed != nil {
		return d.uninspected(ctx, failed)
	}
	d.g.working(nil)
	switch d.r.Verdict {
	case instance.Refuse:
		return d.refuse(ctx, d.result.Status, d.result.Comment)
	case instance.Quarantine:
		return d.hold(ctx)
	case instance.Sanitise:
		return d.sanitise(ctx)
	case instance.Pass, instance.Flag:
	}
	return d.accept(ctx)
}

// whyUnrecorded is what a sender is told whose instance goes a route that fails closed.
const whyUnrecorded = "the gateway's ledger does not record"

func unrecorded() instance.Hit {
	return instance.Hit{Rule: ruleLedger, Verdict: instance.Refuse, Why: "The ledger did not record it, and its route fails closed."}
}

// accept sends it on its way.
func (d *decision) accept(ctx context.Context) (instance.Outcome, error) {
	d.r.State = instance.Accepted
	var nowhere bool
	if d.r.Deliveries, nowhere = d.route(&d.r, d.a); nowhere {
		d.r.Hits = append(d.r.Hits[:len(d.r.Hits):len(d.r.Hits)], instance.Hit{Rule: ruleUnrouted, Verdict: instance.Refuse, Why: "No route takes it."})
		d.r.Deliveries = nil
		return d.refuse(ctx, statusNotAuthorised, "no route of the gateway takes this")
	}
	if d.g.books.closed(false) != nil && !d.passes() {
		// It would be taken back at once: whoever tries again and again must not fill the disk with that.
		d.r.Hits, d.r.Deliveries = append(d.r.Hits[:len(d.r.Hits):len(d.r.Hits)], unrecorded()), nil
		return d.refuse(ctx, statusResources, whyUnrecorded)
	}
	out, err := d.keep(ctx)
	if err == nil && dimse.Status(out.Status).Category() != dimse.Failure {
		d.g.d.Router.Wake()
	}
	return out, err
}

// route says where it goes: where a C-MOVE or C-GET asked for it, else by the routes. nowhere means that
// nobody takes it and it must not be taken.
func (d *decision) route(r *instance.Record, a *instance.Arrival) (list []instance.Delivery, nowhere bool) {
	if list, moved := d.g.moved(a); moved {
		return list, false
	}
	list = d.g.d.Router.Route(*r, *a, d.result.Header)
	return list, len(list) == 0 && d.g.cfg.Ingest.Unrouted == UnroutedRefuse
}

// hold keeps it in quarantine.
func (d *decision) hold(ctx context.Context) (instance.Outcome, error) {
	if d.g.crowded(&d.r) {
		d.overfull()
		return d.refuse(ctx, statusResources, whyShare)
	}
	d.r.State = instance.Quarantined
	return d.keep(ctx)
}

// uninspected is for an instance over which the firewall failed: the routes' fail decides.
func (d *decision) uninspected(ctx context.Context, failed error) (instance.Outcome, error) {
	g := d.g
	g.working(failed)
	g.counts.fault()
	g.log.Error("the content firewall failed over an instance", "why", failed, "sop_class", d.r.SOPClass, "device", d.a.Sender.Device, "association", d.a.Sender.Association)
	d.result.Header.SOPClass, d.result.Header.SOPInstance = d.a.SOPClass, d.a.SOPInstance
	list, _ := d.route(&d.r, d.a)
	open := g.passes(list)
	if _, moved := g.moved(d.a); moved { // a retrieval's route is open for what the ledger missed, not for what nobody inspected
		open = false
	}
	d.r.Verdict = instance.Refuse
	if open {
		d.r.Verdict = instance.Flag
	}
	d.r.Policy = g.d.Firewall.Policy()
	d.r.Hits = []instance.Hit{{Rule: ruleFirewall, Verdict: d.r.Verdict, Why: "The content firewall failed over it; nothing was inspected."}}
	if !open {
		return d.refuse(ctx, statusResources, "the content firewall failed")
	}
	d.r.State, d.r.Deliveries = instance.Accepted, list
	out, err := d.keep(ctx)
	g.d.Router.Wake()
	return out, err
}

// refuse keeps only the record.
func (d *decision) refuse(ctx context.Context, status dimse.Status, why string) (instance.Outcome, error) {
	d.r.State = instance.Refused
	if status.Category() != dimse.Failure {
		status = statusNotAuthorised
	}
	d.g.books.begin(d.r.Number)
	r, err := d.draft.Seal(ctx, d.r)
	if err != nil { // to refuse it needs no disk
		d.g.books.forget(d.r.Number)
		d.g.log.Error("the journal could not keep the record of an instance that was refused", "why", err)
		return instance.Outcome{Record: d.r, Status: uint16(status), Comment: comment(why)}, nil
	}
	d.tellLater(ctx, &r)
	return instance.Outcome{Record: r, Status: uint16(status), Comment: comment(why)}, nil
}

// tellLater tells the ledger, and owes it where that fails: no answer depends on it.
func (d *decision) tellLater(ctx context.Context, r *instance.Record) {
	list, err := d.g.statements(r, nil)
	if err == nil {
		var entries []instance.Entry
		if entries, err = d.g.books.record(ctx, list, true); err == nil {
			d.g.books.write(r.Number, entries)
			return
		}
	}
	d.g.books.owe(r.Number)
}

// keep makes the instance durable in the journal and its statements in the ledger, both at once, and answers.
func (d *decision) keep(ctx context.Context) (instance.Outcome, error) {
	g := d.g
	list, err := g.statements(&d.r, nil)
	if err != nil {
		return instance.Outcome{}, err
	}
	g.books.begin(d.r.Number)
	hold(&d.r)
	var (
		entries []instance.Entry
		unsaid  error
		told    sync.WaitGroup
	)
	open := d.r.State == instance.Quarantined || d.passes()
	told.Go(func() { entries, unsaid = g.books.record(ctx, list, open) })
	r, err := d.draft.Seal(ctx, d.r)
	told.Wait()
	if err != nil {
		g.books.forget(d.r.Number)
		return g.full(err), nil
	}
	return d.kept(ctx, r, entries, unsaid)
}

// kept answers for an instance that is in the journal.
func (d *decision) kept(ctx context.Context, r instance.Record, entries []instance.Entry, unsaid error) (instance.Outcome, error) {
	g := d.g
	if unsaid == nil {
		r.Entries = entries
		g.books.write(r.Number, entries)
		status, text := g.answer(&r)
		return instance.Outcome{Record: r, Status: uint16(status), Comment: text}, nil
	}
	g.books.owe(r.Number)
	if r.State == instance.Quarantined || d.passes() {
		// Nothing in quarantine goes anywhere: to keep it is safe, and safer than to have it come again.
		if len(r.Deliveries) > 0 {
			freed, err := g.d.Vault.Change(ctx, r.Number, func(r *instance.Record) error { unhold(r); return nil })
			if err != nil {
				return g.full(err), nil
			}
			r = freed
			g.d.Router.Wake()
		}
		status, text := g.answer(&r)
		return instance.Outcome{Record: r, Status: uint16(status), Comment: text}, nil
	}
	was, err := g.d.Vault.Change(ctx, r.Number, func(r *instance.Record) error {
		r.State, r.Deliveries = instance.Refused, nil
		r.Hits = append(r.Hits, unrecorded())
		return nil
	})
	if err != nil {
		// It is in the journal and may go on once the ledger knows it. The sender is told that it failed, and sends it again.
		g.log.Error("the journal could not take an instance back", "number", r.Number, "why", err)
		was = r
	}
	return instance.Outcome{Record: was, Status: uint16(statusResources), Comment: whyUnrecorded}, nil
}

// sanitise makes the harmless copy, and keeps the original in quarantine beside it.
func (d *decision) sanitise(ctx context.Context) (instance.Outcome, error) {
	if d.g.crowded(&d.r) { // the original would be held
		d.overfull()
		return d.refuse(ctx, statusResources, whyShare)
	}
	copied, err := d.copy(ctx)
	if err != nil {
		d.g.log.Error("an instance could not be sanitised; it is held", "why", err, "sop_class", d.r.SOPClass, "association", d.a.Sender.Association)
		d.r.Verdict = instance.Quarantine
		d.r.Hits = append(d.r.Hits[:len(d.r.Hits):len(d.r.Hits)], instance.Hit{Rule: ruleSanitiser, Verdict: instance.Quarantine, Why: "No harmless copy could be made of it."})
		return d.hold(ctx)
	}
	defer copied.draft.Discard()
	ours := true
	defer func() {
		if ours {
			d.g.books.forget(copied.r.Number)
		}
	}()
	var nowhere bool
	if copied.r.Deliveries, nowhere = copied.route(&copied.r, copied.a); nowhere {
		d.r.Hits = append(d.r.Hits[:len(d.r.Hits):len(d.r.Hits)], instance.Hit{Rule: ruleUnrouted, Verdict: instance.Refuse, Why: "No route takes it."})
		return d.refuse(ctx, statusNotAuthorised, "no route of the gateway takes this")
	}
	d.r.State, d.r.Copy = instance.Replaced, copied.r.Number
	copied.r.State, copied.r.Original = instance.Accepted, d.r.Number
	out, err := d.both(ctx, copied)
	ours = err != nil
	return out, err
}

// both keeps original and copy.
func (d *decision) both(ctx context.Context, c *decision) (instance.Outcome, error) {
	g := d.g
	first, err := g.statements(&d.r, nil)
	if err != nil {
		return instance.Outcome{}, err
	}
	second, err := g.statements(&c.r, &d.r)
	if err != nil {
		return instance.Outcome{}, err
	}
	g.books.begin(d.r.Number)
	g.books.begin(c.r.Number)
	hold(&c.r)
	var (
		entries, more []instance.Entry
		unsaid        error
		together      sync.WaitGroup
		copied        instance.Record
		copyErr       error
	)
	open := c.passes()
	together.Go(func() {
		if entries, unsaid = g.books.record(ctx, first, open); unsaid == nil {
			more, unsaid = g.books.record(ctx, second, open)
		}
	})
	together.Go(func() { copied, copyErr = c.draft.Seal(ctx, c.r) })
	r, err := d.draft.Seal(ctx, d.r)
	together.Wait()
	if copyErr != nil || err != nil {
		g.books.forget(d.r.Number)
		g.books.forget(c.r.Number)
		for _, n := range []struct {
			err error
			r   *instance.Record
		}{{err, &r}, {copyErr, &copied}} { // the one without the other must go nowhere
			if n.err == nil {
				_, _ = g.d.Vault.Change(ctx, n.r.Number, func(r *instance.Record) error { r.State, r.Deliveries = instance.Refused, nil; return nil })
			} else {
				err = n.err
			}
		}
		return g.full(err), nil
	}
	out, err := c.kept(ctx, copied, more, unsaid)
	if err != nil {
		return out, err
	}
	if unsaid == nil {
		r.Entries = entries
		g.books.write(r.Number, entries)
	} else {
		g.books.owe(r.Number)
	}
	if dimse.Status(out.Status).Category() == dimse.Failure {
		r = d.takeBack(ctx, r)
	} else {
		g.d.Router.Wake()
	}
	out.Record = r
	return out, nil
}

// takeBack refuses an original whose copy goes nowhere after all: when it is sent again it must not be taken for one
// that was acknowledged.
func (d *decision) takeBack(ctx context.Context, r instance.Record) instance.Record {
	was, err := d.g.d.Vault.Change(ctx, r.Number, func(r *instance.Record) error { r.State, r.Deliveries = instance.Refused, nil; return nil })
	if err != nil { // again looks at the copy too
		d.g.log.Error("the journal could not take an instance back", "number", r.Number, "why", err)
		return r
	}
	return was
}

// copy makes the sanitised copy and has it inspected.
func (d *decision) copy(ctx context.Context) (*decision, error) {
	draft, err := d.g.d.Vault.Create(ctx)
	if err != nil {
		return nil, err
	}
	c := &decision{g: d.g, draft: draft}
	d.g.books.begin(draft.Number())
	if err := d.rewrite(c); err != nil {
		d.g.books.forget(draft.Number())
		draft.Discard()
		return nil, err
	}
	return c, nil
}

func (d *decision) rewrite(c *decision) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: BUG: %T", errFirewall, p)
		}
	}()
	src, err := d.draft.Content()
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	hash := newDigester()
	defer hash.close()
	change, err := d.g.d.Firewall.Sanitiser(*d.a, *d.result).Transform(io.MultiWriter(c.draft, hash), src, d.a.TransferSyntax)
	if err != nil {
		return err
	}
	a := *d.a
	a.SOPInstance, a.TransferSyntax, a.Preamble = change.SOPInstance, change.TransferSyntax, nil
	made, err := c.draft.Content()
	if err != nil {
		return err
	}
	defer func() { _ = made.Close() }()
	x := begin(d.g.d.Firewall, a)
	if _, err := io.Copy(x, io.NewSectionReader(made, 0, made.Size())); err != nil {
		return err
	}
	result, policy, err := x.finish()
	if err != nil {
		return err
	}
	if result.Verdict > instance.Flag {
		return fmt.Errorf("the copy has the verdict %s", result.Verdict)
	}
	sum := hash.Sum()
	if d.result.Pixel.Pixels && (!result.Pixel.Pixels || !bytes.Equal(result.Pixel.Pixel[:], d.result.Pixel.Pixel[:])) {
		return fmt.Errorf("the copy has other pixels")
	}
	c.a, c.result = &a, &result
	c.r = d.g.record(&a, &result, policy)
	c.r.Number, c.r.Bytes, c.r.DataSet = c.draft.Number(), hash.n, hex.EncodeToString(sum[:])
	return nil
}
