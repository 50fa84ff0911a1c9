// SPDX-License-Identifier: Apache-2.0

// Package asepsis_test holds the house's rules: which floor may import which,
// and that every package says what it is for.
package asepsis_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/asepsis/asepsis/"

// floors says which floors the packages of each floor may import, besides
// their own where self is set. ARCHITECTURE.md draws it and gives the reasons.
var floors = map[string]struct {
	below []string
	self  bool
}{
	"core":      {nil, true}, // nouns may use each other's vocabulary
	"wire":      {nil, true}, // protocols carry protocols (EAP in RADIUS, TLS in QUIC)
	"platform":  {[]string{"core", "wire"}, true},
	"prove":     {[]string{"platform", "core", "wire"}, true},
	"see":       {[]string{"prove", "platform", "core", "wire", "testdata", "knowledge"}, true}, // testdata: the recorded morning, for the demo
	"guard":     {[]string{"prove", "platform", "core", "wire"}, true},
	"respond":   {[]string{"see", "guard", "prove", "platform", "core", "wire", "ocsf"}, true},
	"cmd":       {[]string{"respond", "see", "guard", "prove", "platform", "core", "wire", "web", "rules"}, false},
	"ocsf":      {[]string{"core"}, true},
	"rules":     {[]string{"core"}, true},
	"web":       {nil, false},
	"knowledge": {nil, false}, // data alone: what is published about vulnerabilities
	"bench":     {[]string{"respond", "see", "guard", "prove", "platform", "core", "wire", "rules", "web", "knowledge"}, true},
	"scripts":   {[]string{"see", "core", "wire", "ocsf"}, true},
}

type goFile struct {
	path, dir string
	ast       *ast.File
}

// parse reads the imports and package comments of every Go file.
func parse(t *testing.T) []goFile {
	t.Helper()
	var out []goFile
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		out = append(out, goFile{path, filepath.ToSlash(filepath.Dir(path)), f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("only %d Go files found: is the test run at the root?", len(out))
	}
	return out
}

func floorOf(dir string) string {
	f, _, _ := strings.Cut(dir, "/")
	return f
}

func TestNoRoomImportsUpward(t *testing.T) {
	for _, f := range parse(t) {
		from := floorOf(f.dir)
		if from == "." {
			continue
		}
		rule, ok := floors[from]
		if !ok {
			t.Errorf("%s: there is no floor %q", f.path, from)
			continue
		}
		if strings.HasSuffix(f.path, "_test.go") {
			continue // tests may use what is above to check against it
		}
		for _, i := range f.ast.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			rest, ours := strings.CutPrefix(p, module)
			if !ours {
				continue
			}
			if to := floorOf(rest); !(to == from && rule.self) && !slices.Contains(rule.below, to) {
				t.Errorf("%s imports %s: %s may not import %s", f.path, p, from, to)
			}
		}
	}
}

// TestCoreAndWireDoNoIO holds the two lowest floors to values and bytes: what
// they import can open nothing and knows no time.
func TestCoreAndWireDoNoIO(t *testing.T) {
	forbidden := map[string]bool{"os": true, "net/http": true, "os/exec": true, "math/rand": true, "log": true, "log/slog": true}
	for _, f := range parse(t) {
		if fl := floorOf(f.dir); fl != "core" && fl != "wire" || strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		for _, i := range f.ast.Imports {
			if p, _ := strconv.Unquote(i.Path.Value); forbidden[p] {
				t.Errorf("%s imports %s", f.path, p)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	said := map[string]bool{}
	for _, f := range parse(t) {
		if f.dir == "." || strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		doc := f.ast.Doc.Text()
		if strings.HasPrefix(doc, "Package ") || strings.HasPrefix(doc, "Command ") {
			said[f.dir] = true
		} else if _, ok := said[f.dir]; !ok {
			said[f.dir] = false
		}
	}
	for dir, ok := range said {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

func TestEveryFileNamesItsLicence(t *testing.T) {
	for _, f := range parse(t) {
		found := false
		for _, c := range f.ast.Comments {
			if c.Pos() < f.ast.Package && strings.Contains(c.Text(), "SPDX-License-Identifier: Apache-2.0") {
				found = true
			}
			for _, line := range c.List {
				if line.Pos() < f.ast.Package && strings.Contains(line.Text, "SPDX-License-Identifier: Apache-2.0") {
					found = true
				}
			}
		}
		if !found {
			t.Errorf("%s has no SPDX line", f.path)
		}
	}
}
