// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom"
)

var update = flag.Bool("update", false, "write the table in docs/deidentification.md anew")

const (
	docsPath  = "../../../docs/deidentification.md"
	docsTable = "## Attribute by attribute\n"
)

// TestTheDocumentedTableIsTrue holds docs/deidentification.md to the data and to what is done with it.
func TestTheDocumentedTableIsTrue(t *testing.T) {
	old, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(old), docsTable)
	want := head + docsTable + conformance()
	if *update {
		if err := os.WriteFile(docsPath, []byte(want), 0o644); err != nil { //nolint:gosec // a page of documentation
			t.Fatal(err)
		}
		return
	}
	if string(old) != want {
		t.Error("docs/deidentification.md is not what the table says: run this test with -update")
	}
	for _, m := range methods {
		if !strings.Contains(head, "| `"+string(m.option)+"` | "+m.code+" |") {
			t.Errorf("docs/deidentification.md does not explain %s", m.option)
		}
	}
	for field := range strings.SplitSeq("burned_in unmatched encapsulated oldest_age free_text stream_metadata shift_days domain safe_private words pixels", " ") {
		if !strings.Contains(head, field) {
			t.Errorf("docs/deidentification.md does not explain %s", field)
		}
	}
}

// deeds are what is done, in words.
var deeds = map[deed]string{keep: "kept", remove: "removed", blank: "emptied", dummy: "dummy", mapUID: "mapped", shift: "moved", clean: "cleaned", alias: "keyed name", patient: "pseudonym", accession: "pseudonym",
	structured: "cleaned inside", keepCreator: "kept"}

// conformance is the table of every row: what the standard asks for and what is done, without options and with each that changes it.
func conformance() string {
	var b strings.Builder
	fmt.Fprintf(&b, `
PS3.15 %s, table E.1-1, %d rows. *Standard* is the action of the Basic Profile, *done* what a profile without options does. An option that is not named for an attribute does not
change it. "cleaned inside" is a sequence whose items are treated one by one with text in them cleaned; "kept" of a sequence, that they are treated one by one.

| tag | attribute | standard | done | with options |
|---|---|---|---|---|
`, Edition, len(Table()))
	plain := steps(&Profile{}, func(Option) bool { return false })
	for i := range Table() {
		r := &Table()[i]
		done := "removed"
		var with []string
		special := r.Pattern[1] == 'o' || r.Pattern[3] == 'x' || r.Tag.Group() < 8
		if !special {
			done = deeds[plain[r.Tag].do]
			if plain[r.Tag].do == keep {
				done = "references mapped"
			}
		}
		for _, o := range slices.Sorted(maps.Keys(r.Options)) {
			s := resolve(r, func(x Option) bool { return x == o })
			what := deeds[s.do]
			if s.do == shift && r.VR.String() == "TM" {
				what = "kept"
			}
			switch {
			case r.Pattern[1] == 'o':
				what = "kept where listed"
			case special:
				continue
			case (s.do == blank || s.do == dummy || s.do == remove) && what == done:
				continue
			}
			with = append(with, string(o)+": "+what)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.Pattern, r.Keyword, r.Basic, done, strings.Join(with, "; "))
	}
	b.WriteString("\n## Attributes beyond the table\n\n| tag | attribute | done | with options | why |\n|---|---|---|---|---|\n")
	for _, x := range beyond {
		with := ""
		switch x.option {
		case noOption:
		case CleanDescriptors:
			with = string(x.option) + ": cleaned"
		default:
			with = string(x.option) + ": kept"
		}
		fmt.Fprintf(&b, "| %v | %s | %s | %s | %s |\n", x.tag, dicom.Keyword(x.tag), deeds[x.action.firm()], with, x.why)
	}
	return b.String()
}

// TestWhatIsBeyondTheTableIsNotInIt keeps the two lists apart, and in order.
func TestWhatIsBeyondTheTableIsNotInIt(t *testing.T) {
	for i, x := range beyond {
		e, ok := dicom.Lookup(x.tag)
		_, listed := rowVRs()[x.tag]
		if !ok || listed || e.Keyword == "" {
			t.Errorf("%v: in the dictionary %t, in the table %t", x.tag, ok, listed)
		}
		if x.option == CleanDescriptors && !prose(e.VR) {
			t.Errorf("%v is no text", x.tag)
		}
		if i > 0 && x.tag == beyond[i-1].tag {
			t.Errorf("%v is there twice", x.tag)
		}
	}
}

// TestEverySequenceWithADummyHasATemplate: a sequence whose action is D must not become empty.
func TestEverySequenceWithADummyHasATemplate(t *testing.T) {
	used := 0
	for i := range Table() {
		r := &Table()[i]
		if r.VR.String() == "SQ" && r.Basic.firm() == dummy {
			used++
			if templates[r.Tag] == nil {
				t.Errorf("%s %s has none", r.Pattern, r.Keyword)
			}
		}
	}
	if used != len(templates) {
		t.Errorf("%d templates, %d are used", len(templates), used)
	}
}

// TestDummiesAreValid checks what is written in place of values.
func TestDummiesAreValid(t *testing.T) {
	for _, r := range Table() {
		v := dummyOf(r.VR)
		if len(v) == 0 || len(v)&1 != 0 || !plausible(r.VR, v) {
			t.Errorf("%v: %q", r.VR, v)
		}
		if _, ok := moveDates(r.VR, strings.Trim(string(v), " \x00"), 1); (r.VR.String() == "DA" || r.VR.String() == "DT" || r.VR.String() == "TM") && !ok {
			t.Errorf("%v: %q is none", r.VR, v)
		}
	}
}

func TestMovingDates(t *testing.T) {
	for _, tt := range []struct{ vr, value, want string }{
		{"DA", "20260301", "20260228"}, {"DA", "20240301", "20240229"}, {"DA", "2026.01.01", "2025.12.31"}, {"DA", "", ""}, {"DA", `20260102\20260101`, `20260101\20251231`},
		{"DA", "20261301", "!"}, {"DA", "2026", "!"}, {"DA", "SMITH", "!"}, {"DA", "00010101", "!"},
		{"DT", "20260101", "20251231"}, {"DT", "202601", "202601"}, {"DT", "2026", "2026"}, {"DT", "20260101000000.000001-0500", "20251231000000.000001-0500"}, {"DT", "2026010100", "2025123100"},
		{"DT", "20260101x", "!"}, {"DT", "20260101+1", "!"}, {"DT", "20260101000000.", "!"}, {"DT", "-0500", "!"},
		{"TM", "1011", "1011"}, {"TM", "10:11:12", "10:11:12"}, {"TM", "101112.5", "101112.5"}, {"TM", "1", "!"}, {"TM", "noon", "!"}, {"TM", "10111.2", "!"},
	} {
		vr := Table()[slices.IndexFunc(Table(), func(r Row) bool { return r.VR.String() == tt.vr })].VR
		got, ok := moveDates(vr, tt.value, 1)
		if !ok {
			got = "!"
		}
		if got != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.vr, tt.value, got, tt.want)
		}
	}
}

func TestTheVocabularyHasNoNames(t *testing.T) {
	v := builtin()
	if len(v) < 800 {
		t.Errorf("%d words", len(v))
	}
	for _, name := range strings.Fields("smith miller johnson mueller müller schmidt meier garcia lopez dubois martin mrs dr prof herr frau john anna maria peter") {
		if v[name] {
			t.Errorf("%q is in it", name)
		}
	}
}
