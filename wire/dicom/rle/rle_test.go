// SPDX-License-Identifier: Apache-2.0

package rle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
)

// unpack returns all rows of a segment.
func unpack(segment []byte, rows, columns int) ([]byte, error) {
	r := NewRows(segment)
	out := make([]byte, rows*columns)
	for y := range rows {
		if err := r.Next(out[y*columns : (y+1)*columns]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func TestRowsAreUnpackedAsTheStandardSays(t *testing.T) {
	for _, tt := range []struct {
		name, segment string
		rows, columns int
		want          string // "!" for ErrShort
	}{
		{"a literal run", "\x02abc", 1, 3, "abc"},
		{"a repeated byte", "\xfea", 1, 3, "aaa"},
		{"both, and a byte that says nothing", "\x00a\x80\xffb\x80", 1, 3, "abb"},
		{"the longest of both", "\x81a\x7f" + string(bytes.Repeat([]byte("b"), 128)), 2, 128, string(bytes.Repeat([]byte("a"), 128)) + string(bytes.Repeat([]byte("b"), 128))},
		{"a literal run across the end of a row", "\x05abcdef", 2, 3, "abcdef"},
		{"a repeated byte across the end of a row", "\xfba", 2, 3, "aaaaaa"},
		{"padding behind the last row", "\x02abc\x00", 1, 3, "abc"},
		{"a literal run that is cut", "\x05abc", 2, 3, "!"},
		{"a repeated byte that is cut", "\xfe", 1, 3, "!"},
		{"too few rows", "\x02abc", 2, 3, "!"},
		{"nothing", "", 1, 1, "!"},
		{"only what says nothing", "\x80\x80\x80\x80", 1, 1, "!"},
	} {
		got, err := unpack([]byte(tt.segment), tt.rows, tt.columns)
		if tt.want == "!" {
			if !errors.Is(err, ErrShort) {
				t.Errorf("%s: %q, %v", tt.name, got, err)
			}
		} else if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

func TestRowsArePackedAsTheStandardSays(t *testing.T) {
	for row, want := range map[string]string{
		"": "", "a": "\x00a", "aa": "\xffa", "aaa": "\xfea", "abc": "\x02abc", "abb": "\x02abb", "abbb": "\x00a\xfeb", "aab": "\xffa\x00b", "abbc": "\x03abbc",
		string(bytes.Repeat([]byte("a"), 129)): "\x81a\x00a",
	} {
		if got := AppendRow(nil, []byte(row)); string(got) != want {
			t.Errorf("%q: %q, want %q", row, got, want)
		}
	}
}

func TestWhatIsPackedIsUnpackedAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a reproducible test
	var w Writer
	for range 300 {
		rows, columns, segments := 1+r.IntN(9), 1+r.IntN(400), 1+r.IntN(MaxSegments)
		planes := make([][]byte, segments)
		w.Begin()
		for s := range planes {
			planes[s] = make([]byte, rows*columns)
			noise := 1 + r.IntN(6)
			for i := range planes[s] {
				if planes[s][i] = byte(r.IntN(noise)); i > 0 && r.IntN(3) > 0 {
					planes[s][i] = planes[s][i-1]
				}
			}
			if !w.Segment() {
				t.Fatal("no segment")
			}
			for y := range rows {
				before := len(w.frame)
				w.Row(planes[s][y*columns : (y+1)*columns])
				if n := len(w.frame) - before; n > columns+columns/128+1 {
					t.Fatalf("a row of %d bytes takes %d", columns, n)
				}
			}
		}
		frame := w.Bytes()
		got, err := Split(frame)
		if err != nil || len(got) != segments || len(frame)&1 != 0 {
			t.Fatalf("%d segments of %d, %d bytes, %v", len(got), segments, len(frame), err)
		}
		for s := range got {
			if back, err := unpack(got[s], rows, columns); err != nil || !bytes.Equal(back, planes[s]) || len(got[s])&1 != 0 {
				t.Fatalf("segment %d: %v", s, err)
			}
		}
	}
	w.Begin()
	for range MaxSegments {
		w.Segment()
	}
	if w.Segment() {
		t.Error("a segment too many")
	}
}

func TestHeadersThatMakeNoSense(t *testing.T) {
	header := func(n uint32, offsets ...uint32) []byte {
		b := make([]byte, HeaderSize+8)
		binary.LittleEndian.PutUint32(b, n)
		for i, o := range offsets {
			binary.LittleEndian.PutUint32(b[4+4*i:], o)
		}
		return b
	}
	for name, frame := range map[string][]byte{
		"no header": make([]byte, 63), "no segment": header(0), "too many segments": header(16), "a segment in the header": header(1, 8), "a segment behind the end": header(1, 100),
		"segments in the wrong order": header(2, 70, 64), "a segment of 4 GB": header(2, 64, 0xFFFFFFFF),
	} {
		if got, err := Split(frame); !errors.Is(err, ErrHeader) {
			t.Errorf("%s: %d segments, %v", name, len(got), err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	var w Writer
	w.Begin()
	w.Segment()
	w.Row([]byte("abbbbc"))
	f.Add(append([]byte(nil), w.Bytes()...), uint8(1), uint8(6))
	f.Fuzz(func(t *testing.T, frame []byte, rows, columns uint8) {
		segments, err := Split(frame)
		if err != nil {
			return
		}
		for _, s := range segments {
			image, err := unpack(s, int(rows), int(columns))
			if err != nil {
				continue
			}
			var w Writer
			w.Begin()
			w.Segment()
			for y := range int(rows) {
				w.Row(image[y*int(columns) : (y+1)*int(columns)])
			}
			again, err := Split(w.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if back, err := unpack(again[0], int(rows), int(columns)); err != nil || !bytes.Equal(back, image) {
				t.Fatalf("%v", err)
			}
		}
	})
}
