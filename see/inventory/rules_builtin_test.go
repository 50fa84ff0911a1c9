// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"testing"

	"github.com/goccy/go-yaml"
)

// rulesSource writes rules as Go.
func rulesSource(rs []Rule) ([]byte, error) {
	var b bytes.Buffer
	texts := func(name string, l []string) {
		if len(l) > 0 {
			fmt.Fprintf(&b, ", %s: %#v", name, l)
		}
	}
	conditions := func(name string, l []Condition) {
		if len(l) == 0 {
			return
		}
		fmt.Fprintf(&b, ", %s: []Condition{\n", name)
		for _, c := range l {
			fmt.Fprintf(&b, "{Attr: %q", c.Attr)
			texts("Is", c.Is)
			texts("Begins", c.Begins)
			texts("Has", c.Has)
			texts("Word", c.Word)
			if c.Match != "" {
				fmt.Fprintf(&b, ", Match: %q", c.Match)
			}
			if c.Source != "" {
				fmt.Fprintf(&b, ", Source: %q", c.Source)
			}
			if c.Least != 0 {
				fmt.Fprintf(&b, ", Least: %d", c.Least)
			}
			b.WriteString("},\n")
		}
		b.WriteString("}")
	}
	b.WriteString(`// SPDX-License-Identifier: Apache-2.0

// Code generated from rules.yaml by go test ./see/inventory -run BuiltinRules -update. DO NOT EDIT.

package inventory

func writtenRules() []Rule {
	return []Rule{
`)
	for _, r := range rs {
		fmt.Fprintf(&b, "{ID: %q, Class: %q, Weight: %d, Group: %q, Why: %q", r.ID, r.Class, r.Weight, r.Group, r.Why)
		conditions("All", r.All)
		conditions("Any", r.Any)
		conditions("Not", r.Not)
		b.WriteString("},\n")
	}
	b.WriteString("}\n}\n")
	return format.Source(b.Bytes())
}

// TestTheBuiltinRulesAreThoseOfTheFile holds rules_builtin.go to rules.yaml, or
// writes it.
func TestTheBuiltinRulesAreThoseOfTheFile(t *testing.T) {
	file, err := os.ReadFile("rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rs []Rule
	if err := yaml.UnmarshalWithOptions(file, &rs, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	want, err := rulesSource(rs)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("rules_builtin.go", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("rules_builtin.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("rules_builtin.go is out of date; hint: go test ./see/inventory -run BuiltinRules -update")
	}
}
