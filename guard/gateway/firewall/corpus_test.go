// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// corpusDirs are where Debian keeps DICOM files: python3-pydicom, libgdcm, dicom3tools, dcmtk.
var corpusDirs = []string{"/usr/lib/python3/dist-packages/pydicom/data", "/usr/share/doc/libgdcm3.0", "/usr/share/doc/dicom3tools", "/usr/share/dcmtk", "/usr/share/libdcmtk17"}

// sample is a DICOM file of the corpus.
type sample struct {
	name    string
	arrival instance.Arrival
	data    []byte
}

var arrived = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)

// corpus reads every DICOM file that is installed.
func corpus(t testing.TB) (out []sample) {
	for _, dir := range corpusDirs {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return nil
			}
			if strings.HasSuffix(path, ".gz") {
				z, err := gzip.NewReader(bytes.NewReader(b))
				if err != nil {
					return nil
				}
				if b, err = io.ReadAll(z); err != nil {
					return nil
				}
			}
			if s, ok := sampleOf(filepath.Base(path), b); ok {
				out = append(out, s)
			}
			return nil
		})
	}
	return out
}

// sampleOf makes an arrival of a file, as an ingest does.
func sampleOf(name string, file []byte) (sample, bool) {
	f, err := dicom.OpenFile(bytes.NewReader(file))
	if err != nil {
		return sample{}, false
	}
	data, err := io.ReadAll(f.Data)
	if err != nil {
		return sample{}, false
	}
	pre := [128]byte(f.Preamble)
	a := instance.Arrival{Sender: instance.Sender{Way: instance.File, CallingAE: "TEST", CalledAE: "GATEWAY"}, At: arrived, SOPClass: f.Meta.SOPClass, SOPInstance: f.Meta.SOPInstance, TransferSyntax: f.Meta.TransferSyntax, Preamble: &pre}
	return sample{name, a, data}, true
}

// inspect writes data in pieces of cut bytes, or whole.
func inspect(f *Firewall, a instance.Arrival, data []byte, cut int) instance.Result {
	i := f.Begin(a)
	if cut <= 0 {
		_, _ = i.Write(data)
		return i.Finish()
	}
	for len(data) > 0 {
		n := min(cut, len(data))
		_, _ = i.Write(data[:n])
		data = data[n:]
	}
	return i.Finish()
}

// exceptions are files of the corpus that the default policy does not let pass, the rule, and why it is right.
var exceptions = map[string][2]string{
	"00191113.dcm": {"pixel.offsets", "the offsets point a byte beside the fragments, and there are five for four frames"},
	"JPEG2000-embedded-sequence-delimiter.dcm": {"pixel.codestream-size", "made for a test: the codestream has another size than rows and columns"},
	"MR_truncated.dcm":                         {"structure.truncated", "made broken for a test, as its name says"},
	"SC_rgb_jpeg.dcm":                          {"syntax.mislabelled", "the data set is in implicit VR, the file meta information says JPEG"},
	"badVR.dcm":                                {"pixel.dimensions", "made broken for a test: the number of frames is none"},
	"meta_missing_tsyntax.dcm":                 {"structure.malformed", "made broken for a test: nothing says how it is encoded"},
	"nested_priv_SQ.dcm":                       {"structure.reserved-group", "made for a test of group 0001, which PS3.5 §7.1 forbids"},
	"rtplan_truncated.dcm":                     {"structure.truncated", "made broken for a test, as its name says"},
	"winter.dcm":                               {"structure.duplicate", "the SOP instance UID stands twice"},
}

func TestEveryValidFileThatIsInstalledPasses(t *testing.T) {
	samples := corpus(t)
	if len(samples) < 60 {
		t.Skipf("only %d DICOM files are installed (Debian package python3-pydicom)", len(samples))
	}
	f := New(Default(), Deps{})
	for _, s := range samples {
		a := s.arrival
		// As over DIMSE: the sender takes both UIDs from the data set.
		if h := inspect(f, a, s.data, 0).Header; h.SOPInstance != "" {
			a.SOPClass, a.SOPInstance = h.SOPClass, h.SOPInstance
		}
		r := inspect(f, a, s.data, 0)
		except, is := exceptions[s.name]
		if strings.HasPrefix(s.name, "DICOMDIR") {
			except, is = [2]string{"syntax.not-storage", "a directory of a medium, which nobody stores by DIMSE"}, true
		}
		if r.Verdict > instance.Flag && !is {
			t.Errorf("%s: %v %v", s.name, r.Verdict, r.Hits)
		}
		if is && (r.Verdict <= instance.Flag || met(&r, except[0]) == nil) {
			t.Errorf("%s should meet %s: %s; it is %v %v", s.name, except[0], except[1], r.Verdict, r.Hits)
		}
		for _, cut := range []int{1, 13, 4096} {
			if len(s.data) > 1<<18 && cut < 4096 {
				continue
			}
			if c := inspect(f, a, s.data, cut); !reflect.DeepEqual(c, r) {
				t.Errorf("%s in pieces of %d is\n%v\nwhole\n%v", s.name, cut, c, r)
			}
		}
	}
	t.Logf("%d files", len(samples))
}

// TestAFileThatNamesAnotherInstanceIsRefused is about files of pydicom whose meta information is that of another.
func TestAFileThatNamesAnotherInstanceIsRefused(t *testing.T) {
	n := 0
	for _, s := range corpus(t) {
		if r := inspect(New(Default(), Deps{}), s.arrival, s.data, 0); met(&r, "syntax.instance-mismatch") != nil {
			if n++; r.Verdict != instance.Refuse || r.Status != statusMismatch {
				t.Errorf("%s: %v %v", s.name, r.Verdict, r.Status)
			}
		}
	}
	if n == 0 {
		t.Skip("no such file is installed (Debian package python3-pydicom)")
	}
}
