// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/platform/porttest"
)

// unused returns a port on which nobody listens, and which stays free while a server is away.
func unused(t testing.TB) int {
	t.Helper()
	port, err := porttest.Free()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func patientAt(t *testing.T, url string) *Bus {
	t.Helper()
	cfg := Default()
	cfg.URL = url
	b, err := Open(t.Context(), cfg, Deps{Log: logger(t), Patient: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestAPatientBusBeginsBeforeItsServerDoes(t *testing.T) {
	port := unused(t)
	b := patientAt(t, fmt.Sprintf("nats://127.0.0.1:%d", port))
	stop, err := b.Serve("echo", func(_ context.Context, body []byte) ([]byte, error) { return body, nil })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	heard := make(chan string, 16)
	deaf, err := b.Listen("news", func(body []byte) { heard <- string(body) })
	if err != nil {
		t.Fatal(err)
	}
	defer deaf()
	p := b.NewPublisher("gateway", PublisherOptions{})
	end := running(t, p)
	for i := range 500 {
		p.Emit(numbered(0, i))
	}
	_, asked := b.Ask(t.Context(), "echo", nil)
	_, listed := b.Reports(t.Context(), "sensor")
	for what, err := range map[string]error{
		"a report": b.Report(t.Context(), "sensor", "s", []byte("{}")), "reports": listed, "forgetting": b.Forget(t.Context(), "sensor", "s"),
		"a request": asked, "a check": b.Check(t.Context()),
	} {
		if !errors.Is(err, ErrAway) {
			t.Errorf("%s while the server was never there: %v", what, err)
		}
	}
	if s, err := b.Stats(t.Context()); err == nil || s.Connected {
		t.Errorf("%+v, %v", s, err)
	}

	natsServer(t, t.TempDir(), port)
	until(t, "a report is taken", func() bool { return b.Report(t.Context(), "sensor", "s", []byte("{}")) == nil })
	if err := b.Check(t.Context()); err != nil {
		t.Error(err)
	}
	other := openIn(t, "", func(c *Config) { c.URL = b.cfg.URL })
	if got, err := other.Ask(t.Context(), "echo", []byte("hello")); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if err := other.Tell("news", []byte("a case began")); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "a case began" {
		t.Errorf("%q was heard", got)
	}
	read, _ := reading(t, other, 0)
	until(t, "what waited is read", func() bool { return read.count() == 500 })
	read.wantNumbers(t, 1, 500)
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestAPatientBusEndsThoughItsServerNeverCame(t *testing.T) {
	b := patientAt(t, fmt.Sprintf("nats://127.0.0.1:%d", unused(t)))
	if _, err := b.Serve("echo", func(_ context.Context, body []byte) ([]byte, error) { return body, nil }); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestAPatientBusIsNotPatientWithAServerThatRefusesIt(t *testing.T) {
	_, url, _ := natsServer(t, t.TempDir(), 0)
	cfg := Default()
	cfg.URL = strings.Replace(url, "nats://", "tls://", 1) // it speaks no TLS
	b, err := Open(t.Context(), cfg, Deps{Log: logger(t), Patient: true})
	if err == nil {
		b.Close()
	}
	var e *Error
	if !errors.As(err, &e) || e.Kind != "refused" || e.Hint() == "" {
		t.Errorf("%v", err)
	}
}
