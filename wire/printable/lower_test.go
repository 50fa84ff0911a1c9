// SPDX-License-Identifier: Apache-2.0

package printable

import "testing"

func TestLowerASCIIKeepsPositions(t *testing.T) {
	for in, want := range map[string]string{"Login:": "login:", "\xff\xfeABC": "\xff\xfeabc", "İREALM": "İrealm", "": ""} {
		if got := LowerASCII(in); got != want || len(got) != len(in) {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
		if got := string(LowerASCII([]byte(in))); got != want {
			t.Errorf("bytes of %q give %q", in, got)
		}
	}
}
