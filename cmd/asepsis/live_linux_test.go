// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lan is a switch and hosts in network namespaces of their own. The switch
// learns nothing, so every port sees everything, as a mirror port does.
type lan struct {
	t      *testing.T
	prefix string
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	for _, tool := range []string{"ip", "echoscu", "storescp"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (scripts/peers installs it)", tool)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	l := &lan{t, fmt.Sprintf("asp-cli-%d-", os.Getpid())}
	if out, err := exec.Command("ip", "netns", "add", l.prefix+"sw").CombinedOutput(); err != nil {
		t.Skipf("network namespaces cannot be made here: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", l.prefix+"sw").Run() })
	l.in("sw", "ip", "link", "add", "br0", "type", "bridge", "ageing_time", "0")
	l.in("sw", "ip", "link", "set", "br0", "up")
	return l
}

// in runs a command in a host's namespace and fails the test when it fails.
func (l *lan) in(host string, args ...string) {
	l.t.Helper()
	if out, err := l.command(host, args...).CombinedOutput(); err != nil {
		l.t.Fatalf("%s: %s: %v\n%s", host, strings.Join(args, " "), err, out)
	}
}

func (l *lan) command(host string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", l.prefix + host}, args...)...)
}

// host joins the switch, with an address unless it is empty.
func (l *lan) host(name, address string) {
	l.t.Helper()
	run := func(args ...string) {
		l.t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			l.t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("netns", "add", l.prefix+name)
	l.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", l.prefix+name).Run() })
	run("link", "add", "eth0", "netns", l.prefix+name, "type", "veth", "peer", "name", name, "netns", l.prefix+"sw")
	l.in("sw", "ip", "link", "set", name, "master", "br0", "up")
	l.in(name, "ip", "link", "set", "lo", "up")
	l.in(name, "ip", "link", "set", "eth0", "up")
	if address != "" {
		l.in(name, "ip", "address", "add", address, "dev", "eth0")
	}
}

// TestTheSensorSeesAnAssociationWithinASecond lets DCMTK talk between two hosts
// and watches from a third.
func TestTheSensorSeesAnAssociationWithinASecond(t *testing.T) {
	l := newLAN(t)
	l.host("ct", "10.77.0.1/24")
	l.host("pacs", "10.77.0.2/24")
	l.host("span", "")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary is the program when it is called by that name.
	dir, err := os.MkdirTemp("", "asepsis-live-") // readable by the account that the sensor becomes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	bin := filepath.Join(dir, "asepsis")
	if err := os.Symlink(exe, bin); err != nil {
		t.Fatal(err)
	}

	store := l.command("pacs", "storescp", "--ignore", "-aet", "PACS", "11112")
	if err := store.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Process.Kill(); _ = store.Wait() }()

	watch := l.command("span", bin, "sensor", "--iface", "eth0", "--format", "ocsf", "--fail-on", "never")
	stdout, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := watch.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watch.Process.Kill(); _ = watch.Wait() }()
	ready := bufio.NewScanner(stderr)
	for ready.Scan() && !strings.HasPrefix(ready.Text(), "watching") {
		t.Log(ready.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }()

	type line struct {
		ClassUID int64  `json:"class_uid"`
		Activity int    `json:"activity_id"`
		Time     int64  `json:"time"` // ms
		Calling  string `json:"calling_ae_title"`
		seen     time.Time
	}
	lines := make(chan line, 1000)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(stdout)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			var e line
			if json.Unmarshal(s.Bytes(), &e) == nil {
				e.seen = time.Now()
				lines <- e
			}
		}
	}()

	deadline := time.After(20 * time.Second)
	again := time.NewTicker(200 * time.Millisecond) // until the archive listens
	defer again.Stop()
	for {
		select {
		case <-again.C:
			_ = l.command("ct", "echoscu", "-aet", "CT_LIVE", "-aec", "PACS", "10.77.0.2", "11112").Run()
		case e, ok := <-lines:
			if !ok {
				t.Fatal("the sensor ended")
			}
			if e.ClassUID != 76104001 || e.Activity != 2 {
				continue
			}
			if e.Calling != "CT_LIVE" {
				t.Errorf("calling AE title %q", e.Calling)
			}
			if late := e.seen.Sub(time.UnixMilli(e.Time)); late > time.Second {
				t.Errorf("seen %v after it was on the wire", late)
			}
			return
		case <-deadline:
			t.Fatal("no association was seen")
		}
	}
}
