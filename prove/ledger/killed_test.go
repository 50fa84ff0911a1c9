// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/ledger/internal/wal"
)

// left puts down what a process that was killed while it wrote leaves of a file.
func left(t *testing.T, dir, name string) string {
	t.Helper()
	file := durable.Beside(filepath.Join(dir, filepath.FromSlash(name)))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(`{"checkpoint":"half`), 0o600); err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(dir, file)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.ToSlash(rel)
}

func TestWhatAKillLeftOfAFileIsNoDamageAndInNoBackup(t *testing.T) {
	dir, to := small(t, 10), filepath.Join(t.TempDir(), "backup")
	want := []string{
		left(t, dir, stampDir+"/"+padded(7)+stampSuffix),
		left(t, dir, logDir+"/"+treeStateFile),
	}
	left(t, dir, keyFile)
	r := mustFsck(t, dir)
	slices.Sort(r.Leftovers)
	slices.Sort(want)
	if len(r.Problems) > 0 || !slices.Equal(r.Leftovers, want) {
		t.Errorf("%+v, want leftovers %q", r, want)
	}
	if _, err := Backup(t.Context(), dir, to, BackupOptions{Secrets: true}); err != nil {
		t.Fatal(err)
	}
	if r := mustFsck(t, to); len(r.Problems) > 0 || len(r.Leftovers) > 0 {
		t.Errorf("the backup: %+v", r)
	}
	if st, err := os.Stat(to); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("others see what is in a backup with secrets: %v, %v", st, err)
	}
}

func TestABackupGoesOnWhereOneWasKilled(t *testing.T) {
	dir, to := small(t, 10), filepath.Join(t.TempDir(), "backup")
	if _, err := Backup(t.Context(), dir, to, BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	left(t, to, walDir+"/"+wal.CopyName)
	if _, err := Backup(t.Context(), dir, to, BackupOptions{}); err != nil {
		t.Error(err)
	}
	if r := mustFsck(t, to); len(r.Problems) > 0 || len(r.Leftovers) > 0 {
		t.Errorf("%+v", r)
	}
	if err := os.WriteFile(filepath.Join(to, walDir, "slot"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Backup(t.Context(), dir, to, BackupOptions{}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("into one that was run since: %v", err)
	}
}
