// SPDX-License-Identifier: Apache-2.0

package event

// PresentationContext is one proposal of an association with its answer (PS3.8 §9.3.2.2, §9.3.3.2).
type PresentationContext struct {
	ID               uint8    `json:"presentation_context_num"`
	AbstractSyntax   string   `json:"abstract_syntax_uid"`
	AbstractName     string   `json:"abstract_syntax_name,omitempty"`
	TransferSyntaxes []string `json:"transfer_syntax_uids,omitempty"` // proposed
	Result           string   `json:"result,omitempty"`               // "acceptance", "user-rejection", "no-reason", "abstract-syntax-not-supported", "transfer-syntaxes-not-supported"
	Accepted         string   `json:"accepted_transfer_syntax_uid,omitempty"`
	SCURole          *bool    `json:"scu_role,omitempty"` // as agreed, when role selection was negotiated
	SCPRole          *bool    `json:"scp_role,omitempty"`
}

// DICOMAssociation is an association request with its outcome, or its end.
// Activity: 1 Request, 2 Accept, 3 Reject, 4 Release, 5 Abort, 6 Close (the
// connection ended without release).
type DICOMAssociation struct {
	CallingAE           string                `json:"calling_ae_title"`
	CalledAE            string                `json:"called_ae_title"`
	ProtocolVersion     uint16                `json:"ul_protocol_version,omitempty"`
	ApplicationContext  string                `json:"application_context_uid,omitempty"`
	ImplUID             string                `json:"requestor_implementation_class_uid,omitempty"`
	ImplVersion         string                `json:"requestor_implementation_version,omitempty"`
	AcceptorImplUID     string                `json:"acceptor_implementation_class_uid,omitempty"`
	AcceptorImplVersion string                `json:"acceptor_implementation_version,omitempty"`
	MaxPDU              uint32                `json:"requestor_max_pdu,omitempty"`
	AcceptorMaxPDU      uint32                `json:"acceptor_max_pdu,omitempty"`
	AsyncInvoked        uint16                `json:"async_operations_invoked,omitempty"`
	AsyncPerformed      uint16                `json:"async_operations_performed,omitempty"`
	Contexts            []PresentationContext `json:"presentation_contexts,omitempty"`
	ContextsProposed    int                   `json:"presentation_contexts_proposed,omitempty"` // also those beyond the list's bound
	ContextsAccepted    int                   `json:"presentation_contexts_accepted,omitempty"`
	UserIdentityType    string                `json:"user_identity_type,omitempty"` // "username", "username-passcode", "kerberos", "saml", "jwt"; never the value
	UserIdentityAck     bool                  `json:"user_identity_response,omitempty"`
	RejectResult        string                `json:"reject_result,omitempty"` // PS3.8 §9.3.4: "rejected-permanent", "rejected-transient"
	RejectSource        string                `json:"reject_source,omitempty"`
	RejectReason        string                `json:"reject_reason,omitempty"`
	AbortSource         string                `json:"abort_source,omitempty"` // PS3.8 §9.3.8
	AbortReason         string                `json:"abort_reason,omitempty"`
	Operations          map[string]uint32     `json:"dimse_operations,omitempty"` // requests by command, at the end
	Objects             uint32                `json:"objects_transferred,omitempty"`
	ObjectBytes         uint64                `json:"object_bytes,omitempty"`
	Malformed           string                `json:"malformed,omitempty"` // what broke the standard, with section
	LargestPDU          uint32                `json:"largest_pdu,omitempty"`
	Incomplete          bool                  `json:"is_incomplete,omitempty"` // bytes were not captured: totals are lower bounds
}

// Class implements Detail.
func (*DICOMAssociation) Class() Class { return ClassDICOMAssociation }

// DICOMOperation is one DIMSE operation with its outcome (PS3.7).
// Activity: 1 C-ECHO, 2 C-STORE, 3 C-FIND, 4 C-MOVE, 5 C-GET, 6 C-CANCEL,
// 7 N-EVENT-REPORT, 8 N-GET, 9 N-SET, 10 N-ACTION, 11 N-CREATE, 12 N-DELETE.
type DICOMOperation struct {
	Command          string          `json:"dimse_command"`
	MessageID        uint16          `json:"message_num"`
	CallingAE        string          `json:"calling_ae_title,omitempty"`
	CalledAE         string          `json:"called_ae_title,omitempty"`
	SOPClass         string          `json:"sop_class_uid,omitempty"`
	SOPClassName     string          `json:"sop_class_name,omitempty"`
	SOPInstance      string          `json:"sop_instance_uid,omitempty"`
	StudyInstance    string          `json:"study_instance_uid,omitempty"`
	SeriesInstance   string          `json:"series_instance_uid,omitempty"`
	TransferSyntax   string          `json:"transfer_syntax_uid,omitempty"`
	Modality         string          `json:"modality,omitempty"`
	PatientRef       string          `json:"patient_pseudonym,omitempty"` // pseudonym of the patient ID, with its issuer
	AccessionRef     string          `json:"accession_pseudonym,omitempty"`
	MoveDestination  string          `json:"move_destination_ae_title,omitempty"`
	MoveOriginator   string          `json:"move_originator_ae_title,omitempty"`
	QueryLevel       string          `json:"query_level,omitempty"`
	QueryKeys        []string        `json:"query_keys,omitempty"`    // keywords asked for, matching or return
	MatchingKeys     []string        `json:"matching_keys,omitempty"` // keywords with a value: what was searched by
	WildcardKeys     []string        `json:"wildcard_keys,omitempty"` // keywords searched with * or ? or with nothing else
	Results          uint32          `json:"results,omitempty"`       // pending responses with a data set
	Remaining        *uint16         `json:"sub_operations_remaining,omitempty"`
	Completed        *uint16         `json:"sub_operations_completed,omitempty"`
	Failed           *uint16         `json:"sub_operations_failed,omitempty"`
	Warning          *uint16         `json:"sub_operations_warning,omitempty"`
	Status           uint16          `json:"dimse_status"`
	StatusName       string          `json:"dimse_status_name,omitempty"`
	ErrorComment     string          `json:"error_comment,omitempty"` // only where it holds no identifier
	Bytes            uint64          `json:"data_set_bytes,omitempty"`
	EventType        uint16          `json:"event_type_num,omitempty"`
	ActionType       uint16          `json:"action_type_num,omitempty"`
	Manufacturer     string          `json:"manufacturer,omitempty"` // of the device that made the object, (0008,0070)
	ModelName        string          `json:"manufacturer_model_name,omitempty"`
	StationName      string          `json:"station_name,omitempty"`
	DeviceSerial     string          `json:"device_serial_number,omitempty"`
	SoftwareVersions string          `json:"software_versions,omitempty"`
	Suspicious       []string        `json:"suspicious_content,omitempty"` // "executable-elf-in-pixel-data", "encapsulated-pdf", "unrestricted-query" ...
	DurationMS       int64           `json:"duration,omitempty"`
	Answered         bool            `json:"is_answered"`
	FromAcceptor     bool            `json:"is_invoked_by_acceptor,omitempty"` // sub-operations of C-GET, event reports
	DocumentType     string          `json:"document_media_type,omitempty"`    // of an encapsulated document (0042,0012)
	DeviceUDI        string          `json:"udi,omitempty"`                    // (0018,1009)
	StepStatus       string          `json:"procedure_step_status,omitempty"`  // MPPS (0040,0252): "IN PROGRESS", "COMPLETED", "DISCONTINUED"
	PerformedAE      string          `json:"performed_station_ae_title,omitempty"`
	Referenced       uint32          `json:"referenced_instances,omitempty"` // items of (0008,1199): storage commitment
	FailedInstances  uint32          `json:"failed_instances,omitempty"`     // items of (0008,1198)
	Scheduled        []ScheduledStep `json:"scheduled_steps,omitempty"`      // of a worklist's answers, the first few
	Malformed        string          `json:"malformed,omitempty"`            // what broke the standard, with section
	Incomplete       bool            `json:"is_incomplete,omitempty"`        // bytes of it were not captured
}

// Class implements Detail.
func (*DICOMOperation) Class() Class { return ClassDICOMOperation }
