// SPDX-License-Identifier: Apache-2.0

package dump

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom"
)

// pydicomFiles is where Debian's python3-pydicom keeps its test files.
const pydicomFiles = "/usr/lib/python3/dist-packages/pydicom/data"

// samples calls f with every Part 10 file that can be read to its end.
func samples(t *testing.T, f func(path string, file *dicom.File)) {
	t.Helper()
	if _, err := os.Stat(pydicomFiles); err != nil {
		t.Skip("peer missing: test files of Debian's python3-pydicom")
	}
	skip := map[string]bool{"DICOMDIR-nooffset": true, "MR_truncated.dcm": true, "rtplan_truncated.dcm": true, "SC_rgb_jpeg.dcm": true, "meta_missing_tsyntax.dcm": true}
	err := filepath.WalkDir(pydicomFiles, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || skip[d.Name()] {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if file, err := dicom.OpenFile(bytes.NewReader(b)); err == nil {
			f(path, file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var elementLine = regexp.MustCompile(`(?s)^( *)(\([0-9a-f]{4},[0-9a-f]{4}\)) (..) (.*?) *# +(\d+|u/l), *(\d+) (.*)$`)

// normal makes a line of ours and of dcmdump comparable; "" for lines that are not compared.
func normal(line string) string {
	m := elementLine.FindStringSubmatch(line)
	if m == nil || m[2][1:5] == "0002" {
		return ""
	}
	indent, tag, vr, text, length, keyword := m[1], m[2], m[3], m[4], m[5], m[7]
	text = strings.NewReplacer("\r", `\r`, "\n", `\n`, "\t", `\t`, "\f", `\u{c}`, "\x1b", `\u{1b}`).Replace(text)
	switch {
	case tag == "(7fe0,0010)" || tag == "(fffe,e000)" || tag == "(fffe,e00d)" || tag == "(fffe,e0dd)" || vr == "SQ" || strings.HasPrefix(text, "(Sequence"):
		text, vr = "", "" // dcmdump counts items before it prints them
	}
	// dcmdump leaves text in its character set: compared is what comes before the first byte beyond ASCII.
	if i := strings.IndexFunc(text, func(r rune) bool { return r > 0x7E }); i >= 0 {
		text = text[:i]
	}
	text, _, _ = strings.Cut(text, `\u{1b}`)
	switch vr {
	case "FD", "FL", "OB", "OW", "OF", "OD", "UN", "??", "US", "SS", "xs", "up", "UL", "lt":
		vr = "" // names that DCMTK has for what a VR may mean
	}
	if vr == "" {
		text = ""
	}
	keyword = strings.TrimPrefix(keyword, "RETIRED_")
	text = strings.ReplaceAll(text, ` \`, `\`) // padding inside of a value
	if strings.HasPrefix(text, "=") {
		text = "=" // DCMTK has its own keywords for some UIDs
	}
	if strings.HasPrefix(keyword, "Private") || strings.HasPrefix(keyword, "Unknown") {
		keyword = ""
	}
	return strings.Join([]string{indent, tag, vr, text[:min(len(text), 40)], length, keyword}, "|")
}

// differing are the files on which the two differ on purpose.
var differing = map[string]string{
	"winter.dcm":         "holds (0008,0018) twice; dcmdump drops the first",
	"nested_priv_SQ.dcm": "dcmdump pads a private value of odd length",
	"badVR.dcm":          "dcmdump replaces a VR that does not exist",
}

func TestLinesAreThoseOfDCMDump(t *testing.T) {
	if _, err := exec.LookPath("dcmdump"); err != nil {
		t.Skip("peer missing: dcmdump (Debian package dcmtk)")
	}
	ours := map[string][]string{}
	args := []string{"-q", "+F", "+E"}
	samples(t, func(path string, f *dicom.File) {
		if differing[filepath.Base(path)] != "" {
			return
		}
		var b bytes.Buffer
		if err := Lines(&b, f.Data, f.Syntax, Options{}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		args = append(args, path)
		ours[path] = normals(b.String())
	})
	out, err := exec.Command("dcmdump", args...).Output() // one process: it reads its dictionary for a long time
	if err != nil {
		t.Logf("dcmdump: %v", err)
	}
	compared := 0
	for part := range strings.SplitSeq(string(out), "# dcmdump (") {
		head, body, _ := strings.Cut(part, "\n")
		_, path, ok := strings.Cut(head, "): ")
		if !ok {
			continue
		}
		compared++
		difference := ""
		theirs := normals(body)
		for i := range min(len(ours[path]), len(theirs)) {
			if o := ours[path][i]; o != theirs[i] && !private(o, theirs[i]) {
				difference = fmt.Sprintf("line %d:\n ours    %s\n dcmdump %s", i, o, theirs[i])
				break
			}
		}
		if difference == "" && len(ours[path]) != len(theirs) {
			difference = fmt.Sprintf("%d lines, dcmdump has %d", len(ours[path]), len(theirs))
		}
		if difference != "" {
			t.Errorf("%s: %s", filepath.Base(path), difference)
		}
	}
	if compared < 100 {
		t.Errorf("only %d files compared", compared)
	}
	t.Logf("%d files compared", compared)
}

// normals returns the lines of a dump that are compared. A value with a line break goes over several.
func normals(dump string) (out []string) {
	text := ""
	for line := range strings.Lines(dump) {
		if text += line; strings.Count(text, "[") > 0 && !elementLine.MatchString(strings.TrimSuffix(text, "\n")) {
			continue
		}
		if n := normal(strings.TrimSuffix(text, "\n")); n != "" {
			out = append(out, n)
		}
		text = ""
	}
	return out
}

// private allows what DCMTK knows from its private dictionary.
func private(a, b string) bool {
	x, y := strings.Split(a, "|"), strings.Split(b, "|")
	return x[1] == y[1] && x[0] == y[0] && x[len(x)-2] == y[len(y)-2] && strings.ContainsAny(x[1][4:5], "13579bdf")
}

// TestJSONIsThatOfPydicom compares the whole model of every sample.
func TestJSONIsThatOfPydicom(t *testing.T) {
	const interpreter = "/usr/bin/python3"
	if exec.Command(interpreter, "-c", "import pydicom").Run() != nil {
		t.Skip("peer missing: python3-pydicom")
	}
	var paths []string
	ours, big := map[string]map[string]any{}, map[string]bool{}
	samples(t, func(path string, f *dicom.File) {
		var b bytes.Buffer
		if err := JSON(&b, f.Data, f.Syntax, Options{}); err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		var m map[string]any
		if err := json.Unmarshal(b.Bytes(), &m); err != nil {
			t.Errorf("%s: %v\n%.300s", path, err, b.String())
			return
		}
		paths = append(paths, path)
		ours[path], big[path] = m, f.Syntax.BigEndian
	})
	script := `
import json, sys, pydicom
from pydicom import config
config.replace_un_with_known_vr = False
config.settings.reading_validation_mode = config.IGNORE
out = {}
for p in sys.argv[1:]:
    try:
        d = pydicom.dcmread(p)
        out[p] = d.to_json_dict(bulk_data_threshold=1024, bulk_data_element_handler=lambda e: "x", suppress_invalid_tags=True)
    except Exception as e:
        out[p] = None
json.dump(out, sys.stdout)`
	out, err := exec.Command(interpreter, append([]string{"-W", "ignore", "-c", script}, paths...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var theirs map[string]map[string]any
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, p := range paths {
		if theirs[p] == nil || differing[filepath.Base(p)] != "" {
			continue
		}
		compared++
		if d := difference(ours[p], theirs[p], big[p]); d != "" {
			t.Errorf("%s: %s", filepath.Base(p), d)
		}
	}
	t.Logf("%d files compared", compared)
}

// difference compares two objects of the model, as far as both say the same things. Of big endian files pydicom
// gives the words as they are, where the model demands little endian (PS3.18 §F.2.7).
func difference(a, b map[string]any, big bool) string {
	for tag, bv := range b {
		y := bv.(map[string]any)
		x, ok := a[tag].(map[string]any)
		if strings.HasSuffix(tag, "0000") {
			continue // pydicom keeps group lengths
		}
		if !ok {
			return tag + " is missing"
		}
		if x["vr"] == "SQ" && y["vr"] == "SQ" {
			xs, _ := x["Value"].([]any)
			ys, _ := y["Value"].([]any)
			if len(xs) != len(ys) {
				return fmt.Sprintf("%s: %d items, want %d", tag, len(xs), len(ys))
			}
			for i := range xs {
				m, _ := ys[i].(map[string]any)
				if d := difference(xs[i].(map[string]any), m, big); d != "" {
					return tag + " " + d
				}
			}
			continue
		}
		if x["vr"] != y["vr"] || y["BulkDataURI"] != nil || y["InlineBinary"] != nil && x["InlineBinary"] == nil {
			continue // US or SS; sizes at which a value is bulk; encapsulated pixel data
		}
		if !reflect.DeepEqual(plain(x["Value"]), plain(y["Value"])) || y["InlineBinary"] != nil && x["InlineBinary"] != y["InlineBinary"] && !big {
			return fmt.Sprintf("%s: %v, want %v", tag, x, y)
		}
	}
	return ""
}

// plain evens out that pydicom writes some numbers as text, an empty name as "", and single empty values.
func plain(v any) any {
	l, _ := v.([]any)
	var out []string
	for _, e := range l {
		s := strings.TrimSpace(fmt.Sprint(e))
		if f, ok := e.(float64); ok {
			s = fmt.Sprint(float32(f)) // pydicom writes more digits than an FL has
		}
		if m, ok := e.(map[string]any); ok {
			s = ""
			for _, k := range []string{"Alphabetic", "Ideographic", "Phonetic"} {
				if g, _ := m[k].(string); g != "" {
					s += k + ":" + g + ";"
				}
			}
		}
		if e == nil {
			s = ""
		}
		out = append(out, s)
	}
	if len(out) == 1 && out[0] == "" {
		return []string(nil)
	}
	return out
}
