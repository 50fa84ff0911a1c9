// SPDX-License-Identifier: Apache-2.0

package xmltok

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func dump(s string) string {
	var b strings.Builder
	t := New([]byte(s))
	for {
		switch t.Next() {
		case Start:
			fmt.Fprintf(&b, "<{%s}%s", t.Space(), t.Local())
			for _, a := range t.Attrs() {
				if string(a.Local) != "xmlns" && string(a.Prefix) != "xmlns" {
					fmt.Fprintf(&b, " %s=%q", a.Local, AppendUnescaped(nil, a.Value))
				}
			}
			b.WriteString(">")
		case End:
			fmt.Fprintf(&b, "</{%s}%s>", t.Space(), t.Local())
		case Text:
			fmt.Fprintf(&b, "%q", t.AppendText(nil))
		case None:
			if e := t.Err(); e != nil {
				fmt.Fprintf(&b, " ! %s", e.Reason)
			}
			return b.String()
		}
	}
}

func TestTokens(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"an empty element is a start and an end", `<a/>`, `<{}a></{}a>`},
		{"a declaration, a comment and white space before the root", "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- x -->\n<a>t</a>", `<{}a>"t"</{}a>`},
		{"namespaces by prefix and by default, inner wins", `<a xmlns="u:1" xmlns:p="u:2"><p:b/><c xmlns="u:3"/><d/></a>`, `<{u:1}a><{u:2}b></{u:2}b><{u:3}c></{u:3}c><{u:1}d></{u:1}d></{u:1}a>`},
		{"references are replaced, unknown ones stay", `<a v="1 &lt; 2">&amp;&#65;&#x42;&nbsp;&;</a>`, `<{}a v="1 < 2">"&AB&nbsp;&;"</{}a>`},
		{"CDATA is text as it stands", `<a><![CDATA[<&amp;>]]></a>`, `<{}a>"<&amp;>"</{}a>`},
		{"a greater-than sign in an attribute", `<a v='>"'/>`, `<{}a v=">\""></{}a>`},
		{"a document that was cut gives what was readable", `<a><b v="1"/>te`, `<{}a><{}b v="1"></{}b>"te" ! document ends within an element`},
		{"nothing is read after the root", `<a/><b/>`, `<{}a></{}a>`},
		{"entities cannot be declared", `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`, ` ! document type declarations are refused`},
		{"an end tag must match", `<a><b></a></b>`, `<{}a><{}b> ! end tag without its start tag`},
		{"UTF-16 is refused", "\xfe\xff\x00<\x00a", ` ! UTF-16 is not read`},
		{"text before the root", `x<a/>`, ` ! text outside of the root element`},
	} {
		if got := dump(c.in); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestLimitsOnePastTheEdge(t *testing.T) {
	attrs := func(n int, f string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, f, i)
		}
		return b.String()
	}
	deep := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	for _, c := range []struct {
		name, ok, bad, reason string
	}{
		{"depth", deep(MaxDepth), deep(MaxDepth + 1), "elements nested too deeply"},
		{"attributes", "<a" + attrs(MaxAttrs, " a%d='1'") + "/>", "<a" + attrs(MaxAttrs+1, " a%d='1'") + "/>", "too many attributes"},
		{"name", "<" + strings.Repeat("n", MaxName) + "/>", "<" + strings.Repeat("n", MaxName+1) + "/>", "name too long"},
		{"bindings", "<a" + attrs(MaxBindings/2, " xmlns:a%d='u'") + "><b" + attrs(MaxBindings/2, " xmlns:a%d='u'") + "/></a>",
			"<a" + attrs(MaxBindings/2, " xmlns:a%d='u'") + "><b" + attrs(MaxBindings/2+1, " xmlns:a%d='u'") + "/></a>", "too many namespace declarations"},
		{"tokens", "<a>" + strings.Repeat("<b/>", MaxTokens/2-2) + "</a>", "<a>" + strings.Repeat("<b/>", MaxTokens) + "</a>", "too many tokens"},
	} {
		run := func(s string) *Error {
			t := New([]byte(s))
			for t.Next() != None {
			}
			return t.Err()
		}
		if e := run(c.ok); e != nil {
			t.Errorf("%s at the edge: %v", c.name, e)
		}
		if e := run(c.bad); e == nil || e.Reason != c.reason || e.Truncated {
			t.Errorf("%s one past the edge: %v", c.name, e)
		}
	}
}

func TestSplitterFindsDocumentsInAStream(t *testing.T) {
	in := "junk<?xml version='1.0'?><!-- > --><a x='/>'><b/></a>\r\n<c/><![CDATA[x]]><d><![CDATA[</d>]]]></d><e>cut"
	var got []string
	s := Splitter{}
	f := func(d Document) { got = append(got, fmt.Sprintf("%s %v", d.Head, d.Truncated)) }
	s.Write([]byte(in), f)
	s.Close(f)
	want := "<?xml version='1.0'?><!-- > --><a x='/>'><b/></a> false|<c/> false|<![CDATA[x]]><d><![CDATA[</d>]]]></d> false|<e>cut true"
	if strings.Join(got, "|") != want {
		t.Errorf("\n got %s\nwant %s", strings.Join(got, "|"), want)
	}
	if s.Junk != 6 {
		t.Errorf("junk %d, want 6", s.Junk)
	}
}

func TestSplitterKeepsNoMoreThanItsBound(t *testing.T) {
	s := Splitter{Max: 10}
	var got Document
	s.Write([]byte("<a>"+strings.Repeat("x", 100)+"</a>"), func(d Document) { got = d })
	if len(got.Head) != 10 || got.Size != 107 {
		t.Errorf("kept %d of %d bytes, want 10 of 107", len(got.Head), got.Size)
	}
}

var seeds = []string{
	`<a xmlns="u:1" xmlns:p="u:2"><p:b x="1"/>t&amp;<![CDATA[x]]></a>`, `<?xml version="1.0"?><!--c--><a/>`, `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`,
	`<a><b></a>`, `<a v=">"/>`, strings.Repeat("<a>", 70), `<a`, `<a x`, `<a x=`, `<a x="`, `</`, `<![CDATA[`, "<a>&#x110000;</a>", `<a/><b/>`, `<a>x</a >`,
}

// FuzzXML holds the tokenizer to its limits and to encoding/xml: a document
// that both accept gives the same elements and the same text.
func FuzzXML(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tk := New(b)
		var ours, text bytes.Buffer
		last, n := 0, 0
		for k := tk.Next(); k != None; k = tk.Next() {
			if n++; tk.Offset() < last || tk.Offset() > len(b) || tk.Depth() > MaxDepth || len(tk.Attrs()) > MaxAttrs {
				t.Fatal("bounds")
			}
			last = tk.Offset()
			switch k {
			case Start:
				fmt.Fprintf(&ours, "<%s", tk.Local())
			case End:
				fmt.Fprintf(&ours, ">")
			case Text:
				text.Write(tk.AppendText(nil))
			}
		}
		if n > 2*len(b) {
			t.Fatalf("%d tokens of %d bytes", n, len(b))
		}
		if tk.Err() != nil {
			return
		}
		d := xml.NewDecoder(bytes.NewReader(b))
		var theirs, theirText bytes.Buffer
		depth := 0
		for {
			tok, err := d.RawToken()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return // stricter than we are
			}
			done := false
			switch v := tok.(type) {
			case xml.StartElement:
				fmt.Fprintf(&theirs, "<%s", v.Name.Local)
				depth++
			case xml.EndElement:
				theirs.WriteString(">")
				depth--
				done = depth == 0
			case xml.CharData:
				if depth > 0 {
					theirText.Write(v)
				}
			}
			if done {
				break
			}
		}
		if bytes.ContainsAny(b, ":\r") {
			return // colons in odd places and line ends are treated differently
		}
		if ours.String() != theirs.String() {
			t.Fatalf("%q\n ours %s\ntheirs %s", b, ours.String(), theirs.String())
		}
		if text.String() != theirText.String() {
			t.Fatalf("%q\n our text %q\ntheir text %q", b, text.String(), theirText.String())
		}
	})
}

// FuzzSplitter holds the splitter to split-invariance and to its bound.
func FuzzSplitter(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		run := func(n int) (out []string) {
			s := Splitter{Max: 64}
			total := int64(0)
			g := func(d Document) {
				if len(d.Head) > 64 || int64(len(d.Head)) > d.Size {
					t.Fatal("bound")
				}
				total += d.Size
				out = append(out, fmt.Sprintf("%q %d %v", d.Head, d.Size, d.Truncated))
			}
			for i := 0; i < len(b); i += n {
				s.Write(b[i:min(i+n, len(b))], g)
			}
			s.Close(g)
			if total+s.Junk != int64(len(b)) {
				t.Fatalf("%d in documents, %d junk, of %d", total, s.Junk, len(b))
			}
			return out
		}
		whole := strings.Join(run(len(b)+1), "\n")
		if got := strings.Join(run(int(step)+1), "\n"); got != whole {
			t.Fatalf("cut every %d:\n%s\nwhole:\n%s", int(step)+1, got, whole)
		}
	})
}
