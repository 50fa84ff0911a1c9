// SPDX-License-Identifier: Apache-2.0

package api

import (
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// What GET /imaging and below answer is the gateway's own view (guard/gateway/control)
// with the names that devices have in the inventory and the state that the ledger has.

// ImagingGateways answers GET /imaging/gateways.
type ImagingGateways struct {
	Gateways []ImagingGateway `json:"gateways"`
}

// ImagingGateway is a gateway that this site has or had.
type ImagingGateway struct {
	Name  string    `json:"name"`
	State string    `json:"state"` // "live", "silent"
	Heard time.Time `json:"heard"`
	Since time.Time `json:"since"` // when it started
}

// ImagingAssociations answers GET /imaging/associations.
type ImagingAssociations struct {
	Associations []ImagingAssociation `json:"associations"`
}

// ImagingAssociation is a conversation with a peer.
type ImagingAssociation struct {
	control.Association
	DeviceName string `json:"device_name,omitempty"`
}

// ImagingDestinations answers GET /imaging/destinations.
type ImagingDestinations struct {
	Destinations []ImagingDestination `json:"destinations"`
}

// ImagingDestination is where instances go to.
type ImagingDestination struct {
	control.Destination
	InCase bool `json:"in_case"` // a case is in progress in its theatre: pausing and giving up have to be confirmed
}

// ImagingSteps answers GET /imaging/steps.
type ImagingSteps struct {
	Steps []ImagingProcedureStep `json:"steps"`
}

// ImagingProcedureStep is a procedure step that says whose images a room's devices make.
type ImagingProcedureStep struct {
	control.ProcedureStep
	DeviceName string `json:"device_name,omitempty"`
}

// ImagingInstances answers GET /imaging/instances.
type ImagingInstances struct {
	Instances []ImagingInstance `json:"instances"`
	Before    *uint64           `json:"before,omitempty"` // pass on for the next page
}

// ImagingInstance is an instance that the gateway has or had.
type ImagingInstance struct {
	instance.Record
	DeviceName string `json:"device_name,omitempty"`
	// Custody says what the ledger has of it: "witnessed" or "published" when all is under a signature
	// of that kind, "recorded" when the newest waits for one, "none" without an entry, "" when no ledger runs here.
	Custody string `json:"custody,omitempty"`
}

// ImagingInstanceDetail answers GET /imaging/instances/{number}.
type ImagingInstanceDetail struct {
	Instance ImagingInstance `json:"instance"`
	Entries  []LedgerEntry   `json:"entries"`
}

// ImagingQuarantine answers GET /imaging/quarantine.
type ImagingQuarantine struct {
	Held   []ImagingHeld `json:"held"`
	Before *uint64       `json:"before,omitempty"`
}

// ImagingHeld is an instance in quarantine.
type ImagingHeld struct {
	ImagingInstance
	Own    bool `json:"own"`     // who asked is who reads this: another person must agree
	InCase bool `json:"in_case"` // a case is in progress in its theatre: deciding has to be confirmed
}

// ImagingReceipts answers GET /imaging/receipts/{artefact}.
type ImagingReceipts struct {
	Artefact string           `json:"artefact"` // SOP instance UID, or SHA-256 of a data set
	Receipts []ImagingReceipt `json:"receipts"`
}

// ImagingReceipt is an entry of the ledger about an instance, and where its receipt is.
type ImagingReceipt struct {
	Entry       uint64    `json:"entry"`
	Kind        string    `json:"kind"`
	At          time.Time `json:"at"`
	State       string    `json:"state"`            // of the entry: "recorded" has no receipt yet
	Number      uint64    `json:"number,omitempty"` // of the instance, where the gateway knows it still
	Destination string    `json:"destination,omitempty"`
	DataSet     string    `json:"data_set,omitempty"` // SHA-256 that the statement is about
	Sentence    string    `json:"sentence"`
	Receipt     string    `json:"receipt,omitempty"` // address of the file
}

// ImagingPolicy answers GET and PUT /imaging/policy.
type ImagingPolicy struct {
	YAML   string              `json:"yaml"`
	SHA256 string              `json:"sha256"`
	State  control.PolicyState `json:"state"`
}

// ImagingPolicyCheck answers POST /imaging/policy/check.
type ImagingPolicyCheck struct {
	Problems []control.Problem `json:"problems"`
}

// ImagingDryRun answers POST /imaging/policy/dry-run.
type ImagingDryRun struct {
	Problems     []control.Problem     `json:"problems"` // nothing was examined when there are any
	Examined     int                   `json:"examined"`
	Same         int                   `json:"same"`
	Changed      []ImagingDryRunChange `json:"changed"`
	More         int                   `json:"more"` // changes beyond those listed
	Milliseconds int64                 `json:"milliseconds"`
}

// ImagingDryRunChange is an instance whose verdict would differ.
type ImagingDryRunChange struct {
	control.DryRunChange
	DeviceName string `json:"device_name,omitempty"`
}

// ImagingBindings answers GET and PUT /imaging/bindings.
type ImagingBindings struct {
	Bindings []ImagingBinding `json:"bindings"`
	Revision string           `json:"revision"`
}

// ImagingBinding says what a device may do.
type ImagingBinding struct {
	control.Binding
	DeviceName string `json:"device_name,omitempty"`
}

// ImagingStudies answers GET /imaging/studies.
type ImagingStudies struct {
	Studies []ImagingStudy `json:"studies"`
	Before  *uint64        `json:"before,omitempty"`
}

// ImagingStudy sums up what a gateway has of a study.
type ImagingStudy struct {
	Study       string         `json:"study"`
	Description string         `json:"study_description,omitempty"`
	Modalities  []string       `json:"modalities"`
	Patient     string         `json:"patient,omitempty"` // pseudonym
	Device      string         `json:"device"`            // that sent the newest
	DeviceName  string         `json:"device_name,omitempty"`
	Theatre     string         `json:"theatre,omitempty"`
	First       time.Time      `json:"first"`
	Last        time.Time      `json:"last"`
	Instances   int            `json:"instances"`
	Bytes       int64          `json:"bytes"`
	States      map[string]int `json:"states"`     // instances by state
	Deliveries  map[string]int `json:"deliveries"` // deliveries by state
	Custody     string         `json:"custody,omitempty"`
	More        bool           `json:"more"` // it has older instances than were looked at
}

// ImagingTimeline answers GET /imaging/studies/{study}/timeline.
type ImagingTimeline struct {
	Study ImagingStudy `json:"study"`
	// Steps sum up what happened to the study, in the order of their first moment.
	Steps []ImagingStep `json:"steps"`
	// Instances have each what happened to it; newest instances first.
	Instances []ImagingLife `json:"instances"`
	Before    *uint64       `json:"before,omitempty"`
}

// ImagingStep is one step from the scanner to the processor, for all instances of a study.
type ImagingStep struct {
	What        string    `json:"what"` // "received", "quarantined", "sanitised", "released", "destroyed", "refused", "forwarded", "committed", "waiting", "failed", "dropped"
	Sentence    string    `json:"sentence"`
	Device      string    `json:"device,omitempty"`
	DeviceName  string    `json:"device_name,omitempty"`
	Destination string    `json:"destination,omitempty"`
	Instances   int       `json:"instances"`
	Bytes       int64     `json:"bytes"`
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	// Custody is the weakest state of the ledger's entries that the step has, "none" where one has none.
	Custody string `json:"custody,omitempty"`
	Entries int    `json:"entries"` // of the ledger
}

// ImagingLife is what happened to one instance.
type ImagingLife struct {
	Number      uint64           `json:"number"`
	SOPInstance string           `json:"sop_instance"`
	Series      string           `json:"series"`
	Modality    string           `json:"modality,omitempty"`
	State       instance.State   `json:"state"`
	Verdict     instance.Verdict `json:"verdict"`
	Events      []ImagingEvent   `json:"events"`
}

// ImagingEvent is one thing that happened to an instance.
type ImagingEvent struct {
	At          time.Time `json:"at"`
	What        string    `json:"what"` // as in ImagingStep
	Sentence    string    `json:"sentence"`
	Destination string    `json:"destination,omitempty"`
	Other       uint64    `json:"other,omitempty"`      // number of the copy or the original
	Entry       *uint64   `json:"entry,omitempty"`      // of the ledger
	Alteration  *uint64   `json:"alteration,omitempty"` // entry of the ledger about how it was changed for the destination
	Custody     string    `json:"custody,omitempty"`
	Receipt     string    `json:"receipt,omitempty"` // address of the receipt, once there is one
}
