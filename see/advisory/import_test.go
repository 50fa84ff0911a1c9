// SPDX-License-Identifier: Apache-2.0

package advisory_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/see/advisory"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFilesAreImportedForWhatTheySayTheyAreAbout(t *testing.T) {
	for _, tt := range []struct {
		file, kind           string
		components, answers  int
		vulnerabilities      int
		vendor, model, title string
	}{
		{"sbom.cdx.json", advisory.ImportCycloneDX, 3, 0, 2, "Example Medical", "VitalView 500", "VitalView 500 3.4.1"},
		{"sbom.cdx.xml", advisory.ImportCycloneDX, 1, 0, 1, "Example Medical", "VitalView 500", "VitalView 500 3.4.1"},
		{"sbom.spdx.json", advisory.ImportSPDX, 1, 0, 0, "Example Medical", "VitalView 500", "VitalView 500 3.4.1"},
		{"sbom.spdx", advisory.ImportSPDX, 1, 0, 0, "Example Medical", "VitalView 500", "VitalView 500 3.4.1"},
		{"mds2.csv", advisory.ImportMDS2, 0, 5, 0, "Example Medical", "VitalView 500", "MDS2 Example Medical VitalView 500"},
		{"mds2.json", advisory.ImportMDS2, 0, 4, 0, "Example Medical", "VitalView 500", "MDS2 Example Medical VitalView 500"},
		{"advisory.csaf.json", advisory.ImportCSAF, 0, 0, 1, "", "", "Example Medical VitalView clear-text credentials"},
	} {
		t.Run(tt.file, func(t *testing.T) {
			x, err := advisory.ReadImport("/some/where/"+tt.file, fixture(t, tt.file), advisory.Scope{})
			if err != nil {
				t.Fatal(err)
			}
			if x.Kind != tt.kind || x.Vendor != tt.vendor || x.Model != tt.model || x.Title != tt.title || x.File != tt.file {
				t.Errorf("got %s about %q %q, titled %q, of %s", x.Kind, x.Vendor, x.Model, x.Title, x.File)
			}
			if x.SBOM != nil && len(x.SBOM.Components) != tt.components {
				t.Errorf("%d components, want %d: %+v", len(x.SBOM.Components), tt.components, x.SBOM.Components)
			}
			if x.MDS2 != nil && len(x.MDS2.Answers) != tt.answers {
				t.Errorf("%d answers, want %d", len(x.MDS2.Answers), tt.answers)
			}
			if x.Advisory == nil && tt.vulnerabilities > 0 || x.Advisory != nil && len(x.Advisory.Vulnerabilities) != tt.vulnerabilities {
				t.Errorf("vulnerabilities: %+v, want %d", x.Advisory, tt.vulnerabilities)
			}
		})
	}
}

func TestAFileThatIsWrongIsNamedWithThePlaceAndWhatToDo(t *testing.T) {
	good := string(fixture(t, "advisory.csaf.json"))
	for _, tt := range []struct{ name, data, where string }{
		{"nothing", "", "neither CSAF"},
		{"something else", `{"hello": "world"}`, "neither CSAF"},
		{"CSAF cut in the middle", good[:len(good)/2], "line "},
		{"CSAF of another version", strings.Replace(good, `"csaf_version": "2.0"`, `"csaf_version": "1.2"`, 1), "/document/csaf_version"},
		{"CSAF with a product twice", strings.Replace(good, `"product_id": "P2"`, `"product_id": "P1"`, 1), "/product_tree/branches/0/branches/0/branches/1/product/product_id"},
		{"CSAF that names a product that is not there", strings.Replace(good, `"known_affected": [`+"\n     \"P1\"", `"known_affected": [`+"\n     \"P9\"", 1), "/vulnerabilities/0/product_status/known_affected"},
		{"CSAF with a score that cannot be", strings.Replace(good, "8.1,", "81,", 1), "/vulnerabilities/0/scores/0"},
		{"CSAF with a CVE that is none", strings.Replace(good, "CVE-2026-10001", "CVE-26-1", 1), "/vulnerabilities/0/cve"},
		{"CSAF without an ID", strings.Replace(good, `"id": "EMSA-2026-001"`, `"id": ""`, 1), "/document/tracking/id"},
		{"CSAF nested without end", `{"csaf_version":` + strings.Repeat("[", 1000), "nested"},
		{"CycloneDX without components", `{"bomFormat":"CycloneDX","specVersion":"1.5","version":1}`, "/components"},
		{"CycloneDX that names a component that is not there", strings.Replace(string(fixture(t, "sbom.cdx.json")), `"ref": "c2"`, `"ref": "c9"`, 1), "/vulnerabilities/0/affects"},
		{"SPDX of version 3", `{"spdxVersion":"SPDX-3.0","packages":[]}`, "/spdxVersion"},
		{"SPDX with a line that is no tag", "SPDXVersion: SPDX-2.3\nhello\n", "line 2"},
		{"SPDX with a text that never ends", "SPDXVersion: SPDX-2.3\nPackageName: a\nPackageComment: <text>x\n", "line 3"},
		{"MDS2 with two answers to one question", "MPII-1,,Yes\nMPII-2,,No\nMPII-3,,No\nMPII-1,,No\n", "line 4"},
		{"MDS2 that does not say what it is about", "MPII-1,,Yes\nMPII-2,,No\nMPII-3,,No\n", "does not say what it is about"},
		{"the KEV catalogue", `{"catalogVersion":"1","vulnerabilities":[]}`, "KEV"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := advisory.ReadImport("the-file.json", []byte(tt.data), advisory.Scope{})
			if err == nil || !strings.Contains(err.Error(), tt.where) || !strings.HasPrefix(err.Error(), "the-file.json: ") {
				t.Fatalf("got %v, want %q", err, tt.where)
			}
			var h interface{ Hint() string }
			if !errors.As(err, &h) || h.Hint() == "" {
				t.Errorf("%v says nothing of what to do", err)
			}
		})
	}
}

// TestAnSBOMMakesVerdicts follows one through: what it states itself, and a component that
// an advisory names.
func TestAnSBOMMakesVerdicts(t *testing.T) {
	x, err := advisory.ReadImport("sbom.cdx.json", fixture(t, "sbom.cdx.json"), advisory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	d := dev("Example Medical", "VitalView 500", "3.4.1")
	idx, _ := advisory.Shipped()
	shelf := advisory.Shelf{Base: advisory.NewBase(idx, *x.Advisory), Imports: []advisory.Import{x}}
	got := map[string]advisory.Match{}
	for _, m := range shelf.Verdicts(advisory.NewMatcher(shelf.Base), d) {
		got[m.Advisory] = m
	}
	own := got[x.Advisory.ID]
	if own.Verdict != advisory.Affected || len(own.CVEs) != 1 || own.CVEs[0] != "CVE-2022-37434" {
		t.Errorf("what the SBOM says itself: %+v", own)
	}
	part := got["ICSMA-22-174-01"]
	if part.Verdict != advisory.Affected || part.Part != "DCMTK 3.6.5" {
		t.Errorf("DCMTK 3.6.5 inside: %+v", part)
	}
	if l := shelf.Verdicts(advisory.NewMatcher(shelf.Base), dev("Example Medical", "VitalView 700", "3.4.1")); len(l) != 0 {
		t.Errorf("another model has %+v", l)
	}
}

func TestWhatAnAdvisorySaysOfAProductIsTaken(t *testing.T) {
	x, err := advisory.ReadImport("a.json", fixture(t, "advisory.csaf.json"), advisory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	b := advisory.NewBase(&advisory.Index{}, *x.Advisory)
	for _, tt := range []struct{ name, model, version, want string }{
		{"in the range", "VitalView 500", "2.7", "affected"},
		{"before the range", "VitalView 500", "1.9", "not-affected"},
		{"the fixed version", "VitalView 500", "3.4.1", "not-affected"},
		{"a model that is expressly not affected", "VitalView 700", "1.0", "not-affected"},
		{"a model that is being looked into", "VitalView 900", "1.3", "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := verdictOf(b, dev("Example Medical", tt.model, tt.version), "EMSA-2026-001")
			if m == nil || m.Verdict.String() != tt.want {
				t.Errorf("%s %s: %+v, want %s", tt.model, tt.version, m, tt.want)
			}
		})
	}
}

func TestADirectoryIsTakenAsAWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := advisory.GatherAll(dir, time.Now()); err == nil {
		t.Error("an empty directory was taken")
	}
	put("a.json", fixture(t, "advisory.csaf.json"))
	put("again.json", fixture(t, "advisory.csaf.json"))
	put("b.json", fixture(t, "sbom.cdx.json"))
	put("README.md", []byte("not read"))
	x, err := advisory.GatherAll(dir, time.Now())
	if err != nil || len(x.Advisories) != 1 || len(x.Imports) != 1 {
		t.Fatalf("%+v, %v", x, err)
	}
	put("c.json", []byte("{}"))
	if _, err := advisory.GatherAll(dir, time.Now()); err == nil || !strings.Contains(err.Error(), "c.json") {
		t.Errorf("a file that is nothing: %v", err)
	}
}
