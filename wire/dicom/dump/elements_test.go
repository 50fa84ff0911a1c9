// SPDX-License-Identifier: Apache-2.0

package dump_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dump"
)

func TestElementsAreNamedByTheirPathAndGivenAsText(t *testing.T) {
	var b bytes.Buffer
	syntax, _ := dicom.SyntaxOf("1.2.840.10008.1.2.1")
	w := dicom.NewWriter(&b, syntax)
	w.Text(dicom.TagSpecificCharacterSet, dicom.CS, "ISO_IR 192")
	w.Text(dicom.MakeTag(8, 0x60), dicom.CS, "CT")
	item := func(uid string) func() {
		return func() {
			w.Text(dicom.MakeTag(8, 0x1155), dicom.UI, uid)
			w.Sequence(dicom.MakeTag(0x40, 0xA170), func() { w.Text(dicom.MakeTag(8, 0x104), dicom.LO, "in "+uid) })
		}
	}
	w.Sequence(dicom.MakeTag(8, 0x1140), item("1.2"), item("1.3"))
	w.Text(dicom.MakeTag(9, 0x10), dicom.LO, "EXAMPLE")
	w.Bytes(dicom.MakeTag(9, 0x1001), dicom.OB, []byte{1, 2})
	w.Text(dicom.MakeTag(0x10, 0x4000), dicom.LT, "two\nlines \u202e and more than is read")
	w.Uint16(dicom.MakeTag(0x28, 0x10), dicom.US, 512)
	w.Fragments(dicom.TagPixelData, nil, []byte{1, 2, 3, 4})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := dump.Elements(bytes.NewReader(b.Bytes()), syntax, 20, func(e *dump.Entry) bool {
		got = append(got, fmt.Sprintf("%s %s %s %q cut=%t seq=%t", e.Path, e.VR, e.Name, e.Text, e.Cut, e.Sequence))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`(0008,0005) CS SpecificCharacterSet "ISO_IR 192" cut=false seq=false`,
		`(0008,0060) CS Modality "CT" cut=false seq=false`,
		`(0008,1140) SQ ReferencedImageSequence "" cut=false seq=true`,
		`(0008,1140)[1].(0008,1155) UI ReferencedSOPInstanceUID "1.2" cut=false seq=false`,
		`(0008,1140)[1].(0040,A170) SQ PurposeOfReferenceCodeSequence "" cut=false seq=true`,
		`(0008,1140)[1].(0040,A170)[1].(0008,0104) LO CodeMeaning "in 1.2" cut=false seq=false`,
		`(0008,1140)[2].(0008,1155) UI ReferencedSOPInstanceUID "1.3" cut=false seq=false`,
		`(0008,1140)[2].(0040,A170) SQ PurposeOfReferenceCodeSequence "" cut=false seq=true`,
		`(0008,1140)[2].(0040,A170)[1].(0008,0104) LO CodeMeaning "in 1.3" cut=false seq=false`,
		`(0009,0010) LO PrivateCreator "EXAMPLE" cut=false seq=false`,
		`(0009,1001) OB Private:EXAMPLE "" cut=false seq=false`,
		`(0010,4000) LT PatientComments "two\\nlines \\u{202e} and mo" cut=true seq=false`,
		`(0028,0010) US Rows "512" cut=false seq=false`,
		`(7FE0,0010) OB PixelData "" cut=false seq=true`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	n := 0
	if err := dump.Elements(bytes.NewReader(b.Bytes()), syntax, 20, func(*dump.Entry) bool { n++; return n < 3 }); err != nil || n != 3 {
		t.Errorf("stopped after %d, %v", n, err)
	}
	if err := dump.Elements(bytes.NewReader(b.Bytes()[:60]), syntax, 20, func(*dump.Entry) bool { return true }); err == nil {
		t.Error("a data set that is cut was read to its end")
	}
}
