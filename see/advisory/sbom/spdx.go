// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// spdxDocument is an SPDX 2.x document as far as it is read; the names are those of its
// JSON form.
type spdxDocument struct {
	Version  string `json:"spdxVersion"`
	Name     string `json:"name"`
	Creation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	} `json:"creationInfo"`
	Describes     []string           `json:"documentDescribes"`
	Packages      []spdxPackage      `json:"packages"`
	Relationships []spdxRelationship `json:"relationships"`
}

type spdxPackage struct {
	ID         string `json:"SPDXID"`
	Name       string `json:"name"`
	Version    string `json:"versionInfo"`
	Supplier   string `json:"supplier"`
	Originator string `json:"originator"`
	References []struct {
		Type    string `json:"referenceType"`
		Locator string `json:"referenceLocator"`
	} `json:"externalRefs"`
}

type spdxRelationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

func readSPDX(data []byte, tags bool) (*Document, error) {
	var in spdxDocument
	if tags {
		if err := in.readTags(data); err != nil {
			return nil, err
		}
	} else if err := json.Unmarshal(data, &in); err != nil {
		var s *json.SyntaxError
		if errors.As(err, &s) {
			return nil, wrong("line %d: %s", 1+bytes.Count(data[:min(int(s.Offset), len(data))], []byte("\n")), s.Error())
		}
		return nil, err
	}
	if !strings.HasPrefix(in.Version, "SPDX-2.") {
		return nil, wrong("/spdxVersion: is %q; SPDX-2.0 to SPDX-2.3 are read", clip(in.Version))
	}
	d := &Document{Format: "spdx", Spec: clip(in.Version), Name: clip(in.Name), Components: []Component{}}
	if t, err := time.Parse(time.RFC3339, in.Creation.Created); err == nil {
		d.Made = t.UTC().Format(time.RFC3339)
	}
	for _, c := range in.Creation.Creators {
		if strings.HasPrefix(c, "Organization:") && d.Author == "" {
			d.Author = organisation(c)
		}
	}
	if len(in.Packages) > MaxComponents {
		return nil, wrong("/packages: has more than %d entries", MaxComponents)
	}
	described := map[string]bool{}
	for _, id := range in.Describes {
		described[id] = true
	}
	for _, r := range in.Relationships {
		switch r.Type {
		case "DESCRIBES":
			described[r.To] = true
		case "DESCRIBED_BY":
			described[r.From] = true
		}
	}
	for i := range in.Packages {
		p := &in.Packages[i]
		if p.Name == "" {
			return nil, wrong("/packages/%d: has no name", i)
		}
		c := Component{Name: clip(p.Name), Version: clip(p.Version), Supplier: organisation(p.Supplier)}
		if c.Supplier == "" {
			c.Supplier = organisation(p.Originator)
		}
		for _, x := range p.References {
			switch t := strings.ToLower(x.Type); {
			case t == "purl":
				c.PURL = clip(x.Locator)
			case strings.HasPrefix(t, "cpe"):
				c.CPE = clip(x.Locator)
			}
		}
		if described[p.ID] && d.Model == "" {
			d.Model, d.Vendor, d.Version = c.Name, c.Supplier, c.Version
			d.Name = clip(c.Name + " " + c.Version)
			if len(in.Packages) > 1 {
				continue // the product itself is no part of it
			}
		}
		d.Components = append(d.Components, c)
	}
	if len(d.Components) == 0 {
		return nil, wrong("/packages: is empty; an SBOM without packages says nothing")
	}
	return d, nil
}

// readTags reads the tag-value form (SPDX 2.3 Annex on formats): "Tag: value", where a value
// in <text> may have several lines.
func (s *spdxDocument) readTags(data []byte) error {
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(make([]byte, 0, 64<<10), 1<<20)
	inPackage, line := false, 0
	for sc.Scan() {
		line++
		text := strings.TrimSpace(sc.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		tag, value, ok := strings.Cut(text, ":")
		if !ok {
			return wrong("line %d: is no tag with a value", line)
		}
		value = strings.TrimSpace(value)
		if rest, multi := strings.CutPrefix(value, "<text>"); multi {
			began := line
			for !strings.Contains(rest, "</text>") {
				if !sc.Scan() {
					return wrong("line %d: has a text that never ends", began)
				}
				line++
				if len(rest) < maxText {
					rest += " " + sc.Text()
				} else if strings.Contains(sc.Text(), "</text>") {
					rest += "</text>"
				}
			}
			value, _, _ = strings.Cut(rest, "</text>")
		}
		if err := s.tag(&inPackage, strings.TrimSpace(tag), value); err != nil {
			return wrong("line %d: %s", line, err.Error())
		}
	}
	if err := sc.Err(); err != nil {
		return wrong("line %d: is longer than 1 MiB", line+1)
	}
	return nil
}

func (s *spdxDocument) tag(inPackage *bool, tag, value string) error {
	p := func() *spdxPackage { return &s.Packages[len(s.Packages)-1] }
	switch tag {
	case "SPDXVersion":
		s.Version = value
	case "DocumentName":
		s.Name = value
	case "Created":
		s.Creation.Created = value
	case "Creator":
		if len(s.Creation.Creators) < 100 {
			s.Creation.Creators = append(s.Creation.Creators, value)
		}
	case "PackageName":
		if len(s.Packages) > MaxComponents {
			return errors.New("is one package more than are read")
		}
		s.Packages, *inPackage = append(s.Packages, spdxPackage{Name: value}), true
	case "FileName", "SnippetSPDXID", "LicenseID":
		*inPackage = false
	case "Relationship":
		f := strings.Fields(value)
		if len(f) != 3 {
			return errors.New("a relationship has two elements and a type")
		}
		if len(s.Relationships) < 10*MaxComponents {
			s.Relationships = append(s.Relationships, spdxRelationship{f[0], f[1], f[2]})
		}
	}
	if !*inPackage {
		return nil
	}
	switch tag {
	case "SPDXID":
		p().ID = value
	case "PackageVersion":
		p().Version = value
	case "PackageSupplier":
		p().Supplier = value
	case "PackageOriginator":
		p().Originator = value
	case "ExternalRef":
		if f := strings.Fields(value); len(f) == 3 && len(p().References) < 20 {
			p().References = append(p().References, struct {
				Type    string `json:"referenceType"`
				Locator string `json:"referenceLocator"`
			}{f[1], f[2]})
		}
	}
	return nil
}

// organisation is the name of one, without the kind before it and the address behind it.
func organisation(s string) string {
	if s == "NOASSERTION" || s == "NONE" {
		return ""
	}
	for _, kind := range []string{"Organization:", "Person:", "Tool:"} {
		s = strings.TrimPrefix(s, kind)
	}
	if at := strings.LastIndexByte(s, '('); at > 0 {
		s = s[:at]
	}
	return clip(strings.TrimSpace(s))
}
