// SPDX-License-Identifier: Apache-2.0

package announce

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// Reports of live connections: their kind on the bus, how often a process says
// what it has, and for how long that is believed.
const (
	liveKind   = "identity-live"
	liveEvery  = 2 * time.Second
	liveRepeat = 15 * time.Second // when nothing changed
	liveStale  = 45 * time.Second
	maxLive    = 1000 // connections in a report; it is at most bus.MaxReport
)

// Live is a connection that some process has open with a certificate.
type Live struct {
	Consumer string       `json:"-"` // who has it
	Serial   string       `json:"serial"`
	Issuer   string       `json:"issuer"`
	Name     string       `json:"name"`   // device or service
	Remote   string       `json:"remote"` // address
	Since    time.Time    `json:"since"`
	Choice   identity.Cut `json:"choice"` // what a revocation does to it
}

// ReportLive says on the bus which connections a Trust has open, until ctx ends, so
// that a person sees beforehand what a revocation would cut. consumer is unique
// among processes: "gateway-or-3". Beyond a thousand, the newest are left out.
func ReportLive(ctx context.Context, b *bus.Bus, consumer string, t *trust.Trust) error {
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	var last string
	var at time.Time
	for {
		body, err := json.Marshal(liveOf(t))
		if err != nil {
			return fmt.Errorf("report live connections: %w", err)
		}
		if now := time.Now(); string(body) != last || now.Sub(at) > liveRepeat {
			if b.Report(ctx, liveKind, consumer, body) == nil { // else at the next tick
				last, at = string(body), now
			}
		}
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), liveEvery)
			defer cancel()
			_ = b.Forget(end, liveKind, consumer) // else it grows stale
			return nil
		case <-tick.C:
		}
	}
}

func liveOf(t *trust.Trust) []Live {
	out := []Live{}
	for _, c := range t.Live("") {
		out = append(out, Live{Serial: c.Peer.Serial, Issuer: c.Peer.Issuer, Name: c.Peer.Name(), Remote: c.Remote, Since: c.Since.UTC().Truncate(time.Second), Choice: c.Choice})
	}
	slices.SortFunc(out, func(a, b Live) int {
		if n := a.Since.Compare(b.Since); n != 0 {
			return n
		}
		return strings.Compare(a.Remote, b.Remote)
	})
	return out[:min(len(out), maxLive)]
}

// LiveWith returns the connections that are open with a certificate, in all
// processes that report.
func LiveWith(ctx context.Context, b *bus.Bus, serial string) ([]Live, error) {
	reports, err := b.Reports(ctx, liveKind)
	if err != nil {
		return nil, err
	}
	var out []Live
	for _, r := range reports {
		if time.Since(r.At) > liveStale {
			continue
		}
		var list []Live
		if json.Unmarshal(r.Body, &list) != nil {
			continue // of a newer version
		}
		for _, l := range list {
			if l.Serial == serial {
				l.Consumer = r.Name
				out = append(out, l)
			}
		}
	}
	return out, nil
}
