// SPDX-License-Identifier: Apache-2.0

package open

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/store"
)

func TestWithoutAURLItIsSQLiteInTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, err := Store(t.Context(), store.Default(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if st, err := s.Stats(t.Context()); err != nil || st.Engine != "sqlite" {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "main.db")); err != nil {
		t.Error(err)
	}
}

func TestAURLThatCannotBeUsedIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("postgres://asepsis:geheim@10.1.2.3/asepsis"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]store.Config{
		"not encrypted":   {URLFile: config.SecretFile(file)},
		"no such file":    {URLFile: config.SecretFile(file + "x")},
		"nobody answers":  {URL: "postgres://asepsis@127.0.0.1:1/asepsis?connect_timeout=2"},
		"another program": {URL: "mysql://asepsis@127.0.0.1/asepsis"},
	} {
		_, err := Store(t.Context(), c, t.TempDir(), slog.New(slog.DiscardHandler))
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
