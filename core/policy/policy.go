// SPDX-License-Identifier: Apache-2.0

// Package policy holds the noun Policy: zones, and conduits that say who may
// talk to whom, how. It is the one model that detection uses as its baseline and
// that segmentation compiles and proves.
//
// The vocabulary is that of IEC 62443: a zone is a set of things with the same
// need for protection, a conduit the communication between two of them that is
// allowed. What no conduit allows is not in the policy.
package policy

import (
	"net/netip"

	"github.com/asepsis/asepsis/core/device"
)

// End is one end of a conversation, with what decides its zone.
type End struct {
	IP      netip.Addr
	VLANs   []uint16
	Device  string // ID, "" when unknown
	Class   device.Class
	Theatre string
	Zone    string // set by a person on the device; wins
}

// Service is what is spoken.
type Service struct {
	Protocol  string // as recognised by content: "dicom", "hl7", "" when unknown
	Transport string // "tcp", "udp", "icmp"
	Port      uint16 // of the server
	TLS       bool   // inside TLS
}

// Verdict is what the policy says about a conversation.
type Verdict struct {
	Known    bool   // there is a policy and both ends have a zone
	Allowed  bool   // a conduit, or the zone itself, allows it
	Conduit  string // ID of the conduit that does
	FromZone string // "" when the end is in none
	ToZone   string
	Expired  bool   // a conduit would, but its time is over
	Proposed bool   // the zones were proposed from what is seen, nobody confirmed them
	Why      string // one sentence
}
