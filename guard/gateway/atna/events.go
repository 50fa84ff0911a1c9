// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"strings"
	"time"

	"github.com/asepsis/asepsis/wire/atna"
)

// Node is a machine or a process that took part: a device, an archive, the gateway.
type Node struct {
	ID        string   // device ID
	AETitles  []string //
	Address   string   // IP address or name
	Requestor bool     // it asked for what happened
}

// Actor is a person who took part, or a process without AE titles.
type Actor struct {
	ID      string // as the person logged in
	Name    string // may be ""
	Address string
}

// Patient has both forms of an identity; Config.Patients decides which is written.
type Patient struct {
	Pseudonym string // of issuer and identifier
	ID        string // in clear; may be "" where only the pseudonym is known
	Issuer    string
	Name      string
}

// Study is a study that something was done with.
type Study struct {
	UID        string
	Accession  Patient // Pseudonym and ID of the accession number; zero leaves it out
	SOPClasses []atna.SOPClass
	Anonymized bool // it was de-identified
	Encrypted  bool // it went over TLS
}

// message of the events below; they are values so that who reports one can be tested without a Room.

// Transfer is Begin Transferring DICOM Instances and DICOM Instances Transferred (PS3.15
// §A.5.3.3, §A.5.3.5).
type Transfer struct {
	At       time.Time
	Begin    bool // it begins; otherwise it has ended
	Outcome  atna.Outcome
	Why      string // of a failure, without any value of a data set
	From, To Node
	Others   []Actor
	// Again: the receiver had them before. What came first is a creation there, PS3.15 calls the rest an update.
	Again   bool
	Studies []Study
	Patient Patient
}

// Transferred reports instances that went from one node to another.
func (r *Room) Transferred(t Transfer) error { return r.report(t) }

func (t Transfer) message(r *Room) atna.Message {
	m := r.event(atna.InstancesTransferred, atna.Create, t.At, t.Outcome, t.Why)
	switch {
	case t.Begin:
		m.Event.ID, m.Event.Action = atna.BeginTransferring, atna.Execute
	case t.Again:
		m.Event.Action = atna.Update
	}
	m.Participants = append(m.Participants, node(t.From, atna.RoleSource), node(t.To, atna.RoleDestination))
	for _, o := range t.Others {
		m.Participants = append(m.Participants, actor(o, false))
	}
	r.objects(&m, t.Studies, t.Patient)
	return m
}

// Access is DICOM Instances Accessed, and DICOM Study Deleted where all of a study goes (PS3.15
// §A.5.3.4, §A.5.3.6).
type Access struct {
	At      time.Time
	Action  byte // atna.Create, Read, Update, Delete
	Study   bool // the whole study was deleted
	Outcome atna.Outcome
	Why     string
	Who     Actor
	Where   Node // where it was done
	Studies []Study
	Patient Patient
}

// Accessed reports what a person or a process did with instances: looked at a header, released,
// destroyed.
func (r *Room) Accessed(a Access) error { return r.report(a) }

func (a Access) message(r *Room) atna.Message {
	m := r.event(atna.InstancesAccessed, a.Action, a.At, a.Outcome, a.Why)
	if a.Study {
		m.Event.ID, m.Event.Action = atna.StudyDeleted, atna.Delete
	}
	m.Participants = append(m.Participants, actor(a.Who, true), node(a.Where))
	r.objects(&m, a.Studies, a.Patient)
	return m
}

// Media is Export and Import (PS3.15 §A.5.3.7, §A.5.3.8): data leaves the systems that report, or comes to
// them from elsewhere.
type Media struct {
	At      time.Time
	Import  bool
	Outcome atna.Outcome
	Why     string
	Who     Actor  // who did it
	By      Node   // the process that did it
	Where   string // the medium, as a URI or a label
	Studies []Study
	Patient Patient
}

// Moved reports an export or an import.
func (r *Room) Moved(e Media) error { return r.report(e) }

func (e Media) message(r *Room) atna.Message {
	m := r.event(atna.Export, atna.Read, e.At, e.Outcome, e.Why)
	process, medium := atna.RoleSource, atna.RoleDestinationMedia
	if e.Import {
		m.Event.ID, m.Event.Action = atna.Import, atna.Create
		process, medium = atna.RoleDestination, atna.RoleSourceMedia
	}
	m.Participants = append(m.Participants, actor(e.Who, true), node(e.By, process), atna.Participant{UserID: e.Where, Roles: []atna.Code{medium}})
	r.objects(&m, e.Studies, e.Patient)
	return m
}

// Entry is Network Entry (PS3.15 §A.5.3.9): a node appears or leaves.
type Entry struct {
	At     time.Time
	Detach bool
	Node   Node
}

// Entered reports that a node appeared or left.
func (r *Room) Entered(e Entry) error { return r.report(e) }

func (e Entry) message(r *Room) atna.Message {
	m := r.event(atna.NetworkEntry, atna.Execute, e.At, atna.Success, "")
	m.Event.Types = []atna.Code{atna.Attach}
	if e.Detach {
		m.Event.Types = []atna.Code{atna.Detach}
	}
	m.Participants = append(m.Participants, node(e.Node))
	return m
}

// Asked is Query (PS3.15 §A.5.3.10).
type Asked struct {
	At       time.Time
	Outcome  atna.Outcome
	Why      string
	From, To Node
	// SOPClass of a C-FIND; of a QIDO-RS query the path of the resource.
	SOPClass string
	// Keys are the names of the attributes that were matched. Their values are not written.
	Keys    []string
	Matches int
}

// Queried reports a query.
func (r *Room) Queried(q Asked) error { return r.report(q) }

func (q Asked) message(r *Room) atna.Message {
	m := r.event(atna.Query, atna.Execute, q.At, q.Outcome, q.Why)
	m.Participants = append(m.Participants, node(q.From, atna.RoleSource), node(q.To, atna.RoleDestination))
	kind := atna.IDSOPClass
	if strings.HasPrefix(q.SOPClass, "/") {
		kind = atna.IDURI
	}
	m.Objects = []atna.Object{{ID: q.SOPClass, IDType: kind, Type: atna.SystemObject, Role: atna.ObjectReport, Queried: true, Query: []byte(strings.Join(q.Keys, "\\")),
		Details: []atna.Detail{{Type: "query", Value: []byte("names of the attributes that were matched, without their values")}}}}
	return m
}

// Alert is Security Alert (PS3.15 §A.5.3.11).
type Alert struct {
	At       time.Time
	Kind     atna.Code // atna.NodeAuthentication, RestrictedFunction, EmergencyOverride, SecurityConfiguration ...
	Outcome  atna.Outcome
	Reporter Node
	By       *Actor // who caused it, where that is known
	Subject  string // node that it is about; "" for none
	// Description is a sentence without any value of a data set.
	Description string
}

// Alerted reports something that security people must know.
func (r *Room) Alerted(a Alert) error { return r.report(a) }

func (a Alert) message(r *Room) atna.Message {
	m := r.event(atna.SecurityAlert, atna.Execute, a.At, a.Outcome, "")
	m.Event.Types = []atna.Code{a.Kind}
	a.Reporter.Requestor = a.By == nil
	m.Participants = append(m.Participants, node(a.Reporter))
	if a.By != nil {
		m.Participants = append(m.Participants, actor(*a.By, true))
	}
	if a.Subject != "" {
		m.Objects = []atna.Object{{ID: a.Subject, IDType: atna.IDNode, Type: atna.SystemObject, Role: atna.ObjectSecurityResource, Details: []atna.Detail{{Type: "Alert Description", Value: []byte(a.Description)}}}}
	}
	return m
}

// Session is User Authentication (PS3.15 §A.5.3.12).
type Session struct {
	At      time.Time
	Logout  bool
	Outcome atna.Outcome
	Why     string
	Who     Actor
	Where   Node // what authenticated the person
}

// Authenticated reports that somebody logged in or out, or tried to.
func (r *Room) Authenticated(s Session) error { return r.report(s) }

func (s Session) message(r *Room) atna.Message {
	m := r.event(atna.UserAuthentication, atna.Execute, s.At, s.Outcome, s.Why)
	m.Event.Types = []atna.Code{atna.Login}
	if s.Logout {
		m.Event.Types = []atna.Code{atna.Logout}
	}
	m.Participants = append(m.Participants, actor(s.Who, true), node(s.Where))
	return m
}

// LogUse is Audit Log Used (PS3.15 §A.5.3.2).
type LogUse struct {
	At  time.Time
	Who Actor
	URI string // of the log
}

// LogUsed reports that somebody read an audit log.
func (r *Room) LogUsed(l LogUse) error { return r.report(l) }

func (l LogUse) message(r *Room) atna.Message {
	m := r.event(atna.AuditLogUsed, atna.Read, l.At, atna.Success, "")
	m.Participants = append(m.Participants, actor(l.Who, true))
	m.Objects = []atna.Object{{ID: l.URI, IDType: atna.IDURI, Type: atna.SystemObject, Role: atna.ObjectSecurityResource, Name: "Security Audit Log"}}
	return m
}

// report makes and sends a message.
func (r *Room) report(e interface{ message(*Room) atna.Message }) error {
	if r == nil {
		return nil
	}
	return r.Send(e.message(r))
}

func (r *Room) event(id atna.Code, action byte, at time.Time, o atna.Outcome, why string) atna.Message {
	if at.IsZero() {
		at = r.d.Now()
	}
	return atna.Message{Event: atna.Event{ID: id, Action: action, At: at, Outcome: o, Description: why}}
}

func node(n Node, roles ...atna.Code) atna.Participant {
	p := atna.Participant{UserID: n.ID, Requestor: n.Requestor, Roles: roles, Address: n.Address}
	if len(n.AETitles) > 0 {
		p.AlternativeID = "AETITLES=" + strings.Join(n.AETitles, ";") // PS3.15 §A.5.2.1
		if p.UserID == "" {
			p.UserID = n.AETitles[0]
		}
	}
	return p
}

func actor(a Actor, requestor bool) atna.Participant {
	return atna.Participant{UserID: a.ID, Name: a.Name, Requestor: requestor, Address: a.Address}
}

// Bounds of a message's lists: repositories take 8 KB by default.
const (
	maxStudies = 8
	maxClasses = 16
)

// objects adds studies and the patient.
func (r *Room) objects(m *atna.Message, studies []Study, p Patient) {
	for i, s := range studies {
		if i == maxStudies {
			break
		}
		o := atna.Object{ID: s.UID, IDType: atna.IDStudy, Type: atna.SystemObject, Role: atna.ObjectReport, SOPClasses: s.SOPClasses, Studies: []string{s.UID}}
		if o.ID == "" {
			o.ID, o.Studies = "none", nil
		}
		if len(o.SOPClasses) > maxClasses {
			rest := 0
			for _, c := range o.SOPClasses[maxClasses-1:] {
				rest += c.Count
			}
			o.SOPClasses = append(append([]atna.SOPClass(nil), o.SOPClasses[:maxClasses-1]...), atna.SOPClass{Count: rest})
		}
		if id, _ := r.identity(s.Accession); id != "" {
			o.Accessions = []string{id}
		}
		if s.Anonymized {
			o.Anonymized = &s.Anonymized
		}
		if s.Encrypted {
			o.Encrypted = &s.Encrypted
		}
		m.Objects = append(m.Objects, o)
	}
	if id, name := r.identity(p); id != "" {
		m.Objects = append(m.Objects, atna.Object{ID: id, IDType: atna.IDPatient, Type: atna.Person, Role: atna.ObjectPatient, Name: name})
	}
}

// identity is how a patient stands in messages.
func (r *Room) identity(p Patient) (id, name string) {
	if r.cfg.Patients == Clear && p.ID != "" {
		id = p.ID
		if p.Issuer != "" {
			id += "^^^" + p.Issuer // as HL7's CX and IHE have it
		}
		return id, p.Name
	}
	return p.Pseudonym, ""
}
