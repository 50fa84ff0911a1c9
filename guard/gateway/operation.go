// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Statuses of the gateway (PS3.7 annex C, PS3.4 §B.2.3).
const (
	statusNotAuthorised dimse.Status = 0x0124
	statusClass         dimse.Status = 0x0122 // SOP class not supported
	statusInstance      dimse.Status = 0x0117 // invalid SOP instance
	statusFault         dimse.Status = 0x0110 // processing failure
	statusOperation     dimse.Status = 0x0211 // unrecognised operation
	statusArgument      dimse.Status = 0x0115 // invalid argument value
	statusResources     dimse.Status = 0xA700 // out of resources
	statusDiscarded     dimse.Status = 0xB006 // elements discarded: a warning
)

// Queries is what is proxied to archives and worklists.
type Queries interface {
	// Serves reports whether there is anybody to proxy an operation of a binding to.
	Serves(operation string) bool
	// Handle performs a request of a peer that may make it. The error is for the log and the list of
	// associations; the peer gets the reply.
	Handle(ctx context.Context, c query.Caller, r *dicomnet.Request) (dicomnet.Reply, error)
	// Moved returns the deliveries of an instance that somebody's C-MOVE asked for, and whether it is one.
	Moved(a instance.Arrival) (list []instance.Delivery, ok bool)
	// Open reports whether an instance that a C-GET asked for goes on also where the ledger does not record.
	Open(a instance.Arrival) bool
	// Kept is told of each instance that is kept, whatever its verdict: a C-MOVE may have asked for it.
	Kept(a instance.Arrival, r instance.Record)
}

// operation is one request of a peer being performed.
type operation struct {
	s      *session
	r      *dicomnet.Request
	began  time.Time
	stored bool
	bytes  int64
	seen   instance.Record // of a C-STORE
	why    *Problem
}

// perform checks the request against what the peer may do now, and does it.
func (o *operation) perform(ctx context.Context) dicomnet.Reply {
	s, c := o.s, &o.r.Command
	b, p := s.may()
	if p != nil { // bound when it came, and not any more
		return o.last(p)
	}
	var sent func()
	if s.conn != nil {
		done, err := s.conn.Begin()
		if err != nil {
			return o.last(&Problem{Code: CutOff, What: err.Error(), Tip: hintOf(err), Identity: true})
		}
		sent = done // what may be finished ends with its answer
	}
	reply := o.dispatch(ctx, b, c)
	if s.conn != nil {
		more := reply.Sent
		reply.Sent = func() {
			if more != nil {
				more()
			}
			sent()
		}
	}
	return reply
}

// last refuses a request and ends the association with the answer.
func (o *operation) last(p *Problem) dicomnet.Reply {
	o.why = p
	return dicomnet.Reply{Status: statusNotAuthorised, Comment: comment(p.Code), Sent: func() { o.s.abort(o.r.Association, p) }}
}

// no refuses a request.
func (o *operation) no(status dimse.Status, p *Problem) dicomnet.Reply {
	o.why = p
	o.s.g.counts.problem(p.Code)
	o.s.g.note(o.s.sender.Device, p)
	o.s.update(func(a *control.Association) { a.Problem, a.What, a.Hint = p.Code, p.What, p.Tip })
	o.s.g.log.Warn("a request was refused", "problem", p.Code, "what", p.What, "hint", p.Tip, "device", o.s.sender.Device, "calling", o.s.sender.CallingAE, "operation", o.r.Command.Field.Service(), "status", status.String())
	return dicomnet.Reply{Status: status, Comment: comment(p.Code)}
}

// comment is what the peer is told: a code, never a value.
func comment(s string) string { return s[:min(len(s), 64)] }

func (o *operation) dispatch(ctx context.Context, b *binding.Bound, c *dimse.Command) dicomnet.Reply {
	abstract := o.r.Context.AbstractSyntax
	if class := c.SOPClass(); class != abstract && c.Field != dimse.NEventReportRQ {
		return o.no(statusClass, &Problem{Code: ClassMismatch, Identity: true, Tip: "the device breaks PS3.7, or something wants to pass as something else",
			What: fmt.Sprintf("%s asked for %s of %.64q on a presentation context for %s", b.Device, c.Field.Service(), clean64(class), abstract)})
	}
	op := operationOf(abstract)
	if c.Field == dimse.CStoreRQ {
		op = binding.Store
	}
	if op == "" || !fits(op, c.Field) {
		return o.no(statusOperation, &Problem{Code: OperationRefused, What: fmt.Sprintf("%s is no operation of %s here", c.Field.Service(), abstract)})
	}
	if !b.May(op) {
		return o.no(statusNotAuthorised, &Problem{Code: OperationRefused, Identity: true, What: fmt.Sprintf("%s may not %s", b.Device, op), Tip: "add it to the binding's operations, if the device should"})
	}
	switch op {
	case binding.Echo:
		return dicomnet.Reply{}
	case binding.Store:
		return o.store(ctx, b, c)
	}
	reply, err := o.s.g.d.Queries.Handle(ctx, query.Caller{Bound: b, Sender: o.s.sender, Case: o.s.g.d.Case(b.Theatre)}, o.r)
	var no *query.Refused
	switch {
	case errors.As(err, &no):
		refused := o.no(reply.Status, &Problem{Code: no.Code, What: no.What, Tip: no.Tip, Identity: no.Identity})
		reply.Comment = refused.Comment
	case err != nil:
		o.why = &Problem{Code: ConnectionLost, What: err.Error(), Tip: hintOf(err)}
	}
	return reply
}

// fits reports whether a command is one of the service that an operation names.
func fits(op string, f dimse.Field) bool {
	switch op {
	case binding.Echo:
		return f == dimse.CEchoRQ
	case binding.Store:
		return f == dimse.CStoreRQ
	case binding.Find, binding.Worklist:
		return f == dimse.CFindRQ
	case binding.Move:
		return f == dimse.CMoveRQ
	case binding.Get:
		return f == dimse.CGetRQ
	case binding.MPPS:
		return f == dimse.NCreateRQ || f == dimse.NSetRQ || f == dimse.NGetRQ
	case binding.Commitment:
		return f == dimse.NActionRQ || f == dimse.NEventReportRQ
	}
	return false
}

func clean64(s string) string {
	b := []byte(s[:min(len(s), 64)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// store takes an instance.
func (o *operation) store(ctx context.Context, b *binding.Bound, c *dimse.Command) dicomnet.Reply {
	s := o.s
	switch {
	case !b.MayStore(c.AffectedSOPClass):
		return o.no(statusClass, &Problem{Code: ClassRefused, Identity: true, What: fmt.Sprintf("%s may not store %s", b.Device, c.AffectedSOPClass), Tip: "add the SOP class to the binding, if the device should"})
	case !dicom.ValidUID(c.AffectedSOPInstance):
		return o.no(statusInstance, &Problem{Code: BrokenProtocol, What: "the SOP instance UID of a C-STORE request is none", Tip: "the device breaks PS3.5 §9.1"})
	case o.r.Data == nil:
		return o.no(statusArgument, &Problem{Code: BrokenProtocol, What: "a C-STORE request without a data set", Tip: "the device breaks PS3.7 §9.1.1"})
	}
	a := instance.Arrival{Sender: s.sender, At: o.began, SOPClass: c.AffectedSOPClass, SOPInstance: c.AffectedSOPInstance, TransferSyntax: o.r.Context.TransferSyntax,
		MoveOriginator: c.MoveOriginator, MoveMessageID: c.MoveMessageID, Priority: c.Priority, Case: s.g.d.Case(b.Theatre)}
	a.Sender.Theatre = b.Theatre
	out, err := s.g.Store(ctx, a, o.r.Data)
	o.bytes = o.r.Data.Size()
	if err != nil { // the association is ending
		o.why = classify(err, s.d.secure, s.g.now())
		return dicomnet.Reply{Status: statusFault, Comment: "not received whole"}
	}
	status := dimse.Status(out.Status)
	o.seen, o.stored = out.Record, status.Category() != dimse.Failure
	return dicomnet.Reply{Status: status, Comment: comment(out.Comment)}
}
