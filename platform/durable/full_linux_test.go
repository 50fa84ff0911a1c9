// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/asepsis/asepsis/platform/durable"
)

const inside = "DURABLE_FULL_DISK"

// The limit of a process's files is as a disk that becomes full within a write: a part is written, the
// rest is an error. It is for the whole process, and so this is another one.
func TestNothingOfAFileStaysWhereTheDiskBecomesFull(t *testing.T) {
	dir := os.Getenv(inside)
	if dir == "" {
		dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "state"), []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), inside+"="+dir)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		holds(t, filepath.Join(dir, "state"), "before", 0o600)
		alone(t, filepath.Join(dir, "state"))
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	const most = 1000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("secret"), most)
	for verb, err := range map[string]error{
		"written":            durable.Write(filepath.Join(dir, "state"), large),
		"written for all":    durable.WriteMode(filepath.Join(dir, "state"), large, 0o644),
		"made":               durable.Create(filepath.Join(dir, "key"), large, 0o600),
		"made, and is there": durable.Create(filepath.Join(dir, "state"), large, 0o600),
	} {
		want := error(syscall.EFBIG)
		if verb == "made, and is there" {
			want = os.ErrExist
		}
		if !errors.Is(err, want) {
			t.Errorf("a file is %s: %v, want %v", verb, err, want)
		}
	}
}
