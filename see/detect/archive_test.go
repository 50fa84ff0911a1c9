// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// kept writes a finding that was last changed some time ago.
func kept(t *testing.T, st store.Store, key string, generation int, state finding.State, ago time.Duration) string {
	t.Helper()
	d := alert.New(key)
	d.Generation, d.Alert.ID = generation, alert.ID(key, generation)
	at := time.Now().Add(-ago).UnixNano()
	d.Apply(&alert.Occurrence{Rule: &rule.Rule{ID: "dicom.test", Family: "dicom", Version: 1}, Group: key, Time: at, Severity: finding.Medium, Title: "Something"})
	d.Alert.Triage.State, d.Alert.Triage.Changed = state, at
	body, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Commit(t.Context(), []store.Write{{Kind: alert.Kind, ID: d.Alert.ID, Body: body}}); err != nil {
		t.Fatal(err)
	}
	return d.Alert.ID
}

const days = 24 * time.Hour

func TestFindingsThatWereClosedLongAgoGoAndOpenOnesNever(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	appendAll(t, st, echoes(t, 3), 0)
	gone := kept(t, st, "aaaa", 0, finding.Closed, 181*days)
	later := kept(t, st, "aaaa", 1, finding.Closed, 10*days)
	if err := st.Commit(t.Context(), []store.Write{{Kind: alert.Kind, ID: "0000", Body: []byte("{damaged")}}); err != nil {
		t.Fatal(err) // one that cannot be read stops nothing
	}
	open := kept(t, st, "bbbb", 0, finding.Open, 400*days)
	recent := kept(t, st, "cccc", 0, finding.Closed, 179*days)
	// Findings about the events come beside them: a group whose first finding went goes on with the next.
	key := alert.Key("dicom.echo", "10.0.0.1\x1f10.0.0.99")
	kept(t, st, key, 0, finding.Closed, 200*days)
	kept(t, st, key, 1, finding.Closed, 100*days)
	listening(t, st, &listener{}, func() bool {
		_, err := st.Document(t.Context(), alert.Kind, gone)
		next, late := st.Document(t.Context(), alert.Kind, alert.ID(key, 2))
		return errors.Is(err, store.ErrNotFound) && late == nil && next.Revision > 0
	})
	if err := st.Commit(t.Context(), []store.Write{{Kind: alert.Kind, ID: "0000", Expect: store.AnyRevision, Delete: true}}); err != nil {
		t.Fatal(err)
	}
	a := alerts(t, st)
	for _, id := range []string{later, open, recent} {
		if _, there := a[id]; !there {
			t.Errorf("%s was removed", id)
		}
	}
	if next, there := a[alert.ID(key, 2)]; !there || next.Previous != alert.ID(key, 1) {
		t.Errorf("the third of a group is %+v", next)
	}
	trail, err := st.AuditTrail(t.Context(), store.AuditQuery{Limit: 10})
	if err != nil || len(trail) != 1 || trail[0].Action != "finding.archive" {
		t.Errorf("the audit trail has %+v, %v", trail, err)
	}
}

func TestWhereThereAreTooManyFindingsTheLongestClosedGoFirst(t *testing.T) {
	now := time.Now()
	row := func(id string, state finding.State, ago time.Duration) *alert.Row {
		r := &alert.Row{}
		r.ID, r.Last, r.Triage = id, now.Add(-ago).UnixNano(), finding.Triage{State: state, Changed: now.Add(-ago).UnixNano()}
		return r
	}
	rows := []*alert.Row{
		row("open", finding.Open, 900*days), row("acknowledged", finding.Acknowledged, 900*days), row("old", finding.Closed, 200*days),
		row("b", finding.Closed, 20*days), row("a", finding.Closed, 30*days), row("c", finding.Closed, 10*days), row("today", finding.Closed, time.Hour),
	}
	for _, c := range []struct {
		most       int
		old, early string
	}{{10, "[old]", "[]"}, {6, "[old]", "[]"}, {5, "[old]", "[a]"}, {4, "[old]", "[a b]"}, {1, "[old]", "[a b c]"}} {
		old, early := detect.Archivable(rows, now, 180*days, c.most)
		names := func(l []*alert.Row) string {
			out := []string{}
			for _, r := range l {
				out = append(out, r.ID)
			}
			return fmt.Sprint(out)
		}
		if names(old) != c.old || names(early) != c.early {
			t.Errorf("of at most %d go %s and %s, want %s and %s", c.most, names(old), names(early), c.old, c.early)
		}
	}
}
