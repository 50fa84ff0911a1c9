// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/board"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/recorder"
	"github.com/asepsis/asepsis/see/watch"
)

// lossySensor is the share of lost packets from which a sensor is called lossy.
const lossySensor = 0.001

// getSensors answers with what each sensor says, and with one sentence about all.
func (s *Server) getSensors(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	h := s.watch.now(r.Context())
	world, err := s.know.get(r.Context())
	if err != nil {
		world = nil // what sensors see is told also while the store is away
	}
	out := SensorList{Sensors: []Sensor{}}
	for i := range h.sensors {
		out.Sensors = append(out.Sensors, s.sensor(r.Context(), &h.sensors[i], h.at, world))
	}
	out.Sentence = sensorsSentence(h, out.Sensors, world)
	if h.busErr != nil {
		out.Sentence = "Nothing is heard of the sensors: the bus is away."
	}
	return send(w, r, http.StatusOK, out)
}

// sensorsSentence says how much of the theatres is seen.
func sensorsSentence(h *health, l []Sensor, world *world) string {
	seeing, finished := 0, 0
	var lost, all float64
	for i := range l {
		switch l[i].State {
		case "watching", "lossy":
			seeing++
			weight := max(l[i].PacketsPerSecond, 1)
			lost, all = lost+l[i].Loss*weight, all+weight
		case "finished":
			finished++
		}
	}
	if seeing == 0 {
		switch {
		case finished > 0:
			return "Nothing is watched now: the capture was read to its end."
		case len(l) > 0:
			return "Blind: no sensor sees anything now."
		}
		return "Blind: no sensor has reported yet."
	}
	wanted, seen := map[uint16]bool{}, 0
	if world != nil {
		for _, t := range world.theatres {
			for _, v := range t.VLANs {
				wanted[v] = true
			}
		}
	}
	for v := range wanted {
		if slices.ContainsFunc(h.sensors, func(n sensorNow) bool {
			return n.State == watch.Watching && h.at.Sub(time.Unix(0, n.At)) <= reportGone && n.Stats.VLANs[v] > 0
		}) {
			seen++
		}
	}
	what := fmt.Sprintf("%d of %d sensors are watching", seeing, len(l))
	if len(l) == 1 {
		what = "The sensor is watching"
	}
	if len(wanted) > 0 {
		what = fmt.Sprintf("Seeing %d of %d theatre VLANs", seen, len(wanted))
		if len(wanted) == 1 && seen == 1 {
			what = "Seeing the theatre VLAN"
		}
	}
	share := 0.0
	if all > 0 {
		share = lost / all
	}
	if share == 0 {
		return what + "; no packet was lost in the last hour."
	}
	return what + "; " + board.Percent(share) + " of packets were lost in the last hour."
}

// sensorState says how a sensor is doing.
func (s *Server) sensorState(n *sensorNow, now time.Time) string {
	switch {
	case n.State == watch.Finished:
		return "finished"
	case n.State == watch.Gone, now.Sub(time.Unix(0, n.At)) > reportGone:
		return "gone"
	case now.Sub(n.lastSeen) > reportEmpty:
		return "silent"
	case n.loss >= lossySensor:
		return "lossy"
	}
	return "watching"
}

// sensor is a sensor with what its figures mean.
func (s *Server) sensor(ctx context.Context, n *sensorNow, now time.Time, world *world) Sensor {
	st := &n.Stats
	out := Sensor{
		Name: n.Name, Source: n.Source, State: s.sensorState(n, now), Started: stamp(n.Started), Reported: stamp(n.At),
		Packets: st.Packets, Bytes: st.Bytes, Dropped: st.Dropped, Loss: n.loss, Undecoded: st.Undecoded, Gaps: st.TCP.Gaps, GapBytes: st.TCP.GapBytes,
		OneSided: st.OneSided, MidStream: st.MidStream, Flows: st.Flows, ActiveFlows: st.ActiveFlows, FlowsEvicted: st.FlowsEvicted, AnalysesEvicted: st.AnalysesEvicted,
		OverBudget: st.OverBudget, Panics: st.Panics, Unrecognised: st.Unrecognised, UnrecognisedBytes: st.UnrecognisedBytes,
		Events: n.Publisher.Events, EventsLost: n.Publisher.Lost, QueuedEvents: n.Publisher.Queued,
		Protocols: []ProtocolCount{}, VLANs: []SensorVLAN{}, BlindSpots: []BlindSpot{},
	}
	if b := n.before; b != nil && n.At > b.At {
		secs := float64(n.At-b.At) / 1e9
		out.PacketsPerSecond = rate(st.Packets, b.Stats.Packets, secs)
		out.BitsPerSecond = 8 * rate(st.Bytes, b.Stats.Bytes, secs)
	} else if secs := float64(n.At-n.Started) / 1e9; secs >= 1 {
		out.PacketsPerSecond, out.BitsPerSecond = rate(st.Packets, 0, secs), 8*rate(st.Bytes, 0, secs)
	}
	for name, count := range st.Protocols {
		out.Protocols = append(out.Protocols, ProtocolCount{name, count})
	}
	slices.SortFunc(out.Protocols, func(a, b ProtocolCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	for id, packets := range st.VLANs {
		v := SensorVLAN{ID: id, Packets: packets}
		if world != nil {
			for i := range world.theatres {
				if slices.Contains(world.theatres[i].VLANs, id) {
					v.Theatre = world.theatres[i].ID
				}
			}
		}
		out.VLANs = append(out.VLANs, v)
	}
	slices.SortFunc(out.VLANs, func(a, b SensorVLAN) int { return int(a.ID) - int(b.ID) })
	for _, b := range n.BlindSpots {
		out.BlindSpots = append(out.BlindSpots, BlindSpot{b.What, b.Why, b.Hint})
	}
	switch out.State {
	case "finished":
		out.Sentence = n.Source + " was read to its end."
		out.PacketsPerSecond, out.BitsPerSecond = 0, 0
	case "gone":
		out.Sentence = "Has not reported since " + s.clock(ctx, n.At) + ": what happens there is not seen."
		if n.State == watch.Gone {
			out.Sentence = n.Source + " cannot be read now: what happens there is not seen."
		}
		out.PacketsPerSecond, out.BitsPerSecond = 0, 0
	case "silent":
		out.Sentence = "Runs, but no packet has come since " + s.clock(ctx, n.lastSeen.UnixNano()) + ". Is the mirror port connected?"
	case "lossy":
		out.Sentence = "Watching, but " + board.Percent(n.loss) + " of packets were lost in the last hour."
	default:
		out.Sentence = "Watching " + cmp.Or(n.Source, n.Name) + "."
		if len(out.BlindSpots) > 0 {
			out.Sentence = "Watching " + cmp.Or(n.Source, n.Name) + ", but does not see all: " + strings.TrimSuffix(out.BlindSpots[0].What, ".") + "."
		}
	}
	if out.EventsLost > 0 {
		out.Sentence += " " + thousands(out.EventsLost) + " events were lost because the bus did not take them."
	}
	return out
}

func rate(now, before uint64, secs float64) float64 {
	if now < before || secs <= 0 {
		return 0
	}
	return math.Round(10*float64(now-before)/secs) / 10
}

// columns are the minutes of a sensor between two times, oldest first.
type columns struct {
	start                                  int64 // ns
	packets, bytes, dropped, events, flows []*int64
}

// maxSeries bounds a series to what a plot can show and a request may read.
const maxSeries = 62 * 24 * time.Hour

// columns reads the days that a time touches.
func (s *Server) columns(ctx context.Context, sensor string, from, to time.Time) (columns, error) {
	from, to = from.UTC().Truncate(time.Minute), to.UTC()
	n := int((to.Sub(from) + time.Minute - 1) / time.Minute)
	c := columns{start: from.UnixNano(), packets: make([]*int64, n), bytes: make([]*int64, n), dropped: make([]*int64, n), events: make([]*int64, n), flows: make([]*int64, n)}
	for day := from.Truncate(24 * time.Hour); day.Before(to); day = day.Add(24 * time.Hour) {
		doc, err := s.dep.Store.Document(ctx, recorder.SeriesKind, recorder.SeriesID(sensor, day))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return c, err
		}
		var d recorder.Series
		if err := json.Unmarshal(doc.Body, &d); err != nil {
			return c, err
		}
		at := int((d.Start - c.start) / int64(time.Minute))
		put := func(to, from []*int64) {
			for i, v := range from {
				if k := at + i; k >= 0 && k < n {
					to[k] = v
				}
			}
		}
		put(c.packets, d.Packets)
		put(c.bytes, d.Bytes)
		put(c.dropped, d.Dropped)
		put(c.events, d.Events)
		put(c.flows, d.ActiveFlows)
	}
	return c, nil
}

// getSeries answers with a sensor's rates over time.
func (s *Server) getSeries(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	from, to := p.span(24 * time.Hour)
	if to-from > int64(maxSeries) && len(p.fields) == 0 {
		p.fail("from", "", "must be at most 62 days before the end of the range")
	}
	if err := p.end(); err != nil {
		return err
	}
	name := r.PathValue("name")
	c, err := s.columns(r.Context(), name, time.Unix(0, from), time.Unix(0, to))
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(c.packets, func(v *int64) bool { return v != nil })
	if !known {
		for i := range s.watch.now(r.Context()).sensors {
			known = known || s.watch.now(r.Context()).sensors[i].Name == name
		}
		if !known {
			return problem.NotFound("There is no sensor with this name, and no rates of one in this time.")
		}
	}
	each := func(l []*int64, by float64) []*float64 {
		out := make([]*float64, len(l))
		for i, v := range l {
			if v != nil {
				x := math.Round(float64(*v)*by*1000) / 1000
				out[i] = &x
			}
		}
		return out
	}
	return send(w, r, http.StatusOK, SensorSeries{Start: stamp(c.start), StepMS: time.Minute.Milliseconds(),
		PacketsPerSecond: each(c.packets, 1.0/60), BitsPerSecond: each(c.bytes, 8.0/60), Dropped: each(c.dropped, 1), EventsPerSecond: each(c.events, 1.0/60), ActiveFlows: each(c.flows, 1)})
}

// getStorage answers with what is kept and what it takes.
func (s *Server) getStorage(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	st, err := s.watch.stats(r.Context())
	if err != nil {
		return err
	}
	out := Storage{Engine: st.Engine, Events: st.Events, First: stampOrNil(st.First), Last: stampOrNil(st.Last), Bytes: st.Bytes, Days: []StorageDay{}}
	if st.Free >= 0 {
		out.Free = &st.Free
	}
	for _, d := range st.Days {
		out.Days = append(out.Days, StorageDay{d.Day, d.Events, d.Bytes})
	}
	h := s.watch.now(r.Context())
	out.Bus = StorageBus{Messages: h.bus.Messages, Bytes: h.bus.Bytes, Mode: h.bus.Mode, Sites: []BusSite{}}
	if hub := h.bus.Hub; hub != nil {
		out.Bus.Hub = &BusHub{Connected: hub.Connected, Waiting: hub.Lag}
		if !hub.Oldest.IsZero() {
			out.Bus.Hub.Oldest = stampOrNil(hub.Oldest.UnixNano())
		}
	}
	for _, site := range h.bus.Sites {
		out.Bus.Sites = append(out.Bus.Sites, busSite(site, h.at))
	}
	if h.busErr != nil {
		out.Bus.Mode = "away"
	}
	return send(w, r, http.StatusOK, out)
}
