// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/store"
)

// Counts is how many certificates are how. Due, Expiring and LongLife are among the Good.
// A superseded certificate counts when it has ended, as Expired.
type Counts struct {
	Good, Due, Expiring, LongLife, Expired, Revoked int
}

// soonToEnd is what counts as expiring, of certificates that nobody renews by themselves.
const soonToEnd = 30 * 24 * time.Hour

// Due reports whether a certificate should have been renewed.
func (c *Certificate) Due(now time.Time) bool {
	return c.Status == Good && !c.RenewFrom.IsZero() && now.After(c.RenewFrom)
}

// Expiring reports whether a certificate ends soon as measured by its life.
func (c *Certificate) Expiring(now time.Time) bool {
	return c.Status == Good && c.NotAfter.Sub(now) < min(soonToEnd, c.NotAfter.Sub(c.NotBefore)/5)
}

// counter knows what counting needs of every certificate, so that a count reads nothing. It
// takes up what this process writes at once; what another process wrote it finds when it reads all
// of them again.
type counter struct {
	mu   sync.Mutex
	all  map[string]Certificate // with what is counted by, and nothing else
	read time.Time              // when all were read, on the monotonic clock
}

// countedAgain is how often all certificates are read again, if somebody asks.
const countedAgain = 10 * time.Minute

// wrote takes up the certificates among documents that were committed.
func (x *counter) wrote(writes []store.Write) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.all == nil {
		return // they are read when somebody asks
	}
	for _, w := range writes {
		if w.Kind != kindCert {
			continue
		}
		c, err := stored(store.Document{ID: w.ID, Body: w.Body})
		if w.Delete || err != nil {
			x.all = nil
			return
		}
		x.put(&c)
	}
}

// put takes up a certificate. One that was revoked stays so, whatever order they come in.
func (x *counter) put(c *Certificate) {
	if x.all[c.Serial].Status == Revoked {
		return
	}
	x.all[c.Serial] = Certificate{Status: c.Status, NotBefore: c.NotBefore, NotAfter: c.NotAfter, RenewFrom: c.RenewFrom, LongLife: c.LongLife}
}

// Counts counts the certificates as of now. The first call reads all of them, and so does
// one every ten minutes; the others read none.
func (a *Authority) Counts(ctx context.Context) (Counts, error) {
	x := &a.counts
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.all == nil || time.Since(x.read) > countedAgain {
		if err := x.readAll(ctx, a.deps.Documents); err != nil {
			return Counts{}, err
		}
	}
	var n Counts
	now := a.deps.Now()
	for _, c := range x.all {
		if c.Status != Revoked && now.After(c.NotAfter) {
			c.Status = Expired
		}
		switch c.Status {
		case Revoked:
			n.Revoked++
		case Expired:
			n.Expired++
		case Good:
			n.Good++
			if c.Due(now) {
				n.Due++
			}
			if c.LongLife {
				n.LongLife++
			}
			if c.Expiring(now) {
				n.Expiring++
			}
		}
	}
	return n, nil
}

func (x *counter) readAll(ctx context.Context, docs store.Documents) error {
	began := time.Now()
	x.all = map[string]Certificate{}
	for after := ""; ; {
		list, err := docs.DocumentsOf(ctx, kindCert, after, 500)
		if err != nil {
			x.all = nil
			return fmt.Errorf("count certificates: %w", err)
		}
		for _, d := range list {
			var c Certificate
			if err := json.Unmarshal(d.Body, &c); err != nil {
				x.all = nil
				return fmt.Errorf("read certificate %s: %w", d.ID, err)
			}
			c.Serial = d.ID
			x.put(&c)
			after = d.ID
		}
		if len(list) < 500 {
			x.read = began
			return nil
		}
	}
}
