// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/recorder"
)

// A hub has the events of several sites. Every list takes the parameter site, the name
// of one of them, and without it shows all. Devices and theatres know where they
// are, "" being the own site; events are known by their sensor.

// maxSites bounds how many sites are told apart.
const maxSites = 1000

func (k *knowledge) readSites(ctx context.Context, w *world) error {
	docs, err := documents(ctx, k.store, recorder.SiteKind, maxSites)
	if err != nil {
		return err
	}
	w.sites = make([]recorder.Site, 0, len(docs))
	for _, d := range docs {
		var s recorder.Site
		if err := json.Unmarshal(d.Body, &s); err != nil {
			k.log.Error("a site cannot be read and is left out", "site", d.ID, "error", err)
			continue
		}
		w.sites = append(w.sites, s)
	}
	slices.SortFunc(w.sites, func(a, b recorder.Site) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

func sameSites(a, b []recorder.Site) bool {
	return slices.EqualFunc(a, b, func(x, y recorder.Site) bool {
		return x.Name == y.Name && x.Own == y.Own && slices.Equal(x.Sensors, y.Sensors)
	})
}

// site finds a site by its name.
func (w *world) site(name string) (recorder.Site, error) {
	var names []string
	for _, s := range w.sites {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return recorder.Site{}, problem.BadRequest("One parameter is not right.", "", problem.Field{Field: "site", Message: "names no site; there are " + list(names), Hint: didYouMean(name, names)})
}

// world is what is known of a site, or of all.
func (s *Server) world(ctx context.Context, site string) (*world, error) {
	w, err := s.know.get(ctx)
	if err != nil {
		return nil, err
	}
	return w.at(site)
}

// where is how devices and theatres name a site.
func where(s recorder.Site) string {
	if s.Own {
		return ""
	}
	return s.Name
}

// at is the world of one site alone; for "" that of all.
func (w *world) at(name string) (*world, error) {
	if name == "" {
		return w, nil
	}
	site, err := w.site(name)
	if err != nil {
		return nil, err
	}
	w.partMu.Lock()
	defer w.partMu.Unlock()
	if p := w.parts[name]; p != nil {
		return p, nil
	}
	p := w.part(where(site))
	if w.parts == nil {
		w.parts = map[string]*world{}
	}
	w.parts[name] = p
	return p, nil
}

// part is the world with what is at one place only.
func (w *world) part(place string) *world {
	p := &world{revision: w.revision, findRev: w.findRev, settings: w.settings, zone: w.zone, byPerson: w.byPerson, roomNames: w.roomNames, sites: w.sites, validUntil: w.validUntil,
		index: map[string]int{}}
	for i := range w.rows {
		if w.rows[i].Site != place {
			continue
		}
		for _, a := range w.devices[i].Aliases {
			p.index[a] = len(p.rows)
		}
		p.index[w.rows[i].ID] = len(p.rows)
		p.rows, p.devices = append(p.rows, w.rows[i]), append(p.devices, w.devices[i])
	}
	for _, t := range w.theatres {
		if t.Site == place {
			p.theatres = append(p.theatres, t)
		}
	}
	here := func(l []Finding) (out []Finding) {
		for i := range l {
			if l[i].Site == place {
				out = append(out, l[i])
			}
		}
		return out
	}
	p.findings, p.all = here(w.findings), here(w.all)
	return p
}

// siteOf says at which site a finding is: where its devices are, or its room, or the
// sensor that it is about.
func (w *world) siteOf(f *Finding) string {
	for _, d := range f.Devices {
		if row, ok := w.row(d.ID); ok {
			return row.Site
		}
	}
	if t, ok := w.theatre(f.Theatre); ok {
		return t.Site
	}
	for _, s := range w.sites {
		if !s.Own && slices.ContainsFunc(s.Sensors, func(sensor string) bool { return strings.Contains(f.search, strings.ToLower(sensor)+"\n") }) {
			return s.Name
		}
	}
	return ""
}

// inSite makes a question one about a site: about the events of its sensors.
func (s *Server) inSite(ctx context.Context, name string, q *store.Query) error {
	if name == "" {
		return nil
	}
	world, err := s.know.get(ctx)
	if err != nil {
		return err
	}
	site, err := world.site(name)
	if err != nil {
		return err
	}
	sensors := site.Sensors
	if len(sensors) == 0 {
		sensors = []string{name + "/"} // nobody's name
	}
	q.Terms = append(q.Terms, store.Term{Field: store.FieldSensor, Values: sensors})
	return nil
}

// namedSites are the sites to choose from, the own first: none where there is one only.
func (w *world) namedSites() []NamedSite {
	out := []NamedSite{}
	if len(w.sites) < 2 {
		return out
	}
	for _, s := range w.sites {
		n := NamedSite{Name: s.Name, Title: s.Name, Own: s.Own}
		if s.Own {
			n.Title = cmp.Or(w.settings.Site.Name, s.Name)
		}
		out = append(out, n)
	}
	slices.SortStableFunc(out, func(a, b NamedSite) int {
		switch {
		case a.Own == b.Own:
			return 0
		case a.Own:
			return -1
		}
		return 1
	})
	return out
}

// away says why nothing is known now of what another site's sensors see, "" when it
// arrives.
func (s *Server) away(ctx context.Context, h *health, site string) string {
	for _, x := range h.bus.Sites {
		if x.Name != site {
			continue
		}
		if one := busSite(x, h.at); one.State == "silent" {
			return s.silentSite(ctx, one, x)
		}
		return ""
	}
	return "Not known now: this server does not take over what " + site + " sees."
}

// siteSilent is how long a site may be without contact before a person should
// know: its link is looked at every few seconds.
const siteSilent = time.Minute

// busSite says how a site of this hub is, seen at the given time.
func busSite(s bus.SiteStats, at time.Time) BusSite {
	out := BusSite{Name: s.Name, State: "current", Waiting: s.Lag}
	switch {
	case s.Active < 0:
		out.State = "silent"
		return out
	case s.Active > siteSilent:
		out.State = "silent"
	case s.Lag > 0:
		out.State = "late"
	}
	out.Heard = stampOrNil(at.Add(-s.Active).UnixNano())
	return out
}

// silentSite says since when nothing comes from a site.
func (s *Server) silentSite(ctx context.Context, one BusSite, raw bus.SiteStats) string {
	if one.Heard == nil {
		return "The site " + raw.Name + " has not been in contact since this server started. What it sees is kept there."
	}
	return "The site " + raw.Name + " has not been in contact since " + s.clock(ctx, s.now().Add(-raw.Active).UnixNano()) + ". What it sees is kept there and comes when the link is back."
}
