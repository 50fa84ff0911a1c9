// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// table collects what was measured, a column for each engine. All methods of nil do
// nothing.
type table struct {
	engines []string
	rows    []string
	cells   map[string]map[string]string // by row and engine
	load    string
}

func newTable() *table { return &table{cells: map[string]map[string]string{}, load: load()} }

func (t *table) engine(name string) {
	if t != nil {
		t.engines = append(t.engines, name)
	}
}

// put notes a value of the engine that is measured now.
func (t *table) put(row, value string) {
	if t == nil {
		return
	}
	if t.cells[row] == nil {
		t.cells[row] = map[string]string{}
		t.rows = append(t.rows, row)
	}
	t.cells[row][t.engines[len(t.engines)-1]] = value
}

// print writes Markdown. The load says whether the machine had other work.
func (t *table) print(out io.Writer, events int) {
	_, _ = fmt.Fprintf(out, "\nMeasured on %s, %d processors, %s, %d events; load of the machine %s before and %s after. Times are medians in milliseconds.\n\n",
		time.Now().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), events, t.load, load())
	_, _ = fmt.Fprintf(out, "| `go run ./bench/store` | %s |\n|---|%s\n", strings.Join(t.engines, " | "), strings.Repeat("---:|", len(t.engines)))
	for _, r := range t.rows {
		_, _ = fmt.Fprintf(out, "| %s |", r)
		for _, e := range t.engines {
			_, _ = fmt.Fprintf(out, " %s |", t.cells[r][e])
		}
		_, _ = fmt.Fprintln(out)
	}
}

// load is the average number of processes that wanted to run in the last minute, "?"
// where that is not known.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
