// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/prove/identity/order"
)

// Whose requests a gateway carries out that come over the bus.
const (
	// OrdersSigned takes what changes anything, reaches out to somebody or shows a patient
	// only under a service's signature; the rest from everybody on the bus, who reads the
	// gateway's events there too.
	OrdersSigned = "signed"
	// OrdersAll takes everything only under a signature.
	OrdersAll = "all"
	// OrdersBus takes everything from everybody on the bus, in any person's name.
	OrdersBus = "bus"
)

// reads are the methods that show what identifies nobody, and change nothing. Every other
// method is a deed, also one that is not known here yet.
var reads = map[string]bool{
	"Overview": true, "Associations": true, "Destinations": true, "Instances": true, "Instance": true, "Quarantine": true, "Policy": true, "Bindings": true,
	"Ledger": true, "Entries": true, "Receipts": true, "Steps": true,
}

// deed reports whether a request changes anything, reaches out, or shows a patient.
func deed(r *Request) bool {
	if r.Method == "HeaderOf" {
		var h HeaderRequest
		return json.Unmarshal(r.Body, &h) != nil || h.Clear
	}
	return !reads[r.Method]
}

// named is the person in whose name a request's arguments are, nil where they have no place
// for one.
func named(body json.RawMessage) *string {
	var who struct{ User *string }
	if len(body) == 0 || json.Unmarshal(body, &who) != nil { // EchoTo's arguments are no object
		return nil
	}
	return who.User
}

// Orders is how a gateway knows who steers it over the bus.
type Orders struct {
	Accept   string          // OrdersSigned, OrdersAll or OrdersBus; "" is OrdersSigned
	Verifier *order.Verifier // nil: no signature can be verified, so none counts
	Signer   *order.Signer   // of answers to signed requests; nil: they are not signed
	Site     string          // of the bus
	// Judged is told of each request that had to be signed: its method, and why it was refused,
	// a *Refused, nil where it was not. It is called from several goroutines.
	Judged func(method string, refused error)
}

// orderKey is where the context of a request has its order.
type orderKey struct{}

// OrderOf returns the signed order by which a request came, where it did: the ledger keeps
// whose it was.
func OrderOf(ctx context.Context) (order.Verified, bool) {
	v, ok := ctx.Value(orderKey{}).(order.Verified)
	return v, ok
}

// door is where requests come in over the bus.
type door struct {
	c    Control
	name string
	o    *Orders // nil: everybody is served
}

// answer carries out a request of whoever may ask for it. A signed request has a signed
// answer, also when it is refused.
func (d *door) answer(ctx context.Context, body []byte) ([]byte, error) {
	if d.o == nil {
		return answer(ctx, d.c, body)
	}
	r, err := requested(body)
	if err != nil {
		return nil, err
	}
	var out []byte
	seal := r.Order != nil && d.o.Signer != nil
	if seal {
		if err := d.o.Signer.Ready(); err != nil { // before anything is done
			return nil, travelling(d.mute(err))
		}
	}
	if ctx, err = d.admit(ctx, r); err == nil {
		out, err = carryOut(ctx, d.c, r)
	} else {
		err = travelling(err)
	}
	if !seal {
		return out, err
	}
	return d.sealed(r, out, err)
}

// admit says whether a request is carried out, and for whom.
func (d *door) admit(ctx context.Context, r *Request) (context.Context, error) {
	isDeed := deed(r)
	if d.o.Accept == OrdersBus || !isDeed && d.o.Accept != OrdersAll {
		// Whoever asks is served. Whose order it was is kept all the same, where that is known.
		if isDeed && r.Order != nil && d.o.Verifier != nil {
			if v, err := d.o.Verifier.Verify(r.Order, r.Method, r.Body, true); err == nil && forThe(v.User, r.Body) {
				ctx = context.WithValue(ctx, orderKey{}, v)
			}
		}
		return ctx, nil
	}
	v, err := d.verified(r, isDeed)
	if d.o.Judged != nil {
		d.o.Judged(r.Method, err)
	}
	if err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, orderKey{}, v), nil
}

// verified takes the order of a request that must have one. Errors are *Refused.
func (d *door) verified(r *Request, isDeed bool) (order.Verified, error) {
	refuse := func(code, tip, what string) (order.Verified, error) {
		return order.Verified{}, &Refused{Code: code, What: "the gateway " + d.name + " " + what, Tip: tip}
	}
	switch {
	case r.Order == nil:
		return refuse(Unsigned, hintUnsigned, "takes signed orders only, and this one is not signed")
	case d.o.Verifier == nil:
		return refuse(NotTrusted, "give the gateway a certificate and the site's root: gateway.trust in its configuration", "takes signed orders only, and has nothing to verify them with")
	}
	v, err := d.o.Verifier.Verify(r.Order, r.Method, r.Body, isDeed)
	switch {
	case err != nil:
		return v, notTrusted("the gateway "+d.name+" does not take this order: ", err)
	case isDeed && v.User == "":
		return refuse(NotTrusted, sameVersion, "does not take this order: it names no person")
	case !forThe(v.User, r.Body):
		return refuse(NotTrusted, sameVersion, "does not take this order: it is for another person than the request names")
	}
	return v, nil
}

const sameVersion = "run the same version of Asepsis everywhere"

// forThe reports whether a request's arguments name this person, or none.
func forThe(user string, body json.RawMessage) bool {
	who := named(body)
	return who == nil || *who == user
}

// hintUnsigned is what gives a console a certificate.
const hintUnsigned = "give the console a certificate: asepsis ca code --profile infrastructure --service console makes a code, asepsis enroll gets it, and console.trust in the configuration names the files"

// notTrusted turns a refusal of a signature into one that a person reads.
func notTrusted(what string, err error) *Refused {
	out := &Refused{Code: NotTrusted, What: what + err.Error()}
	var r *order.Refusal
	if errors.As(err, &r) {
		out.Tip = r.Hint()
		if r.Why == order.Unkept {
			out.Code = Unavailable
		}
	}
	return out
}

// sealed is an answer with its signature, as it crosses the bus.
type sealed struct {
	Content json.RawMessage `json:"content"` // an outcome; what is signed is its SHA-256
	Seal    *order.Signed   `json:"seal"`
}

// outcome is what became of a request: one of both.
type outcome struct {
	Body  json.RawMessage `json:"body,omitempty"`
	Error *bus.Error      `json:"error,omitempty"`
}

// mute is why the gateway cannot answer so that it is believed.
func (d *door) mute(err error) *Refused {
	out := notTrusted("the gateway "+d.name+" cannot sign its answer: ", err)
	if out.Tip == "" {
		out.Tip = "see gateway.trust in its configuration, and its log"
	}
	return out
}

// sealed signs what became of a request.
func (d *door) sealed(r *Request, body []byte, err error) ([]byte, error) {
	content := outcome{Body: body}
	if err != nil {
		if !errors.As(err, &content.Error) {
			content.Error = &bus.Error{Kind: bus.ErrInternal.Kind, Text: err.Error()}
		}
		content.Body = nil
	}
	var out sealed
	if out.Content, err = json.Marshal(content); err != nil {
		return nil, err
	}
	if out.Seal, err = d.o.Signer.Answer(order.Answer{From: d.name, Site: d.o.Site}, r.Order, r.Method, r.Body, out.Content); err != nil {
		// Without a signature the console takes it for nobody's: that something was done must
		// not look like a refusal.
		return nil, travelling(d.mute(err))
	}
	return json.Marshal(out)
}
