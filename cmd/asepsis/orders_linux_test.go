// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

// clinic is a site in three processes: one with the authority, the bus and a console, a gateway
// alone, and a second console that is on the bus.
type clinic struct {
	t                        *testing.T
	bin, dir, token, busAt   string
	data, conf, pass, crl, e string
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	x := &clinic{t: t, bin: programNamed(t, "asepsis"), dir: shortDir(t), busAt: freePort(t)}
	x.data = filepath.Join(x.dir, "main")
	x.token, x.pass = write(t, x.dir, "token", "a token of this test, long enough"), write(t, x.dir, "pass", identitytest.Passphrase)
	pki, est := freePort(t), freePort(t)
	x.crl, x.e = "http://"+pki+"/crl/bundle.pem", "https://"+est
	if err := os.Mkdir(x.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.Init(identity.InitOptions{Dir: filepath.Join(x.data, "ca"), Passphrase: []byte(identitytest.Passphrase), Cost: identitytest.Cheap,
		Site: identity.Site{TrustDomain: identitytest.Domain, Organisation: "St. Example Hospital", Base: "http://" + pki}}); err != nil {
		t.Fatal(err)
	}
	x.conf = write(t, x.dir, "main.yaml", fmt.Sprintf("data: %s\nbus: {listen: %q, token_file: %s}\nconsole: {listen: \"127.0.0.1:0\"}\nidentity: {passphrase_file: %s, pki_listen: %q, est_listen: %q}\n",
		x.data, x.busAt, x.token, x.pass, pki, est))
	return x
}

// shared is the beginning of a configuration of another process on the bus.
func (x *clinic) shared() string {
	return fmt.Sprintf("bus: {url: \"nats://%s\", token_file: %s}\nconsole:\n  listen: 127.0.0.1:0\n", x.busAt, x.token)
}

// enrol gets a certificate as a person would, and returns how a configuration names it.
func (x *clinic) enrol(name string, who ...string) (trust, serial string) {
	x.t.Helper()
	run := func(args ...string) string {
		p := launch(x.t, x.bin, nil, args...)
		if code := p.code(time.Minute); code != 0 {
			x.t.Fatalf("asepsis %s: code %d: %s", strings.Join(args, " "), code, p.said)
		}
		return p.out.String()
	}
	var code struct{ URI string }
	if err := json.Unmarshal([]byte(run(append([]string{"ca", "code", "--config", x.conf, "--format", "json", "--server", x.e}, who...)...)), &code); err != nil {
		x.t.Fatal(err)
	}
	dir := filepath.Join(x.dir, name)
	said := run("enroll", code.URI, "--dir", dir)
	serial, _, _ = strings.Cut(strings.TrimPrefix(said, "certificate "), ",")
	return fmt.Sprintf("{trust_domain: %s, ca_file: %s/ca.pem, cert_file: %s/cert.pem, key_file: %s/key.pem, crl: [%q], refresh: 1s}", identitytest.Domain, dir, dir, dir, x.crl), serial
}

// console starts a further console on the bus.
func (x *clinic) console(name, more string) *house {
	x.t.Helper()
	conf := write(x.t, x.dir, name+".yaml", x.shared()+more)
	data := filepath.Join(x.dir, name+"-data")
	h := at(launch(x.t, x.bin, nil, "up", "--config", conf, "--data", data), filepath.Join(data, "tls", "console.crt"))
	h.setUp()
	return h
}

func TestConsolesSteerAGatewayAloneBySignedOrders(t *testing.T) {
	t.Parallel()
	x := newClinic(t)
	main := at(launch(t, x.bin, nil, "up", "--config", x.conf), filepath.Join(x.data, "tls", "console.crt"))
	main.setUp()
	trust, _ := x.enrol("gateway", "--profile", "dicom-node", "--device", "gateway-or-3")
	conf := write(t, x.dir, "gateway.yaml", x.shared()+fmt.Sprintf(`
gateway:
  name: gateway-or-3
  listeners: [{kind: dicom-plain, listen: "127.0.0.1:0"}]
  trust: %s
  forward:
    destinations: [{name: xr, address: %q, called_ae: XR1, calling_ae: ASEPSIS}]
    routes: [{name: all, to: [xr]}]
`, trust, freePort(t)))
	gateway := launch(t, x.bin, nil, "gateway", "--config", conf, "--data", filepath.Join(x.dir, "gateway-data"))

	type destination struct{ Name, State string }
	do := func(h *house, action string) (int, destination, string) {
		t.Helper()
		a, err := h.try(http.MethodPost, "/api/v1/imaging/destinations/xr/"+action, map[string]any{})
		if err != nil {
			t.Fatal(err)
		}
		var d destination
		_ = json.Unmarshal(a.body, &d)
		return a.status, d, string(a.body)
	}
	there := func(h *house) {
		t.Helper()
		eventually(t, "the gateway is there", func() bool {
			a, err := h.try(http.MethodGet, "/api/v1/imaging/overview", nil)
			return err == nil && a.status == 200
		})
	}
	there(main)
	if code, d, body := do(main, "pause"); code != 200 || d.State != "paused" {
		t.Fatalf("the console beside the authority: %d %s", code, body)
	}

	// A second console, which has no certificate yet, shows and does not steer.
	second := x.console("second", "")
	there(second)
	if code, _, body := do(second, "resume"); code != http.StatusServiceUnavailable || !strings.Contains(body, "takes signed orders only") || !strings.Contains(body, "--service console") {
		t.Errorf("a console without a certificate: %d %s", code, body)
	}
	if code := second.stop(); code != 0 {
		t.Errorf("it ended with code %d", code)
	}
	trust, serial := x.enrol("third", "--profile", "infrastructure", "--service", "console-east")
	third := x.console("third", "  trust: "+trust+"\n")
	there(third)
	if code, d, body := do(third, "resume"); code != 200 || d.State == "paused" {
		t.Errorf("a console with one: %d %s", code, body)
	}

	// Who has the bus's token alone steers nothing.
	bc := bus.Default()
	bc.URL, bc.TokenFile = "nats://"+x.busAt, config.SecretFile(x.token)
	b, err := bus.Open(t.Context(), bc, bus.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	var r *control.Refused
	if err := control.At(b, "gateway-or-3").Steer(t.Context(), "xr", "pause", "ada"); !errors.As(err, &r) || r.Code != control.Unsigned {
		t.Errorf("somebody on the bus: %v", err)
	}

	// A console whose certificate is revoked steers no more.
	if p := launch(t, x.bin, nil, "ca", "revoke", serial, "--reason", "keyCompromise", "--config", x.conf); p.code(time.Minute) != 0 {
		t.Fatal(p.said)
	}
	eventually(t, "the gateway knows that the console is revoked", func() bool {
		code, _, body := do(third, "pause")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "revoked")
	})
	if code, d, body := do(main, "pause"); code != 200 || d.State != "paused" {
		t.Errorf("the other console, after that: %d %s", code, body)
	}
	for _, p := range []*program{third.program, gateway, main.program} {
		if code := p.stop(); code != 0 {
			t.Errorf("%s ended with code %d: %s", p.name, code, tail(p.said.String(), 2000))
		}
	}
}
