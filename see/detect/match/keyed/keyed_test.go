// SPDX-License-Identifier: Apache-2.0

package keyed

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func numbers(keys int) *Table[uint64] {
	return New(Config[uint64]{Kind: "numbers", Keys: keys, Fixed: 8,
		Encode: func(w *Writer, v *uint64) { w.Uint(*v) }, Decode: func(r *Reader, v *uint64) { *v = r.Uint() }})
}

func bump(t *Table[uint64], key string) {
	if e, _ := t.At([]byte(key)); e != nil {
		e.Val++
	}
}

func TestKeysSeenOnceAreGivenUpBeforeThoseSeenAgain(t *testing.T) {
	table := numbers(100)
	for i := range 50 {
		bump(table, fmt.Sprint("known", i))
		bump(table, fmt.Sprint("known", i))
	}
	for i := range 10_000 {
		bump(table, fmt.Sprint("once", i))
	}
	for i := range 50 {
		if e := table.Peek(fmt.Sprint("known", i)); e == nil || e.Val != 2 {
			t.Fatalf("known%d was given up", i)
		}
	}
	if s := table.Stats(); s.Keys != 100 || s.Evicted != 9950 || !s.Flood {
		t.Errorf("stats %+v", s)
	}
}

func TestAFloodIsOverAMinuteAfterIt(t *testing.T) {
	table := numbers(100)
	none := func(*Entry[uint64], int64) {}
	table.Due(1*minute, none)
	for i := range 200 {
		bump(table, fmt.Sprint("x", i))
	}
	table.Due(1*minute+minute/2, none)
	if !table.Stats().Flood {
		t.Error("not seen")
	}
	table.Due(3*minute+1, none)
	table.Due(4*minute+2, none)
	if table.Stats().Flood {
		t.Error("seen for ever")
	}
}

func TestBytesAreBounded(t *testing.T) {
	table := New(Config[uint64]{Keys: 1000, Bytes: 100 << 10})
	for i := range 500 {
		e, _ := table.At([]byte(fmt.Sprint("k", i)))
		table.Resize(e, 1000)
		if s := table.Stats(); s.Bytes > 100<<10 {
			t.Fatalf("%d bytes", s.Bytes)
		}
	}
	e, _ := table.At([]byte("huge"))
	table.Resize(e, 1<<20)
	if s := table.Stats(); s.Keys != 1 || table.Peek("huge") == nil {
		t.Errorf("the one that is in use must stay: %+v", s)
	}
	table.Resize(e, 0)
	table.Delete(e)
	if s := table.Stats(); s.Keys != 0 || s.Bytes != 0 {
		t.Errorf("left of nothing: %+v", s)
	}
}

func TestWakesComeInTheOrderOfTimesAndKeys(t *testing.T) {
	table := numbers(0)
	for _, k := range []string{"c", "a", "b", "later", "never", "moved"} {
		bump(table, k)
	}
	for k, at := range map[string]int64{"a": 5, "b": 5, "c": 3, "later": 50, "never": 4, "moved": 2} {
		table.Wake(table.Peek(k), at)
	}
	table.Wake(table.Peek("never"), 0)
	table.Wake(table.Peek("moved"), 20)
	var got []string
	due := func(e *Entry[uint64], at int64) { got = append(got, fmt.Sprint(e.Key, at)) }
	table.Due(10, due)
	table.Due(10, due)
	if s := strings.Join(got, " "); s != "c3 a5 b5" {
		t.Fatalf("woken %q", s)
	}
	table.Due(100, due)
	if s := strings.Join(got[3:], " "); s != "moved20 later50" {
		t.Errorf("woken later %q", s)
	}
	if table.Next() != 0 {
		t.Errorf("something is left for %d", table.Next())
	}
}

func TestAnEntryMayBeDeletedWhenItIsWoken(t *testing.T) {
	table := numbers(0)
	for i := range 100 {
		k := fmt.Sprint("k", i)
		bump(table, k)
		table.Wake(table.Peek(k), int64(1+i%7))
	}
	n := 0
	table.Due(100, func(e *Entry[uint64], _ int64) { n++; table.Delete(e) })
	if n != 100 || table.Len() != 0 {
		t.Errorf("%d woken, %d left", n, table.Len())
	}
}

func TestPartitionsAreOwnedSavedAndLoaded(t *testing.T) {
	table := numbers(0)
	for i := range 1000 {
		bump(table, fmt.Sprint("k", i))
	}
	table.Wake(table.Peek("k7"), 77)
	half := AllPartitions >> 16
	other := numbers(0)
	other.Own(half)
	for p := range 16 {
		var b bytes.Buffer
		if err := table.Save(p, &b); err != nil {
			t.Fatal(err)
		}
		if err := other.Load(p, &b); err != nil {
			t.Fatal(err)
		}
	}
	table.Own(^half)
	if table.Len()+other.Len() != 1000 || table.Len() == 0 || other.Len() == 0 {
		t.Errorf("%d and %d of 1000 keys", table.Len(), other.Len())
	}
	for i := range 1000 {
		k := fmt.Sprint("k", i)
		a, b := table.Peek(k), other.Peek(k)
		if (a == nil) == (b == nil) || table.Owns(k) == other.Owns(k) {
			t.Fatalf("%s is owned by both or none", k)
		}
		bump(table, k)
		bump(other, k)
	}
	if table.Len()+other.Len() != 1000 {
		t.Error("a key of another partition was kept")
	}
	for _, x := range []*Table[uint64]{table, other} {
		if e := x.Peek("k7"); e != nil && (e.Wakes() != 77 || e.Val != 2) {
			t.Errorf("k7 is %d, woken at %d", e.Val, e.Wakes())
		}
	}
}

func TestALongKeyIsFolded(t *testing.T) {
	table := numbers(0)
	long := strings.Repeat("x", 5000)
	bump(table, long+"a")
	bump(table, long+"b")
	bump(table, long+"a")
	if table.Len() != 2 {
		t.Fatalf("%d keys", table.Len())
	}
	for _, k := range table.Keys("", 0) {
		if len(k) > MaxKey {
			t.Errorf("a key of %d bytes", len(k))
		}
	}
	if got := table.Keys("nothing", 0); len(got) != 0 {
		t.Errorf("keys %v", got)
	}
	if got := table.Keys("x", 1); len(got) != 1 {
		t.Errorf("%d keys", len(got))
	}
}

func TestStateThatCannotBeIsRefusedAndLeavesNothing(t *testing.T) {
	table := numbers(0)
	bump(table, "a")
	p := PartitionOf("a")
	var b bytes.Buffer
	if err := table.Save(p, &b); err != nil {
		t.Fatal(err)
	}
	good := b.Bytes()
	for name, tt := range map[string]struct {
		data []byte
		want error
	}{
		"another beginning": {append([]byte("XXXX"), good[4:]...), ErrDamaged},
		"a wrong checksum":  {append(slices.Clone(good[:len(good)-1]), good[len(good)-1]^1), ErrDamaged},
		"a cut":             {good[:len(good)-2], ErrDamaged},
		"something behind":  {Sealed(append(slices.Clone(good), 1, 2, 3)), ErrDamaged},
		"another kind":      {Sealed(bytes.Replace(good, []byte("numbers"), []byte("letters"), 1)), ErrOtherKind},
	} {
		if err := table.Load(p, bytes.NewReader(tt.data)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if table.Len() != 0 {
			t.Errorf("%s: %d keys are left", name, table.Len())
		}
	}
	if err := table.Load(p, bytes.NewReader(good)); err != nil || table.Len() != 1 {
		t.Errorf("the good one: %v", err)
	}
	if err := table.Load(p, bytes.NewReader(nil)); err != nil || table.Len() != 0 {
		t.Errorf("an empty one: %v", err)
	}
}

func TestTouchingAKeyAllocatesNothing(t *testing.T) {
	table := numbers(100)
	key := []byte("k")
	bump(table, "k")
	if n := testing.AllocsPerRun(100, func() {
		e, _ := table.At(key)
		e.Val++
		table.Wake(e, int64(e.Val))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
