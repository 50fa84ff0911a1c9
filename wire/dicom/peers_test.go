// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pydicomFiles is where Debian's python3-pydicom keeps its test files.
const pydicomFiles = "/usr/lib/python3/dist-packages/pydicom/data"

// line is what both sides say about an element, item or fragment.
type line struct {
	indent int
	tag    Tag
	vr     string
	length string // decimal, or "u/l"
}

func (l line) String() string {
	return fmt.Sprintf("%*s%v %s %s", 2*l.indent, "", l.tag, l.vr, l.length)
}

// ours lists a data set as dcmdump does.
func ours(data []byte, s Syntax) (out []line, err error) {
	v := &lister{out: &out}
	var x Extractor
	x.Reset(s, DefaultLimits(), v)
	v.tok = x.Tokenizer()
	if err := x.Feed(data); err != nil {
		return out, err
	}
	return out, x.End()
}

type lister struct {
	out *[]line
	tok *Tokenizer
}

func (v *lister) Header(t *Token, _ Tag) int {
	l := line{indent: v.tok.depth, tag: t.Tag, vr: t.VR.String(), length: fmt.Sprint(t.Length)}
	if t.Length == UndefinedLength {
		l.length = "u/l"
	}
	switch t.Kind {
	case Fragment:
		l.tag, l.vr = TagItem, "pi"
	case ItemStart:
		l.tag, l.vr = TagItem, "na"
		l.indent--
	case SequenceStart, FragmentsStart:
		l.indent--
	}
	*v.out = append(*v.out, l)
	return 0
}

func (v *lister) Value(*Token, Tag, []byte) {}

var elementStart = regexp.MustCompile(`^ *\([0-9a-f]{4},[0-9a-f]{4}\) `)

var dumpLine = regexp.MustCompile(`^( *)\(([0-9a-f]{4}),([0-9a-f]{4})\) (..|\?\?) .*# +(\d+|u/l), *\d+ `)

var dumpedFile = regexp.MustCompile(`^# dcmdump \(\d+/\d+\): (.*)$`)

// theirs runs dcmdump once for all files: most of its time it reads its dictionary. Delimiters and the file meta information are left
// out, and files that it cannot read.
func theirs(t *testing.T, paths []string) map[string][]line {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "dcmdump", append([]string{"-q", "+F"}, paths...)...).Output() //nolint:gosec // a test's peer
	var exit *exec.ExitError                                                                                    // of the files that it cannot read
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	all := map[string][]line{}
	path, text := "", ""
	for part := range strings.SplitSeq(string(out), "\n") {
		if m := dumpedFile.FindStringSubmatch(part); m != nil {
			path, text = m[1], ""
			continue
		}
		if !elementStart.MatchString(part) {
			part = text + part // a value with a line break
		}
		text = part
		m := dumpLine.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		var g, e uint16
		fmt.Sscanf(m[2]+" "+m[3], "%x %x", &g, &e)
		l := line{len(m[1]) / 2, MakeTag(g, e), m[4], m[5]}
		if text = ""; all[path] == nil {
			all[path] = []line{}
		}
		if g == 2 || l.tag == TagItemDelimitation || l.tag == TagSequenceDelimitation {
			continue
		}
		all[path] = append(all[path], l)
	}
	return all
}

// TestDataSetsAgainstDCMTK compares every element of every public test file with dcmdump.
func TestDataSetsAgainstDCMTK(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dcmdump"); err != nil {
		t.Skip("peer missing: dcmdump (Debian package dcmtk)")
	}
	if _, err := os.Stat(pydicomFiles); err != nil {
		t.Skip("peer missing: test files of Debian's python3-pydicom")
	}
	var paths []string
	if err := filepath.WalkDir(pydicomFiles, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	dumped := theirs(t, paths)
	compared := 0
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(pydicomFiles, path)
		meta, n, err := ReadFileMeta(data)
		if err != nil {
			continue // not a Part 10 file
		}
		t.Run(name, func(t *testing.T) {
			s, _ := SyntaxOf(meta.TransferSyntax)
			got, gerr := ours(data[n:], s)
			want := slices.Clone(dumped[path])
			if want == nil {
				t.Skipf("dcmdump cannot read %s", filepath.Base(path))
			}
			compared++
			if why := explained[filepath.Base(path)]; why != "" {
				t.Skip("differs: " + why)
			}
			// dcmdump sorts what is not in order.
			byTag := func(a, b line) int {
				return cmp.Or(cmp.Compare(a.tag, b.tag), cmp.Compare(a.indent, b.indent), strings.Compare(a.length, b.length))
			}
			if disordered(got) {
				slices.SortFunc(got, byTag)
				slices.SortFunc(want, byTag)
			}
			for i := range min(len(got), len(want)) {
				if !same(got[i], want[i]) {
					t.Fatalf("%v line %d:\n ours   %v\n dcmtk  %v\n(%v)", got[:min(6, len(got))], i, got[i], want[i], gerr)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d lines, dcmdump has %d (%v)", len(got), len(want), gerr)
			}
			if gerr != nil {
				t.Logf("ends with: %v", gerr)
			}
			var e *Error
			if gerr != nil && !errors.As(gerr, &e) {
				t.Errorf("untyped error %T", gerr)
			}
		})
	}
	if compared < 150 {
		t.Errorf("only %d files were compared", compared)
	}
}

// explained are the files on which the two differ on purpose.
var explained = map[string]string{
	"DICOMDIR-nooffset":        "its sequence is longer than the file; dcmdump reads on",
	"meta_missing_tsyntax.dcm": "names no transfer syntax; dcmdump guesses one",
	"winter.dcm":               "holds (0008,0018) twice; dcmdump drops the first",
	"nested_priv_SQ.dcm":       "dcmdump pads a private value of odd length",
}

// disordered reports tags that do not ascend, at any level.
func disordered(l []line) bool {
	var last [2*MaxDepth + 1]Tag
	for _, x := range l {
		if x.tag == TagItem {
			clear(last[x.indent+1:])
			continue
		}
		if x.tag < last[x.indent] {
			return true
		}
		last[x.indent] = x.tag
	}
	return false
}

// same allows the differences in naming that DCMTK has by design: "up" for the
// offsets of a DICOMDIR, OB for encapsulated pixel data whatever was sent, SQ for
// UN of undefined length, the choice between US, SS and OW in implicit VR, and VRs
// from its private dictionary, which has no counterpart here.
func same(a, b line) bool {
	if a.indent != b.indent || a.tag != b.tag || a.length != b.length {
		return false
	}
	switch {
	case a.vr == b.vr,
		a.vr == "UL" && b.vr == "up",
		a.vr == "OW" && b.vr == "OB" && a.length == "u/l",
		a.vr == "UN" && b.vr == "SQ" && a.length == "u/l",
		a.vr == "US" && (b.vr == "SS" || b.vr == "OW"),
		a.vr == "OW" && b.vr == "OB" && a.tag.Group()>>8 == 0x60,
		a.vr == "UN" && a.tag.IsPrivate():
		return true
	}
	return false
}
