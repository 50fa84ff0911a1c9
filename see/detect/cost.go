// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"time"
)

// Cost is what a rule did and took.
type Cost struct {
	Evaluations uint64 `json:"evaluations"`
	Selected    uint64 `json:"selected"` // events that its conditions let through
	Errors      uint64 `json:"errors"`
	Hits        uint64 `json:"hits"`
	Learning    uint64 `json:"learning"` // hits while its baseline was not ready

	sampled  uint64
	ns       uint64
	usual    uint64 // ns, of the latest
	lastEval uint64 // at the last judgement
	lastErr  uint64
	lastN    uint64
	lastNS   uint64
	strikes  int
}

// Nanoseconds is how long one evaluation takes on average, 0 when it was not measured.
func (c *Cost) Nanoseconds() uint64 {
	if c.sampled == 0 {
		return 0
	}
	return c.ns / c.sampled
}

// sample counts a measured evaluation. One that took far longer than those before was
// interrupted: the machine did something else. It counts for some times the usual, so that a
// rule that is slow by itself comes to its true time within a few samples.
func (c *Cost) sample(d time.Duration) {
	ns := min(uint64(max(d, 0)), 8*c.usual+uint64(10*time.Microsecond))
	c.usual = (7*c.usual + ns) / 8
	if ns > c.usual {
		c.usual = (c.usual + ns) / 2
	}
	c.sampled++
	c.ns += ns
}

// Budgets of a rule, over 4096 evaluations each. One bad stretch may be a pause of the
// machine: three in a row are the rule's.
const (
	maxAverage = 200 * time.Microsecond
	maxErrors  = 0.5
	strikes    = 3
)

// erred counts a failed evaluation, which is false.
func (c *compiled) erred(err error) {
	c.cost.Errors++
	c.errMsg = err.Error()
}

// judge looks at the last stretch of evaluations, and switches a rule off that fails or
// costs too much for long.
func (e *Engine) judge(c *compiled) {
	k := &c.cost
	evals, errs, n, ns := k.Evaluations-k.lastEval, k.Errors-k.lastErr, k.sampled-k.lastN, k.ns-k.lastNS
	k.lastEval, k.lastErr, k.lastN, k.lastNS = k.Evaluations, k.Errors, k.sampled, k.ns
	why := ""
	switch {
	case evals > 0 && float64(errs)/float64(evals) > maxErrors:
		why = fmt.Sprintf("%d of its last %d evaluations failed: %s", errs, evals, c.errMsg)
	case n >= 16 && ns/n > uint64(maxAverage):
		why = fmt.Sprintf("an event took it %s on average", time.Duration(ns/n)) //nolint:gosec // an average of durations
	default:
		k.strikes = 0
		return
	}
	if k.strikes++; k.strikes >= strikes {
		e.switchOff(c, why)
	}
}

// switchOff ends a rule's part until the rules are loaded again, and says so.
func (e *Engine) switchOff(c *compiled, why string) {
	c.off = why
	e.deps.Log.Error("a rule is switched off", "rule", c.rule.ID, "why", why)
	e.internal(ruleOff, c.rule.ID, map[string]string{"rule": c.rule.ID, "why": why})
}
