// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"slices"
)

// getFindings answers with what the inventory cannot reconcile, the worst first.
func (s *Server) getFindings(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	theatre, dev := p.text("theatre", 64), p.text("device", 256)
	limit := p.number("limit", 1, 10_000, 500)
	if err := p.end(); err != nil {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	if row, ok := world.row(dev); ok {
		dev = row.ID
	}
	out := FindingList{Findings: []Finding{}}
	for _, f := range world.findings {
		if theatre != "" && f.Theatre != theatre {
			continue
		}
		if dev != "" && !slices.ContainsFunc(f.Devices, func(n NamedDevice) bool {
			row, ok := world.row(n.ID)
			return n.ID == dev || ok && row.ID == dev
		}) {
			continue
		}
		out.Total++
		if len(out.Findings) < limit {
			out.Findings = append(out.Findings, f)
		}
	}
	return send(w, r, http.StatusOK, out)
}
