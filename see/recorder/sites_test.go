// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/see/inventory"
)

// newHub is a bench whose bus takes over the events of a site, north, which has a bus of
// its own.
func newHub(t *testing.T) (hub, north *bench) {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hub-token-of-this-test"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(change func(*bus.Config)) *bus.Bus {
		c := bus.Default()
		change(&c)
		b, err := bus.Open(t.Context(), c, bus.Deps{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return b
	}
	h := open(func(c *bus.Config) {
		c.Name, c.Listen, c.LeafListen, c.Sites, c.TokenFile = "hub", "127.0.0.1:0", "127.0.0.1:0", []string{"north"}, config.SecretFile(token)
	})
	_, leaf := h.Addrs()
	n := open(func(c *bus.Config) {
		c.Name, c.Hub, c.HubTokenFile = "north", "nats-leaf://"+leaf, config.SecretFile(token)
	})
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()}, sqlite.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &bench{t: t, bus: h, store: s}, &bench{t: t, bus: n}
}

// theatreAt is a room of a site.
func (b *bench) theatreAt(site, id, prefix string) {
	b.t.Helper()
	body, err := json.Marshal(Theatre{ID: id, Name: id, Site: site, Prefixes: []string{prefix}, State: theatre.Idle})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.store.Commit(b.t.Context(), []store.Write{{Kind: TheatreKind, ID: id, Expect: store.AnyRevision, Body: body}}); err != nil {
		b.t.Fatal(err)
	}
}

// scanners are the devices that have the scanner's address, by site.
func (b *bench) scanners() map[string]device.Device {
	b.t.Helper()
	list, _, err := b.store.DeviceList(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[string]device.Device{}
	for _, d := range list {
		for _, i := range d.Interfaces {
			if slices.Contains(i.IPs, scanner.IP) {
				if _, twice := out[d.Site]; twice {
					b.t.Fatalf("two devices of site %q have %v", d.Site, scanner.IP)
				}
				out[d.Site] = d
			}
		}
	}
	return out
}

func (b *bench) sitesKept() map[string]Site {
	b.t.Helper()
	docs, err := b.store.DocumentsOf(b.t.Context(), SiteKind, "", 10)
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[string]Site{}
	for _, d := range docs {
		var s Site
		if err := json.Unmarshal(d.Body, &s); err != nil {
			b.t.Fatal(err)
		}
		out[d.ID] = s
	}
	return out
}

func TestTheSameAddressesAtTwoSitesAreTwoDevices(t *testing.T) {
	hub, north := newHub(t)
	hub.theatreAt("", "OR-3", "10.20.3.0/24")
	hub.theatreAt("north", "N-1", "10.20.3.0/24")
	hub.start(nil)
	hub.publish("or3", twoDevices()...)
	north.publish("span", twoDevices()...)
	eventually(t, "both scanners are published, each in the theatre of its site", func() bool {
		got := hub.scanners()
		return got[""].Theatre == "OR-3" && got["north"].Theatre == "N-1"
	})
	here, there := hub.scanners()[""], hub.scanners()["north"]
	if there.ID != here.ID+".north" || here.Class != device.ClassCT || there.Class != device.ClassCT {
		t.Errorf("the scanner is %s, %s here and %s, %s there", here.ID, here.Class, there.ID, there.Class)
	}
	hub.publish("or3", connection(7, 2, 1000, 200, begin+1e9))
	north.publish("span", connection(7, 2, 30, 40, begin+1e9))
	eventually(t, "twelve events are stored", func() bool { return len(hub.events()) == 12 })
	filed := map[string]string{}
	page, err := hub.store.Query(t.Context(), store.Query{Terms: []store.Term{{Field: store.FieldProtocol, Values: []string{"dicom"}}}, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Records {
		filed[r.Sensor] = fmt.Sprint(r.SrcDevice, " ", r.Theatre)
	}
	if len(filed) != 2 || filed["or3"] != here.ID+" OR-3" || filed["north/span"] != there.ID+" N-1" {
		t.Errorf("filed as %v", filed)
	}
	links, _, err := hub.store.Links(t.Context(), begin, begin+10e9, 10)
	if err != nil || len(links) != 2 || links[0].From != here.ID || links[1].From != there.ID || links[1].BytesOut != 30 {
		t.Errorf("links %+v, %v", links, err)
	}
	eventually(t, "both sites are kept", func() bool { return len(hub.sitesKept()) == 2 })
	kept := hub.sitesKept()
	if len(kept) != 2 || !kept["hub"].Own || !slices.Equal(kept["hub"].Sensors, []string{"or3"}) || kept["north"].Own || !slices.Equal(kept["north"].Sensors, []string{"north/span"}) {
		t.Errorf("the sites are kept as %+v", kept)
	}
}

func TestDevicesOfAnotherSiteAreEditedAndKeptLikeOnesOwn(t *testing.T) {
	hub, north := newHub(t)
	hub.start(nil)
	hub.publish("or3", twoDevices()...)
	north.publish("span", twoDevices()...)
	eventually(t, "both scanners are published", func() bool { return len(hub.scanners()) == 2 })
	here, there := hub.scanners()[""], hub.scanners()["north"]
	name := func(id, to string) inventory.Edit {
		t.Helper()
		e, err := hub.edit(EditRequest{Who: "jo", Kind: "name", Device: id, Value: &to})
		if err != nil {
			t.Fatal(err)
		}
		if e.Device != id {
			t.Errorf("the edit is of %s, want %s", e.Device, id)
		}
		return e
	}
	first, second := name(here.ID, "Main scanner"), name(there.ID, "Northern scanner")
	if first.Seq == second.Seq {
		t.Errorf("two edits have the number %d", first.Seq)
	}
	names := func() string {
		got := hub.scanners()
		return got[""].Name + ", " + got["north"].Name
	}
	eventually(t, "both names are published", func() bool { return names() == "Main scanner, Northern scanner" })
	hub.stop() // saves both
	hub.start(nil)
	eventually(t, "the edit of before the restart is undone", func() bool {
		_, err := hub.edit(EditRequest{Who: "jo", Kind: "undo", Seq: second.Seq})
		return err == nil
	})
	eventually(t, "the northern name is as observed, the other stays", func() bool { return names() == "Main scanner, "+there.Name })
	if there.ID != hub.scanners()["north"].ID {
		t.Errorf("the ID changed to %s", hub.scanners()["north"].ID)
	}
	if edits := hub.rec.inv.Edits(there.ID); len(edits) != 1 || edits[0].UndoneBy != "jo" || edits[0].Seq != second.Seq {
		t.Errorf("edits of %s: %+v", there.ID, edits)
	}
	_, err := hub.edit(EditRequest{Who: "jo", Kind: "merge", Device: here.ID, Value: &there.ID})
	var refused *bus.Error
	if !errors.As(err, &refused) || refused.Kind != "invalid" {
		t.Errorf("devices of two sites became one: %v", err)
	}
	gone := "dev-nowhere.west"
	if _, err := hub.edit(EditRequest{Who: "jo", Kind: "name", Device: gone, Value: &gone}); !errors.As(err, &refused) || refused.Kind != "not-found" {
		t.Errorf("a device of a site that nobody knows was edited: %v", err)
	}
}

func TestASnapshotOfOneSiteIsReadByAHubLater(t *testing.T) {
	hub, north := newHub(t)
	hub.start(nil)
	hub.publish("or3", twoDevices()...)
	eventually(t, "the scanner is published", func() bool { return hub.scanners()[""].Class == device.ClassCT })
	hub.stop()
	doc, err := hub.store.Document(t.Context(), snapshotKind, snapshotID)
	if err != nil {
		t.Fatal(err)
	}
	var plain Recorder
	plain.deps.Inventory = func() (*inventory.Inventory, error) { return inventory.New(inventory.Default()) }
	if plain.inv, err = newSites(plain.deps.Inventory); err != nil {
		t.Fatal(err)
	}
	if h, err := plain.load(doc.Body); err != nil || h.Version != 1 || len(plain.inv.Devices()) != 2 {
		t.Errorf("a snapshot of one site: %+v, %v, %d devices", h, err, len(plain.inv.Devices()))
	}
	hub.start(nil)
	north.publish("span", twoDevices()...)
	eventually(t, "both scanners are published", func() bool { return len(hub.scanners()) == 2 })
	hub.rec.snapshot(context.Background())
	if doc, err = hub.store.Document(t.Context(), snapshotKind, snapshotID); err != nil {
		t.Fatal(err)
	}
	if h, err := plain.load(doc.Body); err != nil || h.Version != 2 || len(plain.inv.Devices()) != 4 {
		t.Errorf("a snapshot of two sites: %+v, %v, %d devices", h, err, len(plain.inv.Devices()))
	}
}
