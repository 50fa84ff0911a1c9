// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/board"
	"github.com/asepsis/asepsis/see/inventory"
)

func deviceTitle(d *device.Device) string { return inventory.Title(d) }

// getRoom answers with one room in full.
func (s *Server) getRoom(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	t, err := s.loadTheatre(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	out := Room{Theatre: t, Contact: t.Contact, Groups: []RoomGroup{}, ImagingPath: []PathStep{}, Findings: []Finding{}, LastHour: []RoomMinute{}}

	in := s.boardInput(r.Context(), world)
	since, _ := time.Parse(time.RFC3339Nano, t.Since)
	in.Rooms = slices.DeleteFunc(in.Rooms, func(x board.Room) bool { return x.ID != t.ID })
	if len(in.Rooms) == 0 { // made a moment ago
		in.Rooms = []board.Room{{ID: t.ID, Name: t.Name, Order: t.Order, VLANs: t.VLANs, Site: t.Site}}
	}
	in.Rooms[0].State, in.Rooms[0].Since, in.Rooms[0].Source = theatre.State(t.State), since, t.Source
	tiles, _ := board.Tiles(in)
	out.Tile = tiles[0]

	groups := map[string][]DeviceRow{}
	var here []int
	for i := range world.rows {
		if world.rows[i].Theatre == t.ID {
			g := board.GroupOf(world.devices[i].Class)
			groups[g] = append(groups[g], world.rows[i])
			here = append(here, i)
		}
	}
	for _, name := range board.Groups() {
		l := orEmpty(groups[name])
		slices.SortStableFunc(l, func(a, b DeviceRow) int {
			return cmp.Or(cmp.Compare(a.ClassName, b.ClassName), cmp.Compare(a.Name, b.Name))
		})
		out.Groups = append(out.Groups, RoomGroup{name, l})
	}
	out.ImagingPath = s.imagingPath(world, here)
	for _, f := range world.findings {
		if f.Theatre == t.ID {
			out.Findings = append(out.Findings, f)
		}
	}
	out.LastHour, err = s.lastHour(r, t.ID)
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, out)
}

// lastHour counts the events of a room by minute; the last minute is the one that is
// not over.
func (s *Server) lastHour(r *http.Request, room string) ([]RoomMinute, error) {
	end := s.now().Truncate(time.Minute).Add(time.Minute)
	q := store.Query{From: end.Add(-time.Hour).UnixNano(), To: end.UnixNano(), Terms: []store.Term{{Field: store.FieldTheatre, Values: []string{room}}}}
	h, err := s.dep.Store.Histogram(r.Context(), q, 60)
	if err != nil {
		return nil, err
	}
	out := make([]RoomMinute, 0, len(h.Steps))
	for _, st := range h.Steps {
		m := RoomMinute{Start: stamp(st.Start)}
		for sev, n := range st.By {
			m.Events += n
			if n > 0 {
				m.Worst = Severity(sev)
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// imagingPath is what is known of the way that images take: the imaging devices of
// the room, the archives and processors that took or gave images, the displays.
// A device outside of the room is on the way when images went there.
func (s *Server) imagingPath(world *world, here []int) []PathStep {
	sent, taken := s.watch.images.devices()
	inRoom := map[string]bool{}
	for _, i := range here {
		inRoom[world.rows[i].ID] = true
	}
	out := []PathStep{}
	for _, role := range board.Roles() {
		var steps []PathStep
		for i := range world.rows {
			row := world.rows[i]
			if board.RoleOf(world.devices[i].Class) != role {
				continue
			}
			var t tally
			had := false
			for _, m := range []map[string]*tally{sent, taken} {
				if x := m[row.ID]; x != nil {
					t.join(x)
					had = true
				}
			}
			if !inRoom[row.ID] && !(had && s.imagesWith(world, row.ID, inRoom)) {
				continue
			}
			step := PathStep{Role: role, Device: &row, ObjectsLastHour: t.stored, FailedLastHour: t.failed, Custody: "none"}
			if last := max(t.lastGood, t.lastBad); last != 0 {
				step.Last = stamp(last)
			}
			if t.inClear || t.encrypted {
				yes := !t.inClear
				step.Encrypted = &yes
			}
			steps = append(steps, step)
		}
		slices.SortStableFunc(steps, func(a, b PathStep) int {
			return cmp.Or(cmp.Compare(b.Last, a.Last), cmp.Compare(a.Device.Name, b.Device.Name))
		})
		out = append(out, steps[:min(len(steps), 8)]...)
	}
	return out
}

// imagesWith reports whether a device and one of the room exchanged images in the
// last hour.
func (s *Server) imagesWith(_ *world, id string, inRoom map[string]bool) bool {
	m := s.watch.images
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, of := range m.minutes {
		for key := range of {
			if key.src == id && inRoom[key.dst] || key.dst == id && inRoom[key.src] {
				return true
			}
		}
	}
	return false
}
