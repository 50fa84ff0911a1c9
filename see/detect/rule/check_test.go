// SPDX-License-Identifier: Apache-2.0

package rule_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// good is a rule with nothing wrong.
const good = `id: dicom.x
version: 1
title: "{src} did {what}"
analyst: a
room: r
severity: {base: low}
confidence: 50
attack: [T0846]
playbook: [look]
false_positives: [none]
match:
  count:
    class: [dicom_operation]
    activity: [C-MOVE]
    when: op.results > 1
    by: [src.ip]
    window: 5m
    over: 3
values:
  - {name: what, expr: op.dimse_command, entity: true}
group: {by: [src.ip], devices: [src]}
samples:
  - name: it happens
    setup:
      devices:
        - {id: ct, class: ct, ips: [10.0.0.1], mac: "00:08:02:1c:ae:a4", theatre: OR-1, vlan: 7}
      theatres: {OR-1: in-case}
    events:
      - {class: dicom_operation, protocol: dicom, activity: C-MOVE, src: "ct:1000", dst: "10.0.0.9:104", repeat: 3, every: 1s, vlan: 7,
         detail: {dimse_command: "C-MOVE {n}", results: 5, sub_operations_failed: 2, query_keys: ["K{n}"]}}
    fires: {severity: low}
  - name: it does not
    capture: dicom-echo.pcap
    quiet: true
`

func newEnv(t testing.TB) *expr.Env {
	t.Helper()
	e, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestARuleThatIsRightIsRead(t *testing.T) {
	r, err := rule.Parse("dicom/x.yaml", []byte(good), newEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Family != "dicom" || r.Match.Kind() != "count" || r.Match.Count.Window != 5*time.Minute || len(r.Match.Selects()) != 1 {
		t.Errorf("%+v", r)
	}
	st, err := r.Samples[0].Stage()
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Events) != 3 {
		t.Fatalf("%d events, want 3", len(st.Events))
	}
	last := st.Events[2]
	op := last.Event.Detail.(*event.DICOMOperation)
	if op.Command != "C-MOVE 2" || op.QueryKeys[0] != "K2" || op.Results != 5 || *op.Failed != 2 {
		t.Errorf("detail: %+v", op)
	}
	s := st.World().Scene(&last.Record, last.Event)
	switch {
	case s.Src.ID != "ct" || s.Src.Device.Class != device.ClassCT || s.Src.Port != 1000 || s.Src.MAC.String() != "00:08:02:1c:ae:a4":
		t.Errorf("src: %+v", s.Src)
	case s.Dst.IP.String() != "10.0.0.9" || s.Dst.ID != "" || s.Dst.Port != 104:
		t.Errorf("dst: %+v", s.Dst)
	case s.Theatre != "OR-1" || s.Case != theatre.InCase || s.Seq != 3:
		t.Errorf("scene: %+v", s)
	case time.Duration(last.Event.Time-st.Events[0].Event.Time) != 2*time.Second || last.Event.Flow.VLANs[0] != 7 || last.Event.Flow.Proto != 6:
		t.Errorf("event: %+v", last.Event)
	}
}

func TestARuleThatIsWrongIsRefusedWithItsPlaceAndWhatWouldBeRight(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"an unknown field":           {"confidence: 50", "confidenz: 50", "x.yaml:7:1: confidenz: no such field"},
		"no severity":                {"severity: {base: low}", "severity: {in_case: low}", "severity.base: is missing"},
		"a confidence of 0":          {"confidence: 50", "confidence: 0", "want 1 to 100"},
		"a tactic for a technique":   {"[T0846]", "[TA0001]", `attack[0]: "TA0001" is not the ID of a technique`},
		"two matchers":               {"  count:", "  trigger: {class: [dicom_operation]}\n  count:", "want one matcher, have trigger and count"},
		"no playbook":                {"playbook: [look]\n", "", "playbook: is missing"},
		"an unknown class":           {"class: [dicom_operation]\n    activity: [C-MOVE]", "class: [dicom]", `there is no class "dicom"`},
		"an unknown activity":        {"[C-MOVE]\n    when", "[C-MOOVE]\n    when", `no class here has an activity "C-MOOVE"`},
		"a wrong expression":         {"op.results > 1", "op.result > 1", `x.yaml:15:5: match.count.when: column 4: op has no field "result"`},
		"another class's field":      {"op.results > 1", `tls.sni != ""`, "it belongs to the class network_activity"},
		"a wrong key":                {"by: [src.ip]\n    window", "by: [src]\n    window", "want one value, have src"},
		"a window of a year":         {"window: 5m", "window: 8760h", "want 1s to 744h0m0s"},
		"a window without a unit":    {"window: 5m", "window: 5", "write the unit too"},
		"a name nobody fills":        {"{src} did {what}", "{src} did {wat}", `there is no value "wat"`},
		"a brace that does not end":  {"{src} did {what}", "{src", "does not end"},
		"no quiet sample":            {"    quiet: true", "    fires: {alerts: 1}", "none is quiet"},
		"neither fires nor quiet":    {"    quiet: true", "    settings: {wait: 1s}", "want one of the two"},
		"an unknown detail":          {"results: 5", "result: 5", `samples[0].events[0]: op: there is no field "result"`},
		"a detail of another type":   {"results: 5", `results: many`, "op.results: want whole number, have many"},
		"a number that does not fit": {"sub_operations_failed: 2", "sub_operations_failed: 70000", "want whole number, have 70000"},
		"an end that is nobody":      {`src: "ct:1000"`, `src: "mr:1000"`, `"mr" is neither a device of the setup nor an address`},
		"too many events":            {"repeat: 3", "repeat: 1000000", "repeat: want 1 to"},
		"an end that runs out":       {`dst: "10.0.0.9:104", repeat: 3`, `dst: "10.0.0.{n}:104", repeat: 300`, `"10.0.0.299" is neither a device`},
		"a class that is not one":    {"id: ct, class: ct", "id: ct, class: scanner9", "is not a class of devices"},
		"a state that is not one":    {"OR-1: in-case", "OR-1: busy", "want idle, in-case or maintenance"},
		"an anchor":                  {"attack: [T0846]", "attack: &a [T0846]", "anchors, aliases and merge keys are not accepted"},
		"a capture from elsewhere":   {"dicom-echo.pcap", "../x.pcap", "want a path below"},
		"a device that is no end":    {"devices: [src]}", "devices: [both]}", "is not an end of a conversation"},
		"a list that there is not":   {"op.results > 1", `in_list("x", op.modality)`, `there is no list "x"`},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Errorf("%s: nothing was changed", name)
			continue
		}
		if _, err := rule.Parse("x.yaml", []byte(text), newEnv(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %q", name, err, c.want)
		}
	}
}

func TestATreeIsReadWithAllItsMistakes(t *testing.T) {
	fsys := fstest.MapFS{
		"dicom/x.yaml":    {Data: []byte(good)},
		"dicom/y.yaml":    {Data: []byte(good)},
		"dicom/z.yaml":    {Data: []byte("id: 7\n")},
		"dicom/README.md": {Data: []byte("x")},
	}
	_, err := rule.Load(fsys)
	if err == nil || !strings.Contains(err.Error(), `the rule is called "dicom.x", its place says "dicom.y"`) || !strings.Contains(err.Error(), "dicom/z.yaml:1:5") {
		t.Errorf("%v", err)
	}
	delete(fsys, "dicom/y.yaml")
	delete(fsys, "dicom/z.yaml")
	l, err := rule.Open(fsys)
	if err != nil || l.Rule("dicom.x") == nil || l.Rule("dicom.w") != nil {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestAHashChangesWithWhatIsFoundAndNotWithItsWords(t *testing.T) {
	env := newEnv(t)
	hash := func(old, new string) string {
		r, err := rule.Parse("x.yaml", []byte(strings.Replace(good, old, new, 1)), env)
		if err != nil {
			t.Fatal(err)
		}
		return rule.Hash(r)
	}
	same := hash("", "")
	if hash("analyst: a", "analyst: other words") != same || hash("confidence: 50", "confidence: 60") != same {
		t.Error("words change the hash")
	}
	if hash("over: 3", "over: 4") == same || hash("op.results > 1", "op.results > 2") == same || hash("by: [src.ip], devices", "by: [dst.ip], devices") == same {
		t.Error("what is found does not change the hash")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("id: [\n"))
	env := newEnv(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := rule.Parse("x.yaml", data, env)
		if err != nil {
			return
		}
		for i := range r.Samples {
			if _, err := r.Samples[i].Stage(); err != nil {
				t.Errorf("a sample that was accepted cannot be staged: %v", err)
			}
		}
	})
}
