// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// opened reports whether a real reader of PDFs opens object 7 of a file, and finds the script in it.
func opened(ctx context.Context, tool, path string) bool {
	var args []string
	switch tool {
	case "qpdf":
		args = []string{"--warning-exit-0", "--show-object=7", path}
	case "mutool":
		args = []string{"show", path, "trailer/Root/OpenAction"}
	case "pdfinfo":
		args = []string{"-js", path}
	}
	out, _ := exec.CommandContext(ctx, tool, args...).Output()
	return strings.Contains(string(out), "alert")
}

// TestHiddenScriptsAreOpenedByRealReaders holds the attacks to what they stand for: the script that is hidden in each is opened by the programs that are
// said to open it.
func TestHiddenScriptsAreOpenedByRealReaders(t *testing.T) {
	dir := t.TempDir()
	for _, tool := range []string{"qpdf", "mutool", "pdfinfo"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("peer missing: %s (Debian packages qpdf, mupdf-tools, poppler-utils)", tool)
			continue
		}
		t.Run(tool, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for _, h := range hidings() {
				path := filepath.Join(dir, "hiding.pdf")
				if err := os.WriteFile(path, []byte(h.file), 0o600); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(h.seen, tool) && !opened(ctx, tool, path) {
					t.Errorf("JavaScript %s is not opened", h.name)
				}

			}
		})
	}
}
