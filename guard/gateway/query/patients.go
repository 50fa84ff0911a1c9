// SPDX-License-Identifier: Apache-2.0

package query

import (
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Patients remembers, by pseudonym, which patients worklists named to which device, and
// which procedure steps are in progress in which room: whose images may come from there.
// Worklists are read again by the devices; steps are not begun again, so they outlive the process.
type Patients struct {
	keep time.Duration
	now  func() time.Time

	mu   sync.Mutex
	seen map[string]map[string]time.Time // device: pseudonym: until

	steps *steps
}

// Bounds of Patients.
const (
	maxDevices  = 10_000
	maxPatients = 2_000 // of one device
)

func newPatients(keep time.Duration, now func() time.Time, s *steps) *Patients {
	return &Patients{keep: keep, now: now, seen: map[string]map[string]time.Time{}, steps: s}
}

// Pseudonym makes a patient's pseudonym, as records and events have it.
func Pseudonym(k pseudonym.Key, issuer, id string) string {
	if id != "" && issuer != "" {
		id += "^^^" + issuer
	}
	return k.Of(pseudonym.PatientID, id)
}

// patientOf reads whose attributes they are.
func (p *Proxy) patientOf(b []byte, syntax string) string {
	v := attributes(b, syntax, dicom.TagIssuerOfPatientID, dicom.TagPatientID)
	return Pseudonym(p.d.Key, v[0], v[1])
}

// worklist notes a patient that a worklist named to a device.
func (p *Patients) worklist(device, _, patient string) {
	if patient == "" || p.keep == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.seen[device]
	if list == nil {
		if len(p.seen) >= maxDevices {
			return
		}
		list = map[string]time.Time{}
		p.seen[device] = list
	}
	now := p.now()
	for name, until := range list {
		if now.After(until) {
			delete(list, name)
		}
	}
	if len(list) < maxPatients {
		list[patient] = now.Add(p.keep)
	}
}

// Steps are the procedure steps that say whose images rooms make.
func (p *Patients) Steps() []control.ProcedureStep { return p.steps.list() }

// EndStep ends a step for a person. known is false where there is none of that UID, or it has ended. The
// error is that it could not be written: then it has not ended.
func (p *Patients) EndStep(uid, user string) (s control.ProcedureStep, known bool, err error) {
	return p.steps.endBy(uid, user)
}

// Held notes that an instance from a room was held because of the steps that are in progress there.
func (p *Patients) Held(theatre string) { p.steps.hold(theatre) }

// InRoom returns the pseudonyms of the patients of the procedures in a sender's room, those that
// ended a moment ago among them. known is false where none is in progress.
func (p *Patients) InRoom(a instance.Arrival) (patients []string, known bool) {
	return p.steps.inRoom(a.Sender.Theatre)
}

// Expected returns the pseudonyms of the patients whose images may come from a device. known is false where
// nobody can tell: it has asked for no worklist lately.
func (p *Patients) Expected(a instance.Arrival) (patients []string, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for name, until := range p.seen[a.Sender.Device] {
		if now.Before(until) {
			patients = append(patients, name)
		}
	}
	slices.Sort(patients)
	return patients, len(patients) > 0
}
