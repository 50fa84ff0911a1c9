// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// errEnough: there are more answers than the policy lets through.
var errEnough = errors.New("more answers than the policy lets through")

// find passes on a C-FIND, and its answers as they come. What is known of it is put into q.
func (p *Proxy) find(ctx context.Context, c Caller, r *dicomnet.Request, q *Asked) (dicomnet.Reply, error) {
	operation := binding.Find
	if r.Context.AbstractSyntax == dicom.UIDModalityWorklistFind {
		operation = binding.Worklist
	}
	b, reply, err := identifier(r)
	if err != nil {
		return reply, err
	}
	policy := p.policy(c.Bound.Device)
	k, err := parse(b, r.Context.TransferSyntax)
	if err != nil {
		return dicomnet.Reply{Status: statusIdentifier, Comment: "the identifier cannot be read"}, &Refused{Code: codeBroken, What: "the identifier of a C-FIND cannot be read: " + err.Error()}
	}
	q.Keys = k.searched()
	if why := policy.check(k, operation == binding.Find); why != "" {
		return dicomnet.Reply{Status: statusUnable, Comment: why[:min(len(why), 64)]}, &Refused{Code: codeQuery, Identity: true, What: fmt.Sprintf("a query of %s was not passed on: %s", c.Bound.Device, why),
			Tip: "gateway.query.policies says what a device may ask for"}
	}
	a, no := p.archive(operation, c.Sender.CalledAE)
	if no != nil {
		return dicomnet.Reply{Status: statusUnable, Comment: "nobody to ask"}, no
	}
	q.Archive = cmp.Or(a.Device, a.Name)
	up, pc, err := p.dial(ctx, a, r.Context.AbstractSyntax, r.Context.TransferSyntax, nil, nil, 0)
	if err != nil {
		return unreachable(dimse.CFindRQ, err)
	}
	defer func() { _ = up.Release(context.WithoutCancel(ctx)) }()
	if b, err = recode(b, r.Context.TransferSyntax, pc.TransferSyntax); err != nil {
		return dicomnet.Reply{Status: statusIdentifier, Comment: "the identifier cannot be read"}, &Refused{Code: codeBroken, What: "the identifier of a C-FIND: " + err.Error()}
	}
	rsp, err := up.Find(ctx, dicomnet.Query{SOPClass: r.Context.AbstractSyntax, Priority: r.Command.Priority, Identifier: bytes.NewReader(b)}, func(x *dicomnet.Response) error {
		if q.Matches >= policy.Results {
			return errEnough
		}
		q.Matches++
		return p.answer(ctx, c, r, x, pc.TransferSyntax, operation)
	})
	switch {
	case errors.Is(err, errEnough):
		p.log.Warn("a query had more answers than its policy lets through", "device", c.Bound.Device, "results", q.Matches)
		return dicomnet.Reply{Status: statusCancelled, Comment: fmt.Sprintf("more than %d matches: narrow the query", policy.Results)}, nil
	case errors.Is(err, dicomnet.ErrCancelled):
		return dicomnet.Reply{Status: statusCancelled}, nil
	case failed(a, err) != nil:
		reply, _ := unreachable(dimse.CFindRQ, err)
		return reply, failed(a, err)
	}
	return dicomnet.Reply{Status: rsp.Status}, nil
}

// answer hands one match on, under the gateway's name.
func (p *Proxy) answer(ctx context.Context, c Caller, r *dicomnet.Request, x *dicomnet.Response, syntax, operation string) error {
	var b []byte
	if x.Data != nil {
		var err error
		if b, err = read(x.Data); err == nil {
			b, err = retitle(b, syntax, tagRetrieveAE, c.Sender.CalledAE)
		}
		if err == nil && operation == binding.Worklist {
			p.patients.worklist(c.Bound.Device, c.Bound.Theatre, p.patientOf(b, syntax))
		}
		if err == nil {
			b, err = recode(b, syntax, r.Context.TransferSyntax)
		}
		if err != nil {
			return fmt.Errorf("an answer of the archive: %w", err)
		}
	}
	return r.Pending(ctx, dicomnet.Reply{Status: x.Command.Status, Data: bytes.NewReader(b)})
}
