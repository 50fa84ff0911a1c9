// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// le builds explicit VR little endian elements.
func le(tag Tag, vr VR, value []byte) []byte {
	b := head(tag)
	b = append(b, byte(vr>>8), byte(vr))
	if vr.Long() {
		b = binary.LittleEndian.AppendUint32(append(b, 0, 0), uint32(len(value)))
	} else {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	}
	return append(b, value...)
}

// raw builds a header with any length: an item, a delimiter or a lie.
func raw(tag Tag, vr VR, length uint32) []byte {
	b := head(tag)
	if vr != 0 {
		b = append(b, byte(vr>>8), byte(vr), 0, 0)
	}
	return binary.LittleEndian.AppendUint32(b, length)
}

func head(tag Tag) []byte {
	return []byte{byte(tag.Group()), byte(tag.Group() >> 8), byte(tag), byte(tag >> 8)}
}

// trace writes down every token. cut says how many bytes each call gets, 0 all.
func trace(data []byte, s Syntax, l Limits, cut int) (string, error) {
	var t Tokenizer
	t.Reset(s, l)
	var out strings.Builder
	var value []byte
	for {
		n := len(data)
		if cut > 0 {
			n = min(n, cut)
		}
		part := data[:n]
		data = data[n:]
		for {
			tok, used, err := t.Next(part)
			if err != nil {
				return out.String(), err
			}
			part = part[used:]
			if tok.Kind == None {
				break
			}
			if tok.Kind == Value {
				if value = append(value, tok.Data...); !tok.Last {
					continue
				}
				fmt.Fprintf(&out, "%q\n", value)
				value = nil
				continue
			}
			fmt.Fprintf(&out, "%d %v %v %v %d @%d\n", tok.Depth, tok.Kind, tok.Tag, tok.VR, tok.Length, tok.Offset)
		}
		if len(part) > 0 {
			return out.String(), errors.New("Next said None with bytes left")
		}
		if len(data) == 0 {
			return out.String(), t.End()
		}
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

var (
	delimItem = raw(TagItemDelimitation, 0, 0)
	delimSeq  = raw(TagSequenceDelimitation, 0, 0)
	openItem  = raw(TagItem, 0, UndefinedLength)
	explicit  = Syntax{Explicit: true}
)

const sequenceTag Tag = 0x00081140

func TestEveryFormOfNestingGivesTheTokensOfTheStandard(t *testing.T) {
	inner := le(TagModality, CS, []byte("CT"))
	for _, c := range []struct {
		name   string
		data   []byte
		syntax Syntax
		want   string
	}{
		{"an element, and an empty one", join(le(TagModality, CS, []byte("CT")), le(TagPatientID, LO, nil)), explicit,
			"0 element (0008,0060) CS 2 @0\n\"CT\"\n0 element (0010,0020) LO 0 @10\n\"\"\n"},
		{"a sequence of defined length with an item of defined length",
			join(raw(sequenceTag, SQ, 18), raw(TagItem, 0, 10), inner, inner), explicit,
			"0 sequence (0008,1140) SQ 18 @0\n1 item (0008,1140) -- 10 @12\n1 element (0008,0060) CS 2 @20\n\"CT\"\n" +
				"1 item end (0008,1140) -- 0 @30\n0 sequence end (0008,1140) -- 0 @30\n0 element (0008,0060) CS 2 @30\n\"CT\"\n"},
		{"a sequence and an item of undefined length",
			join(raw(sequenceTag, SQ, UndefinedLength), openItem, inner, delimItem, delimSeq), explicit,
			"0 sequence (0008,1140) SQ 4294967295 @0\n1 item (0008,1140) -- 4294967295 @12\n1 element (0008,0060) CS 2 @20\n\"CT\"\n" +
				"1 item end (0008,1140) -- 0 @38\n0 sequence end (0008,1140) -- 0 @46\n"},
		{"an empty sequence", raw(sequenceTag, SQ, 0), explicit, "0 sequence (0008,1140) SQ 0 @0\n0 sequence end (0008,1140) -- 0 @12\n"},
		{"UN of undefined length holds implicit VR little endian",
			join(raw(0x00091010, UN, UndefinedLength), openItem, raw(TagModality, 0, 2), []byte("CT"), delimItem, delimSeq), explicit,
			"0 sequence (0009,1010) UN 4294967295 @0\n1 item (0009,1010) -- 4294967295 @12\n1 element (0008,0060) CS 2 @20\n\"CT\"\n" +
				"1 item end (0009,1010) -- 0 @38\n0 sequence end (0009,1010) -- 0 @46\n"},
		{"encapsulated pixel data",
			join(raw(TagPixelData, OB, UndefinedLength), raw(TagItem, 0, 0), raw(TagItem, 0, 4), []byte("\xff\xd8\xff\xd9"), delimSeq), explicit,
			"0 fragments (7FE0,0010) OB 4294967295 @0\n0 fragment (7FE0,0010) -- 0 @12\n\"\"\n0 fragment (7FE0,0010) -- 4 @20\n\"\\xff\\xd8\\xff\\xd9\"\n" +
				"0 fragments end (7FE0,0010) -- 0 @40\n"},
		{"implicit VR takes the VR from the dictionary",
			join(raw(sequenceTag, 0, 18), raw(TagItem, 0, 10), raw(TagModality, 0, 2), []byte("MR")), Syntax{},
			"0 sequence (0008,1140) SQ 18 @0\n1 item (0008,1140) -- 10 @8\n1 element (0008,0060) CS 2 @16\n\"MR\"\n" +
				"1 item end (0008,1140) -- 0 @26\n0 sequence end (0008,1140) -- 0 @26\n"},
		{"big endian", []byte("\x00\x08\x00\x60CS\x00\x02CT"), Syntax{Explicit: true, BigEndian: true}, "0 element (0008,0060) CS 2 @0\n\"CT\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, cut := range []int{0, 1, 3, 7} {
				got, err := trace(c.data, c.syntax, DefaultLimits(), cut)
				if err != nil || got != c.want {
					t.Errorf("in pieces of %d:\n%s\nwant\n%s\nerror %v", cut, got, c.want, err)
				}
			}
		})
	}
}

func TestWhatBreaksTheStandardIsATypedErrorWithItsOffset(t *testing.T) {
	for _, c := range []struct {
		name     string
		data     []byte
		syntax   Syntax
		sentinel error
		offset   uint64
	}{
		{"a value longer than its item", join(raw(sequenceTag, SQ, UndefinedLength), raw(TagItem, 0, 10), le(TagPatientID, LO, []byte("1234"))), explicit, ErrLength, 20},
		{"an item longer than its sequence", join(raw(sequenceTag, SQ, 8), raw(TagItem, 0, 2)), explicit, ErrLength, 12},
		{"a header across the end of its item", join(raw(sequenceTag, SQ, UndefinedLength), raw(TagItem, 0, 6), le(TagModality, CS, []byte("CT"))), explicit, ErrLength, 20},
		{"an element between items", join(raw(sequenceTag, SQ, UndefinedLength), le(TagModality, CS, []byte("CT"))), explicit, ErrStructure, 12},
		{"an item at the top", raw(TagItem, 0, 0), explicit, ErrStructure, 0},
		{"a sequence delimiter at the top", delimSeq, explicit, ErrStructure, 0},
		{"an item delimiter in an item of defined length", join(raw(sequenceTag, SQ, UndefinedLength), raw(TagItem, 0, 8), delimItem), explicit, ErrStructure, 20},
		{"a delimiter with a length", join(raw(sequenceTag, SQ, UndefinedLength), raw(TagSequenceDelimitation, 0, 4)), explicit, ErrLength, 12},
		{"a fragment of undefined length", join(raw(TagPixelData, OB, UndefinedLength), openItem), explicit, ErrLength, 12},
		{"undefined length for a text", raw(0x00281199, UT, UndefinedLength), explicit, ErrLength, 0},
		{"no letters where the VR stands", raw(TagModality, 0, 2), explicit, ErrVR, 0},
		{"an end in a value", le(TagModality, CS, []byte("CT"))[:9], explicit, ErrTruncated, 9},
		{"an end in a header", le(TagModality, CS, []byte("CT"))[:7], explicit, ErrTruncated, 0},
		{"an end in a sequence", join(raw(sequenceTag, SQ, UndefinedLength), openItem, delimItem), explicit, ErrTruncated, 28},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := trace(c.data, c.syntax, DefaultLimits(), 0)
			var e *Error
			if !errors.Is(err, c.sentinel) || !errors.As(err, &e) || e.Offset != c.offset || e.Section == "" {
				t.Errorf("%v, want %v at %d", err, c.sentinel, c.offset)
			}
		})
	}
}

func nested(depth int) []byte {
	var b []byte
	for range depth {
		b = append(append(b, raw(sequenceTag, SQ, UndefinedLength)...), openItem...)
	}
	for range depth {
		b = append(append(b, delimItem...), delimSeq...)
	}
	return b
}

func TestLimitsHoldOnePastTheEdge(t *testing.T) {
	if _, err := trace(nested(MaxDepth), explicit, DefaultLimits(), 0); err != nil {
		t.Errorf("%d sequences in each other: %v", MaxDepth, err)
	}
	if _, err := trace(nested(MaxDepth+1), explicit, DefaultLimits(), 0); !errors.Is(err, ErrLimit) {
		t.Errorf("%d sequences in each other: %v, want %v", MaxDepth+1, err, ErrLimit)
	}
	two := join(le(TagModality, CS, nil), le(TagPatientID, LO, nil))
	if _, err := trace(two, explicit, Limits{Elements: 2}, 0); err != nil {
		t.Errorf("two elements of two: %v", err)
	}
	if _, err := trace(join(two, two), explicit, Limits{Elements: 3}, 0); !errors.Is(err, ErrLimit) {
		t.Errorf("a fourth element of three: %v, want %v", err, ErrLimit)
	}
	var zero Tokenizer
	if tok, _, err := zero.Next(raw(sequenceTag, 0, UndefinedLength)); err != nil || tok.Kind != SequenceStart {
		t.Errorf("the zero Tokenizer gives %v, %v", tok.Kind, err)
	}
}

func TestFlagsReportWhatRealDevicesDoWrong(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want Flags
	}{
		{"nothing", join(le(TagModality, CS, []byte("CT")), le(TagPatientID, LO, nil)), 0},
		{"an odd length", le(TagModality, CS, []byte("C")), OddLength},
		{"tags out of order", join(le(TagPatientID, LO, nil), le(TagModality, CS, nil)), Disordered},
		{"a tag twice", join(le(TagModality, CS, nil), le(TagModality, CS, nil)), Disordered},
		{"a VR of the future", le(TagModality, 'Z'<<8|'Z', []byte("CT")), UnknownVR},
		{"file meta information", le(TagTransferSyntaxUID, UI, nil), HasFileMeta},
	} {
		var tk Tokenizer
		tk.Reset(explicit, DefaultLimits())
		for data := c.data; ; {
			tok, n, err := tk.Next(data)
			if err != nil {
				t.Fatal(c.name, err)
			}
			if data = data[n:]; tok.Kind == None {
				break
			}
		}
		if tk.Flags() != c.want {
			t.Errorf("%s: flags %b, want %b", c.name, tk.Flags(), c.want)
		}
	}
}

func TestSkippingAValueGivesTheSameAsReadingIt(t *testing.T) {
	data := join(le(TagModality, CS, []byte("CT")), le(TagPixelData, OW, make([]byte, 100000)), le(TagDataSetPadding, OB, []byte{0, 0}))
	var tk Tokenizer
	tk.Reset(explicit, DefaultLimits())
	presented := 0
	var tags []Tag
	for i := 0; i < len(data); {
		end := min(i+20, len(data))
		part := data[i:end]
		for {
			tok, n, err := tk.Next(part)
			if err != nil {
				t.Fatal(err)
			}
			part = part[n:]
			if tok.Kind == None {
				break
			}
			if tok.Kind == Element {
				tags = append(tags, tok.Tag)
			}
		}
		presented += end - i
		i = end
		k := tk.Skippable()
		tk.Skip(k)
		i += int(k)
	}
	if err := tk.End(); err != nil {
		t.Error(err)
	}
	if fmt.Sprint(tags) != "[(0008,0060) (7FE0,0010) (FFFC,FFFC)]" {
		t.Errorf("elements %v", tags)
	}
	if presented > 100 || tk.Offset() != uint64(len(data)) {
		t.Errorf("%d bytes presented, offset %d of %d", presented, tk.Offset(), len(data))
	}
}

// seeds are public test files, where they are, and hand-made data sets.
func seeds(f *testing.F) {
	f.Add(join(le(TagModality, CS, []byte("CT")), nested(3)), uint8(1), uint8(3))
	f.Add(join(raw(TagPixelData, OB, UndefinedLength), raw(TagItem, 0, 0), raw(TagItem, 0, 4), []byte("abcd"), delimSeq), uint8(1), uint8(1))
	f.Add(join(raw(sequenceTag, 0, 18), raw(TagItem, 0, 10), raw(TagModality, 0, 2), []byte("MR")), uint8(0), uint8(2))
	f.Add([]byte("\x00\x08\x00\x60CS\x00\x02CT"), uint8(3), uint8(1))
	filepath.WalkDir(pydicomFiles, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if b, err := os.ReadFile(path); err == nil && len(b) < 12000 {
			if m, n, err := ReadFileMeta(b); err == nil {
				s, _ := SyntaxOf(m.TransferSyntax)
				f.Add(b[n:], syntaxBits(s), uint8(5))
			}
		}
		return nil
	})
}

func syntaxBits(s Syntax) (b uint8) {
	if s.Explicit {
		b |= 1
	}
	if s.BigEndian {
		b |= 2
	}
	if s.Deflated {
		b |= 4
	}
	return b
}

// FuzzDataset holds the tokenizer to its promises: the same tokens however the
// bytes are cut, offsets that ascend and stay within the data, a depth within its
// bound, and the same view through an Extractor.
func FuzzDataset(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte, bits, cut uint8) {
		s := Syntax{Explicit: bits&1 != 0, BigEndian: bits&2 != 0}
		l := Limits{Elements: 5000}
		whole, err := trace(data, s, l, 0)
		parts, perr := trace(data, s, l, int(cut)+1)
		if whole != parts || fmt.Sprint(err) != fmt.Sprint(perr) {
			t.Fatalf("cut in pieces of %d:\n%s%v\nwhole:\n%s%v", cut+1, parts, perr, whole, err)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Offset > uint64(len(data))) {
			t.Fatalf("error %v", err)
		}
		s.Deflated = bits&4 != 0
		a, b := extract(data, s, 0), extract(data, s, int(cut)+1)
		if a != b {
			t.Fatalf("an Extractor sees in pieces:\n%s\nwhole:\n%s", b, a)
		}
	})
}

// extract writes down what a Visitor that wants 40 bytes of everything sees.
func extract(data []byte, s Syntax, cut int) string {
	v := &recorder{}
	var x Extractor
	x.Reset(s, Limits{Elements: 5000}, v)
	for len(data) > 0 {
		n := len(data)
		if cut > 0 {
			n = min(n, cut)
		}
		x.Feed(data[:n])
		data = data[n:]
		if k := x.Skippable(); k > 0 && cut > 0 {
			k = min(k, uint64(len(data)))
			x.Skip(k)
			data = data[k:]
		}
	}
	err := x.End()
	return fmt.Sprintf("%s%v", v.String(), err)
}

type recorder struct{ strings.Builder }

func (r *recorder) Header(t *Token, parent Tag) int {
	fmt.Fprintf(r, "%v %v %v %d in %v\n", t.Kind, t.Tag, t.VR, t.Length, parent)
	return 40
}

func (r *recorder) Value(t *Token, _ Tag, value []byte) {
	fmt.Fprintf(r, "%v = %q\n", t.Tag, value)
}
