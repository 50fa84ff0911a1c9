// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/wire/dicom"
)

// identifierOf writes keys; a value of "" is a key that is only asked for.
func identifierOf(t testing.TB, syntax string, list ...key) []byte {
	t.Helper()
	var b bytes.Buffer
	s, _ := dicom.SyntaxOf(syntax)
	w := dicom.NewWriter(&b, s)
	for _, k := range list {
		w.Bytes(k.tag, dicom.VROf(k.tag), []byte(k.value))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAQueryThatAsksForEverybodyIsKnown(t *testing.T) {
	const name, id, study, date, modality, sex, birth = dicom.Tag(0x00100010), dicom.TagPatientID, dicom.TagStudyInstanceUID, dicom.Tag(0x00080020), tagModality, dicom.Tag(0x00100040), dicom.Tag(0x00100030)
	for what, c := range map[string]struct {
		keys []key
		pass bool
	}{
		"nothing":                        {nil, false},
		"names asked for":                {[]key{{name, ""}}, false},
		"names by wildcard":              {[]key{{name, "*"}}, false},
		"names by wildcards":             {[]key{{name, "?*^*"}}, false},
		"names by one letter":            {[]key{{name, "A*"}}, false},
		"names by two letters":           {[]key{{name, "AB*"}}, true},
		"a patient":                      {[]key{{id, "FICT-0001"}}, true},
		"all patients by wildcard":       {[]key{{id, "*"}}, false},
		"a study":                        {[]key{{study, "1.2.3"}}, true},
		"no study":                       {[]key{{study, "*"}}, false},
		"a day":                          {[]key{{date, "20270131"}}, true},
		"days from to":                   {[]key{{date, "20270101-20270131"}}, true},
		"all days until":                 {[]key{{date, "-20270131"}}, false},
		"all days from":                  {[]key{{date, "19000101-"}}, false},
		"a modality":                     {[]key{{modality, "CT"}}, false},
		"one half of mankind":            {[]key{{sex, "F"}}, false},
		"a birthday":                     {[]key{{birth, "19700101"}}, true},
		"a modality on a day":            {[]key{{modality, "CT"}, {date, "20270131"}}, true},
		"a level and a character set":    {[]key{{tagCharacterSet, "ISO_IR 100"}, {tagLevel, "STUDY"}}, false},
		"where it can be retrieved from": {[]key{{tagRetrieveAE, "PACS"}}, false},
		"all days there are":             {[]key{{date, "19000101-20991231"}}, false},
		"days backwards":                 {[]key{{date, "20270131-20270101"}}, false},
		"names by list":                  {[]key{{name, "AB*\\*"}}, false},
		"names by separators":            {[]key{{name, "*\\\\\\*"}}, false},
		"studies, one of them all":       {[]key{{study, "1.2.3\\*"}}, false},
		"two studies":                    {[]key{{study, "1.2.3\\1.2.4"}}, true},
		"what archives may ignore":       {[]key{{0x00104000, "fictional"}}, false},
		"patients by an image of theirs": {[]key{{tagLevel, "PATIENT"}, {dicom.TagSOPInstanceUID, "1.2.3"}}, false},
		"patients by the day":            {[]key{{tagLevel, "PATIENT"}, {date, "20270131"}}, false},
		"studies by a series":            {[]key{{tagLevel, "STUDY"}, {dicom.TagSeriesInstanceUID, "1.2.3"}}, false},
		"images of a series":             {[]key{{tagLevel, "IMAGE"}, {dicom.TagSeriesInstanceUID, "1.2.3"}}, true},
		"no level, and an image":         {[]key{{dicom.TagSOPInstanceUID, "1.2.3"}}, false},
	} {
		slices.SortFunc(c.keys, func(a, b key) int { return int(a.tag) - int(b.tag) })
		k, err := parse(identifierOf(t, dicom.ExplicitVRLittleEndian, c.keys...), dicom.ExplicitVRLittleEndian)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		p := Policy{Literal: DefaultLiteral}
		if why := p.check(k, true); (why == "") != c.pass {
			t.Errorf("%s: %q", what, why)
		}
		p.Unrestricted = true
		if why := p.check(k, true); why != "" {
			t.Errorf("%s, unrestricted: %q", what, why)
		}
	}
}

func TestWhatHidesFromThePolicyIsFound(t *testing.T) {
	policy := Policy{Keys: []string{"PatientID"}, Literal: DefaultLiteral}
	filler := make([]key, maxKeys)
	for i := range filler {
		filler[i] = key{dicom.Tag(0x00400000 + 2*i + 2), "any"}
	}
	if _, err := parse(identifierOf(t, dicom.ExplicitVRLittleEndian, append(filler, key{0x00420010, "fictional"})...), dicom.ExplicitVRLittleEndian); err == nil {
		t.Errorf("an attribute behind %d others is not looked at", maxKeys)
	}
	twice := slices.Concat(identifierOf(t, dicom.ExplicitVRLittleEndian, key{dicom.TagPatientID, "FICT-0001"}), identifierOf(t, dicom.ExplicitVRLittleEndian, key{dicom.TagPatientID, "*"}))
	if k, err := parse(twice, dicom.ExplicitVRLittleEndian); err != nil || policy.check(k, true) == "" {
		t.Errorf("an attribute that stands twice is passed on: %v", err)
	}
	for what, write := range map[string]func(w *dicom.Writer){
		"a key that restricts, in a sequence": func(w *dicom.Writer) {
			w.Sequence(0x00400275, func() { w.Text(dicom.TagPatientID, dicom.LO, "FICT-0001") })
		},
		"a key that is not allowed, in a sequence": func(w *dicom.Writer) {
			w.Text(dicom.TagPatientID, dicom.LO, "FICT-0001")
			w.Sequence(0x00400275, func() { w.Text(0x00400007, dicom.LO, "fictional") })
		},
	} {
		var b bytes.Buffer
		s, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
		w := dicom.NewWriter(&b, s)
		write(w)
		if err := w.Close(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		k, err := parse(b.Bytes(), dicom.ExplicitVRLittleEndian)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if policy.check(k, true) == "" {
			t.Errorf("%s: it is passed on", what)
		}
	}
}

func TestAWorklistNeedNotBeRestricted(t *testing.T) {
	k, err := parse(identifierOf(t, dicom.ExplicitVRLittleEndian, key{dicom.TagPatientID, ""}), dicom.ExplicitVRLittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	p := Policy{Keys: []string{"PatientID"}, Literal: DefaultLiteral}
	if why := p.check(k, false); why != "" {
		t.Errorf("all of the worklist: %q", why)
	}
	if why := p.check(&keys{inner: []key{{0x00400001, "CT1"}}}, false); why == "" {
		t.Error("keys that the policy does not have are passed on")
	}
}

func TestTheFirstPolicyThatFitsCounts(t *testing.T) {
	p := &Proxy{cfg: Config{Policies: []Policy{{Devices: []string{"ws-1"}, Results: 7}, {Keys: []string{"PatientID"}}}}}
	if x := p.policy("ws-1"); x.Results != 7 || x.Literal != DefaultLiteral || x.Keys != nil {
		t.Errorf("%+v", x)
	}
	if x := p.policy("ws-2"); x.Results != DefaultResults || len(x.Keys) != 1 {
		t.Errorf("%+v", x)
	}
}

func TestAnIdentifierThatBreaksOffIsRefused(t *testing.T) {
	b := identifierOf(t, dicom.ExplicitVRLittleEndian, key{dicom.TagPatientID, "FICT-0001"})
	for n := 1; n < len(b); n++ {
		if _, err := parse(b[:n], dicom.ExplicitVRLittleEndian); err == nil {
			t.Errorf("%d of %d bytes are taken for an identifier", n, len(b))
		}
	}
}

func TestAnAETitleIsReplacedAndNothingElse(t *testing.T) {
	for _, syntax := range []string{dicom.ExplicitVRLittleEndian, dicom.ImplicitVRLittleEndian} {
		list := []key{{tagLevel, "STUDY "}, {tagRetrieveAE, "PACS"}, {dicom.TagPatientID, "FICT-0001 "}}
		got, err := retitle(identifierOf(t, syntax, list...), syntax, tagRetrieveAE, "ASEPSIS")
		if err != nil {
			t.Fatal(err)
		}
		list[1].value = "ASEPSIS "
		if want := identifierOf(t, syntax, list...); !bytes.Equal(got, want) {
			t.Errorf("%q\nwant %q", got, want)
		}
		same := identifierOf(t, syntax, key{tagLevel, "STUDY "}, key{tagRetrieveAE, ""})
		if got, err := retitle(same, syntax, tagRetrieveAE, "ASEPSIS"); err != nil || !bytes.Equal(got, same) {
			t.Errorf("an empty one was filled: %q, %v", got, err)
		}
	}
}

func TestAReportIsReadAsItWasWritten(t *testing.T) {
	done := []reference{{"1.2.840.10008.5.1.4.1.1.2", "1.2.3.1"}, {"1.2.840.10008.5.1.4.1.1.2", "1.2.3.2"}}
	bad := []failure{{reference{"1.2.840.10008.5.1.4.1.1.4", "1.2.3.3"}, reasonNone}}
	for _, syntax := range []string{dicom.ExplicitVRLittleEndian, dicom.ImplicitVRLittleEndian} {
		var b bytes.Buffer
		if err := writeReport(&b, syntax, "1.2.3.999", done, bad); err != nil {
			t.Fatal(err)
		}
		x, err := parseReport(b.Bytes(), syntax)
		if err != nil || x.transaction != "1.2.3.999" || !slices.Equal(x.done, []string{"1.2.3.1", "1.2.3.2"}) || !slices.Equal(x.failed, []string{"1.2.3.3"}) || len(x.refs) != 3 {
			t.Errorf("%v: %+v", err, x)
		}
	}
}

func TestATransactionHasABound(t *testing.T) {
	list := make([]reference, maxReferences+1)
	for i := range list {
		list[i] = reference{"1.2.840.10008.5.1.4.1.1.2", fmt.Sprintf("1.2.3.%d", i)}
	}
	for n, want := range map[int]bool{maxReferences: true, maxReferences + 1: false} {
		var b bytes.Buffer
		if err := writeReport(&b, dicom.ExplicitVRLittleEndian, "1.2.3.999", list[:n], nil); err != nil {
			t.Fatal(err)
		}
		if _, err := parseReport(b.Bytes(), dicom.ExplicitVRLittleEndian); (err == nil) != want {
			t.Errorf("%d instances: %v", n, err)
		}
	}
}

// shelf is a vault with records that do not change.
type shelf struct {
	instance.Vault
	list []instance.Record
}

func (s *shelf) BySOP(_ context.Context, uid string) ([]instance.Record, error) {
	var out []instance.Record
	for _, r := range s.list {
		if r.SOPInstance == uid && r.State != instance.Refused {
			out = append(out, r)
		}
	}
	return out, nil
}

func (s *shelf) Get(_ context.Context, n uint64) (instance.Record, error) {
	for _, r := range s.list {
		if r.Number == n {
			return r, nil
		}
	}
	return instance.Record{}, instance.ErrNotFound
}

func TestWhatIsSafeAndWhatIsNot(t *testing.T) {
	const class = "1.2.840.10008.5.1.4.1.1.2"
	to := func(states ...instance.DeliveryState) []instance.Delivery {
		var out []instance.Delivery
		for i, s := range states {
			out = append(out, instance.Delivery{Destination: fmt.Sprintf("d%d", i), State: s})
		}
		return out
	}
	const yes, wait, no = "yes", "wait", "no"
	for name, c := range map[string]struct {
		r    instance.Record
		more []instance.Record
		want string
	}{
		"delivered everywhere":           {instance.Record{State: instance.Accepted, Deliveries: to("committed", "delivered")}, nil, yes},
		"committed and waiting":          {instance.Record{State: instance.Accepted, Deliveries: to("committed", "waiting")}, nil, wait},
		"delivered, not yet committed":   {instance.Record{State: instance.Accepted, Deliveries: to("delivered", "delivered")}, nil, wait},
		"given up":                       {instance.Record{State: instance.Accepted, Deliveries: to("committed", "dead")}, nil, no},
		"dropped":                        {instance.Record{State: instance.Released, Deliveries: to("dropped")}, nil, no},
		"in quarantine":                  {instance.Record{State: instance.Quarantined}, nil, wait},
		"released and there":             {instance.Record{State: instance.Released, Deliveries: to("committed")}, nil, yes},
		"destroyed":                      {instance.Record{State: instance.Destroyed}, nil, no},
		"refused":                        {instance.Record{State: instance.Refused}, nil, no},
		"of another device":              {instance.Record{State: instance.Accepted, Sender: instance.Sender{Device: "mr-1"}, Deliveries: to("committed")}, nil, no},
		"of another class":               {instance.Record{State: instance.Accepted, SOPClass: "1.2.3", Deliveries: to("committed")}, nil, no},
		"replaced, and the copy there":   {instance.Record{State: instance.Replaced, Copy: 2}, []instance.Record{{Number: 2, State: instance.Accepted, Deliveries: to("committed")}}, yes},
		"replaced, and the copy waiting": {instance.Record{State: instance.Replaced, Copy: 2}, []instance.Record{{Number: 2, State: instance.Accepted, Deliveries: to("waiting")}}, wait},
	} {
		c.r.Number, c.r.SOPInstance = 1, "1.2.3.1"
		if c.r.SOPClass == "" {
			c.r.SOPClass = class
		}
		if c.r.Sender.Device == "" {
			c.r.Sender.Device = "ct-1"
		}
		p, err := New(Default(), Deps{Vault: &shelf{list: append([]instance.Record{c.r}, c.more...)}, MustCommit: func(d string) bool { return d == "d0" }})
		if err != nil {
			t.Fatal(err)
		}
		safe, reason := p.commits.safe(t.Context(), "ct-1", reference{class, "1.2.3.1"})
		got := map[bool]string{true: yes, false: wait}[safe]
		if reason != 0 {
			got = no
		}
		if got != c.want {
			t.Errorf("%s: %s, reason 0x%04X, want %s", name, got, reason, c.want)
		}
	}
}

func TestWhatIsNotSafeInTimeHasFailed(t *testing.T) {
	now := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	v := &shelf{list: []instance.Record{{Number: 1, SOPInstance: "1.2.3.1", SOPClass: "1.2.3", State: instance.Quarantined, Sender: instance.Sender{Device: "ct-1"}}}}
	p, err := New(Default(), Deps{Vault: v, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	x := &promise{Device: "ct-1", At: now, Refs: []reference{{"1.2.3", "1.2.3.1"}}}
	if _, _, ready := p.commits.judge(t.Context(), x); ready {
		t.Error("it is decided although it may still be released")
	}
	now = now.Add(25 * time.Hour)
	if done, bad, ready := p.commits.judge(t.Context(), x); !ready || len(done) != 0 || len(bad) != 1 || bad[0].Reason != reasonNoRoom {
		t.Errorf("%v, %v, %v", done, bad, ready)
	}
}

func TestOneDeviceDoesNotKeepTheOthersFromStorageCommitment(t *testing.T) {
	p, err := New(Default(), Deps{})
	if err != nil {
		t.Fatal(err)
	}
	c := p.commits
	refs := make([]reference, maxReferences)
	for i := range maxOpenOfOne / maxReferences {
		x := &promise{Device: "ct-1", Transaction: fmt.Sprint("1.2.", i), Refs: refs}
		if c.full(x) {
			t.Fatalf("full after %d requests", i)
		}
		c.open[x.Transaction] = x
	}
	if !c.full(&promise{Device: "ct-1", Refs: refs[:1]}) {
		t.Error("a device that asks without end is taken")
	}
	if c.full(&promise{Device: "mr-1", Refs: refs}) {
		t.Error("another device is refused")
	}
	for i := range maxOpen / maxReferences {
		c.open[fmt.Sprint("other", i)] = &promise{Device: fmt.Sprint("us-", i), Refs: refs}
	}
	if !c.full(&promise{Device: "mr-1", Refs: refs[:1]}) {
		t.Error("all of them together are not bounded")
	}
}

func TestPatientsAreExpectedForAWhile(t *testing.T) {
	now := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	p := newPatients(time.Hour, func() time.Time { return now }, nil)
	key, err := pseudonym.New([]byte(strings.Repeat("k", pseudonym.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	who := Pseudonym(key, "LINDENHOF", "FICT-0001")
	a := instance.Arrival{Sender: instance.Sender{Device: "ct-1"}}
	if _, known := p.Expected(a); known {
		t.Error("before any worklist")
	}
	p.worklist("ct-1", "", who)
	if list, known := p.Expected(a); !known || !slices.Equal(list, []string{who}) {
		t.Errorf("%v, %v", list, known)
	}
	now = now.Add(2 * time.Hour)
	if _, known := p.Expected(a); known {
		t.Error("for ever")
	}
	for i := range maxPatients + 10 {
		p.worklist("ct-1", "", fmt.Sprint("p:", i))
	}
	if list, _ := p.Expected(a); len(list) != maxPatients {
		t.Errorf("%d patients of one device are kept", len(list))
	}
}

func TestABadConfigurationOfQueriesIsRefusedWithTheReason(t *testing.T) {
	for text, want := range map[string]string{
		"archives: [{address: \"a:1\", called_ae: A, operations: [find]}]":                                                                        "name: is empty",
		"archives: [{name: a, address: a, called_ae: A, operations: [find]}]":                                                                     "is no host with a port",
		"archives: [{name: a, address: \"a:1\", called_ae: \"\", operations: [find]}]":                                                            "is no AE title",
		"archives: [{name: a, address: \"a:1\", called_ae: A, operations: [store]}]":                                                              "is no operation that is passed on",
		"archives: [{name: a, address: \"a:1\", called_ae: A, tls: true, operations: [find]}]":                                                    "must prove who it is",
		"archives: [{name: a, address: \"a:1\", called_ae: A, operations: [move]}]":                                                               "could come from anybody",
		"archives: [{name: a, address: \"a:1\", called_ae: A, operations: [find]}, {name: a, address: \"a:1\", called_ae: A, operations: [get]}]": "there are two archives",
		"policies: [{keys: [PatientShoeSize]}]":                                                                                                   "is no keyword of PS3.6",
		"policies: [{max_results: -1}]":                                                                                                           "cannot be negative",
		"move_destinations: [{ae: XR1, destination: \"\"}]":                                                                                       "destination: is empty",
		"move_destinations: [{ae: XR1, destination: a}, {ae: XR1, destination: b}]":                                                               "is there twice",
		"commitment_callbacks: [{device: \"\", address: \"a:1\", ae: A}]":                                                                         "device: is empty",
		"timeouts: {connect: 1ms, response: 1m}":                                                                                                  "connect must be within",
		"move_wait: 2h":                                                                                                                           "is not within",
	} {
		if _, err := config.Decode("query.yaml", []byte(text), Default()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if list := config.Undocumented(Default()); len(list) > 0 {
		t.Error(list)
	}
}

func FuzzIdentifier(f *testing.F) {
	f.Add([]byte("\x10\x00\x20\x00LO\x04\x00FICT"), true)
	f.Add([]byte("\x08\x00\x95\x11\x06\x00\x00\x001.2.3\x00"), false)
	f.Fuzz(func(t *testing.T, b []byte, explicit bool) {
		syntax := dicom.ImplicitVRLittleEndian
		if explicit {
			syntax = dicom.ExplicitVRLittleEndian
		}
		k, err := parse(b, syntax)
		if err == nil && len(k.list) > maxKeys {
			t.Fatalf("%d keys", len(k.list))
		}
		x, err := parseReport(b, syntax)
		if err == nil && len(x.refs) > maxReferences {
			t.Fatalf("%d references", len(x.refs))
		}
		if out, err := retitle(b, syntax, tagRetrieveAE, "ASEPSIS"); err == nil && len(out) > len(b)+16 && !bytes.Contains(b, []byte{0x54, 0x00}) {
			t.Fatalf("%d bytes of %d", len(out), len(b))
		}
	})
}
