// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"time"
)

// dropTime is how long giving up many deliveries may take: each of them is written down durably.
const dropTime = 2 * time.Minute

// Drop implements Control.
func (c *client) Drop(ctx context.Context, d Drop) (Dropped, error) {
	var out Dropped
	err := c.ask(ctx, dropTime, "Drop", d, &out)
	return out, err
}

func dropped(ctx context.Context, c Control, d Drop) (any, error) { return c.Drop(ctx, d) }
