// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/wire/dicom"
)

// ScanLimit is how much of a data set is read ahead at most to find its patient.
const ScanLimit = 16 << 20

// facts are what is known of a data set before its first byte is written. They hold identifiers in clear
// and live as long as the transformation.
type facts struct {
	patientID, issuer, study, sop, class string
	lowerID                              string          // patientID in lower case
	names                                map[string]bool // words of the names and of the ID
	charset                              []byte
	blocks                               []safeKey // of private elements, of which some may stay
}

const (
	tagPatientName   dicom.Tag = 0x00100010
	tagOtherName     dicom.Tag = 0x00101001
	tagOtherID       dicom.Tag = 0x00101000
	tagBirthName     dicom.Tag = 0x00101005
	tagMotherName    dicom.Tag = 0x00101060
	tagLastOfPatient           = tagMotherName
)

// patient is what dates and pseudonyms are keyed by.
func (f *facts) patient() string {
	switch {
	case f.patientID != "":
		return "id\x00" + f.issuer + "\x00" + f.patientID
	case f.study != "":
		return "study\x00" + f.study
	}
	return "instance\x00" + f.sop
}

// scan reads the head of a data set and returns a reader of all of it. With safe, private elements that may stay, the head
// reaches to the pixel data.
func scan(src io.Reader, s dicom.Syntax, safe map[safeKey]map[uint8]dicom.VR) (*facts, io.Reader, error) {
	head := &headBuffer{src: src}
	r := dicom.NewReader(head, s, dicom.DefaultLimits())
	f := &facts{names: map[string]bool{}}
	found := false // all that must be known is
	for {
		t, err := r.Next()
		if err != nil {
			switch {
			case found: // what is wrong is said when it is reached again
				if head.full || !errors.Is(err, io.EOF) {
					f.blocks = nil // not all of them
				}
			case head.full:
				return nil, nil, &Refusal{Code: "head", Why: "the patient stands more than 16 MiB into the data set", hint: "its order is broken, or its head holds bulk data"}
			case !errors.Is(err, io.EOF):
				return nil, nil, err
			}
			break
		}
		if t.Depth != 0 || t.Kind != dicom.Element && t.Kind != dicom.SequenceStart && t.Kind != dicom.FragmentsStart {
			continue
		}
		if found = found || t.Tag > tagLastOfPatient && (f.patientID != "" || t.Tag > dicom.TagStudyInstanceUID); found && (safe == nil || t.Tag >= tagFrameOffsets) {
			break
		}
		if t.Kind != dicom.Element {
			continue
		}
		switch {
		case safe != nil && t.Tag.IsPrivateCreator():
			err = f.block(r, &t, safe)
		case !found:
			err = f.note(r, &t)
		}
		if err != nil && !found { // what comes later is said when it is reached again
			return nil, nil, err
		}
	}
	return f, io.MultiReader(bytes.NewReader(head.buf), src), nil
}

// maxBlocks bounds how many blocks of private elements a copy describes.
const maxBlocks = 256

// block takes a private creator of whose block something may stay.
func (f *facts) block(r *dicom.Reader, t *dicom.Token, safe map[safeKey]map[uint8]dicom.VR) error {
	if t.Length > 64 || len(f.blocks) == maxBlocks {
		return nil
	}
	raw, err := r.Value(64)
	if err != nil {
		return err
	}
	k := safeKey{strings.Trim(string(raw), " \x00"), t.Tag.Group()}
	if safe[k] != nil && !slices.Contains(f.blocks, k) {
		f.blocks = append(f.blocks, k)
	}
	return nil
}

func (f *facts) note(r *dicom.Reader, t *dicom.Token) error {
	name := t.VR == dicom.PN || dicom.VROf(t.Tag) == dicom.PN
	switch t.Tag {
	case dicom.TagPatientID, dicom.TagIssuerOfPatientID, dicom.TagStudyInstanceUID, dicom.TagSOPInstanceUID, dicom.TagSOPClassUID, dicom.TagSpecificCharacterSet, tagOtherID:
	default:
		if !name {
			return nil
		}
	}
	raw, err := r.Value(1024)
	if err != nil {
		return err
	}
	value := strings.Trim(string(raw), " \x00")
	switch t.Tag {
	case dicom.TagPatientID:
		f.patientID, f.lowerID = value, strings.ToLower(value)
	case dicom.TagIssuerOfPatientID:
		f.issuer = value
	case dicom.TagStudyInstanceUID:
		f.study = value
	case dicom.TagSOPInstanceUID:
		f.sop = value
	case dicom.TagSOPClassUID:
		f.class = value
	case dicom.TagSpecificCharacterSet:
		f.charset = raw
	}
	if name || t.Tag == dicom.TagPatientID || t.Tag == tagOtherID {
		nameWords(f.names, dicom.ParseCharacterSet(f.charset).Decode(raw))
	}
	return nil
}

// headBuffer keeps what was read through it.
type headBuffer struct {
	src  io.Reader
	buf  []byte
	full bool
}

func (h *headBuffer) Read(p []byte) (int, error) {
	if len(h.buf) >= ScanLimit {
		h.full = true
		return 0, io.EOF
	}
	n, err := h.src.Read(p)
	h.buf = append(h.buf, p[:n]...)
	return n, err
}
