// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/asepsis/asepsis/prove/receipt"
	"github.com/asepsis/asepsis/wire/dicom"
)

const pydicomFiles = "/usr/lib/python3/dist-packages/pydicom/data/test_files"

// TestTheDataSetBeginsWhereTheDICOMReaderSays compares, on every file that pydicom has,
// with the reader that the gateway uses.
func TestTheDataSetBeginsWhereTheDICOMReaderSays(t *testing.T) {
	files, err := filepath.Glob(pydicomFiles + "/*.dcm")
	if err != nil || len(files) == 0 {
		t.Skip("python3-pydicom is not installed: the beginning of data sets is compared on the shared vectors alone")
	}
	same := 0
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sums, err := receipt.SumsOf(iotest.OneByteReader(bytes.NewReader(file)))
		if err != nil {
			t.Fatal(err)
		}
		if sums.Whole != sha256.Sum256(file) {
			t.Errorf("%s: the sum of the whole is another", filepath.Base(name))
		}
		f, err := dicom.OpenFile(bytes.NewReader(file))
		if err != nil {
			continue // no DICOM file, or one that the gateway does not take
		}
		data, err := io.ReadAll(f.Data)
		if err != nil {
			t.Fatal(err)
		}
		if !sums.DICOM || sums.DataSet != sha256.Sum256(data) {
			t.Errorf("%s: the data set begins elsewhere than the reader says", filepath.Base(name))
		}
		same++
	}
	if same < 50 {
		t.Errorf("only %d files were compared", same)
	}
}

func TestAFileThatCannotBeReadHasNoSums(t *testing.T) {
	bad := errors.New("the disk is away")
	for _, n := range []int{0, 100, 140, 200} {
		head := append(make([]byte, 128), "DICM\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\x00"...)
		head = append(head, make([]byte, 200)...)
		if _, err := receipt.SumsOf(io.MultiReader(bytes.NewReader(head[:n]), iotest.ErrReader(bad))); !errors.Is(err, bad) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func FuzzSumsOf(f *testing.F) {
	f.Add(append(make([]byte, 128), "DICM\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\x00data"...))
	f.Add([]byte("DICM"))
	f.Fuzz(func(t *testing.T, file []byte) {
		a, err := receipt.SumsOf(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := receipt.SumsOf(iotest.HalfReader(bytes.NewReader(file)))
		if a != b || a.Whole != sha256.Sum256(file) {
			t.Errorf("the sums depend on how the file is read, or are wrong")
		}
	})
}
