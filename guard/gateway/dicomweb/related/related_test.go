// SPDX-License-Identifier: Apache-2.0

package related

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"
)

// parts reads a body as "type|location|content" for each part.
func parts(src io.Reader, boundary string, l Limits) ([]string, error) {
	r, err := NewReader(src, boundary, l)
	if err != nil {
		return nil, err
	}
	var out []string
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		b, err := io.ReadAll(p)
		if err != nil {
			return out, err
		}
		out = append(out, fmt.Sprintf("%s|%s|%s", p.ContentType, p.Location, b))
	}
}

func TestBodiesAreReadAsTheyAreMeant(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want []string
		err  error
	}{
		"two parts":                              {"--b\r\nContent-Type: application/dicom\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n", []string{"application/dicom||one", "||two"}, nil},
		"content may hold line ends and dashes":  {"--b\r\n\r\n\r\n-\r\n--\r\n--a\r\n\r\n--b--", []string{"||\r\n-\r\n--\r\n--a\r\n"}, nil},
		"a preamble and an epilogue are no part": {"hello\r\n--b\r\n\r\nx\r\n--b--\r\nbye", []string{"||x"}, nil},
		"padding after the delimiter":            {"--b \t\r\n\r\nx\r\n--b--", []string{"||x"}, nil},
		"an empty part":                          {"--b\r\n\r\n\r\n--b--", []string{"||"}, nil},
		"a part without header and body":         {"--b\r\n\r\n--b--", []string{"||"}, nil},
		"a part with a header and no body":       {"--b\r\nContent-Type: a/b\r\n\r\n--b--", []string{"a/b||"}, nil},
		"no part at all":                         {"--b--", nil, nil},
		"a location and the right length":        {"--b\r\nContent-Location: /studies/1\r\nCONTENT-LENGTH: 2\r\nContent-Transfer-Encoding: binary\r\n\r\nhi\r\n--b--", []string{"|/studies/1|hi"}, nil},

		"a length that is too long":             {"--b\r\nContent-Length: 3\r\n\r\nhi\r\n--b--", nil, ErrLength},
		"a length that is too short":            {"--b\r\nContent-Length: 1\r\n\r\nhi\r\n--b--", nil, ErrLength},
		"a length that is no number":            {"--b\r\nContent-Length: -1\r\n\r\nhi\r\n--b--", nil, ErrFraming},
		"base64":                                {"--b\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=\r\n--b--", nil, ErrEncoding},
		"gzip":                                  {"--b\r\nContent-Encoding: gzip\r\n\r\nx\r\n--b--", nil, ErrEncoding},
		"a boundary that goes on":               {"--b\r\n\r\nx\r\n--bb\r\n\r\ny\r\n--b--", nil, ErrFraming},
		"a field twice":                         {"--b\r\nContent-Type: a/b\r\ncontent-type: c/d\r\n\r\nx\r\n--b--", nil, ErrFraming},
		"a folded field":                        {"--b\r\nContent-Type: a/b;\r\n c=d\r\n\r\nx\r\n--b--", nil, ErrFraming},
		"a control character in a field":        {"--b\r\nContent-Location: /a\x00b\r\n\r\nx\r\n--b--", nil, ErrFraming},
		"a bare line feed in a field":           {"--b\r\nContent-Location: /a\nX: y\r\n\r\nx\r\n--b--", nil, ErrFraming},
		"a field without a colon":               {"--b\r\nContent\r\n\r\nx\r\n--b--", nil, ErrFraming},
		"a space before the colon":              {"--b\r\nContent-Type : a/b\r\n\r\nx\r\n--b--", nil, ErrFraming},
		"line feeds alone":                      {"--b\n\nx\n--b--\n", nil, ErrFraming},
		"a line feed before the boundary":       {"--b\r\n\r\nx\n--b\r\n\r\ny\r\n--b--", nil, ErrFraming},
		"a line feed alone before the first":    {"\n--b\r\n\r\nx\r\n--b--", nil, ErrFraming},
		"a last delimiter that goes on":         {"--b\r\n\r\nx\r\n--b--c", nil, ErrFraming},
		"cut off in the content":                {"--b\r\n\r\nx\r\n--", nil, io.ErrUnexpectedEOF},
		"cut off in the header":                 {"--b\r\nContent-Ty", nil, io.ErrUnexpectedEOF},
		"cut off after a delimiter":             {"--b\r\n\r\nx\r\n--b", nil, io.ErrUnexpectedEOF},
		"an empty body":                         {"", nil, io.ErrUnexpectedEOF},
		"another boundary":                      {"--c\r\n\r\nx\r\n--c--", nil, io.ErrUnexpectedEOF},
		"one part too many":                     {strings.Repeat("--b\r\n\r\n", 1) + strings.Repeat("\r\n--b\r\n\r\n", 3) + "\r\n--b--", nil, ErrParts},
		"a part that is one byte too large":     {"--b\r\n\r\n" + strings.Repeat("x", 1001) + "\r\n--b--", nil, ErrTooLarge},
		"a part that is as large as it may":     {"--b\r\n\r\n" + strings.Repeat("x", 1000) + "\r\n--b--", []string{"||" + strings.Repeat("x", 1000)}, nil},
		"a header that is too long":             {"--b\r\nContent-Type: " + strings.Repeat("x", 300) + "\r\n\r\nx\r\n--b--", nil, ErrFraming},
		"a header of many fields":               {"--b\r\n" + strings.Repeat("A: b\r\n", 200) + "\r\nx\r\n--b--", nil, ErrFraming},
		"much before the first delimiter":       {strings.Repeat("x", 70<<10) + "\r\n--b\r\n\r\nx\r\n--b--", nil, ErrFraming},
		"padding without end":                   {"--b" + strings.Repeat(" ", 200) + "\r\n\r\nx\r\n--b--", nil, ErrFraming},
		"something between delimiter and CRLF":  {"--b x\r\n\r\nx\r\n--b--", nil, ErrFraming},
		"a carriage return alone in the header": {"--b\r\nContent-Type: a/b\rX: y\r\n\r\nx\r\n--b--", nil, ErrFraming},
	} {
		t.Run(name, func(t *testing.T) {
			l := Limits{Parts: 3, Header: 256, Part: 1000, Preamble: 100}
			got, err := parts(strings.NewReader(c.body), "b", l)
			if !errors.Is(err, c.err) || c.err == nil && err != nil {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if c.err == nil && fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			slow, err2 := parts(iotest.OneByteReader(strings.NewReader(c.body)), "b", l)
			if fmt.Sprint(err) != fmt.Sprint(err2) || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", slow) {
				t.Errorf("read byte by byte it is %q, %v; otherwise %q, %v", slow, err2, got, err)
			}
		})
	}
}

func TestAPartThatIsWrongDoesNotHideTheNext(t *testing.T) {
	body := "--b\r\n\r\n" + strings.Repeat("x", 200_000) + "\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--b\r\nContent-Length: 9\r\n\r\nx\r\n--b\r\n\r\nlast\r\n--b--"
	r, err := NewReader(strings.NewReader(body), "b", Limits{Part: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{ErrTooLarge, ErrEncoding, ErrLength, nil} {
		p, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if !errors.Is(err, want) || want == nil && (err != nil || string(b) != "last") {
			t.Errorf("part %d: %q, %v, want %v", i+1, b, err, want)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
}

func TestWhatWriterWritesTheStandardLibraryReads(t *testing.T) {
	var b bytes.Buffer
	boundary := NewBoundary()
	w := NewWriter(&b, boundary)
	contents := [][]byte{[]byte("one"), bytes.Repeat([]byte("\r\n--"), 50_000), {}}
	for i, c := range contents {
		if err := w.Part("application/dicom", fmt.Sprintf("/studies/%d", i)); err != nil {
			t.Fatal(err)
		}
		b.Write(c)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	theirs := multipart.NewReader(bytes.NewReader(b.Bytes()), boundary)
	ours, err := NewReader(bytes.NewReader(b.Bytes()), boundary, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range contents {
		p, err := theirs.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		o, err := ours.Next()
		if err != nil {
			t.Fatal(err)
		}
		a, err1 := io.ReadAll(p)
		d, err2 := io.ReadAll(o)
		if err1 != nil || err2 != nil || !bytes.Equal(a, c) || !bytes.Equal(d, c) || o.Location != p.Header.Get("Content-Location") {
			t.Errorf("part %d: %v, %v", i, err1, err2)
		}
	}
	if err := w.Part("a/b\r\nX: y", ""); err == nil {
		t.Error("a line end in a header field was written")
	}
}

func TestMediaTypes(t *testing.T) {
	for in, want := range map[string]string{
		`multipart/related; type="application/dicom"; boundary=abc`: "multipart/related map[boundary:abc type:application/dicom]",
		`Multipart/Related;TYPE=application/dicom;boundary="a b"`:   "multipart/related map[boundary:a b type:application/dicom]",
		`application/dicom`:                 "application/dicom map[]",
		`a/b;`:                              "a/b map[]",
		`a/b; c="d\"e"`:                     `a/b map[c:d"e]`,
		`a/b; c=d; C=e`:                     "",
		`a`:                                 "",
		`/`:                                 "",
		``:                                  "",
		`a/b; c`:                            "",
		`a/b; c="d`:                         "",
		`a/b; c="d" e`:                      "",
		"a/b; c=\"\x00\"":                   "",
		`a/b; c=d e`:                        "",
		`a /b`:                              "",
		strings.Repeat("x", 2000):           "",
		"a/b" + strings.Repeat("; x=y", 40): "",
	} {
		media, p, err := ParseMediaType(in)
		got := ""
		if err == nil {
			got = fmt.Sprint(media, " ", p)
			if _, _, err := mime.ParseMediaType(in); err != nil && !strings.Contains(in, "=application/dicom") {
				t.Errorf("%q: the standard library refuses it: %v", in, err)
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q (%v)", in, got, want, err)
		}
	}
	for b, want := range map[string]bool{"a": true, strings.Repeat("a", 200): true, strings.Repeat("a", 201): false, "": false, "a ": false, "a b": true, "a\r\n": false, "ä": false} {
		if _, err := NewReader(nil, b, Limits{}); (err == nil) != want {
			t.Errorf("boundary %q: %v", b, err)
		}
	}
}

// FuzzRelated holds the reader to reading the same however the bytes come, and to
// what it accepts being read the same by the standard library.
func FuzzRelated(f *testing.F) {
	f.Add([]byte("--b\r\nContent-Type: application/dicom\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"))
	f.Add([]byte("x\r\n--b \r\nContent-Length: 2\r\n\r\n\r\n\r\n--b--"))
	f.Add([]byte("--b\r\n\r\n--b--"))
	f.Fuzz(func(t *testing.T, body []byte) {
		l := Limits{Parts: 20, Header: 512, Part: 4096}
		got, err := parts(bytes.NewReader(body), "b", l)
		slow, err2 := parts(iotest.HalfReader(bytes.NewReader(body)), "b", l)
		if fmt.Sprint(err) != fmt.Sprint(err2) || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", slow) {
			t.Fatalf("%q, %v; in pieces %q, %v", got, err, slow, err2)
		}
		if err != nil {
			return
		}
		theirs := multipart.NewReader(bytes.NewReader(body), "b")
		for i, g := range got {
			p, err := theirs.NextRawPart()
			if err != nil {
				t.Skip("the standard library is stricter:", err)
			}
			b, err := io.ReadAll(p)
			if want := fmt.Sprintf("%s|%s|%s", p.Header.Get("Content-Type"), p.Header.Get("Content-Location"), b); err != nil || g != want {
				t.Fatalf("part %d: %q, the standard library reads %q, %v", i+1, g, want, err)
			}
		}
		if _, err := theirs.NextRawPart(); !errors.Is(err, io.EOF) {
			t.Fatalf("the standard library reads more parts: %v", err)
		}
	})
}

func TestAReaderThatWasClosedReadsNothing(t *testing.T) {
	r, err := NewReader(strings.NewReader("--b\r\n\r\nx\r\n--b--"), "b", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	r.Close()
	if _, err := p.Read(make([]byte, 10)); !errors.Is(err, ErrClosed) {
		t.Errorf("its part: %v", err)
	}
	if _, err := r.Next(); !errors.Is(err, ErrClosed) {
		t.Errorf("its next part: %v", err)
	}
}
