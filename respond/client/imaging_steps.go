// SPDX-License-Identifier: Apache-2.0

package client

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/asepsis/asepsis/guard/gateway/control"
)

// procedureStep is a procedure step as the API gives it.
type procedureStep struct {
	control.ProcedureStep
	DeviceName string `json:"device_name"`
}

// state says whether it is in progress, and how it ended where it is not.
func (s *procedureStep) state() string {
	switch {
	case s.Ended.IsZero():
		return "in progress"
	case s.By != "":
		return "ended by " + s.By
	case s.How == control.StepFollowed:
		return "ended: another was begun"
	case s.How == control.StepCaseEnded:
		return "ended: the case is over"
	}
	return cmp.Or(s.How, "ended")
}

// WriteSteps writes the answer of GET /imaging/steps.
func WriteSteps(w io.Writer, raw json.RawMessage) error {
	var l struct{ Steps []procedureStep }
	if err := json.Unmarshal(raw, &l); err != nil {
		return err
	}
	t := table(w, "THEATRE", "BEGAN", "STATE", "DEVICE", "PATIENT", "HELD", "COUNTS UNTIL", "UID")
	for i := range l.Steps {
		s := &l.Steps[i]
		row(t, s.Theatre, s.Began.Local().Format("2006-01-02 15:04:05"), s.state(), cmp.Or(s.DeviceName, s.Device), s.Patient, strconv.Itoa(s.Held), s.Until.Local().Format("15:04:05"), s.UID)
	}
	return t.Flush()
}

// WriteStep writes what became of one.
func WriteStep(w io.Writer, raw json.RawMessage) error {
	var s procedureStep
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s in %s: %s\n", clean(s.UID), clean(s.Theatre), clean(s.state()))
	if err == nil && s.Held > 0 {
		_, err = fmt.Fprintf(w, "%d held because of it stay held: asepsis gateway quarantine list\n", s.Held)
	}
	return err
}
