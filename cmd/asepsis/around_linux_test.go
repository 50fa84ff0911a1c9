// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
)

// dialIn makes connections out of a host's network namespace.
func (l *lan) dialIn(host string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		type dialled struct {
			c   net.Conn
			err error
		}
		done := make(chan dialled, 1)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			ns, err := os.Open("/run/netns/" + l.prefix + host)
			if err == nil {
				err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET) //nolint:gosec // a file descriptor
				_ = ns.Close()
			}
			if err != nil {
				done <- dialled{nil, err}
				return
			}
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			done <- dialled{c, err}
		}()
		d := <-done
		return d.c, d.err
	}
}

// association is what an event says of one.
type association struct{ sensor, calling, called, community string }

// associations are the associations that were opened, as each sensor saw them.
func associations(h *house) (out []association) {
	h.t.Helper()
	for _, row := range get[struct {
		Events []struct{ ID, Sensor string }
	}](h, "/events?from=-1h&limit=200&is=activity:76104001/2").Events {
		a := association{sensor: row.Sensor}
		for _, g := range get[struct {
			Groups []struct {
				Fields []struct{ Name, Value string }
			}
		}](h, "/events/"+row.ID).Groups {
			for _, f := range g.Fields {
				switch f.Name {
				case "calling_ae_title":
					a.calling = f.Value
				case "called_ae_title":
					a.called = f.Value
				case "community_id":
					a.community = f.Value
				}
			}
		}
		out = append(out, a)
	}
	return out
}

// TestWhatGoesAroundTheGatewayIsFound has a scanner send an image through the gateway, as it should, and another
// one straight to the processor, in a network that a sensor watches. What came through the gateway is seen twice, by
// gateway and sensor, under one Community ID; what went around it is a finding.
func TestWhatGoesAroundTheGatewayIsFound(t *testing.T) {
	l := newLAN(t)
	if _, err := exec.LookPath("storescu"); err != nil {
		t.Skip("storescu is not installed (scripts/peers installs it)")
	}
	l.host("ct", "10.77.0.1/24")
	l.host("gw", "10.77.0.2/24")
	l.host("xr", "10.77.0.3/24")
	dir := shortDir(t)
	data, got := filepath.Join(dir, "data"), filepath.Join(dir, "got")
	for _, d := range []string{filepath.Join(data, "gateway"), got} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(data, "gateway"), "bindings.yaml", `bindings:
  - device: ct-old
    plain: true
    calling_ae: [CT1]
    addresses: [10.77.0.1]
    operations: [echo, store]
`)
	conf := write(t, dir, "asepsis.yaml", fmt.Sprintf(`data: %s
console: {listen: "127.0.0.1:8443"}
live: {interface: eth0}
gateway:
  name: gateway-or-3
  listeners: [{kind: dicom-plain, listen: "10.77.0.2:104"}]
  forward:
    destinations: [{name: xr, address: "10.77.0.3:104", called_ae: XR1, calling_ae: GATEWAY}]
    routes: [{name: all, to: [xr]}]
  journal: {reserve: 1MiB, warn_free: 2MiB, stop_free: 1MiB}
  ledger: {reserve: 1MiB}
`, data))
	launch(t, "ip", nil, "netns", "exec", l.prefix+"xr", "storescp", "-aet", "XR1", "-od", got, "+B", "104")
	h := at(launch(t, "ip", nil, "netns", "exec", l.prefix+"gw", programNamed(t, "asepsis"), "up", "--config", conf), filepath.Join(data, "tls", "console.crt"))
	h.http.Transport.(*http.Transport).DialContext = l.dialIn("gw")
	h.setUp()

	send := func(uid, called, to string) {
		t.Helper()
		l.in("ct", "storescu", "-aet", "CT1", "-aec", called, to, "104", gatewaytest.File(t, gatewaytest.CTStorage, uid, gatewaytest.Image(t, uid, "FICT-0001", 64)))
	}
	eventually(t, "the gateway says what it guards", func() bool {
		a, err := h.try(http.MethodGet, "/api/v1/imaging/overview", nil)
		return err == nil && a.status == 200
	})
	send("1.2.826.0.1.3680043.8.498.77.1", "ASEPSIS", "10.77.0.2")
	var twice []association
	eventually(t, "gateway and sensor have both seen the association", func() bool {
		twice = slices.DeleteFunc(associations(h), func(a association) bool { return a.called != "ASEPSIS" })
		return len(twice) >= 2
	})
	if len(twice) != 2 || twice[0].community == "" || twice[0].community != twice[1].community || twice[0].sensor == twice[1].sensor || twice[0].calling != "CT1" || twice[1].calling != "CT1" {
		t.Errorf("the same association is seen as %+v", twice)
	}
	if !slices.ContainsFunc(twice, func(a association) bool { return a.sensor == "gateway-or-3" }) {
		t.Errorf("the gateway did not see it: %+v", twice)
	}
	eventually(t, "the gateway has forwarded it, and the sensor has seen that", func() bool {
		return slices.ContainsFunc(associations(h), func(a association) bool {
			return a.calling == "GATEWAY" && a.called == "XR1" && a.sensor != "gateway-or-3"
		})
	})

	type finding struct{ Rule, Title, Severity string }
	around := func() []finding {
		list := get[struct{ Findings []finding }](h, "/findings?limit=200").Findings
		return slices.DeleteFunc(list, func(f finding) bool { return f.Rule != "dicom.around-gateway" })
	}
	if list := around(); len(list) != 0 {
		t.Errorf("the gateway's own forwarding is found to go around it: %+v", list)
	}
	// What a guard guards is read anew every few seconds; who goes around it goes again.
	eventually(t, "what went around the gateway is found", func() bool {
		send("1.2.826.0.1.3680043.8.498.77.2", "XR1", "10.77.0.3")
		return len(around()) > 0
	})
	if list := around(); len(list) != 1 || list[0].Severity != "high" {
		t.Errorf("%+v", list)
	}
	if code := h.stop(); code != 0 {
		t.Errorf("ended with code %d", code)
	}
}
