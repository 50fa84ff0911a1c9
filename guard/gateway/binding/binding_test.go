// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
)

func one(change func(*control.Binding)) []control.Binding {
	b := control.Binding{Device: "ct-1", CallingAE: []string{"CT1"}, Operations: []string{"echo", "store"}}
	change(&b)
	return []control.Binding{b}
}

func TestABindingThatCannotBeIsRefusedWithItsPlace(t *testing.T) {
	plain := func(device, address string) control.Binding {
		return control.Binding{Device: device, Plain: true, CallingAE: []string{"US1"}, Addresses: []string{address}, Operations: []string{"store"}}
	}
	for name, c := range map[string]struct {
		list  []control.Binding
		field string
		want  string
	}{
		"no device":                  {one(func(b *control.Binding) { b.Device = "" }), "bindings[0].device", "is no device ID"},
		"a device with a space":      {one(func(b *control.Binding) { b.Device = "ct 1" }), "bindings[0].device", "is no device ID"},
		"the same device twice":      {append(one(func(*control.Binding) {}), one(func(*control.Binding) {})...), "bindings[1].device", "is bound twice"},
		"no AE title":                {one(func(b *control.Binding) { b.CallingAE = nil }), "bindings[0].calling_ae", "is empty"},
		"an AE title too long":       {one(func(b *control.Binding) { b.CallingAE = []string{"CT1", "SEVENTEEN-LETTERS"} }), "bindings[0].calling_ae[1]", "is no AE title"},
		"an AE title with backslash": {one(func(b *control.Binding) { b.CalledAE = []string{`A\B`} }), "bindings[0].called_ae[0]", "is no AE title"},
		"an AE title with spaces":    {one(func(b *control.Binding) { b.CalledAE = []string{"A "} }), "bindings[0].called_ae[0]", "is no AE title"},
		"no operation":               {one(func(b *control.Binding) { b.Operations = nil }), "bindings[0].operations", "nothing is allowed"},
		"an unknown operation":       {one(func(b *control.Binding) { b.Operations = []string{"print"} }), "bindings[0].operations[0]", "is no operation"},
		"a move to nowhere":          {one(func(b *control.Binding) { b.Operations = []string{"move"} }), "bindings[0].destinations", "could move nothing"},
		"an address that is none":    {one(func(b *control.Binding) { b.Addresses = []string{"10.0.0.300"} }), "bindings[0].addresses[0]", "neither an address nor a prefix"},
		"a class that is none":       {one(func(b *control.Binding) { b.SOPClasses = []string{"ct", "holograms"} }), "bindings[0].sop_classes[1]", "neither a UID nor a group"},
		"a choice that is none":      {one(func(b *control.Binding) { b.OnRevocation = "wait" }), "bindings[0].on_revocation", "is no choice"},
		"a theatre by its name":      {one(func(b *control.Binding) { b.Theatre = "Theatre 3" }), "bindings[0].theatre", "is no ID of a theatre"},
		"plain from anywhere":        {one(func(b *control.Binding) { b.Plain = true }), "bindings[0].addresses", "needs addresses"},
		"plain DICOMweb": {one(func(b *control.Binding) {
			b.Plain, b.Addresses, b.Operations = true, []string{"10.0.0.1"}, []string{"stow"}
		}), "bindings[0].plain", "means nothing"},
		"two that are one": {[]control.Binding{plain("us-1", "10.0.0.0/24"), plain("us-2", "10.0.0.7")}, "bindings[1].addresses", "cannot be told from us-1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := New(c.list)
			for _, p := range problems {
				if p.Field == c.field && strings.Contains(p.What, c.want) {
					return
				}
			}
			t.Errorf("%+v, want %s: %s", problems, c.field, c.want)
		})
	}
	if _, problems := New([]control.Binding{plain("us-1", "10.0.0.6"), plain("us-2", "10.0.0.7")}); problems != nil {
		t.Errorf("one AE title from two addresses: %+v", problems)
	}
}

func TestABindingAllowsWhatItSays(t *testing.T) {
	s, problems := New([]control.Binding{{Device: "ct-1", CallingAE: []string{"CT1", "CT1QR"}, CalledAE: []string{"ASEPSIS"}, Addresses: []string{"10.0.0.0/24", "fd00::7"}, SOPClasses: []string{"ct", "1.2.3.4"},
		Operations: []string{"store", "move"}, Destinations: []string{"XR1"}}, {Device: "any", CallingAE: []string{"ANY"}, Operations: []string{"store"}, SOPClasses: []string{"storage", "private"}}})
	if problems != nil {
		t.Fatal(problems)
	}
	b, ok := s.Device("ct-1")
	if !ok {
		t.Fatal("it is not there")
	}
	any, _ := s.Device("any")
	for what, c := range map[string][2]bool{
		"its AE title":                    {b.IsCalled("CT1QR"), true},
		"another AE title":                {b.IsCalled("MR1"), false},
		"in another case":                 {b.IsCalled("ct1"), false},
		"a called AE title":               {b.MayCall("ASEPSIS"), true},
		"another called AE title":         {b.MayCall("PACS"), false},
		"any called AE title":             {any.MayCall("PACS"), true},
		"from its network":                {b.MayComeFrom(netip.MustParseAddr("10.0.0.9")), true},
		"from its network, mapped":        {b.MayComeFrom(netip.MustParseAddr("::ffff:10.0.0.9")), true},
		"from its address":                {b.MayComeFrom(netip.MustParseAddr("fd00::7")), true},
		"from elsewhere":                  {b.MayComeFrom(netip.MustParseAddr("10.0.1.9")), false},
		"from anywhere":                   {any.MayComeFrom(netip.MustParseAddr("10.0.1.9")), true},
		"an operation":                    {b.May(Store), true},
		"another operation":               {b.May(Find), false},
		"a destination":                   {b.MayMoveTo("XR1"), true},
		"another destination":             {b.MayMoveTo("XR2"), false},
		"CT":                              {b.MayStore("1.2.840.10008.5.1.4.1.1.2"), true},
		"enhanced CT, of the group":       {b.MayStore("1.2.840.10008.5.1.4.1.1.2.1"), true},
		"a UID of the list":               {b.MayStore("1.2.3.4"), true},
		"MR":                              {b.MayStore("1.2.840.10008.5.1.4.1.1.4"), false},
		"XA, whose UID begins alike":      {b.MayStore("1.2.840.10008.5.1.4.1.1.20"), false},
		"a private class":                 {b.MayStore("1.3.12.2.1107.5.9.1"), false},
		"a private class where any may":   {any.MayStore("1.3.12.2.1107.5.9.1"), true},
		"an unknown one in DICOM's arc":   {any.MayStore("1.2.840.10008.5.1.4.1.1.99999"), false},
		"a query model is no storage":     {any.MayStore("1.2.840.10008.5.1.4.1.2.1.1"), false},
		"verification is no storage":      {any.MayStore("1.2.840.10008.1.1"), false},
		"a device that is not listed":     {func() bool { _, ok := s.Device("mr-1"); return ok }(), false},
		"nobody":                          {func() bool { _, ok := s.Device(""); return ok }(), false},
		"it finishes when it is revoked":  {b.Cut() == identity.CutAfter, true},
		"a copy cannot change what it is": {func() bool { s.List()[0].Device = "x"; return s.All()[0].Device == "ct-1" }(), true},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %v", what, c[0])
		}
	}
}

func TestWhatIsWrittenIsReadAsTheSame(t *testing.T) {
	list := []control.Binding{
		{Device: "ct-1", Name: "CT: \"the big one\" #3", CallingAE: []string{"CT1", "NO"}, CalledAE: []string{"null"}, Addresses: []string{"10.0.0.0/24"}, SOPClasses: []string{"ct"}, Operations: []string{"store"}, Theatre: "or-3", OnRevocation: "alarm"},
		{Device: "us-1", Plain: true, CallingAE: []string{"1E3"}, Addresses: []string{"::1"}, Operations: []string{"echo", "move"}, Destinations: []string{"XR 1"}},
	}
	s, err := Parse("bindings.yaml", Format(list))
	if err != nil {
		t.Fatalf("%v\n%s", err, Format(list))
	}
	if got := s.List(); !reflect.DeepEqual(got, list) {
		t.Errorf("%+v\nwant %+v", got, list)
	}
	if s, err := Parse("bindings.yaml", Format(nil)); err != nil || len(s.All()) != 0 {
		t.Errorf("none: %v", err)
	}
}

func TestAProblemHasItsLine(t *testing.T) {
	_, err := Parse("bindings.yaml", []byte("bindings:\n  - device: ct-1\n    calling_ae: [CT1]\n    operations:\n      - store\n      - print\n"))
	var e *config.Error
	if !errors.As(err, &e) || e.Line != 6 || e.Hint == "" {
		t.Errorf("%v", err)
	}
	if _, err := Parse("bindings.yaml", []byte("bindings:\n  - device: ct-1\n    may: everything\n")); err == nil || !strings.Contains(err.Error(), "no such field") {
		t.Errorf("%v", err)
	}
}

func TestAFileThatCannotBeUsedLeavesWhatWasInForce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bindings.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(path, nil)
	if err != nil || len(f.Set().All()) != 0 {
		t.Fatalf("without a file: %v", err)
	}
	write(string(Format(one(func(*control.Binding) {}))))
	if err := f.Reload(); err != nil || len(f.Set().All()) != 1 {
		t.Fatalf("%v, %d", err, len(f.Set().All()))
	}
	write("bindings: [{device: ct-1, calling_ae: [CT1], operations: [everything]}]")
	if err := f.Reload(); err == nil || f.Problem() == nil || len(f.Set().All()) != 1 {
		t.Errorf("%v, %v", err, f.Problem())
	}
	if _, err := Open(path, nil); err == nil {
		t.Error("a gateway begins with bindings that cannot be used")
	}
	write("bindings: []\n# nobody")
	if err := f.Reload(); err != nil || f.Problem() != nil || len(f.Set().All()) != 0 {
		t.Errorf("%v, %v", err, f.Problem())
	}
}

func TestAFileIsReadWhenItIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bindings.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(string(Format(one(func(*control.Binding) {}))))
	synctest.Test(t, func(t *testing.T) {
		f, err := Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.Run(ctx) }()
		after := func(looks int) int {
			time.Sleep(time.Duration(looks) * lookEvery)
			synctest.Wait()
			return len(f.Set().All())
		}
		synctest.Wait()
		time.Sleep(lookEvery / 2)
		write("bindings: []\n") // as a copying program has it for a moment
		if n := after(1); n != 1 {
			t.Errorf("%d devices while it is being written", n)
		}
		write(string(Format(append(one(func(*control.Binding) {}), control.Binding{Device: "mr-1", CallingAE: []string{"MR1"}, Operations: []string{"echo"}}))))
		if n := after(1); n != 1 {
			t.Errorf("%d devices when it was written a moment ago", n)
		}
		if n := after(1); n != 2 {
			t.Errorf("%d devices when it was written", n)
		}
		write("")
		if n := after(3); n != 2 || f.Problem() == nil {
			t.Errorf("%d devices when it is empty, %v", n, f.Problem())
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestWhatWasWrittenByHandIsNotWrittenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bindings.yaml")
	f, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	byHand := Format(one(func(*control.Binding) {}))
	if err := os.WriteFile(path, byHand, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Replace(nil, f.Revision()); !errors.Is(err, ErrRevision) {
		t.Errorf("%v", err)
	}
	if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, byHand) {
		t.Errorf("%v: %s", err, is)
	}
}

func TestBindingsAreReplacedFromWhatTheyWere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bindings.yaml")
	f, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	was := f.Revision()
	if problems, err := f.Replace(one(func(b *control.Binding) { b.Operations = nil }), was); err != nil || len(problems) != 1 {
		t.Errorf("%v, %v", problems, err)
	}
	if problems, err := f.Replace(one(func(*control.Binding) {}), was); err != nil || len(problems) != 0 || len(f.Set().All()) != 1 {
		t.Fatalf("%v, %v", problems, err)
	}
	if _, err := f.Replace(nil, was); !errors.Is(err, ErrRevision) {
		t.Errorf("from what is not there any more: %v", err)
	}
	again, err := Open(path, nil)
	if err != nil || again.Revision() != f.Revision() || len(again.Set().All()) != 1 {
		t.Errorf("%v: it is not on the disk", err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}
