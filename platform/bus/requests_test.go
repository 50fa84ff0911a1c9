// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/record"
)

func mustEncode(t testing.TB, e *event.Event) []byte {
	t.Helper()
	data, err := record.Encode(nil, e)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func secretFile(t testing.TB, secret string) config.SecretFile {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.SecretFile(name)
}

func TestARequestIsAnsweredAndErrorsTravelWithTheirKind(t *testing.T) {
	b := open(t, nil)
	gone := &Error{Kind: "gone"}
	stop, err := b.Serve("devices.get", func(ctx context.Context, body []byte) ([]byte, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the handler has no deadline")
		}
		switch string(body) {
		case "gone":
			return nil, fmt.Errorf("device x: %w", &Error{Kind: "gone", Text: "was retired", Help: "ask for y"})
		case "plain":
			return nil, config.Invalid("f", "do that", "is wrong")
		case "panic":
			panic("no")
		case "large":
			return make([]byte, MaxBody+1), nil
		}
		return append([]byte("got "), body...), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if out, err := b.Ask(ctx, "devices.get", []byte("x")); err != nil || string(out) != "got x" {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := b.Ask(ctx, "devices.get", bytes.Repeat([]byte("x"), MaxBody-4)); err != nil || len(out) != MaxBody {
		t.Errorf("the largest: %d bytes, %v", len(out), err)
	}
	for _, c := range []struct {
		ask, text, hint string
		kind            error
	}{
		{"gone", "device x: was retired", "ask for y", gone},
		{"plain", "is wrong", "", ErrInternal},
		{"panic", "internal error", "", ErrInternal},
		{"large", "too large", "", ErrTooLarge},
	} {
		_, err := b.Ask(ctx, "devices.get", []byte(c.ask))
		var e *Error
		if !errors.Is(err, c.kind) || !errors.As(err, &e) || !strings.Contains(e.Text, c.text) || c.hint != "" && e.Hint() != c.hint {
			t.Errorf("%s: %#v", c.ask, err)
		}
	}
	if _, err := b.Ask(ctx, "devices.get", make([]byte, MaxBody+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a request too large: %v", err)
	}
	stop()
	stop()
	if _, err := b.Ask(ctx, "devices.get", nil); !errors.Is(err, ErrNobody) {
		t.Errorf("after stop: %v", err)
	}
	if _, err := b.Ask(ctx, "a.*", nil); err == nil {
		t.Error("a wildcard was taken for a subject")
	}
}

func TestTheHandlerKnowsWhenNobodyWaitsAnyLonger(t *testing.T) {
	b := open(t, nil)
	ended := make(chan struct{})
	if _, err := b.Serve("slow", func(ctx context.Context, _ []byte) ([]byte, error) {
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := b.Ask(ctx, "slow", nil); err == nil {
		t.Error("answered")
	}
	<-ended
}

func TestNoticesReachAllThatListen(t *testing.T) {
	b := open(t, nil)
	heard := make(chan string, 4)
	for range 2 {
		stop, err := b.Listen("theatres.changed", func(body []byte) { heard <- string(body) })
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
	}
	if err := b.Tell("theatres.changed", []byte("or-3")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if s := <-heard; s != "or-3" {
			t.Errorf("heard %q", s)
		}
	}
}

func TestTheLatestReportOfEachNameIsKept(t *testing.T) {
	dir := t.TempDir()
	b := openIn(t, dir, nil)
	ctx := context.Background()
	for _, r := range [][2]string{{"or-3 span", "1"}, {"or.4/ä*>", "2"}, {"", "3"}, {"or-3 span", "4"}} {
		if err := b.Report(ctx, "sensor", r[0], []byte(r[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Report(ctx, "role", "or-3 span", nil); err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	b = openIn(t, dir, nil)
	show := func() string {
		list, err := b.Reports(ctx, "sensor")
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, r := range list {
			if time.Since(r.At) > time.Hour {
				t.Errorf("stored at %v", r.At)
			}
			fmt.Fprintf(&out, "%s=%s;", r.Name, r.Body)
		}
		return out.String()
	}
	if got, want := show(), "or.4/ä*>=2;=3;or-3 span=4;"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for range 2 {
		if err := b.Forget(ctx, "sensor", "or.4/ä*>"); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := show(), "=3;or-3 span=4;"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if list, err := b.Reports(ctx, "none"); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if err := b.Report(ctx, "sensor", "x", make([]byte, MaxReport+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}
