// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom"
)

// TestAUIDThatIsAPathLeadsNowhere: what an archive calls an image becomes a file's name.
func TestAUIDThatIsAPathLeadsNowhere(t *testing.T) {
	top := t.TempDir()
	k, err := newKeeper(filepath.Join(top, "out"), false, "ARCHIVE", func() {})
	if err != nil {
		t.Fatal(err)
	}
	for _, uid := range []string{"../1.2.3", "/tmp/1.2.3", "1.2/../../3", "..", "", "1.2.3\x00", strings.Repeat("1.", 40) + "1"} {
		f := Kept{SOPClass: "1.2.840.10008.5.1.4.1.1.2", SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian}
		if err := k.keep(&f, strings.NewReader("")); err == nil || f.Path != "" {
			t.Errorf("%q was kept as %q, %v", uid, f.Path, err)
		}
	}
	var files []string
	err = filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) != 0 {
		t.Errorf("%q, %v", files, err)
	}
	good := Kept{SOPClass: "1.2.840.10008.5.1.4.1.1.2", SOPInstance: "1.2.3", TransferSyntax: dicom.ExplicitVRLittleEndian}
	if err := k.keep(&good, strings.NewReader("")); err != nil || good.Path != filepath.Join(top, "out", "1.2.3.dcm") {
		t.Errorf("%+v, %v", good, err)
	}
}
