// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"slices"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// queryHeader takes a key of an identifier (PS3.4 §C.2.2): every element at the
// top and in the items of a sequence.
func (d *dataset) queryHeader(t *dicom.Token) int {
	switch {
	case t.Kind != dicom.Element && t.Kind != dicom.SequenceStart, t.Depth > 2, t.Tag.Element() == 0:
		return 0
	case t.Tag == dicom.TagSpecificCharacterSet:
		return 0
	case t.Tag == dicom.TagQueryRetrieveLevel:
		return 16
	}
	d.op.d.QueryKeys = addKey(d.op.d.QueryKeys, t.Tag)
	if t.Kind != dicom.Element || t.Length == 0 {
		return 0
	}
	return analyze.MaxString
}

// queryValue tells how a key is matched. The value itself goes no further, but for
// the level, and for the UIDs by which a retrieve names what it wants (PS3.4
// §C.4.2.1.4, unique keys).
func (d *dataset) queryValue(t *dicom.Token, value []byte) {
	op := d.op
	if t.Tag == dicom.TagQueryRetrieveLevel {
		switch level := dicom.TrimString(value); level {
		case "PATIENT", "STUDY", "SERIES", "IMAGE", "FRAME":
			op.d.QueryLevel = level
		default:
			op.d.QueryLevel = "other"
		}
		return
	}
	value = bytes.Trim(value, " \x00")
	if len(value) == 0 {
		return
	}
	op.d.MatchingKeys = addKey(op.d.MatchingKeys, t.Tag)
	if t.VR.Text() && bytes.ContainsAny(value, "*?") {
		op.d.WildcardKeys = addKey(op.d.WildcardKeys, t.Tag)
	}
	if t.Depth == 0 && (op.field == dimse.CMoveRQ || op.field == dimse.CGetRQ) {
		switch t.Tag {
		case dicom.TagStudyInstanceUID:
			op.d.StudyInstance = op.uid(value)
		case dicom.TagSeriesInstanceUID:
			op.d.SeriesInstance = op.uid(value)
		case dicom.TagSOPInstanceUID:
			op.d.SOPInstance = op.uid(value)
		}
	}
}

func addKey(keys []string, t dicom.Tag) []string {
	if len(keys) >= MaxKeys {
		return keys
	}
	k := dicom.Keyword(t)
	if slices.Contains(keys, k) {
		return keys
	}
	return append(keys, k)
}
