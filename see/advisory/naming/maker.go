// SPDX-License-Identifier: Apache-2.0

// Package naming brings the names of manufacturers and models, as advisories and
// devices write them, into forms that can be compared.
//
// Manufacturers are known by the inventory's catalogue, under their many spellings
// and former names; the table here adds those that only advisories name, and who has
// taken over whose products. Models are compared by words (Pattern.Match), not by
// likeness of spelling: "MX800" is no "MX400", "Plum A" no "Plum A+", whatever the edit
// distance says.
//
// Everything here is a function of its arguments, and safe for concurrent use. Texts are
// cut at MaxText bytes.
package naming

import (
	"slices"
	"strings"

	"github.com/asepsis/asepsis/see/inventory/catalogue"
)

// MaxText is how much of a name is looked at.
const MaxText = 512

// Maker is a manufacturer.
type Maker struct {
	Key  string // compares
	Name string // as shown
	As   string // as written, when that is another name of it
}

// alias are names that the catalogue does not have, as words.
var alias = map[string]string{
	"3b medical":             "3B Medical",
	"bmc medical":            "BMC Medical",
	"change healthcare":      "Change Healthcare",
	"mckesson":               "Change Healthcare",
	"becton dickinson":       "BD",
	"qualcomm life":          "Capsule",
	"capsule":                "Capsule",
	"koninklijke philips":    "Philips",
	"phillips":               "Philips",
	"hillrom and eli":        "Baxter",
	"innokas yhtyma":         "Innokas",
	"innokas":                "Innokas",
	"wind river":             "Wind River",
	"vyaire":                 "Vyaire Medical",
	"contec":                 "Contec",
	"st jude":                "Abbott",
	"osimis":                 "Orthanc",
	"draegerwerk":            "Dräger",
	"smith medical":          "ICU Medical",
	"smiths medical asd":     "ICU Medical",
	"ge":                     "GE HealthCare",
	"general electric":       "GE HealthCare",
	"siemens":                "Siemens Healthineers",
	"baxter international":   "Baxter",
	"i sens":                 "i-SENS",
	"biotronik":              "BIOTRONIK",
	"sooil":                  "SOOIL",
	"sooil developments":     "SOOIL",
	"bpl medical":            "BPL Medical",
	"bpl":                    "BPL Medical",
	"lifepoint":              "LifePoint Informatics",
	"roche":                  "Roche Diagnostics",
	"ethicon endo surgery":   "Johnson & Johnson",
	"green hills":            "Green Hills Software",
	"silex":                  "Silex Technology",
	"swisslog":               "Swisslog Healthcare",
	"beaconmedaes":           "BeaconMedaes",
	"fujifilm healthcare":    "Fujifilm",
	"hamilton":               "Hamilton Medical",
	"b braun":                "B. Braun",
	"natus":                  "Natus",
	"openclinic ga":          "OpenClinic GA",
	"microdicom":             "MicroDicom",
	"santesoft":              "Santesoft",
	"softneta":               "Softneta",
	"datex ohmeda":           "GE HealthCare",
	"boston scientific corp": "Boston Scientific",
}

// successors sell, or sold, products of others: an advisory for the one may be about a
// device that names the other. It costs confidence.
var successors = map[string][]string{
	"Vyaire Medical": {"BD"},      // CareFusion's respiratory products
	"Capsule":        {"Philips"}, // taken over
	"Carestream":     {"Philips"}, // Vue PACS and RIS
	"Innokas":        {"GE HealthCare"},
}

// legal are forms of companies.
var legal = []string{"inc", "ltd", "llc", "gmbh", "ag", "co", "corp", "corporation", "limited", "bv", "sa", "ab", "oy", "kg", "plc", "company", "international", "usa", "se", "spa"}

// FindMaker recognises one manufacturer. ok is false for a text without words.
func FindMaker(text string) (m Maker, ok bool) {
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	words := catalogue.Words(text)
	for len(words) > 1 && slices.Contains(legal, words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	if len(words) == 0 {
		return Maker{}, false
	}
	name := ""
	if v, found := catalogue.FindVendor(text); found && v.Kind != catalogue.Component && v.Kind != catalogue.Virtual {
		name = v.Name
	}
	if to, found := alias[strings.ToLower(name)]; found { // Siemens, General Electric
		name = to
	}
	if name == "" {
		for n := min(len(words), 4); n > 0 && name == ""; n-- {
			name = alias[strings.Join(words[:n], " ")]
		}
	}
	if name == "" {
		name = strings.Join(words, " ")
		m.Name = strings.TrimSpace(text)
	} else {
		m.Name = name
	}
	m.Key = strings.Join(catalogue.Words(name), " ")
	if said := strings.Join(words, " "); said != m.Key {
		m.As = strings.TrimSpace(text)
	}
	return m, true
}

// Makers recognises all manufacturers that an advisory names at one place: "BMC Medical,
// 3B Medical", "Silex Technology and GE Healthcare".
func Makers(text string) []Maker {
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	var out []Maker
	add := func(m Maker) {
		if !slices.ContainsFunc(out, func(o Maker) bool { return o.Key == m.Key }) {
			out = append(out, m)
		}
	}
	known := func(s string) (Maker, bool) {
		m, ok := FindMaker(s)
		if !ok {
			return m, false
		}
		_, cat := catalogue.FindVendor(s)
		return m, cat || m.As != "" || isAlias(m.Key)
	}
	parts := strings.FieldsFunc(strings.ReplaceAll(text, " and ", "\x00"), func(r rune) bool { return r == ',' || r == 0 || r == ';' })
	anyKnown := false
	for _, p := range parts {
		if m, ok := known(p); ok {
			anyKnown = true
			add(m)
		}
	}
	if whole, ok := known(text); ok && len(out) < 2 {
		return []Maker{whole}
	}
	if anyKnown && len(out) > 0 {
		return out
	}
	for _, p := range parts {
		if words := catalogue.Words(p); len(words) == 0 || len(words) == 1 && (slices.Contains(legal, words[0]) || words[0] == "and") {
			continue
		}
		if m, ok := FindMaker(p); ok {
			add(m)
		}
	}
	return out
}

func isAlias(key string) bool {
	_, ok := alias[key]
	return ok
}

// Successors returns the keys of makers under whose name products of m are also found.
func Successors(m Maker) []string {
	var out []string
	for _, s := range successors[m.Name] {
		out = append(out, strings.Join(catalogue.Words(s), " "))
	}
	return out
}
