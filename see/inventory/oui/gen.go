// SPDX-License-Identifier: Apache-2.0

//go:build ignore

// Command gen packs the IEEE registries in a directory (oui.csv, mam.csv,
// oui36.csv, iab.csv, .lastupdate; Debian: ieee-data) into oui.bin. It is run
// by scripts/gen-oui; the same input gives the same output.
package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gen DIRECTORY OUTPUT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "gen-oui:", err)
		os.Exit(2)
	}
}

func run(dir, out string) error {
	date, err := os.ReadFile(filepath.Join(dir, ".lastupdate"))
	if err != nil {
		return err
	}
	blocks := map[int]map[uint64]string{24: {}, 28: {}, 36: {}}
	for _, name := range []string{"oui.csv", "mam.csv", "iab.csv", "oui36.csv"} {
		if err := read(filepath.Join(dir, name), blocks); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	seen := map[string]bool{}
	var names []string
	for _, b := range blocks {
		for _, n := range b {
			if !seen[n] {
				seen[n] = true
				names = append(names, n)
			}
		}
	}
	sort.Strings(names)
	index := map[string]int{}
	var raw []byte
	put := func(v int) { raw = binary.AppendUvarint(raw, uint64(v)) }
	sec, err := strconv.ParseInt(strings.TrimSpace(string(date)), 10, 64)
	if err != nil {
		return fmt.Errorf(".lastupdate: %w", err)
	}
	source := "IEEE Registration Authority, MA-L MA-M MA-S IAB, " + time.Unix(sec, 0).UTC().Format(time.DateOnly)
	put(len(source))
	raw = append(raw, source...)
	put(len(names))
	last := ""
	for i, n := range names {
		index[n] = i
		shared := 0
		for shared < len(last) && shared < len(n) && last[shared] == n[shared] {
			shared++
		}
		put(shared)
		put(len(n) - shared)
		raw = append(raw, n[shared:]...)
		last = n
	}
	total := 0
	for _, bits := range []int{36, 28, 24} {
		b := blocks[bits]
		total += len(b)
		keys := make([]uint64, 0, len(b))
		for k := range b {
			keys = append(keys, k)
		}
		sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
		put(len(keys))
		p := uint64(0)
		for _, k := range keys {
			raw = binary.AppendUvarint(raw, k-p)
			put(index[b[k]])
			p = k
		}
	}
	var z bytes.Buffer
	z.WriteString("asepsis-oui 1\n")
	w, err := flate.NewWriter(&z, flate.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(raw); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	fmt.Printf("%s: %d blocks, %d organisations, %d bytes\n", source, total, len(names), z.Len())
	return os.WriteFile(out, z.Bytes(), 0o644)
}

// read adds the assignments of one registry. Where a block is listed twice,
// the first stands.
func read(path string, blocks map[int]map[uint64]string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(f)
	if _, err := r.Read(); err != nil {
		return err
	}
	for {
		rec, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		bits := len(rec[1]) * 4
		b, ok := blocks[bits]
		if !ok {
			return fmt.Errorf("assignment %q has %d bits", rec[1], bits)
		}
		p, err := strconv.ParseUint(rec[1], 16, 64)
		if err != nil {
			return err
		}
		if _, dup := b[p]; !dup {
			b[p] = strings.Join(strings.Fields(strings.ToValidUTF8(rec[2], "?")), " ")
		}
	}
}
