// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/postgres/pgtest"
)

// hospital is asepsis as several processes: a NATS server and a PostgreSQL of their
// own, and each role beside them.
type hospital struct {
	t                *testing.T
	bin, nats        string
	natsDir, natsAt  string
	natsNow          *program
	pg               *pgtest.Cluster
	dsn, conf, local string
}

func newHospital(t *testing.T) *hospital {
	t.Helper()
	dir := shortDir(t)
	pgDir := filepath.Join(shortDir(t), "pg")
	guard(t, filepath.Join(pgDir, "pgdata", "postmaster.pid"))
	pg, err := pgtest.New(t.Context(), pgDir)
	if errors.Is(err, pgtest.ErrAbsent) {
		t.Skip("PostgreSQL is not installed (Debian package postgresql)")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pg.Stop(context.Background(), "immediate") })
	if err := pg.CreateDatabase(t.Context(), "asepsis"); err != nil {
		t.Fatal(err)
	}
	h := &hospital{t: t, bin: programNamed(t, "asepsis"), nats: programNamed(t, "nats-server"), natsDir: filepath.Join(dir, "nats"), natsAt: freePort(t), pg: pg, dsn: pg.DSN("asepsis"), local: dir}
	h.conf = write(t, dir, "asepsis.yaml", fmt.Sprintf("bus: {url: \"nats://%s\"}\nstore: {url: %q}\nrecorder: {snapshot_every: 1s, devices_every: 100ms}\nwatch: {report_every: 500ms}\n", h.natsAt, h.dsn))
	h.startNATS()
	return h
}

// guard ends a server that made itself a daemon when this process is gone.
func guard(t *testing.T, pidFile string) {
	t.Helper()
	c := exec.Command("sh", "-c", `read x; kill -QUIT "$(head -1 "$0")" 2>/dev/null`, pidFile)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = c.Wait() })
}

func (h *hospital) startNATS() {
	h.t.Helper()
	h.natsNow = launch(h.t, h.nats, nil, h.natsDir, h.natsAt)
	h.natsNow.line("ready for connections")
}

// role starts one part with a directory of its own.
func (h *hospital) role(name string, args ...string) *program {
	h.t.Helper()
	return launch(h.t, h.bin, nil, append(args, "--config", h.conf, "--data", filepath.Join(h.local, name))...)
}

func (h *hospital) sensor(name, capture string) *program {
	h.t.Helper()
	conf := write(h.t, h.local, name+".yaml", fmt.Sprintf("bus: {url: \"nats://%s\"}\nwatch: {name: %s, report_every: 500ms}\n", h.natsAt, name))
	return launch(h.t, h.bin, nil, "sensor", "--config", conf, "--bus", "nats://"+h.natsAt, "--data", filepath.Join(h.local, name), "--pcap", capture)
}

// TestTheRolesAreOneSystem runs every role as a process of its own, and takes the
// servers between them away.
func TestTheRolesAreOneSystem(t *testing.T) {
	t.Parallel()
	h := newHospital(t)
	capture, err := filepath.Abs("../../testdata/captures/theatre.pcapng")
	if err != nil {
		t.Fatal(err)
	}
	console := at(h.role("console", "console", "--listen", "127.0.0.1:0"), filepath.Join(h.local, "console", "tls", "console.crt"))
	console.setUp()
	recorder := h.role("recorder-1", "recorder")
	first := h.sensor("span-a", capture)

	type sensorNow struct {
		Name, State string
		Events      int
	}
	devices := func() int { return get[struct{ Total int }](console, "/devices").Total }
	// read waits until a sensor has read its capture and everything is stored, and
	// returns how many events that is.
	read := func(name string) int {
		made := 0
		eventually(t, name+" has read its capture, and its events are in the console", func() bool {
			for _, s := range get[struct{ Sensors []sensorNow }](console, "/sensors").Sensors {
				if s.Name == name && s.State == "finished" {
					made = s.Events
				}
			}
			return made > 0 && console.events(name) == made
		})
		return made
	}
	// shown waits until the number of devices stands still.
	shown := func() (n int) {
		since := time.Now()
		eventually(t, "the devices are shown", func() bool {
			if d := devices(); d != n {
				n, since = d, time.Now()
			}
			return n > 10 && time.Since(since) > 2*time.Second
		})
		return n
	}
	eventsOfOne := read("span-a")
	devicesOfOne := shown()
	second := h.sensor("span-b", capture)
	if n := read("span-b"); n != eventsOfOne {
		t.Errorf("of one capture one sensor makes %d events and another %d", eventsOfOne, n)
	}
	if d := shown(); d != devicesOfOne {
		t.Errorf("two sensors at the same network see %d devices, one saw %d", d, devicesOfOne)
	}
	t.Logf("%d events of each sensor, %d devices", eventsOfOne, devicesOfOne)
	for _, p := range []*program{first, second} {
		if code := p.stop(); code != 0 {
			t.Errorf("%s ended with code %d", p.name, code)
		}
	}

	f := connect(t, "nats://"+h.natsAt, "", "load")
	f.devices()
	f.load(500)
	pumpID := idOf(console, pump.IP.String())
	events := func() int { return console.events("load") }
	edit := func(name string) {
		t.Helper()
		eventually(t, "a change is confirmed", func() bool {
			a, err := console.try(http.MethodPatch, "/api/v1/devices/"+pumpID, map[string]string{"name": name})
			return err == nil && a.status == 200
		})
	}
	named := func() string { return get[struct{ Name string }](console, "/devices/"+pumpID).Name }
	edit("first name")

	// A second recorder waits, and takes over.
	waiting := h.role("recorder-2", "recorder")
	before := events()
	eventually(t, "events go on beside a recorder that waits", func() bool { return events() > before+300 })
	recorder.kill()
	before = events()
	eventually(t, "the second recorder takes over", func() bool { return events() > before+300 })
	eventually(t, "the name that a person gave is known to it", func() bool { return named() == "first name" })
	edit("second name")

	// The bus goes, under load.
	h.natsNow.kill()
	eventually(t, "the status says that the bus is away", func() bool {
		s := get[status](console, "/status")
		return s.State == "down" && strings.HasPrefix(s.of("bus"), "stop: ") && s.Sentence != ""
	})
	t.Logf("without the bus: %+v", get[status](console, "/status").Sentence)
	h.startNATS()
	before = events()
	eventually(t, "events go on", func() bool { return events() > before+300 })
	eventually(t, "the status is live again", func() bool { return get[status](console, "/status").State == "live" })
	if named() != "second name" {
		t.Errorf("the device is called %q", named())
	}

	// The database goes, as an administrator stops it, and as it crashes.
	for _, mode := range []string{"fast", "immediate"} {
		if err := h.pg.Stop(t.Context(), mode); err != nil {
			t.Fatal(err)
		}
		stopped := time.Now()
		eventually(t, "changes are refused with a reason", func() bool {
			a, err := console.try(http.MethodPatch, "/api/v1/devices/"+pumpID, map[string]string{"name": "never"})
			return err == nil && a.status == 503 && decode[problemOf](t, a).Hint != ""
		})
		eventually(t, "the status says that the store is away", func() bool {
			a, err := console.try(http.MethodGet, "/api/v1/status", nil)
			if err != nil || a.status != 200 {
				return false
			}
			st := decode[status](t, a)
			return st.State == "down" && strings.Contains(st.Sentence, "store is away") && strings.HasPrefix(st.of("store"), "stop: ")
		})
		eventually(t, "it was away for as long as it takes to be late", func() bool { return time.Since(stopped) > 6*time.Second })
		if err := h.pg.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		late := false
		eventually(t, "the events that waited are stored", func() bool {
			s, err := console.try(http.MethodGet, "/api/v1/status", nil)
			if err == nil && s.status == 200 {
				st := decode[status](t, s)
				late = late || st.State == "lagging" || st.Lag > 5
			}
			return err == nil && s.status == 200 && decode[status](t, s).State == "live"
		})
		if !late {
			t.Log("the lag was over before it was asked for")
		}
		edit("after " + mode)
	}
	f.stopGen()
	f.drained()
	eventually(t, "every event is stored", func() bool { return events() == f.count() })
	eventually(t, "the last name is shown", func() bool { return named() == "after immediate" })
	if n := console.events(""); n != 2*eventsOfOne+f.count() {
		t.Errorf("%d events are stored, want %d", n, 2*eventsOfOne+f.count())
	}
	if s := get[status](console, "/status"); s.Lost != 0 {
		t.Errorf("%d events were lost", s.Lost)
	}
	for _, p := range []*program{console.program, waiting} {
		if code := p.stop(); code != 0 {
			t.Errorf("%s ended with code %d", p.name, code)
		}
	}
	exactlyOnce(t, stored(t, store.Config{URL: h.dsn}, ""), f)
}
