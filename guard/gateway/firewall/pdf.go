// SPDX-License-Identifier: Apache-2.0

package firewall

import "bytes"

// pdf reads a PDF (ISO 32000-1) as far as its names go: no object is built, nothing is executed. Object streams (§7.5.7) are unpacked within bounds
// and read as well, and files that it carries are looked into; other streams are passed over. Where readers could see another document
// than this one (an object within a string or a stream, a stream that some unpack in another way), that is a verdict of its own.
type pdf struct {
	x     *inspection
	outer lexer
	marks marks
	dict  dictionary

	inStream bool
	eol      uint8 // line break after the keyword: 0 awaited, 1 CR came, 2 over
	ragged   bool  // there was none
	match    int   // of endstream

	chain   chain
	content streamContent
	objects packedObjects

	hidden string // why a reader could see objects that others do not; told at the end
	remote bool   // a link to another file
	auto   bool   // an action without a click

	files attachments

	ended   bool // %%EOF came
	since   int  // bytes since that are no white space
	after   [8]byte
	afterAt int
}

// streamContent is what becomes of the content of the stream under way.
type streamContent uint8

const (
	contentSkipped streamContent = iota
	contentObjects
	contentFile
	contentOpaque // objects that cannot be unpacked; it was told
)

func newPDF(x *inspection) *pdf {
	p := &pdf{x: x}
	p.outer = lexer{name: p.name, word: p.word, text: p.text, comment: p.comment, bracket: p.dict.bracket}
	p.objects.lex = lexer{name: p.judge, word: p.files.word, text: p.files.text, comment: func([]byte) {}, bracket: func(byte) {}}
	p.chain.most = x.policy.max[documentBomb]
	p.chain.sink = p.unpacked
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
		if p.marks.step(c) && p.outer.inside() {
			p.hide("an object within a string or comment, where only some readers see it")
		}
		p.outer.step(c)
		if p.inStream { // c came after the keyword
			p.outer.reset()
			p.lineBreak(c)
		}
		if p.ended && c > ' ' {
			p.trailing(c)
		}
	}
}

// hide remembers that a reader could see what others do not.
func (p *pdf) hide(why string) {
	if p.hidden == "" {
		p.hidden = why
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
	if p.hidden != "" {
		p.x.hit(documentHidden, p.hidden)
	}
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

func (p *pdf) text(s []byte) {
	p.dict.text(s)
	p.files.text(s)
}

func (p *pdf) word(w []byte) {
	switch n := len(w) - len("obj"); {
	case n >= 0 && string(w[n:]) == "obj" && len(bytes.TrimLeft(w[:n], "0123456789+-.eE")) == 0:
		if n > 0 { // the number stands at the word
			p.files.word(w[:n])
		}
		p.dict.object()
		p.files.object()
	case string(w) == "stream" && p.dict.closed:
		if p.dict.depth > 0 {
			p.hide("a stream within a dictionary, where only some readers see it")
		}
		p.inStream, p.eol, p.ragged, p.match = true, 0, false, 0
		p.beginStream()
	default:
		p.dict.word(w)
		p.files.word(w)
	}
}

// name judges a name of the file itself, which may be of a stream's dictionary.
func (p *pdf) name(n []byte) {
	p.dict.name(n)
	if string(n) == "EmbeddedFile" {
		p.files.file = true
	}
	p.judge(n)
}

// judge tells what a name means for whoever opens the document.
func (p *pdf) judge(n []byte) {
	x := p.x
	p.files.name(n)
	switch string(n) {
	case "JavaScript", "JS", "OnInstantiate":
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
