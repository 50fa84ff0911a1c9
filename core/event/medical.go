// SPDX-License-Identifier: Apache-2.0

package event

// HL7Message is one HL7 v2 message, with its acknowledgement when one was seen.
// Activity: 1 Message (unsolicited update), 2 Query, 3 Acknowledge (without its message), 4 Batch.
type HL7Message struct {
	Type              string       `json:"message_type"`            // MSH-9.1 "ORU"
	Trigger           string       `json:"trigger_event,omitempty"` // MSH-9.2 "R01"
	Structure         string       `json:"message_structure,omitempty"`
	ControlID         string       `json:"control_uid,omitempty"` // MSH-10
	Version           string       `json:"hl7_version,omitempty"`
	ProcessingID      string       `json:"processing_code,omitempty"`
	SendingApp        string       `json:"sending_application,omitempty"`
	SendingFacility   string       `json:"sending_facility,omitempty"`
	ReceivingApp      string       `json:"receiving_application,omitempty"`
	ReceivingFacility string       `json:"receiving_facility,omitempty"`
	CharacterSet      string       `json:"character_set,omitempty"`
	Delimiters        string       `json:"delimiters,omitempty"`    // MSH-1 and MSH-2 when they are not the usual ones
	Segments          []string     `json:"segment_names,omitempty"` // in order, runs collapsed: "OBX*12"
	PatientRef        string       `json:"patient_pseudonym,omitempty"`
	VisitRef          string       `json:"visit_pseudonym,omitempty"`
	OrderRef          string       `json:"order_pseudonym,omitempty"` // placer or filler order number
	PatientClass      string       `json:"patient_class,omitempty"`
	Location          string       `json:"assigned_location,omitempty"` // PV1-3 point of care and room, no bed occupant
	Observations      []string     `json:"observation_codes,omitempty"` // OBX-3 codes, each once, never the values
	ObservationCount  int          `json:"observation_count,omitempty"`
	OrderControl      string       `json:"order_control,omitempty"` // ORC-1
	Schedule          *HL7Schedule `json:"schedule,omitempty"`
	Devices           []HL7Device  `json:"medical_devices,omitempty"`
	Bytes             uint64       `json:"message_bytes,omitempty"`
	BatchMessages     int          `json:"batch_messages,omitempty"`
	AckCode           string       `json:"ack_code,omitempty"` // MSA-1 of the answer: AA, AE, AR, CA, CE, CR
	AckControlID      string       `json:"ack_control_uid,omitempty"`
	AckMatches        bool         `json:"is_ack_matched,omitempty"`
	ErrorCodes        []string     `json:"error_codes,omitempty"` // ERR-3 / ERR-1
	LatencyMS         int64        `json:"ack_latency_ms,omitempty"`
	Answered          bool         `json:"is_answered"`
	Malformed         string       `json:"malformed,omitempty"`
	Suspicious        []string     `json:"suspicious_content,omitempty"` // "embedded-segment", "bad-escape" ...
}

// Class implements Detail.
func (*HL7Message) Class() Class { return ClassHL7Message }

// HL7Device is a device that an HL7 message names (PRT-10, PRT-16 ff, OBX-18, or UDI in an OBX value).
type HL7Device struct {
	UDI      string `json:"udi,omitempty"`
	DeviceID string `json:"device_uid,omitempty"`
	EUI64    string `json:"eui64,omitempty"`
	Vendor   string `json:"vendor_name,omitempty"`
	Model    string `json:"model,omitempty"`
	Serial   string `json:"serial_number,omitempty"`
	Lot      string `json:"lot_number,omitempty"`
	Type     string `json:"device_type,omitempty"` // PRT-22 or MDC code
	Source   string `json:"source"`                // field: "PRT-10", "OBX-18"
}

// HL7Schedule is what an SIU message says about a room's schedule.
type HL7Schedule struct {
	Appointment string `json:"appointment_pseudonym,omitempty"`
	Status      string `json:"filler_status,omitempty"`   // SCH-25
	Start       string `json:"scheduled_start,omitempty"` // as sent, HL7 DTM
	End         string `json:"scheduled_end,omitempty"`
	Room        string `json:"room,omitempty"` // AIL-3
	Service     string `json:"service_code,omitempty"`
}

// MedicalDevice is a message of a device-to-system protocol: IEEE 11073 SDC,
// POCT1-A, LIS2-A2. Activity: 1 Announce, 2 Discover, 3 Describe, 4 Observe,
// 5 Command, 6 Subscribe, 7 Acknowledge, 8 Session, 99 Other.
type MedicalDevice struct {
	Standard       string   `json:"standard"` // "sdc", "poct1-a", "lis2-a2"
	Message        string   `json:"message_type"`
	Endpoint       string   `json:"endpoint_reference,omitempty"`
	Types          []string `json:"device_types,omitempty"`
	Scopes         []string `json:"scopes,omitempty"`
	Vendor         string   `json:"vendor_name,omitempty"`
	Model          string   `json:"model,omitempty"`
	Serial         string   `json:"serial_number,omitempty"`
	Firmware       string   `json:"firmware_version,omitempty"`
	UDI            string   `json:"udi,omitempty"`
	Location       string   `json:"device_location,omitempty"`
	PatientRef     string   `json:"patient_pseudonym,omitempty"`
	SpecimenRef    string   `json:"specimen_pseudonym,omitempty"`
	Observations   []string `json:"observation_codes,omitempty"`
	Records        int      `json:"record_count,omitempty"`
	Frames         int      `json:"frame_count,omitempty"`
	Naks           int      `json:"nak_count,omitempty"`
	ChecksumErrors int      `json:"checksum_errors,omitempty"`
	Secure         bool     `json:"is_secured,omitempty"`
	Attributes     []KV     `json:"protocol_attributes,omitempty"`
}

// Class implements Detail.
func (*MedicalDevice) Class() Class { return ClassMedicalDevice }

// Rest is one request of a healthcare REST interface: FHIR or DICOMweb.
// Activity: 1 Read, 2 Search, 3 Create, 4 Update, 5 Delete, 6 Operation,
// 7 Capabilities, 8 Transaction, 9 Retrieve, 10 Store.
type Rest struct {
	API         string     `json:"rest_api"`    // "fhir", "dicomweb"
	Interaction string     `json:"interaction"` // FHIR interaction or "QIDO-RS", "WADO-RS", "STOW-RS", "WADO-URI", "UPS-RS"
	Resource    string     `json:"resource_type,omitempty"`
	ResourceRef string     `json:"resource_pseudonym,omitempty"`
	Operation   string     `json:"operation_name,omitempty"` // "$export"
	SearchKeys  []string   `json:"query_keys,omitempty"`     // names only
	Version     string     `json:"fhir_version,omitempty"`
	Software    string     `json:"software,omitempty"`
	Study       string     `json:"study_instance_uid,omitempty"`
	Series      string     `json:"series_instance_uid,omitempty"`
	Instance    string     `json:"sop_instance_uid,omitempty"`
	MediaType   string     `json:"media_type,omitempty"`
	Objects     int        `json:"objects_transferred,omitempty"`
	Bytes       uint64     `json:"object_bytes,omitempty"`
	HTTPStatus  int        `json:"http_status_code,omitempty"`
	Issue       string     `json:"outcome_issue,omitempty"` // OperationOutcome issue code
	Method      string     `json:"http_method,omitempty"`
	Device      *HL7Device `json:"medical_device,omitempty"`
	PatientRef  string     `json:"patient_pseudonym,omitempty"`
	AuthScheme  string     `json:"auth_scheme,omitempty"`
}

// Class implements Detail.
func (*Rest) Class() Class { return ClassFHIR }
