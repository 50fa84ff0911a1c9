// SPDX-License-Identifier: Apache-2.0

package firewall

import "bytes"

// xml reads a CDA document as far as its tags and their attributes go, as long as they may be. References to characters are resolved, entities are
// not: a document that declares any has met a rule. What is in base 64 is unpacked.
type xml struct {
	x     *inspection
	chars codeUnits
	state xmlState
	quote byte
	match int // of what ends a comment, CDATA or an instruction

	mark    []byte // of what "<!" or "<?" begins; of an XML declaration all of it
	element []byte // its name
	attr    []byte // the name of the attribute under way
	value   []byte
	ref     charRef
	closing bool
	empty   bool // "/" came: it has no content

	base64, deflated bool // what its attributes say of the content of the element under way
	pdf              bool

	depth int // of elements
	body  int // open nonXMLBody elements
	media int // open observationMedia elements
	// packed is the document in base 64 that is being read, in an element of a depth.
	packed   *packed
	packedAt int
}

type xmlState uint8

const (
	xmlText xmlState = iota
	xmlOpen          // "<" came
	xmlName
	xmlInside // between attributes
	xmlAttr
	xmlEquals // the name of an attribute ended
	xmlBefore // "=" came
	xmlValue
	xmlBang // "<!" came
	xmlComment
	xmlData
	xmlInstruction
)

// Bounds of what is held of a document: a name, the beginning of a value, an XML declaration.
const (
	maxName  = 64
	maxValue = 1024
	maxMark  = 256
)

func (p *xml) write(b []byte) {
	for _, c := range b {
		if p.x.Stop() {
			return
		}
		if c, ok := p.chars.next(c); ok && c != 0 {
			p.step(c)
		}
	}
}

func (p *xml) end() {
	p.packed.end()
	switch p.state {
	case xmlName:
		p.begin()
	case xmlAttr, xmlEquals, xmlBefore, xmlValue:
		p.attribute()
	case xmlInstruction:
		p.instruction()
	}
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// collect appends what fits.
func collect(to []byte, c byte, most int) []byte {
	if len(to) < most {
		to = append(to, c)
	}
	return to
}

func (p *xml) step(c byte) {
	switch p.state {
	case xmlText:
		if c == '<' {
			p.state = xmlOpen
		} else if p.packed != nil {
			p.ref.step(c, p.packed.step)
		}
	case xmlOpen:
		p.open(c)
	case xmlBang:
		p.bang(c)
	case xmlComment:
		p.until(c, "-->")
	case xmlData:
		if p.packed != nil {
			p.packed.step(c)
		}
		p.until(c, "]]>")
	case xmlInstruction:
		p.mark = collect(p.mark, c, maxMark)
		if p.until(c, "?>"); p.state == xmlText {
			p.instruction()
		}
	default:
		p.tag(c)
	}
}

func (p *xml) open(c byte) {
	p.mark, p.element, p.match = p.mark[:0], p.element[:0], 0
	switch p.closing, p.empty = c == '/', false; c {
	case '/':
		p.state = xmlName
	case '!':
		p.state = xmlBang
	case '?':
		p.state = xmlInstruction
	default:
		p.state = xmlName
		p.tag(c)
	}
}

// bang tells what "<!" begins.
func (p *xml) bang(c byte) {
	p.mark = collect(p.mark, c, maxMark)
	switch {
	case string(p.mark) == "--":
		p.state, p.match = xmlComment, 0
	case string(p.mark) == "[CDATA[":
		p.state, p.match = xmlData, 0
	case len(p.mark) == 7 && (hasPrefixFold(p.mark, "doctype") || hasPrefixFold(p.mark, "entity ")):
		p.x.hit(cdaEntity, "a document type or entities")
	case c == '>':
		p.state = xmlText
	case c == '<':
		p.state = xmlOpen
	}
}

// tag takes the next byte of a tag.
func (p *xml) tag(c byte) {
	switch p.state {
	case xmlName:
		if !space(c) && c != '/' && c != '>' && c != '<' {
			p.element = collect(p.element, c, maxName)
			return
		}
		p.begin()
		p.state = xmlInside
	case xmlAttr:
		switch {
		case c == '=':
			p.state = xmlBefore
			return
		case space(c):
			p.state = xmlEquals
			return
		case c != '>' && c != '<' && c != '/':
			p.attr = collect(p.attr, lower(c), maxName)
			return
		}
		p.attribute()
	case xmlEquals:
		switch {
		case space(c):
			return
		case c == '=':
			p.state = xmlBefore
			return
		}
		p.attribute()
	case xmlBefore:
		switch {
		case space(c):
			return
		case c == '"' || c == '\'':
			p.state, p.quote = xmlValue, c
			return
		case c != '>':
			p.state, p.quote = xmlValue, 0 // as HTML allows
			p.ref.step(c, p.character)
			return
		}
		p.attribute()
	case xmlValue:
		if p.quote != 0 && c != p.quote || p.quote == 0 && !space(c) && c != '>' {
			p.ref.step(c, p.character)
			return
		}
		p.ref.end(p.character)
		quoted := p.quote != 0
		if p.attribute(); quoted {
			return
		}
	}
	switch {
	case c == '>':
		p.finish()
		p.state = xmlText
	case c == '<':
		p.finish()
		p.state = xmlOpen
	case c == '/':
		p.empty = true
	case !space(c):
		p.state, p.empty = xmlAttr, false
		p.attr = collect(p.attr[:0], lower(c), maxName)
	}
}

// character takes the next byte of a value: what stands before it counts for nobody.
func (p *xml) character(c byte) {
	if len(p.value) > 0 || c > ' ' {
		p.value = collect(p.value, c, maxValue)
	}
}

// until waits for the end of a comment, CDATA section or instruction; of a run of its first character the last two count.
func (p *xml) until(c byte, end string) {
	switch {
	case c == end[p.match]:
		if p.match++; p.match == len(end) {
			p.state, p.match = xmlText, 0
		}
	case p.match == 2 && c == end[1]:
	case c == end[0]:
		p.match = 1
	default:
		p.match = 0
	}
}

// local is a name without its prefix.
func local(name []byte) []byte { return name[bytes.LastIndexByte(name, ':')+1:] }

func (p *xml) is(names ...string) bool { return one(local(p.element), names) }

// cdaActive are elements that HTML runs or fetches, and that CDA does not have.
var cdaActive = []string{"script", "iframe", "frame", "object", "embed", "applet", "svg", "base", "form", "meta", "style", "link"}

// begin judges the name of an element.
func (p *xml) begin() {
	p.attr, p.value = p.attr[:0], p.value[:0]
	p.base64, p.deflated, p.pdf = false, false, false
	switch {
	case p.closing:
	case one(local(p.element), cdaActive):
		p.x.hit(cdaScript, "an active element of HTML")
	case p.is("stylesheet"), string(local(p.element)) == "transform": // signatures have a Transform
		p.x.hit(cdaStylesheet, "a stylesheet")
	}
}

// attribute judges an attribute of the element under way.
func (p *xml) attribute() {
	x, name, v := p.x, local(p.attr), bytes.TrimRight(p.value, " \t\r\n")
	outside := len(v) > 0 && v[0] != '#'
	switch string(name) {
	case "representation":
		p.base64 = bytes.EqualFold(v, []byte("B64"))
	case "mediatype":
		p.pdf = bytes.Contains(bytes.ToLower(v), []byte("pdf"))
	case "compression":
		p.deflated = true
	case "href", "src":
		if p.is("include", "img", "audio", "video", "source", "import") {
			x.hit(cdaExternal, "something outside of the document is loaded with it")
		} else if outside && p.is("linkhtml", "a") {
			x.hit(documentLink, "a link to an address")
		}
	case "value":
		switch {
		case !outside || !p.is("reference"):
		case p.body > 0 || p.media > 0:
			x.hit(cdaExternal, "something outside of the document is loaded with it")
		default:
			x.hit(documentLink, "a link to an address")
		}
	}
	if hasPrefixFold(name, "on") && handler(append(append([]byte{' '}, name...), '=')) || handler(v) || scriptAddress(v) {
		x.hit(cdaScript, "an event handler or an address that runs a script")
	}
	p.attr, p.value, p.state = p.attr[:0], p.value[:0], xmlInside
}

// finish takes the end of a tag.
func (p *xml) finish() {
	n := 1
	switch {
	case p.closing:
		n = -1
	case p.empty:
		return
	}
	if p.closing && p.packed != nil && p.depth <= p.packedAt {
		p.packed.end()
		p.packed = nil
	}
	p.depth = max(p.depth+n, 0)
	switch {
	case p.is("nonxmlbody"):
		p.body = max(p.body+n, 0)
	case p.is("observationmedia"):
		p.media = max(p.media+n, 0)
	}
	if p.closing || !p.base64 && !p.pdf {
		return
	}
	switch {
	case p.packed != nil:
		p.x.hit(documentOpaque, "a document within a document within the document")
	case p.deflated:
		p.x.hit(documentOpaque, "a document within the document that is compressed")
	default:
		p.packed, p.packedAt, p.ref = &packed{x: p.x}, p.depth, charRef{}
	}
}

// instruction judges a processing instruction.
func (p *xml) instruction() {
	switch {
	case hasPrefixFold(p.mark, "xml-stylesheet"):
		p.x.hit(cdaStylesheet, "a stylesheet")
	case hasPrefixFold(p.mark, "xml"):
		for rest := p.mark; ; {
			i := bytes.Index(rest, []byte("encoding"))
			if i < 0 {
				return
			}
			rest = rest[i+len("encoding"):]
			if name, ok := bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte("=")); ok && !readable(bytes.TrimLeft(name, " \t\r\n\"'")) {
				p.x.hit(documentOpaque, "a document in an encoding that is not read")
			}
		}
	}
}

// readable reports an encoding in which ASCII is ASCII, or UTF-16.
func readable(name []byte) bool {
	for _, prefix := range [...]string{"utf-8", "utf8", "utf-16", "us-ascii", "ascii", "iso-8859-", "windows-125", "gb18030", "gbk", "gb2312", "big5", "euc-", "shift_jis"} {
		if hasPrefixFold(name, prefix) {
			return true
		}
	}
	return false
}
