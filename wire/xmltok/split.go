// SPDX-License-Identifier: Apache-2.0

package xmltok

import "bytes"

// Document is one document found in a stream.
type Document struct {
	Head      []byte // the first bytes, at most the splitter's Max; valid during the call
	Size      int64  // of the whole document
	Truncated bool   // the stream ended or broke within the document
}

// Splitter finds XML documents that follow each other on a stream without any
// framing, as POCT1-A sends them. It keeps at most Max bytes of a document;
// the rest is counted and forgotten. Bytes before a '<' are junk.
//
// The zero Splitter keeps DefaultMax bytes.
type Splitter struct {
	Max  int
	Junk int64 // bytes outside of any document

	buf   []byte
	size  int64
	state splitState
	depth int
	slash bool // the previous byte within a tag was '/'
	end   bool // the tag is an end tag
	quote byte
	run   int // progress through "]]>", "-->" or "<!--", "<![CDATA["
	mark  [9]byte
}

// DefaultMax is how much of a document a Splitter keeps.
const DefaultMax = 256 << 10

type splitState uint8

const (
	outside splitState = iota
	content
	tagOpen // after '<'
	tag
	markup // after '<!'
	comment
	cdata
	pi
	decl // <!DOCTYPE ...: passed over, brackets counted in run
)

// InDocument reports whether a document has begun and not ended.
func (s *Splitter) InDocument() bool { return s.state != outside }

// Held returns the bytes kept of a document that has not ended.
func (s *Splitter) Held() int { return len(s.buf) }

// Write reads the next bytes of the stream and calls f for each document that
// ends in them. It does linear work and the result does not depend on how the
// stream is cut.
func (s *Splitter) Write(p []byte, f func(Document)) {
	start := 0
	for i := 0; i < len(p); i++ {
		if s.state == outside {
			j := bytes.IndexByte(p[i:], '<')
			if j < 0 {
				s.Junk += int64(len(p) - i)
				return
			}
			s.Junk += int64(j)
			i += j
			start = i
			s.state, s.depth = tagOpen, 0
			continue
		}
		if s.state == content {
			j := bytes.IndexByte(p[i:], '<')
			if j < 0 {
				break
			}
			i += j
			s.state = tagOpen
			continue
		}
		if s.step(p[i]) {
			s.keep(p[start : i+1])
			s.emit(f, false)
			start = i + 1
		}
	}
	if s.state != outside {
		s.keep(p[start:])
	}
}

// Close gives the document that was not finished, if there is one. Writing may
// go on afterwards with a new document: that is how a gap is passed.
func (s *Splitter) Close(f func(Document)) {
	if s.state != outside {
		s.emit(f, true)
	}
}

func (s *Splitter) keep(p []byte) {
	s.size += int64(len(p))
	limit := s.Max
	if limit == 0 {
		limit = DefaultMax
	}
	if room := limit - len(s.buf); room > 0 {
		s.buf = append(s.buf, p[:min(len(p), room)]...)
	}
}

func (s *Splitter) emit(f func(Document), truncated bool) {
	f(Document{Head: s.buf, Size: s.size, Truncated: truncated})
	if cap(s.buf) > 16<<10 {
		s.buf = nil
	}
	s.buf = s.buf[:0]
	s.size, s.state, s.depth, s.run, s.quote, s.slash, s.end = 0, outside, 0, 0, 0, false, false
}

// step takes one byte within markup and reports whether the document ends with it.
func (s *Splitter) step(c byte) bool {
	switch s.state {
	case tagOpen:
		s.slash, s.quote, s.end = false, 0, false
		switch c {
		case '?':
			s.state, s.run = pi, 0
		case '!':
			s.state, s.run = markup, 0
		case '/':
			s.state, s.end = tag, true
		default:
			s.state = tag
		}
	case tag:
		switch {
		case s.quote != 0:
			if c == s.quote {
				s.quote = 0
			}
		case c == '"' || c == '\'':
			s.quote = c
			s.slash = false
		case c == '>':
			switch {
			case s.end:
				s.depth--
			case !s.slash:
				s.depth++
			}
			s.state = content
			return s.depth <= 0
		default:
			s.slash = c == '/'
		}
	case pi:
		if c == '>' && s.run == 1 {
			s.state = content
		}
		s.run = 0
		if c == '?' {
			s.run = 1
		}
	case markup:
		s.mark[s.run] = c
		s.run++
		switch m := s.mark[:s.run]; {
		case string(m) == "--":
			s.state, s.run = comment, 0
		case string(m) == "[CDATA[":
			s.state, s.run = cdata, 0
		case len(m) == 1 && c == '-', bytes.HasPrefix([]byte("[CDATA["), m):
		case c == '>':
			s.state = content
		default:
			s.state, s.run = decl, 0
		}
	case comment, cdata:
		mark := byte('-')
		if s.state == cdata {
			mark = ']'
		}
		switch {
		case c == mark:
			s.run = min(s.run+1, 2)
		case c == '>' && s.run == 2:
			s.state = content
		default:
			s.run = 0
		}
	case decl:
		switch c {
		case '[':
			s.run++
		case ']':
			s.run--
		case '>':
			if s.run <= 0 {
				s.state = content
			}
		}
	}
	return false
}
