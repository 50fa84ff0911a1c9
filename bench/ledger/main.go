// SPDX-License-Identifier: Apache-2.0

// Command ledger measures the ledger beside plain Tessera with the same settings,
// statements, writers and disk, in turns within one run: durable entries a second and how
// long one takes, with and without witnesses; how fast they come into the tree; and what a receipt
// costs to make and to check, and what a million entries take on disk. What one flush of
// this disk takes is measured beside it.
//
// What the ledger does for an entry and plain Tessera does not: it checks the statement,
// makes its canonical form, looks whether its ID is there already, links it to its case,
// indexes it, and computes the tree a second time.
//
//	go run ./bench/ledger [-for D] [-rounds N] [-writers N,N] [-batch N] [-age D] [-dir DIR]
package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/transparency-dev/tessera"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger"
)

// settings are those of one run.
type settings struct {
	length  time.Duration
	rounds  int
	writers int // of this measurement
	batch   int
	age     time.Duration
	dir     string
}

func main() {
	var s settings
	flag.DurationVar(&s.length, "for", 5*time.Second, "length of each measurement")
	flag.IntVar(&s.rounds, "rounds", 3, "how often each is measured, in turns")
	writers := flag.String("writers", "1,8,512", "how many goroutines record, each waiting for its entry")
	flag.IntVar(&s.batch, "batch", ledger.Default().BatchSize, "entries of a batch")
	flag.DurationVar(&s.age, "age", ledger.Default().BatchAge, "how long a batch waits")
	flag.StringVar(&s.dir, "dir", "", "directory for the logs; empty for a temporary one")
	flag.Parse()
	for _, w := range strings.Split(*writers, ",") {
		n, err := strconv.Atoi(w)
		if s.writers = n; err == nil {
			err = bench(s)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench/ledger:", err)
			os.Exit(1)
		}
	}
}

// measuredFurther is the subject whose log is kept for receipts and sizes: the ledger.
const measuredFurther = 3

// measured is what one run gave.
type measured struct {
	entries  int
	took     time.Duration // until the last was durable
	tree     time.Duration // until the last was in the tree
	p50, p99 time.Duration
}

func (m measured) perSecond() float64 { return float64(m.entries) / m.took.Seconds() }

func (m measured) integrated() float64 { return float64(m.entries) / m.tree.Seconds() }

func bench(s settings) error {
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "asepsis-bench-ledger-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		s.dir = dir
	}
	if err := quietTessera(); err != nil {
		return err
	}
	subjects := []struct {
		name string
		run  func(settings, string) (measured, error)
	}{
		{"plain Tessera, same settings", plain},
		{"plain Tessera, its defaults", func(s settings, dir string) (measured, error) {
			s.batch, s.age = tessera.DefaultBatchMaxSize, tessera.DefaultBatchMaxAge
			return plain(s, dir)
		}},
		{"plain Tessera, 256 and 2 ms", func(s settings, dir string) (measured, error) {
			s.batch, s.age = 256, 2*time.Millisecond
			return plain(s, dir)
		}},
		{"ledger", func(s settings, dir string) (measured, error) { return ours(s, dir, 0, false) }},
		{"ledger, 2 of 3 witnesses", func(s settings, dir string) (measured, error) { return ours(s, dir, 3, false) }},
		{"ledger, in 20 cases", func(s settings, dir string) (measured, error) { return ours(s, dir, 0, true) }},
	}
	results := make([][]measured, len(subjects))
	for round := range s.rounds {
		for i, sub := range subjects {
			dir := filepath.Join(s.dir, fmt.Sprintf("%d-%d", i, round))
			m, err := sub.run(s, dir)
			if err != nil {
				return fmt.Errorf("%s: %w", sub.name, err)
			}
			results[i] = append(results[i], m)
			if i != measuredFurther || round != s.rounds-1 { // the last ledger is measured further
				if err := os.RemoveAll(dir); err != nil {
					return err
				}
			}
		}
	}
	one, err := flush(s.dir)
	if err != nil {
		return err
	}
	fmt.Printf("%d writers, batch %d, %s, %d rounds of %s; one flush of this disk takes %s\n\n", s.writers, s.batch, s.age, s.rounds, s.length, one.Round(10*time.Microsecond))
	fmt.Printf("%-30s %12s %8s %10s %10s %12s\n", "", "durable/s", "ratio", "p50", "p99", "in the tree/s")
	// The ratio is to the best of the plain ones.
	base := max(median(results[0]).perSecond(), median(results[1]).perSecond(), median(results[2]).perSecond())
	for i, sub := range subjects {
		m := median(results[i])
		fmt.Printf("%-30s %12.0f %7.2fx %10s %10s %12.0f\n", sub.name, m.perSecond(), m.perSecond()/base, m.p50.Round(10*time.Microsecond), m.p99.Round(10*time.Microsecond), m.integrated())
	}
	fmt.Println()
	return receipts(filepath.Join(s.dir, fmt.Sprintf("%d-%d", measuredFurther, s.rounds-1)))
}

func median(m []measured) measured {
	slices.SortFunc(m, func(a, b measured) int { return cmp.Compare(a.perSecond(), b.perSecond()) })
	return m[len(m)/2]
}

// statement is one as a gateway makes it.
func statement(n uint64, cases bool) custody.Statement {
	s := custody.New(custody.Received, fmt.Sprintf("gw-1/%016x", n), time.Unix(1_800_000_000+int64(n/1000), int64(n%1000)*1e6), custody.SHA256("instance", sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))))
	s.Predicate.Site, s.Predicate.Theatre = "site-north", fmt.Sprintf("or-%d", n%12)
	s.Predicate.Actor = custody.Actor{Software: "asepsis/gateway 1.0.0", Device: "dev-gw-1"}
	s.Predicate.Device = fmt.Sprintf("dev-%d", n%40)
	s.Predicate.Detail = map[string]any{"protocol": "dicom", "from": "CT SCANNER 1", "to": "PACS", "bytes": 524288, "sop_class": "1.2.840.10008.5.1.4.1.1.2", "transfer_syntax": "1.2.840.10008.1.2.1", "tls": "1.3"}
	if cases {
		s.Predicate.Case = &custody.CaseLink{Case: custody.Commit([]byte(strings.Repeat("s", custody.SaltSize)), fmt.Sprint(n%20))}
	}
	return s
}

// drive lets writers record until the time is over.
func drive(s settings, record func(context.Context, uint64) error) (measured, error) {
	var n atomic.Uint64
	var mu sync.Mutex
	var all []time.Duration
	var firstErr error
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	begin := time.Now()
	var wg sync.WaitGroup
	for range s.writers {
		wg.Go(func() {
			var own []time.Duration
			for time.Since(begin) < s.length && ctx.Err() == nil {
				t := time.Now()
				if err := record(ctx, n.Add(1)); err != nil {
					mu.Lock()
					firstErr = cmp.Or(firstErr, err)
					mu.Unlock()
					cancel()
					break
				}
				own = append(own, time.Since(t))
			}
			mu.Lock()
			all = append(all, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	took := time.Since(begin)
	if firstErr != nil || len(all) == 0 {
		return measured{}, cmp.Or(firstErr, errors.New("nothing was recorded"))
	}
	slices.Sort(all)
	return measured{len(all), took, took, all[len(all)/2], all[len(all)*99/100]}, nil
}

// flush measures what making 4 KiB durable takes, in a file that has its blocks already.
func flush(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "flush-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, 4096)
	const pages = 256
	for i := range pages {
		if _, err := f.WriteAt(page, int64(i*len(page))); err != nil {
			return 0, err
		}
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	var all []time.Duration
	for i := range 2 * pages {
		t := time.Now()
		if _, err := f.WriteAt(page, int64(i%pages*len(page))); err != nil {
			return 0, err
		}
		if err := syncData(f); err != nil {
			return 0, err
		}
		all = append(all, time.Since(t))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// sizeOf adds up the files of a directory.
func sizeOf(dir string) (bytes int64, files int, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a log that is shorter than a block of the index has none
		}
		if err != nil || d.IsDir() {
			return err
		}
		st, err := d.Info()
		if err == nil {
			bytes += st.Size()
			files++
		}
		return err
	})
	return bytes, files, err
}
