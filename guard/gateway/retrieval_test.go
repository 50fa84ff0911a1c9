// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/owed"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
)

// viewers has retrievals of a theatre's devices open.
func viewers(c *Config) {
	c.Ingest.LedgerWait = 200 * time.Millisecond
	c.Retrievals.Routes = []RetrievalRoute{{Name: "archive-room", Devices: []string{"ws-9"}, Fail: FailClosed}, {Name: "viewers", Theatres: []string{"or-3"}, Fail: FailOpen}}
}

// getting has getscu ask for the study of the tests, and returns what it got.
func (a *archived) getting(d gatewaytest.Credentials) (got map[string][]byte, out string) {
	a.t.Helper()
	dir := a.t.TempDir()
	out, _ = a.ask(d, "getscu", "-od", dir, "+B", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.826.0.1.3680043.8.498.1")
	return gatewaytest.Stored(a.t, dir), out
}

// given are the statements about what was given out.
func (l *memoryLog) given() []custody.Statement {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.entries), func(s custody.Statement) bool { return s.Kind() != custody.Forwarded })
}

func TestWithoutTheLedgerTheRouteOfARetrievalDecides(t *testing.T) {
	gatewaytest.Need(t, "getscu")
	for _, c := range []struct {
		name string
		set  func(*Config)
		hang bool
		open bool
	}{
		{"no route is named: closed", func(*Config) {}, false, false},
		{"the route says closed", func(c *Config) { c.Retrievals.Routes[1].Fail = FailClosed }, false, false},
		{"the route says nothing", func(c *Config) { c.Retrievals.Routes[1].Fail = "" }, false, false},
		{"the route is another theatre's", func(c *Config) { c.Retrievals.Routes[1].Theatres = []string{"or-4"} }, false, false},
		{"the route is for cases and there is none", func(c *Config) { c.Retrievals.Routes[1].Case = caseInProgress }, false, false},
		{"a closed route before it takes the device", func(c *Config) { c.Retrievals.Routes[0].Devices = []string{"ws-1"} }, false, false},
		{"open", func(*Config) {}, false, true},
		{"open while the ledger hangs", func(*Config) {}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newArchivedWith(t, nil, func(x *Config) {
				viewers(x)
				if c.name == "no route is named: closed" {
					x.Retrievals.Routes = nil
				} else {
					c.set(x)
				}
			})
			path, data := image(t, "1.2.3.1", "FICT-0001")
			a.fill(path)
			d := a.enrol(identity.DICOMNode, "ws-1")
			hang := make(chan struct{})
			a.log.set(func(l *memoryLog) {
				if l.away = !c.hang; c.hang {
					l.hang = hang
				}
			})
			got, out := a.getting(d)
			if !c.open {
				if len(got) != 0 || strings.Contains(out, "Final GET Response (Success)") {
					t.Errorf("%d were given out\n%s", len(got), out)
				}
				a.matters(t, "gateway.retrievals-unrecorded", false)
				a.log.set(func(l *memoryLog) { l.away, l.hang = false, nil })
				close(hang)
				gatewaytest.Until(t, "the ledger to be back", func() bool { return a.g.Ready(t.Context()) == nil })
				if got, out := a.getting(d); string(got["1.2.3.1"]) != string(data) {
					t.Errorf("with the ledger back\n%s", out)
				}
				return
			}
			if string(got["1.2.3.1"]) != string(data) || !strings.Contains(out, "Success") {
				t.Fatalf("%d were given out\n%s", len(got), out)
			}
			a.matters(t, "gateway.retrievals-unrecorded", true)
			a.matters(t, "gateway.ledger", true)
			if _, owed, why := a.g.Ledger(); owed != 2 || why == nil {
				t.Errorf("%d are owed: %v", owed, why)
			}
			before := time.Now()
			a.log.set(func(l *memoryLog) { l.away, l.hang = false, nil })
			close(hang)
			gatewaytest.Until(t, "the ledger to be told", func() bool { _, owed, why := a.g.Ledger(); return owed == 0 && why == nil })
			a.matters(t, "gateway.retrievals-unrecorded", false)
			if kinds := a.log.kinds(); !slices.Equal(kinds, []custody.Kind{custody.Received, custody.Forwarded}) {
				t.Errorf("it was told %v", kinds)
			}
			s := a.log.given()[0]
			if p := s.Predicate; p.Device != "ws-1" || p.Detail["route"] != query.RouteGet || !p.Time.Before(before) || s.Subject[0].Digest["sha256"] != a.vault.all()[0].DataSet {
				t.Errorf("it was told %+v", s)
			}
			// The record names both entries, as if the ledger had been there.
			r := a.vault.all()[0]
			if len(r.Entries) != 2 || r.Entries[1].Kind != string(custody.Forwarded) || r.Entries[1].Destination != "ws-1" || len(r.Deliveries) != 1 || r.Deliveries[0].State != instance.Delivered {
				t.Errorf("the record has %+v, %+v", r.Entries, r.Deliveries)
			}
		})
	}
}

// The process is killed while the ledger is away: the next one tells it all, once.
func TestWhatWasGivenOutIsToldAfterAKill(t *testing.T) {
	gatewaytest.Need(t, "getscu")
	a := newArchivedWith(t, nil, viewers)
	for _, uid := range []string{"1.2.3.1", "1.2.3.2", "1.2.3.3"} {
		path, _ := image(t, uid, "FICT-0001")
		a.fill(path)
	}
	a.log.set(func(l *memoryLog) { l.away = true })
	if got, out := a.getting(a.enrol(identity.DICOMNode, "ws-1")); len(got) != 3 {
		t.Fatalf("%d were given out\n%s", len(got), out)
	}
	// The first is left as a kill leaves it: nothing of it is stopped or closed, and it never hears of its ledger again.
	back := &memoryLog{}
	cfg := a.cfg
	cfg.Listeners = []Listener{{Kind: KindPlain, Listen: "127.0.0.1:0"}}
	next, err := New(cfg, Deps{Bindings: a.binds, Vault: a.vault, Firewall: a.wall, Router: a.router, Ledger: back, Key: a.g.d.Key, Site: "site-north", Dir: a.dir, Software: "asepsis/gateway next", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, owed, _ := next.Ledger(); owed != 3 {
		t.Errorf("it is opened with %d that are owed", owed)
	}
	stop := a.run(next)
	gatewaytest.Until(t, "the ledger to be told", func() bool { _, owed, _ := next.Ledger(); return owed == 0 && len(back.kinds()) == 6 })
	stop()
	// Killed in the middle of that, it tells some again, which are the same to the ledger.
	if kinds := back.kinds(); slices.Contains(kinds[:3], custody.Forwarded) {
		t.Errorf("it was told %v", kinds)
	}
	seen := map[string]bool{}
	for _, s := range back.given() {
		seen[s.Subject[0].Digest["sha256"]] = true
		if s.Predicate.Actor.Software != "asepsis/gateway test" {
			t.Errorf("it is told in other words than those of then: %+v", s.Predicate.Actor)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d instances", len(seen))
	}
	for _, r := range a.vault.all() {
		if n := len(r.Entries); n != 2 {
			t.Errorf("the record names %d entries", n)
		}
	}
}

func TestWhatIsOwedForRetrievalsIsBounded(t *testing.T) {
	gatewaytest.Need(t, "getscu")
	a := newArchivedWith(t, nil, func(c *Config) {
		viewers(c)
		c.Retrievals.Owed = 2
	})
	other := owed.Note{Statement: custody.New(custody.Forwarded, "other", time.Now(), custody.SHA256(SubjectDataSet, [32]byte{}))}
	other.Statement.Predicate.Actor.Software, other.Statement.Predicate.Detail = "asepsis/gateway test", map[string]any{"protocol": "dicom"}
	for _, uid := range []string{"1.2.3.1", "1.2.3.2", "1.2.3.3"} {
		path, _ := image(t, uid, "FICT-0001")
		a.fill(path)
	}
	d := a.enrol(identity.DICOMNode, "ws-1")
	a.log.set(func(l *memoryLog) { l.away = true })
	if got, out := a.getting(d); len(got) != 1 || strings.Contains(out, "Final GET Response (Success)") {
		t.Errorf("%d were given out\n%s", len(got), out)
	}
	a.matters(t, "gateway.retrievals-share", true)
	for n := range 2 {
		other.Statement.Predicate.ID, other.Statement.Predicate.Device = fmt.Sprint("other", n), fmt.Sprint("ws-", n+7)
		if _, err := a.g.Give(t.Context(), other, true); (err == nil) != (n == 0) {
			t.Errorf("another device: %v", err)
		}
	}
	a.matters(t, "gateway.retrievals-full", true)
	if s := a.g.Retrievals(); s[1].State != "closed" || s[1].Fail != FailOpen || s[1].Why == "" {
		t.Errorf("the route is shown as %+v", s[1])
	}
	a.log.set(func(l *memoryLog) { l.away = false })
	gatewaytest.Until(t, "the ledger to be told", func() bool { _, owed, _ := a.g.Ledger(); return owed == 0 })
	a.matters(t, "gateway.retrievals-full", false)
	a.matters(t, "gateway.retrievals-share", false)
	if got, out := a.getting(d); len(got) != 3 || len(a.log.given()) != 5 {
		t.Errorf("afterwards %d were given out, and the ledger knows %d\n%s", len(got), len(a.log.given()), out)
	}
}

// An open route is open for what the ledger missed. What nobody inspected, and what a device may not have, is not given out.
func TestAnOpenRetrievalGivesOutNothingElse(t *testing.T) {
	gatewaytest.Need(t, "getscu", "movescu")
	a := newArchivedWith(t, func(c *query.Config) { c.MoveWait = 100 * time.Millisecond }, viewers)
	a.router.set(func(r *router) { r.open = true })
	path, _ := image(t, "1.2.3.1", "FICT-0001")
	a.fill(path)
	d := a.enrol(identity.DICOMNode, "ws-1")
	a.log.set(func(l *memoryLog) { l.away = true })
	a.wall.mu.Lock()
	a.wall.panic = true
	a.wall.mu.Unlock()
	if got, out := a.getting(d); len(got) != 0 {
		t.Errorf("what the firewall failed over is given out\n%s", out)
	}
	if out := a.moving(d); strings.Contains(out, "Response (Success)") {
		t.Errorf("what the firewall failed over is moved\n%s", out)
	}
	for _, r := range a.vault.all() {
		if r.State != instance.Refused {
			t.Errorf("%s is kept, and goes to %+v", r.State, r.Deliveries)
		}
	}
	a.wall.mu.Lock()
	a.wall.panic = false
	a.wall.mu.Unlock()
	path, _ = image(t, "1.2.3.2", "FICT-quarantine")
	a.fill(path)
	if got, out := a.getting(d); len(got) != 1 || got["1.2.3.2"] != nil {
		t.Errorf("what is held is given out: %d\n%s", len(got), out)
	}
	// Bound any more to nothing that retrieves.
	list := asking()
	list[1].Operations = []string{"echo", "find"}
	if err := os.WriteFile(filepath.Join(a.dir, "bindings.yaml"), binding.Format(list), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.binds.Reload(); err != nil {
		t.Fatal(err)
	}
	if got, out := a.getting(d); len(got) != 0 {
		t.Errorf("a device that may not retrieve is given %d\n%s", len(got), out)
	}
}

func TestAMoveKeepsToTheRouteOfWhoAsked(t *testing.T) {
	gatewaytest.Need(t, "movescu")
	a := newArchivedWith(t, func(c *query.Config) { c.MoveWait = 100 * time.Millisecond }, viewers)
	path, _ := image(t, "1.2.3.1", "FICT-0001")
	a.fill(path)
	a.moving(a.enrol(identity.DICOMNode, "ws-1"))
	r := a.vault.all()
	if len(r) != 1 || len(r[0].Deliveries) != 1 {
		t.Fatalf("%+v", r)
	}
	route := r[0].Deliveries[0].Route
	if route != query.RouteMove+"/viewers" || !a.cfg.Retrievals.OpenMove(route) {
		t.Errorf("the route is %q", route)
	}
	for _, closed := range []string{query.RouteMove, query.RouteMove + "/archive-room", query.RouteMove + "/none", "viewers", "all"} {
		if a.cfg.Retrievals.OpenMove(closed) {
			t.Errorf("%s is open", closed)
		}
	}
}

func TestRoutesOfRetrievalsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*Retrievals){
		"":               func(*Retrievals) {},
		"name":           func(r *Retrievals) { r.Routes[0].Name = "of all/kinds" },
		"fail":           func(r *Retrievals) { r.Routes[0].Fail = "open" },
		"case":           func(r *Retrievals) { r.Routes[0].Case = "always" },
		"devices":        func(r *Retrievals) { r.Routes[0].Devices = []string{""} },
		"theatres":       func(r *Retrievals) { r.Routes[0].Theatres = []string{"or-3", ""} },
		"routes[1].name": func(r *Retrievals) { r.Routes = append(r.Routes, r.Routes[0]) },
		"max_owed":       func(r *Retrievals) { r.Owed = 0 },
		"max_owed_bytes": func(r *Retrievals) { r.OwedBytes = config.KiB },
	} {
		t.Run(want, func(t *testing.T) {
			c := defaultRetrievals()
			c.Routes = []RetrievalRoute{{Name: "viewers", Theatres: []string{"or-3"}, Fail: FailOpen}}
			change(&c)
			err := c.Validate()
			if err == nil {
				err = c.Routes[0].Validate()
			}
			if (want == "") != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A ledger that failed while only retrievals came, all of which were refused, is asked when it works again: nothing is owed by
// which that would be found out.
func TestTheAlarmEndsThoughNothingIsOwed(t *testing.T) {
	var late atomic.Int64
	l := &memoryLog{}
	p := newPlace(t, options{deps: func(d *Deps) {
		d.Ledger, d.Now = l, func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
		d.LedgerReady = func(context.Context) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.away {
				return errors.New("away")
			}
			return nil
		}
	}})
	l.set(func(l *memoryLog) { l.away = true })
	r := dicomweb.Retrieval{To: instance.Sender{Device: "ws-1", CallingAE: "WS1", Association: "a-1"}, Resource: dicomweb.Instances, SOPClass: gatewaytest.CTStorage, SOPInstance: "1.2.3.1"}
	if err := p.g.Retrieved(t.Context(), r); err == nil {
		t.Error("it is given out")
	}
	late.Store(int64(time.Minute))
	p.g.books.wake()
	p.matters(t, "gateway.ledger", true)
	l.set(func(l *memoryLog) { l.away = false })
	p.matters(t, "gateway.ledger", false)
	if err := p.g.Retrieved(t.Context(), r); err != nil || len(l.given()) != 1 {
		t.Errorf("%v", err)
	}
}
