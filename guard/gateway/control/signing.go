// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/prove/identity/order"
)

// Orderer is how a console gives orders that gateways take from it alone, and knows their
// answers.
type Orderer struct {
	Site    string // of the bus
	Signer  *order.Signer
	Checker order.Checker
	// Gateways says under which device ID or service name a gateway is enrolled, where that
	// is not its own name.
	Gateways map[string]string
	// Unsigned are the gateways whose answers count without a signature.
	Unsigned []string
}

// Option changes how a gateway is asked.
type Option func(*client)

// As asks for a person: orders name the account.
func As(user string) Option { return func(c *client) { c.user = user } }

// Signed asks with signed orders, and wants signed answers; nil: neither.
func Signed(o *Orderer) Option { return func(c *client) { c.orders = o } }

// Here is the Control of a gateway in this process. It is asked as over the bus, and
// answers the same, but nobody else can ask this way: no order has to be signed.
func Here(name string, c Control) Control { return &client{bus: here{c}, name: name} }

// here answers as the bus would.
type here struct{ c Control }

func (h here) Ask(ctx context.Context, _ string, body []byte) ([]byte, error) {
	if len(body) > bus.MaxBody {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", bus.ErrTooLarge, len(body), bus.MaxBody)
	}
	out, err := answer(ctx, h.c, body)
	if err == nil && len(out) > bus.MaxBody {
		return nil, fmt.Errorf("answer: %w: %d bytes, at most %d", bus.ErrTooLarge, len(out), bus.MaxBody)
	}
	return out, err
}

// sign adds the order to a request.
func (c *client) sign(r *Request) error {
	if c.orders == nil || c.orders.Signer == nil {
		return nil
	}
	user := c.user
	if who := named(r.Body); user == "" && who != nil {
		user = *who
	}
	var err error
	if r.Order, err = c.orders.Signer.Order(order.Order{To: c.name, Site: c.orders.Site, Method: r.Method, User: user}, r.Body); err != nil {
		out := notTrusted("the console cannot sign what it asks of the gateway "+c.name+": ", err)
		out.Code = Unavailable
		if out.Tip == "" {
			out.Tip = "see console.trust in its configuration, and its log"
		}
		return out
	}
	return nil
}

// answered takes the answer to a request, or why there is none.
func (c *client) answered(r *Request, b []byte, err error) ([]byte, error) {
	if r.Order == nil || err != nil && !said(err) {
		return b, err
	}
	var s sealed
	if err != nil || json.Unmarshal(b, &s) != nil || s.Seal == nil || s.Seal.Payload == nil {
		if slices.Contains(c.orders.Unsigned, c.name) {
			return b, err
		}
		return nil, c.unsigned(err)
	}
	name := c.name
	if other := c.orders.Gateways[c.name]; other != "" {
		name = other
	}
	want := order.Answer{From: c.name, Site: c.orders.Site}
	if err := order.VerifyAnswer(c.orders.Checker, s.Seal, want, r.Order, r.Method, r.Body, s.Content, name); err != nil {
		out := notTrusted("an answer came that is not believed to be of the gateway "+c.name+": ", err)
		out.What += "; whether it did anything is not known"
		return nil, out
	}
	var content outcome
	if err := json.Unmarshal(s.Content, &content); err != nil {
		return nil, fmt.Errorf("answer of the gateway %s: %w", c.name, err)
	}
	if content.Error != nil {
		return nil, content.Error
	}
	return content.Body, nil
}

// said reports whether an error is what somebody on the bus answered; others are of the
// bus itself.
func said(err error) bool {
	var e *bus.Error
	return errors.As(err, &e) && (strings.HasPrefix(e.Kind, refusedKind) || e.Kind == bus.ErrInternal.Kind)
}

// maxSaid bounds what is repeated of an answer that nobody signed.
const maxSaid = 300

// unsigned is why an answer without a signature does not count.
func (c *client) unsigned(err error) error {
	out := &Refused{Code: NotTrusted, What: "somebody answered for the gateway " + c.name + " without a signature; whether the gateway did anything is not known",
		Tip: "give the gateway a certificate and the site's root (gateway.trust); where all who reach the bus are trusted, name it in console.unsigned_gateways"}
	if err == nil {
		return out
	}
	text := err.Error()
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "..."
	}
	out.What += ". It said: " + text
	var hint interface{ Hint() string }
	if errors.As(err, &hint) && hint.Hint() != "" && len(hint.Hint()) <= maxSaid {
		out.Tip = hint.Hint()
	}
	return out
}
