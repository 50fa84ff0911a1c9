// SPDX-License-Identifier: Apache-2.0

// Package event holds the noun Event: something that was seen on the network,
// in the shape of OCSF 1.8 with the Asepsis medical extension.
//
// An Event is a base, common to all, and one Detail, a typed value per class.
// The JSON tags of a Detail are the attribute names of its OCSF class; the
// extension's schema in ocsf/ is held to these structs by a test. An event is
// immutable once emitted and carries no patient identifier in clear.
package event

import (
	"net/netip"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
)

// Class is an OCSF class_uid. Classes of the extension have its uid in front.
type Class uint32

// ExtensionUID is the uid of the Asepsis OCSF extension. Class and category
// identifiers of the extension are ExtensionUID*100000 + category*1000 + n.
const ExtensionUID = 761

// The classes that Asepsis emits.
const (
	ClassNetwork Class = 4001 // Network Activity: flows, TLS handshakes
	ClassHTTP    Class = 4002
	ClassDNS     Class = 4003
	ClassDHCP    Class = 4004
	ClassRDP     Class = 4005
	ClassSMB     Class = 4006
	ClassSSH     Class = 4007
	ClassFTP     Class = 4008
	ClassNTP     Class = 4013

	ClassDICOMAssociation Class = ExtensionUID*100000 + 4001
	ClassDICOMOperation   Class = ExtensionUID*100000 + 4002
	ClassHL7Message       Class = ExtensionUID*100000 + 4003
	ClassMedicalDevice    Class = ExtensionUID*100000 + 4004 // SDC, POCT1-A, LIS2-A2: device-to-system messages
	ClassFHIR             Class = ExtensionUID*100000 + 4005 // FHIR and DICOMweb requests
	ClassApplication      Class = ExtensionUID*100000 + 4006 // any other application protocol
	ClassDeviceEvidence   Class = ExtensionUID*100000 + 5001
	ClassSensorHealth     Class = ExtensionUID*100000 + 6001
	ClassTheatre          Class = ExtensionUID*100000 + 6002 // what is known about cases in a theatre
)

// Status is an OCSF status_id.
type Status uint8

// The values of Status.
const (
	StatusUnknown Status = 0
	StatusSuccess Status = 1
	StatusFailure Status = 2
)

// Detail is the part of an event that its class defines: one of the pointer
// types of this package, for example *DICOMAssociation.
type Detail interface {
	// Class returns the class that the detail belongs to.
	Class() Class
}

// Endpoint is one end of a conversation.
type Endpoint struct {
	MAC  device.MAC `json:"mac,omitzero"`
	IP   netip.Addr `json:"ip,omitzero"`
	Port uint16     `json:"port,omitempty"`
}

// Flow says which conversation an event belongs to. Src is the initiator
// (client) as far as known; Guessed is set where the opening was not seen and
// the roles come from the ports or the protocol's content.
type Flow struct {
	ID          uint64 // unique within a run of the sensor
	Proto       uint8  // IP protocol number, 0 when not IP
	Src, Dst    Endpoint
	VLANs       []uint16 // outermost first
	Tunnel      string   // "" or the innermost encapsulation, for example "vxlan:42"
	CommunityID string   // community-id v1, "1:..."
	Guessed     bool
	SrcHops     uint8 // routers between the sensor and Src, estimated from the TTL
	DstHops     uint8
}

// Event is one thing that was seen.
type Event struct {
	UID          string           // unique; assigned by the sensor
	Time         int64            // when it was seen, ns since the Unix epoch, UTC
	Activity     uint8            // OCSF activity_id of the class
	Severity     finding.Severity // Info unless the thing itself is an error
	Status       Status
	StatusCode   string // the protocol's own code, as the standard writes it: "0xA700", "AE", "404"
	StatusDetail string // the protocol's own words, printable, without patient data
	Protocol     string // lower-case name: "dicom", "hl7", "tls", "arp" ...
	Message      string // one sentence for a person, without patient data
	Flow         *Flow  // nil when the event belongs to no conversation
	Encrypted    bool   // seen inside or as part of TLS/DTLS/QUIC
	Detail       Detail
}

// Class returns the class of the event's detail, ClassNetwork when it has none.
func (e *Event) Class() Class {
	if e.Detail == nil {
		return ClassNetwork
	}
	return e.Detail.Class()
}

// KV is a named value of an application protocol. Names are lower_snake_case
// and documented in docs/attributes.md; values are short and printable.
type KV struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// DeviceEvidence carries one piece of device identity evidence.
// Activity: 1 Observe (first seen), 2 Renew (seen again after a while).
type DeviceEvidence struct {
	Evidence device.Evidence `json:"device_evidence"`
}

// Class implements Detail.
func (*DeviceEvidence) Class() Class { return ClassDeviceEvidence }

// SensorHealth reports what the sensor could not see or had to give up.
// Activity: 1 Report, 2 Degrade, 3 Recover.
type SensorHealth struct {
	Sensor         string `json:"sensor_name,omitempty"`
	Interface      string `json:"interface_name,omitempty"`
	Packets        uint64 `json:"packets"`
	Bytes          uint64 `json:"bytes"`
	Dropped        uint64 `json:"packets_dropped"`   // by the kernel or the capture file
	Undecoded      uint64 `json:"packets_undecoded"` // link or network layer not understood
	Flows          uint64 `json:"flows_active"`
	FlowsEvicted   uint64 `json:"flows_evicted"`   // ended early to stay within the memory bound
	StreamsEvicted uint64 `json:"streams_evicted"` // reassembly given up to stay within the bound
	Gaps           uint64 `json:"stream_gaps"`     // holes in TCP streams
	GapBytes       uint64 `json:"stream_gap_bytes"`
	AnalyserPanics uint64 `json:"analyser_panics"`
	AnalyserBudget uint64 `json:"analyser_over_budget"`
	OneSided       uint64 `json:"flows_one_sided"`
	MidStream      uint64 `json:"flows_mid_stream"`
	EventsDropped  uint64 `json:"events_dropped"`
	What           string `json:"blind_spot,omitempty"` // what cannot be seen
	Why            string `json:"blind_spot_reason,omitempty"`
	Hint           string `json:"blind_spot_hint,omitempty"` // what to do about it
}

// Class implements Detail.
func (*SensorHealth) Class() Class { return ClassSensorHealth }
