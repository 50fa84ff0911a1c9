// SPDX-License-Identifier: Apache-2.0

package naming

import (
	"slices"
	"strings"

	"github.com/asepsis/asepsis/see/inventory/catalogue"
)

// noise are words of product names that tell products apart from nothing.
var noise = []string{
	"infusion", "pump", "pumps", "syringe", "volumetric", "system", "systems", "monitor", "monitors", "patient", "medical", "device", "devices", "unit", "units",
	"the", "of", "for", "and", "or", "with", "model", "models", "series", "family", "product", "products", "software", "application", "app", "version",
	"ultrasound", "only", "line", "machine", "programmer", "cardiograph", "cardiographs", "electrocardiograph", "resting", "hub", "certain", "including",
	"platform", "energy", "wireless", "enabled", "part", "number", "healthcare", "wlan", "imaging", "worn",
}

// same are words that are written in several ways, tried in this order.
var same = []struct{ from, to string }{
	{"point of care unit", "pcu"}, {"pc unit", "pcu"}, {"point of care", "poc"}, {"wi fi", "wifi"}, {"picix", "pic ix"}, {"patient information center", "pic"},
	{"information center", "pic"}, {"large volume pump", "lvp"}, {"medstation", "med station"}, {"compact plus", "compactplus"},
}

// Words splits the name of a model into what it is compared by: lower case, accents and
// punctuation gone, letters apart from digits, + as a word, noise left out. Words of a
// name that is noise alone are kept. It is idempotent: Words of what it returns, joined
// by spaces, is the same.
func Words(text string) []string {
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	var all []string
	for _, w := range catalogue.Words(plus(strings.ToValidUTF8(text, ""))) {
		all = append(all, apart(w)...)
	}
	// What is left out can bring words together that are written in several ways.
	for range 8 {
		s := " " + strings.Join(all, " ") + " "
		for _, e := range same {
			s = strings.ReplaceAll(s, " "+e.from+" ", " "+e.to+" ")
		}
		next := strings.Fields(s)
		if left := slices.DeleteFunc(slices.Clone(next), func(w string) bool { return slices.Contains(noise, w) }); len(left) > 0 {
			next = left
		}
		if slices.Equal(next, all) {
			break
		}
		all = next
	}
	return bound(all)
}

// maxJoined bounds the words of a name together, with a space between them; it is less
// than what the catalogue looks at, so that nothing is cut a second time.
const maxJoined = 120

func bound(words []string) []string {
	n := 0
	for i, w := range words {
		if n += len(w) + 1; n > maxJoined || i == 30 {
			return words[:i]
		}
	}
	return words
}

// plus writes + as a word where it ends one: Plum A+, XR656+.
func plus(s string) string {
	if !strings.Contains(s, "+") {
		return s
	}
	return strings.ReplaceAll(s, "+", " plus ")
}

// apart splits a word between letters and digits: mx800 is mx 800.
func apart(w string) []string {
	var out []string
	start := 0
	for i := 1; i < len(w); i++ {
		if digit(w[i]) != digit(w[i-1]) {
			out = append(out, w[start:i])
			start = i
		}
	}
	return append(out, w[start:])
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func hasDigit(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= '0' && r <= '9' }) >= 0
}
