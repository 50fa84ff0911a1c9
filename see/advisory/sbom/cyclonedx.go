// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"bytes"
	"strconv"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func readCycloneDX(data []byte, xml bool) (*Document, error) {
	format := cdx.BOMFileFormatJSON
	if xml {
		format = cdx.BOMFileFormatXML
	}
	var b cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(data), format).Decode(&b); err != nil {
		return nil, err
	}
	d := &Document{Format: "cyclonedx", Spec: b.SpecVersion.String(), Components: []Component{}, Version: strconv.Itoa(b.Version)}
	names := map[string]string{}
	if m := b.Metadata; m != nil {
		if t, err := time.Parse(time.RFC3339, m.Timestamp); err == nil {
			d.Made = t.UTC().Format(time.RFC3339)
		}
		for _, e := range []*cdx.OrganizationalEntity{m.Manufacturer, m.Supplier, m.Manufacture} {
			if e != nil && d.Author == "" {
				d.Author = clip(e.Name)
			}
		}
		if c := m.Component; c != nil {
			d.Model, d.Vendor = clip(c.Name), supplierOf(c)
			d.Name = clip(c.Name + " " + c.Version)
			names[c.BOMRef] = d.Name
			if c.Components != nil {
				if err := d.components(*c.Components, names, 1); err != nil {
					return nil, err
				}
			}
			if d.Vendor == "" {
				d.Vendor = d.Author
			}
		}
	}
	if d.Name == "" {
		d.Name = clip(b.SerialNumber)
	}
	if b.Components != nil {
		if err := d.components(*b.Components, names, 1); err != nil {
			return nil, err
		}
	}
	if len(d.Components) == 0 {
		return nil, wrong("/components: is empty; an SBOM without components says nothing")
	}
	if b.Vulnerabilities != nil {
		if err := d.vulnerabilities(*b.Vulnerabilities, names); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func supplierOf(c *cdx.Component) string {
	for _, e := range []*cdx.OrganizationalEntity{c.Supplier, c.Manufacturer} {
		if e != nil && e.Name != "" {
			return clip(e.Name)
		}
	}
	if c.Publisher != "" {
		return clip(c.Publisher)
	}
	return clip(c.Group)
}

func (d *Document) components(l []cdx.Component, names map[string]string, deep int) error {
	if deep > MaxNesting {
		return wrong("/components: is nested deeper than %d", MaxNesting)
	}
	for i := range l {
		c := &l[i]
		if c.Name == "" {
			return wrong("/components/%d: has no name", i)
		}
		if len(d.Components) >= MaxComponents {
			return wrong("/components: has more than %d entries", MaxComponents)
		}
		d.Components = append(d.Components, Component{Name: clip(c.Name), Version: clip(c.Version), Supplier: supplierOf(c), PURL: clip(c.PackageURL), CPE: clip(c.CPE)})
		if c.BOMRef != "" {
			names[c.BOMRef] = clip(c.Name + " " + c.Version)
		}
		if c.Components != nil {
			if err := d.components(*c.Components, names, deep+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Document) vulnerabilities(l []cdx.Vulnerability, names map[string]string) error {
	if len(l) > MaxVulnerabilities {
		return wrong("/vulnerabilities: has more than %d entries", MaxVulnerabilities)
	}
	for i := range l {
		v := &l[i]
		if v.ID == "" || len(v.ID) > 100 {
			return wrong("/vulnerabilities/%d: has no ID, or one that is too long", i)
		}
		out := Vulnerability{ID: clip(v.ID), Summary: clip(v.Description), Advice: clip(v.Recommendation)}
		if out.Advice == "" {
			out.Advice = clip(v.Workaround)
		}
		if v.Ratings != nil {
			for _, r := range *v.Ratings {
				if r.Score != nil && *r.Score >= out.Score && *r.Score <= 10 && r.Method != cdx.ScoringMethodOWASP {
					out.Score, out.Vector = *r.Score, clip(r.Vector)
				}
			}
		}
		if v.CWEs != nil && len(*v.CWEs) > 0 {
			out.CWE = "CWE-" + strconv.Itoa((*v.CWEs)[0])
		}
		if v.Analysis != nil {
			out.State = clip(string(v.Analysis.State))
		}
		if v.Affects != nil {
			for _, a := range *v.Affects {
				name := names[a.Ref]
				if name == "" {
					return wrong("/vulnerabilities/%d/affects: names a component that is not in the file", i)
				}
				if len(out.Components) < 50 {
					out.Components = append(out.Components, name)
				}
			}
		}
		d.Vulnerabilities = append(d.Vulnerabilities, out)
	}
	return nil
}
