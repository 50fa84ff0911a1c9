// SPDX-License-Identifier: Apache-2.0

package csaf

import (
	"slices"
	"strings"
)

// Entry is one product of the tree with what the branches above it say.
type Entry struct {
	ID      string
	Name    string // full name
	Vendor  string
	Product string // product_family and product_name
	Version string // of product_version or product_version_range
	Range   bool   // Version is a range
	Helper  *Helper
	// Of names the products that make this one, for a relationship: the part first.
	Of []string
	// How they belong together: "installed_on", "default_component_of" ...
	How string
}

// Entries returns all products of the tree, in its order.
func (d *Document) Entries() []Entry {
	var out []Entry
	var walk func(l []Branch, e Entry)
	walk = func(l []Branch, e Entry) {
		for _, b := range l {
			n := e
			switch b.Category {
			case "vendor":
				n.Vendor = b.Name
			case "product_family", "product_name":
				n.Product = strings.TrimSpace(n.Product + " " + b.Name)
			case "product_version", "patch_level", "service_pack":
				n.Version = strings.TrimSpace(n.Version + " " + b.Name)
			case "product_version_range":
				n.Version, n.Range = b.Name, true
			}
			if b.Product != nil {
				n.ID, n.Name, n.Helper = b.Product.ID, b.Product.Name, b.Product.Helper
				out = append(out, n)
				n.ID, n.Name, n.Helper = "", "", nil
			}
			walk(b.Branches, n)
		}
	}
	walk(d.ProductTree.Branches, Entry{})
	for _, n := range d.ProductTree.FullNames {
		out = append(out, Entry{ID: n.ID, Name: n.Name, Helper: n.Helper})
	}
	byID := make(map[string]int, len(out))
	for i := range out {
		byID[out[i].ID] = i
	}
	for _, r := range d.ProductTree.Relationships {
		e := Entry{ID: r.Name.ID, Name: r.Name.Name, Of: []string{r.Product, r.On}, How: r.Category, Helper: r.Name.Helper}
		if i, ok := byID[r.On]; ok { // the device is what it is installed on
			o := out[i]
			e.Vendor, e.Product, e.Version, e.Range = o.Vendor, o.Product, o.Version, o.Range
		}
		out = append(out, e)
	}
	return out
}

// Members returns product IDs with those of groups.
func (d *Document) Members(products, groups []string) []string {
	out := slices.Clone(products)
	for _, g := range groups {
		for _, have := range d.ProductTree.Groups {
			if have.ID == g {
				out = append(out, have.Products...)
			}
		}
	}
	return out
}
