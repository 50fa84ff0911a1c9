// SPDX-License-Identifier: Apache-2.0

package accesstest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/respond/access/accesstest"
)

// outcome is what a caller decides on.
func outcome(err error) error {
	for _, known := range []error{store.ErrConflict, store.ErrNotFound, store.ErrTooLarge} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

// TestMemoryBehavesAsTheStore makes the same calls, some of them wrong, on both.
func TestMemoryBehavesAsTheStore(t *testing.T) {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: t.TempDir()}, sqlite.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	memory := &accesstest.Documents{}
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	outcomes := map[string]int{}
	for step := range 600 {
		var writes []store.Write
		taken := map[string]bool{}
		for range rnd.IntN(4) {
			w := store.Write{Kind: pick("user", "token"), ID: pick("a", "b", "ä", "B"), Body: fmt.Appendf(nil, `{"n":%d}`, step), Expect: uint64(rnd.IntN(5)), Delete: rnd.IntN(4) == 0}
			if rnd.IntN(2) == 0 {
				w.Expect = store.AnyRevision
			}
			if taken[w.Kind+w.ID] {
				continue // one write of a document in a commit
			}
			taken[w.Kind+w.ID] = true
			writes = append(writes, w)
		}
		var audit []store.Audit
		for range rnd.IntN(3) {
			audit = append(audit, store.Audit{Time: int64(step+1) * 1000, Who: pick("ada", "bea"), Action: pick("user.edit", "user.create", "users", "token.create"), Object: pick("", "a"), Result: "done"})
		}
		one, two := memory.Commit(ctx, writes, audit...), db.Commit(ctx, writes, audit...)
		if outcome(one) != outcome(two) {
			t.Fatalf("step %d: commit of %+v: %v, the store %v", step, writes, one, two)
		}
		outcomes[fmt.Sprint(outcome(one))]++
		kind, id := pick("user", "token", "none"), pick("", "a", "b", "ä", "B", "c")
		d1, one := memory.Document(ctx, kind, id)
		d2, two := db.Document(ctx, kind, id)
		if id != "" && (outcome(one) != outcome(two) || d1.Revision != d2.Revision || string(d1.Body) != string(d2.Body) || d1.ID != d2.ID || d1.Kind != d2.Kind) {
			t.Fatalf("step %d: %s %q: %+v %v, the store %+v %v", step, kind, id, d1, one, d2, two)
		}
		n := 1 + rnd.IntN(4)
		l1, one := memory.DocumentsOf(ctx, kind, id, n)
		l2, two := db.DocumentsOf(ctx, kind, id, n)
		same := len(l1) == len(l2) && outcome(one) == outcome(two)
		for i := 0; same && i < len(l1); i++ {
			same = l1[i].ID == l2[i].ID && l1[i].Revision == l2[i].Revision
		}
		if !same {
			t.Fatalf("step %d: list of %s after %q: %+v %v, the store %+v %v", step, kind, id, l1, one, l2, two)
		}
		q := store.AuditQuery{Who: pick("", "", "ada"), Action: pick("", "user.", "user.edit"), Object: pick("", "a"), Before: uint64(rnd.IntN(3) * rnd.IntN(step+2)), Limit: 1 + rnd.IntN(20)}
		if rnd.IntN(3) == 0 {
			q.From, q.To = int64(rnd.IntN(step+1))*1000, int64(step)*1000
		}
		a1, one := memory.AuditTrail(ctx, q)
		a2, two := db.AuditTrail(ctx, q)
		if fmt.Sprint(a1) != fmt.Sprint(a2) && len(a1)+len(a2) > 0 || outcome(one) != outcome(two) {
			t.Fatalf("step %d: audit %+v: %+v %v, the store %+v %v", step, q, a1, one, a2, two)
		}
	}
	if outcomes["<nil>"] < 50 || outcomes[store.ErrConflict.Error()] < 50 {
		t.Errorf("one-sided: %v", outcomes)
	}
}
