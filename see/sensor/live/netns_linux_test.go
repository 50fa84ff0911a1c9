// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/wire/capture"
)

// patience is how long a test waits for something that must come.
const patience = 30 * time.Second

var labCount atomic.Int32

// lab is a switch in one network namespace and three hosts in others: a and b
// talk, s is where the sensor listens. The switch learns no address, so each
// port gets each frame, like a mirror port.
type lab struct {
	t      *testing.T
	prefix string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	needRoot(t)
	for _, tool := range []string{"ip", "sysctl", "tcpdump", "ping", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("skipped: peer %s is not installed", tool)
		}
	}
	l := &lab{t: t, prefix: fmt.Sprintf("asp-live-%d-%d-", os.Getpid(), labCount.Add(1))}
	if out, err := exec.Command("ip", "netns", "add", l.prefix+"sw").CombinedOutput(); err != nil {
		t.Skipf("skipped: no right to make network namespaces: %s", out)
	}
	t.Cleanup(func() {
		for _, ns := range []string{"a", "b", "s", "sw"} {
			_ = exec.Command("ip", "netns", "del", l.prefix+ns).Run()
		}
	})
	if out, err := exec.Command("ip", "-n", l.prefix+"sw", "link", "add", "br0", "type", "bridge", "ageing_time", "0", "forward_delay", "0", "mcast_snooping", "0").CombinedOutput(); err != nil {
		t.Skipf("skipped: the kernel has no bridge: %s", out)
	}
	l.quiet("sw")
	l.ip("sw", "link", "set", "br0", "up")
	for i, host := range []string{"a", "b", "s"} {
		l.must("ip", "netns", "add", l.prefix+host)
		l.quiet(host)
		l.must("ip", "-n", l.prefix+"sw", "link", "add", "to-"+host, "type", "veth", "peer", "name", host+"0", "netns", l.prefix+host)
		l.ip("sw", "link", "set", "to-"+host, "master", "br0", "up")
		l.ip(host, "link", "set", "lo", "up")
		if host != "s" {
			l.ip(host, "addr", "add", fmt.Sprintf("10.9.0.%d/24", i+1), "dev", host+"0")
		}
		l.ip(host, "link", "set", host+"0", "up")
	}
	return l
}

// quiet keeps the kernel of a namespace from speaking on its own.
func (l *lab) quiet(ns string) {
	l.must("ip", "netns", "exec", l.prefix+ns, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
}

func (l *lab) ip(ns string, args ...string) {
	l.t.Helper()
	l.must("ip", append([]string{"-n", l.prefix + ns}, args...)...)
}

func (l *lab) must(name string, args ...string) []byte {
	l.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// in runs a command to its end within a namespace.
func (l *lab) in(ns string, args ...string) []byte {
	l.t.Helper()
	return l.must("ip", append([]string{"netns", "exec", l.prefix + ns}, args...)...)
}

// process is a child that is talked to by lines.
type process struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // closed at the end of its output
	err   bytes.Buffer
}

func (l *lab) start(ns string, env []string, args ...string) *process {
	l.t.Helper()
	return startProcess(l.t, exec.Command("ip", append([]string{"netns", "exec", l.prefix + ns}, args...)...), env)
}

func startProcess(t *testing.T, cmd *exec.Cmd, env []string) *process {
	t.Helper()
	p := &process{t: t, name: strings.Join(cmd.Args, " "), cmd: cmd, lines: make(chan string, 1000)}
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = &p.err
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.in = in
	go func() {
		defer close(p.lines)
		scan := bufio.NewScanner(out)
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			p.lines <- scan.Text()
		}
	}()
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		for range p.lines {
		}
		_ = cmd.Wait()
	})
	return p
}

// expect returns the rest of the next line that begins with word.
func (p *process) expect(word string) string {
	p.t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				_ = p.cmd.Wait()
				p.t.Fatalf("%s ended without %q: %s", p.name, word, p.err.String())
			}
			if rest, ok := strings.CutPrefix(line, word); ok {
				return strings.TrimSpace(rest)
			}
		case <-late:
			p.t.Fatalf("%s never said %q", p.name, word)
		}
	}
}

func (p *process) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// sensor is a child that captures with this package.
type sensor struct {
	*process
	file string
}

// result is what a sensor reports when it ends.
type result struct {
	Received, Dropped, Freezes uint64
	Sources                    []capture.Stats
	Error, Hint                string
	Is                         []string
}

func (l *lab) sense(ns string, cfg Config, options ...string) *sensor {
	l.t.Helper()
	s := l.senseOnly(ns, cfg, options...)
	s.expect("ready")
	return s
}

func (l *lab) senseOnly(ns string, cfg Config, options ...string) *sensor {
	l.t.Helper()
	file := l.t.TempDir() + "/out.pcapng"
	b, err := json.Marshal(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	p := l.start(ns, []string{helperEnv + "=capture", "CONFIG=" + string(b), "OUT=" + file, "OPTIONS=" + strings.Join(options, " ")}, self(l.t))
	return &sensor{p, file}
}

// stop ends the sensor's context and returns what it saw.
func (s *sensor) stop() (result, []capture.Frame) {
	s.t.Helper()
	s.in.Close()
	return s.finish()
}

func (s *sensor) finish() (result, []capture.Frame) {
	s.t.Helper()
	var r result
	if err := json.Unmarshal([]byte(s.expect("result")), &r); err != nil {
		s.t.Fatal(err)
	}
	for range s.lines {
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Fatalf("%v: %s", err, s.err.String())
	}
	f, err := os.Open(s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	return r, readFrames(s.t, f, "")
}

// readFrames reads a capture to its end, or up to a marker.
func readFrames(t *testing.T, r io.Reader, marker string) (frames []capture.Frame) {
	t.Helper()
	src, err := capture.NewReader(r, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var f capture.Frame
	for {
		err := src.Next(&f)
		if err == io.EOF {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		if f.Tick {
			continue
		}
		f.Data = bytes.Clone(f.Data)
		frames = append(frames, f)
		if marker != "" && markerOf(f.Data) == marker {
			return frames
		}
	}
}

// dump is a tcpdump in a namespace, whose output is read until a marker.
type dump struct {
	frames chan []capture.Frame
}

func (l *lab) tcpdump(ns, iface string) *dump {
	l.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", l.prefix+ns, "tcpdump", "-i", iface, "-n", "-U", "--immediate-mode", "--time-stamp-precision=nano", "-w", "-")
	out, err := cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	d := &dump{frames: make(chan []capture.Frame, 1)}
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "listening on") {
			go func() {
				defer close(d.frames)
				d.frames <- readFrames(l.t, out, "end")
			}()
			return d
		}
	}
	l.t.Fatalf("tcpdump did not start on %s", iface)
	return nil
}

func (d *dump) untilEnd(t *testing.T) []capture.Frame {
	t.Helper()
	select {
	case frames := <-d.frames:
		return frames
	case <-time.After(patience):
		t.Fatal("tcpdump did not see the end")
		return nil
	}
}

// between cuts frames to those after the marker "begin" and before "end".
func between(t *testing.T, frames []capture.Frame) []capture.Frame {
	t.Helper()
	begin, end := -1, -1
	for i, f := range frames {
		switch markerOf(f.Data) {
		case "begin":
			begin = i
		case "end":
			end = i
		}
	}
	if begin < 0 || end < begin {
		t.Fatalf("markers at %d and %d of %d frames", begin, end, len(frames))
	}
	return frames[begin+1 : end]
}
