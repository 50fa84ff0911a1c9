// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// The document of OpenVEX 0.2.0, as far as it is written here: statements about products
// that are devices.
type (
	openVEX struct {
		Context    string         `json:"@context"`
		ID         string         `json:"@id"`
		Author     string         `json:"author"`
		Role       string         `json:"role,omitempty"`
		Timestamp  time.Time      `json:"timestamp"`
		Version    int            `json:"version"`
		Tooling    string         `json:"tooling,omitempty"`
		Statements []vexStatement `json:"statements"`
	}
	vexStatement struct {
		Vulnerability vexName      `json:"vulnerability"`
		Timestamp     time.Time    `json:"timestamp"`
		Products      []vexProduct `json:"products"`
		Status        string       `json:"status"`
		Notes         string       `json:"status_notes,omitempty"`
		Justification string       `json:"justification,omitempty"`
		Impact        string       `json:"impact_statement,omitempty"`
		Action        string       `json:"action_statement,omitempty"`
	}
	vexName struct {
		Name string `json:"name"`
	}
	vexProduct struct {
		ID       string `json:"@id"`
		Supplier string `json:"supplier,omitempty"`
	}
)

const openVEXContext = "https://openvex.dev/ns/v0.2.0"

// check holds a statement to the specification: a vulnerability and a product, a status of
// its list, a reason with not_affected, an action with affected, and neither elsewhere.
func (s *vexStatement) check() error {
	switch {
	case s.Vulnerability.Name == "" || len(s.Products) == 0:
		return fmt.Errorf("names no vulnerability or no product")
	case order(s.Status) < 0:
		return fmt.Errorf("has the status %q", s.Status)
	case s.Status == vexNotAffected && s.Justification == "" && s.Impact == "":
		return fmt.Errorf("is not affected and does not say why")
	case s.Justification != "" && !slices.Contains(Justifications(), s.Justification):
		return fmt.Errorf("has the justification %q", s.Justification)
	case s.Status != vexNotAffected && (s.Justification != "" || s.Impact != ""):
		return fmt.Errorf("has a reason for what is not affected, and is %s", s.Status)
	case s.Status == vexAffected && s.Action == "":
		return fmt.Errorf("is affected and does not say what to do")
	case s.Status != vexAffected && s.Action != "":
		return fmt.Errorf("says what to do, and is %s", s.Status)
	}
	return nil
}

// OpenVEX writes cases as an OpenVEX 0.2 document.
func (b *Base) OpenVEX(cases []Case, who Author) ([]byte, error) {
	l, err := b.claims(cases, who.Now)
	if err != nil {
		return nil, err
	}
	now := who.Now.UTC().Truncate(time.Second)
	doc := openVEX{Context: openVEXContext, ID: "urn:asepsis:vex:" + documentID(l, who), Author: cmp.Or(who.Name, "Asepsis"), Role: "Operator of the devices",
		Timestamp: now, Version: 1, Tooling: "Asepsis " + who.Version, Statements: []vexStatement{}}
	for i := 0; i < len(l); {
		c := l[i]
		st := vexStatement{Vulnerability: vexName{c.cve}, Timestamp: now, Status: c.status, Justification: c.justification, Impact: c.impact, Action: c.action, Notes: c.notes}
		for ; i < len(l) && same(l[i], c); i++ {
			st.Products = append(st.Products, vexProduct{"urn:asepsis:device:" + l[i].device.ID, l[i].device.Vendor})
		}
		if err := st.check(); err != nil {
			return nil, fmt.Errorf("BUG: OpenVEX: %s %w", c.cve, err)
		}
		doc.Statements = append(doc.Statements, st)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(doc)
	return out.Bytes(), err
}

func same(a, b claim) bool {
	return a.cve == b.cve && a.status == b.status && a.justification == b.justification && a.impact == b.impact && a.action == b.action && a.notes == b.notes
}
