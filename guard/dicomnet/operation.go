// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// Response is one response to an operation of this side.
type Response struct {
	Command dimse.Command
	// Data is the response's data set, nil when it has none. It is valid during
	// the call that was given the response.
	Data *Data
}

// operation is what this side invoked and waits for.
type operation struct {
	in   chan *Response
	gone chan struct{} // closed when nobody waits any more
}

// notInvoked is for a response to nothing.
func notInvoked(c *dimse.Command) error {
	return violation("%v to message %d, which was not sent or was answered", c.Field, c.RespondedTo)
}

// Do invokes an operation and waits for its final response. c needs only what its
// service demands: the message ID, the type of the data set and the presence of fields are
// set here. data is sent as the data set and may be nil; while it is
// read, nothing else of the association can be sent. each, when not nil, is called for
// every response, the final one included, on the caller's goroutine.
//
// The result is the command set of the final response, whatever its status says.
// When ctx ends or each fails, a C-FIND, C-MOVE or C-GET is cancelled and the cause
// returned, and the association can still be used; any other operation ends the association.
func (a *Association) Do(ctx context.Context, presentation uint8, c dimse.Command, data io.Reader, each func(*Response) error) (dimse.Command, error) {
	if _, ok := a.info.Context(presentation); !ok {
		return dimse.Command{}, fmt.Errorf("%s: presentation context %d was not accepted", c.Field.Service(), presentation)
	}
	if err := context.Cause(ctx); err != nil {
		return dimse.Command{}, err // nothing was sent: the association is not touched
	}
	select {
	case a.invoke <- struct{}{}:
		defer func() { <-a.invoke }()
	case <-a.ctx.Done():
		return dimse.Command{}, a.over(c.Field)
	case <-ctx.Done():
		return dimse.Command{}, context.Cause(ctx)
	}
	op := &operation{in: make(chan *Response), gone: make(chan struct{})}
	defer close(op.gone)
	id, err := a.register(op)
	if err != nil {
		return dimse.Command{}, fmt.Errorf("%s: %w", c.Field.Service(), err)
	}
	defer a.forget(id)
	c.MessageID, c.Present = id, c.Present|dimse.HasMessageID
	c.DataSetType = dimse.NoDataSet
	if data != nil {
		c.DataSetType = dataSetFollows
	}
	stop := context.AfterFunc(ctx, func() {
		if !cancellable(c.Field) {
			a.fail(context.Cause(ctx))
		}
	})
	defer stop()
	if err := a.send(presentation, &c, data); err != nil {
		return dimse.Command{}, fmt.Errorf("%s: %w", c.Field.Service(), err)
	}
	return a.await(ctx, presentation, &c, op, each)
}

// dataSetFollows is what (0000,0800) is set to with a data set (PS3.7 §E.1: anything but 0101H).
const dataSetFollows = 0x0001

func cancellable(f dimse.Field) bool {
	return f == dimse.CFindRQ || f == dimse.CMoveRQ || f == dimse.CGetRQ
}

// await hands out responses until the final one.
func (a *Association) await(ctx context.Context, presentation uint8, c *dimse.Command, op *operation, each func(*Response) error) (dimse.Command, error) {
	limit := time.NewTimer(a.timeouts.Response)
	defer limit.Stop()
	ended := ctx.Done()
	var stopped error // why C-CANCEL was sent
	cancelled := func(why error) error {
		ended, stopped = nil, why
		limit.Reset(a.timeouts.Cancel)
		return a.send(presentation, &dimse.Command{Field: dimse.CCancelRQ, RespondedTo: c.MessageID, Present: dimse.HasRespondedTo, DataSetType: dimse.NoDataSet}, nil)
	}
	for {
		var err error
		select {
		case r := <-op.in:
			final := r.Command.Status.Category() != dimse.Pending
			if each != nil && stopped == nil {
				err = each(r)
			}
			if r.Data != nil {
				if derr := r.Data.Close(); derr != nil {
					return r.Command, a.over(c.Field)
				}
			}
			switch {
			case final && stopped != nil:
				return r.Command, stopped
			case final:
				return r.Command, err
			case err != nil && cancellable(c.Field):
				err = cancelled(err)
			case err != nil:
				a.fail(err)
			case stopped == nil:
				limit.Reset(a.timeouts.Response)
			}
		case <-ended:
			if !cancellable(c.Field) {
				<-a.ctx.Done() // fail is under way
				return dimse.Command{}, context.Cause(ctx)
			}
			err = cancelled(context.Cause(ctx))
		case <-limit.C:
			if stopped != nil {
				a.fail(fmt.Errorf("%w: the peer did not end %s in %v after C-CANCEL", ErrTimeout, c.Field.Service(), a.timeouts.Cancel))
			} else {
				a.fail(fmt.Errorf("%w: no response to %s in %v", ErrTimeout, c.Field.Service(), a.timeouts.Response))
			}
			<-a.ctx.Done()
			return dimse.Command{}, a.over(c.Field)
		case <-a.ctx.Done():
			if stopped != nil {
				return dimse.Command{}, stopped
			}
			return dimse.Command{}, a.over(c.Field)
		}
		if err != nil {
			return dimse.Command{}, fmt.Errorf("%s: %w", c.Field.Service(), err)
		}
	}
}

// over says why nothing can be done any more.
func (a *Association) over(f dimse.Field) error {
	<-a.ctx.Done()
	return fmt.Errorf("%s: %w", f.Service(), context.Cause(a.ctx))
}

// register gives an operation its message ID.
func (a *Association) register(op *operation) (uint16, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state != ul.Established {
		switch {
		case a.err != nil:
			return 0, a.err
		case a.wanted != nil:
			return 0, a.wanted
		}
		return 0, fmt.Errorf("the association is in %v: %w", a.state, ErrReleased)
	}
	for {
		a.lastID++
		if _, taken := a.pending[a.lastID]; !taken && a.lastID != 0 {
			break
		}
	}
	a.pending[a.lastID] = op
	return a.lastID, nil
}

func (a *Association) forget(id uint16) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.pending, id)
	a.active = time.Now()
	a.stats.Invoked++
}

// send writes a message. When it fails the association ends, and the error is why.
func (a *Association) send(presentation uint8, c *dimse.Command, data io.Reader) error {
	if _, err := a.step(ul.SendData); err != nil {
		return err
	}
	err := a.wr.message(presentation, c, data)
	if err == nil {
		return nil
	}
	var source *sourceError
	if errors.As(err, &source) || errors.Is(err, ErrTimeout) {
		a.fail(err)
		<-a.ctx.Done()
		return err
	}
	// The peer may have said why before it closed: what it sent last is still there to be read.
	limit := time.NewTimer(a.timeouts.Close)
	defer limit.Stop()
	select {
	case <-a.ctx.Done():
	case <-limit.C:
		a.fail(fmt.Errorf("write to the peer: %w", err))
		<-a.ctx.Done()
	}
	return context.Cause(a.ctx)
}

// answered hands a response of the peer to the operation that waits for it.
func (a *Association) answered(m *Response) error {
	a.mu.Lock()
	op := a.pending[m.Command.RespondedTo]
	a.mu.Unlock()
	if op == nil {
		return notInvoked(&m.Command)
	}
	select {
	case op.in <- m:
	case <-op.gone:
		return notInvoked(&m.Command)
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	}
	return a.wait(m.Data)
}

// wait returns when a data set was read or passed over, and its error if the association cannot go on.
func (a *Association) wait(d *Data) error {
	if d == nil {
		return nil
	}
	<-d.over
	a.rd.leave()
	if d.err != nil && !errors.Is(d.err, io.EOF) || errors.Is(d.err, io.ErrUnexpectedEOF) {
		return d.err
	}
	return nil
}
