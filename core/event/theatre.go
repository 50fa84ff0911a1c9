// SPDX-License-Identifier: Apache-2.0

package event

// TheatreActivity says what became known about the cases in a theatre. It is
// not seen on the network but follows from what is: messages of a schedule,
// worklists, performed procedure steps, and what is missing between them.
// Activity: 1 Start (of a case), 2 End, 3 Schedule, 4 Cancel, 5 Conflict (what
// is seen contradicts the schedule), 6 Maintenance.
type TheatreActivity struct {
	Theatre        string `json:"theatre_uid"`
	State          string `json:"case_state"` // after it: "idle", "in-case", "maintenance"
	Before         string `json:"prev_case_state,omitempty"`
	Source         string `json:"case_source"`               // who says so: "hl7.siu", "dicom.mwl", "dicom.mpps", "person"
	Start          int64  `json:"slot_start_time,omitempty"` // of the slot or the case, ms since the Unix epoch
	End            int64  `json:"slot_end_time,omitempty"`
	AppointmentRef string `json:"appointment_pseudonym,omitempty"`
	Conflict       string `json:"conflict_reason,omitempty"` // one sentence
}

// Class implements Detail.
func (*TheatreActivity) Class() Class { return ClassTheatre }

// ScheduledStep is one entry of a modality worklist (PS3.4 §K.6.1.2.2), as a
// worklist server answered: when and where, not who.
type ScheduledStep struct {
	StationAE string `json:"scheduled_station_ae_title,omitempty"` // (0040,0001)
	Station   string `json:"scheduled_station_name,omitempty"`     // (0040,0010)
	Location  string `json:"room,omitempty"`                       // (0040,0011)
	Start     string `json:"scheduled_start,omitempty"`            // (0040,0002) and (0040,0003), as sent: DA then TM
	Modality  string `json:"modality,omitempty"`                   // (0008,0060)
	Status    string `json:"procedure_step_status,omitempty"`      // (0040,0020)
}
