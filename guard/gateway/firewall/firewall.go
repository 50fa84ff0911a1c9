// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"crypto/sha256"
	"sync/atomic"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Facts are what is known of a device besides its certificate. Empty fields are not compared.
type Facts struct {
	Manufacturer string
	Models       []string
	Serials      []string
	Stations     []string // station names
	AETitles     []string
}

// Deps is what the firewall asks others. Each function may be nil: its rules never meet then. They are called from
// the goroutine of an inspection and must answer from memory.
type Deps struct {
	// Expected returns the pseudonyms of the patients on the worklist of the sender. known is false when it asked for none.
	Expected func(a instance.Arrival) (patients []string, known bool)
	// InRoom returns the pseudonyms of the patients of procedures in the sender's room. known is false when none is in
	// progress there, or nobody can tell.
	InRoom func(a instance.Arrival) (patients []string, known bool)
	// Pseudonym makes the pseudonym of a patient, in the form that Expected gives.
	Pseudonym func(issuer, patientID string) string
	// Device returns what is known of a device.
	Device func(id string) (f Facts, known bool)
	// Known returns the digests of the data sets that are kept under a SOP instance UID. It is asked when an
	// inspection begins, so that only an instance that is known needs to be hashed for comparison, and when it ends.
	Known func(sopInstance string) [][sha256.Size]byte
	// Key makes the SOP instance UIDs of sanitised copies. Whoever has it can tell which copy is of which original.
	Key []byte
}

// Firewall inspects instances under a policy. Its methods may be called from any goroutine.
type Firewall struct {
	policy atomic.Pointer[Policy]
	deps   Deps
}

var _ instance.Inspector = (*Firewall)(nil)

// New returns a firewall under a policy; nil is the embedded one.
func New(p *Policy, d Deps) *Firewall {
	if p == nil {
		p = Default()
	}
	f := &Firewall{deps: d}
	f.policy.Store(p)
	return f
}

// Set puts another policy in force for the inspections that begin from now on.
func (f *Firewall) Set(p *Policy) { f.policy.Store(p) }

// Current returns the policy in force.
func (f *Firewall) Current() *Policy { return f.policy.Load() }

// Policy implements instance.Inspector.
func (f *Firewall) Policy() string { return f.policy.Load().sum }

// Begin implements instance.Inspector.
func (f *Firewall) Begin(a instance.Arrival) instance.Inspection {
	return f.begin(a, f.policy.Load())
}
