// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2027, 3, 31, 12, 0, 0, 120_000_000, time.UTC)

// received is a statement as a gateway makes it.
func received() Statement {
	s := New(Received, "gw-1/assoc-7/1.2.840.99.1", noon, SHA256("instance", sha256.Sum256([]byte("pixels"))))
	s.Predicate.Site = "site-north"
	s.Predicate.Theatre = "or-3"
	s.Predicate.Actor = Actor{Software: "asepsis/gateway 1.4.0", Device: "dev-c0ffee"}
	s.Predicate.Device = "dev-123"
	salt := []byte(strings.Repeat("s", SaltSize))
	s.Predicate.Case = &CaseLink{Case: Commit(salt, "case 4711")}
	s.Predicate.Commitments = map[string]Commitment{"study": Commit(salt, "1.2.3")}
	s.Predicate.Detail = map[string]any{"protocol": "dicom", "from": "CT SCANNER 1", "bytes": 524288, "tls": "1.3"}
	return s
}

func TestAStatementHasOneCanonicalForm(t *testing.T) {
	s := received()
	got, err := s.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"_type":"https://in-toto.io/Statement/v1","predicate":{"actor":{"device":"dev-c0ffee","software":"asepsis/gateway 1.4.0"},` +
		`"case":{"case":"` + string(s.Predicate.Case.Case) + `"},` +
		`"commitments":{"study":"` + string(s.Predicate.Commitments["study"]) + `"},"detail":{"bytes":524288,"from":"CT SCANNER 1","protocol":"dicom","tls":"1.3"},` +
		`"device":"dev-123","id":"gw-1/assoc-7/1.2.840.99.1","site":"site-north","theatre":"or-3","time":"2027-03-31T12:00:00.12Z"},` +
		`"predicateType":"https://github.com/asepsis/asepsis/custody/artefact-received/v1",` +
		`"subject":[{"digest":{"sha256":"` + s.Subject[0].Digest["sha256"] + `"},"name":"instance"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// The order of members is that of the general encoder.
	var v any
	if err := json.Unmarshal(got, &v); err != nil {
		t.Fatal(err)
	}
	if c, err := Canonical(v, 9); err != nil || string(c) != string(got) {
		t.Errorf("the general encoder writes %s, %v\nthe statement's %s", c, err, got)
	}
	back, err := Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Canonical()
	if err != nil || string(again) != string(got) {
		t.Errorf("read and written again: %s, %v", again, err)
	}
}

func TestWhatTheLedgerFillsInIsNotContent(t *testing.T) {
	a, b := received(), received()
	b.Predicate.Recorded = noon.Add(time.Second)
	b.Predicate.Case.Sequence, b.Predicate.Case.Previous = 2, strings.Repeat("ab", 32)
	if a.ContentHash() != b.ContentHash() {
		t.Error("the content differs by what the ledger filled in")
	}
	b.Predicate.Detail["bytes"] = 524289
	if a.ContentHash() == b.ContentHash() {
		t.Error("other content has the same hash")
	}
}

func TestAPlaceInACaseIsPutIntoTheCanonicalForm(t *testing.T) {
	for sequence, previous := range map[uint64]string{1: "", 2: strings.Repeat("ab", 32), 9007199254740991: strings.Repeat("cd", 32)} {
		s := received()
		s.Predicate.Recorded = noon
		s.Predicate.Actor.User = `"case":{"case":"hs256:` + strings.Repeat("a", 64) + `"`
		b, err := s.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		s.Predicate.Case.Sequence, s.Predicate.Case.Previous = sequence, previous
		want, err := s.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		if got := Linked(b, sequence, previous); string(got) != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestEveryMemberIsInTheCanonicalForm(t *testing.T) {
	s := received()
	s.Predicate.Recorded = noon
	s.Predicate.Case.Sequence, s.Predicate.Case.Previous = 2, strings.Repeat("ab", 32)
	s.Predicate.Reason = "checked"
	s.Predicate.Actor.Certificate, s.Predicate.Actor.User = strings.Repeat("cd", 32), "mara"
	got, err := s.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	std, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(std, &v); err != nil {
		t.Fatal(err)
	}
	if c, err := Canonical(v, 9); err != nil || string(c) != string(got) {
		t.Errorf("by the struct's tags %s, %v\nby its encoder %s", c, err, got)
	}
}

func TestABadStatementIsRefusedWithTheReason(t *testing.T) {
	deep := map[string]any{"x": true}
	for range 20 {
		deep = map[string]any{"x": deep}
	}
	many := map[string]any{}
	for i := range 40 {
		many["n"+string(rune('a'+i%26))+string(rune('a'+i/26))] = i
	}
	for name, c := range map[string]struct {
		change func(*Statement)
		want   string
	}{
		"another type":               {func(s *Statement) { s.Type = "https://in-toto.io/Statement/v0.1" }, `_type is not "https://in-toto.io/Statement/v1"`},
		"another predicate":          {func(s *Statement) { s.PredicateType = "https://slsa.dev/provenance/v1" }, "predicateType is none of the known ones"},
		"no subject":                 {func(s *Statement) { s.Subject = nil }, "subject is empty"},
		"too many subjects":          {func(s *Statement) { s.Subject = make([]Subject, MaxSubjects+1) }, "subject has 65 entries, more than 64"},
		"a subject without a name":   {func(s *Statement) { s.Subject[0].Name = "" }, "subject[0].name is missing"},
		"a name with a space":        {func(s *Statement) { s.Subject[0].Name = "Doe John" }, "subject[0].name may only hold"},
		"no SHA-256":                 {func(s *Statement) { s.Subject[0].Digest = map[string]string{"sha512": strings.Repeat("a", 128)} }, "subject[0].digest has no sha256"},
		"upper-case hexadecimal":     {func(s *Statement) { s.Subject[0].Digest["sha256"] = strings.Repeat("A", 64) }, "subject[0].digest.sha256 is no digest"},
		"a digest too short":         {func(s *Statement) { s.Subject[0].Digest["sha256"] = "ab" }, "subject[0].digest.sha256 is no digest"},
		"one subject altered":        {func(s *Statement) { s.PredicateType = Altered.PredicateType() }, `subject of an alteration is two, named "before" and "after"`},
		"no ID":                      {func(s *Statement) { s.Predicate.ID = "" }, "predicate.id is missing"},
		"an ID too long":             {func(s *Statement) { s.Predicate.ID = strings.Repeat("x", MaxName+1) }, "predicate.id has 257 bytes, more than 256"},
		"an ID with a space":         {func(s *Statement) { s.Predicate.ID = "a b" }, "predicate.id may only hold"},
		"no actor":                   {func(s *Statement) { s.Predicate.Actor = Actor{} }, "predicate.actor is empty"},
		"a certificate that is none": {func(s *Statement) { s.Predicate.Actor.Certificate = "x" }, "predicate.actor.certificate is no SHA-256"},
		"a user with a line break":   {func(s *Statement) { s.Predicate.Actor.User = "a\nb" }, "predicate.actor.user has control characters"},
		"no time":                    {func(s *Statement) { s.Predicate.Time = time.Time{} }, "predicate.time is missing"},
		"a case in clear":            {func(s *Statement) { s.Predicate.Case.Case = "4711" }, "predicate.case.case is no commitment"},
		"a second without a first":   {func(s *Statement) { s.Predicate.Case.Sequence = 2 }, "predicate.case.previous does not fit the sequence"},
		"a commitment in clear":      {func(s *Statement) { s.Predicate.Commitments["study"] = "1.2.3" }, "predicate.commitments.study is no commitment"},
		"an override without why": {func(s *Statement) {
			s.PredicateType = Override.PredicateType()
			s.Predicate.Detail = map[string]any{"what": "gateway"}
		}, "predicate.reason is required of an override"},
		"a revocation without why": {func(s *Statement) {
			s.PredicateType = Certificate.PredicateType()
			s.Predicate.Detail = map[string]any{"action": "revoked"}
		}, "predicate.reason is required of a revocation"},
		"a member without a place": {func(s *Statement) { s.Predicate.Detail["patient"] = "x" }, `predicate.detail has a member "patient" that it has no place for`},
		"a member that is missing": {func(s *Statement) { delete(s.Predicate.Detail, "protocol") }, "predicate.detail.protocol is missing"},
		"a number as text":         {func(s *Statement) { s.Predicate.Detail["bytes"] = "12" }, "predicate.detail.bytes is no number"},
		"half a byte":              {func(s *Statement) { s.Predicate.Detail["bytes"] = 1.5 }, "predicate.detail.bytes is no whole number"},
		"null":                     {func(s *Statement) { s.Predicate.Detail["from"] = nil }, "predicate.detail.from is null"},
		"a text too long":          {func(s *Statement) { s.Predicate.Detail["from"] = strings.Repeat("x", MaxString+1) }, "predicate.detail.from has 8193 bytes"},
		"a type of Go":             {func(s *Statement) { s.Predicate.Detail["from"] = time.Second }, "predicate.detail.from is of type time.Duration"},
		"nesting without end":      {func(s *Statement) { s.Predicate.Detail["other"] = deep }, "is nested more than 16 deep"},
		"an object in other":       {func(s *Statement) { s.Predicate.Detail["other"] = map[string]any{"a": map[string]any{}} }, "predicate.detail.other.a is neither token nor number nor flag"},
		"too much in other":        {func(s *Statement) { s.Predicate.Detail["other"] = many }, "predicate.detail.other has 40 members, more than 32"},
		"bidirectional text":       {func(s *Statement) { s.Predicate.Detail["from"] = "a\u202eb" }, "predicate.detail.from has control characters"},
		"a record without a type":  {func(s *Statement) { s.PredicateType = Operation.PredicateType(); s.Predicate.Detail = nil }, "predicate.detail.type is missing"},
		"a record of another type": {func(s *Statement) {
			s.PredicateType = Operation.PredicateType()
			s.Predicate.Detail = map[string]any{"type": "toaster"}
		}, "predicate.detail.type is none of surgical-table, surgical-robot, xr-session"},
		"a table too high": {func(s *Statement) {
			s.PredicateType = Operation.PredicateType()
			s.Predicate.Detail = map[string]any{"type": "surgical-table", "action": "position", "height_mm": 1501}
		}, "predicate.detail.height_mm is not within 300 to 1500 mm"},
		"an instrument without a model": {func(s *Statement) {
			s.PredicateType = Operation.PredicateType()
			s.Predicate.Detail = map[string]any{"type": "surgical-robot", "action": "instrument-attach", "instrument": map[string]any{"uses_left": 3}}
		}, "predicate.detail.instrument.model is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			s := received()
			s.Subject[0].Digest = maps.Clone(s.Subject[0].Digest)
			c.change(&s)
			_, err := s.Canonical()
			var bad *Invalid
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestAStatementThatIsTooLongIsRefused(t *testing.T) {
	s := received()
	for i := range 63 {
		s.Subject = append(s.Subject, Subject{Name: "part-" + strings.Repeat("x", 200) + string(rune('A'+i%26)), Digest: map[string]string{"sha256": strings.Repeat("a", 64), "sha512": strings.Repeat("b", 128), "x1": strings.Repeat("c", 256), "x2": strings.Repeat("d", 256)}})
	}
	if _, err := s.Canonical(); err == nil || !strings.Contains(err.Error(), "more than 61440") {
		t.Errorf("error %v", err)
	}
}

func TestParseRefusesOtherFormsOfTheSame(t *testing.T) {
	s := received()
	b, err := s.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, c := range map[string]struct{ in, want string }{
		"spaces":                    {strings.Replace(text, `:{`, `: {`, 1), "not in canonical form"},
		"a member in other case":    {strings.Replace(text, `"site"`, `"sitE"`, 1), "not in canonical form"},
		"a time in another zone":    {strings.Replace(text, `12:00:00.12Z`, `13:00:00.12+01:00`, 1), "not in canonical form"},
		"a time with a zero behind": {strings.Replace(text, `00.12Z`, `00.120Z`, 1), "not in canonical form"},
		"a member without a place":  {strings.Replace(text, `"predicate":{`, `"predicate":{"aa":1,`, 1), `there is no member "aa"`},
		"an empty member":           {strings.Replace(text, `"id":"gw-1/assoc-7/1.2.840.99.1",`, `"id":"gw-1/assoc-7/1.2.840.99.1","reason":"",`, 1), "not in canonical form"},
		"another type":              {strings.Replace(text, `"theatre":"or-3"`, `"theatre":3`, 1), "number where string belongs"},
		"half of it":                {text[:len(text)/2], "ends too soon"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.in == text {
				t.Fatal("nothing was changed")
			}
			if _, err := Parse([]byte(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestACommitmentOpensWithItsSaltAndValueAlone(t *testing.T) {
	secret := []byte(strings.Repeat("k", 32))
	salt := FieldSalt(secret, "patient")
	c := Commit(salt, "PID-1")
	if !c.Valid() || !c.Opens(salt, "PID-1") {
		t.Error("it does not open")
	}
	if c.Opens(salt, "PID-2") || c.Opens(FieldSalt(secret, "study"), "PID-1") || c == Commit(FieldSalt(secret, "study"), "PID-1") {
		t.Error("it opens with another value or salt")
	}
	// RFC 4231, test case 2.
	if got := Commit([]byte("Jefe"), "what do ya want for nothing?"); got != "hs256:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" {
		t.Errorf("HMAC-SHA-256 of RFC 4231: %s", got)
	}
}

func TestEveryShapeHasAJSONSchema(t *testing.T) {
	for _, r := range RecordTypes() {
		if len(r.Shape()) == 0 || r.Shape().Schema()["required"] == nil {
			t.Errorf("%s has no schema", r)
		}
	}
	for _, k := range Kinds() {
		if k != Operation && len(KindShape(k)) == 0 {
			t.Errorf("%s has no shape", k)
		}
	}
}

func FuzzParse(f *testing.F) {
	s := received()
	b, err := s.Canonical()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		c, err := s.Canonical()
		if err != nil || string(c) != string(b) {
			t.Fatalf("%q was accepted, and is written %q, %v", b, c, err)
		}
	})
}
