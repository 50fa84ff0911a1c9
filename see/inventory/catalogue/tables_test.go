// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/goccy/go-yaml"
)

var update = flag.Bool("update", false, "rewrite tables.go from the YAML files")

// decode reads the YAML files strictly, mappings in the order of the file.
func decode(vendors, products, implementations []byte) (t tables, err error) {
	var vs []struct {
		Name   string        `yaml:"name"`
		Kind   Kind          `yaml:"kind"`
		Match  []string      `yaml:"match"`
		Brands yaml.MapSlice `yaml:"brands"`
	}
	if err := yaml.UnmarshalWithOptions(vendors, &vs, yaml.Strict()); err != nil {
		return t, err
	}
	for _, v := range vs {
		e := vendorEntry{v.Name, v.Kind, v.Match, nil}
		for _, i := range v.Brands {
			b := brandEntry{name: fmt.Sprint(i.Key)}
			for _, m := range i.Value.([]any) {
				b.match = append(b.match, fmt.Sprint(m))
			}
			e.brands = append(e.brands, b)
		}
		t.vendors = append(t.vendors, e)
	}
	var ps []struct {
		Vendor string       `yaml:"vendor"`
		Brand  string       `yaml:"brand"`
		Class  device.Class `yaml:"class"`
		Models []string     `yaml:"models"`
	}
	if err := yaml.UnmarshalWithOptions(products, &ps, yaml.Strict()); err != nil {
		return t, err
	}
	for _, p := range ps {
		t.products = append(t.products, productEntry{p.Vendor, p.Brand, p.Class, p.Models})
	}
	var is []struct {
		Root    string `yaml:"root"`
		Version string `yaml:"version"`
		Vendor  string `yaml:"vendor"`
		Toolkit string `yaml:"toolkit"`
	}
	if err := yaml.UnmarshalWithOptions(implementations, &is, yaml.Strict()); err != nil {
		return t, err
	}
	for _, i := range is {
		t.implementations = append(t.implementations, implementation{i.Root, i.Version, i.Vendor, i.Toolkit})
	}
	return t, nil
}

// source writes tables as Go.
func (t *tables) source() ([]byte, error) {
	var b bytes.Buffer
	list := func(l []string) string {
		if len(l) == 0 {
			return "nil"
		}
		return fmt.Sprintf("%#v", l)
	}
	b.WriteString(`// SPDX-License-Identifier: Apache-2.0

// Code generated from vendors.yaml, products.yaml and implementations.yaml by
// go test ./see/inventory/catalogue -run Tables -update. DO NOT EDIT.

package catalogue

func builtin() tables {
	return tables{
		vendors: []vendorEntry{
`)
	for _, v := range t.vendors {
		fmt.Fprintf(&b, "{%q, %q, %s, ", v.name, v.kind, list(v.match))
		if v.brands == nil {
			b.WriteString("nil},\n")
			continue
		}
		b.WriteString("[]brandEntry{\n")
		for _, n := range v.brands {
			fmt.Fprintf(&b, "{%q, %s},\n", n.name, list(n.match))
		}
		b.WriteString("}},\n")
	}
	b.WriteString("},\nproducts: []productEntry{\n")
	for _, p := range t.products {
		fmt.Fprintf(&b, "{%q, %q, %q, %s},\n", p.vendor, p.brand, p.class, list(p.models))
	}
	b.WriteString("},\nimplementations: []implementation{\n")
	for _, i := range t.implementations {
		fmt.Fprintf(&b, "{%q, %q, %q, %q},\n", i.root, i.version, i.vendor, i.toolkit)
	}
	b.WriteString("},\n}\n}\n")
	return format.Source(b.Bytes())
}

// TestTheTablesAreThoseOfTheFiles holds tables.go to the YAML files, or writes it.
func TestTheTablesAreThoseOfTheFiles(t *testing.T) {
	var files [3][]byte
	for i, name := range []string{"vendors.yaml", "products.yaml", "implementations.yaml"} {
		var err error
		if files[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	read, err := decode(files[0], files[1], files[2])
	if err != nil {
		t.Fatal(err)
	}
	want, err := read.source()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("tables.go", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("tables.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("tables.go is out of date; hint: go test ./see/inventory/catalogue -run Tables -update")
	}
}
