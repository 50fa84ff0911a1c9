// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOnlyADirectoryOfThisRunIsGivenAway guards against a sensor started as
// root that hands somebody's directory to an unprivileged account.
func TestOnlyADirectoryOfThisRunIsGivenAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a directory away needs root")
	}
	for _, made := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "out")
		if err := os.Mkdir(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		o := output{dir: dir, made: made}
		if err := o.giveTo("nobody"); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if given := st.Sys().(*syscall.Stat_t).Uid != 0; given != made {
			t.Errorf("made by this run: %v, given away: %v", made, given)
		}
	}
}
