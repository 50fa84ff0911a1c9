// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/platform/config"
)

// codesOfThePage are those of the table of refusals, in their order by name.
func codesOfThePage(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "\n## Refusals\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var out []string
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(cells[1], -1) {
				out = append(out, m[1])
			}
		}
	}
	if !found || len(out) < 30 {
		t.Fatalf("only %d codes are found on the page", len(out))
	}
	slices.Sort(out)
	return out
}

// codesOfTheSource are those of problems, of this package and of what it passes on.
func codesOfTheSource(t *testing.T) []string {
	t.Helper()
	var out []string
	for file, pattern := range map[string]string{"problem.go": `(?m)^\t[A-Z]\w+ += "([a-z-]+)"$`, "query/query.go": `(?m)^\tcode[A-Z]\w+ += "([a-z-]+)"$`} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list := regexp.MustCompile(pattern).FindAllSubmatch(source, -1)
		if len(list) < 5 {
			t.Fatalf("only %d codes are found in %s", len(list), file)
		}
		for _, m := range list {
			out = append(out, string(m[1]))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestThePageNamesEveryGroupAndOperation(t *testing.T) {
	page, err := os.ReadFile("../../docs/gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(binding.Groups(), binding.Operations()...) {
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).Match(page) {
			t.Errorf("the page does not name %s", name)
		}
	}
}

func TestEverySettingIsDocumented(t *testing.T) {
	if list := config.Undocumented(Default()); len(list) > 0 {
		t.Error(list)
	}
}

func TestABadConfigurationIsRefusedWithTheReason(t *testing.T) {
	for text, want := range map[string]string{
		"name: Gateway OR 3":  "must be 1 to 40 lower-case letters",
		"ae_titles: []":       "is empty: no association could be taken",
		`ae_titles: ["A\\B"]`: "is no AE title",
		"listeners: [{kind: dicom, listen: \"127.0.0.1:1\"}]":                                                   "there is no kind \"dicom\"",
		"listeners: [{kind: dicom-tls, listen: \"2762\"}]":                                                      "is no address with a port",
		"listeners: [{kind: dicom-tls, listen: \"127.0.0.1:1\", profiles: [api-server]}]":                       "is no profile of a client",
		"listeners: [{kind: dicom-tls, listen: \"127.0.0.1:1\", min_tls: \"1.1\"}]":                             "is no version of TLS that is safe",
		"listeners: [{kind: dicom-plain, listen: \"127.0.0.1:1\", min_tls: \"1.3\"}]":                           "a plain listener has no certificates",
		"listeners: [{kind: dicom-tls, listen: \"127.0.0.1:1\"}, {kind: dicom-plain, listen: \"127.0.0.1:1\"}]": "there are two listeners at 127.0.0.1:1",
		"listeners: [{kind: dicom-tls, listen: \"127.0.0.1:1\"}, {kind: dicom-tls, listen: \"127.0.0.1:2\"}]":   "there are two listeners \"dicom-tls\"",
		"ingest: {quarantine_answer: maybe}":                                                                    "is no answer",
		"ingest: {unrouted: drop}":                                                                              "is neither",
		"ingest: {ledger_wait: 10m}":                                                                            "senders give up after a minute",
		"ingest: {transfer_syntaxes: [1.2.3.4.5.6]}":                                                            "is no transfer syntax that is known here",
		"associations: 0": "is not within 1..4096",
		"retrievals: {routes: [{name: viewers, fail: open}]}":      "\"open\" is neither",
		"retrievals: {routes: [{name: c/d}]}":                      "is not a name of letters",
		"retrievals: {routes: [{name: viewers, case: always}]}":    "\"always\" is neither",
		"retrievals: {routes: [{name: viewers}, {name: viewers}]}": "is there twice",
		"retrievals: {routes: [{name: viewers, theatre: or-3}]}":   "theatre",
		"retrievals: {max_owed: 0}":                                "is not within",
		"retrievals: {max_owed_bytes: 1KiB}":                       "must be at least 1MiB",
	} {
		if _, err := config.Decode("gateway.yaml", []byte(text), Default()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := config.Decode("gateway.yaml", []byte("listeners: [{kind: dicom-tls, listen: \"127.0.0.1:2762\"}, {kind: dicom-plain, listen: \"127.0.0.1:104\"}]"), Default()); err != nil {
		t.Error(err)
	}
}
