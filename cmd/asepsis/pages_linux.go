// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime"
	"strings"
	"syscall"
)

// roomInLargePages is how much of the heap is asked for in large pages: what
// the analysis of a large capture allocates between two collections.
const roomInLargePages = 56 << 20

const madvHugePage = 14 // MADV_HUGEPAGE, madvise(2)

// largePages has the kernel back the heap that follows with pages of 2 MB. A
// fault costs as much as analysing three packets, and of usual pages a heap takes
// 256 times as many. The room is asked for, named to the kernel and given back
// untouched: the heap grows into it, and what it never uses takes no memory.
//
// Only where the administrator left large pages to programs ("madvise"). Where they
// are given to everybody there is nothing to ask for, and where to nobody, nothing
// to gain.
func largePages() {
	b, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	if err != nil || !strings.Contains(string(b), "[madvise]") {
		return
	}
	_ = syscall.Madvise(make([]byte, roomInLargePages), madvHugePage) // advice: without it the heap is as it was
	runtime.GC()
}
