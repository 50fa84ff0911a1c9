// SPDX-License-Identifier: Apache-2.0

package rule

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	bracketed   = regexp.MustCompile(` ?\([^()]*\{[a-z_]+\}[^()]*\)`)
	placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)
)

// plainPhrases stand for values with the words before them.
var plainPhrases = strings.NewReplacer(
	"port {port}", "a port", "the address {address}", "an address", "sensor {sensor}", "sensor", "every {pause}", "again and again", "every {usual}", "regularly",
	"the directory {dst}", "a directory", "The time server {dst}", "A time server", "at another {kind} than since {since}", "at another place than before", "asks {indicator} for names", "asks a server for names",
	"not known, {src},", "not known", "{src}, a device at the patient,", "{src} at the patient", "of {key}", "where something was seen before", "more than {count}", "too many", "with {tells}", "with settings",
	"as {known} does", "as the known one does", "speak {tls_version}", "speak a version of TLS", "{device} {role}", "{device} does something", "for all {what}", "for all patients or studies", "{device} takes images; now it {role}", "{device} takes images and now does something",
)

// plainWords stand for what a heading does not know yet. What is missing here is an
// article and the value's own name.
var plainWords = map[string]string{
	"src": "a device", "dst": "a device", "device": "a device", "peer": "another device", "hub": "a server", "theatre": "a theatre",
	"count": "many", "window": "a short time", "duration": "a long time", "silence": "some time", "usual": "as usual", "took": "a short time",
	"bytes": "much", "rate": "many", "results": "answers", "what": "something", "kind": "something", "mac": "an interface", "other": "another",
	"indicator": "something", "offset": "some time", "calling": "another name", "called": "another name", "role": "does something else", "message": "a message", "from": "one place", "to": "another",
}

// Heading is the title without an occasion: what stands above several findings of the rule. It
// has no placeholders. Brackets that hold one are left out, and so is what follows a
// semicolon.
func (r *Rule) Heading() string {
	t := plainPhrases.Replace(bracketed.ReplaceAllString(r.Title, ""))
	if head, rest, ok := strings.Cut(t, "; "); ok && strings.Contains(rest, "{") {
		t = head
	}
	if head, rest, ok := strings.Cut(t, ": "); ok && strings.Contains(rest, "{") && len(head) > 12 {
		t = head
	}
	seen := map[string]bool{}
	t = placeholder.ReplaceAllStringFunc(t, func(p string) string {
		name := p[1 : len(p)-1]
		w, ok := plainWords[name]
		if !ok {
			w = strings.ReplaceAll(name, "_", " ")
			if strings.ContainsRune("aeiou", rune(w[0])) {
				w = "an " + w
			} else {
				w = "a " + w
			}
		}
		if seen["a device"] && w == "a device" {
			w = "another"
		}
		seen[w] = true
		return w
	})
	t = strings.NewReplacer("{{", "{", "}}", "}").Replace(t)
	first, n := utf8.DecodeRuneInString(t)
	return string(unicode.ToUpper(first)) + t[n:]
}
