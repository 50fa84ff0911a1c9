// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// dicomState follows associations and what each device does in DICOM.
//
//   - "mixed-patients": a modality stores objects of several patients in one association;
//   - "mixed-study": one study holds objects of two patients;
//   - "archive": a modality accepts objects or answers queries, as an archive does, and did not while it was learned;
//   - "role": a device does in DICOM what it did not while it was learned;
//   - "aborted-store": associations that break off in the middle of storing, several times;
//   - "flood": associations come faster than any work needs;
//   - "slow": an association is held open and almost nothing is sent.
type dicomState struct {
	core[dicomKey]
	learn         int64
	aborts, flood int
	window        int64
	slow          int64
}

const (
	maxPatients = 8
	maxRoles    = 32
	maxFlood    = 1024
)

// dicomKey is the state of one association, study, device or pair; the key says which.
type dicomKey struct {
	since int64
	n     uint64
	seen  []string // patients, or roles
	times []int64
	again again
}

func dicomDetector() Detector {
	d := Detector{
		About:  "Patients are mixed in an association, a device changes its DICOM role, associations break off, flood or stall.",
		On:     []rule.On{{Class: []string{"dicom_operation"}}, {Class: []string{"dicom_association"}}, {Class: []string{"network_activity"}, Protocol: []string{"dicom"}}},
		Values: []string{"kind", "count", "role", "duration", "bytes", "study", "window"},
		Settings: []Setting{
			duration("learn", 7*24*time.Hour, 0, 31*24*time.Hour, "How long the roles of a device are learned."),
			number("aborts", 3, 2, 64, "Associations of a pair that break off while storing within the window."),
			number("flood", 120, 10, maxFlood, "Associations of a pair within a minute."),
			duration("window", 10*time.Minute, time.Second, time.Hour, "The window of aborts."),
			duration("slow", 30*time.Minute, time.Minute, 24*time.Hour, "How long an association may be open with less than 100 bytes a second."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &dicomState{learn: s.duration("learn"), aborts: int(s.number("aborts")), flood: int(s.number("flood")), window: s.duration("window"), slow: s.duration("slow")}
		m.core = newCore(deps, keyed.Config[dicomKey]{Kind: "dicomstate1", Fixed: 100,
			Encode: func(w *keyed.Writer, v *dicomKey) {
				w.Int(v.since)
				w.Uint(v.n)
				w.Uint(uint64(len(v.seen)))
				for _, x := range v.seen {
					w.Str(x)
				}
				w.Times(v.times)
				v.again.encode(w)
			},
			Decode: func(r *keyed.Reader, v *dicomKey) {
				v.since, v.n = r.Time(), r.Uint()
				for n := r.Len(maxRoles); n > 0; n-- {
					v.seen = append(v.seen, r.Str())
				}
				v.times = r.Times(v.times, maxFlood)
				v.again.decode(r)
			},
			Extra: func(v *dicomKey) int { return 56*cap(v.seen) + 8*cap(v.times) },
			Reset: func(v *dicomKey) { clear(v.seen); *v = dicomKey{seen: v.seen[:0], times: v.times[:0]} },
		})
		return m, s.err
	}
	return d
}

func modality(d *device.Device) bool {
	if d == nil {
		return false
	}
	switch d.Class {
	case device.ClassCT, device.ClassMR, device.ClassUltrasound, device.ClassXRay, device.ClassCArm, device.ClassAngiography, device.ClassNuclear, device.ClassEndoscopy, device.ClassModality:
		return true
	}
	return false
}

// Feed implements match.Matcher.
func (m *dicomState) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	switch d := s.Event.Detail.(type) {
	case *event.DICOMOperation:
		m.operation(s, d, hit)
	case *event.DICOMAssociation:
		m.association(s, d, hit)
	case *event.Connection:
		open := d.End - d.Start
		if m.wants("slow") && open >= m.slow && d.PayloadOut+d.PayloadIn < 100*uint64(open/int64(time.Second)) && d.PayloadOut > 0 && !d.MidStream {
			m.event(m.pair("slow", s, 0), s, "slow", int64(time.Hour), hit, map[string]string{"duration": span(open), "bytes": amount(float64(d.PayloadOut + d.PayloadIn))}, "associations that end when their work is done")
		}
	}
}

// event counts something that is said at once.
func (m *dicomState) event(key []byte, s *scene.Scene, kind string, every int64, hit func(match.Hit), values map[string]string, expected string) {
	e, _ := m.t.At(key)
	if e == nil {
		return
	}
	e.Val.n++
	if say, more, news := e.Val.again.due(e.Val.n, s.Event.Time, every); say {
		values["kind"], values["count"] = kind, strconv.FormatUint(e.Val.n, 10)
		m.say(hit, match.Hit{Time: s.Event.Time, Key: e.Key, More: more, Count: news, Values: values, Expected: expected})
	}
}

func (m *dicomState) operation(s *scene.Scene, d *event.DICOMOperation, hit func(match.Hit)) {
	scu, scp := &s.Src, &s.Dst
	if d.FromAcceptor {
		scu, scp = scp, scu
	}
	if d.Command == "C-STORE" && d.Status>>12 != 0xA && d.Status>>12 != 0xC && d.PatientRef != "" {
		if m.wants("mixed-patients") && s.Event.Flow != nil && modality(scu.Device) && !d.FromAcceptor && d.MoveOriginator == "" {
			b := m.pair("assoc", s, s.Event.Flow.Src.Port)
			b = strconv.AppendUint(append(b, '\x1f'), s.Event.Flow.ID, 10)
			m.buf = b
			m.patient(b, s, d, "mixed-patients", hit, "one patient in an association of a modality")
		}
		if m.wants("mixed-study") && d.StudyInstance != "" {
			m.buf = append(append(m.buf[:0], "study\x1f"...), d.StudyInstance...)
			m.patient(m.buf, s, d, "mixed-study", hit, "one patient in a study")
		}
	}
	if s.Event.Status == event.StatusFailure || !d.Answered || d.Command == "C-ECHO" || d.FromAcceptor || !m.wants("archive", "role") {
		return
	}
	m.role(s, scu, "requests "+d.Command, hit)
	m.role(s, scp, "serves "+d.Command, hit)
}

// patient notes whose object is in what the key is of.
func (m *dicomState) patient(key []byte, s *scene.Scene, d *event.DICOMOperation, kind string, hit func(match.Hit), expected string) {
	e, fresh := m.t.At(key)
	if e == nil {
		return
	}
	v := &e.Val
	if !slices.Contains(v.seen, d.PatientRef) && len(v.seen) < maxPatients {
		v.seen = append(v.seen, d.PatientRef)
		m.t.Resize(e, 56*cap(v.seen)+8*cap(v.times))
	}
	v.n++
	if fresh || len(v.seen) < 2 {
		return
	}
	if say, more, _ := v.again.due(uint64(len(v.seen)), s.Event.Time, int64(24*time.Hour)); say {
		m.say(hit, match.Hit{Time: s.Event.Time, Key: e.Key, More: more, Expected: expected,
			Values: map[string]string{"kind": kind, "count": strconv.Itoa(len(v.seen)), "study": d.StudyInstance}})
	}
}

// role learns what a device does and says what it never did.
func (m *dicomState) role(s *scene.Scene, p *scene.Party, role string, hit func(match.Hit)) {
	if p.ID == "" {
		return // what is not a device yet is said by other rules
	}
	m.buf = append(append(m.buf[:0], "role\x1f"...), p.ID...)
	e, fresh := m.t.At(m.buf)
	if e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	if fresh {
		v.since = t
	}
	v.n++
	if slices.Contains(v.seen, role) {
		return
	}
	archive := modality(p.Device) && (role == "serves C-STORE" || role == "serves C-FIND" || role == "serves C-MOVE" || role == "serves C-GET")
	learned := m.ready(v.since, t, m.learn) && !fresh
	usual := strings.Join(v.seen[:min(len(v.seen), 4)], ", ")
	doubtful := m.deps.Learner != nil && m.deps.Learner.Open(p.ID)
	if len(v.seen) < maxRoles && !doubtful {
		v.seen = append(v.seen, role)
		m.t.Resize(e, 56*cap(v.seen)+8*cap(v.times))
	}
	if !learned {
		return
	}
	kind, roles := "role", len(v.seen)
	if archive { // what it is said of, and how often, is its own: a lesser role does not hide it
		kind = "archive"
		m.buf = append(append(m.buf[:0], "archive\x1f"...), p.ID...)
		if e, _ = m.t.At(m.buf); e == nil {
			return
		}
		e.Val.n++
	}
	if say, more, _ := e.Val.again.due(e.Val.n, t, int64(time.Hour)); say {
		m.say(hit, match.Hit{Time: t, Key: e.Key, More: more, Expected: usual, Devices: []string{p.ID}, Values: map[string]string{"kind": kind, "role": role, "count": strconv.Itoa(roles)}})
	}
}

func (m *dicomState) association(s *scene.Scene, d *event.DICOMAssociation, hit func(match.Hit)) {
	t := s.Event.Time
	switch s.Event.Activity {
	case 1, 2, 3:
		if !m.wants("flood") {
			return
		}
		e, _ := m.t.At(m.pair("flood", s, 0))
		if e == nil {
			return
		}
		v := &e.Val
		v.times = window(v.times, t, int64(time.Minute), m.flood)
		m.t.Resize(e, 56*cap(v.seen)+8*cap(v.times))
		if v.n++; len(v.times) >= m.flood {
			if say, more, news := v.again.due(v.n, t, int64(time.Hour)); say {
				m.say(hit, match.Hit{Time: t, Key: e.Key, More: more, Count: news, Expected: "a few associations a minute",
					Values: map[string]string{"kind": "flood", "count": strconv.Itoa(len(v.times)), "window": "1 min"}})
			}
		}
	case 5, 6:
		// Some senders end every association by closing the connection: then a store must have been left unfinished.
		stores := d.Operations["C-STORE"]
		if stores == 0 && d.Objects == 0 || s.Event.Activity == 6 && stores <= d.Objects || d.Incomplete || !m.wants("aborted-store") {
			return
		}
		e, _ := m.t.At(m.pair("abort", s, 0))
		if e == nil {
			return
		}
		v := &e.Val
		v.times = window(v.times, t, m.window, m.aborts)
		m.t.Resize(e, 56*cap(v.seen)+8*cap(v.times))
		if v.n++; len(v.times) >= m.aborts {
			if say, more, news := v.again.due(v.n, t, int64(time.Hour)); say {
				m.say(hit, match.Hit{Time: t, Key: e.Key, More: more, Count: news, Expected: "associations that end with a release",
					Values: map[string]string{"kind": "aborted-store", "count": strconv.Itoa(len(v.times)), "window": span(m.window)}})
			}
		}
	}
}
