// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/prove/ledger/witness"
)

// TestLedgerCommandLine runs the scripts in testdata/ledger, on ledgers that were
// written beforehand.
func TestLedgerCommandLine(t *testing.T) {
	vectors, err := filepath.Abs("../../testdata/receipts")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/ledger",
		Setup: func(e *testscript.Env) error {
			e.Setenv("RECEIPTS", vectors)
			return os.Mkdir(filepath.Join(e.WorkDir, "home"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// makeledger DIR N [FILE] writes a witnessed ledger of N statements; the first is about
			// FILE.
			"makeledger": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 2 {
					ts.Fatalf("usage: makeledger DIR N [FILE]")
				}
				n, err := strconv.Atoi(args[1])
				ts.Check(err)
				content := []byte("nothing")
				if len(args) > 2 {
					content = []byte(ts.ReadFile(args[2]))
				}
				ts.Check(makeLedger(ts.MkAbs(args[0]), n, content))
			},
			// flip FILE BYTE changes one bit.
			"flip": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 2 {
					ts.Fatalf("usage: flip FILE BYTE")
				}
				at, err := strconv.Atoi(args[1])
				ts.Check(err)
				b := []byte(ts.ReadFile(args[0]))
				b[at] ^= 1
				name := ts.MkAbs(args[0])
				ts.Check(os.Chmod(name, 0o600))
				ts.Check(os.WriteFile(name, b, 0o600))
			},
		},
	})
}

func makeLedger(dir string, n int, first []byte) error {
	c := ledger.Default()
	c.Dir, c.Origin, c.Reserve, c.Checkpoint = dir, "ledger.example/theatres", 0, 100*time.Millisecond
	l, err := ledger.New(c, ledger.Deps{})
	if err != nil {
		return err
	}
	key := l.Key()
	if err := l.Close(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w, err := witness.New(witness.Config{Dir: dir + "-witness", Name: "witness.example", Listen: "127.0.0.1:0", Logs: []string{key}}, witness.Deps{})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.Witnesses, c.Required = []ledger.WitnessConfig{{Key: w.Key(), URL: "http://" + listener.Addr().String()}}, 1
	if l, err = ledger.New(c, ledger.Deps{}); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 2)
	go func() { ended <- w.Serve(running, listener) }()
	logCtx, stopLog := context.WithCancel(ctx)
	logEnded := make(chan error, 1)
	go func() { logEnded <- l.Run(logCtx) }()
	for i := range n {
		content := fmt.Append(nil, "artefact ", i)
		if i == 0 {
			content = first
		}
		s := custody.New(custody.Received, fmt.Sprintf("gw-1/%d", i), time.Date(2027, 3, 31, 12, 0, i, 0, time.UTC), custody.SHA256("instance", sha256.Sum256(content)))
		s.Predicate.Actor = custody.Actor{Software: "asepsis/gateway 1.0.0", Device: "dev-gw"}
		s.Predicate.Theatre = "or-3"
		s.Predicate.Detail = map[string]any{"protocol": "dicom"}
		if _, err := l.Record(ctx, s); err != nil {
			stop()
			stopLog()
			return err
		}
	}
	for {
		if cp, err := l.WitnessedCheckpoint(); err == nil && cp.Size == uint64(n) {
			break
		}
		select {
		case <-ctx.Done():
			stop()
			stopLog()
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	stopLog()
	err = <-logEnded
	stop()
	if werr := <-ended; err == nil {
		err = werr
	}
	return err
}
