// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"testing"
)

// A hint may point at the last byte there is, and beyond it into nowhere.
func TestPrefetchReadsNothing(t *testing.T) {
	for _, n := range []int{1, 63, 64, 65, 4096, 1 << 20} {
		b := make([]byte, n)
		for i := range min(n, 256) {
			prefetch(&b[n-1-i])
		}
	}
	prefetch(nil)
}
