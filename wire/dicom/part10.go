// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Preamble is the 128 bytes before the prefix "DICM" of a file (PS3.10 §7.1).
type Preamble [128]byte

// PreambleKind is what a preamble is used for.
type PreambleKind uint8

// The kinds of preamble.
const (
	PreambleZero       PreambleKind = iota // all bytes 0: not used
	PreambleTIFF                           // the start of a TIFF file: a dual-personality file (PS3.10 §7.1)
	PreambleExecutable                     // the start of a program, script or archive (CVE-2019-11687)
	PreambleOther                          // anything else
)

// String returns a word for the kind.
func (k PreambleKind) String() string {
	return [...]string{"zero", "TIFF", "executable", "other"}[k]
}

// Kind tells what the preamble is used for, from its first bytes.
func (p *Preamble) Kind() PreambleKind {
	if *p == (Preamble{}) {
		return PreambleZero
	}
	for _, magic := range [...]string{"II*\x00", "MM\x00*", "II+\x00", "MM\x00+"} {
		if string(p[:4]) == magic {
			return PreambleTIFF
		}
	}
	for _, magic := range [...]string{"MZ", "\x7fELF", "#!", "PK\x03\x04", "\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xfe\xed\xfa\xcf", "\xfe\xed\xfa\xce",
		"\xca\xfe\xba\xbe", "%PDF", "<script", "<html", "<?php", "\x1f\x8b", "Rar!", "7z\xbc\xaf", "dex\n", "\x00asm"} {
		if bytes.HasPrefix(p[:], []byte(magic)) {
			return PreambleExecutable
		}
	}
	return PreambleOther
}

// PreamblePolicy says what becomes of a preamble when a file is written.
type PreamblePolicy uint8

// The policies.
const (
	// ZeroPreamble writes zeros.
	ZeroPreamble PreamblePolicy = iota
	// KeepTIFF keeps the preamble of a dual TIFF file, which zeros would break, and writes zeros for any other.
	KeepTIFF
	// RefusePreamble refuses a preamble that is neither zero nor TIFF.
	RefusePreamble
	// KeepPreamble keeps any.
	KeepPreamble
)

// ErrPreamble: a preamble was refused by a PreamblePolicy.
var ErrPreamble = errors.New("preamble refused")

// Apply returns the preamble to write.
func (p PreamblePolicy) Apply(in Preamble) (Preamble, error) {
	switch kind := in.Kind(); {
	case kind == PreambleZero || p == KeepPreamble || kind == PreambleTIFF && p != ZeroPreamble:
		return in, nil
	case p == RefusePreamble:
		return Preamble{}, &Error{Section: "PS3.10 §7.1", What: "the preamble is in use: " + kind.String(), Err: ErrPreamble}
	}
	return Preamble{}, nil
}

// File is a DICOM file (PS3.10 §7) that is being read.
type File struct {
	Preamble Preamble
	Meta     FileMeta
	// RawMeta is the file meta information as it stands in the file, after the prefix.
	RawMeta []byte
	// Syntax is how Data is encoded, from the transfer syntax; SyntaxKnown is false when it is not registered.
	Syntax      Syntax
	SyntaxKnown bool
	// Data is the data set, unread.
	Data io.Reader
}

// OpenFile reads preamble and file meta information from r, at most 64 KB.
func OpenFile(r io.Reader) (*File, error) {
	b := bufio.NewReaderSize(r, maxFileMeta+PreambleSize+12)
	head, err := b.Peek(maxFileMeta + PreambleSize + 12)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	f := &File{Data: b}
	meta, n, err := ReadFileMeta(head)
	if err != nil {
		return nil, err
	}
	f.Preamble = Preamble(head[:128])
	f.Meta = meta
	f.RawMeta = append([]byte(nil), head[PreambleSize:n]...)
	f.Syntax, f.SyntaxKnown = SyntaxOf(meta.TransferSyntax)
	_, err = b.Discard(n)
	return f, err
}

// AppendFileHead appends preamble, prefix and file meta information (PS3.10 §7.1): what stands before the data
// set in a file. SOPClass, SOPInstance, TransferSyntax and ImplUID are required.
func AppendFileHead(dst []byte, p Preamble, m *FileMeta) ([]byte, error) {
	for _, u := range [...]string{m.SOPClass, m.SOPInstance, m.TransferSyntax, m.ImplUID} {
		if !ValidUID(u) {
			return dst, &Error{Tag: 0x00020000, Section: "PS3.10 §7.1", What: fmt.Sprintf("%d characters that are no UID", len(u)), Err: ErrStructure}
		}
	}
	if len(m.SourceAE) > 16 || len(m.ImplVersion) > 16 {
		return dst, &Error{Tag: 0x00020016, Section: "PS3.10 §7.1", What: "an AE title or version name longer than 16 characters", Err: ErrLength}
	}
	dst = append(append(dst, p[:]...), "DICM"...)
	dst = append(dst, 2, 0, 0, 0, 'U', 'L', 4, 0, 0, 0, 0, 0)
	start := len(dst)
	dst = append(dst, 2, 0, 1, 0, 'O', 'B', 0, 0, 2, 0, 0, 0, 0, 1)
	add := func(element uint16, vr VR, v string) {
		if v == "" {
			return
		}
		if len(v)&1 != 0 {
			v += string(vr.padding())
		}
		dst = append(dst, 2, 0, byte(element), byte(element>>8), byte(vr>>8), byte(vr), byte(len(v)), byte(len(v)>>8))
		dst = append(dst, v...)
	}
	add(0x0002, UI, m.SOPClass)
	add(0x0003, UI, m.SOPInstance)
	add(0x0010, UI, m.TransferSyntax)
	add(0x0012, UI, m.ImplUID)
	add(0x0013, SH, m.ImplVersion)
	add(0x0016, AE, m.SourceAE)
	binary.LittleEndian.PutUint32(dst[start-4:], uint32(len(dst)-start))
	return dst, nil
}

// padding returns the character that makes a value of odd length even (PS3.5 §6.2).
func (v VR) padding() rune {
	if v == UI || !v.Text() {
		return 0
	}
	return ' '
}
