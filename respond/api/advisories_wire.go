// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"time"

	"github.com/asepsis/asepsis/see/advisory"
)

// AdvisoryList is the answer of GET /advisories.
type AdvisoryList struct {
	Knowledge  Knowledge      `json:"knowledge"`
	Total      int            `json:"total"`
	Counts     AdvisoryCounts `json:"counts"`
	Vendors    []ValueCount   `json:"vendors"`
	Advisories []AdvisoryRow  `json:"advisories"`
	Next       *string        `json:"next"`
}

// ValueCount is a value with how many have it.
type ValueCount struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// Knowledge says what is known, and of when.
type Knowledge struct {
	Date          string `json:"date"`
	Built         string `json:"built"`
	Source        string `json:"source"`
	Origin        string `json:"origin"`
	Advisories    int    `json:"advisories"`
	CVEs          int    `json:"cves"`
	Products      int    `json:"products"`
	NotUnderstood int    `json:"not_understood"`
	KEV           string `json:"kev"`
	KEVCVEs       int    `json:"kev_cves"`
	Imported      int    `json:"imported"`
	Matched       string `json:"matched,omitempty"`
}

// AdvisoryCounts counts advisories by their worst verdict.
type AdvisoryCounts struct {
	Affected        int `json:"affected"`
	Unknown         int `json:"unknown"`
	NotAffected     int `json:"not_affected"`
	None            int `json:"none"`
	Exploited       int `json:"exploited"`
	DevicesAffected int `json:"devices_affected"`
	DevicesUnknown  int `json:"devices_unknown"`
	Decided         int `json:"decided"`
}

// AdvisoryRow is an advisory in a list.
type AdvisoryRow struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Vendors     []string `json:"vendors"`
	Severity    Severity `json:"severity"`
	CVSS        float64  `json:"cvss"`
	CVEs        []string `json:"cves"`
	Exploited   bool     `json:"exploited"`
	Due         string   `json:"due,omitempty"`
	Published   string   `json:"published"`
	Updated     string   `json:"updated"`
	Affected    int      `json:"affected"`
	Unknown     int      `json:"unknown"`
	NotAffected int      `json:"not_affected"`
	Decided     int      `json:"decided"`
	Imported    bool     `json:"imported"`
}

// Advisory is the answer of GET /advisories/{id}.
type Advisory struct {
	Advisory        AdvisoryRow             `json:"advisory"`
	Summary         string                  `json:"summary"`
	URL             string                  `json:"url"`
	Publisher       string                  `json:"publisher"`
	Revision        string                  `json:"revision"`
	Vulnerabilities []AdvisoryVulnerability `json:"vulnerabilities"`
	Products        []AdvisoryProduct       `json:"products"`
	Remediations    []AdvisoryRemediation   `json:"remediations"`
	Matches         []AdvisoryMatch         `json:"matches"`
	Decisions       []AdvisoryDecision      `json:"decisions"`
}

// AdvisoryVulnerability is one CVE of an advisory.
type AdvisoryVulnerability struct {
	CVE        string   `json:"cve"`
	Title      string   `json:"title"`
	Summary    string   `json:"summary"`
	CWE        string   `json:"cwe"`
	CWEName    string   `json:"cwe_name"`
	CVSS       float64  `json:"cvss"`
	Vector     string   `json:"vector"`
	Severity   Severity `json:"severity"`
	Exploited  bool     `json:"exploited"`
	Due        string   `json:"due,omitempty"`
	Ransomware bool     `json:"ransomware"`
}

// AdvisoryProduct is one product entry, as it was understood.
type AdvisoryProduct struct {
	ID         string           `json:"id"`
	Vendor     string           `json:"vendor"`
	Model      string           `json:"model"`
	Versions   string           `json:"versions"`
	Text       string           `json:"text"`
	Status     advisory.Verdict `json:"status"`
	Understood bool             `json:"understood"`
	Why        string           `json:"why,omitempty"`
	Conditions []string         `json:"conditions"`
}

// AdvisoryRemediation is what can be done.
type AdvisoryRemediation struct {
	Kind     string   `json:"kind"`
	Text     string   `json:"text"`
	URL      string   `json:"url,omitempty"`
	Products []string `json:"products"`
}

// AdvisoryMatch is one advisory for one device.
type AdvisoryMatch struct {
	Advisory    string            `json:"advisory"`
	Title       string            `json:"title"`
	Severity    Severity          `json:"severity"`
	CVSS        float64           `json:"cvss"`
	Exploited   bool              `json:"exploited"`
	Due         string            `json:"due,omitempty"`
	Device      string            `json:"device"`
	DeviceName  string            `json:"device_name"`
	DeviceClass string            `json:"device_class"`
	Theatre     string            `json:"theatre"`
	Product     string            `json:"product"`
	CVEs        []string          `json:"cves"`
	Verdict     advisory.Verdict  `json:"verdict"`
	Found       advisory.Verdict  `json:"found"`
	Confidence  int               `json:"confidence"`
	Evidence    []string          `json:"evidence"`
	Missing     []string          `json:"missing"`
	Decision    *AdvisoryDecision `json:"decision,omitempty"`
	Since       string            `json:"since"`
}

// AdvisoryDecision is what a person decided.
type AdvisoryDecision struct {
	ID            string          `json:"id"`
	Advisory      string          `json:"advisory"`
	Device        string          `json:"device,omitempty"`
	Vendor        string          `json:"vendor,omitempty"`
	Model         string          `json:"model,omitempty"`
	CVEs          []string        `json:"cves"`
	Status        advisory.Status `json:"status"`
	Justification string          `json:"justification,omitempty"`
	Reason        string          `json:"reason"`
	Who           string          `json:"who"`
	At            string          `json:"at"`
	Until         string          `json:"until,omitempty"`
	Expired       bool            `json:"expired"`
	Revision      uint64          `json:"revision"`
}

func decisionOf(d *advisory.Decision, now time.Time) AdvisoryDecision {
	out := AdvisoryDecision{ID: d.ID, Advisory: d.Advisory, Device: d.Device, Vendor: d.Vendor, Model: d.Model, CVEs: orEmpty(d.CVEs), Status: d.Status,
		Justification: d.Justification, Reason: d.Reason, Who: d.Who, At: stamp(d.At), Expired: d.Expired(now), Revision: d.Revision}
	if d.Until != 0 {
		out.Until = stamp(d.Until)
	}
	return out
}

// AdvisoryMatches answers GET /advisories/matches.
type AdvisoryMatches struct {
	Matches []AdvisoryMatch `json:"matches"`
	Total   int             `json:"total"`
}

// DeviceAdvisories is the answer of GET /devices/{id}/advisories.
type DeviceAdvisories struct {
	Device     string            `json:"device"`
	Name       string            `json:"name"`
	Matches    []AdvisoryMatch   `json:"matches"`
	SBOMs      []AdvisorySBOM    `json:"sboms"`
	Statements []DeviceStatement `json:"statements"`
	Facts      []DeviceFactUsed  `json:"facts"`
}

// DeviceFactUsed is a fact that was compared.
type DeviceFactUsed struct {
	Attribute  string   `json:"attribute"`
	Value      string   `json:"value"`
	Confidence int      `json:"confidence"`
	Sources    []string `json:"sources"`
}

// AdvisorySBOM is a bill of materials that is attached.
type AdvisorySBOM struct {
	ID              string `json:"id"`
	Format          string `json:"format"`
	Name            string `json:"name"`
	Components      int    `json:"components"`
	Vulnerabilities int    `json:"vulnerabilities"`
	Device          string `json:"device,omitempty"`
	Vendor          string `json:"vendor,omitempty"`
	Model           string `json:"model,omitempty"`
	File            string `json:"file"`
	Who             string `json:"who"`
	At              string `json:"at"`
}

// DeviceStatement is what the manufacturer says of a device.
type DeviceStatement struct {
	Question string `json:"question"`
	Topic    string `json:"topic"`
	Answer   string `json:"answer"`
	Note     string `json:"note,omitempty"`
	File     string `json:"file"`
	At       string `json:"at"`
}

// AdvisoryImport says what was imported.
type AdvisoryImport struct {
	ID              string   `json:"id"`
	Kind            string   `json:"kind"`
	Title           string   `json:"title"`
	Change          string   `json:"change"`
	Products        int      `json:"products"`
	Components      int      `json:"components"`
	Vulnerabilities int      `json:"vulnerabilities"`
	Answers         int      `json:"answers"`
	NotUnderstood   []string `json:"not_understood"`
}

// timeText is a stored time in RFC 3339, or the beginning of time where there is none.
func timeText(s string) string { return cmp.Or(s, "1970-01-01T00:00:00Z") }
