// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestTheMoreIsAliveTheLessGarbageMayLieBesideIt(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, 1900},
		{1 << 20, 1900},
		{8 << 20, 900},
		{smallHeap / 5, mostGarbage},
		{64 << 20, mostGarbage},
		{heapGoal / 5, mostGarbage},
		{128 << 20, 200},
		{heapGoal / 2, leastGarbage},
		{heapGoal/2 + 1<<20, leastGarbage},
		{heapGoal, leastGarbage},
		{1 << 40, leastGarbage},
	} {
		if got := garbage(c.live); got != c.want {
			t.Errorf("%d bytes alive: %d per cent, want %d", c.live, got, c.want)
		}
		if got := garbage(c.live); c.live <= heapGoal/2 && c.live+c.live*uint64(got)/100 > heapGoal {
			t.Errorf("%d bytes alive and %d per cent are more than %d", c.live, got, heapGoal)
		}
	}
}
