// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/prove/ledger"
)

// Asking is what a client needs of the bus.
type Asking interface {
	Ask(ctx context.Context, subject string, body []byte) ([]byte, error)
	Reports(ctx context.Context, kind string) ([]bus.Report, error)
}

// Gateway is a gateway that reports on the bus.
type Gateway struct {
	Name  string
	Since time.Time // when it started
	Heard time.Time // when it reported last
	Live  bool      // that is a short time ago
}

// Gateways lists those that reported in the last thirty days, by name.
func Gateways(ctx context.Context, b Asking, now time.Time) ([]Gateway, error) {
	reports, err := b.Reports(ctx, reportKind)
	if err != nil {
		return nil, fmt.Errorf("list gateways: %w", err)
	}
	var out []Gateway
	for _, r := range reports {
		var x report
		if CheckName(r.Name) != nil || json.Unmarshal(r.Body, &x) != nil || now.Sub(r.At) > forgottenAfter {
			continue
		}
		out = append(out, Gateway{Name: r.Name, Since: x.Since.UTC(), Heard: r.At.UTC(), Live: now.Sub(r.At) < silentAfter})
	}
	slices.SortFunc(out, func(x, y Gateway) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

// At is the Control of the gateway of that name, wherever it runs. What a person
// caused comes back as *Refused; also when the gateway does not answer.
func At(b Asking, name string, o ...Option) Control {
	c := &client{bus: b, name: name}
	for _, f := range o {
		f(c)
	}
	return c
}

type client struct {
	bus interface {
		Ask(ctx context.Context, subject string, body []byte) ([]byte, error)
	}
	name   string
	user   string   // for whom it is asked; "" where the arguments say so
	orders *Orderer // nil: nothing is signed
}

var _ Control = (*client)(nil)

// Patience with what takes longer than the bus waits by itself.
const (
	echoTime   = 45 * time.Second
	dryRunTime = 3 * time.Minute
	setTime    = 30 * time.Second
)

// ask sends a request and reads the answer into out.
func (c *client) ask(ctx context.Context, patience time.Duration, name string, args, out any) error {
	if _, ok := ctx.Deadline(); !ok && patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	var r Request
	r.Method = name
	var err error
	if args != nil {
		if r.Body, err = json.Marshal(args); err != nil {
			return fmt.Errorf("ask %s: %w", c.name, err)
		}
	}
	if err := c.sign(&r); err != nil {
		return err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("ask %s: %w", c.name, err)
	}
	b, err := c.bus.Ask(ctx, subjectPrefix+c.name, body)
	if b, err = c.answered(&r, b, err); err != nil {
		return c.why(ctx, err)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("answer of the gateway %s to %s: %w", c.name, name, err)
	}
	return nil
}

// why turns an error of the bus into what the gateway meant.
func (c *client) why(ctx context.Context, err error) error {
	var e *bus.Error
	var r *Refused
	switch {
	case errors.As(err, &r):
		return r
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("ask the gateway %s: %w", c.name, context.Canceled)
	case errors.As(err, &e) && strings.HasPrefix(e.Kind, refusedKind):
		return &Refused{Code: strings.TrimPrefix(e.Kind, refusedKind), What: e.Text, Tip: e.Help}
	case errors.Is(err, bus.ErrNobody):
		return &Refused{Code: Unavailable, What: "the gateway " + c.name + " does not answer", Tip: "see that asepsis gateway runs and is connected to this bus"}
	case errors.Is(err, bus.ErrAway), ctx.Err() != nil:
		return &Refused{Code: Unavailable, What: "the gateway " + c.name + " did not answer in time", Tip: "it may be busy, or the bus may be cut off; try again"}
	case errors.Is(err, bus.ErrBusy):
		return &Refused{Code: Unavailable, What: "the gateway " + c.name + " answers too many questions at once", Tip: "try again in a moment"}
	case errors.Is(err, bus.ErrTooLarge):
		return &Refused{Code: Invalid, What: "the request or its answer is larger than the bus carries", Tip: "ask for less at once"}
	}
	return fmt.Errorf("ask the gateway %s: %w", c.name, err)
}

// get asks for one value.
func get[T any](ctx context.Context, c *client, name string, args any) (out T, err error) {
	err = c.ask(ctx, 0, name, args, &out)
	return out, err
}

// Overview implements Control.
func (c *client) Overview(ctx context.Context) (Overview, error) {
	return get[Overview](ctx, c, "Overview", nil)
}

// Associations implements Control.
func (c *client) Associations(ctx context.Context) ([]Association, error) {
	p, err := get[page[Association]](ctx, c, "Associations", nil)
	return p.List, err
}

// Destinations implements Control.
func (c *client) Destinations(ctx context.Context) ([]Destination, error) {
	p, err := get[page[Destination]](ctx, c, "Destinations", nil)
	return p.List, err
}

// Steer implements Control.
func (c *client) Steer(ctx context.Context, destination, action, user string) error {
	var none struct{}
	return c.ask(ctx, setTime, "Steer", steerArgs{destination, action, user}, &none)
}

// EchoTo implements Control.
func (c *client) EchoTo(ctx context.Context, destination string) (Echo, error) {
	var e Echo
	err := c.ask(ctx, echoTime, "EchoTo", destination, &e)
	return e, err
}

// Instances implements Control. A list that is too long for a message is asked for in parts.
func (c *client) Instances(ctx context.Context, q instance.Query) ([]instance.Record, error) {
	if q.Limit == 0 {
		q.Limit = 100
	}
	var out []instance.Record
	for most := q.Limit; ; {
		p, err := get[page[instance.Record]](ctx, c, "Instances", q)
		if err != nil {
			return nil, err
		}
		out = append(out, p.List...)
		if !p.More || len(p.List) == 0 || len(out) >= most {
			return out, nil
		}
		q.Before, q.Limit = out[len(out)-1].Number, most-len(out)
	}
}

// Instance implements Control.
func (c *client) Instance(ctx context.Context, number uint64) (instance.Record, error) {
	return get[instance.Record](ctx, c, "Instance", number)
}

// Quarantine implements Control.
func (c *client) Quarantine(ctx context.Context, before uint64, limit int) ([]Held, error) {
	var out []Held
	for {
		p, err := get[page[Held]](ctx, c, "Quarantine", listArgs{before, uint64(max(limit-len(out), 1))})
		if err != nil {
			return nil, err
		}
		out = append(out, p.List...)
		if !p.More || len(p.List) == 0 || len(out) >= limit {
			return out, nil
		}
		before = out[len(out)-1].Number
	}
}

// Decide implements Control.
func (c *client) Decide(ctx context.Context, d Decide) (Held, error) {
	var h Held
	err := c.ask(ctx, setTime, "Decide", d, &h)
	return h, err
}

// HeaderOf implements Control.
func (c *client) HeaderOf(ctx context.Context, r HeaderRequest) (Header, error) {
	var h Header
	err := c.ask(ctx, setTime, "HeaderOf", r, &h)
	return h, err
}

// Policy implements Control.
func (c *client) Policy(ctx context.Context) (Policy, error) {
	return get[Policy](ctx, c, "Policy", nil)
}

// SetPolicy implements Control.
func (c *client) SetPolicy(ctx context.Context, p Policy, user string) (Policy, []Problem, error) {
	var out policySet
	err := c.ask(ctx, setTime, "SetPolicy", setPolicy{p, user}, &out)
	return out.Policy, out.Problems, err
}

// DryRun implements Control.
func (c *client) DryRun(ctx context.Context, d DryRun) (DryRunResult, error) {
	var out DryRunResult
	err := c.ask(ctx, dryRunTime, "DryRun", d, &out)
	return out, err
}

// Steps implements Control.
func (c *client) Steps(ctx context.Context) ([]ProcedureStep, error) {
	var out []ProcedureStep
	for {
		p, err := get[page[ProcedureStep]](ctx, c, "Steps", len(out))
		if err != nil {
			return nil, err
		}
		out = append(out, p.List...)
		if !p.More || len(p.List) == 0 {
			return out, nil
		}
	}
}

// EndStep implements Control.
func (c *client) EndStep(ctx context.Context, e EndStep) (ProcedureStep, error) {
	var out ProcedureStep
	err := c.ask(ctx, setTime, "EndStep", e, &out)
	return out, err
}

// Bindings implements Control.
func (c *client) Bindings(ctx context.Context) ([]Binding, string, error) {
	var out []Binding
	revision := ""
	for {
		p, err := get[bindingsPart](ctx, c, "Bindings", len(out))
		if err != nil {
			return nil, "", err
		}
		if revision != "" && p.Revision != revision {
			return nil, "", &Refused{Code: Changed, What: "the bindings were changed while they were read", Tip: "load them again"}
		}
		out, revision = append(out, p.List...), p.Revision
		if !p.More || len(p.List) == 0 {
			return out, revision, nil
		}
	}
}

// SetBindings implements Control.
func (c *client) SetBindings(ctx context.Context, list []Binding, revision, user string) ([]Problem, error) {
	var out []Problem
	err := c.ask(ctx, setTime, "SetBindings", bindingsSet{list, revision, user}, &out)
	return out, err
}

// Ledger implements Proof.
func (c *client) Ledger(ctx context.Context) (LedgerState, error) {
	return get[LedgerState](ctx, c, "Ledger", nil)
}

// Entries implements Proof.
func (c *client) Entries(ctx context.Context, q EntryQuery) ([]ledger.Entry, error) {
	if q.Digest != "" {
		p, err := get[page[ledger.Entry]](ctx, c, "Entries", q)
		return p.List, err
	}
	return inParts(q.Indexes, func(left []uint64) (page[ledger.Entry], error) {
		return get[page[ledger.Entry]](ctx, c, "Entries", EntryQuery{Indexes: left})
	}, func(e *ledger.Entry) uint64 { return e.Index })
}

// Receipts implements Proof.
func (c *client) Receipts(ctx context.Context, indexes []uint64) ([]Receipt, error) {
	return inParts(indexes, func(left []uint64) (page[Receipt], error) {
		var p page[Receipt]
		err := c.ask(ctx, setTime, "Receipts", left, &p)
		return p, err
	}, func(r *Receipt) uint64 { return r.Index })
}

// inParts asks for what a message may not carry at once, by the indexes that are left.
func inParts[T any](indexes []uint64, ask func([]uint64) (page[T], error), index func(*T) uint64) ([]T, error) {
	left := slices.Clone(indexes)
	slices.Sort(left)
	left = slices.Compact(left)
	var out []T
	for {
		p, err := ask(left)
		if err != nil {
			return nil, err
		}
		out = append(out, p.List...)
		if !p.More || len(p.List) == 0 {
			return out, nil
		}
		last := index(&p.List[len(p.List)-1])
		left = slices.DeleteFunc(left, func(i uint64) bool { return i <= last })
	}
}
