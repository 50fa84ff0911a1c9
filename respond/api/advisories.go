// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/advisory"
	"github.com/asepsis/asepsis/see/advisory/mds2"
)

// advisoryRoutes adds what is said about advisories.
func (s *Server) advisoryRoutes(add func(method, path string, need access.Permission, h handler) *route) {
	add("GET", "/advisories", access.Read, s.getAdvisories)
	add("GET", "/advisories/{id}", access.Read, s.getAdvisory)
	add("POST", "/advisories/{id}/decisions", access.DeviceEdit, s.postDecision)
	add("DELETE", "/advisories/{id}/decisions/{decision}", access.DeviceEdit, s.deleteDecision)
	add("GET", "/advisories/export", access.Read, s.getAdvisoryExport).long = true
	add("GET", "/advisories/matches", access.Read, s.getAdvisoryMatches)
	add("POST", "/advisories/import", access.DeviceEdit, s.postAdvisoryImport).long = true
	add("DELETE", "/imports/{id}", access.DeviceEdit, s.deleteImport)
	add("GET", "/devices/{id}/advisories", access.Read, s.getDeviceAdvisories)
}

// advisories returns the verdicts with the world that they are about.
func (s *Server) advisories(r *http.Request) (*advisoryView, *world, error) {
	world, err := s.know.get(r.Context())
	if err != nil {
		return nil, nil, err
	}
	v, err := s.advisory.get(r.Context(), world, s.now())
	return v, world, err
}

// getAdvisories answers with advisories that match, the worst for this site first.
func (s *Server) getAdvisories(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	text, vendor := strings.ToLower(strings.TrimSpace(p.text("q", 256))), p.text("vendor", 200)
	verdict := p.choice("verdict", "affected", "unknown", "not-affected", "none", "any")
	least := p.severity("min_severity")
	exploited, wantDecided := p.choice("exploited", "true", "false"), p.choice("decided", "true", "false")
	dev, room := p.text("device", 256), p.text("theatre", 64)
	order := cmp.Or(p.choice("sort", "worst", "newest", "id"), "worst")
	limit, after := p.number("limit", 1, 10_000, 500), p.text("after", 256)
	if err := p.end(); err != nil {
		return err
	}
	v, world, err := s.advisories(r)
	if err != nil {
		return err
	}
	if row, ok := world.row(dev); ok {
		dev = row.ID
	}
	out := AdvisoryList{Knowledge: v.knowledge(), Advisories: []AdvisoryRow{}, Vendors: []ValueCount{}, Counts: v.counts()}
	vendors := map[string]int{}
	var rows []AdvisoryRow
	for _, a := range v.shelf.Base.List() {
		row := v.row(a)
		for _, name := range row.Vendors {
			vendors[name]++
		}
		here := v.byID[a.ID]
		if dev != "" || room != "" {
			here = slices.DeleteFunc(slices.Clone(here), func(x *decided) bool {
				return dev != "" && x.dev.ID != dev || room != "" && x.dev.Theatre != room
			})
			if len(here) == 0 {
				continue
			}
		}
		is := worst(here)
		switch {
		case verdict == "none" && is != 0, verdict == "any" && is == 0,
			verdict != "" && verdict != "none" && verdict != "any" && is.String() != verdict,
			vendor != "" && !slices.Contains(row.Vendors, vendor),
			finding.Severity(row.Severity) < least,
			exploited != "" && row.Exploited != (exploited == "true"),
			wantDecided != "" && (row.Decided > 0) != (wantDecided == "true"),
			text != "" && !advisoryHas(a, row, text):
			continue
		}
		rows = append(rows, row)
	}
	sortAdvisories(rows, order)
	out.Total = len(rows)
	if after != "" {
		at := slices.IndexFunc(rows, func(x AdvisoryRow) bool { return x.ID == after })
		rows = rows[min(at+1, len(rows)):]
	}
	if len(rows) > limit {
		next := rows[limit-1].ID
		rows, out.Next = rows[:limit], &next
	}
	out.Advisories = orEmpty(rows)
	for name, n := range vendors {
		out.Vendors = append(out.Vendors, ValueCount{name, n})
	}
	slices.SortFunc(out.Vendors, func(a, b ValueCount) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Value, b.Value)) })
	return send(w, r, http.StatusOK, out)
}

func advisoryHas(a *advisory.Advisory, row AdvisoryRow, text string) bool {
	for word := range strings.FieldsSeq(text) {
		has := strings.Contains(strings.ToLower(a.ID+" "+a.Title+" "+strings.Join(row.Vendors, " ")+" "+strings.Join(row.CVEs, " ")), word)
		for i := range a.Products {
			has = has || strings.Contains(strings.ToLower(a.Products[i].Vendor+" "+a.Products[i].Text+" "+a.Products[i].Name), word)
		}
		if !has {
			return false
		}
	}
	return true
}

func sortAdvisories(rows []AdvisoryRow, order string) {
	rank := func(r *AdvisoryRow) int {
		switch {
		case r.Affected > 0:
			return 3
		case r.Unknown > 0:
			return 2
		case r.NotAffected > 0:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(rows, func(a, b AdvisoryRow) int {
		switch order {
		case "id":
			return cmp.Compare(a.ID, b.ID)
		case "newest":
			return cmp.Or(cmp.Compare(b.Updated, a.Updated), cmp.Compare(a.ID, b.ID))
		}
		ax, bx := 0, 0
		if a.Exploited {
			ax = 1
		}
		if b.Exploited {
			bx = 1
		}
		return cmp.Or(rank(&b)-rank(&a), bx-ax, cmp.Compare(b.CVSS, a.CVSS), cmp.Compare(b.Updated, a.Updated), cmp.Compare(a.ID, b.ID))
	})
}

// counts is of all advisories, whatever is asked for.
func (v *advisoryView) counts() AdvisoryCounts {
	var out AdvisoryCounts
	for _, a := range v.shelf.Base.List() {
		l := v.byID[a.ID]
		is := worst(l)
		switch is {
		case advisory.Affected:
			out.Affected++
		case advisory.Unknown:
			out.Unknown++
		case advisory.NotAffected:
			out.NotAffected++
		default:
			out.None++
		}
		if is >= advisory.Unknown && v.row(a).Exploited {
			out.Exploited++
		}
		for _, x := range l {
			if x.because != nil {
				out.Decided++
			}
		}
	}
	for _, l := range v.byDevice {
		switch worst(l) {
		case advisory.Affected:
			out.DevicesAffected++
		case advisory.Unknown:
			out.DevicesUnknown++
		case advisory.NotAffected:
		}
	}
	return out
}

// getAdvisory answers with one advisory in full.
func (s *Server) getAdvisory(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	v, _, err := s.advisories(r)
	if err != nil {
		return err
	}
	a, ok := v.shelf.Base.Advisory(r.PathValue("id"))
	if !ok {
		return noAdvisory()
	}
	now := s.now()
	out := Advisory{Advisory: v.row(a), Summary: a.Summary, URL: a.URL, Publisher: a.Publisher, Revision: a.Revision, Vulnerabilities: []AdvisoryVulnerability{}, Products: []AdvisoryProduct{},
		Remediations: []AdvisoryRemediation{}, Matches: []AdvisoryMatch{}, Decisions: []AdvisoryDecision{}}
	for _, k := range a.Vulnerabilities {
		x := AdvisoryVulnerability{CVE: k.CVE, Title: k.Title, Summary: k.Summary, CWE: k.CWE, CWEName: k.CWEName, CVSS: k.Score, Vector: k.Vector, Severity: Severity(advisory.SeverityOf(k.Score))}
		if e, known := v.shelf.Base.Index.KEV.CVEs[k.CVE]; known {
			x.Exploited, x.Due, x.Ransomware = true, e.Due, e.Ransomware
		}
		out.Vulnerabilities = append(out.Vulnerabilities, x)
	}
	for _, e := range v.shelf.Base.EntriesOf(a.ID) {
		p := a.Products[e.Place]
		out.Products = append(out.Products, AdvisoryProduct{ID: p.ID, Vendor: p.Vendor, Model: e.Model, Versions: e.Versions.String(), Text: p.Text, Status: e.Status(), Understood: e.Understood(), Why: e.Why, Conditions: orEmpty(e.Conditions)})
	}
	for _, m := range a.Remediations {
		x := AdvisoryRemediation{Kind: m.Kind, Text: m.Text, URL: m.URL, Products: []string{}}
		for _, n := range m.Products {
			x.Products = append(x.Products, a.Products[n].ID)
		}
		out.Remediations = append(out.Remediations, x)
	}
	for _, x := range v.byID[a.ID] {
		out.Matches = append(out.Matches, v.match(x, now))
	}
	for i := range v.decisions[a.ID] {
		out.Decisions = append(out.Decisions, decisionOf(&v.decisions[a.ID][i], now))
	}
	return send(w, r, http.StatusOK, out)
}

func noAdvisory() error {
	p := problem.NotFound("There is no advisory with this ID.")
	p.Hint = "GET " + prefix + "/advisories lists them; IDs are as published, such as ICSMA-20-317-01"
	return p
}

// getAdvisoryMatches answers with what concerns devices here, device by device, the worst
// first.
func (s *Server) getAdvisoryMatches(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	verdict := p.choice("verdict", "affected", "unknown", "not-affected")
	limit := p.number("limit", 1, 10_000, 2000)
	if err := p.end(); err != nil {
		return err
	}
	v, _, err := s.advisories(r)
	if err != nil {
		return err
	}
	var all []*decided
	for _, l := range v.byDevice {
		for _, x := range l {
			if verdict == "" || x.counts.String() == verdict {
				all = append(all, x)
			}
		}
	}
	slices.SortFunc(all, func(a, b *decided) int {
		return cmp.Or(int(b.counts)-int(a.counts), b.Confidence-a.Confidence, cmp.Compare(a.row.Name, b.row.Name), cmp.Compare(a.dev.ID, b.dev.ID), cmp.Compare(a.Advisory, b.Advisory))
	})
	now := s.now()
	out := AdvisoryMatches{Matches: []AdvisoryMatch{}, Total: len(all)}
	for _, x := range all[:min(len(all), limit)] {
		out.Matches = append(out.Matches, v.match(x, now))
	}
	return send(w, r, http.StatusOK, out)
}

// getDeviceAdvisories answers with what is known about one device.
func (s *Server) getDeviceAdvisories(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	v, world, err := s.advisories(r)
	if err != nil {
		return err
	}
	at, ok := world.index[r.PathValue("id")]
	if !ok {
		return problem.NotFound("There is no device with this ID.")
	}
	d, now := &world.devices[at], s.now()
	out := DeviceAdvisories{Device: d.ID, Name: world.rows[at].Name, Matches: []AdvisoryMatch{}, SBOMs: []AdvisorySBOM{}, Statements: []DeviceStatement{}, Facts: []DeviceFactUsed{}}
	l := slices.Clone(v.byDevice[d.ID])
	slices.SortStableFunc(l, func(a, b *decided) int { return cmp.Or(int(b.counts)-int(a.counts), b.Confidence-a.Confidence) })
	for _, x := range l {
		out.Matches = append(out.Matches, v.match(x, now))
	}
	for _, m := range v.shelf.SBOMsOf(d) {
		out.SBOMs = append(out.SBOMs, AdvisorySBOM{ID: m.ID, Format: m.Kind, Name: m.Title, Components: len(m.SBOM.Components), Vulnerabilities: len(m.SBOM.Vulnerabilities),
			Device: m.Device, Vendor: m.Vendor, Model: m.Model, File: m.File, Who: m.Who, At: stamp(m.At)})
	}
	for _, m := range v.shelf.FormsOf(d) {
		for _, a := range m.MDS2.Answers {
			out.Statements = append(out.Statements, DeviceStatement{Question: a.ID, Topic: mds2.Topic(a.ID), Answer: a.Answer, Note: a.Note, File: m.File, At: stamp(m.At)})
		}
	}
	for _, a := range []device.Attribute{device.AttrVendor, device.AttrModel, device.AttrFirmware, device.AttrOS} {
		if f, has := d.Facts[a]; has && f.Value != "" {
			out.Facts = append(out.Facts, DeviceFactUsed{Attribute: string(a), Value: f.Value, Confidence: int(f.Confidence), Sources: orEmpty(f.Sources)})
		}
	}
	return send(w, r, http.StatusOK, out)
}
