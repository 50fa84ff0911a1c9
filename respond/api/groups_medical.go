// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/event"
)

func (f *fieldSet) association(d *event.DICOMAssociation) {
	f.group("DICOM association")
	f.text("calling_ae_title", "Calling AE title", d.CallingAE)
	f.text("called_ae_title", "Called AE title", d.CalledAE)
	f.text("reject_result", "Rejected", d.RejectResult)
	f.text("reject_source", "Rejected by", d.RejectSource)
	f.text("reject_reason", "Reason of rejection", d.RejectReason)
	f.text("abort_source", "Aborted by", d.AbortSource)
	f.text("abort_reason", "Reason of abort", d.AbortReason)
	f.text("malformed", "Not as the standard says", d.Malformed)
	f.text("user_identity_type", "User identity", d.UserIdentityType)
	f.count("objects_transferred", "Objects", uint64(d.Objects))
	f.bytes("object_bytes", "Object data", d.ObjectBytes)
	var ops []string
	for name, n := range d.Operations {
		ops = append(ops, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(ops)
	f.texts("dimse_operations", "Operations", ops)
	f.yes("is_incomplete", "Not all was captured: totals are at least", d.Incomplete)

	f.group("Proposed and accepted")
	if d.ContextsProposed > 0 {
		f.text("presentation_contexts", "Presentation contexts", fmt.Sprintf("%d accepted of %d proposed", d.ContextsAccepted, d.ContextsProposed))
	}
	for _, c := range d.Contexts {
		v := c.Result
		if c.Accepted != "" {
			v = "accepted, " + c.Accepted
		} else if v == "" {
			v = "proposed"
		}
		f.text(fmt.Sprintf("presentation_context_%d", c.ID), cmp.Or(c.AbstractName, c.AbstractSyntax), v)
	}

	f.group("Implementations")
	f.text("requestor_implementation_class_uid", "Of the caller", strings.TrimSpace(d.ImplVersion+" "+d.ImplUID))
	f.text("acceptor_implementation_class_uid", "Of the called", strings.TrimSpace(d.AcceptorImplVersion+" "+d.AcceptorImplUID))
	f.bytes("requestor_max_pdu", "Largest PDU the caller takes", uint64(d.MaxPDU))
	f.bytes("acceptor_max_pdu", "Largest PDU the called takes", uint64(d.AcceptorMaxPDU))
}

func (f *fieldSet) operation(d *event.DICOMOperation) {
	f.group("DICOM operation")
	f.text("calling_ae_title", "Calling AE title", d.CallingAE)
	f.text("called_ae_title", "Called AE title", d.CalledAE)
	f.text("dimse_command", "Command", d.Command)
	if d.Answered {
		f.text("dimse_status", "Status", strings.TrimSpace(fmt.Sprintf("0x%04X %s", d.Status, d.StatusName)))
	} else {
		f.text("dimse_status", "Status", "no answer was seen")
	}
	f.text("error_comment", "Error comment", d.ErrorComment)
	f.text("malformed", "Not as the standard says", d.Malformed)
	f.texts("suspicious_content", "Suspicious content", d.Suspicious)
	f.ms("duration", "Took", d.DurationMS)
	f.yes("is_invoked_by_acceptor", "Invoked by the called side", d.FromAcceptor)

	f.group("Query")
	f.text("query_level", "Level", d.QueryLevel)
	f.texts("matching_keys", "Searched by", d.MatchingKeys)
	f.texts("wildcard_keys", "With wildcards", d.WildcardKeys)
	f.texts("query_keys", "Keys asked for", d.QueryKeys)
	f.count("results", "Results", uint64(d.Results))
	f.text("move_destination_ae_title", "Move destination", d.MoveDestination)
	f.text("move_originator_ae_title", "Move originator", d.MoveOriginator)
	f.sub("sub_operations_completed", "Sub-operations completed", d.Completed)
	f.sub("sub_operations_failed", "Sub-operations failed", d.Failed)
	f.sub("sub_operations_warning", "Sub-operations with warnings", d.Warning)
	f.sub("sub_operations_remaining", "Sub-operations remaining", d.Remaining)

	f.group("Object")
	f.text("sop_class_uid", "SOP class", strings.TrimSpace(d.SOPClassName+" "+d.SOPClass))
	f.text("modality", "Modality", d.Modality)
	f.text("sop_instance_uid", "SOP instance", d.SOPInstance)
	f.text("series_instance_uid", "Series", d.SeriesInstance)
	f.text("study_instance_uid", "Study", d.StudyInstance)
	f.text("transfer_syntax_uid", "Transfer syntax", d.TransferSyntax)
	f.bytes("data_set_bytes", "Size", d.Bytes)
	f.text("patient_pseudonym", "Patient (pseudonym)", d.PatientRef)
	f.text("accession_pseudonym", "Accession number (pseudonym)", d.AccessionRef)
	f.text("document_media_type", "Document", d.DocumentType)
	f.text("procedure_step_status", "Procedure step", d.StepStatus)
	f.text("performed_station_ae_title", "Performed by AE title", d.PerformedAE)
	f.count("referenced_instances", "Referenced instances", uint64(d.Referenced))
	f.count("failed_instances", "Failed instances", uint64(d.FailedInstances))
	f.yes("is_incomplete", "Not all of it was captured", d.Incomplete)

	f.group("Made by")
	f.text("manufacturer", "Manufacturer", d.Manufacturer)
	f.text("manufacturer_model_name", "Model", d.ModelName)
	f.text("station_name", "Station", d.StationName)
	f.text("device_serial_number", "Serial number", d.DeviceSerial)
	f.text("software_versions", "Software", d.SoftwareVersions)
	f.text("udi", "UDI", d.DeviceUDI)
}

func (f *fieldSet) hl7(d *event.HL7Message) {
	f.group("HL7 message")
	f.text("message_type", "Message", strings.TrimSuffix(d.Type+"^"+d.Trigger, "^"))
	f.text("sending_application", "From application", joined(d.SendingApp, d.SendingFacility))
	f.text("receiving_application", "To application", joined(d.ReceivingApp, d.ReceivingFacility))
	switch {
	case d.AckCode != "":
		f.text("ack_code", "Acknowledged with", d.AckCode)
	case !d.Answered:
		f.text("ack_code", "Acknowledged with", "no acknowledgement was seen")
	}
	f.texts("error_codes", "Errors", d.ErrorCodes)
	f.ms("ack_latency_ms", "Acknowledged after", d.LatencyMS)
	f.text("malformed", "Not as the standard says", d.Malformed)
	f.texts("suspicious_content", "Suspicious content", d.Suspicious)

	f.group("Content")
	f.texts("segment_names", "Segments", d.Segments)
	f.texts("observation_codes", "Observations", d.Observations)
	f.count("observation_count", "Number of observations", uint64(max(d.ObservationCount, 0)))
	f.text("order_control", "Order control", d.OrderControl)
	f.text("assigned_location", "Location", d.Location)
	f.text("patient_class", "Patient class", d.PatientClass)
	f.text("patient_pseudonym", "Patient (pseudonym)", d.PatientRef)
	f.text("visit_pseudonym", "Visit (pseudonym)", d.VisitRef)
	f.text("order_pseudonym", "Order (pseudonym)", d.OrderRef)
	f.bytes("message_bytes", "Size", d.Bytes)
	f.count("batch_messages", "Messages of the batch", uint64(max(d.BatchMessages, 0)))

	if s := d.Schedule; s != nil {
		f.group("Schedule")
		f.text("room", "Room", s.Room)
		f.text("filler_status", "Status", s.Status)
		f.text("scheduled_start", "Start", s.Start)
		f.text("scheduled_end", "End", s.End)
		f.text("service_code", "Service", s.Service)
		f.text("appointment_pseudonym", "Appointment (pseudonym)", s.Appointment)
	}
	for i, m := range d.Devices {
		f.namedDevice(fmt.Sprintf("Device named in the message, %d", i+1), &m)
	}

	f.group("Header")
	f.text("hl7_version", "Version", d.Version)
	f.text("control_uid", "Control ID", d.ControlID)
	f.text("message_structure", "Structure", d.Structure)
	f.text("processing_code", "Processing", d.ProcessingID)
	f.text("character_set", "Character set", d.CharacterSet)
	f.text("delimiters", "Delimiters", d.Delimiters)
}

func (f *fieldSet) namedDevice(title string, m *event.HL7Device) {
	f.group(title)
	f.text("udi", "UDI", m.UDI)
	f.text("vendor_name", "Manufacturer", m.Vendor)
	f.text("model", "Model", m.Model)
	f.text("serial_number", "Serial number", m.Serial)
	f.text("lot_number", "Lot", m.Lot)
	f.text("device_type", "Type", m.Type)
	f.text("device_uid", "Identifier", m.DeviceID)
	f.text("eui64", "EUI-64", m.EUI64)
	f.text("source", "Named in", m.Source)
}

func joined(a, b string) string {
	if a != "" && b != "" {
		return a + " at " + b
	}
	return a + b
}

func (f *fieldSet) medicalDevice(d *event.MedicalDevice) {
	f.group("Medical device message")
	f.text("standard", "Standard", strings.ToUpper(d.Standard))
	f.text("message_type", "Message", d.Message)
	f.text("vendor_name", "Manufacturer", d.Vendor)
	f.text("model", "Model", d.Model)
	f.text("serial_number", "Serial number", d.Serial)
	f.text("firmware_version", "Firmware", d.Firmware)
	f.text("udi", "UDI", d.UDI)
	f.text("device_location", "Location", d.Location)
	f.texts("device_types", "Types", d.Types)
	f.texts("scopes", "Scopes", d.Scopes)
	f.text("endpoint_reference", "Endpoint reference", d.Endpoint)
	f.text("patient_pseudonym", "Patient (pseudonym)", d.PatientRef)
	f.text("specimen_pseudonym", "Specimen (pseudonym)", d.SpecimenRef)
	f.texts("observation_codes", "Observations", d.Observations)
	f.count("record_count", "Records", uint64(max(d.Records, 0)))
	f.count("frame_count", "Frames", uint64(max(d.Frames, 0)))
	f.count("nak_count", "Not acknowledged", uint64(max(d.Naks, 0)))
	f.count("checksum_errors", "Checksum errors", uint64(max(d.ChecksumErrors, 0)))
	f.yes("is_secured", "Secured", d.Secure)
	f.attributes(d.Attributes)
}

func (f *fieldSet) rest(d *event.Rest) {
	f.group(map[string]string{"fhir": "FHIR request", "dicomweb": "DICOMweb request"}[d.API])
	f.text("interaction", "Interaction", d.Interaction)
	f.text("resource_type", "Resource", d.Resource)
	f.text("operation_name", "Operation", d.Operation)
	f.text("http_method", "Method", d.Method)
	if d.HTTPStatus > 0 {
		f.text("http_status_code", "Answered with", itoa(d.HTTPStatus))
	}
	f.text("outcome_issue", "Issue", d.Issue)
	f.texts("query_keys", "Searched by", d.SearchKeys)
	f.text("resource_pseudonym", "Resource (pseudonym)", d.ResourceRef)
	f.text("patient_pseudonym", "Patient (pseudonym)", d.PatientRef)
	f.text("study_instance_uid", "Study", d.Study)
	f.text("series_instance_uid", "Series", d.Series)
	f.text("sop_instance_uid", "Instance", d.Instance)
	f.count("objects_transferred", "Objects", uint64(max(d.Objects, 0)))
	f.bytes("object_bytes", "Object data", d.Bytes)
	f.text("media_type", "Media type", d.MediaType)
	f.text("auth_scheme", "Authorization", d.AuthScheme)
	f.text("fhir_version", "FHIR version", d.Version)
	f.text("software", "Software", d.Software)
	if d.Device != nil {
		f.namedDevice("Device", d.Device)
	}
}
