// SPDX-License-Identifier: Apache-2.0

// Package control is the gateway as people see and steer it: the answers, as the API
// gives them, and the requests, as the bus carries them between the process that has
// the console and the one that has the gateway. Within one process it is the same path.
//
// Nothing here holds a patient's identifier in clear but a Header that was asked for
// with leave to see it.
package control

import (
	"context"
	"encoding/json"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity/order"
)

// Overview is the gateway at a glance.
type Overview struct {
	Name      string     `json:"name"` // of this gateway: "gateway-or-3"
	Since     time.Time  `json:"since"`
	Listeners []Listener `json:"listeners"`
	// Counters since the start, and rates over the last minute.
	// Received and what follows count since the start; rates are those of the last minute.
	Received    Flow   `json:"received"`
	Forwarded   Flow   `json:"forwarded"`
	Flagged     uint64 `json:"flagged"`
	Sanitised   uint64 `json:"sanitised"`
	Quarantined uint64 `json:"quarantined"` // since the start
	Refused     uint64 `json:"refused"`
	// Held is how many are in quarantine now, Waiting how many deliveries wait, Dead how many were given up.
	Held    int `json:"held"`
	Waiting int `json:"waiting"`
	Dead    int `json:"dead"`
	// Disk, Ledger, Policy and Trust say how the gateway itself is.
	Disk   Disk         `json:"disk"`
	Ledger Dependency   `json:"ledger"`
	Trust  Dependency   `json:"trust"`
	Audit  Dependency   `json:"audit"`
	Policy PolicyState  `json:"policy"`
	Routes []RouteState `json:"routes"`
	// Minutes has the last sixty, oldest first.
	Minutes []Minute `json:"minutes"`
	// Advice is what a person should do, worst first; empty when there is nothing.
	Advice []Advice `json:"advice"`
}

// Flow counts instances.
type Flow struct {
	Instances uint64  `json:"instances"`
	Bytes     uint64  `json:"bytes"`
	PerSecond float64 `json:"per_second"` // instances, over the last minute
	Rate      float64 `json:"rate"`       // bytes a second, over the last minute
}

// Minute is one minute's counts.
type Minute struct {
	At          time.Time `json:"at"`
	Received    int       `json:"received"`
	Bytes       int64     `json:"bytes"`
	Forwarded   int       `json:"forwarded"`
	Quarantined int       `json:"quarantined"`
	Refused     int       `json:"refused"`
}

// Listener is a door of the gateway.
type Listener struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"` // "dicom-tls", "dicom-plain", "dicomweb"
	Address string `json:"address"`
	State   string `json:"state"` // "open", "failed"
	Why     string `json:"why,omitempty"`
	Open    int    `json:"open"`  // connections
	Plain   int    `json:"plain"` // devices that may come in clear: each is a standing finding
}

// Disk is the journal's room.
type Disk struct {
	Used  int64  `json:"used"`  // bytes of instances
	Free  int64  `json:"free"`  // bytes of the file system
	Warn  int64  `json:"warn"`  // free bytes below which a person is told
	Stop  int64  `json:"stop"`  // free bytes below which nothing more is taken
	State string `json:"state"` // "ok", "low", "full"
}

// Dependency is something that the gateway needs.
type Dependency struct {
	State string    `json:"state"` // "ok", "degraded", "down", "off"
	Why   string    `json:"why,omitempty"`
	Hint  string    `json:"hint,omitempty"`
	Since time.Time `json:"since,omitzero"`
	Lag   int       `json:"lag,omitempty"` // what waits for it
}

// PolicyState is the firewall's policy that is in force.
type PolicyState struct {
	SHA256 string    `json:"sha256"`
	Loaded time.Time `json:"loaded"`
	File   string    `json:"file,omitempty"` // "" when it is the embedded default
	Rules  int       `json:"rules"`
	Error  string    `json:"error,omitempty"` // why a newer file is not in force
}

// RouteState is a route and what happens on it when something fails.
type RouteState struct {
	Name         string   `json:"name"`
	Match        string   `json:"match"` // in words: "CT and MR from OR-3 to XR"
	Destinations []string `json:"destinations"`
	Fail         string   `json:"fail"`  // "closed", "open-and-alarm"
	State        string   `json:"state"` // "ok", "open" (something failed, and it lets pass), "closed" (and it does not)
	Why          string   `json:"why,omitempty"`
}

// WhoAsks is the only destination of a route of retrievals.
const WhoAsks = "who asks"

// Advice is a sentence for a person.
type Advice struct {
	Severity string `json:"severity"` // "critical", "high", "medium", "low"
	What     string `json:"what"`
	Why      string `json:"why,omitempty"`
	Hint     string `json:"hint"`
}

// Association is a conversation with a peer, open or just ended. DICOMweb requests
// of one connection are one.
type Association struct {
	ID          string    `json:"id"`
	Way         string    `json:"way"`       // "dimse", "dicomweb"
	Direction   string    `json:"direction"` // "in", "out"
	Listener    string    `json:"listener,omitempty"`
	Destination string    `json:"destination,omitempty"`
	Device      string    `json:"device,omitempty"`
	CallingAE   string    `json:"calling_ae,omitempty"`
	CalledAE    string    `json:"called_ae,omitempty"`
	Address     string    `json:"address"`
	TLS         string    `json:"tls,omitempty"`
	Theatre     string    `json:"theatre,omitempty"`
	Since       time.Time `json:"since"`
	Ended       time.Time `json:"ended,omitzero"`
	Instances   uint64    `json:"instances"`
	Bytes       uint64    `json:"bytes"`
	Operations  uint64    `json:"operations"`
	Doing       string    `json:"doing,omitempty"` // "C-STORE"
	// Problem is empty where all went well; otherwise a code ("tls-on-plain", "unknown-ae" ...) with its words.
	Problem string `json:"problem,omitempty"`
	What    string `json:"what,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// Destination is where instances go to.
type Destination struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"`    // "dimse", "stow"
	Address   string    `json:"address"` // host:port, or URL
	CalledAE  string    `json:"called_ae,omitempty"`
	CallingAE string    `json:"calling_ae,omitempty"`
	TLS       bool      `json:"tls"`
	Deid      string    `json:"deid,omitempty"` // name of the de-identification profile
	Theatre   string    `json:"theatre,omitempty"`
	State     string    `json:"state"` // "idle", "sending", "backing-off", "paused", "gone" (waited for, and not configured any more)
	Waiting   int       `json:"waiting"`
	Urgent    int       `json:"urgent"`
	Bytes     int64     `json:"bytes"` // that wait
	InFlight  int       `json:"in_flight"`
	Dead      int       `json:"dead"`
	Sent      uint64    `json:"sent"` // since the start
	PerSecond float64   `json:"per_second"`
	Oldest    time.Time `json:"oldest,omitzero"`  // when the oldest that waits was received
	Success   time.Time `json:"success,omitzero"` // last
	Failure   time.Time `json:"failure,omitzero"` // last
	Why       string    `json:"why,omitempty"`
	Hint      string    `json:"hint,omitempty"`
	Next      time.Time `json:"next,omitzero"` // when it is tried again
	// Commitment says what storage commitment is awaited: "off", "ok", "waiting" with how many.
	Commitment        string `json:"commitment"`
	CommitmentWaiting int    `json:"commitment_waiting"`
}

// Gone is the state of a Destination that is waited for, and not configured any more.
const Gone = "gone"

// Drop gives up for good what a destination did not take: what was given up, and where the
// destination is gone, what waits for it too. The instances stay in the journal.
type Drop struct {
	Destination string `json:"destination"`
	Reason      string `json:"reason"` // why; the ledger keeps it
	User        string `json:"user"`
	// InCase is that a case was in progress in the destination's theatre, and the person said that it is meant all the same.
	InCase bool `json:"in_case,omitempty"`
}

// Dropped is what was given up for good.
type Dropped struct {
	Deliveries int `json:"deliveries"`
}

// ProcedureStep is a performed procedure step that says whose images a room's devices make
// now (PS3.4 annex F.7), by pseudonym.
type ProcedureStep struct {
	UID     string    `json:"uid"`
	Device  string    `json:"device"` // that began it
	Theatre string    `json:"theatre"`
	Patient string    `json:"patient"` // pseudonym
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"` // completed, discontinued, followed by another, or ended by a person
	Until   time.Time `json:"until"`          // when it counts no more
	How     string    `json:"how,omitempty"`  // how it ended
	By      string    `json:"by,omitempty"`   // who ended it, where a person did
	Held    int       `json:"held,omitempty"` // instances that were held because of it
}

// How a procedure step ends.
const (
	StepCompleted    = "completed"
	StepDiscontinued = "discontinued"
	StepFollowed     = "followed"   // its device began another
	StepCaseEnded    = "case-ended" // the room's case ended, or it is in maintenance
	StepByPerson     = "person"
)

// EndStep ends a procedure step that a device left open, so that the next patient's images are not held.
type EndStep struct {
	UID    string `json:"uid"`
	Reason string `json:"reason"` // why; the ledger keeps it
	User   string `json:"user"`
}

// Echo is the answer to "try it".
type Echo struct {
	OK           bool   `json:"ok"`
	Milliseconds int64  `json:"milliseconds"`
	Steps        []Step `json:"steps"` // "connect", "tls", "associate", "echo", or "request"
	What         string `json:"what,omitempty"`
	Hint         string `json:"hint,omitempty"`
}

// Step is one step of it.
type Step struct {
	Name         string `json:"name"`
	OK           bool   `json:"ok"`
	Milliseconds int64  `json:"milliseconds"`
	Detail       string `json:"detail,omitempty"` // "TLSv1.3, certificate of dev-0123 until 2027-01-31"
}

// Header is a safe view of a data set: text only, cut, without pixel data.
type Header struct {
	Number   uint64          `json:"number"`
	Elements []HeaderElement `json:"elements"`
	Cut      bool            `json:"cut"` // there are more
}

// HeaderElement is one line of it.
type HeaderElement struct {
	Path   string `json:"path"` // "(0010,0010)", "(0008,1140)[1].(0008,1155)"
	VR     string `json:"vr"`
	Name   string `json:"name,omitempty"`
	Length int64  `json:"length"`
	Value  string `json:"value,omitempty"` // at most 256 characters; control characters are escaped
	Hidden bool   `json:"hidden,omitempty"`
	Rule   string `json:"rule,omitempty"` // the rule that met here
	More   bool   `json:"more,omitempty"` // the value is longer
}

// Decide is what a person says about something in quarantine.
type Decide struct {
	Number   uint64 `json:"number"`
	Action   string `json:"action"` // "release", "destroy", "withdraw"
	Reason   string `json:"reason"`
	User     string `json:"user"`
	Revision uint64 `json:"revision"`
	// InCase is that a case was in progress in the theatre where it belongs, and the person
	// said that it is meant all the same: it is recorded as an override.
	InCase bool `json:"in_case,omitempty"`
}

// HeaderRequest asks for a header. Clear shows what identifies the patient too; then
// User and Reason say who wants it and what for, and the ledger keeps both.
type HeaderRequest struct {
	Number uint64 `json:"number"`
	Clear  bool   `json:"clear,omitempty"`
	User   string `json:"user,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Held is something in quarantine.
type Held struct {
	instance.Record
	DeviceName string `json:"device_name,omitempty"`
}

// Policy is the firewall's policy as text.
type Policy struct {
	YAML   string `json:"yaml"`
	SHA256 string `json:"sha256"`
}

// Problem is what is wrong with a text.
type Problem struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Field  string `json:"field,omitempty"`
	What   string `json:"what"`
	Hint   string `json:"hint,omitempty"`
}

// DryRun asks what a policy would make of what is stored.
type DryRun struct {
	YAML  string `json:"yaml"`
	Limit int    `json:"limit"` // newest instances, at most 1000; 0: only the text is checked
}

// DryRunResult is what it would.
type DryRunResult struct {
	Problems []Problem      `json:"problems,omitempty"`
	Examined int            `json:"examined"`
	Same     int            `json:"same"`
	Changed  []DryRunChange `json:"changed"` // at most 200
	More     int            `json:"more,omitempty"`
	Took     int64          `json:"milliseconds"`
}

// DryRunChange is an instance whose verdict would differ.
type DryRunChange struct {
	Number   uint64           `json:"number"`
	Received time.Time        `json:"received"`
	Device   string           `json:"device"`
	Modality string           `json:"modality,omitempty"`
	Was      instance.Verdict `json:"was"`
	Would    instance.Verdict `json:"would"`
	Hits     []instance.Hit   `json:"hits,omitempty"`
}

// Binding says what a device may do.
type Binding struct {
	Device         string   `json:"device" yaml:"device"`
	Name           string   `json:"name,omitempty" yaml:"name"`
	Plain          bool     `json:"plain,omitempty" yaml:"plain"`                 // may come in clear, known by address and AE title only
	CallingAE      []string `json:"calling_ae" yaml:"calling_ae"`                 // its own AE titles: store and query may differ
	CalledAE       []string `json:"called_ae,omitempty" yaml:"called_ae"`         // those of the gateway that it may call; empty: all
	Addresses      []string `json:"addresses,omitempty" yaml:"addresses"`         // addresses or prefixes; empty: any, not for plain
	SOPClasses     []string `json:"sop_classes,omitempty" yaml:"sop_classes"`     // UIDs or names of groups ("storage", "ct"); empty: all known storage classes
	Operations     []string `json:"operations" yaml:"operations"`                 // "echo", "store", "find", "move", "get", "worklist", "mpps", "commitment", "qido", "wado", "stow"
	Destinations   []string `json:"destinations,omitempty" yaml:"destinations"`   // AE titles that its C-MOVE may name
	Theatre        string   `json:"theatre,omitempty" yaml:"theatre"`             //
	OnRevocation   string   `json:"on_revocation,omitempty" yaml:"on_revocation"` // "cut", "finish", "alarm"
	Identification string   `json:"identification,omitempty" yaml:"-"`            // certificate's state in words, filled by the gateway
	LastSeen       string   `json:"last_seen,omitempty" yaml:"-"`                 // RFC 3339
	Refused        uint64   `json:"refused,omitempty" yaml:"-"`                   // since the start
	LastProblem    string   `json:"last_problem,omitempty" yaml:"-"`
}

// Control is the gateway as it is steered. Errors that a person caused have a hint and
// are *Refused; they keep both over the bus.
type Control interface {
	Overview(ctx context.Context) (Overview, error)
	Associations(ctx context.Context) ([]Association, error) // open ones first, then those ended lately, at most 500
	Destinations(ctx context.Context) ([]Destination, error)
	// Steer pauses, resumes or retries a destination: "pause", "resume", "retry" (also what was given up).
	Steer(ctx context.Context, destination, action, user string) error
	// Drop gives up for good what a destination did not take. What it did before it failed
	// stays done; the same again does the rest.
	Drop(ctx context.Context, d Drop) (Dropped, error)
	// EchoTo tries the way to a destination. It sends nothing but C-ECHO, or an OPTIONS request.
	EchoTo(ctx context.Context, destination string) (Echo, error)
	Instances(ctx context.Context, q instance.Query) ([]instance.Record, error)
	Instance(ctx context.Context, number uint64) (instance.Record, error)
	Quarantine(ctx context.Context, before uint64, limit int) ([]Held, error)
	Decide(ctx context.Context, d Decide) (Held, error)
	// HeaderOf shows a stored instance's header. Without Clear, identifiers of the patient are hidden.
	HeaderOf(ctx context.Context, r HeaderRequest) (Header, error)
	Policy(ctx context.Context) (Policy, error)
	SetPolicy(ctx context.Context, p Policy, user string) (Policy, []Problem, error) // p.SHA256 is of the one it replaces
	DryRun(ctx context.Context, d DryRun) (DryRunResult, error)
	// Steps are the procedure steps that say whose images rooms make, the newest first: those in progress, and
	// those that ended so lately that images of them may still come.
	Steps(ctx context.Context) ([]ProcedureStep, error)
	// EndStep ends one that is in progress. What was held because of it stays held.
	EndStep(ctx context.Context, e EndStep) (ProcedureStep, error)
	Bindings(ctx context.Context) ([]Binding, string, error) // and their revision
	SetBindings(ctx context.Context, list []Binding, revision, user string) ([]Problem, error)
	Proof
}

// The codes of Refused.
const (
	NotFound    = "not-found"
	Conflict    = "conflict"
	Changed     = "revision-conflict" // somebody else changed it since it was read
	Invalid     = "invalid"
	SamePerson  = "same-person"
	Unavailable = "unavailable"
	Unsigned    = "unsigned"    // the gateway takes signed orders only
	NotTrusted  = "not-trusted" // a signature, of an order or of an answer, does not count
)

// Refused is why a request was not carried out.
type Refused struct {
	Code string `json:"code"`
	What string `json:"what"`
	Tip  string `json:"hint,omitempty"`
}

// Error implements error.
func (r *Refused) Error() string { return r.What }

// Hint says what to do.
func (r *Refused) Hint() string { return r.Tip }

// Request is a call over the bus: the method's name, its arguments, and the order to do it
// where it is signed.
type Request struct {
	Method string          `json:"method"`
	Body   json.RawMessage `json:"body,omitempty"`
	Order  *order.Signed   `json:"order,omitempty"`
}
