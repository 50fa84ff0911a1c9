// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Both ways to give a file a name that must be free: the system's, and where it has none.
func TestANameThatIsTakenIsNotGivenToAnother(t *testing.T) {
	for name, rename := range map[string]func(from, to string) error{"renameNew": renameNew, "renameChecked": renameChecked} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range []string{"from", "to"} {
				if err := os.WriteFile(filepath.Join(dir, f), []byte(f), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			from := filepath.Join(dir, "from")
			if err := rename(from, filepath.Join(dir, "to")); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%v, want %v", err, fs.ErrExist)
			}
			if err := rename(from, filepath.Join(dir, "free")); err != nil {
				t.Error(err)
			}
			for f, want := range map[string]string{"to": "to", "free": "from"} {
				if b, err := os.ReadFile(filepath.Join(dir, f)); err != nil || string(b) != want {
					t.Errorf("%s: %q, %v", f, b, err)
				}
			}
			if err := rename(from, filepath.Join(dir, "other")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("nothing to rename: %v", err)
			}
		})
	}
}
