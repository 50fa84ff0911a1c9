// SPDX-License-Identifier: Apache-2.0

package enroll_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/asepsis/asepsis/prove/identity/enroll"
)

// A key that could not be put in place is of no use to anybody but a thief.
func TestAKeyThatNobodyUsesDoesNotStay(t *testing.T) {
	site, _, url := serve(t)
	var dir string
	a := device(t, site, url, func(o *enroll.Options) { dir = o.Dir })
	// A directory in the place of the link: what was written is whole, and cannot be put in place.
	if err := os.MkdirAll(filepath.Join(dir, "current", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Enroll(t.Context()); err == nil {
		t.Fatal("it is in place")
	}
	if sets, err := filepath.Glob(filepath.Join(dir, "set-*")); err != nil || len(sets) > 0 {
		t.Errorf("%v, %v", sets, err)
	}
}
