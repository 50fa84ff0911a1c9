// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestTheHeapGrowsIntoLargePagesAndHoldsNothingMore(t *testing.T) {
	if b, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil || !strings.Contains(string(b), "[madvise]") {
		t.Skip("this kernel does not leave large pages to programs")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	largePages()
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > before.HeapAlloc+roomInLargePages/8 {
		t.Errorf("%d bytes are alive, %d were before: the room was not given back", after.HeapAlloc, before.HeapAlloc)
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip("the kernel does not show how memory is mapped:", err)
	}
	asked := false
	for line := range strings.Lines(string(maps)) {
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok {
			asked = asked || strings.Contains(flags, " hg")
		}
	}
	if !asked {
		t.Error("no part of the address space is marked for large pages")
	}
}
