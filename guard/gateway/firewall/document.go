// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"strings"

	"github.com/asepsis/asepsis/wire/dicom"
)

// format is what a document is.
type format uint8

const (
	formatNone format = iota
	formatPDF
	formatXML
	formatSTL
	formatOBJ
	formatMTL
	formatOther
)

// sniff is how many bytes of a document are seen before its reader is chosen. PDF readers look for the header so far.
const sniff = 1024

// reader reads a document in pieces and tells what it meets.
type reader interface {
	write(b []byte)
	end()
}

// doc is the encapsulated document under way.
type doc struct {
	expected format // by the SOP class; formatNone when it says nothing
	reader   reader
	chosen   bool
}

// documentClass is the format of an encapsulated document storage class (PS3.4 §B.5).
func documentClass(uid string) format {
	switch uid {
	case "1.2.840.10008.5.1.4.1.1.104.1":
		return formatPDF
	case "1.2.840.10008.5.1.4.1.1.104.2":
		return formatXML
	case "1.2.840.10008.5.1.4.1.1.104.3":
		return formatSTL
	case "1.2.840.10008.5.1.4.1.1.104.4":
		return formatOBJ
	case "1.2.840.10008.5.1.4.1.1.104.5":
		return formatMTL
	}
	return formatNone
}

func (x *inspection) beginDocument(t *dicom.Token) {
	class := x.h.SOPClass
	if class == "" {
		class = x.a.SOPClass
	}
	x.val.doc = &doc{expected: documentClass(class)}
	x.ids.documentSize = uint64(t.Length)
}

// document takes the next bytes of an encapsulated document.
func (x *inspection) document(b []byte, last bool) {
	v := &x.val
	d := v.doc
	if !d.chosen {
		k := min(sniff-len(v.buf), len(b))
		v.buf = append(v.buf, b[:k]...)
		b = b[k:]
		if len(v.buf) < sniff && !last {
			return
		}
		d.chosen = true
		x.chooseReader(d, v.buf)
		if d.reader != nil {
			d.reader.write(v.buf)
		}
	}
	if d.reader == nil {
		return
	}
	d.reader.write(b)
	if last {
		d.reader.end()
		v.doc = nil
	}
}

// chooseReader tells what a document is by its first bytes, and judges that it is what it is said to be.
func (x *inspection) chooseReader(d *doc, head []byte) {
	is := formatOf(head, d.expected)
	x.ids.documentIs = is
	switch {
	case is == formatPDF && string(head[:min(len(head), 5)]) != "%PDF-":
		x.hit(documentType, "something stands before the header of a PDF")
	case d.expected != formatNone && is != d.expected:
		x.hit(documentType, "the document is not of the format that the SOP class says")
	case is == formatOther && (program(head) != "" || archive(head) != ""):
		x.hit(documentType, "the document is a program or an archive")
	}
	switch is {
	case formatPDF:
		d.reader = newPDF(x)
	case formatXML:
		d.reader = &xml{x: x, chars: codeUnitsOf(head)}
	case formatSTL:
		if x.stl(head) {
			d.reader = &mesh{x: x}
		}
	case formatOBJ, formatMTL:
		d.reader = &mesh{x: x}
	}
}

func formatOf(head []byte, expected format) format {
	text := bytes.TrimLeft(head, " \t\r\n\x00\ufeff\xff\xfe")
	switch {
	case expected == formatSTL:
		return formatSTL // its header is free
	case bytes.Contains(head, []byte("%PDF-")):
		return formatPDF
	case len(text) > 0 && text[0] == '<':
		return formatXML
	case expected == formatOBJ || expected == formatMTL:
		if program(head) != "" || archive(head) != "" || bytes.IndexByte(bytes.TrimRight(head, "\x00"), 0) >= 0 {
			return formatOther
		}
		return expected
	}
	return formatOther
}

// documentMIME compares the MIME type, which stands after the document.
func (x *inspection) documentMIME() {
	is := x.ids.documentIs
	if is == formatNone || x.h.DocumentType == "" {
		return
	}
	mime := strings.ToLower(x.h.DocumentType)
	fits := true
	switch is {
	case formatPDF:
		fits = mime == "application/pdf"
	case formatXML:
		fits = strings.Contains(mime, "xml") || strings.Contains(mime, "cda")
	case formatSTL:
		fits = strings.Contains(mime, "stl")
	case formatOBJ:
		fits = strings.Contains(mime, "obj") || strings.HasPrefix(mime, "text/")
	case formatMTL:
		fits = strings.Contains(mime, "mtl") || strings.HasPrefix(mime, "text/")
	}
	if !fits {
		x.hitAt(documentType, dicom.TagMIMETypeOfEncapsulatedDocument.String(), "the document is not of the format that the MIME type says")
	}
}
