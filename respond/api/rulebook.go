// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/detect"
)

// rulebook knows the rules: those that are shipped, those of the directory, and what
// people decided.
type rulebook struct {
	s *Server

	mu     sync.Mutex // held while reading
	base   *detect.Content
	dir    string // fingerprint of the directory
	cur    *detect.Content
	site   map[string]detect.SiteRule
	revs   map[string]uint64
	rev    string
	broken map[string]error
	looked time.Time
}

// noRules is what is answered where nothing is known about rules.
func noRules() error {
	return problem.Unavailable("The rules are not known here.", "", 0, nil)
}

// content returns the rules as they are now.
func (b *rulebook) content(ctx context.Context) (*detect.Content, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.read(ctx)
}

func (b *rulebook) read(ctx context.Context) (*detect.Content, error) {
	if b.s.dep.Rules == nil {
		return nil, noRules()
	}
	now := b.s.now()
	fresh := b.base == nil
	if now.Sub(b.looked) >= 2*time.Second || fresh {
		b.looked = now
		dir := ""
		if b.s.dep.RulesDir != "" {
			dir, _ = detect.DirFingerprint(b.s.dep.RulesDir) // one that cannot be read has no rules; detection says so
		}
		if fresh || dir != b.dir {
			b.dir = dir
			systems := []fs.FS{b.s.dep.Rules}
			if dir != "" {
				systems = append(systems, os.DirFS(b.s.dep.RulesDir))
			}
			c, err := detect.Load(systems...)
			if err != nil && b.base == nil {
				c, err = detect.Load(b.s.dep.Rules)
			}
			if err != nil && b.base == nil {
				return nil, problem.Internal(err)
			}
			if err == nil {
				b.base, fresh = c, true
			}
		}
	}
	site, revs, rev, err := detect.SiteRules(ctx, b.s.dep.Store)
	if err != nil {
		return nil, err
	}
	if fresh || rev != b.rev || b.cur == nil {
		b.site, b.revs, b.rev = site, revs, rev
		b.cur, b.broken = b.base.ForSite(site)
	}
	return b.cur, nil
}

// snapshot returns the rules with what people decided.
func (b *rulebook) snapshot(ctx context.Context) (c *detect.Content, site map[string]detect.SiteRule, revs map[string]uint64, broken map[string]error, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, err = b.read(ctx)
	return c, b.site, b.revs, b.broken, err
}
