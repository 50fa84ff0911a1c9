// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
)

func rows(t *testing.T, b *bytes.Buffer) [][]string {
	t.Helper()
	r, err := csv.NewReader(b).ReadAll()
	must(t, err)
	return r
}

func TestCSVHasOneLinePerDevice(t *testing.T) {
	ds := inv(t, append(theatre(), of("00:22:72:00:00:05", "10.0.0.5", "hostname==HYPERLINK(1)")...)).Devices()
	var b bytes.Buffer
	must(t, WriteCSV(&b, ds))
	r := rows(t, &b)
	if len(r) != len(ds)+1 || !slices.Equal(r[0], csvColumns) {
		t.Fatalf("%d lines for %d devices, header %q", len(r), len(ds), r[0])
	}
	k := slices.IndexFunc(r, func(l []string) bool { return l[3] == "ct-or3" })
	if k < 0 || r[k][1] != "ct" || r[k][11] != macCT || r[k][12] != "10.0.0.11" || r[k][14] != "CT_OR3" || !strings.HasSuffix(r[k][22], "Z") {
		t.Errorf("%q", r[k])
	}
	if !slices.ContainsFunc(r, func(l []string) bool { return l[3] == "'=HYPERLINK(1)" }) {
		t.Error("a name that is a formula went out as one")
	}
}

func TestJSONIsReadBackAsTheSameDevices(t *testing.T) {
	ds := inv(t, theatre()).Devices()
	var b bytes.Buffer
	must(t, WriteJSON(&b, ds))
	var back []device.Device
	must(t, json.Unmarshal(b.Bytes(), &back))
	var again bytes.Buffer
	must(t, WriteJSON(&again, back))
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("not the same")
	}
	b.Reset()
	must(t, WriteJSON(&b, nil))
	if strings.TrimSpace(b.String()) != "[]" {
		t.Errorf("no devices give %q", b.String())
	}
}

var nb = NetBox{Site: "Lindenhof", Prefix: func(ip netip.Addr) int {
	if ip.Is4() {
		return 24
	}
	return 64
}}

func TestNetBoxCSV(t *testing.T) {
	ds := inv(t, theatre()).Devices()
	var devices, ports, macs, addresses bytes.Buffer
	must(t, nb.WriteDevicesCSV(&devices, ds))
	must(t, nb.WriteInterfacesCSV(&ports, ds))
	must(t, nb.WriteMACsCSV(&macs, ds))
	must(t, nb.WriteAddressesCSV(&addresses, ds))
	names := map[string]bool{}
	for _, l := range rows(t, &devices)[1:] {
		if names[l[0]] || l[0] == "" || len(l[0]) > 64 || l[2] == "" || l[3] == "" || l[5] != "Lindenhof" {
			t.Errorf("device %q", l)
		}
		names[l[0]] = true
	}
	seen := map[string]bool{}
	for _, l := range rows(t, &ports)[1:] {
		if !names[l[0]] || seen[l[0]+l[1]] {
			t.Errorf("interface %q", l)
		}
		seen[l[0]+l[1]] = true
	}
	for _, l := range rows(t, &macs)[1:] {
		if !seen[l[1]+l[2]] || l[0] != strings.ToUpper(l[0]) {
			t.Errorf("MAC %q", l)
		}
	}
	ips := map[string]bool{}
	for _, l := range rows(t, &addresses)[1:] {
		if !seen[l[2]+l[3]] || ips[l[0]] || !strings.HasSuffix(l[0], "/24") {
			t.Errorf("address %q", l)
		}
		ips[l[0]] = true
	}
	if !ips["10.0.0.11/24"] {
		t.Errorf("addresses %v", ips)
	}
}

func TestNetBoxTakesAnAddressOnceFromItsLastHolder(t *testing.T) {
	ds := inv(t, []seen{lease(0, macCT, "10.0.0.11"), lease(2*day, macWS, "10.0.0.11")}).Devices()
	var b bytes.Buffer
	must(t, nb.WriteAddressesCSV(&b, ds))
	r := rows(t, &b)
	if len(r) != 2 || r[1][2] != mustDevice(t, inv(t, []seen{lease(0, macWS, "10.0.0.1")}), macWS).ID {
		t.Errorf("%q", r)
	}
}

func TestNetBoxREST(t *testing.T) {
	ds := inv(t, theatre()).Devices()
	var b bytes.Buffer
	must(t, nb.WriteREST(&b, ds))
	var reqs []struct {
		Path       string
		Body       []map[string]any
		Interfaces []int
	}
	must(t, json.Unmarshal(b.Bytes(), &reqs))
	var paths []string
	slugs := map[string]map[string]bool{}
	ports := 0
	ref := func(v any, key string) string {
		s, _ := v.(map[string]any)[key].(string)
		return s
	}
	for _, r := range reqs {
		paths = append(paths, r.Path)
		slugs[r.Path] = map[string]bool{}
		for _, o := range r.Body {
			if s, ok := o["slug"].(string); ok {
				if slugs[r.Path][s] {
					t.Errorf("%s: slug %q twice", r.Path, s)
				}
				slugs[r.Path][s] = true
			}
			switch r.Path {
			case "/api/dcim/device-types/":
				if !slugs["/api/dcim/manufacturers/"][ref(o["manufacturer"], "slug")] {
					t.Errorf("type %v has no manufacturer", o)
				}
			case "/api/dcim/devices/":
				if !slugs["/api/dcim/device-types/"][ref(o["device_type"], "slug")] || !slugs["/api/dcim/device-roles/"][ref(o["role"], "slug")] || ref(o["site"], "slug") != "lindenhof" {
					t.Errorf("device %v", o)
				}
			case "/api/dcim/interfaces/":
				ports++
			}
		}
		if strings.Contains(r.Path, "addresses") {
			if len(r.Interfaces) != len(r.Body) {
				t.Errorf("%s: %d objects, %d interfaces", r.Path, len(r.Body), len(r.Interfaces))
			}
			for _, k := range r.Interfaces {
				if k < 0 || k >= ports {
					t.Errorf("%s: interface %d of %d", r.Path, k, ports)
				}
			}
		}
	}
	want := []string{"/api/dcim/manufacturers/", "/api/dcim/device-types/", "/api/dcim/device-roles/", "/api/dcim/devices/", "/api/dcim/interfaces/", "/api/dcim/mac-addresses/", "/api/ipam/ip-addresses/"}
	if !slices.Equal(paths, want) {
		t.Errorf("order %q", paths)
	}
}
