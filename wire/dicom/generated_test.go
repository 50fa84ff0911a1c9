// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTheDictionaryIsMadeOfItsSource runs scripts/gen-dicom-dictionary on part06.txt beside the module and compares what it makes.
func TestTheDictionaryIsMadeOfItsSource(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"python3", "gofmt"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("tool missing: " + tool)
		}
	}
	if exec.CommandContext(t.Context(), "python3", "-c", "import sys; sys.exit(sys.version_info < (3, 10))").Run() != nil {
		t.Skip("tool missing: python3 of version 3.10 or later")
	}
	script, err := filepath.Abs("../../scripts/gen-dicom-dictionary")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	dir := filepath.Join(root, "wire", "dicom")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("part06.txt")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "part06.txt"), source, 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "python3", script)
	c.Dir = root
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	want, err := os.ReadFile(filepath.Join(dir, "dictionary_data.go"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("dictionary_data.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("dictionary_data.go (%d bytes) is not what scripts/gen-dicom-dictionary makes of part06.txt (%d bytes): run it", len(got), len(want))
	}
}
