// SPDX-License-Identifier: Apache-2.0

// Package theatre holds the noun Theatre: a room, its devices, and whether a
// case is in progress. Severity, routing and permitted responses depend on it.
package theatre

import "fmt"

// State is what goes on in a theatre.
type State string

// The states of a theatre.
const (
	Idle        State = "idle"
	InCase      State = "in-case"
	Maintenance State = "maintenance"
)

// Valid reports whether s is one of the three states.
func (s State) Valid() bool { return s == Idle || s == InCase || s == Maintenance }

// ParseState reads the name of a state.
func ParseState(s string) (State, error) {
	if st := State(s); st.Valid() {
		return st, nil
	}
	return "", fmt.Errorf("theatre state %q: want idle, in-case or maintenance", s)
}

// Theatre is one room. A device belongs to at most one theatre at a time.
type Theatre struct {
	ID      string   `json:"id"`             // short and stable, as on the door: "OR-3"
	Name    string   `json:"name,omitempty"` // as people say it
	State   State    `json:"state"`
	Since   int64    `json:"since"`            // ns since the Unix epoch, UTC
	Source  string   `json:"source,omitempty"` // who says so: "person:<name>", "hl7.siu", "dicom.mpps", "fhir"
	Devices []string `json:"devices,omitempty"`
	Site    string   `json:"site,omitempty"` // name of the site that it is at; "" for the one that asks
}
