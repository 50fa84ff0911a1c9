// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"compress/lzw"
	"compress/zlib"
	"encoding/ascii85"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// pdfFile is a PDF as a reader opens it that follows the table at its end: each object stands where that says.
type pdfFile struct {
	b     []byte
	at    [10]int    // where objects stand; 0 for none
	in    [10][2]int // or the object stream that holds them, and which of its objects they are
	plain string     // a trailer to end with instead of a table in a stream
}

// script is what the hidden object is: harmless, and known by any reader.
const script = `<</S /JavaScript /JS (app.alert\(1\))>>`

// newPDFFile has a page, and opens object 7 with it.
func newPDFFile() *pdfFile {
	f := &pdfFile{b: []byte("%PDF-1.7\n")}
	f.object(1, "<</Type /Catalog /Pages 2 0 R /OpenAction 7 0 R /AA <</WC 7 0 R>> >>")
	f.object(2, "<</Type /Pages /Kids [3 0 R] /Count 1>>")
	f.object(3, "<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792]>>")
	return f
}

func (f *pdfFile) object(n int, body string) *pdfFile {
	return f.with(fmt.Sprintf("\n@%d %d 0 obj %s endobj\n", n, n, body))
}

// with adds text; where @7 stands begins object 7.
func (f *pdfFile) with(text string) *pdfFile {
	for i := 0; i < len(text); i++ {
		if n := i + 1; text[i] == '@' && n < len(text) && text[n] >= '0' && text[n] <= '9' {
			f.at[text[n]-'0'] = len(f.b)
			if i = n; i+1 < len(text) && text[i+1] == ' ' {
				i++
			}
			continue
		}
		f.b = append(f.b, text[i])
	}
	return f
}

// packed adds object 5, an object stream in which object 7 stands first.
func (f *pdfFile) packed(dictionary, content string) *pdfFile {
	f.in[7] = [2]int{5, 0}
	f.at[5] = len(f.b)
	f.b = append(f.b, fmt.Sprintf("5 0 obj <</Type /ObjStm %s /Length %d>> stream\n%s\nendstream endobj\n", dictionary, len(content), content)...)
	return f
}

// bytes ends the file with a table in a stream (ISO 32000-1 §7.5.8).
func (f *pdfFile) bytes() string {
	if f.plain != "" {
		return string(f.b) + f.plain
	}
	start := len(f.b)
	f.at[9] = start
	var table []byte
	for n := range f.at {
		switch {
		case f.in[n][0] != 0:
			table = append(table, 2)
			table = binary.BigEndian.AppendUint32(table, uint32(f.in[n][0]))
			table = binary.BigEndian.AppendUint16(table, uint16(f.in[n][1]))
			continue
		case f.at[n] != 0:
			table = append(table, 1)
		default:
			table = append(table, 0)
		}
		table = binary.BigEndian.AppendUint32(table, uint32(f.at[n]))
		table = binary.BigEndian.AppendUint16(table, 0)
	}
	return string(f.b) + fmt.Sprintf("9 0 obj <</Type /XRef /Size 10 /W [1 4 2] /Root 1 0 R /Filter /ASCIIHexDecode /Length %d>> stream\n%X>\nendstream endobj\nstartxref\n%d\n%%%%EOF\n", 2*len(table)+1, table, start)
}

// Filters, as encoders write them.

func inHex(s string) string { return hex.EncodeToString([]byte(s)) + ">" }

func in85(s string) string {
	var b bytes.Buffer
	w := ascii85.NewEncoder(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String() + "~>"
}

func inRuns(s string) string {
	var b []byte
	for len(s) > 0 {
		run := 1
		for run < min(len(s), 128) && s[run] == s[0] {
			run++
		}
		switch {
		case run > 2:
			b = append(b, byte(257-run), s[0])
		default:
			run = 1
			b = append(b, 0, s[0])
		}
		s = s[run:]
	}
	return string(append(b, 128))
}

// inLZW is what grows its codes when it must (EarlyChange 0).
func inLZW(s string) string {
	var b bytes.Buffer
	w := lzw.NewWriter(&b, lzw.MSB, 8)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

// inEarlyLZW is what PDF does when nothing is said: a code earlier.
func inEarlyLZW(s string) string {
	var out []byte
	bits, have := uint32(0), 0
	width, next, codes := 9, 258, map[string]int{}
	put := func(code int) {
		bits, have = bits<<width|uint32(code), have+width
		for ; have >= 8; have -= 8 {
			out = append(out, byte(bits>>(have-8)))
		}
	}
	codeOf := func(w string) int {
		if len(w) == 1 {
			return int(w[0])
		}
		return codes[w]
	}
	put(256)
	w := ""
	for i := range len(s) {
		longer := w + s[i:i+1]
		if _, ok := codes[longer]; ok || len(longer) == 1 {
			w = longer
			continue
		}
		put(codeOf(w))
		codes[longer] = next
		if next++; next == 1<<width {
			width++
		}
		if next == 4095 {
			put(256)
			width, next, codes = 9, 258, map[string]int{}
		}
		w = s[i : i+1]
	}
	if w != "" {
		put(codeOf(w))
		if next+1 == 1<<width { // the decoder has one more by now
			width++
		}
	}
	put(257)
	if have > 0 {
		out = append(out, byte(bits<<(8-have)))
	}
	return string(out)
}

func inZlib(s string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

// inRows is what PNG's filters make of rows of so many bytes, each kind in turn.
func inRows(s string, columns int) string {
	s += strings.Repeat(" ", (columns-len(s)%columns)%columns)
	above := strings.Repeat("\x00", columns)
	var out []byte
	for kind := 0; len(s) > 0; kind = (kind + 1) % 5 {
		row := s[:columns]
		out = append(out, byte(kind))
		for i := range columns {
			var left, corner byte
			if i > 0 {
				left, corner = row[i-1], above[i-1]
			}
			out = append(out, row[i]-[]byte{0, left, above[i], byte((int(left) + int(above[i])) / 2), paeth(left, above[i], corner)}[kind])
		}
		above, s = row, s[columns:]
	}
	return string(out)
}

// inDifferences is what TIFF's predictor makes of rows of so many bytes.
func inDifferences(s string, columns int) string {
	s += strings.Repeat(" ", (columns-len(s)%columns)%columns)
	out := []byte(s)
	for i := len(out) - 1; i > 0; i-- {
		if i%columns != 0 {
			out[i] -= out[i-1]
		}
	}
	return string(out)
}

// oneObject is the content of an object stream with object 7 alone, and what its dictionary says of it.
func oneObject(body string) (content, dictionary string) {
	return "7 0 " + body + "\n", "/N 1 /First 4"
}

// objectsAt is the content of an object stream with object 7 where @ stands in text.
func objectsAt(text string) (content, dictionary string) {
	at := strings.IndexByte(text, '@')
	header := "7 " + strconv.Itoa(at) + " "
	return header + strings.Replace(text, "@", "", 1), "/N 1 /First " + strconv.Itoa(len(header))
}
