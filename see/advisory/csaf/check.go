// SPDX-License-Identifier: Apache-2.0

package csaf

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// statuses are the keys of product_status (section 3.2.3.9).
var statuses = []string{"first_affected", "first_fixed", "fixed", "known_affected", "known_not_affected", "last_affected", "recommended", "under_investigation"}

var cve = regexp.MustCompile(`^CVE-\d{4}-\d{4,19}$`)

// Labels returns the values that a flag can have (section 3.2.3.5.1). They are the
// justifications of OpenVEX, too.
func Labels() []string {
	return []string{"component_not_present", "inline_mitigations_already_exist", "vulnerable_code_cannot_be_controlled_by_adversary", "vulnerable_code_not_in_execute_path", "vulnerable_code_not_present"}
}

func (d *Document) check() error {
	h := d.Document
	for _, m := range []struct{ path, value string }{
		{"category", h.Category}, {"csaf_version", h.Version}, {"title", h.Title}, {"publisher/name", h.Publisher.Name}, {"publisher/category", h.Publisher.Category},
		{"publisher/namespace", h.Publisher.Namespace}, {"tracking/id", h.Tracking.ID}, {"tracking/status", h.Tracking.Status}, {"tracking/version", h.Tracking.Version},
	} {
		if strings.TrimSpace(m.value) == "" {
			return wrong("/document/"+m.path, "is missing: this is no CSAF document, or not a whole one")
		}
	}
	if h.Version != "2.0" {
		return wrong("/document/csaf_version", "is %q; 2.0 is read", clip(h.Version))
	}
	if h.Tracking.Current.IsZero() || h.Tracking.Initial.IsZero() {
		return wrong("/document/tracking", "has no initial_release_date or no current_release_date")
	}
	if strings.ContainsAny(h.Tracking.ID, "\r\n") || len(h.Tracking.ID) > 200 {
		return wrong("/document/tracking/id", "is longer than 200 bytes or has line breaks")
	}
	ids := map[string]bool{}
	one := func(path string, n Name) error {
		switch {
		case n.ID == "" || n.Name == "":
			return wrong(path, "has no product_id or no name")
		case ids[n.ID]:
			return wrong(path+"/product_id", "%q is there twice", clip(n.ID))
		case len(ids) >= MaxProducts:
			return wrong(path, "is one product more than %d", MaxProducts)
		}
		ids[n.ID] = true
		return nil
	}
	var walk func(path string, l []Branch, deep int) error
	walk = func(path string, l []Branch, deep int) error {
		if deep > MaxDepth {
			return wrong(path, "is nested deeper than %d", MaxDepth)
		}
		for i := range l {
			at := fmt.Sprintf("%s/branches/%d", path, i)
			if l[i].Name == "" || l[i].Category == "" {
				return wrong(at, "has no name or no category")
			}
			if l[i].Product != nil {
				if err := one(at+"/product", *l[i].Product); err != nil {
					return err
				}
			}
			if err := walk(at, l[i].Branches, deep+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk("/product_tree", d.ProductTree.Branches, 1); err != nil {
		return err
	}
	for i, n := range d.ProductTree.FullNames {
		if err := one(fmt.Sprintf("/product_tree/full_product_names/%d", i), n); err != nil {
			return err
		}
	}
	for i, r := range d.ProductTree.Relationships {
		if err := one(fmt.Sprintf("/product_tree/relationships/%d/full_product_name", i), r.Name); err != nil {
			return err
		}
	}
	for i, r := range d.ProductTree.Relationships {
		for _, id := range []string{r.Product, r.On} {
			if !ids[id] {
				return wrong(fmt.Sprintf("/product_tree/relationships/%d", i), "names the product %q, which is not in the tree", clip(id))
			}
		}
	}
	groups := map[string]bool{}
	for i, g := range d.ProductTree.Groups {
		groups[g.ID] = true
		for _, id := range g.Products {
			if !ids[id] {
				return wrong(fmt.Sprintf("/product_tree/product_groups/%d", i), "names the product %q, which is not in the tree", clip(id))
			}
		}
	}
	if len(d.Vulnerabilities) > MaxVulnerabilities {
		return wrong("/vulnerabilities", "has more than %d entries", MaxVulnerabilities)
	}
	for i := range d.Vulnerabilities {
		if err := d.Vulnerabilities[i].check(fmt.Sprintf("/vulnerabilities/%d", i), ids, groups); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vulnerability) check(path string, ids, groups map[string]bool) error {
	if v.CVE != "" && !cve.MatchString(v.CVE) {
		return wrong(path+"/cve", "%q is no CVE ID", clip(v.CVE))
	}
	known := func(at string, l, g []string) error {
		for _, id := range l {
			if !ids[id] {
				return wrong(at, "names the product %q, which is not in the tree", clip(id))
			}
		}
		for _, id := range g {
			if !groups[id] {
				return wrong(at, "names the product group %q, which is not in the tree", clip(id))
			}
		}
		return nil
	}
	for _, k := range slices.Sorted(maps.Keys(v.Status)) {
		if !slices.Contains(statuses, k) {
			return wrong(path+"/product_status", "%q is no status of CSAF 2.0", clip(k))
		}
		if err := known(path+"/product_status/"+k, v.Status[k], nil); err != nil {
			return err
		}
	}
	for i, s := range v.Scores {
		at := fmt.Sprintf("%s/scores/%d", path, i)
		for _, c := range []*CVSS{s.V2, s.V3} {
			if c != nil && (c.Score < 0 || c.Score > 10) {
				return wrong(at, "has a base score of %g, which is not within 0 to 10", c.Score)
			}
		}
		if err := known(at, s.Products, nil); err != nil {
			return err
		}
	}
	for i, r := range v.Remediations {
		if err := known(fmt.Sprintf("%s/remediations/%d", path, i), r.Products, r.Groups); err != nil {
			return err
		}
	}
	for i, f := range v.Flags {
		if err := known(fmt.Sprintf("%s/flags/%d", path, i), f.Products, f.Groups); err != nil {
			return err
		}
	}
	for i, f := range v.Threats {
		if err := known(fmt.Sprintf("%s/threats/%d", path, i), f.Products, f.Groups); err != nil {
			return err
		}
	}
	return nil
}

// CheckVEX holds a document to the profile VEX (section 4.5) and to the tests of section
// 6.1 that can fail for what is written here: contradicting status (6.1.6), an impact
// statement for each product that is not affected, and an action statement for each that
// is.
func CheckVEX(d *Document) error {
	if err := d.check(); err != nil {
		return err
	}
	if d.Document.Category != "csaf_vex" {
		return wrong("/document/category", "is %q, must be csaf_vex", clip(d.Document.Category))
	}
	h := d.Document.Tracking.History
	if len(h) == 0 || h[len(h)-1].Number != d.Document.Tracking.Version {
		return wrong("/document/tracking/revision_history", "does not end with version %s", d.Document.Tracking.Version)
	}
	if !slices.Contains([]string{"draft", "interim", "final"}, d.Document.Tracking.Status) {
		return wrong("/document/tracking/status", "must be draft, interim or final")
	}
	if len(d.ProductTree.Branches)+len(d.ProductTree.FullNames) == 0 {
		return wrong("/product_tree", "is empty, the profile needs it")
	}
	if len(d.Vulnerabilities) == 0 {
		return wrong("/vulnerabilities", "is empty, the profile needs it")
	}
	for i, v := range d.Vulnerabilities {
		at := fmt.Sprintf("/vulnerabilities/%d", i)
		if v.CVE == "" && len(v.IDs) == 0 {
			return wrong(at, "has neither a CVE nor another ID")
		}
		if len(v.Notes) == 0 {
			return wrong(at+"/notes", "is missing, the profile needs it")
		}
		seen := map[string]string{}
		total := 0
		for _, k := range slices.Sorted(maps.Keys(v.Status)) {
			for _, id := range v.Status[k] {
				if other, twice := seen[id]; twice {
					return wrong(at+"/product_status", "has %q as %s and as %s", id, other, k)
				}
				seen[id] = k
				total++
			}
		}
		if total == 0 {
			return wrong(at+"/product_status", "is empty, the profile needs it")
		}
		for _, id := range v.Status["known_not_affected"] {
			if !slices.ContainsFunc(v.Flags, func(f Flag) bool { return slices.Contains(f.Products, id) }) &&
				!slices.ContainsFunc(v.Threats, func(t Threat) bool { return t.Category == "impact" && slices.Contains(t.Products, id) }) {
				return wrong(at, "%q is not affected and nothing says why", id)
			}
		}
		for _, id := range v.Status["known_affected"] {
			if !slices.ContainsFunc(v.Remediations, func(r Remediation) bool { return slices.Contains(r.Products, id) }) {
				return wrong(at, "%q is affected and nothing says what to do", id)
			}
		}
		for k, f := range v.Flags {
			if !slices.Contains(Labels(), f.Label) {
				return wrong(fmt.Sprintf("%s/flags/%d", at, k), "%q is no label of CSAF 2.0", clip(f.Label))
			}
		}
	}
	return nil
}

func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
