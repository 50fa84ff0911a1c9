// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// moveKey is how an instance says which C-MOVE it comes of: who asked the archive, in which message.
type moveKey struct {
	archive string // its device
	calling string
	message uint16
}

// move is a C-MOVE under way.
type move struct {
	destination string
	route       string

	mu   sync.Mutex
	kept []uint64 // what came, by number
}

// RouteMove is the route of what a C-MOVE asked for; where a route of retrievals is named for who asked, its name follows, as
// in "c-move/viewers".
const RouteMove = "c-move"

// Moved returns the deliveries of an instance that a C-MOVE or C-GET of a peer asked for, and whether it is one.
func (p *Proxy) Moved(a instance.Arrival) ([]instance.Delivery, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, is := p.direct[a.Sender.Association]; is {
		return nil, true
	}
	m := p.moves[moveKey{a.Sender.Device, a.MoveOriginator, a.MoveMessageID}]
	if m == nil {
		return nil, false
	}
	return []instance.Delivery{{Destination: m.destination, Route: m.route, State: instance.Waiting, Urgent: a.Case}}, true
}

// Open reports whether an instance that a C-GET asked for goes on also where the ledger does not record. What a C-MOVE
// asked for has a route, which says it.
func (p *Proxy) Open(a instance.Arrival) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.direct[a.Sender.Association]
}

// Kept notes an instance that is kept, if a C-MOVE asked for it.
func (p *Proxy) Kept(a instance.Arrival, r instance.Record) {
	p.mu.Lock()
	m := p.moves[moveKey{a.Sender.Device, a.MoveOriginator, a.MoveMessageID}]
	p.mu.Unlock()
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = append(m.kept, r.Number)
}

// begin reserves a message ID by which what comes of a C-MOVE is known.
func (p *Proxy) begin(a *Archive, c Caller, destination string) (*move, moveKey) {
	m := &move{destination: destination, route: RouteMove}
	if p.d.Custody != nil {
		if name, _ := p.d.Custody.Retrieval(c.Bound.Device, c.Bound.Theatre); name != "" {
			m.route += "/" + name
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		p.lastID++
		k := moveKey{a.Device, a.CallingAE, p.lastID}
		if _, taken := p.moves[k]; !taken && p.lastID != 0 {
			p.moves[k] = m
			return m, k
		}
	}
}

func (p *Proxy) end(k moveKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.moves, k)
}

// destination returns the gateway's destination that an AE title stands for.
func (p *Proxy) destination(c Caller, ae string) (string, *Refused) {
	if !c.Bound.MayMoveTo(ae) {
		return "", &Refused{Code: codeDestination, Identity: true, What: fmt.Sprintf("%s may not have images sent to %q", c.Bound.Device, clean(ae)), Tip: "its binding lists the destinations that its C-MOVE may name"}
	}
	for _, d := range p.cfg.Destinations {
		if d.AE == ae {
			return d.Destination, nil
		}
	}
	return "", &Refused{Code: codeDestination, What: fmt.Sprintf("no destination of the gateway stands for %q", clean(ae)), Tip: "gateway.query.move_destinations says where AE titles lead"}
}

func clean(ae string) string {
	b := []byte(ae[:min(len(ae), 16)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// move has an archive send to the gateway, which forwards to where the peer wants it.
func (p *Proxy) move(ctx context.Context, c Caller, r *dicomnet.Request) (dicomnet.Reply, error) {
	b, reply, err := identifier(r)
	if err != nil {
		return reply, err
	}
	destination, no := p.destination(c, r.Command.MoveDestination)
	if no != nil {
		return dicomnet.Reply{Status: statusDestination, Comment: "not a destination that may be named"}, no
	}
	if no := p.selects(b, r, c); no != nil {
		return dicomnet.Reply{Status: statusUnable, Comment: "it selects no study"}, no
	}
	a, no := p.archive(binding.Move, c.Sender.CalledAE)
	if no != nil {
		return dicomnet.Reply{Status: statusUnable, Comment: "nobody to ask"}, no
	}
	m, k := p.begin(a, c, destination)
	defer p.end(k)
	up, pc, err := p.dial(ctx, a, r.Context.AbstractSyntax, r.Context.TransferSyntax, nil, nil, k.message)
	if err != nil {
		return unreachable(dimse.CMoveRQ, err)
	}
	defer func() { _ = up.Release(context.WithoutCancel(ctx)) }()
	if b, err = recode(b, r.Context.TransferSyntax, pc.TransferSyntax); err != nil {
		return dicomnet.Reply{Status: statusIdentifier, Comment: "the identifier cannot be read"}, &Refused{Code: codeBroken, What: "the identifier of a C-MOVE: " + err.Error()}
	}
	var last dicomnet.Progress
	var list []byte
	rsp, err := up.Move(ctx, dicomnet.Query{SOPClass: r.Context.AbstractSyntax, Priority: r.Command.Priority, Identifier: bytes.NewReader(b), Destination: a.MoveAE}, func(x *dicomnet.Response) error {
		if x.Command.Status.Category() == dimse.Pending {
			last = progress(&x.Command)
			return r.Pending(ctx, dicomnet.Reply{Status: x.Command.Status, Progress: &last})
		}
		var rerr error
		if x.Data != nil {
			list, rerr = read(x.Data)
		}
		return rerr
	})
	switch {
	case errors.Is(err, dicomnet.ErrCancelled):
		return dicomnet.Reply{Status: statusCancelled, Progress: &last}, nil
	case failed(a, err) != nil:
		reply, _ := unreachable(dimse.CMoveRQ, err)
		return reply, failed(a, err)
	}
	done := progress(&rsp)
	out := dicomnet.Reply{Status: rsp.Status, Progress: &done}
	if rsp.Status.Category() == dimse.Success || rsp.Status.Category() == dimse.Warning {
		p.delivered(ctx, r, m, &out)
	}
	if list, err = recode(list, pc.TransferSyntax, r.Context.TransferSyntax); err == nil && len(list) > 0 {
		out.Data = bytes.NewReader(list)
	}
	return out, nil
}

func progress(c *dimse.Command) dicomnet.Progress {
	return dicomnet.Progress{Remaining: c.Remaining, Completed: c.Completed, Failed: c.Failed, Warning: c.Warning}
}

// selects refuses to retrieve what no UID or patient names.
func (p *Proxy) selects(b []byte, r *dicomnet.Request, c Caller) *Refused {
	k, err := parse(b, r.Context.TransferSyntax)
	if err != nil {
		return &Refused{Code: codeBroken, What: "an identifier cannot be read: " + err.Error()}
	}
	policy := p.policy(c.Bound.Device)
	if why := policy.check(k, true); why != "" {
		return &Refused{Code: codeQuery, Identity: true, What: fmt.Sprintf("what %s asked for was not retrieved: %s", c.Bound.Device, why), Tip: "gateway.query.policies says what a device may ask for"}
	}
	return nil
}

// How a C-MOVE waits for deliveries.
const (
	lookEvery = 100 * time.Millisecond
	sayEvery  = 5 * time.Second // so that the peer does not give up
)

// delivered waits until what the archive sent has come to its destination, and counts what has not: the peer
// asked for it to be there, not for it to be here.
func (p *Proxy) delivered(ctx context.Context, r *dicomnet.Request, m *move, out *dicomnet.Reply) {
	if p.d.Vault == nil {
		return
	}
	m.mu.Lock()
	waiting := slices.Clone(m.kept)
	m.mu.Unlock()
	var lost, said = 0, p.now()
	limit := time.NewTimer(p.cfg.MoveWait)
	defer limit.Stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for over := false; ; {
		waiting = slices.DeleteFunc(waiting, func(n uint64) bool {
			state, known := p.arrived(ctx, n, m.destination)
			if known && state != instance.Waiting {
				if state != instance.Delivered && state != instance.Committed {
					lost++
				}
				return true
			}
			return false
		})
		if len(waiting) == 0 || over {
			break
		}
		if p.now().Sub(said) > sayEvery {
			said = p.now()
			g := *out.Progress
			g.Remaining = uint16(min(len(waiting), 1<<16-1))
			g.Completed -= min(g.Completed, g.Remaining)
			if r.Pending(ctx, dicomnet.Reply{Status: statusPending, Progress: &g}) != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-limit.C:
			over = true
		case <-tick.C:
		}
	}
	if lost += len(waiting); lost > 0 {
		g := out.Progress
		n := uint16(min(lost, int(g.Completed)))
		g.Completed, g.Failed = g.Completed-n, g.Failed+n
		out.Status, out.Comment = statusSubFailed, "not all have reached the destination"
	}
}

func (p *Proxy) arrived(ctx context.Context, number uint64, destination string) (instance.DeliveryState, bool) {
	r, err := p.d.Vault.Get(ctx, number)
	if err == nil && r.Copy != 0 {
		r, err = p.d.Vault.Get(ctx, r.Copy)
	}
	if err != nil {
		return instance.Dropped, true
	}
	for _, d := range r.Deliveries {
		if d.Destination == destination {
			return d.State, true
		}
	}
	// What is held does not get there now: the peer is told so, and not kept waiting for two people. When they
	// release it, it goes there all the same.
	return instance.Dropped, r.State != instance.Accepted && r.State != instance.Released
}

// report takes a report of storage commitment that a destination sends on an association of its own.
func (p *Proxy) report(ctx context.Context, c Caller, r *dicomnet.Request) (dicomnet.Reply, error) {
	b, reply, err := identifier(r)
	if err != nil {
		return reply, err
	}
	t, err := parseReport(b, r.Context.TransferSyntax)
	if err != nil || t.transaction == "" {
		return dicomnet.Reply{Status: statusArgument, Comment: "the report cannot be read"}, &Refused{Code: codeBroken, What: "a report of storage commitment of " + c.Bound.Device + " cannot be read"}
	}
	if p.d.Report == nil || !p.d.Report(ctx, c.Bound.Device, t.transaction, t.done, t.failed) {
		return dicomnet.Reply{Status: statusArgument, Comment: "no such transaction"}, &Refused{Code: codeBroken, What: c.Bound.Device + " reports a storage commitment that was not asked for"}
	}
	return dicomnet.Reply{}, nil
}
