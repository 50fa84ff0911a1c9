// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// outcome is what became of one attempt, to be written down.
type outcome struct {
	d      *destination
	it     *item
	slot   int // in the flight file; -1: none
	at     time.Time
	answer Answer
	form   form
	err    *failure // nil: delivered
	blamed bool     // of an interruption: it counts against the instance
}

// form is an instance as it goes to a destination.
type form struct {
	sop, syntax string
	digest      string // SHA-256 of the data set
	size        int64
	changed     string // "", "de-identification", "transcoding"
	data        io.Reader
	close       func()
}

// deliver sends one instance. It returns nil where nothing is to be written down, and whether the association is gone.
func (d *destination) deliver(ctx context.Context, s Sender, it *item) (o *outcome, lost bool) {
	v := d.f.d.Vault
	rec, err := v.Get(ctx, it.number)
	if errors.Is(err, instance.ErrNotFound) {
		d.lost(it)
		return nil, false
	}
	if err != nil {
		if it.unread++; it.unread == 1 && ctx.Err() == nil {
			d.log.Warn("an instance cannot be read from the journal; it is tried again", "number", it.number, "why", err)
		}
		d.later(it, backoff(time.Second, max(d.cfg.BackoffMax, time.Second), it.unread))
		return nil, false
	}
	it.unread = 0
	to := deliveryTo(&rec, d.cfg.Name)
	if to == nil || to.State != instance.Waiting || rec.State != instance.Accepted && rec.State != instance.Released {
		d.lost(it)
		return nil, false
	}
	o = &outcome{d: d, it: it, slot: -1, at: d.f.now().UTC()}
	if d.cfg.Age > 0 && it.waited(d.cfg.Age) > d.cfg.Age {
		why := to.Why
		if why == "" {
			why = d.reason()
		}
		o.err = &failure{class: permanent, err: fmt.Errorf("it has waited longer than %v: %s", d.cfg.Age, why)}
		return o, false
	}
	f, err := d.prepare(ctx, &rec)
	if err != nil {
		if ctx.Err() != nil {
			d.back(it)
			return nil, false
		}
		o.err = asFailure(err, transient)
		if errors.Is(err, instance.ErrFull) { // of the copy that is made for the destination
			d.failed(o.err)
			d.back(it)
			return nil, false
		}
		return o, false
	}
	defer f.close()
	o.form = *f
	if o.it.attempts > 0 || to.Attempts > 0 {
		d.f.mu.Lock()
		d.f.again++
		d.f.mu.Unlock()
	}
	o.slot = d.f.flight.begin(it.number)
	o.answer, err = s.Send(ctx, &Item{Number: it.number, SOPClass: rec.SOPClass, SOPInstance: f.sop, TransferSyntax: f.syntax, CallingAE: rec.Sender.CallingAE,
		Urgent: d.f.urgent(it.theatre), Size: f.size, Data: f.data, Others: d.others()})
	var damaged *damagedError
	var unread *unreadError
	switch {
	case err == nil:
	case ctx.Err() != nil:
		o.landed() // the gateway is being stopped; it is sent again
		d.back(it)
		return nil, false
	case errors.As(err, &damaged):
		o.err = &failure{class: permanent, err: damaged, hint: hintOf(damaged)}
	case errors.As(err, &unread): // no fault of the destination's
		o.err = &failure{class: transient, err: unread, hint: hintOf(unread)}
	default:
		o.err = asFailure(err, interrupted)
		// PS3.7 §C.4.9, duplicate SOP instance: it has what was in doubt.
		if o.err.status == statusDuplicate && to.Attempts > 0 {
			o.err, o.answer.Status = nil, 0x0111
		}
	}
	// What was answered without a status, or not at all, ended the association; but that a context was refused did not.
	var refused *dicomnet.ContextError
	lost = o.err != nil && o.err.status == "" && !errors.As(o.err, &refused)
	return d.settled(o), lost
}

const statusDuplicate = "0x0111"

// settled notes what an attempt says of the destination.
func (d *destination) settled(o *outcome) *outcome {
	switch {
	case o.err == nil:
		d.works(true)
	case o.err.class == unreachable:
		o.landed()
		if o.err.status != "" {
			// It may be this one alone: another is tried first.
			d.failed(o.err)
			o.it.noRoom++
			after := d.cfg.BackoffMax
			if d.f.urgent(o.it.theatre) {
				after = backoff(min(urgentBackoff, after), after, o.it.noRoom)
			}
			d.later(o.it, after)
			return nil
		}
		if !d.crowded(o.err.err) {
			d.failed(o.err)
		}
		d.back(o.it)
		return nil
	case o.err.class == interrupted:
		o.blamed = d.blames(o.it)
		d.failed(o.err)
	case o.err.status != "":
		d.works(false)
	}
	return o
}

// blames reports whether an interruption counts against the instance that was being sent: the destination took
// others since the last one. Otherwise it may be the destination that does not work, and whoever comes first would
// be given up for that. Another goes first then: who breaks it off each time would hold up all behind him.
func (d *destination) blames(it *item) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	took := d.sent > it.took
	it.took = d.sent
	d.q.doubt(it)
	return took
}

// landed: what became of an attempt is written down, or nothing was sent.
func (o *outcome) landed() {
	if o.slot >= 0 {
		o.d.f.flight.end(o.slot)
		o.slot = -1
	}
}

// reason is why the destination does not work.
func (d *destination) reason() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.why == "" {
		return "the destination took others first"
	}
	return d.why
}

// later puts an item back for some time.
func (d *destination) later(it *item, after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	it.next = d.f.now().Add(after)
	d.q.back(it, d.f.now())
}

// others are the kinds of what waits, the most frequent first.
func (d *destination) others() []Kind {
	type count struct {
		k Kind
		n int
	}
	d.mu.Lock()
	list := make([]count, 0, len(d.q.pairs))
	for p, n := range d.q.pairs {
		syntax := p.syntax
		if to, err := converted(&d.cfg, p.syntax); err != nil {
			continue
		} else if to != "" {
			syntax = to
		}
		list = append(list, count{Kind{p.class, syntax}, n})
	}
	d.mu.Unlock()
	slices.SortFunc(list, func(a, b count) int { return b.n - a.n })
	out := make([]Kind, len(list))
	for i, c := range list {
		out[i] = c.k
	}
	return out
}

func deliveryTo(r *instance.Record, destination string) *instance.Delivery {
	for i := range r.Deliveries {
		if r.Deliveries[i].Destination == destination {
			return &r.Deliveries[i]
		}
	}
	return nil
}

func asFailure(err error, otherwise class) *failure {
	var f *failure
	if errors.As(err, &f) {
		c := *f
		return &c
	}
	return &failure{class: otherwise, err: err, hint: hintOf(err)}
}

// prepare opens an instance in the form in which the destination gets it. What is changed is
// written out first, so that its digest is known and a copy that fails in the middle harms nobody.
func (d *destination) prepare(ctx context.Context, r *instance.Record) (*form, error) {
	to, err := converted(&d.cfg, r.TransferSyntax)
	if err != nil {
		return nil, &failure{class: permanent, err: err, hint: "add the transfer syntax to transfer_syntaxes if the destination takes it, or route it elsewhere"}
	}
	src, err := d.f.d.Vault.Open(ctx, r.Number)
	if errors.Is(err, instance.ErrNotFound) {
		return nil, &failure{class: permanent, err: errors.New("its bytes are not kept any more")}
	}
	if err != nil {
		return nil, &failure{class: transient, err: err, hint: hintOf(err)}
	}
	if d.deid == nil && to == "" {
		return &form{sop: r.SOPInstance, syntax: r.TransferSyntax, digest: r.DataSet, size: src.Size(), data: newChecked(src, src.Size(), r.DataSet), close: func() { _ = src.Close() }}, nil
	}
	defer func() { _ = src.Close() }()
	var steps []instance.Transformer
	f := &form{sop: r.SOPInstance, syntax: r.TransferSyntax}
	if to != "" {
		steps, f.changed = append(steps, transcoder(to)), "transcoding"
	}
	if d.deid != nil {
		steps, f.changed = append(steps, d.deid), "de-identification"
	}
	in := newChecked(src, src.Size(), r.DataSet)
	for i, step := range steps {
		draft, err := d.f.d.Vault.Create(ctx)
		if err != nil {
			return nil, err
		}
		sum := &summing{w: draft, h: sha256.New()}
		altered, err := transform(step, sum, in, f.syntax)
		if err != nil {
			draft.Discard()
			return nil, copyFailure(err, in, sum)
		}
		content, err := draft.Content()
		if err != nil {
			draft.Discard()
			return nil, err
		}
		before := f.close
		f.close = func() {
			_ = content.Close()
			draft.Discard()
			if before != nil {
				before()
			}
		}
		if altered.SOPInstance != "" {
			f.sop = altered.SOPInstance
		}
		if altered.TransferSyntax != "" {
			f.syntax = altered.TransferSyntax
		}
		f.digest, f.size = hex.EncodeToString(sum.h.Sum(nil)), content.Size()
		in = newChecked(content, f.size, f.digest)
		if i == len(steps)-1 {
			f.data = in
		}
	}
	return f, nil
}

// transform runs a step. One instance that makes it panic does not end the gateway, again and again.
func transform(step instance.Transformer, dst io.Writer, src io.Reader, syntax string) (a instance.Altered, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("BUG: %T", p) // the value may hold what was read
		}
	}()
	return step.Transform(dst, src, syntax)
}

// copyFailure says what it means that a copy for a destination was not made: it is the instance's fault only
// where it could be read and the copy could be written.
func copyFailure(err error, in *checked, out *summing) *failure {
	var unread *unreadError
	switch {
	case out.err != nil:
		return &failure{class: transient, err: fmt.Errorf("its copy for the destination cannot be written: %w", out.err), hint: hintOf(out.err)}
	case errors.As(in.err, &unread):
		return &failure{class: transient, err: unread, hint: hintOf(unread)}
	}
	return &failure{class: permanent, err: fmt.Errorf("its copy for the destination cannot be made: %w", err), hint: hintOf(err)}
}

// summing writes and hashes.
type summing struct {
	w   io.Writer
	h   hash.Hash
	err error // of w
}

func (s *summing) Write(p []byte) (int, error) {
	s.h.Write(p)
	n, err := s.w.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}

// transcoder changes between uncompressed transfer syntaxes.
type transcoder string

// Transform implements instance.Transformer.
func (t transcoder) Transform(dst io.Writer, src io.Reader, syntax string) (instance.Altered, error) {
	from, _ := dicom.SyntaxOf(syntax)
	to, _ := dicom.SyntaxOf(string(t))
	return instance.Altered{TransferSyntax: string(t)}, dicom.Transcode(dst, src, from, to, dicom.DefaultLimits())
}

// damagedError: the disk does not give what was kept.
type damagedError struct{ err error }

func (e *damagedError) Error() string { return e.err.Error() }
func (e *damagedError) Unwrap() error { return e.err }
func (e *damagedError) Hint() string {
	return "the disk is failing or somebody changed it; send the instance again from its origin, and replace the disk"
}

// unreadError: the disk does not give it now. Unlike what was read and is not what was kept, this may pass: a
// path to a disk that is exchanged, a controller that starts anew.
type unreadError struct{ err error }

func (e *unreadError) Error() string {
	return "the instance cannot be read from the disk: " + e.err.Error()
}
func (e *unreadError) Unwrap() error { return e.err }
func (e *unreadError) Hint() string  { return "look at the journal's disk and the system's log" }

// checked reads a data set and compares it with its SHA-256. Where it differs, an error comes in place of the
// last bytes: whoever is being sent it cannot take it for complete.
type checked struct {
	r    io.Reader
	left int64
	want string
	h    hash.Hash
	err  error
}

func newChecked(r io.Reader, size int64, want string) *checked {
	return &checked{r: r, left: size, want: want, h: sha256.New()}
}

// Read implements io.Reader.
func (c *checked) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.left == 0 { // an empty data set
		c.err = io.EOF
		return 0, c.err
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.h.Write(p[:n])
	c.left -= int64(n)
	switch {
	case c.left == 0:
		c.err = io.EOF
		if hex.EncodeToString(c.h.Sum(nil)) != c.want {
			c.err = &damagedError{errors.New("what the disk has of the instance is not what was acknowledged")}
			return 0, c.err
		}
	case err != nil:
		c.err = &unreadError{err}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			c.err = &damagedError{errors.New("the disk has less of the instance than was acknowledged")}
		}
		return 0, c.err
	}
	return n, nil
}

// status is the answer in words.
func (a *Answer) status() string { return a.Status.String() }

// warning says what the answer warns of, "" for success.
func (a *Answer) warning() string {
	switch {
	case a.Status == 0x0111:
		return "the destination had it already"
	case a.Status.Category() == dimse.Warning:
		return warned(a.Status)
	}
	return ""
}
