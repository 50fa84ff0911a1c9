// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/asepsis/asepsis/platform/durable"
)

func TestAFileIsReplacedAsAWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bindings.yaml")
	if err := os.WriteFile(path+".new", []byte("left by a kill, and longer than what comes"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first, which is long", "second", ""} {
		if err := durable.Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", st, err)
		}
	}
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestWhereItFailsTheFileIsAsItWas(t *testing.T) {
	dir := t.TempDir()
	if err := durable.Write(filepath.Join(dir, "none", "file"), nil); err == nil {
		t.Error("a file in a directory that is not there")
	}
	path := filepath.Join(dir, "is-a-directory")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.Write(path, []byte("x")); err == nil {
		t.Error("a file in the place of a directory")
	}
	if _, err := os.Stat(path + ".new"); err == nil {
		t.Error("what was being written is left behind")
	}
	if err := durable.SyncDir(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there")
	}
}
