// SPDX-License-Identifier: Apache-2.0

package firewall

import "bytes"

// xml reads a CDA document as far as its tags go. Entities are not resolved: a document that declares any has met a rule.
type xml struct {
	x     *inspection
	wide  bool // UTF-16: every other byte is dropped, which leaves the ASCII that is looked for
	state xmlState
	quote byte
	tag   []byte
	match int // of what ends a comment or CDATA
	body  int // open nonXMLBody elements
	media int // open observationMedia elements
	// packed is the document in base 64 that is being read.
	packed *packed
}

type xmlState uint8

const (
	xmlText xmlState = iota
	xmlTag
	xmlComment
	xmlData
)

// maxTag bounds what is looked at of a tag.
const maxTag = 2048

func wide(head []byte) bool {
	return len(head) >= 4 && (head[0] == 0xFF && head[1] == 0xFE || head[0] == 0xFE && head[1] == 0xFF || head[0] == 0 || head[1] == 0)
}

func (p *xml) write(b []byte) {
	for _, c := range b {
		if p.x.Stop() {
			return
		}
		if c == 0 && p.wide {
			continue
		}
		p.step(c)
	}
}

func (p *xml) end() {
	p.packed.end()
	if p.state == xmlTag {
		p.judge()
	}
}

func (p *xml) step(c byte) {
	switch p.state {
	case xmlText:
		if c == '<' {
			p.state, p.quote, p.tag = xmlTag, 0, p.tag[:0]
			p.packed.end()
			p.packed = nil
		} else if p.packed != nil {
			p.packed.step(c)
		}
	case xmlTag:
		if len(p.tag) < maxTag {
			p.tag = append(p.tag, c)
		}
		switch {
		case string(p.tag) == "!--":
			p.state, p.match = xmlComment, 0
		case string(p.tag) == "![CDATA[":
			p.state, p.match = xmlData, 0
		case len(p.tag) == 8 && (hasPrefixFold(p.tag, "!doctype") || hasPrefixFold(p.tag, "!entity ")):
			p.x.hit(cdaEntity, "a document type or entities")
		case p.quote != 0:
			if c == p.quote {
				p.quote = 0
			}
		case c == '"' || c == '\'':
			p.quote = c
		case c == '>':
			p.judge()
			p.state = xmlText
		case c == '<':
			p.judge()
			p.tag = p.tag[:0]
		}
	case xmlComment:
		p.until(c, "-->")
	case xmlData:
		p.until(c, "]]>")
	}
}

// until waits for the end of a comment or CDATA section; of a run of its first character the last two count.
func (p *xml) until(c byte, end string) {
	switch {
	case c == end[p.match]:
		if p.match++; p.match == len(end) {
			p.state = xmlText
		}
	case p.match == 2 && c == end[1]:
	case c == end[0]:
		p.match = 1
	default:
		p.match = 0
	}
}

// cdaActive are elements that HTML runs, and that CDA does not have.
var cdaActive = []string{"script", "iframe", "frame", "object", "embed", "applet", "svg", "base", "form", "meta"}

func (p *xml) judge() {
	x, tag := p.x, p.tag
	if hasPrefixFold(tag, "?xml-stylesheet") {
		x.hit(cdaStylesheet, "a stylesheet")
		return
	}
	if hasPrefixFold(tag, "?xml") {
		if e := target(tag, "encoding"); e != nil && !readable(e) {
			x.hit(documentOpaque, "a document in an encoding that is not read")
		}
	}
	closing := len(tag) > 0 && tag[0] == '/'
	name := bytes.TrimLeft(tag, "/")
	if i := bytes.IndexAny(name, " \t\r\n/>"); i >= 0 {
		name = name[:i]
	}
	if i := bytes.LastIndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	switch {
	case one(name, []string{"nonxmlbody"}):
		p.body = nest(p.body, closing)
	case one(name, []string{"observationmedia"}):
		p.media = nest(p.media, closing)
	case one(name, []string{"text", "value"}) && bytes.EqualFold(target(tag, "representation"), []byte("B64")):
		p.packed = &packed{x: x}
	case one(name, cdaActive):
		x.hit(cdaScript, "an active element of HTML")
	case one(name, []string{"include", "img"}):
		if target(tag, "href") != nil || target(tag, "src") != nil {
			x.hit(cdaExternal, "something outside of the document is loaded with it")
		}
	case one(name, []string{"reference"}):
		if v := target(tag, "value"); len(v) > 0 && v[0] != '#' {
			if p.body > 0 || p.media > 0 {
				x.hit(cdaExternal, "something outside of the document is loaded with it")
			} else {
				x.hit(documentLink, "a link to an address")
			}
		}
	case one(name, []string{"linkhtml", "a"}):
		if v := target(tag, "href"); len(v) > 0 && v[0] != '#' {
			x.hit(documentLink, "a link to an address")
		}
	}
	if handler(tag) || scriptAddress(tag) || bytes.Contains(tag, []byte("&#")) && scriptAddress(unescape(tag)) {
		x.hit(cdaScript, "an event handler or an address that runs a script")
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

func nest(n int, closing bool) int {
	if closing {
		return max(n-1, 0)
	}
	return min(n+1, 1<<20)
}

// target returns the value of an attribute, nil when there is none.
func target(tag []byte, name string) []byte {
	for i := 0; i+len(name) < len(tag); i++ {
		if !hasPrefixFold(tag[i:], name) || i > 0 && alphanumeric(tag[i-1]) {
			continue
		}
		rest := bytes.TrimLeft(tag[i+len(name):], " \t\r\n")
		if len(rest) < 2 || rest[0] != '=' {
			continue
		}
		rest = bytes.TrimLeft(rest[1:], " \t\r\n")
		if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			continue
		}
		v := rest[1:]
		if j := bytes.IndexByte(v, rest[0]); j >= 0 {
			v = v[:j]
		}
		return bytes.TrimSpace(v)
	}
	return nil
}

// unescape resolves numeric character references below 128: others are no part of what is looked for.
func unescape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '&' || i+2 >= len(s) || s[i+1] != '#' {
			out = append(out, s[i])
			continue
		}
		j, base, n := i+2, 10, 0
		if lower(s[j]) == 'x' {
			base = 16
			j++
		}
		for ; j < len(s) && n < 128; j++ {
			d := bytes.IndexByte([]byte("0123456789abcdef"), lower(s[j]))
			if d < 0 || d >= base {
				break
			}
			n = n*base + d
		}
		if n > 0 && n < 128 {
			out = append(out, byte(n))
		}
		if i = j - 1; j < len(s) && s[j] == ';' {
			i = j
		}
	}
	return out
}
