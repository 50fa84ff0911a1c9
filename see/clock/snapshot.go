// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"encoding/json"
	"fmt"

	"github.com/asepsis/asepsis/core/theatre"
)

// snapshotVersion is that of the saved form.
const snapshotVersion = 1

// maxSnapshot bounds what Load reads.
const maxSnapshot = 64 << 20

type snapshot struct {
	Version int              `json:"version"`
	Now     int64            `json:"now"`
	Rooms   map[string]*room `json:"rooms"`
}

// Save returns everything that the clock knows, for Load. It holds no patient
// data: appointments are pseudonyms.
func (c *Clock) Save() ([]byte, error) {
	return json.Marshal(snapshot{snapshotVersion, c.now, c.rooms})
}

// Load replaces what the clock knows with what Save returned. After an error
// nothing has changed.
func (c *Clock) Load(data []byte) error {
	if len(data) > maxSnapshot {
		return fmt.Errorf("clock: the saved state has %d bytes, more than %d", len(data), maxSnapshot)
	}
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("clock: the saved state cannot be read: %w", err)
	}
	if s.Version != snapshotVersion {
		return fmt.Errorf("clock: the saved state has version %d; this program reads %d", s.Version, snapshotVersion)
	}
	if len(s.Rooms) > maxRooms {
		return fmt.Errorf("clock: the saved state has %d theatres, more than %d", len(s.Rooms), maxRooms)
	}
	for id, r := range s.Rooms {
		if r == nil || len(r.Slots) > maxSlots || len(r.Steps) > maxSteps || r.State != "" && !r.State.Valid() || r.Hand != "" && !r.Hand.Valid() {
			return fmt.Errorf("clock: the saved state of theatre %q is damaged", id)
		}
		for k, sl := range r.Slots {
			if sl == nil {
				return fmt.Errorf("clock: the saved state of theatre %q is damaged at %q", id, k)
			}
		}
		if r.Steps == nil {
			r.Steps = map[string]int64{}
		}
		if r.Slots == nil {
			r.Slots = map[string]*slot{}
		}
		if r.Said == nil {
			r.Said = map[string]int64{}
		}
	}
	c.now, c.rooms = s.Now, s.Rooms
	if c.rooms == nil {
		c.rooms = map[string]*room{}
	}
	return nil
}

// Theatres returns the state of every theatre of which something is known.
func (c *Clock) Theatres() []theatre.Theatre {
	out := make([]theatre.Theatre, 0, len(c.rooms))
	for id, r := range c.rooms {
		if r.State != "" {
			out = append(out, theatre.Theatre{ID: id, State: r.State, Since: r.Since, Source: r.Source})
		}
	}
	return out
}
