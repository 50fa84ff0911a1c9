// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"encoding/binary"
)

// How much of a value is looked at.
const (
	sniffBytes = 512
	textBytes  = 1024
)

// magic names content that has no business at the start of pixel data or of
// another binary value, "" when there is none. Two bytes alone decide nothing:
// pixel data begins with any two bytes sooner or later.
func magic(b []byte) string {
	switch {
	case len(b) >= 4 && string(b[:4]) == "\x7fELF":
		return "executable-elf"
	case isPE(b):
		return "executable-pe"
	case len(b) >= 4 && isMachO(b):
		return "executable-macho"
	case len(b) >= 30 && string(b[:4]) == "PK\x03\x04" && b[5] == 0 && b[4] <= 63:
		return "zip-archive"
	case len(b) >= 8 && (string(b[:7]) == "#!/bin/" || string(b[:7]) == "#!/usr/"):
		return "script-shebang"
	case len(b) >= 6 && string(b[:6]) == "7z\xbc\xaf\x27\x1c":
		return "7z-archive"
	case len(b) >= 7 && string(b[:7]) == "Rar!\x1a\x07\x00", len(b) >= 8 && string(b[:8]) == "Rar!\x1a\x07\x01\x00":
		return "rar-archive"
	case len(b) >= 8 && string(b[:8]) == "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
		return "ole-document"
	case len(b) >= 8 && string(b[:4]) == "\xca\xfe\xba\xbe" && b[4] == 0 && b[5] == 0 && b[6] == 0 && b[7] >= 45 && b[7] < 80:
		return "java-class"
	case len(b) >= 5 && string(b[:5]) == "%PDF-":
		return "pdf-document"
	}
	return ""
}

// isPE reports an MZ header whose e_lfanew leads to "PE\0\0", or, when that lies
// further on than was kept, one with the sizes of a DOS header and the usual stub.
func isPE(b []byte) bool {
	if len(b) < 64 || b[0] != 'M' || b[1] != 'Z' {
		return false
	}
	at := binary.LittleEndian.Uint32(b[0x3C:])
	if uint64(at)+4 <= uint64(len(b)) {
		return at >= 64 && string(b[at:at+4]) == "PE\x00\x00"
	}
	return bytes.Contains(b, []byte("This program cannot be run in DOS mode"))
}

func isMachO(b []byte) bool {
	switch binary.BigEndian.Uint32(b) {
	case 0xFEEDFACE, 0xFEEDFACF, 0xCEFAEDFE, 0xCFFAEDFE:
		return len(b) >= 16 && (b[12] <= 11 && b[13]|b[14]|b[15] == 0 || b[15] <= 11 && b[12]|b[13]|b[14] == 0)
	}
	return false
}

// markupSigns are what a browser or an interpreter would act on. They are matched
// without regard to case. PS3.5 allows them in text, so they are reported, not judged.
var markupSigns = [...]string{"<script", "<iframe", "<object", "<embed", "<svg", "<img", "<body", "<html", "<!entity", "javascript:", "vbscript:", "onerror=", "onload="}

// markup reports text that holds markup or script.
func markup(b []byte) bool {
	if bytes.IndexByte(b, '<') < 0 && bytes.IndexByte(b, ':') < 0 && bytes.IndexByte(b, '=') < 0 {
		return false
	}
	for i := range b {
		switch b[i] | 0x20 {
		case '<' | 0x20, 'j', 'v', 'o':
			for _, s := range &markupSigns {
				if hasPrefixFold(b[i:], s) {
					return true
				}
			}
		}
	}
	return false
}

// hasPrefixFold compares ASCII without regard to case; s is in lower case.
func hasPrefixFold(b []byte, s string) bool {
	if len(b) < len(s) {
		return false
	}
	for i := range len(s) {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// shellMeta reports an AE title with characters that a receiver which starts
// commands with it would hand to a shell.
func shellMeta(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case ';', '|', '&', '$', '`', '<', '>', '(', ')', '\'', '"':
			return true
		}
	}
	return false
}

// commentWords are the words an error comment may consist of to be shown: it is
// free text, and devices put patients' names and identifiers there.
var commentWords = words(`a abort aborted accept accepted access all allowed already an and application archive are association at
attribute attributes authorised authorized available bad be been but by calling called cancel cancelled cannot can class code
command complete completed condition configured connect connection could create data database dataset denied destination
dimse disk does element elements error exceeded exist exists failed failure file find for found from full get has identifier image
in incoming instance instances internal invalid is key keys known level limit local lookup match matching memory message missing
move must no node not object objects of on one open operation or out parse peer pending permission permitted pixel possible
presentation process processing query read receive refused reject rejected remote request requested required resource
resources response retrieve root scp scu send sequence series server service session set size sop space specified status
storage store stored study sub suboperation suboperations supported syntax system tag the this timeout to too transfer type
unable unauthorized unexpected unknown unrecognized unsupported user value was with without write wrong`)

func words(s string) map[string]bool {
	m := make(map[string]bool)
	for _, w := range bytes.Fields([]byte(s)) {
		m[string(w)] = true
	}
	return m
}

// safeComment returns an error comment when it cannot hold an identifier: known
// words and punctuation only, no digit.
func safeComment(s string) string {
	start := -1
	var word [24]byte
	for i := 0; i <= len(s); i++ {
		letter := i < len(s) && (s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z')
		if letter {
			if start < 0 {
				start = i
			}
			if i-start < len(word) {
				word[i-start] = s[i] | 0x20
			}
			continue
		}
		if start >= 0 {
			if i-start > len(word) || !commentWords[string(word[:i-start])] {
				return ""
			}
			start = -1
		}
		if i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '^' || s[i] == '=') {
			return ""
		}
	}
	return s
}
