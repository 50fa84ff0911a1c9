// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/owed"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// RouteGet is the route of what a C-GET asked for.
const RouteGet = "c-get"

// getting is a C-GET under way: instances come from the archive, through the gateway's journal
// and firewall, to who asked.
type getting struct {
	p       *Proxy
	c       Caller
	a       *Archive
	r       *dicomnet.Request
	id      string // the association from the archive
	address string
	open    bool // it gets them also where the ledger does not record

	mu   sync.Mutex
	held int // withheld by the firewall, or not taken by the peer
}

// get passes on a C-GET.
func (p *Proxy) get(ctx context.Context, c Caller, r *dicomnet.Request) (dicomnet.Reply, error) {
	b, reply, err := identifier(r)
	if err != nil {
		return reply, err
	}
	if no := p.selects(b, r, c); no != nil {
		return dicomnet.Reply{Status: statusUnable, Comment: "it selects no study"}, no
	}
	a, no := p.archive(binding.Get, c.Sender.CalledAE)
	if no != nil {
		return dicomnet.Reply{Status: statusUnable, Comment: "nobody to ask"}, no
	}
	// Only what the peer takes is asked for, in the transfer syntaxes that it takes.
	var more []dicomnet.Proposal
	for _, x := range r.Association.Info().Contexts {
		if x.Accepted() && x.SCU && dicom.IsStorage(x.AbstractSyntax) && len(more) < ul.MaxContexts-1 {
			more = append(more, dicomnet.Proposal{AbstractSyntax: x.AbstractSyntax, TransferSyntaxes: []string{x.TransferSyntax}, SCP: true})
		}
	}
	if len(more) == 0 {
		return dicomnet.Reply{Status: statusUnable, Comment: "no storage context with the SCP role"}, &Refused{Code: codeBroken, What: c.Bound.Device + " asked for C-GET without offering to take anything", Tip: "it must propose storage contexts with SCP role selection (PS3.7 §D.3.3.4)"}
	}
	g := &getting{p: p, c: c, a: a, r: r, id: random(), address: a.Address}
	if p.d.Custody != nil {
		_, g.open = p.d.Custody.Retrieval(c.Bound.Device, c.Bound.Theatre)
	}
	p.mu.Lock()
	p.direct[g.id] = g.open
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.direct, g.id)
		p.mu.Unlock()
	}()
	up, pc, err := p.dial(ctx, a, r.Context.AbstractSyntax, r.Context.TransferSyntax, more, dicomnet.HandlerFunc(g.store), 0)
	if err != nil {
		return unreachable(dimse.CGetRQ, err)
	}
	defer func() { _ = up.Release(context.WithoutCancel(ctx)) }()
	if b, err = recode(b, r.Context.TransferSyntax, pc.TransferSyntax); err != nil {
		return dicomnet.Reply{Status: statusIdentifier, Comment: "the identifier cannot be read"}, &Refused{Code: codeBroken, What: "the identifier of a C-GET: " + err.Error()}
	}
	var last dicomnet.Progress
	rsp, err := up.Get(ctx, dicomnet.Query{SOPClass: r.Context.AbstractSyntax, Priority: r.Command.Priority, Identifier: bytes.NewReader(b)}, func(x *dicomnet.Response) error {
		if x.Command.Status.Category() != dimse.Pending {
			return nil
		}
		last = progress(&x.Command)
		return r.Pending(ctx, dicomnet.Reply{Status: x.Command.Status, Progress: &last})
	})
	switch {
	case errors.Is(err, dicomnet.ErrCancelled):
		return dicomnet.Reply{Status: statusCancelled, Progress: &last}, nil
	case failed(a, err) != nil:
		reply, _ := unreachable(dimse.CGetRQ, err)
		return reply, failed(a, err)
	}
	done := progress(&rsp)
	out := dicomnet.Reply{Status: rsp.Status, Progress: &done}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held > 0 && out.Status == 0 {
		out.Status, out.Comment = statusSubFailed, "some were withheld"
	}
	return out, nil
}

func random() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// store takes one instance from the archive and gives it to the peer once it was inspected.
func (g *getting) store(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
	c := &r.Command
	if c.Field != dimse.CStoreRQ || r.Data == nil || !dicom.ValidUID(c.AffectedSOPInstance) || c.AffectedSOPClass != r.Context.AbstractSyntax {
		return dicomnet.Reply{Status: statusOperation}
	}
	s := instance.Sender{Way: instance.DIMSE, Device: g.a.Device, CallingAE: g.a.CalledAE, CalledAE: g.a.CallingAE, Address: hostOf(g.address), Association: g.id, Binding: g.a.Device, Theatre: g.c.Bound.Theatre}
	if t := r.Association.Info().TLS; t != nil {
		s.TLS = "TLSv1.3"
		if t.Version != 0x0304 {
			s.TLS = "TLSv1.2"
		}
	}
	out, err := g.p.d.Ingest.Store(ctx, instance.Arrival{Sender: s, At: g.p.now(), SOPClass: c.AffectedSOPClass, SOPInstance: c.AffectedSOPInstance, TransferSyntax: r.Context.TransferSyntax, Priority: c.Priority, Case: g.c.Case}, r.Data)
	if err != nil {
		return dicomnet.Reply{Status: statusFault}
	}
	if status := dimse.Status(out.Status); status.Category() == dimse.Failure {
		g.withhold()
		return dicomnet.Reply{Status: status, Comment: out.Comment}
	}
	if err := g.give(ctx, out.Record); err != nil {
		g.withhold()
		g.p.log.Warn("an instance did not reach who asked for it", "device", g.c.Bound.Device, "number", out.Record.Number, "why", err)
		if errors.Is(err, errUnrecorded) {
			return dicomnet.Reply{Status: statusResources, Comment: "the gateway's ledger does not record"}
		}
		return dicomnet.Reply{Status: statusFault, Comment: "it did not reach the requestor"}
	}
	return dicomnet.Reply{}
}

func (g *getting) withhold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held++
}

// errUnrecorded: the ledger did not record that an instance is given out.
var errUnrecorded = errors.New("the ledger does not record that it is given out")

// give sends an instance on. The ledger knows whom it goes to before its first byte does. What it does not record is not given
// out, unless the retrieval is open: then what it is to be told is on the disk before. The journal notes what the requestor answered.
func (g *getting) give(ctx context.Context, r instance.Record) error {
	if r.Copy != 0 {
		var err error
		if r, err = g.p.d.Vault.Get(ctx, r.Copy); err != nil {
			return err
		}
	}
	if r.State == instance.Quarantined {
		return errors.New("it is held for review")
	}
	data, err := g.p.d.Vault.Open(ctx, r.Number)
	if err != nil {
		return err
	}
	defer func() { _ = data.Close() }()
	d := instance.Delivery{Destination: g.c.Bound.Device, Route: RouteGet, Attempts: 1, At: g.p.now().UTC(), Forwarded: r.DataSet, SOPInstance: r.SOPInstance, TLS: g.c.Sender.TLS, Certificate: g.c.Sender.Certificate}
	e, err := g.record(ctx, &r, &d)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnrecorded, err)
	}
	status, sent := g.r.Association.Store(ctx, dicomnet.Instance{SOPClass: r.SOPClass, SOPInstance: r.SOPInstance, TransferSyntax: r.TransferSyntax, Data: data})
	d.State, d.Status = instance.Delivered, status.String()
	if sent != nil {
		d.State, d.Why = instance.Dropped, "the requestor did not take it"
		var no *dicomnet.StatusError
		if errors.As(sent, &no) {
			d.Status = no.Status.String()
		} else {
			d.Status = ""
		}
	}
	// Also where the requestor has gone: what may have gone out is noted.
	_, err = g.p.d.Vault.Change(context.WithoutCancel(ctx), r.Number, func(x *instance.Record) error {
		x.Deliveries = append(x.Deliveries[:len(x.Deliveries):len(x.Deliveries)], d)
		if e != nil {
			x.Entries = append(x.Entries[:len(x.Entries):len(x.Entries)], *e)
		}
		return nil
	})
	if err != nil {
		g.p.log.Error("the journal could not note that an instance was given to who asked for it", "number", r.Number, "why", err)
	}
	return sent
}

// record tells the ledger that an instance goes to the requestor, or has it told later. The entry is nil then.
func (g *getting) record(ctx context.Context, r *instance.Record, d *instance.Delivery) (*instance.Entry, error) {
	if g.p.d.Custody == nil {
		return nil, errors.New("there is no ledger")
	}
	subjects := []custody.Subject{{Name: "data-set", Digest: map[string]string{"sha256": r.DataSet}}}
	if r.Pixel != "" {
		subjects = append(subjects, custody.Subject{Name: "pixel-data", Digest: map[string]string{"sha256": r.Pixel}})
	}
	s := custody.New(custody.Forwarded, fmt.Sprintf("%s/%s/%d/%s/%s", g.p.d.Name, g.id, r.Number, custody.Forwarded, d.Destination), d.At, subjects...)
	q := &s.Predicate
	q.Site, q.Theatre, q.Device, q.Actor = g.p.d.Site, g.c.Bound.Theatre, d.Destination, custody.Actor{Software: g.p.d.Software}
	q.Detail = map[string]any{"protocol": "dicom", "from": g.c.Sender.CalledAE, "to": g.c.Sender.CallingAE, "media_type": "application/dicom", "sop_class": r.SOPClass, "transfer_syntax": r.TransferSyntax,
		"bytes": r.Bytes, "session": g.c.Sender.Association, "route": RouteGet, "verdict": r.Verdict.String()}
	if d.TLS != "" {
		q.Detail["tls"], q.Detail["peer_certificate"] = d.TLS, d.Certificate
	}
	if r.Policy != "" {
		q.Detail["policy"] = r.Policy
	}
	e, err := g.p.d.Custody.Give(context.WithoutCancel(ctx), owed.Note{Statement: s, Number: r.Number, Destination: d.Destination}, g.open)
	if e != nil {
		e.Destination = d.Destination
	}
	return e, err
}
