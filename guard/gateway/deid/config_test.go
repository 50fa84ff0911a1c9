// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/platform/config"
)

const good = `
profiles:
  research:
    options: [clean-descriptors, clean-structured-content, retain-modified-dates, retain-safe-private, clean-pixel-data]
    domain: liver-study
    patient: pseudonym
    accession: pseudonym
    shift_days: 400
    free_text: keep
    words: [elastography]
    safe_private:
      - {creator: ACME 1, group: "0029", element: "0a", vr: DS}
    unmatched: refuse
    encapsulated: drop
    stream_metadata: keep
    pixels:
      - name: banner
        modality: US
        manufacturer: "acme*"
        rows: 768
        columns: 1024
        black: [{x: 0, y: 0, width: 0, height: 60}, {x: -200, y: -40}]
      - {name: clean, modality: XA, nothing: true}
  teaching: {}
`

func load(t *testing.T, text string) (deid.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "deid.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(path, deid.Default())
}

func TestAProfileIsReadFromYAML(t *testing.T) {
	cfg, err := load(t, good)
	if err != nil {
		t.Fatal(err)
	}
	s, err := deid.New(cfg, key(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.Names(), " "); got != "research teaching" {
		t.Errorf("%s", got)
	}
	if r := cfg.Profiles["research"]; len(r.Options) != 5 || r.Pixels[0].Black[1].X != -200 || !r.Pixels[1].Nothing {
		t.Errorf("%+v", r)
	}
	_, err = s.Profile("reserch")
	var hint interface{ Hint() string }
	if err == nil || !errors.As(err, &hint) || hint.Hint() != "there is research, teaching" {
		t.Errorf("%v", err)
	}
	none, err := deid.New(deid.Default(), key(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.Profile("x"); err == nil || !errors.As(err, &hint) || hint.Hint() != "none is configured" {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeMeantIsRefused(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"an option that does not exist", "clean-descriptors,", "clean-everything,", "is no option of PS3.15 annex E"},
		{"an option that is not offered", "clean-descriptors,", "clean-recognizable-visual-features,", "faces are not removed"},
		{"two ways with dates", "retain-safe-private,", "retain-safe-private, retain-full-dates,", "exclude each other"},
		{"an option given twice", "retain-safe-private,", "retain-safe-private, retain-safe-private,", "given twice"},
		{"rules that nothing applies", ", clean-pixel-data]", "]", "rules that nothing applies"},
		{"private elements that nothing keeps", "retain-safe-private, ", "", "elements that nothing keeps"},
		{"a word of patient", "patient: pseudonym", "patient: hash", "is not known"},
		{"a shift of centuries", "shift_days: 400", "shift_days: 40000", "is not within"},
		{"an age that is removed anyway", "free_text: keep", "oldest_age: 89", "limits an age that is removed"},
		{"two words for one", "[elastography]", "[shear wave]", "is 2 words"},
		{"a public group", `group: "0029"`, `group: "0028"`, "is no private group"},
		{"an element of four digits", `element: "0a"`, `element: "100a"`, "is no element"},
		{"a VR that does not exist", "vr: DS", "vr: XX", "is no value representation"},
		{"a creator of nothing", "creator: ACME 1", `creator: ""`, "is no private creator"},
		{"a rule that does nothing", "nothing: true", "modality: XA", "given twice|already|does one of the three"},
		{"a rule that does two things", "nothing: true", "nothing: true, refuse: true", "does one of the three"},
		{"a rectangle of negative size", "height: 60", "height: -60", "is not within"},
		{"a size that no image has", "rows: 768", "rows: 70000", "is not within"},
		{"a word of what is not matched", "unmatched: refuse", "unmatched: maybe", "is not known"},
		{"a word of what streams say", "stream_metadata: keep", "stream_metadata: maybe", "is not known"},
		{"an unknown field", "free_text: keep", "freetext: keep", "freetext"},
	} {
		text := strings.Replace(good, tt.old, tt.new, 1)
		if text == good {
			t.Fatalf("%s changes nothing", tt.name)
		}
		_, err := load(t, text)
		ok := false
		for want := range strings.SplitSeq(tt.want, "|") {
			ok = ok || err != nil && strings.Contains(err.Error(), want)
		}
		if !ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestNewValidatesWhatDidNotComeFromAFile(t *testing.T) {
	for name, p := range map[string]deid.Profile{
		"an option": {Options: []deid.Option{"x"}}, "a rule": {Options: []deid.Option{deid.CleanPixelData}, Pixels: []deid.PixelRule{{}}},
		"a rectangle":       {Options: []deid.Option{deid.CleanPixelData}, Pixels: []deid.PixelRule{{Black: []deid.Region{{X: 1 << 20}}}}},
		"a private element": {Options: []deid.Option{deid.RetainSafePrivate}, SafePrivate: []deid.SafePrivate{{}}}, "a word": {Patient: "x"},
	} {
		if _, err := deid.New(deid.Config{Profiles: map[string]deid.Profile{"p": p}}, key(t)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
