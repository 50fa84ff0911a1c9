// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/prove/ledger"
)

// outgoing is a statement on its way to the ledger, with the document that
// keeps it until it is there.
type outgoing struct {
	statement custody.Statement
	write     store.Write
}

// recordTimeout is how long an answer waits for the ledger. After it the
// statement goes on waiting in the store, and the answer is given: a ledger
// that is away must not keep a device out of the theatre, or a revoked one in.
const recordTimeout = 2 * time.Second

// statement claims what was done to a certificate.
func (a *Authority) statement(action string, c *Certificate, by Actor, reason string, number uint64) (outgoing, error) {
	s := custody.New(custody.Certificate, "certificate/"+action+"/"+c.SHA256, a.deps.Now().UTC(),
		custody.Subject{Name: "certificate", Digest: map[string]string{"sha256": c.SHA256}})
	s.Predicate.Device, s.Predicate.Reason = c.Device, reason
	s.Predicate.Actor = custody.Actor{Software: a.deps.Software, Device: by.Device, Certificate: by.Certificate, User: by.User}
	s.Predicate.Detail = map[string]any{
		"action": action, "serial": c.Serial, "profile": string(c.Profile), "spiffe": c.SPIFFE, "issuer": c.Issuer,
		"not_before": c.NotBefore.UTC().Format(time.RFC3339), "not_after": c.NotAfter.UTC().Format(time.RFC3339),
	}
	if c.Via != "" {
		s.Predicate.Detail["via"] = c.Via
	}
	if action == "revoked" {
		s.Predicate.Detail["revocation_reason"] = cmp.Or(c.Reason, "unspecified")
		s.Predicate.Detail["crl_number"] = number
	}
	return a.outgoing(s)
}

// codeStatement claims what was done to an enrolment code, which is named by its
// hash. c is the certificate that it was used for, or nil.
func (a *Authority) codeStatement(action, hash string, c *Certificate, by Actor) (outgoing, error) {
	s := custody.New(custody.Certificate, "code/"+action+"/"+hash, a.deps.Now().UTC(),
		custody.Subject{Name: "enrolment-code", Digest: map[string]string{"sha256": hash}})
	s.Predicate.Actor = custody.Actor{Software: a.deps.Software, Device: by.Device, Certificate: by.Certificate, User: by.User}
	s.Predicate.Detail = map[string]any{"action": action}
	if c != nil {
		s.Predicate.Device = c.Device
		s.Predicate.Detail["profile"] = string(c.Profile)
		s.Predicate.Detail["spiffe"] = c.SPIFFE
		if c.Serial != "" {
			s.Predicate.Detail["serial"] = c.Serial
		}
	}
	return a.outgoing(s)
}

func (a *Authority) outgoing(s custody.Statement) (outgoing, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return outgoing{}, fmt.Errorf("statement: %w", err)
	}
	r := make([]byte, 6)
	_, _ = rand.Read(r) // never fails, see crypto/rand
	id := fmt.Sprintf("%019d-%s", a.deps.Now().UnixNano(), hex.EncodeToString(r))
	return outgoing{s, store.Write{Kind: kindOutbox, ID: id, Body: body}}, nil
}

// record sends committed statements to the ledger, and takes those that are
// there out of the store. It never fails: what is not in the ledger is in the
// store.
func (a *Authority) record(ctx context.Context, list ...outgoing) {
	if a.deps.Journal == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	var done []store.Write
	for _, o := range list {
		if err := a.journal(ctx, o.statement); err != nil {
			level := slog.LevelWarn
			if errors.Is(err, ledger.ErrClosed) {
				level = slog.LevelInfo // at the start, and at the end
			}
			a.log.Log(ctx, level, "a statement waits for the ledger", "statement", o.statement.Predicate.ID, "why", err)
			break
		}
		done = append(done, store.Write{Kind: kindOutbox, ID: o.write.ID, Expect: store.AnyRevision, Delete: true})
	}
	if len(done) > 0 {
		if err := a.deps.Documents.Commit(ctx, done); err != nil {
			a.log.Warn("a statement will be sent to the ledger again", "why", err) // which finds that it has it
		}
	}
}

// journal records one statement. One that the ledger can never take is reported
// and counts as done: it would keep all others waiting.
func (a *Authority) journal(ctx context.Context, s custody.Statement) error {
	_, err := a.deps.Journal.Record(ctx, s)
	var invalid *custody.Invalid
	if errors.As(err, &invalid) || errors.Is(err, ledger.ErrConflict) {
		a.log.Error("the ledger refuses a statement for good", "statement", s.Predicate.ID, "why", err)
		return nil
	}
	return err
}

// Deliver sends statements that wait in the store to the ledger, oldest first,
// and says how many still wait.
func (a *Authority) Deliver(ctx context.Context) (waiting int, err error) {
	if a.deps.Journal == nil {
		return 0, nil
	}
	a.delivery.Lock()
	defer a.delivery.Unlock()
	for {
		docs, err := a.deps.Documents.DocumentsOf(ctx, kindOutbox, "", 200)
		if err != nil || len(docs) == 0 {
			return 0, err
		}
		for n, d := range docs {
			var s custody.Statement
			if err := json.Unmarshal(d.Body, &s); err != nil {
				return len(docs) - n, fmt.Errorf("statement %s: %w", d.ID, err)
			}
			if err := a.journal(ctx, s); err != nil {
				return len(docs) - n, fmt.Errorf("ledger: %w", err)
			}
			if err := a.deps.Documents.Commit(ctx, []store.Write{{Kind: kindOutbox, ID: d.ID, Expect: store.AnyRevision, Delete: true}}); err != nil {
				return len(docs) - n, err
			}
		}
	}
}

// audit is the entry in the store's audit trail.
func (a *Authority) audit(action string, c *Certificate, by Actor) store.Audit {
	after, _ := json.Marshal(map[string]any{"device": c.Device, "spiffe": c.SPIFFE, "profile": c.Profile, "not_after": c.NotAfter, "via": c.Via, "reason": c.Reason}) //nolint:errchkjson // plain values
	return store.Audit{Time: a.deps.Now().UnixNano(), Who: cmp.Or(by.User, by.Device, "system"), Action: action, Object: c.Serial, After: after, Result: "done", Note: c.Note}
}

// emit gives the event of what was done to whoever listens.
func (a *Authority) emit(done string, c *Certificate) {
	if a.deps.Emit == nil {
		return
	}
	what := "certificate " + c.Serial
	if c.Serial == "" {
		what = "enrolment code"
	}
	owner := cmp.Or(c.Device, c.SPIFFE)
	e := &event.Event{
		UID: "identity-" + newID(), Time: a.deps.Now().UnixNano(), Activity: 1, Severity: finding.Info, Status: event.StatusSuccess, Protocol: "pki",
		Message: fmt.Sprintf("%s of %s: %s", what, owner, done),
		Detail: &event.Application{Name: "pki", Operation: done, Attributes: []event.KV{
			{Name: "serial", Value: c.Serial}, {Name: "device", Value: c.Device}, {Name: "profile", Value: string(c.Profile)}, {Name: "via", Value: c.Via}, {Name: "reason", Value: c.Reason},
		}},
	}
	a.deps.Emit(e)
}

func newID() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}
