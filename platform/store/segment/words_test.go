// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"bytes"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
)

func TestTheBeginningOfAWordIsInTheFilter(t *testing.T) {
	c := newCodec(t)
	recs := recorded(t, MaxRows)
	s, err := c.Encode(recs)
	if err != nil {
		t.Fatal(err)
	}
	may := func(f Filter, text string) bool {
		t.Helper()
		m, err := Compile(store.Query{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		return !m.NeedsFilter() || m.MayFilter(f)
	}
	asked := 0
	for i := range recs {
		err := record.Texts(recs[i].Data, func(text string) bool {
			for _, w := range strings.FieldsFunc(text, func(r rune) bool { return !isWord(r) }) {
				for _, n := range []int{3, 4, 5, len(w)} {
					if n <= len(w) && !strings.ContainsAny(w[:n], "\ufffd") {
						asked++
						if !may(s.Filter, w[:n]+"*") || !may(s.Filter, strings.ToUpper(w[:n])+"*") {
							t.Fatalf("%q* is ruled out, and %q is there", w[:n], text)
						}
					}
				}
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if asked < 10_000 {
		t.Errorf("only %d beginnings", asked)
	}
	ruled := 0
	absent := []string{"laparos*", "zzzz*", "qwxy*", "dicom xylophon*", `"no such phr"*`, "brrr*", "Ünix*", "mmmmm*", "pppp*", "kkkkk*"}
	for _, text := range absent {
		if !may(s.Filter, text) {
			ruled++
		}
	}
	if ruled < len(absent)-1 {
		t.Errorf("only %d of %d absent beginnings are ruled out", ruled, len(absent))
	}
	// A filter of an older version has no beginnings, and says nothing about them.
	if old := s.Filter[:len(s.Filter)-1]; !may(old, "laparos*") || may(old, "laparoscope") {
		t.Error("a filter without the beginnings of words rules one out, or a word not")
	}
}

func TestLowerASCIIChangesLettersOnly(t *testing.T) {
	all := make([]byte, 0, 256*9)
	for shift := range 9 { // each byte at each place of eight
		for c := range 256 {
			all = append(all, byte(c))
		}
		all = append(all, make([]byte, shift)...)
	}
	got := make([]byte, len(all))
	lowerASCII(got, all)
	want := make([]byte, 0, len(all))
	for _, c := range all {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		want = append(want, c)
	}
	if !bytes.Equal(got, want) {
		t.Error("another byte than an upper-case ASCII letter was changed, or one was not")
	}
}
