// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"net/netip"
	"testing"

	"github.com/asepsis/asepsis/core/device"
)

func TestADeviceIsInATheatreFromItsFirstEventOn(t *testing.T) {
	a := assignment{theatres: []room{{id: "OR-3", prefixes: []netip.Prefix{netip.MustParsePrefix("10.20.3.0/24")}}, {id: "OR-4", vlans: []uint16{310}}}}
	inside, outside := netip.MustParseAddr("10.20.3.9"), netip.MustParseAddr("10.9.9.9")
	for name, x := range map[string]struct {
		id    string
		ip    netip.Addr
		vlans []uint16
		want  string
	}{
		"by its address":                    {"dev-new", inside, nil, "OR-3"},
		"by its VLAN":                       {"dev-new", outside, []uint16{310}, "OR-4"},
		"in none":                           {"dev-new", outside, nil, ""},
		"nobody is in none":                 {"", inside, nil, ""},
		"another site's is in none of ours": {"dev-far", outside, nil, ""},
	} {
		if got := a.of(x.id, "", x.ip, x.vlans); got != x.want {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
	// Once it is assigned, that holds: a person may have put it elsewhere.
	a.assign([]device.Device{{ID: "dev-new", Theatre: "OR-4"}, {ID: "dev-none", Interfaces: []device.Interface{{IPs: []netip.Addr{outside}}}}})
	if got := a.of("dev-new", "", inside, nil); got != "OR-4" {
		t.Errorf("assigned to OR-4, and is in %q", got)
	}
	if got := a.of("dev-none", "", inside, nil); got != "" {
		t.Errorf("assigned to none, and is in %q", got)
	}
}
