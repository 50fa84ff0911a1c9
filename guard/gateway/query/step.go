// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net"
	"slices"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// step passes on a modality performed procedure step: N-CREATE and N-SET (PS3.4 §F.7).
func (p *Proxy) step(ctx context.Context, c Caller, r *dicomnet.Request) (dicomnet.Reply, error) {
	b, reply, err := identifier(r)
	if err != nil {
		return reply, err
	}
	a, no := p.archive(binding.MPPS, c.Sender.CalledAE)
	if no != nil {
		return dicomnet.Reply{Status: statusFault, Comment: "nobody to tell"}, no
	}
	patient := ""
	if r.Command.Field == dimse.NCreateRQ {
		patient = p.patientOf(b, r.Context.TransferSyntax)
		p.patients.worklist(c.Bound.Device, c.Bound.Theatre, patient)
	}
	up, pc, err := p.dial(ctx, a, r.Context.AbstractSyntax, r.Context.TransferSyntax, nil, nil, 0)
	if err != nil {
		return unreachable(r.Command.Field, err)
	}
	defer func() { _ = up.Release(context.WithoutCancel(ctx)) }()
	if b, err = recode(b, r.Context.TransferSyntax, pc.TransferSyntax); err != nil {
		return dicomnet.Reply{Status: statusArgument, Comment: "the attributes cannot be read"}, &Refused{Code: codeBroken, What: "the attributes of a procedure step: " + err.Error()}
	}
	o := dicomnet.Object{SOPClass: r.Command.SOPClass(), SOPInstance: r.Command.SOPInstance(), Context: r.Context.AbstractSyntax, Data: bytes.NewReader(b)}
	do := up.Create
	if r.Command.Field == dimse.NSetRQ {
		do = up.Set
	}
	var answer []byte
	rsp, err := do(ctx, o, func(x *dicomnet.Response) error {
		var rerr error
		if x.Data != nil {
			answer, rerr = read(x.Data)
		}
		return rerr
	})
	if failed(a, err) != nil {
		return unreachable(r.Command.Field, failed(a, err))
	}
	var status *dicomnet.StatusError
	if errors.As(err, &status) {
		return dicomnet.Reply{Status: status.Status}, nil
	}
	p.performed(r, c.Bound.Device, c.Bound.Theatre, patient, stepStatus(b, pc.TransferSyntax), cmp.Or(rsp.AffectedSOPInstance, o.SOPInstance))
	out := dicomnet.Reply{Status: rsp.Status, SOPInstance: rsp.AffectedSOPInstance}
	if answer, err = recode(answer, pc.TransferSyntax, r.Context.TransferSyntax); err == nil && len(answer) > 0 {
		out.Data = bytes.NewReader(answer)
	}
	return out, nil
}

// performed notes what goes on in a room, when the archive has taken it.
func (p *Proxy) performed(r *dicomnet.Request, device, theatre, patient, status, uid string) {
	steps := p.patients.steps
	switch status {
	case "IN PROGRESS":
		if r.Command.Field == dimse.NCreateRQ {
			steps.begin(uid, device, theatre, patient)
		}
	case "COMPLETED":
		steps.end(uid, device, control.StepCompleted)
	case "DISCONTINUED":
		steps.end(uid, device, control.StepDiscontinued)
	}
}

// tagStepStatus is Performed Procedure Step Status (PS3.3 §C.4.14).
const tagStepStatus dicom.Tag = 0x00400252

// stepStatus reads the status of a procedure step; "" where it has none.
func stepStatus(b []byte, syntax string) string { return attributes(b, syntax, tagStepStatus)[0] }

// attributes reads values at the top level, the first where an attribute stands twice. What lies in
// sequences is passed over: a step that is completed names each of thousands of images.
func attributes(b []byte, syntax string, tags ...dicom.Tag) []string {
	v := &attributeReader{tags: tags, values: make([]string, len(tags)), seen: make([]bool, len(tags))}
	s, _ := dicom.SyntaxOf(syntax)
	var x dicom.Extractor
	x.Reset(s, dicom.DefaultLimits(), v)
	if x.Feed(b) != nil || x.Tokenizer().End() != nil {
		return make([]string, len(tags))
	}
	return v.values
}

// attributeReader is a dicom.Visitor.
type attributeReader struct {
	tags   []dicom.Tag
	values []string
	seen   []bool
}

// Header implements dicom.Visitor.
func (a *attributeReader) Header(t *dicom.Token, parent dicom.Tag) int {
	if t.Kind != dicom.Element || parent != 0 || !slices.Contains(a.tags, t.Tag) {
		return 0
	}
	return 256
}

// Value implements dicom.Visitor.
func (a *attributeReader) Value(t *dicom.Token, _ dicom.Tag, b []byte) {
	if i := slices.Index(a.tags, t.Tag); !a.seen[i] {
		a.values[i], a.seen[i] = dicom.TrimString(b), true
	}
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
