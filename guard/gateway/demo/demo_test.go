// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/service"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

func TestTheScannersPhantomsPassAndItsDocumentIsHeld(t *testing.T) {
	site := identitytest.New(t, identitytest.Options{})
	log := slog.New(slog.DiscardHandler)
	h, err := New(t.Context(), site.Authority, "or-1", log)
	if err != nil {
		t.Fatal(err)
	}
	cfg, data := service.Default(), t.TempDir()
	if err := h.Configure(&cfg, data); err != nil {
		t.Fatal(err)
	}
	if err := h.Configure(&cfg, data); err != nil {
		t.Fatalf("a second start: %v", err)
	}
	key, err := pseudonym.New([]byte(strings.Repeat("k", pseudonym.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := service.New(t.Context(), cfg, service.Deps{Data: data, Authority: site.Authority, Key: key, Site: "demo", Software: "asepsis/gateway test", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	rooms := append(s.Rooms(), lifecycle.Room{Name: "demo", Run: func(ctx context.Context) error {
		return h.Run(ctx, func() net.Addr { return nil })
	}})
	go func() { ended <- lifecycle.Run(ctx, log, rooms...) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	gatewaytest.Until(t, "it to listen", func() bool { return s.Addr(gateway.KindTLS) != nil })
	client, err := h.enrol(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.send(t.Context(), client, s.Addr(gateway.KindTLS).String(), 1); err != nil {
		t.Fatal(err)
	}
	list, err := s.Journal().List(t.Context(), instance.Query{})
	if err != nil || len(list) != perSeries+1 {
		t.Fatalf("%v: %d instances", err, len(list))
	}
	for i, r := range list {
		if want := map[bool]instance.State{true: instance.Quarantined, false: instance.Accepted}[i == 0]; r.State != want || want == instance.Accepted && r.Verdict != instance.Pass {
			t.Errorf("%d: %s, %s, %+v", r.Number, r.State, r.Verdict, r.Hits)
		}
	}
}
