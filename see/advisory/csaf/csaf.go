// SPDX-License-Identifier: Apache-2.0

// Package csaf reads and writes the parts of CSAF 2.0 (OASIS, Common Security Advisory
// Framework Version 2.0) that tell which products an advisory is about: the document
// and its tracking, the product tree with branches and relationships, and per
// vulnerability its status by product, scores, weakness, notes and remediations.
//
// Read takes any of the profiles that carry these. It checks what the standard
// demands and what a mapping needs: the mandatory fields of the document, that product
// IDs are unique (6.1.2) and that every reference names one (6.1.1). An error is an
// *Error with the path of the place, or the line where the JSON itself breaks.
//
// Write makes documents of the profile VEX (section 4.5), and Check holds a document to
// that profile.
//
// # Limits
//
// MaxFile bytes, MaxDepth branches deep, MaxProducts products, MaxVulnerabilities
// vulnerabilities; a document beyond them is refused. Unknown fields are passed over.
//
// # What is not done
//
// Signatures and hashes of distribution, aggregators, product groups' summaries, CVSS v2
// beyond its base score.
package csaf

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Bounds of a document.
const (
	MaxFile            = 8 << 20
	MaxDepth           = 32
	MaxProducts        = 20_000
	MaxVulnerabilities = 5_000
)

// Error says where a document is wrong.
type Error struct {
	Path string // "/product_tree/branches/0/name", or "line 12"
	What string
	Help string
}

// Error implements error.
func (e *Error) Error() string { return e.Path + ": " + e.What }

// Hint says what to do.
func (e *Error) Hint() string { return e.Help }

func wrong(path, format string, args ...any) *Error {
	return &Error{Path: path, What: fmt.Sprintf(format, args...), Help: "get the file again from its publisher; CSAF 2.0 documents are JSON as they are published"}
}

// Document is an advisory.
type Document struct {
	Document        Head            `json:"document"`
	ProductTree     Tree            `json:"product_tree,omitzero"`
	Vulnerabilities []Vulnerability `json:"vulnerabilities,omitempty"`
}

// Head is /document.
type Head struct {
	Category     string      `json:"category"`
	Version      string      `json:"csaf_version"`
	Distribution *Spread     `json:"distribution,omitempty"`
	Lang         string      `json:"lang,omitempty"`
	Notes        []Note      `json:"notes,omitempty"`
	Publisher    Publisher   `json:"publisher"`
	References   []Reference `json:"references,omitempty"`
	Title        string      `json:"title"`
	Tracking     Tracking    `json:"tracking"`
	Severity     *struct {
		Text string `json:"text"`
	} `json:"aggregate_severity,omitempty"`
}

// Spread says who may have the document.
type Spread struct {
	Text string `json:"text,omitempty"`
	TLP  *TLP   `json:"tlp,omitempty"`
}

// TLP is a label of the Traffic Light Protocol.
type TLP struct {
	Label string `json:"label"`
}

// Publisher is who wrote the document.
type Publisher struct {
	Category  string `json:"category"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Contact   string `json:"contact_details,omitempty"`
}

// Reference is a link.
type Reference struct {
	Category string `json:"category,omitempty"`
	Summary  string `json:"summary"`
	URL      string `json:"url"`
}

// Note is a text about the whole or about a vulnerability.
type Note struct {
	Category string `json:"category"`
	Text     string `json:"text"`
	Title    string `json:"title,omitempty"`
}

// Tracking is the document's identity and history.
type Tracking struct {
	ID        string     `json:"id"`
	Status    string     `json:"status"`
	Version   string     `json:"version"`
	Initial   time.Time  `json:"initial_release_date"`
	Current   time.Time  `json:"current_release_date"`
	History   []Revision `json:"revision_history"`
	Generator *Generator `json:"generator,omitempty"`
}

// Revision is one entry of the history.
type Revision struct {
	Date    time.Time `json:"date"`
	Number  string    `json:"number"`
	Summary string    `json:"summary"`
}

// Generator is the program that made the document.
type Generator struct {
	Date   *time.Time `json:"date,omitempty"`
	Engine struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	} `json:"engine"`
}

// Tree is the product tree.
type Tree struct {
	Branches      []Branch       `json:"branches,omitempty"`
	FullNames     []Name         `json:"full_product_names,omitempty"`
	Groups        []Group        `json:"product_groups,omitempty"`
	Relationships []Relationship `json:"relationships,omitempty"`
}

// Branch is a node of the tree.
type Branch struct {
	Category string   `json:"category"` // vendor, product_family, product_name, product_version, product_version_range ...
	Name     string   `json:"name"`
	Branches []Branch `json:"branches,omitempty"`
	Product  *Name    `json:"product,omitempty"`
}

// Name is a product with its ID.
type Name struct {
	Name   string  `json:"name"`
	ID     string  `json:"product_id"`
	Helper *Helper `json:"product_identification_helper,omitempty"`
}

// Helper identifies a product for machines.
type Helper struct {
	CPE     string   `json:"cpe,omitempty"`
	PURL    string   `json:"purl,omitempty"`
	Models  []string `json:"model_numbers,omitempty"`
	Serials []string `json:"serial_numbers,omitempty"`
	SKUs    []string `json:"skus,omitempty"`
}

// Group is a set of products with an ID.
type Group struct {
	ID       string   `json:"group_id"`
	Products []string `json:"product_ids"`
}

// Relationship is a product made of two: one installed on, or a part of, another.
type Relationship struct {
	Category string `json:"category"`
	Name     Name   `json:"full_product_name"`
	Product  string `json:"product_reference"`
	On       string `json:"relates_to_product_reference"`
}

// Vulnerability is one of /vulnerabilities.
type Vulnerability struct {
	CVE          string              `json:"cve,omitempty"`
	IDs          []OtherID           `json:"ids,omitempty"`
	CWE          *CWE                `json:"cwe,omitempty"`
	Title        string              `json:"title,omitempty"`
	Notes        []Note              `json:"notes,omitempty"`
	Status       map[string][]string `json:"product_status,omitempty"`
	Flags        []Flag              `json:"flags,omitempty"`
	Threats      []Threat            `json:"threats,omitempty"`
	Scores       []Score             `json:"scores,omitempty"`
	Remediations []Remediation       `json:"remediations,omitempty"`
}

// OtherID names a vulnerability that has no CVE.
type OtherID struct {
	System string `json:"system_name"`
	Text   string `json:"text"`
}

// CWE is the class of a weakness.
type CWE struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Flag says why a product is not affected.
type Flag struct {
	Label    string     `json:"label"`
	Date     *time.Time `json:"date,omitempty"`
	Products []string   `json:"product_ids,omitempty"`
	Groups   []string   `json:"group_ids,omitempty"`
}

// Threat says what follows from a vulnerability, or why it is harmless here.
type Threat struct {
	Category string     `json:"category"`
	Details  string     `json:"details"`
	Date     *time.Time `json:"date,omitempty"`
	Products []string   `json:"product_ids,omitempty"`
	Groups   []string   `json:"group_ids,omitempty"`
}

// Score is a CVSS score of products.
type Score struct {
	Products []string `json:"products"`
	V2       *CVSS    `json:"cvss_v2,omitempty"`
	V3       *CVSS    `json:"cvss_v3,omitempty"`
}

// CVSS is the part of a score that is read.
type CVSS struct {
	Version  string  `json:"version"`
	Vector   string  `json:"vectorString"`
	Score    float64 `json:"baseScore"`
	Severity string  `json:"baseSeverity,omitempty"`
}

// Remediation is what can be done.
type Remediation struct {
	Category string     `json:"category"`
	Details  string     `json:"details"`
	URL      string     `json:"url,omitempty"`
	Date     *time.Time `json:"date,omitempty"`
	Products []string   `json:"product_ids,omitempty"`
	Groups   []string   `json:"group_ids,omitempty"`
}

// Read reads a document and checks what it must have.
func Read(data []byte) (*Document, error) {
	if len(data) > MaxFile {
		return nil, wrong("file", "is larger than %d MiB", MaxFile>>20)
	}
	if err := depth(data, 4*MaxDepth); err != nil {
		return nil, err
	}
	var d Document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, syntax(data, err)
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	return &d, nil
}

// syntax turns an error of the decoder into one with a line.
func syntax(data []byte, err error) error {
	at, what := int64(-1), err.Error()
	switch e := err.(type) { //nolint:errorlint // the decoder returns them as they are
	case *json.SyntaxError:
		at = e.Offset
	case *json.UnmarshalTypeError:
		at, what = e.Offset, fmt.Sprintf("%s is a %s and must be a %s", e.Field, e.Value, e.Type.Kind())
	}
	if at < 0 {
		return wrong("file", "%s", strings.TrimPrefix(what, "json: "))
	}
	line := 1 + strings.Count(string(data[:min(int(at), len(data))]), "\n")
	return wrong(fmt.Sprintf("line %d", line), "%s", what)
}

// depth refuses nesting before the decoder recurses into it.
func depth(data []byte, most int) error {
	deep, in := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case in && c == '\\':
			i++
		case c == '"':
			in = !in
		case in:
		case c == '{' || c == '[':
			if deep++; deep > most {
				return wrong("file", "is nested deeper than %d", most)
			}
		case c == '}' || c == ']':
			deep--
		}
	}
	return nil
}
