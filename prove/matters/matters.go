// SPDX-License-Identifier: Apache-2.0

// Package matters tells people what is wrong with what proves: a ledger that is not
// what it was, witnesses that do not answer, certificates that nobody renewed.
//
// The ledger gives notices when something begins and when it is over; the authority is
// asked for what is so now. Both become standing matters (platform/standing), of which
// detection makes findings that open and close by themselves.
//
// What the ledger said before a restart is forgotten: it says again what is still so.
// One process at a time speaks for a ledger and for an authority.
package matters

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/standing"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/prove/ledger"
)

// The families of rules.
const (
	LedgerFamily   = "ledger"
	IdentityFamily = "identity"
)

// lookEvery is how often the authority is asked. What ends by the day need not be
// known by the second.
const lookEvery = 15 * time.Second

// Authority says what needs a person now.
type Authority interface {
	Findings(ctx context.Context) ([]finding.Finding, error)
}

// Deps is what a Room works with.
type Deps struct {
	Documents store.Documents
	Authority Authority // nil: there is none
	Ledger    bool      // this process has the ledger
	Log       *slog.Logger
	Now       func() time.Time
}

// Room keeps the standing matters of ledger and authority.
type Room struct {
	d    Deps
	kick chan struct{}

	mu   sync.Mutex
	said map[string]standing.Matter // of the ledger, by rule
}

// New makes a Room.
func New(d Deps) *Room {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Room{d: d, kick: make(chan struct{}, 1), said: map[string]standing.Matter{}}
}

// Notice takes a notice of the ledger, as ledger.Deps.Notice. It does not block.
func (r *Room) Notice(n ledger.Notice) {
	rule := LedgerFamily + "." + strings.TrimPrefix(n.Rule, LedgerFamily+"-")
	at := r.d.Now().UnixNano()
	r.mu.Lock()
	if n.Over {
		delete(r.said, rule)
	} else {
		r.said[rule] = standing.Matter{Key: rule, Analyst: n.Hint, Playbook: []string{n.Hint}, Finding: finding.Finding{Rule: rule, Severity: n.Severity, Title: n.Title, Room: n.Room,
			Devices: []string{}, Attack: []string{}, Count: 1, First: at, Last: at, Evidence: evidence(n.Detail)}}
	}
	r.mu.Unlock()
	select {
	case r.kick <- struct{}{}:
	default: // somebody kicked already
	}
}

func evidence(s string) []string {
	if s == "" {
		return []string{}
	}
	return []string{s}
}

// Run tells until ctx ends.
func (r *Room) Run(ctx context.Context) error {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		if err := r.tell(ctx); err != nil && ctx.Err() == nil {
			r.d.Log.Warn("what is wrong with ledger or certificates could not be told; it is tried again", "why", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.kick:
		case <-t.C:
		}
	}
}

func (r *Room) tell(ctx context.Context) error {
	if r.d.Ledger {
		r.mu.Lock()
		var list []standing.Matter
		for _, m := range r.said {
			list = append(list, m)
		}
		r.mu.Unlock()
		if err := standing.Put(ctx, r.d.Documents, LedgerFamily, list); err != nil {
			return err
		}
	}
	if r.d.Authority == nil {
		return nil
	}
	found, err := r.d.Authority.Findings(ctx)
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	list := make([]standing.Matter, 0, len(found))
	for _, f := range found {
		// When it was looked at is no part of what is so: it would be news each time.
		f.First, f.Last = 0, 0
		list = append(list, standing.Matter{Finding: f, Key: key(&f), Playbook: playbook[f.Rule], Analyst: analyst})
	}
	return standing.Put(ctx, r.d.Documents, IdentityFamily, list)
}

// key tells findings of one rule apart: by their first evidence, which names the
// certificate, else by their title.
func key(f *finding.Finding) string {
	if len(f.Evidence) > 0 && strings.HasPrefix(f.Evidence[0], "certificate ") {
		serial, _, _ := strings.Cut(strings.TrimPrefix(f.Evidence[0], "certificate "), ",")
		return serial + "/" + f.Severity.String() // what has become worse is news
	}
	return f.Title + "/" + f.Severity.String()
}

const analyst = "Whoever checks certificates refuses one that has ended. The device itself is not attacked; it is about to be locked out."

// playbook says what to do, by rule.
var playbook = map[string][]string{
	"identity.renewal-overdue": {"See whether the device is switched on and reaches the enrolment server.", "Look at its enrolment agent: asepsis enroll --status, or the manufacturer's log.", "If it cannot renew, make a new enrolment code and enrol it again."},
	"identity.expiring":        {"Ask clinical engineering when the device can be touched.", "Make a certificate request on the device, or a new enrolment code, and install what is issued before the end.", "If the device has learned to renew by itself, enrol it without the long life."},
	"identity.expired":         {"Find out whether the device is still in use; if not, remove it from the inventory.", "If it is, make a new enrolment code and enrol it again."},
	"identity.authority":       {"Fetch the root's key from where it is kept off-line.", "asepsis ca rotate makes a new issuing authority, asepsis ca root-crl a new CRL of the root.", "Put the root's key back."},
}
