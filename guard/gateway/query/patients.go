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
	// steps are procedure steps by their SOP instance UID: what goes on in which room.
	steps map[string]step
}

// step is a procedure step that was begun in a room.
type step struct {
	device, theatre, patient string
	until                    time.Time // when it ended, and the images of it have come; or by when it has surely ended
	ended                    bool
}

// How long a procedure step counts.
const (
	longestStep = 6 * time.Hour    // one that nobody ends: a device that was switched off must not hold up the next case
	afterStep   = 30 * time.Minute // images of it still come
	maxSteps    = 10_000
)

// Bounds of Patients.
const (
	maxDevices  = 10_000
	maxPatients = 2_000 // of one device
)

func newPatients(keep time.Duration, now func() time.Time) *Patients {
	return &Patients{keep: keep, now: now, seen: map[string]map[string]time.Time{}, steps: map[string]step{}}
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

// begin notes that a procedure step was begun in a room. What the same device began before
// and did not end is over: a device does one at a time.
func (p *Patients) begin(uid, device, theatre, patient string) {
	if uid == "" || theatre == "" || patient == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for k, s := range p.steps {
		switch {
		case now.After(s.until):
			delete(p.steps, k)
		case s.device == device && !s.ended:
			s.ended, s.until = true, now.Add(afterStep)
			p.steps[k] = s
		}
	}
	if len(p.steps) < maxSteps {
		p.steps[uid] = step{device: device, theatre: theatre, patient: patient, until: now.Add(longestStep)}
	}
}

// end notes that a procedure step was completed or given up.
func (p *Patients) end(uid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.steps[uid]; ok && !s.ended {
		s.ended, s.until = true, p.now().Add(afterStep)
		p.steps[uid] = s
	}
}

// InRoom returns the pseudonyms of the patients of the procedures in a sender's room, those that
// ended a moment ago among them. known is false where none is in progress.
func (p *Patients) InRoom(a instance.Arrival) (patients []string, known bool) {
	if a.Sender.Theatre == "" {
		return nil, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for _, s := range p.steps {
		if s.theatre != a.Sender.Theatre || now.After(s.until) {
			continue
		}
		known = known || !s.ended
		if !slices.Contains(patients, s.patient) {
			patients = append(patients, s.patient)
		}
	}
	slices.Sort(patients)
	return patients, known
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
