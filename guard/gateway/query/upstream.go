// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Bounds of what is held: identifiers and attribute lists are small.
const maxIdentifier = 1 << 20

// read takes a data set that is held whole: keys, an answer, the attributes of a procedure step.
func read(d io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(d, maxIdentifier+1))
	if err == nil && len(b) > maxIdentifier {
		err = fmt.Errorf("it is longer than %d bytes", maxIdentifier)
	}
	return b, err
}

// identifier reads the data set of a request.
func identifier(r *dicomnet.Request) ([]byte, dicomnet.Reply, error) {
	if r.Data == nil {
		return nil, dicomnet.Reply{Status: statusArgument, Comment: "no data set"}, &Refused{Code: codeBroken, What: r.Command.Field.Service() + " without a data set", Tip: "the device breaks PS3.7"}
	}
	b, err := read(r.Data)
	if err != nil {
		return nil, dicomnet.Reply{Status: statusResources, Comment: "the data set could not be taken"}, &Refused{Code: codeBroken, What: r.Command.Field.Service() + ": its data set could not be taken: " + err.Error()}
	}
	return b, dicomnet.Reply{}, nil
}

// dial opens an association with an archive for one abstract syntax, and contexts besides.
func (p *Proxy) dial(ctx context.Context, a *Archive, abstract, syntax string, more []dicomnet.Proposal, h dicomnet.Handler, first uint16) (*dicomnet.Association, *dicomnet.Context, error) {
	syntaxes := []string{syntax}
	for _, s := range dicomnet.UncompressedSyntaxes() {
		if s != syntax {
			syntaxes = append(syntaxes, s)
		}
	}
	d := &dicomnet.Dialer{CallingAE: a.CallingAE, CalledAE: a.CalledAE, Handler: h, FirstMessageID: first, Contexts: append([]dicomnet.Proposal{{AbstractSyntax: abstract, TransferSyntaxes: syntaxes}}, more...),
		Timeouts: dicomnet.Timeouts{Connect: p.cfg.Timeouts.Connect, Associate: p.cfg.Timeouts.Connect, Response: p.cfg.Timeouts.Response}}
	if a.TLS {
		d.Handshake = p.handshake(a.Device)
	}
	x, err := d.Dial(ctx, a.Address)
	if err != nil {
		return nil, nil, away(a, err)
	}
	pc, err := x.Info().Select(abstract, false)
	if err != nil {
		_ = x.Release(ctx)
		return nil, nil, away(a, err)
	}
	return x, pc, nil
}

func (p *Proxy) handshake(device string) func(context.Context, net.Conn, string) (net.Conn, error) {
	return func(ctx context.Context, c net.Conn, name string) (net.Conn, error) {
		if p.d.Handshake == nil {
			_ = c.Close()
			return nil, errors.New("this gateway has no certificate: gateway.trust is not configured")
		}
		return p.d.Handshake(ctx, c, device, name)
	}
}

// away says why an archive could not be asked.
func away(a *Archive, err error) *Refused {
	r := &Refused{Code: codeArchiveAway, What: fmt.Sprintf("the archive %s cannot be reached: %v", a.Name, err)}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		r.Tip = h.Hint()
	}
	var rejected *dicomnet.RejectedError
	var context *dicomnet.ContextError
	var aborted *dicomnet.AbortedError
	if errors.As(err, &rejected) || errors.As(err, &context) || errors.As(err, &aborted) {
		r.Code, r.What = codeArchiveRefused, fmt.Sprintf("the archive %s refuses the gateway: %v", a.Name, err)
	}
	return r
}

// unreachable answers a request whose archive cannot be asked.
func unreachable(f dimse.Field, err error) (dicomnet.Reply, error) {
	status, text := statusResources, "the archive cannot be reached by the gateway"
	var r *Refused
	if errors.As(err, &r) && r.Code == codeArchiveRefused {
		text = "the archive refuses the gateway"
	}
	switch f {
	case dimse.CMoveRQ, dimse.CGetRQ:
		status = 0xA702
	case dimse.NCreateRQ, dimse.NSetRQ:
		status = statusFault
	default:
	}
	return dicomnet.Reply{Status: status, Comment: text}, err
}

// failed says what an archive's failure in the middle of a request is.
func failed(a *Archive, err error) error {
	var status *dicomnet.StatusError
	if err == nil || errors.As(err, &status) {
		return nil // the peer gets the status
	}
	return away(a, err)
}

// recode writes a data set that is held in another transfer syntax.
func recode(b []byte, from, to string) ([]byte, error) {
	if from == to || len(b) == 0 {
		return b, nil
	}
	f, _ := dicom.SyntaxOf(from)
	t, _ := dicom.SyntaxOf(to)
	var out bytes.Buffer
	if err := dicom.Transcode(&out, bytes.NewReader(b), f, t, dicom.DefaultLimits()); err != nil {
		return nil, fmt.Errorf("write it as %s: %w", to, err)
	}
	return out.Bytes(), nil
}

// retitle writes another value for an AE title at the top of a data set, where it is there.
func retitle(b []byte, syntax string, tag dicom.Tag, ae string) ([]byte, error) {
	s, _ := dicom.SyntaxOf(syntax)
	value := []byte(ae)
	if len(value)&1 != 0 {
		value = append(value, ' ')
	}
	r := dicom.NewReader(bytes.NewReader(b), s, dicom.DefaultLimits())
	var e dicom.Encoder
	e.Reset(s)
	out := make([]byte, 0, len(b)+16)
	replaced := false
	for {
		t, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, e.End()
		}
		if err != nil {
			return nil, err
		}
		switch {
		case t.Kind == dicom.Element && t.Tag == tag && t.Depth == 0 && t.Length > 0:
			t.Length, replaced = uint32(len(value)), true
			if out, err = e.Append(out, &t); err == nil {
				out, err = e.Append(out, &dicom.Token{Kind: dicom.Value, Data: value, Last: true})
			}
		case t.Kind == dicom.Value && replaced && t.Tag == tag && t.Depth == 0:
			// replaced already
		default:
			out, err = e.Append(out, &t)
		}
		if err != nil {
			return nil, err
		}
	}
}
