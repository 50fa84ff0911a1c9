// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/prove/ledger"
)

// On the bus, a gateway answers on the subject "imaging.<name>" and reports under the
// kind "imaging-gateway". Whose requests it carries out say Orders; the API is what holds
// people to their permissions.
const (
	subjectPrefix = "imaging."
	reportKind    = "imaging-gateway"
	reportEvery   = 5 * time.Second
	// silentAfter is how old a report may be of a gateway that is there.
	silentAfter = 20 * time.Second
	// forgottenAfter is how old the report of a gateway that was removed may be.
	forgottenAfter = 30 * 24 * time.Hour
	// pageBytes is how much of a list goes into one message.
	pageBytes = bus.MaxBody * 3 / 4
)

var validName = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9]){0,62}$`)

// CheckName says whether a gateway can be called so.
func CheckName(name string) error {
	if len(name) > 63 || !validName.MatchString(name) {
		return fmt.Errorf("%.64q is no name of a gateway: at most 63 lower-case letters and digits with single dashes between", name)
	}
	return nil
}

// Serving is what Serve needs of the bus.
type Serving interface {
	Serve(subject string, h func(context.Context, []byte) ([]byte, error)) (stop func(), err error)
	Report(ctx context.Context, kind, name string, body []byte) error
	Tell(subject string, body []byte) error
}

// Changing is a Control that tells when something changed that is worth loading again.
type Changing interface {
	// Changes has a value when something changed since it was last read.
	Changes() <-chan struct{}
}

// noticeEvery is how often a change is told at most; it must not cost a console that
// shows a busy gateway more than that.
const noticeEvery = time.Second

// Serve answers for a gateway on the bus, reports that it is there, and tells of
// changes when the Control is Changing, until ctx ends; requests under way are
// finished. Two gateways of one name would answer each other's questions: names must
// be unique at a site.
//
// Without Guarded, whoever reaches the bus may ask for everything in anybody's name.
func Serve(ctx context.Context, b Serving, name string, c Control, o ...ServeOption) error {
	if err := CheckName(name); err != nil {
		return err
	}
	d := &door{c: c, name: name}
	for _, f := range o {
		f(d)
	}
	stop, err := b.Serve(subjectPrefix+name, d.answer)
	if err != nil {
		return fmt.Errorf("serve the control of %s: %w", name, err)
	}
	defer stop()
	since := time.Now().UTC()
	body, err := json.Marshal(report{Since: since})
	if err != nil {
		return err
	}
	var changes <-chan struct{}
	if x, ok := c.(Changing); ok {
		changes = x.Changes()
	}
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	// A report that is not taken is repeated by the next tick: until then the gateway is
	// shown as silent, which is what it is.
	_ = b.Report(ctx, reportKind, name, body)
	_ = b.Tell("changed", notice)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			_ = b.Report(ctx, reportKind, name, body)
		case <-changes:
			_ = b.Tell("changed", notice)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(noticeEvery):
			}
		}
	}
}

// notice is what consoles hear on the subject "changed".
var notice = []byte(`{"what":"imaging","revision":0}`)

// report is what a gateway says of itself.
type report struct {
	Since time.Time `json:"since"`
}

// ServeOption changes how a gateway is served.
type ServeOption func(*door)

// Guarded serves only whom these let.
func Guarded(o *Orders) ServeOption { return func(d *door) { d.o = o } }

// answer carries out a request of whoever asks.
func answer(ctx context.Context, c Control, body []byte) ([]byte, error) {
	r, err := requested(body)
	if err != nil {
		return nil, err
	}
	return carryOut(ctx, c, r)
}

// requested reads a request.
func requested(body []byte) (*Request, error) {
	var r Request
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, travelling(&Refused{Code: Invalid, What: "the request is no JSON"})
	}
	return &r, nil
}

// carryOut carries out a request.
func carryOut(ctx context.Context, c Control, r *Request) ([]byte, error) {
	f, ok := methods[r.Method]
	if !ok {
		return nil, travelling(&Refused{Code: Invalid, What: fmt.Sprintf("this gateway does not know the request %.32q", r.Method), Tip: "run the same version of Asepsis everywhere"})
	}
	out, err := f(ctx, c, r.Body)
	if err != nil {
		return nil, travelling(err)
	}
	return json.Marshal(out)
}

// method carries out one kind of request.
type method func(ctx context.Context, c Control, body json.RawMessage) (any, error)

// with reads a request's arguments.
func with[A any](f func(ctx context.Context, c Control, a A) (any, error)) method {
	return func(ctx context.Context, c Control, body json.RawMessage) (any, error) {
		var a A
		if len(body) > 0 {
			if err := json.Unmarshal(body, &a); err != nil {
				return nil, &Refused{Code: Invalid, What: "the request's arguments cannot be read", Tip: "run the same version of Asepsis everywhere"}
			}
		}
		return f(ctx, c, a)
	}
}

// The arguments and answers that are no types of their own.
type (
	steerArgs struct{ Destination, Action, User string }
	listArgs  struct{ Before, Limit uint64 }

	policySet struct {
		Policy   Policy
		Problems []Problem
	}
	bindingsSet struct {
		List           []Binding
		Revision, User string
	}
	bindingsPart struct {
		List     []Binding
		Revision string
		More     bool
	}
	// page is a list, or as much of it as a message carries.
	page[T any] struct {
		List []T
		More bool
	}
)

type setPolicy struct {
	Policy Policy
	User   string
}

// methods are the requests by the names of Control's methods.
var methods = map[string]method{
	"Overview":     with(func(ctx context.Context, c Control, _ struct{}) (any, error) { return c.Overview(ctx) }),
	"Associations": with(func(ctx context.Context, c Control, _ struct{}) (any, error) { return paged(c.Associations(ctx)) }),
	"Destinations": with(func(ctx context.Context, c Control, _ struct{}) (any, error) { return paged(c.Destinations(ctx)) }),
	"Steer": with(func(ctx context.Context, c Control, a steerArgs) (any, error) {
		return struct{}{}, c.Steer(ctx, a.Destination, a.Action, a.User)
	}),
	"Drop":      with(dropped),
	"EchoTo":    with(func(ctx context.Context, c Control, to string) (any, error) { return c.EchoTo(ctx, to) }),
	"Instances": with(func(ctx context.Context, c Control, q instance.Query) (any, error) { return paged(c.Instances(ctx, q)) }),
	"Instance":  with(func(ctx context.Context, c Control, n uint64) (any, error) { return c.Instance(ctx, n) }),
	"Quarantine": with(func(ctx context.Context, c Control, a listArgs) (any, error) {
		return paged(c.Quarantine(ctx, a.Before, int(min(a.Limit, 1000))))
	}),
	"Decide": with(func(ctx context.Context, c Control, d Decide) (any, error) { return c.Decide(ctx, d) }),
	"HeaderOf": with(func(ctx context.Context, c Control, r HeaderRequest) (any, error) {
		h, err := c.HeaderOf(ctx, r)
		var more bool
		h.Elements, more = fitting(h.Elements)
		h.Cut = h.Cut || more
		return h, err
	}),
	"Policy": with(func(ctx context.Context, c Control, _ struct{}) (any, error) { return c.Policy(ctx) }),
	"SetPolicy": with(func(ctx context.Context, c Control, a setPolicy) (any, error) {
		p, problems, err := c.SetPolicy(ctx, a.Policy, a.User)
		return policySet{p, problems}, err
	}),
	"DryRun": with(func(ctx context.Context, c Control, d DryRun) (any, error) {
		r, err := c.DryRun(ctx, d)
		n := len(r.Changed)
		r.Changed, _ = fitting(r.Changed)
		r.More += n - len(r.Changed)
		return r, err
	}),
	"Steps": with(func(ctx context.Context, c Control, from int) (any, error) {
		list, err := c.Steps(ctx)
		return paged(list[min(max(from, 0), len(list)):], err)
	}),
	"EndStep": with(func(ctx context.Context, c Control, e EndStep) (any, error) { return c.EndStep(ctx, e) }),
	"Bindings": with(func(ctx context.Context, c Control, from int) (any, error) {
		list, revision, err := c.Bindings(ctx)
		part, more := fitting(list[min(max(from, 0), len(list)):])
		return bindingsPart{part, revision, more}, err
	}),
	"SetBindings": with(func(ctx context.Context, c Control, a bindingsSet) (any, error) {
		return c.SetBindings(ctx, a.List, a.Revision, a.User)
	}),
	"Ledger":   with(func(ctx context.Context, c Control, _ struct{}) (any, error) { return c.Ledger(ctx) }),
	"Entries":  with(func(ctx context.Context, c Control, q EntryQuery) (any, error) { return paged(c.Entries(ctx, q)) }),
	"Receipts": with(func(ctx context.Context, c Control, l []uint64) (any, error) { return paged(c.Receipts(ctx, l)) }),
}

// paged gives as much of a list as a message carries.
func paged[T any](list []T, err error) (page[T], error) {
	out, more := fitting(list)
	return page[T]{out, more}, err
}

// fitting returns the beginning of a list that a message carries, at least one value.
func fitting[T any](list []T) (out []T, more bool) {
	n := 0
	for i := range list {
		b, err := json.Marshal(&list[i])
		if err != nil {
			return list, false // the whole will say so
		}
		if n += len(b) + 1; n > pageBytes && i > 0 {
			return list[:i], true
		}
	}
	return list, false
}

// refusedKind marks the errors of the bus that were Refused.
const refusedKind = "imaging/"

// travelling gives what a person caused the form in which it crosses the bus. What
// went wrong inside keeps its text too: it is for the log of the one who asked.
func travelling(err error) error {
	var r *Refused
	if errors.As(err, &r) {
		return &bus.Error{Kind: refusedKind + r.Code, Text: r.What, Help: r.Tip}
	}
	switch {
	case errors.Is(err, instance.ErrNotFound):
		return &bus.Error{Kind: refusedKind + NotFound, Text: "there is no such instance, or its bytes are gone"}
	case errors.Is(err, instance.ErrRevision):
		return &bus.Error{Kind: refusedKind + Changed, Text: "somebody else changed it meanwhile", Help: "load it again"}
	case errors.Is(err, ledger.ErrNotFound):
		return &bus.Error{Kind: refusedKind + NotFound, Text: "the ledger has no such entry"}
	}
	return err
}
