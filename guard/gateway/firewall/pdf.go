// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"

	"github.com/asepsis/asepsis/wire/dicom"
)

// pdf reads a PDF (ISO 32000-1) as far as its names go: no object is built, nothing is executed. Streams are passed over,
// except object streams (§7.5.7), whose content is inflated within bounds and read as well.
type pdf struct {
	x     *inspection
	outer lexer
	inner lexer
	obj   pdfObject

	inStream bool
	eol      uint8 // line break after the keyword: 0 awaited, 1 CR came, 2 over
	match    int   // of endstream

	inf      *dicom.Inflater // of the stream under way; nil when it is not unpacked
	own      *dicom.Inflater
	zlib     int // bytes of its header to come
	unpacked uint64
	opaque   bool

	remote bool // a link to another file
	auto   bool // an action without a click

	files attachments

	ended   bool // %%EOF came
	since   int  // bytes since that are no white space
	after   [8]byte
	afterAt int
}

// pdfObject is what the dictionary of the object under way says.
type pdfObject struct {
	filters       []string
	packed        bool // it is an object stream
	n, first      bool
	predictor     bool
	tooManyFilter bool
}

func newPDF(x *inspection) *pdf {
	p := &pdf{x: x}
	p.outer = lexer{name: p.name, word: p.word, text: p.files.text, comment: p.comment}
	p.inner = lexer{name: p.judge, word: p.files.word, text: p.files.text, comment: func([]byte) {}}
	return p
}

func (p *pdf) write(b []byte) {
	for len(b) > 0 && !p.x.Stop() {
		if p.inStream {
			b = p.stream(b)
			continue
		}
		c := b[0]
		b = b[1:]
		p.outer.step(c)
		if p.ended && c > ' ' {
			p.trailing(c)
		}
	}
}

func (p *pdf) end() {
	if p.x.Stop() {
		return
	}
	p.outer.step('\n')
	if p.inStream {
		p.endStream()
	}
	switch {
	case p.remote && p.auto: // a share that is opened so is told the user's password hash
		p.x.hit(documentLaunch, "an action that may open another file by itself")
	case p.remote:
		p.x.hit(documentLink, "a link to another file")
	}
	p.files.end(p.x)
	if p.since > 256 {
		p.x.hit(documentTrailing, "much follows the end of the PDF")
	}
}

// trailing looks at what follows the end: another revision of the document (§7.5.6), or something else.
func (p *pdf) trailing(c byte) {
	p.since++
	if p.afterAt < len(p.after) {
		p.after[p.afterAt] = c
		if p.afterAt++; p.afterAt == len(p.after) && (c < '0' || c > '9') {
			if f := p.after[0]; (f < '0' || f > '9') && f != 'x' && f != '%' && f != 's' && f != 't' {
				p.x.hit(documentTrailing, "something else follows the end of the PDF")
			}
		}
	}
}

func (p *pdf) comment(text []byte) {
	if bytes.HasPrefix(text, []byte("%EOF")) {
		p.ended, p.since, p.afterAt = true, 0, 0
	}
}

func (p *pdf) word(w []byte) {
	switch string(w) {
	case "obj":
		p.obj = pdfObject{filters: p.obj.filters[:0]}
		p.files.object()
	case "stream":
		p.inStream, p.eol, p.match = true, 0, 0
		p.beginStream()
	default:
		p.files.word(w)
	}
}

// name judges a name of the file itself, which may be of a stream's dictionary.
func (p *pdf) name(n []byte) {
	o := &p.obj
	switch string(n) {
	case "FlateDecode", "Fl", "ASCIIHexDecode", "AHx", "ASCII85Decode", "A85", "LZWDecode", "LZW", "RunLengthDecode", "RL", "Crypt", "DCTDecode", "CCITTFaxDecode", "JBIG2Decode", "JPXDecode":
		if len(o.filters) < 8 {
			o.filters = append(o.filters, string(n))
		} else {
			o.tooManyFilter = true
		}
	case "ObjStm":
		o.packed = true
	case "N":
		o.n = true
	case "First":
		o.first = true
	case "Predictor":
		o.predictor = true
	case "EmbeddedFile":
		p.files.file = true
	}
	p.judge(n)
}

// judge tells what a name means for whoever opens the document.
func (p *pdf) judge(n []byte) {
	x := p.x
	p.files.name(n)
	switch string(n) {
	case "JavaScript", "JS":
		x.hit(documentScript, "JavaScript in a PDF")
	case "Launch", "SubmitForm", "ImportData", "GoToE", "RichMediaExecute":
		x.hit(documentLaunch, "an action that starts, sends or opens something else")
	case "GoToR":
		p.remote = true
	case "OpenAction", "AA":
		p.auto = true
		x.hit(documentOpenAction, "an action when the PDF is opened or a page is shown")
	case "URI":
		x.hit(documentLink, "a link to an address")
	case "RichMedia", "Movie", "Sound", "Rendition", "Flash":
		x.hit(documentRichMedia, "rich media in a PDF")
	case "XFA":
		x.hit(documentXFA, "an XFA form in a PDF")
	case "Encrypt":
		x.hit(documentEncrypted, "the PDF is encrypted")
	}
}

// beginStream prepares to unpack an object stream.
func (p *pdf) beginStream() {
	o := &p.obj
	p.inf, p.opaque = nil, false
	o.packed = o.packed || o.n && o.first
	if !o.packed {
		p.beginFile()
		return
	}
	if p.files.file {
		p.files.bad = "a file within the PDF that is said to hold objects too"
	}
	p.files.file = false
	p.inner.reset()
	switch {
	case len(o.filters) == 0:
	case len(o.filters) == 1 && (o.filters[0] == "FlateDecode" || o.filters[0] == "Fl") && !o.predictor:
		if p.own == nil {
			p.own = new(dicom.Inflater)
		}
		p.inf, p.zlib = p.own, 2
		p.inf.Reset()
	default:
		p.opaque = true
		p.x.hit(documentOpaque, "an object stream that is packed in a way that is not read")
	}
}

// stream takes bytes of a stream and returns those after its end.
func (p *pdf) stream(b []byte) []byte {
	for p.eol < 2 && len(b) > 0 {
		switch c := b[0]; {
		case p.eol == 0 && c == '\r':
			p.eol = 1
			b = b[1:]
		case c == '\n':
			p.eol = 2
			b = b[1:]
		case p.eol == 0 && (c == ' ' || c == '\t'):
			b = b[1:]
		default:
			p.eol = 2
		}
	}
	const end = "endstream"
	i := 0
	for i < len(b) && p.match < len(end) {
		if p.match == 0 {
			j := bytes.IndexByte(b[i:], 'e')
			if j < 0 {
				i = len(b)
				break
			}
			i += j
		}
		switch {
		case b[i] == end[p.match]:
			p.match++
			i++
		case p.match > 0:
			p.match = 0 // "e" begins the word alone: nothing to fall back to but this byte
		}
	}
	p.unpack(b[:i])
	if p.match == len(end) {
		p.endStream()
	}
	return b[i:]
}

func (p *pdf) endStream() {
	p.endFile()
	if p.inf != nil && !p.inf.Done() && !p.opaque {
		p.x.hit(documentOpaque, "an object stream that cannot be unpacked")
	}
	if p.obj.packed {
		p.inner.step('\n')
	}
	p.inStream, p.inf = false, nil
	p.obj = pdfObject{filters: p.obj.filters[:0]}
	p.files.object()
	p.outer.reset()
}

// unpack reads the content of an object stream. The inflater is given what follows too, and stops by itself.
func (p *pdf) unpack(b []byte) {
	if p.files.file {
		p.unpackFile(b)
		return
	}
	if !p.obj.packed || p.opaque {
		return
	}
	if p.inf == nil {
		for _, c := range b {
			if p.x.Stop() {
				return
			}
			p.inner.step(c)
		}
		return
	}
	for p.zlib > 0 && len(b) > 0 {
		p.zlib--
		b = b[1:]
	}
	for !p.opaque {
		out, n, err := p.inf.Inflate(b)
		b = b[n:]
		p.unpacked += uint64(len(out))
		for _, c := range out {
			if p.x.Stop() {
				return
			}
			p.inner.step(c)
		}
		switch {
		case p.unpacked > p.x.policy.max[documentBomb]:
			p.opaque = true
			p.x.hit(documentBomb, "packed objects grow beyond bounds")
		case err != nil:
			p.opaque = true
			p.x.hit(documentOpaque, "an object stream that cannot be unpacked")
		case p.inf.Done() || len(b) == 0 && len(out) == 0:
			return
		}
	}
}
