// SPDX-License-Identifier: Apache-2.0

package xmltok

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// The limits of a document.
const (
	MaxDepth    = 64
	MaxAttrs    = 64
	MaxName     = 256
	MaxBindings = 64
	MaxTokens   = 1 << 20
)

// Kind says what a token is.
type Kind uint8

// The kinds of token. End is given for empty-element tags as well.
const (
	None Kind = iota
	Start
	End
	Text
)

// Error is a document that cannot be read on. Truncated is set when the bytes
// simply ended: everything before was fine.
type Error struct {
	Offset    int
	Reason    string
	Truncated bool
}

func (e *Error) Error() string { return fmt.Sprintf("xml: offset %d: %s", e.Offset, e.Reason) }

// Attr is an attribute of a start tag. Value is as written, references not
// replaced: see Unescape.
type Attr struct {
	Prefix, Local, Value []byte
}

// opened is the name of an open element, and where its local part begins.
type opened struct {
	name  []byte
	local int
}

type binding struct {
	depth       int
	prefix, uri []byte
}

// Tokenizer reads one document. The slices that it returns are parts of the
// document and stay valid as long as that does.
type Tokenizer struct {
	b      []byte
	off    int
	tokens int
	err    *Error
	done   bool

	kind    Kind
	prefix  []byte
	local   []byte
	text    []byte
	cdata   bool
	attrs   [MaxAttrs]Attr
	nattrs  int
	empty   bool // the start tag was an empty-element tag: its End is due
	popDue  bool // the element just ended leaves scope before the next token
	names   [MaxDepth]opened
	depth   int
	binds   [MaxBindings]binding
	nbinds  int
	started bool
}

// Reset starts on a new document.
func (t *Tokenizer) Reset(b []byte) {
	// What the arrays hold beyond their counts is never read: to clear all of
	// them would cost more than most documents.
	t.b, t.off, t.tokens, t.err, t.done = b, 0, 0, nil, false
	t.kind, t.prefix, t.local, t.text, t.cdata = None, nil, nil, nil, false
	t.nattrs, t.empty, t.popDue, t.depth, t.nbinds, t.started = 0, false, false, 0, 0, false
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		t.off = 3
	}
	if len(b) >= 2 && (b[0] == 0xfe && b[1] == 0xff || b[0] == 0xff && b[1] == 0xfe || b[0] == 0 || b[1] == 0) {
		t.fail("UTF-16 is not read", false)
	}
}

// New returns a Tokenizer on a document.
func New(b []byte) *Tokenizer {
	t := new(Tokenizer)
	t.Reset(b)
	return t
}

// Err returns why Next returned None: nil at the end of a complete document.
func (t *Tokenizer) Err() *Error { return t.err }

// Offset is how many bytes were read.
func (t *Tokenizer) Offset() int { return t.off }

// Depth is how many elements are open, the one of a Start or End token included.
func (t *Tokenizer) Depth() int { return t.depth }

// Prefix and Local are the name of the element of a Start or End token.
func (t *Tokenizer) Prefix() []byte { return t.prefix }

// Local is the local part of the element's name.
func (t *Tokenizer) Local() []byte { return t.local }

// Is reports whether the element's local name is the one given.
func (t *Tokenizer) Is(local string) bool { return string(t.local) == local }

// Space is the namespace name of the element, as written.
func (t *Tokenizer) Space() []byte { return t.Lookup(t.prefix) }

// Attrs are the attributes of a Start token, namespace declarations included.
func (t *Tokenizer) Attrs() []Attr { return t.attrs[:t.nattrs] }

// Attr returns the value of the first attribute with that local name.
func (t *Tokenizer) Attr(local string) []byte {
	for i := range t.attrs[:t.nattrs] {
		if string(t.attrs[i].Local) == local && string(t.attrs[i].Prefix) != "xmlns" {
			return t.attrs[i].Value
		}
	}
	return nil
}

// Text is the content of a Text token as written; AppendText replaces its
// references.
func (t *Tokenizer) Text() []byte { return t.text }

// AppendText appends the content of a Text token to dst, with references
// replaced unless it is a CDATA section.
func (t *Tokenizer) AppendText(dst []byte) []byte {
	if t.cdata {
		return append(dst, t.text...)
	}
	return AppendUnescaped(dst, t.text)
}

// Lookup returns the namespace name bound to a prefix here, nil when none is.
func (t *Tokenizer) Lookup(prefix []byte) []byte {
	for i := t.nbinds - 1; i >= 0; i-- {
		if bytes.Equal(t.binds[i].prefix, prefix) {
			return t.binds[i].uri
		}
	}
	return nil
}

func (t *Tokenizer) fail(reason string, truncated bool) Kind {
	if t.err == nil {
		t.err = &Error{Offset: t.off, Reason: reason, Truncated: truncated}
	}
	t.done = true
	t.kind = None
	return None
}

func (t *Tokenizer) pop() {
	t.depth--
	for t.nbinds > 0 && t.binds[t.nbinds-1].depth > t.depth {
		t.nbinds--
	}
}

// Next reads the next token. It returns None at the end and on an error; see
// Err. White space between tags is given as Text.
func (t *Tokenizer) Next() Kind {
	if t.done {
		return None
	}
	if t.popDue {
		t.popDue = false
		t.pop()
	}
	t.nattrs = 0
	if t.empty {
		t.empty = false
		t.popDue = true
		t.kind = End
		return End
	}
	for {
		if t.tokens++; t.tokens > MaxTokens {
			return t.fail("too many tokens", false)
		}
		if t.depth == 0 && t.started {
			t.done = true
			t.kind = None
			return None
		}
		rest := t.b[t.off:]
		if len(rest) == 0 {
			return t.fail("document ends within an element", true)
		}
		if rest[0] != '<' {
			n := bytes.IndexByte(rest, '<')
			if n < 0 {
				n = len(rest)
			}
			text := rest[:n]
			if t.depth == 0 {
				if len(bytes.TrimLeft(text, " \t\r\n")) > 0 {
					return t.fail("text outside of the root element", false)
				}
				t.off += n
				continue
			}
			t.off += n
			t.text, t.cdata, t.kind = text, false, Text
			return Text
		}
		if len(rest) < 2 {
			return t.fail("tag is cut", true)
		}
		switch rest[1] {
		case '?':
			n := bytes.Index(rest, []byte("?>"))
			if n < 0 {
				return t.fail("processing instruction is cut", true)
			}
			t.off += n + 2
		case '!':
			switch {
			case bytes.HasPrefix(rest, []byte("<!--")):
				n := bytes.Index(rest[4:], []byte("-->"))
				if n < 0 {
					return t.fail("comment is cut", true)
				}
				t.off += 4 + n + 3
			case bytes.HasPrefix(rest, []byte("<![CDATA[")) && t.depth > 0:
				n := bytes.Index(rest[9:], []byte("]]>"))
				if n < 0 {
					return t.fail("CDATA section is cut", true)
				}
				t.text, t.cdata, t.kind = rest[9:9+n], true, Text
				t.off += 9 + n + 3
				return Text
			case len(rest) < 9 && (bytes.HasPrefix([]byte("<!--"), rest) || bytes.HasPrefix([]byte("<![CDATA["), rest)):
				return t.fail("markup is cut", true)
			default:
				return t.fail("document type declarations are refused", false)
			}
		case '/':
			return t.endTag()
		default:
			return t.startTag()
		}
	}
}

func (t *Tokenizer) endTag() Kind {
	rest := t.b[t.off+2:]
	var open opened
	if t.depth > 0 {
		open = t.names[t.depth-1]
	}
	n := len(open.name)
	if t.depth == 0 || len(rest) <= n || rest[n] != '>' || string(rest[:n]) != string(open.name) { // it is written in another way, or wrong
		n = bytes.IndexByte(rest, '>')
		if n < 0 {
			return t.fail("end tag is cut", true)
		}
		name := bytes.TrimRight(rest[:n], " \t\r\n")
		if t.depth == 0 || !bytes.Equal(name, open.name) {
			return t.fail("end tag without its start tag", false)
		}
	}
	t.prefix, t.local = open.parts()
	t.off += 2 + n + 1
	t.popDue = true
	t.kind = End
	return End
}

func (t *Tokenizer) startTag() Kind {
	i := t.off + 1
	name, i := t.name(i)
	if i < 0 {
		return None
	}
	open := opened{name, bytes.IndexByte(name, ':') + 1}
	if t.depth >= MaxDepth {
		return t.fail("elements nested too deeply", false)
	}
	t.names[t.depth] = open
	t.depth++
	t.started = true
	t.prefix, t.local = open.parts()
	for {
		j := i
		for j < len(t.b) && isSpace(t.b[j]) {
			j++
		}
		if j >= len(t.b) {
			return t.fail("start tag is cut", true)
		}
		switch c := t.b[j]; {
		case c == '>':
			t.off = j + 1
			t.kind = Start
			return Start
		case c == '/':
			if j+1 >= len(t.b) {
				return t.fail("start tag is cut", true)
			}
			if t.b[j+1] != '>' {
				return t.fail("stray / in a tag", false)
			}
			t.off = j + 2
			t.empty = true
			t.kind = Start
			return Start
		case j == i:
			return t.fail("white space missing before an attribute", false)
		}
		if i = t.attr(j); i < 0 {
			return None
		}
	}
}

// attr reads one attribute at i and returns the offset after it, -1 on error.
func (t *Tokenizer) attr(i int) int {
	name, i := t.name(i)
	if i < 0 {
		return -1
	}
	for i < len(t.b) && isSpace(t.b[i]) {
		i++
	}
	if i < len(t.b) && t.b[i] != '=' {
		t.fail("attribute without a value", false)
		return -1
	}
	i++
	for i < len(t.b) && isSpace(t.b[i]) {
		i++
	}
	if i >= len(t.b) {
		t.fail("start tag is cut", true)
		return -1
	}
	q := t.b[i]
	if q != '"' && q != '\'' {
		t.fail("attribute value without quotes", false)
		return -1
	}
	n := bytes.IndexByte(t.b[i+1:], q)
	if n < 0 {
		t.fail("attribute value is cut", true)
		return -1
	}
	v := t.b[i+1 : i+1+n]
	if t.nattrs >= MaxAttrs {
		t.fail("too many attributes", false)
		return -1
	}
	a := &t.attrs[t.nattrs]
	a.Prefix, a.Local = splitName(name)
	a.Value = v
	t.nattrs++
	var bind []byte
	switch {
	case string(a.Prefix) == "xmlns":
		bind = a.Local
	case len(a.Prefix) == 0 && string(a.Local) == "xmlns":
		bind = []byte{}
	default:
		return i + n + 2
	}
	if t.nbinds >= MaxBindings {
		t.fail("too many namespace declarations", false)
		return -1
	}
	t.binds[t.nbinds] = binding{depth: t.depth, prefix: bind, uri: v}
	t.nbinds++
	return i + n + 2
}

// name reads a name at i and returns it with the offset after it, -1 on error.
func (t *Tokenizer) name(i int) ([]byte, int) {
	j := i
	for j < len(t.b) && nameBytes[t.b[j]] {
		j++
	}
	if j-i > MaxName {
		t.fail("name too long", false)
		return nil, -1
	}
	if j >= len(t.b) {
		t.fail("tag is cut", true)
		return nil, -1
	}
	if j == i || t.b[i] == '-' || t.b[i] == '.' || t.b[i] >= '0' && t.b[i] <= '9' {
		t.fail("not a name", false)
		return nil, -1
	}
	return t.b[i:j], j
}

func (o *opened) parts() (prefix, local []byte) {
	if o.local == 0 {
		return nil, o.name
	}
	return o.name[:o.local-1], o.name[o.local:]
}

func splitName(n []byte) (prefix, local []byte) {
	if i := bytes.IndexByte(n, ':'); i >= 0 {
		return n[:i], n[i+1:]
	}
	return nil, n
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// nameBytes says for each byte what isNameByte does.
var nameBytes = func() (is [256]bool) {
	for c := range is {
		is[c] = isNameByte(byte(c))
	}
	return is
}()

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '_' || c == '-' || c == '.' || c == ':' || c >= 0x80
}

// AppendUnescaped appends text with the five predefined entities and the
// character references replaced. Anything else that begins with & stays as it is.
func AppendUnescaped(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '&')
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		text = text[i:]
		end := bytes.IndexByte(text[:min(len(text), 12)], ';')
		if end < 0 {
			dst = append(dst, '&')
			text = text[1:]
			continue
		}
		r, ok := reference(text[1:end])
		if !ok {
			dst = append(dst, '&')
			text = text[1:]
			continue
		}
		dst = utf8.AppendRune(dst, r)
		text = text[end+1:]
	}
}

func reference(name []byte) (rune, bool) {
	switch string(name) {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	name = name[1:]
	base := rune(10)
	if name[0] == 'x' {
		base, name = 16, name[1:]
	}
	var r rune
	for _, c := range name {
		var d rune
		switch {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case base == 16 && c >= 'a' && c <= 'f':
			d = rune(c-'a') + 10
		case base == 16 && c >= 'A' && c <= 'F':
			d = rune(c-'A') + 10
		default:
			return 0, false
		}
		if r = r*base + d; r > utf8.MaxRune {
			return 0, false
		}
	}
	if len(name) == 0 || r == 0 || !utf8.ValidRune(r) {
		return 0, false
	}
	return r, true
}

// Resolve splits a QName given as a value (xsi:type, wsd:Types) into the
// namespace name that its prefix is bound to here and its local part.
func (t *Tokenizer) Resolve(qname []byte) (space, local []byte) {
	p, l := splitName(qname)
	return t.Lookup(p), l
}
