// SPDX-License-Identifier: Apache-2.0

package device_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
)

func TestMACAddressesAreReadAndWritten(t *testing.T) {
	want := device.MAC{0x00, 0x08, 0x02, 0x1c, 0xae, 0xa4}
	for _, in := range []string{"00:08:02:1c:ae:a4", "00:08:02:1C:AE:A4", "00-08-02-1c-ae-a4", "0008.021c.aea4", "0008021caea4"} {
		got, err := device.ParseMAC(in)
		if err != nil || got != want {
			t.Errorf("%q is %v, %v", in, got, err)
		}
	}
	if s := want.String(); s != "00:08:02:1c:ae:a4" {
		t.Errorf("String is %q", s)
	}
	if want.OUI() != 0x000802 {
		t.Errorf("OUI is %06x", want.OUI())
	}
	for _, bad := range []string{"", "00:08:02:1c:ae", "00:08:02:1c:ae:a4:00:00", "00:08:02:1c:ae:zz", "0008021caez4"} {
		if got, err := device.ParseMAC(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q is %v, %v; want an error that names it", bad, got, err)
		}
	}
}

func TestMACAddressBits(t *testing.T) {
	for _, tt := range []struct {
		name                string
		mac                 device.MAC
		zero, group, random bool
	}{
		{"unknown", device.MAC{}, true, false, false},
		{"of a vendor", device.MAC{0x00, 0x1b, 0x21}, false, false, false},
		{"randomised", device.MAC{0xda, 0xa1, 0x19}, false, false, true},
		{"multicast", device.MAC{0x01, 0x00, 0x5e}, false, true, false},
		{"broadcast", device.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false, true, true},
	} {
		if tt.mac.IsZero() != tt.zero || tt.mac.IsGroup() != tt.group || tt.mac.IsLocal() != tt.random {
			t.Errorf("%s: zero %t, group %t, local %t", tt.name, tt.mac.IsZero(), tt.mac.IsGroup(), tt.mac.IsLocal())
		}
	}
}

func TestMACAddressesSurviveText(t *testing.T) {
	for _, m := range []device.MAC{{}, {1, 2, 3, 4, 5, 6}} {
		b, err := m.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		got := device.MAC{9}
		if err := got.UnmarshalText(b); err != nil || got != m {
			t.Errorf("%v became %v, %v", m, got, err)
		}
	}
	var m device.MAC
	if err := m.UnmarshalText([]byte("nonsense")); err == nil || m != (device.MAC{}) {
		t.Errorf("nonsense became %v, %v", m, err)
	}
}

func TestTheTaxonomyIsClosedAndWithoutDoubles(t *testing.T) {
	seen := map[device.Class]bool{}
	for _, c := range device.Classes() {
		if seen[c] || !c.Valid() || c == "" || strings.ToLower(string(c)) != string(c) {
			t.Errorf("class %q", c)
		}
		seen[c] = true
	}
	for _, bad := range []device.Class{"", "CT", "toaster", "ct "} {
		if bad.Valid() {
			t.Errorf("%q is in the taxonomy", bad)
		}
	}
	if l := device.Classes(); l[len(l)-1] != device.ClassUnknown {
		t.Error("unknown is shown last")
	}
	device.Classes()[0] = "changed"
	if device.Classes()[0] == "changed" {
		t.Error("the taxonomy can be changed from outside")
	}
}

func TestMedicalClassesAreThoseThatTouchCare(t *testing.T) {
	it := []device.Class{device.ClassWorkstation, device.ClassServer, device.ClassPrinter, device.ClassCamera, device.ClassPhone, device.ClassMobile,
		device.ClassNetwork, device.ClassBuilding, device.ClassScanner, device.ClassUnknown}
	for _, c := range device.Classes() {
		if c.Medical() == slices.Contains(it, c) {
			t.Errorf("%s: medical is %t", c, c.Medical())
		}
	}
	if device.Class("").Medical() {
		t.Error("no class at all is not medical")
	}
}

func TestConfidenceLevelsAreOrdered(t *testing.T) {
	levels := []device.Confidence{device.Guess, device.Hint, device.Claimed, device.Structured, device.Verified, device.Person}
	if !slices.IsSorted(levels) || device.Person != 100 || device.Verified >= device.Person {
		t.Errorf("levels %v", levels)
	}
}

func TestEvidenceSurvivesJSON(t *testing.T) {
	for _, want := range []device.Evidence{
		{Subject: device.Subject{MAC: device.MAC{0, 1, 2, 3, 4, 5}, IP: netip.MustParseAddr("fe80::1"), VLAN: 7, Hops: 2}, Attribute: device.AttrUDI, Value: "(01)1", Source: "hl7.prt10", Confidence: device.Structured, First: 1, Last: 2, Count: 3},
		{Attribute: device.AttrHostname, Value: "ct-1", Source: "dhcp.option12"},
	} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got device.Evidence
		if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s became %+v, %v", b, got, err)
		}
	}
	b, _ := json.Marshal(device.Evidence{})
	if s := string(b); !strings.Contains(s, `"subject":{}`) {
		t.Errorf("an unknown subject is written out: %s", s)
	}
}
