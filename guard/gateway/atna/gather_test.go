// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

func record(n uint64, at time.Time) instance.Record {
	return instance.Record{Number: n, State: instance.Accepted, Received: at, Study: "1.2.3", SOPClass: "1.2.840.10008.5.1.4.1.1.2", SOPInstance: fmt.Sprint("1.2.3.4.", n), Patient: "ps-patient", Revision: 1,
		Sender: instance.Sender{Way: instance.DIMSE, Device: "ct-or-3", CallingAE: "CT_OR3", Address: "10.0.0.1", Association: "a-1", TLS: "TLSv1.3"}}
}

// TestAStudyIsTwoMessages tells a study's way through the gateway as the rooms around it do.
func TestAStudyIsTwoMessages(t *testing.T) {
	p, dial := newRepository(t)
	r := newRoom(t, quick(p.addr), t.TempDir(), dial)
	stop := runs(t, r)
	identitytest.Wait(t, "the connection", func() bool { return r.Status().State == "ok" })
	now := time.Now()
	for n := uint64(1); n <= 100; n++ {
		rec := record(n, now)
		if n == 7 {
			rec.State = instance.Refused
		}
		r.Record(rec)
		rec.Revision, rec.Deliveries = 2, []instance.Delivery{{Destination: "xr", State: instance.Waiting}}
		r.Record(rec)
		rec.Revision, rec.Deliveries = 3, []instance.Delivery{{Destination: "xr", State: instance.Delivered, At: now}}
		r.Record(rec)
		r.Record(rec)
	}
	// What was there before the gateway started is not told again.
	old := record(1000, now.Add(-time.Hour))
	old.Sender.Association, old.Study = "a-0", "9.9.9"
	r.Record(old)
	held := record(101, now)
	held.State, held.Study, held.Sender.Association = instance.Quarantined, "1.2.9", "a-2"
	held.Hits = []instance.Hit{{Rule: "preamble.executable"}}
	r.Record(held)
	r.Decided(control.Held{Record: held}, control.Decide{Number: 101, Action: "destroy", User: "biomed", Reason: "Petra"})
	r.Dropped(control.Drop{Destination: "old-pacs", User: "engineer", Reason: "Petra"}, control.Dropped{Deliveries: 212})
	r.Association(control.Association{ID: "a-1", Ended: now})
	r.Association(control.Association{ID: "a-3", Ended: now, Address: "10.0.0.9", Problem: "unknown-ae", What: "nothing is bound to the AE title"})
	for n := range 1000 {
		r.Association(control.Association{ID: "a-4", Ended: now, Address: fmt.Sprintf("10.0.0.10:%d", n+1), Problem: "tls-on-plain", What: "TLS on a plain port"})
	}
	r.Web(dicomweb.Activity{Service: "qido", Level: "studies", Keys: []string{"PatientID"}, Status: 200, Sender: held.Sender})
	r.Asked(query.Asked{At: now, Sender: instance.Sender{Way: instance.DIMSE, Device: "ct-or-3", CallingAE: "CT_OR3", CalledAE: "ASEPSIS", Address: "10.0.0.1"}, SOPClass: "1.2.840.10008.5.1.4.31", Keys: []string{"ScheduledStationAETitle"}, Matches: 3})
	r.Asked(query.Asked{At: now, Sender: instance.Sender{Way: instance.DIMSE, Device: "ct-or-3", CallingAE: "CT_OR3", CalledAE: "ASEPSIS", Address: "10.0.0.1"}, SOPClass: "1.2.840.10008.5.1.4.1.2.2.1", Keys: []string{"PatientName"}, Status: 0xC000, Problem: "query-refused", Why: "no key restricts it"})
	r.Web(dicomweb.Activity{Service: "wado", Study: "1.2.3", Instances: 5, SOPClasses: []string{"1.2.840.10008.5.1.4.1.1.2"}, Status: 200, Sender: held.Sender})
	r.Web(dicomweb.Activity{Service: "wado", Status: 451, Problem: "withheld", What: "1 of 2 instances", Sender: held.Sender})
	stop()
	identitytest.Wait(t, "the last message", func() bool { return p.has("Application Stop") == 1 })
	p.mu.Lock()
	defer p.mu.Unlock()
	var got []string
	for _, m := range p.got {
		lint(t, []byte(m[strings.Index(m, "<?xml"):]))
		id := m[strings.Index(m, "<EventID csd-code=\"")+19:][:6]
		switch {
		case strings.Contains(m, `UserID="xr"`):
			id += " to xr"
		case strings.Contains(m, `UserID="ct-or-3"`):
			id += " ct"
		}
		if strings.Contains(m, `NumberOfInstances="100"`) {
			id += " 100"
		}
		if strings.Contains(m, base64.StdEncoding.EncodeToString([]byte("tls-on-plain: TLS on a plain port (999 times more)"))) {
			id += " 999 more"
		}
		if strings.Contains(m, `UserID="engineer"`) && strings.Contains(m, base64.StdEncoding.EncodeToString([]byte("deliveries given up for good by a person: 212"))) {
			id += " dropped"
		}
		if strings.Contains(m, `EventOutcomeIndicator="4"`) && id == "110112 ct" {
			id += " refused"
		}
		if strings.Contains(m, "1 of 100 instances failed") {
			id += " 1 failed"
		}
		if strings.Contains(m, "9.9.9") || strings.Contains(m, "Petra") {
			t.Errorf("this was not to be told: %s", m)
		}
		got = append(got, id)
	}
	want := map[string]int{"110100": 2, "110102 ct": 2, "110104 ct 100 1 failed": 1, "110102 to xr": 1, "110104 to xr 100": 1, "110104 ct": 2, "110103": 1, "110113": 5, "110113 999 more": 1, "110113 dropped": 1, "110112 ct": 2, "110112 ct refused": 1}
	have := map[string]int{}
	for _, g := range got {
		have[g]++
	}
	if fmt.Sprint(have) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v\n%q", have, want, got)
	}
}

func TestAQueueThatIsFullHoldsNobody(t *testing.T) {
	r := newRoom(t, quick("127.0.0.1:1"), t.TempDir(), nobody)
	for n := range uint64(queueLength + 10) {
		r.Record(record(n+1, time.Now()))
	}
	if _, lost, _, _ := r.spool.state(); lost != 10 {
		t.Errorf("%d are counted as lost", lost)
	}
}
