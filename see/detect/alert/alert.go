// SPDX-License-Identifier: Apache-2.0

// Package alert turns occurrences of a rule into findings that people work on: one
// for each rule and group, with how often, since when, with whom, and the evidence.
//
// A Document is what is kept of one: the finding as people see it, and the marks that
// say up to which event each partition's occurrences are in it. Applying the same
// occurrence twice changes nothing, so that a process that was killed may read
// the events again from the last place that it saved.
//
// Apply is the only place where detection changes a finding, and the order in which
// two partitions apply theirs does not matter for counts, times, devices and severity.
// What people decided (Triage) is never touched, with one exception: an
// occurrence never reopens a closed finding. It begins a new one, see Next.
package alert

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// Kind is the kind of the documents that hold alerts.
const Kind = "alert"

// Bounds of an alert beside those of finding.
const (
	MaxText     = 600  // bytes of a title or a sentence
	MaxWords    = 2000 // of a description or a step of the playbook
	MaxValue    = 256  // bytes of an entity
	MaxEntities = 24
	firstKept   = finding.MaxEvidence / 2
	paceHours   = 168
	hour        = int64(3600) * 1e9
)

// Document is what is kept of an alert.
type Document struct {
	Alert finding.Alert `json:"alert"`
	// Generation counts how often the group was closed before.
	Generation int `json:"generation,omitempty"`
	// Marks say by partition which occurrences are in it.
	Marks map[string]Mark `json:"marks,omitempty"`
	// Decisions counts what people changed. It is the revision that they see: it
	// stays while detection adds occurrences.
	Decisions uint64 `json:"decisions"`
}

// Mark is a place among the occurrences of an alert: those of events before Seq,
// and N of those at Seq.
type Mark struct {
	Seq uint64 `json:"seq"`
	N   uint32 `json:"n"`
}

// Occurrence is one time that a rule fired, with all that becomes of it.
type Occurrence struct {
	Rule     *rule.Rule
	Group    string
	Time     int64
	Count    uint64 // events that it stands for
	Severity finding.Severity
	Why      []string
	Title    string
	Room     string
	// Description, Playbook and Benign are the rule's, filled in; empty for as the rule
	// has them.
	Description string
	Playbook    []string
	Benign      []string
	Devices     []string
	Entities    map[string]string
	Theatre     string
	Case        theatre.State
	Evidence    []finding.Evidence
	Hidden      string // ID of the suppression or window that hides it
	// More says that it goes on what an earlier occurrence said. It begins no alert.
	More      bool
	Partition int
	Seq       uint64 // of the event in the store, or of the last before a hit of the clock
	N         uint32 // of the occurrences of this alert at Seq, from 0
}

// Key names the alerts of a rule and a group, whatever their generation.
func Key(ruleID, group string) string {
	h := sha256.New()
	_, _ = h.Write([]byte(ruleID))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(group))
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:10]))
}

// ID is the ID of a generation. IDs of one key sort by generation.
func ID(key string, generation int) string {
	if generation == 0 {
		return key
	}
	return fmt.Sprintf("%s-%04d", key, generation+1)
}

// KeyOf gives back the key of an ID.
func KeyOf(id string) string {
	key, _, _ := strings.Cut(id, "-")
	return key
}

// New makes the first document of a key.
func New(key string) *Document { return &Document{Alert: finding.Alert{ID: ID(key, 0)}} }

// Next makes the document that follows a closed one.
func (d *Document) Next() *Document {
	return &Document{Generation: d.Generation + 1, Marks: maps.Clone(d.Marks),
		Alert: finding.Alert{ID: ID(KeyOf(d.Alert.ID), d.Generation+1), Previous: d.Alert.ID}}
}

// Closed reports whether a person closed it.
func (d *Document) Closed() bool { return d.Alert.Triage.State == finding.Closed }

// Fresh reports whether nothing was applied yet.
func (d *Document) Fresh() bool { return d.Alert.Count == 0 }

// Has reports whether an occurrence is in it already.
func (d *Document) Has(o *Occurrence) bool {
	m := d.Marks[strconv.Itoa(o.Partition)]
	return o.Seq < m.Seq || o.Seq == m.Seq && o.N < m.N
}

// Apply adds an occurrence. It reports false, and changes nothing, when it has it.
// Preconditions: the document is not closed, and is of the occurrence's group.
func (d *Document) Apply(o *Occurrence) bool {
	if d.Has(o) {
		return false
	}
	a := &d.Alert
	fresh := a.Count == 0
	if o.Seq != 0 || o.N != 0 {
		if d.Marks == nil {
			d.Marks = map[string]Mark{}
		}
		d.Marks[strconv.Itoa(o.Partition)] = Mark{o.Seq, o.N + 1}
	}
	if fresh {
		a.Group, a.First, a.Last = o.Group, o.Time, o.Time
		a.Triage.State = finding.Open
	}
	if fresh || o.Rule.Version > a.RuleVersion {
		r := o.Rule
		a.Rule, a.RuleVersion, a.Family, a.Confidence, a.Description = r.ID, r.Version, r.Family, r.Confidence, r.Analyst
		a.Attack, a.Playbook, a.References, a.Benign = r.Attack, r.Playbook, r.References, r.FalsePositives
	}
	if fresh || o.Severity > a.Severity {
		a.Severity, a.Why, a.Theatre, a.Case = o.Severity, o.Why, o.Theatre, o.Case
	}
	if fresh || !o.More && o.Time >= a.Last { // its words are those of the latest
		a.Title, a.Room = clip(o.Title, MaxText), clip(o.Room, MaxText)
		if o.Description != "" {
			a.Description, a.Playbook, a.Benign = clip(o.Description, MaxWords), clipAll(o.Playbook), clipAll(o.Benign)
		}
	}
	a.Count += max(o.Count, 1)
	a.First, a.Last = min(a.First, o.Time), max(a.Last, o.Time)
	for _, id := range o.Devices {
		if len(a.Devices) < finding.MaxDevices && id != "" && !slices.Contains(a.Devices, id) {
			a.Devices = append(a.Devices, id)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(o.Entities)) {
		if _, had := a.Entities[k]; had || len(a.Entities) < MaxEntities {
			if a.Entities == nil {
				a.Entities = map[string]string{}
			}
			a.Entities[k] = clip(o.Entities[k], MaxValue)
		}
	}
	for _, e := range o.Evidence {
		a.Evidence = addEvidence(a.Evidence, e)
	}
	a.Pace = addPace(a.Pace, o.Time, max(o.Count, 1))
	a.Suppressed = o.Hidden
	if o.Hidden != "" {
		a.Hidden += max(o.Count, 1)
	}
	return true
}

// addEvidence keeps the first and the latest.
func addEvidence(l []finding.Evidence, e finding.Evidence) []finding.Evidence {
	e.Sentence, e.Expected = clip(e.Sentence, MaxText), clip(e.Expected, MaxText)
	if e.UID != "" && slices.ContainsFunc(l, func(x finding.Evidence) bool { return x.UID == e.UID }) {
		return l
	}
	l = append(l, e)
	slices.SortStableFunc(l, func(a, b finding.Evidence) int { return cmp.Compare(a.Time, b.Time) })
	if len(l) > finding.MaxEvidence {
		l = slices.Delete(l, firstKept, firstKept+1)
	}
	return l
}

// addPace counts by hour, over the last week that has any.
func addPace(l []finding.Pace, at int64, n uint64) []finding.Pace {
	start := at - ((at%hour)+hour)%hour
	i, found := slices.BinarySearchFunc(l, start, func(p finding.Pace, t int64) int { return cmp.Compare(p.Hour, t) })
	if found {
		l[i].Count += n
		return l
	}
	l = slices.Insert(l, i, finding.Pace{Hour: start, Count: n})
	for len(l) > 0 && (len(l) > paceHours || l[0].Hour <= l[len(l)-1].Hour-paceHours*hour) {
		l = l[1:]
	}
	return l
}

// clip shortens a text to at most n bytes, at a rune's boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

// clipAll shortens the steps of a playbook.
func clipAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = clip(s, MaxWords)
	}
	return out
}

// Read reads a document as it is kept.
func Read(body []byte) (*Document, error) {
	d := &Document{}
	if err := json.Unmarshal(body, d); err != nil {
		return nil, fmt.Errorf("alert: %w", err)
	}
	return d, nil
}

// Clone is a copy that shares nothing that Apply changes.
func (d *Document) Clone() *Document {
	c := *d
	c.Marks = maps.Clone(d.Marks)
	c.Alert.Devices = slices.Clone(d.Alert.Devices)
	c.Alert.Entities = maps.Clone(d.Alert.Entities)
	c.Alert.Evidence = slices.Clone(d.Alert.Evidence)
	c.Alert.Pace = slices.Clone(d.Alert.Pace)
	c.Alert.Triage.History = slices.Clone(d.Alert.Triage.History)
	return &c
}
