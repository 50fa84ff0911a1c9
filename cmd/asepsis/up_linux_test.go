// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestADemoIsAHospitalFromTheFirstMinute does what a newcomer does: starts the
// demo, makes an account with the link, looks at the board, makes a token, asks from
// the command line, and ends it.
func TestADemoIsAHospitalFromTheFirstMinute(t *testing.T) {
	t.Parallel()
	temp := shortDir(t)
	bin := programNamed(t, "asepsis")
	p := launch(t, bin, func(c *exec.Cmd) { c.Env = append(c.Env, "TMPDIR="+temp) }, "up", "--demo", "--listen", "127.0.0.1:0")
	p.line("Asepsis is at ")
	dirs, err := filepath.Glob(filepath.Join(temp, "asepsis-demo-*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("directories of the demo: %v %v", dirs, err)
	}
	h := at(p, filepath.Join(dirs[0], "tls", "console.crt"))
	if !strings.Contains(p.said.String(), "Nothing is kept when it ends.") {
		t.Error("the terminal does not say that a demo keeps nothing")
	}
	h.setUp()
	session := get[struct{ Demo bool }](h, "/session")
	if !session.Demo {
		t.Error("the session does not say that this is a demo")
	}
	eventually(t, "the status is live, and nothing is late", func() bool {
		s := get[status](h, "/status")
		return s.State == "live" && s.Demo && s.Lag < 5
	})
	eventually(t, "more than 40,000 events are stored", func() bool {
		return h.events("") > 40_000
	})
	eventually(t, "the board shows four theatres with devices", func() bool {
		board := get[struct {
			Theatres []struct {
				ID, State string
				Devices   int
			}
		}](h, "/board")
		full := 0
		for _, r := range board.Theatres {
			if r.Devices > 0 {
				full++
			}
		}
		return full == 4
	})
	if s := get[status](h, "/status"); s.Lost != 0 {
		t.Errorf("%d events were lost", s.Lost)
	}

	t.Run("the command line asks the running server", func(t *testing.T) { commandLine(t, h, bin, dirs[0]) })

	began := time.Now()
	if code := h.stop(); code != 0 {
		t.Errorf("ended with code %d", code)
	}
	t.Logf("stopped within %s", time.Since(began).Round(10*time.Millisecond))
	if _, err := os.Stat(dirs[0]); !os.IsNotExist(err) {
		t.Errorf("the demo's directory is still there: %v", err)
	}
	for line := range strings.Lines(h.said.String()) {
		if strings.Contains(line, `"level":"ERROR"`) {
			t.Errorf("a demo that nothing happens to logs an error: %s", line)
		}
	}
}

// commandLine asks as a person at a shell does.
func commandLine(t *testing.T, h *house, bin, data string) {
	token := decode[struct{ Secret string }](t, h.ask(http.MethodPost, "/api/v1/tokens", map[string]any{"name": "shell", "permissions": []string{"read"}, "expires_in_days": 1}, 201)).Secret
	file := write(t, t.TempDir(), "token", token+"\n")
	shell := func(args ...string) string {
		t.Helper()
		p := launch(t, bin, func(c *exec.Cmd) {
			c.Env = append(c.Env, "ASEPSIS_SERVER="+h.url, "ASEPSIS_TOKEN_FILE="+file, "ASEPSIS_CA_FILE="+filepath.Join(data, "tls", "console.crt"))
		}, args...)
		if code := p.code(time.Minute); code != 0 {
			t.Fatalf("asepsis %s: code %d: %s", strings.Join(args, " "), code, p.said)
		}
		return p.out.String()
	}

	list := shell("devices", "list", "--class", "infusion-pump")
	if !strings.HasPrefix(list, "DEVICE") && !regexp.MustCompile(`(?m)^dev-\S+\s`).MatchString(list) {
		t.Errorf("devices list:\n%s", list)
	}
	var devices struct {
		Total   int
		Devices []struct{ ID, Class, Theatre string }
	}
	if err := json.Unmarshal([]byte(shell("devices", "list", "--class", "infusion-pump", "--format", "json")), &devices); err != nil || devices.Total == 0 {
		t.Fatalf("devices list as JSON: %d %v", devices.Total, err)
	}
	for _, d := range devices.Devices {
		if d.Class != "infusion-pump" {
			t.Errorf("%s is listed as an infusion pump and is a %s", d.ID, d.Class)
		}
	}
	one := devices.Devices[0].ID
	if show := shell("devices", "show", one); !strings.Contains(show, one) || !strings.Contains(show, "infusion") {
		t.Errorf("devices show %s:\n%s", one, show)
	}
	var events struct {
		Events []struct{ ID, Protocol string }
	}
	if err := json.Unmarshal([]byte(shell("events", "list", "--is", "protocol:dicom", "--limit", "5", "--format", "json")), &events); err != nil || len(events.Events) != 5 {
		t.Fatalf("events list as JSON: %d %v", len(events.Events), err)
	}
	if table := shell("events", "list", "--is", "protocol:dicom", "--limit", "5"); strings.Count(table, "\n") != 6 {
		t.Errorf("events list:\n%s", table)
	}
	if show := shell("events", "show", events.Events[0].ID); !strings.Contains(show, "dicom") {
		t.Errorf("events show:\n%s", show)
	}

	// What the rules made of an event that a finding stands on: its own rule found it, others say why not.
	var findings struct {
		Findings []struct{ ID, Rule string }
	}
	eventually(t, "a scanner is found", func() bool {
		return json.Unmarshal([]byte(shell("findings", "list", "--rule", "dicom.scanner-tool", "--state", "all", "--format", "json")), &findings) == nil && len(findings.Findings) > 0
	})
	finding := get[struct{ Occurrences []struct{ Event *string } }](h, "/findings/"+findings.Findings[0].ID)
	if len(finding.Occurrences) == 0 || finding.Occurrences[0].Event == nil {
		t.Fatalf("the finding has no event: %+v", finding)
	}
	uid := *finding.Occurrences[0].Event
	told := shell("rules", "explain", uid, "--rule", "dicom.*")
	for _, want := range []string{"dicom.scanner-tool", "dicom.clear-text-outside"} {
		if !strings.Contains(told, want) {
			t.Errorf("rules explain %s does not name %s:\n%s", uid, want, told)
		}
	}
	var explained struct {
		Event string
		Rules []struct{ Rule, Outcome, Why string }
	}
	if err := json.Unmarshal([]byte(shell("rules", "explain", uid, "--format", "json")), &explained); err != nil || explained.Event == "" || len(explained.Rules) < 100 {
		t.Fatalf("rules explain as JSON: %v, %d rules of %q", err, len(explained.Rules), explained.Event)
	}
	outcomes := map[string]string{}
	for _, r := range explained.Rules {
		outcomes[r.Rule] = r.Outcome
		if r.Outcome == "" || r.Why == "" && r.Outcome != "found" {
			t.Errorf("%s: outcome %q, why %q", r.Rule, r.Outcome, r.Why)
		}
	}
	if o := outcomes["dicom.scanner-tool"]; o != "found" && o != "selected" {
		t.Errorf("dicom.scanner-tool made %q of the event of its own finding", o)
	}
	if o := outcomes["endpoint.ransomware"]; o != "not-asked" {
		t.Errorf("endpoint.ransomware made %q of a DICOM event", o)
	}

	// A tail goes on until it is interrupted, and that is no failure.
	follow := launch(t, bin, func(c *exec.Cmd) {
		c.Env = append(c.Env, "ASEPSIS_SERVER="+h.url, "ASEPSIS_TOKEN_FILE="+file, "ASEPSIS_CA_FILE="+filepath.Join(data, "tls", "console.crt"))
	}, "events", "tail", "--format", "json")
	eventually(t, "the tail shows events", func() bool { return strings.Contains(follow.out.String(), `"class_name"`) })
	if err := follow.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := follow.code(20 * time.Second); code != 0 {
		t.Errorf("events tail, interrupted: code %d: %s", code, follow.said)
	}

	// What is wrong is said with what to do.
	for name, c := range map[string]struct{ args, want []string }{
		"a device that does not exist": {[]string{"devices", "show", "dev-nothing"}, []string{"asepsis: ", "hint: "}},
		"an event that does not exist": {[]string{"rules", "explain", "no-such-event"}, []string{"asepsis: "}},
		"an unknown field":             {[]string{"events", "list", "--is", "protokol:dicom"}, []string{"asepsis: ", "is[0]: names no field; there are protocol"}},
		"a server that is not there":   {[]string{"devices", "list", "--server", "https://127.0.0.1:1"}, []string{"asepsis: 127.0.0.1:1: ", "refused"}},
	} {
		p := launch(t, bin, func(e *exec.Cmd) {
			e.Env = append(e.Env, "ASEPSIS_SERVER="+h.url, "ASEPSIS_TOKEN_FILE="+file, "ASEPSIS_CA_FILE="+filepath.Join(data, "tls", "console.crt"))
		}, c.args...)
		if code := p.code(time.Minute); code != 2 {
			t.Errorf("%s: code %d", name, code)
		}
		for _, text := range c.want {
			if !strings.Contains(p.said.String(), text) {
				t.Errorf("%s: %q is not in: %s", name, text, p.said)
			}
		}
	}
}

// TestWhatIsKeptIsThereAtTheNextStart starts twice with the same directory.
func TestWhatIsKeptIsThereAtTheNextStart(t *testing.T) {
	t.Parallel()
	data, bin := shortDir(t), programNamed(t, "asepsis")
	certificate := filepath.Join(data, "tls", "console.crt")
	h := at(launch(t, bin, nil, "up", "--demo", "--data", data, "--listen", "127.0.0.1:0"), certificate)
	if strings.Contains(h.said.String(), "Nothing is kept") {
		t.Error("the terminal says that nothing is kept, in a directory that was named")
	}
	h.setUp()
	eventually(t, "events are stored", func() bool { return h.events("") > 1000 })
	h.ask(http.MethodPost, "/api/v1/theatres", map[string]any{"id": "HYBRID", "name": "Hybrid theatre", "order": 9, "vlans": []int{}, "prefixes": []string{"10.99.0.0/24"}}, 201)
	room := h.ask(http.MethodGet, "/api/v1/theatres/OR-3", nil, 200)
	var edited map[string]any
	if err := json.Unmarshal(room.body, &edited); err != nil {
		t.Fatal(err)
	}
	edited["name"] = "Theatre 3, renamed"
	for _, k := range []string{"state", "since", "source"} {
		delete(edited, k)
	}
	h.ask(http.MethodPut, "/api/v1/theatres/OR-3", edited, 200)
	if code := h.stop(); code != 0 {
		t.Fatalf("ended with code %d", code)
	}

	again := at(launch(t, bin, nil, "up", "--demo", "--data", data, "--listen", "127.0.0.1:0"), certificate)
	if again.link != "" {
		t.Error("a second link for a first account was printed")
	}
	again.logIn()
	if n := again.events(""); n < 1000 {
		t.Errorf("%d events are left", n)
	}
	again.ask(http.MethodGet, "/api/v1/theatres/HYBRID", nil, 200)
	if name := get[struct{ Name string }](again, "/theatres/OR-3").Name; name != "Theatre 3, renamed" {
		t.Errorf("a theatre that a person renamed is called %q after a new start", name)
	}
	if code := again.stop(); code != 0 {
		t.Errorf("ended with code %d", code)
	}
}

// TestUpWithoutTheRightToCaptureSaysWhatToGrant runs as an account that may nothing.
func TestUpWithoutTheRightToCaptureSaysWhatToGrant(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another account needs root")
	}
	data := shortDir(t)
	const nobody = 65534
	if err := os.Chown(data, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	program := programForOthers(t)
	for _, args := range [][]string{{"up", "--data", data, "--iface", "lo"}, {"sensor", "--bus", "nats://127.0.0.1:1", "--data", data, "--iface", "lo"}} {
		p := launch(t, program, func(c *exec.Cmd) {
			c.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		}, args...)
		if code := p.code(time.Minute); code != 2 {
			t.Errorf("%v: code %d", args, code)
		}
		for _, text := range []string{"asepsis: ", "lo", "hint: ", "CAP_NET_RAW", "setcap", "systemd"} {
			if !strings.Contains(p.said.String(), text) {
				t.Errorf("%v: %q is not in: %s", args, text, p.said)
			}
		}
	}
}
