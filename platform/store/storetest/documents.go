// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/store"
)

// put stores one document.
func (e *env) put(kind, id string, expect uint64, body string) error {
	return e.Commit(e.ctx(), []store.Write{{Kind: kind, ID: id, Expect: expect, Body: []byte(body)}})
}

// doc returns the revision and body of a document, 0 when there is none.
func (e *env) doc(kind, id string) (uint64, string) {
	e.Helper()
	d, err := e.Document(e.ctx(), kind, id)
	if errors.Is(err, store.ErrNotFound) {
		return 0, ""
	}
	if err != nil {
		e.Fatal(err)
	}
	if d.Kind != kind || d.ID != id {
		e.Errorf("%s %s is %s %s", kind, id, d.Kind, d.ID)
	}
	return d.Revision, string(d.Body)
}

var documentTests = []test{
	{"a document has revision 1 when it is new and one more with each write", func(e *env) {
		for i := range uint64(3) {
			if err := e.put("theatre", "t1", i, fmt.Sprint(i)); err != nil {
				e.Fatal(err)
			}
			if rev, body := e.doc("theatre", "t1"); rev != i+1 || body != fmt.Sprint(i) {
				e.Errorf("revision %d, body %q", rev, body)
			}
		}
		d, err := e.Document(e.ctx(), "theatre", "t1")
		if err != nil || d.Changed != Clock().UnixNano() {
			e.Errorf("changed at %d, %v", d.Changed, err)
		}
		if err := e.Commit(e.ctx(), []store.Write{{Kind: "theatre", ID: "t1", Expect: 3, Delete: true}}); err != nil {
			e.Fatal(err)
		}
		if err := e.put("theatre", "t1", 0, "again"); err != nil {
			e.Fatal(err)
		}
		if rev, _ := e.doc("theatre", "t1"); rev != 1 {
			e.Errorf("revision %d of a new document", rev)
		}
	}},
	{"a write that expects another revision conflicts and changes nothing", func(e *env) {
		if err := e.put("k", "i", 0, "first"); err != nil {
			e.Fatal(err)
		}
		for _, expect := range []uint64{0, 2, 1 << 62} {
			for _, del := range []bool{false, true} {
				err := e.Commit(e.ctx(), []store.Write{
					{Kind: "k", ID: "new", Body: []byte("x")},
					{Kind: "k", ID: "i", Expect: expect, Body: []byte("y"), Delete: del},
				}, store.Audit{Who: "nobody", Action: "a"})
				if !errors.Is(err, store.ErrConflict) {
					e.Errorf("expect %d: %v", expect, err)
				}
			}
		}
		if err := e.put("k", "absent", 1, "y"); !errors.Is(err, store.ErrConflict) {
			e.Errorf("change of what is not there: %v", err)
		}
		if rev, body := e.doc("k", "i"); rev != 1 || body != "first" {
			e.Errorf("revision %d, body %q", rev, body)
		}
		if rev, _ := e.doc("k", "new"); rev != 0 {
			e.Error("half of a commit was made")
		}
		if trail, err := e.AuditTrail(e.ctx(), store.AuditQuery{Limit: 10}); err != nil || len(trail) != 0 {
			e.Errorf("audit of what was not done: %v, %v", trail, err)
		}
	}},
	{"any revision means whatever is stored, or nothing", func(e *env) {
		for i := range uint64(2) {
			if err := e.put("k", "i", store.AnyRevision, "x"); err != nil {
				e.Fatal(err)
			}
			if rev, _ := e.doc("k", "i"); rev != i+1 {
				e.Errorf("revision %d", rev)
			}
		}
		for range 2 {
			if err := e.Commit(e.ctx(), []store.Write{{Kind: "k", ID: "i", Expect: store.AnyRevision, Delete: true}}); err != nil {
				e.Fatal(err)
			}
		}
		if rev, _ := e.doc("k", "i"); rev != 0 {
			e.Error("still there")
		}
	}},
	{"of writers who expect the same revision one wins", func(e *env) {
		if err := e.put("k", "i", 0, "0"); err != nil {
			e.Fatal(err)
		}
		var won, lost atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				switch err := e.put("k", "i", 1, "x"); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, store.ErrConflict):
					lost.Add(1)
				default:
					e.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || lost.Load() != 7 {
			e.Errorf("%d won, %d lost", won.Load(), lost.Load())
		}
	}},
	{"documents of a kind come in the order of their IDs, in pages", func(e *env) {
		var writes []store.Write
		for _, id := range []string{"b", "a", "ä", "A", "c/1", "10", "9"} {
			writes = append(writes, store.Write{Kind: "k", ID: id, Body: []byte(id)}, store.Write{Kind: "k2", ID: id, Body: []byte(id)})
		}
		if err := e.Commit(e.ctx(), writes); err != nil {
			e.Fatal(err)
		}
		var got []string
		for after := ""; ; {
			docs, err := e.DocumentsOf(e.ctx(), "k", after, 3)
			if err != nil {
				e.Fatal(err)
			}
			if len(docs) == 0 {
				break
			}
			for _, d := range docs {
				got = append(got, d.ID)
				if d.Kind != "k" || string(d.Body) != d.ID || d.Revision != 1 || d.Changed == 0 {
					e.Errorf("%+v", d)
				}
			}
			after = docs[len(docs)-1].ID
		}
		if want := "10 9 A a b c/1 ä"; strings.Join(got, " ") != want {
			e.Errorf("%v, want %s: the order of their bytes", got, want)
		}
	}},
	{"bodies are bytes, empty ones and the largest too", func(e *env) {
		for name, body := range map[string][]byte{"empty": {}, "binary": {0, 255, 0}, "large": bytes.Repeat([]byte("0123456789abcdef"), store.MaxDocument/16)} {
			if err := e.Commit(e.ctx(), []store.Write{{Kind: "k", ID: name, Body: body}}); err != nil {
				e.Fatal(name, err)
			}
			d, err := e.Document(e.ctx(), "k", name)
			if err != nil || !bytes.Equal(d.Body, body) {
				e.Errorf("%s: %d bytes, %v", name, len(d.Body), err)
			}
		}
	}},
	{"what is too large or has no name is refused", func(e *env) {
		for name, w := range map[string]store.Write{
			"kind": {Kind: strings.Repeat("k", store.MaxKind+1), ID: "i"},
			"id":   {Kind: "k", ID: strings.Repeat("i", store.MaxID+1)},
			"body": {Kind: "k", ID: "i", Body: make([]byte, store.MaxDocument+1)},
		} {
			if err := e.Commit(e.ctx(), []store.Write{w}); !errors.Is(err, store.ErrTooLarge) {
				e.Errorf("%s: %v", name, err)
			}
		}
		if err := e.Commit(e.ctx(), []store.Write{{Kind: "k"}}); !errors.Is(err, store.ErrInvalid) {
			e.Errorf("no ID: %v", err)
		}
		if err := e.Commit(e.ctx(), []store.Write{{Kind: strings.Repeat("k", store.MaxKind), ID: strings.Repeat("i", store.MaxID)}}); err != nil {
			e.Errorf("the longest names: %v", err)
		}
		if _, err := e.DocumentsOf(e.ctx(), "k", "", 0); !errors.Is(err, store.ErrInvalid) {
			e.Errorf("no limit: %v", err)
		}
	}},
	{"another handle sees what was committed", func(e *env) {
		other := e.other()
		if err := e.put("k", "i", 0, "x"); err != nil {
			e.Fatal(err)
		}
		if d, err := other.Document(e.ctx(), "k", "i"); err != nil || string(d.Body) != "x" {
			e.Errorf("%+v, %v", d, err)
		}
	}},
}

var auditTests = []test{
	{"entries are numbered, newest first, and found by each field", func(e *env) {
		now := Clock().UnixNano()
		entries := []store.Audit{
			{Time: now - 3e9, Who: "ana", From: "10.0.0.1", Action: "theatre.state", Object: "t1", Before: []byte(`{"a":1}`), After: []byte(`{"a":2}`), Result: "done"},
			{Time: now - 2e9, Who: "token:siem", Action: "theatre.edit", Object: "t2", Result: "refused", Note: "no permission"},
			{Who: "system", Action: "user.create", Object: "ana", Result: "done"},
			{Time: now + 5, Who: "ana", Action: "theatre", Result: "failed"},
		}
		for _, a := range entries {
			if err := e.Commit(e.ctx(), nil, a); err != nil {
				e.Fatal(err)
			}
		}
		entries[2].Time = now // the store's clock where none is given
		trail := func(q store.AuditQuery) (out []store.Audit) {
			e.Helper()
			if q.Limit == 0 {
				q.Limit = 100
			}
			out, err := e.AuditTrail(e.ctx(), q)
			if err != nil {
				e.Fatal(err)
			}
			return out
		}
		all := trail(store.AuditQuery{})
		if len(all) != 4 {
			e.Fatalf("%d entries", len(all))
		}
		for i, a := range all {
			if i > 0 && a.Seq >= all[i-1].Seq {
				e.Error("not newest first")
			}
			want := entries[3-i]
			a.Seq = 0
			if !reflect.DeepEqual(a, want) {
				e.Errorf("%+v, want %+v", a, want)
			}
		}
		for name, c := range map[string]struct {
			q    store.AuditQuery
			want []int // places in all
		}{
			"who":             {store.AuditQuery{Who: "ana"}, []int{0, 3}},
			"whole action":    {store.AuditQuery{Action: "theatre.edit"}, []int{2}},
			"action, no dot":  {store.AuditQuery{Action: "theatre"}, []int{0}},
			"prefix":          {store.AuditQuery{Action: "theatre."}, []int{2, 3}},
			"object":          {store.AuditQuery{Object: "ana"}, []int{1}},
			"time":            {store.AuditQuery{From: now - 2e9, To: now}, []int{2}},
			"before":          {store.AuditQuery{Before: all[1].Seq}, []int{2, 3}},
			"limit":           {store.AuditQuery{Limit: 1}, []int{0}},
			"several":         {store.AuditQuery{Who: "ana", Action: "theatre.", Object: "t1"}, []int{3}},
			"nothing matches": {store.AuditQuery{Who: "eve"}, nil},
		} {
			got := trail(c.q)
			if len(got) != len(c.want) {
				e.Errorf("%s: %d entries, want %d", name, len(got), len(c.want))
				continue
			}
			for i, at := range c.want {
				if got[i].Seq != all[at].Seq {
					e.Errorf("%s: entry %d is %+v", name, i, got[i])
				}
			}
		}
	}},
	{"numbers are not given again", func(e *env) {
		if err := e.Commit(e.ctx(), nil, store.Audit{Who: "a", Action: "x"}, store.Audit{Who: "b", Action: "x"}); err != nil {
			e.Fatal(err)
		}
		trail, err := e.AuditTrail(e.ctx(), store.AuditQuery{Limit: 1000})
		if err != nil || len(trail) != 2 || trail[0].Who != "b" || trail[0].Seq <= trail[1].Seq {
			e.Errorf("%+v, %v", trail, err)
		}
	}},
	{"a limit out of range is refused", func(e *env) {
		for _, limit := range []int{0, -1, store.MaxAudit + 1} {
			if _, err := e.AuditTrail(e.ctx(), store.AuditQuery{Limit: limit}); !errors.Is(err, store.ErrInvalid) {
				e.Errorf("%d: %v", limit, err)
			}
		}
	}},
}

func aDevice(id string, aliases ...string) device.Device {
	return device.Device{
		ID: id, Aliases: aliases, Class: device.Class("ct"), Vendor: "Example Medical", Model: "E-1", Name: "name of " + id, AETitles: []string{"CT_" + id},
		Interfaces: []device.Interface{{MAC: device.MAC{2, 0, 0, 0, 0, 1}, IPs: []netip.Addr{netip.MustParseAddr("10.20.0.1")}, VLANs: []uint16{20}}},
		Facts:      map[device.Attribute]device.Fact{device.AttrModel: {Value: "E-1", Confidence: 75, Sources: []string{"dicom"}}},
		Evidence:   []device.Evidence{{Attribute: device.AttrModel, Value: "E-1", Source: "dicom", Confidence: 75, First: 1, Last: 2, Count: 3}},
		First:      1, Last: 2,
	}
}

var deviceTests = []test{
	{"devices are listed by ID without evidence, and given in full one by one", func(e *env) {
		list, rev0, err := e.DeviceList(e.ctx())
		if err != nil || len(list) != 0 {
			e.Fatal(list, err)
		}
		if err := e.PutDevices(e.ctx(), []device.Device{aDevice("b", "old-b"), aDevice("a")}, nil); err != nil {
			e.Fatal(err)
		}
		list, rev1, err := e.DeviceList(e.ctx())
		if err != nil || len(list) != 2 || list[0].ID != "a" || list[1].ID != "b" {
			e.Fatal(list, err)
		}
		if rev, err := e.DevicesRevision(e.ctx()); rev != rev1 || rev1 == rev0 || err != nil {
			e.Errorf("revisions %d, %d, %d, %v", rev0, rev1, rev, err)
		}
		for _, d := range list {
			want := aDevice(d.ID, d.Aliases...)
			full, err := e.Device(e.ctx(), d.ID)
			if err != nil || !reflect.DeepEqual(full, want) {
				e.Errorf("%+v, %v, want\n%+v", full, err, want)
			}
			want.Evidence = nil
			if !reflect.DeepEqual(d, want) {
				e.Errorf("%+v, want\n%+v", d, want)
			}
		}
	}},
	{"a device is found by a former ID, and a present one goes first", func(e *env) {
		if err := e.PutDevices(e.ctx(), []device.Device{aDevice("b", "old", "a"), aDevice("a")}, nil); err != nil {
			e.Fatal(err)
		}
		for id, want := range map[string]string{"old": "b", "a": "a", "b": "b"} {
			if d, err := e.Device(e.ctx(), id); err != nil || d.ID != want {
				e.Errorf("%s: %s, %v", id, d.ID, err)
			}
		}
		if err := e.PutDevices(e.ctx(), []device.Device{aDevice("b")}, nil); err != nil {
			e.Fatal(err)
		}
		if _, err := e.Device(e.ctx(), "old"); !errors.Is(err, store.ErrNotFound) {
			e.Errorf("a former ID that is no more: %v", err)
		}
	}},
	{"changed and removed devices show in the next list, in every handle", func(e *env) {
		stores := []store.Store{e.Store}
		if e.reopen != nil {
			stores = append(stores, e.reopen(e.T, e.Store))
		}
		check := func(want ...string) {
			e.Helper()
			for _, s := range stores {
				list, _, err := s.DeviceList(e.ctx())
				if err != nil {
					e.Fatal(err)
				}
				var got []string
				for _, d := range list {
					got = append(got, d.ID+"/"+d.Name)
				}
				if strings.Join(got, " ") != strings.Join(want, " ") {
					e.Errorf("%v, want %v", got, want)
				}
			}
		}
		named := func(id, name string) device.Device { d := aDevice(id, "was-"+id); d.Name = name; return d }
		put := func(changed []device.Device, removed ...string) {
			e.Helper()
			if err := e.PutDevices(e.ctx(), changed, removed); err != nil {
				e.Fatal(err)
			}
		}
		put([]device.Device{named("a", "1"), named("b", "1"), named("c", "1")})
		check("a/1", "b/1", "c/1")
		put([]device.Device{named("b", "2")}, "a", "unknown")
		check("b/2", "c/1")
		if _, err := e.Device(e.ctx(), "a"); !errors.Is(err, store.ErrNotFound) {
			e.Errorf("removed: %v", err)
		}
		if _, err := e.Device(e.ctx(), "was-a"); !errors.Is(err, store.ErrNotFound) {
			e.Errorf("former ID of what is removed: %v", err)
		}
		put([]device.Device{named("a", "3")}, "b")
		check("a/3", "c/1")
		put([]device.Device{named("c", "4")}, "c") // removed and changed: it is there
		check("a/3", "c/4")
		for i := range 1200 { // more than anybody remembers
			put(nil, fmt.Sprint("x", i))
		}
		put(nil, "a")
		check("c/4")
	}},
	{"the list may be changed by who was given it", func(e *env) {
		if err := e.PutDevices(e.ctx(), []device.Device{aDevice("a"), aDevice("b")}, nil); err != nil {
			e.Fatal(err)
		}
		list, _, err := e.DeviceList(e.ctx())
		if err != nil {
			e.Fatal(err)
		}
		list[0], list[1] = list[1], list[0]
		again, _, err := e.DeviceList(e.ctx())
		if err != nil || again[0].ID != "a" {
			e.Errorf("%v, %v", again, err)
		}
	}},
	{"a device without an ID is refused", func(e *env) {
		if err := e.PutDevices(e.ctx(), []device.Device{{}}, nil); !errors.Is(err, store.ErrInvalid) {
			e.Error(err)
		}
	}},
}
