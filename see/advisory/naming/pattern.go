// SPDX-License-Identifier: Apache-2.0

package naming

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/see/inventory/catalogue"
)

// Fit is how well the name of a device's model is that of an advisory's product.
type Fit uint8

// The fits, worst first.
const (
	None   Fit = iota
	Maybe      // one of the two says more: it may be the same or not
	Family     // the advisory names a family, and the device is of it
	Same       // the same name
)

// Pattern is one name of a product.
type Pattern struct {
	Words []string
	Range *Range   // a run of models behind Words: MX400 to MX850
	Brand []string // words of it that are a brand of the maker: a device may leave them out
	Code  bool     // an order number or a short name in brackets: enough by itself
}

// Range is a run of numbered models.
type Range struct {
	Letters string
	Lo, Hi  int
}

// Product is the name of an advisory's product, taken apart.
type Product struct {
	Names      []Pattern
	Except     [][]string // names that are expressly not meant
	Conditions []string   // what a device must have besides: "with SpaceCom module"
}

// Bounds of what one name can expand to.
const (
	maxPatterns = 40
	maxModel    = 64
)

var (
	brackets  = regexp.MustCompile(`\(([^()]*)\)?`)
	except    = regexp.MustCompile(`(?i),?\s*\b(not including|excluding|except(?: for)?)\b\s*(.*)$`)
	with      = regexp.MustCompile(`(?i)\s*\b(with|without|used with|running|shipped with|under)\b.*$`)
	windows   = regexp.MustCompile(`(?i)\bwindows\s+(xp|7|10|2000|8\.1|vista)\b[\s-]*(based)?`)
	span      = regexp.MustCompile(`^(?i)([a-z]{1,4})\s?(\d{1,5})\s*-\s*(?:[a-z]{0,4})\s?(\d{1,5})$`)
	codeText  = regexp.MustCompile(`^(?i:[a-z]{0,6}\d[a-z0-9]{3,})$|^[A-Z]{3,8}$|^[A-Z][A-Za-z]{1,4}i[xX]$`)
	serialRun = regexp.MustCompile(`^(?i)[a-z]{0,4}\d+[a-z]?$`)
)

// ParseProduct takes the name of a product apart: what is in brackets, alternatives
// ("EC40/80", "TC10 TC20 TC30"), runs ("MX400-MX850"), exceptions and conditions.
func ParseProduct(text string) Product {
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	var p Product
	if m := except.FindStringSubmatchIndex(text); m != nil {
		for _, x := range strings.Split(strings.ReplaceAll(text[m[4]:m[5]], " and ", ","), ",") {
			if w := Words(x); len(w) > 0 {
				p.Except = append(p.Except, w)
			}
		}
		text = text[:m[0]]
	}
	if m := windows.FindString(text); m != "" && len(strings.TrimSpace(text)) > len(m) {
		p.Conditions = append(p.Conditions, strings.TrimRight(strings.TrimSpace(m), "- "))
		text = strings.Replace(text, m, " ", 1)
	}
	var codes []string
	for _, m := range brackets.FindAllStringSubmatch(text, -1) {
		in := strings.TrimSpace(m[1])
		lower := strings.ToLower(in)
		switch {
		case in == "":
		case with.MatchString(in) || strings.HasPrefix(lower, "integrated") || strings.HasPrefix(lower, "part number"):
			p.Conditions = append(p.Conditions, in)
		default:
			codes = append(codes, strings.TrimSpace(strings.TrimPrefix(lower, "including")))
			if !strings.HasPrefix(lower, "including") {
				codes[len(codes)-1] = in
			}
		}
	}
	text = strings.TrimSpace(strings.ReplaceAll(brackets.ReplaceAllString(text, " "), ")", " "))
	if m := with.FindStringIndex(text); m != nil && m[0] > 0 {
		p.Conditions = append(p.Conditions, strings.TrimSpace(text[m[0]:]))
		text = text[:m[0]]
	}
	p.Names = alternatives(strings.TrimSpace(strings.TrimRight(text, " ,:")))
	for _, c := range codes {
		p.Names = append(p.Names, codePatterns(c)...)
	}
	if len(p.Names) > maxPatterns {
		p.Names = p.Names[:maxPatterns]
	}
	for i := range p.Names {
		if v, ok := catalogue.FindVendor(strings.Join(p.Names[i].Words, " ")); ok && v.Brand != "" {
			p.Names[i].Brand = Words(v.Brand)
		}
	}
	return p
}

// alternatives expands a name without brackets.
func alternatives(text string) []Pattern {
	words := strings.Fields(text)
	// "TC10 TC20 TC30": numbered models in a row share what is before them.
	first := -1
	for i, w := range words {
		if serialRun.MatchString(w) && i+1 < len(words) && serialRun.MatchString(words[i+1]) && sameShape(w, words[i+1]) {
			first = i
			break
		}
	}
	if first > 0 {
		var out []Pattern
		for i := first; i < len(words) && serialRun.MatchString(words[i]); i++ {
			out = append(out, pattern(strings.Join(append(slices.Clone(words[:first]), words[i]), " ")))
		}
		return out
	}
	for i, w := range words {
		if m := span.FindStringSubmatch(w); m != nil && hasLetters(w) {
			lo, _ := strconv.Atoi(m[2])
			hi, _ := strconv.Atoi(m[3])
			if lo < hi {
				return []Pattern{{Words: Words(strings.Join(words[:i], " ")), Range: &Range{Letters: strings.ToLower(m[1]), Lo: lo, Hi: hi}}}
			}
		}
		if !strings.Contains(w, "/") {
			continue
		}
		// "EPIQ/Affiniti", "EC40/80", "522K/722K": one of them; what follows belongs to each.
		parts := slices.DeleteFunc(strings.Split(w, "/"), func(p string) bool { return p == "" })
		if len(parts) < 2 || !apartBySlash(parts) {
			continue
		}
		var out []Pattern
		behind := alternatives(strings.Join(words[i+1:], " "))
		for k, one := range parts {
			if k > 0 && digit(one[0]) && !digit(parts[0][0]) { // EC40/80: EC80
				one = strings.TrimRight(parts[0], "0123456789") + one
			}
			for _, rest := range behind {
				q := Pattern{Words: append(Words(strings.Join(append(slices.Clone(words[:i]), one), " ")), rest.Words...), Range: rest.Range}
				q.Words = once(Words(strings.Join(q.Words, " ")))
				if out = append(out, q); len(out) >= maxPatterns {
					return out
				}
			}
		}
		return out
	}
	return []Pattern{pattern(text)}
}

func pattern(text string) Pattern { return Pattern{Words: once(Words(text))} }

// once leaves out words that are there already: "ELI 150c/BUR 150c".
func once(l []string) []string {
	var out []string
	for _, w := range l {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// apartBySlash reports whether a slash parts names. In PET/CT, TCP/IP and XQ/i it does
// not.
func apartBySlash(parts []string) bool {
	for _, p := range parts {
		switch strings.ToLower(p) {
		case "pet", "ct", "spect", "nm", "mr", "tcp", "ip":
			return false
		}
		if len(p) == 1 {
			return false
		}
	}
	return true
}

func sameShape(a, b string) bool {
	return strings.TrimRight(strings.ToLower(a), "0123456789kc") == strings.TrimRight(strings.ToLower(b), "0123456789kc")
}

func hasLetters(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }) >= 0
}

// codePatterns reads what stands in brackets: order numbers, short names, lists of both.
func codePatterns(text string) []Pattern {
	var out []Pattern
	last := ""
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == ',' || r == ';' || r == '|' || r == ' ' }) {
		if m := span.FindStringSubmatch(one); m != nil {
			lo, _ := strconv.Atoi(m[2])
			hi, _ := strconv.Atoi(m[3])
			if lo < hi {
				out = append(out, Pattern{Range: &Range{Letters: strings.ToLower(m[1]), Lo: lo, Hi: hi}, Code: true})
			}
			continue
		}
		if len(one) >= 4 && hasDigit(one) {
			last = one
		} else if hasDigit(one) && last != "" && len(one) < len(last) && digit(one[0]) { // 865240/41/42, MX800/700
			one = last[:len(last)-len(one)] + one
		}
		if codeText.MatchString(one) && len(out) < maxPatterns && !slices.Contains(noise, strings.ToLower(one)) {
			out = append(out, Pattern{Words: Words(one), Code: true})
		}
	}
	return out
}

// Device is the model that a device states, taken apart once for many comparisons.
type Device struct {
	words []string
	extra []string // names of makers and brands beside it
}

// NewDevice takes the name of a device's model. beside are names of its maker and
// brand.
func NewDevice(model string, beside ...string) Device {
	d := Device{words: Words(model)}
	for _, b := range beside {
		d.extra = append(d.extra, Words(b)...)
	}
	if len(d.words) > maxModel {
		d.words = d.words[:maxModel]
	}
	return d
}

// Known reports whether there is anything to compare.
func (d Device) Known() bool { return len(d.words) > 0 }

// variant are words that name another model of a family.
var variant = []string{"plus", "pro", "premium", "lite", "mini", "max", "ii", "iii", "iv", "xl", "xs", "duo", "se", "hd", "dx", "es", "next", "elite", "select", "advanced", "expert", "ultra"}

// Without leaves the names of makers out of the product's names: advisories repeat them,
// devices do not.
func (p Product) Without(makers ...Maker) Product {
	var words []string
	for _, m := range makers {
		words = append(words, strings.Fields(m.Key)...)
	}
	p.Names = slices.Clone(p.Names)
	for i := range p.Names {
		p.Names[i].Words = drop(p.Names[i].Words, words)
	}
	p.Except = slices.Clone(p.Except)
	for i := range p.Except {
		p.Except[i] = drop(p.Except[i], words)
	}
	return p
}

// Keys returns words of which a device that fits has at least one.
func (p Product) Keys() []string {
	var out []string
	for _, q := range p.Names {
		out = append(out, q.Words...)
		if q.Range != nil {
			out = append(out, q.Range.Letters)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Words returns what the device's name is compared by. Nobody may change it.
func (d Device) Words() []string { return d.words }

// Match says how well a device fits the product, by the best of its names.
func (p Product) Match(d Device) Fit {
	for _, x := range p.Except {
		if contains(d.words, x) {
			return None
		}
	}
	best := None
	for i := range p.Names {
		if best = max(best, p.Names[i].match(d)); best == Same {
			break
		}
	}
	return best
}

// drop leaves out the words of the maker's name, of which an advisory repeats some.
func drop(words, maker []string) []string {
	out := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return slices.Contains(maker, w) })
	if len(out) == 0 {
		return words
	}
	return out
}

func contains(words, all []string) bool {
	for _, w := range all {
		if !slices.Contains(words, w) {
			return false
		}
	}
	return len(all) > 0
}

func (q *Pattern) match(d Device) Fit {
	want := q.Words
	if len(want) == 0 && q.Range == nil || !d.Known() {
		return None
	}
	hit, missing, said := 0, 0, false
	for _, w := range want {
		switch {
		case slices.Contains(d.words, w):
			hit++
			said = true
		case slices.Contains(d.extra, w):
			hit++
		case slices.Contains(q.Brand, w):
		default:
			missing++
			if hasDigit(w) { // another number is another model
				for _, o := range d.words {
					if hasDigit(o) {
						return None
					}
				}
			}
		}
	}
	if !runs(d, want) {
		return None
	}
	if q.Range != nil {
		n, other := q.Range.holds(d.words)
		switch {
		case n >= 0 && (missing == 0 || q.Code || n >= 100 && len(q.Range.Letters) > 1): // MX800 needs no IntelliVue
			return Same
		case n >= 0:
			return Maybe
		case other || hit == 0 || slices.ContainsFunc(d.words, hasDigit):
			return None
		}
		return Maybe // the family without a number
	}
	if hit == 0 || !said {
		return None
	}
	if missing > 0 {
		// The device says less than the advisory: Infinia, and Infinia Hawkeye is named. One
		// common word of three is not enough for a question.
		if q.Code || hit*2 <= len(want) && hit < 2 || len(d.words) > hit {
			return None
		}
		return Maybe
	}
	return q.surplus(d, want)
}

// surplus judges what the device says beyond the advisory.
func (q *Pattern) surplus(d Device, want []string) Fit {
	numbered := slices.ContainsFunc(want, hasDigit)
	fit := Same
	for _, w := range d.words {
		if slices.Contains(want, w) || slices.Contains(d.extra, w) {
			continue
		}
		switch {
		case slices.Contains(variant, w):
			return Maybe
		case hasDigit(w) && numbered && !q.Code && len(w) < 4:
			fit = min(fit, Maybe)
		case !q.Code:
			fit = min(fit, Family)
		}
	}
	if len(want) == 1 && !numbered && len(want[0]) <= 2 {
		return min(fit, Maybe) // "T" or "AW" is little
	}
	return fit
}

// runs holds letters and the digits behind them together: ec 40 is not found in "ec 80
// rev 40".
func runs(d Device, want []string) bool {
	for i := 1; i < len(want); i++ {
		if !hasDigit(want[i]) || hasDigit(want[i-1]) || len(want[i-1]) > 4 || len(want[i]) > 3 {
			continue
		}
		at := slices.Index(d.words, want[i])
		if at < 0 || !slices.Contains(d.words, want[i-1]) {
			continue
		}
		found := false
		for k := 1; k < len(d.words); k++ {
			if d.words[k] == want[i] && d.words[k-1] == want[i-1] {
				found = true
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// holds returns the number of a model that is in the run, -1 for none, and whether there is
// another one of its letters.
func (r Range) holds(words []string) (n int, other bool) {
	for i := 1; i < len(words); i++ {
		if words[i-1] != r.Letters || !hasDigit(words[i]) {
			continue
		}
		n, err := strconv.Atoi(words[i])
		if err == nil && n >= r.Lo && n <= r.Hi {
			return n, false
		}
		other = true
	}
	return -1, other
}
