// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/respond/api"
)

func TestOperationRecordsAreKeptOnceAndNameNobody(t *testing.T) {
	h := newProving(t)
	s := newSchemas(t)
	rec := map[string]any{"id": "table-7/1", "type": "surgical-table", "device": "table-7", "theatre": "OR-3", "case": "CASE-4711", "patient": "DOE^JANE", "operator": "nurse-2",
		"data": map[string]any{"action": "position", "height_mm": 870, "tilt_deg": -5}}
	with := func(k string, v any) map[string]any {
		m := maps.Clone(rec)
		m[k] = v
		return m
	}
	first := h.admin.do("POST", "/records", rec)
	s.hold("RecordAnswer", false, first.body, "POST /records")
	a := read[api.RecordAnswer](t, first, http.StatusCreated)
	if a.Entry.Case == nil || a.Entry.Case.Sequence != 1 || first.head.Get("Location")+"/receipt" != a.Receipt {
		t.Errorf("the answer is %+v at %s", a, first.head.Get("Location"))
	}
	for _, secret := range []string{"CASE-4711", "DOE", "nurse-2"} {
		if strings.Contains(string(first.body), secret) || strings.Contains(h.log.String(), secret) {
			t.Errorf("%s is in the answer or in the log", secret)
		}
	}
	rec["time"] = a.Entry.Time
	if b := read[api.RecordAnswer](t, h.admin.do("POST", "/records", with("time", a.Entry.Time)), http.StatusOK); b.Entry.Index != a.Entry.Index {
		t.Errorf("sent again it is entry %d, was %d", b.Entry.Index, a.Entry.Index)
	}
	for name, tt := range map[string]struct {
		body   any
		status int
		says   string
	}{
		"another record under the same ID": {with("reason", "other"), 409, "already"},
		"a value out of range":             {with("data", map[string]any{"action": "position", "height_mm": 9000}), 400, "height_mm"},
		"an unknown type":                  {with("type", "toaster"), 400, "type"},
		"an unknown member":                {with("colour", "red"), 400, "colour"},
		"no device":                        {with("device", ""), 400, "device"},
		"a time far ahead":                 {with("time", "2199-01-01T00:00:00Z"), 400, "clock"},
		"one that is too large":            {with("reason", strings.Repeat("x", 20<<10)), 413, ""},
	} {
		got := h.admin.do("POST", "/records", tt.body)
		if got.status != tt.status || !strings.Contains(string(got.body), tt.says) {
			t.Errorf("%s: %s, want %d with %q", name, got, tt.status, tt.says)
		}
		s.hold("Problem", false, got.body, name)
	}

	// The case is found by its identifier, until that is erased.
	found := h.admin.do("POST", "/ledger/cases/find", map[string]any{"case": "CASE-4711"})
	s.hold("LedgerFoundCase", false, found.body, "find")
	c := read[api.LedgerFoundCase](t, found, 200).Case
	if l := get[api.LedgerEntries](h.admin, "/ledger/entries?case="+c); len(l.Entries) != 1 || l.Entries[0].Index != a.Entry.Index {
		t.Errorf("of the case there is %+v", l.Entries)
	}
	if x := h.admin.do("POST", "/ledger/cases/find", map[string]any{"case": "CASE-0000"}); x.status != 404 {
		t.Errorf("of another case: %s", x)
	}
	for i, want := range []int{204, 404} {
		if x := h.admin.do("POST", "/ledger/cases/erase", map[string]any{"case": "CASE-4711"}); x.status != want {
			t.Errorf("erased, time %d: %s, want %d", i+1, x, want)
		}
	}
	if x := h.admin.do("POST", "/ledger/cases/find", map[string]any{"case": "CASE-4711"}); x.status != 404 {
		t.Errorf("after it was erased: %s", x)
	}
	if l := get[api.LedgerEntries](h.admin, "/ledger/entries?case="+c); len(l.Entries) != 1 {
		t.Errorf("the entries are gone with the salt: %+v", l)
	}
}

// records is the service on a ledger, with salts of its own.
func records(t *testing.T, l *ledger.Ledger) *ledger.Records {
	t.Helper()
	s, err := ledger.OpenSalts(filepath.Join(t.TempDir(), "salts"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return ledger.NewRecords(l, s, nil)
}
