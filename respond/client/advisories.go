// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

type advisoryRow struct {
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Vendors   []string `json:"vendors"`
	Severity  string   `json:"severity"`
	CVSS      float64  `json:"cvss"`
	CVEs      []string `json:"cves"`
	Exploited bool     `json:"exploited"`
	Due       string   `json:"due"`
	Updated   string   `json:"updated"`
	Affected  int      `json:"affected"`
	Unknown   int      `json:"unknown"`
	Not       int      `json:"not_affected"`
}

type advisoryMatch struct {
	Advisory   string   `json:"advisory"`
	Title      string   `json:"title"`
	Severity   string   `json:"severity"`
	CVSS       float64  `json:"cvss"`
	Exploited  bool     `json:"exploited"`
	Device     string   `json:"device"`
	DeviceName string   `json:"device_name"`
	Theatre    string   `json:"theatre"`
	Verdict    string   `json:"verdict"`
	Found      string   `json:"found"`
	Confidence int      `json:"confidence"`
	Evidence   []string `json:"evidence"`
	Missing    []string `json:"missing"`
	CVEs       []string `json:"cves"`
	Decision   *struct {
		Status string `json:"status"`
		Reason string `json:"reason"`
		Who    string `json:"who"`
		Until  string `json:"until"`
	} `json:"decision"`
}

// WriteAdvisories prints the answer of GET /advisories.
func WriteAdvisories(w io.Writer, answer json.RawMessage) error {
	var l struct {
		Total     int `json:"total"`
		Knowledge struct {
			Date, Matched string
			Advisories    int
		} `json:"knowledge"`
		Advisories []advisoryRow `json:"advisories"`
	}
	if err := json.Unmarshal(answer, &l); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row(t, "ADVISORY", "SEVERITY", "CVSS", "EXPLOITED", "AFFECTED", "UNKNOWN", "NOT", "TITLE")
	for _, a := range l.Advisories {
		row(t, a.ID, a.Severity, score(a.CVSS), exploited(a.Exploited), fmt.Sprint(a.Affected), fmt.Sprint(a.Unknown), fmt.Sprint(a.Not), a.Title)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	state := "devices were not compared yet"
	if l.Knowledge.Matched != "" {
		state = "compared " + local(l.Knowledge.Matched)
	}
	_, err := fmt.Fprintf(w, "\n%d of %d; known to %.10s advisories, %s\n", len(l.Advisories), l.Total, l.Knowledge.Date, state)
	return err
}

func score(s float64) string {
	if s == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", s)
}

func exploited(yes bool) string {
	if yes {
		return "yes"
	}
	return "-"
}

// WriteAdvisory prints the answer of GET /advisories/{id}.
func WriteAdvisory(w io.Writer, answer json.RawMessage) error {
	var a struct {
		Advisory        advisoryRow `json:"advisory"`
		Summary         string      `json:"summary"`
		URL             string      `json:"url"`
		Vulnerabilities []struct {
			CVE, Severity, CWE, Summary string
			CVSS                        float64
			Exploited                   bool
			Due                         string
		} `json:"vulnerabilities"`
		Products []struct {
			Vendor, Model, Versions, Why string
			Understood                   bool
		} `json:"products"`
		Remediations []struct{ Kind, Text string } `json:"remediations"`
		Matches      []advisoryMatch               `json:"matches"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return err
	}
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	p("%s  %s\n%s, CVSS %s, updated %.10s", clean(a.Advisory.ID), clean(a.Advisory.Title), a.Advisory.Severity, score(a.Advisory.CVSS), a.Advisory.Updated)
	if a.Advisory.Exploited {
		p(", known to be exploited")
	}
	p("\n%s\n\n%s\n", clean(a.URL), clean(a.Summary))
	p("\nVULNERABILITIES\n")
	for _, v := range a.Vulnerabilities {
		p("  %s  %s %s  %s", clean(v.CVE), v.Severity, score(v.CVSS), clean(v.CWE))
		if v.Exploited {
			p("  exploited, to be fixed by %s", clean(v.Due))
		}
		p("\n    %s\n", clean(v.Summary))
	}
	p("\nPRODUCTS\n")
	for _, x := range a.Products {
		text := x.Versions
		if !x.Understood {
			text = "not understood: " + x.Why
		}
		p("  %s %s: %s\n", clean(x.Vendor), clean(x.Model), clean(text))
	}
	p("\nWHAT TO DO\n")
	for _, x := range a.Remediations {
		p("  %s: %s\n", strings.ReplaceAll(clean(x.Kind), "_", " "), clean(x.Text))
	}
	p("\nDEVICES (%d)\n", len(a.Matches))
	for _, m := range a.Matches {
		p("  %s (%s)", clean(m.DeviceName), clean(m.Device))
		writeMatch(p, m)
	}
	return nil
}

// WriteDeviceAdvisories prints the answer of GET /devices/{id}/advisories.
func WriteDeviceAdvisories(w io.Writer, answer json.RawMessage) error {
	var a struct {
		Device, Name string
		Matches      []advisoryMatch
		Statements   []struct{ Question, Topic, Answer, Note string }
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return err
	}
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	p("%s (%s)\n", clean(a.Name), clean(a.Device))
	if len(a.Matches) == 0 {
		p("No advisory names it. That nothing is known is not that nothing is wrong.\n")
	}
	for _, m := range a.Matches {
		p("\n%s  %s\n  %s, CVSS %s", clean(m.Advisory), clean(m.Title), m.Severity, score(m.CVSS))
		writeMatch(p, m)
	}
	if len(a.Statements) > 0 {
		p("\nWHAT THE MANUFACTURER SAYS (MDS2)\n")
		for _, s := range a.Statements {
			p("  %s %s: %s %s\n", clean(s.Question), clean(s.Topic), clean(s.Answer), clean(s.Note))
		}
	}
	return nil
}

func writeMatch(p func(string, ...any), m advisoryMatch) {
	p(": %s (confidence %d)", strings.ToUpper(m.Verdict), m.Confidence)
	if m.Exploited {
		p(", known to be exploited")
	}
	p("\n")
	if d := m.Decision; d != nil {
		p("    decided by %s: %s, %s\n", clean(d.Who), clean(d.Status), clean(d.Reason))
	}
	for _, e := range m.Evidence {
		p("    %s\n", clean(e))
	}
	for _, e := range m.Missing {
		p("    missing: %s\n", clean(e))
	}
	p("    %s\n", clean(strings.Join(m.CVEs, ", ")))
}
