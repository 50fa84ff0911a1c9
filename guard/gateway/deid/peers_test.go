// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/deid"
)

// refused are the files of the corpus of which no copy can be made, with why.
var refused = map[string]string{
	"charset_files/chrSQEncoding.dcm": "no-instance", "charset_files/chrSQEncoding1.dcm": "no-instance", "test_files/UN_sequence.dcm": "no-instance",
	"test_files/empty_charset_LEI.dcm": "no-instance", "test_files/nested_priv_SQ.dcm": "no-instance", "test_files/no_meta_group_length.dcm": "no-instance", "test_files/priv_SQ.dcm": "no-instance",
}

// copies writes a copy of every file of the corpus and returns the pairs of paths.
func copies(t *testing.T, p deid.Profile) (pairs [][2]string) {
	t.Helper()
	dir := t.TempDir()
	tr := profile(t, p)
	for i, f := range corpus(t) {
		var out bytes.Buffer
		altered, err := tr.Transform(&out, bytes.NewReader(f.data), f.syntax)
		var no *deid.Refusal
		switch {
		case errors.As(err, &no) && (no.Code == refused[f.name] || no.Code == "directory" && strings.Contains(f.name, "DICOMDIR")):
			continue
		case err != nil:
			t.Errorf("%s: %v", f.name, err)
			continue
		case refused[f.name] != "":
			t.Errorf("%s: a copy was made", f.name)
		}
		if altered.TransferSyntax != f.syntax || altered.SOPInstance == "" || len(altered.Changes) < 3 {
			t.Errorf("%s: %+v", f.name, altered)
		}
		path := filepath.Join(dir, fmt.Sprintf("%03d.dcm", i))
		if err := os.WriteFile(path, asFile(t, &f, out.Bytes(), altered.SOPInstance), 0o600); err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, [2]string{filepath.Join(pydicomFiles, f.name), path})
	}
	if len(pairs) < 150 {
		t.Errorf("only %d copies", len(pairs))
	}
	return pairs
}

// TestCopiesAreReadByPydicom reads every value of every copy of the corpus with pydicom.
func TestCopiesAreReadByPydicom(t *testing.T) {
	t.Parallel()
	if exec.Command("/usr/bin/python3", "-c", "import pydicom").Run() != nil {
		t.Skip("peer missing: pydicom (Debian package python3-pydicom)")
	}
	for name, p := range map[string]struct {
		deid.Profile
		codes string
	}{
		"basic": {deid.Profile{}, "113100"},
		"many options": {deid.Profile{Options: []deid.Option{deid.RetainModifiedDates, deid.CleanDescriptors, deid.CleanStructuredContent, deid.CleanGraphics, deid.RetainPatientCharacteristics}},
			"113100,113103,113104,113105,113107,113108"},
	} {
		t.Run(name, func(t *testing.T) {
			pairs := copies(t, p.Profile)
			var in bytes.Buffer
			for _, c := range pairs {
				fmt.Fprintf(&in, "%s\t%s\n", c[0], c[1])
			}
			cmd := exec.Command("/usr/bin/python3", "-W", "ignore", "testdata/read_copies.py", p.codes)
			cmd.Stdin, cmd.Stderr = &in, os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(bytes.NewReader(out))
			studies, back := map[string]string{}, map[string]string{}
			for _, c := range pairs {
				var got struct {
					Wrong       []string
					Study, From string
				}
				if !lines.Scan() || json.Unmarshal(lines.Bytes(), &got) != nil {
					t.Fatal("pydicom stopped")
				}
				if len(got.Wrong) > 0 {
					t.Errorf("%s: %v", c[0], got.Wrong)
				}
				if s, ok := studies[got.From]; ok && s != got.Study {
					t.Errorf("%s: its study fell apart", c[0])
				}
				if s, ok := back[got.Study]; ok && s != got.From || got.From != "" && got.From == got.Study {
					t.Errorf("%s: two studies became one, or its UID stayed", c[0])
				}
				studies[got.From], back[got.Study] = got.Study, got.From
			}
		})
	}
}

// quoted are the values that dciodvfy quotes and that differ in a copy.
var quoted = regexp.MustCompile(`\d+(\.\d+){2,}|\d{4}\.\d\d\.\d\d|\b0$`)

// TestCopiesAreAsValidAsTheOriginals has dciodvfy, an independent validator of information objects, look at every
// original and its copy: a copy has no complaint that the original has not.
func TestCopiesAreAsValidAsTheOriginals(t *testing.T) {
	if testing.Short() {
		t.Skip("two programs are started for each file: not in short mode")
	}
	for _, tool := range []string{"dciodvfy", "dcmdump"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("peer missing: dciodvfy and dcmdump (Debian packages dicom3tools and dcmtk)")
		}
	}
	t.Parallel()
	before := map[string][]string{}
	first := copies(t, deid.Profile{Options: []deid.Option{deid.CleanDescriptors, deid.CleanStructuredContent, deid.RetainModifiedDates}})
	var looked [][2]string
	for i, c := range append(first, copies(t, deid.Profile{})...) {
		alike := strings.Contains(c[0], "_files/chr") || strings.Contains(c[0], "dicomdirtests") || strings.Contains(c[0], "/SC_") || strings.Contains(c[0], "_small_")
		if image := i >= len(first) && !strings.Contains(c[0], "palettes") && !strings.Contains(c[0], "rt") && !strings.Contains(c[0], "SR"); alike && i%5 != 0 || image && i%3 != 0 {
			continue // a program is started for each
		}
		looked = append(looked, c)
		if before[c[0]] == nil {
			before[c[0]] = append(complaints(c[0]), "looked at")
		}
		for _, e := range complaints(c[1]) {
			if !slices.Contains(before[c[0]], e) {
				t.Errorf("%s: %s", c[0], e)
			}
		}
	}
	originals, made := dumped(t, looked, 0), dumped(t, looked, 1)
	if len(originals) < 50 {
		t.Errorf("dcmdump reads only %d originals", len(originals))
	}
	for _, c := range looked {
		if originals[c[0]] && !made[c[1]] {
			t.Errorf("%s: dcmdump cannot read its copy", c[0])
		}
	}
}

var dumpedFile = regexp.MustCompile(`(?m)^# dcmdump \(\d+/\d+\): (.*)\n\n# Dicom-File-Format$`)

// dumped returns the files of a side that dcmdump reads. It is started once: most of its time it reads its dictionary.
func dumped(t *testing.T, pairs [][2]string, side int) map[string]bool {
	t.Helper()
	args := []string{"-q", "+F"}
	for _, c := range pairs {
		args = append(args, c[side])
	}
	out, err := exec.CommandContext(t.Context(), "dcmdump", args...).Output() //nolint:gosec // a test's peer
	var exit *exec.ExitError                                                  // of the files that it cannot read
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, m := range dumpedFile.FindAllSubmatch(out, -1) {
		all[string(m[1])] = true
	}
	return all
}

func complaints(path string) (out []string) {
	said, _ := exec.Command("dciodvfy", path).CombinedOutput() // its exit code tells of what it says
	for line := range strings.Lines(string(said)) {
		if strings.HasPrefix(line, "Error") {
			out = append(out, quoted.ReplaceAllString(strings.TrimSpace(line), "#"))
		}
	}
	return out
}
