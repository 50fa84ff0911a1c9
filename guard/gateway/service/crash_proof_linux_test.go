// SPDX-License-Identifier: Apache-2.0

package service

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/prove/receipt"
	"github.com/asepsis/asepsis/wire/dicom"
)

// arrival is an instance at the processor.
type arrival struct {
	data  []byte
	files []string // whole ones: each is one delivery
}

// arrivals reads what the processor has. A file that a kill cut short is none: the processor did not answer for it.
func arrivals(t testing.TB, dir string) map[string]*arrival {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*arrival{}
	for _, e := range list {
		path := filepath.Join(dir, e.Name())
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := dicom.OpenFile(bytes.NewReader(b))
		if err != nil {
			continue
		}
		data, err := io.ReadAll(f.Data)
		if err != nil {
			t.Fatal(err)
		}
		uid := f.Meta.SOPInstance
		a := out[uid]
		switch {
		case a == nil:
			out[uid] = &arrival{data: data, files: []string{path}}
		case bytes.Equal(a.data, data):
			a.files = append(a.files, path)
		case bytes.HasPrefix(data, a.data):
			a.data, a.files = data, []string{path}
		case !bytes.HasPrefix(a.data, data):
			t.Errorf("%s arrived with other bytes", uid)
		}
	}
	return out
}

// await returns when so many files are there and no more come for a while: the rest is said by what they hold.
func await(t testing.TB, dir string, instances int) {
	t.Helper()
	files := func() int {
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	last, since := files(), time.Now()
	for time.Since(since) < gatewaytest.Patience {
		n := files()
		if n != last {
			last, since = n, time.Now()
		}
		if n >= instances && len(arrivals(t, dir)) == instances {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d files for %d instances, and nothing more comes", last, instances)
}

// examine opens journal and ledger of the gateway that was killed, and finds each instance once, with receipts that
// prove every file at the processor to whoever has the ledger's trust file and nothing else.
func examine(t *testing.T, g *gatewayProcess, m *modality, got map[string]*arrival) (receipts int) {
	cfg, err := childConfig(g.dir, "0", g.to, g.back)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), cfg, Deps{Data: g.dir, Key: testKey(t), Site: "site-north", Software: "asepsis/gateway test"})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Journal().Recovery(); r.Lost > 0 || r.Missing > 0 {
		t.Errorf("the journal was opened with %+v", r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- lifecycle.Run(ctx, slog.New(slog.DiscardHandler), s.Rooms()...) }()
	stop := func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.Close()
	}
	defer func() {
		if stop != nil {
			stop()
		}
	}()
	all := everything(t, s)
	gatewaytest.Until(t, "every debt to be paid", func() bool {
		all = everything(t, s)
		return !slices.ContainsFunc(all, func(r instance.Record) bool { return !settled(&r) })
	})
	seen := map[string]int{}
	var last uint64
	for _, r := range all {
		if r.State == instance.Refused {
			continue
		}
		seen[r.SOPInstance]++
		for _, e := range r.Entries {
			last = max(last, e.Index)
		}
	}
	for uid := range got {
		if seen[uid] != 1 {
			t.Errorf("%s is in the journal %d times", uid, seen[uid])
		}
	}
	if len(seen) != len(got) {
		t.Errorf("%d instances are in the journal, %d arrived", len(seen), len(got))
	}
	gatewaytest.Until(t, "the newest receipt", func() bool {
		_, err := s.ledger.Receipt(t.Context(), last, ledger.Published)
		return err == nil
	})
	book := filepath.Join(g.dir, "gateway", "ledger")
	file, err := os.ReadFile(filepath.Join(book, "trust.json"))
	if err != nil {
		t.Fatal(err)
	}
	trust, err := receipt.ParseTrust(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.State != instance.Refused {
			receipts += proven(t, s, trust, &r, got[r.SOPInstance])
		}
	}
	if m.asked != nil {
		for range map[bool]int{false: 1, true: 2}[m.twice] {
			select {
			case text := <-m.reports:
				if text != "type 1" {
					t.Errorf("of instances that arrived, commitment is reported with %s", text)
				}
			case <-time.After(gatewaytest.Patience):
				t.Fatal("the promise that was made before the disk was full is not kept")
			}
		}
	}
	stop()
	stop = nil
	report, err := ledger.Fsck(t.Context(), book, nil)
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("the ledger: %v, %+v", err, report.Problems)
	}
	return receipts
}

// everything is every record of a journal.
func everything(t testing.TB, s *Service) []instance.Record {
	t.Helper()
	var out []instance.Record
	for before := uint64(0); ; {
		list, err := s.Journal().List(t.Context(), instance.Query{Before: before, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, list...)
		if len(list) < 1000 {
			return out
		}
		before = list[len(list)-1].Number
	}
}

// kinds are the kinds of an instance's entries.
func kinds(r *instance.Record) []string {
	var out []string
	for _, e := range r.Entries {
		out = append(out, e.Kind)
	}
	return out
}

// settled reports whether everything was done and recorded of an instance.
func settled(r *instance.Record) bool {
	if r.State == instance.Refused { // told to come again, because the ledger did not record
		return len(r.Deliveries) == 0
	}
	return r.State == instance.Accepted && len(r.Deliveries) == 1 && r.Deliveries[0].State == instance.Delivered &&
		slices.Contains(kinds(r), string(custody.Received)) && slices.Contains(kinds(r), string(custody.Forwarded))
}

// proven verifies the receipts of an instance offline, as "asepsis verify" does beside the processor, against each
// file that arrived.
func proven(t testing.TB, s *Service, trust *receipt.Trust, r *instance.Record, a *arrival) (receipts int) {
	t.Helper()
	if a == nil {
		t.Errorf("%s did not arrive", r.SOPInstance)
		return 0
	}
	if sum := sha256.Sum256(a.data); hex.EncodeToString(sum[:]) != r.DataSet {
		t.Errorf("%s is another than what arrived", r.SOPInstance)
	}
	for _, e := range r.Entries {
		if e.Kind != string(custody.Received) && e.Kind != string(custody.Forwarded) {
			t.Errorf("%s has an entry of kind %s", r.SOPInstance, e.Kind)
			continue
		}
		file, err := s.ledger.Receipt(t.Context(), e.Index, ledger.Published)
		if err != nil {
			t.Errorf("entry %d of %s has no receipt: %v", e.Index, r.SOPInstance, err)
			continue
		}
		says, err := receipt.Verify(file, trust, receipt.Options{})
		if err != nil || string(says.Statement.Kind()) != e.Kind {
			t.Errorf("the receipt of entry %d of %s: %v", e.Index, r.SOPInstance, err)
			continue
		}
		for _, path := range a.files {
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			sums, err := receipt.SumsOf(f)
			_ = f.Close()
			if err != nil {
				t.Fatal(err)
			}
			if subject, part, err := says.MatchFile(sums); err != nil || subject != "data-set" || part != receipt.DataSet {
				t.Errorf("%s is not what entry %d, %s, is about: %q, %v", filepath.Base(path), e.Index, e.Kind, subject, err)
			}
		}
		receipts++
	}
	return receipts
}
