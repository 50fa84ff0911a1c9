// SPDX-License-Identifier: Apache-2.0

package query

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Asked is a C-FIND that was answered or refused. It holds the value of no key.
type Asked struct {
	At       time.Time
	Sender   instance.Sender // who asked
	SOPClass string          // the information model
	Archive  string          // device or name of whom the gateway asked; "" where it asked nobody
	Keys     []string        // names of the attributes by which was searched
	Matches  int
	Status   dimse.Status
	// Problem is the code of a refusal, Why its words; "" where it was answered.
	Problem, Why string
}

// asked performs a C-FIND and tells of it.
func (p *Proxy) asked(ctx context.Context, c Caller, r *dicomnet.Request) (dicomnet.Reply, error) {
	q := Asked{At: p.now(), Sender: c.Sender, SOPClass: r.Context.AbstractSyntax}
	reply, err := p.find(ctx, c, r, &q)
	q.Status = reply.Status
	var no *Refused
	switch {
	case errors.As(err, &no):
		q.Problem, q.Why = no.Code, no.What
	case err != nil: // the requestor is gone
		q.Problem, q.Why = codeBroken, "it did not hear the answer to its end"
	}
	if p.d.Asked != nil {
		p.d.Asked(q)
	}
	return reply, err
}

// searched are the names of the keys by which an identifier searches, those in items of sequences among them.
func (k *keys) searched() []string {
	var out []string
	for _, e := range slices.Concat(k.list, k.inner) {
		if e.value != "" && !instructs(e.tag) {
			out = append(out, nameOf(e.tag))
		}
	}
	return out[:min(len(out), maxNames)]
}

// maxNames bounds Asked.Keys.
const maxNames = 64
