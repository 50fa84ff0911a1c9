// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/respond/problem"
)

// maxFound is how many devices a search answers with, maxFoundFindings how many findings.
const (
	maxFound         = 20
	maxFoundFindings = 8
)

// getSearch finds devices and rooms by any of their names and addresses, the best
// match first: a whole name or address before its beginning before a part of it; and
// findings that need somebody, in which all words occur, the worst first.
func (s *Server) getSearch(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q := strings.TrimSpace(p.text("q", 256))
	site := p.text("site", maxName)
	if err := p.end(); err != nil {
		return err
	}
	if q == "" {
		return problem.BadRequest("One parameter is not right.", "", problem.Field{Field: "q", Message: "is needed: what to search for"})
	}
	world, err := s.world(r.Context(), site)
	if err != nil {
		return err
	}
	word := strings.ToLower(q)
	mac := strings.NewReplacer("-", ":", ".", "").Replace(word)
	if m, err := device.ParseMAC(word); err == nil {
		mac = m.String()
	}
	type hit struct {
		at, rank int
	}
	var hits []hit
	for i := range world.rows {
		if n := rankOf(&world.rows[i], &world.devices[i], word, mac); n > 0 {
			hits = append(hits, hit{i, n})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		return cmp.Or(b.rank-a.rank, cmp.Compare(world.devices[b.at].Last, world.devices[a.at].Last))
	})
	out := SearchResult{Devices: []DeviceRow{}, Theatres: []NamedRoom{}, Findings: []Finding{}, EventsQuery: eventsQuery(q)}
	for _, h := range hits[:min(len(hits), maxFound)] {
		out.Devices = append(out.Devices, world.rows[h.at])
	}
	words := strings.Fields(word)
	for i := range world.findings {
		f := &world.findings[i]
		if len(out.Findings) < maxFoundFindings && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(f.search, w) }) {
			out.Findings = append(out.Findings, *f)
		}
	}
	for _, t := range world.theatres {
		if containsFold(t.ID, word) || containsFold(t.Name, word) || containsFold(t.Building, word) {
			out.Theatres = append(out.Theatres, NamedRoom{t.ID, t.Name})
		}
	}
	return send(w, r, http.StatusOK, out)
}

// Ranks of a match.
const (
	rankPart  = 1
	rankWord  = 2 // the beginning of a word in it
	rankStart = 3
	rankWhole = 4
)

// rankOf says how well a device matches. Names count a little more than numbers.
func rankOf(row *DeviceRow, d *device.Device, word, mac string) int {
	best := 0
	try := func(weight int, word string, values ...string) {
		for _, v := range values {
			if v == "" || word == "" || len(v) < len(word) {
				continue
			}
			v = strings.ToLower(v)
			n := 0
			switch i := strings.Index(v, word); {
			case i < 0:
				continue
			case v == word:
				n = rankWhole
			case i == 0:
				n = rankStart
			case !letterOrDigit(v[i-1]):
				n = rankWord
			default:
				n = rankPart
			}
			best = max(best, 10*n+weight)
		}
	}
	try(5, word, row.Name)
	try(4, word, row.AETitles...)
	try(4, word, row.IPs...)
	try(4, mac, row.MACs...)
	try(4, word, d.ID)
	try(4, word, d.Aliases...)
	try(3, word, row.Serial, d.UDI)
	for _, a := range []device.Attribute{device.AttrHostname, device.AttrFQDN, device.AttrHL7App, device.AttrDeviceID, device.AttrUDI, device.AttrSerial} {
		try(3, word, d.Facts[a].Value)
	}
	try(2, word, row.Model, row.Vendor)
	try(1, word, row.ClassName)
	return best
}

func letterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80
}

// eventsQuery is the query for events that mention what was searched for: a phrase
// where it has spaces in it.
func eventsQuery(q string) string {
	if strings.ContainsAny(q, " \t") && !strings.Contains(q, `"`) {
		return `"` + q + `"`
	}
	return q
}
