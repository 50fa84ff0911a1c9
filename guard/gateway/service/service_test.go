// SPDX-License-Identifier: Apache-2.0

package service

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// kinds are the kinds of an instance's entries.
func kinds(r *instance.Record) []string {
	var out []string
	for _, e := range r.Entries {
		out = append(out, e.Kind)
	}
	return out
}

func TestAnImageGoesFromTheScannerToTheProcessorBitForBit(t *testing.T) {
	need(t, "storescu")
	x := newProcessor(t)
	x.up()
	h := newHouse(t, x, nil)
	d := h.enrol("ct-1")
	data := image(t, "1.2.3.1", 64)
	out, err := h.send(d, file(t, ctStorage, "1.2.3.1", data))
	if err != nil || !strings.Contains(out, "Success") {
		t.Fatalf("%v\n%s\n%s", err, out, sprint(h.records()))
	}
	until(t, "the processor to have it", func() bool { return bytes.Equal(x.received()["1.2.3.1"], data) })
	until(t, "the journal to know", func() bool {
		r := h.records()[0]
		return r.Deliveries[0].State == instance.Delivered && len(r.Entries) == 2
	})
	r := h.records()[0]
	if want := []string{string(custody.Received), string(custody.Forwarded)}; !slices.Equal(kinds(&r), want) || r.Verdict > instance.Flag {
		t.Errorf("entries %v, want %v; %s", kinds(&r), want, sprint(h.records()))
	}
	if r.Deliveries[0].Forwarded != r.DataSet {
		t.Errorf("what was forwarded is not what came: %+v", r.Deliveries[0])
	}
	var indexes []uint64
	for _, e := range r.Entries {
		indexes = append(indexes, e.Index)
	}
	until(t, "receipts for both", func() bool {
		list, err := h.s.Control().Receipts(t.Context(), indexes)
		return err == nil && len(list) == 2
	})
	o, err := h.s.Control().Overview(t.Context())
	if err != nil || o.Received.Instances != 1 || o.Forwarded.Instances != 1 || o.Ledger.State != "ok" || o.Trust.State != "ok" || len(o.Listeners) != 2 || o.Listeners[0].State != "open" || len(o.Routes) != 1 {
		t.Errorf("%v: overview %+v", err, o)
	}
	for _, m := range h.s.Matters() {
		if m.Rule != "gateway.plain-device" {
			t.Errorf("a matter: %s %s", m.Rule, m.Title)
		}
	}
}

func TestWhatIsHeldGoesOnWhenTwoPeopleReleaseIt(t *testing.T) {
	need(t, "storescu")
	x := newProcessor(t)
	x.up()
	h := newHouse(t, x, nil)
	data := document(t, "1.2.3.5")
	out, _ := h.send(h.enrol("ct-1"), file(t, pdfStorage, "1.2.3.5", data))
	if !strings.Contains(out, "0x124") {
		t.Fatalf("%s\n%s", out, sprint(h.records()))
	}
	c := h.s.Control()
	until(t, "the record to be settled", func() bool { return len(h.records()[0].Entries) == 2 })
	held, err := c.Quarantine(t.Context(), 0, 10)
	if err != nil || len(held) != 1 || len(held[0].Hits) == 0 {
		t.Fatalf("%v: %+v", err, held)
	}
	decide := func(user string) (control.Held, error) {
		held, err := c.Quarantine(t.Context(), 0, 10)
		if err != nil || len(held) == 0 {
			t.Fatalf("%v: %+v", err, held)
		}
		return c.Decide(t.Context(), control.Decide{Number: held[0].Number, Action: "release", Reason: "the alert only greets", User: user, Revision: held[0].Revision})
	}
	if _, err := decide("anna"); err != nil {
		t.Fatal(err)
	}
	var refused *control.Refused
	if _, err := decide("anna"); !errors.As(err, &refused) || refused.Code != control.SamePerson {
		t.Errorf("one person alone: %v", err)
	}
	if len(x.received()) != 0 {
		t.Error("it went on too soon")
	}
	if _, err := decide("boris"); err != nil {
		t.Fatal(err)
	}
	until(t, "the processor to have it", func() bool { return bytes.Equal(x.received()["1.2.3.5"], data) })
}

func TestADeviceThatComesInClearIsAMatterUntilItDoesNot(t *testing.T) {
	need(t, "storescu")
	x := newProcessor(t)
	x.up()
	h := newHouse(t, x, nil)
	if out, err := peer(t, "storescu", "-v", "-aet", "US1", "-aec", "ASEPSIS", "127.0.0.1", h.port(gateway.KindPlain), file(t, ctStorage, "1.2.3.1", image(t, "1.2.3.1", 16))); err != nil || !strings.Contains(out, "Success") {
		t.Fatalf("%v\n%s\n%s", err, out, sprint(h.records()))
	}
	m := h.s.Matters()
	if len(m) != 1 || m[0].Key != "us-old" || m[0].Rule != "gateway.plain-device" {
		t.Errorf("matters %+v", m)
	}
	list, revision, err := h.s.Control().Bindings(t.Context())
	if err != nil || list[1].LastSeen == "" {
		t.Errorf("%v: %+v", err, list)
	}
	if problems, err := h.s.Control().SetBindings(t.Context(), list[:1], revision, "anna"); err != nil || len(problems) > 0 {
		t.Fatalf("%v %v", problems, err)
	}
	if m := h.s.Matters(); len(m) != 0 {
		t.Errorf("matters %+v", m)
	}
}

func TestWithoutItsProcessorTheGatewayKeepsWhatItTook(t *testing.T) {
	need(t, "storescu")
	x := newProcessor(t)
	h := newHouse(t, x, nil)
	d := h.enrol("ct-1")
	data := image(t, "1.2.3.1", 64)
	if out, err := h.send(d, file(t, ctStorage, "1.2.3.1", data)); err != nil || !strings.Contains(out, "Success") {
		t.Fatalf("%v\n%s", err, out)
	}
	h.stop()
	h.start()
	x.up()
	until(t, "the processor to have it", func() bool { return bytes.Equal(x.received()["1.2.3.1"], data) })
}
