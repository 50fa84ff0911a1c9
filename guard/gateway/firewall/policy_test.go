// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/config"
)

var update = flag.Bool("update", false, "write default.yaml, the expected errors and the tables of the documentation anew")

// golden compares with a file, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what it should be; run the test with -update and read what changes", name)
	}
}

// wrap breaks a text into comment lines.
func wrap(b *strings.Builder, indent, text string) {
	row := indent + "#"
	for _, w := range strings.Fields(text) {
		if len(row)+1+len(w) > 140 {
			b.WriteString(row + "\n")
			row = indent + "#"
		}
		row += " " + w
	}
	b.WriteString(row + "\n")
}

// written is the embedded policy, made of the table.
func written() []byte {
	var b strings.Builder
	wrap(&b, "", "The policy of the content firewall, with every rule at its default. A policy of your own needs only what differs: what it does not name stays as it is here.")
	wrap(&b, "", "Verdicts: pass (goes on), flag (goes on, a person is told), sanitise (a changed copy goes on, the original is kept in quarantine), quarantine (kept until two people decide), refuse (not taken; the sender is told).")
	b.WriteString("#\n# A rule may have, besides its verdict:\n#   except: [ImageComments, \"(0029,xxxx)\"]     # elements at which it never meets\n#   overrides:                                 # the first that fits counts\n")
	b.WriteString("#     - {device: dev-0123, verdict: flag}\n#     - {theatre: or-3, case: in-progress, verdict: flag}\n#   options: {...}                             # where it has any; shown below with their defaults\n\n")
	b.WriteString("# \"enforce\" carries verdicts out; \"observe\" lowers every verdict above flag to flag.\nmode: enforce\n\nrules:\n")
	family := ""
	for i := range table {
		r := &table[i]
		if f, _, _ := strings.Cut(r.Name, "."); f != family {
			if family = f; i > 0 {
				b.WriteString("\n")
			}
		}
		wrap(&b, "  ", capital(r.Meets)+". "+r.Reason)
		fmt.Fprintf(&b, "  %s:\n    verdict: %s\n", r.Name, r.Default)
		if len(r.Options) > 0 {
			b.WriteString("    options:\n")
		}
		for _, o := range r.Options {
			switch o {
			case "max":
				fmt.Fprintf(&b, "      max: %d\n", defaultMax(rule(i)))
			case "ratio":
				b.WriteString("      ratio: 200\n")
			case "tolerance":
				fmt.Fprintf(&b, "      tolerance: %dh\n", int(defaultTolerance(rule(i)).Hours()))
			case "allow":
				b.WriteString("      allow:\n")
				for _, a := range defaultAllow(rule(i)) {
					fmt.Fprintf(&b, "        - %q\n", a)
				}
			}
		}
	}
	return []byte(b.String())
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func TestTheEmbeddedPolicyIsEveryRuleAtItsDefault(t *testing.T) {
	golden(t, "default.yaml", written())
	p, err := Parse("default.yaml", written())
	if err != nil {
		t.Fatal(err)
	}
	empty, err := Parse("empty.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range table {
		r := rule(i)
		if p.base[r] != empty.base[r] || p.base[r] != table[i].Default || p.max[r] != empty.max[r] || p.tolerance[r] != empty.tolerance[r] || !slices.Equal(p.allow[r], empty.allow[r]) {
			t.Errorf("%s in the embedded policy is not its default", table[i].Name)
		}
	}
	if p.ratio != empty.ratio || p.mode != Enforce || Default().SHA256() == "" || !bytes.Equal(Default().YAML(), DefaultYAML()) {
		t.Error("the embedded policy differs beyond its rules")
	}
}

func TestEveryRuleIsDocumentedInTheTable(t *testing.T) {
	seen := map[string]bool{}
	for i := range table {
		r := &table[i]
		family, name, ok := strings.Cut(r.Name, ".")
		if !ok || family == "" || name == "" || strings.ToLower(r.Name) != r.Name || seen[r.Name] {
			t.Errorf("rule %d has the name %q", i, r.Name)
		}
		seen[r.Name] = true
		if r.Meets == "" || r.Example == "" || !strings.HasSuffix(r.Reason, ".") || r.Status.Category().String() != "failure" {
			t.Errorf("%s lacks when it meets, why, an example or a status", r.Name)
		}
		if r.Default == instance.Sanitise {
			t.Errorf("%s sanitises by default: changing an image is for a site to decide", r.Name)
		}
		if len("refused by rule "+r.Name) > 64 {
			t.Errorf("the comment of %s is longer than LO allows", r.Name)
		}
	}
	if d := config.Undocumented(document{}); d != nil {
		t.Error(d)
	}
}

func TestBadPoliciesAreRefusedWithTheExactError(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.bad.yaml")
	if len(files) < 8 {
		t.Fatalf("only %d bad policies", len(files))
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(filepath.Base(f), b)
		var all config.Errors
		if !errors.As(err, &all) {
			t.Errorf("%s: %v", f, err)
			continue
		}
		golden(t, strings.TrimSuffix(f, ".yaml")+".err", []byte(err.Error()+"\n"))
	}
}

func TestWhatAPolicySaysIsWhatIsDone(t *testing.T) {
	text := []byte(`rules:
  text.script:
    verdict: refuse
    overrides:
      - {device: dev-1, verdict: pass}
      - {theatre: or-3, case: in-progress, verdict: flag}
      - {case: in-progress, verdict: quarantine}
      - {theatre: or-3, verdict: sanitise}
  text.markup: {verdict: pass}
`)
	p, err := Parse("site.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	if p.SHA256() != hex.EncodeToString(sum[:]) {
		t.Error("the sum is not that of the text")
	}
	for _, tt := range []struct {
		name, device, theatre string
		inCase                bool
		want                  instance.Verdict
	}{
		{"no override fits", "dev-2", "or-1", false, instance.Refuse},
		{"the first that fits counts, before the theatre", "dev-1", "or-3", true, instance.Pass},
		{"theatre and case", "dev-2", "or-3", true, instance.Flag},
		{"case in another theatre", "dev-2", "or-1", true, instance.Quarantine},
		{"theatre without case", "dev-2", "or-3", false, instance.Sanitise},
	} {
		v, ok := p.Verdict("text.script", instance.Arrival{Sender: instance.Sender{Device: tt.device, Theatre: tt.theatre}, Case: tt.inCase})
		if !ok || v != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, v, tt.want)
		}
	}
	if v, _ := p.Verdict("text.template", instance.Arrival{}); v != instance.Quarantine {
		t.Errorf("a rule that is not named is %v", v)
	}
	if _, ok := p.Verdict("text.none", instance.Arrival{}); ok {
		t.Error("a rule that does not exist has a verdict")
	}
}

func TestObserveLowersEveryVerdictToFlag(t *testing.T) {
	p, err := Parse("observe.yaml", []byte("mode: observe\n"))
	if err != nil {
		t.Fatal(err)
	}
	v := p.verdicts(&instance.Arrival{})
	for i := range v {
		if v[i] > instance.Flag || table[i].Default == instance.Pass && v[i] != instance.Pass {
			t.Errorf("%s is %v", table[i].Name, v[i])
		}
	}
}

func TestAnInspectionKeepsThePolicyThatItBeganUnder(t *testing.T) {
	f := New(Default(), Deps{})
	i := f.Begin(instance.Arrival{SOPClass: "1.2.840.10008.1.1", TransferSyntax: "1.2.840.10008.1.2.1"})
	before := f.Policy()
	p, err := Parse("lax.yaml", []byte("rules:\n  syntax.not-storage: {verdict: pass}\n  syntax.not-dicom: {verdict: pass}\n"))
	if err != nil {
		t.Fatal(err)
	}
	f.Set(p)
	if i.Policy() != before || f.Policy() != p.SHA256() || f.Current() != p {
		t.Error("the policies are mixed up")
	}
	if r := i.Finish(); r.Verdict != instance.Refuse {
		t.Errorf("the inspection went on under the new policy: %v", r.Verdict)
	}
	if r := f.Begin(instance.Arrival{SOPClass: "1.2.840.10008.1.1", TransferSyntax: "1.2.840.10008.1.2.1"}).Finish(); r.Verdict != instance.Pass {
		t.Errorf("the new policy is not in force: %v %v", r.Verdict, r.Hits)
	}
}

func TestPatternsOfAllowLists(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"SIEMENS*", "Siemens CT VA1", true}, {"SIEMENS*", "NOT SIEMENS", false}, {"*", "", true}, {"", "", true}, {"", "a", false}, {"a*b*c", "aXbYc", true}, {"a*b*c", "aXbY", false},
		{"1.2.840.113619.4.*", "1.2.840.113619.4.30", true}, {"1.2.840.113619.4.*", "1.2.840.113619.40", false}, {"a*a*a*a*b", strings.Repeat("a", 2000), false},
	} {
		if glob(tt.pattern, tt.s) != tt.want {
			t.Errorf("%q matches %.20q: want %t", tt.pattern, tt.s, tt.want)
		}
	}
}
