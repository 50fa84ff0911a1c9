// SPDX-License-Identifier: Apache-2.0

package downlevel_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/event/eventtest"
	"github.com/asepsis/asepsis/ocsf/downlevel"
)

func rewrite(t *testing.T, e *event.Event, v string) (before, after map[string]any) {
	t.Helper()
	b, err := e.AppendOCSF(nil, eventtest.Producer())
	if err != nil {
		t.Fatal(err)
	}
	a, err := downlevel.Convert(b, v)
	if err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal(b, &before) != nil || json.Unmarshal(a, &after) != nil {
		t.Fatalf("not JSON: %s", a)
	}
	return before, after
}

func sample(t *testing.T, name string) *event.Event {
	t.Helper()
	for _, s := range eventtest.Samples() {
		if s.Name == name {
			return s.Event
		}
	}
	t.Fatalf("no sample %q", name)
	return nil
}

func at(v any, path string) any {
	for _, p := range strings.Split(path, ".") {
		if l, ok := v.([]any); ok {
			if len(l) == 0 {
				return nil
			}
			v = l[0]
		}
		o, _ := v.(map[string]any)
		v = o[p]
	}
	return v
}

func TestAttributesThatCameLaterMove(t *testing.T) {
	for _, tt := range []struct {
		name, sample, path string
		v                  string
		want               any
	}{
		{"the version is said", "dns", "metadata.version", downlevel.V1_1, "1.1.0"},
		{"the version is said", "dns", "metadata.version", downlevel.V1_3, "1.3.0"},
		{"community ID goes from 1.1", "connection", "connection_info.community_uid", downlevel.V1_1, nil},
		{"community ID goes from 1.3", "connection", "connection_info.community_uid", downlevel.V1_3, nil},
		{"community ID is kept below its path", "connection", "unmapped.connection_info.community_uid", downlevel.V1_1, "1:wCb3OG7yAFWelaUydu0D+125CLM="},
		{"flag history is kept", "connection", "unmapped.connection_info.flag_history", downlevel.V1_3, "ShADadfF"},
		{"TCP flags stay", "connection", "connection_info.tcp_flags", downlevel.V1_1, 27.0},
		{"missed bytes are kept", "connection", "unmapped.traffic.bytes_missed", downlevel.V1_1, 1460.0},
		{"what was unmapped stays so", "connection", "unmapped.conn_state", downlevel.V1_1, "SF"},
		{"application protocol is kept", "connection", "unmapped.app_protocol_name", downlevel.V1_1, "dicom"},
		{"observation point is kept", "dns", "unmapped.network_observation_point.name", downlevel.V1_3, "or-3-span"},
		{"JA4 goes from 1.1", "tls", "ja4_fingerprint_list", downlevel.V1_1, nil},
		{"JA4 is kept", "tls", "unmapped.ja4_fingerprint_list.value", downlevel.V1_1, "t13d1516h2_8daaf6152771_02713d6af862"},
		{"JA4 stays in 1.3", "tls", "ja4_fingerprint_list.value", downlevel.V1_3, "t13d1516h2_8daaf6152771_02713d6af862"},
		{"alternative names move up to tls", "tls", "tls.sans.name", downlevel.V1_1, "xr.theatre.example"},
		{"and out of the certificate", "tls", "tls.certificate.sans", downlevel.V1_1, nil},
		{"self-signed is kept", "tls", "unmapped.tls.certificate.is_self_signed", downlevel.V1_1, false},
		{"body lengths are kept", "http", "unmapped.http_response.body_length", downlevel.V1_1, 312.0},
		{"an HTTP request without answer has a response", "http-other-method", "http_response.code", downlevel.V1_1, 0.0},
		{"a relay has a type", "dhcp", "relay.type_id", downlevel.V1_1, 0.0},
		{"a response without code is kept", "smb", "unmapped.response.error", downlevel.V1_1, "STATUS_SUCCESS"},
		{"DICOM becomes network traffic", "dicom-operation", "type_uid", downlevel.V1_1, 400106.0},
		{"with its name", "dicom-operation", "type_name", downlevel.V1_1, "Network Activity: Traffic"},
		{"its class is kept", "dicom-operation", "unmapped.asepsis.class_uid", downlevel.V1_1, 76104002.0},
		{"its activity is kept", "dicom-operation", "unmapped.asepsis.activity_name", downlevel.V1_1, "C-FIND"},
		{"its attributes are kept", "dicom-operation", "unmapped.calling_ae_title", downlevel.V1_1, "CT-1"},
		{"its outcome stays", "dicom-operation", "status_id", downlevel.V1_1, 1.0},
		{"its duration stays", "dicom-operation", "duration", downlevel.V1_1, 41.0},
		{"the extension is not claimed", "dicom-operation", "metadata.extensions", downlevel.V1_1, nil},
		{"evidence becomes a base event", "device-evidence", "class_uid", downlevel.V1_3, 0.0},
		{"of activity Other", "device-evidence", "type_uid", downlevel.V1_3, 99.0},
		{"called as before", "device-evidence", "activity_name", downlevel.V1_3, "Observe"},
		{"evidence is kept", "device-evidence", "unmapped.device_evidence.value", downlevel.V1_3, "CARM-OR3"},
		{"health becomes a base event", "sensor-health", "category_uid", downlevel.V1_1, 0.0},
		{"an event without conversation keeps none", "sensor-health", "src_endpoint", downlevel.V1_1, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, got := rewrite(t, sample(t, tt.sample), tt.v)
			if v := at(got, tt.path); v != tt.want {
				t.Errorf("%s is %v, want %v", tt.path, v, tt.want)
			}
		})
	}
}

func TestWhatCameLaterInEnumerationsIsOther(t *testing.T) {
	loop := sample(t, "connection")
	for _, f := range []*event.Endpoint{&loop.Flow.Src, &loop.Flow.Dst} {
		if err := f.IP.UnmarshalText([]byte("127.0.0.1")); err != nil {
			t.Fatal(err)
		}
	}
	_, got := rewrite(t, loop, downlevel.V1_3)
	if at(got, "connection_info.direction_id") != 99.0 || at(got, "connection_info.direction") != "Local" {
		t.Errorf("direction: %v", got["connection_info"])
	}
	_, got = rewrite(t, &event.Event{Activity: 9, Flow: loop.Flow, Detail: &event.HTTP{Method: "PATCH", Path: "/"}}, downlevel.V1_1)
	if got["activity_id"] != 99.0 || got["activity_name"] != "Patch" || got["type_uid"] != 400299.0 || got["type_name"] != "HTTP Activity: Other" || at(got, "unmapped.http_request.http_method") != "PATCH" {
		t.Errorf("PATCH: %v", got)
	}
	_, got = rewrite(t, sample(t, "http"), downlevel.V1_1)
	for _, o := range got["observables"].([]any) {
		if id := at(o, "type_id").(float64); id > 10 {
			t.Errorf("observable of type %v in 1.1", id)
		}
	}
	_, got = rewrite(t, sample(t, "http"), downlevel.V1_3)
	if s := fmt.Sprint(got["observables"]); !strings.Contains(s, "user_agent") {
		t.Errorf("the user agent is an observable in 1.3: %s", s)
	}
}

// Every scalar of the event is still somewhere in it, apart from what is
// written anew.
func TestNothingIsLost(t *testing.T) {
	for _, s := range eventtest.Samples() {
		for _, v := range downlevel.Versions() {
			t.Run(s.Name+" "+v, func(t *testing.T) {
				before, after := rewrite(t, s.Event, v)
				delete(before, "observables")
				delete(after, "observables")
				left := map[string]int{}
				count(after, left)
				want := map[string]int{}
				count(before, want)
				for value, n := range want {
					if left[value] < n && value != "string 1.8.0" {
						t.Errorf("%s is there %d times, was %d times", value, left[value], n)
					}
				}
			})
		}
	}
}

func count(v any, into map[string]int) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			count(e, into)
		}
	case []any:
		for _, e := range v {
			count(e, into)
		}
	default:
		into[fmt.Sprintf("%T %v", v, v)] = 1
	}
}

func TestClassificationIsConsistent(t *testing.T) {
	for _, s := range eventtest.Samples() {
		_, got := rewrite(t, s.Event, downlevel.V1_1)
		class, activity := got["class_uid"].(float64), got["activity_id"].(float64)
		if got["type_uid"] != class*100+activity || got["category_uid"] != float64(int(class)/1000) {
			t.Errorf("%s: class %v, category %v, activity %v, type %v", s.Name, class, got["category_uid"], activity, got["type_uid"])
		}
		if class >= 4000 && (got["src_endpoint"] == nil || got["dst_endpoint"] == nil) {
			t.Errorf("%s lacks an endpoint", s.Name)
		}
	}
	_, got := rewrite(t, &event.Event{}, downlevel.V1_1)
	if want := map[string]any{"name": "unknown"}; !reflect.DeepEqual(got["dst_endpoint"], want) {
		t.Errorf("without a flow, dst_endpoint is %v", got["dst_endpoint"])
	}
}

func TestWhatIsNotAnEventIsRefused(t *testing.T) {
	for _, bad := range []string{"", "[]", "{", "{}", `{"metadata":{"version":"1.1.0"}}`, `{"metadata":1}`} {
		if out, err := downlevel.Convert([]byte(bad), downlevel.V1_1); err == nil {
			t.Errorf("%q gave %q, %v", bad, out, err)
		}
	}
	if _, err := downlevel.Convert([]byte(`{"metadata":{"version":"1.8.0"}}`), "1.2.0"); err == nil {
		t.Error("1.2.0 was accepted")
	}
}

func FuzzConvert(f *testing.F) {
	for _, s := range eventtest.Samples() {
		b, _ := s.Event.AppendOCSF(nil, eventtest.Producer())
		f.Add(b)
	}
	f.Add([]byte(`{"metadata":{"version":"1.8.0"},"class_uid":4001,"tls":{"certificate":{}},"observables":[1,{}],"unmapped":3}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range downlevel.Versions() {
			out, err := downlevel.Convert(b, v)
			if err == nil && !json.Valid(out) {
				t.Fatalf("%q", out)
			}
		}
	})
}
