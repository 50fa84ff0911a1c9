// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/guarded"
	"github.com/asepsis/asepsis/see/clock"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/detect/suppress"
)

// errContent says that the rules that are shipped cannot be used.
var errContent = errors.New("the shipped rules cannot be used")

// readRules reads the rules that are shipped and those of the directory.
func (r *Room) readRules(ctx context.Context) error {
	shipped, err := Load(r.deps.Rules)
	if err != nil {
		return fmt.Errorf("%w: %w", errContent, err)
	}
	r.base = shipped
	if r.cfg.RulesDir == "" {
		return nil
	}
	if r.revs.dir, err = DirFingerprint(r.cfg.RulesDir); err == nil {
		var c *Content
		if c, err = Load(r.deps.Rules, os.DirFS(r.cfg.RulesDir)); err == nil {
			r.base = c
		}
	}
	if err != nil {
		r.badRules(err)
	}
	return nil
}

// badRules makes a finding of rules that cannot be used.
func (r *Room) badRules(err error) {
	r.deps.Log.Error("changed rules could not be loaded; those from before go on", "err", err)
	r.problem("load rules", err.Error())
	if r.engine != nil {
		text := err.Error()
		r.engine.internal(rulesBad, "", map[string]string{"why": text[:min(len(text), 400)]})
	}
}

// look reads what changed: rules, devices, theatres, policy, suppressions.
func (r *Room) look(ctx context.Context) error {
	st := r.deps.Store
	rooms, roomsRev, err := Theatres(ctx, st)
	if err != nil {
		return err
	}
	devRev, err := st.DevicesRevision(ctx)
	if err != nil {
		return err
	}
	guards, guardsRev, err := guarded.All(ctx, st)
	if err != nil {
		return err
	}
	polFresh := r.policyChanged(ctx)
	now := r.deps.Now()
	if r.world == nil || devRev != r.revs.devices && !now.Before(r.devsNext) || roomsRev != r.revs.rooms || guardsRev != r.revs.guards || polFresh {
		devs, rev, err := st.DeviceList(ctx)
		if err != nil {
			return err
		}
		pol, origin, err := Policy(ctx, st, r.cfg.Policy, devs)
		switch {
		case err == nil:
			r.revs.policy = origin
			r.problem("read the policy", "")
		case ctx.Err() != nil:
			return ctx.Err()
		default: // the one before goes on
			r.problem("read the policy", err.Error())
			if origin != "" {
				r.revs.policy = origin
			}
			if r.world != nil {
				pol = r.world.Policy()
			}
		}
		r.world = scene.NewWorld(devs, rooms, pol)
		r.world.Guard(guards)
		r.revs.devices, r.revs.rooms, r.revs.guards = rev, roomsRev, guardsRev
		r.devsNext = now.Add(min(max(10*r.deps.Now().Sub(now), lookEvery), 15*time.Second)) // devices change all the time
		if r.engine != nil {
			r.engine.World = r.world
			r.engine.deps.Clock.Know(rooms)
		}
	}
	if err := r.lookRules(ctx); err != nil {
		return err
	}
	if err := r.lookHidings(ctx); err != nil {
		return err
	}
	if err := r.standings(ctx); err != nil {
		return err
	}
	return r.writeCases(ctx)
}

// policyChanged reports whether the policy is another one than was read; proposals follow
// the devices.
func (r *Room) policyChanged(ctx context.Context) bool {
	if r.cfg.Policy != "" {
		i, err := os.Stat(r.cfg.Policy)
		return err == nil && r.revs.policy != fmt.Sprintf("file %d %d", i.Size(), i.ModTime().UnixNano())
	}
	doc, err := r.deps.Store.Document(ctx, PolicyKind, PolicyID)
	return err == nil && r.revs.policy != fmt.Sprintf("document %d", doc.Revision)
}

// lookRules makes a new engine when rules changed. What rules remember that did not change
// goes with it.
func (r *Room) lookRules(ctx context.Context) error {
	changed := r.engine == nil
	if r.cfg.RulesDir != "" {
		if f, err := DirFingerprint(r.cfg.RulesDir); err == nil && f != r.revs.dir {
			r.revs.dir = f
			c, err := Load(r.deps.Rules, os.DirFS(r.cfg.RulesDir))
			if err != nil {
				r.badRules(err)
			} else {
				r.problem("load rules", "")
				r.base, changed = c, true
			}
		}
	}
	site, _, rev, err := SiteRules(ctx, r.deps.Store)
	if err != nil {
		return err
	}
	if !changed && rev == r.revs.site {
		return nil
	}
	r.revs.site = rev
	content, broken := r.base.ForSite(site)
	was := r.engine
	engine, err := r.newEngine(content, false)
	if err != nil && was == nil {
		r.badRules(err)
		content = r.base
		if engine, err = r.newEngine(content, false); err != nil {
			return fmt.Errorf("%w: %w", errContent, err)
		}
	}
	if err != nil {
		r.badRules(err)
		return nil
	}
	if was != nil {
		engine.clock, engine.at, engine.tail, engine.blind = was.clock, was.at, was.tail, was.blind
		engine.Own(r.own)
		for p := range match.Partitions {
			if r.own&(1<<p) == 0 {
				continue
			}
			state, _, err := was.Save(p)
			if err == nil {
				_, _, err = engine.Load(p, state)
			}
			if err != nil {
				return err
			}
		}
		r.deps.Log.Info("rules were loaded again", "rules", len(content.Rules))
	} else {
		engine.Own(r.own)
	}
	r.engine, r.content = engine, content
	if r.world != nil {
		engine.deps.Clock.Know(r.world.Theatres())
	}
	r.revs.hidings = "" // expressions are compiled with the new lists
	for id, why := range broken {
		r.badRules(fmt.Errorf("rule %s: %w", id, why))
	}
	return nil
}

// lookHidings reads suppressions and maintenance windows.
func (r *Room) lookHidings(ctx context.Context) error {
	sups, windows, rev, bad, err := Hidings(ctx, r.deps.Store)
	if err != nil {
		return err
	}
	if rev == r.revs.hidings && r.engine.set != nil {
		return nil
	}
	if bad != nil {
		r.deps.Log.Error("some suppressions or windows cannot be read and hide nothing", "err", bad)
	}
	set, broken := suppress.NewSet(r.content.Env, sups, windows)
	for id, why := range broken {
		r.deps.Log.Warn("the expression of a suppression does not fit any more; it hides nothing", "suppression", id, "why", why)
	}
	r.revs.hidings = rev
	r.engine.Suppress(set)
	return nil
}

func (r *Room) set() *suppress.Set {
	if r.engine == nil {
		return nil
	}
	return r.engine.set
}

// Open implements match.Learner: a finding of medium or above is open on a device.
// What is hidden is known and allowed: it does not count.
func (r *Room) Open(device string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open[device]
}

// opened notes on which devices findings are open, and tells the rules that learn when one
// was closed.
func (r *Room) opened() {
	rows, _ := r.index.Rows()
	open := map[string]bool{}
	type done struct {
		device string
		trust  bool
	}
	var settle []done
	for _, row := range rows {
		if row.Triage.State == finding.Closed {
			if !r.settled[row.ID] {
				r.settled[row.ID] = true
				for _, d := range row.Devices {
					settle = append(settle, done{d, row.Triage.Outcome == finding.FalsePositive || row.Triage.Outcome == finding.Harmless})
				}
			}
			continue
		}
		delete(r.settled, row.ID)
		if row.Severity >= finding.Medium && row.Suppressed == "" {
			for _, d := range row.Devices {
				open[d] = true
			}
		}
	}
	r.mu.Lock()
	r.open = open
	r.mu.Unlock()
	if r.engine == nil {
		return // what was closed before is settled already
	}
	for _, s := range settle {
		if s.trust && open[s.device] {
			continue // another finding on it is still open
		}
		r.engine.Settle(s.device, s.trust)
	}
}

// Settle tells the rules that learn what became of findings on a device: whether what
// was learned meanwhile can be trusted.
func (e *Engine) Settle(device string, trust bool) {
	for _, c := range e.rules {
		if l, ok := c.matcher.(match.Learning); ok {
			l.Settle(device, trust)
		}
	}
}

func newClock(c Config) (*clock.Clock, error) { return clock.New(c.Cases) }
