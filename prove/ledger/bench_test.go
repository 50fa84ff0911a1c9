// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkRecord is 512 writers, each waiting for its entry.
func BenchmarkRecord(b *testing.B) {
	l := start(b, quick(b.TempDir()), Deps{})
	var n atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range 512 {
		wg.Go(func() {
			for {
				i := int(n.Add(1))
				if i > b.N {
					return
				}
				if _, err := l.Record(b.Context(), statement(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
