// SPDX-License-Identifier: Apache-2.0

// Package sbom reads software bills of materials: CycloneDX (JSON and XML, to 1.7) and SPDX
// (2.3 and earlier, JSON and tag-value), as far as advisories are matched with them: the
// components with their versions and suppliers, and the vulnerabilities that a CycloneDX
// document names with the manufacturer's assessment.
//
// CycloneDX is decoded by the library of that project, whose panics become errors of the
// file; SPDX here, of which little is needed. What is kept is bounded: MaxFile bytes, MaxComponents components,
// MaxVulnerabilities vulnerabilities, MaxNesting levels of components. A file beyond a bound
// is refused, not cut: half a bill of materials would say that the rest is not there.
//
// # What is not done
//
// Licences, hashes, dependencies and signatures are passed over. External documents are
// not fetched.
package sbom

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Bounds of a document.
const (
	MaxFile            = 16 << 20
	MaxComponents      = 20_000
	MaxVulnerabilities = 5_000
	MaxNesting         = 32
	maxText            = 300
)

// Document is an SBOM as far as it is kept.
type Document struct {
	Format          string          `json:"format"` // "cyclonedx", "spdx"
	Spec            string          `json:"spec"`   // "1.6", "SPDX-2.3"
	Name            string          `json:"name"`   // of what it describes, with its version
	Vendor          string          `json:"vendor,omitempty"`
	Model           string          `json:"model,omitempty"`
	Version         string          `json:"version,omitempty"`
	Author          string          `json:"author,omitempty"`
	Made            string          `json:"made,omitempty"` // RFC 3339
	Components      []Component     `json:"components"`
	Vulnerabilities []Vulnerability `json:"vulnerabilities,omitempty"`
}

// Component is one piece of software or hardware.
type Component struct {
	Name     string `json:"name"`
	Version  string `json:"version,omitempty"`
	Supplier string `json:"supplier,omitempty"`
	PURL     string `json:"purl,omitempty"`
	CPE      string `json:"cpe,omitempty"`
}

// Vulnerability is what the document says of one.
type Vulnerability struct {
	ID         string   `json:"id"`
	Summary    string   `json:"summary,omitempty"`
	Score      float64  `json:"cvss,omitempty"`
	Vector     string   `json:"vector,omitempty"`
	CWE        string   `json:"cwe,omitempty"`
	State      string   `json:"state,omitempty"` // of the analysis: exploitable, not_affected, resolved ...
	Advice     string   `json:"advice,omitempty"`
	Components []string `json:"components,omitempty"` // names
}

// Error says what is wrong with a file.
type Error struct{ What, Help string }

// Error implements error.
func (e *Error) Error() string { return e.What }

// Hint says what to do.
func (e *Error) Hint() string { return e.Help }

func wrong(format string, args ...any) *Error {
	return &Error{fmt.Sprintf(format, args...), "CycloneDX as JSON or XML and SPDX 2.3 as JSON or tag-value are read; most tools convert between them"}
}

// Is reports whether data looks like an SBOM.
func Is(data []byte) bool { return kind(data) != "" }

func kind(data []byte) string {
	head := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case len(head) == 0:
	case head[0] == '{' && bytes.Contains(head, []byte(`"CycloneDX"`)):
		return "cyclonedx-json"
	case head[0] == '{' && bytes.Contains(head, []byte(`"spdxVersion"`)):
		return "spdx-json"
	case head[0] == '<' && bytes.Contains(head[:min(len(head), 4096)], []byte("cyclonedx.org/schema/bom")):
		return "cyclonedx-xml"
	case bytes.Contains(head[:min(len(head), 4096)], []byte("SPDXVersion:")):
		return "spdx-tag"
	}
	return ""
}

// Read reads an SBOM of any of the formats.
func Read(data []byte) (d *Document, err error) {
	if len(data) > MaxFile {
		return nil, wrong("is larger than %d MiB", MaxFile>>20)
	}
	defer func() {
		if p := recover(); p != nil {
			d, err = nil, wrong("cannot be decoded: it breaks the rules of its format")
		}
	}()
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if err := nesting(data); err != nil {
		return nil, err
	}
	switch kind(data) {
	case "cyclonedx-json":
		d, err = readCycloneDX(data, false)
	case "cyclonedx-xml":
		d, err = readCycloneDX(data, true)
	case "spdx-json":
		d, err = readSPDX(data, false)
	case "spdx-tag":
		d, err = readSPDX(data, true)
	default:
		return nil, wrong("is no SBOM")
	}
	if err != nil {
		var mine *Error
		if errors.As(err, &mine) {
			return nil, err
		}
		return nil, wrong("cannot be decoded: %s", clip(err.Error()))
	}
	return d, nil
}

// nesting refuses what would make a decoder recurse deeply.
func nesting(data []byte) error {
	const most = 8 * MaxNesting
	deep, in := 0, false
	xml := len(data) > 0 && bytes.HasPrefix(bytes.TrimSpace(data[:min(len(data), 64)]), []byte("<"))
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case xml:
			if c == '<' && i+1 < len(data) {
				switch data[i+1] {
				case '/':
					deep--
				case '!', '?':
				default:
					deep++
				}
			} else if c == '/' && i+1 < len(data) && data[i+1] == '>' {
				deep--
			}
		case in && c == '\\':
			i++
		case c == '"':
			in = !in
		case in:
		case c == '{' || c == '[':
			deep++
		case c == '}' || c == ']':
			deep--
		}
		if deep > most {
			return wrong("is nested deeper than %d", most)
		}
	}
	return nil
}

func clip(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\ufffd")), " ")
	if r := []rune(s); len(r) > maxText {
		return string(r[:maxText]) + "…"
	}
	return s
}
