// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/see/inventory"
)

// bench is a bus and a store with a recorder between them.
type bench struct {
	t     *testing.T
	bus   *bus.Bus
	store store.Store
	rec   *Recorder
	stop  func()
}

func newBench(t *testing.T) *bench {
	t.Helper()
	ctx := t.Context()
	b, err := bus.Open(ctx, bus.Default(), bus.Deps{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	s, err := sqlite.Open(ctx, sqlite.Config{Dir: t.TempDir()}, sqlite.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &bench{t: t, bus: b, store: s}
}

// start runs a recorder until stop is called or the test ends.
func (b *bench) start(over func(*Deps)) {
	b.t.Helper()
	cfg := Default()
	cfg.DevicesEvery, cfg.SnapshotEvery = 100*time.Millisecond, time.Hour
	deps := Deps{Bus: b.bus, Store: newSwitched(b.store), Log: slog.New(slog.NewTextHandler(b.t.Output(), nil)), Inventory: func() (*inventory.Inventory, error) {
		return inventory.New(inventory.Default())
	}}
	if over != nil {
		over(&deps)
	}
	r, err := New(cfg, deps)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	b.rec, b.stop = r, func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("the recorder ended with: %v", err)
		}
	}
	b.t.Cleanup(b.stop)
}

// publish puts events onto the bus and waits until it has them.
func (b *bench) publish(sensor string, events ...*event.Event) {
	b.t.Helper()
	p := b.bus.NewPublisher(sensor, bus.PublisherOptions{Wait: true})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for _, e := range events {
		p.Emit(e)
	}
	eventually(b.t, "the bus has all events", func() bool { return p.Stats().Stored == uint64(len(events)) })
	cancel()
	if err := <-done; err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) events() []string {
	b.t.Helper()
	p, err := b.store.Query(b.t.Context(), store.Query{Oldest: true, Limit: 10_000})
	if err != nil {
		b.t.Fatal(err)
	}
	out := []string{}
	for _, r := range p.Records {
		out = append(out, fmt.Sprintf("%s %s>%s @%s", r.Protocol, r.SrcDevice, r.DstDevice, r.Theatre))
	}
	return out
}

// patience is how long a condition is waited for. A hub that asks a site which is not connected yet, as happens to one
// that is opened a moment before it, waits 30 s for the answer and asks again after 12 s.
const patience = 90 * time.Second

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

const begin = int64(1_800_000_000e9)

var (
	scanner = event.Endpoint{MAC: device.MAC{0x88, 0x4b, 0x39, 0, 0, 1}, IP: netip.MustParseAddr("10.20.3.11"), Port: 50_000}
	archive = event.Endpoint{MAC: device.MAC{0xc8, 0xf7, 0x50, 0, 0, 2}, IP: netip.MustParseAddr("10.20.1.101"), Port: 104}
)

// says is evidence that an end gives about itself.
func says(who event.Endpoint, attr device.Attribute, value string, at int64) *event.Event {
	return &event.Event{UID: fmt.Sprint("e", at, value), Time: at, Activity: 1, Severity: finding.Info, Detail: &event.DeviceEvidence{Evidence: device.Evidence{
		Subject: device.Subject{MAC: who.MAC, IP: who.IP}, Attribute: attr, Value: value, Source: "test", Confidence: device.Structured, First: at, Last: at, Count: 1,
	}}}
}

// connection is a report about a flow from the scanner to the archive.
func connection(id uint64, activity uint8, out, in uint64, at int64) *event.Event {
	return &event.Event{UID: fmt.Sprint("c", id, activity, at), Time: at, Activity: activity, Severity: finding.Info, Protocol: "dicom",
		Flow:   &event.Flow{ID: id, Proto: 6, Src: scanner, Dst: archive},
		Detail: &event.Connection{Start: at, End: at, BytesOut: out, BytesIn: in, App: "dicom"}}
}

func twoDevices() []*event.Event {
	return []*event.Event{
		says(scanner, device.AttrHostname, "CT-OR3", begin), says(scanner, device.AttrAETitle, "CT_OR3", begin+1), says(scanner, device.AttrModality, "CT", begin+2),
		says(archive, device.AttrHostname, "pacs", begin+3), says(archive, device.AttrAETitle, "PACS", begin+4),
	}
}

func (b *bench) theatre(id, prefix string) {
	b.t.Helper()
	body, err := json.Marshal(Theatre{ID: id, Name: id, Prefixes: []string{prefix}, State: theatre.Idle})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.store.Commit(b.t.Context(), []store.Write{{Kind: TheatreKind, ID: id, Expect: store.AnyRevision, Body: body}}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) deviceAt(ip netip.Addr) (device.Device, bool) {
	list, _, err := b.store.DeviceList(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, d := range list {
		for _, i := range d.Interfaces {
			if slices.Contains(i.IPs, ip) {
				return d, true
			}
		}
	}
	return device.Device{}, false
}

func TestEventsAreFiledUnderTheDevicesAndTheTheatreTheyBelongTo(t *testing.T) {
	b := newBench(t)
	b.theatre("OR-3", "10.20.3.0/24")
	b.start(nil)
	b.publish("or3", twoDevices()...)
	eventually(t, "both devices are published, the scanner in its theatre", func() bool {
		ct, ok := b.deviceAt(scanner.IP)
		_, ok2 := b.deviceAt(archive.IP)
		return ok && ok2 && ct.Theatre == "OR-3"
	})
	b.publish("or3", connection(7, 2, 1000, 200, begin+1e9))
	var page store.Page
	eventually(t, "the connection is stored", func() bool {
		var err error
		page, err = b.store.Query(t.Context(), store.Query{Terms: []store.Term{{Field: store.FieldProtocol, Values: []string{"dicom"}}}, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Records) == 1
	})
	ct, _ := b.deviceAt(scanner.IP)
	pacs, _ := b.deviceAt(archive.IP)
	got := page.Records[0]
	if got.SrcDevice != ct.ID || got.DstDevice != pacs.ID || got.Theatre != "OR-3" || got.Sensor != "or3" || got.Src != scanner.IP || got.Dst != archive.IP {
		t.Errorf("filed as %+v", got)
	}
	links, _, err := b.store.Links(t.Context(), begin, begin+10e9, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(links) != 1 || links[0].From != ct.ID || links[0].To != pacs.ID || links[0].Port != 104 || links[0].Flows != 1 || links[0].BytesOut != 1000 || links[0].BytesIn != 200 {
		t.Errorf("links %+v", links)
	}
}

func TestReportsOfAFlowOnItsWayAreCountedOnce(t *testing.T) {
	b := newBench(t)
	b.start(nil)
	b.publish("or3", append(twoDevices(), connection(7, connOpen, 100, 10, begin+1e9), connection(7, connTraffic, 500, 50, begin+2e9))...)
	eventually(t, "both reports are stored", func() bool { return len(b.events()) == 7 })
	b.stop() // what open flows have said survives a restart
	b.start(nil)
	b.publish("other", connection(7, connTraffic, 1, 1, begin+3e9)) // another sensor's flow with the same number
	eventually(t, "the other sensor's is stored", func() bool { return len(b.events()) == 8 })
	links, _, err := b.store.Links(t.Context(), begin, begin+10e9, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(links) != 1 || links[0].BytesOut != 501 || links[0].BytesIn != 51 || links[0].Flows != 0 {
		t.Errorf("links %+v, want 500 and 50 bytes of one flow and 1 of the other, none ended", links)
	}
}

func TestARestartTakesNothingTwiceAndForgetsNothing(t *testing.T) {
	b := newBench(t)
	b.start(nil)
	b.publish("or3", twoDevices()...)
	eventually(t, "five events are stored and the scanner is published", func() bool {
		d, _ := b.deviceAt(scanner.IP)
		return len(b.events()) == 5 && d.Class == device.ClassCT
	})
	before, _ := b.deviceAt(scanner.IP)
	b.stop()
	b.publish("or3", connection(8, 2, 10, 20, begin+1e9))
	b.start(nil)
	eventually(t, "the one from meanwhile is stored", func() bool { return len(b.events()) >= 6 })
	if n := len(b.events()); n != 6 {
		t.Errorf("%d events, want 6", n)
	}
	eventually(t, "the device is there", func() bool { _, ok := b.deviceAt(scanner.IP); return ok })
	if after, _ := b.deviceAt(scanner.IP); after.ID != before.ID || after.Class != before.Class {
		t.Errorf("the scanner became %s %s, was %s %s", after.ID, after.Class, before.ID, before.Class)
	}
}

func (b *bench) edit(q EditRequest) (inventory.Edit, error) {
	b.t.Helper()
	body, err := json.Marshal(q)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	answer, err := b.bus.Ask(ctx, SubjectEdit, body)
	if err != nil {
		return inventory.Edit{}, err
	}
	var a EditAnswer
	if err := json.Unmarshal(answer, &a); err != nil {
		b.t.Fatal(err)
	}
	return a.Edit, nil
}

// crash ends the recorder as a kill would: without its last snapshot.
func (b *bench) crash() {
	b.swap(dead{b.current()})
	b.stop()
}

// dead is a store that writes nothing any more.
type dead struct{ store.Store }

var errDead = errors.New("killed")

func (dead) Commit(context.Context, []store.Write, ...store.Audit) error   { return errDead }
func (dead) Append(context.Context, store.Position, []record.Record) error { return errDead }
func (dead) PutDevices(context.Context, []device.Device, []string) error   { return errDead }

func TestWhatAPersonSetSurvivesACrashRightAfterTheAnswer(t *testing.T) {
	b := newBench(t)
	b.start(nil)
	b.publish("or3", twoDevices()...)
	eventually(t, "the devices are published", func() bool { _, ok := b.deviceAt(archive.IP); return ok })
	ct, _ := b.deviceAt(scanner.IP)
	name := "CT in theatre 3"
	edit, err := b.edit(EditRequest{Who: "anna", From: "10.0.0.9", Kind: "name", Device: ct.ID, Value: &name})
	if err != nil {
		t.Fatal(err)
	}
	if edit.Value != name || edit.Who != "anna" {
		t.Errorf("edit %+v", edit)
	}
	b.crash()
	b.start(nil)
	eventually(t, "the name is there again", func() bool { d, _ := b.deviceAt(scanner.IP); return d.Name == name })
	if _, err := b.edit(EditRequest{Who: "anna", Kind: "undo", Seq: edit.Seq}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the name is taken back", func() bool { d, _ := b.deviceAt(scanner.IP); return d.Name != name })
	b.crash()
	b.start(nil)
	eventually(t, "devices are there again", func() bool { return b.rec.Ready(t.Context()) == nil && len(b.rec.inv.Devices()) == 2 })
	if d, _ := b.rec.inv.Device(ct.ID); d.Name == name {
		t.Error("what was undone came back")
	}
	trail, err := b.store.AuditTrail(t.Context(), store.AuditQuery{Action: "device.", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(trail) != 2 || trail[1].Who != "anna" || trail[1].From != "10.0.0.9" || trail[1].Action != "device.name" || trail[1].Object != ct.ID || !bytes.Contains(trail[1].After, []byte(name)) {
		t.Errorf("audit trail %+v", trail)
	}
}

func TestAnEditIsRefusedWithAReason(t *testing.T) {
	b := newBench(t)
	b.start(nil)
	b.publish("or3", twoDevices()...)
	eventually(t, "the devices are published", func() bool { _, ok := b.deviceAt(archive.IP); return ok })
	ct, _ := b.deviceAt(scanner.IP)
	value := "spaceship"
	for _, c := range []struct {
		name, kind string
		q          EditRequest
	}{
		{"a device that is not there", "not-found", EditRequest{Who: "anna", Kind: "name", Device: "dev-none", Value: &value}},
		{"a class that is none", "invalid", EditRequest{Who: "anna", Kind: "class", Device: ct.ID, Value: &value}},
		{"a kind that is none", "invalid", EditRequest{Who: "anna", Kind: "colour", Device: ct.ID, Value: &value}},
		{"nobody", "invalid", EditRequest{Kind: "name", Device: ct.ID, Value: &value}},
		{"an undo of nothing", "not-found", EditRequest{Who: "anna", Kind: "undo", Seq: 99}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := b.edit(c.q)
			var e *bus.Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.Text == "" {
				t.Errorf("error %v, want one of kind %s", err, c.kind)
			}
		})
	}
}

func TestAnEditThatCannotBeStoredIsNotMade(t *testing.T) {
	b := newBench(t)
	b.start(nil)
	b.publish("or3", twoDevices()...)
	eventually(t, "the devices are published", func() bool { _, ok := b.deviceAt(archive.IP); return ok })
	ct, _ := b.deviceAt(scanner.IP)
	b.swap(dead{b.store})
	name := "lost"
	_, err := b.edit(EditRequest{Who: "anna", Kind: "name", Device: ct.ID, Value: &name})
	var e *bus.Error
	if !errors.As(err, &e) || e.Kind != "unavailable" || e.Help == "" {
		t.Errorf("error %v", err)
	}
	if d, _ := b.rec.inv.Device(ct.ID); d.Name == name {
		t.Error("the device was renamed all the same")
	}
	b.swap(b.store)
}

func TestASecondRecorderWaitsForTheFirst(t *testing.T) {
	b := newBench(t)
	b.start(nil)
	eventually(t, "the first writes", func() bool { return b.rec.Ready(t.Context()) == nil })
	first, stopFirst := b.rec, b.stop
	b.start(nil)
	second := b.rec
	b.publish("or3", twoDevices()...)
	eventually(t, "the events are stored", func() bool { return len(b.events()) == 5 })
	if second.Report().Events != 0 || second.Ready(t.Context()) == nil {
		t.Error("the second recorder writes, too")
	}
	if first.Report().Events != 5 {
		t.Errorf("the first stored %d events", first.Report().Events)
	}
	stopFirst()
	b.publish("or3", connection(9, 2, 1, 1, begin+1e9))
	eventually(t, "the second has taken over", func() bool { return len(b.events()) == 6 && second.Report().Events == 1 })
}

func TestASensorsRatesAreKeptByTheMinute(t *testing.T) {
	b := newBench(t)
	r, err := New(Default(), Deps{Bus: b.bus, Store: b.store, Inventory: func() (*inventory.Inventory, error) { return inventory.New(inventory.Default()) }})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 0, 2, 30, 0, time.UTC)
	if err := r.addPoint(t.Context(), "or3", at, point{packets: 10, bytes: 100, events: 1}, point{packets: 30, bytes: 400, dropped: 2, events: 4}, 17); err != nil {
		t.Fatal(err)
	}
	if err := r.addPoint(t.Context(), "or3", at.Add(time.Minute), point{packets: 30}, point{packets: 31}, 16); err != nil {
		t.Fatal(err)
	}
	doc, err := b.store.Document(t.Context(), SeriesKind, SeriesID("or3", at))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"start":1772409600000000000,"step_ms":60000,"packets":[null,null,20,1],"bytes":[null,null,300,0],"dropped":[null,null,2,0],"events":[null,null,3,0],"active_flows":[null,null,17,16]}`
	if string(doc.Body) != want {
		t.Errorf("got  %s\nwant %s", doc.Body, want)
	}
}

func TestTheReportSaysWhatWasLostOnTheWay(t *testing.T) {
	b := newBench(t)
	b.start(nil)
	eventually(t, "the recorder reads", func() bool { return b.rec.Ready(t.Context()) == nil })
	b.rec.observe(bus.Batch{Stream: b.rec.Report().Stream, Pos: 1, Run: "x", Lost: 3, Events: [][]byte{{0xff}}})
	b.rec.observe(bus.Batch{Stream: b.rec.Report().Stream, Pos: 2, Run: "x", Lost: 5})
	b.rec.observe(bus.Batch{Stream: b.rec.Report().Stream, Pos: 3, Missing: 4, MissingEvents: 40})
	rep := b.rec.Report()
	if rep.LostEvents != 3 || rep.Unreadable != 1 || rep.MissingBatches != 4 || rep.MissingEvents != 40 {
		t.Errorf("report %+v", rep)
	}
}
