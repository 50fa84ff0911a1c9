// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
)

// Web notes a DICOMweb request that has ended.
func (g *Gateway) Web(a dicomweb.Activity) {
	var p *Problem
	if a.Problem != "" {
		p = &Problem{Code: a.Problem, What: a.What, Tip: a.Hint}
		g.counts.problem(p.Code)
	}
	g.note(a.Sender.Device, p)
}
