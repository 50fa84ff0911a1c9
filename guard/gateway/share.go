// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/standing"
)

// ruleShare is met where a device's share of the quarantine is used up.
const ruleShare = "gateway.quarantine-share"

// whyShare is what the sender is told.
const whyShare = "this device has too much in quarantine"

// shares keeps one device from filling the disk for all: what is held stays until two people
// decide, and when nothing is left, nobody's images come through.
type shares struct {
	mu   sync.Mutex
	over map[string]time.Time // devices that were refused for it, and when last
}

// shareShown is how long it stays a matter that a device was refused.
const shareShown = time.Hour

// crowded reports whether a device may have no more in quarantine.
func (g *Gateway) crowded(r *instance.Record) bool {
	if !g.above(r.Sender.Device, r.Bytes) {
		return false
	}
	g.shares.mu.Lock()
	defer g.shares.mu.Unlock()
	if g.shares.over == nil {
		g.shares.over = map[string]time.Time{}
	}
	g.shares.over[r.Sender.Device] = g.now()
	return true
}

// above reports whether a device's instances in quarantine take more than its share, with more bytes of it.
func (g *Gateway) above(device string, more int64) bool {
	if g.d.Room == nil || g.cfg.Ingest.HeldShare == 0 {
		return false
	}
	held, all := g.d.Room(device)
	return float64(held+more) > g.cfg.Ingest.HeldShare*float64(all)
}

// matters are the devices that were refused for it lately.
func (s *shares) matters(g *Gateway) []standing.Matter {
	s.mu.Lock()
	maps.DeleteFunc(s.over, func(_ string, last time.Time) bool { return g.now().Sub(last) > shareShown })
	over := maps.Clone(s.over)
	s.mu.Unlock()
	var out []standing.Matter
	for _, device := range slices.Sorted(maps.Keys(over)) {
		m := Matter("quarantine-share", device, finding.High, over[device], "What "+device+" sends is held, and its share of the quarantine is used up",
			"Images of this device do not come through. Call the security engineer.",
			fmt.Sprintf("It may take %.0f %% of the gateway's disk with what waits for two people. Until they decide, further instances of it that would be held are refused with 0xA700; what passes goes on, and other devices are not touched.", 100*g.cfg.Ingest.HeldShare),
			"Look at what is held of it, and at the rules: is the device broken, or is a rule wrong for it?", "Release or destroy what is held.", "A rule that is wrong for the device gets an override in the policy.")
		m.Devices = []string{device}
		out = append(out, m)
	}
	return out
}

// overfull refuses an instance that would be held.
func (d *decision) overfull() {
	d.r.Hits = append(d.r.Hits[:len(d.r.Hits):len(d.r.Hits)], instance.Hit{Rule: ruleShare, Verdict: instance.Refuse, Why: "The device's share of the quarantine is used up."})
	d.r.Verdict, d.r.Deliveries = instance.Refuse, nil
}
