// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// Pauses between two attempts to connect again.
const (
	againFirst = 500 * time.Millisecond
	againMost  = 15 * time.Second
)

var errStreamEnded = errors.New("the server ended the stream")

// Follow reads server-sent events as Stream does, and connects again whenever the
// stream breaks, with the ID of the last event that f has taken: nothing is missed
// that the server still has, and nothing comes twice. It returns when ctx ends, f
// fails, the token is not, or no longer, good for it (401, 403), or the very first
// attempt fails: then the address or the question is wrong. Broken is told why a
// stream broke and how long it will be until the next attempt.
func (c *Client) Follow(ctx context.Context, path string, query url.Values, broken func(why error, wait time.Duration), f func(kind, id string, data []byte) error) error {
	last, wait := "", againFirst
	connected := false
	for {
		var taker error
		err := c.stream(ctx, path, query, last, func() { connected, wait = true, againFirst }, func(kind, id string, data []byte) error {
			if taker = f(kind, id, data); taker == nil && id != "" {
				last = id
			}
			return taker
		})
		var refused *Error
		switch {
		case taker != nil:
			return taker
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the caller has ended it
		case !connected, errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden):
			return err
		case err == nil:
			err = errStreamEnded
		}
		// Not all readers of a server at the same moment.
		pause := wait/2 + rand.N(wait/2) //nolint:gosec // spreads load, hides nothing
		broken(err, pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		wait = min(2*wait, againMost)
	}
}
