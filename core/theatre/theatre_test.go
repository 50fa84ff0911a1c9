// SPDX-License-Identifier: Apache-2.0

package theatre_test

import (
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/theatre"
)

func TestThereAreThreeStates(t *testing.T) {
	for name, want := range map[string]theatre.State{"idle": theatre.Idle, "in-case": theatre.InCase, "maintenance": theatre.Maintenance} {
		got, err := theatre.ParseState(name)
		if err != nil || got != want || !got.Valid() {
			t.Errorf("%q is %q, %v", name, got, err)
		}
	}
	for _, bad := range []string{"", "Idle", "in case", "closed"} {
		got, err := theatre.ParseState(bad)
		if err == nil || got != "" || !strings.Contains(err.Error(), "idle, in-case or maintenance") {
			t.Errorf("%q is %q, %v", bad, got, err)
		}
		if theatre.State(bad).Valid() {
			t.Errorf("%q is valid", bad)
		}
	}
}
