// SPDX-License-Identifier: Apache-2.0

package proof_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/prove/receipt"
	"github.com/asepsis/asepsis/see/demo/proof"
)

func TestTheDemosLedgerIsWitnessed(t *testing.T) {
	cfg := ledger.Default()
	cfg.Dir, cfg.Reserve, cfg.Checkpoint, cfg.BatchAge = t.TempDir(), 0, 100*time.Millisecond, time.Millisecond
	l, err := ledger.New(cfg, ledger.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for n := range 2 { // the second time they are opened as they were left
		w, err := proof.NewWitnesses(dir, l.Key(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Witnesses = w.Config()
		cfg.Required = len(cfg.Witnesses)
		if l, err = ledger.New(cfg, ledger.Deps{}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 2)
		go func() { done <- w.Run(ctx) }()
		go func() { done <- l.Run(ctx) }()
		st := custody.New(custody.Received, fmt.Sprint("demo/", n), time.Now(), custody.SHA256("instance", sha256.Sum256([]byte("an image"))))
		st.Predicate.Actor, st.Predicate.Detail = custody.Actor{Software: "asepsis/demo"}, map[string]any{"protocol": "dicom"}
		e, err := l.Record(ctx, st)
		if err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(20 * time.Second)
		for {
			c, err := l.WitnessedCheckpoint()
			if err == nil && c.Size > e.Index {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("entry %d is not witnessed: %d, %v", e.Index, c.Size, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		file, err := l.Receipt(ctx, e.Index, ledger.Witnessed)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := receipt.Verify(file, l.Trust(), receipt.Options{}); err != nil || len(r.Checkpoint.Cosigned) != 2 {
			t.Errorf("%+v, %v", r, err)
		}
		stop()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}
