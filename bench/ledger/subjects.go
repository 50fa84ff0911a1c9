// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"

	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/prove/ledger/witness"
	"github.com/asepsis/asepsis/prove/receipt"
)

// quietTessera turns its log off, so that it costs neither side anything.
func quietTessera() error {
	var f flag.FlagSet
	klog.InitFlags(&f)
	return errors.Join(f.Set("logtostderr", "false"), f.Set("stderrthreshold", "FATAL"), f.Set("alsologtostderr", "false"))
}

// plain appends canonical statements to Tessera with nothing around it.
func plain(s settings, dir string) (measured, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	skey, _, err := note.GenerateKey(rand.Reader, "bench.example/plain")
	if err != nil {
		return measured{}, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return measured{}, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return measured{}, err
	}
	a, shutdown, _, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().WithCheckpointSigner(signer).
		WithBatching(uint(s.batch), s.age).WithPushback(uint(8*s.writers+s.batch)).WithCheckpointInterval(time.Second).WithCheckpointRepublishInterval(0))
	if err != nil {
		return measured{}, err
	}
	m, err := drive(s, func(ctx context.Context, n uint64) error {
		st := statement(n, false)
		b, err := st.Canonical() // whoever appends has to have bytes to append
		if err != nil {
			return err
		}
		_, err = a.Add(ctx, tessera.NewEntry(b))()
		return err
	})
	return m, errors.Join(err, shutdown(ctx))
}

// ours records in a ledger, with witnesses in this process on loopback.
func ours(s settings, dir string, witnesses int, cases bool) (m measured, err error) {
	c := ledger.Default()
	c.Dir, c.Origin, c.BatchSize, c.BatchAge, c.Waiting = dir, "bench.example/ours", s.batch, s.age, max(c.Waiting, 8*s.writers)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, witnesses+1)
	running := 0
	defer func() {
		cancel()
		for range running {
			err = errors.Join(err, <-ended)
		}
	}()
	if witnesses > 0 {
		// The log's key must be known to its witnesses: it is made by opening it once.
		l, err := ledger.New(c, ledger.Deps{})
		if err != nil {
			return m, err
		}
		key := l.Key()
		if err := l.Close(); err != nil {
			return m, err
		}
		for i := range witnesses {
			w, err := witness.New(witness.Config{Dir: filepath.Join(dir, fmt.Sprint("witness-", i)), Name: fmt.Sprintf("witness-%d.example", i), Listen: "127.0.0.1:0", Logs: []string{key}}, witness.Deps{})
			if err != nil {
				return m, err
			}
			listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return m, err
			}
			running++
			go func() { ended <- w.Serve(ctx, listener) }()
			c.Witnesses = append(c.Witnesses, ledger.WitnessConfig{Key: w.Key(), URL: "http://" + listener.Addr().String()})
		}
		c.Required = witnesses/2 + 1
	}
	l, err := ledger.New(c, ledger.Deps{})
	if err != nil {
		return m, err
	}
	running++
	go func() { ended <- l.Run(ctx) }()
	begin := time.Now()
	if m, err = drive(s, func(ctx context.Context, n uint64) error {
		_, err := l.Record(ctx, statement(n, cases))
		return err
	}); err != nil {
		return m, err
	}
	for {
		st, err := l.Status()
		if err != nil || st.Integrated == st.Size {
			m.tree = time.Since(begin)
			return m, err
		}
		time.Sleep(time.Millisecond)
	}
}

// receipts measures what making and checking receipts takes, and the log's size.
func receipts(dir string) error {
	t := time.Now()
	r, err := ledger.OpenReader(dir)
	if err != nil {
		return err
	}
	opened := time.Since(t)
	size, err := r.Size()
	if err != nil {
		return err
	}
	const n = 1000
	files := make([][]byte, n)
	var made, checked []time.Duration
	for i := range files {
		t := time.Now()
		if files[i], err = r.Receipt(context.Background(), uint64(i)*(size-1)/n, ledger.Published); err != nil {
			return err
		}
		made = append(made, time.Since(t))
	}
	for _, f := range files {
		t := time.Now()
		if _, err := receipt.Verify(f, r.Trust(), receipt.Options{}); err != nil {
			return err
		}
		checked = append(checked, time.Since(t))
	}
	slices.Sort(made)
	slices.Sort(checked)
	log, _, err := sizeOf(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	index, _, err := sizeOf(filepath.Join(dir, "index"))
	if err != nil {
		return err
	}
	fmt.Printf("opened a log of %d entries in %s\n", size, opened.Round(time.Millisecond))
	fmt.Printf("receipt of %d bytes: made in %s, p99 %s; checked in %s, p99 %s\n", len(files[n/2]), made[n/2].Round(time.Microsecond), made[n*99/100].Round(time.Microsecond),
		checked[n/2].Round(time.Microsecond), checked[n*99/100].Round(time.Microsecond))
	fmt.Printf("a million entries: log %.0f MB, index %.0f MB\n", float64(log)/float64(size), float64(index)/float64(size))
	return nil
}
