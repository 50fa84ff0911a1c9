// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// sanitising is a policy under which everything that can be sanitised is.
func sanitising(t testing.TB, more string) *Policy {
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range table {
		if table[i].Action != "" {
			b.WriteString("  " + table[i].Name + ": {verdict: sanitise}\n")
		}
	}
	p, err := Parse("sanitise.yaml", []byte(b.String()+more))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// transform inspects, and makes the copy.
func transform(f *Firewall, a instance.Arrival, data []byte) (instance.Result, []byte, instance.Altered, error) {
	r := inspect(f, a, data, 0)
	var b bytes.Buffer
	out, err := f.Sanitiser(a, r).Transform(&b, bytes.NewReader(data), a.TransferSyntax)
	return r, b.Bytes(), out, err
}

func TestWhatIsSanitisedPassesAndKeepsItsPixels(t *testing.T) {
	done := map[string]bool{}
	for _, a := range attacks() {
		r, _ := ruleNamed(a.rule)
		if table[r].Action == "" {
			continue
		}
		f := New(sanitising(t, ""), a.deps)
		f.deps.Key = []byte("a key")
		before, data, out, err := transform(f, a.arrival(), a.data)
		if before.Verdict != instance.Sanitise {
			continue // it meets at the association, at an element that must stay, or another rule quarantines it
		}
		done[a.rule] = true
		if err != nil {
			t.Errorf("%s: %v (%v)", a.name, err, before.Hits)
			continue
		}
		b := a.arrival()
		b.SOPInstance = out.SOPInstance
		after := inspect(f, b, data, 0)
		if after.Verdict > instance.Flag || met(&after, a.rule) != nil {
			t.Errorf("%s: the copy is %v %v", a.name, after.Verdict, after.Hits)
		}
		if after.Pixel.Pixel != before.Pixel.Pixel || after.Pixel.Pixels != before.Pixel.Pixels {
			t.Errorf("%s: the pixels were changed", a.name)
		}
		if after.Header.SOPInstance != out.SOPInstance || out.SOPInstance == theUID || !dicom.ValidUID(out.SOPInstance) || out.TransferSyntax != b.TransferSyntax {
			t.Errorf("%s: the copy is %s, its header says %s", a.name, out.SOPInstance, after.Header.SOPInstance)
		}
		if len(out.Changes) < 3 {
			t.Errorf("%s: only %v was changed", a.name, out.Changes)
		}
		_, again, same, err := transform(f, a.arrival(), a.data)
		if err != nil || !bytes.Equal(again, data) || same.SOPInstance != out.SOPInstance {
			t.Errorf("%s: a second copy is another one: %v", a.name, err)
		}
	}
	for i := range table {
		if table[i].Action != "" && !done[table[i].Name] {
			t.Errorf("nothing of %s was sanitised", table[i].Name)
		}
	}
}

func TestACopyIsCleanInEveryEncoding(t *testing.T) {
	for name, to := range map[string]string{"implicit": dicom.ImplicitVRLittleEndian, "big endian": dicom.ExplicitVRBigEndian, "deflated": dicom.DeflatedExplicitVRLittleEndian} {
		original := object(el(0x00081030, "LO", "<script>x</script>"), sq(0x00081140, []part{el(0x00081150, "UI", classCT), el(0x00081155, "UI", "1.2.3"), el(0x00090010, "LO", "EVIL 1.0"), sq(0x00091001, []part{el(0x00100020, "LO", "hidden")}), el(0x00091010, "OB", "gone")}),
			lying(0x00080000, "UL", 4, u32s(500)))
		from, _ := dicom.SyntaxOf(explicitLE)
		into, _ := dicom.SyntaxOf(to)
		var b bytes.Buffer
		if err := dicom.Transcode(&b, bytes.NewReader(original), from, into, dicom.DefaultLimits()); err != nil {
			t.Fatal(err)
		}
		f := New(sanitising(t, ""), Deps{})
		a := arrivalOf(classCT, to)
		before, data, out, err := transform(f, a, b.Bytes())
		if before.Verdict != instance.Sanitise || err != nil {
			t.Errorf("%s: %v %v %v", name, before.Verdict, before.Hits, err)
			continue
		}
		a.SOPInstance = out.SOPInstance
		if after := inspect(f, a, data, 0); after.Verdict != instance.Pass || after.Pixel.Pixel != before.Pixel.Pixel || !after.Pixel.Pixels {
			t.Errorf("%s: the copy is %v %v", name, after.Verdict, after.Hits)
		}
		if to == dicom.DeflatedExplicitVRLittleEndian {
			if len(data)&1 != 0 {
				t.Error("the deflated copy has an odd length")
			}
			continue
		}
		for _, gone := range []string{"script", "EVIL", "hidden", "gone"} {
			if bytes.Contains(data, []byte(gone)) {
				t.Errorf("%s: %q is still there", name, gone)
			}
		}
	}
}

func TestACopySaysWhereItComesFromAsPydicomReadsIt(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import pydicom").Run(); err != nil {
		t.Skip("pydicom is not installed (Debian package python3-pydicom)")
	}
	f := New(sanitising(t, ""), Deps{Key: []byte("a key")})
	a := arrivalOf(classCT, explicitLE)
	data := object(el(0x00081030, "LO", "<script>x</script>"), el(0x00100010, "PN", "Doe\x1b[31m^Jane"), sq(0x00082112, []part{el(0x00081150, "UI", classCT), el(0x00081155, "UI", "1.2.3")}),
		el(0x00090010, "LO", "EVIL 1.0"), el(0x00091010, "LO", "private"), sq(0x00401012, []part{el(0x00080104, "LO", "{{evil}}")}))
	_, copied, out, err := transform(f, a, data)
	if err != nil {
		t.Fatal(err)
	}
	head, err := dicom.AppendFileHead(nil, dicom.Preamble{}, &dicom.FileMeta{SOPClass: classCT, SOPInstance: out.SOPInstance, TransferSyntax: explicitLE, ImplUID: "2.25.1"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.dcm")
	if err := os.WriteFile(path, append(head, copied...), 0o600); err != nil {
		t.Fatal(err)
	}
	script := `
import pydicom, sys
d = pydicom.dcmread(sys.argv[1])
o = d.OriginalAttributesSequence[0]
m = o.ModifiedAttributesSequence[0]
print(d.SOPInstanceUID == sys.argv[2], len(d.SourceImageSequence), d.SourceImageSequence[1].ReferencedSOPInstanceUID, m.SOPInstanceUID, [e.keyword + '=' + str(e.value) for e in m if e.keyword != 'SOPInstanceUID'],
      o.ModifyingSystem, o.ReasonForTheAttributeModification, o.AttributeModificationDateTime, repr(d.StudyDescription), repr(str(d.PatientName)), repr(d.PatientAddress if 'PatientAddress' in d else None), [hex(e.tag.group) for e in d if e.tag.is_private], len(d.PixelData))
`
	got, err := exec.Command("/usr/bin/python3", "-W", "ignore", "-c", script, path, out.SOPInstance).CombinedOutput()
	want := "True 2 " + theUID + " " + theUID + " ['StudyDescription=', 'PatientName=', 'ReasonForPerformedProcedureCodeSequence=[]'] Asepsis content firewall CORRECT 20260601080000.000000+0000 '' 'Doe [31m^Jane' None [] 128\n"
	if err != nil || string(got) != want {
		t.Errorf("%v\n%swant:\n%s", err, got, want)
	}
}

func TestWhatCannotBeMadeCleanIsSaid(t *testing.T) {
	// A script in a long text beyond what is held, of which no hit came along.
	data := object(el(0x0040A160, "UT", strings.Repeat("x", 2*maxHeld)+"<script>"))
	f := New(sanitising(t, ""), Deps{})
	a := arrivalOf(classCT, explicitLE)
	if _, err := f.Sanitiser(a, instance.Result{}).Transform(io.Discard, bytes.NewReader(data), explicitLE); !errors.Is(err, ErrNotClean) {
		t.Errorf("without the result: %v", err)
	}
	if _, copied, _, err := transform(f, a, data); err != nil || bytes.Contains(copied, []byte("script")) {
		t.Errorf("with the result: %v", err)
	}
	// An element that an object cannot be without.
	if r := inspect(f, a, object(el(0x00080060, "CS", "CT;<x")), 0); r.Verdict != instance.Quarantine || met(&r, "sanitise.impossible") == nil {
		t.Errorf("a pinned element: %v %v", r.Verdict, r.Hits)
	}
	// A stream that ends early.
	if _, err := f.Sanitiser(a, instance.Result{}).Transform(io.Discard, bytes.NewReader(object()[:500]), explicitLE); !errors.Is(err, dicom.ErrTruncated) {
		t.Errorf("a stream that ends early: %v", err)
	}
}
