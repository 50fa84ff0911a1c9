// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"encoding/binary"
)

// mesh reads the statements of an OBJ or MTL file, and looks into an STL file of text. A statement may go on in the next line after a backslash:
// some readers join the two, with or without a space, and some do not, so that it is judged in each of the three ways.
type mesh struct {
	x     *inspection
	as    [3]statement // line by line, joined, joined with a space
	slash int          // a backslash came, which may stand for the end of the line; 2 when white space came after it
	last  byte
	begun int // bytes of a mark of UTF-8 that came
	nul   bool
}

func (m *mesh) write(b []byte) {
	for len(b) > 0 && !m.x.Stop() {
		if m.slash == 0 && !m.nul && m.as[0].skip && m.as[1].skip && m.as[2].skip { // on to what says something
			i := bytes.IndexAny(b, "\r\n\\\x00")
			if i < 0 {
				m.last = 'x'
				return
			}
			b = b[i:]
		}
		m.step(b[0])
		b = b[1:]
	}
}

func (m *mesh) end() {
	for i := range m.as {
		m.as[i].end(m.x)
	}
}

func (m *mesh) step(c byte) {
	const mark = "\xef\xbb\xbf"
	if m.begun < len(mark) {
		if c == mark[m.begun] {
			m.begun++
			return
		}
		m.begun = len(mark)
	}
	last := m.last
	m.last = c
	if m.nul && c != 0 {
		m.x.hit(meshHeader, "a mesh of text that goes on as something else")
	}
	switch {
	case c == 0:
		m.nul = true
	case c == '\n' && last == '\r': // one end of line
	case c == '\n' || c == '\r':
		m.as[0].end(m.x)
		if m.slash > 0 {
			m.as[2].add(m.x, ' ')
		} else {
			m.as[1].end(m.x)
			m.as[2].end(m.x)
		}
		m.slash = 0
	case m.slash > 0 && c <= ' ':
		m.slash = 2
	default:
		if m.slash > 0 {
			m.add('\\')
		}
		if m.slash == 2 {
			m.add(' ')
		}
		m.slash = 0
		if c == '\\' {
			m.slash = 1
		} else {
			m.add(c)
		}
	}
}

func (m *mesh) add(c byte) {
	for i := range m.as {
		m.as[i].add(m.x, c)
	}
}

// statement is a keyword and its arguments, a space between them. Of a long one the keyword and what came last are held.
type statement struct {
	text []byte
	word int  // where the keyword ends; 0 while it is being read
	skip bool // the rest says nothing
}

// Bounds of a statement: when it is full, it is judged, and its end is kept.
const (
	maxLine  = 512
	lineKept = 128
)

func (s *statement) add(x *inspection, c byte) {
	switch {
	case s.skip:
		return
	case c <= ' ' || c == 0x7F: // every kind of white space, and what some take for it
		if len(s.text) == 0 || s.text[len(s.text)-1] == ' ' {
			return
		}
		if c = ' '; s.word == 0 {
			s.word = len(s.text)
			s.skip = s.kind() == statementOther
		}
	case s.word == 0 && len(s.text) == maxKeyword:
		s.skip = true // no keyword is that long
	}
	if len(s.text) == maxLine {
		s.judge(x)
		s.text = append(s.text[:s.word+1], s.text[maxLine-lineKept:]...)
	}
	s.text = append(s.text, c)
}

// maxKeyword is longer than any keyword.
const maxKeyword = 32

func (s *statement) end(x *inspection) {
	if s.word > 0 && !s.skip {
		s.judge(x)
	}
	s.text, s.word, s.skip = s.text[:0], 0, false
}

type statementKind uint8

const (
	statementOther statementKind = iota
	statementCommand
	statementFile
	statementSpectrum // a colour, which may be in a file
)

func (s *statement) kind() statementKind {
	switch word := s.text[:s.word]; {
	case one(word, []string{"csh", "call", "-csh"}):
		return statementCommand
	case one(word, []string{"mtllib", "maplib", "usemap", "bump", "disp", "decal", "refl", "norm", "shadow_obj", "trace_obj"}), hasPrefixFold(word, "map_"):
		return statementFile
	case one(word, []string{"ka", "kd", "ks", "ke", "tf"}):
		return statementSpectrum
	}
	return statementOther
}

func (s *statement) judge(x *inspection) {
	rest := bytes.TrimSpace(s.text[s.word:])
	kind := s.kind()
	switch {
	case len(rest) == 0:
	case kind == statementCommand:
		x.hit(meshCommand, "a statement that runs a command or another file")
	case kind == statementFile && outside(rest), kind == statementSpectrum && hasPrefixFold(rest, "spectral") && outside(rest):
		x.hit(meshExternal, "a material or texture by a path or address")
	}
}

// outside reports a name that leaves the directory of the mesh, or the computer, also for a reader that asks a server of the web for it.
func outside(names []byte) bool {
	for i, c := range names {
		switch c {
		case '\\', '|', '`', '$', ':':
			return true
		case '/':
			if i == 0 || bytes.IndexByte([]byte(" \"'"), names[i-1]) >= 0 {
				return true
			}
		case '.':
			if i+1 < len(names) && names[i+1] == '.' {
				return true
			}
		case '%':
			if hasPrefixFold(names[i:], "%2e") || hasPrefixFold(names[i:], "%2f") || hasPrefixFold(names[i:], "%5c") {
				return true
			}
		}
	}
	return false
}

// stl judges the head of an STL file against its length, and reports whether it is text.
func (x *inspection) stl(head []byte) (text bool) {
	length := uint64(x.val.t.Length)
	if kind := program(head); kind != "" {
		x.hit(meshHeader, "the mesh begins as "+kind+" does")
		return false
	}
	if kind := archive(head); kind != "" {
		x.hit(meshHeader, "the mesh begins as "+kind+" does")
		return false
	}
	if len(head) >= 2 && (string(head[:2]) == "MZ" || string(head[:2]) == "#!") || bytes.Contains(head, []byte("%PDF-")) {
		x.hit(meshHeader, "the mesh begins as another format does")
		return false
	}
	if len(head) >= 84 {
		want := 84 + 50*uint64(binary.LittleEndian.Uint32(head[80:]))
		if length == want || length == want+want&1 {
			return false
		}
	}
	if begin := bytes.TrimLeft(head, " \t\r\n"); hasPrefixFold(begin, "solid") && printable(begin) {
		return true
	}
	x.hit(meshLength, "the mesh has another number of triangles than its header says")
	return false
}
