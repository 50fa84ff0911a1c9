// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// timeForm is RFC 3339 in UTC, without zeros at the end of the fraction.
const timeForm = "2006-01-02T15:04:05.999999999Z"

// New begins a statement of a kind. What else it needs is set on its Predicate.
func New(kind Kind, id string, when time.Time, subjects ...Subject) Statement {
	return Statement{Type: StatementType, Subject: subjects, PredicateType: kind.PredicateType(), Predicate: Predicate{ID: id, Time: when.UTC()}}
}

// SHA256 makes a subject of the SHA-256 of an artefact's bytes.
func SHA256(name string, sum [sha256.Size]byte) Subject {
	return Subject{Name: name, Digest: map[string]string{"sha256": hex.EncodeToString(sum[:])}}
}

// Kind returns the kind of a statement, "" when its predicate type is none of ours.
func (s *Statement) Kind() Kind { return predicateTypes[s.PredicateType] }

// Canonical checks a statement and returns its canonical form: what a ledger
// keeps and what receipts prove. The error is an *Invalid.
func (s *Statement) Canonical() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	b, err := s.encode(make([]byte, 0, 1024), true)
	if err != nil {
		return nil, &Invalid{Path: "predicate.detail", Why: err.Error()}
	}
	if len(b) > MaxStatement {
		return nil, &Invalid{Why: "it has " + strconv.Itoa(len(b)) + " bytes, more than " + strconv.Itoa(MaxStatement)}
	}
	return b, nil
}

// Filled returns the canonical form of a statement that was valid before a ledger
// filled in what it adds, without judging it again.
func (s *Statement) Filled() ([]byte, error) { return s.encode(make([]byte, 0, 1024), true) }

// Linked returns the canonical form with a place in a case, made of the canonical form
// without one.
//
// Preconditions: canonical is of a statement in a case, whose Sequence and Previous are
// empty.
func Linked(canonical []byte, sequence uint64, previous string) []byte {
	// No text can hold this mark: its quotes would be escaped.
	mark := []byte(`"case":{"case":"` + commitmentPrefix)
	i := bytes.Index(canonical, mark)
	if i < 0 {
		panic("BUG: Linked of a statement that is in no case")
	}
	i += len(mark) + 2*sha256.Size + 1 // behind the commitment
	out := append(make([]byte, 0, len(canonical)+128), canonical[:i]...)
	if previous != "" {
		out = append(out, `,"previous":"`+previous+`"`...)
	}
	out = strconv.AppendUint(append(out, `,"sequence":`...), sequence, 10)
	return append(out, canonical[i:]...)
}

// ContentHash is the SHA-256 of the canonical form without what the ledger
// fills in. Two statements with the same ID are the same when it is equal.
//
// Preconditions: Validate accepted the statement.
func (s *Statement) ContentHash() [sha256.Size]byte {
	b, err := s.encode(make([]byte, 0, 1024), false)
	if err != nil {
		panic("BUG: ContentHash of a statement that is not valid: " + err.Error())
	}
	return sha256.Sum256(b)
}

// Digest returns the SHA-256 of the canonical form in hexadecimal, as in
// CaseLink.Previous.
func Digest(canonical []byte) string {
	h := sha256.Sum256(canonical)
	return hex.EncodeToString(h[:])
}

// encode writes the members in the order of RFC 8785.
func (s *Statement) encode(b []byte, filled bool) ([]byte, error) {
	w := writer{b: b}
	w.open("_type").text(s.Type)
	w.next("predicate")
	s.Predicate.encode(&w, filled)
	w.next("predicateType").text(s.PredicateType)
	w.next("subject").raw("[")
	for i, sub := range s.Subject {
		if i > 0 {
			w.raw(",")
		}
		w.open("digest")
		if w.err == nil {
			w.b, w.err = appendObject(w.b, sub.Digest, appendString)
		}
		w.next("name").text(sub.Name).raw("}")
	}
	w.raw("]}")
	return w.b, w.err
}

func (p *Predicate) encode(w *writer, filled bool) {
	w.open("actor").raw("{")
	w.first = true
	w.optional("certificate", p.Actor.Certificate)
	w.optional("device", p.Actor.Device)
	w.optional("software", p.Actor.Software)
	w.optional("user", p.Actor.User)
	w.raw("}")
	if p.Case != nil {
		w.next("case").open("case").text(string(p.Case.Case))
		if filled {
			w.optional("previous", p.Case.Previous)
			if p.Case.Sequence != 0 {
				w.next("sequence").raw(strconv.FormatUint(p.Case.Sequence, 10))
			}
		}
		w.raw("}")
	}
	if len(p.Commitments) > 0 && w.err == nil {
		w.next("commitments")
		w.b, w.err = appendObject(w.b, p.Commitments, func(b []byte, c Commitment) ([]byte, error) { return appendString(b, string(c)) })
	}
	if len(p.Detail) > 0 && w.err == nil {
		w.next("detail")
		w.b, w.err = appendValue(w.b, p.Detail, MaxDepth)
	}
	w.optional("device", p.Device)
	w.next("id").text(p.ID)
	w.optional("reason", p.Reason)
	if filled && !p.Recorded.IsZero() {
		w.next("recorded").text(p.Recorded.UTC().Format(timeForm))
	}
	w.optional("site", p.Site)
	w.optional("theatre", p.Theatre)
	w.next("time").text(p.Time.UTC().Format(timeForm)).raw("}")
}

// writer appends members of objects until something cannot be written.
type writer struct {
	b     []byte
	first bool // nothing was written in this object
	err   error
}

func (w *writer) raw(s string) *writer { w.b = append(w.b, s...); return w }

func (w *writer) text(s string) *writer {
	if w.err == nil {
		w.b, w.err = appendString(w.b, s)
	}
	return w
}

func (w *writer) open(name string) *writer {
	w.raw("{")
	w.first = true
	return w.next(name)
}

func (w *writer) next(name string) *writer {
	if !w.first {
		w.raw(",")
	}
	w.first = false
	return w.raw(`"` + name + `":`)
}

func (w *writer) optional(name, value string) {
	if value != "" {
		w.next(name).text(value)
	}
}

// Parse reads a statement in its canonical form and checks it. The error is an
// *Invalid. It holds nothing of the text but names of members.
func Parse(text []byte) (Statement, error) {
	if len(text) > MaxStatement {
		return Statement{}, &Invalid{Why: "it has " + strconv.Itoa(len(text)) + " bytes, more than " + strconv.Itoa(MaxStatement)}
	}
	if _, err := Decode(text, MaxDepth+4); err != nil {
		return Statement{}, &Invalid{Why: err.Error(), cause: err}
	}
	s, err := Read(text)
	if err != nil {
		return Statement{}, err
	}
	if err := s.Validate(); err != nil {
		return Statement{}, err
	}
	// What has a canonical form need not be this type's: a member in other case, a time
	// in another zone, an empty member.
	b, err := s.encode(make([]byte, 0, len(text)), true)
	if err != nil {
		return Statement{}, &Invalid{Why: err.Error(), cause: err}
	}
	if !bytes.Equal(b, text) {
		e := &NotCanonicalError{At: firstDifference(b, text)}
		return Statement{}, &Invalid{Why: e.Error(), cause: e}
	}
	return s, nil
}

// Read reads a statement in any JSON form, strictly as to its members, and does
// not judge it: Validate does.
func Read(text []byte) (Statement, error) {
	var s Statement
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		var invalid *Invalid
		switch {
		case errors.As(err, &invalid):
			return s, err
		case bytes.HasPrefix([]byte(err.Error()), []byte("json: unknown field ")):
			return s, &Invalid{Why: "there is no member " + err.Error()[len("json: unknown field "):]}
		}
		return s, &Invalid{Why: jsonReason(err)}
	}
	if d.More() {
		return s, &Invalid{Why: "something follows it"}
	}
	return s, nil
}

// Logged reads a statement that is in a log already, maybe by a later version
// than this one: it judges what every verifier must agree on (the types, and
// subjects with their SHA-256) and passes over members that it does not know.
//
// Preconditions: text is in canonical form.
func Logged(text []byte) (Statement, error) {
	var s Statement
	if len(text) > MaxStatement {
		return s, &Invalid{Why: "it has " + strconv.Itoa(len(text)) + " bytes, more than " + strconv.Itoa(MaxStatement)}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&s); err != nil {
		return s, &Invalid{Why: jsonReason(err)}
	}
	switch {
	case s.Type != StatementType:
		return s, invalid("_type", "is not %q", StatementType)
	case s.Kind() == "":
		return s, invalid("predicateType", "is none of the known ones")
	case len(s.Subject) == 0 || len(s.Subject) > MaxSubjects:
		return s, invalid("subject", "has %d entries, want 1 to %d", len(s.Subject), MaxSubjects)
	}
	for i, sub := range s.Subject {
		if sub.Name == "" || !isHex(sub.Digest["sha256"], 64) {
			return s, invalid("subject["+strconv.Itoa(i)+"]", "has no name or no sha256 in lower-case hexadecimal")
		}
	}
	return s, nil
}
