// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/record"
)

// The environment of a process that is this test binary run again, as a real
// server that can be killed.
const (
	runServer = "ASEPSIS_TEST_NATS" // a plain NATS server: its directory and port
	runBus    = "ASEPSIS_TEST_BUS"  // a Bus with this Config in JSON, in the directory in runDir
	runDir    = "ASEPSIS_TEST_DIR"
)

func TestMain(m *testing.M) {
	if os.Getenv(runServer)+os.Getenv(runBus) != "" {
		go func() { // a server does not outlive the test, however that ends
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}()
	}
	switch {
	case os.Getenv(runServer) != "":
		os.Exit(serverMain(os.Getenv(runServer)))
	case os.Getenv(runBus) != "":
		os.Exit(busMain(os.Getenv(runBus), os.Getenv(runDir)))
	}
	os.Exit(m.Run())
}

// serverMain runs nothing of ours: nats-server as anybody would, alone, or, with
// three more parts in its spec, as a member of a cluster: its name, its port for the
// others, and theirs.
func serverMain(spec string) int {
	part := strings.Split(spec, "|")
	n, _ := strconv.Atoi(part[1])
	o := &server.Options{ServerName: "external", Host: "127.0.0.1", Port: n, JetStream: true, StoreDir: part[0], NoSigs: true, SyncInterval: time.Second}
	if len(part) == 5 {
		o.ServerName = part[2]
		o.Cluster.Name, o.Cluster.Host = "hospital", "127.0.0.1"
		o.Cluster.Port, _ = strconv.Atoi(part[3])
		o.Routes = server.RoutesFromStr(part[4])
	}
	srv, err := server.NewServer(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		return 1
	}
	fmt.Println("ready", srv.Addr().(*net.TCPAddr).Port)
	srv.WaitForShutdown()
	return 0
}

func busMain(spec, dir string) int {
	cfg := Default()
	if err := json.Unmarshal([]byte(spec), &cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	deps := Deps{Dir: dir}
	if os.Getenv("ASEPSIS_TEST_VERBOSE") != "" {
		deps.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	b, err := Open(context.Background(), cfg, deps)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	listen, leaf := b.Addrs()
	fmt.Println("ready", listen, leaf)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	_ = b.Close()
	return 0
}

// process is a server in a process of its own.
type process struct {
	cmd   *exec.Cmd
	ready []string // what it said when it was ready
}

// spawn runs the test binary again and waits until it is ready.
func spawn(t testing.TB, env ...string) *process {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), env...)
	c.Stderr = os.Stderr
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: c}
	t.Cleanup(p.kill)
	s := bufio.NewScanner(out)
	for s.Scan() {
		if rest, ok := strings.CutPrefix(s.Text(), "ready"); ok {
			p.ready = strings.Fields(rest)
			return p
		}
	}
	t.Fatal("the server did not start")
	return nil
}

// kill is kill -9.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

func natsServer(t testing.TB, dir string, port int) (p *process, url string, at int) {
	t.Helper()
	if port == 0 {
		port = unused(t)
	}
	p = spawn(t, fmt.Sprintf("%s=%s|%d", runServer, dir, port))
	at, err := strconv.Atoi(p.ready[0])
	if err != nil {
		t.Fatal(err)
	}
	return p, "nats://127.0.0.1:" + p.ready[0], at
}

// testLog gives what is logged to the test while it runs.
type testLog struct {
	t    testing.TB
	mu   sync.Mutex
	done bool
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.done {
		l.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

func logger(t testing.TB) *slog.Logger {
	l := &testLog{t: t}
	t.Cleanup(func() { l.mu.Lock(); l.done = true; l.mu.Unlock() })
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: logLevel()}))
}

func logLevel() slog.Level {
	if os.Getenv("ASEPSIS_TEST_VERBOSE") != "" {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// open opens a bus and closes it with the test.
func open(t testing.TB, change func(*Config)) *Bus {
	t.Helper()
	return openIn(t, t.TempDir(), change)
}

func openIn(t testing.TB, dir string, change func(*Config)) *Bus {
	t.Helper()
	cfg := Default()
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	b, err := Open(ctx, cfg, Deps{Dir: dir, Log: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// until waits for a condition.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	end := time.Now().Add(60 * time.Second)
	for !cond() {
		if time.Now().After(end) {
			t.Fatalf("after a minute: not %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// numbered is an event that can be told from others.
func numbered(who, n int) *event.Event {
	return &event.Event{UID: fmt.Sprintf("%d-%d", who, n), Time: int64(n), Protocol: "test", Detail: &event.Application{Name: "test", Operation: "count",
		Attributes: []event.KV{{Name: "who", Value: strconv.Itoa(who)}, {Name: "number", Value: strconv.Itoa(n)}}}}
}

// running runs a publisher until stop, which returns what Run did.
func running(t testing.TB, p *Publisher) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// seen collects what a reader is given.
type seen struct {
	mu      sync.Mutex
	uids    []string
	batches []Batch
	missing uint64
	events  uint64 // missing
	lost    uint64
}

func (s *seen) handle(_ context.Context, b Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing += b.Missing
	s.events += b.MissingEvents
	s.lost = max(s.lost, b.Lost)
	for _, d := range b.Events {
		e, err := record.Decode(d)
		if err != nil {
			return err
		}
		s.uids = append(s.uids, e.UID)
	}
	b.Events = nil
	s.batches = append(s.batches, b)
	return nil
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uids)
}

// reading reads until the test ends.
func reading(t testing.TB, b *Bus, after uint64) (*seen, func()) {
	s := &seen{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Read(ctx, after, s.handle) }()
	var once sync.Once
	stop := func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(stop)
	return s, stop
}

// wantNumbers checks that each of n events of each of several sources came
// once, those of one source in order.
func (s *seen) wantNumbers(t testing.TB, sources, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make([]int, sources)
	for i, uid := range s.uids {
		var who, number int
		if _, err := fmt.Sscanf(uid, "%d-%d", &who, &number); err != nil {
			t.Fatal(err)
		}
		if next[who] != number {
			t.Fatalf("event %d of all is number %d of source %d, want %d", i, number, who, next[who])
		}
		next[who]++
	}
	for who, got := range next {
		if got != n {
			t.Errorf("%d events of source %d, want %d", got, who, n)
		}
	}
}
