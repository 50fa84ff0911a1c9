// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
)

func TestWhatTheConsoleSignsWithFollowsFromItsSettings(t *testing.T) {
	b, err := bus.Open(t.Context(), bus.Default(), bus.Deps{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	made := func(change func(*settings)) (*platform, error) {
		set := defaults()
		change(&set)
		p := &platform{set: set, bus: b, log: slog.New(slog.DiscardHandler)}
		o, err := p.orders(t.Context())
		if o != nil {
			t.Errorf("it signs with %+v", o)
		}
		return p, err
	}
	if p, err := made(func(*settings) {}); err != nil || p.reached() {
		t.Errorf("a bus that nobody else reaches: %v", err)
	}
	if p, err := made(func(s *settings) { s.Bus.Hub = "tls://hub.example:7422" }); err != nil || p.reached() {
		t.Errorf("a site with a hub: %v", err)
	}
	if p, err := made(func(s *settings) { s.Bus.Listen = "127.0.0.1:4222" }); err != nil || !p.reached() {
		t.Errorf("a bus that others reach, and nothing to sign with: %v", err)
	}
	var f *config.FieldError
	_, err = made(func(s *settings) {
		s.Bus.URL = "nats://127.0.0.1:4222"
		s.Console.Trust.CAFile = "/nowhere/ca.pem"
	})
	if !errors.As(err, &f) || !strings.HasPrefix(f.Field, "console.trust.") || f.Hint == "" {
		t.Errorf("a file that is not there: %v", err)
	}
}
