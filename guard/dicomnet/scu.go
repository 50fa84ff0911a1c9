// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"context"
	"io"
	"slices"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Select returns the accepted presentation context for an abstract syntax in which this
// side has the role of the SCU, or with scp that of the SCP. With transfer syntaxes, the context
// has one of them, and the first that is available wins.
func (i *Info) Select(abstract string, scp bool, transfer ...string) (*Context, error) {
	var best *Context
	rank := len(transfer) + 1
	e := &ContextError{AbstractSyntax: abstract, TransferSyntaxes: transfer}
	for n := range i.Contexts {
		c := &i.Contexts[n]
		if c.AbstractSyntax != abstract {
			continue
		}
		e.Results = append(e.Results, c.Result)
		if !c.Accepted() || scp && !c.SCP || !scp && !c.SCU {
			continue
		}
		at := slices.Index(transfer, c.TransferSyntax)
		if len(transfer) > 0 && at < 0 {
			continue
		}
		if best == nil || at < rank {
			best, rank = c, at
		}
	}
	if best == nil {
		return nil, e
	}
	return best, nil
}

// failed turns a final response into an error where its status is a failure.
func failed(f dimse.Field, c *dimse.Command, err error) error {
	if err == nil && c.Status.Category() == dimse.Failure {
		return &StatusError{Field: f, Status: c.Status, Comment: c.ErrorComment}
	}
	return err
}

// Echo performs C-ECHO (PS3.7 §9.1.5).
func (a *Association) Echo(ctx context.Context) error {
	pc, err := a.info.Select(dicom.UIDVerification, false)
	if err != nil {
		return err
	}
	rsp, err := a.Do(ctx, pc.ID, dimse.Command{Field: dimse.CEchoRQ, AffectedSOPClass: dicom.UIDVerification}, nil, nil)
	return failed(dimse.CEchoRQ, &rsp, err)
}

// Instance is what C-STORE sends.
type Instance struct {
	SOPClass, SOPInstance string
	// TransferSyntax in which Data is encoded: nothing is converted. The context must have been accepted with it.
	TransferSyntax string
	Priority       uint16
	// MoveOriginator and MoveMessageID are set when the instance is sent for a C-MOVE.
	MoveOriginator string
	MoveMessageID  uint16
	// Data is the data set, without preamble and file meta information.
	Data io.Reader
}

// Store performs C-STORE (PS3.7 §9.1.1). The status is the peer's; a failure is a *StatusError, a warning none.
// What the data set's transfer syntax has no context for is a *ContextError, before anything is sent.
func (a *Association) Store(ctx context.Context, i Instance) (dimse.Status, error) {
	pc, err := a.storage(&i)
	if err != nil {
		return 0, err
	}
	c := dimse.Command{Field: dimse.CStoreRQ, AffectedSOPClass: i.SOPClass, AffectedSOPInstance: i.SOPInstance, Priority: i.Priority, Present: dimse.HasPriority}
	if i.MoveOriginator != "" {
		c.MoveOriginator, c.MoveMessageID, c.Present = i.MoveOriginator, i.MoveMessageID, c.Present|dimse.HasMoveMessageID
	}
	rsp, err := a.Do(ctx, pc.ID, c, i.Data, nil)
	return rsp.Status, failed(dimse.CStoreRQ, &rsp, err)
}

// storage selects the context for an instance. The C-STORE sub-operations of a C-GET are invoked by the
// acceptor, which is their SCU by role selection.
func (a *Association) storage(i *Instance) (*Context, error) {
	return a.info.Select(i.SOPClass, false, i.TransferSyntax)
}

// Query is what C-FIND, C-MOVE and C-GET send.
type Query struct {
	SOPClass string // the information model
	Priority uint16
	// Identifier is the data set with the keys, in the transfer syntax of the context that Select(SOPClass, false) gives.
	Identifier io.Reader
	// Destination is the AE title to which C-MOVE sends.
	Destination string
}

func (q *Query) command(f dimse.Field) dimse.Command {
	return dimse.Command{Field: f, AffectedSOPClass: q.SOPClass, Priority: q.Priority, Present: dimse.HasPriority, MoveDestination: q.Destination}
}

func (a *Association) query(ctx context.Context, f dimse.Field, q *Query, each func(*Response) error) (dimse.Command, error) {
	pc, err := a.info.Select(q.SOPClass, false)
	if err != nil {
		return dimse.Command{}, err
	}
	rsp, err := a.Do(ctx, pc.ID, q.command(f), q.Identifier, each)
	return rsp, failed(f, &rsp, err)
}

// Find performs C-FIND (PS3.7 §9.1.2). each is called with every match; its data set is the
// identifier. When each fails or ctx ends the query is cancelled.
func (a *Association) Find(ctx context.Context, q Query, each func(*Response) error) (dimse.Command, error) {
	return a.query(ctx, dimse.CFindRQ, &q, func(r *Response) error {
		if r.Command.Status.Category() != dimse.Pending {
			return nil
		}
		return each(r)
	})
}

// Move performs C-MOVE (PS3.7 §9.1.4). each, which may be nil, is called with every response: its
// command set counts the sub-operations, the data set of the final one lists what failed.
func (a *Association) Move(ctx context.Context, q Query, each func(*Response) error) (dimse.Command, error) {
	return a.query(ctx, dimse.CMoveRQ, &q, each)
}

// Get performs C-GET (PS3.7 §9.1.3). The instances come as C-STORE requests to the Handler of the
// Dialer, on contexts that were proposed with the SCP role. each is as for Move.
func (a *Association) Get(ctx context.Context, q Query, each func(*Response) error) (dimse.Command, error) {
	return a.query(ctx, dimse.CGetRQ, &q, each)
}

// Object is what an N-service is asked for.
type Object struct {
	SOPClass, SOPInstance string
	// Context, when not empty, is the abstract syntax of the presentation context, where
	// it is not the SOP class: a meta SOP class.
	Context    string
	Attributes []dicom.Tag // N-GET: what is asked for; empty: everything
	Type       uint16      // N-ACTION: action type; N-EVENT-REPORT: event type
	Data       io.Reader   // the data set of the request, or nil
}

// normalised performs an N-service. each, which may be nil, is given the response, whose data set
// is the attribute list, action reply or event reply.
func (a *Association) normalised(ctx context.Context, c dimse.Command, o *Object, each func(*Response) error) (dimse.Command, error) {
	abstract := o.Context
	if abstract == "" {
		abstract = o.SOPClass
	}
	pc, err := a.info.Select(abstract, c.Field == dimse.NEventReportRQ)
	if err != nil {
		return dimse.Command{}, err
	}
	rsp, err := a.Do(ctx, pc.ID, c, o.Data, each)
	return rsp, failed(c.Field, &rsp, err)
}

// Create performs N-CREATE (PS3.7 §10.1.5). Without a SOP instance the peer names it, in the response.
func (a *Association) Create(ctx context.Context, o Object, each func(*Response) error) (dimse.Command, error) {
	return a.normalised(ctx, dimse.Command{Field: dimse.NCreateRQ, AffectedSOPClass: o.SOPClass, AffectedSOPInstance: o.SOPInstance}, &o, each)
}

// Set performs N-SET (PS3.7 §10.1.3).
func (a *Association) Set(ctx context.Context, o Object, each func(*Response) error) (dimse.Command, error) {
	return a.normalised(ctx, dimse.Command{Field: dimse.NSetRQ, RequestedSOPClass: o.SOPClass, RequestedSOPInstance: o.SOPInstance}, &o, each)
}

// GetAttributes performs N-GET (PS3.7 §10.1.2).
func (a *Association) GetAttributes(ctx context.Context, o Object, each func(*Response) error) (dimse.Command, error) {
	return a.normalised(ctx, dimse.Command{Field: dimse.NGetRQ, RequestedSOPClass: o.SOPClass, RequestedSOPInstance: o.SOPInstance, AttributeList: o.Attributes}, &o, each)
}

// Action performs N-ACTION (PS3.7 §10.1.4), such as a request for storage commitment.
func (a *Association) Action(ctx context.Context, o Object, each func(*Response) error) (dimse.Command, error) {
	return a.normalised(ctx, dimse.Command{Field: dimse.NActionRQ, RequestedSOPClass: o.SOPClass, RequestedSOPInstance: o.SOPInstance,
		ActionType: o.Type, Present: dimse.HasActionType}, &o, each)
}

// EventReport performs N-EVENT-REPORT (PS3.7 §10.1.1). This side is the SCP of the context.
func (a *Association) EventReport(ctx context.Context, o Object, each func(*Response) error) (dimse.Command, error) {
	return a.normalised(ctx, dimse.Command{Field: dimse.NEventReportRQ, AffectedSOPClass: o.SOPClass, AffectedSOPInstance: o.SOPInstance,
		EventType: o.Type, Present: dimse.HasEventType}, &o, each)
}

// Delete performs N-DELETE (PS3.7 §10.1.6).
func (a *Association) Delete(ctx context.Context, o Object) (dimse.Command, error) {
	return a.normalised(ctx, dimse.Command{Field: dimse.NDeleteRQ, RequestedSOPClass: o.SOPClass, RequestedSOPInstance: o.SOPInstance}, &o, nil)
}
