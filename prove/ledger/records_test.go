// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/receipt"
)

const tableRecord = `{"id":"t-1","type":"surgical-table","time":"2027-03-31T12:00:00.5Z","device":"dev-table-3","theatre":"or-3","case":"KV-4711","patient":"PID-0815","operator":"a.kowalczyk",
 "data":{"action":"position","control":"hand-control","height_mm":870,"trendelenburg_deg":-12.5,"locked":true,"sequence":17}}`

// records makes the service on a ledger that runs.
func records(t *testing.T) (*Records, *running, string) {
	t.Helper()
	dir := t.TempDir()
	l := start(t, quick(dir), Deps{})
	s := mustSalts(t, filepath.Join(dir, saltFile))
	return NewRecords(l, s, func() time.Time { return noon.Add(time.Hour) }), l, dir
}

var sender = custody.Actor{Software: "asepsis/api", User: "integration-table"}

func mustParse(t *testing.T, text string) Record {
	t.Helper()
	r, err := ParseRecord([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARecordIsProvenWithoutItsIdentifiers(t *testing.T) {
	s, l, dir := records(t)
	e, err := s.Put(t.Context(), sender, mustParse(t, tableRecord))
	if err != nil {
		t.Fatal(err)
	}
	if e2, err := s.Put(t.Context(), sender, mustParse(t, tableRecord)); err != nil || !e2.Again || e2.Index != e.Index {
		t.Errorf("again: %+v, %v", e2, err)
	}
	if _, err := s.Put(t.Context(), sender, mustParse(t, strings.Replace(tableRecord, "870", "871", 1))); !errors.Is(err, ErrConflict) {
		t.Errorf("other content: %v", err)
	}
	second := mustParse(t, strings.NewReplacer("t-1", "t-2", "870", "880").Replace(tableRecord))
	if _, err := s.Put(t.Context(), sender, second); err != nil {
		t.Fatal(err)
	}
	c, err := s.Case("KV-4711")
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Find(t.Context(), Query{Case: c, Limit: 10})
	if err != nil || len(got) != 2 || got[0].Statement.Predicate.Case.Sequence != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	published(t, l.Reader, 2)
	file, err := l.Receipt(t.Context(), e.Index, Published)
	if err != nil {
		t.Fatal(err)
	}
	l.stop()
	// No identifier is in any file, nor in the receipt.
	secret := []string{"KV-4711", "PID-0815", "kowalczyk"}
	for _, x := range secret {
		if strings.Contains(string(file), x) {
			t.Errorf("%s is in the receipt", x)
		}
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, x := range secret {
			if strings.Contains(string(b), x) {
				t.Errorf("%s is in %s", x, path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// With the salt its meaning can be shown; when that is erased, never again, and the
	// receipt is as good as before.
	salt, err := s.salts.Salt(CaseHolder("KV-4711"), "patient")
	if err != nil || !e.Statement.Predicate.Commitments["patient"].Opens(salt, "PID-0815") {
		t.Errorf("the patient's commitment does not open: %v", err)
	}
	if done, err := s.Erase("KV-4711"); !done || err != nil {
		t.Errorf("erase: %v, %v", done, err)
	}
	if _, err := s.Case("KV-4711"); !errors.Is(err, ErrErased) {
		t.Errorf("after erasing: %v", err)
	}
	if _, err := receipt.Verify(file, l.Trust(), receipt.Options{}); err != nil {
		t.Errorf("after erasing: %v", err)
	}
	if r := mustFsck(t, dir); len(r.Problems) > 0 {
		t.Errorf("after erasing: %+v", r.Problems)
	}
}

func TestABadRecordIsRefusedWithoutItsValues(t *testing.T) {
	s, l, _ := records(t)
	replace := func(old, now string) string {
		out := strings.Replace(tableRecord, old, now, 1)
		if out == tableRecord {
			t.Fatalf("%q is not there", old)
		}
		return out
	}
	for name, c := range map[string]struct{ in, want string }{
		"no JSON":              {`{"id":`, "ends too soon"},
		"something behind":     {tableRecord + "{}", "something follows it"},
		"an unknown member":    {replace(`"id"`, `"name":"x","id"`), `there is no member "name"`},
		"a number as ID":       {replace(`"t-1"`, `7`), "id: number where string belongs"},
		"no ID":                {replace(`"id":"t-1",`, ``), "id is missing"},
		"no device":            {replace(`"device":"dev-table-3",`, ``), "device is missing"},
		"no time":              {replace(`"time":"2027-03-31T12:00:00.5Z",`, ``), "time is missing"},
		"a time that is none":  {replace(`2027-03-31T12`, `2027-13-31T12`), "a time is none"},
		"a time to come":       {replace(`2027-03-31T12`, `2027-04-02T12`), "more than a day ahead"},
		"another type":         {replace(`surgical-table`, `toaster`), "its type is none of"},
		"no action":            {replace(`"action":"position",`, ``), "detail.action is missing"},
		"another action":       {replace(`"position"`, `"dance"`), "detail.action is none of position, level"},
		"a height as text":     {replace(`870`, `"870"`), "detail.height_mm is no number"},
		"a height beyond all":  {replace(`870`, `8700`), "detail.height_mm is not within 300 to 1500 mm"},
		"half a record number": {replace(`17`, `17.5`), "detail.sequence is no whole number"},
		"a field of a robot":   {replace(`"sequence":17`, `"arm":1`), `has a member "arm" that it has no place for`},
		"a type in the data":   {replace(`"sequence":17`, `"type":"x"`), "data has a member type"},
		"a long identifier":    {replace(`PID-0815`, strings.Repeat("P", 257)), "an identifier is longer than 256 bytes"},
		"too long":             {replace(`PID-0815`, strings.Repeat("P", MaxRecord)), "more than 16384"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := ParseRecord([]byte(c.in))
			if err == nil {
				_, err = s.Put(t.Context(), sender, r)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			for _, x := range []string{"KV-4711", "PID-0815", "kowalczyk", "toaster", "dance", "8700"} {
				if strings.Contains(err.Error(), x) {
					t.Errorf("%s is in the error: %v", x, err)
				}
			}
		})
	}
	if n, err := l.Size(); n != 0 || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
}

// The published schemas say what the service does.
func TestTheSchemasAgreeWithTheService(t *testing.T) {
	s, _, _ := records(t)
	for name, c := range map[string]struct {
		kind custody.RecordType
		data string
		ok   bool
	}{
		"a table":                  {custody.TableRecord, `{"action":"level","control":"network","fault":{"code":"E-17","severity":"warning"},"duration_ms":1200}`, true},
		"a table too high":         {custody.TableRecord, `{"action":"level","height_mm":1501}`, false},
		"a table's fault, no code": {custody.TableRecord, `{"action":"fault","fault":{"severity":"warning"}}`, false},
		"a robot":                  {custody.RobotRecord, `{"action":"energy","arm":2,"instrument":{"model":"Monopolar scissors","serial":"S-1","uses_left":7},"energy":{"modality":"monopolar-cut","power_w":35,"duration_ms":800}}`, true},
		"a robot with 17 arms":     {custody.RobotRecord, `{"action":"dock","arm":17}`, false},
		"a robot in words":         {custody.RobotRecord, `{"action":"dock","arm":"one"}`, false},
		"a session":                {custody.XRRecord, `{"action":"model-loaded","session":"s-1","model":"` + strings.Repeat("ab", 32) + `","registration_error_mm":1.4,"tracking":"good","other":{"marker_set":"M3","markers":5,"sterile":true}}`, true},
		"a session, bad hash":      {custody.XRRecord, `{"action":"model-loaded","model":"xyz"}`, false},
		"a session, unknown":       {custody.XRRecord, `{"action":"start","surgeon":"x"}`, false},
		"nothing":                  {custody.XRRecord, `{}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			compiler := jsonschema.NewCompiler()
			compiler.AssertFormat()
			schema, err := json.Marshal(RecordSchema(c.kind))
			if err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schema)))
			if err != nil {
				t.Fatal(err)
			}
			if err := compiler.AddResource("record.json", doc); err != nil {
				t.Fatal(err)
			}
			compiled, err := compiler.Compile("record.json")
			if err != nil {
				t.Fatal(err)
			}
			text := `{"id":"x-1","type":"` + string(c.kind) + `","time":"2027-03-31T12:00:00Z","device":"dev-1","data":` + c.data + `}`
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			bySchema := compiled.Validate(v)
			_, byService := s.Statement(sender, mustParse(t, text))
			if (bySchema == nil) != c.ok || (byService == nil) != c.ok {
				t.Errorf("schema: %v; service: %v", bySchema, byService)
			}
		})
	}
}
