// SPDX-License-Identifier: Apache-2.0

package ber

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNextReadsTheFormsOfX690(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		class    Class
		cons     bool
		tag      uint32
		body     string
		rest     int
	}{
		{"a NULL has no body", "0500", Universal, false, TagNull, "", 0},
		{"a short length", "020105ff", Universal, false, TagInteger, "05", 1},
		{"a long length that a short one would have done for", "04820001aa", Universal, false, TagOctetString, "aa", 0},
		{"a length in four octets", "048400000001aa", Universal, false, TagOctetString, "aa", 0},
		{"a context tag", "a003020101", Context, true, 0, "020101", 0},
		{"an application tag", "4001aa", Application, false, 0, "aa", 0},
		{"a high tag number in one octet", "5f1f00", Application, false, 31, "", 0},
		{"a high tag number in four octets", "5fffffff7f00", Application, false, 1<<28 - 1, "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := NewReader(unhex(t, tc.in))
			e, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if e.Class != tc.class || e.Constructed != tc.cons || e.Tag != tc.tag || hex.EncodeToString(e.Body) != tc.body || r.Len() != tc.rest {
				t.Errorf("got %+v, %d left", e, r.Len())
			}
		})
	}
}

func TestNextRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		err      error
		offset   int
	}{
		{"nothing", "", ErrTruncated, 0},
		{"an identifier alone", "30", ErrTruncated, 1},
		{"a body one octet short", "0402aa", ErrTruncated, 2},
		{"a length that is cut off", "0482ff", ErrTruncated, 2},
		{"an indefinite length", "30800000", ErrIndefinite, 1},
		{"a length in five octets", "04850000000001aa", ErrLength, 1},
		{"a length of more than 31 bits", "048480000000", ErrLength, 2},
		{"a tag number in five octets", "5f81ffffff7f00", ErrTag, 5},
		{"a tag number with leading zeros", "5f8001", ErrTag, 1},
		{"a low tag number in the high form", "5f1e00", ErrTag, 1},
		{"a high tag number that is cut off", "5f81", ErrTruncated, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := NewReader(unhex(t, tc.in))
			before := r.Len()
			_, err := r.Next()
			var e *Error
			if !errors.Is(err, tc.err) || !errors.As(err, &e) || e.Offset != tc.offset {
				t.Errorf("got %v, want %v at %d", err, tc.err, tc.offset)
			}
			if r.Len() != before {
				t.Error("the reader moved")
			}
		})
	}
}

func TestDepthIsBounded(t *testing.T) {
	b := []byte{5, 0}
	for range MaxDepth + 1 {
		b = append([]byte{0x30, 0x84, byte(len(b) >> 24), byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}, b...)
	}
	r := NewReader(b)
	for i := 0; ; i++ {
		e, err := r.Next()
		if i == MaxDepth+1 {
			if !errors.Is(err, ErrDepth) {
				t.Fatalf("one level past the limit: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatalf("level %d: %v", i, err)
		}
		r = e.Children()
	}
}

func TestLenientGivesWhatIsThere(t *testing.T) {
	r := NewReader(unhex(t, "30100201050405aabb"))
	r.Lenient = true
	e, err := r.Next()
	if err != nil || e.Missing != 9 {
		t.Fatalf("%+v %v", e, err)
	}
	c := e.Children()
	if v, err := c.Int(); v != 5 || err != nil {
		t.Fatal(v, err)
	}
	s, err := c.Next()
	if err != nil || s.Missing != 3 || !bytes.Equal(s.Body, []byte{0xaa, 0xbb}) {
		t.Fatalf("%+v %v", s, err)
	}
	if _, err := (Element{Body: s.Body, Missing: 3}).Int(); err == nil {
		t.Error("a value that is cut off is not a value")
	}
}

func TestPeekFindsTheEndOfAMessageBeforeItArrived(t *testing.T) {
	_, total, err := Peek(unhex(t, "30820102"))
	if err != nil || total != 4+0x102 {
		t.Fatal(total, err)
	}
	if _, _, err := Peek(unhex(t, "3082")); !errors.Is(err, ErrTruncated) {
		t.Fatal(err)
	}
}

func TestIntegers(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
	}{{"00", 0}, {"7f", 127}, {"80", -128}, {"0080", 128}, {"ff7f", -129}, {"7fffffffffffffff", math.MaxInt64}, {"8000000000000000", math.MinInt64}} {
		if v, err := (Element{Body: unhex(t, tc.in)}).Int(); err != nil || v != tc.want {
			t.Errorf("%s: %d, %v", tc.in, v, err)
		}
	}
	if _, err := (Element{Body: make([]byte, 9)}).Int(); !errors.Is(err, ErrRange) {
		t.Errorf("nine octets: %v", err)
	}
	if v, err := (Element{Body: unhex(t, "00ffffffffffffffff")}).Uint(); err != nil || v != math.MaxUint64 {
		t.Errorf("Counter64 at its end: %d, %v", v, err)
	}
	if _, err := (Element{Body: unhex(t, "01ffffffffffffffff")}).Uint(); !errors.Is(err, ErrRange) {
		t.Errorf("65 bits: %v", err)
	}
}

func TestObjectIdentifiers(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		ok             bool
	}{
		{"sysDescr.0", "2b06010201010100", "1.3.6.1.2.1.1.1.0", true},
		{"an arc of 2^32-1", "2b8fffffff7f", "1.3.4294967295", true},
		{"the second arc of joint-iso-itu-t may be large", "883703", "2.999.3", true},
		{"empty is 0.0", "", "0.0", true},
		{"an arc of 2^32", "2b9080808000", "", false},
		{"an arc that does not end", "2b81", "", false},
		{"an arc with leading zeros", "2b8001", "", false},
		{"as many arcs as allowed", "2b" + hex.EncodeToString(bytes.Repeat([]byte{1}, MaxArcs-2)), "", true},
		{"one arc too many", "2b" + hex.EncodeToString(bytes.Repeat([]byte{1}, MaxArcs-1)), "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := OID(unhex(t, tc.in))
			if ok != tc.ok || tc.want != "" && got != tc.want {
				t.Errorf("got %q %v", got, ok)
			}
		})
	}
}

// FuzzReader walks everything and holds the reader to its word: elements tile
// the input exactly, bodies stay inside, depth ends, and where Go's DER reader
// accepts an element, this one reads the same.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"302902010004067075626c6963a01c0204706e6d6c020100020100300e300c06082b060102010101000500", "30800000", "5fffffff7f00", "a0820001ff"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var raw asn1.RawValue
		if rest, err := asn1.Unmarshal(data, &raw); err == nil && raw.Tag < 1<<28 && len(data)-len(rest) > 0 {
			r := NewReader(data)
			e, err := r.Next()
			if err != nil && !errors.Is(err, ErrTag) && !errors.Is(err, ErrLength) {
				t.Fatalf("encoding/asn1 reads it, this does not: %v", err)
			}
			if err == nil && (int(e.Tag) != raw.Tag || int(e.Class) != raw.Class || !bytes.Equal(e.Body, raw.Bytes)) {
				t.Fatalf("%+v differs from %+v", e, raw)
			}
		}
		steps := 0
		var walk func(r Reader)
		walk = func(r Reader) {
			for r.Len() > 0 {
				steps++
				at := r.Offset()
				e, err := r.Next()
				if err != nil {
					return
				}
				if e.Offset != at || e.Offset+e.HeaderLen+len(e.Body) != r.Offset() || r.Offset() > len(data) {
					t.Fatalf("element %+v does not tile the input", e)
				}
				if !bytes.Equal(data[e.Offset+e.HeaderLen:r.Offset()], e.Body) {
					t.Fatal("body is not where it says")
				}
				_, _ = e.Int()
				_, _ = e.Uint()
				_, _ = e.OID()
				if e.Constructed {
					walk(e.Children())
				}
			}
		}
		walk(NewReader(data))
		lenient := NewReader(data)
		lenient.Lenient = true
		walk(lenient)
		if steps > (len(data)+1)*(MaxDepth+2)*2 {
			t.Fatalf("%d steps for %d bytes", steps, len(data))
		}
	})
}
