// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"encoding/binary"
)

// mesh reads the statements of an OBJ or MTL file, line by line.
type mesh struct {
	x    *inspection
	line []byte
}

// maxLine bounds what is looked at of a line: the keyword and its first arguments.
const maxLine = 512

func (m *mesh) write(b []byte) {
	for len(b) > 0 && !m.x.Stop() {
		i := bytes.IndexAny(b, "\r\n")
		part := b
		if i >= 0 {
			part = b[:i]
		}
		m.line = append(m.line, part[:min(len(part), maxLine-len(m.line))]...)
		if i < 0 {
			return
		}
		m.judge()
		b = b[i+1:]
	}
}

func (m *mesh) end() { m.judge() }

func (m *mesh) judge() {
	line := bytes.TrimSpace(bytes.TrimRight(m.line, "\x00"))
	m.line = m.line[:0]
	word := line
	if i := bytes.IndexAny(line, " \t"); i >= 0 {
		word = line[:i]
	}
	rest := bytes.TrimSpace(line[len(word):])
	switch {
	case len(word) < 3 || len(rest) == 0:
	case one(word, []string{"csh", "call", "-csh"}):
		m.x.hit(meshCommand, "a statement that runs a command or another file")
	case one(word, []string{"mtllib", "maplib", "usemap", "bump", "disp", "decal", "refl", "norm", "shadow_obj", "trace_obj"}), hasPrefixFold(word, "map_"):
		if outside(rest) {
			m.x.hit(meshExternal, "a material or texture by a path or address")
		}
	}
}

// outside reports a name that leaves the directory of the mesh, or the computer.
func outside(name []byte) bool {
	return bytes.Contains(name, []byte("..")) || bytes.Contains(name, []byte("://")) || bytes.ContainsAny(name, "\\|`$") || bytes.IndexByte(name, '/') == 0 || bytes.Contains(name, []byte(" /")) ||
		len(name) > 1 && name[1] == ':'
}

// stl judges the head of an STL file against its length.
func (x *inspection) stl(head []byte) {
	length := uint64(x.val.t.Length)
	if kind := program(head); kind != "" {
		x.hit(meshHeader, "the mesh begins as "+kind+" does")
		return
	}
	if kind := archive(head); kind != "" {
		x.hit(meshHeader, "the mesh begins as "+kind+" does")
		return
	}
	if len(head) >= 2 && (string(head[:2]) == "MZ" || string(head[:2]) == "#!") || bytes.Contains(head[:min(len(head), 80)], []byte("%PDF-")) {
		x.hit(meshHeader, "the mesh begins as another format does")
		return
	}
	if len(head) >= 84 {
		want := 84 + 50*uint64(binary.LittleEndian.Uint32(head[80:]))
		if length == want || length == want+want&1 {
			return
		}
	}
	if text := bytes.TrimLeft(head, " \t\r\n"); hasPrefixFold(text, "solid") && printable(text) {
		return // as text
	}
	x.hit(meshLength, "the mesh has another number of triangles than its header says")
}
