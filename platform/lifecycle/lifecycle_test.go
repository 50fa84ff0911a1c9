// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

func TestRoomsStopInTheReverseOrderOfTheirStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var stopped []string
		room := func(name string) Room {
			return Room{Name: name, Run: func(ctx context.Context) error {
				<-ctx.Done()
				mu.Lock()
				defer mu.Unlock()
				stopped = append(stopped, name)
				return nil
			}}
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := Run(ctx, quiet, room("bus"), room("recorder"), room("sensor")); err != nil {
			t.Fatal(err)
		}
		if want := []string{"sensor", "recorder", "bus"}; !slices.Equal(stopped, want) {
			t.Errorf("stopped %v, want %v", stopped, want)
		}
	})
}

func TestARoomThatEndsEndsAllAndIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("the port is taken")
		drained := false
		err := Run(t.Context(), quiet,
			Room{Name: "recorder", Run: func(ctx context.Context) error { <-ctx.Done(); drained = true; return nil }},
			Room{Name: "console", Run: func(context.Context) error { return broken }})
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "console: ") {
			t.Errorf("error %v", err)
		}
		if !drained {
			t.Error("the other room was not stopped")
		}
		err = Run(t.Context(), quiet, Room{Name: "console", Run: func(context.Context) error { return nil }})
		if err == nil || !strings.Contains(err.Error(), "ended by itself") {
			t.Errorf("a room that ends without an error: %v", err)
		}
	})
}

func TestARoomThatDoesNotStopIsGivenUpAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		defer close(never)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := Run(ctx, quiet, Room{Name: "sensor", Drain: 3 * time.Second, Run: func(context.Context) error { <-never; return nil }})
		var stuck *StuckError
		if !errors.As(err, &stuck) || stuck.Room != "sensor" || stuck.After != 3*time.Second {
			t.Errorf("error %v", err)
		}
	})
}

func TestReadinessAsksEachRoom(t *testing.T) {
	away := errors.New("the database is away")
	got := Readiness(t.Context(), []Room{
		{Name: "a"},
		{Name: "b", Ready: func(context.Context) error { return away }},
		{Name: "c", Ready: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	})
	if got["a"] != nil || !errors.Is(got["b"], away) || !errors.Is(got["c"], context.DeadlineExceeded) {
		t.Errorf("%v", got)
	}
}

func TestSystemdIsToldWhenReadyAndWhenStopping(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "200000")
	if err := l.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	next := func() string {
		b := make([]byte, 4096)
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, quiet, Room{Name: "x", Run: func(ctx context.Context) error { <-ctx.Done(); return nil }})
	}()
	if got := next(); got != "READY=1" {
		t.Errorf("first %q", got)
	}
	for range 2 {
		if got := next(); !strings.HasPrefix(got, "WATCHDOG=1\nSTATUS=running") {
			t.Errorf("then %q", got)
		}
	}
	cancel()
	for next() != "STOPPING=1" {
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
