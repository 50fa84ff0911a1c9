// SPDX-License-Identifier: Apache-2.0

package http2

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The examples of RFC 7541 appendix C.4 and C.6: one table over several blocks.
func TestHPACKExamplesOfTheStandard(t *testing.T) {
	requests := []struct {
		block string
		want  []Field
	}{
		{"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", []Field{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "www.example.com"}}},
		{"8286 84be 5886 a8eb 1064 9cbf", []Field{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "www.example.com"}, {"cache-control", "no-cache"}}},
		{"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", []Field{{":method", "GET"}, {":scheme", "https"}, {":path", "/index.html"}, {":authority", "www.example.com"}, {"custom-key", "custom-value"}}},
	}
	var d decoder
	for i, r := range requests {
		got, err := d.decode(unhex(t, r.block))
		if err != nil || !reflect.DeepEqual(got, r.want) {
			t.Errorf("request %d: %v, %v", i+1, got, err)
		}
	}
	// C.6: responses with eviction, table of 256 bytes.
	d = decoder{max: 256, started: true}
	responses := []string{
		"4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
		"4883 640e ffc1 c0bf",
		"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
	}
	statuses := []string{"302", "307", "200"}
	for i, r := range responses {
		got, err := d.decode(unhex(t, r))
		if err != nil || got[0].Value != statuses[i] {
			t.Fatalf("response %d: %v, %v", i+1, got, err)
		}
		if i == 2 {
			last := got[len(got)-1]
			if last.Name != "set-cookie" || last.Value != "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1" {
				t.Errorf("set-cookie read as %q", last)
			}
			if d.size != 215 {
				t.Errorf("table holds %d bytes, the standard says 215", d.size)
			}
		}
	}
}

func TestHPACKRefusesWhatTheStandardForbids(t *testing.T) {
	for name, block := range map[string]string{
		"index 0":                      "80",
		"index beyond both tables":     "ff00",
		"integer without end":          "ffffffffffffff",
		"string longer than the block": "400a61",
		"Huffman padding of 8 bits":    "4082 1fff 00",
		"Huffman padding with zeros":   "4081 18 00",
		"table larger than the limit":  "3fe1ff7f",
	} {
		var d decoder
		if f, err := d.decode(unhex(t, block)); err == nil {
			t.Errorf("%s: accepted as %v", name, f)
		}
	}
}

func TestASmallBlockCannotUnfoldWithoutBound(t *testing.T) {
	var d decoder
	big := append([]byte{0x40, 1, 'a', 0x7f, 0x81, 0x1e}, make([]byte, 4000)...) // value of 127+1+30*128-... bytes
	n, _, _ := integer(big[3:], 7)
	big = append(big[:6], make([]byte, n)...)
	if _, err := d.decode(big); err != nil {
		t.Fatal(err)
	}
	bomb := make([]byte, 1000)
	for i := range bomb {
		bomb[i] = 0x80 | 62
	}
	if _, err := d.decode(bomb); err == nil {
		t.Errorf("a block of %d bytes unfolded to %d", len(bomb), len(bomb)*n)
	}
}

func frame(typ FrameType, flags byte, stream uint32, payload string) string {
	n := len(payload)
	return string([]byte{byte(n >> 16), byte(n >> 8), byte(n), byte(typ), flags, byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}) + payload
}

func readAll(t testing.TB, b []byte, step int) (fields [][]Field, data string, err error) {
	var r Reader
	var skip int64
	for len(b) > 0 {
		k := min(step, len(b))
		part := b[:k]
		b = b[k:]
		if s := min(skip, int64(len(part))); s > 0 {
			part, skip = part[s:], skip-s
		}
		for {
			n, f, ok, err := r.Next(part)
			if err != nil {
				return fields, data, err
			}
			if n > int64(len(part)) {
				skip = n - int64(len(part))
				part = nil
			} else {
				part = part[n:]
			}
			if !ok {
				break
			}
			switch f.Type {
			case Headers:
				fields = append(fields, f.Fields)
			case Data:
				data += string(f.Data)
				if f.EndStream {
					data += "|"
				}
			}
			if len(part) == 0 {
				break
			}
		}
	}
	return fields, data, nil
}

func TestFramesReadTheSameInAnyPortions(t *testing.T) {
	stream := frame(Settings, 0, 0, "") + frame(6, 0, 0, "12345678") +
		frame(Headers, 8|0x20, 1, "\x02\x00\x00\x00\x00\x10\x82\x86XX") + frame(Continuation, 4, 1, "\x84\x41\x01h") +
		frame(Data, 8, 1, "\x03abcXXX") + frame(Data, 1, 1, "def") + frame(GoAway, 0, 0, "\x00\x00\x00\x01\x00\x00\x00\x02")
	for _, step := range []int{1, 2, 3, 7, len(stream)} {
		fields, data, err := readAll(t, []byte(stream), step)
		if err != nil {
			t.Fatal(err)
		}
		want := [][]Field{{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "h"}}}
		if !reflect.DeepEqual(fields, want) || data != "abcdef|" {
			t.Errorf("in portions of %d: %v %q", step, fields, data)
		}
	}
}

func TestFramesOutOfOrderAreRefused(t *testing.T) {
	for name, s := range map[string]string{
		"no settings first":          frame(Data, 0, 1, "x"),
		"data on stream 0":           frame(Settings, 0, 0, "") + frame(Data, 0, 0, "x"),
		"continuation of nothing":    frame(Settings, 0, 0, "") + frame(Continuation, 4, 1, ""),
		"block interrupted":          frame(Settings, 0, 0, "") + frame(Headers, 0, 1, "\x82") + frame(Data, 0, 1, "x"),
		"padding longer than frame":  frame(Settings, 0, 0, "") + frame(Headers, 12, 1, "\x09\x82"),
		"header block over the edge": frame(Settings, 0, 0, "") + frame(Headers, 4, 1, strings.Repeat("\x82", MaxBlock+1)),
	} {
		if _, _, err := readAll(t, []byte(s), len(s)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(frame(Settings, 0, 0, "")+frame(Headers, 5, 1, "\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff")+frame(Data, 1, 1, "body")), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		h1, d1, e1 := readAll(t, b, max(1, len(b)))
		h2, d2, e2 := readAll(t, b, int(step)%16+1)
		if !reflect.DeepEqual(h1, h2) || d1 != d2 || (e1 == nil) != (e2 == nil) {
			t.Errorf("in portions: %v %q %v, at once: %v %q %v", h2, d2, e2, h1, d1, e1)
		}
		if len(d1) > 2*len(b) {
			t.Errorf("%d bytes of data out of %d", len(d1), len(b))
		}
	})
}
