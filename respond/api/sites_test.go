// SPDX-License-Identifier: Apache-2.0

package api

import (
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/bus"
)

func TestASiteOfTheHub(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		in    bus.SiteStats
		state string
		heard string
	}{
		"that was heard and has nothing waiting is current":      {bus.SiteStats{Name: "north", Active: 2 * time.Second}, "current", "2026-03-01T11:59:58Z"},
		"that has events which are not here yet is late":         {bus.SiteStats{Name: "north", Lag: 4, Active: time.Second}, "late", "2026-03-01T11:59:59Z"},
		"that was not heard for longer than a minute is silent":  {bus.SiteStats{Name: "north", Active: 2 * time.Minute}, "silent", "2026-03-01T11:58:00Z"},
		"that was never heard is silent, and has no such moment": {bus.SiteStats{Name: "north", Active: -1}, "silent", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := busSite(c.in, at)
			heard := ""
			if got.Heard != nil {
				heard = *got.Heard
			}
			if got.Name != "north" || got.State != c.state || got.Waiting != c.in.Lag || heard != c.heard {
				t.Errorf("%+v, heard %q", got, heard)
			}
		})
	}
}
