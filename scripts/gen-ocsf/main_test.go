// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/asepsis/asepsis/ocsf"
	"github.com/asepsis/asepsis/ocsf/validate"
)

func TestTheGeneratedFilesAreUpToDate(t *testing.T) {
	const dir = "../../../shared/knowledge/ocsf-1.8.0"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("skipped: the OCSF 1.8.0 schema is not at ../shared/knowledge/ocsf-1.8.0")
	}
	s, err := validate.Load(os.DirFS(dir), ocsf.Files)
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(io.Writer, *validate.Schema) error{
		"../../core/event/ocsf_tables.go": tables,
		"../../docs/events.md":            func(w io.Writer, s *validate.Schema) error { return reference(w, s, "../../core/event/testdata/ocsf") },
	} {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := write(&got, s); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s is not what scripts/gen-ocsf writes: run it", name)
		}
	}
}
