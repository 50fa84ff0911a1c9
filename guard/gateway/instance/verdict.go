// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"fmt"
	"io"

	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Verdict is what a rule of the firewall decides. Of several, the highest counts.
type Verdict uint8

// The verdicts.
const (
	Pass       Verdict = iota // goes on as it is
	Flag                      // goes on as it is; a person is told
	Sanitise                  // a changed copy goes on, the original stays in quarantine
	Quarantine                // is kept, and goes on when two people release it
	Refuse                    // is not taken
)

var verdicts = [...]string{"pass", "flag", "sanitise", "quarantine", "refuse"}

// String returns the verdict's word, as in a policy.
func (v Verdict) String() string {
	if int(v) < len(verdicts) {
		return verdicts[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// MarshalText implements encoding.TextMarshaler.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *Verdict) UnmarshalText(text []byte) error {
	for i, w := range verdicts {
		if w == string(text) {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("verdict %.20q: want pass, flag, sanitise, quarantine or refuse", text)
}

// Hit is a rule of the firewall that met.
type Hit struct {
	Rule    string  `json:"rule"` // "preamble.executable"
	Verdict Verdict `json:"verdict"`
	// Path names the element, "(0040,A730)[2].(0040,A160)"; "" for the whole.
	Path string `json:"path,omitempty"`
	// Why is a sentence without any value of the data set.
	Why string `json:"why"`
}

// MaxHits bounds a Result; the highest verdicts are kept, in the order in which they met.
const MaxHits = 64

// Result is what the firewall made of an instance.
type Result struct {
	Verdict Verdict
	Hits    []Hit
	More    int // hits beyond MaxHits
	// Status and Comment are for the response where the instance is refused.
	Status  dimse.Status
	Comment string // at most 64 characters, without any value
	Header  Header
	Pixel   Digests // only Pixel, Pixels and Bytes are set
}

// Inspector is the content firewall. Implementations may be used concurrently.
type Inspector interface {
	// Begin begins to inspect one instance under the policy that is in force now.
	Begin(a Arrival) Inspection
	// Policy is the SHA-256 of the policy in force, hexadecimal.
	Policy() string
}

// Inspection is given the data set as it arrives. It belongs to one goroutine and
// holds a bounded amount of memory, whatever the instance's size.
type Inspection interface {
	// Write takes the next bytes. It never fails and never returns less than it was
	// given: what cannot be read further becomes a Hit.
	io.Writer
	// Stop reports whether the verdict is Refuse already, so that nothing more needs to
	// be kept (the rest of the message is still read from the peer).
	Stop() bool
	// Finish ends the inspection: the data set is complete.
	Finish() Result
	// Policy is that which the inspection began under.
	Policy() string
}

// Change is one element that was altered.
type Change struct {
	Path   string `json:"path"`
	Action string `json:"action"` // "removed", "emptied", "replaced", "shifted", "blanked", "added"
	Rule   string `json:"rule,omitempty"`
}

// Altered describes how one data set was made of another.
type Altered struct {
	SOPInstance    string // of the new one
	TransferSyntax string // of the new one
	Changes        []Change
	More           int // changes beyond those listed
}

// MaxChanges bounds the list of an Altered.
const MaxChanges = 256

// Transformer makes a data set of another while it streams: sanitising,
// de-identification. Implementations may be used concurrently.
type Transformer interface {
	// Transform reads a data set in a transfer syntax and writes the new one to dst. What was
	// written is worthless when it returns an error.
	Transform(dst io.Writer, src io.Reader, syntax string) (Altered, error)
}
