// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	"github.com/asepsis/asepsis/platform/bus"
)

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
