// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Attack is an attack as the tests of a whole gateway send it.
type Attack struct {
	Name, Rule, CVE string
	Sender          string // "dcmsend", "own", "-"
	Policy          string // "" for the default
	Wanted          instance.Verdict
	Arrival         instance.Arrival
	Data            []byte
	// What it needs to be known: who is on the worklist, whose case it is, what is kept.
	Expected, Room, Known bool
}

// TheUID is the SOP instance UID of all of them.
const TheUID = theUID

// Attacks are the attacks of the tests.
func Attacks(t testing.TB) []Attack {
	var out []Attack
	list := attacks()
	for i := range list {
		a := &list[i]
		out = append(out, Attack{Name: a.name, Rule: a.rule, CVE: a.cve, Sender: a.sender, Policy: a.policy, Wanted: a.wanted(a.firewall(t)), Arrival: a.arrival(), Data: a.data,
			Expected: a.deps.Expected != nil, Room: a.deps.InRoom != nil, Known: a.deps.Known != nil})
	}
	return out
}

// Plain is the object that the attacks change.
func Plain() []byte { return object() }
