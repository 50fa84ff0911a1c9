// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const page = "../../../docs/firewall.md"

// TestThePageHasEveryRuleAsTheTableHasIt holds docs/firewall.md to the rules.
func TestThePageHasEveryRuleAsTheTableHasIt(t *testing.T) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "-update -->\n", "<!-- end of rules -->"
	head, rest, ok := strings.Cut(string(b), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the page has no place for the rules")
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%d rules, tested with %d attacks and %d innocent objects that look like one.\n\n", ruleCount, len(attacks()), len(innocents()))
	out.WriteString("| rule | default | mends | meets when | because | for example |\n|---|---|---|---|---|---|\n")
	for i := range table {
		r := &table[i]
		mends := r.Action
		if mends == "" {
			mends = "-"
		}
		options := ""
		for _, o := range r.Options {
			options += ", `" + o + "`"
		}
		if options != "" {
			options = " Options: " + options[2:] + "."
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s%s | %s |\n", r.Name, r.Default, mends, cell(r.Meets), cell(r.Reason), options, cell(r.Example))
	}
	golden(t, page, []byte(head+begin+out.String()+end+tail))
	for i := range table {
		if !strings.Contains(string(b), fmt.Sprintf("| `%s` | %s |", table[i].Name, table[i].Default)) {
			t.Errorf("the page has no line for %s", table[i].Name)
		}
	}
}

// cell makes a text fit for a table of Markdown.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
