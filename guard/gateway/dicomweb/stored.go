// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// answerStore sends the Store Instances Response (PS3.18 §10.5.3.2, annex I). broken is why
// the body could not be read to its end, nil when it could.
func (x *exchange) answerStore(media string, all []stored, broken *Problem) *Problem {
	m := &model{}
	var done, lost, other []element
	study, several, full, warned, why := "", false, true, false, ""
	for i := range all {
		one := &all[i]
		reference := []element{}
		if one.class != "" || one.uid != "" {
			reference = append(reference, text(0x00081150, "UI", "ReferencedSOPClassUID", one.class), text(0x00081155, "UI", "ReferencedSOPInstanceUID", one.uid))
		}
		reason := uint16(one.status)
		category := one.status.Category()
		if category == dimse.Failure {
			reference = append(reference, number(0x00081197, "FailureReason", reason))
			full = full && one.status>>8 == 0xA7
			if why == "" {
				why = one.comment
			}
			if one.class == "" && one.uid == "" {
				other = append(other, element{items: [][]element{reference}})
			} else {
				lost = append(lost, element{items: [][]element{reference}})
			}
			continue
		}
		if uidLike(one.study) {
			several = several || study != "" && study != one.study
			study = one.study
			if uidLike(one.series) && uidLike(one.uid) && x.s.root != nil {
				reference = append(reference, text(0x00081190, "UR", "RetrieveURL", x.base+"/studies/"+one.study+"/series/"+one.series+"/instances/"+one.uid))
			}
		}
		if category == dimse.Warning {
			warned = true
			reference = append(reference, number(0x00081196, "WarningReason", reason))
		}
		done = append(done, element{items: [][]element{reference}})
	}
	if study != "" && !several && x.s.root != nil {
		m.elements = append(m.elements, text(0x00081190, "UR", "RetrieveURL", x.base+"/studies/"+study))
	}
	m.sequence(0x00081198, "FailedSOPSequence", lost)
	m.sequence(0x00081199, "ReferencedSOPSequence", done)
	m.sequence(0x0008119A, "OtherFailuresSequence", other)

	status := http.StatusOK
	h := x.w.Header()
	switch failures := len(lost) + len(other); {
	case broken != nil:
		// Some were stored and some were not even read.
		status = http.StatusAccepted
		x.a.Problem, x.a.What, x.a.Hint, x.a.Cause = broken.Code, broken.Detail, broken.Hint, broken.cause
		why = broken.Detail
		h.Set("Connection", "close")
	case failures == 0 && !warned:
	case failures == 0 || len(done) > 0:
		status = http.StatusAccepted
	case full:
		status = http.StatusServiceUnavailable
		h.Set("Retry-After", "30")
	default:
		status = http.StatusConflict
	}
	if x.a.Problem == "" && len(lost)+len(other) > 0 {
		x.a.Problem, x.a.What = "refused", "instances were refused: "+why
	}
	if why != "" {
		h.Set("Warning", "299 asepsis "+strconv.Quote(plain(why)))
	}
	h.Set("Content-Type", media)
	var body []byte
	if media == xmlType {
		body = m.xml()
	} else {
		body = m.json()
	}
	x.a.Status = status
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	_, _ = (&pacedAnswer{pace: x.pace(), dst: x.w}).Write(body) // everything is stored by now, whether the client hears it or not
	return nil
}

// plain keeps printable ASCII.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, s)
}
