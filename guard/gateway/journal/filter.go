// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"hash/maphash"
	"sync/atomic"
)

// filter is a Bloom filter of the SOP instance UIDs in the history: nearly every instance that
// comes is new, and to know that must not cost a look at the disk.
type filter struct {
	seed     maphash.Seed
	bits     []atomic.Uint64
	complete atomic.Bool // all of the history is in it
}

const (
	filterWords  = 1 << 20 // 8 MiB: one in 200 is taken for known at five million
	filterHashes = 4
)

func newFilter() *filter {
	return &filter{seed: maphash.MakeSeed(), bits: make([]atomic.Uint64, filterWords)}
}

func (f *filter) each(s string, visit func(word *atomic.Uint64, bit uint64) bool) {
	h := maphash.String(f.seed, s)
	step := h>>32 | 1
	for range filterHashes {
		i := h % (filterWords * 64)
		if !visit(&f.bits[i/64], 1<<(i%64)) {
			return
		}
		h += step
	}
}

func (f *filter) add(s string) {
	f.each(s, func(w *atomic.Uint64, bit uint64) bool { w.Or(bit); return true })
}

// mayHave is false only where s was not added.
func (f *filter) mayHave(s string) bool {
	if !f.complete.Load() {
		return true
	}
	has := true
	f.each(s, func(w *atomic.Uint64, bit uint64) bool { has = w.Load()&bit != 0; return has })
	return has
}
