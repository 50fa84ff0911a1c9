// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/config"
)

var anna = By{Who: "anna", At: t0 + 1}

func mustDevice(t *testing.T, i *Inventory, what string) device.Device {
	t.Helper()
	d, ok := i.Device(what)
	if !ok {
		t.Fatalf("no device %s", what)
	}
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatAPersonSetsWinsAndStays(t *testing.T) {
	i := inv(t, of(macCT, "10.0.0.11", "ae_title=CT1", "dicom_role=scu:CT Image Storage", "vendor=Philips @sdc !structured", "model=Brilliance @sdc"))
	id := mustDevice(t, i, "CT1").ID
	must(t, i.SetName(id, "CT of theatre 3", anna))
	must(t, i.SetClass(id, device.ClassCArm, anna))
	must(t, i.SetTheatre(id, "OR-3", anna))
	must(t, i.SetCriticality(id, device.CriticalityHigh, anna))
	must(t, i.SetVendor(id, "Ziehm", anna))
	must(t, i.SetModel(id, "Vision RFD", anna))
	must(t, i.Note(id, "battery replaced", anna))
	fill(t, i, of(macCT, "10.0.0.11", "vendor=Siemens Healthineers @lldp !structured", "class=mr @sdc !structured", "hostname=mr-1"))

	d := mustDevice(t, i, "CT of theatre 3")
	if d.ID != id || d.Class != device.ClassCArm || d.Confidence != device.Person || d.Theatre != "OR-3" || d.Criticality != device.CriticalityHigh || d.Vendor != "Ziehm" || d.Model != "Vision RFD" {
		t.Errorf("got %+v", d)
	}
	if f := d.Facts[device.AttrVendor]; !f.ByPerson || f.Confidence != device.Person || f.Sources[0] != "person:anna" {
		t.Errorf("vendor fact %+v", f)
	}
	if len(d.Notes) != 1 || d.Notes[0].Text != "battery replaced" || d.Notes[0].Who != "anna" {
		t.Errorf("notes %+v", d.Notes)
	}
	if d.ClassWhy != "Set by anna." {
		t.Errorf("why %q", d.ClassWhy)
	}

	t.Run("undo gives the attribute back to observation", func(t *testing.T) {
		for _, e := range i.Edits(id) {
			if e.Kind == EditVendor {
				must(t, i.Undo(e.Seq, By{Who: "ben", At: t0 + 9}))
				if err := i.Undo(e.Seq, anna); !errors.Is(err, ErrEdit) {
					t.Errorf("undone twice: %v", err)
				}
			}
		}
		if d := mustDevice(t, i, id); d.Vendor == "Ziehm" {
			t.Error("still there")
		}
		es := i.Edits(id)
		k := slices.IndexFunc(es, func(e Edit) bool { return e.Kind == EditVendor })
		if es[k].UndoneBy != "ben" || es[k].Who != "anna" {
			t.Errorf("the record says %+v", es[k])
		}
	})
	t.Run("an empty value does too", func(t *testing.T) {
		must(t, i.SetClass(id, "", anna))
		if d := mustDevice(t, i, id); d.Class == device.ClassCArm {
			t.Error("still there")
		}
	})
}

func TestEditsThatCannotBe(t *testing.T) {
	i := inv(t, of(macCT, "10.0.0.11", "ae_title=CT1"))
	id := mustDevice(t, i, "CT1").ID
	for _, c := range []struct {
		name string
		err  error
		is   error
	}{
		{"a device that is not there", i.SetName("dev-none", "x", anna), ErrNotFound},
		{"a class outside the taxonomy", i.SetClass(id, "toaster", anna), ErrEdit},
		{"a criticality that is no level", i.SetCriticality(id, "very", anna), ErrEdit},
		{"nobody", i.SetName(id, "x", By{}), ErrEdit},
		{"a name that cannot be shown", i.SetName(id, "a\x1b[31m", anna), ErrEdit},
		{"a name one byte too long", i.SetName(id, strings.Repeat("x", maxEditText+1), anna), ErrEdit},
		{"an empty note", i.Note(id, " ", anna), ErrEdit},
		{"a merge with itself", i.Merge(id, id, anna), ErrEdit},
		{"a split of what it has not", i.Split(id, anna, "10.0.0.99"), ErrEdit},
		{"a split of everything", i.Split(id, anna, macCT), ErrEdit},
		{"an undo of nothing", i.Undo(77, anna), ErrEdit},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !errors.Is(c.err, c.is) {
				t.Errorf("got %v", c.err)
			}
		})
	}
	must(t, i.SetName(id, strings.Repeat("x", maxEditText), anna))
}

func TestMergeKeepsTheOlderIDAndUndoParts(t *testing.T) {
	i := inv(t, append(of(macCT, "10.0.0.11", "hostname=a"), of(macOther, "10.0.0.12", "hostname=b")...))
	a, b := mustDevice(t, i, macCT).ID, mustDevice(t, i, macOther).ID
	must(t, i.SetTheatre(b, "OR-3", anna))
	must(t, i.Merge(b, a, anna))
	d := mustDevice(t, i, a)
	if len(i.Devices()) != 1 || d.ID != a || !slices.Equal(d.Aliases, []string{b}) || mustDevice(t, i, b).ID != a {
		t.Fatalf("got %s aliases %v of %d devices", d.ID, d.Aliases, len(i.Devices()))
	}
	if d.Theatre != "OR-3" {
		t.Error("an edit of the merged record is lost")
	}
	if len(d.Joined) != 1 || !strings.Contains(d.Joined[0].Why, "anna") {
		t.Errorf("joined %+v", d.Joined)
	}
	es := i.Edits(a)
	must(t, i.Undo(es[len(es)-1].Seq, anna))
	if len(i.Devices()) != 2 || mustDevice(t, i, macOther).ID != b || mustDevice(t, i, macCT).ID != a {
		t.Error("undo did not part them under their own IDs")
	}
}

func TestSplitHoldsAgainstEvidence(t *testing.T) {
	steps := append(of(macCT, "10.0.0.11", "serial=SN-1 @sdc !structured"), of(macOther, "10.0.0.12", "serial=SN-1 @sdc !structured")...)
	i := inv(t, steps)
	d := mustDevice(t, i, macCT)
	if len(i.Devices()) != 1 {
		t.Fatal("not one device to begin with")
	}
	must(t, i.Split(d.ID, anna, macCT)) // the part that the ID was made of
	fill(t, i, steps)
	if n := len(i.Devices()); n != 2 {
		t.Fatalf("%d devices", n)
	}
	if got := mustDevice(t, i, macOther).ID; got != d.ID {
		t.Errorf("what stays has ID %s, want the old one %s", got, d.ID)
	}
	if got := mustDevice(t, i, macCT).ID; got == d.ID {
		t.Error("what is set apart kept the ID")
	}
	must(t, i.Undo(i.Edits("")[0].Seq, anna))
	if n := len(i.Devices()); n != 1 {
		t.Errorf("%d devices after undo", n)
	}
}

func TestSplitOfOneAddress(t *testing.T) {
	i := inv(t, append(of(macCT, "10.0.0.11", "hostname=a"), of(macCT, "10.0.0.12", "hostname=b")...))
	must(t, i.Split(mustDevice(t, i, macCT).ID, anna, "10.0.0.12"))
	got := outline(i.Devices())
	if want := []string{macCT + " 10.0.0.11", "10.0.0.12"}; !slices.Equal(got, []string{want[0], want[1]}) && !slices.Equal(got, []string{want[1], want[0]}) {
		t.Errorf("got %q", got)
	}
}

func TestOverridesFromTheConfiguration(t *testing.T) {
	m, err := device.ParseMAC(macCT)
	must(t, err)
	i := inv(t, of(macCT, "10.20.0.11", "ae_title=CT1"),
		WithOverrides(Override{Match: Match{MAC: m}, Name: "Theatre CT", Class: device.ClassCT, Theatre: "OR-1", Criticality: device.CriticalityMedium}),
		WithNetworks(Network{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Zone: "hospital"}, Network{Prefix: netip.MustParsePrefix("10.20.0.0/16"), Zone: "theatre"}))
	d := mustDevice(t, i, "Theatre CT")
	if d.Class != device.ClassCT || d.Confidence != device.Person || d.Theatre != "OR-1" || d.Zone != "theatre" {
		t.Errorf("got %+v", d)
	}
	must(t, i.SetName(d.ID, "CT by the door", anna))
	if got := mustDevice(t, i, d.ID).Name; got != "CT by the door" {
		t.Errorf("the console's name lost against the configuration: %q", got)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	bad := Default()
	bad.MaxNodes = 1
	for _, c := range []struct {
		name string
		cfg  Config
		opt  Option
	}{
		{"a bound out of range", bad, nil},
		{"an override that selects nothing", Default(), WithOverrides(Override{Name: "x"})},
		{"an override of a class that is none", Default(), WithOverrides(Override{Match: Match{AETitle: "X"}, Class: "toaster"})},
		{"a network without prefix", Default(), WithNetworks(Network{Zone: "x"})},
		{"a rule with an unknown field", Default(), WithRules([]byte("- {id: x, class: ct, weight: 10, why: y, when: z}\n"))},
		{"a rule for no class", Default(), WithRules([]byte("- {id: x, class: toaster, weight: 10, why: y, all: [{attr: os, is: [a]}]}\n"))},
		{"a rule without condition", Default(), WithRules([]byte("- {id: x, class: ct, weight: 10, why: y}\n"))},
		{"a rule heavier than evidence can be", Default(), WithRules([]byte("- {id: x, class: ct, weight: 96, why: y, all: [{attr: os, is: [a]}]}\n"))},
		{"a rule with a broken expression", Default(), WithRules([]byte("- {id: x, class: ct, weight: 10, why: y, all: [{attr: os, match: '('}]}\n"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			var opts []Option
			if c.opt != nil {
				opts = append(opts, c.opt)
			}
			_, err := New(c.cfg, opts...)
			var ce *config.FieldError
			if !errors.As(err, &ce) || ce.Field == "" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEverySettingIsDocumented(t *testing.T) {
	for _, v := range []any{Config{}, Override{}, Network{}} {
		if u := config.Undocumented(v); len(u) > 0 {
			t.Errorf("%T: %q", v, u)
		}
	}
}

func TestASitesRulesAddAndReplace(t *testing.T) {
	i := inv(t, of(macCT, "10.0.0.11", "hostname=zz-cart-4"), WithRules([]byte("- {id: site.cart, class: endoscopy, weight: 80, why: 'is called {value}, our endoscopy carts', all: [{attr: hostname, match: '^zz-cart-'}]}\n")))
	if d := mustDevice(t, i, macCT); d.Class != device.ClassEndoscopy || d.ClassWhy != "Is called zz-cart-4, our endoscopy carts." {
		t.Errorf("got %s, %s", d.Class, d.ClassWhy)
	}
}

// theatre is a morning in a theatre without change of addresses: any order of
// observation must give the same inventory.
func theatre() []seen {
	var s []seen
	s = append(s, arp(0, macGW, "10.0.0.1"), seen{ip: "10.0.0.1", attr: device.AttrRouter, value: "true", source: "dhcp.option3"})
	s = append(s, lease(1e9, macCT, "10.0.0.11"))
	s = append(s, of(macCT, "10.0.0.11", "hostname=ct-or3", "ae_title=CT_OR3", "dicom_role=scu:CT Image Storage", "modality=CT @dicom.store.modality !hint")...)
	s = append(s, of(macPACS, "10.0.0.20", "ae_title=ARCHIVE", "dicom_role=scp:CT Image Storage", "dicom_role=scp:Study Root Query/Retrieve Information Model - FIND")...)
	s = append(s, of(macOther, "10.1.0.20", "ae_title=ARCHIVE", "hostname=pacs-1")...)
	s = append(s, of(macPACS, "10.0.0.20", "hostname=pacs-1")...)
	s = append(s, remote(5e9, macGW, "10.9.0.1", device.AttrAETitle, "US1"), remote(6e9, macGW, "10.9.0.2", device.AttrHostname, "ws-2"))
	s = append(s, of("00:03:b1:00:00:01", "10.0.0.61", "model=Plum A+ @hl7.prt-10 !structured", "serial=18001 @hl7.prt-20 !structured")...)
	s = append(s, of("d2:00:00:00:00:01", "10.0.0.70", "user_agent=Mozilla/5.0 (X11; Linux x86_64; Quest 3) OculusBrowser/31.0")...)
	return s
}

func TestTheOrderOfObservationDoesNotMatter(t *testing.T) {
	want := inv(t, theatre()).Devices()
	if len(want) != 7 {
		t.Fatalf("%d devices: %q", len(want), outline(want))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 50 {
		steps := theatre()
		r.Shuffle(len(steps), func(a, b int) { steps[a], steps[b] = steps[b], steps[a] })
		if got := inv(t, steps).Devices(); !reflect.DeepEqual(got, want) {
			for k := range want {
				if k < len(got) && !reflect.DeepEqual(got[k], want[k]) {
					t.Errorf("shuffle %d:\ngot  %+v\nwant %+v", n, got[k], want[k])
				}
			}
			t.Fatalf("shuffle %d: %d devices, want %d", n, len(got), len(want))
		}
	}
}

func TestIDsAreStable(t *testing.T) {
	id := mustDevice(t, inv(t, of(macCT, "10.0.0.11", "ae_title=CT1")), macCT).ID
	if !strings.HasPrefix(id, "dev-") || len(id) != 20 {
		t.Errorf("ID %q", id)
	}
	t.Run("over analysing again", func(t *testing.T) {
		if got := mustDevice(t, inv(t, of(macCT, "10.0.0.12", "hostname=x")), macCT).ID; got != id {
			t.Errorf("got %s, want %s", got, id)
		}
	})
	t.Run("when the MAC behind a known address is learned", func(t *testing.T) {
		i := inv(t, []seen{remote(0, macGW, "10.9.0.1", device.AttrAETitle, "CT1"), remote(0, macGW, "10.9.0.2", device.AttrHostname, "y")})
		before := mustDevice(t, i, "10.9.0.1").ID
		fill(t, i, []seen{lease(1e9, macCT, "10.9.0.1")})
		after := mustDevice(t, i, "10.9.0.1")
		if mustDevice(t, i, macCT).ID != after.ID || mustDevice(t, i, before).ID != after.ID {
			t.Errorf("the ID %s from before leads to nothing", before)
		}
	})
	t.Run("when two known records turn out to be one", func(t *testing.T) {
		i := inv(t, of(macOther, "10.0.0.12", "hostname=b"))
		older := mustDevice(t, i, macOther).ID
		fill(t, i, of(macCT, "10.0.0.11", "serial=SN-1 @sdc"))
		newer := mustDevice(t, i, macCT).ID
		fill(t, i, of(macOther, "10.0.0.12", "serial=SN-1 @sdc"))
		d := mustDevice(t, i, macCT)
		if d.ID != older || !slices.Equal(d.Aliases, []string{newer}) {
			t.Errorf("got %s aliases %v, want the older %s and the alias %s", d.ID, d.Aliases, older, newer)
		}
	})
}

func TestResolve(t *testing.T) {
	i := inv(t, []seen{
		lease(0, macCT, "10.0.0.11"), says(hour, macCT, "10.0.0.11", device.AttrHostname, "ct"),
		lease(48*hour, macWS, "10.0.0.11"), says(49*hour, macWS, "10.0.0.11", device.AttrHostname, "ws"),
		remote(0, macGW, "198.51.100.7", device.AttrBanner, "x"),
	})
	ct, ws := mustDevice(t, i, macCT).ID, mustDevice(t, i, macWS).ID
	ip := netip.MustParseAddr("10.0.0.11")
	for _, c := range []struct {
		name string
		sub  device.Subject
		at   time.Duration
		want string
	}{
		{"an address belongs to who held it then", device.Subject{IP: ip}, hour / 2, ct},
		{"and to the next holder later", device.Subject{IP: ip}, 49 * hour, ws},
		{"now is the last holder", device.Subject{IP: ip}, -time.Duration(t0), ws},
		{"a MAC is a device without an address", device.Subject{MAC: device.MAC{0x00, 0x1a, 0x2b, 0, 0, 1}}, hour, ct},
		{"an unknown address is nobody", device.Subject{IP: netip.MustParseAddr("10.0.0.99")}, hour, ""},
		{"an address outside the site is nobody", device.Subject{IP: netip.MustParseAddr("198.51.100.7")}, hour, ""},
		{"a group address is nobody", device.Subject{MAC: device.MAC{1, 0, 0x5e, 0, 0, 1}, IP: netip.MustParseAddr("224.0.0.1")}, hour, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := i.Resolve(c.sub, at(c.at))
			if got != c.want || ok != (c.want != "") {
				t.Errorf("got %q %v, want %q", got, ok, c.want)
			}
		})
	}
	t.Run("a device seen just now is known at once", func(t *testing.T) {
		fill(t, i, of(macPACS, "10.0.0.20", "ae_title=ARCHIVE"))
		if _, ok := i.Resolve(device.Subject{IP: netip.MustParseAddr("10.0.0.20")}, 0); !ok {
			t.Error("not known")
		}
	})
}

func TestASnapshotGivesTheSameInventory(t *testing.T) {
	i := inv(t, theatre())
	id := mustDevice(t, i, "ct-or3").ID
	must(t, i.SetTheatre(id, "OR-3", anna))
	must(t, i.Merge(mustDevice(t, i, "US1").ID, mustDevice(t, i, "10.9.0.2").ID, anna))
	i.Observe(hl7(0, "00:22:72:00:00:01", "10.0.0.50", "10.0.0.60"))
	i.Observe(conn(0, 7, 2, macCT, "10.0.0.11", macPACS, "10.0.0.20", 104, "dicom", 100, 50))
	i.Observe(arp(0, macWS, "10.0.0.33").event(t))
	i.Observe(arp(1e9, macOther, "10.0.0.33").event(t))
	i.Observe(arp(2e9, macWS, "10.0.0.33").event(t))

	var b bytes.Buffer
	must(t, i.Save(&b))
	first := bytes.Clone(b.Bytes())
	j, err := New(Default())
	must(t, err)
	fill(t, j, of(macGW, "10.7.7.7", "hostname=is-replaced"))
	must(t, j.Load(&b))
	if got, want := j.Devices(), i.Devices(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got, want := j.Conversations(), i.Conversations(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got, want := j.Edits(""), i.Edits(""); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	var again bytes.Buffer
	must(t, j.Save(&again))
	if !bytes.Equal(again.Bytes(), first) {
		t.Error("saving what was loaded gives other bytes")
	}
	t.Run("and goes on from there", func(t *testing.T) {
		fill(t, j, of(macCT, "10.0.0.11", "firmware=VA48A"))
		if d := mustDevice(t, j, id); d.Firmware != "VA48A" || d.Theatre != "OR-3" {
			t.Errorf("got %+v", d)
		}
	})
}

func TestBadSnapshotsChangeNothing(t *testing.T) {
	i := inv(t, theatre())
	want := i.Devices()
	for _, c := range []struct{ name, in string }{
		{"nothing", ""},
		{"cut short", `{"format":"asepsis-inventory","version":1,"nodes":[`},
		{"another format", `{"format":"x","version":1}`},
		{"a later version", `{"format":"asepsis-inventory","version":2}`},
		{"an unknown field", `{"format":"asepsis-inventory","version":1,"colour":1}`},
		{"a node without its address", `{"format":"asepsis-inventory","version":1,"nodes":[{"ip":"10.0.0.1","first":1,"last":1}]}`},
		{"a node that is nothing", `{"format":"asepsis-inventory","version":1,"nodes":[{"first":1,"last":1}]}`},
		{"an address that cannot be a device's", `{"format":"asepsis-inventory","version":1,"addresses":[{"ip":"224.0.0.1","seq":0,"last":0}]}`},
		{"an edit by nobody", `{"format":"asepsis-inventory","version":1,"edit_seq":1,"edits":[{"seq":1,"kind":"name","device":"x","who":"","at":0}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := i.Load(strings.NewReader(c.in)); !errors.Is(err, ErrSnapshot) {
				t.Errorf("got %v", err)
			}
			if !reflect.DeepEqual(i.Devices(), want) {
				t.Error("the inventory changed")
			}
		})
	}
}
