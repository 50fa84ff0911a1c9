// SPDX-License-Identifier: Apache-2.0

// Package announce carries revocations over the platform's bus.
//
// Notices go out as bus notices on the subject Subject (on the wire
// "<site>.tell.identity.revoked"): to everybody who listens at that moment, kept
// by nobody. Consumers that miss one find it in the CRL.
package announce

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/prove/identity"
)

// Subject is where notices are told.
const Subject = "identity.revoked"

// Over makes an Announcer of a bus.
func Over(b *bus.Bus) identity.Announcer { return over{b} }

type over struct{ bus *bus.Bus }

// Announce implements identity.Announcer.
func (o over) Announce(_ context.Context, n identity.RevocationNotice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return o.bus.Tell(Subject, body)
}

// Listen implements identity.Announcer. A notice that cannot be read is passed
// on empty: that there was one is reason enough to look at the CRL.
func (o over) Listen(ctx context.Context, f func(identity.RevocationNotice)) error {
	stop, err := o.bus.Listen(Subject, func(body []byte) {
		var n identity.RevocationNotice
		if json.Unmarshal(body, &n) != nil {
			n = identity.RevocationNotice{}
		}
		f(n)
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	stop()
	return nil
}
