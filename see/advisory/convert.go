// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/asepsis/asepsis/see/advisory/csaf"
)

// Bounds of what is kept of a text, in bytes.
const (
	maxSummary = 2000
	maxAdvice  = 1500
	maxName    = 600
)

// FromCSAF keeps of a document what is shown and compared.
func FromCSAF(d *csaf.Document) Advisory {
	t := d.Document.Tracking
	a := Advisory{ID: t.ID, Title: title(d.Document.Title, t.ID), Publisher: tidy(d.Document.Publisher.Name, 200), Published: t.Initial.UTC().Format(time.RFC3339), Updated: t.Current.UTC().Format(time.RFC3339),
		Revision: tidy(t.Version, 40), Summary: summary(d), URL: link(d.Document.References)}
	place := map[string]int{}
	names := map[string]string{}
	for _, e := range d.Entries() {
		names[e.ID] = e.Name
	}
	for _, e := range d.Entries() {
		p := Product{ID: tidy(e.ID, 100), Vendor: tidy(e.Vendor, 200), Name: tidy(e.Product, maxName), Version: tidy(e.Version, maxName), Text: tidy(e.Name, maxName)}
		if len(e.Of) == 2 {
			p.With = tidy(names[e.Of[0]], maxName)
		}
		if e.Helper != nil {
			for _, m := range e.Helper.Models[:min(len(e.Helper.Models), 20)] {
				if m = tidy(m, 100); m != "" && !strings.ContainsAny(m, "*?") {
					p.Models = append(p.Models, m)
				}
			}
		}
		place[e.ID] = len(a.Products)
		a.Products = append(a.Products, p)
	}
	at := func(ids []string) []int {
		var out []int
		for _, id := range ids {
			out = append(out, place[id])
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	advice := map[string]int{}
	for _, v := range d.Vulnerabilities {
		w := Vulnerability{CVE: v.CVE, Title: tidy(v.Title, 300)}
		for _, id := range v.IDs {
			if w.CVE == "" {
				w.CVE = tidy(id.Text, 100)
			}
		}
		if w.CVE == "" {
			w.CVE = fmt.Sprintf("%s#%d", a.ID, len(a.Vulnerabilities)+1)
		}
		if v.CWE != nil {
			w.CWE, w.CWEName = tidy(v.CWE.ID, 20), tidy(v.CWE.Name, 200)
		}
		for _, n := range v.Notes {
			if w.Summary == "" && (n.Category == "summary" || n.Category == "description") {
				w.Summary = tidy(n.Text, maxSummary)
			}
		}
		for _, s := range v.Scores {
			c := s.V3
			if c == nil {
				c = s.V2
			}
			if c != nil && c.Score >= w.Score {
				w.Score, w.Vector = c.Score, tidy(c.Vector, 200)
			}
		}
		w.Affected = at(slices.Concat(v.Status["known_affected"], v.Status["first_affected"], v.Status["last_affected"]))
		w.Fine, w.Asked = at(v.Status["known_not_affected"]), at(v.Status["under_investigation"])
		w.Fixed = at(slices.Concat(v.Status["fixed"], v.Status["first_fixed"]))
		a.Vulnerabilities = append(a.Vulnerabilities, w)
		for _, r := range v.Remediations {
			key := r.Category + "\x00" + r.Details + "\x00" + r.URL
			to := at(d.Members(r.Products, r.Groups))
			if k, dup := advice[key]; dup {
				all := slices.Concat(a.Remediations[k].Products, to)
				slices.Sort(all)
				a.Remediations[k].Products = slices.Compact(all)
				continue
			}
			advice[key] = len(a.Remediations)
			a.Remediations = append(a.Remediations, Remediation{Kind: tidy(r.Category, 40), Text: tidy(r.Details, maxAdvice), URL: webAddress(r.URL), Products: to})
		}
	}
	for i := range a.Remediations {
		if len(a.Remediations[i].Products) == len(a.Products) {
			a.Remediations[i].Products = nil
		}
	}
	return a
}

// title leaves out an ID that the publisher put before the title.
func title(s, id string) string {
	s = tidy(s, 300)
	for _, sep := range []string{"_", " "} {
		if rest, ok := strings.CutPrefix(s, id+sep); ok && rest != "" {
			return rest
		}
	}
	return s
}

func summary(d *csaf.Document) string {
	best, rank := "", 9
	for _, n := range d.Document.Notes {
		r := 9
		switch {
		case n.Category == "summary" && strings.Contains(strings.ToLower(n.Title), "risk"):
			r = 0
		case n.Category == "summary":
			r = 1
		case n.Category == "description":
			r = 2
		}
		if r < rank {
			best, rank = n.Text, r
		}
	}
	return tidy(best, maxSummary)
}

func link(l []csaf.Reference) string {
	best := ""
	for _, r := range l {
		u := webAddress(r.URL)
		switch {
		case u == "":
		case strings.HasSuffix(u, ".json"):
			if best == "" {
				best = u
			}
		case r.Category == "self":
			return u
		}
	}
	return best
}

// webAddress passes only what a browser may be sent to.
func webAddress(s string) string {
	if s = tidy(s, 500); strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return s
	}
	return ""
}

// tidy makes foreign text fit to be shown: valid, printable, on one line, bounded.
func tidy(s string, most int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r) && r != ' ':
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// MaxKEV bounds the file of the catalogue.
const MaxKEV = 32 << 20

// ReadKEV reads the catalogue of known exploited vulnerabilities in the JSON form in which
// CISA publishes it.
func ReadKEV(data []byte) (KEV, error) {
	if len(data) > MaxKEV {
		return KEV{}, fmt.Errorf("is larger than %d MiB", MaxKEV>>20)
	}
	var f struct {
		Version  string    `json:"catalogVersion"`
		Released time.Time `json:"dateReleased"`
		Entries  []struct {
			CVE        string `json:"cveID"`
			Added      string `json:"dateAdded"`
			Due        string `json:"dueDate"`
			Ransomware string `json:"knownRansomwareCampaignUse"`
		} `json:"vulnerabilities"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return KEV{}, err
	}
	if f.Version == "" || f.Released.IsZero() || len(f.Entries) == 0 {
		return KEV{}, fmt.Errorf("has no catalogVersion, no dateReleased or no vulnerabilities: this is not the catalogue")
	}
	k := KEV{Version: tidy(f.Version, 40), Released: f.Released.UTC().Format(time.RFC3339), CVEs: make(map[string]Exploited, len(f.Entries))}
	for i, e := range f.Entries {
		if !strings.HasPrefix(e.CVE, "CVE-") || len(e.CVE) > 30 {
			return KEV{}, fmt.Errorf("/vulnerabilities/%d: cveID is no CVE ID", i)
		}
		for _, day := range []string{e.Added, e.Due} {
			if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
				return KEV{}, fmt.Errorf("/vulnerabilities/%d: %s has a date that is none", i, e.CVE)
			}
		}
		k.CVEs[e.CVE] = Exploited{Added: e.Added, Due: e.Due, Ransomware: strings.EqualFold(e.Ransomware, "Known")}
	}
	return k, nil
}

// newestFirst orders advisories for lists.
func newestFirst(a, b *Advisory) int {
	return cmp.Or(cmp.Compare(b.Updated, a.Updated), cmp.Compare(a.ID, b.ID))
}
