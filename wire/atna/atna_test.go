// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// full is a message in which everything is used.
func full() *Message {
	yes, no := true, false
	return &Message{
		Event: Event{ID: InstancesTransferred, Types: []Code{ApplicationStart}, Action: Create, At: time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.FixedZone("", 3600)), Outcome: MinorFailure, Description: "2 < 3"},
		Participants: []Participant{
			{UserID: "ct-or-3", AlternativeID: "AETITLES=CT_OR3", Name: "CT \"3\"", Requestor: true, Roles: []Code{RoleSource, RoleApplication}, Address: "10.0.0.1"},
			{UserID: "xr", Address: "xr.st-example.internal", Roles: []Code{RoleDestination}},
		},
		Source: Source{Site: "St. Example (fictional)", ID: "gateway-or-3", Types: []string{"4"}},
		Objects: []Object{
			{ID: "1.2.3", IDType: IDStudy, Type: SystemObject, Role: ObjectReport, LifeCycle: 10, Accessions: []string{"A1"}, SOPClasses: []SOPClass{{UID: "1.2", Count: 3, Instances: []string{"1.2.3.4"}}, {Count: 1}}, Studies: []string{"1.2.3"}, Encrypted: &yes, Anonymized: &no, Sensitivity: "x"},
			{ID: "P1", IDType: IDPatient, Type: Person, Role: ObjectPatient, Name: "Fictional^Petra & <Paul>", Details: []Detail{{"note", []byte{0, 1, 255}}}},
			{ID: "1.2", IDType: IDSOPClass, Type: SystemObject, Role: ObjectReport, Queried: true, Query: []byte("PatientID")},
			{ID: "none", IDType: IDURI, Queried: true},
		},
	}
}

// lint checks a document against the schema.
func lint(t *testing.T, doc []byte) error {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("peer missing: xmllint")
	}
	path := filepath.Join(t.TempDir(), "message.xml")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "xmllint", "--nonet", "--noout", "--relaxng", "testdata/audit.rng", path).CombinedOutput()
	if err != nil {
		return errors.New(string(out))
	}
	return nil
}

func TestMessagesFollowTheSchema(t *testing.T) {
	m := full()
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	doc := Append(nil, m)
	if err := lint(t, doc); err != nil {
		t.Errorf("%v\n%s", err, doc)
	}
	for _, want := range []string{`EventDateTime="2026-01-02T02:04:05.678Z"`, `UserName="CT &#34;3&#34;"`, "2 &lt; 3", "Petra &amp; &lt;Paul&gt;", `NetworkAccessPointTypeCode="2"`, `NetworkAccessPointTypeCode="1"`, `value="AAH/"`} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("%s is not in\n%s", want, doc)
		}
	}
	// The schema is no rubber stamp.
	for old, wrong := range map[string]string{`EventOutcomeIndicator="4"`: `EventOutcomeIndicator="5"`, ` UserID="xr"`: "", `AuditSourceID="gateway-or-3"`: "", "<ParticipantObjectName></ParticipantObjectName>": "", ` originalText="Source Role ID"`: "", "02:04:05": "25:04:05"} {
		bad := strings.Replace(string(doc), old, wrong, 1)
		if bad == string(doc) || lint(t, []byte(bad)) == nil {
			t.Errorf("the schema takes a message with %q for %q", wrong, old)
		}
	}
}

func TestWhatIsMissingIsFound(t *testing.T) {
	for name, spoil := range map[string]func(*Message){
		"no event":            func(m *Message) { m.Event.ID.Value = "" },
		"no time":             func(m *Message) { m.Event.At = time.Time{} },
		"no action":           func(m *Message) { m.Event.Action = 'X' },
		"no outcome":          func(m *Message) { m.Event.Outcome = 3 },
		"nobody":              func(m *Message) { m.Participants = nil },
		"no source":           func(m *Message) { m.Source.ID = "" },
		"an object's ID":      func(m *Message) { m.Objects[0].ID = "" },
		"an object's type":    func(m *Message) { m.Objects[0].Type = 5 },
		"an object's role":    func(m *Message) { m.Objects[0].Role = 27 },
		"an object's ID kind": func(m *Message) { m.Objects[0].IDType = Code{} },
	} {
		m := full()
		spoil(m)
		if m.Validate() == nil {
			t.Error(name)
		}
	}
}

// FuzzAppend holds every text to becoming well-formed XML that says the same, as far as XML can.
func FuzzAppend(f *testing.F) {
	f.Add("Fictional^Petra", "a\x00b\xff\r\n<&>\"'")
	f.Add(strings.Repeat("ä", 600), "\uFFFE\u0085")
	f.Fuzz(func(t *testing.T, a, b string) {
		m := full()
		m.Participants[0].UserID, m.Objects[1].Name, m.Event.Description = a, b, a+b
		doc := Append(nil, m)
		if !utf8.Valid(doc) || len(doc) > 20_000 {
			t.Fatalf("%d bytes, or no UTF-8", len(doc))
		}
		d := xml.NewDecoder(strings.NewReader(string(doc)))
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %q", err, doc)
			}
			if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "ActiveParticipant" {
				for _, attr := range e.Attr {
					if plain := strings.Trim(a, "abcdefghijklmnopqrstuvwxyz") == "" && len(a) < 1000; attr.Name.Local == "UserID" && plain && attr.Value != a && attr.Value != "xr" {
						t.Fatalf("%q became %q", a, attr.Value)
					}
				}
			}
		}
	})
}
