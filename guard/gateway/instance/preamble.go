// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/asepsis/asepsis/wire/dicom"
)

// PreambleKind is what the 128 bytes before the prefix of a Part 10 file are used for (PS3.10 §7.1).
type PreambleKind string

// The kinds; "" where there was none, or it was not used.
const (
	PreambleTIFF       PreambleKind = "tiff"       // the start of a TIFF file
	PreambleExecutable PreambleKind = "executable" // the start of a program, script or archive
	PreambleOther      PreambleKind = "other"
)

// Preamble is what is kept of one. Its bytes are not: they may say anything, of a patient too.
type Preamble struct {
	Kind   PreambleKind `json:"kind"`
	SHA256 string       `json:"sha256"` // of the 128 bytes, hexadecimal
}

// PreambleOf says what a preamble is; nil is none.
func PreambleOf(b *[128]byte) Preamble {
	if b == nil {
		return Preamble{}
	}
	p := dicom.Preamble(*b)
	var out Preamble
	switch p.Kind() {
	case dicom.PreambleZero:
		return out
	case dicom.PreambleTIFF:
		out.Kind = PreambleTIFF
	case dicom.PreambleExecutable:
		out.Kind = PreambleExecutable
	case dicom.PreambleOther:
		out.Kind = PreambleOther
	}
	sum := sha256.Sum256(b[:])
	out.SHA256 = hex.EncodeToString(sum[:])
	return out
}
