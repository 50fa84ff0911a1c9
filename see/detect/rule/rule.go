// SPDX-License-Identifier: Apache-2.0

// Package rule holds a detection as content: what it is called, what it means
// in two wordings, how severe it is and when, what to do, the matcher, and samples
// that prove it.
//
// A rule is one YAML file in rules/<family>/<name>.yaml. It is self-contained:
// everything that a person or the engine needs is in it. Parsing is strict; an error
// names file, line and what is allowed.
package rule

import (
	"time"

	"github.com/asepsis/asepsis/core/finding"
)

// Rule is one detection.
type Rule struct {
	ID      string `yaml:"id"`      // "<family>.<name>", the file's place: "dicom.move-unknown-destination"
	Version int    `yaml:"version"` // counts up with every change of what it finds
	Title   string `yaml:"title"`   // template: what happened, to what: "{src} asked {dst} to send images to {destination}, which no device is"
	Analyst string `yaml:"analyst"` // what it means and why it matters, for the analyst
	Room    string `yaml:"room"`    // template: what it means in the theatre, whether to go on, whom to call; no jargon

	Severity       Severity `yaml:"severity"`
	Confidence     uint8    `yaml:"confidence"` // percent, that it is what it says when it fires
	Attack         []string `yaml:"attack"`     // ATT&CK technique IDs, ICS (T08xx) and Enterprise (T1xxx)
	References     []string `yaml:"references"`
	Playbook       []string `yaml:"playbook"` // steps, first things first
	FalsePositives []string `yaml:"false_positives"`
	Needs          []string `yaml:"needs"` // what must be there for it to work: "policy", "schedule", "baseline"
	Match          Match    `yaml:"match"`
	Values         []Value  `yaml:"values"` // named expressions over the event that fired, for templates, entities and evidence
	Group          Group    `yaml:"group"`
	Samples        []Sample `yaml:"samples"`
	Disabled       bool     `yaml:"disabled"`
	// Origin is "" for our own, "sigma" or "suricata" for an imported rule, which may
	// be without samples.
	Origin string `yaml:"origin"`

	// Family is the first part of the ID. File is where it was read from.
	Family string `yaml:"-"`
	File   string `yaml:"-"`
}

// Severity is the rule's own severity and how the surroundings change it. The
// highest that applies counts; Maintenance, where set, wins over all in a
// theatre in maintenance.
type Severity struct {
	Base        finding.Severity            `yaml:"base"`
	InCase      finding.Severity            `yaml:"in_case"`     // while a case is in progress in the theatre; 0: as Base
	Maintenance finding.Severity            `yaml:"maintenance"` // 0: as Base
	Criticality map[string]finding.Severity `yaml:"criticality"` // by device.Criticality of a device concerned
}

// Match is the matcher; exactly one field is set.
type Match struct {
	Trigger  *Trigger  `yaml:"trigger"`
	Count    *Count    `yaml:"count"`
	Unique   *Unique   `yaml:"unique"`
	Sequence *Sequence `yaml:"sequence"`
	Absence  *Absence  `yaml:"absence"`
	Rate     *Rate     `yaml:"rate"`
	Baseline *Baseline `yaml:"baseline"`
	IOC      *IOC      `yaml:"ioc"`
	Go       *Go       `yaml:"go"`
}

// On selects events: of these classes, of these protocols, for which When is
// true. Classes and protocols are an index: what they leave out costs nothing.
type On struct {
	Class    []string `yaml:"class"`    // event.Class names as Class.Name gives them: "dicom_operation"
	Protocol []string `yaml:"protocol"` // Event.Protocol; empty for all
	Activity []string `yaml:"activity"` // captions of the class: "C-STORE"; empty for all
	When     string   `yaml:"when"`     // expression, bool; "" for always
}

// Trigger fires on each event.
type Trigger struct {
	On `yaml:",inline"`
}

// Count fires when at least Over events of one key come within Window.
type Count struct {
	On     `yaml:",inline"`
	By     []string      `yaml:"by"` // expressions; the key
	Window time.Duration `yaml:"window"`
	Over   int           `yaml:"over"`
}

// Unique fires when the events of one key within Window have at least Over
// different values of Of.
type Unique struct {
	On     `yaml:",inline"`
	By     []string      `yaml:"by"`
	Of     string        `yaml:"of"`
	Window time.Duration `yaml:"window"`
	Over   int           `yaml:"over"`
}

// Sequence fires when the steps happen in their order for one key within Window.
type Sequence struct {
	By     []string      `yaml:"by"`
	Window time.Duration `yaml:"window"`
	Steps  []Step        `yaml:"steps"` // 2 to 8
}

// Step is one step of a sequence. By, where set, is the key for this step's
// events instead of the sequence's.
type Step struct {
	On    `yaml:",inline"`
	By    []string `yaml:"by"`
	Times int      `yaml:"times"` // 0 for 1
	Not   bool     `yaml:"not"`   // must not happen before the next step
}

// Absence fires when something that came regularly has stopped: at least
// Expect events of one key were seen at the pace learned, and then nothing for longer than
// the larger of Within and Factor times the usual pause.
type Absence struct {
	On     `yaml:",inline"`
	By     []string      `yaml:"by"`
	Expect int           `yaml:"expect"` // events before it counts as regular
	Within time.Duration `yaml:"within"`
	Factor float64       `yaml:"factor"` // 0 for 5
	Until  *On           `yaml:"until"`  // an orderly end: the key is forgotten
}

// Rate fires when the sum of Value over a Bucket of time is off the level learned for the key.
type Rate struct {
	On         `yaml:",inline"`
	By         []string      `yaml:"by"`
	Value      string        `yaml:"value"` // expression, number; "" for 1 an event
	Bucket     time.Duration `yaml:"bucket"`
	Deviations float64       `yaml:"deviations"` // robust deviations (MAD) above the median that are too many
	Below      bool          `yaml:"below"`      // also when it falls that far below
	Floor      float64       `yaml:"floor"`      // below: only where at least so much came; silence is what absence finds
	Min        float64       `yaml:"min"`        // and at least this much
	Learn      Learn         `yaml:"learn"`
}

// Baseline fires on a value of Of that the key By has not had before.
type Baseline struct {
	On    `yaml:",inline"`
	By    []string `yaml:"by"` // whose baseline: a device, a pair, a zone; empty for the whole site
	Of    []string `yaml:"of"` // what is learned
	Learn Learn    `yaml:"learn"`
}

// Learn says when a baseline is ready.
type Learn struct {
	For     time.Duration `yaml:"for"`     // time since the first sample
	Samples int           `yaml:"samples"` // and at least so many
	Forget  time.Duration `yaml:"forget"`  // a value not seen for so long is new again; 0 for 90 days
}

// IOC fires when Of is in an indicator list.
type IOC struct {
	On   `yaml:",inline"`
	Of   []string `yaml:"of"`   // expressions: strings or lists of strings
	List string   `yaml:"list"` // name of a list in rules/lists
}

// Go is an analysis that a rule cannot say: a detector registered under Name
// with named numbers, durations ("30s") and texts as its settings.
//
// When leaves out events before the analysis sees them: what is left out is neither judged
// nor learned. A condition on the end of something (policy.allowed of a connection) leaves out all of it.
type Go struct {
	Name     string         `yaml:"name"`
	Settings map[string]any `yaml:"settings"`
	When     string         `yaml:"when"` // expression, bool; "" for always
}

// Value is a named expression.
type Value struct {
	Name    string `yaml:"name"`
	Expr    string `yaml:"expr"`
	Decided bool   `yaml:"decided"` // what made it fire: marked in the evidence
	Entity  bool   `yaml:"entity"`  // kept in Alert.Entities
}

// Group says which occurrences are one alert.
type Group struct {
	By      []string `yaml:"by"`      // expressions; default: the matcher's key, else both devices
	Devices []string `yaml:"devices"` // "src", "dst": whom it is about, the one to act on first; default both
}

// Sample is a proof: events and what must, or must not, be found.
type Sample struct {
	Name     string   `yaml:"name"`    // what happens, a sentence
	Capture  string   `yaml:"capture"` // under testdata/captures, or
	Events   []Event  `yaml:"events"`  // typed events
	Setup    Setup    `yaml:"setup"`
	Fires    *Expect  `yaml:"fires"` // exactly one of these two
	Quiet    bool     `yaml:"quiet"` // nothing of this rule may be found
	Settings Settings `yaml:"settings"`
}

// Settings of a sample: how the engine is to behave in it.
type Settings struct {
	Learned bool          `yaml:"learned"`     // baselines count as ready from the first event that comes after LearnUntil
	Until   time.Duration `yaml:"learn_until"` // since the first event
	Wait    time.Duration `yaml:"wait"`        // the clock goes on so far after the last event
}

// Expect says what must be found.
type Expect struct {
	Alerts   int               `yaml:"alerts"`   // 0 for exactly 1
	Count    uint64            `yaml:"count"`    // of the first; 0 for any
	Severity finding.Severity  `yaml:"severity"` // 0 for any
	Title    string            `yaml:"title"`    // a part of it
	Entities map[string]string `yaml:"entities"`
}

// Setup is the world of a sample: its devices, theatres and policy, beside what the
// inventory makes of a capture.
type Setup struct {
	Devices  []SampleDevice    `yaml:"devices"`
	Theatres map[string]string `yaml:"theatres"` // ID -> state
	Policy   string            `yaml:"policy"`   // YAML text of a policy
	Guards   []SampleGuard     `yaml:"guards"`
}

// SampleGuard is a guard of a sample, see platform/guarded.
type SampleGuard struct {
	Name      string   `yaml:"name"`
	Addresses []string `yaml:"addresses"`
	Services  []string `yaml:"services"` // "10.50.0.5:104"
}

// SampleDevice is a device of a sample.
type SampleDevice struct {
	ID          string   `yaml:"id"`
	Name        string   `yaml:"name"`
	Class       string   `yaml:"class"`
	IPs         []string `yaml:"ips"`
	MAC         string   `yaml:"mac"`
	VLAN        uint16   `yaml:"vlan"`
	AETitles    []string `yaml:"ae_titles"`
	Theatre     string   `yaml:"theatre"`
	Zone        string   `yaml:"zone"`
	Criticality string   `yaml:"criticality"`
	Serial      string   `yaml:"serial"`
	UDI         string   `yaml:"udi"`
}

// Event is a typed event of a sample. Fields not named are zero.
type Event struct {
	At time.Duration `yaml:"at"` // since the start of the sample
	// Class is the name of a class, or the variable of its detail in expressions:
	// "tls" and "conn" tell the two details of network_activity apart, which by its own name is a connection.
	Class     string         `yaml:"class"`
	Protocol  string         `yaml:"protocol"`
	Activity  string         `yaml:"activity"`
	Status    string         `yaml:"status"`
	Code      string         `yaml:"status_code"`
	Words     string         `yaml:"status_detail"`
	Message   string         `yaml:"message"`
	Src       string         `yaml:"src"` // device ID of the setup, "10.0.0.1", either with ":1234" for the port, "[2001:db8::1]:1234"
	Dst       string         `yaml:"dst"`
	Transport string         `yaml:"transport"` // "tcp", "udp", "icmp"; "" for what the protocol usually has
	VLAN      uint16         `yaml:"vlan"`
	Flow      uint64         `yaml:"flow"`   // which conversation, where several events are of one; 0: one of all, but of repeated ends of connections each its own
	Sensor    string         `yaml:"sensor"` // "" for "sample"
	Encrypted bool           `yaml:"encrypted"`
	Detail    map[string]any `yaml:"detail"` // fields of the class, named as in expressions
	Repeat    int            `yaml:"repeat"` // so many times, Every apart; {n} in texts is the number from 0
	Every     time.Duration  `yaml:"every"`
}
