// SPDX-License-Identifier: Apache-2.0

package rule_test

import (
	"strings"
	"testing"

	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect/rule"
)

func TestAHeadingHasNoPlaceholders(t *testing.T) {
	all, err := rule.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		h := r.Heading()
		t.Logf("%-44s %s", r.ID, h)
		if h == "" || strings.ContainsAny(h, "{}") || strings.Contains(h, "()") || strings.HasSuffix(h, " ") {
			t.Errorf("%s: %q", r.ID, h)
		}
	}
	for title, want := range map[string]string{
		"{src} has not been heard for {silence}; it spoke every {usual}": "A device has not been heard for some time; it spoke regularly",
		"{src} connected to {dst} over ADB, which asked for no key":      "A device connected to another over ADB, which asked for no key",
		"{src} put a program onto {dst} and started it ({via})":          "A device put a program onto another and started it",
		"{dst} refused {src}: it does not know {unknown}":                "A device refused another",
		"{address} is used twice":                                        "An address is used twice",
	} {
		if got := (&rule.Rule{Title: title}).Heading(); got != want {
			t.Errorf("%q becomes %q, want %q", title, got, want)
		}
	}
}
