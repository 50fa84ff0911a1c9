// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
)

// Times of Run.
const (
	lookEvery    = 2 * time.Second // at the files
	fetchTimeout = 10 * time.Second
	stapleEvery  = 10 * time.Minute
	listenAgain  = time.Second
	fetchAgain   = 2 * time.Second
)

// fileStamp is how files are seen to have changed.
type fileStamp [3]struct {
	size int64
	time time.Time
}

func (t *Trust) look() fileStamp {
	var s fileStamp
	for i, f := range []string{t.cfg.CAFile, t.cfg.CertFile, string(t.cfg.KeyFile)} {
		if f == "" {
			continue
		}
		if st, err := os.Stat(f); err == nil {
			s[i].size, s[i].time = st.Size(), st.ModTime()
		}
	}
	return s
}

// Run listens for notices, fetches CRLs, and reads files again that changed. It
// returns when ctx ends; connections live on.
func (t *Trust) Run(ctx context.Context) error {
	var group sync.WaitGroup
	if t.deps.Announcer != nil {
		group.Go(func() { t.listen(ctx) })
	}
	if t.deps.Staple != nil {
		group.Go(func() { t.keepStaple(ctx) })
	}
	t.mu.Lock()
	t.stamp = t.look()
	t.mu.Unlock()
	refresh, look := time.NewTicker(t.cfg.Refresh), time.NewTicker(lookEvery)
	defer refresh.Stop()
	defer look.Stop()
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			group.Wait()
			t.live.wait()
			return nil
		case <-look.C:
			t.reread()
			continue
		case <-refresh.C:
		case <-again:
			again = nil
		case <-t.wake:
			// A notice may come before the CRL that has it is signed.
			again = time.After(fetchAgain)
		}
		c, cancel := context.WithTimeout(ctx, fetchTimeout)
		if err := t.Fetch(c); ctx.Err() == nil {
			t.report(err)
		}
		cancel()
	}
}

// reread loads files when they changed.
func (t *Trust) reread() {
	now := t.look()
	t.mu.Lock()
	changed := now != t.stamp
	t.stamp = now
	t.mu.Unlock()
	if changed && t.Reload() == nil {
		t.log.Info("root and certificate read again")
	}
}

// listen takes notices, until ctx ends. Each time that it begins to listen it has
// CRLs fetched, and again a little later (Run), when it is sure to hear: what was
// announced before is in them.
func (t *Trust) listen(ctx context.Context) {
	for ctx.Err() == nil {
		t.fetchSoon()
		if err := t.deps.Announcer.Listen(ctx, t.notice); err != nil && ctx.Err() == nil {
			t.log.Warn("revocations are not heard; they come with the CRL", "why", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(listenAgain):
		}
	}
}

func (t *Trust) fetchSoon() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// notice takes what somebody announced. It counts only as far as the delta CRL in
// it is signed.
func (t *Trust) notice(n identity.RevocationNotice) {
	newly, gap, err := t.index.delta(n.Delta)
	if err != nil {
		t.log.Warn("a notice of revocation that does not count", "issuer", n.Issuer, "number", n.Number, "why", err)
	}
	t.live.meet(newly)
	if gap || err != nil {
		t.fetchSoon()
	}
}

// keepStaple keeps an OCSP answer for the own certificate.
func (t *Trust) keepStaple(ctx context.Context) {
	tick := time.NewTicker(stapleEvery)
	defer tick.Stop()
	for {
		if own := t.state.Load().own; own != nil {
			c, cancel := context.WithTimeout(ctx, fetchTimeout)
			der, err := t.deps.Staple(c, identity.SerialString(own.Leaf.SerialNumber))
			cancel()
			if err == nil && t.state.Load().own == own {
				t.staple.Store(&der)
			} else if err != nil && ctx.Err() == nil {
				t.log.Warn("no OCSP answer to staple", "why", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
