// SPDX-License-Identifier: Apache-2.0

package firewall_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/firewall"
	"github.com/asepsis/asepsis/guard/gateway/steer"
)

// The gateway is steered by it.
var _ steer.Firewall = (*firewall.File)(nil)

func TestAPolicyInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	at := time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)
	now := func() time.Time { at = at.Add(time.Second); return at }
	f, err := firewall.Open(path, firewall.Deps{}, slog.New(slog.DiscardHandler), now)
	if err != nil {
		t.Fatal(err)
	}
	first := f.Policy()
	if s := f.State(); s.SHA256 != first || s.File != "" || s.Error != "" || s.Rules < 80 || f.Text() != string(firewall.DefaultYAML()) {
		t.Errorf("without a file: %+v", s)
	}

	// A person writes one.
	lax := "rules:\n  text.script: {verdict: flag}\n"
	if err := f.Set(lax, first); err != nil {
		t.Fatal(err)
	}
	second := f.Policy()
	if b, _ := os.ReadFile(path); string(b) != lax || f.Text() != lax || second == first {
		t.Errorf("the file is %q", b)
	}
	if s := f.State(); s.File != path || s.SHA256 != second || !s.Loaded.After(time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", s)
	}

	// Another person had begun from the one before.
	var conflict *control.Refused
	if err := f.Set("mode: observe\n", first); !errors.As(err, &conflict) || conflict.Code != control.Changed {
		t.Errorf("a lost update: %v", err)
	}
	// An editor changed the file, which was not read yet.
	if err := os.WriteFile(path, []byte("mode: observe\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Set(lax+"# mine\n", second); !errors.As(err, &conflict) || conflict.Code != control.Changed {
		t.Errorf("an edit is overwritten: %v", err)
	}
	if err := f.Reload(); err != nil || f.Policy() == second || f.Current().Mode() != firewall.Observe {
		t.Errorf("the edit is not in force: %v", err)
	}

	// A mistake leaves the policy before in force, and is told.
	third := f.Policy()
	if err := os.WriteFile(path, []byte("mode: none at all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Reload(); err == nil || f.Policy() != third {
		t.Errorf("a mistake is in force: %v", err)
	}
	if s := f.State(); !strings.Contains(s.Error, "policy.yaml:1:7") || s.SHA256 != third {
		t.Errorf("%+v", s)
	}
	if _, err := firewall.Open(path, firewall.Deps{}, nil, nil); err == nil {
		t.Error("a gateway starts with a policy that cannot be used")
	}
	// The console mends it.
	if err := f.Set(lax, third); err != nil || f.State().Error != "" || f.Policy() != second {
		t.Errorf("mended: %v %+v", err, f.State())
	}
	if err := f.Set("rules: {x.y: {verdict: flag}}", second); err == nil || f.Policy() != second {
		t.Errorf("a policy with a mistake was set: %v", err)
	}
	// The file goes: the embedded policy is in force again.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := f.Reload(); err != nil || f.Policy() != first {
		t.Errorf("without the file: %v", err)
	}
}

func TestAFileThatChangesIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "policy.yaml")
		f, err := firewall.Open(path, firewall.Deps{}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		if err := os.WriteFile(path, []byte("mode: observe\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second) // of the bubble's clock
		if f.Current().Mode() != firewall.Observe {
			t.Error("the change was not seen")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestTryingAPolicyChangesNothing(t *testing.T) {
	f, err := firewall.Open("", firewall.Deps{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := f.Policy()
	i, problems := f.Try("mode: observe\n")
	if i == nil || len(problems) > 0 || i.Policy() == first || f.Policy() != first {
		t.Errorf("%v, in force is %s", problems, f.Policy())
	}
	i, problems = f.Try("rules:\n  text.nothing: {verdict: flag}\n  pixel.short: {verdict: sanitise}\n")
	if i != nil || len(problems) != 2 || problems[0].Line != 2 || problems[0].Field != "rules.text.nothing" || problems[0].Hint == "" || problems[1].Line != 3 {
		t.Errorf("%+v", problems)
	}
	var refused *control.Refused
	if err := f.Set("mode: observe\n", first); !errors.As(err, &refused) || refused.Hint() == "" {
		t.Errorf("a policy was set without a file: %v", err)
	}
}
