// SPDX-License-Identifier: Apache-2.0

//go:build ignore

// Command gen packs the IEEE registries in a directory (oui.csv, mam.csv,
// oui36.csv, iab.csv, .lastupdate; Debian: ieee-data) into oui.bin. It is run
// by scripts/gen-oui; the same input gives the same output.
package main

import (
	"bytes"
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
	sec, err := strconv.ParseInt(strings.TrimSpace(string(date)), 10, 64)
	if err != nil {
		return fmt.Errorf(".lastupdate: %w", err)
	}
	source := "IEEE Registration Authority, MA-L MA-M MA-S IAB, " + time.Unix(sec, 0).UTC().Format(time.DateOnly)
	var text []byte
	at := map[string]int{}
	for _, n := range append([]string{source}, names...) {
		at[n] = len(text)
		text = binary.AppendUvarint(text, uint64(len(n)))
		text = append(text, n...)
	}
	if len(text) >= 1<<24 {
		return fmt.Errorf("%d bytes of names, more than an offset of 24 bits reaches", len(text))
	}
	total := 0
	var head, body []byte
	for _, bits := range []int{36, 28, 24} {
		b := blocks[bits]
		total += len(b)
		keys := make([]uint64, 0, len(b))
		for k := range b {
			keys = append(keys, k)
		}
		sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
		head = binary.BigEndian.AppendUint32(head, uint32(len(keys)))
		for _, k := range keys {
			body = append(body, big(k, (bits+7)/8)...)
			body = append(body, big(uint64(at[b[k]]), 3)...)
		}
	}
	z := bytes.NewBufferString("asepsis-oui 2\n")
	z.Write(head)
	z.Write(body)
	z.Write(text)
	fmt.Printf("%s: %d blocks, %d organisations, %d bytes\n", source, total, len(names), z.Len())
	return os.WriteFile(out, z.Bytes(), 0o644)
}

// big returns the last n bytes of v, big-endian.
func big(v uint64, n int) []byte { return binary.BigEndian.AppendUint64(nil, v)[8-n:] }

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
