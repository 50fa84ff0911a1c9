// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// everySyntax are the ways to write a data set that is not encapsulated.
var everySyntax = []string{ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian}

// writeSample writes one element of every sort.
func writeSample(w *Writer) {
	w.Text(TagSpecificCharacterSet, CS, "ISO_IR 192")
	w.Text(TagSOPClassUID, UI, "1.2.840.10008.5.1.4.1.1.2")
	w.Text(TagSOPInstanceUID, UI, "1.2.826.0.1.3680043.8.498.1")
	w.Text(TagModality, CS, "CT")
	w.Sequence(TagReferencedSOPSequence, func() {
		w.Text(0x00081150, UI, "1.2.840.10008.5.1.4.1.1.2")
		w.Sequence(TagUDISequence, func() {}, func() { w.Text(TagUniqueDeviceIdentifier, UT, "(01)000") })
	}, func() { w.Text(0x00081155, UI, "1.2.3") })
	w.Bytes(0x00091001, UN, []byte{1, 2, 3})
	w.Text(0x00100010, PN, "Fiktiv^Jürgen", "Zweite^Person")
	w.Text(TagPatientID, LO, "FICT-0001")
	w.Text(0x00102110, LO)
	w.Text(0x00104000, LT, "two\r\nlines with a \\ in it")
	w.Uint32(0x00186018, UL, 70000)
	w.Float64(0x00189073, 0.25, -1.5)
	w.Tags(0x00280009, 0x00181063, 0x00181065)
	w.Uint16(0x00280010, US, 2)
	w.Uint16(0x00280011, US, 2)
	w.Uint16(0x00280106, SS, 0xFFFF)
	w.Stream(TagPixelData, OW, 8, strings.NewReader("\x01\x00\x02\x00\x03\x00\x04\x00"))
}

func written(t *testing.T, s Syntax, f func(*Writer)) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, s)
	f(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asFile(t *testing.T, dir, name, syntax string, data []byte) string {
	t.Helper()
	head, err := AppendFileHead(nil, Preamble{}, &FileMeta{SOPClass: "1.2.840.10008.5.1.4.1.1.2", SOPInstance: "1.2.826.0.1.3680043.8.498.1",
		TransferSyntax: syntax, ImplUID: "1.2.826.0.1.3680043.8.498.2", ImplVersion: "ASEPSIS_TEST", SourceAE: "CT_OR3"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, append(head, data...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// python runs a script with pydicom, which prints JSON.
func python(t *testing.T, into any, script string, args ...string) {
	t.Helper()
	const interpreter = "/usr/bin/python3"
	if exec.Command(interpreter, "-c", "import pydicom").Run() != nil {
		t.Skip("peer missing: python3-pydicom")
	}
	cmd := exec.Command(interpreter, append([]string{"-W", "ignore", "-c", script}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pydicom: %v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestPydicomReadsWhatTheWriterWrites(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for i, uid := range everySyntax {
		s, _ := SyntaxOf(uid)
		files = append(files, asFile(t, dir, fmt.Sprint(i), uid, written(t, s, writeSample)))
	}
	var got []map[string]string
	python(t, &got, `
import json, sys, pydicom
out = []
for p in sys.argv[1:]:
    d = pydicom.dcmread(p)
    out.append({
        "syntax": str(d.file_meta.TransferSyntaxUID), "source": str(d.file_meta.SourceApplicationEntityTitle), "name": [str(n) for n in d.PatientName][0], "names": str(len(d.PatientName)),
        "id": d.PatientID, "empty": repr(d.get("MedicalAlerts", "")), "comments": d.PatientComments, "fd": str(list(d[0x00189073].value)), "at": str([int(t) for t in d.FrameIncrementPointer]),
        "rows": str(d.Rows), "ul": str(d[0x00186018].value), "items": str(len(d.ReferencedSOPSequence)), "udi": d.ReferencedSOPSequence[0].UDISequence[1].UniqueDeviceIdentifier,
        "class": str(d.SOPClassUID), "pixels": str(list(d.pixel_array_bytes())) if hasattr(d, "pixel_array_bytes") else d.PixelData.hex()})
print(json.dumps(out))`, files...)
	for i, uid := range everySyntax {
		want := map[string]string{"syntax": uid, "source": "CT_OR3", "name": "Fiktiv^Jürgen", "names": "2", "id": "FICT-0001", "empty": "''", "comments": "two\r\nlines with a \\ in it",
			"fd": "[0.25, -1.5]", "at": fmt.Sprint("[", 0x00181063, ", ", 0x00181065, "]"), "rows": "2", "ul": "70000", "items": "2", "udi": "(01)000", "class": "1.2.840.10008.5.1.4.1.1.2", "pixels": "0100020003000400"}
		for k, w := range want {
			if g := got[i][k]; g != w && !(k == "empty" && (g == "None" || g == "''")) {
				t.Errorf("%s: %s is %q, want %q", UIDName(uid), k, g, w)
			}
		}
	}
}

func TestDCMTKReadsWhatTheWriterWrites(t *testing.T) {
	if _, err := exec.LookPath("dcmdump"); err != nil {
		t.Skip("peer missing: dcmdump (Debian package dcmtk)")
	}
	for i, uid := range everySyntax {
		s, _ := SyntaxOf(uid)
		data := written(t, s, writeSample)
		path := asFile(t, t.TempDir(), fmt.Sprint(i), uid, data)
		got, err := ours(data, s)
		if err != nil {
			t.Fatalf("%s: %v", UIDName(uid), err)
		}
		want := theirs(t, []string{path})[path]
		alike := func(a, b line) bool { // "??" and "xs": what DCMTK makes of a private tag and of US or SS in implicit VR
			return same(a, b) || a.tag == b.tag && a.length == b.length && (b.vr == "??" || b.vr == "xs")
		}
		if !slices.EqualFunc(got, want, alike) {
			t.Errorf("%s:\n ours  %v\n dcmtk %v", UIDName(uid), got, want)
		}
	}
}

func TestTheWriterRefusesWhatTheStandardForbids(t *testing.T) {
	for _, tc := range []struct {
		name string
		f    func(*Writer)
		want string
	}{
		{"a tag that does not ascend", func(w *Writer) { w.Text(TagPatientID, LO, "1"); w.Text(TagModality, CS, "CT") }, "tags must ascend"},
		{"a tag twice", func(w *Writer) { w.Text(TagPatientID, LO, "1"); w.Text(TagPatientID, LO, "1") }, "tags must ascend"},
		{"a tag that does not ascend in an item", func(w *Writer) {
			w.Sequence(TagUDISequence, func() { w.Text(0x00181010, LO, "1"); w.Text(0x00081150, UI, "1.2") })
		}, "tags must ascend"},
		{"a backslash in a value", func(w *Writer) { w.Text(TagPatientID, LO, `a\b`) }, "a backslash"},
		{"a NUL in a value", func(w *Writer) { w.Text(TagPatientID, LO, "a\x00") }, "a control character"},
		{"an escape in a code string", func(w *Writer) { w.Text(TagModality, CS, "\x1b") }, "a control character"},
		{"a line break in a name", func(w *Writer) { w.Text(0x00100010, PN, "a\nb") }, "a control character"},
		{"a UID that is none", func(w *Writer) { w.Text(TagSOPClassUID, UI, "1.02") }, "no UID"},
		{"an AE title of 17 characters", func(w *Writer) { w.Text(0x00080054, AE, "12345678901234567") }, "longer than the 16 characters of AE"},
		{"text for a number", func(w *Writer) { w.Text(0x00280010, US, "5") }, "text for US"},
		{"a stream of odd length", func(w *Writer) { w.Stream(TagPixelData, OB, 3, zeros{}) }, "a value of odd length"},
		{"a stream that ends early", func(w *Writer) { w.Stream(TagPixelData, OB, 4, strings.NewReader("ab")) }, "EOF"},
		{"a value beyond a length of 16 bits", func(w *Writer) { w.Bytes(0x00280010, US, make([]byte, 65536)) }, "too long for a length of 16 bits"},
	} {
		w := NewWriter(io.Discard, Syntax{Explicit: true})
		tc.f(w)
		err := w.Close()
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		w.Text(0x00200010, SH, "1")
		if w.Err() != err { //nolint:errorlint // the very same
			t.Errorf("%s: a later call changed the error to %v", tc.name, w.Err())
		}
	}
	w := NewWriter(io.Discard, Syntax{})
	w.Text(0x00080054, AE, "1234567890123456")
	w.Text(TagPatientID, LO, "\x1b$B\x1b(B") // ISO 2022 in a VR that may have it
	if err := w.Close(); err != nil {
		t.Errorf("at the edge: %v", err)
	}
	if w.Text(TagStudyInstanceUID, UI, "1.2"); w.Err() == nil {
		t.Error("a closed data set was written to")
	}
}

func TestFragmentsComeBackAsTheyWereWritten(t *testing.T) {
	data := written(t, Syntax{Explicit: true, Encapsulated: true}, func(w *Writer) {
		w.Fragments(TagPixelData, []byte{1, 2, 3}, nil, []byte{4, 5})
	})
	got, err := trace(data, Syntax{Explicit: true}, DefaultLimits(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(got, "fragment "); n != 4 || !bytes.Contains(data, []byte{4, 0, 0, 0, 1, 2, 3, 0}) {
		t.Errorf("%d fragments:\n%s", n, got)
	}
}

func TestPreamblesFollowThePolicy(t *testing.T) {
	with := func(s string) (p Preamble) { copy(p[:], s); return p }
	tiff, exe, other := with("II*\x00"), with("MZ\x90"), with("hello")
	for _, tc := range []struct {
		policy PreamblePolicy
		in     Preamble
		want   Preamble
		refuse bool
	}{
		{ZeroPreamble, tiff, Preamble{}, false}, {ZeroPreamble, exe, Preamble{}, false},
		{KeepTIFF, tiff, tiff, false}, {KeepTIFF, exe, Preamble{}, false}, {KeepTIFF, other, Preamble{}, false},
		{RefusePreamble, tiff, tiff, false}, {RefusePreamble, exe, Preamble{}, true}, {RefusePreamble, other, Preamble{}, true}, {RefusePreamble, Preamble{}, Preamble{}, false},
		{KeepPreamble, exe, exe, false},
	} {
		got, err := tc.policy.Apply(tc.in)
		if got != tc.want || errors.Is(err, ErrPreamble) != tc.refuse {
			t.Errorf("policy %d of a preamble that is %v: %.6q, %v", tc.policy, tc.in.Kind(), got[:], err)
		}
	}
	for in, want := range map[string]PreambleKind{"": PreambleZero, "MM\x00*": PreambleTIFF, "\x7fELF": PreambleExecutable, "#!/bin/sh": PreambleExecutable, "PK\x03\x04": PreambleExecutable, "\x01": PreambleOther} {
		p := with(in)
		if got := p.Kind(); got != want {
			t.Errorf("%q is %v, want %v", in, got, want)
		}
	}
}

func TestFileHeadsAreChecked(t *testing.T) {
	ok := FileMeta{SOPClass: "1.2", SOPInstance: "1.3", TransferSyntax: "1.4", ImplUID: "1.5", ImplVersion: "1234567890123456", SourceAE: "1234567890123456"}
	b, err := AppendFileHead(nil, Preamble{}, &ok)
	if err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(bytes.NewReader(b))
	if err != nil || f.Meta.SOPInstance != "1.3" || f.Meta.SourceAE != ok.SourceAE || f.Meta.ImplVersion != ok.ImplVersion || f.SyntaxKnown {
		t.Errorf("%+v, %v", f, err)
	}
	for _, change := range []func(*FileMeta){
		func(m *FileMeta) { m.SOPInstance = "../../etc/passwd" }, func(m *FileMeta) { m.SOPClass = "" },
		func(m *FileMeta) { m.SourceAE += "7" }, func(m *FileMeta) { m.ImplVersion += "7" }, func(m *FileMeta) { m.TransferSyntax = "1.2 " },
	} {
		bad := ok
		change(&bad)
		if _, err := AppendFileHead(nil, Preamble{}, &bad); err == nil {
			t.Errorf("%+v was written", bad)
		}
	}
	for name, b := range map[string][]byte{"nothing": nil, "no prefix": make([]byte, 200), "cut in the meta information": b[:len(b)-3]} {
		var e *Error
		if _, err := OpenFile(bytes.NewReader(b)); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
