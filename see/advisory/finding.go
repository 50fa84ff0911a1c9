// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
)

// Rule is the identifier of findings about affected devices.
const Rule = "advisory.affected"

// FindingFrom is the confidence from which an affected device is a finding.
const FindingFrom = 70

// Exploitation says what the catalogue knows of the CVEs of a match: the earliest day by
// which one was to be fixed.
func (x *Index) Exploitation(cves []string) (known []string, due string, ransomware bool) {
	for _, c := range cves {
		if e, ok := x.KEV.CVEs[c]; ok {
			known = append(known, c)
			ransomware = ransomware || e.Ransomware
			if due == "" || e.Due != "" && e.Due < due {
				due = e.Due
			}
		}
	}
	return known, due, ransomware
}

// ScoreOf is the highest score of some of an advisory's CVEs.
func (a *Advisory) ScoreOf(cves []string) float64 {
	s := 0.0
	for _, v := range a.Vulnerabilities {
		for _, c := range cves {
			if v.CVE == c {
				s = max(s, v.Score)
			}
		}
	}
	return s
}

// Finding is an affected device as something that a person should see; ok is false for
// every other match. The severity is that of the worst CVE, one higher when one is known to
// be exploited. name is what people call the device.
func (b *Base) Finding(x Match, d *device.Device, name string) (f finding.Finding, ok bool) {
	a, found := b.byID[x.Advisory]
	if !found || x.Verdict != Affected || x.Confidence < FindingFrom {
		return f, false
	}
	sev := max(SeverityOf(a.ScoreOf(x.CVEs)), finding.Low)
	known, due, ransomware := b.Index.Exploitation(x.CVEs)
	if len(known) > 0 {
		sev = min(sev+1, finding.Critical)
	}
	what := strings.TrimSpace(d.Vendor + " " + d.Model)
	f = finding.Finding{Rule: Rule, Severity: sev, Devices: []string{d.ID}, Count: 1, First: d.First, Last: d.Last, Attack: []string{},
		Title: fmt.Sprintf("%s (%s) is affected by %s: %s", name, what, a.ID, a.Title),
		Room:  "A published safety notice applies to this device. It may be used; ask clinical engineering about it before the next case.",
	}
	f.Evidence = append(f.Evidence, fmt.Sprintf("%s, confidence %d", strings.Join(clipList(x.CVEs, 8), ", "), x.Confidence))
	if len(known) > 0 {
		text := "known to be exploited: " + strings.Join(clipList(known, 8), ", ")
		if due != "" {
			text += ", to be fixed by " + due
		}
		if ransomware {
			text += ", used by ransomware"
		}
		f.Evidence = append(f.Evidence, text)
	}
	f.Evidence = append(f.Evidence, x.Evidence...)
	return f, true
}

func clipList(l []string, most int) []string {
	if len(l) <= most {
		return l
	}
	return append(append([]string{}, l[:most]...), fmt.Sprintf("%d more", len(l)-most))
}

// Findings judges devices with the shipped knowledge and returns those that are affected as
// findings, the worst first. name is what people call a device.
func Findings(devices []device.Device, name func(*device.Device) string) []finding.Finding {
	if !slices.ContainsFunc(devices, func(d device.Device) bool { return d.Model != "" }) {
		return nil
	}
	b := shippedBase()
	m := NewMatcher(b)
	var out []finding.Finding
	for i := range devices {
		d := &devices[i]
		for _, match := range m.Device(d) {
			if f, ok := b.Finding(match, d, name(d)); ok {
				out = append(out, f)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b finding.Finding) int { return int(b.Severity) - int(a.Severity) })
	return out
}
