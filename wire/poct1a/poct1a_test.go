// SPDX-License-Identifier: Apache-2.0

package poct1a

import (
	"fmt"
	"strings"
	"testing"
)

const hello = `<?xml version="1.0" encoding="utf-8"?>
<HEL.R01><HDR><HDR.control_id V="1"/><HDR.version_id V="POCT1"/><HDR.creation_dttm V="2026-01-01T12:00:00+00:00"/></HDR>
<DEV><DEV.device_id V="00-11-22-33-44-55-66-77"/><DEV.vendor_id V="ACME"/><DEV.model_id V="GlucoScan &amp; Co"/><DEV.serial_id V="SN-9"/>
<DEV.manufacturer_name V="Acme Diagnostics"/><DEV.hw_version V="A"/><DEV.sw_version V="3.1"/><DEV.device_name V="ICU meter"/>
<DCP><DCP.application_timeout V="60"/></DCP><DSC><DSC.connection_profile_cd V="CS"/><DSC.topics_supported_cd V="OBS"/><DSC.topics_supported_cd V="EVS"/><DSC.directives_supported_cd V="SET_TIME"/></DSC></DEV></HEL.R01>`

const result = `<OBS.R01><HDR><HDR.control_id V="7"/></HDR><SVC><SVC.role_cd V="OBS"/><PT><PT.patient_id V="135769"/><PT.name V="MOUSE"/>
<OBS><OBS.observation_id V="2339-0" SN="LN" DN="Glucose"/><OBS.value V="5.4" U="mmol/L"/></OBS>
<OBS><OBS.observation_id V="2339-0" SN="LN" DN="Glucose"/><OBS.value V="5.6" U="mmol/L"/></OBS></PT><OPR><OPR.operator_id V="nurse7"/></OPR></SVC></OBS.R01>`

func TestMessages(t *testing.T) {
	m, err := Parse([]byte(hello))
	if err != nil {
		t.Fatal(err)
	}
	want := Device{ID: "00-11-22-33-44-55-66-77", Vendor: "ACME", Model: "GlucoScan & Co", Serial: "SN-9", Manufacturer: "Acme Diagnostics", Name: "ICU meter", Hardware: "A", Software: "3.1", Profile: "CS", Topics: []string{"OBS", "EVS"}, Directives: []string{"SET_TIME"}}
	if fmt.Sprint(m.Device) != fmt.Sprint(want) || m.Type != "HEL.R01" || m.Version != "POCT1" || m.Truncated {
		t.Errorf("got %+v", m)
	}
	m, err = Parse([]byte(result))
	if err != nil {
		t.Fatal(err)
	}
	if m.Results != 2 || len(m.Observations) != 1 || m.Observations[0] != (Code{"2339-0", "Glucose", "LN"}) || m.Patients[0] != "135769" || m.Operators[0] != "nurse7" || m.Services != 1 {
		t.Errorf("got %+v", m)
	}
	m, err = Parse([]byte(`<ACK.R01><HDR><HDR.control_id V="2"/></HDR><ACK><ACK.type_cd V="AE"/><ACK.ack_control_id V="7"/><ACK.error_detail_cd V="202"/></ACK></ACK.R01>`))
	if err != nil || m.AckCode != "AE" || m.AckControlID != "7" || m.AckError != "202" {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestADocumentThatIsCutGivesWhatWasReadable(t *testing.T) {
	for n := 60; n < len(hello); n++ {
		m, err := Parse([]byte(hello[:n]))
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if !m.Truncated || m.Err == nil || !m.Err.Truncated {
			t.Fatalf("cut at %d: not marked: %+v", n, m)
		}
		if v := m.Device.Vendor; v != "" && v != "ACME" {
			t.Fatalf("cut at %d: vendor %q", n, v)
		}
	}
}

func TestMessageTypes(t *testing.T) {
	for name, want := range map[string]bool{"HEL.R01": true, "OBS.R02": true, "DTV.R01": true, "DTV.ACME.SETUP": true, "HEL.R1": false, "XXX.R01": false, "HELLO": false, "HEL.x01": false, "DTV.a": false, "": false} {
		if IsType([]byte(name)) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	for _, bad := range []string{"", "<a/>", "HEL.R01", "<!DOCTYPE HEL.R01><HEL.R01/>"} {
		if m, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q was read as %+v", bad, m)
		}
	}
}

func TestLimitsOnePastTheEdge(t *testing.T) {
	for n, want := range map[int]bool{MaxList: false, MaxList + 1: true} {
		m, _ := Parse([]byte("<OBS.R01>" + strings.Repeat(`<PT.patient_id V="1"/>`, n) + "</OBS.R01>"))
		if m.Truncated != want || len(m.Patients) != MaxList {
			t.Errorf("%d patients: %d kept, truncated %v", n, len(m.Patients), m.Truncated)
		}
	}
	m, _ := Parse([]byte(`<HEL.R01><DEV.serial_id V="` + strings.Repeat("x", MaxValue+1) + `"/></HEL.R01>`))
	if len(m.Device.Serial) != MaxValue {
		t.Errorf("a value of %d bytes", len(m.Device.Serial))
	}
}

func FuzzPOCT1A(f *testing.F) {
	f.Add([]byte(hello))
	f.Add([]byte(result))
	f.Add([]byte(`<DTV.ACME.X><DTV.command_cd V="A&#65;"/></DTV.ACME.X>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			if m != nil {
				t.Fatal("an error and a message")
			}
			return
		}
		if !IsType([]byte(m.Type)) || len(m.Observations) > MaxList || len(m.Patients) > MaxList || len(m.Device.Serial) > MaxValue || m.Err != nil && !m.Truncated {
			t.Fatalf("%+v", m)
		}
		if m.Truncated {
			return
		}
		// What follows the root changes nothing.
		again, err := Parse(append(b[:len(b):len(b)], "<HEL.R01/>"...))
		if err != nil || fmt.Sprintf("%+v", *again) != fmt.Sprintf("%+v", *m) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}
