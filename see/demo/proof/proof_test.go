// SPDX-License-Identifier: Apache-2.0

package proof_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/see/demo"
	"github.com/asepsis/asepsis/see/demo/proof"
)

// The demo's cases are told whole, each once, and its devices have certificates.
func TestTheDemosCasesAreInTheLedger(t *testing.T) {
	cfg := ledger.Default()
	cfg.Dir, cfg.Reserve = t.TempDir(), 0
	l, err := ledger.New(cfg, ledger.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	salts, err := ledger.OpenSalts(filepath.Join(t.TempDir(), "salts"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = salts.Close() }()
	ca := identitytest.New(t, identitytest.Options{Deps: func(d *identity.Deps) { d.Now = time.Now }})
	now := time.Now()
	day, err := demo.New(now)
	if err != nil {
		t.Fatal(err)
	}
	var devices []device.Device
	for i, c := range []device.Class{device.ClassPACS, device.ClassXRHeadset, device.ClassXRProcessor, device.ClassSurgicalTable, device.ClassSurgicalRobot, device.ClassInfusionPump} {
		for _, room := range []string{"OR-3", "OR-4"} {
			devices = append(devices, device.Device{ID: "dev-" + room + "-" + string(rune('a'+i)), Class: c, Theatre: room})
		}
	}
	var warned strings.Builder
	r := proof.New(proof.Deps{Day: day, Ledger: l, Records: ledger.NewRecords(l, salts, nil), Authority: ca.Authority, Log: slog.New(slog.NewTextHandler(&warned, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Devices: func(context.Context) ([]device.Device, error) { return devices, nil }})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- l.Run(ctx) }()
	go func() { done <- r.Run(ctx) }()

	// A case of the past has every step.
	at := now.Add(-5 * time.Hour)
	room := ""
	var since time.Time
	for _, x := range demo.Rooms() {
		if s, from := day.State(x.ID, at); s == theatre.InCase && at.Sub(from) > 5*time.Minute {
			room, since = x.ID, from
		}
	}
	if room == "" {
		t.Skip("at this hour no theatre of the demo has been in a case for long enough")
	}
	kinds := map[custody.Kind]int{}
	deadline := time.Now().Add(20 * time.Second)
	for len(kinds) < 5 && time.Now().Before(deadline) {
		clear(kinds)
		list, err := l.Find(t.Context(), ledger.Query{Theatre: room, From: since, To: since.Add(30 * time.Minute), Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			kinds[e.Statement.Kind()]++
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	want := map[custody.Kind]int{custody.Operation: 3, custody.Received: 1, custody.Altered: 1, custody.Forwarded: 1, custody.Displayed: 1}
	for k, n := range want {
		if kinds[k] < 1 || kinds[k] > n {
			t.Errorf("of the case in %s there are %d of %s, want %d\n%s", room, kinds[k], k, n, warned.String())
		}
	}
	certs, _, err := ca.List(t.Context(), identity.Filter{})
	if err != nil || len(certs) != len(devices) {
		t.Errorf("%d devices have certificates, want %d (%v)", len(certs), len(devices), err)
	}
}
