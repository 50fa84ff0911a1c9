// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/wire/dicom"
)

// image is what the top level of a data set says about its pixels.
type image struct {
	modality, manufacturer, model, station, class, imageType, photometric string
	burned                                                                string // (0028,0301), as it was
	rows, columns, samples, planar, allocated, stored, high, signed       int64
	frames                                                                int64
	hidden                                                                bool // an overlay lies in unused bits of the pixels
	bigPixels                                                             bool
	passed                                                                bool // pixel data has gone by
	decided                                                               bool
	verdict                                                               verdict
}

const tagBurnedIn dicom.Tag = 0x00280301

// wants reports an element that note reads.
func (m *image) wants(tag dicom.Tag) bool {
	switch tag {
	case 0x00080008, dicom.TagSOPClassUID, dicom.TagModality, dicom.TagManufacturer, dicom.TagStationName, dicom.TagManufacturerModelName, dicom.TagSOPInstanceUID,
		0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103, tagBurnedIn:
		return true
	}
	return false
}

// note takes a value of the top level, as it was.
func (m *image) note(tag dicom.Tag, raw []byte, big bool) {
	text := func() string { return strings.Trim(string(raw), " \x00") }
	switch tag {
	case 0x00080008:
		m.imageType = text()
	case dicom.TagSOPClassUID:
		m.class = text()
	case dicom.TagModality:
		m.modality = text()
	case dicom.TagManufacturer:
		m.manufacturer = text()
	case dicom.TagStationName:
		m.station = text()
	case dicom.TagManufacturerModelName:
		m.model = text()
	case 0x00280004:
		m.photometric = text()
	case 0x00280008:
		m.frames, _ = strconv.ParseInt(text(), 10, 64)
	case tagBurnedIn:
		m.burned = text()
	}
	if to := m.number(tag); to != nil && len(raw) >= 2 {
		*to = int64(binary.LittleEndian.Uint16(raw))
		if big {
			*to = int64(binary.BigEndian.Uint16(raw))
		}
	}
}

// number returns where a number of 16 bits goes.
func (m *image) number(tag dicom.Tag) *int64 {
	switch tag {
	case 0x00280002:
		return &m.samples
	case 0x00280006:
		return &m.planar
	case 0x00280010:
		return &m.rows
	case 0x00280011:
		return &m.columns
	case 0x00280100:
		return &m.allocated
	case 0x00280101:
		return &m.stored
	case 0x00280102:
		return &m.high
	case 0x00280103:
		return &m.signed
	}
	return nil
}

// overlay takes the bit in which an overlay lies (60xx,0102). Overlays of their own say 0.
func (m *image) overlay(raw []byte) {
	if len(raw) >= 2 && (raw[0] != 0 || raw[1] != 0) {
		m.hidden = true
	}
}

// verdict is what is done to the pixels.
type verdict struct {
	refuse *Refusal
	black  []Region
	clean  bool // nothing is burned in any more
}

// decide says what is done to pixel data, from the elements before (0028,0301) and that one.
func (m *image) decide(p *profile) verdict {
	if !p.has(CleanPixelData) {
		if strings.EqualFold(m.burned, "YES") && p.cfg.BurnedIn != "pass" {
			return verdict{refuse: &Refusal{Code: "burned-in", Why: "it says that identification is burned into its pixels, which the profile does not clean",
				hint: "add clean-pixel-data and a rule for this device to the profile, or set burned_in: pass"}}
		}
		return verdict{}
	}
	for i := range p.cfg.Pixels {
		r := &p.cfg.Pixels[i]
		switch {
		case !r.matches(m):
		case r.Refuse:
			return verdict{refuse: &Refusal{Code: "rule", Why: "a rule of the profile refuses images of this device"}}
		default:
			return verdict{black: r.Black, clean: true}
		}
	}
	switch p.cfg.Unmatched {
	case "pass":
		return verdict{}
	case "", "trust":
		if strings.EqualFold(m.burned, "NO") || m.burned == "" && detectors[m.class] && !(picture[m.class] && strings.HasPrefix(strings.ToUpper(m.imageType), "DERIVED")) {
			return verdict{clean: true}
		}
	}
	return verdict{refuse: &Refusal{Code: "unmatched", Why: "no rule says where identification is burned into images of this device",
		hint: "add a rule to pixels, with nothing: true where nothing is burned in"}}
}

// detectors are the classes whose images are numbers of a detector, or computed from such, and not pictures of a screen.
var detectors = map[string]bool{
	"1.2.840.10008.5.1.4.1.1.2": true, "1.2.840.10008.5.1.4.1.1.2.1": true, "1.2.840.10008.5.1.4.1.1.4": true, "1.2.840.10008.5.1.4.1.1.4.1": true,
	"1.2.840.10008.5.1.4.1.1.20": true, "1.2.840.10008.5.1.4.1.1.128": true, "1.2.840.10008.5.1.4.1.1.130": true,
	"1.2.840.10008.5.1.4.1.1.30": true, "1.2.840.10008.5.1.4.1.1.66.4": true, "1.2.840.10008.5.1.4.1.1.481.2": true,
}

// picture are those of them as which consoles also store derived pictures, which may have text in them.
var picture = map[string]bool{"1.2.840.10008.5.1.4.1.1.2": true, "1.2.840.10008.5.1.4.1.1.4": true, "1.2.840.10008.5.1.4.1.1.20": true, "1.2.840.10008.5.1.4.1.1.128": true}

// matches reports whether all that a rule asks for is so.
func (r *PixelRule) matches(m *image) bool {
	return glob(r.Modality, m.modality) && glob(r.Manufacturer, m.manufacturer) && glob(r.Model, m.model) && glob(r.Station, m.station) && glob(r.ImageType, m.imageType) &&
		(r.SOPClass == "" || r.SOPClass == m.class) && (r.Rows == 0 || int64(r.Rows) == m.rows) && (r.Columns == 0 || int64(r.Columns) == m.columns)
}

// glob compares without regard to case; * stands for anything, and no pattern for everything.
func glob(pattern, s string) bool {
	if pattern == "" {
		return true
	}
	parts := strings.Split(strings.ToLower(pattern), "*")
	s = strings.ToLower(s)
	if len(parts) == 1 {
		return s == parts[0]
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return true
}
