// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"
)

// The modes of a bus.
const (
	ModeEmbedded = "embedded"
	ModeExternal = "external"
	ModeLeaf     = "leaf" // embedded, with a hub
)

// Stats says how the bus is.
type Stats struct {
	Mode        string
	Connected   bool
	Stream      string // identity
	Messages    uint64
	Bytes       uint64
	MaxBytes    int64
	FirstPos    uint64
	LastPos     uint64
	First, Last time.Time // when the oldest and the newest message that is kept was published
	Foreign     uint64    // messages that this process passed over: no batches
	Twice       uint64    // batches that came to this process twice and were dropped
	Hub         *HubStats // nil without a hub
	Sites       []SiteStats
}

// SiteStats is what a hub knows of a site.
type SiteStats struct {
	Name   string
	Lag    uint64        // messages that the site has and the hub does not, as of the last contact
	Active time.Duration // since the last contact, negative when there was none
}

// Stats asks for the state of now. While the bus is away it has what is known
// without it, and the error.
func (b *Bus) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Mode: ModeExternal, Connected: b.nc.IsConnected(), Foreign: b.foreign.Load(), Twice: b.twice.Load()}
	if b.srv != nil {
		s.Mode = ModeEmbedded
		s.Connected = s.Connected && b.srv.failure() == nil
		if b.cfg.Hub != "" {
			s.Mode = ModeLeaf
		}
	}
	i, err := b.info(ctx)
	if b.cfg.Hub != "" {
		h := b.hubStats(i)
		s.Hub = &h
	}
	if err != nil {
		return s, explain("stream of events", err)
	}
	st := i.State
	s.Stream, s.Messages, s.Bytes, s.MaxBytes = identity(i), st.Msgs, st.Bytes, i.Config.MaxBytes
	s.FirstPos, s.LastPos, s.First, s.Last = st.FirstSeq, st.LastSeq, st.FirstTime, st.LastTime
	for _, src := range i.Sources {
		if site, ok := strings.CutSuffix(src.Name, "-events"); ok {
			s.Sites = append(s.Sites, SiteStats{Name: site, Lag: src.Lag, Active: src.Active})
		}
	}
	return s, nil
}

// Check finds out whether the bus takes something and gives it back now.
func (b *Bus) Check(ctx context.Context) error {
	if b.srv != nil {
		if err := b.srv.failure(); err != nil {
			return fmt.Errorf("bus: %w", err)
		}
		if free, err := freeBytes(b.srv.dir); err == nil && free < minFree {
			return fmt.Errorf("bus: %w: %d KiB are left", ErrFull, free>>10)
		}
	}
	ctx, cancel := limit(ctx, apiTimeout)
	defer cancel()
	if _, err := b.info(ctx); err != nil {
		return explain("bus: stream of events", err)
	}
	kv, err := b.reports()
	if err != nil {
		return explain("bus", err)
	}
	key, probe := "check."+token(b.checkName()), []byte(rand.Text())
	rev, err := kv.Put(ctx, key, probe)
	if err != nil {
		return explain("bus: write", err)
	}
	e, err := kv.GetRevision(ctx, key, rev)
	if err != nil {
		return explain("bus: read", err)
	}
	if string(e.Value()) != string(probe) {
		return fmt.Errorf("bus: %w: it gave back something else than was written", ErrInternal)
	}
	return nil
}

// checkName makes checks of several processes not overwrite one another: one
// key for each connection would never be removed.
func (b *Bus) checkName() string {
	if id, err := b.nc.GetClientID(); err == nil {
		return fmt.Sprint(id % 64)
	}
	return "0"
}
