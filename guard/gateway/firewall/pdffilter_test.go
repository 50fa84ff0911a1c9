// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// unpackAll undoes filters in pieces of cut bytes.
func unpackAll(d *dictionary, packed string, cut int) (out string, why string, c *chain) {
	c = &chain{most: 1 << 20}
	var b strings.Builder
	c.sink = func(p []byte) bool { b.Write(p); return true }
	if why = c.begin(d); why != "" {
		return "", why, c
	}
	for len(packed) > 0 {
		n := min(cut, len(packed))
		c.write([]byte(packed[:n]))
		packed = packed[n:]
	}
	return b.String(), "", c
}

// dictionaryOf reads a dictionary as the lexer tells it.
func dictionaryOf(text string) *dictionary {
	d := new(dictionary)
	l := lexer{name: d.name, word: d.word, text: d.text, comment: func([]byte) {}, bracket: d.bracket}
	for _, c := range []byte(text + "\n") {
		l.step(c)
	}
	return d
}

func TestEachFilterGivesBackWhatWasPacked(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	bytesOf := func(n, kinds int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.IntN(kinds))
		}
		return string(b)
	}
	for name, content := range map[string]string{
		"nothing": "", "one byte": "x", "zeros": strings.Repeat("\x00", 5000), "text": long(3001), "bytes": bytesOf(4099, 256), "few kinds of bytes": bytesOf(70000, 3), "a long repetition": strings.Repeat("ab", 30000),
	} {
		for dictionary, packed := range map[string]string{
			"<<>>":                            content,
			"<</Filter /FlateDecode>>":        inZlib(content),
			"<</Filter [/Fl]>>":               inZlib(content),
			"<</Filter /ASCIIHexDecode>>":     inHex(content),
			"<</Filter /ASCII85Decode>>":      in85(content),
			"<</Filter /RunLengthDecode>>":    inRuns(content),
			"<</Filter /LZWDecode>>":          inEarlyLZW(content),
			"<</Filter [/A85 /AHx /RL /Fl]>>": in85(inHex(inRuns(inZlib(content)))),
			"<</DecodeParms <</EarlyChange 0>> /Filter /LZWDecode>>":                                                          inLZW(content),
			"<</Filter [/LZW /RL] /DecodeParms [<</EarlyChange 1>> null]>>":                                                   inEarlyLZW(inRuns(content)),
			"<</Filter /FlateDecode /DecodeParms <</Predictor 15 /Columns 3 /Colors 1>> >>":                                   inZlib(inRows(content, 3)),
			"<</Filter [/AHx /Fl] /DecodeParms [null <</Predictor 2 /Columns 5>>]>>":                                          inHex(inZlib(inDifferences(content, 5))),
			"<</Filter [/Fl /LZW] /DecodeParms [null <</Predictor 12 /Columns 40 /Unknown true>>] /Length 12 /Type /ObjStm>>": inZlib(inEarlyLZW(inRows(content, 40))),
		} {
			for _, cut := range []int{1, 2, 7, 4096, 1 << 20} {
				out, why, c := unpackAll(dictionaryOf(dictionary), packed, cut)
				if why != "" || !c.whole() || strings.TrimRight(out, " ") != content {
					t.Errorf("%s by %s, in pieces of %d: %q, %v, %d bytes of %d", name, dictionary, cut, why, c.failed, len(out), len(content))
				}
			}
		}
	}
}

func TestWhatNoFilterMadeIsNotUnpacked(t *testing.T) {
	for name, tt := range map[string]struct{ dictionary, packed string }{
		"hexadecimal with another letter":    {"/Filter /AHx", "20g>"},
		"hexadecimal without end":            {"/Filter /AHx", "2020"},
		"ASCII85 with another letter":        {"/Filter /A85", "87cURv~>"},
		"ASCII85 of too large a group":       {"/Filter /A85", "uuuuu~>"},
		"ASCII85 of one letter":              {"/Filter /A85", "8~>"},
		"ASCII85 with half an end":           {"/Filter /A85", "87cUR~87cUR~>"},
		"ASCII85 with a z within a group":    {"/Filter /A85", "8z~>"},
		"run lengths without end":            {"/Filter /RL", "\x01ab"},
		"LZW without end":                    {"/Filter /LZW", inEarlyLZW("abc")[:3]},
		"LZW with a code that is not known":  {"/Filter /LZW", "\x80\x7f\xff"},
		"LZW that begins with such a code":   {"/Filter /LZW", "\x80\x60\x00"},
		"LZW of more codes than there are":   {"/Filter /LZW", string(make([]byte, 8000))},
		"zlib without its header":            {"/Filter /Fl", deflated("abcdef")},
		"zlib with a dictionary of its own":  {"/Filter /Fl", "\x78\xbb" + deflated("abcdef")},
		"zlib that breaks off":               {"/Filter /Fl", inZlib(long(200))[:100]},
		"rows of a kind that does not exist": {"/Filter /Fl /DecodeParms <</Predictor 12 /Columns 2>>", inZlib("\x05ab")},
	} {
		if _, why, c := unpackAll(dictionaryOf("<<"+tt.dictionary+">>"), tt.packed, 3); why != "" || c.whole() {
			t.Errorf("%s: %q %v", name, why, c.failed)
		}
	}
	for name, dictionary := range map[string]string{
		"five filters":                  "/Filter [/AHx /AHx /AHx /AHx /AHx]",
		"two of zlib":                   "/Filter [/Fl /Fl]",
		"two of LZW":                    "/Filter [/LZW /LZW]",
		"two with rows":                 "/Filter [/Fl /LZW] /DecodeParms [<</Predictor 2>> <</Predictor 2>>]",
		"rows that are long":            "/Filter /Fl /DecodeParms <</Predictor 12 /Columns 99999>>",
		"rows of an unknown predictor":  "/Filter /Fl /DecodeParms <</Predictor 9>>",
		"differences of 16 bits":        "/Filter /Fl /DecodeParms <</Predictor 2 /BitsPerComponent 16>>",
		"a parameter that stands twice": "/Filter /Fl /DecodeParms <</Predictor 12 /Predictor 1>>",
		"a parameter that is no number": "/Filter /Fl /DecodeParms <</Predictor /Columns>>",
		"a filter that is a string":     "/Filter (Fl)",
		"a filter in a list in a list":  "/Filter [[/Fl]]",
		"brackets that do not match":    "/A [1 >> ] /Filter /Fl",
		"a key that is a number":        "1 2 3 /Filter /Fl",
		"a file with the content":       "/F (x) /Filter /Fl",
		"a reference among filters":     "/Filter [/Fl 8 0 R]",
		"a reference among parameters":  "/Filter [/Fl] /DecodeParms [8 0 R]",
		"a picture":                     "/Filter /DCTDecode",
		"encryption":                    "/Filter /Crypt",
	} {
		if _, why, _ := unpackAll(dictionaryOf("<<"+dictionary+">>"), "x", 1); why == "" {
			t.Errorf("%s can be unpacked", name)
		}
	}
}

// FuzzPDF: it never panics, and comes to the same result however a document is cut.
func FuzzPDF(f *testing.F) {
	for i, a := range attacks() {
		if a.class != classPDF || len(a.data) > 1<<14 {
			continue
		}
		if at := strings.Index(string(a.data), "%PDF-"); at >= 0 {
			f.Add(a.data[at:], uint8(1+i%40))
		}
	}
	wall, strict := New(Default(), Deps{}), New(refusing(f), Deps{})
	a := arrivalOf(classPDF, explicitLE)
	f.Fuzz(func(t *testing.T, document []byte, cut uint8) {
		data := encapsulated(classPDF, "application/pdf", string(document))
		for _, w := range []*Firewall{wall, strict} {
			if whole, pieces := inspect(w, a, data, 0), inspect(w, a, data, int(cut)); !reflect.DeepEqual(whole, pieces) {
				t.Fatalf("whole  %+v\npieces %+v", whole, pieces)
			}
		}
	})
}

// FuzzMarkup is the same for CDA documents and meshes.
func FuzzMarkup(f *testing.F) {
	for i, a := range attacks() {
		if a.class != classCDA && a.class != classOBJ && a.class != classMTL || len(a.data) > 1<<14 {
			continue
		}
		if at := strings.Index(string(a.data), "\x42\x00\x11\x00OB\x00\x00"); at >= 0 {
			f.Add(a.data[at+12:], a.class, uint8(1+i%40))
		}
	}
	wall, strict := New(Default(), Deps{}), New(refusing(f), Deps{})
	f.Fuzz(func(t *testing.T, document []byte, class string, cut uint8) {
		data := encapsulated(class, "text/plain", string(document))
		for _, w := range []*Firewall{wall, strict} {
			whole, pieces := inspect(w, arrivalOf(class, explicitLE), data, 0), inspect(w, arrivalOf(class, explicitLE), data, int(cut))
			if !reflect.DeepEqual(whole, pieces) {
				t.Fatalf("whole  %+v\npieces %+v", whole, pieces)
			}
			if whole.Verdict > instance.Refuse {
				t.Fatal(whole.Verdict)
			}
		}
	})
}
