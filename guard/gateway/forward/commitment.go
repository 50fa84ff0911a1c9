// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Storage commitment, PS3.4 annex J.
const (
	commitmentInstance = "1.2.840.10008.1.20.1.1" // well-known SOP instance
	actionRequest      = 1
	eventComplete      = 1
	eventFailures      = 2
)

// Of storage commitment, elements of PS3.6.
const (
	tagTransactionUID        = dicom.Tag(0x00081195)
	tagFailedSOPSequence     = dicom.Tag(0x00081198)
	tagReferencedSOPClass    = dicom.Tag(0x00081150)
	tagReferencedSOPInstance = dicom.Tag(0x00081155)
)

const (
	commitBatch  = 500             // instances in one request
	commitGather = 2 * time.Second // how long deliveries are collected for it
	// commitStay is how long an association is kept open for the report.
	commitStay = 10 * time.Second
	maxReport  = 10000 // references in one report
)

// commits is what a destination is asked to commit to. It is guarded by the destination's mutex.
type commits struct {
	dialer  func() (*dicomnet.Dialer, error)
	stay    time.Duration           // how long an association is kept for the report
	waiting map[uint64]time.Time    // delivered; when they are to be asked for
	since   map[uint64]time.Time    // of those and the ones that were asked for: when they began to wait
	open    map[string]*transaction // by transaction UID
	asked   map[uint64]string       // transaction of an instance
}

// transaction is one request that was not reported on.
type transaction struct {
	items map[string]uint64 // SOP instance: number
	until time.Time
	done  chan struct{} // closed when it was reported, or is given up
}

func (c *commits) init(stay time.Duration) {
	c.stay = stay
	c.waiting, c.since, c.open, c.asked = map[uint64]time.Time{}, map[uint64]time.Time{}, map[string]*transaction{}, map[uint64]string{}
}

func (c *commits) add(number uint64, at, now time.Time) {
	if _, ok := c.since[number]; !ok {
		c.since[number] = earlier(at, now)
	}
	if _, ok := c.asked[number]; !ok {
		c.waiting[number] = at
	}
}

// forget takes an instance out whose delivery is not of a kind that is asked for.
func (c *commits) forget(number uint64, stays bool) {
	if stays {
		return
	}
	delete(c.waiting, number)
	delete(c.since, number)
	if uid, ok := c.asked[number]; ok {
		delete(c.asked, number)
		if t := c.open[uid]; t != nil {
			for sop, n := range t.items {
				if n == number {
					delete(t.items, sop)
				}
			}
			if len(t.items) == 0 {
				delete(c.open, uid)
				close(t.done)
			}
		}
	}
}

// expire asks again for what was not reported in time.
func (c *commits) expire(now time.Time) {
	for uid, t := range c.open {
		if now.Before(t.until) {
			continue
		}
		c.again(uid, t, now)
	}
}

// again closes a transaction; what was not reported is asked for again, not before at.
func (c *commits) again(uid string, t *transaction, at time.Time) {
	if c.open[uid] == t {
		delete(c.open, uid)
		close(t.done)
		for _, n := range t.items {
			delete(c.asked, n)
			c.waiting[n] = at
		}
	}
}

// due returns what is to be asked for now.
func (c *commits) due(now time.Time) []uint64 {
	var out []uint64
	for n, at := range c.waiting {
		if !at.After(now) {
			if out = append(out, n); len(out) == commitBatch {
				break
			}
		}
	}
	return out
}

// committing asks the destination to commit to what it took.
func (d *destination) committing(ctx context.Context) {
	wait := commitGather
	for sleep(ctx, wait) {
		wait = commitGather
		d.mu.Lock()
		now := d.f.now()
		d.commit.expire(now)
		list := d.commit.due(now)
		idle := d.paused || now.Before(d.rest)
		dialer := d.commit.dialer
		d.mu.Unlock()
		if len(list) == 0 || idle || dialer == nil {
			d.asks.withdraw()
			continue
		}
		if !d.asks.enter(now, false) {
			continue
		}
		err := d.ask(ctx, dialer, list)
		var none *unconnected
		full := errors.As(err, &none) && d.asks.refused(d.f.now(), err, false)
		d.asks.leave(d.f.now())
		if full {
			continue // what is sent has the association, and gives it back
		}
		if err != nil && ctx.Err() == nil {
			d.log.Warn("the destination cannot be asked for storage commitment; it is asked again", "why", err, "hint", hintOf(err))
			wait = min(d.cfg.BackoffMax, 30*time.Second)
		}
	}
}

// ask makes one request and stays for its report, for some time.
func (d *destination) ask(ctx context.Context, open func() (*dicomnet.Dialer, error), list []uint64) error {
	dialer, err := open()
	if err != nil {
		return err
	}
	t := &transaction{items: map[string]uint64{}, done: make(chan struct{}), until: d.f.now().Add(d.cfg.CommitWithin)}
	type reference struct{ class, sop string }
	var refs []reference
	for _, n := range list {
		rec, err := d.f.d.Vault.Get(ctx, n)
		if err != nil && !errors.Is(err, instance.ErrNotFound) {
			if ctx.Err() != nil {
				return err
			}
			d.log.Warn("an instance cannot be read from the journal; storage commitment is asked for the others", "number", n, "why", err)
			d.mu.Lock()
			d.commit.waiting[n] = d.f.now().Add(d.cfg.CommitWithin)
			d.mu.Unlock()
			continue
		}
		v := deliveryTo(&rec, d.cfg.Name)
		if err != nil || v == nil || v.State != instance.Delivered {
			d.mu.Lock()
			d.commit.forget(n, false)
			d.mu.Unlock()
			continue
		}
		if _, twice := t.items[v.SOPInstance]; twice {
			continue // the same instance came twice: one after the other
		}
		t.items[v.SOPInstance] = n
		refs = append(refs, reference{rec.SOPClass, v.SOPInstance})
	}
	if len(refs) == 0 {
		return nil
	}
	uid, err := newUID()
	if err != nil {
		return err
	}
	dialer.Contexts = []dicomnet.Proposal{{AbstractSyntax: dicom.UIDStorageCommitmentPush, TransferSyntaxes: dicomnet.UncompressedSyntaxes()}}
	var same atomic.Bool
	dialer.Handler = dicomnet.HandlerFunc(func(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
		same.Store(true)
		return d.f.EventReport(ctx, r)
	})
	a, err := dialer.Dial(ctx, d.cfg.Address)
	if err != nil {
		return &unconnected{err}
	}
	pc, err := a.Info().Select(dicom.UIDStorageCommitmentPush, false)
	if err != nil {
		a.Abort()
		return err
	}
	syntax, _ := dicom.SyntaxOf(pc.TransferSyntax)
	var body bytes.Buffer
	w := dicom.NewWriter(&body, syntax)
	w.Text(tagTransactionUID, dicom.UI, uid)
	items := make([]func(), len(refs))
	for i, r := range refs {
		items[i] = func() {
			w.Text(tagReferencedSOPClass, dicom.UI, r.class)
			w.Text(tagReferencedSOPInstance, dicom.UI, r.sop)
		}
	}
	w.Sequence(dicom.TagReferencedSOPSequence, items...)
	if err := w.Close(); err != nil {
		a.Abort()
		return err
	}
	// Before the request: the report may be faster than the answer to it.
	d.mu.Lock()
	d.commit.open[uid] = t
	for _, n := range t.items {
		delete(d.commit.waiting, n)
		d.commit.asked[n] = uid
	}
	d.mu.Unlock()
	if _, err := a.Action(ctx, dicomnet.Object{SOPClass: dicom.UIDStorageCommitmentPush, SOPInstance: commitmentInstance, Type: actionRequest, Data: &body}, nil); err != nil {
		a.Abort()
		d.mu.Lock()
		d.commit.again(uid, t, d.f.now())
		d.mu.Unlock()
		return err
	}
	d.mu.Lock()
	stays := d.commit.stay
	d.mu.Unlock()
	if d.asks.at.isFull(d.f.now()) {
		stays = min(stays, d.f.d.turn)
	}
	stay := time.NewTimer(stays)
	defer stay.Stop()
	select {
	case <-t.done:
		if !same.Load() { // it opens associations of its own for that
			d.mu.Lock()
			d.commit.stay = 0
			d.mu.Unlock()
		}
	case <-a.Done():
	case <-ctx.Done():
	case <-stay.C:
	}
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(d.cfg.Timeouts.Close, time.Second))
	defer cancel()
	_ = a.Release(release) // the report may still come on another association
	return nil
}

// newUID makes a UID of a random number (PS3.5 §B.2).
func newUID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return "2.25." + new(big.Int).SetBytes(b[:]).String(), nil
}

// ErrTransaction: a report is about a request that is not open here.
var ErrTransaction = errors.New("no request for storage commitment has this transaction UID")

// CommitmentReport takes what a destination says about a transaction: SOP instances that it has taken
// responsibility for, and those that it has not. What is in neither list is asked for again. It returns when
// the journal has it.
func (f *Forwarder) CommitmentReport(ctx context.Context, transactionUID string, ok, failed []string) error {
	for _, d := range f.dests {
		d.mu.Lock()
		t := d.commit.open[transactionUID]
		d.mu.Unlock()
		if t == nil {
			continue
		}
		// The transaction stays open until all is written down: what fails half way can be reported again.
		for _, sop := range ok {
			if err := d.committed(ctx, t, sop, true); err != nil {
				return err
			}
		}
		for _, sop := range failed {
			if err := d.committed(ctx, t, sop, false); err != nil {
				return err
			}
		}
		d.mu.Lock()
		d.commit.again(transactionUID, t, f.now().Add(d.cfg.CommitWithin))
		d.mu.Unlock()
		return nil
	}
	return ErrTransaction
}

func (d *destination) committed(ctx context.Context, t *transaction, sop string, ok bool) error {
	d.mu.Lock()
	number, known := t.items[sop]
	d.mu.Unlock()
	if !known {
		return nil
	}
	_, err := d.f.d.Vault.Change(ctx, number, func(r *instance.Record) error {
		v := deliveryTo(r, d.cfg.Name)
		if v == nil || v.State != instance.Delivered {
			return errNotWaiting
		}
		if ok {
			v.State, v.Next = instance.Committed, time.Time{}
			if !recorded(r, d.cfg.Name) { // the ledger is owed: it stays open until then
				v.State, v.Next = instance.Delivered, d.f.now().Add(d.cfg.CommitWithin)
			}
			return nil
		}
		v.State, v.Why = instance.Waiting, "the destination did not commit to storing it"
		v.Next = d.f.now().Add(backoff(d.cfg.BackoffMin, d.cfg.BackoffMax, v.Attempts)).UTC()
		if d.cfg.Attempts > 0 && v.Attempts >= d.cfg.Attempts {
			v.State, v.Next = instance.Dead, time.Time{}
		}
		return nil
	})
	if errors.Is(err, errNotWaiting) || errors.Is(err, instance.ErrNotFound) {
		return nil
	}
	return err
}

// EventReport answers an N-EVENT-REPORT about storage commitment, on whichever association it comes.
func (f *Forwarder) EventReport(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
	const (
		processingFailure = dimse.Status(0x0110)
		noSuchInstance    = dimse.Status(0x0112)
		invalidArgument   = dimse.Status(0x0115)
		noSuchEvent       = dimse.Status(0x0113)
	)
	switch {
	case r.Command.Field != dimse.NEventReportRQ || r.Context.AbstractSyntax != dicom.UIDStorageCommitmentPush:
		return dicomnet.Reply{Status: 0x0122}
	case r.Command.EventType != eventComplete && r.Command.EventType != eventFailures:
		return dicomnet.Reply{Status: noSuchEvent}
	case r.Data == nil:
		return dicomnet.Reply{Status: invalidArgument}
	}
	transactionUID, ok, failed, err := ParseCommitment(r.Data, r.Context.TransferSyntax)
	if err != nil {
		return dicomnet.Reply{Status: invalidArgument}
	}
	switch err := f.CommitmentReport(ctx, transactionUID, ok, failed); {
	case errors.Is(err, ErrTransaction):
		return dicomnet.Reply{Status: noSuchInstance}
	case err != nil:
		f.log.Error("a report about storage commitment cannot be written down", "why", err)
		return dicomnet.Reply{Status: processingFailure}
	}
	return dicomnet.Reply{}
}

// ParseCommitment reads the data set of a report: the transaction, and the SOP instances that the
// destination has and has not committed to.
func ParseCommitment(src io.Reader, syntax string) (transactionUID string, ok, failed []string, err error) {
	s, known := dicom.SyntaxOf(syntax)
	if !known {
		return "", nil, nil, errors.New("a report in an unknown transfer syntax")
	}
	limits := dicom.DefaultLimits()
	r := dicom.NewReader(io.LimitReader(src, 4<<20), s, limits)
	var within []dicom.Tag
	for {
		t, err := r.Next()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return "", nil, nil, fmt.Errorf("a report: %w", err)
		}
		switch t.Kind {
		case dicom.SequenceStart:
			within = append(within, t.Tag)
		case dicom.SequenceEnd:
			within = within[:max(len(within)-1, 0)]
		case dicom.Element:
			if t.Tag != tagTransactionUID && t.Tag != tagReferencedSOPInstance {
				continue
			}
			v, err := r.Value(dicom.MaxUID + 2)
			if err != nil {
				return "", nil, nil, fmt.Errorf("a report: %w", err)
			}
			uid := dicom.TrimString(v)
			switch {
			case t.Tag == tagTransactionUID && len(within) == 0:
				transactionUID = uid
			case t.Tag == tagReferencedSOPInstance && len(within) == 1 && within[0] == dicom.TagReferencedSOPSequence:
				ok = append(ok, uid)
			case t.Tag == tagReferencedSOPInstance && len(within) == 1 && within[0] == tagFailedSOPSequence:
				failed = append(failed, uid)
			}
			if len(ok)+len(failed) > maxReport {
				return "", nil, nil, fmt.Errorf("a report about more than %d instances", maxReport)
			}
		}
	}
	if !dicom.ValidUID(transactionUID) {
		return "", nil, nil, errors.New("a report without a transaction UID")
	}
	return transactionUID, ok, failed, nil
}
