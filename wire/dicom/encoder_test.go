// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// sampleFiles returns every Part 10 file that Debian's python3-pydicom ships.
func sampleFiles(t testing.TB) (paths []string) {
	t.Helper()
	if _, err := os.Stat(pydicomFiles); err != nil {
		t.Skip("peer missing: test files of Debian's python3-pydicom")
	}
	err := filepath.WalkDir(pydicomFiles, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if _, _, merr := ReadFileMeta(data); merr == nil {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) < 60 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	return paths
}

// reencode reads a data set and writes what was read.
func reencode(src io.Reader, s Syntax) (out []byte, read uint64, err error) {
	r := NewReader(src, s, DefaultLimits())
	var e Encoder
	e.Reset(s)
	for {
		tok, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, r.Tokenizer().Offset(), e.End()
		}
		if err != nil {
			return out, r.Tokenizer().Offset(), err
		}
		if out, err = e.Append(out, &tok); err != nil {
			return out, r.Tokenizer().Offset(), err
		}
	}
}

// damaged are the files that lie about themselves; what comes before the lie is compared.
var damaged = map[string]error{
	"DICOMDIR-nooffset":        ErrLength, // its sequence is longer than the file
	"MR_truncated.dcm":         ErrTruncated,
	"rtplan_truncated.dcm":     ErrTruncated,
	"SC_rgb_jpeg.dcm":          ErrVR, // says explicit VR, is written in implicit VR
	"meta_missing_tsyntax.dcm": ErrVR, // names no transfer syntax
}

func TestWhatWasReadIsWrittenBitForBit(t *testing.T) {
	seen, lies := 0, map[string]bool{}
	for _, path := range sampleFiles(t) {
		name := filepath.Base(path)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := OpenFile(bytes.NewReader(data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		body, err := io.ReadAll(f.Data)
		if err != nil {
			t.Fatal(err)
		}
		if whole := slices.Concat(f.Preamble[:], []byte("DICM"), f.RawMeta, body); !bytes.Equal(whole, data) {
			t.Errorf("%s: preamble, meta information and data set are not the file", name)
		}
		plain := body
		if f.Syntax.Deflated {
			if plain, _, err = inflate(body, 0, MaxInflated); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range []io.Reader{bytes.NewReader(body), iotest.OneByteReader(bytes.NewReader(body))} {
			if _, one := r.(*bytes.Reader); !one && len(body) > 40_000 {
				continue
			}
			out, _, err := reencode(r, f.Syntax)
			if err != nil {
				if want, known := damaged[name]; !known || !errors.Is(err, want) {
					t.Errorf("%s: %v", name, err)
				}
				lies[name] = true
			} else if len(out) != len(plain) {
				t.Errorf("%s: %d bytes, want %d", name, len(out), len(plain))
			}
			if len(out) > len(plain) || !bytes.Equal(out, plain[:len(out)]) {
				t.Errorf("%s: differs at byte %d", name, diffAt(out, plain))
			}
			seen++
		}
	}
	if len(lies) != len(damaged) {
		t.Errorf("%v did not fail, want %d files", lies, len(damaged))
	}
	t.Logf("%d data sets", seen)
}

func diffAt(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestTheEncoderRefusesWhatTheTokenizerCouldNotRead(t *testing.T) {
	el := func(length uint32) Token { return Token{Kind: Element, Tag: TagPatientID, VR: LO, Length: length} }
	sq := Token{Kind: SequenceStart, Tag: TagReferencedSOPSequence, VR: SQ, Length: UndefinedLength}
	for _, tc := range []struct {
		name   string
		tokens []Token
		want   error
	}{
		{"a value longer than its length", []Token{el(2), {Kind: Value, Data: make([]byte, 3)}}, ErrLength},
		{"a value shorter than its length", []Token{el(2), {Kind: Value, Data: make([]byte, 1)}, el(0)}, ErrLength},
		{"an end without a beginning", []Token{{Kind: ItemEnd}}, ErrStructure},
		{"an element directly in a sequence", []Token{sq, el(0)}, ErrStructure},
		{"an item outside of a sequence", []Token{{Kind: ItemStart}}, ErrStructure},
		{"a fragment in a sequence of items", []Token{sq, {Kind: Fragment}}, ErrStructure},
		{"an item tag as an element", []Token{{Kind: Element, Tag: TagItem, VR: LO}}, ErrStructure},
		{"an element of undefined length", []Token{el(UndefinedLength)}, ErrLength},
		{"a fragment of undefined length", []Token{{Kind: FragmentsStart, Tag: TagPixelData, VR: OB, Length: UndefinedLength}, {Kind: Fragment, Length: UndefinedLength}}, ErrLength},
		{"fragments of defined length", []Token{{Kind: FragmentsStart, Tag: TagPixelData, VR: OB, Length: 8}}, ErrLength},
		{"a short VR with a long value", []Token{el(0x10000)}, ErrLength},
		{"no VR where one must be", []Token{{Kind: Element, Tag: TagPatientID, Length: 0}}, ErrVR},
		{"an item longer than its sequence", []Token{{Kind: SequenceStart, Tag: 0x00081199, VR: SQ, Length: 10}, {Kind: ItemStart, Length: 4}}, ErrLength},
		{"a value longer than its item", []Token{sq, {Kind: ItemStart, Length: 10}, el(4)}, ErrLength},
		{"an item shorter than its length", []Token{sq, {Kind: ItemStart, Length: 10}, el(0), {Kind: ItemEnd}}, ErrLength},
		{"the end inside a sequence", []Token{sq}, ErrTruncated},
		{"the end inside a value", []Token{el(2)}, ErrTruncated},
	} {
		var e Encoder
		e.Reset(Syntax{Explicit: true})
		var b []byte
		var err error
		for _, tok := range tc.tokens {
			if b, err = e.Append(b, &tok); err != nil {
				break
			}
		}
		if err == nil {
			err = e.End()
		}
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if _, again := e.Append(nil, &Token{Kind: Element, Tag: TagPatientID, VR: LO}); err != nil && again == nil && !errors.Is(err, ErrTruncated) {
			t.Errorf("%s: it goes on after the error", tc.name)
		}
	}
}

func TestTheEncoderNestsAsDeepAsTheTokenizer(t *testing.T) {
	var e Encoder
	e.Reset(Syntax{})
	var b []byte
	var err error
	for i := range MaxDepth + 1 {
		if b, err = e.Append(b, &Token{Kind: SequenceStart, Tag: 0x00081199, VR: SQ, Length: UndefinedLength}); err != nil {
			if i != MaxDepth || !errors.Is(err, ErrLimit) {
				t.Fatalf("depth %d: %v", i, err)
			}
			return
		}
		if b, err = e.Append(b, &Token{Kind: ItemStart, Length: UndefinedLength}); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("one level more than MaxDepth was written")
}

func TestReaderErrorsAreThoseOfTheStream(t *testing.T) {
	whole := join(le(TagModality, CS, []byte("CT")), le(TagPatientID, LO, []byte("FICT")))
	broken := errors.New("the disk is on fire")
	_, _, err := reencode(io.MultiReader(bytes.NewReader(whole[:5]), iotest.ErrReader(broken)), Syntax{Explicit: true})
	if !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	if _, _, err = reencode(bytes.NewReader(whole[:len(whole)-1]), Syntax{Explicit: true}); !errors.Is(err, ErrTruncated) {
		t.Errorf("a data set that is cut: %v", err)
	}
	if _, _, err = reencode(stuck{}, Syntax{Explicit: true}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a stream that gives nothing: %v", err)
	}
	r := NewReader(strings.NewReader(string(whole)), Syntax{Explicit: true}, DefaultLimits())
	if _, err := r.Value(10); err == nil {
		t.Error("a value was read where an element begins")
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// TestADeflateBombIsRefusedBeforeItIsInflated has 64 KB that stand for 64 MB of nothing.
func TestADeflateBombIsRefusedBeforeItIsInflated(t *testing.T) {
	var file bytes.Buffer
	w := NewWriter(&file, Syntax{Explicit: true, Deflated: true})
	w.Stream(TagPixelData, OB, 64<<20, zeros{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if file.Len() > 80_000 || file.Len()&1 != 0 {
		t.Fatalf("the bomb has %d bytes", file.Len())
	}
	_, read, err := reencodeDiscard(&file, Syntax{Explicit: true, Deflated: true})
	if !errors.Is(err, ErrLimit) || read > 20<<20 {
		t.Errorf("%v after %d bytes", err, read)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func reencodeDiscard(src io.Reader, s Syntax) (int, uint64, error) {
	r := NewReader(src, s, DefaultLimits())
	for n := 0; ; n++ {
		if _, err := r.Next(); err != nil {
			return n, r.Tokenizer().Offset(), err
		}
	}
}

// TestAFileOf186BytesThatDeclaresAGigabyteCostsNothing: readers that allocate what is declared take 1 GiB for it.
func TestAFileOf186BytesThatDeclaresAGigabyteCostsNothing(t *testing.T) {
	head, err := AppendFileHead(nil, Preamble{}, &FileMeta{SOPClass: "1.2", SOPInstance: "1.3", TransferSyntax: "1.2.840.10008.1.2.1", ImplUID: "1.4"})
	if err != nil {
		t.Fatal(err)
	}
	bomb := append(head, raw(TagPixelData, OB, 1<<30)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := OpenFile(bytes.NewReader(bomb))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := reencodeDiscard(f.Data, f.Syntax); !errors.Is(err, ErrTruncated) {
		t.Errorf("%v", err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 256<<10 {
		t.Errorf("a file of %d bytes cost %d bytes of memory", len(bomb), n)
	}
}

// TestThreeMillionNestedSequencesAreRefusedAtTheLimit: readers that recurse overflow their stack, which no program survives.
func TestThreeMillionNestedSequencesAreRefusedAtTheLimit(t *testing.T) {
	level := join(raw(TagReferencedSOPSequence, SQ, UndefinedLength), head(TagItem), []byte{0xFF, 0xFF, 0xFF, 0xFF})
	bomb := bytes.Repeat(level, 3_000_000)
	n, read, err := reencodeDiscard(bytes.NewReader(bomb), Syntax{Explicit: true})
	if !errors.Is(err, ErrLimit) || read > uint64(len(level)*(MaxDepth+1)) {
		t.Errorf("%d tokens, %d bytes: %v", n, read, err)
	}
}
