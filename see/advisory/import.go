// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/advisory/csaf"
	"github.com/asepsis/asepsis/see/advisory/mds2"
	"github.com/asepsis/asepsis/see/advisory/naming"
	"github.com/asepsis/asepsis/see/advisory/sbom"
)

// MaxImport bounds one file that is imported, and what is kept of it.
const MaxImport = 16 << 20

// Kinds of imports.
const (
	ImportCSAF      = "csaf"
	ImportCycloneDX = "cyclonedx"
	ImportSPDX      = "spdx"
	ImportMDS2      = "mds2"
)

// Import is one file that a person brought in.
type Import struct {
	ID       string         `json:"id"`
	Kind     string         `json:"kind"`
	Title    string         `json:"title"`
	File     string         `json:"file"` // its name alone
	Device   string         `json:"device,omitempty"`
	Vendor   string         `json:"vendor,omitempty"`
	Model    string         `json:"model,omitempty"`
	Who      string         `json:"who"`
	At       int64          `json:"at"`
	Advisory *Advisory      `json:"advisory,omitempty"` // of a CSAF document
	SBOM     *sbom.Document `json:"sbom,omitempty"`
	MDS2     *mds2.Form     `json:"mds2,omitempty"`
	Revision uint64         `json:"-"`
}

// Scope says what an SBOM or a form is about: a device, or all of a model.
type Scope struct{ Device, Vendor, Model string }

// ReadImport reads a file of any kind that can be imported. It is taken as a whole or not at
// all. file is its name, for the record and for telling kinds apart that look alike.
func ReadImport(file string, data []byte, about Scope) (Import, error) {
	file = base(file)
	fail := func(err error) (Import, error) { return Import{}, &FileError{file, err} }
	if len(data) > MaxImport {
		return fail(fmt.Errorf("is larger than %d MiB", MaxImport>>20))
	}
	x := Import{File: file, Device: about.Device, Vendor: about.Vendor, Model: about.Model}
	switch {
	case sniff(data) == "csaf":
		d, err := csaf.Read(data)
		if err != nil {
			return fail(err)
		}
		a := FromCSAF(d)
		x.Kind, x.Title, x.Advisory, x.ID = ImportCSAF, a.Title, &a, "csaf-"+slug(a.ID)
		x.Device, x.Vendor, x.Model = "", "", "" // it says itself what it is about
		return x, nil
	case sniff(data) == "kev":
		return fail(hinted(errors.New("is the KEV catalogue, which is a part of the index"), "asepsis knowledge update DIR takes it, together with the advisories"))
	case sbom.Is(data):
		d, err := sbom.Read(data)
		if err != nil {
			return fail(err)
		}
		x.Kind, x.Title, x.SBOM = d.Format, tidy(d.Name, 200), d
		if x.Vendor == "" && x.Device == "" && d.Vendor != "" && d.Model != "" {
			x.Vendor, x.Model = tidy(d.Vendor, 200), tidy(d.Model, 200)
		}
		x.Advisory = fromSBOM(&x)
	case mds2.Is(data):
		f, err := mds2.Read(data)
		if err != nil {
			return fail(err)
		}
		x.Kind, x.Title, x.MDS2 = ImportMDS2, tidy(strings.TrimSpace("MDS2 "+f.Vendor+" "+f.Model), 200), f
		if x.Vendor == "" && x.Device == "" && f.Vendor != "" && f.Model != "" {
			x.Vendor, x.Model = tidy(f.Vendor, 200), tidy(f.Model, 200)
		}
	default:
		return fail(hinted(errors.New("is neither CSAF, CycloneDX, SPDX nor MDS2"), "CSAF 2.0 JSON, CycloneDX JSON or XML, SPDX 2.3 JSON or tag-value, and MDS2 answers as CSV or JSON are read"))
	}
	if x.Device == "" && (x.Vendor == "" || x.Model == "") {
		return fail(hinted(errors.New("does not say what it is about"), "name a device, or a manufacturer and a model"))
	}
	sum := sha256.Sum256([]byte(x.Kind + "\x00" + x.Device + "\x00" + strings.ToLower(x.Vendor+"\x00"+x.Model) + "\x00" + x.Title))
	x.ID = x.Kind + "-" + hex.EncodeToString(sum[:8])
	if x.Advisory != nil {
		x.Advisory.ID = "SBOM-" + strings.ToUpper(hex.EncodeToString(sum[:4]))
	}
	return x, nil
}

// fromSBOM makes an advisory of the vulnerabilities that an SBOM names itself. It is
// matched by being attached, see Shelf.Stated; nil where there are none.
func fromSBOM(x *Import) *Advisory {
	if len(x.SBOM.Vulnerabilities) == 0 {
		return nil
	}
	day := x.SBOM.Made
	if day == "" {
		day = time.Unix(0, 0).UTC().Format(time.RFC3339)
	}
	a := &Advisory{Title: "What the SBOM of " + x.Title + " says of itself", Publisher: tidy(x.SBOM.Author, 200), Published: day, Updated: day, Revision: tidy(x.SBOM.Version, 40), Imported: true,
		Summary: "The SBOM names vulnerabilities of components, with the manufacturer's assessment where it has one."}
	for _, v := range x.SBOM.Vulnerabilities {
		a.Vulnerabilities = append(a.Vulnerabilities, Vulnerability{CVE: v.ID, Summary: tidy(v.Summary, maxSummary), Score: v.Score, Vector: tidy(v.Vector, 200), CWE: v.CWE})
		if v.Advice != "" {
			a.Remediations = append(a.Remediations, Remediation{Kind: "vendor_fix", Text: tidy(v.ID+": "+v.Advice, maxAdvice)})
		}
	}
	return a
}

// Stated returns the verdicts that SBOMs state themselves of a device. A vulnerability that
// the manufacturer has assessed is what the assessment says; one without is unknown.
func (s Shelf) Stated(d *device.Device) []Match {
	var out []Match
	for i := range s.Imports {
		m := &s.Imports[i]
		if m.SBOM == nil || m.Advisory == nil || !m.about(d.Vendor, d.Model, d.ID, d.Aliases) {
			continue
		}
		x := Match{Advisory: m.Advisory.ID, Product: m.Title, Verdict: NotAffected, Confidence: 75, CVEs: []string{}, Evidence: []string{"the SBOM " + m.Title + " is attached to " + m.scope()}}
		if m.Device == "" {
			x.Confidence = min(x.Confidence, int(d.Facts[device.AttrModel].Confidence))
		}
		by := map[Verdict][]string{}
		for _, v := range m.SBOM.Vulnerabilities {
			w := stateOf(v.State)
			by[w] = append(by[w], v.ID)
			x.Verdict = max(x.Verdict, w)
		}
		x.CVEs = by[x.Verdict]
		for _, v := range m.SBOM.Vulnerabilities {
			if stateOf(v.State) == x.Verdict && len(x.Evidence) < 12 {
				text := v.ID + " in " + strings.Join(clipList(v.Components, 3), ", ")
				if v.State != "" {
					text += ": the manufacturer says " + strings.ReplaceAll(v.State, "_", " ")
				}
				x.Evidence = append(x.Evidence, text)
			}
		}
		if x.Verdict == Unknown {
			x.Missing = []string{"the manufacturer's assessment of " + strings.Join(clipList(by[Unknown], 5), ", ")}
		}
		x.Confidence = max(x.Confidence, 1)
		out = append(out, x)
	}
	return out
}

func stateOf(s string) Verdict {
	switch s {
	case "exploitable":
		return Affected
	case "not_affected", "false_positive", "resolved", "resolved_with_pedigree":
		return NotAffected
	}
	return Unknown
}

func (m *Import) scope() string {
	if m.Device != "" {
		return "this device"
	}
	return "the model " + m.Vendor + " " + m.Model
}

// about reports whether an import is about a device.
func (m *Import) about(vendor, model, id string, aliases []string) bool {
	if m.Device != "" {
		return m.Device == id || slices.Contains(aliases, m.Device)
	}
	if m.Model == "" || model == "" {
		return false
	}
	a, aok := naming.FindMaker(m.Vendor)
	b, bok := naming.FindMaker(vendor)
	return aok && bok && a.Key == b.Key && slices.Equal(naming.Words(m.Model), naming.Words(model))
}

// FormsOf returns the MDS2 forms about a device, the newest last.
func (s Shelf) FormsOf(d *device.Device) []*Import {
	var out []*Import
	for i := range s.Imports {
		if m := &s.Imports[i]; m.MDS2 != nil && m.about(d.Vendor, d.Model, d.ID, d.Aliases) {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b *Import) int { return int(min(1, max(-1, a.At-b.At))) })
	return out
}

// SBOMsOf returns the SBOMs about a device.
func (s Shelf) SBOMsOf(d *device.Device) []*Import {
	var out []*Import
	for i := range s.Imports {
		if m := &s.Imports[i]; m.SBOM != nil && m.about(d.Vendor, d.Model, d.ID, d.Aliases) {
			out = append(out, m)
		}
	}
	return out
}

type withHint struct {
	error
	help string
}

func (w *withHint) Hint() string  { return w.help }
func (w *withHint) Unwrap() error { return w.error }

func hinted(err error, help string) error { return &withHint{err, help} }

// base is the last part of a path, of either kind of system, fit to be shown.
func base(file string) string {
	if at := strings.LastIndexAny(file, `/\`); at >= 0 {
		file = file[at+1:]
	}
	if file = tidy(file, 200); file == "" {
		return "the file"
	}
	return file
}

func slug(s string) string {
	b := bytes.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '.':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, []byte(s))
	if len(b) > 120 {
		sum := sha256.Sum256(b)
		b = append(b[:100], []byte("-"+hex.EncodeToString(sum[:6]))...)
	}
	return string(b)
}
