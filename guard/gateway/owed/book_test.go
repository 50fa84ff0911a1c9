// SPDX-License-Identifier: Apache-2.0

package owed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
)

// noteOf is one about the n-th instance.
func noteOf(n int) Note {
	s := custody.New(custody.Forwarded, fmt.Sprintf("gateway/a-1/%d", n), time.Date(2026, 1, 31, 8, 0, n, 0, time.UTC), custody.SHA256("data-set", [32]byte{byte(n), byte(n >> 8)}))
	s.Predicate.Actor = custody.Actor{Software: "asepsis/gateway test"}
	s.Predicate.Device = "ws-1"
	s.Predicate.Detail = map[string]any{"protocol": "dicom", "bytes": int64(1 << 40), "route": "c-get", "rules": []any{"a.b", "c.d"}}
	return Note{Statement: s, Number: uint64(n), Destination: "ws-1"}
}

func open(t testing.TB, dir string, limits Limits) *Book {
	t.Helper()
	b, err := Open(dir, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// roomy is as much as the tests need.
var roomy = Limits{Statements: 1000, Bytes: 1 << 20}

// pay tells all that is owed, and returns the numbers in their order.
func pay(t testing.TB, b *Book) (told []uint64) {
	t.Helper()
	if err := b.Pay(t.Context(), b.Due(), func(_ context.Context, n Note) error { told = append(told, n.Number); return nil }); err != nil {
		t.Fatal(err)
	}
	return told
}

func add(t testing.TB, b *Book, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		if err := b.Add(noteOf(n)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatIsOwedIsToldInItsOrderAfterAKillToo(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, roomy)
	add(t, first, 3, 1, 2)
	again := open(t, dir, roomy) // the first is left as a kill leaves it
	if s := again.State(); s.Statements != 3 || !s.Since.Equal(noteOf(3).Statement.Predicate.Time) || s.Full || s.Unusable != 0 {
		t.Errorf("it is opened with %+v", s)
	}
	var told []Note
	if err := again.Pay(t.Context(), again.Due(), func(_ context.Context, n Note) error { told = append(told, n); return nil }); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{3, 1, 2} {
		w := noteOf(want)
		if told[i].Statement.ContentHash() != w.Statement.ContentHash() || told[i].Number != w.Number || told[i].Destination != w.Destination {
			t.Errorf("told %+v, want %+v", told[i], w)
		}
	}
	if st, err := os.Stat(filepath.Join(dir, "owed")); err != nil || st.Size() != 0 || st.Mode().Perm() != 0o600 {
		t.Errorf("afterwards the file is %v, %v", st, err)
	}
	add(t, again, 4)
	if told := pay(t, open(t, dir, roomy)); !slices.Equal(told, []uint64{4}) {
		t.Errorf("later it tells %v", told)
	}
}

func TestWhatALedgerDoesNotTakeNowIsOwedAsBefore(t *testing.T) {
	b := open(t, t.TempDir(), roomy)
	add(t, b, 1, 2, 3)
	away := errors.New("the ledger is away")
	var told []uint64
	tell := func(_ context.Context, n Note) error {
		if n.Number == 2 {
			return away
		}
		told = append(told, n.Number)
		return nil
	}
	due := b.Due()
	add(t, b, 4)
	for range 3 {
		if err := b.Pay(t.Context(), due, tell); !errors.Is(err, away) {
			t.Errorf("%v", err)
		}
	}
	if s := b.State(); !slices.Equal(told, []uint64{1}) || s.Statements != 3 {
		t.Errorf("it told %v; %+v", told, s)
	}
	told = nil
	if err := b.Pay(t.Context(), due, func(_ context.Context, n Note) error { told = append(told, n.Number); return nil }); err != nil || !slices.Equal(told, []uint64{2, 3}) {
		t.Errorf("of what was owed at that moment it told %v, %v", told, err)
	}
	if told := pay(t, b); !slices.Equal(told, []uint64{4}) {
		t.Errorf("of what came later it told %v", told)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	add(t, b, 5)
	if err := b.Pay(ctx, b.Due(), tell); !errors.Is(err, context.Canceled) || b.State().Statements != 1 {
		t.Errorf("%v; %+v", err, b.State())
	}
}

func TestWhatIsOwedIsBounded(t *testing.T) {
	text, err := appendNote(nil, new(noteOf(1)))
	if err != nil {
		t.Fatal(err)
	}
	size := int64(len(text))
	for name, limits := range map[string]Limits{"in statements": {Statements: 2, Bytes: 1 << 20}, "in bytes": {Statements: 100, Bytes: 2 * size}} {
		t.Run(name, func(t *testing.T) {
			b := open(t, t.TempDir(), limits)
			add(t, b, 1, 2)
			if err := b.Add(noteOf(3)); !errors.Is(err, ErrFull) || !b.State().Full || b.State().Statements != 2 {
				t.Errorf("%v; %+v", err, b.State())
			}
			if told := pay(t, b); !slices.Equal(told, []uint64{1, 2}) || b.State().Full {
				t.Errorf("%v; %+v", told, b.State())
			}
			add(t, b, 3, 4)
		})
	}
	dir := t.TempDir()
	b := open(t, dir, Limits{Statements: 100, Device: 2, Bytes: 1 << 20})
	add(t, b, 1, 2)
	for range 2 { // after a restart too
		other := noteOf(8)
		other.Statement.Predicate.Device = "ws-2"
		if err := b.Add(noteOf(3)); !errors.Is(err, ErrDevice) || !slices.Equal(b.State().Over, []string{"ws-1"}) || b.State().Full {
			t.Errorf("a device that has its share: %v; %+v", err, b.State())
		}
		if err := b.Add(other); err != nil {
			t.Errorf("another device: %v", err)
		}
		b = open(t, dir, Limits{Statements: 100, Device: 2, Bytes: 1 << 20})
	}
	if told := pay(t, b); !slices.Equal(told, []uint64{1, 2, 8, 8}) || len(b.State().Over) != 0 || len(b.of) != 0 {
		t.Errorf("%v; %+v", told, b.State())
	}
	add(t, b, 3)
	b = open(t, t.TempDir(), roomy)
	var invalid *custody.Invalid
	if err := b.Add(Note{}); !errors.As(err, &invalid) || b.State().Statements != 0 {
		t.Errorf("what no ledger takes: %v; %+v", err, b.State())
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Add(noteOf(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestManyAtOnceAreAllOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, roomy)
	var all sync.WaitGroup
	for n := range 64 {
		all.Go(func() {
			if err := b.Add(noteOf(n)); err != nil {
				t.Error(err)
			}
		})
	}
	told := map[uint64]bool{}
	note := func(_ context.Context, n Note) error { told[n.Number] = true; return nil }
	for range 10 { // while they come
		if err := b.Pay(t.Context(), b.Due(), note); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	rest := open(t, dir, roomy)
	if err := rest.Pay(t.Context(), rest.Due(), note); err != nil || len(told) != 64 {
		t.Errorf("%d of 64 were told: %v", len(told), err)
	}
}

func TestWhatCannotBeReadIsPassedOver(t *testing.T) {
	for name, c := range map[string]struct {
		damage   func([]byte) []byte
		want     []uint64
		unusable int
	}{
		"the last line was being written":     {func(b []byte) []byte { return b[:len(b)-10] }, []uint64{1, 2}, 0},
		"only the end of the line is missing": {func(b []byte) []byte { return b[:len(b)-1] }, []uint64{1, 2}, 0},
		"a bit in the middle":                 {func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, []uint64{1, 3}, 1},
		"zeros behind it":                     {func(b []byte) []byte { return append(b, make([]byte, 4096)...) }, []uint64{1, 2, 3}, 0},
		"a line longer than any":              {func(b []byte) []byte { return append([]byte(strings.Repeat("x", 3*maxLine)+"\n"), b...) }, []uint64{1, 2, 3}, 1},
		"lines of nothing":                    {func(b []byte) []byte { return append([]byte("\n\n00000000 \n"), b...) }, []uint64{1, 2, 3}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first := open(t, dir, roomy)
			add(t, first, 1, 2, 3)
			path := filepath.Join(dir, "owed")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, c.damage(text), 0o600); err != nil {
				t.Fatal(err)
			}
			b := open(t, dir, roomy)
			if s := b.State(); s.Statements != len(c.want) || s.Unusable != c.unusable {
				t.Errorf("it is opened with %+v", s)
			}
			add(t, b, 9)
			if told := pay(t, b); !slices.Equal(told, append(c.want, 9)) {
				t.Errorf("it tells %v", told)
			}
			if s := b.State(); s.Statements != 0 || s.Unusable != c.unusable {
				t.Errorf("afterwards %+v", s)
			}
		})
	}
}

// A disk that fails while a statement is written must not have it found later: nobody was given anything.
func TestWhatTheDiskDidNotTakeIsNotFoundLater(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, roomy)
	add(t, b, 1)
	good := b.f
	bad, err := os.Open(filepath.Join(dir, "owed")) // to be read alone
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	b.f = bad
	if err := b.Add(noteOf(2)); err == nil || b.State().Statements != 1 {
		t.Errorf("%v; %+v", err, b.State())
	}
	b.f = good
	if _, err := good.WriteAt(bytes.Repeat([]byte("x\n"), 4096), b.end); err != nil { // what it wrote before it failed
		t.Fatal(err)
	}
	add(t, b, 3)
	again := open(t, dir, roomy)
	if told := pay(t, again); !slices.Equal(told, []uint64{1, 3}) || again.State().Unusable != 0 {
		t.Errorf("it tells %v; %+v", told, again.State())
	}
}
