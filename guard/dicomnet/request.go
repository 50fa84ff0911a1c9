// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// Handler performs what a peer asks for.
type Handler interface {
	// Handle performs one request and returns its final response. It may be called
	// for several requests of an association at once, if the negotiated window
	// allows. ctx ends with the association, and with cause ErrCancelled when the
	// peer cancels. The response is sent when Handle has returned: what it promises must be true by then.
	Handle(ctx context.Context, r *Request) Reply
}

// HandlerFunc is a Handler.
type HandlerFunc func(ctx context.Context, r *Request) Reply

// Handle implements Handler.
func (f HandlerFunc) Handle(ctx context.Context, r *Request) Reply { return f(ctx, r) }

// Request is one request of a peer. It is valid until the handler returns.
type Request struct {
	Association *Association
	Context     Context // the presentation context that it came on
	Command     dimse.Command
	// Data is the data set, nil when none follows.
	Data *Data

	cancel context.CancelCauseFunc
}

// Reply is a response to a request. The rest of its command set is made from the request's.
type Reply struct {
	Status    dimse.Status
	Comment   string      // error comment, at most 64 characters
	Offending []dicom.Tag // offending elements
	ErrorID   uint16      // 0: none
	// SOPInstance is the affected SOP instance, where it is not that of the request (N-CREATE).
	SOPInstance string
	// Progress counts the sub-operations of C-MOVE and C-GET.
	Progress *Progress
	// Data is the response's data set, or nil. It is read while it is sent.
	Data io.Reader
	// Sent, when not nil, is called when the response was written, or could not be.
	Sent func()
}

// Progress counts sub-operations (PS3.7 §9.1.3, §9.1.4).
type Progress struct{ Remaining, Completed, Failed, Warning uint16 }

// Statuses that this package answers by itself.
const (
	statusDuplicateInvocation dimse.Status = 0x0210
	statusUnrecognised        dimse.Status = 0x0211
)

// Pending sends a response before the final one (C-FIND, C-GET, C-MOVE). It fails
// when the request was cancelled or the association ended.
func (r *Request) Pending(ctx context.Context, p Reply) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if p.Status.Category() != dimse.Pending {
		return fmt.Errorf("status %v is not a pending one", p.Status)
	}
	return r.respond(p)
}

func (r *Request) respond(p Reply) error {
	c := r.Command
	out := dimse.Command{
		Field: c.Field | dimse.ResponseBit, RespondedTo: c.MessageID, DataSetType: dimse.NoDataSet, Status: p.Status,
		Present: dimse.HasRespondedTo | dimse.HasStatus, AffectedSOPClass: c.SOPClass(), AffectedSOPInstance: c.SOPInstance(),
		ErrorComment: p.Comment[:min(len(p.Comment), 64)], OffendingElement: p.Offending,
	}
	if p.SOPInstance != "" {
		out.AffectedSOPInstance = p.SOPInstance
	}
	if p.ErrorID != 0 {
		out.ErrorID, out.Present = p.ErrorID, out.Present|dimse.HasErrorID
	}
	switch c.Field {
	case dimse.NEventReportRQ:
		out.EventType, out.Present = c.EventType, out.Present|dimse.HasEventType
	case dimse.NActionRQ:
		out.ActionType, out.Present = c.ActionType, out.Present|dimse.HasActionType
	}
	if g := p.Progress; g != nil {
		out.Completed, out.Failed, out.Warning = g.Completed, g.Failed, g.Warning
		out.Present |= dimse.HasCompleted | dimse.HasFailed | dimse.HasWarning
		if k := p.Status.Category(); k == dimse.Pending || k == dimse.Cancel { // PS3.7 §9.1.3.1.6: not in the final one
			out.Remaining, out.Present = g.Remaining, out.Present|dimse.HasRemaining
		}
	}
	if p.Data != nil {
		out.DataSetType = dataSetFollows
	}
	return r.Association.send(r.Context.ID, &out, p.Data)
}

// message reads the message whose first fragment begins, and hands it to whom it is for.
func (a *Association) message(p ul.PDV) error {
	c, ok := a.info.Context(p.Context)
	if !ok {
		return violation("a message on presentation context %d, which was not accepted", p.Context)
	}
	if !p.Command {
		return violation("a data set without a command")
	}
	a.rd.enter()
	cmd, err := a.rd.command(p, func() error { return a.received(ul.ReceivedPData) })
	if err != nil {
		return err
	}
	var data *Data
	if cmd.HasDataSet() {
		data = newData(a, p.Context)
	} else {
		a.rd.leave()
	}
	switch {
	case cmd.Field == dimse.CCancelRQ:
		if data != nil {
			return violation("C-CANCEL-RQ with a data set")
		}
		a.mu.Lock()
		if r := a.requests[cmd.RespondedTo]; r != nil {
			r.cancel(ErrCancelled)
		}
		a.mu.Unlock()
		return nil
	case cmd.Field.IsResponse():
		return a.answered(&Response{Command: cmd, Data: data})
	}
	return a.serve(&Request{Association: a, Context: *c, Command: cmd, Data: data})
}

// serve starts the handler of a request, and returns when the next message may be read.
func (a *Association) serve(r *Request) error {
	select {
	case a.perform <- struct{}{}:
	default:
		// Beyond the window. Peers that do not keep to it wait for their turn here, unless a
		// request being served needs what the peer sends next.
		a.mu.Lock()
		stuck := len(a.pending) > 0
		a.mu.Unlock()
		if stuck {
			return violation("%v beyond the asynchronous operations window (PS3.7 §D.3.3.3)", r.Command.Field)
		}
		select {
		case a.perform <- struct{}{}:
		case <-a.ctx.Done():
			return context.Cause(a.ctx)
		}
	}
	var ctx context.Context
	ctx, r.cancel = context.WithCancelCause(a.ctx)
	id := r.Command.MessageID
	a.mu.Lock()
	_, duplicate := a.requests[id]
	if !duplicate {
		a.requests[id] = r
	}
	a.busy++
	a.mu.Unlock()
	a.serving.Add(1)
	go func() {
		defer a.serving.Done()
		var reply Reply
		whole := true
		switch {
		case duplicate:
			reply.Status = statusDuplicateInvocation
		case !r.allowed() || a.handler == nil:
			reply.Status = statusUnrecognised
		default:
			reply, whole = a.handle(ctx, r)
		}
		if r.Data != nil && r.Data.Close() != nil {
			whole = false
		}
		// The peer may send its next request, even with the same message ID, before write returns here. So the
		// place in the window is free before the response leaves.
		a.mu.Lock()
		if !duplicate {
			delete(a.requests, id)
		}
		a.mu.Unlock()
		<-a.perform
		err := errStopped // unless whole, the association is ending
		if whole {
			err = r.respond(reply)
		}
		if reply.Sent != nil {
			reply.Sent()
		}
		r.cancel(nil)
		a.mu.Lock()
		a.busy--
		a.active = time.Now()
		if err == nil {
			a.stats.Performed++
		}
		ending := a.draining && a.busy == 0
		a.mu.Unlock()
		if ending {
			a.fail(ErrShutdown)
		}
	}()
	return a.wait(r.Data)
}

// handle calls the handler. One that panics costs its association, not the program.
func (a *Association) handle(ctx context.Context, r *Request) (reply Reply, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			reply, ok = Reply{}, false
			a.fail(&PanicError{Value: p, Stack: debug.Stack()})
		}
	}()
	return a.handler.Handle(ctx, r), true
}

// PanicError ends an association whose handler panicked.
type PanicError struct {
	Value any
	Stack []byte
}

// Error implements error. The value is not repeated: it may hold what was received.
func (e *PanicError) Error() string {
	return fmt.Sprintf("BUG: the handler panicked (%T)", e.Value)
}

// allowed reports whether the peer has the role that its request needs (PS3.7 §D.3.3.4):
// N-EVENT-REPORT is invoked by the SCP, everything else by the SCU.
func (r *Request) allowed() bool {
	if r.Command.Field == dimse.NEventReportRQ {
		return r.Context.SCU
	}
	return r.Context.SCP
}

// shutdown ends the association when what is being served has been answered, at
// once if nothing is.
func (a *Association) shutdown() {
	a.mu.Lock()
	a.draining = true
	busy := a.busy > 0
	a.mu.Unlock()
	if !busy {
		a.fail(ErrShutdown)
	}
}
