// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"errors"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

var _ dicom.Visitor = (*dataset)(nil)

// dataset reads the data set of one message for an operation.
type dataset struct {
	op        *operation // nil when nobody reads it
	x         dicom.Extractor
	mode      mode
	charset   dicom.CharacterSet
	known     bool // the transfer syntax is one of PS3.6
	deflated  bool
	lost      bool // bytes are missing: the rest is not read
	step      bool // modeScheduled: within an entry that is reported
	guessing  bool
	guessed   int
	guess     [dicom.GuessSyntaxBytes]byte
	fragments int // of the encapsulated pixel data under way
}

type mode uint8

const (
	modeObject mode = iota // C-STORE, and the attributes of N-services
	modeQuery
	modeScheduled // an answer of a worklist
)

func (d *dataset) begin(op *operation, m mode, transfer string) {
	d.op, d.mode = op, m
	d.charset, d.lost, d.guessed, d.fragments = dicom.CharacterSet{}, false, 0, 0
	d.guessing, d.deflated, d.known = transfer == "", false, true
	if transfer != "" {
		var s dicom.Syntax
		s, d.known = dicom.SyntaxOf(transfer)
		d.deflated = s.Deflated
		d.x.Reset(s, limits(), d)
	}
}

// limits are tighter than the default: a data set that a sensor reads to its end
// must not cost more than it is worth.
func limits() dicom.Limits { return dicom.Limits{Depth: dicom.MaxDepth, Elements: 1_000_000} }

func (d *dataset) feed(b []byte) {
	if d.lost {
		return
	}
	if d.guessing {
		n := copy(d.guess[d.guessed:], b)
		d.guessed += n
		b = b[n:]
		if d.guessed < len(d.guess) {
			return
		}
		d.guessing = false
		s, ok := dicom.GuessSyntax(d.guess[:])
		if !ok {
			d.known = false
			d.x.Reset(s, limits(), d)
			d.x.Stop()
			return
		}
		d.x.Reset(s, limits(), d)
		d.problem(d.x.Feed(d.guess[:]))
	}
	d.problem(d.x.Feed(b))
}

// problem notes an error of the data set, once.
func (d *dataset) problem(err error) {
	if err == nil || d.op == nil || d.mode == modeScheduled || !d.known || d.op.d.Malformed != "" {
		return
	}
	var e *dicom.Error
	if errors.As(err, &e) {
		d.op.d.Malformed = e.What + " (" + e.Section + ")"
	}
}

// loseRest tells that bytes of the data set are missing.
func (d *dataset) loseRest() {
	d.lost = true
	d.x.Stop()
	if d.op != nil {
		d.op.d.Incomplete = true
	}
}

// abandon lets go of the operation before the data set ended.
func (d *dataset) abandon() {
	if d.mode == modeScheduled {
		d.op.answer = nil
	} else {
		d.op.data = nil
	}
	d.op = nil
}

// end takes the end of the data set, and returns its operation.
func (d *dataset) end() *operation {
	op := d.op
	if d.mode == modeScheduled {
		d.abandon()
		return op
	}
	d.op = nil
	op.data = nil
	op.dataDone = true
	if d.lost || d.guessing {
		return op
	}
	if err := d.x.End(); err != nil {
		d.op = op
		d.problem(err)
		d.op = nil
	}
	f := d.x.Flags()
	if f&dicom.HasFileMeta != 0 {
		op.suspect("file-meta-in-data-set")
	}
	if op.d.Malformed == "" && d.known {
		switch {
		case f&dicom.OddLength != 0:
			op.d.Malformed = "values of odd length (PS3.5 §7.1.1)"
		case f&dicom.Disordered != 0:
			op.d.Malformed = "data elements out of order (PS3.5 §7.1)"
		}
	}
	return op
}

// Header implements dicom.Visitor.
func (d *dataset) Header(t *dicom.Token, parent dicom.Tag) int {
	switch d.mode {
	case modeQuery:
		return d.queryHeader(t)
	case modeScheduled:
		return d.scheduledHeader(t, parent)
	}
	switch t.Kind {
	case dicom.FragmentsStart:
		d.fragments = 0
		return 0
	case dicom.Fragment:
		d.fragments++
		if d.fragments == 2 { // after the basic offset table
			return sniffBytes
		}
		return 0
	case dicom.ItemStart:
		if t.Depth == 1 && d.op.field != dimse.CStoreRQ {
			switch t.Tag {
			case dicom.TagReferencedSOPSequence:
				d.op.d.Referenced++
			case dicom.TagFailedSOPSequence:
				d.op.d.FailedInstances++
			}
		}
		return 0
	case dicom.SequenceStart:
		return 0
	}
	switch {
	case parent == 0 && d.op.kept(t.Tag) != nil, t.Tag == dicom.TagUniqueDeviceIdentifier && parent == dicom.TagUDISequence:
		return textBytes
	case parent == 0 && (t.Tag == dicom.TagSpecificCharacterSet || t.Tag == dicom.TagSOPClassUID || t.Tag == dicom.TagSOPInstanceUID ||
		t.Tag == dicom.TagStudyInstanceUID || t.Tag == dicom.TagSeriesInstanceUID):
		return dicom.MaxUID + 2
	case t.Tag == dicom.TagStudyInstanceUID && parent == tagScheduledStepAttributes:
		return dicom.MaxUID + 2
	case t.VR.Free():
		return textBytes
	case t.VR.Bulk() && t.Length >= 4:
		return sniffBytes
	case d.deflated && t.Tag == dicom.TagPixelData && parent == 0:
		return 1
	}
	return 0
}

const tagScheduledStepAttributes dicom.Tag = 0x00400270

// Value implements dicom.Visitor.
func (d *dataset) Value(t *dicom.Token, parent dicom.Tag, value []byte) {
	op := d.op
	switch d.mode {
	case modeQuery:
		d.queryValue(t, value)
		return
	case modeScheduled:
		d.scheduledValue(t, parent, value)
		return
	}
	if t.Kind == dicom.Fragment || t.VR.Bulk() {
		d.binary(t, parent, value)
		return
	}
	if parent == 0 {
		switch t.Tag {
		case dicom.TagSpecificCharacterSet:
			d.charset = dicom.ParseCharacterSet(value)
			return
		case dicom.TagSOPClassUID:
			if uid := op.uid(value); op.field == dimse.CStoreRQ && uid != "" && op.d.SOPClass != "" && uid != op.d.SOPClass {
				op.suspect("sop-class-mismatch")
			}
			return
		case dicom.TagSOPInstanceUID:
			if uid := op.uid(value); op.field == dimse.CStoreRQ && uid != "" && op.d.SOPInstance != "" && uid != op.d.SOPInstance {
				op.suspect("sop-instance-mismatch")
			}
			return
		case dicom.TagStudyInstanceUID:
			op.d.StudyInstance = op.uid(value)
			return
		case dicom.TagSeriesInstanceUID:
			op.d.SeriesInstance = op.uid(value)
			return
		}
	} else if t.Tag == dicom.TagStudyInstanceUID && parent == tagScheduledStepAttributes {
		op.d.StudyInstance = op.uid(value)
		return
	}
	if t.VR.Free() {
		if markup(value) {
			op.suspect("markup-in-text")
		}
		if bytes.Contains(value, []byte("${jndi:")) {
			op.suspect("template-expansion-in-text")
		}
	}
	p := op.kept(t.Tag)
	if t.Tag == dicom.TagUniqueDeviceIdentifier {
		p = &op.object.udi
	} else if parent != 0 {
		return
	}
	if p != nil {
		*p = analyze.Clean([]byte(d.charset.Decode(value)))
	}
	if p == &op.object.modality {
		*p = dicom.Modality(*p)
	}
}

// binary looks at the beginning of a binary value.
func (d *dataset) binary(t *dicom.Token, parent dicom.Tag, value []byte) {
	op := d.op
	kind := magic(value)
	switch {
	case kind == "":
	case t.Tag == dicom.TagEncapsulatedDocument:
		if want := documentKinds[op.d.SOPClass]; want != "" && want != kind && kind != "zip-archive" || kind != "pdf-document" && kind != "zip-archive" {
			op.suspect(kind)
			op.suspect("document-type-mismatch")
		}
	case t.Tag == dicom.TagPixelData:
		op.suspect(kind + "-in-pixel-data")
	default:
		op.suspect(kind)
	}
	if t.Tag == dicom.TagEncapsulatedDocument && documentKinds[op.d.SOPClass] == "pdf-document" && kind != "pdf-document" {
		op.suspect("document-type-mismatch")
	}
	if t.Tag == dicom.TagPixelData && parent == 0 && d.deflated {
		d.x.Stop() // what follows is not worth the work of inflating it
	}
}

// documentKinds is what an encapsulated document begins with.
var documentKinds = map[string]string{"1.2.840.10008.5.1.4.1.1.104.1": "pdf-document"}
