// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/api"
	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/explain"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// aConversation is a stored event of a DICOM association.
func aConversation(t *testing.T, h *house) (record.Record, *event.Event) {
	t.Helper()
	recs, _, err := h.store.After(t.Context(), 0, store.Query{}, 5000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recs {
		if e, err := record.Decode(r.Data); err == nil && r.Class == event.ClassDICOMAssociation && e.Flow != nil {
			return r, e
		}
	}
	t.Fatal("there is no association")
	return record.Record{}, nil
}

func TestThePacketsBehindAFindingAreGivenToThoseWhoMayAndThatIsWrittenDown(t *testing.T) {
	h := newHouse(t, options{capture: theatreCapture, change: func(_ *api.Config, d *api.Deps) { d.Rules = rules.FS }})
	rec, e := aConversation(t, h)
	d := alert.New(alert.Key("dicom.test", "x"))
	d.Apply(&alert.Occurrence{Rule: &rule.Rule{ID: "dicom.test", Family: "dicom", Version: 1}, Group: "x", Time: rec.Time, Severity: finding.High, Title: "Something",
		Evidence: []finding.Evidence{{Time: rec.Time, Seq: rec.Seq, UID: e.UID, Sentence: "it happened"}}})
	body, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.Commit(t.Context(), []store.Write{{Kind: alert.Kind, ID: d.Alert.ID, Body: body}}); err != nil {
		t.Fatal(err)
	}
	path := "/findings/" + d.Alert.ID + "/packets.pcap"
	viewer := h.as("viewer")
	if a := viewer.do("GET", path, nil); a.status != 403 {
		t.Errorf("a viewer: %s", a)
	}
	a := h.as("analyst").do("GET", path, nil)
	if a.status != 200 {
		t.Fatalf("an analyst: %s", a)
	}
	src, err := capture.NewReader(bytes.NewReader(a.body), capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		var f capture.Frame
		if src.Next(&f) != nil {
			break
		}
		n++
		var p packet.Packet
		packet.Decode(&p, uint16(f.Link), f.Data, f.OrigLen)
		if !(p.Src == e.Flow.Src.IP && p.Dst == e.Flow.Dst.IP || p.Src == e.Flow.Dst.IP && p.Dst == e.Flow.Src.IP) {
			t.Errorf("a packet goes from %s to %s", p.Src, p.Dst)
		}
	}
	if n < 5 {
		t.Errorf("there are %d packets", n)
	}
	trail, err := h.store.AuditTrail(t.Context(), store.AuditQuery{Limit: 5})
	if err != nil || len(trail) == 0 || trail[0].Action != "finding.packets" || trail[0].Object != "finding:"+d.Alert.ID || !strings.HasPrefix(trail[0].Note, fmt.Sprint(n)) {
		t.Errorf("the audit trail has %+v, %v", trail, err)
	}
	none := putAlert(t, h, "dicom.new-ae-pair", "without an event", finding.Low)
	if a := h.admin.do("GET", "/findings/"+none+"/packets.pcap", nil); a.status != 404 || !strings.Contains(string(a.body), "keep_packets") {
		t.Errorf("without packets: %s", a)
	}
	if a := h.admin.do("GET", "/findings/nothing/packets.pcap", nil); a.status != 404 {
		t.Errorf("no finding: %s", a)
	}

	t.Run("what each rule makes of the event", func(t *testing.T) {
		s := newSchemas(t)
		for _, name := range []string{fmt.Sprint(rec.Seq), e.UID} {
			a := viewer.do("GET", "/events/"+url.PathEscape(name)+"/explain", nil)
			s.hold("RuleExplanation", false, a.body, "explain "+name)
			x := read[api.RuleExplanation](t, a, 200)
			far := 0
			for _, v := range x.Rules {
				if v.Outcome != explain.NotAsked {
					far++
				}
			}
			if !strings.Contains(x.Event, "DICOM") || len(x.Rules) < 20 || far == 0 {
				t.Errorf("%s: %q, %d rules, %d asked for it", name, x.Event, len(x.Rules), far)
			}
		}
		for _, name := range []string{"999999999", "nobody", "%22"} {
			if a := h.admin.do("GET", "/events/"+name+"/explain", nil); a.status != 404 {
				t.Errorf("%s: %s", name, a)
			}
		}
	})
}
