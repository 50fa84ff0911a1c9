// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/platform/config"
)

func TestThePageNamesEveryCodeAndEveryGroup(t *testing.T) {
	page, err := os.ReadFile("../../docs/gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`(?m)^\t[A-Z]\w+ += "([a-z-]+)"$`).FindAllSubmatch(source, -1)
	if len(codes) < 30 {
		t.Fatalf("only %d codes are found in the source", len(codes))
	}
	for _, c := range codes {
		if !strings.Contains(string(page), "`"+string(c[1])+"`") {
			t.Errorf("the page does not explain %s", c[1])
		}
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
	} {
		if _, err := config.Decode("gateway.yaml", []byte(text), Default()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := config.Decode("gateway.yaml", []byte("listeners: [{kind: dicom-tls, listen: \"127.0.0.1:2762\"}, {kind: dicom-plain, listen: \"127.0.0.1:104\"}]"), Default()); err != nil {
		t.Error(err)
	}
}
