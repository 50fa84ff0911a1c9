// SPDX-License-Identifier: Apache-2.0

package suppress_test

import (
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/suppress"
)

func window(t *testing.T, change func(*suppress.Window)) suppress.Window {
	t.Helper()
	w := suppress.Window{Name: "Service", Theatres: []string{"OR-3"}, Effect: suppress.Hide, Repeat: suppress.Daily, From: "2026-01-01", At: "22:00", Minutes: 120, Zone: "Europe/Zurich", Owner: "ada", Reason: "updates"}
	change(&w)
	if err := w.Prepare(); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWindowsCoverWhatTheClockOnTheWallSays(t *testing.T) {
	at := func(text string) int64 {
		x, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return x.UnixNano()
	}
	for _, tt := range []struct {
		name   string
		change func(*suppress.Window)
		in     []string
		out    []string
	}{
		{"daily, over midnight", func(w *suppress.Window) { w.At, w.Minutes = "23:00", 120 }, []string{"2026-02-10T23:00:00+01:00", "2026-02-11T00:59:59+01:00"}, []string{"2026-02-11T01:00:00+01:00", "2026-02-10T22:59:59+01:00"}},
		{"once", func(w *suppress.Window) { w.Repeat, w.From = suppress.Once, "2026-03-02" }, []string{"2026-03-02T22:30:00+01:00"}, []string{"2026-03-03T22:30:00+01:00"}},
		{"weekly on Tuesday and Thursday", func(w *suppress.Window) { w.Repeat, w.Weekdays = suppress.Weekly, []time.Weekday{2, 4} }, []string{"2026-03-03T22:30:00+01:00", "2026-03-05T22:30:00+01:00"}, []string{"2026-03-04T22:30:00+01:00"}},
		{"the third Tuesday of a month", func(w *suppress.Window) { w.Repeat, w.Weekdays, w.Nth = suppress.Monthly, []time.Weekday{2}, 3 }, []string{"2026-03-17T22:30:00+01:00"}, []string{"2026-03-10T22:30:00+01:00", "2026-03-24T22:30:00+01:00"}},
		{"the last Friday of a month", func(w *suppress.Window) { w.Repeat, w.Weekdays, w.Nth = suppress.Monthly, []time.Weekday{5}, -1 }, []string{"2026-03-27T22:30:00+01:00"}, []string{"2026-03-20T22:30:00+01:00"}},
		{"a time that is skipped in spring begins when the clock goes on", func(w *suppress.Window) { w.At, w.Minutes = "02:30", 60 }, []string{"2026-03-29T03:00:00+02:00", "2026-03-29T03:59:59+02:00"}, []string{"2026-03-29T01:59:59+01:00", "2026-03-29T04:00:00+02:00"}},
		{"of a time that comes twice in autumn the first counts", func(w *suppress.Window) { w.At, w.Minutes = "02:30", 60 }, []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:29:59+01:00"}, []string{"2026-10-25T02:30:00+01:00"}},
		{"no longer than until", func(w *suppress.Window) { w.Until = "2026-02-01" }, []string{"2026-02-01T22:30:00+01:00"}, []string{"2026-02-02T22:30:00+01:00"}},
	} {
		w := window(t, tt.change)
		for _, x := range tt.in {
			if !w.Covers(at(x)) {
				t.Errorf("%s: %s is not in it", tt.name, x)
			}
		}
		for _, x := range tt.out {
			if w.Covers(at(x)) {
				t.Errorf("%s: %s is in it", tt.name, x)
			}
		}
	}
}

func TestMaintenanceNeverHidesALifeCriticalFindingDuringACase(t *testing.T) {
	w := window(t, func(w *suppress.Window) { w.At, w.Minutes = "00:00", 1440 })
	set, broken := suppress.NewSet(nil, nil, []suppress.Window{w})
	if len(broken) > 0 {
		t.Fatal(broken)
	}
	c := suppress.Case{Rule: "stream.stalled", Theatre: "OR-3", Time: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC).UnixNano(), Safety: true, State: theatre.Idle}
	if v := set.Check(&c); v.Maintenance == "" && v.Hidden == "" && v.Why == "" {
		t.Error("maintenance of an idle room hides nothing")
	}
	c.State = theatre.InCase
	if v := set.Check(&c); v.Why != "" {
		t.Errorf("during a case: %+v", v)
	}
}

func TestASuppressionNeedsAnEndAnOwnerAndAReason(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC).UnixNano()
	day := int64(24 * time.Hour)
	good := suppress.Suppression{ID: "s", Rules: []string{"dicom.*"}, Owner: "ada", Reason: "known", Expires: now + day}
	if err := good.Check(now, nil); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*suppress.Suppression){
		"rules":   func(s *suppress.Suppression) { s.Rules = nil },
		"owner":   func(s *suppress.Suppression) { s.Owner = " " },
		"reason":  func(s *suppress.Suppression) { s.Reason = "" },
		"expires": func(s *suppress.Suppression) { s.Expires = now + 366*day },
	} {
		s := good
		change(&s)
		err, ok := s.Check(now, nil).(*suppress.Invalid) //nolint:errorlint // it is returned as it is
		if !ok || err.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	set, _ := suppress.NewSet(nil, []suppress.Suppression{good}, nil)
	if v := set.Check(&suppress.Case{Rule: "dicom.echo", Time: now}); v.Hidden != "s" {
		t.Errorf("it does not hide: %+v", v)
	}
	if v := set.Check(&suppress.Case{Rule: "dicom.echo", Time: now + day}); v.Hidden != "" {
		t.Errorf("it hides after its end: %+v", v)
	}
	if v := set.Check(&suppress.Case{Rule: "hl7.nak", Time: now}); v.Hidden != "" {
		t.Errorf("it hides another family: %+v", v)
	}
}
