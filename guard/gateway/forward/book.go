// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/ledger"
)

// bookers write down outcomes, several at a time, so that they share the flushes of ledger and journal.
const bookers = 32

// ledgerWait is how long the ledger may take for one statement.
const ledgerWait = 10 * time.Second

// ledgerState is how the ledger is, as far as it was tried. While it does not record, owing alone tries it: neither
// do all who write something down wait for it one after the other, nor is anything sent to find out.
type ledgerState struct {
	mu  sync.Mutex
	err error
}

func (l *ledgerState) failed(err error) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = l.err == nil
	l.err = err
	return first
}

func (l *ledgerState) works() (again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	again = l.err != nil
	l.err = nil
	return again
}

// why is why the ledger does not record, nil when it does.
func (l *ledgerState) why() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (f *Forwarder) booking(ctx context.Context) {
	for o := range f.books {
		f.book(ctx, o)
	}
}

// book writes down what became of an attempt. The item belongs to the worker's queue again afterwards.
func (f *Forwarder) book(ctx context.Context, o *outcome) {
	d := o.d
	defer o.landed()
	var entries []instance.Entry
	var never bool
	if o.err == nil {
		rec, err := f.d.Vault.Get(ctx, o.it.number)
		if err == nil {
			v := instance.Delivery{Destination: d.cfg.Name, Route: routeOf(&rec, d.cfg.Name)}
			o.delivered(&v)
			if f.ledger.why() == nil { // what is not told is owed
				entries, err = f.tell(ctx, &rec, &v)
				never = errors.Is(err, errNever)
			}
		}
	}
	for tries := 1; ; tries++ {
		var done instance.Delivery
		rec, err := f.d.Vault.Change(ctx, o.it.number, func(r *instance.Record) error {
			v := deliveryTo(r, d.cfg.Name)
			if v == nil || v.State != instance.Waiting {
				return errNotWaiting
			}
			if o.err == nil {
				o.delivered(v)
				r.Entries = append(r.Entries, entries...)
				if d.cfg.Commitment || len(entries) == 0 && !never {
					v.Next = f.now().UTC() // something is awaited still
				}
			} else {
				d.missed(v, o)
			}
			done = *v
			return nil
		})
		switch {
		case err == nil:
			if o.err == nil && f.d.Sent != nil {
				f.d.Sent(rec, done)
			}
			if done.State == instance.Dead {
				d.log.Error("an instance was given up", "number", o.it.number, "why", done.Why, "hint", hintOf(o.err))
			}
			d.back(o.it) // where it still waits
			return
		case errors.Is(err, errNotWaiting), errors.Is(err, instance.ErrNotFound):
			d.lost(o.it)
			return
		}
		if tries == 1 {
			f.log.Error("the journal cannot note what became of a delivery; it is tried again", "number", o.it.number, "destination", d.cfg.Name, "why", err)
		}
		if !sleep(ctx, backoff(500*time.Millisecond, 10*time.Second, tries)) {
			o.slot = -1 // it stays in doubt
			d.back(o.it)
			return
		}
	}
}

var errNever = errors.New("the ledger does not take the statement")

var errNotWaiting = errors.New("the delivery does not wait any more")

func routeOf(r *instance.Record, destination string) string {
	if v := deliveryTo(r, destination); v != nil {
		return v.Route
	}
	return ""
}

// delivered writes a success into a delivery.
func (o *outcome) delivered(v *instance.Delivery) {
	v.State, v.At, v.Next, v.Why = instance.Delivered, o.at, time.Time{}, o.answer.warning()
	v.Attempts++
	o.formed(v)
	v.Status, v.TLS, v.Certificate = o.answer.status(), o.answer.TLS, o.answer.Certificate
}

func (o *outcome) formed(v *instance.Delivery) {
	if o.form.digest == "" {
		return
	}
	v.Forwarded, v.SOPInstance = o.form.digest, o.form.sop
	v.TransferSyntax, v.Bytes = "", 0
	if o.form.changed != "" {
		v.TransferSyntax, v.Bytes = o.form.syntax, o.form.size
	}
}

// missed writes a failure into a delivery.
func (d *destination) missed(v *instance.Delivery, o *outcome) {
	v.At, v.Why, v.Status = o.at, o.err.Error(), o.err.status
	if v.Attempts++; o.err.class == interrupted && !o.blamed && v.Attempts > 1 {
		v.Attempts-- // one says that it is in doubt
	}
	o.formed(v)
	o.it.attempts = v.Attempts
	if unwanted(o.err) {
		v.State, v.Next = instance.Dropped, time.Time{}
		return
	}
	if o.err.class == permanent || d.cfg.Attempts > 0 && v.Attempts >= d.cfg.Attempts {
		v.State, v.Next = instance.Dead, time.Time{}
		return
	}
	v.Next = d.f.now().Add(backoff(d.cfg.BackoffMin, d.cfg.BackoffMax, v.Attempts)).UTC()
	o.it.next = v.Next
}

// unwanted reports whether a copy for the destination was refused in a way of which its profile says
// that nobody need be asked: the destination goes without it.
func unwanted(err error) bool {
	var refusal interface{ Drop() bool }
	return errors.As(err, &refusal) && refusal.Drop()
}

// tell records the statements of a delivery. They depend on nothing but the record and the delivery, so that
// they are the same when they are made again.
func (f *Forwarder) tell(ctx context.Context, r *instance.Record, v *instance.Delivery) ([]instance.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, ledgerWait)
	defer cancel()
	var out []instance.Entry
	for _, s := range f.statements(r, v) {
		e, err := f.d.Ledger.Record(ctx, s)
		if err != nil {
			var invalid *custody.Invalid
			if errors.As(err, &invalid) || errors.Is(err, ledger.ErrConflict) {
				f.log.Error("BUG: the ledger does not take a statement", "number", r.Number, "destination", v.Destination, "why", err)
				return nil, errNever // telling it again would be no better
			}
			if first := f.ledger.failed(err); first {
				f.log.Error("the ledger does not record deliveries; routes that fail closed hold back, the others go on", "why", err, "hint", hintOf(err))
			}
			return nil, &unrecorded{err}
		}
		out = append(out, instance.Entry{Index: e.Index, Kind: string(s.Kind()), At: cmp.Or(e.Recorded, s.Predicate.Time), Destination: v.Destination})
	}
	f.records()
	return out, nil
}

// unrecorded: the ledger as a whole does not record.
type unrecorded struct{ err error }

func (e *unrecorded) Error() string { return e.err.Error() }
func (e *unrecorded) Unwrap() error { return e.err }

// records notes that the ledger does.
func (f *Forwarder) records() {
	if f.ledger.works() {
		f.log.Info("the ledger records deliveries again")
		f.Wake()
	}
}

// statements says what the ledger is told of a delivery.
func (f *Forwarder) statements(r *instance.Record, v *instance.Delivery) []custody.Statement {
	var out []custody.Statement
	add := func(kind custody.Kind, detail map[string]any, subjects ...custody.Subject) {
		s := custody.New(kind, fmt.Sprintf("%s/%d/%s/%d/%s", f.d.Name, r.Number, v.Destination, v.At.UnixNano(), kind), v.At.UTC(), subjects...)
		p := &s.Predicate
		p.Site, p.Theatre, p.Device = f.d.Site, r.Sender.Theatre, r.Sender.Device
		p.Actor = custody.Actor{Software: f.d.Software}
		for k, x := range detail {
			if x == "" {
				delete(detail, k)
			}
		}
		p.Detail = detail
		out = append(out, s)
	}
	subject := func(name, hex string) custody.Subject {
		return custody.Subject{Name: name, Digest: map[string]string{"sha256": hex}}
	}
	var c Destination
	if d := f.byName[v.Destination]; d != nil {
		c = d.cfg
	}
	changed := v.Forwarded != r.DataSet
	if changed {
		operation, rule := "transcoding", ""
		if c.Deid != "" {
			operation, rule = "de-identification", c.Deid
		}
		add(custody.Altered, map[string]any{"operation": operation, "rule": rule}, subject("before", r.DataSet), subject("after", v.Forwarded))
	}
	subjects := []custody.Subject{subject("data-set", v.Forwarded)}
	if !changed && r.Pixel != "" {
		subjects = append(subjects, subject("pixel-data", r.Pixel))
	}
	protocol, to := "dicom", c.CalledAE
	if c.Kind == KindSTOW {
		protocol, to = "https", v.Destination
	}
	add(custody.Forwarded, map[string]any{"protocol": protocol, "from": c.CallingAE, "to": to, "media_type": "application/dicom", "sop_class": r.SOPClass,
		"transfer_syntax": cmp.Or(v.TransferSyntax, r.TransferSyntax), "bytes": cmp.Or(v.Bytes, r.Bytes), "session": r.Sender.Association, "route": v.Route,
		"tls": v.TLS, "peer_certificate": v.Certificate, "status": v.Status}, subjects...)
	return out
}

// firstLook is after what time a ledger that does not record at the start is looked at again, first: where it starts
// together with the gateway, nothing waits for longer than that needs.
const firstLook = 20 * time.Millisecond

// owing tells the ledger what it was not told when it happened.
func (f *Forwarder) owing(ctx context.Context) {
	look := min(firstLook, f.cfg.LedgerRetry)
	for sleep(ctx, look) {
		look = min(2*look, f.cfg.LedgerRetry)
		down := f.ledger.why() != nil
		if down && f.d.LedgerReady != nil {
			if err := f.d.LedgerReady(ctx); err != nil {
				f.ledger.failed(err)
				continue
			}
		}
		if f.payAll(ctx) && down { // also where nothing is there to try it with
			f.records()
		}
	}
}

// payAll tells the ledger all that it was not told. It reports whether the ledger has not failed meanwhile: a record that
// cannot be read or written is passed over.
func (f *Forwarder) payAll(ctx context.Context) bool {
	for _, d := range f.dests {
		d.mu.Lock()
		list := slices.Sorted(maps.Keys(d.owed))
		d.mu.Unlock()
		var unpaid error
		for _, n := range list {
			err := f.pay(ctx, d, n)
			var no *unrecorded
			if errors.As(err, &no) || ctx.Err() != nil {
				return false
			}
			unpaid = cmp.Or(unpaid, err)
		}
		if unpaid != nil {
			d.log.Warn("a delivery that the ledger was not told cannot be told; it is tried again", "why", unpaid)
		}
	}
	return true
}

// pay tells the ledger of one delivery.
func (f *Forwarder) pay(ctx context.Context, d *destination, number uint64) error {
	rec, err := f.d.Vault.Get(ctx, number)
	if err != nil {
		if errors.Is(err, instance.ErrNotFound) {
			d.mu.Lock()
			delete(d.owed, number)
			d.mu.Unlock()
			return nil
		}
		return err
	}
	v := deliveryTo(&rec, d.cfg.Name)
	if v == nil || v.State != instance.Delivered || recorded(&rec, d.cfg.Name) {
		return nil
	}
	entries, err := f.tell(ctx, &rec, v)
	if err != nil && !errors.Is(err, errNever) {
		return err
	}
	_, err = f.d.Vault.Change(ctx, number, func(r *instance.Record) error {
		if recorded(r, d.cfg.Name) {
			return errNotWaiting
		}
		r.Entries = append(r.Entries, entries...)
		if v := deliveryTo(r, d.cfg.Name); v != nil && v.State == instance.Delivered && !d.cfg.Commitment {
			v.Next = time.Time{}
		}
		return nil
	})
	if errors.Is(err, errNotWaiting) {
		return nil
	}
	return err
}

// sleep returns false when ctx ended.
func sleep(ctx context.Context, t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
