// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"sync"
)

// claims lets one at a time decide over a SOP instance: what comes twice at once
// would otherwise be new twice.
type claims struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when it is given up
}

func newClaims() *claims { return &claims{held: map[string]chan struct{}{}} }

// take waits for a SOP instance and returns what gives it up.
func (c *claims) take(ctx context.Context, uid string) (release func(), err error) {
	for {
		c.mu.Lock()
		other, taken := c.held[uid]
		if !taken {
			mine := make(chan struct{})
			c.held[uid] = mine
			c.mu.Unlock()
			return func() {
				c.mu.Lock()
				delete(c.held, uid)
				c.mu.Unlock()
				close(mine)
			}, nil
		}
		c.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
