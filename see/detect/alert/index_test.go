// SPDX-License-Identifier: Apache-2.0

package alert_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/see/detect/alert"
)

// names are the IDs and revisions of an index, in their order.
func names(x *alert.Index) (string, uint64) {
	rows, rev := x.Rows()
	out := ""
	for _, r := range rows {
		out += fmt.Sprintf("%s@%d ", r.ID, r.Revision())
	}
	return out, rev
}

func TestAnIndexThatFollowsChangesIsTheOneThatReadsAll(t *testing.T) {
	st, err := sqlite.Open(t.Context(), sqlite.Config{Dir: filepath.Join(t.TempDir(), "store")}, sqlite.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	follows := alert.NewIndex(st)
	dice := rand.New(rand.NewPCG(3, 4))
	for step := range 60 {
		var writes []store.Write
		var ids []string
		for range 1 + dice.IntN(4) {
			id := fmt.Sprintf("k%02d", dice.IntN(12))
			body, err := json.Marshal(alert.Document{Alert: finding.Alert{ID: id, Rule: "a.b", Severity: finding.Low}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = st.Document(t.Context(), alert.Kind, id)
			writes = append(writes, store.Write{Kind: alert.Kind, ID: id, Expect: store.AnyRevision, Body: body, Delete: err == nil && dice.IntN(3) == 0})
			ids = append(ids, id)
			if err := st.Commit(t.Context(), writes[len(writes)-1:]); err != nil {
				t.Fatal(err)
			}
		}
		before, _ := follows.Rows()
		kept := fmt.Sprint(before)
		if err := follows.Refresh(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(before) != kept {
			t.Fatalf("step %d: the rows that a reader has were changed", step)
		}
		anew := alert.NewIndex(st)
		if err := anew.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, gotRev := names(follows)
		want, wantRev := names(anew)
		if got != want || gotRev != wantRev {
			t.Fatalf("step %d: it has %s at %d, want %s at %d", step, got, gotRev, want, wantRev)
		}
	}
}
