// SPDX-License-Identifier: Apache-2.0

package fhir

import (
	"fmt"
	"strings"
	"testing"
)

const deviceJSON = `{"resourceType":"Device","id":"d1","udiCarrier":[{"deviceIdentifier":"51022222233336","carrierHRF":"(01)51022222233336(21)1234"}],"status":"active","manufacturer":"Acme","serialNumber":"1234","modelNumber":"X-5",
"deviceName":[{"name":"My pump","type":"user-friendly-name"},{"name":"Infusor","type":"model-name"}],"type":{"coding":[{"system":"urn:iso:std:iso:11073:10101","code":"69985","display":"MDC_DEV_PUMP_INFUS_MDS"}]},"version":[{"value":"2.1"}],"patient":{"reference":"https://x/fhir/Patient/135769"}}`

const deviceXML = `<Device xmlns="http://hl7.org/fhir"><id value="d1"/><udiCarrier><deviceIdentifier value="51022222233336"/><carrierHRF value="(01)51022222233336(21)1234"/></udiCarrier><status value="active"/><manufacturer value="Acme"/><serialNumber value="1234"/><modelNumber value="X-5"/>
<deviceName><name value="My pump"/><type value="user-friendly-name"/></deviceName><deviceName><name value="Infusor"/><type value="model-name"/></deviceName><type><coding><system value="urn:iso:std:iso:11073:10101"/><code value="69985"/><display value="MDC_DEV_PUMP_INFUS_MDS"/></coding></type><version><value value="2.1"/></version><patient><reference value="https://x/fhir/Patient/135769"/></patient></Device>`

const bundle = `{"resourceType":"Bundle","type":"searchset","total":2,"entry":[{"fullUrl":"u","resource":{"resourceType":"Patient","id":"135769","name":[{"family":"Mouse"}]}},{"resource":{"id":"d2","manufacturer":"Acme","resourceType":"Device"}}]}`

func mustParse(t *testing.T, s string) *Resource {
	t.Helper()
	r, err := Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDeviceInBothFormats(t *testing.T) {
	want := fmt.Sprint([]Device{{ID: "d1", UDI: "(01)51022222233336(21)1234", DI: "51022222233336", Manufacturer: "Acme", Name: "Infusor", Model: "X-5", Serial: "1234", Version: "2.1", Type: "MDC_DEV_PUMP_INFUS_MDS", TypeCodes: []string{"69985"}, Status: "active"}})
	for name, s := range map[string]string{"JSON": deviceJSON, "XML": deviceXML} {
		r := mustParse(t, s)
		if fmt.Sprint(r.Devices) != want || r.Type != "Device" || r.ID != "d1" || fmt.Sprint(r.Patients) != "[Patient/135769]" || r.Truncated {
			t.Errorf("%s:\n got %+v\nwant %s", name, r, want)
		}
	}
}

func TestOtherResources(t *testing.T) {
	r := mustParse(t, `{"resourceType":"CapabilityStatement","publisher":"P","fhirVersion":"4.0.1","software":{"name":"HAPI","version":"6.1"},"implementation":{"description":"D","url":"u"},"rest":[{"mode":"server","resource":[{"type":"Patient"}]}]}`)
	if r.FHIRVersion != "4.0.1" || r.SoftwareName != "HAPI" || r.SoftwareVersion != "6.1" || r.Implementation != "D" || r.BundleType != "" {
		t.Errorf("%+v", r)
	}
	r = mustParse(t, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found","diagnostics":"Mouse"}]}`)
	if fmt.Sprint(r.Issues) != "[not-found]" || r.Severity != "error" {
		t.Errorf("%+v", r)
	}
	r = mustParse(t, bundle)
	if r.BundleType != "searchset" || r.Total != "2" || r.Entries != 2 || r.Kinds["Patient"] != 1 || len(r.Devices) != 1 || r.Devices[0].ID != "d2" || r.Patients[0] != "Patient/135769" {
		t.Errorf("%+v", r)
	}
	x := mustParse(t, `<Bundle xmlns="http://hl7.org/fhir"><type value="searchset"/><total value="2"/><entry><resource><Patient><id value="135769"/></Patient></resource></entry><entry><resource><Device><id value="d2"/><manufacturer value="Acme"/></Device></resource></entry></Bundle>`)
	if fmt.Sprintf("%+v", *x) != fmt.Sprintf("%+v", *r) {
		t.Errorf("XML %+v\nJSON %+v", x, r)
	}
	for _, bad := range []string{"", "[]", "{}", `{"a":1}`, `{"resourceType":"x"}`, `{"resourceType":7}`, "<a/>", `<Device/>`, "null"} {
		if r, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q was read as %+v", bad, r)
		}
	}
}

func TestADocumentThatIsCutGivesWhatWasReadable(t *testing.T) {
	for _, s := range []string{deviceJSON, deviceXML, bundle} {
		for n := 40; n < len(s); n++ {
			r, err := Parse([]byte(s[:n]))
			if err != nil {
				t.Fatalf("cut at %d: %v", n, err)
			}
			if !r.Truncated {
				t.Fatalf("cut at %d: not marked", n)
			}
		}
	}
	r := mustParse(t, deviceJSON[:200])
	if len(r.Devices) != 1 || r.Devices[0].Manufacturer != "Acme" {
		t.Errorf("%+v", r)
	}
}

func TestLimitsOnePastTheEdge(t *testing.T) {
	deep := func(n int) *Resource {
		return mustParse(t, `{"resourceType":"Basic","x":`+strings.Repeat("[", n-1)+strings.Repeat("]", n-1)+`}`)
	}
	if deep(MaxDepth).Truncated || !deep(MaxDepth+1).Truncated {
		t.Error("depth")
	}
	leaves := func(n int) *Resource {
		return mustParse(t, `{"resourceType":"Basic","x":[`+strings.TrimSuffix(strings.Repeat("1,", n), ",")+`]}`)
	}
	if leaves(MaxLeaves-7).Truncated || !leaves(MaxLeaves).Truncated {
		t.Error("leaves")
	}
	if r := mustParse(t, `{"resourceType":"Basic","x":"`+strings.Repeat("y", MaxBytes)+`"}`); !r.Truncated {
		t.Error("bytes")
	}
	issues := `{"resourceType":"OperationOutcome","issue":[` + strings.TrimSuffix(strings.Repeat(`{"code":"x"},`, MaxList+1), ",") + `]}`
	if r := mustParse(t, issues); len(r.Issues) != MaxList {
		t.Errorf("%d issues", len(r.Issues))
	}
}

func TestAValueWithoutANameIsPassedOver(t *testing.T) {
	for _, s := range []string{
		`{"":"x","resourceType":"Basic"}`, `{"resourceType":"Basic","":{"reference":"Patient/1"}}`,
		`{"resourceType":"Bundle","entry":[{"resource":"x"}]}`, `{"resourceType":"Bundle","entry":[{"resource":["x",1]}]}`,
	} {
		if r := mustParse(t, s); len(r.Patients) != 0 || len(r.Devices) != 0 {
			t.Errorf("%s: %+v", s, r)
		}
	}
	for _, s := range []string{`["x"]`, `"x"`, `{"":"x"}`} {
		if r, err := Parse([]byte(s)); err == nil {
			t.Errorf("%s: %+v", s, r)
		}
	}
}

func FuzzFHIR(f *testing.F) {
	for _, s := range []string{deviceJSON, deviceXML, bundle, `{"resourceType":"OperationOutcome","issue":[{"code":"x"}]}`, `{"entry":[{"resource":{"resourceType":"Device"}}],"resourceType":"Bundle"}`, `{"":"x"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			if r != nil {
				t.Fatal("an error and a resource")
			}
			return
		}
		if !IsType(r.Type) || len(r.Devices) > MaxList+1 || len(r.Patients) > MaxList || len(r.Kinds) > MaxList || len(r.SoftwareName) > MaxValue {
			t.Fatalf("%+v", r)
		}
		n := 0
		for _, k := range r.Kinds {
			n += k
		}
		if n > r.Entries {
			t.Fatal("more kinds than entries")
		}
	})
}
