// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bytes"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/platform/config"
)

func TestTheDefaultsAreDocumentedAndValid(t *testing.T) {
	for _, v := range []any{Default(), DefaultDestination()} {
		if u := config.Undocumented(v); len(u) > 0 {
			t.Errorf("without documentation: %v", u)
		}
	}
	if err := Default().check(); err != nil {
		t.Error(err)
	}
	var b bytes.Buffer
	if err := config.ShowDefaults(&b, Default()); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Decode("defaults.yaml", b.Bytes(), Config{}); err != nil {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestConfigurationsThatAreWrong(t *testing.T) {
	for text, want := range map[string]string{
		"path: dicom-web":                    "path",
		"path: /a/":                          "path",
		"path: /a/../b":                      "path",
		"url: http://gateway/dicom-web":      "url",
		"url: https://u:p@gateway/dicom-web": "url",
		"connections: 0":                     "connections",
		"idle: 0s":                           "idle",
		"stall: -1s":                         "stall",
		"store: {max_instance: 1B}":          "max_instance",
		"store: {max_request: 1MiB}":         "max_request",
		"store: {max_instances: 0}":          "max_instances",
		"upstream: {url: 'http://pacs.st-example.internal/'}": "url",
		"upstream: {url: 'https://pacs/x?y'}":                 "url",
		"upstream: {username: 'a:b'}":                         "username",
		"upstream: {wait: 0s}":                                "wait",
		"query: {keys: [NoSuchKey]}":                          "keys",
		"query: {max_results: 0}":                             "max_results",
		"query: {max_offset: -1}":                             "max_offset",
		"query: {max_days: 0}":                                "max_days",
		"query: {literal: 0}":                                 "literal",
		"retrieve: {resources: [everything]}":                 "resources",
		"retrieve: {max_bytes: 1KiB}":                         "max_bytes",
		"retrieve: {spool_bytes: 1MiB}":                       "spool_bytes",
		"retrieve: {max_instances: 0}":                        "max_instances",
		"retrieve: {remember: -1s}":                           "remember",
		"nonsense: 1":                                         "nonsense",
	} {
		if _, err := config.Decode("test.yaml", []byte(text), Default()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := New(Default(), Deps{}); err == nil {
		t.Error("a server without anything around it")
	}
	c := Default()
	c.Upstream.URL = "https://pacs.st-example.internal/dicom-web"
	if _, err := New(c, Deps{Ingest: newShelf(), Bindings: &desk{}}); err == nil {
		t.Error("an archive without a way to it, and without an inspector")
	}
}
