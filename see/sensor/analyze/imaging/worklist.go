// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"strings"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// MaxScheduled is how many entries of a worklist's answers are reported.
const MaxScheduled = 16

// Attributes of a scheduled procedure step (PS3.4 table K.6-1).
const (
	tagScheduledStationAE   dicom.Tag = 0x00400001
	tagScheduledStartDate   dicom.Tag = 0x00400002
	tagScheduledStartTime   dicom.Tag = 0x00400003
	tagScheduledStationName dicom.Tag = 0x00400010
	tagScheduledLocation    dicom.Tag = 0x00400011
	tagScheduledStatus      dicom.Tag = 0x00400020
)

// worklist reports whether a response carries an entry of a worklist that is
// still wanted.
func (op *operation) worklist(c *analyze.Conn, cmd *dimse.Command) bool {
	return op.field == dimse.CFindRQ && op.d.SOPClass == dicom.UIDModalityWorklistFind && cmd.Status.Category() == dimse.Pending && len(op.d.Scheduled) < MaxScheduled && c.Full()
}

// scheduledHeader asks for when and where a step is to be done. Who the patient
// and the physician are is passed over.
func (d *dataset) scheduledHeader(t *dicom.Token, parent dicom.Tag) int {
	switch {
	case t.Kind == dicom.ItemStart && t.Depth == 1 && t.Tag == dicom.TagScheduledProcedureStepSequence:
		if len(d.op.d.Scheduled) < MaxScheduled {
			d.op.d.Scheduled = append(d.op.d.Scheduled, event.ScheduledStep{})
			d.step = true
		} else {
			d.step = false
		}
	case t.Kind != dicom.Element:
	case t.Tag == dicom.TagSpecificCharacterSet && parent == 0:
		return textBytes
	case parent != dicom.TagScheduledProcedureStepSequence || !d.step:
	case t.Tag == dicom.TagModality, t.Tag == tagScheduledStationAE, t.Tag == tagScheduledStartDate, t.Tag == tagScheduledStartTime,
		t.Tag == tagScheduledStationName, t.Tag == tagScheduledLocation, t.Tag == tagScheduledStatus:
		return textBytes
	}
	return 0
}

func (d *dataset) scheduledValue(t *dicom.Token, parent dicom.Tag, value []byte) {
	if parent == 0 {
		d.charset = dicom.ParseCharacterSet(value)
		return
	}
	s := &d.op.d.Scheduled[len(d.op.d.Scheduled)-1]
	text := analyze.Clean([]byte(d.charset.Decode(value)))
	switch t.Tag {
	case dicom.TagModality:
		s.Modality = dicom.Modality(text)
	case tagScheduledStationAE:
		s.StationAE = text
	case tagScheduledStationName:
		s.Station = text
	case tagScheduledLocation:
		s.Location = text
	case tagScheduledStatus:
		s.Status = text
	case tagScheduledStartDate:
		if digits(text) && len(text) == 8 {
			s.Start = text + s.Start
		}
	case tagScheduledStartTime:
		if whole, _, _ := strings.Cut(text, "."); digits(whole) && len(whole) <= 6 {
			s.Start += whole
		}
	}
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
