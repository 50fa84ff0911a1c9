// SPDX-License-Identifier: Apache-2.0

package expr_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/scene"
)

type lists map[string][]string

func (l lists) Has(n string) bool { _, ok := l[n]; return ok }
func (l lists) Contains(n, v string) bool {
	for _, x := range l[n] {
		if x == v {
			return true
		}
	}
	return false
}
func (l lists) Names() (out []string) {
	for n := range l {
		out = append(out, n)
	}
	return out
}

func newEnv(t testing.TB) *expr.Env {
	t.Helper()
	env, err := expr.NewEnv(expr.WithLists(lists{"bad-names": {"evil.example"}}))
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func u16(v uint16) *uint16 { return &v }

// move is a C-MOVE of a modality to an AE title that nobody has, during a case.
func move() *scene.Scene {
	ct := device.Device{ID: "dev-ct", Name: "CT-1", Class: device.ClassCT, Theatre: "OR-3", AETitles: []string{"CT1"}, Services: []string{"dicom/tcp:104"}, First: 5,
		Interfaces: []device.Interface{{IPs: []netip.Addr{netip.MustParseAddr("10.0.0.5")}}}}
	w := scene.NewWorld([]device.Device{ct}, []theatre.Theatre{{ID: "OR-3", State: theatre.InCase}}, nil)
	return &scene.Scene{
		World: w, Theatre: "OR-3", Case: theatre.InCase, Sensor: "north",
		Src: scene.Party{IP: netip.MustParseAddr("10.0.0.5"), MAC: device.MAC{0, 8, 2, 0x1c, 0xae, 0xa4}, Port: 40000, ID: "dev-ct", Device: w.Device("dev-ct"), Internal: true},
		Dst: scene.Party{IP: netip.MustParseAddr("198.51.100.7"), Port: 104},
		Event: &event.Event{UID: "u1", Time: 1_700_000_000_000_000_000, Activity: 4, Status: event.StatusFailure, StatusCode: "0xA801", Protocol: "dicom",
			Flow: &event.Flow{Proto: 6, VLANs: []uint16{100, 42}},
			Detail: &event.DICOMOperation{Command: "C-MOVE", MoveDestination: "EVIL_AE", QueryKeys: []string{"PatientID", "StudyDate"}, WildcardKeys: []string{"PatientName"},
				Results: 7, Failed: u16(3), Bytes: 1 << 40, Answered: true}},
	}
}

func TestAConditionIsTrueOrFalse(t *testing.T) {
	env, s := newEnv(t), move()
	for text, want := range map[string]bool{
		`op.dimse_command == "C-MOVE"`:                                         true,
		`op.dimse_command == 'C-STORE'`:                                        false,
		`op.dimse_command != "C-STORE" && op.is_answered`:                      true,
		`op.dimse_command in ["C-STORE", "C-MOVE"]`:                            true,
		`"PatientName" in op.wildcard_keys`:                                    true,
		`op.results > 5 && op.results <= 7`:                                    true,
		`op.results > 6.5`:                                                     true,
		`has(op.sub_operations_failed)`:                                        true,
		`has(op.sub_operations_warning)`:                                       false,
		`op.sub_operations_warning == 0`:                                       true,
		`op.sub_operations_failed * 2 == 6`:                                    true,
		`src.ip == "10.0.0.5"`:                                                 true,
		`src.ip in ["10.0.0.5", "10.0.0.6"]`:                                   true,
		`src.mac == "00:08:02:1c:ae:a4"`:                                       true,
		`dst.mac == ""`:                                                        true,
		`cidr(src.ip, "10.0.0.0/8")`:                                           true,
		`cidr(dst.ip, ["10.0.0.0/8", "192.168.0.0/16"])`:                       false,
		`src.internal && !dst.internal`:                                        true,
		`src.class == "ct" && src.medical && dst.class == ""`:                  true,
		`"CT1" in src.ae_titles`:                                               true,
		`in_case && case_state == "in-case"`:                                   true,
		`theatre.startsWith("OR-")`:                                            true,
		`event.activity == "C-MOVE" && event.status=="failure"`:                true,
		`event.kind == "op" && event.class == "dicom_operation"`:               true,
		`flow.transport == "tcp" && flow.vlan == 42`:                           true,
		`100 in flow.vlans && size(flow.vlans) == 2`:                           true,
		`size(stations(op.move_destination_ae_title)) == 0`:                    true,
		`stations("CT1") == ["dev-ct"]`:                                        true,
		`device_at("10.0.0.5") == "dev-ct"`:                                    true,
		`first(stations("CT1")) == src.id`:                                     true,
		`op.query_keys.exists(k, k.startsWith("Patient"))`:                     true,
		`op.query_keys.all(k, k.startsWith("Patient"))`:                        false,
		`op.query_keys.exists_one(k, k == "StudyDate")`:                        true,
		`op.query_keys.filter(k, k == "PatientID") == ["PatientID"]`:           true,
		`op.query_keys.map(k, lower(k))[1] == "studydate"`:                     true,
		`lower(op.move_destination_ae_title) == "evil_ae"`:                     true,
		`lower(op.move_destination_ae_title).contains("il_a")`:                 true,
		`lower(op.move_destination_ae_title).endsWith("_AE")`:                  false,
		`op.move_destination_ae_title.matches("^EVIL")`:                        true,
		`entropy(op.move_destination_ae_title) > 2.0`:                          true,
		`label_count("a.b.c") == 3 && parent_domain("x.y.co.uk") == "y.co.uk"`: true,
		`in_list("bad-names", "evil.example")`:                                 true,
		`hour(event.time, "UTC") == 22 && weekday(event.time, "UTC") == 2`:     true,
		`(op.results > 5 ? "many" : "few") == "many"`:                          true,
		`abs(-5) == 5 && abs(2.5) > 2`:                                         true,
		`string(op.results) + "x" == "7x" && int("12") == 12`:                  true,
		`policy.known`:                   false,
		`op.data_set_bytes > 1000000000`: true,
		// what is false wins over what fails
		`op.query_keys[9] == "x" && op.dimse_command == ""`:        false,
		`op.query_keys[9] == "x" || op.dimse_command != ""`:        true,
		`op.query_keys.exists(k, int(k) == 1 || k == "StudyDate")`: true,
	} {
		b, err := env.Bool([]event.Class{event.ClassDICOMOperation}, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := b.Eval(s)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestWhatAnEventDoesNotHaveIsEmpty(t *testing.T) {
	env := newEnv(t)
	s := &scene.Scene{Event: &event.Event{}}
	for _, text := range []string{
		`tls.sni == "" && !tls.complete && size(tls.server_chain) == 0 && !tls.server_chain.exists(c, c.is_self_signed)`,
		`hl7.schedule.room == "" && !has(hl7.schedule)`,
		`app.attr["user"] == "" && !("user" in app.attr) && !has(app.attr.user)`,
		`assoc.dimse_operations["C-FIND-RQ"] == 0`,
		`src.ip == "" && src.name == "" && flow.proto == 0 && theatre == "" && !in_case`,
		`size(stations("X")) == 0 && device_at("10.0.0.1") == ""`,
		`evidence.subject.ip == "" && evidence.attribute == ""`,
	} {
		b, err := env.Bool(nil, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if ok, err := b.Eval(s); !ok || err != nil {
			t.Errorf("%s: %v, %v", text, ok, err)
		}
	}
}

func TestAWrongExpressionIsRefusedWithItsPlaceAndWhatWouldBeRight(t *testing.T) {
	env := newEnv(t)
	for text, want := range map[string]string{
		`op.comand == "x"`:                      `column 4: op has no field "comand"`,
		`op.command == "x"`:                     `did you mean "dimse_command"?`,
		`opp.results == 1`:                      `did you mean "op"?`,
		`tls.sni == "x"`:                        `it belongs to the class network_activity`,
		`op.results == "x"`:                     "== does not go with a whole number and text",
		`op.results`:                            "a condition is true or false, this is whole number",
		`op.results ==`:                         "column",
		`src.ip == "10.0.0"`:                    `"10.0.0" is not an address`,
		`src.ip == "10.0.0.0/8"`:                "cidr(src.ip",
		`cidr(src.ip, "10.0.0.1/8")`:            "write 10.0.0.0/8",
		`cidr(src.ip, dst.ip)`:                  "must be written out",
		`op.modality.matches("(")`:              "missing closing",
		`op.modality.matches(op.modality)`:      "must be written out",
		`in_list("bad-name", op.modality)`:      `did you mean "bad-names"?`,
		`hour(event.time, "Mars/Olympus") == 1`: "there is no time zone",
		`op.results == 1u`:                      "column 15: whole numbers are written without the u (write 1)",
		`timestamp(event.message) == timestamp("2026-01-01T00:00:00Z")`: "timestamp() is not a function",
		`op.dimse_command.exists(x, x == "a")`:                          "column",
		`{"a": 1} == {"a": 1}`:                                          "column",
		`op == op`:                                                      "cannot be compared as a whole",
		``:                                                              "is empty",
		strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200): "nested more than 64 deep",
		strings.Repeat("!", expr.MaxLength+1) + "true":               "longer than",
	} {
		_, err := env.Bool([]event.Class{event.ClassDICOMOperation}, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v; want %q", text, err, want)
		}
	}
}
