// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/api"
	"github.com/asepsis/asepsis/see/recorder"
)

// hub is a house that takes over what the site north sees. Both have a scanner and an
// archive with the same addresses.
func newHub(t *testing.T) *house {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hub-token-of-this-test"), 0o600); err != nil {
		t.Fatal(err)
	}
	var north *bus.Bus
	h := newHouse(t, options{bus: func(c *bus.Config) {
		c.Name, c.Listen, c.LeafListen, c.Sites, c.TokenFile = "hub", "127.0.0.1:0", "127.0.0.1:0", []string{"north"}, config.SecretFile(token)
	}, opened: func(hub *bus.Bus) {
		// At once: a hub that finds no site asks again after up to three quarters of a minute.
		_, leaf := hub.Addrs()
		c := bus.Default()
		c.Name, c.Hub, c.HubTokenFile = "north", "nats-leaf://"+leaf, config.SecretFile(token)
		var err error
		if north, err = bus.Open(t.Context(), c, bus.Deps{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = north.Close() })
	}})

	emit := func(b *bus.Bus, sensor string, events []*event.Event) {
		p := b.NewPublisher(sensor, bus.PublisherOptions{Wait: true})
		ctx := t.Context()
		go func() { _ = p.Run(ctx) }()
		for _, e := range events {
			p.Emit(e)
		}
		h.until("the bus has all events", func() bool { return p.Stats().Stored == uint64(len(events)) })
	}
	emit(h.bus, "or3", twoDevices(1000))
	emit(north, "span", twoDevices(30))
	h.until("both sites are shown", func() bool {
		return get[api.DeviceList](h.admin, "/devices").Total == 4 && len(get[api.Status](h.admin, "/status").Sites) == 2
	})
	return h
}

// twoDevices are a scanner and an archive that it talks to, now.
func twoDevices(sent uint64) []*event.Event {
	at := time.Now().Add(-time.Minute).UnixNano()
	ct := event.Endpoint{MAC: device.MAC{0x00, 0x17, 0xa4, 0, 0, 1}, IP: netip.MustParseAddr("10.20.3.7"), Port: 40000}
	pacs := event.Endpoint{MAC: device.MAC{0xc8, 0xf7, 0x50, 0, 0, 2}, IP: netip.MustParseAddr("10.20.1.101"), Port: 104}
	says := func(who event.Endpoint, attr device.Attribute, value string, n int64) *event.Event {
		return &event.Event{UID: fmt.Sprint("e", n, value), Time: at + n, Activity: 1, Severity: finding.Info, Detail: &event.DeviceEvidence{Evidence: device.Evidence{
			Subject: device.Subject{MAC: who.MAC, IP: who.IP}, Attribute: attr, Value: value, Source: "test", Confidence: device.Structured, First: at, Last: at + n, Count: 1,
		}}}
	}
	return []*event.Event{
		says(ct, device.AttrHostname, "CT-OR3", 1), says(ct, device.AttrModality, "CT", 2), says(pacs, device.AttrHostname, "pacs", 3),
		{UID: "c1", Time: at + 4, Activity: 2, Severity: finding.Info, Protocol: "dicom", Flow: &event.Flow{ID: 7, Proto: 6, Src: ct, Dst: pacs},
			Detail: &event.Connection{Start: at, End: at + 4, BytesOut: sent, BytesIn: 1, App: "dicom"}},
	}
}

func TestTheSwitchShowsWhatIsAtOneSite(t *testing.T) {
	h := newHub(t)
	sites := get[api.Status](h.admin, "/status").Sites
	if sites[0].Name != "hub" || !sites[0].Own || sites[0].Title == "" || sites[1].Name != "north" || sites[1].Own || sites[1].Title != "north" {
		t.Fatalf("sites %+v", sites)
	}
	theatre := func(id, site string) {
		t.Helper()
		r := h.admin.do("POST", "/theatres", map[string]any{"id": id, "name": id, "site": site, "vlans": []int{110}, "prefixes": []string{"10.20.3.0/24"}})
		if r.status != http.StatusCreated {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	theatre("OR-3", "hub")
	theatre("N-1", "north") // the same VLAN and network as OR-3, at another site
	h.until("each scanner is in its room", func() bool {
		rooms := map[string]string{}
		for _, d := range get[api.DeviceList](h.admin, "/devices").Devices {
			if d.Class == "ct" {
				rooms[d.Site] = d.Theatre
			}
		}
		return rooms[""] == "OR-3" && rooms["north"] == "N-1"
	})

	for site, want := range map[string]struct{ place, room, sensor string }{"hub": {"", "OR-3", "or3"}, "north": {"north", "N-1", "north/span"}} {
		q := "?site=" + url.QueryEscape(site)
		devices := get[api.DeviceList](h.admin, "/devices"+q)
		if devices.Total != 2 || slices.ContainsFunc(devices.Devices, func(d api.DeviceRow) bool { return d.Site != want.place }) {
			t.Errorf("devices of %s: %+v", site, devices)
		}
		if b := get[api.Board](h.admin, "/board"+q); len(b.Theatres) != 1 || b.Theatres[0].ID != want.room || b.Theatres[0].Devices != 1 || b.UnassignedDevices != 1 {
			t.Errorf("board of %s: %+v", site, b)
		}
		if l := get[[]api.Theatre](h.admin, "/theatres"+q); len(l) != 1 || l[0].ID != want.room || l[0].Site != want.place {
			t.Errorf("theatres of %s: %+v", site, l)
		}
		events := get[api.EventPage](h.admin, "/events"+q)
		if len(events.Events) != 4 || slices.ContainsFunc(events.Events, func(e api.EventRow) bool { return e.Sensor != want.sensor }) {
			t.Errorf("events of %s: %+v", site, events.Events)
		}
		if top := get[api.TopValues](h.admin, "/events/top"+q+"&field=sensor"); len(top.Values) != 1 || top.Values[0].Value != want.sensor || top.Values[0].Count != 4 {
			t.Errorf("sensors of %s: %+v", site, top.Values)
		}
		n := uint64(0)
		for _, s := range get[api.EventHistogram](h.admin, "/events/histogram"+q+"&from=-1h").Steps {
			for _, c := range s.By {
				n += c
			}
		}
		if n != 4 {
			t.Errorf("%d events of %s over time, want 4", n, site)
		}
		if m := get[api.NetworkMap](h.admin, "/map"+q); len(m.Edges) != 1 || len(m.Nodes) != 2 || !strings.HasSuffix(m.Edges[0].From, map[string]string{"north": ".north"}[site]) {
			t.Errorf("map of %s: %+v", site, m)
		}
		if r := get[api.SearchResult](h.admin, "/search"+q+"&q=ct-or3"); len(r.Devices) != 1 || r.Devices[0].Site != want.place {
			t.Errorf("search in %s: %+v", site, r.Devices)
		}
		if d := get[api.Device](h.admin, "/devices/"+devices.Devices[0].ID); d.Site != want.place {
			t.Errorf("device %s is at %q, want %q", d.ID, d.Site, want.place)
		}
	}
	if n := len(get[api.EventPage](h.admin, "/events").Events); n != 8 {
		t.Errorf("%d events of all sites, want 8", n)
	}

	// What is seen at the other site is known as long as it arrives.
	for _, tile := range get[api.Board](h.admin, "/board?site=north").Theatres {
		if tile.Lights.Network.Level != "calm" || tile.Lights.Devices.Level != "calm" {
			t.Errorf("%s is shown as %+v", tile.ID, tile.Lights)
		}
	}
	if r := h.admin.do("GET", "/devices?site=west", nil); r.status != http.StatusBadRequest || !strings.Contains(string(r.body), "names no site") {
		t.Errorf("a site that nobody knows: %d %s", r.status, r.body)
	}
	if r := h.admin.do("POST", "/theatres", map[string]any{"id": "W-1", "name": "W-1", "site": "west"}); r.status != http.StatusBadRequest && r.status != http.StatusUnprocessableEntity {
		t.Errorf("a theatre at a site that nobody knows: %d %s", r.status, r.body)
	}
}

func TestFindingsAreAtTheSiteOfTheirDevices(t *testing.T) {
	h := newHub(t)
	at := func(site string) string {
		for _, d := range get[api.DeviceList](h.admin, "/devices").Devices {
			if d.Class == "ct" && d.Site == site {
				return d.ID
			}
		}
		t.Fatalf("no scanner at %q", site)
		return ""
	}
	for id, device := range map[string]string{"f-here": at(""), "f-north": at("north")} {
		now := time.Now().UnixNano()
		body, err := json.Marshal(recorder.Finding{ID: id, Finding: finding.Finding{Rule: "inventory.conflict.ip", Severity: finding.High, Title: "Two devices claim one address", Devices: []string{device},
			Count: 1, First: now, Last: now, Evidence: []string{"seen " + id}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.store.Commit(t.Context(), []store.Write{{Kind: "finding", ID: id, Expect: store.AnyRevision, Body: body}}); err != nil {
			t.Fatal(err)
		}
	}
	for site, place := range map[string]string{"hub": "", "north": "north"} {
		h.until("the finding at "+site, func() bool {
			l := get[api.FindingList](h.admin, "/findings?site="+site)
			return l.Total == 1 && l.Findings[0].Site == place && l.Counts.Open == 1
		})
	}
	if l := get[api.FindingList](h.admin, "/findings"); l.Total != 2 {
		t.Errorf("%d findings at all sites, want 2", l.Total)
	}
}
