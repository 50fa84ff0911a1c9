// SPDX-License-Identifier: Apache-2.0

package query

import (
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Patients remembers, by pseudonym, which patients worklists and procedure steps named to
// which device: those whose images may come from it.
type Patients struct {
	keep time.Duration
	now  func() time.Time

	mu   sync.Mutex
	seen map[string]map[string]time.Time // device: pseudonym: until
}

// Bounds of Patients.
const (
	maxDevices  = 10_000
	maxPatients = 2_000 // of one device
)

func newPatients(keep time.Duration, now func() time.Time) *Patients {
	return &Patients{keep: keep, now: now, seen: map[string]map[string]time.Time{}}
}

// Pseudonym makes a patient's pseudonym, as records and events have it.
func Pseudonym(k pseudonym.Key, issuer, id string) string {
	if id != "" && issuer != "" {
		id += "^^^" + issuer
	}
	return k.Of(pseudonym.PatientID, id)
}

func (p *Proxy) patientOf(b []byte, syntax string) string {
	k, err := parse(b, syntax)
	if err != nil {
		return ""
	}
	return Pseudonym(p.d.Key, k.get(dicom.TagIssuerOfPatientID), k.get(dicom.TagPatientID))
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
