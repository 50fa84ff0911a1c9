// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/advisory/csaf"
)

// Case is a match of a device, with what people decided about it, to be said to others.
type Case struct {
	Device    *device.Device
	Match     Match
	Decisions []Decision // all; those that count are found
}

// Author is who says what an export says.
type Author struct {
	Name      string // the site
	Namespace string // its address: https://hospital.example
	Version   string // of this program
	Now       time.Time
}

// MaxStatements bounds an export: a CVE of a device is one.
const MaxStatements = 200_000

// claim is what is said of one CVE and one device.
type claim struct {
	cve, status, justification, impact, action, notes string
	device                                            *device.Device
	match                                             *Match
	advisory                                          *Advisory
}

// The statuses of VEX.
const (
	vexAffected    = "affected"
	vexNotAffected = "not_affected"
	vexFixed       = "fixed"
	vexAsked       = "under_investigation"
)

// claims says of each CVE of each case what counts, once for each CVE and device: the worst
// where several advisories name it.
func (b *Base) claims(cases []Case, now time.Time) ([]claim, error) {
	at := map[[2]string]int{}
	var out []claim
	for i := range cases {
		c := &cases[i]
		a, ok := b.byID[c.Match.Advisory]
		if !ok {
			continue
		}
		for _, cve := range c.Match.CVEs {
			x := claim{cve: cve, device: c.Device, match: &c.Match, advisory: a}
			d := DecisionFor(cve, c.Match, c.Device, c.Decisions, now)
			x.say(d)
			key := [2]string{cve, c.Device.ID}
			if k, twice := at[key]; twice {
				if order(x.status) > order(out[k].status) {
					out[k] = x
				}
				continue
			}
			if len(out) >= MaxStatements {
				return nil, hinted(fmt.Errorf("the export has more than %d statements", MaxStatements), "export one device or one advisory at a time")
			}
			at[key] = len(out)
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b claim) int {
		return cmp.Or(cmp.Compare(a.cve, b.cve), cmp.Compare(order(b.status), order(a.status)), cmp.Compare(a.device.ID, b.device.ID))
	})
	return out, nil
}

func order(status string) int {
	return slices.Index([]string{vexFixed, vexNotAffected, vexAsked, vexAffected}, status)
}

func (x *claim) say(d *Decision) {
	evidence := strings.Join(x.match.Evidence, "; ")
	if d != nil {
		by := fmt.Sprintf("decided %s: %s", time.Unix(0, d.At).UTC().Format(time.DateOnly), d.Reason)
		switch d.Status {
		case IsNotAffected:
			x.status, x.justification, x.impact = vexNotAffected, d.Justification, by
		case IsFixed:
			x.status, x.notes = vexFixed, by
		case IsAffected:
			x.status, x.action = vexAffected, x.advice()+" ("+by+")"
		case IsAccepted:
			x.status, x.action = vexAffected, fmt.Sprintf("The risk is accepted until %s (%s)", time.Unix(0, d.Until).UTC().Format(time.DateOnly), by)
		case InQuestion:
			x.status, x.notes = vexAsked, by
		}
		return
	}
	switch x.match.Verdict {
	case Affected:
		x.status, x.action, x.notes = vexAffected, x.advice(), evidence
	case NotAffected:
		x.status, x.justification, x.impact = vexNotAffected, "vulnerable_code_not_present", "another version or product than the one that is affected: "+evidence
	case Unknown:
		x.status, x.notes = vexAsked, "missing: "+strings.Join(x.match.Missing, "; ")
	}
}

// advice is what the advisory says to do for the products that matched.
func (x *claim) advice() string {
	for _, kind := range []string{"vendor_fix", "workaround", "mitigation", "no_fix_planned", "none_available"} {
		for _, r := range x.advisory.Remediations {
			if r.Kind != kind || r.Text == "" {
				continue
			}
			if len(r.Products) == 0 || slices.ContainsFunc(r.Products, func(p int) bool { return slices.Contains(x.match.Products, p) }) {
				return r.Text
			}
		}
	}
	return "Follow " + cmp.Or(x.advisory.URL, x.advisory.ID) + "."
}

// describe names a device for others: what it is, never whose.
func describe(d *device.Device) string {
	s := strings.TrimSpace(d.Vendor + " " + d.Model)
	if d.Firmware != "" {
		s += " " + d.Firmware
	}
	return strings.TrimSpace(cmp.Or(strings.TrimSpace(s), string(d.Class)) + " (" + d.ID + ")")
}

func documentID(l []claim, who Author) string {
	h := sha256.New()
	for _, c := range l {
		_, _ = fmt.Fprintf(h, "%s\x00%s\x00%s\x00%s\x00%s\n", c.cve, c.device.ID, c.status, c.justification, c.impact+c.action+c.notes)
	}
	return hex.EncodeToString(h.Sum(nil)[:8]) + "-" + who.Now.UTC().Format("20060102T150405Z")
}

// CSAFVEX writes cases as a CSAF 2.0 document of the profile VEX, checked by csaf.CheckVEX. A
// site without cases has no document: the profile needs a product and a vulnerability.
func (b *Base) CSAFVEX(cases []Case, who Author) ([]byte, error) {
	l, err := b.claims(cases, who.Now)
	if err != nil {
		return nil, err
	}
	if len(l) == 0 {
		return nil, hinted(ErrNothing, "OpenVEX can say nothing, CSAF cannot")
	}
	now := who.Now.UTC().Truncate(time.Second)
	d := csaf.Document{Document: csaf.Head{Category: "csaf_vex", Version: "2.0", Title: "Vulnerabilities of the devices of " + cmp.Or(who.Name, "this site"), Lang: "en",
		Publisher: csaf.Publisher{Category: "user", Name: cmp.Or(who.Name, "Asepsis"), Namespace: cmp.Or(who.Namespace, "https://asepsis.invalid")},
		Notes:     []csaf.Note{{Category: "general", Title: "How this was found", Text: "Published advisories were compared with the devices that were seen; people's decisions stand above that. Devices that no advisory names are not in this document."}},
		Tracking: csaf.Tracking{ID: "ASEPSIS-VEX-" + documentID(l, who), Status: "final", Version: "1", Initial: now, Current: now,
			History: []csaf.Revision{{Date: now, Number: "1", Summary: "Exported"}}}}}
	g := csaf.Generator{Date: &now}
	g.Engine.Name, g.Engine.Version = "Asepsis", who.Version
	d.Document.Tracking.Generator = &g
	d.ProductTree.Branches = branches(l)
	for i := 0; i < len(l); {
		v := vulnerabilityOf(l[i])
		for cve := l[i].cve; i < len(l) && l[i].cve == cve; i++ {
			addClaim(&v, l[i], now)
		}
		d.Vulnerabilities = append(d.Vulnerabilities, v)
	}
	if err := csaf.CheckVEX(&d); err != nil {
		return nil, fmt.Errorf("BUG: CSAF VEX: %w", err)
	}
	out, err := json.MarshalIndent(&d, "", "  ")
	return append(out, '\n'), err
}

// ErrNothing says that there is nothing to export.
var ErrNothing = fmt.Errorf("no advisory concerns a device")

func branches(l []claim) []csaf.Branch {
	seen := map[string]bool{}
	by := map[string]map[string][]csaf.Branch{}
	for _, c := range l {
		d := c.device
		if seen[d.ID] {
			continue
		}
		seen[d.ID] = true
		vendor, model := cmp.Or(d.Vendor, "unknown"), cmp.Or(d.Model, string(d.Class), "unknown")
		if by[vendor] == nil {
			by[vendor] = map[string][]csaf.Branch{}
		}
		by[vendor][model] = append(by[vendor][model], csaf.Branch{Category: "product_version", Name: cmp.Or(d.Firmware, "unknown"), Product: &csaf.Name{Name: describe(d), ID: d.ID}})
	}
	var out []csaf.Branch
	for vendor, models := range by {
		v := csaf.Branch{Category: "vendor", Name: vendor}
		for model, leaves := range models {
			slices.SortFunc(leaves, func(a, b csaf.Branch) int { return cmp.Compare(a.Product.ID, b.Product.ID) })
			v.Branches = append(v.Branches, csaf.Branch{Category: "product_name", Name: model, Branches: leaves})
		}
		slices.SortFunc(v.Branches, func(a, b csaf.Branch) int { return cmp.Compare(a.Name, b.Name) })
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b csaf.Branch) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func vulnerabilityOf(c claim) csaf.Vulnerability {
	v := csaf.Vulnerability{Status: map[string][]string{}}
	text := c.cve
	for _, k := range c.advisory.Vulnerabilities {
		if k.CVE == c.cve {
			text = cmp.Or(k.Summary, k.Title, c.cve)
			if k.CWE != "" && k.CWEName != "" {
				v.CWE = &csaf.CWE{ID: k.CWE, Name: k.CWEName}
			}
		}
	}
	if strings.HasPrefix(c.cve, "CVE-") {
		v.CVE = c.cve
	} else {
		v.IDs = []csaf.OtherID{{System: c.advisory.Publisher, Text: c.cve}}
	}
	v.Notes = []csaf.Note{{Category: "description", Text: text, Title: "Named by " + c.advisory.ID}}
	return v
}

func addClaim(v *csaf.Vulnerability, c claim, now time.Time) {
	id := []string{c.device.ID}
	key := map[string]string{vexAffected: "known_affected", vexNotAffected: "known_not_affected", vexFixed: "fixed", vexAsked: "under_investigation"}[c.status]
	v.Status[key] = append(v.Status[key], c.device.ID)
	switch c.status {
	case vexAffected:
		for i := range v.Remediations {
			if v.Remediations[i].Details == c.action {
				v.Remediations[i].Products = append(v.Remediations[i].Products, c.device.ID)
				return
			}
		}
		v.Remediations = append(v.Remediations, csaf.Remediation{Category: "mitigation", Details: c.action, Products: id})
	case vexNotAffected:
		v.Flags = append(v.Flags, csaf.Flag{Label: c.justification, Date: &now, Products: id})
		if c.impact != "" {
			v.Threats = append(v.Threats, csaf.Threat{Category: "impact", Details: c.impact, Date: &now, Products: id})
		}
	}
}
