// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/finding"
)

// Bounds of an index.
const (
	MaxIndex      = 64 << 20 // bytes, unpacked
	MaxAdvisories = 50_000
	indexFormat   = 1
)

// Index is all that is known: advisories, and which CVEs are exploited.
type Index struct {
	Format     int        `json:"format"`
	Source     string     `json:"source"` // where it was made from, and its terms
	Made       string     `json:"made"`   // RFC 3339
	Advisories []Advisory `json:"advisories"`
	KEV        KEV        `json:"kev"`
	Imports    []Import   `json:"imports,omitempty"` // SBOMs and forms that say themselves which model they are about
	Pinned     bool       `json:"pinned,omitempty"`  // installed although it is older: a newer program does not replace it
}

// Advisory is one published text about products.
type Advisory struct {
	ID              string          `json:"id"`
	Title           string          `json:"title"`
	Summary         string          `json:"summary,omitempty"`
	Publisher       string          `json:"publisher"`
	URL             string          `json:"url,omitempty"`
	Published       string          `json:"published"` // RFC 3339
	Updated         string          `json:"updated"`
	Revision        string          `json:"revision"`
	Products        []Product       `json:"products"`
	Vulnerabilities []Vulnerability `json:"vulnerabilities"`
	Remediations    []Remediation   `json:"remediations,omitempty"`
	Imported        bool            `json:"imported,omitempty"` // by a person, not part of the index
}

// Product is one entry of an advisory's product tree, as it was written.
type Product struct {
	ID      string   `json:"id"`
	Vendor  string   `json:"vendor"`
	Name    string   `json:"name"`
	Version string   `json:"version"` // text of the version or range
	Text    string   `json:"text"`    // full name
	With    string   `json:"with,omitempty"`
	Models  []string `json:"models,omitempty"` // model numbers, where the advisory has them apart
}

// Vulnerability is one of an advisory.
type Vulnerability struct {
	CVE      string           `json:"cve"` // or another ID
	Title    string           `json:"title,omitempty"`
	Summary  string           `json:"summary,omitempty"`
	CWE      string           `json:"cwe,omitempty"`
	CWEName  string           `json:"cwe_name,omitempty"`
	Score    float64          `json:"cvss,omitempty"`
	Vector   string           `json:"vector,omitempty"`
	Affected []int            `json:"affected,omitempty"` // products, by their place
	Fine     []int            `json:"not_affected,omitempty"`
	Fixed    []int            `json:"fixed,omitempty"`
	Asked    []int            `json:"under_investigation,omitempty"`
	Severity finding.Severity `json:"-"`
}

// Remediation is what can be done, for products.
type Remediation struct {
	Kind     string `json:"kind"`
	Text     string `json:"text"`
	URL      string `json:"url,omitempty"`
	Products []int  `json:"products,omitempty"` // none: all
}

// KEV is the catalogue of known exploited vulnerabilities.
type KEV struct {
	Version  string               `json:"version"`
	Released string               `json:"released"`
	CVEs     map[string]Exploited `json:"cves"`
}

// Exploited says what the catalogue says of one CVE.
type Exploited struct {
	Added      string `json:"added"`
	Due        string `json:"due"`
	Ransomware bool   `json:"ransomware,omitempty"`
}

// Date is when the newest advisory was last changed.
func (x *Index) Date() time.Time {
	var last time.Time
	for i := range x.Advisories {
		if t, err := time.Parse(time.RFC3339, x.Advisories[i].Updated); err == nil && t.After(last) {
			last = t
		}
	}
	return last
}

// Released is when the KEV catalogue was.
func (x *Index) Released() time.Time {
	t, _ := time.Parse(time.RFC3339, x.KEV.Released)
	return t
}

// CVEs counts the different CVEs.
func (x *Index) CVEs() int {
	seen := map[string]bool{}
	for i := range x.Advisories {
		for _, v := range x.Advisories[i].Vulnerabilities {
			seen[v.CVE] = true
		}
	}
	return len(seen)
}

// Score is the highest of the advisory's vulnerabilities.
func (a *Advisory) Score() float64 {
	s := 0.0
	for _, v := range a.Vulnerabilities {
		s = max(s, v.Score)
	}
	return s
}

// SeverityOf is the qualitative severity of a CVSS base score (CVSS v3.1 section 5).
func SeverityOf(score float64) finding.Severity {
	switch {
	case score >= 9:
		return finding.Critical
	case score >= 7:
		return finding.High
	case score >= 4:
		return finding.Medium
	case score > 0:
		return finding.Low
	}
	return finding.Unknown
}

// Encode packs an index. The same index gives the same bytes.
func (x *Index) Encode() ([]byte, error) {
	x.Format = indexFormat
	slices.SortFunc(x.Advisories, func(a, b Advisory) int { return cmp.Compare(a.ID, b.ID) })
	body, err := json.Marshal(x)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Decode unpacks an index. What is not one, is newer than this program, or larger than
// MaxIndex is refused.
func Decode(packed []byte) (*Index, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("knowledge index: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(z, MaxIndex+1))
	if err != nil {
		return nil, fmt.Errorf("knowledge index: %w", err)
	}
	if len(body) > MaxIndex {
		return nil, fmt.Errorf("knowledge index: is larger than %d MiB unpacked", MaxIndex>>20)
	}
	var x Index
	if err := json.Unmarshal(body, &x); err != nil {
		return nil, fmt.Errorf("knowledge index: %w", err)
	}
	if x.Format != indexFormat {
		return nil, fmt.Errorf("knowledge index: has format %d, this program reads %d", x.Format, indexFormat)
	}
	if len(x.Advisories) > MaxAdvisories {
		return nil, fmt.Errorf("knowledge index: has more than %d advisories", MaxAdvisories)
	}
	for i := range x.Advisories {
		if err := x.Advisories[i].valid(); err != nil {
			return nil, fmt.Errorf("knowledge index: %s: %w", x.Advisories[i].ID, err)
		}
	}
	return &x, nil
}

// valid holds references to what there is.
func (a *Advisory) valid() error {
	for i := range a.Vulnerabilities {
		v := &a.Vulnerabilities[i]
		for _, l := range [][]int{v.Affected, v.Fine, v.Fixed, v.Asked} {
			for _, n := range l {
				if n < 0 || n >= len(a.Products) {
					return errors.New("a vulnerability names a product that is not there")
				}
			}
		}
	}
	for _, r := range a.Remediations {
		for _, n := range r.Products {
			if n < 0 || n >= len(a.Products) {
				return errors.New("a remediation names a product that is not there")
			}
		}
	}
	return nil
}

// Fingerprint names the content of a packed index.
func Fingerprint(packed []byte) string {
	sum := sha256.Sum256(packed)
	return hex.EncodeToString(sum[:12])
}
