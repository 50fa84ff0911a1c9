// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// TestManualsThatAreInstalledAreInnocent reads PDFs that many programs wrote: Debian's documentation, as encapsulated documents.
func TestManualsThatAreInstalledAreInnocent(t *testing.T) {
	f := New(Default(), Deps{})
	n := 0
	_ = filepath.WalkDir("/usr/share/doc", func(path string, d fs.DirEntry, err error) error {
		name, packed := strings.CutSuffix(path, ".gz")
		if err != nil || !d.Type().IsRegular() || !strings.HasSuffix(name, ".pdf") || n == 25 {
			return nil
		}
		file, err := os.Open(path)
		if err != nil {
			return nil
		}
		defer file.Close()
		var r io.Reader = file
		if packed {
			if r, err = gzip.NewReader(file); err != nil {
				return nil
			}
		}
		b, err := io.ReadAll(io.LimitReader(r, 4<<20))
		if err != nil || len(b) == 4<<20 || !bytes.HasPrefix(b, []byte("%PDF-")) {
			return nil
		}
		n++
		got := inspect(f, arrivalOf(classPDF, explicitLE), encapsulated(classPDF, "application/pdf", string(b)), 0)
		if got.Verdict > instance.Flag {
			t.Errorf("%s: %v %v", path, got.Verdict, got.Hits)
		}
		if bytes.Contains(b, []byte("/URI")) && met(&got, "document.link") == nil {
			t.Errorf("%s has links that were not seen", path)
		}
		return nil
	})
	if n == 0 {
		t.Skip("no PDF is installed in /usr/share/doc")
	}
	t.Logf("%d files", n)
}
