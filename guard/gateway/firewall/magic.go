// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"encoding/binary"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// program names the kind of program that bytes begin as, "" when they do not. Two letters prove nothing among pixels, so
// that the headers are read as far as the magic goes.
func program(b []byte) string {
	switch {
	case len(b) < 4:
	case b[0] == 'M' && b[1] == 'Z':
		if len(b) < 64 {
			return ""
		}
		// The offset of the new header (PE, NE, LE), beyond what is held only for stubs that nobody writes.
		at := uint64(binary.LittleEndian.Uint32(b[60:]))
		if at >= 64 && at+4 <= uint64(len(b)) && (string(b[at:at+4]) == "PE\x00\x00" || b[at] == 'N' && b[at+1] == 'E' || b[at] == 'L' && b[at+1] == 'E') {
			return "a program of Windows"
		}
	case string(b[:4]) == "\x7fELF":
		if len(b) < 7 || (b[4] == 1 || b[4] == 2) && (b[5] == 1 || b[5] == 2) && b[6] <= 1 {
			return "a program of Unix (ELF)"
		}
	case machO(b):
		return "a program of macOS (Mach-O)"
	case b[0] == '#' && b[1] == '!':
		line, _, _ := bytes.Cut(b[2:min(len(b), 128)], []byte{'\n'})
		if line = bytes.TrimLeft(line, " \t"); len(line) > 4 && line[0] == '/' && bytes.IndexByte(line[1:], '/') > 0 {
			return "a script"
		}
	case len(b) >= 8 && string(b[:4]) == "\x00asm" && binary.LittleEndian.Uint32(b[4:]) == 1:
		return "a WebAssembly module"
	case len(b) >= 8 && string(b[:4]) == "dex\n" && b[7] == 0:
		return "a program of Android"
	case len(b) >= 20 && string(b[:4]) == "L\x00\x00\x00" && string(b[4:8]) == "\x01\x14\x02\x00":
		return "a shortcut of Windows"
	}
	return ""
}

func machO(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	for _, order := range [...]binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if m := order.Uint32(b); m == 0xFEEDFACE || m == 0xFEEDFACF {
			cpu, kind := order.Uint32(b[4:])&0x00FFFFFF, order.Uint32(b[12:])
			return cpu <= 32 && kind >= 1 && kind <= 12
		}
	}
	if binary.BigEndian.Uint32(b) == 0xCAFEBABE { // fat binary, or a class of Java
		n := binary.BigEndian.Uint32(b[4:])
		return n <= 32 || n&0xFFFF >= 45 && n&0xFFFF < 100 && n>>16 == 0
	}
	return false
}

// archive names the kind of archive or document that bytes begin as, "" when they do not.
func archive(b []byte) string {
	switch {
	case len(b) < 8:
	case string(b[:4]) == "PK\x03\x04" && b[4] < 64 && b[5] == 0:
		return "a ZIP archive"
	case string(b[:4]) == "Rar!":
		return "a RAR archive"
	case string(b[:6]) == "7z\xbc\xaf\x27\x1c":
		return "a 7z archive"
	case string(b[:5]) == "%PDF-":
		return "a PDF"
	case string(b[:8]) == "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
		return "a compound document"
	case string(b[:3]) == "\x1f\x8b\x08" && b[3]&0xE0 == 0:
		return "a gzip archive"
	case hasPrefixFold(b, "<script"), hasPrefixFold(b, "<html"), hasPrefixFold(b, "<!doctype"), hasPrefixFold(b, "<?php"):
		return "a page or script of the web"
	}
	return ""
}

// bulk judges the first bytes of a value of bytes.
func (x *inspection) bulk(t *dicom.Token, b []byte) {
	if kind := program(b); kind != "" {
		x.hit(bulkExecutable, "a value that begins as "+kind+" does")
	} else if kind := archive(b); kind != "" {
		x.hit(bulkArchive, "a value that begins as "+kind+" does")
	}
	// In implicit VR private text is UN: where it is text, it is judged as text.
	if t.VR == dicom.UN && len(b) >= 4 && len(b) == int(t.Length) && printable(b) {
		m := classify(b)
		x.active(b, m)
		x.addresses(dicom.LT, b, m)
	}
}

func printable(b []byte) bool {
	b = bytes.TrimRight(b, " \x00")
	for _, c := range b {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c > 0x7E {
			return false
		}
	}
	return true
}

// foreign judges the first bytes of a data set: whether they are one.
func (x *inspection) foreign() bool {
	b := x.head
	_, element := dicom.GuessSyntax(b) // the letters may stand in a value
	if !element && len(b) >= dicom.PreambleSize && string(b[128:132]) == "DICM" {
		x.hitAt(syntaxPart10, "", "a whole file with preamble and prefix in place of its data set; it was not inspected")
		if x.verdicts[syntaxPart10] != instance.Pass {
			x.done = true
			return true
		}
	}
	if kind := x.format0(b); kind != "" && x.verdicts[syntaxNotDICOM] != instance.Pass {
		x.hitAt(syntaxNotDICOM, "", "the bytes begin as "+kind+" does")
		x.done = true
		return true
	}
	return false
}

// format0 names what the head of a data set is instead.
func (x *inspection) format0(b []byte) string {
	if x.syntax.Deflated || len(b) < 8 {
		return ""
	}
	switch {
	case string(b[:4]) == "DICM":
		return "the prefix of a file"
	case string(b[:8]) == "\x89PNG\r\n\x1a\n":
		return "a PNG picture"
	case string(b[:4]) == "GIF8":
		return "a GIF picture"
	case string(b[:3]) == "\xff\xd8\xff":
		return "a JPEG picture"
	case string(b[:2]) == "MZ" && len(b) >= 64:
		return "a program of Windows"
	case string(b[:4]) == "\x7fELF":
		return "a program of Unix (ELF)"
	case string(b[:2]) == "#!":
		return "a script"
	case b[0] == 0x16 && b[1] == 3 && b[2] <= 4:
		return "a TLS handshake"
	case string(b[:4]) == "GET " || string(b[:5]) == "POST " || string(b[:5]) == "HTTP/":
		return "HTTP"
	case string(b[:4]) == "II*\x00" || string(b[:4]) == "MM\x00*":
		return "a TIFF picture"
	}
	if machO(b) {
		return "a program of macOS (Mach-O)"
	}
	if s := bytes.TrimLeft(b, " \t\r\n\ufeff"); len(s) > 0 && (s[0] == '<' || s[0] == '{') && printable(b) {
		return "text"
	}
	return archive(b)
}

// mislabelled tells, of a data set that could not be read, that it is encoded in another syntax than announced.
func (x *inspection) mislabelled() bool {
	if x.syntax.Deflated || len(x.head) < dicom.GuessSyntaxBytes {
		return false
	}
	s, ok := dicom.GuessSyntax(x.head)
	if !ok || s.Explicit == x.syntax.Explicit && s.BigEndian == x.syntax.BigEndian || x.verdicts[syntaxMislabelled] == 0 {
		return false
	}
	x.hitAt(syntaxMislabelled, "", "the data set is encoded in another transfer syntax than the one announced")
	return true
}
