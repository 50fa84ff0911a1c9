// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

func TestAnImageGoesFromTheScannerToTheProcessorBitForBit(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	h, x := house(t, nil)
	x.Up()
	d := h.Enrol("ct-1")
	data := gatewaytest.Image(t, "1.2.3.1", "FICT-0001", 64)
	out, err := h.Send(d, "CT1", gatewaytest.File(t, gatewaytest.CTStorage, "1.2.3.1", data))
	if err != nil || !strings.Contains(out, "Success") {
		t.Fatalf("%v\n%s\n%+v", err, out, h.Records())
	}
	gatewaytest.Until(t, "the processor to have it", func() bool { return bytes.Equal(x.Received()["1.2.3.1"], data) })
	gatewaytest.Until(t, "the journal to know", func() bool {
		r := h.Records()[0]
		return r.Deliveries[0].State == instance.Delivered && len(r.Entries) == 2
	})
	r := h.Records()[0]
	if r.Entries[0].Kind != string(custody.Received) || r.Entries[1].Kind != string(custody.Forwarded) || r.Verdict > instance.Flag {
		t.Errorf("it was recorded as %+v", r)
	}
	if r.Deliveries[0].Forwarded != r.DataSet {
		t.Errorf("what was forwarded is not what came: %+v", r.Deliveries[0])
	}
	var indexes []uint64
	for _, e := range r.Entries {
		indexes = append(indexes, e.Index)
	}
	gatewaytest.Until(t, "receipts for both", func() bool {
		list, err := h.Service.Control().Receipts(t.Context(), indexes)
		return err == nil && len(list) == 2
	})
	o, err := h.Service.Control().Overview(t.Context())
	if err != nil || o.Received.Instances != 1 || o.Forwarded.Instances != 1 || o.Ledger.State != "ok" || o.Trust.State != "ok" || len(o.Listeners) != 2 || o.Listeners[0].State != "open" || len(o.Routes) != 1 {
		t.Errorf("%v: overview %+v", err, o)
	}
	for _, m := range h.Service.Matters() {
		if m.Rule != "gateway.plain-device" {
			t.Errorf("a matter: %s %s", m.Rule, m.Title)
		}
	}
}

func TestWhatIsHeldGoesOnWhenTwoPeopleReleaseIt(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	h, x := house(t, nil)
	x.Up()
	data := gatewaytest.Document(t, "1.2.3.5")
	out, _ := h.Send(h.Enrol("ct-1"), "CT1", gatewaytest.File(t, gatewaytest.PDFStorage, "1.2.3.5", data))
	if !strings.Contains(out, "0x124") {
		t.Fatalf("%s\n%+v", out, h.Records())
	}
	c := h.Service.Control()
	gatewaytest.Until(t, "the record to be settled", func() bool { return len(h.Records()[0].Entries) == 2 })
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
	if len(x.Received()) != 0 {
		t.Error("it went on too soon")
	}
	if _, err := decide("boris"); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Until(t, "the processor to have it", func() bool { return bytes.Equal(x.Received()["1.2.3.5"], data) })
}

func TestADeviceThatComesInClearIsAMatterUntilItDoesNot(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	h, x := house(t, nil)
	x.Up()
	if out, err := gatewaytest.Run(t, "storescu", "-v", "-aet", "US1", "-aec", "ASEPSIS", "127.0.0.1", h.Port(gateway.KindPlain), gatewaytest.File(t, gatewaytest.CTStorage, "1.2.3.1", gatewaytest.Image(t, "1.2.3.1", "FICT-0001", 16))); err != nil || !strings.Contains(out, "Success") {
		t.Fatalf("%v\n%s\n%+v", err, out, h.Records())
	}
	m := h.Service.Matters()
	if len(m) != 1 || m[0].Key != "us-old" || m[0].Rule != "gateway.plain-device" {
		t.Errorf("matters %+v", m)
	}
	list, revision, err := h.Service.Control().Bindings(t.Context())
	if err != nil || list[1].LastSeen == "" {
		t.Errorf("%v: %+v", err, list)
	}
	if problems, err := h.Service.Control().SetBindings(t.Context(), list[:1], revision, "anna"); err != nil || len(problems) > 0 {
		t.Fatalf("%v %v", problems, err)
	}
	if m := h.Service.Matters(); len(m) != 0 {
		t.Errorf("matters %+v", m)
	}
}

func TestWithoutItsProcessorTheGatewayKeepsWhatItTook(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	h, x := house(t, nil)
	d := h.Enrol("ct-1")
	data := gatewaytest.Image(t, "1.2.3.1", "FICT-0001", 64)
	if out, err := h.Send(d, "CT1", gatewaytest.File(t, gatewaytest.CTStorage, "1.2.3.1", data)); err != nil || !strings.Contains(out, "Success") {
		t.Fatalf("%v\n%s", err, out)
	}
	h.Stop()
	h.Start()
	x.Up()
	gatewaytest.Until(t, "the processor to have it", func() bool { return bytes.Equal(x.Received()["1.2.3.1"], data) })
}
