// SPDX-License-Identifier: Apache-2.0

// Package identity gives each device one identity: a certificate of the site's
// own authority that carries the device's ID, and says when that ends.
//
// The parts: [Authority] signs, after linting; package est and the enrolment
// codes decide who may ask; a CRL, an OCSP responder and a feed of revocations
// tell when a certificate is no longer good; package trust gives everybody who
// speaks TLS a configuration that knows all that.
package identity

import (
	"context"
	"time"

	"github.com/asepsis/asepsis/prove/ledger"
)

// Profile names a kind of certificate: what it may be used for and how long.
type Profile string

// The profiles. docs/identity.md has the table of their extensions and
// lifetimes.
const (
	DICOMNode      Profile = "dicom-node"         // client and server
	XRHeadset      Profile = "xr-headset"         // client
	SurgicalDevice Profile = "surgical-device"    // client and server
	APIClient      Profile = "api-client"         // client
	APIServer      Profile = "api-server"         // server
	EAPSupplicant  Profile = "eap-tls-supplicant" // client
	RADIUSServer   Profile = "radius-server"      // server
	Infrastructure Profile = "infrastructure"     // client and server, ours
)

// Status is how a certificate stands.
type Status string

// The states of a certificate.
const (
	Good    Status = "good"
	Revoked Status = "revoked"
	Expired Status = "expired"
	// Superseded is still valid, but its device has a newer one.
	Superseded Status = "superseded"
)

// Certificate is what the authority knows about one that it issued.
type Certificate struct {
	Serial    string    `json:"serial"` // hexadecimal, lower case, no leading zeros: as in RevocationNotice
	Device    string    `json:"device"` // device ID; "" for infrastructure that is no device
	SPIFFE    string    `json:"spiffe"` // spiffe://<trust domain>/device/<id>
	Profile   Profile   `json:"profile"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"` // subject key ID of the issuing CA, hexadecimal
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	RenewFrom time.Time `json:"renew_from"` // when a client that renews should begin to
	SHA256    string    `json:"sha256"`
	Status    Status    `json:"status"`
	Revoked   time.Time `json:"revoked,omitzero"`
	Reason    string    `json:"reason,omitempty"` // RFC 5280 §5.3.1, as "keyCompromise"
	Note      string    `json:"note,omitempty"`   // what the person who revoked wrote
	Via       string    `json:"via,omitempty"`    // "est-code", "est-renewal", "manufacturer", "csr-file", "scep"
	LongLife  bool      `json:"long_life,omitempty"`
	PEM       string    `json:"pem,omitempty"`
}

// RevocationNotice goes over the bus when certificates are revoked, so that every
// consumer in every process knows within 100 ms. It is a hint: consumers also
// read the CRL, and a lost notice delays, never prevents.
type RevocationNotice struct {
	Number  uint64    `json:"number"` // of the CRL that has it; consumers that miss one read the CRL
	Issuer  string    `json:"issuer"`
	Serials []string  `json:"serials"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
	// Delta is a delta CRL (RFC 5280 §5.2.4, DER) with these serials. A consumer
	// refuses and cuts because the authority signed that, never because somebody on
	// the bus said so: a forged notice must not stop a stream in a theatre.
	Delta []byte `json:"delta"`
}

// Cut is the clinical choice for a live connection whose certificate is revoked.
type Cut string

// The choices.
const (
	CutNow     Cut = "cut"    // close at once
	CutAfter   Cut = "finish" // finish the instance or the request, then close
	CutByAlarm Cut = "alarm"  // tell people, keep it: a person decides
)

// Announcer carries notices between processes; platform/bus is one.
type Announcer interface {
	// Announce sends to everybody who listens now.
	Announce(ctx context.Context, n RevocationNotice) error
	// Listen calls f for each notice until ctx ends. f must not block.
	Listen(ctx context.Context, f func(RevocationNotice)) error
}

// Journal is where the authority writes what it does, before it answers.
type Journal = ledger.Recorder
