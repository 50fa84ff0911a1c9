// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
)

// active judges scripts, markup, templates and formulas in a text in UTF-8.
func (x *inspection) active(s []byte, m uint16) {
	if m&hasAngle != 0 {
		x.markup(s)
	}
	if m&hasEquals != 0 && handler(s) {
		x.hit(textScript, "an event handler of HTML")
	}
	if m&hasColon != 0 && scriptAddress(s) {
		x.hit(textScript, "an address that runs a script")
	}
	if m&(hasEscape|hasPercent) != 0 && encodedScript(s) {
		x.hit(textScript, "a script whose brackets are encoded")
	}
	if m&(hasBrace|hasAngle) != 0 && template(s) {
		x.hit(textTemplate, "an expression of a template or a log formatter")
	}
	if m&hasParen != 0 && formula(s) {
		x.hit(textFormula, "a formula of a spreadsheet")
	}
}

// activeTags are elements of HTML that run or load something. Sorted by nothing: there are few.
var activeTags = [...]string{"script", "iframe", "frame", "frameset", "object", "embed", "applet", "svg", "math", "link", "meta", "base", "form", "style", "img", "image", "audio", "video", "source", "input", "button",
	"body", "template", "isindex", "marquee", "foreignobject", "xml", "bgsound", "layer", "portal"}

// passiveTags are elements that only shape text. What is neither is no markup: "<1 mm", "a<b".
var passiveTags = [...]string{"a", "abbr", "acronym", "address", "article", "b", "big", "blockquote", "br", "caption", "center", "cite", "code", "col", "dd", "del", "details", "dir", "div", "dl", "dt", "em", "fieldset",
	"font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "i", "ins", "kbd", "label", "legend", "li", "main", "map", "mark", "menu", "nav", "nobr", "ol", "option", "p", "pre", "q", "s",
	"samp", "section", "select", "small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td", "textarea", "tfoot", "th", "thead", "title", "tr", "tt", "u", "ul", "var"}

func (x *inspection) markup(s []byte) {
	for i := 0; i < len(s); {
		j := bytes.IndexByte(s[i:], '<')
		if j < 0 {
			return
		}
		i += j + 1
		rest := s[i:]
		name := tagName(rest)
		switch {
		case one(name, activeTags[:]):
			x.hit(textScript, "an active element of HTML")
			return
		case hasPrefixFold(rest, "!doctype"), hasPrefixFold(rest, "!entity"), hasPrefixFold(rest, "![cdata["), hasPrefixFold(rest, "?xml"), hasPrefixFold(rest, "?php"):
			x.hit(textScript, "a declaration or instruction of XML or PHP")
			return
		case hasPrefixFold(rest, "!--"), one(name, passiveTags[:]) && bytes.IndexByte(rest, '>') >= 0:
			x.hit(textMarkup, "markup")
		}
	}
}

// activeTag reports an active element.
func activeTag(s []byte) bool {
	for {
		i := bytes.IndexByte(s, '<')
		if i < 0 {
			return false
		}
		if s = s[i+1:]; one(tagName(s), activeTags[:]) {
			return true
		}
	}
}

// tagName returns the name of a tag after its bracket, "" when there is none.
func tagName(s []byte) []byte {
	for len(s) > 0 && (s[0] == '/' || s[0] <= ' ') {
		s = s[1:]
	}
	n := 0
	for n < len(s) && n < 16 && (lower(s[n]) >= 'a' && lower(s[n]) <= 'z' || n > 0 && s[n] >= '0' && s[n] <= '9') {
		n++
	}
	if n < len(s) {
		switch c := s[n]; c {
		case '>', '/', ' ', '\t', '\n', '\r', '\f', 0:
		default:
			return nil
		}
	}
	return s[:n]
}

func one(name []byte, list []string) bool {
	for _, w := range list {
		if len(w) == len(name) && hasPrefixFold(name, w) {
			return true
		}
	}
	return false
}

// hasPrefixFold is for prefixes in lower case.
func hasPrefixFold(s []byte, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(s[i]) != prefix[i] {
			return false
		}
	}
	return true
}

// events are how event handlers of HTML go on after "on".
var events = [...]string{"abort", "after", "animation", "before", "begin", "blur", "change", "click", "close", "contextmenu", "copy", "cut", "dblclick", "drag", "drop", "end=", "error", "focus", "hashchange", "input", "invalid",
	"key", "load", "message", "mouse", "page", "paste", "play", "pointer", "popstate", "repeat", "reset", "resize", "scroll", "select", "show", "submit", "toggle", "touch", "transition", "unload", "wheel"}

// handler reports an event handler of HTML, in a tag or after a quote that would end an attribute.
func handler(s []byte) bool {
	for i := 0; i+4 < len(s); i++ {
		if lower(s[i]) != 'o' || lower(s[i+1]) != 'n' || i > 0 && bytes.IndexByte([]byte(" \t\r\n\f/\"'`"), s[i-1]) < 0 {
			continue
		}
		rest := s[i+2:]
		for _, e := range &events {
			if !hasPrefixFold(rest, e) {
				continue
			}
			n := 0
			for n < len(rest) && lower(rest[n]) >= 'a' && lower(rest[n]) <= 'z' {
				n++
			}
			for n < len(rest) && rest[n] <= ' ' {
				n++
			}
			if n < len(rest) && rest[n] == '=' {
				return true
			}
		}
	}
	return false
}

// scriptAddress reports javascript:, vbscript: and data: of active types. Tabs and line breaks within are ignored, as browsers do.
func scriptAddress(s []byte) bool {
	for i := 0; i < len(s); {
		j := bytes.IndexByte(s[i:], ':')
		if j < 0 {
			return false
		}
		i += j
		var word [12]byte
		n := len(word)
		for k := i - 1; k >= 0 && n > 0; k-- {
			c := lower(s[k])
			if c < ' ' {
				continue
			}
			if c < 'a' || c > 'z' {
				break
			}
			n--
			word[n] = c
		}
		w := word[n:]
		if bytes.HasSuffix(w, []byte("javascript")) || bytes.HasSuffix(w, []byte("vbscript")) || bytes.HasSuffix(w, []byte("livescript")) {
			return true
		}
		i++
		if string(w) == "data" {
			for _, kind := range [...]string{"text/html", "text/xml", "text/javascript", "image/svg", "application/x", "application/javascript"} {
				if hasPrefixFold(s[i:], kind) {
					return true
				}
			}
		}
	}
	return false
}

// encodedScript reports a tag of a script whose bracket is written as an entity, percent-encoded, escaped, or in UTF-7.
func encodedScript(s []byte) bool {
	for i := range s {
		switch s[i] {
		case '&', '%', '\\', '+':
		default:
			continue
		}
		for _, bracket := range [...]string{"&lt;", "&#60;", "&#x3c;", "&#060;", "%3c", "%253c", `\u003c`, `\x3c`, "+adw-"} {
			if hasPrefixFold(s[i:], bracket) {
				name := tagName(s[i+len(bracket):])
				if one(name, []string{"script", "iframe", "svg", "img", "object", "embed"}) || hasPrefixFold(s[i+len(bracket):], "script") {
					return true
				}
			}
		}
	}
	return false
}

// template reports an expression of a template engine or a log formatter, with its end.
func template(s []byte) bool {
	for i := 0; i+1 < len(s); i++ {
		var end string
		switch {
		case s[i] == '$' && s[i+1] == '{', s[i] == '#' && s[i+1] == '{':
			end = "}"
			if hasPrefixFold(s[i+2:], "jndi:") || hasPrefixFold(s[i+2:], "${") {
				return true
			}
		case s[i] == '{' && s[i+1] == '{':
			end = "}}"
		case s[i] == '{' && s[i+1] == '%':
			end = "%}"
		case s[i] == '<' && s[i+1] == '%':
			end = "%>"
		case s[i] == '<' && s[i+1] == '#' && i+2 < len(s) && lower(s[i+2]) >= 'a' && lower(s[i+2]) <= 'z':
			end = ">"
		default:
			continue
		}
		rest := s[i+2:]
		if bytes.Contains(rest[:min(len(rest), overlap-4)], []byte(end)) {
			return true
		}
	}
	return false
}

// formula reports a value that a spreadsheet would compute: a sign, a name, and a bracket or a pipe.
func formula(s []byte) bool {
	for more := true; more; {
		var v []byte
		v, s, more = bytes.Cut(s, []byte{'\\'})
		v = bytes.TrimLeft(v, " \t\r\n")
		if len(v) < 4 || bytes.IndexByte([]byte("=+@-"), v[0]) < 0 {
			continue
		}
		v = bytes.TrimLeft(v[1:], "=+@-")
		n := 0
		for n < len(v) && (lower(v[n]) >= 'a' && lower(v[n]) <= 'z' || v[n] == '.' || v[n] == '_') {
			n++
		}
		if n >= 2 && n < len(v) && (v[n] == '(' || v[n] == '|') {
			return true
		}
	}
	return false
}
