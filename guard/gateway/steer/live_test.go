// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/steer"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
)

func TestConversationsAreListedWhileTheyAreOpenAndForAWhileAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	l := steer.NewLive(func() time.Time { return now })
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	l.Association(control.Association{ID: "a", Listener: "dicom", Address: "192.0.2.1", Since: at(1)})
	l.Association(control.Association{ID: "b", Listener: "dicom", Address: "192.0.2.2", Since: at(2), Doing: "C-STORE"})
	l.Association(control.Association{ID: "a", Listener: "dicom", Address: "192.0.2.1", Since: at(1), Instances: 3})
	l.Association(control.Association{ID: "", Address: "192.0.2.9"})
	if n := l.Open("dicom"); n != 2 {
		t.Errorf("%d are open", n)
	}
	l.Association(control.Association{ID: "b", Listener: "dicom", Address: "192.0.2.2", Since: at(2), Ended: at(5), Doing: "C-STORE"})
	list := l.Associations()
	if len(list) != 2 || list[0].ID != "a" || list[0].Instances != 3 || list[1].ID != "b" || list[1].Doing != "" {
		t.Errorf("they are %+v", list)
	}
}

// TestOnePeerHidesNobody has one address fail a thousand times.
func TestOnePeerHidesNobody(t *testing.T) {
	l := steer.NewLive(nil)
	end := func(id, address string) {
		now := time.Now()
		l.Association(control.Association{ID: id, Address: address, Since: now, Ended: now, Problem: "unknown-ae"})
	}
	for i := range 20 {
		end(fmt.Sprint("quiet", i), fmt.Sprintf("192.0.2.%d", i))
	}
	for i := range 1000 {
		end(fmt.Sprint("loud", i), "198.51.100.7")
	}
	loud := 0
	for _, a := range l.Associations() {
		if a.Address == "198.51.100.7" {
			loud++
		}
	}
	if list := l.Associations(); loud != 40 || len(list) != 60 || list[0].ID != "loud999" {
		t.Errorf("%d of %d are of the loud one", loud, len(list))
	}
	for i := range 2 * steer.MaxEnded {
		end(fmt.Sprint("many", i), fmt.Sprintf("203.0.113.%d-%d", i%256, i))
	}
	if n := len(l.Associations()); n != steer.MaxEnded {
		t.Errorf("%d are kept", n)
	}
}

func TestCountsAreOfTheMinuteInWhichTheyWere(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 30, 0, time.UTC)
	l := steer.NewLive(func() time.Time { return now })
	came := func(v instance.Verdict, s instance.State, again bool) {
		l.Instance(instance.Arrival{}, instance.Outcome{Again: again, Record: instance.Record{Verdict: v, State: s, Bytes: 1000}})
	}
	came(instance.Pass, instance.Accepted, false)
	came(instance.Flag, instance.Accepted, false)
	came(instance.Sanitise, instance.Replaced, false)
	now = now.Add(time.Minute)
	came(instance.Quarantine, instance.Quarantined, false)
	came(instance.Quarantine, instance.Quarantined, true)
	came(instance.Refuse, instance.Refused, false)
	l.Forwarded(500)
	m := l.Minutes()
	if len(m) != 60 || m[58].Received != 3 || m[58].Bytes != 3000 || m[59].Received != 2 || m[59].Quarantined != 1 || m[59].Refused != 1 || m[59].Forwarded != 1 || m[0].Received != 0 {
		t.Errorf("the last minutes are %+v", m[57:])
	}
	if got := l.Totals(); got != (steer.Totals{Received: 5, ReceivedBytes: 5000, Forwarded: 1, ForwardedBytes: 500, Flagged: 1, Sanitised: 1, Quarantined: 1, Refused: 1}) {
		t.Errorf("the totals are %+v", got)
	}
	now = now.Add(2 * time.Hour)
	if m := l.Minutes(); m[0].Received != 0 || m[59].Received != 0 {
		t.Error("minutes of two hours ago are shown as of this one")
	}
	var none *steer.Live
	none.Association(control.Association{ID: "x"})
	none.Forwarded(1)
	if none.Associations() != nil || none.Open("x") != 0 {
		t.Error("nothing keeps something")
	}
}

func TestTheRatesAreOfTheLastMinute(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 30, 0, time.UTC)
	g, err := steertest.Open(steertest.Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for range 120 {
		g.Live.Received(instance.Pass, 500)
	}
	now = now.Add(time.Second)
	o, err := g.Overview(t.Context())
	if err != nil || o.Received.PerSecond != 2 || o.Received.Rate != 1000 || o.Forwarded.PerSecond != 0 {
		t.Errorf("the rates are %+v, %v", o.Received, err)
	}
	now = now.Add(time.Minute)
	if o, err = g.Overview(t.Context()); err != nil || o.Received.PerSecond != 0 || o.Received.Instances != 120 {
		t.Errorf("a minute later they are %+v, %v", o.Received, err)
	}
}
