// SPDX-License-Identifier: Apache-2.0

package live

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// publicSelf is a copy of this binary that any user may execute.
func publicSelf(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "asp-live-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(self(t))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	path := filepath.Join(dir, "live.test")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

const noCaps = "CapInh: 0000000000000000; CapPrm: 0000000000000000; CapEff: 0000000000000000; "

func TestRootIsGivenUpInEveryThreadForGood(t *testing.T) {
	needRoot(t)
	for account, ids := range map[string]string{"": "Uid: 65534 65534 65534 65534; Gid: 65534 65534 65534 65534; Groups:; ", "1234:5678": "Uid: 1234 1234 1234 1234; Gid: 5678 5678 5678 5678; Groups:; "} {
		p := startProcess(t, exec.Command(self(t)), []string{helperEnv + "=drop", "ACCOUNT=" + account})
		var threads []string
		cgo := ""
		for line := range p.lines {
			if thread, ok := strings.CutPrefix(line, "thread "); ok {
				threads = append(threads, thread)
			} else if cgo, ok = strings.CutPrefix(line, "dropped cgo "); !ok {
				t.Fatal(line)
			}
		}
		if err := p.cmd.Wait(); err != nil || cgo == "" {
			t.Fatalf("%v %s", err, p.err.String())
		}
		if len(threads) < 9 {
			t.Errorf("only %d threads: %q", len(threads), threads)
		}
		for _, thread := range threads {
			// The bounding set is a thread's own when cgo is linked in.
			bounding := "CapBnd: 0000000000000000; "
			if cgo == "true" {
				_, rest, _ := strings.Cut(thread, "CapBnd: ")
				set, _, _ := strings.Cut(rest, ";")
				bounding = "CapBnd: " + set + "; "
			}
			if want := ids + noCaps + bounding + "CapAmb: 0000000000000000; NoNewPrivs: 1"; thread != want {
				t.Errorf("account %q: thread has %s\nwant %s", account, thread, want)
			}
		}
	}
}

func TestAnUnknownAccountOrRootIsRefused(t *testing.T) {
	needRoot(t)
	for _, account := range []string{"root", "no-such-account"} {
		p := startProcess(t, exec.Command(self(t)), []string{helperEnv + "=drop", "ACCOUNT=" + account})
		if why := p.expect("refused"); !strings.HasPrefix(why, "live capture: cannot drop privileges: find the account: ") {
			t.Errorf("%s: %s", account, why)
		}
	}
}

// A service manager starts the sensor as a user with this one capability.
func TestTheOneCapabilityOfAnOrdinaryUserIsEnoughAndIsGivenUp(t *testing.T) {
	needRoot(t)
	binary := publicSelf(t)
	credential := &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: 1234, Gid: 1234},
		AmbientCaps: []uintptr{unix.CAP_NET_RAW},
	}
	open := exec.Command(binary)
	open.SysProcAttr = credential
	var r result
	if err := json.Unmarshal([]byte(startProcess(t, open, []string{helperEnv + "=open", "IFACE=lo"}).expect("result")), &r); err != nil || r.Error != "" {
		t.Errorf("CAP_NET_RAW is not enough: %+v %v", r, err)
	}

	drop := exec.Command(binary)
	drop.SysProcAttr = credential
	p := startProcess(t, drop, []string{helperEnv + "=drop"})
	var lines []string
	for line := range p.lines {
		lines = append(lines, line)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("%v %s", err, p.err.String())
	}
	last := lines[len(lines)-1]
	if linkedWithCgo() {
		if !strings.HasPrefix(last, "refused live capture: cannot drop privileges: verify: thread ") {
			t.Errorf("with cgo the threads keep the capability, which must be an error: %q", lines)
		}
		return
	}
	if last != "dropped cgo false" {
		t.Fatalf("%q", lines)
	}
	for _, line := range lines[:len(lines)-1] {
		if !strings.Contains(line, noCaps) || !strings.HasSuffix(line, "NoNewPrivs: 1") || !strings.Contains(line, "Uid: 1234 1234 1234 1234; ") {
			t.Error(line)
		}
	}
}

func TestWithoutTheCapabilityTheErrorSaysWhatToDo(t *testing.T) {
	needRoot(t)
	cmd := exec.Command(publicSelf(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 1234}}
	var r result
	if err := json.Unmarshal([]byte(startProcess(t, cmd, []string{helperEnv + "=open", "IFACE=lo"}).expect("result")), &r); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Is, []string{"permission"}) || !strings.Contains(r.Hint, "setcap cap_net_raw+ep") ||
		r.Error != "live capture on lo: no right to capture: open a packet socket: operation not permitted" {
		t.Errorf("%+v", r)
	}
}
