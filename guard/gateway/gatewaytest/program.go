// SPDX-License-Identifier: Apache-2.0

package gatewaytest

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/porttest"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

// Patience is how long a peer or a condition is waited for before a test fails.
const Patience = identitytest.Patience

// Need skips the test where a real peer is missing.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("peer missing: %s", p)
		}
	}
}

// Until waits for a condition.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	identitytest.Wait(t, what, ok)
}

// FreePort returns a port of the loopback on which nobody listens, and which nobody is given who asks for any.
func FreePort(t testing.TB) string {
	t.Helper()
	port, err := porttest.Free()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}

// Run runs a peer to its end, and returns what it said. The error is its exit code.
func Run(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	Need(t, name)
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput() //nolint:gosec // a test's peer
	return string(out), err
}

// Output collects what a program says, or a log. It may be written and read at the same time.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String is all that was written.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Program is a peer that runs.
type Program struct {
	t     testing.TB
	name  string
	cmd   *exec.Cmd
	out   Output
	ended chan struct{}
}

// Start runs a peer in a directory until the test ends, or Stop.
func Start(t testing.TB, dir, name string, args ...string) *Program {
	t.Helper()
	Need(t, name)
	p := &Program{t: t, name: name, cmd: exec.Command(name, args...), ended: make(chan struct{})} //nolint:gosec // a test's peer
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, &p.out, &p.out
	p.cmd.WaitDelay = time.Second // children of it may hold its output
	grouped(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			said := p.Said()
			t.Logf("%s said:\n%s", name, said[max(0, len(said)-4000):])
		}
	})
	return p
}

// Said is what the program has said so far.
func (p *Program) Said() string { return p.out.String() }

// Stop kills the program, and what it forked, and waits until it is gone.
func (p *Program) Stop() {
	killGroup(p.cmd)
	<-p.ended
}

// Ended is closed when the program has ended.
func (p *Program) Ended() <-chan struct{} { return p.ended }

// Listening waits until the program listens on a port of the loopback.
func (p *Program) Listening(port string) *Program {
	p.t.Helper()
	p.until("to listen on "+port, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
	return p
}

// until waits for something of the program, which must not end before.
func (p *Program) until(what string, ok func() bool) {
	p.t.Helper()
	Until(p.t, p.name+" "+what, func() bool {
		select {
		case <-p.ended:
			p.t.Fatalf("%s ended before it came %s:\n%s", p.name, what, p.Said())
		default:
		}
		return ok()
	})
}
