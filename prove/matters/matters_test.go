// SPDX-License-Identifier: Apache-2.0

package matters_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/standing"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/prove/matters"
)

type authority struct{ list []finding.Finding }

func (a *authority) Findings(context.Context) ([]finding.Finding, error) { return a.list, nil }

func TestWhatIsWrongIsToldUntilItIsOver(t *testing.T) {
	st, err := sqlite.Open(t.Context(), sqlite.Config{Dir: filepath.Join(t.TempDir(), "store")}, sqlite.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	due := finding.Finding{Rule: "identity.renewal-overdue", Severity: finding.Medium, Title: "ct-1 has not renewed", Devices: []string{"ct-1"}, Attack: []string{}, Evidence: []string{"certificate 4f, dicom-node"}, First: 1, Last: 1}
	a := &authority{list: []finding.Finding{due}}
	r := matters.New(matters.Deps{Documents: st, Authority: a, Ledger: true, Log: slog.New(slog.DiscardHandler)})
	said := func() map[string]standing.Matter {
		t.Helper()
		all, err := standing.All(t.Context(), st)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]standing.Matter{}
		for _, l := range all {
			for _, m := range l.Matters {
				out[m.Rule+" "+m.Key] = m
			}
		}
		return out
	}
	tell := func(want int) {
		t.Helper()
		ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
		defer stop()
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		for ctx.Err() == nil && len(said()) != want {
			time.Sleep(time.Millisecond)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	r.Notice(ledger.Notice{Rule: "ledger-unwitnessed", Severity: finding.Medium, Title: "Entries wait", Room: "Safe to continue.", Hint: "Look.", Detail: "310 entries"})
	tell(2)
	got := said()
	if m, ok := got["identity.renewal-overdue 4f/medium"]; !ok || len(m.Playbook) == 0 || m.Last != 0 {
		t.Errorf("the overdue certificate is not told, or not so that it stays the same: %+v", got)
	}
	if m, ok := got["ledger.unwitnessed ledger.unwitnessed"]; !ok || m.Evidence[0] != "310 entries" {
		t.Errorf("the ledger's notice is not told: %+v", got)
	}
	r.Notice(ledger.Notice{Rule: "ledger-unwitnessed", Over: true})
	tell(1)
	if got := said(); len(got) != 1 {
		t.Errorf("what is over is still told: %+v", got)
	}
}
