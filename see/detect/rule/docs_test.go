// SPDX-License-Identifier: Apache-2.0

package rule_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/sigma"
	"github.com/asepsis/asepsis/see/detect/suricata"
)

var update = flag.Bool("update", false, "write docs/rules.md and docs/detections.md anew")

// TestTheDocumentationSaysWhatThereIs holds the generated parts of docs/rules.md
// and all of docs/detections.md to the code and the rules.
func TestTheDocumentationSaysWhatThereIs(t *testing.T) {
	comments := fieldComments(t, "../../../core/event", "../../../core/device")
	parts := map[string]string{
		"functions": functionTable(), "surroundings": surroundings(), "details": detailTables(comments), "sigma": sigmaTable(), "suricata": suricataTable(),
	}
	guide := "../../../docs/rules.md"
	have, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	want := string(have)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		begin, end := "<!-- generated: "+name+" -->\n", "<!-- end -->"
		before, rest, ok1 := strings.Cut(want, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok1 || !ok2 {
			t.Fatalf("docs/rules.md has no place for the generated part %q", name)
		}
		want = before + begin + parts[name] + end + after
	}
	hold(t, guide, string(have), want)

	l, err := rule.Open(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	table := "../../../docs/detections.md"
	have, err = os.ReadFile(table)
	if err != nil && !*update {
		t.Fatal(err)
	}
	hold(t, table, string(have), coverage(l))
}

func hold(t *testing.T, file, have, want string) {
	t.Helper()
	if have == want {
		return
	}
	if !*update {
		t.Errorf("%s is not what there is: go test ./see/detect/rule -run Documentation -update writes it", filepath.Base(file))
		return
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil { //nolint:gosec // documentation
		t.Fatal(err)
	}
}

// fieldComments reads what the fields' declarations say of them: "DICOMOperation.Results".
func fieldComments(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				ts, ok := n.(*ast.TypeSpec)
				if !ok {
					return true
				}
				st, ok := ts.Type.(*ast.StructType)
				if !ok {
					return true
				}
				for _, fd := range st.Fields.List {
					for _, id := range fd.Names {
						if c := strings.TrimSpace(fd.Comment.Text()); c != "" {
							out[ts.Name.Name+"."+id.Name] = strings.Join(strings.Fields(c), " ")
						}
					}
				}
				return true
			})
		}
	}
	return out
}

func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", "\\|"), "\n", " ") }

func functionTable() string {
	var b strings.Builder
	b.WriteString("\n| function | result |\n|---|---|\n")
	for _, f := range expr.Functions() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", cell(f.Call), cell(f.Doc))
	}
	b.WriteString("\n")
	return b.String()
}

func surroundings() string {
	var b strings.Builder
	b.WriteString("\n| name | type | what it is |\n|---|---|---|\n")
	for _, v := range expr.Variables() {
		switch {
		case v.Class != 0 || v.Name == "dst":
			continue
		case len(v.Fields) == 0:
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, v.Type, cell(v.Doc))
		}
		for _, f := range v.Fields {
			name := v.Name + "." + f.Name
			if v.Name == "src" {
				name = "src." + f.Name + "`, `dst." + f.Name
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, f.Type, cell(f.Doc))
		}
	}
	b.WriteString("\n`src` is who asked: the initiator; of an event without conversation whom it is about. `dst` is who was asked.\n\n")
	return b.String()
}

func detailTables(comments map[string]string) string {
	var b strings.Builder
	for _, v := range expr.Variables() {
		if v.Class == 0 {
			continue
		}
		var acts []string
		for _, id := range v.Class.Activities() {
			if id != 0 && id != 99 {
				acts = append(acts, v.Class.ActivityCaption(id))
			}
		}
		fmt.Fprintf(&b, "\n**`%s`**, class `%s`. %s Activities: %s.\n\n| field | type | what it is |\n|---|---|---|\n", v.Name, v.Class.Name(), cell(v.Doc), strings.Join(acts, ", "))
		for _, f := range v.Fields {
			doc := f.Doc
			if doc == "" {
				doc = comments[f.GoName]
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Type, cell(doc))
		}
	}
	b.WriteString("\n")
	return b.String()
}

func sigmaTable() string {
	var b strings.Builder
	b.WriteString("\n| log source | class | fields |\n|---|---|---|\n")
	for _, n := range sigma.SourceNames() {
		class, fields := sigma.Mapping(n)
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", strings.Replace(n, "/", " ", 1), class, cell(strings.Join(fields, "; ")))
	}
	fmt.Fprintf(&b, "\nOf every log source: %s.\n\n", strings.Join(sigma.EndFields(), "; "))
	return b.String()
}

func suricataTable() string {
	var b strings.Builder
	b.WriteString("\n")
	for _, n := range suricata.Buffers() {
		fmt.Fprintf(&b, "- `%s`\n", n)
	}
	b.WriteString("\n")
	return b.String()
}

// coverage is docs/detections.md.
func coverage(l *rule.Library) string {
	var b strings.Builder
	families, techniques := map[string][]*rule.Rule{}, map[string][]string{}
	samples, quiet := 0, 0
	for _, r := range l.Rules {
		families[r.Family] = append(families[r.Family], r)
		for _, t := range r.Attack {
			techniques[t] = append(techniques[t], r.ID)
		}
		samples += len(r.Samples)
		for _, s := range r.Samples {
			if s.Quiet {
				quiet++
			}
		}
	}
	fmt.Fprintf(&b, "# Detections\n\nWhat the rules of the program find, by family and by technique. It is written by\n`go test ./see/detect/rule -run Documentation -update` from `rules/` and held true by the same test.\n\n")
	fmt.Fprintf(&b, "%d rules in %d families; %d samples prove them, %d of which must stay quiet; %d techniques of ATT&CK.\n", len(l.Rules), len(families), samples, quiet, len(techniques))
	for _, name := range slices.Sorted(maps.Keys(families)) {
		fmt.Fprintf(&b, "\n## %s\n\n| rule | finds | severity | matcher | techniques | needs |\n|---|---|---|---|---|---|\n", name)
		for _, r := range families[name] {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", r.ID, cell(r.Title), severities(r), r.Match.Kind(), strings.Join(r.Attack, ", "), strings.Join(r.Needs, ", "))
		}
	}
	b.WriteString("\n## Techniques\n\n| technique | rules |\n|---|---|\n")
	for _, t := range slices.Sorted(maps.Keys(techniques)) {
		fmt.Fprintf(&b, "| %s | %s |\n", t, strings.Join(techniques[t], ", "))
	}
	return b.String()
}

func severities(r *rule.Rule) string {
	worst := max(r.Severity.Base, r.Severity.InCase)
	for _, s := range r.Severity.Criticality {
		worst = max(worst, s)
	}
	if worst > r.Severity.Base {
		return r.Severity.Base.String() + " to " + worst.String()
	}
	return r.Severity.Base.String()
}
