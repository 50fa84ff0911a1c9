// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"slices"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect/alert"
)

// Collector gathers occurrences in memory: for captures, samples and backtests. It
// keeps at most MaxAlerts alerts and counts what comes beyond.
type Collector struct {
	byKey map[string]*alert.Document
	open  map[string]int // alerts of medium or above, by device
	over  uint64
}

// MaxAlerts bounds a Collector.
const MaxAlerts = 20_000

// NewCollector makes an empty one.
func NewCollector() *Collector {
	return &Collector{byKey: map[string]*alert.Document{}, open: map[string]int{}}
}

// Add applies an occurrence; it is the Emit of an engine.
func (c *Collector) Add(o *alert.Occurrence) {
	key := alert.Key(o.Rule.ID, o.Group)
	d := c.byKey[key]
	if d == nil {
		if o.More {
			return
		}
		if len(c.byKey) >= MaxAlerts {
			c.over++
			return
		}
		d = alert.New(key)
		c.byKey[key] = d
	}
	had := len(d.Alert.Devices)
	matter := d.Alert.Severity >= finding.Medium
	d.Apply(o)
	if d.Alert.Severity < finding.Medium {
		return
	}
	if !matter {
		had = 0
	}
	for _, id := range d.Alert.Devices[had:] {
		c.open[id]++
	}
}

// Open implements match.Learner: an alert that matters is open on the device.
func (c *Collector) Open(device string) bool { return c.open[device] > 0 }

// Alerts returns all alerts, the worst first, then the latest.
func (c *Collector) Alerts() []finding.Alert {
	out := make([]finding.Alert, 0, len(c.byKey))
	for _, d := range c.byKey {
		out = append(out, d.Alert)
	}
	slices.SortFunc(out, func(a, b finding.Alert) int {
		return cmp.Or(int(b.Severity)-int(a.Severity), cmp.Compare(b.Last, a.Last), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Over is how many occurrences found no place.
func (c *Collector) Over() uint64 { return c.over }
