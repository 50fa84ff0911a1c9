// SPDX-License-Identifier: Apache-2.0

package scene_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// Two hospitals at one hub have the same addresses and titles, as hospitals do.
func TestAddressesAndTitlesBelongToTheirSite(t *testing.T) {
	addr := netip.MustParseAddr("10.1.1.7")
	at := func(id, site string) device.Device {
		return device.Device{ID: id, Site: site, AETitles: []string{"CT1"}, Interfaces: []device.Interface{{IPs: []netip.Addr{addr}}}}
	}
	w := scene.NewWorld([]device.Device{at("dev-1", ""), at("dev-1.north", "north"), at("dev-1.south", "south")}, nil, nil)
	for site, want := range map[string]string{"": "dev-1", "north": "dev-1.north", "south": "dev-1.south"} {
		if d := w.DeviceAt(site, addr); d == nil || d.ID != want {
			t.Errorf("at site %q the address belongs to %v, want %s", site, d, want)
		}
		if got := w.Stations(site, " CT1 "); !slices.Equal(got, []string{want}) {
			t.Errorf("at site %q the title is that of %v, want %s", site, got, want)
		}
		s := w.Scene(&record.Record{Sensor: record.SensorAt(site, "span-1")}, &event.Event{})
		if got := s.Stations("CT1"); s.Site() != site || !slices.Equal(got, []string{want}) {
			t.Errorf("an event of site %q is of %q and means %v by the title", site, s.Site(), got)
		}
	}
	if d := w.DeviceAt("west", addr); d != nil {
		t.Errorf("a site that nobody knows has %s", d.ID)
	}
	if got := w.Stations("west", "CT1"); got != nil {
		t.Errorf("a site that nobody knows has stations %v", got)
	}
}

// A title that only events have told so far is remembered for the site where it was used.
func TestATitleThatWasJustUsedIsKnownAtItsSiteOnly(t *testing.T) {
	w := scene.NewWorld([]device.Device{{ID: "dev-2.north", Site: "north"}}, nil, nil)
	const accepted = 2
	e := &event.Event{Activity: accepted, Detail: &event.DICOMAssociation{CallingAE: "ROBOT", CalledAE: "PACS"}}
	titles := &scene.Titles{}
	here := func(site string) *scene.Scene {
		s := w.Scene(&record.Record{Sensor: record.SensorAt(site, "span-1"), SrcDevice: "dev-2.north"}, e)
		s.Titles = titles
		return &s
	}
	titles.Note(here("north"))
	if got := here("north").Stations("ROBOT"); !slices.Equal(got, []string{"dev-2.north"}) {
		t.Errorf("where it was used it is %v", got)
	}
	if got := here("south").Stations("ROBOT"); got != nil {
		t.Errorf("elsewhere it is %v, want nobody", got)
	}
}
