// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"slices"
	"strconv"

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
	op.narrowed = op.narrowed || narrows(t, value)
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

// unrestricted names, in event.DICOMOperation.Suspicious, a query that asks for all
// patients or all studies.
const unrestricted = "unrestricted-query"

// judgeQuery marks a query of an archive in which no key says whom or what it is
// for. A worklist is asked so every day; series and images are asked for by the
// study that they belong to.
func (op *operation) judgeQuery() {
	d := op.d
	if op.narrowed || op.orphan || !op.dataDone || d.Incomplete || len(d.QueryKeys) == 0 {
		return
	}
	switch d.SOPClass {
	case "1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.3.1":
		if d.QueryLevel == "PATIENT" || d.QueryLevel == "STUDY" || d.QueryLevel == "" {
			op.suspect(unrestricted)
		}
	}
}

// narrows reports whether the value of a key picks something out of an archive. What
// matches nearly everything does not: a wildcard with less than two letters beside it,
// years of studies, a time of day, a modality.
func narrows(t *dicom.Token, value []byte) bool {
	switch {
	case t.Tag == dicom.TagModality || t.Tag == tagModalitiesInStudy || t.VR == dicom.TM:
		return false
	case t.VR == dicom.DA:
		from, to, isRange := bytes.Cut(value, []byte("-"))
		if !isRange {
			return true
		}
		if len(from) < 4 || len(to) < 4 {
			return false
		}
		first, err1 := strconv.Atoi(string(from[:4]))
		last, err2 := strconv.Atoi(string(to[:4]))
		return err1 == nil && err2 == nil && last-first < 2
	}
	letters := 0
	for _, c := range value {
		if !bytes.ContainsRune([]byte("*?^= "), rune(c)) {
			letters++
		}
	}
	return letters >= 2 || letters == 1 && !bytes.ContainsAny(value, "*?")
}

const tagModalitiesInStudy dicom.Tag = 0x00080061

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
