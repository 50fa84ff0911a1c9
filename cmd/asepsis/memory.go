// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// smallest is the live heap that the runtime reckons with at least.
const smallest = 4 << 20

// Bounds of the garbage that may lie beside what is alive, in per cent of it,
// and the memory that the heap is to stay within as long as possible. The latter is
// no limit: what is alive is bounded by the configuration, and a collector that runs
// without pause would help nobody.
const (
	leastGarbage = 100
	mostGarbage  = 400
	heapGoal     = 384 << 20
	smallHeap    = 80 << 20 // always granted
)

// tuneMemory lets a small heap have much garbage, which saves a third of the
// time that collecting takes, and a large one as little as by default. GOGC, where it
// is set, is obeyed instead.
func tuneMemory() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(garbage(smallest))
	afterCollection(&tuner{percent: garbage(smallest), sample: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}})
}

// tuneForReading spares what a program that reads captures and ends has no use
// for: samples of who allocates, which nobody can ask it for. It costs a collection
// of an all but empty heap.
func tuneForReading() {
	runtime.MemProfileRate = 0
	if os.Getenv("GOGC") == "" {
		largePages()
	}
}

type tuner struct {
	percent int
	sample  []metrics.Sample
}

// afterCollection has the percentage set anew after each collection, for which
// the runtime has no call but to clean up after what nobody refers to.
func afterCollection(t *tuner) {
	runtime.AddCleanup(new([16]byte), func(t *tuner) {
		metrics.Read(t.sample)
		if p := garbage(t.sample[0].Value.Uint64()); p < t.percent*9/10 || p > t.percent*11/10 {
			t.percent = p
			debug.SetGCPercent(p)
		}
		afterCollection(t)
	}, t)
}

// garbage is how much may lie beside live bytes.
func garbage(live uint64) int {
	live = max(smallest, min(live, heapGoal))
	beside := func(goal int64) int64 { return (goal - int64(live)) * 100 / int64(live) }
	return int(max(beside(smallHeap), min(mostGarbage, max(leastGarbage, beside(heapGoal)))))
}
