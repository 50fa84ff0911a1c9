// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/firewall"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/ledger"
)

// Vault is what is needed of the journal.
type Vault interface {
	instance.Vault
	// Held is how many instances are in quarantine.
	Held() int
}

// Forward is what is needed of the forwarder.
type Forward interface {
	// Destinations has those that are gone too.
	Destinations() []control.Destination
	// Steer pauses, resumes or retries a destination.
	Steer(name, action string) error
	// Stuck lists the instances whose delivery to a destination Drop would give up.
	Stuck(name string) []uint64
	// Drop gives up for good those that are stuck still, notes the ledger's entry in their records, and
	// counts them.
	Drop(ctx context.Context, name string, numbers []uint64, e *instance.Entry) (int, error)
	// Echo tries the way to a destination; it is called for names that are configured.
	Echo(ctx context.Context, name string) control.Echo
	// Route says where an instance goes to.
	Route(r instance.Record, a instance.Arrival, h instance.Header) []instance.Delivery
	// Wake says that there may be something to send.
	Wake()
}

// Firewall is what is needed of the content firewall.
type Firewall interface {
	instance.Inspector
	// Text is the policy in force as it is written.
	Text() string
	// State says since when it is in force, and why a newer one is not.
	State() control.PolicyState
	// Try gives a trial of another policy, or says what is wrong with the text.
	Try(yaml string) (*firewall.Trial, []control.Problem)
	// Set puts a policy in force, durably; was is the SHA-256 of the one it replaces. It is a
	// *control.Refused of a conflict when that is not in force any more.
	Set(yaml, was string) error
}

// Bindings are those of the gateway; *binding.File is one.
type Bindings interface {
	Set() *binding.Set
	Revision() string
	// Check is binding.ErrRevision where Replace would be.
	Check(revision string) error
	Replace(list []control.Binding, revision string) ([]control.Problem, error)
}

// Ledger is what is needed of the gateway's ledger.
type Ledger interface {
	ledger.Recorder
	Status() (ledger.Status, error)
	Find(ctx context.Context, q ledger.Query) ([]ledger.Entry, error)
	Entry(index uint64) (ledger.Entry, error)
	Receipt(ctx context.Context, index uint64, want ledger.State) ([]byte, error)
	TrustFile() ([]byte, error)
}

// Deps is what a Steer works with. Name, Vault, Forward, Firewall, Bindings and Live are
// needed.
type Deps struct {
	Name     string // of the gateway
	Site     string
	Vault    Vault
	Forward  Forward
	Firewall Firewall
	Bindings Bindings
	Ledger   Ledger // nil: the gateway writes none
	Steps    Steps  // nil: none are known
	Live     *Live
	// Fill adds to an overview what others know: listeners, disk, ledger, trust, audit,
	// routes, and advice of their own. nil: nothing.
	Fill func(*control.Overview)
	// Seen adds to a binding what was seen of its device: the certificate's state, when it came
	// last, what was refused. nil: nothing.
	Seen     func(*control.Binding)
	Software string // "asepsis/gateway 1.2.3"
	Log      *slog.Logger
	Now      func() time.Time
}

// Steer is a gateway's Control. All methods may be called concurrently.
type Steer struct {
	d     Deps
	log   *slog.Logger
	now   func() time.Time
	since time.Time

	deciding sync.Mutex // one decision at a time: of two people who agree at once, one carries it out
	trying   sync.Mutex // one dry run at a time
	dropping sync.Mutex // one gives up at a time: nothing is in two statements
}

var (
	_ control.Control  = (*Steer)(nil)
	_ control.Changing = (*Steer)(nil)
)

// New makes a Steer.
func New(d Deps) (*Steer, error) {
	if err := control.CheckName(d.Name); err != nil {
		return nil, fmt.Errorf("steer: %w", err)
	}
	if d.Vault == nil || d.Forward == nil || d.Firewall == nil || d.Bindings == nil || d.Live == nil {
		return nil, errors.New("steer: Vault, Forward, Firewall, Bindings and Live are needed")
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Software == "" {
		d.Software = "asepsis/gateway"
	}
	return &Steer{d: d, log: d.Log, now: d.Now, since: d.Now().UTC()}, nil
}

// Changes implements control.Changing.
func (s *Steer) Changes() <-chan struct{} { return s.d.Live.changed }

// Associations implements control.Control.
func (s *Steer) Associations(context.Context) ([]control.Association, error) {
	return s.d.Live.Associations(), nil
}

// Destinations implements control.Control.
func (s *Steer) Destinations(context.Context) ([]control.Destination, error) {
	return s.d.Forward.Destinations(), nil
}

func (s *Steer) destination(name string) (control.Destination, error) {
	for _, d := range s.d.Forward.Destinations() {
		if d.Name == name {
			return d, nil
		}
	}
	return control.Destination{}, &control.Refused{Code: control.NotFound, What: "the gateway has no destination of that name"}
}

// reachable finds a destination that instances can be sent to.
func (s *Steer) reachable(name string) error {
	d, err := s.destination(name)
	if err == nil && d.State == control.Gone {
		return &control.Refused{Code: control.Conflict, What: "the destination is not configured any more", Tip: "configure it again, or give up for good what waits for it"}
	}
	return err
}

// Steer implements control.Control.
func (s *Steer) Steer(_ context.Context, destination, action, user string) error {
	switch action {
	case "pause", "resume", "retry":
	case "drop":
		return &control.Refused{Code: control.Invalid, What: "to give up for good what a destination did not take is a request of its own, with a reason", Tip: "asepsis gateway destinations drop NAME --reason TEXT"}
	default:
		return &control.Refused{Code: control.Invalid, What: "a destination is paused, resumed or retried"}
	}
	if err := s.reachable(destination); err != nil {
		return err
	}
	if err := s.d.Forward.Steer(destination, action); err != nil {
		return refused(err)
	}
	s.log.Info("a destination was steered", "destination", destination, "action", action, "user", user)
	s.d.Live.Changed()
	return nil
}

// EchoTo implements control.Control.
func (s *Steer) EchoTo(ctx context.Context, destination string) (control.Echo, error) {
	if err := s.reachable(destination); err != nil {
		return control.Echo{}, err
	}
	return s.d.Forward.Echo(ctx, destination), nil
}

// Instances implements control.Control.
func (s *Steer) Instances(ctx context.Context, q instance.Query) ([]instance.Record, error) {
	list, err := s.d.Vault.List(ctx, q)
	return list, refused(err)
}

// Instance implements control.Control.
func (s *Steer) Instance(ctx context.Context, number uint64) (instance.Record, error) {
	r, err := s.d.Vault.Get(ctx, number)
	return r, refused(err)
}

// Bindings implements control.Control.
func (s *Steer) Bindings(context.Context) ([]control.Binding, string, error) {
	revision := s.d.Bindings.Revision()
	list := s.d.Bindings.Set().List()
	if s.d.Seen != nil {
		for i := range list {
			s.d.Seen(&list[i])
		}
	}
	return list, revision, nil
}

// SetBindings implements control.Control.
func (s *Steer) SetBindings(ctx context.Context, list []control.Binding, revision, user string) ([]control.Problem, error) {
	if user == "" || revision == "" {
		return nil, &control.Refused{Code: control.Invalid, What: "bindings are set by a user, and from a revision"}
	}
	if err := s.d.Bindings.Check(revision); err != nil { // before the ledger has it
		return nil, refused(err)
	}
	if _, problems := binding.New(list); len(problems) > 0 {
		return problems, nil
	}
	before := binding.Format(s.d.Bindings.Set().List())
	if err := s.configured(ctx, "bindings", before, binding.Format(list), user); err != nil {
		return nil, err
	}
	problems, err := s.d.Bindings.Replace(list, revision)
	if err == nil && len(problems) == 0 {
		s.log.Info("bindings were set", "devices", len(list), "user", user)
		s.d.Live.Changed()
	}
	return problems, refused(err)
}

// refused gives an error that a person caused the form in which it is told.
func refused(err error) error {
	var r *control.Refused
	switch {
	case err == nil, errors.As(err, &r):
		return err
	case errors.Is(err, instance.ErrNotFound):
		return &control.Refused{Code: control.NotFound, What: "there is no such instance, or its bytes are gone"}
	case errors.Is(err, instance.ErrRevision), errors.Is(err, binding.ErrRevision):
		return &control.Refused{Code: control.Changed, What: "somebody else changed it meanwhile", Tip: "load it again, and see whether it is still meant"}
	case errors.Is(err, instance.ErrIndexing):
		return &control.Refused{Code: control.Unavailable, What: err.Error(), Tip: "ask again in a moment"}
	case errors.Is(err, ledger.ErrNotFound):
		return &control.Refused{Code: control.NotFound, What: "the gateway’s ledger has no such entry"}
	case errors.Is(err, ledger.ErrFull), errors.Is(err, ledger.ErrBusy), errors.Is(err, ledger.ErrClosed):
		return &control.Refused{Code: control.Unavailable, What: "the gateway’s ledger does not record: " + err.Error(), Tip: "nothing was done; see to the ledger first"}
	}
	return err
}

// needed checks who wants something and why.
func needed(user, reason string) error {
	switch {
	case user == "":
		return &control.Refused{Code: control.Invalid, What: "a user is needed"}
	case strings.TrimSpace(reason) == "":
		return &control.Refused{Code: control.Invalid, What: "a reason is needed"}
	case len(reason) > maxReason:
		return &control.Refused{Code: control.Invalid, What: fmt.Sprintf("a reason is at most %d bytes long", maxReason)}
	}
	return nil
}

const maxReason = 500
