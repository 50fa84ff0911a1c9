// SPDX-License-Identifier: Apache-2.0

// Package finding holds the noun Finding: something that needs a person's
// attention, with the evidence for it and two wordings, one for the analyst
// and one for the room.
package finding

import "fmt"

// Severity orders findings. The names are OCSF's (severity_id 1 to 5).
type Severity uint8

// The severities, lowest first.
const (
	Unknown Severity = iota
	Info
	Low
	Medium
	High
	Critical
)

var names = [...]string{"unknown", "info", "low", "medium", "high", "critical"}

// String returns the lower-case name.
func (s Severity) String() string {
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// ParseSeverity reads a name as String gives it.
func ParseSeverity(s string) (Severity, error) {
	for i, n := range names {
		if n == s && i > 0 {
			return Severity(i), nil
		}
	}
	return Unknown, fmt.Errorf("severity %q: want info, low, medium, high or critical", s)
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Severity) UnmarshalText(b []byte) error {
	v, err := ParseSeverity(string(b))
	if err != nil {
		return err
	}
	*s = v
	return nil
}

// Finding is one thing that is wrong, grouped over its occurrences.
type Finding struct {
	Rule     string   `json:"rule"` // stable identifier of what found it
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`          // what happened, to what; for the analyst
	Room     string   `json:"room,omitempty"` // what it means in the theatre and whom to call, without jargon
	Devices  []string `json:"devices"`        // device IDs
	Count    uint64   `json:"count"`
	First    int64    `json:"first"` // ns since the Unix epoch, UTC
	Last     int64    `json:"last"`
	Attack   []string `json:"attack"`   // ATT&CK technique IDs
	Evidence []string `json:"evidence"` // short sentences or event references
}
