// SPDX-License-Identifier: Apache-2.0

package standing_test

import (
	"path/filepath"
	"testing"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/standing"
	"github.com/asepsis/asepsis/platform/store/sqlite"
)

func matter(rule, key string, s finding.Severity) standing.Matter {
	return standing.Matter{Finding: finding.Finding{Rule: rule, Severity: s, Title: key, Devices: []string{}, Attack: []string{}, Evidence: []string{}}, Key: key}
}

func TestTheLastListCountsAndTheSameAgainIsNotWritten(t *testing.T) {
	ctx := t.Context()
	st, err := sqlite.Open(ctx, sqlite.Config{Dir: filepath.Join(t.TempDir(), "store")}, sqlite.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	put := func(m ...standing.Matter) []standing.List {
		t.Helper()
		if err := standing.Put(ctx, st, "identity", m); err != nil {
			t.Fatal(err)
		}
		all, err := standing.All(ctx, st)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := put(); len(all) != 0 {
		t.Errorf("nothing was to be said, and there is %+v", all)
	}
	a, b := matter("identity.expired", "a", finding.Medium), matter("identity.expired", "b", finding.High)
	first := put(a, b)
	if len(first) != 1 || len(first[0].Matters) != 2 || first[0].Matters[0].Key != "b" {
		t.Fatalf("want the worse one first, there is %+v", first)
	}
	if again := put(b, a); again[0].Revision() != first[0].Revision() {
		t.Error("the same list in another order was written again")
	}
	if less := put(a); len(less[0].Matters) != 1 || less[0].Revision() == first[0].Revision() {
		t.Errorf("a matter that is over is still there: %+v", less)
	}
	if none := put(); len(none) != 1 || len(none[0].Matters) != 0 {
		t.Errorf("all is over, and there is %+v", none)
	}
	if err := standing.Put(ctx, st, "ledger", []standing.Matter{a}); err == nil {
		t.Error("a family may say what is another's")
	}
}

func TestTheWorstMattersAreKept(t *testing.T) {
	ctx := t.Context()
	st, err := sqlite.Open(ctx, sqlite.Config{Dir: filepath.Join(t.TempDir(), "store")}, sqlite.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	var many []standing.Matter
	for i := range standing.MaxMatters {
		many = append(many, matter("x.low", string(rune('a'+i%26))+string(rune('0'+i/26)), finding.Low))
	}
	many = append(many, matter("x.high", "worst", finding.High))
	if err := standing.Put(ctx, st, "x", many); err != nil {
		t.Fatal(err)
	}
	all, err := standing.All(ctx, st)
	if err != nil || len(all[0].Matters) != standing.MaxMatters || all[0].Matters[0].Key != "worst" {
		t.Errorf("%v: %d matters are kept, the first is %s", err, len(all[0].Matters), all[0].Matters[0].Key)
	}
}
