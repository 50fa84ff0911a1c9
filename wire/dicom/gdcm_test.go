// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// gdcmLine is a line of gdcmdump: tag, VR, and the length where it is said.
var gdcmLine = regexp.MustCompile(`^( *)\(([0-9a-f]{4}),([0-9a-f]{4})\)(?: (..))?(.*)$`)

var gdcmLength = regexp.MustCompile(`# (\d+)(?: \(\d+\))?,[^#]*$`)

// gdcms runs gdcmdump. Delimiters, the file meta information and items are left out.
func gdcms(t *testing.T, path string) (lines []line, ok bool) {
	out, err := exec.Command("gdcmdump", path).CombinedOutput()
	if err != nil {
		return nil, false
	}
	text := string(out)
	_, text, ok = strings.Cut(text, "# Dicom-Data-Set\n")
	for l := range strings.Lines(text) {
		m := gdcmLine.FindStringSubmatch(strings.TrimRight(l, "\n"))
		if m == nil || m[2] == "fffe" {
			continue
		}
		g, _ := strconv.ParseUint(m[2], 16, 16)
		e, _ := strconv.ParseUint(m[3], 16, 16)
		one := line{indent: len(m[1]) / 4, tag: MakeTag(uint16(g), uint16(e)), vr: m[4]}
		if n := gdcmLength.FindStringSubmatch(m[5]); n != nil {
			one.length = n[1]
		}
		lines = append(lines, one)
	}
	return lines, ok
}

// gdcmCannot are the files of which gdcmdump shows something else on purpose, or gives up.
var gdcmCannot = map[string]string{
	"winter.dcm":            "holds (0008,0018) twice; gdcmdump drops the first",
	"rtdose_rle.dcm":        "has a sequence in a value of UN, which gdcmdump unfolds",
	"rtdose_rle_1frame.dcm": "has a sequence in a value of UN, which gdcmdump unfolds",
}

// TestDataSetsAgainstGDCM compares the elements of every public test file, their nesting, VR and length, with a third stack.
func TestDataSetsAgainstGDCM(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("gdcmdump is started once a file: not in short mode")
	}
	if _, err := exec.LookPath("gdcmdump"); err != nil {
		t.Skip("peer missing: gdcmdump (Debian package libgdcm-tools)")
	}
	if _, err := os.Stat(pydicomFiles); err != nil {
		t.Skip("peer missing: test files of Debian's python3-pydicom")
	}
	compared, seen := 0, 0
	err := filepath.WalkDir(pydicomFiles, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if seen++; strings.Contains(path, "_files/chr") && seen%3 != 0 || strings.Contains(path, "dicomdirtests") && seen%4 != 0 {
			return nil // many are alike, and a program is started for each
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		meta, n, err := ReadFileMeta(data)
		if err != nil {
			return nil // not a Part 10 file
		}
		s, known := SyntaxOf(meta.TransferSyntax)
		want, ok := gdcms(t, path)
		if !known || !ok || gdcmCannot[filepath.Base(path)] != "" {
			return nil
		}
		all, _ := ours(data[n:], s)
		var got []line
		for _, l := range all {
			if l.tag != TagItem {
				got = append(got, l)
			}
		}
		name, _ := filepath.Rel(pydicomFiles, path)
		compared++
		for i := range min(len(got), len(want)) {
			if why := differs(got[i], want[i]); why != "" {
				t.Errorf("%s, element %d: %s\n ours %v\n gdcm %v", name, i, why, got[i], want[i])
				return nil
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d elements, gdcmdump has %d", name, len(got), len(want))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if compared < 80 {
		t.Errorf("only %d files were compared", compared)
	}
}

// differs says how a line differs from one of gdcmdump.
func differs(a, b line) string {
	switch {
	case a.tag != b.tag:
		return "tag"
	case a.indent/2 != b.indent: // frames of sequence and item, and sequences
		return fmt.Sprintf("nesting %d, %d", a.indent/2, b.indent)
	case b.vr != "" && b.vr != "??" && a.vr != b.vr:
		return "VR"
	case b.length != "" && a.length != "u/l" && a.length != b.length:
		return "length"
	}
	return ""
}
