// SPDX-License-Identifier: Apache-2.0

package advisory_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/asepsis/asepsis/knowledge"
	"github.com/asepsis/asepsis/see/advisory"
	"github.com/asepsis/asepsis/see/advisory/csaf"
)

// originals is where the files are that the shipped index was made from.
const originals = "../../../shared/knowledge"

func TestTheShippedIndexIsWhatTheScriptMakesOfTheOriginals(t *testing.T) {
	if _, err := os.Stat(filepath.Join(originals, "csaf-icsma")); err != nil {
		t.Skip("the advisories are not at hand (../shared/knowledge/csaf-icsma)")
	}
	packed, x, err := advisory.Ship(originals)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(packed, knowledge.Index()) {
		t.Error("knowledge/index.json.gz is not what go run ./scripts/gen-knowledge makes of the originals")
	}
	b := advisory.NewBase(x)
	for _, e := range b.NotUnderstood() {
		t.Logf("not understood: %s: %s: %s", e.Advisory.ID, e.Advisory.Products[e.Place].Text, e.Why)
	}
	// The bound is part of the promise: 3 in a hundred at most.
	if n, all := len(b.NotUnderstood()), len(b.Entries); len(x.Advisories) != 144 || all != 607 || n*100 > 3*all {
		t.Errorf("%d advisories with %d product entries, %d of them not understood", len(x.Advisories), all, n)
	}
	for i := range b.Entries {
		if e := &b.Entries[i]; e.Understood() && (e.Versions.Empty() || len(e.Makers) == 0 || len(e.Name.Names) == 0 || e.Versions.String() == "") {
			t.Errorf("%s: %s is understood and says nothing", e.Advisory.ID, e.Advisory.Products[e.Place].Text)
		}
	}
}

func TestEveryProductEntryOfTheOriginalsIsKept(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(originals, "csaf-icsma", "*.json"))
	if len(files) == 0 {
		t.Skip("the advisories are not at hand (../shared/knowledge/csaf-icsma)")
	}
	b := shippedBase(t)
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		d, err := csaf.Read(data)
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		a, ok := b.Advisory(d.Document.Tracking.ID)
		if !ok || len(a.Products) != len(d.Entries()) || len(a.Vulnerabilities) != len(d.Vulnerabilities) {
			t.Errorf("%s: %d products and %d vulnerabilities, in the index %+v", f, len(d.Entries()), len(d.Vulnerabilities), a)
		}
	}
}

func TestAnIndexSurvivesPackingAndIsTheSameEachTime(t *testing.T) {
	x, print := advisory.Shipped()
	a, err := x.Encode()
	if err != nil || advisory.Fingerprint(a) != print {
		t.Errorf("packed again it is %s, was %s: %v", advisory.Fingerprint(a), print, err)
	}
	y, err := advisory.Decode(a)
	if err != nil || len(y.Advisories) != len(x.Advisories) || y.CVEs() != x.CVEs() || len(y.KEV.CVEs) != len(x.KEV.CVEs) {
		t.Errorf("unpacked it is another: %v", err)
	}
	for name, bad := range map[string][]byte{"nothing": nil, "no gzip": []byte("hello"), "cut": a[:len(a)/2]} {
		if _, err := advisory.Decode(bad); err == nil {
			t.Errorf("%s was unpacked", name)
		}
	}
}

func TestInstallingRefusesWhatIsOlderAndSaysWhatChanged(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	own, print := advisory.Shipped()
	if _, got, updated, err := advisory.Installed(dir); err != nil || updated || got != print {
		t.Fatalf("in an empty directory: %s, %t, %v", got, updated, err)
	}
	fresh := func() *advisory.Index {
		packed, err := own.Encode()
		if err != nil {
			t.Fatal(err)
		}
		x, err := advisory.Decode(packed)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	older := fresh()
	older.Advisories = older.Advisories[:10]
	var hint interface{ Hint() string }
	if _, err := advisory.Install(dir, older, false, now); !errors.Is(err, advisory.ErrOlder) || !errors.As(err, &hint) {
		t.Errorf("an older one: %v", err)
	}
	if _, err := os.Stat(advisory.File(dir)); err == nil {
		t.Error("a refused index was written")
	}
	newer := fresh()
	newer.Advisories[0].Updated, newer.Advisories[0].Revision = "2026-02-01T00:00:00Z", "99"
	newer.Advisories = append(newer.Advisories[:5], newer.Advisories[6:]...)
	newer.Advisories = append(newer.Advisories, advisory.Advisory{ID: "NEW-1", Updated: "2026-02-02T00:00:00Z"})
	newer.KEV = advisory.KEV{}
	diff, err := advisory.Install(dir, newer, false, now)
	if err != nil || len(diff.Added) != 1 || len(diff.Changed) != 1 || len(diff.Removed) != 1 || diff.KEV != 0 {
		t.Fatalf("%+v, %v", diff, err)
	}
	x, got, updated, err := advisory.Installed(dir)
	if err != nil || !updated || got == print || len(x.KEV.CVEs) != len(own.KEV.CVEs) {
		t.Errorf("installed: %t, %v; without a catalogue the one that was there stays: %d", updated, err, len(x.KEV.CVEs))
	}
	if _, err := advisory.Install(dir, older, true, now); err != nil {
		t.Errorf("an older one on purpose: %v", err)
	}
	if x, _, updated, err := advisory.Installed(dir); err != nil || !updated || !x.Pinned || len(x.Advisories) != 10 {
		t.Errorf("an older one on purpose does not count: %v", err)
	}
	if err := os.WriteFile(advisory.File(dir), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := advisory.Installed(dir); err == nil || !errors.As(err, &hint) {
		t.Errorf("a broken file: %v", err)
	}
	if st, err := os.ReadDir(filepath.Dir(advisory.File(dir))); err != nil || len(st) != 1 {
		t.Errorf("files are left over: %v", st)
	}
}

func TestTheKEVCatalogueIsReadOrRefused(t *testing.T) {
	good := `{"catalogVersion":"2026.01.01","dateReleased":"2026-01-01T00:00:00Z","vulnerabilities":[{"cveID":"CVE-2026-1","dateAdded":"2026-01-01","dueDate":"2026-02-01","knownRansomwareCampaignUse":"Known"}]}`
	k, err := advisory.ReadKEV([]byte(good))
	if err != nil || !k.CVEs["CVE-2026-1"].Ransomware || k.CVEs["CVE-2026-1"].Due != "2026-02-01" {
		t.Errorf("%+v, %v", k, err)
	}
	for _, bad := range []string{"", "{}", `{"catalogVersion":"1","dateReleased":"2026-01-01T00:00:00Z","vulnerabilities":[{"cveID":"X"}]}`,
		`{"catalogVersion":"1","dateReleased":"2026-01-01T00:00:00Z","vulnerabilities":[{"cveID":"CVE-2026-1","dueDate":"soon"}]}`} {
		if _, err := advisory.ReadKEV([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func FuzzReadImport(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) < 6 {
		f.Fatal("the fixtures are missing")
	}
	for _, name := range files {
		f.Add(fixture(f, filepath.Base(name)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := advisory.ReadImport("f", data, advisory.Scope{Device: "d"})
		if err != nil {
			return
		}
		if x.ID == "" || x.Kind == "" {
			t.Errorf("%+v", x)
		}
		if x.Advisory != nil {
			b := advisory.NewBase(&advisory.Index{}, *x.Advisory)
			advisory.NewMatcher(b).Device(dev("Example Medical", "VitalView 500", "2.0"))
		}
		if _, err := advisory.ImportWrite(x); err != nil {
			t.Error(err)
		}
	})
}
