// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/respond/board"
	"github.com/asepsis/asepsis/respond/problem"
)

// The states of a component.
const (
	healthOK        = "ok"
	healthAttention = "attention"
	healthStop      = "stop"
)

// getStatus answers with the truth about the system itself. It is answered also
// while the store is away: that is when it is asked for.
func (s *Server) getStatus(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	site := p.text("site", maxName)
	if err := p.end(); err != nil {
		return err
	}
	return send(w, r, http.StatusOK, s.status(r.Context(), site))
}

// storeAway answers who cannot be recognised because the store is away: that it is,
// and nothing else. It is what /readyz tells anybody, in the shape that the console
// shows to whoever has it open.
func (s *Server) storeAway(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := s.dep.Access.Authenticate(r); err == nil || problem.From(err).Status != http.StatusServiceUnavailable {
			next.ServeHTTP(w, r)
			return
		}
		const sentence = "The store is away: what is shown is what was known before."
		now := stamp(s.now().UnixNano())
		out := Status{State: "down", Runs: s.runs(), Sentence: sentence, Demo: s.dep.Demo, Time: now, TheatresInCase: []NamedRoom{}, Sites: []NamedSite{},
			Components: []Component{{"store", healthStop, "The store cannot be read or written. Events wait on the bus.", stamp(s.watch.sinceOf("store", healthStop).UnixNano())}}}
		if err := send(w, r, http.StatusOK, out); err != nil {
			s.refuse(w, r, err)
		}
	})
}

// runs names the parts of the product that are not everywhere. A gateway that has
// fallen silent is among them: what it held has to be found.
func (s *Server) runs() []string {
	out := []string{}
	if s.dep.Ledger != nil {
		out = append(out, "ledger")
	}
	if s.dep.Identity != nil {
		out = append(out, "identity")
	}
	if s.watch.gateways.Load() {
		out = append(out, "imaging")
	}
	return out
}

// status is the state of the system. Only the rooms in case are those of a site: a site
// that nobody knows has none.
func (s *Server) status(ctx context.Context, site string) Status {
	h := s.watch.now(ctx)
	out := Status{Runs: s.runs(), Demo: s.dep.Demo, Time: stamp(s.now().UnixNano()), Components: []Component{}, TheatresInCase: []NamedRoom{}, Sites: []NamedSite{}}
	add := func(name, state, sentence string) {
		out.Components = append(out.Components, Component{name, state, sentence, stamp(s.watch.sinceOf(name, state).UnixNano())})
	}
	storeOK, full := h.storeErr == nil, false
	switch {
	case !storeOK:
		add("store", healthStop, "The store cannot be read or written. Events wait on the bus.")
	default:
		state, sentence := healthOK, "The store works."
		if st, err := s.watch.stats(ctx); err == nil && st.Free >= 0 && st.Free < lowDisk {
			state, sentence = healthAttention, "Only "+byteText(uint64(st.Free))+" are left on the disk of the store."
			if st.Free < noDisk {
				full = true
				state, sentence = healthStop, "The disk of the store is full. Events wait on the bus until there is space."
			}
		}
		add("store", state, sentence)
	}
	switch {
	case h.busErr != nil:
		add("bus", healthStop, "The bus cannot be reached. Sensors keep what they see as long as their memory lasts.")
	case h.bus.Hub != nil && !h.bus.Hub.Connected:
		add("bus", healthAttention, "The hub cannot be reached. What is seen is kept here and sent when it is back.")
	default:
		add("bus", healthOK, "The bus works.")
	}
	for _, site := range h.bus.Sites {
		if one := busSite(site, h.at); one.State == "silent" {
			add("site "+site.Name, healthAttention, s.silentSite(ctx, one, site))
		}
	}

	lag := s.lag(h)
	if rec := h.recorder; full && rec != nil {
		// On a full disk the recorder cannot report that something waits.
		if age := h.at.Sub(time.Unix(0, rec.At)); age > reportGone {
			lag = max(lag, age)
		}
	}
	recorderOK := false
	switch rec := h.recorder; {
	case h.busErr != nil:
		add("recorder", healthStop, "Nothing is heard of the recorder while the bus is away.")
	case rec == nil:
		add("recorder", healthStop, "The recorder has never reported. Events wait on the bus.")
	case h.at.Sub(time.Unix(0, rec.At)) > reportGone:
		add("recorder", healthStop, "The recorder has not reported since "+s.clock(ctx, rec.At)+". Events wait on the bus.")
	case rec.Error != "":
		recorderOK = true
		add("recorder", healthAttention, "The recorder cannot write now. Events wait on the bus.")
	case time.Duration(rec.BehindMS)*time.Millisecond > lateAfter:
		recorderOK = true
		add("recorder", healthAttention, "The recorder is "+span(time.Duration(rec.BehindMS)*time.Millisecond)+" behind.")
	default:
		recorderOK = true
		add("recorder", healthOK, "Events are stored as they come.")
	}
	if rec := h.recorder; rec != nil {
		out.LostEvents = rec.LostEvents
	}
	var lostHere uint64
	seeing, finished := 0, 0
	for i := range h.sensors {
		sn := s.sensor(ctx, &h.sensors[i], h.at, nil)
		lostHere += sn.EventsLost
		state := healthOK
		switch sn.State {
		case "watching":
			seeing++
		case "finished":
			finished++
		case "lossy":
			seeing++
			state = healthAttention
		case "silent":
			state = healthAttention
		case "gone":
			state = healthStop
		}
		add("sensor "+sn.Name, state, sn.Sentence)
	}
	// The recorder hears of losses after the sensors count them: the higher of
	// the two is the truth.
	out.LostEvents = max(out.LostEvents, lostHere)
	if h.recorder != nil {
		out.LostEvents += h.recorder.Unreadable
	}
	out.LagSeconds = math.Round(lag.Seconds()*10) / 10
	var wrong []string
	for _, c := range out.Components {
		if c.State == healthStop {
			wrong = append(wrong, c.Name)
		}
	}
	switch {
	case !storeOK:
		out.State, out.Sentence = "down", "The store is away: what is shown is what was known before."
	case full && (h.busErr != nil || !recorderOK || h.recorder.Error != ""):
		// On a full disk reports do not get through either: what is wrong is the disk.
		out.State, out.Sentence = "down", "The disk is full: nothing new is stored until there is space."
	case h.busErr != nil:
		out.State, out.Sentence = "down", "The bus is away: nothing new arrives."
	case !recorderOK:
		out.State, out.Sentence = "down", "The recorder is not running: nothing new is stored."
	case seeing == 0 && finished > 0:
		out.State, out.Sentence = "blind", "The capture was read to its end: nothing is watched now."
	case seeing == 0 && len(h.sensors) > 0:
		out.State, out.Sentence = "blind", "No sensor sees anything now."
	case seeing == 0:
		out.State, out.Sentence = "blind", "No sensor is running."
	case lag > lateAfter:
		out.State, out.Sentence = "lagging", "Events are shown "+span(lag)+" late."
		if h.recorder != nil && h.recorder.Error != "" {
			out.Sentence = "Events are not stored now; they wait, and are " + span(lag) + " late."
		}
	default:
		out.State, out.Sentence = "live", "Live."
		if len(wrong) > 0 {
			out.Sentence = "Live, but not complete: " + strings.Join(wrong, ", ") + "."
		}
	}
	if all, err := s.know.get(ctx); err == nil {
		out.Sites = all.namedSites()
		world, err := all.at(site)
		if err != nil {
			return out
		}
		for _, t := range world.theatres {
			if t.State == string(theatre.InCase) {
				out.TheatresInCase = append(out.TheatresInCase, NamedRoom{t.ID, t.Name})
			}
		}
	}
	return out
}

// Bounds of free space on the store's disk.
const (
	lowDisk = 2 << 30
	noDisk  = 64 << 20
)

// lag is how long what the sensors saw takes to be stored.
func (s *Server) lag(h *health) time.Duration {
	var out time.Duration
	for i := range h.sensors {
		if age := h.at.Sub(time.Unix(0, h.sensors[i].At)); age <= reportGone {
			out = max(out, time.Duration(h.sensors[i].Publisher.OldestMS)*time.Millisecond)
		}
	}
	if rec := h.recorder; rec != nil {
		behind := time.Duration(rec.BehindMS) * time.Millisecond
		if age := h.at.Sub(time.Unix(0, rec.At)); age > reportGone && rec.BehindBatches > 0 {
			behind += age
		}
		out = max(out, behind)
	}
	return out
}

// span writes a length of time as people say it.
func span(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

// clock writes a time of day in the hospital's zone.
func (s *Server) clock(ctx context.Context, ns int64) string {
	zone := time.UTC
	if w, err := s.know.get(ctx); err == nil && w.zone != nil {
		zone = w.zone
	}
	return time.Unix(0, ns).In(zone).Format("15:04:05 on 2 January")
}

// getBoard answers with the rooms in building order.
func (s *Server) getBoard(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	site := p.text("site", maxName)
	if err := p.end(); err != nil {
		return err
	}
	world, err := s.world(r.Context(), site)
	if err != nil {
		return err
	}
	tiles, unassigned := board.Tiles(s.boardInput(r.Context(), world))
	return send(w, r, http.StatusOK, Board{Time: stamp(s.now().UnixNano()), Theatres: tiles, UnassignedDevices: unassigned})
}

func (s *Server) boardInput(ctx context.Context, world *world) board.Input {
	h := s.watch.now(ctx)
	in := board.Input{
		Now: s.now(), Zone: world.zone, Silence: time.Duration(world.settings.SilenceMinutes) * time.Minute, Devices: world.devices, Names: deviceTitle,
	}
	switch rec := h.recorder; {
	case h.storeErr != nil:
		in.Blind = "Not known now: the store is away."
	case h.busErr != nil:
		in.Blind = "Not known now: the bus is away."
	case rec == nil || h.at.Sub(time.Unix(0, rec.At)) > reportGone:
		in.Blind = "Not known now: nothing new is stored."
	case s.lag(h) > blindLag:
		in.Blind = "Not known now: what is stored is " + span(s.lag(h)) + " old."
	}
	for _, t := range world.theatres {
		since, _ := time.Parse(time.RFC3339Nano, t.Since)
		room := board.Room{ID: t.ID, Name: t.Name, Order: t.Order, State: theatre.State(t.State), Since: since, Source: t.Source, VLANs: t.VLANs, Site: t.Site}
		if t.Site != "" {
			room.Away = s.away(ctx, h, t.Site)
		}
		in.Rooms = append(in.Rooms, room)
	}
	for i := range world.findings {
		f := &world.findings[i]
		b := board.Finding{Theatre: f.Theatre}
		b.Rule, b.Severity, b.Title, b.Room = f.Rule, finding.Severity(f.Severity), f.Title, f.Room
		in.Findings = append(in.Findings, b)
	}
	for i := range h.sensors {
		n := &h.sensors[i]
		state := s.sensorState(n, h.at)
		in.Sensors = append(in.Sensors, board.Sensor{
			Name: n.Name, Watching: state == "watching" || state == "lossy", Finished: state == "finished",
			Loss: n.loss, VLANs: n.Stats.VLANs, Since: time.Unix(0, n.Started),
		})
	}
	in.Images, in.Counted = s.watch.images.rooms()
	return in
}

// blindLag is how old the newest that is stored may be before the board does not
// know how things are.
const blindLag = 2 * time.Minute
