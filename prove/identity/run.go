// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"context"
	"log/slog"
	"time"
)

// Times of Run.
const (
	lookEvery = 250 * time.Millisecond // for revocations by other processes
	tidyEvery = 10 * time.Second       // for a rotation by another process, CRLs that are due, statements that wait
)

// Run keeps CRLs fresh, sees what other processes did with the same directory and
// store (and announces their revocations when they could not), and delivers
// statements to the ledger. It returns when ctx ends.
func (a *Authority) Run(ctx context.Context) error {
	a.tidy(ctx, slog.LevelDebug) // the ledger may begin later than this does
	a.Look(ctx)
	look, tidy := time.NewTicker(lookEvery), time.NewTicker(tidyEvery)
	defer look.Stop()
	defer tidy.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			a.Look(ctx)
		case <-tidy.C:
			a.tidy(ctx, slog.LevelWarn)
		}
	}
}

// tidy does what is due. waiting is how loudly it says that statements wait.
func (a *Authority) tidy(ctx context.Context, waiting slog.Level) {
	if err := a.Reload(); err != nil {
		a.log.Error("the authority's directory cannot be read", "why", err)
	}
	if err := a.Publish(ctx, false); err != nil && ctx.Err() == nil {
		a.log.Error("a CRL could not be signed", "why", err)
	}
	if n, err := a.Deliver(ctx); err != nil && ctx.Err() == nil {
		a.log.Log(ctx, waiting, "statements wait for the ledger", "waiting", n, "why", err)
	}
}

// Look reads what other processes revoked, and announces it when they could not.
// What was revoked before the first look, consumers find in the CRL.
func (a *Authority) Look(ctx context.Context) {
	for _, i := range a.allIssuers() {
		_, err := a.readRevocations(ctx, i)
		if err == nil {
			_, _, err = a.readPublished(ctx, i)
		}
		if err != nil {
			if ctx.Err() == nil {
				a.log.Warn("revocations could not be read", "why", err)
			}
			continue
		}
		a.mu.Lock()
		announced, looked := a.released[i.id]
		i.crls.mu.RLock()
		var add []revocation
		last := announced
		for _, e := range i.crls.entries {
			if e.number > announced {
				add, last = append(add, e.revocation), e.number
			}
		}
		i.crls.mu.RUnlock()
		a.released[i.id] = last
		a.mu.Unlock()
		if looked && i.key != nil {
			a.announce(ctx, i, last, add, announced)
		}
	}
}
