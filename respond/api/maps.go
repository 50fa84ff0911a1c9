// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
)

const (
	linksFor  = 10 * time.Second // how long sums of conversations are given again
	maxLinks  = 100_000          // conversations read for a device's list
	newOnMap  = 7 * 24 * time.Hour
	newNeeds  = 24 * time.Hour // history before which nothing is new: all would be
	linksKept = 4
)

// linkCache keeps the sums of the last few time ranges: a device's conversations
// and the map read the same.
type linkCache struct {
	mu   sync.Mutex
	kept []linkEntry
}

type linkEntry struct {
	from, to int64
	at       time.Time
	links    []store.Link
	more     bool
}

// links sums up who talked to whom, of whole steps of the store.
func (s *Server) links(ctx context.Context, from, to int64) ([]store.Link, bool, error) {
	step := int64(store.LinkStep)
	from, to = from-from%step, to+(step-to%step)%step
	c := &s.linkCache
	c.mu.Lock()
	defer c.mu.Unlock()
	now := s.now()
	for _, e := range c.kept {
		if age := now.Sub(e.at); e.from == from && e.to == to && age >= 0 && age < linksFor {
			return e.links, e.more, nil
		}
	}
	links, more, err := s.dep.Store.Links(ctx, from, to, maxLinks)
	if err != nil {
		return nil, false, err
	}
	c.kept = append(c.kept, linkEntry{from, to, now, links, more})
	if len(c.kept) > linksKept {
		c.kept = c.kept[1:]
	}
	return links, more, nil
}

// getMap answers with who talked to whom.
func (s *Server) getMap(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	from, to := p.span(24 * time.Hour)
	limit := p.number("limit", 1, 20_000, 5000)
	site := p.text("site", maxName)
	if err := p.end(); err != nil {
		return err
	}
	world, err := s.world(r.Context(), site)
	if err != nil {
		return err
	}
	st, err := s.watch.stats(r.Context())
	if err != nil {
		return err
	}
	links, more, err := s.links(r.Context(), from, to)
	if err != nil {
		return err
	}
	if site != "" { // a conversation is at the site of its devices; one of two addresses is at none
		links = slices.DeleteFunc(slices.Clone(links), func(l store.Link) bool {
			_, a := world.row(l.From)
			_, b := world.row(l.To)
			return !a && !b
		})
	}
	if len(links) > limit {
		links, more = links[:limit], true
	}
	kept := Span{stamp(st.First), stamp(st.Last)}
	if st.First == 0 {
		kept = Span{stamp(from), stamp(to)}
	}
	out := NetworkMap{From: stamp(from), To: stamp(to), Kept: kept, Nodes: []MapNode{}, Edges: make([]MapEdge, 0, len(links)), More: more}
	known := map[string]string{} // the ID as stored, and the ID as it is now
	node := func(id string) string {
		if as, ok := known[id]; ok {
			return as
		}
		n := MapNode{ID: id, Name: id, Class: "unknown", ClassName: "Outside", Outside: true, Worst: Severity(finding.Unknown)}
		if row, ok := world.row(id); ok {
			n = MapNode{ID: row.ID, Name: row.Name, Class: row.Class, ClassName: row.ClassName, Theatre: row.Theatre, Zone: row.Zone, Medical: row.Medical, Worst: row.Worst}
		}
		known[id] = n.ID
		if n.ID == id || known[n.ID] == "" {
			known[n.ID] = n.ID
			out.Nodes = append(out.Nodes, n)
		}
		return n.ID
	}
	for _, l := range links {
		e := MapEdge{From: node(l.From), To: node(l.To), Protocol: l.Protocol, Transport: l.Transport, Port: l.Port, Flows: l.Flows, Failed: l.Failed,
			BytesOut: l.BytesOut, BytesIn: l.BytesIn, First: stamp(l.First), Last: stamp(l.Last)}
		e.New = l.Since >= to-int64(newOnMap) && st.First != 0 && l.Since-st.First >= int64(newNeeds)
		out.Edges = append(out.Edges, e)
	}
	return send(w, r, http.StatusOK, out)
}
