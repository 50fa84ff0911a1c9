// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/wire/dicom"
)

// TestTheGatewayIsTheLastEquipmentThatContributed shows where its item stands, in each way in which the sequence may have come.
func TestTheGatewayIsTheLastEquipmentThatContributed(t *testing.T) {
	scanner := func(w *dicom.Writer) {
		w.Text(0x00080070, dicom.LO, "ACME Imaging")
		w.Text(0x00081010, dicom.SH, "ZQSTATION")
		w.Sequence(0x0040A170, func() { w.Text(0x00080100, dicom.SH, "109101"); w.Text(0x00080102, dicom.SH, "DCM") })
	}
	sequence := func(items int) func(*dicom.Writer) {
		return func(w *dicom.Writer) {
			f := make([]func(), items)
			for i := range f {
				f[i] = func() { scanner(w) }
			}
			w.Sequence(0x0018A001, f...)
		}
	}
	folded := build(t, dicom.ImplicitVRLittleEndian, sequence(1))[8:] // as a relay writes a sequence that it does not know
	folded = folded[:len(folded)-8]
	unknown := func(value []byte) func(*dicom.Writer) {
		return func(w *dicom.Writer) { w.Bytes(0x0018A001, dicom.UN, value) }
	}
	le, be, im, de := dicom.ExplicitVRLittleEndian, dicom.ExplicitVRBigEndian, dicom.ImplicitVRLittleEndian, dicom.DeflatedExplicitVRLittleEndian
	for _, tt := range []struct {
		name   string
		write  func(*dicom.Writer)
		before int // items of others that stay
		in     []string
	}{
		{"there was none", func(*dicom.Writer) {}, 0, []string{le, be, im, de}},
		{"there was one", sequence(1), 1, []string{le, be, im, de}},
		{"there were three", sequence(3), 3, []string{le, be, im}},
		{"it was empty", sequence(0), 0, []string{le, be, im}},
		{"it was a value of unknown VR", unknown(folded), 1, []string{le}},
		{"it was a value of unknown VR that cannot be read", unknown(folded[:len(folded)-2]), 0, []string{le, be}},
	} {
		for _, syntax := range tt.in {
			data := ordered(t, syntax, ctImage, func(w *dicom.Writer) {
				tt.write(w)
				w.Text(0x00200011, dicom.IS, "7") // something behind
			})
			out, changes := transform(t, deid.Profile{}, data, syntax)
			got := view(t, out, syntax)
			last := fmt.Sprintf("(0018,A001)[%d].", tt.before+1)
			for path, want := range map[string]string{"(0018,A001)": fmt.Sprintf("items:%d", tt.before+1), last + "(0008,0070)": "Asepsis", last + "(0040,A170)[1].(0008,0100)": "109104", "(0020,0011)": "7"} {
				if got[path] != want {
					t.Errorf("%s, %s: %s is %q, want %q", tt.name, dicom.UIDName(syntax), path, got[path], want)
				}
			}
			for i := range tt.before {
				if p := fmt.Sprintf("(0018,A001)[%d].", i+1); got[p+"(0008,0070)"] != "ACME Imaging" || got[p+"(0040,A170)[1].(0008,0100)"] != "109101" {
					t.Errorf("%s, %s: the equipment before is gone: %v", tt.name, dicom.UIDName(syntax), got)
				}
			}
			if !slices.Contains(changes, "(0018,A001) added") || bytes.Contains(out, []byte("ZQSTATION")) {
				t.Errorf("%s, %s: %v", tt.name, dicom.UIDName(syntax), changes)
			}
		}
	}
}

// TestBlocksOfPrivateElementsThatStayAreCalledSafe reads the values of (0008,0300), and shows that one that came is not believed.
func TestBlocksOfPrivateElementsThatStayAreCalledSafe(t *testing.T) {
	p := deid.Profile{Options: []deid.Option{deid.RetainSafePrivate}, SafePrivate: []deid.SafePrivate{{Creator: "ACME 1", Group: "0029", Element: "0a", VR: "DS"}}}
	write := func(w *dicom.Writer) {
		w.Sequence(0x00080300, func() {
			w.Uint16(0x00080301, dicom.US, 0x0031)
			w.Text(0x00080302, dicom.LO, "ZQCREATOR")
			w.Text(0x00080303, dicom.CS, "SAFE")
		})
		w.Text(0x00190010, dicom.LO, "SIEMENS MR HEADER")
		w.Text(0x00190011, dicom.LO, "SIEMENS MR HEADER") // once more: said once
		w.Text(0x00190012, dicom.LO, "NOT LISTED")
		w.Text(0x0019100C, dicom.IS, "1000")
		w.Text(0x00290010, dicom.LO, "ACME 1")
		w.Text(0x0029100A, dicom.DS, "1.5")
		w.Text(0x00310010, dicom.LO, "ZQCREATOR")
		w.Text(0x00311001, dicom.LO, "x")
	}
	for _, syntax := range []string{dicom.ExplicitVRLittleEndian, dicom.ExplicitVRBigEndian, dicom.ImplicitVRLittleEndian, dicom.DeflatedExplicitVRLittleEndian} {
		data := ordered(t, syntax, ctImage, write)
		out, _ := transform(t, p, data, syntax)
		got := view(t, out, syntax)
		order := binary.ByteOrder(binary.LittleEndian)
		if s, _ := dicom.SyntaxOf(syntax); s.BigEndian {
			order = binary.BigEndian
		}
		group := func(v uint16) string {
			b := make([]byte, 2)
			order.PutUint16(b, v)
			return strings.Trim(string(b), " \x00")
		}
		for path, want := range map[string]string{
			"(0008,0300)":                "items:2",
			"(0008,0300)[1].(0008,0301)": group(0x0019), "(0008,0300)[1].(0008,0302)": "SIEMENS MR HEADER", "(0008,0300)[1].(0008,0303)": "SAFE",
			"(0008,0300)[2].(0008,0301)": group(0x0029), "(0008,0300)[2].(0008,0302)": "ACME 1", "(0008,0300)[2].(0008,0303)": "SAFE",
		} {
			if got[path] != want {
				t.Errorf("%s: %s is %q, want %q", dicom.UIDName(syntax), path, got[path], want)
			}
		}
		if bytes.Contains(out, []byte("ZQCREATOR")) {
			t.Errorf("%s: what the instance said of itself is believed", dicom.UIDName(syntax))
		}
		if out, _ = transform(t, deid.Profile{}, data, syntax); view(t, out, syntax)["(0008,0300)"] != "" {
			t.Errorf("%s: without the option there is nothing private to describe", dicom.UIDName(syntax))
		}
	}
}

// TestWhatIsAddedIsValid has dciodvfy, dcmdump, gdcmdump and pydicom look at copies of a CT with private elements that stay and
// with equipment that contributed before, in three transfer syntaxes, and of blackened RLE images.
func TestWhatIsAddedIsValid(t *testing.T) {
	for _, tool := range []string{"dciodvfy", "dcmdump", "gdcmdump", "dcmodify", "dcmconv"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("peer missing: " + tool + " (Debian packages dicom3tools, dcmtk and libgdcm-tools)")
		}
	}
	if exec.Command("/usr/bin/python3", "-c", "import pydicom").Run() != nil {
		t.Skip("peer missing: pydicom (Debian package python3-pydicom)")
	}
	t.Parallel()
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput() //nolint:gosec // a test's peer
		if err != nil {
			t.Errorf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	original := func(name, sample string, convert ...string) string {
		raw, err := os.ReadFile(filepath.Join(pydicomFiles, "test_files", sample)) //nolint:gosec // a test's file
		if err != nil {
			t.Skip("peer missing: test files of Debian's python3-pydicom")
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		const at = "(0018,a001)[0]."
		run("dcmodify", "-nb", "-i", at+"(0008,0070)=ACME Imaging", "-i", at+"(0040,a170)[0].(0008,0100)=109101", "-i", at+"(0040,a170)[0].(0008,0102)=DCM", "-i", at+"(0040,a170)[0].(0008,0104)=Acquisition Equipment", path)
		if len(convert) > 0 {
			run("dcmconv", append(convert, path, path)...)
		}
		return path
	}
	black := deid.Profile{Options: []deid.Option{deid.CleanPixelData, deid.RetainSafePrivate}, Pixels: []deid.PixelRule{{Black: []deid.Region{{X: 1, Y: 1, Width: 9, Height: 5}}}}}
	safe := deid.Profile{Options: []deid.Option{deid.RetainSafePrivate}}
	var made []string
	var blocks []bool
	for _, tt := range []struct {
		path    string
		profile deid.Profile
		blocks  bool
	}{
		{original("le.dcm", "CT_small.dcm"), safe, true},
		{original("im.dcm", "CT_small.dcm", "+ti"), safe, true},
		{original("be.dcm", "CT_small.dcm", "+tb"), safe, true},
		{original("rle.dcm", "MR_small_RLE.dcm"), black, false},
		{original("rle2.dcm", "SC_rgb_rle_16bit_2frame.dcm"), black, false},
	} {
		raw, err := os.ReadFile(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		f, data := open(t, raw)
		var out bytes.Buffer
		altered, err := profile(t, tt.profile).Transform(&out, bytes.NewReader(data), f.syntax)
		if err != nil {
			t.Errorf("%s: %v", tt.path, err)
			continue
		}
		copied := tt.path + ".copy"
		if err := os.WriteFile(copied, asFile(t, f, out.Bytes(), altered.SOPInstance), 0o600); err != nil {
			t.Fatal(err)
		}
		before := complaints(tt.path)
		for _, c := range complaints(copied) {
			if !slices.Contains(before, c) {
				t.Errorf("%s: dciodvfy: %s", tt.path, c)
			}
		}
		if said := run("dcmdump", copied); strings.Contains(said, "W: ") || strings.Contains(said, "E: ") || !strings.Contains(said, "109104") {
			t.Errorf("%s: dcmdump: %s", tt.path, said)
		}
		if said := run("gdcmdump", copied); !strings.Contains(said, "De-identifying Equipment") {
			t.Errorf("%s: gdcmdump: %s", tt.path, said)
		}
		made, blocks = append(made, copied), append(blocks, tt.blocks)
	}
	said := run("/usr/bin/python3", append([]string{"-W", "ignore", "-c", `import sys, pydicom
for path in sys.argv[1:]:
    d = pydicom.dcmread(path)
    print([(str(i.Manufacturer), i.PurposeOfReferenceCodeSequence[0].CodeValue) for i in d.ContributingEquipmentSequence],
        [("%04x" % i.PrivateGroupReference, i.BlockIdentifyingInformationStatus) for i in d.get("PrivateDataElementCharacteristicsSequence", [])], d.pixel_array.shape)`}, made...)...)
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for i, path := range made {
		const want = "[('ACME Imaging', '109101'), ('Asepsis', '109104')]"
		if len(lines) != len(made) || !strings.HasPrefix(lines[i], want) || strings.Contains(lines[i], "'SAFE'") != blocks[i] {
			t.Errorf("%s: pydicom: %s", path, said)
		}
	}
}
