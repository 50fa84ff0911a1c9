// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// untranscodable are files of which the two syntaxes cannot mean the same to pydicom.
var untranscodable = map[string]string{
	"nested_priv_SQ.dcm": "pydicom reads the items of a UN of undefined length in big endian; PS3.5 §6.2.2 note 2 says little endian",
}

// TestPydicomReadsTheSameAfterTranscoding writes every sample in every other syntax, and lets pydicom compare all values.
func TestPydicomReadsTheSameAfterTranscoding(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var args []string
	for _, path := range sampleFiles(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := OpenFile(bytes.NewReader(b))
		if err != nil || f.Syntax.Encapsulated || len(b) > 300_000 {
			continue
		}
		if _, bad := damaged[filepath.Base(path)]; bad {
			continue
		}
		body, _ := io.ReadAll(f.Data)
		for i, uid := range everySyntax {
			to, _ := SyntaxOf(uid)
			var out bytes.Buffer
			if err := Transcode(&out, bytes.NewReader(body), f.Syntax, to, DefaultLimits()); err != nil {
				t.Errorf("%s to %s: %v", filepath.Base(path), UIDName(uid), err)
				continue
			}
			if uid == f.Meta.TransferSyntax && !to.Deflated && !bytes.Equal(out.Bytes(), body) {
				t.Errorf("%s changed although its syntax did not", filepath.Base(path))
			}
			args = append(args, path, asFile(t, dir, fmt.Sprintf("%d.%d", len(args), i), uid, out.Bytes()))
		}
	}
	var diffs []string
	python(t, &diffs, `
import json, sys, pydicom
from pydicom import config
config.settings.reading_validation_mode = config.IGNORE
config.replace_un_with_known_vr = False
out, a = [], sys.argv[1:]
def walk(x, y, where):
    xs = {e.tag: e for e in x if e.tag.element != 0}
    ys = {e.tag: e for e in y if e.tag.element != 0}
    if xs.keys() != ys.keys():
        return "%s: tags %s" % (where, sorted(xs.keys() ^ ys.keys()))
    for tag, e in xs.items():
        f = ys[tag]
        if e.VR == "SQ" and f.VR == "SQ":
            if len(e.value) != len(f.value): return "%s %s: items" % (where, tag)
            for i, j in zip(e.value, f.value):
                r = walk(i, j, "%s %s" % (where, tag))
                if r: return r
        elif e.value != f.value:
            if "UN" in (e.VR, f.VR) or {"OB", "OW"} & {e.VR, f.VR}: continue
            return "%s %s %s %r %s %r" % (where, tag, e.VR, e.value, f.VR, f.value)
last, x = None, None
for p, q in zip(a[::2], a[1::2]):
    if p != last:
        last, x = p, None
        try:
            y = pydicom.dcmread(p, force=True)
            list(y.iterall())
            x = y
        except Exception:
            pass # pydicom cannot read the sample itself
    if x is None:
        continue
    try:
        r = walk(x, pydicom.dcmread(q), "")
    except Exception as e:
        r = " " + str(e)
    if r: out.append(p.split("/")[-1] + " in " + q.split(".")[-1] + r)
print(json.dumps(out))`, args...)
	for _, d := range diffs {
		name, _, _ := strings.Cut(d, " ")
		if untranscodable[name] == "" {
			t.Error(d)
		}
	}
	if len(args) < 2*100 {
		t.Errorf("only %d files compared", len(args)/2)
	}
	t.Logf("%d files compared", len(args)/2)
}

func TestTranscodingThereAndBackGivesTheSameWords(t *testing.T) {
	plain := Syntax{Explicit: true}
	data := written(t, plain, func(w *Writer) {
		w.Bytes(0x00091001, UN, []byte{1, 2, 3, 4})
		w.Tags(0x00280009, 0x00181063)
		w.Bytes(0x00282000, OB, []byte{1, 2, 3, 4})
		w.Float64(0x00409225, 1.5)
		w.Bytes(TagPixelData, OW, bytes.Repeat([]byte{1, 2, 3, 4, 5, 6}, 20_000))
	})
	big := Syntax{Explicit: true, BigEndian: true}
	for _, cut := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader} {
		var there, back bytes.Buffer
		if err := Transcode(&there, cut(bytes.NewReader(data)), plain, big, DefaultLimits()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(there.Bytes(), []byte{2, 1, 4, 3, 6, 5, 2, 1}) || !bytes.Contains(there.Bytes(), []byte{0, 'B', 1, 2, 3, 4}) && !bytes.Contains(there.Bytes(), []byte{0, 4, 1, 2, 3, 4}) {
			t.Error("words were not swapped, or bytes were")
		}
		if err := Transcode(&back, cut(bytes.NewReader(there.Bytes())), big, plain, DefaultLimits()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.Bytes(), data) {
			t.Errorf("differs at byte %d", diffAt(back.Bytes(), data))
		}
	}
}

func TestEncapsulatedPixelDataIsNotTranscoded(t *testing.T) {
	err := Transcode(io.Discard, strings.NewReader(""), Syntax{Explicit: true, Encapsulated: true}, Syntax{Explicit: true}, DefaultLimits())
	if !errors.Is(err, ErrEncapsulated) {
		t.Errorf("%v", err)
	}
}

func TestWhatImplicitVRCannotSayIsRefused(t *testing.T) {
	for name, data := range map[string][]byte{
		"bytes under the tag of a sequence":   le(TagReferencedSOPSequence, OB, []byte{1, 2}),
		"fragments under a private tag":       join(raw(0x00091001, OB, UndefinedLength), head(TagSequenceDelimitation), make([]byte, 4)),
		"fragments under the tag of a string": join(raw(TagPatientID, OB, UndefinedLength), head(TagSequenceDelimitation), make([]byte, 4)),
	} {
		err := Transcode(io.Discard, bytes.NewReader(data), Syntax{Explicit: true}, Syntax{}, DefaultLimits())
		if !errors.Is(err, ErrVR) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var out bytes.Buffer
	if err := Transcode(&out, bytes.NewReader(le(TagReferencedSOPSequence, UN, nil)), Syntax{Explicit: true}, Syntax{}, DefaultLimits()); err != nil {
		t.Errorf("an unknown VR: %v", err)
	}
}
