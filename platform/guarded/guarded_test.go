// SPDX-License-Identifier: Apache-2.0

package guarded_test

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/platform/guarded"
	"github.com/asepsis/asepsis/platform/store/sqlite"
)

func TestWhatGuardsSayIsReplacedWholeAndReadBack(t *testing.T) {
	ctx := t.Context()
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: t.TempDir()}, sqlite.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	one := guarded.Guard{Name: "gateway-1", Addresses: []netip.Addr{netip.MustParseAddr("10.9.0.2"), netip.MustParseAddr("10.9.0.1")},
		Services: []guarded.Service{{Name: "PACS", At: netip.MustParseAddrPort("10.50.0.5:11112")}, {Name: "XR", At: netip.MustParseAddrPort("10.50.0.4:104")}}}
	if err := guarded.Put(ctx, db, one); err != nil {
		t.Fatal(err)
	}
	list, first, err := guarded.All(ctx, db)
	if err != nil || len(list) != 1 || len(list[0].Services) != 2 || list[0].Services[0].Name != "XR" {
		t.Fatalf("%v %v", list, err)
	}
	one.Services[0], one.Services[1] = one.Services[1], one.Services[0] // the same in another order is nothing new
	if err := guarded.Put(ctx, db, one); err != nil {
		t.Fatal(err)
	}
	if _, rev, _ := guarded.All(ctx, db); rev != first {
		t.Errorf("the same list was written again: %q, %q", first, rev)
	}
	one.Services = one.Services[:1]
	if err := guarded.Put(ctx, db, one); err != nil {
		t.Fatal(err)
	}
	list, rev, err := guarded.All(ctx, db)
	if err != nil || rev == first || len(list) != 1 || len(list[0].Services) != 1 {
		t.Errorf("%v %q %v", list, rev, err)
	}
}

func TestAGuardIsHeldToWhatCanBeCompared(t *testing.T) {
	at := netip.MustParseAddrPort("10.50.0.5:104")
	for why, g := range map[string]guarded.Guard{
		"without a name":          {Services: []guarded.Service{{At: at}}},
		"has no address and port": {Name: "g", Services: []guarded.Service{{Name: "x"}}},
		"an address that is none": {Name: "g", Addresses: []netip.Addr{{}}},
		"at most 1000":            {Name: "g", Services: make([]guarded.Service, guarded.MaxServices+1)},
		"at most 100 ":            {Name: "g", Addresses: make([]netip.Addr, guarded.MaxAddresses+1)},
	} {
		if err := guarded.Put(t.Context(), nil, g); err == nil || !strings.Contains(err.Error()+" ", why) {
			t.Errorf("%v: want %q", err, why)
		}
	}
}
