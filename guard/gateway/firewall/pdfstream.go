// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"errors"
)

// beginStream decides what becomes of a stream by its dictionary.
func (p *pdf) beginStream() {
	p.content = contentSkipped
	if !p.dict.holdsObjects() {
		p.beginFile()
		return
	}
	if p.files.file {
		p.files.bad = "a file within the PDF that is said to hold objects too"
	}
	p.files.file = false
	p.content = contentObjects
	why := p.chain.begin(&p.dict)
	if why == "" {
		why = p.objects.begin(&p.dict)
	}
	if why != "" {
		p.opaque(why)
	}
}

// opaque tells that the objects of a stream cannot be looked into.
func (p *pdf) opaque(why string) {
	p.content = contentOpaque
	p.x.hit(documentOpaque, "an object stream "+why)
}

// lineBreak takes the next byte after the keyword "stream", and reports that it is not of the content (ISO 32000-1 §7.3.8.1). Some readers
// go on at the next byte, others in the next line: where that is not the same, they do not read the same.
func (p *pdf) lineBreak(c byte) bool {
	switch {
	case p.eol == 0 && c == '\r':
		p.eol = 1
	case c == '\n':
		p.eol = 2
	case p.eol == 0 && (c == ' ' || c == '\t'):
	default:
		p.ragged = p.ragged || p.eol == 0
		p.eol = 2
		return false
	}
	return true
}

// stream takes bytes of a stream and returns those after its end.
func (p *pdf) stream(b []byte) []byte {
	all := b
	for p.eol < 2 && len(b) > 0 && p.lineBreak(b[0]) {
		b = b[1:]
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
		case p.match == len("endstre"): // its last letter may be the first
			p.match = 1
		case p.match > 0:
			p.match = 0 // "e" begins the word in no other place: nothing to fall back to but this byte
		}
	}
	if p.marks.find(all[:len(all)-len(b)+i]) {
		p.hide("an object within a stream, where only some readers see it")
	}
	if p.content == contentObjects || p.content == contentFile {
		p.chain.write(b[:i])
		if p.x.Stop() {
			return nil
		}
	}
	if p.match == len(end) {
		p.endStream()
	}
	return b[i:]
}

// unpacked takes what comes out of the stream's filters.
func (p *pdf) unpacked(b []byte) bool {
	if p.content == contentFile {
		return p.files.content(b)
	}
	for _, c := range b {
		if p.x.Stop() {
			return false
		}
		p.objects.step(c)
	}
	return true
}

func (p *pdf) endStream() {
	switch p.content {
	case contentObjects:
		p.objects.lex.step('\n')
		switch {
		case p.x.Stop():
		case errors.Is(p.chain.failed, errBomb):
			p.x.hit(documentBomb, "packed objects grow beyond bounds")
		case !p.chain.whole():
			p.opaque("that cannot be unpacked")
		case p.ragged:
			p.opaque("that some readers begin elsewhere")
		case !p.objects.whole():
			p.opaque("that does not hold the objects that it says")
		}
		if p.objects.hidden {
			p.hide("an object within a string or comment of an object stream")
		}
	case contentFile:
		p.endFile()
	}
	p.inStream, p.content = false, contentSkipped
	p.dict.object()
	p.files.object()
	p.outer.reset()
}
