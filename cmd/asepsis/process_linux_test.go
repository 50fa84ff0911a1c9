// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/asepsis/asepsis/platform/porttest"
)

// program is a process of its own: asepsis, or a peer. It does not outlive the
// test, however that ends.
type program struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	said *spoken // its standard error
	out  *spoken // and output
	done chan struct{}
	err  error // after done
}

// programNamed returns the test binary under a name by which it is another program: see
// TestMain. Everybody may run it.
func programNamed(t *testing.T, name string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // other accounts start it, too
		t.Fatal(err)
	}
	file := filepath.Join(dir, name)
	if err := os.Symlink(exe, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// programForOthers is the test binary where other accounts may start it: the
// directory in which go test builds is its own alone.
func programForOthers(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // other accounts start it
		t.Fatal(err)
	}
	file := filepath.Join(dir, "asepsis")
	to, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755) //nolint:gosec // other accounts start it
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}

// shortDir is a directory that only this account reads, with a path short enough
// for Unix sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "asp-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// launch starts a program.
func launch(t *testing.T, bin string, change func(*exec.Cmd), args ...string) *program {
	t.Helper()
	p := &program{t: t, name: filepath.Base(bin) + " " + strings.Join(args, " "), said: newSpoken(), out: newSpoken(), done: make(chan struct{})}
	p.cmd = exec.Command(bin, args...)
	p.cmd.Env = append(os.Environ(), "HOME="+os.TempDir(), "NOTIFY_SOCKET=", "XDG_DATA_HOME=")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.said
	p.cmd.WaitDelay = 5 * time.Second
	if change != nil {
		change(p.cmd)
	}
	started := make(chan error, 1)
	go func() {
		// PR_SET_PDEATHSIG(2const): the signal comes when the thread ends that started the program, not the process. A
		// goroutine that ends while it is locked to its thread takes the thread with it, so this one is kept for as long as
		// the program runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", p.name, tail(p.said.String(), 6000))
		}
	})
	return p
}

func TestAProgramDoesNotEndWithTheThreadThatStartedIt(t *testing.T) {
	p := launch(t, "sleep", nil, "600")
	threads := func() int {
		all, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	const many = 64 // more than wait for something to do
	release := make(chan struct{})
	var held sync.WaitGroup
	for range many {
		held.Add(1)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			held.Done()
			<-release
		}()
	}
	held.Wait()
	most := threads()
	close(release)
	eventually(t, "the threads have ended", func() bool { return threads() <= most-many/2 })
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	<-p.done
	if s := p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(); s != syscall.SIGTERM {
		t.Errorf("it was ended by %v", s)
	}
}

func tail(s string, n int) string {
	if len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}

// kill is kill -9.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop asks the program to end and returns its exit code.
func (p *program) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	return p.code(60 * time.Second)
}

// code waits for the end of the program.
func (p *program) code(most time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(most):
		p.t.Fatalf("%s did not end within %s", p.name, most)
		return -1
	}
}

// line waits for a line of standard error that has a text in it and returns it.
func (p *program) line(text string) string {
	p.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		more := p.said.wait()
		all := p.said.String()
		if i := strings.Index(all, text); i >= 0 {
			if end := strings.IndexByte(all[i:], '\n'); end >= 0 {
				return strings.TrimSpace(all[strings.LastIndexByte(all[:i], '\n')+1 : i+end])
			}
		}
		select {
		case <-more:
		case <-p.done:
			if !strings.Contains(p.said.String(), text) {
				p.t.Fatalf("%s ended with %v before it said %q", p.name, p.err, text)
			}
		case <-deadline:
			p.t.Fatalf("%s did not say %q", p.name, text)
		}
	}
}

// spoken keeps what a program writes.
type spoken struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{} // closed when there is more
}

func newSpoken() *spoken { return &spoken{more: make(chan struct{})} }

func (s *spoken) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.more)
	s.more = make(chan struct{})
	return s.b.Write(b)
}

func (s *spoken) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.more
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	eventuallyIn(t, 60*time.Second, what, f)
}

func eventuallyIn(t *testing.T, most time.Duration, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(most); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", most, what)
		}
	}
}

// freePort is a port of the loopback on which nobody listens, and which nobody is given who asks for any.
func freePort(t *testing.T) string {
	t.Helper()
	port, err := porttest.Free()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// write makes a file that only this account reads.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// natsServer runs nothing of ours: nats-server as anybody would, as a process.
func natsServer() {
	dir, addr := os.Args[1], os.Args[2]
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		panic(err)
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		panic(err)
	}
	srv, err := server.NewServer(&server.Options{ServerName: "external", Host: host, Port: n, JetStream: true, StoreDir: dir, SyncInterval: time.Second})
	if err != nil {
		panic(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, "ready for connections")
	srv.WaitForShutdown()
}

// house is an asepsis with a console, and somebody who is logged in to it.
type house struct {
	*program
	url    string
	link   string // of the first start, "" after it
	http   *http.Client
	cookie string
	csrf   string
}

const somePassword = "violet anchor tumbles 7"

// at finds the console of a program that was started.
func at(p *program, certificate string) *house {
	p.t.Helper()
	_, addr, _ := strings.Cut(p.line("Asepsis is at "), "Asepsis is at ")
	h := &house{program: p, url: addr}
	p.line("made itself.")
	if i := strings.Index(p.said.String(), "/setup#token="); i >= 0 {
		h.link = strings.Fields(p.said.String()[i+len("/setup#token="):])[0]
	}
	pem, err := os.ReadFile(certificate)
	if err != nil {
		p.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true}
	p.t.Cleanup(tr.CloseIdleConnections)
	h.http = &http.Client{Transport: tr, Timeout: 30 * time.Second}
	return h
}

// answer is what the API answered.
type answer struct {
	status int
	head   http.Header
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// try asks the API; err says that there was no answer.
func (h *house) try(method, path string, body any) (answer, error) {
	var r io.Reader = http.NoBody
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, h.url+path, r)
	if err != nil {
		return answer{}, err
	}
	h.sign(req)
	resp, err := h.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, b}, err
}

// sign shows who asks.
func (h *house) sign(req *http.Request) {
	if req.Method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Origin", h.url)
		req.Header.Set("X-CSRF-Token", h.csrf)
	}
	if h.cookie != "" {
		req.Header.Set("Cookie", h.cookie)
	}
}

// ask asks the API, which answers with this status.
func (h *house) ask(method, path string, body any, status int) answer {
	h.t.Helper()
	a, err := h.try(method, path, body)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status != status {
		h.t.Fatalf("%s %s: %s, want %d", method, path, a, status)
	}
	return a
}

// get asks for JSON and decodes it into a T.
func get[T any](h *house, path string) T {
	h.t.Helper()
	return decode[T](h.t, h.ask(http.MethodGet, "/api/v1"+path, nil, 200))
}

func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(a.body, &out); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return out
}

// events counts what is stored of a sensor, "" for all, now.
func (h *house) events(sensor string) int {
	h.t.Helper()
	n := 0
	for _, v := range get[struct {
		Values []struct {
			Value string
			Count int
		}
	}](h, "/events/top?field=sensor&limit=100").Values {
		if sensor == "" || v.Value == sensor {
			n += v.Count
		}
	}
	return n
}

// setUp makes the first account and is logged in with it.
func (h *house) setUp() {
	h.t.Helper()
	if h.link == "" {
		h.t.Fatal("no link for the first account was printed")
	}
	token, err := url.QueryUnescape(h.link)
	if err != nil {
		h.t.Fatal(err)
	}
	h.loggedIn(h.ask(http.MethodPost, "/api/v1/setup", map[string]string{"token": token, "name": "ada", "display_name": "Ada Example", "password": somePassword}, 200))
}

// logIn is for a server that has the account already.
func (h *house) logIn() {
	h.t.Helper()
	a, err := h.try(http.MethodPost, "/api/v1/session", map[string]string{"name": "ada", "password": somePassword})
	if err != nil || a.status/100 != 2 {
		h.t.Fatalf("log in: %s %v", a, err)
	}
	h.loggedIn(a)
}

func (h *house) loggedIn(a answer) {
	h.t.Helper()
	h.csrf = decode[struct{ CSRF string }](h.t, a).CSRF
	h.cookie, _, _ = strings.Cut(a.head.Get("Set-Cookie"), ";")
	if h.csrf == "" || h.cookie == "" {
		h.t.Fatalf("the answer to a log-in has no session: %s", a)
	}
}

// status is what the tests read of GET /status.
type status struct {
	State      string  `json:"state"`
	Sentence   string  `json:"sentence"`
	Demo       bool    `json:"demo"`
	Lag        float64 `json:"lag_seconds"`
	Lost       uint64  `json:"lost_events"`
	Components []struct{ Name, State, Sentence string }
}

// of returns what the status says about a part.
func (s status) of(name string) string {
	for _, c := range s.Components {
		if c.Name == name {
			return c.State + ": " + c.Sentence
		}
	}
	return ""
}

// problemOf is a refusal as the API words it.
type problemOf struct{ Title, Detail, Hint string }

// programs are what the test binary is when it is called by their names.
func programs() map[string]func() {
	return map[string]func(){"asepsis": main, "nats-server": natsServer}
}
