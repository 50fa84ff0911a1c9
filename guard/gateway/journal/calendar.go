// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// stride is how far a clock may go beyond the time that has passed without being doubted.
	stride = time.Hour
	// probation is how long the journal runs before a clock is believed that was set ahead.
	probation = 24 * time.Hour
)

// calendar says how late it is to what is given up when its time is over. A clock that is set ahead, as by a wrong source
// of the time or when a gateway that began in 1970 learns it, makes all that is kept look old at once: until it has kept
// to that for probation, time passes as fast as it does. One that is set back is believed, since that gives nothing up.
type calendar struct {
	log *slog.Logger
	// passed is how much time has passed between two readings of the clock, however it was set.
	passed func(from, to time.Time) time.Duration

	mu     sync.Mutex
	read   time.Time     // the clock, when it was read last
	time   time.Time     // what was said then
	ahead  bool          // the clock is not believed
	waited time.Duration // since it is not
}

// at says how late it is when the clock says now.
func (c *calendar) at(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.read.IsZero() {
		c.read, c.time = now, now
		return now
	}
	passed := max(c.passed(c.read, now), 0)
	c.read = now
	late := c.time.Add(passed)
	wall := now.Round(0)
	if c.ahead {
		c.waited += passed
	}
	if ahead := wall.Sub(late.Round(0)); ahead <= stride || c.waited >= probation {
		if c.ahead {
			c.log.Info("the clock is believed again")
		}
		c.ahead, c.waited, c.time = false, 0, now
		return now
	} else if !c.ahead {
		c.ahead = true
		c.log.Warn("the clock was set ahead; nothing is given up for its age for a while", "by", ahead.Round(time.Second), "for", probation)
	}
	c.time = late
	return late
}
