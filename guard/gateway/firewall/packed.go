// SPDX-License-Identifier: Apache-2.0

package firewall

import "bytes"

// packed reads a document in base 64 (RFC 4648) within another: what a CDA carries in place of a body of its own. A nil packed reads nothing.
type packed struct {
	x      *inspection
	bits   uint32
	n      uint
	head   []byte
	chosen bool
	pdf    *pdf
	ended  bool // padding came
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

func (p *packed) step(c byte) {
	v := bytes.IndexByte([]byte(alphabet), c)
	if v < 0 || p.ended {
		p.ended = p.ended || c == '='
		return // white space; what else is there is left out by readers too
	}
	p.bits = p.bits<<6 | uint32(v)
	if p.n += 6; p.n < 8 {
		return
	}
	p.n -= 8
	b := byte(p.bits >> p.n)
	if p.chosen {
		if p.pdf != nil {
			p.pdf.write([]byte{b})
		}
		return
	}
	if p.head = append(p.head, b); len(p.head) == sniff {
		p.choose()
	}
}

// choose judges what the document is by its first bytes.
func (p *packed) choose() {
	p.chosen = true
	switch kind := program(p.head); {
	case kind != "":
		p.x.hit(documentType, "a document within the document begins as "+kind+" does")
	case bytes.Contains(p.head, []byte("%PDF-")):
		p.pdf = newPDF(p.x)
		p.pdf.write(p.head)
	case archive(p.head) != "" || dangerousMarkup(p.head):
		p.x.hit(documentEmbedded, "a document within the document is an archive or a page of the web")
	}
}

func dangerousMarkup(b []byte) bool {
	return hasPrefixFold(bytes.TrimLeft(b, " \t\r\n\x00\xef\xbb\xbf\xff\xfe"), "<")
}

func (p *packed) end() {
	if p == nil || p.x.Stop() {
		return
	}
	if !p.chosen {
		p.choose()
	}
	if p.pdf != nil {
		p.pdf.end()
	}
}
